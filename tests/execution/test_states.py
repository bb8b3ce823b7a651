import pytest

from engine.core.trading import OrderState
from engine.errors import InternalError
from engine.execution.states import FINAL, PARENT_MOVES, TABLE, Event, follow, move_parent


def test_every_state_of_a_child_is_final_or_in_the_table():
    assert set(TABLE) | FINAL == set(OrderState)
    assert not set(TABLE) & FINAL


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_final_state_never_changes(state):
    assert {follow(state, event) for event in Event} == {state}


def test_unknown_is_left_by_statements_only():
    """A wish of ours, or more doubt, is none."""
    assert follow(OrderState.UNKNOWN, Event.WITHDRAWN) is OrderState.UNKNOWN
    assert follow(OrderState.UNKNOWN, Event.DOUBT) is OrderState.UNKNOWN
    assert follow(OrderState.UNKNOWN, Event.WORKS) is OrderState.NEW


def test_every_state_can_end():
    for state in TABLE:
        assert follow(state, Event.FULL) is OrderState.FILLED
        assert follow(state, Event.CANCELLED) is OrderState.CANCELLED


def test_parents_keep_to_their_table():
    assert move_parent(OrderState.NEW, OrderState.FILLED) is OrderState.FILLED
    assert not FINAL & set(PARENT_MOVES)
    with pytest.raises(InternalError, match="from filled to new"):
        move_parent(OrderState.FILLED, OrderState.NEW)
