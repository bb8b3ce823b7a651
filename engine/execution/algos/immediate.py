"""Immediate: takes what the book shows, up to a collar, at once; what is left is cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from engine.core.units import NANOS
from engine.execution.algos import arguments
from engine.execution.algos.children import finished, placeable
from engine.execution.algos.pricing import take_price
from engine.execution.planner import IDLE, Plan, Want

if TYPE_CHECKING:
    from engine.core.units import Number
    from engine.execution.planner import View

__all__ = ["Immediate", "ImmediatePlanner"]

PATIENCE: Final = 5 * NANOS  #: ns to wait for a trusted book
NO_BOOK: Final = "no live book within 5 s"


@dataclass(frozen=True, slots=True)
class Immediate:
    """A marketable limit order: never a naked market order.

    Its price is the worst level that the quantity needs, at most ``collar_bps`` from the far touch and never beyond
    ``limit``. Without a trusted book it waits 5 s for one, then ends.

    Args:
        limit: worst price; None leaves it to the collar.
        collar_bps: how far from the far touch it may reach.
        tif: "ioc" (what can trade now, the rest is cancelled) or "fok" (all of it or nothing).
        levels: how deep it looks into the book.

    Raises:
        ValueError: a wrong value.
    """

    name: ClassVar[str] = "immediate"
    limit: Number | None = None
    collar_bps: Number = 20
    tif: Literal["ioc", "fok"] = "ioc"
    levels: int = 10

    def __post_init__(self) -> None:
        if self.limit is not None:
            object.__setattr__(self, "limit", arguments.number(self.limit, "limit"))
        object.__setattr__(self, "collar_bps", arguments.number(self.collar_bps, "collar_bps"))
        arguments.choice(self.tif, "tif", ("ioc", "fok"))
        arguments.count(self.levels, "levels", 100)

    @property
    def limit_nanos(self) -> int:
        """The worst price as a count of 1e-9; 0 without one."""
        return arguments.nanos(self.limit)

    def to_dict(self) -> dict[str, Any]:
        """The plain form."""
        return arguments.plain(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """From the plain form."""
        return arguments.from_plain(cls, plain)

    def resolve(self, now: int, time_zone: str) -> Self:
        """Itself: it has no times."""
        return self

    def check(self, quantity: int, lot: int, tick: int) -> None:
        """Whether quantity and limit are on their steps.

        Raises:
            ValueError: one is not.
        """
        arguments.multiple(quantity, lot, "quantity", "lot")
        arguments.multiple(self.limit_nanos, tick, "limit", "tick")

    def window(self, now: int, open: int, close: int) -> tuple[int, int]:
        """From now on; it ends by itself."""
        return now, 0

    def planner(self, quantity: int, lot: int, tick: int, start: int, end: int, seed: int) -> ImmediatePlanner:
        """One child that takes."""
        return ImmediatePlanner(arguments.nanos(self.collar_bps), self.tif)


class ImmediatePlanner:
    """Sends one child; another only for what was amended since, or never arrived."""

    def __init__(self, collar: int, tif: Literal["ioc", "fok"]) -> None:
        self._collar, self._tif = collar, tif
        self._deadline = 0
        self._revision = 0

    def plan(self, view: View, now: int) -> Plan:
        """Places once a trusted book is there."""
        if view.working:
            return IDLE
        if end := finished(view, self._revision, "the book held no more within the collar and the limit"):
            return end
        if not (quantity := placeable(view)):
            return IDLE
        self._deadline = self._deadline or now + PATIENCE
        if not (price := take_price(view, quantity, self._collar)):
            waiting = Plan(wake=self._deadline, watch=True)
            return waiting if now < self._deadline else Plan(done=True, reason=NO_BOOK)
        self._deadline, self._revision = 0, view.revision
        return Plan(place=(Want(quantity, price, self._tif),))
