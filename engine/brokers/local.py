"""The adapter of brokers inside this process, simulated and paper: one JSON object a line, both ways.

A request carries ``request``; its answer repeats it with ``order``, ``snapshot`` or ``error``. What happens to orders
later comes as ``event``, and every second a heartbeat. The answer to a query has the order's ``executions`` too, told
as the events they were. Numbers are counts of 1e-9 and ns.

======== =======================================================================================
op       fields
======== =======================================================================================
new      client_order_id, symbol, side, quantity, price, tif, post_only, display
replace  client_order_id, replaces, quantity, price
cancel   client_order_id
query    client_order_id
snapshot since
======== =======================================================================================
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from engine.brokers.protocol import NEVER, BrokerFacts, BrokerInput, Outgoing
from engine.core.trading import (
    Approved,
    Command,
    Holding,
    LineState,
    OrderState,
    Place,
    Query,
    Reconcile,
    Replace,
    Report,
    ReportKind,
    Snapshot,
    Withdraw,
)
from engine.errors import ProtocolError

__all__ = ["LINE_LIMIT", "LocalProtocol"]

LINE_LIMIT: Final = 16_000_000  #: bytes of a line; a snapshot of 20,000 orders fits
_DEAD: Final = 4  #: heartbeats missed until the connection is given up
_LATE_LIMIT: Final = 1_000  #: requests that were given up and whose answers are still understood
_REFUSED: Final = {
    "new": ReportKind.REJECTED,
    "replace": ReportKind.REPLACE_REJECTED,
    "cancel": ReportKind.CANCEL_REJECTED,
}
_ACCEPTED: Final = {"new": ReportKind.ACCEPTED, "replace": ReportKind.REPLACED}
_EVENTS: Final = frozenset(
    {
        ReportKind.ACCEPTED,
        ReportKind.FILL,
        ReportKind.CANCELLED,
        ReportKind.REPLACED,
        ReportKind.REJECTED,
        ReportKind.EXPIRED,
        ReportKind.BUST,
        ReportKind.CORRECTION,
    }
)


class LocalProtocol:
    """One conversation with a broker in this process (see `engine.brokers.protocol.BrokerProtocol`)."""

    def __init__(self, facts: BrokerFacts) -> None:
        self.facts = facts
        self.broken = ""
        self._open = False
        self._suspect = False
        self._request = 0
        self._waiting: dict[int, tuple[int, str, str, str]] = {}  # request -> due, op, client order id, symbol
        self._late: dict[int, tuple[int, str, str, str]] = {}  # given up; a late answer still is a positive statement
        self._buffer = b""
        self._heard = 0
        self._outgoing: list[Outgoing] = []
        self._inputs: list[BrokerInput] = []

    # ---- the transport

    def opened(self, now: int) -> None:
        """The transport is up."""
        self.broken, self._open, self._suspect, self._buffer, self._heard = "", True, False, b"", now
        self._inputs.append(LineState("broker", self.facts.name, "up"))

    def closed(self, reason: str, now: int) -> None:
        """The transport is down: whatever was not answered has an unknown outcome."""
        if not self._open:
            return
        self._open, self._buffer = False, b""
        self._outgoing.clear()
        for request in list(self._waiting):
            self._give_up(request, f"line lost: {reason}", now)
        self._inputs.append(LineState("broker", self.facts.name, "down", reason))

    def timer(self, now: int) -> int:
        """Looks at what is due; returns when to call again."""
        if not self._open:
            return NEVER
        for request in [one for one, (due, *_) in self._waiting.items() if due <= now]:
            self._give_up(request, f"no answer within {self.facts.answer_ns // 1_000_000} ms", now)
        silent = now - self._heard
        if not self._suspect and silent >= 2 * self.facts.heartbeat_ns:
            self._suspect = True
            self._inputs.append(LineState("broker", self.facts.name, "suspect", "two heartbeats missed"))
        if silent >= _DEAD * self.facts.heartbeat_ns:
            self.broken = f"silent for {_DEAD} heartbeats"
        due = self._heard + (_DEAD if self._suspect else 2) * self.facts.heartbeat_ns
        return min([due for due, *_ in self._waiting.values()] + ([] if self.broken else [due]), default=NEVER)

    def take_outgoing(self) -> list[Outgoing]:
        """What is to be sent, in order."""
        found, self._outgoing = self._outgoing, []
        return found

    def take_inputs(self) -> list[BrokerInput]:
        """What the broker said, in order."""
        found, self._inputs = self._inputs, []
        return found

    # ---- commands

    def encode(self, command: Command, now: int) -> None:
        """Queues the bytes of a command; on a line that is down its outcome is told at once."""
        match command:
            case Place(order=order):
                self._new(order, now)
            case Replace(order=order):
                intent = order.intent
                fields = {"replaces": intent.replaces, "quantity": intent.quantity, "price": intent.price}
                self._ask("replace", intent.client_order_id, intent.symbol, fields, now)
            case Withdraw():
                self._ask("cancel", command.client_order_id, command.symbol, {}, now)
            case Query():
                self._ask("query", command.client_order_id, command.symbol, {}, now)
            case Reconcile():
                self._ask("snapshot", "", "", {"since": command.since}, now)

    def _new(self, order: Approved, now: int) -> None:
        intent = order.intent
        fields = {
            "symbol": intent.symbol,
            "side": intent.side,
            "quantity": intent.quantity,
            "price": intent.price,
            "tif": intent.tif,
            "post_only": intent.post_only,
            "display": intent.display,
        }
        self._ask("new", intent.client_order_id, intent.symbol, fields, now)

    def _ask(self, op: str, client_order_id: str, symbol: str, fields: dict[str, Any], now: int) -> None:
        self._request += 1
        self._waiting[self._request] = (now + self.facts.answer_ns, op, client_order_id, symbol)
        if not self._open:  # it never left, so for a new order that is as good as a reject
            del self._waiting[self._request]
            self._say(_REFUSED.get(op), client_order_id, symbol, "not sent: the line is down", now)
            return
        message: dict[str, Any] = {"op": op, "request": self._request}
        if client_order_id:
            message["client_order_id"] = client_order_id
        self._outgoing.append(Outgoing(orjson.dumps(message | fields) + b"\n", self._request))

    def _give_up(self, request: int, reason: str, now: int) -> None:
        asked = self._waiting.pop(request)
        _, op, client_order_id, symbol = asked
        if op == "snapshot":
            self._inputs.append(Snapshot(self.facts.name, 0, complete=False, ts_recv=now))
        elif op != "query":  # a read that failed tells nothing; its late answer would be old
            self._late[request] = asked
            if len(self._late) > _LATE_LIMIT:
                del self._late[next(iter(self._late))]
            self._say(ReportKind.UNKNOWN_OUTCOME, client_order_id, symbol, f"{op}: {reason}", now)

    def _say(self, kind: ReportKind | None, client_order_id: str, symbol: str, reason: str, now: int) -> None:
        if kind is not None:
            self._inputs.append(
                Report(self.facts.name, kind, client_order_id, reason=reason, symbol=symbol, ts_recv=now)
            )

    # ---- what the broker says

    def receive(self, data: bytes, now: int, request: int = 0) -> None:
        """Bytes that arrived, cut anywhere.

        Raises:
            ProtocolError: a line is no JSON object of this protocol, or has no end.
        """
        del request
        self._heard = now
        if self._suspect:
            self._suspect = False
            self._inputs.append(LineState("broker", self.facts.name, "up", "it speaks again"))
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > LINE_LIMIT:
            raise ProtocolError(f"{self.facts.name}: a line of over {LINE_LIMIT} bytes")
        for line in lines:
            try:
                self._receive_line(orjson.loads(line), now)
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
                shown = line[:80].decode("latin-1")
                raise ProtocolError(f"{self.facts.name}: no message of this protocol: {shown!r}: {error!r}") from None

    def _receive_line(self, message: dict[str, Any], now: int) -> None:
        if "event" in message:
            if message["event"] != "heartbeat":
                self._inputs.append(self._event(message, now))
            return
        request = _number(message, "request", 0)
        asked = self._waiting.pop(request, None) or self._late.pop(request, None)
        if asked is None:
            return  # answered twice, or too late to be remembered: events and queries tell what became of it
        _, op, client_order_id, symbol = asked
        if "error" in message:
            self._error(op, client_order_id, symbol, str(message["error"]), now)
        elif op == "snapshot":
            self._inputs.append(self._snapshot(message["snapshot"], now))
        elif op == "query":
            self._inputs += [self._event(one, now) for one in message["executions"]]
            self._inputs.append(self._report(ReportKind.STATUS, message["order"], now))
        elif op in _ACCEPTED:
            self._inputs.append(self._report(_ACCEPTED[op], message["order"], now))
        # an accepted cancel is a request that was heard, no more: the event follows

    def _error(self, op: str, client_order_id: str, symbol: str, error: str, now: int) -> None:
        if op == "query":
            if error == "not-found":
                self._say(ReportKind.NOT_FOUND, client_order_id, symbol, error, now)
        elif op == "snapshot":
            self._inputs.append(Snapshot(self.facts.name, 0, complete=False, ts_recv=now))
        else:
            self._say(_REFUSED[op], client_order_id, symbol, error, now)

    def _event(self, message: dict[str, Any], now: int) -> Report:
        kind = ReportKind(message["event"])
        if kind not in _EVENTS:
            raise ValueError(f"event {kind!r}")
        return self._report(kind, message, now)

    def _report(self, kind: ReportKind, order: dict[str, Any], now: int) -> Report:
        side = order.get("side")
        if side not in {"buy", "sell", None}:
            raise ValueError(f"side {side!r}")
        return Report(
            self.facts.name,
            kind,
            _text(order, "client_order_id"),
            venue_order_id=_text(order, "venue_order_id"),
            execution_id=_text(order, "execution_id"),
            reference=_text(order, "reference"),
            quantity=_number(order, "quantity", 0),
            price=_number(order, "price", 0),
            cumulative=_number(order, "cumulative", -1),
            leaves=_number(order, "leaves", -1),
            fee=_number(order, "fee", 0),
            state=OrderState(order["state"]) if "state" in order else None,
            reason=_text(order, "reason"),
            symbol=_text(order, "symbol"),
            side=side,
            ts_event=_number(order, "ts", 0),
            ts_recv=now,
        )

    def _snapshot(self, found: dict[str, Any], now: int) -> Snapshot:
        return Snapshot(
            self.facts.name,
            _number(found, "since", 0),
            tuple(self._report(ReportKind.STATUS, order, now) for order in found["orders"]),
            tuple(self._event(one, now) for one in found["executions"]),
            tuple(
                Holding(_text(one, "symbol"), _number(one, "quantity", 0), _number(one, "average_price", 0))
                for one in found["positions"]
            ),
            _number(found, "cash", 0) if "cash" in found else None,
            ts_recv=now,
        )


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name, "")
    if not isinstance(value, str):
        raise TypeError(f"{name} {value!r}")
    return value


def _number(message: dict[str, Any], name: str, default: int) -> int:
    value = message.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} {value!r}")
    return value
