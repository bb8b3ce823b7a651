"""A live book as users see it: the readings of the composed book, its NBBO, and whether it can be relied on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from engine.core.events import NO_INSTRUMENT, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine._native.book import BookView as NativeView
    from engine._native.compose import Composer
    from engine.core.events import Quote

__all__ = ["BookState", "BookView"]

#: "empty": nothing was ever heard; "live": a trusted line stands behind it; "stale": none does any more, so it shows
#: nothing; "halted": whatever is shown, there is no trading.
BookState = Literal["empty", "live", "stale", "halted"]

_HALTED: Final = frozenset({Status.HALTED, Status.PAUSED, Status.QUOTE_ONLY})
#: Between these and the next start of hours nothing trades.
_CLOSED: Final = frozenset({Status.SYSTEM_START_MESSAGES, Status.SYSTEM_END_HOURS, Status.SYSTEM_END_MESSAGES})


class BookView:
    """The live book of one instrument; always the newest, never a copy.

    The readings are those of ``engine.Book``: ``bbo()``, ``depth(n, out=None)``, ``ladder(n)``, ``mid()``,
    ``spread()``, ``spread_bps()``, ``microprice()``, ``imbalance(levels=1)``, ``total(side, levels=None)``,
    ``walk(side, quantity)``, ``fill_price(side, quantity)``, ``impact_bps(side, quantity)``, and of several venues
    ``venues(n)`` and ``venue_depth(venue, n)``.

    Attributes:
        symbol: the instrument's name.
        id: its number in events.
    """

    __slots__ = (
        *("_composer", "_groups", "_view", "id", "symbol"),
        *(
            "bbo",
            "depth",
            "fill_price",
            "imbalance",
            "impact_bps",
            "ladder",
            "microprice",
            "mid",
            "spread",
            "spread_bps",
        ),
        *("total", "venue_depth", "venues", "walk"),
    )

    def __init__(
        self, symbol: str, number: int, composer: Composer, view: NativeView, groups: Sequence[tuple[str, int]]
    ) -> None:
        self.symbol = symbol
        self.id = number
        self._composer = composer
        self._view = view
        self._groups = groups
        # bound methods of the native book: a reading costs what it costs there
        self.bbo = view.bbo
        self.depth = view.depth
        self.ladder = view.ladder
        self.venues = view.venues
        self.venue_depth = view.venue_depth
        self.mid = view.mid
        self.spread = view.spread
        self.spread_bps = view.spread_bps
        self.microprice = view.microprice
        self.imbalance = view.imbalance
        self.total = view.total
        self.walk = view.walk
        self.fill_price = view.fill_price
        self.impact_bps = view.impact_bps

    def __repr__(self) -> str:
        quote = self.bbo()
        return f"BookView({self.symbol!r}, {self.state}, {quote.bid} / {quote.ask})"

    @property
    def crossed(self) -> bool:
        """Whether the best bid stands above the best ask."""
        return self._view.crossed

    @property
    def locked(self) -> bool:
        """Whether the best bid equals the best ask."""
        return self._view.locked

    @property
    def venue_names(self) -> tuple[str, ...]:
        """The venues that ever had a level here."""
        return self._view.venue_names

    def nbbo(self) -> Quote:
        """The national best bid and offer as the leading line of that class gives it, nan where there is none."""
        return self._composer.nbbo(self.id)

    @property
    def trusted(self) -> bool:
        """Whether a trusted line that knows the instrument stands behind the book."""
        leader, number = self._composer.leader, self.id
        return any(leader(number, role, venue) >= 0 for role, venue in self._groups)  # type: ignore[arg-type]

    @property
    def state(self) -> BookState:
        """How far the book can be relied on (see ``BookState``).

        Halts, volatility pauses and quote-only periods, as a trusted line told them, are "halted", and so are the hours
        before an exchange's system opens and after it has closed.
        """
        composer = self._composer
        if composer.status(self.id) in _HALTED or composer.status(NO_INSTRUMENT) in _CLOSED:
            return "halted"
        if self.trusted:
            return "live"
        quote = self.bbo()
        return "stale" if quote.ts_recv or quote.ts_event else "empty"

    @property
    def two_sided(self) -> bool:
        """Whether it is live with a bid and an ask."""
        quote = self.bbo()
        return quote.bid == quote.bid and quote.ask == quote.ask and self.state == "live"
