"""An order as its owner holds it: a live view of a parent order, and the wishes about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from engine.core.trading import Amend, Cancel, OrderState, Pause, Resume
from engine.core.units import shortest, to_nanos
from engine.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Generator
    from decimal import Decimal

    from engine.core.trading import OrderSide, Submit
    from engine.core.units import Number
    from engine.execution.child import Child
    from engine.execution.parent import Parent
    from engine.feeds.stream import Stream
    from engine.live.engine import Engine
    from engine.live.news import Update

__all__ = ["ChildView", "Order"]


class ChildView:
    """A child order: what a broker has, or had, of a parent; always the newest."""

    __slots__ = ("_child",)

    def __init__(self, child: Child) -> None:
        self._child = child

    def __repr__(self) -> str:
        return f"<child {self.client_order_id} at {self.broker}: {self.cumulative} of {self.quantity}, {self.state}>"

    @property
    def client_order_id(self) -> str:
        """Ours; the newest after a replacement."""
        return self._child.id

    @property
    def venue_order_id(self) -> str:
        """The broker's; "" while it is not known."""
        return self._child.venue_order_id

    @property
    def broker(self) -> str:
        """Who carries it."""
        return self._child.broker

    @property
    def state(self) -> OrderState:
        """Where it stands."""
        return self._child.state

    @property
    def price(self) -> Decimal:
        """Its limit."""
        return shortest(self._child.price)

    @property
    def quantity(self) -> Decimal:
        """Ordered."""
        return shortest(self._child.quantity)

    @property
    def cumulative(self) -> Decimal:
        """Filled."""
        return shortest(self._child.cumulative)

    @property
    def leaves(self) -> Decimal:
        """May still fill."""
        return shortest(self._child.leaves)


class Order:
    """A parent order. Make it with `Engine.submit`; a command acts when called, awaiting only waits.

    ``await order`` waits until the gate has let it pass and the journal has it.
    """

    __slots__ = ("__weakref__", "_asked", "_engine")

    def __init__(self, engine: Engine, asked: Submit) -> None:
        self._engine = engine
        self._asked = asked

    def __repr__(self) -> str:
        asked = self._asked
        return f"<order {asked.parent}: {asked.side} {self.cumulative} of {self.quantity} {asked.symbol}, {self.state}>"

    # ---- readings

    @property
    def _parent(self) -> Parent | None:
        return self._engine.trader.parents.get(self._asked.parent)

    @property
    def id(self) -> int:
        """Its number in this journal."""
        return self._asked.parent

    @property
    def symbol(self) -> str:
        """What is traded."""
        return self._asked.symbol

    @property
    def side(self) -> OrderSide:
        """Our direction."""
        return self._asked.side

    @property
    def key(self) -> str | None:
        """What makes it the same order when it is submitted again."""
        return self._asked.key

    @property
    def tag(self) -> str | None:
        """The caller's label."""
        return self._asked.tag

    @property
    def state(self) -> OrderState:
        """Where it stands."""
        parent = self._parent
        return OrderState.PENDING_NEW if parent is None else parent.state

    @property
    def reason(self) -> str:
        """Why it was refused, rejected, cancelled or expired; "" while there is nothing to say."""
        parent = self._parent
        return "" if parent is None else parent.reason

    @property
    def is_open(self) -> bool:
        """It may still trade."""
        parent = self._parent
        return parent is None or parent.is_open

    @property
    def quantity(self) -> Decimal:
        """Ordered, as amended."""
        parent = self._parent
        return shortest(self._asked.quantity if parent is None else parent.quantity)

    @property
    def cumulative(self) -> Decimal:
        """Filled; less after a bust."""
        parent = self._parent
        return shortest(0 if parent is None else parent.cumulative)

    @property
    def leaves(self) -> Decimal:
        """Not filled yet; 0 once the order is over."""
        parent = self._parent
        return shortest(self._asked.quantity if parent is None else parent.leaves)

    @property
    def average_price(self) -> Decimal | None:
        """Of the fills, to 1e-9; None without any."""
        parent = self._parent
        if parent is None or parent.cumulative <= 0:
            return None
        return shortest((2 * parent.notional + parent.cumulative) // (2 * parent.cumulative))

    @property
    def fees(self) -> Decimal:
        """Paid so far."""
        parent = self._parent
        return shortest(0 if parent is None else parent.fees)

    @property
    def price(self) -> Decimal | None:
        """The limit, as amended; None without one."""
        parent = self._parent
        return shortest(parent.price) if parent is not None and parent.price else None

    @property
    def children(self) -> tuple[ChildView, ...]:
        """Every child order, oldest first."""
        parent = self._parent
        return () if parent is None else tuple(ChildView(child) for child in parent.children)

    def to_dict(self) -> dict[str, Any]:
        """For people and programs; numbers as text, so nothing is rounded."""
        average = self.average_price
        return {
            "id": self.id,
            "symbol": self.symbol,
            "side": self.side,
            "quantity": str(self.quantity),
            "cumulative": str(self.cumulative),
            "leaves": str(self.leaves),
            "average_price": None if average is None else str(average),
            "fees": str(self.fees),
            "state": str(self.state),
            "reason": self.reason,
            "key": self.key,
            "tag": self.tag,
            "algo": dict(self._asked.algo),
            "children": len(self.children),
        }

    # ---- wishes

    def cancel(self) -> None:
        """No new child from now on, and every live one is withdrawn. Fills may still come until that is confirmed."""
        self._engine.request(Cancel(self.id))

    def replace(self, price: Number | None = None, quantity: Number | None = None) -> None:
        """Another limit price or total quantity; None leaves it. The gate is asked; a refusal comes as an update.

        Raises:
            ValueError: off the tick or the lot, not positive, or neither is given.
        """
        if price is None and quantity is None:
            raise ValueError("price and quantity are None; expected one of them at least")
        instrument = self._engine.market.instrument(self.symbol)
        found = {
            name: None if value is None else stepped(value, step, name, of)
            for name, value, step, of in (
                ("price", price, instrument.tick, "tick"),
                ("quantity", quantity, instrument.lot, "lot"),
            )
        }
        self._engine.request(Amend(self.id, found["price"], found["quantity"]))

    def pause(self) -> None:
        """No new child until `resume`; live ones are withdrawn."""
        self._engine.request(Pause(self.id))

    def resume(self) -> None:
        """Goes on after `pause`."""
        self._engine.request(Resume(self.id))

    # ---- waiting

    def __await__(self) -> Generator[Any, None, Order]:
        """Waits until the gate let it pass and the journal has it.

        Raises:
            Refused: a limit of the gate, or the algorithm, does not allow it.
            StorageError: the journal failed before it had it.
        """
        return self._accepted().__await__()

    async def _accepted(self) -> Order:
        await self._engine.kept(self)
        if self.state is OrderState.REJECTED:
            raise Refused.parse(self.reason)
        return self

    def updates(self, since: int = 0) -> Stream[Update]:
        """What happens to it from now on, or after an update's sequence; ends with its final state.

        Raises (from the iteration):
            Lagged: the reader was too slow; go on with ``since=error.sequence``.
        """
        return self._engine.board.order_updates(self, since)

    async def done(self) -> Order:
        """Waits until it is over. Cancelling this wait does not cancel the order."""
        if self.is_open:
            await asyncio.shield(self._engine.board.final(self))
        return self


def stepped(value: Number, step: Decimal, name: str, of: str) -> int:
    """A positive number on its step, as a count of 1e-9.

    Raises:
        ValueError: it is not.
    """
    count = to_nanos(value, name)
    if count <= 0:
        raise ValueError(f"{name} is {value!r}; expected more than 0")
    if count % to_nanos(step):
        raise ValueError(f"{name} is {value!r}; expected a multiple of the {of} {step}")
    return count
