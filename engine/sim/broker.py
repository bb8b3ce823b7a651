"""A simulated broker: the other end of `engine.brokers.local`'s line, with an account, a matching market and faults.

It has no clock and no socket: its `line` takes bytes and times. What it says of orders
may be wrong while a fault is at work (see `engine.sim.faults`); its `account` never is.

Assumptions: each message takes ``latency`` each way; an order shows up in what is read ``visible`` after it was
accepted; a bust does not give an order its quantity back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.core.events import Side
from engine.core.orders import ORDER, Action, OrderFlag, OrderType, Reason, TimeInForce
from engine.core.orders import ReportKind as Row
from engine.core.trading import BrokerFacts, OrderState
from engine.core.units import NANOS
from engine.sim.account import Account, Fees, SimOrder
from engine.sim.broker_line import BrokerLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from engine.core.trading import Fill, Intent
    from engine.sim.account import Execution
    from engine.sim.exchange import Exchange
    from engine.sim.faults import Fault

    Child = tuple[Intent, OrderState, Sequence[Fill]]

__all__ = ["SimBroker"]

_OUTSIDE: Final = 1 << 63  # ids of those who trade in a world from outside
_MINUTE: Final = 60 * NANOS
_CHANGES: Final = frozenset({"new", "replace", "cancel"})
_OPEN: Final = frozenset(
    {OrderState.NEW, OrderState.PARTIALLY_FILLED, OrderState.PENDING_CANCEL, OrderState.PENDING_NEW, OrderState.UNKNOWN}
)
_TIFS: Final = {"day": TimeInForce.DAY, "gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC, "fok": TimeInForce.FOK}


class _RequestError(Exception):
    """The answer to a request is an error."""


class SimBroker:
    """One broker with one customer.

    Args:
        name: of the line, in faults too.
        exchange: where its orders meet others.
        instruments: symbol -> instrument there.
        start: the time faults count from, ns.
        cash: the account's, counts of 1e-9.
        fees: of executions.
        seed: of what faults draw.
        faults: texts or ``Fault`` values; those of other lines are left to them.
        latency: of a message, each way, ns.
        visible: from an order's acceptance until it shows up in what is read, ns.

    Raises:
        ConfigError: a fault that no broker has.
    """

    def __init__(
        self,
        name: str,
        exchange: Exchange,
        instruments: Mapping[str, int],
        *,
        start: int,
        cash: int = 1_000_000 * NANOS,
        fees: Fees = Fees(),  # noqa: B008 - immutable
        seed: int = 0,
        faults: str | Iterable[str | Fault] = (),
        latency: int = 200_000,
        visible: int = 200_000_000,
    ) -> None:
        self.facts = BrokerFacts(name, visibility_delay_ns=max(visible, NANOS // 2), display=True)
        self.account = Account(cash, fees)
        self._exchange = exchange
        self._instruments = instruments
        self._owner = exchange.join(self)
        self._visible = visible
        self._events: list[dict[str, Any]] | None = None  # collects what follows an answer while it is made
        self._series = f"{name}-{start // 1_000_000:x}"  # of execution ids: another one after a restart
        self._executions = 0
        self._renaming: str | None = None
        self._answers = {
            "new": self._new,
            "replace": self._replace,
            "cancel": self._cancel,
            "query": self._query,
            "snapshot": self._snapshot,
        }
        self.line = BrokerLine(
            name,
            start=start,
            heartbeat=self.facts.heartbeat_ns,
            latency=latency,
            seed=seed,
            faults=faults,
            arrive=self._request,
        )
        for fault in self.line.faults:
            if fault.kind == "bust":
                self.line.at(start + fault.at, self._bust)

    def restore(self, children: Iterable[Child], now: int) -> None:
        """Orders that were there before: with their fills, and at work again if they were.

        Args:
            children: each order with its state and its executions that stand.
            now: the present, ns.
        """
        for intent, state, fills in children:
            if not fills and state in {OrderState.PENDING_NEW, OrderState.UNKNOWN, OrderState.REJECTED}:
                continue
            order = SimOrder(
                [intent.client_order_id],
                self._exchange.next_number(),
                intent.symbol,
                intent.side,
                intent.quantity,
                intent.price,
                intent.tif,
                now,
                state,
            )
            self.account.add(order)
            for fill in fills:
                self.account.book(order, fill.quantity, fill.price, fill.execution_id, fill.ts_event)
                order.cumulative += fill.quantity
            if state in _OPEN and order.cumulative < intent.quantity:
                order.carried = order.cumulative
                rest = intent.quantity - order.cumulative
                self._submit(order, Action.NEW, rest, now, {"display": intent.display})
            else:
                order.closed = now

    def _bust(self, now: int) -> None:
        pool = [one for one in self.account.executions if not one.busted and one.ts > now - _MINUTE]
        if pool:
            execution = pool[self.line.below(len(pool))]
            self.account.bust(execution)
            self._event("bust", execution.order, now, self._busted(execution, now))

    # ---- requests

    def _request(self, message: dict[str, Any], now: int) -> None:
        op = message["op"]
        self._exchange.advance(now)
        self._events = []
        try:
            if self.line.active("throttle", now):
                raise _RequestError("throttled")
            answer = self._answers[op](message, now)
        except _RequestError as error:
            answer = {"error": str(error)}
        events, self._events = self._events, None
        if op not in _CHANGES or not self.line.hit("lost_response", now):
            early = self.line.hit("early_fill", now) if op == "new" else None
            self.line.answer(answer | {"request": message["request"]}, now, early.by if early else 0)
        for event in events:
            self.line.tell(event, now)
        if op == "new":
            self.line.break_in_order(now)

    def _new(self, message: dict[str, Any], now: int) -> dict[str, Any]:
        known = self.account.by_id.get(message["client_order_id"])
        if known is not None:
            return {"order": known.fields()}
        symbol, quantity, price = message["symbol"], message["quantity"], message["price"]
        if symbol not in self._instruments:
            raise _RequestError(f"symbol {symbol!r} is not known")
        if quantity <= 0 or price < 0 or message["tif"] not in _TIFS or message["side"] not in {"buy", "sell"}:
            raise _RequestError("an order that cannot be")
        if self.line.hit("reject", now):
            raise _RequestError("rejected by the broker")
        number = self._exchange.next_number()
        order = SimOrder(
            [message["client_order_id"]], number, symbol, message["side"], quantity, price, message["tif"], now
        )
        order.leaves = quantity
        self.account.add(order)
        self._submit(order, Action.NEW, quantity, now, message)
        if order.state is OrderState.REJECTED:
            raise _RequestError(order.reason)
        return {"order": order.fields() | {"state": "new", "cumulative": 0, "leaves": quantity, "price": 0}}

    def _replace(self, message: dict[str, Any], now: int) -> dict[str, Any]:
        order = self._find(message["replaces"])
        if message["client_order_id"] in order.ids:
            return {"order": order.fields() | {"reference": message["replaces"]}}
        if not order.is_open:
            raise _RequestError(f"not replaceable: {order.state}")
        busted = sum(one.quantity for one in order.executions if one.busted)
        order.reason = ""
        price = order.price
        order.price = message["price"]
        quantity = message["quantity"] + busted - order.carried
        self._submit(order, Action.REPLACE, quantity, now, {"new_id": message["client_order_id"]})
        if order.reason:
            order.price = price
            raise _RequestError(order.reason)
        order.quantity = message["quantity"]
        return {"order": order.fields() | {"reference": message["replaces"]}}

    def _cancel(self, message: dict[str, Any], now: int) -> dict[str, Any]:
        order = self._find(message["client_order_id"])
        if not order.is_open:
            raise _RequestError(f"not cancelable: {order.state}")
        if late := self.line.hit("late_cancel", now):
            self.line.at(now + late.by, lambda then: self._withdraw(order, then))
        elif self.line.hit("false_cancel", now):
            self._event("cancelled", order, now, {"leaves": 0, "state": "cancelled"})
        else:
            self._withdraw(order, now)
        return {"order": order.fields()}

    def _withdraw(self, order: SimOrder, now: int) -> None:
        if order.is_open:
            self._submit(order, Action.CANCEL, 0, now, {})

    def _query(self, message: dict[str, Any], now: int) -> dict[str, Any]:
        order = self._find(message["client_order_id"])
        if now < order.ts + self._visible:
            raise _RequestError("not-found")
        told = [self._execution(one, now) for one in order.executions]
        busts = [self._busted(one, now) for one in order.executions if one.busted]
        fields = order.fields() | {"client_order_id": message["client_order_id"]}
        return {"order": fields | {"ts": self.line.stamp(now)}, "executions": told + busts}

    def _snapshot(self, message: dict[str, Any], now: int) -> dict[str, Any]:
        since, account = message["since"], self.account
        orders = [
            order.fields() | {"ts": self.line.stamp(now)}
            for order in account.orders.values()
            if now >= order.ts + self._visible and (not order.closed or order.closed >= since)
        ]
        recent = [one for one in account.executions if one.ts >= since]
        positions = [{"symbol": symbol, "quantity": count} for symbol, count in account.positions.items() if count]
        told = [self._execution(one, now) for one in recent]
        busts = [self._busted(one, now) for one in account.executions if one.busted]
        found = {"since": since, "orders": orders, "positions": positions, "cash": account.cash}
        return {"snapshot": found | {"executions": told + busts}}

    def _find(self, client_order_id: str) -> SimOrder:
        order = self.account.by_id.get(client_order_id)
        if order is None or order.state is OrderState.REJECTED:
            raise _RequestError("not-found")
        return order

    def _submit(self, order: SimOrder, action: Action, quantity: int, now: int, more: dict[str, Any]) -> None:
        row = np.zeros(1, ORDER)
        row["ts"], row["order_id"], row["owner"], row["action"] = now, _OUTSIDE | order.number, self._owner, action
        row["instrument"] = self._instruments[order.symbol]
        row["side"] = Side.BID if order.side == "buy" else Side.ASK
        row["price"], row["quantity"] = order.price, quantity
        row["display"] = more.get("display", 0)
        row["tif"] = _TIFS[order.tif]
        row["type"] = OrderType.LIMIT if order.price else OrderType.MARKET
        row["flags"] = OrderFlag.POST_ONLY if more.get("post_only") else 0
        self._renaming = more.get("new_id")
        self._exchange.submit(row, now)

    # ---- what the market says

    def matched(self, reports: NDArray[np.void], now: int) -> None:
        """REPORT records of this broker's orders, in order."""
        for row in reports:
            order = self.account.orders[int(row["order_id"]) & ~_OUTSIDE]
            kind, leaves = Row(int(row["kind"])), int(row["leaves"])
            if kind is Row.ACCEPTED:
                order.leaves = leaves
            elif kind is Row.FILL:
                self._fill(order, int(row["quantity"]), int(row["price"]), leaves, now)
            elif kind in {Row.CANCELLED, Row.EXPIRED}:
                self._rename(order)  # a replacement by less than is done ends the order
                order.leaves, order.closed = 0, now
                order.state = OrderState.CANCELLED if kind is Row.CANCELLED else OrderState.EXPIRED
                self._event(order.state, order, now, {})
            elif kind is Row.REPLACED:
                order.leaves = leaves
                self._rename(order)
            elif kind is Row.REJECTED:
                order.reason = Reason(int(row["reason"])).name.lower().replace("_", "-")
                if row["action"] == Action.NEW:
                    order.state, order.leaves, order.closed = OrderState.REJECTED, 0, now

    def _rename(self, order: SimOrder) -> None:
        if self._renaming:
            self.account.rename(order, self._renaming)
            self._renaming = None

    def _fill(self, order: SimOrder, quantity: int, price: int, leaves: int, now: int) -> None:
        parts = [quantity]
        if self.line.hit("partial", now):
            for _ in range(3):
                share = self.line.below(parts[-1] // NANOS + 1) * NANOS
                if 0 < share < parts[-1]:
                    parts[-1:] = [share, parts[-1] - share]
        left = leaves + quantity
        for part in parts:
            left -= part
            self._executions += 1
            execution = self.account.book(order, part, price, f"{self._series}-{self._executions}", now)
            order.cumulative += part
            order.leaves = left
            order.state = OrderState.FILLED if left == 0 else OrderState.PARTIALLY_FILLED
            if left == 0:
                order.closed = now
            self._event("fill", order, now, self._execution(execution, now))

    def _execution(self, execution: Execution, now: int) -> dict[str, Any]:
        order = execution.order
        return {
            "event": "fill",
            "client_order_id": execution.client_order_id,
            "venue_order_id": str(order.number),
            "symbol": order.symbol,
            "side": order.side,
            "execution_id": execution.execution_id,
            "quantity": execution.quantity,
            "price": execution.price,
            "fee": execution.fee,
            "ts": execution.ts + self.line.stamp(now) - now,
        }

    def _busted(self, execution: Execution, now: int) -> dict[str, Any]:
        return self._execution(execution, now) | {
            "event": "bust",
            "execution_id": f"{execution.execution_id}-bust",
            "reference": execution.execution_id,
        }

    def _event(self, kind: str, order: SimOrder, now: int, more: dict[str, Any]) -> None:
        event = order.fields() | {"ts": self.line.stamp(now)} | more | {"event": kind}
        if self._events is not None:
            self._events.append(event)  # behind the answer that is being made
        else:
            self.line.tell(event, now)
