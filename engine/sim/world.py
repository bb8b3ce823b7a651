"""A seeded market that can be traded in: order-by-order flow of made-up instruments, on virtual time.

Agents act through a matching venue, and so may others: their orders stand in the same queues, are seen by the agents
and move the price. The kernel is ``native/world``; ``tests/reference/world.py`` says it all in plain Python. In short:

* A fair price moves by news (a random walk of at most 1.5 % a day, with a volatility that wanders) and by trades.
* Every trade but those that correct a stale quote moves it by volume: a permanent part, one daily standard deviation a
  day's volume (Almgren, Thum, Hauptmann, Li 2005: 0.314 (shares outstanding / volume)^1/4, about 1.2), and a transient
  part that decays: four exponentials with half-lives of 1, 8, 64 and 512 s, weighted like 1 / sqrt(t) (Bouchaud, Gefen,
  Potters, Wyart 2004), scaled to the temporary impact of the 2005 paper at a participation of 10 %. So an order of 1 %
  of a day's volume over 15 minutes moves the price by about 0.09 daily standard deviations, near the square-root law.
* Makers quote around it: wider when it moves more and when the book lacks orders, which they refill; they reprice,
  cancel, and now and then leave a quote stale, which others take. Noise takers hit the thinner side more often.
* Acts come by the U shape of a trading day: twice the mean rate at the open and the close, half of it at noon.

Numbers come from Philox words by integer arithmetic only, streams of their own a symbol: a seed means the same bytes
everywhere, another symbol changes nothing in the first, and the news and the times of acts are the same with and
without orders of others, so that a run without them tells what they did to the price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine._native.world import World as _World
from engine.core.events import Side
from engine.core.units import NANOS, Duration, duration_ns
from engine.sim.truth import TruthBook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

__all__ = ["NEVER", "OPEN", "OUTSIDE", "TICK", "World"]

TICK: Final = NANOS // 100  #: one cent in counts of 1e-9; a lot is one share
OPEN: Final = 1_767_623_400 * NANOS  #: 2026-01-05 09:30 in New York, ns since epoch
VENUE: Final = 1  #: XNAS
PROVIDER: Final = 8  #: simulation
NEVER: Final = 2**63 - 1  #: a time that does not come
OUTSIDE: Final = 1 << 63  #: order ids of others than the agents have this bit


class World:
    """Order flow of ``symbols``; iterate for batches, again and again with the same bytes, or `advance` it by hand.

    A batch is an array of EVENT in time order: everything that happened in one ``interval`` (empty ones are left out).
    Its ``ts_recv`` is the end of that interval in every record, ``instrument`` the index of the symbol in ``symbols``.

    To trade in it::

        reports = world.submit(orders, at)    # what they did at once
        events = world.advance(at + NANOS)    # all since the last call, the public side of those orders too
        later = world.take_reports()          # fills of orders that rested, meanwhile

    Args:
        symbols: names, each once.
        seed: 0 <= seed < 2^64.
        duration: length in virtual time, a timedelta or text such as "10m"; after it no agent acts.
        start: ns since epoch; 2026-01-05 09:30 in New York unless given.
        interval: virtual time a batch of an iteration covers.
        rate: acts a second and symbol, averaged over a trading day; an act is one event, sweeps are more.

    Raises:
        ValueError: no symbols, a symbol twice, or a number out of its range.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        seed: int = 0,
        duration: Duration = "10m",
        *,
        start: int = OPEN,
        interval: Duration = "10ms",
        rate: int = 1_000,
    ) -> None:
        if not symbols or len(set(symbols)) != len(symbols) or isinstance(symbols, str):
            raise ValueError(f"symbols is {symbols!r}; expected a sequence of names, each once")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed is {seed}; expected 0 <= seed < 2**64")
        if not 1 <= rate <= 1_000_000:
            raise ValueError(f"rate is {rate}; expected 1 to 1000000 acts a second")
        self.symbols = tuple(symbols)
        self.seed = seed
        self.start = start
        self.end = start + duration_ns(duration, "duration")
        self.interval = duration_ns(interval, "interval")
        if self.interval == 0:
            raise ValueError("interval is 0; expected a positive duration")
        self.rate = rate
        self.reset()

    def reset(self) -> None:
        """Back to the start: what happened is forgotten, orders of others too."""
        self._world = _World(
            len(self.symbols), self.seed, self.start, self.end, OPEN, self.rate, venue=VENUE, provider=PROVIDER
        )

    @property
    def now(self) -> int:
        """What time it is in it, ns since epoch."""
        return self._world.now

    @property
    def next_time(self) -> int:
        """When something happens next by itself; 2^63 - 1 after the end. While events wait to be taken it is now."""
        return self._world.next_time

    def advance(self, until: int) -> npt.NDArray[Any]:
        """Lets everything before ``until`` happen; then it is ``until``. All events since the last call, perhaps none.

        Raises:
            ValueError: ``until`` is past.
        """
        return self._world.advance(until)

    def submit(self, orders: npt.NDArray[Any], at: int | None = None) -> npt.NDArray[Any]:
        """Carries out requests (ORDER), whatever their ``ts``: the REPORTs they caused at once, not those to agents.

        ``instrument`` is the index of the symbol. Prices are whole cents, quantities whole shares.

        Args:
            orders: one-dimensional.
            at: when, not past; the world goes on until then, and what happens waits to be taken. None: now.

        Raises:
            TypeError: not an array of ORDER.
            ValueError: ``at`` is past, owner 0, or an order id without `OUTSIDE`: those are the agents'.
        """
        return self._world.submit(orders, self.now if at is None else at)

    def take_reports(self) -> npt.NDArray[Any]:
        """REPORTs to others than the agents since the last call, of what happened while the world went on."""
        return self._world.take_reports()

    def snapshot(self, symbol: str) -> npt.NDArray[Any]:
        """What is displayed now as ADD events by priority: bids, then asks, best price first.

        Raises:
            KeyError: an unknown symbol.
        """
        return self._world.show(self._index(symbol))

    def truth(self, symbol: str) -> TruthBook:
        """The book as it stands now, a copy. Raises KeyError if the symbol is unknown."""
        book = TruthBook()
        for event in self.snapshot(symbol):
            book.add(int(event["order_id"]), Side(event["side"]), int(event["price"]), int(event["quantity"]))
        book.ts_event = self.now
        return book

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        self.reset()
        while self.now < self.end:
            events = self.advance(min(self.now + self.interval, self.end))
            if len(events):
                yield events

    def _index(self, symbol: str) -> int:
        try:
            return self.symbols.index(symbol)
        except ValueError:
            raise KeyError(f"symbol is {symbol!r}; expected one of {', '.join(self.symbols)}") from None
