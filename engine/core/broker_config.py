"""What a user sets of a broker."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.units import Duration, Number, duration_ns, to_nanos

__all__ = ["Broker"]


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
