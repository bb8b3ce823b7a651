"""At which price to take and to join: always on the tick, never beyond the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.units import NANOS

if TYPE_CHECKING:
    from engine.core.trading import TopChange
    from engine.execution.planner import View

__all__ = ["far_side", "is_live", "join_price", "take_price"]

_BPS = 10_000 * NANOS


def is_live(top: TopChange | None) -> bool:
    """Whether the book can be trusted."""
    return top is not None and top.state == "live"


def far_side(view: View) -> int:
    """The price one would pay or get at once; 0 without a trusted book."""
    top = view.top
    if top is None or top.state != "live":
        return 0
    return top.ask if view.side == "buy" else top.bid


def take_price(view: View, quantity: int, collar: int) -> int:
    """The limit of an order that takes ``quantity``: the worst level needed, at most ``collar`` (bps x 1e9) away.

    Away from the national best where it is known, else from the book's own. A book too thin for all of it gives the
    collar's price, so what is left is cancelled, not chased. Inside the parent's limit always, which may make it a
    price that takes nothing. 0 without a trusted far side.
    """
    far = far_side(view)
    if far == 0 or view.top is None:
        return 0
    top, tick = view.top, view.tick
    buys = view.side == "buy"
    best = (top.nbbo_ask if buys else top.nbbo_bid) or far
    reach = best * collar // _BPS
    # the collar rounds inwards, but never to before the touch it starts from
    edge = max((best + reach) // tick * tick, -(-best // tick) * tick) if buys else _floor_edge(best, reach, tick)
    left = quantity
    for price, shown in top.asks if buys else top.bids:
        left -= shown
        if left <= 0:
            worst = -(-price // tick) * tick if buys else price // tick * tick
            edge = min(edge, worst) if buys else max(edge, worst)
            break
    if not view.price:
        return edge
    return min(edge, view.price // tick * tick) if buys else max(edge, -(-view.price // tick) * tick)


def _floor_edge(best: int, reach: int, tick: int) -> int:
    """The lowest price of a sale; one tick where the collar would reach nothing."""
    return max(min(-(-(best - reach) // tick) * tick, best // tick * tick), tick)


def join_price(view: View) -> int:
    """The near touch, or the parent's limit where that is more passive; 0 where there is neither.

    An empty near side is joined at the limit; without one, one tick from the far side.
    """
    top, tick = view.top, view.tick
    if top is None or top.state != "live":
        return 0
    limit = view.price
    if view.side == "buy":
        near = top.bid or limit or top.ask - tick
        near = near // tick * tick
        return max(min(near, limit // tick * tick) if limit else near, 0)
    near = top.ask or limit or (top.bid + tick if top.bid else 0)
    near = -(-near // tick) * tick
    return max(near, -(-limit // tick) * tick) if limit else near
