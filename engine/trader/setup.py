"""What a trader is made of, and what one of its steps leads to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.core.trading import BrokerFacts
from engine.risk.limits import Limits

if TYPE_CHECKING:
    from engine.core.trading import Command, Refusal, Update

__all__ = ["TraderSetup", "Turn"]


@dataclass(frozen=True, slots=True)
class TraderSetup:
    """Everything that decides beside the inputs; a journal begins with it.

    Args:
        uid: the journal's own name in hexadecimal; its first eight letters begin every client order id.
        brokers: their facts, the most wanted first.
        limits: what the gate allows.
        seed: of whatever algorithms draw.
        settle_ns: how long after a restart, once its line is up, a broker gets no new order. For journals that may have
            lost their tail (not synced, and the machine stopped): orders that it does not have must show up at every
            broker first, so an answer's time and the visibility delay together. 0: a journal that loses nothing.
    """

    uid: str
    brokers: tuple[BrokerFacts, ...]
    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    settle_ns: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values; ``from_dict`` reads them."""
        brokers = [asdict(facts) | {"times_in_force": list(facts.times_in_force)} for facts in self.brokers]
        return {
            "uid": self.uid,
            "brokers": brokers,
            "limits": self.limits.to_dict(),
            "seed": self.seed,
            "settle_ns": self.settle_ns,
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> TraderSetup:
        """A setup from its plain form."""
        brokers = (BrokerFacts(**one | {"times_in_force": tuple(one["times_in_force"])}) for one in plain["brokers"])
        return cls(
            plain["uid"], tuple(brokers), Limits.from_dict(plain["limits"]), plain["seed"], plain.get("settle_ns", 0)
        )


class Turn(NamedTuple):
    """What a step led to; ``answers`` are what the user's check said, in order, for the journal."""

    commands: tuple[Command, ...]
    updates: tuple[Update, ...]
    answers: tuple[Refusal | None, ...]
