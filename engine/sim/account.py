"""An account at a simulated broker: orders, executions, cash and positions, in exact integers.

Cash and fees are counts of 1e-9 of the currency. A price times a quantity is a count of 1e-18; it is rounded to a count
of 1e-9, half to even, when the execution is booked, and a bust takes back exactly what was booked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.core.trading import OrderSide, OrderState
from engine.core.units import NANOS

__all__ = ["Account", "Execution", "Fees", "SimOrder"]


@dataclass(frozen=True, slots=True)
class Fees:
    """What an execution costs, counts of 1e-9: a share, at least so much an execution, rounded up to the cent."""

    per_share: int = 0
    minimum: int = 0

    def of(self, quantity: int) -> int:
        """The fee of an execution of ``quantity``."""
        cent = NANOS // 100
        return max(-(-self.per_share * quantity // NANOS // cent) * cent, self.minimum)


@dataclass(slots=True)
class Execution:
    """One fill of an order, as the account booked it; a busted one stays, and says so."""

    execution_id: str
    order: SimOrder
    client_order_id: str
    quantity: int
    price: int
    fee: int
    cash: int  #: what it changed, the fee not counted
    ts: int
    busted: bool = False


@dataclass(slots=True)
class SimOrder:
    """An order as the broker sees it. ``ids`` are its client order ids, one more for each replacement."""

    ids: list[str]
    number: int
    symbol: str
    side: OrderSide
    quantity: int
    price: int
    tif: str
    ts: int
    state: OrderState = OrderState.NEW
    cumulative: int = 0
    carried: int = 0  #: of it, what was filled before the market it is in began
    leaves: int = 0
    closed: int = 0  #: when it ended, 0 while it lives
    reason: str = ""
    executions: list[Execution] = field(default_factory=list)

    @property
    def client_order_id(self) -> str:
        """The latest one."""
        return self.ids[-1]

    @property
    def is_open(self) -> bool:
        """It may still trade."""
        return self.leaves > 0

    def fields(self) -> dict[str, Any]:
        """What messages tell of it."""
        done = [one for one in self.executions if not one.busted]
        total = sum(one.quantity for one in done)
        return {
            "client_order_id": self.client_order_id,
            "venue_order_id": str(self.number),
            "symbol": self.symbol,
            "side": self.side,
            "cumulative": total,
            "leaves": self.leaves,
            "state": self.state,
            "price": sum(one.quantity * one.price for one in done) // total if total else 0,
            "reason": self.reason,
        }


class Account:
    """Orders, executions, cash and positions of one customer.

    Args:
        cash: what it begins with, counts of 1e-9.
        fees: of each execution.
    """

    def __init__(self, cash: int, fees: Fees) -> None:
        self.cash = cash
        self.fees_paid = 0
        self._fees = fees
        self.orders: dict[int, SimOrder] = {}
        self.by_id: dict[str, SimOrder] = {}
        self.executions: list[Execution] = []
        self.positions: dict[str, int] = {}

    def add(self, order: SimOrder) -> None:
        """A new order; its number and client order id are new."""
        self.orders[order.number] = order
        self.by_id[order.client_order_id] = order

    def rename(self, order: SimOrder, client_order_id: str) -> None:
        """A replacement: the order goes on under another id, and is found under all of them."""
        order.ids.append(client_order_id)
        self.by_id[client_order_id] = order

    def book(self, order: SimOrder, quantity: int, price: int, execution_id: str, ts: int) -> Execution:
        """Books a fill of an order."""
        sign = 1 if order.side == "buy" else -1
        cash = -sign * _rounded(quantity * price)
        fee = self._fees.of(quantity)
        execution = Execution(execution_id, order, order.client_order_id, quantity, price, fee, cash, ts)
        order.executions.append(execution)
        self.executions.append(execution)
        self._move(execution, 1)
        return execution

    def bust(self, execution: Execution) -> None:
        """Takes an execution back: it did not happen. The order does not get its quantity back."""
        execution.busted = True
        execution.order.cumulative -= execution.quantity
        self._move(execution, -1)

    def _move(self, execution: Execution, sign: int) -> None:
        order = execution.order
        signed = execution.quantity if order.side == "buy" else -execution.quantity
        self.positions[order.symbol] = self.positions.get(order.symbol, 0) + sign * signed
        self.cash += sign * (execution.cash - execution.fee)
        self.fees_paid += sign * execution.fee


def _rounded(count: int) -> int:
    """Counts of 1e-18 as counts of 1e-9, half to even."""
    whole, rest = divmod(count, NANOS)
    return whole + (rest * 2 > NANOS or (rest * 2 == NANOS and whole % 2 == 1))
