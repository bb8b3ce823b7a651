"""From what users name to an adapter and its transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from engine.brokers.local import LocalProtocol
from engine.brokers.paper import PaperBroker
from engine.brokers.protocol import BrokerEnd
from engine.core.broker_config import Broker
from engine.errors import ConfigError
from engine.sim.account import Fees
from engine.sim.link import BrokerLink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.core.instruments import Instruments

__all__ = ["BROKERS", "broker_ends"]

BROKERS: Final = ("paper",)  #: that can be named; the others come with their adapters


def broker_ends(
    brokers: Iterable[str | Broker | BrokerEnd], instruments: Instruments, clock: Callable[[], int]
) -> tuple[list[BrokerEnd], list[PaperBroker]]:
    """Adapter and transport of each broker, and those of them that live on market data.

    Raises:
        ConfigError: a broker is not known, or named twice.
    """
    ends: list[BrokerEnd] = []
    papers: list[PaperBroker] = []
    for one in brokers:
        if isinstance(one, BrokerEnd):
            ends.append(one)
            continue
        broker = Broker(one) if isinstance(one, str) else one
        if broker.name not in BROKERS:
            raise ConfigError(f"broker is {broker.name!r}; expected one of {', '.join(BROKERS)}")
        paper = PaperBroker(
            broker.line or broker.name,
            _Ids(instruments),
            now=clock(),
            latency=broker.latency_ns,
            cash=broker.cash_nanos,
            fees=Fees(broker.fee_per_share_nanos),
        )
        papers.append(paper)
        ends.append(BrokerEnd(LocalProtocol(paper.broker.facts), BrokerLink(paper.broker.line, clock)))
    names = [end.protocol.facts.name for end in ends]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"broker {twice[0]!r} is there twice; give one of them another name (line=...)")
    if not ends:
        raise ConfigError("no broker; expected one at least, such as 'paper'")
    return ends, papers


class _Ids(Mapping[str, int]):
    """Symbol -> id, of a table that grows."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._instruments

    def __getitem__(self, symbol: str) -> int:
        table = self._instruments
        return (table[symbol] if symbol in table else table.add(symbol)).id

    def __iter__(self) -> Iterator[str]:
        return iter(self._instruments.symbols)

    def __len__(self) -> int:
        return len(self._instruments)
