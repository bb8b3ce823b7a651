"""A simulated broker: the other end of `engine.brokers.local`'s line, with an account, a matching market and faults.

It has no clock and no socket: bytes and times go in, bytes with the time they arrive come out. What it says of orders
may be wrong while a fault is at work (see `engine.sim.faults`); its `account` never is.

Assumptions: each message takes ``latency`` each way; an order shows up in what is read ``visible`` after it was
accepted; a bust does not give an order its quantity back.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from engine.core.events import Side
from engine.core.orders import ORDER, Action, OrderFlag, OrderType, Reason, TimeInForce
from engine.core.orders import ReportKind as Row
from engine.core.trading import BrokerFacts, OrderState
from engine.core.units import NANOS
from engine.errors import ConfigError
from engine.sim.account import Account, Fees, SimOrder
from engine.sim.draws import Draws
from engine.sim.faults import BROKER_KINDS, MOMENTS, parse_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from engine.sim.account import Execution
    from engine.sim.exchange import Exchange
    from engine.sim.faults import Fault, FaultKind

__all__ = ["SimBroker"]

NEVER: Final = 2**63 - 1
_STREAM: Final = 1 << 41  # streams of the seed that markets and their faults leave alone
_MINUTE: Final = 60 * NANOS
_TIFS: Final = {"day": TimeInForce.DAY, "gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC, "fok": TimeInForce.FOK}


class _Refused(Exception):
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
        self._latency, self._visible = latency, visible
        self._draws = Draws(seed, _STREAM + int.from_bytes(name.encode()[:5], "big"))
        self._faults = [fault for fault in parse_faults(faults) if fault.line == name]
        self._start = start
        self._queue: list[tuple[int, int, Callable[[int], None]]] = []
        self._ticket = 0
        self._connection = 0  # 0: none; each connection has another number
        self._connections = 0
        self._partial = b""
        self._outgoing: list[bytes] = []
        self._latest = 0  # when the last message arrives; the next one does not overtake it
        self._held: bytes | None = None
        self._events: list[bytes] | None = None  # collects what follows an answer while it is made
        self._executions = 0
        self.dropped = False  #: the line broke, since this was last set to False
        self._schedule_faults()

    # ---- the line

    @property
    def next_time(self) -> int:
        """When `advance` has something to do, or NEVER."""
        return self._queue[0][0] if self._queue else NEVER

    def connect(self, now: int) -> bool:
        """A client connects; False while the line is dead."""
        if self._active("half_open", now):
            return False
        self._connections += 1
        self._connection, self._partial, self._latest, self._held = self._connections, b"", now, None
        self.dropped = False
        self._beat(self._connection, now)
        return True

    def disconnect(self) -> None:
        """The client's end of the line is gone. What was on its way may still arrive."""
        self._connection = 0
        self._outgoing.clear()

    def receive(self, data: bytes, now: int) -> None:
        """Bytes leave the client."""
        if self._connection and not self._active("half_open", now):
            self._at(now + self._latency + self._lag(now), lambda then: self._arrive(data, then))

    def advance(self, now: int) -> None:
        """Everything that is due."""
        while self._queue and self._queue[0][0] <= now:
            due, _, act = heappop(self._queue)
            act(due)

    def take_outgoing(self) -> list[bytes]:
        """What has reached the client."""
        found, self._outgoing = self._outgoing, []
        return found

    def _at(self, due: int, act: Callable[[int], None]) -> None:
        self._ticket += 1
        heappush(self._queue, (due, self._ticket, act))

    def _drop(self) -> None:
        if self._connection:
            self.disconnect()
            self.dropped = True

    def _beat(self, connection: int, now: int) -> None:
        if connection == self._connection:
            self._send({"event": "heartbeat"}, now)
            self._at(now + self.facts.heartbeat_ns * 9 // 10, lambda then: self._beat(connection, then))

    def _send(self, message: dict[str, Any], now: int) -> None:
        if self._connection and not self._active("half_open", now):
            self._put(orjson.dumps(message) + b"\n", now + self._latency + self._lag(now))

    def _put(self, data: bytes, due: int) -> None:
        connection = self._connection
        self._latest = due = max(due, self._latest)

        def arrive(then: int) -> None:
            if connection == self._connection and not self._active("half_open", then):
                self._outgoing.append(data)

        self._at(due, arrive)

    # ---- faults

    def _schedule_faults(self) -> None:
        for fault in self._faults:
            if fault.kind not in BROKER_KINDS:
                raise ConfigError(f"fault {str(fault)!r} cannot be: expected one of {', '.join(BROKER_KINDS)}")
            if fault.kind == "bust":
                self._at(self._start + fault.at, self._bust)
            elif fault.kind == "half_open":
                self._at(self._start + fault.end, lambda _: self._drop())
            elif fault.kind == "disconnect":  # in mid-order, or a little later if there is none
                self._at(self._start + fault.at + NANOS, lambda _, one=fault: self._break_once(one))  # type: ignore[misc]
        self._breaks = [fault for fault in self._faults if fault.kind == "disconnect"]

    def _active(self, kind: FaultKind, now: int) -> Fault | None:
        since = now - self._start
        for fault in self._faults:
            if fault.kind == kind and fault.kind not in MOMENTS and fault.at <= since < fault.end:
                return fault
        return None

    def _hit(self, kind: FaultKind, now: int) -> Fault | None:
        fault = self._active(kind, now)
        return fault if fault is not None and self._draws.below(100) < fault.rate else None

    def _lag(self, now: int) -> int:
        fault = self._active("lag", now)
        return fault.by if fault else 0

    def _break_once(self, fault: Fault) -> None:
        if fault in self._breaks:
            self._breaks.remove(fault)
            self._drop()

    def _bust(self, now: int) -> None:
        pool = [one for one in self.account.executions if not one.busted and one.ts > now - _MINUTE]
        if pool:
            execution = pool[self._draws.below(len(pool))]
            self.account.bust(execution)
            self._tell_bust(execution, now)

    # ---- requests

    def _arrive(self, data: bytes, now: int) -> None:
        self._exchange.advance(now)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._request(orjson.loads(line), now)

    def _request(self, message: dict[str, Any], now: int) -> None:
        op = message["op"]
        self._events = []
        try:
            if self._active("throttle", now):
                raise _Refused("throttled")
            found = {
                "new": self._new,
                "replace": self._replace,
                "cancel": self._cancel,
                "query": self._query,
                "snapshot": self._snapshot,
            }[op](message, now)
        except _Refused as error:
            found = {"error": str(error)}
        events, self._events = self._events, None
        if found is not None and not (op in {"new", "replace", "cancel"} and self._hit("lost_response", now)):
            early = self._hit("early_fill", now) if op == "new" else None
            if early:
                connection = self._connection
                answer = found | {"request": message["request"]}
                self._at(
                    now + early.by, lambda then: self._send(answer, then) if connection == self._connection else None
                )
            else:
                self._send(found | {"request": message["request"]}, now)
        for event in events:
            self._put(event, now + self._latency + self._lag(now))
        since = now - self._start
        if op == "new" and (due := [fault for fault in self._breaks if fault.at <= since]):
            self._break_once(due[0])

    def _new(self, message: dict[str, Any], now: int) -> dict[str, Any]:
        known = self.account.by_id.get(message["client_order_id"])
        if known is not None:
            return {"order": known.fields()}
        symbol, quantity, price = message["symbol"], message["quantity"], message["price"]
        if symbol not in self._instruments:
            raise _Refused(f"symbol {symbol!r} is not known")
        if quantity <= 0 or price < 0 or message["tif"] not in _TIFS or message["side"] not in {"buy", "sell"}:
            raise _Refused("an order that cannot be")
        if self._hit("reject", now):
            raise _Refused("rejected by the broker")
        number = self._exchange.next_number()
        order = SimOrder(
            [message["client_order_id"]], number, symbol, message["side"], quantity, price, message["tif"], now
        )
        order.leaves = quantity
        self.account.add(order)
        self._submit(order, Action.NEW, quantity, now, message)
        if order.state is OrderState.REJECTED:
            raise _Refused(order.reason)
        return {"order": order.fields() | {"state": "new", "cumulative": 0, "leaves": quantity, "price": 0}}

    def _replace(self, message: dict[str, Any], now: int) -> dict[str, Any]:
        order = self._find(message["replaces"])
        if message["client_order_id"] in order.ids:
            return {"order": order.fields() | {"reference": message["replaces"]}}
        if not order.is_open:
            raise _Refused(f"not replaceable: {order.state}")
        busted = sum(one.quantity for one in order.executions if one.busted)
        order.reason = ""
        price = order.price
        order.price = message["price"]
        self._submit(order, Action.REPLACE, message["quantity"] + busted, now, {"new_id": message["client_order_id"]})
        if order.reason:
            order.price = price
            raise _Refused(order.reason)
        return {"order": order.fields() | {"reference": message["replaces"]}}

    def _cancel(self, message: dict[str, Any], now: int) -> dict[str, Any] | None:
        order = self._find(message["client_order_id"])
        if not order.is_open:
            raise _Refused(f"not cancelable: {order.state}")
        if late := self._hit("late_cancel", now):
            self._at(now + late.by, lambda then: self._withdraw(order, then))
        elif self._hit("false_cancel", now):
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
            raise _Refused("not-found")
        told = [self._execution(one, now) for one in order.executions]
        busts = [self._busted(one, now) for one in order.executions if one.busted]
        fields = order.fields() | {"client_order_id": message["client_order_id"]}
        return {"order": fields | {"ts": self._stamp(now)}, "executions": told + busts}

    def _snapshot(self, message: dict[str, Any], now: int) -> dict[str, Any]:
        since, account = message["since"], self.account
        orders = [
            order.fields() | {"ts": self._stamp(now)}
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
            raise _Refused("not-found")
        return order

    def _submit(self, order: SimOrder, action: Action, quantity: int, now: int, more: dict[str, Any]) -> None:
        row = np.zeros(1, ORDER)
        row["ts"], row["order_id"], row["owner"], row["action"] = now, order.number, self._owner, action
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
            order = self.account.orders[int(row["order_id"])]
            kind, leaves = Row(int(row["kind"])), int(row["leaves"])
            if kind is Row.FILL:
                self._fill(order, int(row["quantity"]), int(row["price"]), leaves, now)
            elif kind in {Row.CANCELLED, Row.EXPIRED}:
                order.leaves, order.closed = 0, now
                order.state = OrderState.CANCELLED if kind is Row.CANCELLED else OrderState.EXPIRED
                self._event(order.state, order, now, {})
            elif kind is Row.REPLACED:
                order.quantity, order.leaves = int(row["quantity"]), leaves
                if self._renaming:
                    self.account.rename(order, self._renaming)
                    self._renaming = None
            elif kind is Row.REJECTED:
                order.reason = Reason(int(row["reason"])).name.lower().replace("_", "-")
                if row["action"] == Action.NEW:
                    order.state, order.leaves, order.closed = OrderState.REJECTED, 0, now

    def _fill(self, order: SimOrder, quantity: int, price: int, leaves: int, now: int) -> None:
        parts = [quantity]
        if self._hit("partial", now):
            for _ in range(3):
                share = self._draws.below(parts[-1] // NANOS + 1) * NANOS
                if 0 < share < parts[-1]:
                    parts[-1:] = [share, parts[-1] - share]
        left = leaves + quantity
        for part in parts:
            left -= part
            self._executions += 1
            execution = self.account.book(order, part, price, f"{self.facts.name}-{self._executions}", now)
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
            "ts": execution.ts + self._stamp(now) - now,
        }

    def _busted(self, execution: Execution, now: int) -> dict[str, Any]:
        return self._execution(execution, now) | {
            "event": "bust",
            "execution_id": f"{execution.execution_id}-bust",
            "reference": execution.execution_id,
        }

    def _tell_bust(self, execution: Execution, now: int) -> None:
        self._event("bust", execution.order, now, self._busted(execution, now))

    def _stamp(self, now: int) -> int:
        fault = self._active("clock_skew", now)
        return now + (fault.by if fault else 0)

    def _event(self, kind: str, order: SimOrder, now: int, more: dict[str, Any]) -> None:
        if not self._connection or self._active("half_open", now) or self._hit("swallow", now):
            return
        fields = order.fields() | {"ts": self._stamp(now)} | more | {"event": kind}
        if kind == "fill":
            fields |= {"cumulative": order.cumulative, "leaves": order.leaves}
        data = orjson.dumps(fields) + b"\n"
        copies = [data, data] if self._hit("duplicate", now) else [data]
        if self._held is not None:
            copies, self._held = [*copies, self._held], None
        elif self._hit("reorder", now):
            self._held = copies.pop()
            held, connection = self._held, self._connection
            self._at(now + NANOS, lambda then: self._let_go(held, connection, then))
        for one in copies:
            if self._events is not None:
                self._events.append(one)
            else:
                self._put(one, now + self._latency + self._lag(now))

    def _let_go(self, held: bytes, connection: int, now: int) -> None:
        """What waited for an event to overtake it, and none came."""
        if self._held is held and connection == self._connection:
            self._held = None
            self._put(held, now + self._latency)
