"""What a user sets of brokers and trading.

::

    brokers = ["paper"]             # in order of preference; every broker table of the file without it

    [broker.paper]
    latency = "20ms"

    [trading]
    journal = "desk.journal"
    durable = "disk"                # or "os"
    on_exit = "cancel"              # or "keep"

    [limits]                        # of the gate, see engine.Limits; "none" switches one off
    order_notional = 200_000
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from engine.core.units import Duration, Number, duration_ns, to_nanos
from engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.settings import SettingReader

__all__ = ["Broker", "Trading", "read_trading"]


@dataclass(frozen=True, slots=True)
class Broker:
    """One broker to trade with.

    Args:
        name: "paper".
        line: what it is called where one broker has several accounts; its name by default.
        latency: of the paper broker: of a message, each way.
        cash: of the paper broker: the account begins with it.
        fee_per_share: of the paper broker: of each execution, rounded up to the cent.

    Raises:
        ValueError: no duration, or no number of 0 or more.
    """

    name: str
    line: str | None = None
    latency: Duration = "20ms"
    cash: Number = 1_000_000
    fee_per_share: Number = 0

    def __post_init__(self) -> None:
        duration_ns(self.latency, "latency")
        for name in ("cash", "fee_per_share"):
            if to_nanos(getattr(self, name), name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected 0 or more")

    @property
    def latency_ns(self) -> int:
        """``latency`` in ns."""
        return duration_ns(self.latency, "latency")

    @property
    def cash_nanos(self) -> int:
        """``cash`` as a count of 1e-9."""
        return to_nanos(self.cash, "cash")

    @property
    def fee_per_share_nanos(self) -> int:
        """``fee_per_share`` as a count of 1e-9."""
        return to_nanos(self.fee_per_share, "fee_per_share")


@dataclass(frozen=True, slots=True)
class Trading:
    """How to trade.

    Args:
        journal: path of the journal; None keeps nothing.
        durable: what a journal outlives: a stop of the machine ("disk") or of the process ("os").
        on_exit: what leaving does with open orders.
        limits: arguments of ``engine.Limits``.
    """

    journal: str | None = None
    durable: Literal["disk", "os"] = "disk"
    on_exit: Literal["cancel", "keep"] = "cancel"
    limits: Mapping[str, Any] = field(default_factory=dict)


def read_trading(read: SettingReader, document: Mapping[str, Any]) -> tuple[tuple[Broker, ...], Trading]:
    """The brokers and settings of a file.

    Raises:
        ConfigError: something in it is wrong.
    """
    tables = read.tables("broker", document.get("broker", {}))
    known = {line: _broker(read, line, table) for line, table in tables.items()}
    names = read.texts("brokers", document["brokers"]) if "brokers" in document else tuple(known)
    brokers = tuple(known.get(name) or Broker(name) for name in names)
    table = document.get("trading", {})
    if not isinstance(table, dict):
        raise read.wrong("trading", table, "a table")
    read.keys("trading", table, ("journal", "durable", "on_exit"))
    trading = Trading()
    if "journal" in table:
        trading = replace(trading, journal=read.text("trading.journal", table["journal"]))
    if "durable" in table:
        trading = replace(trading, durable=read.choice("trading.durable", table["durable"], ("disk", "os")))
    if "on_exit" in table:
        trading = replace(trading, on_exit=read.choice("trading.on_exit", table["on_exit"], ("cancel", "keep")))
    limits = document.get("limits", {})
    if not isinstance(limits, dict):
        raise read.wrong("limits", limits, "a table")
    return brokers, replace(
        trading, limits={name: None if value == "none" else value for name, value in limits.items()}
    )


def _broker(read: SettingReader, line: str, table: Mapping[str, Any]) -> Broker:
    names = [one.name for one in fields(Broker) if one.name != "line"]
    read.keys(f"broker.{line}", table, names)
    values = dict(table)
    name = read.text(f"broker.{line}.name", values.pop("name", line))
    try:
        return Broker(name, line=None if line == name else line, **values)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{read.where}broker.{line}: {error}") from None
