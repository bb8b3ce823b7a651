"""Finnhub as a server: prints of the whole market, pings in silence, no welcome and no acknowledgements."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from engine.core.units import NANOS
from engine.sim.market import NEVER
from engine.sim.providers.protocol import Change, Conditions, Outbox, Output, Refused, Request, decimal_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.sim.history import Window
    from engine.sim.market import Print, Tick

__all__ = ["FinnhubServer"]

PING_NS: Final = 60 * NANOS
SYMBOL_LIMIT: Final = 50
_ODD_LOT: Final = '["1","12"]'
_REGULAR: Final = '["1"]'


@dataclass(slots=True)
class _Session:
    sent: int  # when the last frame went out
    key: str = field(repr=False)
    symbols: set[str] = field(default_factory=set)


class FinnhubServer:
    """The WebSocket host.

    Args:
        key: the only token that is accepted; None accepts any.
        symbol_limit: of one connection; the free plan's is 50.
    """

    def __init__(self, *, key: str | None = None, symbol_limit: int = SYMBOL_LIMIT) -> None:
        self.conditions = Conditions()
        self._key = key
        self._symbol_limit = symbol_limit
        self._sessions: dict[int, _Session] = {}
        self._outbox = Outbox()

    @property
    def next_timer(self) -> int:
        return min((each.sent + PING_NS for each in self._sessions.values()), default=NEVER)

    def connect(self, connection: int, request: Request, now: int) -> Refused | None:
        if self.conditions.throttled:
            return Refused(429, "Too Many Requests", 1)
        tokens = parse_qs(urlsplit(request.path).query).get("token", [""])
        key = tokens[0] or request.headers.get("x-finnhub-token", "")
        if not key or self._key not in {None, key} or self.conditions.auth_refusal:
            return Refused(401, "Unauthorized")
        others = [number for number, each in self._sessions.items() if each.key == key]
        self._sessions[connection] = _Session(now, key)
        if others or self.conditions.slot_taken:
            for number in (*others, connection):
                self._drop(number, "second connection")
        return None

    def receive(self, connection: int, data: str | bytes, now: int) -> None:
        session = self._sessions.get(connection)
        if session is None:
            return
        try:
            message = json.loads(data)
            action, symbol = message["type"], message["symbol"]
        except (ValueError, TypeError, KeyError, RecursionError):
            action, symbol = "", None
        if action not in ("subscribe", "unsubscribe") or not isinstance(symbol, str) or not symbol:
            self._error(connection, session, "Invalid message", now)
        elif action == "unsubscribe":
            session.symbols.discard(symbol)
        elif symbol not in session.symbols and len(session.symbols) >= self._symbol_limit:
            self._error(connection, session, "Subscribing to too many symbols", now)
        else:
            session.symbols.add(symbol)

    def disconnected(self, connection: int, now: int) -> None:
        self._sessions.pop(connection, None)

    def publish(self, ticks: Sequence[tuple[Tick, Tick]], now: int) -> None:
        messages = [
            (true.symbol, _trade(told, trade), Change(true.symbol, true.sequence, prints=1))
            for true, told in ticks
            for trade in told.prints
        ]
        for connection, session in self._sessions.items() if messages else ():
            wanted = [each for each in messages if each[0] in session.symbols]
            if wanted:
                session.sent = now
                text = f'{{"data":[{",".join(each[1] for each in wanted)}],"type":"trade"}}'
                self._outbox.send(connection, text, tuple(each[2] for each in wanted), market=True)

    def publish_bars(self, span: int, bars: Sequence[tuple[str, Window, Window]], now: int) -> None:
        """None are sent."""

    def halt(self, symbols: Sequence[str], now: int, *, halted: bool) -> None:
        """Nothing tells of it."""

    def intrude(self, now: int) -> None:
        """The other's connection and ours are dropped, both."""
        for connection in list(self._sessions):
            self._drop(connection, "second connection")

    def kill_slow(self, connection: int, now: int) -> None:
        self._drop(connection, "slow reader")

    def send_huge(self, size: int, now: int) -> None:
        for connection in self._sessions:
            self._outbox.send(connection, f'{{"data":[{" " * max(0, size - 27)}],"type":"notice"}}')

    def timer(self, now: int) -> None:
        for connection, session in self._sessions.items():
            if now >= session.sent + PING_NS:
                session.sent = now
                self._outbox.send(connection, '{"type":"ping"}')

    def take_output(self) -> list[Output]:
        return self._outbox.take()

    def _error(self, connection: int, session: _Session, text: str, now: int) -> None:
        session.sent = now
        self._outbox.send(connection, json.dumps({"msg": text, "type": "error"}, separators=(",", ":")))

    def _drop(self, connection: int, reason: str) -> None:
        if self._sessions.pop(connection, None):
            self._outbox.close(connection, None, reason)


def _trade(tick: Tick, trade: Print) -> str:
    shares = trade.quantity // NANOS
    conditions = _ODD_LOT if shares < 100 else _REGULAR
    price, stamp = decimal_text(trade.price), tick.ts // 1_000_000
    return f'{{"c":{conditions},"p":{price},"s":"{tick.symbol}","t":{stamp},"v":{shares}}}'
