"""Which state of an order may follow which: the one table of it, for children and for parents.

What is said of an order is first brought to one of the `Event` words by `engine.execution.child`, which knows
quantities and proofs; here stands only what such a word does to a state. A final state never changes, though fills may
still come.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from engine.core.trading import OrderState
from engine.errors import InternalError

__all__ = ["FINAL", "IN_FLIGHT", "LIVE", "PARENT_MOVES", "TABLE", "Event", "follow", "move_parent"]


class Event(Enum):
    """What can happen to a child order."""

    ACCEPTED = "the broker has it"
    PART = "filled in part"
    FULL = "nothing is left to fill"
    WITHDRAWN = "a cancel was sent"
    WORKS = "a read says that it works, nothing filled"
    WORKS_PART = "a read says that it works, filled in part"
    DOUBT = "a request may or may not have passed"
    ENDING = "the broker says it is over; not confirmed by a read yet"
    CANCELLED = "proven: cancelled"
    EXPIRED = "proven: expired"
    REJECTED = "proven: rejected, or never arrived"


PENDING_NEW, NEW, PART, FILLED = OrderState.PENDING_NEW, OrderState.NEW, OrderState.PARTIALLY_FILLED, OrderState.FILLED
PENDING_CANCEL, CANCELLED, REPLACED = OrderState.PENDING_CANCEL, OrderState.CANCELLED, OrderState.REPLACED
REJECTED, EXPIRED, UNKNOWN = OrderState.REJECTED, OrderState.EXPIRED, OrderState.UNKNOWN

FINAL: Final = frozenset({FILLED, CANCELLED, REPLACED, REJECTED, EXPIRED})
IN_FLIGHT: Final = frozenset({PENDING_NEW, PENDING_CANCEL})  #: a request of ours is under way
LIVE: Final = frozenset({NEW, PART})  #: the broker has it, and nothing is under way

_ENDS: Final = {
    Event.FULL: FILLED,
    Event.CANCELLED: CANCELLED,
    Event.EXPIRED: EXPIRED,
    Event.REJECTED: REJECTED,
    Event.ENDING: PENDING_CANCEL,
}

#: From a state, by an event, to a state. What is not here does not change the state.
TABLE: Final[dict[OrderState, dict[Event, OrderState]]] = {
    PENDING_NEW: {
        Event.ACCEPTED: NEW,
        Event.PART: PART,
        Event.WITHDRAWN: PENDING_CANCEL,
        Event.WORKS: NEW,
        Event.WORKS_PART: PART,
        Event.DOUBT: UNKNOWN,
        **_ENDS,
    },
    NEW: {Event.PART: PART, Event.WITHDRAWN: PENDING_CANCEL, Event.WORKS_PART: PART, Event.DOUBT: UNKNOWN, **_ENDS},
    PART: {Event.WITHDRAWN: PENDING_CANCEL, Event.DOUBT: UNKNOWN, **_ENDS},
    PENDING_CANCEL: {Event.WORKS: NEW, Event.WORKS_PART: PART, Event.DOUBT: UNKNOWN, **_ENDS},
    UNKNOWN: {
        Event.ACCEPTED: NEW,
        Event.PART: PART,
        Event.WITHDRAWN: UNKNOWN,  # still not known whether there is anything to withdraw
        Event.WORKS: NEW,
        Event.WORKS_PART: PART,
        **_ENDS,
    },
}

#: Parents have no `unknown`: while a child of theirs is, they wait.
PARENT_MOVES: Final[dict[OrderState, frozenset[OrderState]]] = {
    PENDING_NEW: frozenset({NEW, REJECTED}),
    NEW: frozenset({PART, FILLED, PENDING_CANCEL, CANCELLED, EXPIRED, REJECTED}),
    PART: frozenset({NEW, FILLED, PENDING_CANCEL, CANCELLED, EXPIRED}),  # NEW again: its only fill was busted
    PENDING_CANCEL: frozenset({FILLED, CANCELLED, EXPIRED, REJECTED}),
}


def follow(state: OrderState, event: Event) -> OrderState:
    """The state of a child in ``state`` after ``event``; the same where the event says nothing new."""
    return TABLE[state].get(event, state) if state not in FINAL else state


def move_parent(state: OrderState, to: OrderState) -> OrderState:
    """The state ``to``, if a parent in ``state`` may come to it.

    Raises:
        InternalError: it may not.
    """
    if to is not state and to not in PARENT_MOVES.get(state, frozenset()):
        raise InternalError(f"a parent order went from {state} to {to}, which the table of states does not have")
    return to
