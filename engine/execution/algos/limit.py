"""Limit: one child at a price, kept at what the parent asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, get_args

from engine.core.trading import TimeInForce
from engine.core.units import NANOS, to_nanos
from engine.execution.algos import arguments
from engine.execution.algos.children import finished, is_settled, placeable
from engine.execution.planner import IDLE, Change, Plan, Want

if TYPE_CHECKING:
    from engine.core.units import Number
    from engine.execution.planner import View, Working

__all__ = ["Limit", "LimitPlanner"]

RETRY: Final = NANOS  #: ns before the same change is asked for again
TRIES: Final = 3  #: the same change at most; then the child is withdrawn and another placed


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit order.

    Args:
        price: the limit.
        tif: "day", "gtc", "ioc" or "fok".
        post_only: never take: a price that would is rejected by the venue.
        display: shown at most (an iceberg where the broker knows it); None shows all.

    Raises:
        ValueError: a wrong value, or post_only with "ioc" or "fok".
    """

    name: ClassVar[str] = "limit"
    levels: ClassVar[int] = 0
    price: Number
    tif: TimeInForce = "day"
    post_only: bool = False
    display: Number | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "price", arguments.number(self.price, "price"))
        arguments.choice(self.tif, "tif", get_args(TimeInForce))
        arguments.flag(self.post_only, "post_only")
        if self.post_only and self.tif in {"ioc", "fok"}:
            raise ValueError(f"tif is {self.tif!r} with post_only; expected 'day' or 'gtc', which may rest")
        if self.display is not None:
            object.__setattr__(self, "display", arguments.number(self.display, "display"))

    @property
    def limit_nanos(self) -> int:
        """The limit price as a count of 1e-9."""
        return to_nanos(self.price)

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
        """Whether price, quantity and display are on their steps.

        Raises:
            ValueError: one is not.
        """
        arguments.multiple(quantity, lot, "quantity", "lot")
        arguments.multiple(self.limit_nanos, tick, "price", "tick")
        arguments.multiple(arguments.nanos(self.display), lot, "display", "lot")

    def window(self, now: int, open: int, close: int) -> tuple[int, int]:
        """From now on, open-ended."""
        return now, 0

    def planner(self, quantity: int, lot: int, tick: int, start: int, end: int, seed: int) -> LimitPlanner:
        """One child, kept as the parent asks."""
        return LimitPlanner(self.tif, self.post_only, arguments.nanos(self.display))


class LimitPlanner:
    """Keeps one child at the parent's price and remaining quantity."""

    def __init__(self, tif: TimeInForce, post_only: bool, display: int) -> None:
        self._tif, self._post_only, self._display = tif, post_only, display
        self._asked: Change | None = None
        self._tries = 0
        self._again = 0
        self._revision = 0

    def plan(self, view: View, now: int) -> Plan:
        """Places the rest, or changes the child that works to what is asked for now."""
        if view.working:
            return self._keep(view, now) if len(view.working) == 1 else IDLE
        if end := finished(view, self._revision, "the broker or the venue ended the order"):
            return end
        if not (quantity := placeable(view)):
            return IDLE
        self._asked, self._revision = None, view.revision
        display = self._display if self._display < quantity else 0
        return Plan(place=(Want(quantity, _on_tick(view), self._tif, self._post_only, display),))

    def _keep(self, view: View, now: int) -> Plan:
        child = view.working[0]
        if not is_settled(child):
            return IDLE
        leaves = min(view.quantity - view.cumulative, child.leaves + view.free) // view.lot * view.lot
        if leaves <= 0:
            return Plan(withdraw=(child.child,))
        change = Change(child.child, child.quantity - child.leaves + leaves, _on_tick(view))
        if change.price == child.price and leaves == child.leaves:
            self._asked = None
            return IDLE
        return self._ask(change, child, now)

    def _ask(self, change: Change, child: Working, now: int) -> Plan:
        """A change, asked for again only after a while, and given up for a new child after some tries."""
        if change != self._asked:
            self._asked, self._tries, self._again = change, 0, now
        if now < self._again:
            return Plan(wake=self._again)
        self._tries += 1
        self._again = now + RETRY
        if self._tries > TRIES:
            return Plan(withdraw=(child.child,), wake=self._again)
        return Plan(replace=(change,), wake=self._again)


def _on_tick(view: View) -> int:
    """The parent's limit; an amended one off the tick becomes more passive."""
    return view.price // view.tick * view.tick if view.side == "buy" else -(-view.price // view.tick) * view.tick
