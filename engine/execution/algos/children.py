"""What planners ask of their children: which can be touched, how much may be placed, whether all is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.trading import OrderState
from engine.execution.planner import Plan

if TYPE_CHECKING:
    from engine.execution.planner import View, Working

__all__ = ["TOO_SMALL", "finished", "is_settled", "placeable"]

TOO_SMALL: Final = "the rest is less than a lot"
_AGAIN: Final = frozenset({"", "withdrawn", "lost", "filled"})  # ends after which the rest is placed again
_SETTLED: Final = frozenset({OrderState.NEW, OrderState.PARTIALLY_FILLED})


def is_settled(child: Working) -> bool:
    """Whether a child can be withdrawn or changed."""
    return child.state in _SETTLED


def placeable(view: View) -> int:
    """What may be placed now, in whole lots."""
    return max(min(view.free, view.quantity - view.cumulative), 0) // view.lot * view.lot


def finished(view: View, revision: int, cancelled: str) -> Plan | None:
    """The end of an algorithm with one child, none at work: all is filled, or the child ended in another way.

    Args:
        view: the parent.
        revision: the one the last child was placed for; a later one asks for another child.
        cancelled: the reason to give for a child that ended unfilled though nobody withdrew it.
    """
    rest = view.quantity - view.cumulative
    if rest < view.lot:
        return Plan(done=True, reason="" if rest <= 0 else TOO_SMALL)
    if view.ended in _AGAIN or view.revision != revision:
        return None
    if view.ended in {"cancelled", "expired"}:
        return Plan(done=True, reason=view.reason or cancelled)
    return Plan(done=True, reason=view.reason or f"the order was {view.ended}")
