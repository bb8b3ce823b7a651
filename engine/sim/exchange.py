"""Where simulated brokers meet: orders of several brokers go to one matching world, each hears of its own.

Whatever matches can stand behind it: a `World`, whose agents trade too, or a bare `Venue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from engine.core.orders import REPORT

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Exchange", "Listener", "Matching", "VenueMatching"]


class Matching(Protocol):
    """What takes orders. Ids are the senders' own, unique among live orders; ``owner`` 0 is the matching's own."""

    def submit(self, orders: NDArray[np.void]) -> NDArray[np.void]:
        """Applies ORDER records now; every REPORT they cause, of whichever owner."""

    def advance(self, until_ns: int) -> NDArray[np.void]:
        """Moves time on; the EVENT records of what became public."""

    def take_reports(self) -> NDArray[np.void]:
        """REPORT records of others' orders that the passing of time caused."""


class Listener(Protocol):
    """Who hears of its orders."""

    def matched(self, reports: NDArray[np.void], now: int) -> None:
        """REPORT records of this owner's orders, in order."""


class Exchange:
    """Sends each owner its reports.

    Args:
        matching: what takes the orders.
        now: its time, ns.
    """

    def __init__(self, matching: Matching, now: int) -> None:
        self._matching = matching
        self._listeners: list[Listener] = []
        self._events: list[NDArray[Any]] = []
        self._number = 0
        self.now = now

    def join(self, listener: Listener) -> int:
        """A new owner; its number."""
        self._listeners.append(listener)
        return len(self._listeners)

    def next_number(self) -> int:
        """An order id nobody had."""
        self._number += 1
        return self._number

    def submit(self, orders: NDArray[np.void], now: int) -> None:
        """Orders reach the market at ``now``; everybody concerned hears of it before this returns."""
        self.advance(now)
        self._tell(self._matching.submit(orders))

    def advance(self, now: int) -> None:
        """The market lives until ``now``."""
        if now > self.now:
            events = self._matching.advance(now)
            self.now = now
            if len(events):
                self._events.append(events)
            self.tell()

    def tell(self) -> None:
        """Everybody hears of what happened to orders at rest."""
        self._tell(self._matching.take_reports())

    def take_events(self) -> list[NDArray[Any]]:
        """What became public since the last call, in order."""
        found, self._events = self._events, []
        return found

    def _tell(self, reports: NDArray[np.void]) -> None:
        if not len(reports):
            return
        owners = reports["owner"]
        for owner in np.unique(owners[owners > 0]).tolist():
            self._listeners[owner - 1].matched(reports[owners == owner], self.now)


class VenueMatching:
    """A bare venue as what takes orders: nobody else trades, and time changes nothing.

    Args:
        venue: an ``engine.Venue`` made with ``events=True``.
    """

    def __init__(self, venue: Any) -> None:
        self._venue = venue

    def submit(self, orders: NDArray[np.void]) -> NDArray[np.void]:
        """Applies them."""
        found: NDArray[np.void] = self._venue.apply(orders)
        return found

    def advance(self, until_ns: int) -> NDArray[np.void]:
        """What became public since the last call."""
        del until_ns
        found: NDArray[np.void] = self._venue.take_events()
        return found

    def take_reports(self) -> NDArray[np.void]:
        """None: nothing happens without an order."""
        return np.zeros(0, REPORT)
