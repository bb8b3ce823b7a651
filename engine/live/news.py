"""What users hear of their orders: updates, kept for readers that come later, never conflated."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.core.units import shortest
from engine.errors import Lagged
from engine.feeds.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from engine.core import trading
    from engine.core.trading import OrderState
    from engine.live.order import Order

__all__ = ["KEPT", "Fill", "Update", "UpdateLog"]

KEPT: Final = 10_000  #: updates that readers can still get; who is slower hears `Lagged`


class Fill(NamedTuple):
    """Our execution; a bust has a negative quantity. ``fee`` is positive when we pay.

    ``inferred``: only a cumulative quantity told of it; the real one takes its place when it comes.
    """

    quantity: Decimal
    price: Decimal
    fee: Decimal
    execution_id: str
    broker: str
    ts_event: int
    inferred: bool


class Update(NamedTuple):
    """Something happened to an order.

    Attributes:
        order: the client order id of the child it happened to; "" for the parent itself.
        parent: the parent order.
        state: the child's or parent's afterwards.
        fill: what was filled, or taken back.
        reason: in words, "" if there is none.
        sequence: of updates, 1, 2, ... in this journal.
        ts_recv: when we knew, ns since the epoch.
    """

    order: str
    parent: Order
    state: OrderState
    fill: Fill | None
    reason: str
    sequence: int
    ts_recv: int


def public_fill(fill: trading.Fill | None) -> Fill | None:
    """A fill in the numbers people use."""
    if fill is None:
        return None
    return Fill(
        shortest(fill.quantity),
        shortest(fill.price),
        shortest(fill.fee),
        fill.execution_id,
        fill.broker,
        fill.ts_event,
        fill.inferred,
    )


class UpdateLog:
    """The newest updates, and who reads them."""

    def __init__(self) -> None:
        self.start = 0  #: sequence of the last update of the processes before
        self._kept: deque[Update] = deque(maxlen=KEPT)
        self._readers: list[_Reader] = []

    def add(self, update: Update) -> None:
        """One more."""
        self._kept.append(update)

    def wake(self) -> None:
        """There are new ones."""
        for reader in list(self._readers):
            reader.wake()

    @property
    def last(self) -> int:
        """Sequence of the newest update; 0 without any."""
        return self._kept[-1].sequence if self._kept else self.start

    def stream(self, since: int, wanted: Callable[[Update], bool], ends: Callable[[Update], bool]) -> Stream[Update]:
        """The updates after ``since`` that are wanted, up to the first that ends it."""
        stream: Stream[Update] = Stream()
        reader = _Reader(self._kept, since, wanted, ends, stream)
        stream.attach(reader.take, lambda: self._forget(reader))
        self._readers.append(reader)
        return stream

    def end(self) -> None:
        """Readers get what is left, then end."""
        for reader in list(self._readers):
            reader.end()

    def _forget(self, reader: _Reader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)


class _Reader:
    def __init__(
        self,
        kept: deque[Update],
        since: int,
        wanted: Callable[[Update], bool],
        ends: Callable[[Update], bool],
        stream: Stream[Update],
    ) -> None:
        self._kept, self._since, self._wanted, self._ends = kept, since, wanted, ends
        self.wake = stream.waker()
        self._over = False

    def end(self) -> None:
        self._over = True
        self.wake()

    def take(self) -> Update | None:
        kept = self._kept
        if not kept or self._since >= kept[-1].sequence:
            if self._over:
                raise StopAsyncIteration
            return None
        oldest = kept[0].sequence
        if self._since + 1 < oldest:
            read, self._since = self._since, oldest - 1
            raise Lagged(oldest - 1, read)
        for place in range(self._since + 1 - oldest, len(kept)):
            update = kept[place]
            self._since = update.sequence
            if self._wanted(update):
                if self._ends(update):
                    self._over, self._kept = True, deque()
                return update
        if self._over:
            raise StopAsyncIteration
        return None
