"""What the trader hears of books: the best of the instruments it watches, as integers."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Final

import numpy as np

from engine.core.events import Condition, Kind
from engine.core.trading import TopChange
from engine.core.units import NANOS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.feeds.book_view import BookView

__all__ = ["Tops"]

_NOT_LAST: Final = Condition.NO_LAST | Condition.ODD_LOT


class Tops:
    """Makes `TopChange` of book views; remembers last prints and volumes.

    Readings of books are floats made from counts of 1e-9; they turn back into the same counts up to 9 million.
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._volume: dict[int, int] = {}

    def trades(self, events: NDArray[np.void]) -> None:
        """Prints; each counts once."""
        for number, kind, price, quantity, conditions in zip(
            events["instrument"].tolist(),
            events["kind"].tolist(),
            events["price"].tolist(),
            events["quantity"].tolist(),
            events["conditions"].tolist(),
            strict=True,
        ):
            if kind != Kind.TRADE:
                continue
            if not conditions & _NOT_LAST:
                self._last[number] = price
            if not conditions & Condition.NO_VOLUME:
                self._volume[number] = self._volume.get(number, 0) + quantity

    def top(self, book: BookView, levels: int) -> TopChange:
        """The present of a book, with so many levels a side."""
        quote, national = book.bbo(), book.nbbo()
        bids, asks = self.levels(book, levels) if levels else ((), ())
        bid, ask = _count(quote.bid), _count(quote.ask)
        return TopChange(
            book.id,
            bid,
            _count(quote.bid_quantity),
            ask,
            _count(quote.ask_quantity),
            _count(national.bid) or bid,
            _count(national.ask) or ask,
            book.state,
            quote.ts_event,
            quote.ts_recv,
            self._last.get(book.id, 0),
            self._volume.get(book.id, 0),
            bids,
            asks,
        )

    def levels(self, book: BookView, count: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """(price, quantity) of bids and asks, best first."""
        depth = book.depth(count)
        found = []
        for side in ("bid", "ask"):
            quantities = depth[f"{side}_quantity"]
            shown = np.count_nonzero(quantities)  # what there is stands first
            prices = np.rint(depth[f"{side}_price"][:shown] * NANOS).astype(np.int64).tolist()
            found.append(tuple(zip(prices, np.rint(quantities[:shown] * NANOS).astype(np.int64).tolist(), strict=True)))
        return found[0], found[1]


def _count(value: float) -> int:
    return 0 if isnan(value) else round(value * NANOS)
