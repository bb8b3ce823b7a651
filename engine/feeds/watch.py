"""Who wants to hear of changes: callbacks, conflating streams and streams of bars. No loop and no clock.

A callback is called inline with everything that came at once. A stream that is not read fast enough conflates book
changes to the newest and counts what it skipped; bars are kept, up to a bound.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from engine._native.watch import Handle, Watchers
from engine.feeds.bars import Bar, Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engine.core.events import Quote
    from engine.core.units import Duration
    from engine.feeds.book_view import BookView

__all__ = ["BARS", "BarBuilder", "BarReader", "Change", "ChangeReader", "Handle", "Watchers"]

BARS: Final = 10_000  #: bars a reader holds at most; older ones are dropped and counted


class Change(NamedTuple):
    """The newest state of a book that changed, and how many changes of it were skipped since the last one given."""

    book: BookView
    quote: Quote
    missed: int


class ChangeReader:
    """What a stream of changes has not given yet: the newest state of each book, in the order they changed first."""

    def __init__(self, numbers: frozenset[int], wake: Callable[[], None]) -> None:
        self.numbers = numbers
        self._pending: dict[int, int] = {}  # instrument -> changes since the last one given
        self._wake = wake

    def offer(self, numbers: Iterable[int]) -> None:
        """These instruments changed."""
        pending = self._pending
        for number in numbers:
            if number in self.numbers:
                pending[number] = pending.get(number, 0) + 1
        if pending:
            self._wake()

    def take(self, views: Callable[[int], BookView]) -> Change | None:
        """The change that waits longest, as it stands now."""
        if not self._pending:
            return None
        number = next(iter(self._pending))
        count = self._pending.pop(number)
        book = views(number)
        return Change(book, book.bbo(), count - 1)


class BarReader:
    """Closed bars that a stream has not given yet."""

    def __init__(self, numbers: frozenset[int], wake: Callable[[], None]) -> None:
        self.numbers = numbers
        self.dropped = 0
        self._pending: deque[Bar] = deque()
        self._wake = wake

    def offer(self, bars: Iterable[Bar]) -> None:
        """These bars closed."""
        for bar in bars:
            if bar.instrument in self.numbers:
                self._pending.append(bar)
        while len(self._pending) > BARS:
            self._pending.popleft()
            self.dropped += 1
        if self._pending:
            self._wake()

    def take(self) -> Bar | None:
        """The oldest."""
        return self._pending.popleft() if self._pending else None


class BarBuilder:
    """One builder for all readers of one interval."""

    def __init__(self, interval: Duration, delay: Duration) -> None:
        self.bars = Bars(interval, delay=delay)
        self.readers: list[BarReader] = []

    def next_close(self, now: int) -> int:
        """When the next interval is over, its delay included."""
        step, delay = self.bars.interval_ns, self.bars.delay_ns
        return ((now - delay) // step + 1) * step + delay

    def update(self, trades: NDArray[np.void]) -> None:
        """Prints came."""
        self._offer(self.bars.update(trades))

    def close(self, now: int) -> None:
        """Time passed."""
        self._offer(self.bars.close(now))

    def _offer(self, bars: Sequence[Bar]) -> None:
        if bars:
            for reader in tuple(self.readers):
                reader.offer(bars)
