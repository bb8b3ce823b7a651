"""One seeded market on several venues: the books that really stand there, the NBBO over them, and every print.

A `World` makes the order flow of each symbol as if there were one venue; here every order rests at one of several,
chosen by its id. So a venue's book is a part of the whole, and the NBBO is neither crossed nor locked, as in a market
whose routers do their duty. Providers tell parts of this: a SIP line the NBBO and all prints, an exchange its own book.

Simplifications: quotes are in shares and count odd lots; of venues at the best price the NBBO names the one with the
largest quantity, then the first listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.core.events import NO_INSTRUMENT, Flag, Kind, Side
from engine.core.venues import venue_id
from engine.sim.tape_world import TapeWorld
from engine.sim.world import NEVER, OPEN, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from engine.core.units import Duration

__all__ = [
    "NEVER",
    "NO_SLOT",
    "NO_TOP",
    "SYMBOLS",
    "Batch",
    "Level",
    "Market",
    "Print",
    "Slot",
    "Tick",
    "Top",
    "VenueBook",
]

SYMBOLS: Final = ("AAPL", "MSFT", "SPY")
#: venue name and its share of the orders, in percent
SHARES: Final[Mapping[str, int]] = {"XNAS": 32, "XNYS": 20, "ARCX": 18, "BATS": 16, "IEXG": 14}
_MASK: Final = 2**64 - 1


class Slot(NamedTuple):
    """The best of one side: venue id, price and quantity in counts of 1e-9; zeros where there is none."""

    venue: int
    price: int
    quantity: int


class Top(NamedTuple):
    """The best of both sides, of a venue or of the market."""

    bid: Slot
    ask: Slot


class Level(NamedTuple):
    """What now stands at a price of a venue, in counts of 1e-9; quantity 0: nothing."""

    venue: int
    side: Side
    price: int
    quantity: int


class Print(NamedTuple):
    """A trade. ``side`` is that of the resting order; ``hidden``: nobody saw that order."""

    venue: int
    side: Side
    price: int
    quantity: int
    trade_id: int
    hidden: bool


class Tick(NamedTuple):
    """One atomic event of the market: what it changed, and how things stand after it.

    ``tops`` are the venues' tops that changed, as (venue id, top); ``nbbo`` is None if it stayed as it was.
    """

    ts: int
    symbol: str
    sequence: int
    levels: tuple[Level, ...]
    tops: tuple[tuple[int, Top], ...]
    nbbo: Top | None
    prints: tuple[Print, ...]


class Batch(NamedTuple):
    """Everything that happened in one interval of the market, which ended at ``close``."""

    close: int
    ticks: list[Tick]


NO_SLOT: Final = Slot(0, 0, 0)
NO_TOP: Final = Top(NO_SLOT, NO_SLOT)


class VenueBook:
    """What rests at one venue in one symbol: quantity by price, counts of 1e-9, and its top."""

    def __init__(self, venue: int) -> None:
        self.venue = venue
        self.levels: dict[Side, dict[int, int]] = {Side.BID: {}, Side.ASK: {}}
        self.top = NO_TOP
        self._told = NO_TOP

    def add(self, side: Side, price: int, quantity: int) -> Level:
        """Adds to a level, or takes from it where ``quantity`` is negative; how the level stands after it."""
        return self.set(side, price, self.levels[side].get(price, 0) + quantity)

    def set(self, side: Side, price: int, quantity: int) -> Level:
        """Sets what stands at a price; 0 or less removes the level."""
        levels, slot = self.levels[side], self.top[side - 1]
        if quantity > 0:
            levels[price] = quantity
            if not slot.quantity or (price >= slot.price if side is Side.BID else price <= slot.price):
                self._show(side, Slot(self.venue, price, quantity))
        else:
            quantity = 0
            levels.pop(price, None)
            if price == slot.price:
                best = (max if side is Side.BID else min)(levels, default=0)
                self._show(side, Slot(self.venue, best, levels[best]) if best else NO_SLOT)
        return Level(self.venue, side, price, quantity)

    def take_changed(self) -> bool:
        """Whether the top is another than at the last call."""
        before, self._told = self._told, self.top
        return before != self.top

    def _show(self, side: Side, slot: Slot) -> None:
        self.top = Top(slot, self.top.ask) if side is Side.BID else Top(self.top.bid, slot)


class _Made:
    """A world, cut into batches that end on a grid of its interval."""

    def __init__(self, world: World | TapeWorld) -> None:
        self.world = world

    @property
    def next_time(self) -> int:
        """The end of the interval in which something happens next."""
        world = self.world
        if (time := world.next_time) == NEVER:
            return NEVER
        close = world.start + ((time - world.start) // world.interval + 1) * world.interval
        return min(close, world.end) if time < world.end else close

    def take(self) -> npt.NDArray[Any]:
        return self.world.advance(self.next_time)


class _Played:
    """Batches of a tape, each complete at its time of receipt."""

    def __init__(self, batches: Iterator[npt.NDArray[Any]]) -> None:
        self._batches = batches
        self._next = next(batches, None)

    @property
    def next_time(self) -> int:
        return NEVER if self._next is None else int(self._next["ts_recv"][-1])

    def take(self) -> npt.NDArray[Any]:
        taken, self._next = self._next, next(self._batches, None)
        assert taken is not None
        return taken


class Market:
    """A multi-venue market that is asked for what happened until a time, batch by batch.

    Args:
        symbols: names, each once; 1 to 8 characters where IEX is to carry them.
        seed: 0 <= seed < 2^64; the same seed, the same market.
        start: ns since epoch of the opening.
        duration: how long orders keep coming.
        rate: acts a second and symbol, averaged over a trading day.
        interval: virtual time of one batch.
        shares: venue name -> percent of the orders; they sum to 100.
        source: batches of EVENT to play instead of a generated flow, such as a `Tape`'s; their times are moved so that
            the first is at ``start``, their ``instrument`` is an index into ``symbols``. Orders are spread over the
            venues, LEVEL and QUOTE events stay at the venue they name. A `TapeWorld` can be traded in; its times hold.

    Raises:
        ValueError: an argument out of its range; the message names it.
    """

    def __init__(
        self,
        symbols: Sequence[str] = SYMBOLS,
        seed: int = 0,
        *,
        start: int = OPEN,
        duration: Duration = "24h",
        rate: int = 200,
        interval: Duration = "1ms",
        shares: Mapping[str, int] | None = None,
        source: Iterable[npt.NDArray[Any]] | TapeWorld | None = None,
    ) -> None:
        world = World(symbols, seed, duration, start=start, interval=interval, rate=rate)
        shares = SHARES if shares is None else shares
        if sum(shares.values()) != 100 or min(shares.values()) < 0:
            raise ValueError(f"shares are {dict(shares)}; expected percents that sum to 100")
        self.symbols = world.symbols
        self.venues = tuple(venue_id(name) for name in shares)
        self.start = start
        self.seed = seed
        self.sequence = 0  #: of the last event that happened
        self._venue_of_percent = [venue_id(name) for name, share in shares.items() for _ in range(share)]
        self._books = [{venue: VenueBook(venue) for venue in self.venues} for _ in self.symbols]
        self._nbbo = [NO_TOP] * len(self.symbols)
        self._orders: dict[tuple[int, int], list[int]] = {}  # (instrument, id) -> [venue, side, price, quantity]
        self._pending: dict[int, tuple[list[Level], list[Print]]] = {}  # of atomic events whose end is to come
        self._source: _Made | _Played
        if source is None or isinstance(source, TapeWorld):
            self._source = _Made(world if source is None else source)
        else:
            self._source = _Played(_moved(source, start, len(self.symbols)))

    @property
    def next_time(self) -> int:
        """When the next batch is complete, ns since epoch; NEVER after the last."""
        return self._source.next_time

    def advance(self, now: int) -> list[Batch]:
        """The batches complete at ``now``, each once; the books stand as after the last of them."""
        batches = []
        while (close := self._source.next_time) <= now and close != NEVER:
            ticks: list[Tick] = []
            for row in self._source.take().tolist():
                self._apply(row, ticks)
            if ticks:
                batches.append(Batch(close, ticks))
        return batches

    def submit(self, orders: npt.NDArray[Any], now: int) -> npt.NDArray[Any]:
        """Requests (ORDER) of clients at ``now``, not past: the REPORTs they caused at once; books follow at `advance`.

        Raises:
            ValueError: batches are played, or as `World.submit`.
        """
        return self._made().submit(orders, now)

    def take_reports(self) -> npt.NDArray[Any]:
        """REPORTs on clients' orders since the last call, of what happened while the market went on."""
        return self._made().take_reports()

    def _made(self) -> World | TapeWorld:
        if isinstance(self._source, _Played):
            raise ValueError("the market plays batches; expected a World or a TapeWorld, which can be traded in")
        return self._source.world

    def nbbo(self, symbol: str) -> Top:
        """The true best bid and offer of all venues."""
        return self._nbbo[self._index(symbol)]

    def top(self, symbol: str, venue: int) -> Top:
        """The true top of one venue."""
        return self.book(symbol, venue).top

    def book(self, symbol: str, venue: int) -> VenueBook:
        """The true book of one venue: a live object, not a copy.

        Raises:
            KeyError: an unknown symbol or venue.
        """
        return self._books[self._index(symbol)][venue]

    def _index(self, symbol: str) -> int:
        try:
            return self.symbols.index(symbol)
        except ValueError:
            raise KeyError(f"symbol is {symbol!r}; expected one of {', '.join(self.symbols)}") from None

    def _apply(self, row: tuple[int, ...], ticks: list[Tick]) -> None:
        ts, _, price, quantity, _, order_id, instrument, venue, _, kind, side, flags, _, _ = row
        self.sequence += 1
        if instrument == NO_INSTRUMENT or kind == Kind.STATUS:
            return
        levels, prints = self._pending.setdefault(instrument, ([], []))
        if kind in _ORDER_KINDS:
            self._order(kind, (instrument, order_id), Side(side), price, quantity, levels, prints)
        elif kind == Kind.TRADE:
            venue = self._venue(self.sequence)
            prints.append(Print(venue, Side(side), price, quantity, self.sequence, hidden=True))
        elif kind in {Kind.LEVEL, Kind.QUOTE, Kind.CLEAR}:
            self._level(kind, instrument, venue, Side(side), price, quantity, levels)
        if flags & Flag.LAST and (levels or prints):
            ticks.append(self._tick(ts, instrument, levels, prints))
            del self._pending[instrument]

    def _order(
        self,
        kind: int,
        key: tuple[int, int],
        side: Side,
        price: int,
        quantity: int,
        levels: list[Level],
        prints: list[Print],
    ) -> None:
        if kind == Kind.REPLACE and (order := self._orders.get(key)):
            levels.append(self._books[key[0]][order[0]].add(Side(order[1]), order[2], -order[3]))
            side, kind = Side(order[1]), Kind.ADD
        if kind == Kind.ADD:
            venue = self._venue(key[1])
            self._orders[key] = [venue, side, price, quantity]
            levels.append(self._books[key[0]][venue].add(side, price, quantity))
            return
        order = self._orders.get(key)
        if order is None:  # of a tape that begins in the middle
            return
        taken = order[3] if kind == Kind.DELETE else min(quantity, order[3])
        order[3] -= taken
        if not order[3]:
            del self._orders[key]
        levels.append(self._books[key[0]][order[0]].add(Side(order[1]), order[2], -taken))
        if kind == Kind.EXECUTE and taken:
            prints.append(Print(order[0], Side(order[1]), order[2], taken, self.sequence, hidden=False))

    def _level(
        self, kind: int, instrument: int, venue: int, side: Side, price: int, quantity: int, levels: list[Level]
    ) -> None:
        book = self._books[instrument].setdefault(venue, VenueBook(venue))
        if kind != Kind.LEVEL:  # a quote is all there is of its side; CLEAR names a side or none
            for one in (Side.BID, Side.ASK) if side is Side.NONE else (side,):
                levels.extend(book.set(one, old, 0) for old in list(book.levels[one]))
        if kind != Kind.CLEAR:
            levels.append(book.set(side, price, quantity))

    def _tick(self, ts: int, instrument: int, levels: list[Level], prints: list[Print]) -> Tick:
        books = self._books[instrument]
        touched = [books[venue] for venue in dict.fromkeys(level.venue for level in levels)]
        tops = tuple((book.venue, book.top) for book in touched if book.take_changed())
        nbbo = _best(books.values()) if tops else self._nbbo[instrument]
        changed = nbbo != self._nbbo[instrument]
        self._nbbo[instrument] = nbbo
        symbol = self.symbols[instrument]
        return Tick(ts, symbol, self.sequence, tuple(levels), tops, nbbo if changed else None, tuple(prints))

    def _venue(self, order_id: int) -> int:
        """Where an order rests: by a hash of its id and the seed (splitmix64's finalizer)."""
        value = (order_id + self.seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & _MASK
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
        return self._venue_of_percent[(value ^ value >> 31) % 100]


_ORDER_KINDS: Final = {Kind.ADD, Kind.REDUCE, Kind.DELETE, Kind.REPLACE, Kind.EXECUTE}


def _best(books: Iterable[VenueBook]) -> Top:
    bid = ask = NO_SLOT
    for book in books:
        other = book.top
        if other.bid.quantity and (other.bid.price, other.bid.quantity) > (bid.price, bid.quantity):
            bid = other.bid
        if other.ask.quantity and (
            not ask.quantity or (other.ask.price, -other.ask.quantity) < (ask.price, -ask.quantity)
        ):
            ask = other.ask
    return Top(bid, ask)


def _moved(source: Iterable[npt.NDArray[Any]], start: int, symbols: int) -> Iterator[npt.NDArray[Any]]:
    """Batches of a tape with their times moved, and only of the instruments there are."""
    shift, latest = None, 0
    for batch in source:
        kept = batch[(batch["instrument"] < symbols) | (batch["instrument"] == NO_INSTRUMENT)].copy()
        if not len(kept):
            continue
        if shift is None:
            shift = start - int(kept["ts_event"][0])
        kept["ts_event"] += shift
        latest = max(latest, int(kept["ts_event"].max()))  # a tape's clock may run backwards, ours may not
        kept["ts_recv"] = latest
        yield kept
