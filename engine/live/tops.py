"""What the trader hears of instruments and books: the best of those it watches, as integers."""

from __future__ import annotations

from math import isnan
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from engine.core.events import EVENT, Condition, Kind
from engine.core.trading import Listing, TopChange
from engine.core.units import NANOS, to_nanos

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.core.instruments import Instrument
    from engine.feeds.book_view import BookView

__all__ = ["Tops", "listing"]

_NOT_LAST: Final = int(Condition.NO_LAST | Condition.ODD_LOT)
_NO_VOLUME: Final = int(Condition.NO_VOLUME)
_NOTHING: Final = (0, 0)
_PRINT: Final = itemgetter(
    *((EVENT.names or ()).index(name) for name in ("instrument", "kind", "price", "quantity", "conditions"))
)


def listing(instrument: Instrument) -> Listing:
    """An instrument as the trader is told of it."""
    return Listing(
        instrument.id,
        instrument.symbol,
        to_nanos(instrument.tick),
        to_nanos(instrument.lot),
        to_nanos(instrument.multiplier),
        instrument.time_zone,
    )


class Tops:
    """Makes `TopChange` of book views; remembers last prints and volumes.

    The NBBO's readings are floats made from counts of 1e-9; they turn back into the same counts up to 9 million.
    """

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._volume: dict[int, int] = {}

    def trades(self, events: NDArray[np.void]) -> None:
        """Prints; each counts once."""
        for number, kind, price, quantity, conditions in map(_PRINT, events.tolist()):
            if kind != Kind.TRADE:
                continue
            if not conditions & _NOT_LAST:
                self._last[number] = price
            if not conditions & _NO_VOLUME:
                self._volume[number] = self._volume.get(number, 0) + quantity

    def top(self, book: BookView, levels: int, shift: int = 0) -> TopChange:
        """The present of a book, with so many levels a side; ``shift`` is added to its time of receipt."""
        quote, national = book.bbo(), book.nbbo()
        bids, asks = book.ladder(levels or 1)
        bid, bid_quantity = bids[0] if bids else _NOTHING
        ask, ask_quantity = asks[0] if asks else _NOTHING
        number = book.id
        return TopChange(
            number,
            bid,
            bid_quantity,
            ask,
            ask_quantity,
            _count(national.bid) or bid,
            _count(national.ask) or ask,
            book.state,
            quote.ts_event,
            quote.ts_recv and quote.ts_recv + shift,
            self._last.get(number, 0),
            self._volume.get(number, 0),
            bids if levels else (),
            asks if levels else (),
        )


def _count(value: float) -> int:
    return 0 if isnan(value) else round(value * NANOS)
