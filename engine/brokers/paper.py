"""The paper broker: real or simulated market data, and orders that only this process knows.

1. An order reaches the market ``latency`` after it was sent, and what comes of it is heard as long after.
2. What it then meets says `engine.brokers.paper_matching`.
3. The account is what the journal says of it: after a restart its orders and fills are those of the journal, open
   orders queue anew, and an order whose outcome the journal does not know never arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.brokers.paper_matching import PaperMatching
from engine.core.units import NANOS
from engine.sim.account import Fees
from engine.sim.broker import SimBroker
from engine.sim.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from engine.brokers.paper_matching import Levels
    from engine.sim.broker import Child

__all__ = ["PaperBroker"]


class PaperBroker:
    """The embedded default broker.

    Args:
        name: of the line.
        instruments: symbol -> id in the market data.
        now: the present, ns.
        latency: of a message, each way, ns.
        cash: the account's, counts of 1e-9.
        fees: of executions.
    """

    def __init__(
        self,
        name: str,
        instruments: Mapping[str, int],
        *,
        now: int,
        latency: int = 20_000_000,
        cash: int = 1_000_000 * NANOS,
        fees: Fees = Fees(),  # noqa: B008 - immutable
    ) -> None:
        self.matching = PaperMatching()
        self.exchange = Exchange(self.matching, now)
        self.broker = SimBroker(
            name, self.exchange, instruments, start=now, latency=latency, visible=0, cash=cash, fees=fees
        )

    def restore(self, children: Iterable[Child], now: int) -> None:
        """What a journal says the account did; nobody is told of it but who asks.

        Args:
            children: each child order with its state and its executions that stand.
            now: the present, ns.
        """
        self.broker.restore(children, now)

    def show(self, now: int, books: Iterable[tuple[int, Levels, Levels, bool]]) -> None:
        """Books that changed: instrument, bids, asks, whether it is live."""
        self.exchange.advance(now)
        for instrument, bids, asks, live in books:
            self.matching.show(instrument, bids, asks, live=live)
        self.exchange.tell()

    def trades(self, now: int, events: NDArray[np.void]) -> None:
        """Prints, as EVENT records."""
        self.exchange.advance(now)
        self.matching.trades(events)
        self.exchange.tell()
