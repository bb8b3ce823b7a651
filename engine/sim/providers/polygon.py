"""Massive (Polygon) stocks as a server: connect, auth, subscribe, then the NBBO and the trades of the whole market.

Frames, order and texts: docs of Massive and probes of others, as of 2026. Quote sizes are shares.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from engine.core.units import NANOS
from engine.core.venues import VENUES
from engine.sim.history import MINUTE
from engine.sim.market import NEVER, Slot
from engine.sim.providers.protocol import (
    AUTH_TIMEOUT_NS,
    MAX_FRAME_MESSAGES,
    Change,
    Conditions,
    Outbox,
    Output,
    Refused,
    Request,
    decimal_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.sim.history import Window
    from engine.sim.market import Print, Tick

__all__ = ["EXCHANGES", "PolygonServer", "tape_of"]

#: venue -> exchange id of GET /v3/reference/exchanges
EXCHANGES: Final = {
    VENUES[name]: number
    for name, number in {
        "XASE": 1, "XBOS": 2, "XCIS": 3, "EDGA": 7, "EDGX": 8, "XCHI": 9, "XNYS": 10, "ARCX": 11, "XNAS": 12,
        "LTSE": 14, "IEXG": 15, "XPSX": 17, "BATY": 18, "BATS": 19, "EPRL": 20, "MEMX": 21,
    }.items()
}  # fmt: skip
TOPICS: Final = frozenset({"T", "Q", "A", "AM", "LULD", "NOI", "FMV"})
PLAN: Final = frozenset({"T", "Q", "A", "AM", "LULD"})
ODD_LOT: Final = 37
_ARCA_LISTED: Final = frozenset({"SPY", "QQQ", "IWM", "DIA", "GLD"})


def tape_of(symbol: str) -> int:
    """1 NYSE, 2 the other exchanges, 3 Nasdaq; made-up names count as Nasdaq's."""
    return 2 if symbol in _ARCA_LISTED else 3


@dataclass(slots=True)
class _Session:
    opened: int
    key: str = field(default="", repr=False)
    authenticated: bool = False
    surplus: bool = False  # over the limit of its key, and to be told so
    topics: set[str] = field(default_factory=set)  # "T.AAPL", "Q.*"


#: topics it goes to, text, what it tells
_Message = tuple[tuple[str, str], str, Change | None]


class PolygonServer:
    """One cluster.

    Args:
        key: the only key that is accepted; None accepts any.
        policy: who goes when a key connects twice: the older ("evict") or, once it has subscribed, the newcomer
            ("refuse"). Both were seen.
        limit: connections a key may hold.
        topics: what the plan includes.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        policy: Literal["evict", "refuse"] = "evict",
        limit: int = 1,
        topics: frozenset[str] = PLAN,
    ) -> None:
        self.conditions = Conditions()
        self._key = key
        self._policy = policy
        self._limit = limit
        self._plan = topics
        self._sessions: dict[int, _Session] = {}
        self._outbox = Outbox()

    @property
    def next_timer(self) -> int:
        waiting = [each.opened + AUTH_TIMEOUT_NS for each in self._sessions.values() if not each.authenticated]
        return min(waiting, default=NEVER)

    def connect(self, connection: int, request: Request, now: int) -> Refused | None:
        if self.conditions.throttled:
            return Refused(429, "Too Many Requests", 1)
        if request.path.split("?")[0].rstrip("/") != "/stocks":
            return Refused(404, "Not Found")
        self._sessions[connection] = _Session(now)
        self._status(connection, "connected", "Connected Successfully")
        return None

    def receive(self, connection: int, data: str | bytes, now: int) -> None:
        session = self._sessions.get(connection)
        if session is None:
            return
        try:
            message = json.loads(data)
            action, params = message["action"], message["params"]
        except (ValueError, TypeError, KeyError, RecursionError):
            action, params = "", None
        if not isinstance(params, str):
            self._status(connection, "error", "invalid message")
        elif action == "auth":
            self._auth(connection, session, params)
        elif not session.authenticated:
            self._status(connection, "error", "not authorized")
        elif action == "subscribe":
            self._subscribe(connection, session, params)
        elif action == "unsubscribe":
            self._unsubscribe(connection, session, params)
        else:
            self._status(connection, "error", "invalid message")

    def disconnected(self, connection: int, now: int) -> None:
        self._sessions.pop(connection, None)

    def publish(self, ticks: Sequence[tuple[Tick, Tick]], now: int) -> None:
        messages: list[_Message] = []
        for true, told in ticks:
            symbol = true.symbol
            for trade in told.prints:
                change = Change(symbol, true.sequence, prints=1)
                messages.append(((f"T.{symbol}", "T.*"), _trade(told, trade), change))
            if true.nbbo is not None:
                change = Change(symbol, true.sequence, top=true.nbbo)
                messages.append(((f"Q.{symbol}", "Q.*"), _quote(told), change))
        self._deliver(messages)

    def publish_bars(self, span: int, bars: Sequence[tuple[str, Window, Window]], now: int) -> None:
        topic = "AM" if span == MINUTE else "A"
        self._deliver(
            [
                ((f"{topic}.{symbol}", f"{topic}.*"), _bar(topic, symbol, span, window, day), None)
                for symbol, window, day in bars
                if window.open
            ]
        )

    def _deliver(self, messages: Sequence[_Message]) -> None:
        for connection, session in self._sessions.items():
            wanted = [each for each in messages if not session.topics.isdisjoint(each[0])] if session.topics else []
            for start in range(0, len(wanted), MAX_FRAME_MESSAGES):
                part = wanted[start : start + MAX_FRAME_MESSAGES]
                text = f"[{','.join(each[1] for each in part)}]"
                changes = tuple(each[2] for each in part if each[2] is not None)
                self._outbox.send(connection, text, changes, market=True)

    def halt(self, symbols: Sequence[str], now: int, *, halted: bool) -> None:
        """Nothing tells of it."""

    def intrude(self, now: int) -> None:
        """The other client is the newcomer: where the older is evicted, that is ours."""
        for connection, session in list(self._sessions.items()):
            if session.authenticated and self._policy == "evict":
                self._exceeded(connection)

    def kill_slow(self, connection: int, now: int) -> None:
        """No status frame is documented for it."""
        if self._sessions.pop(connection, None):
            self._outbox.close(connection, None, "slow reader")

    def send_huge(self, size: int, now: int) -> None:
        one = '{"ev":"FMV","fmv":1.5,"sym":"HUGE","t":1678220098130}'
        text = f"[{','.join([one] * max(1, size // (len(one) + 1)))}]"
        for connection in self._sessions:
            self._outbox.send(connection, text)

    def timer(self, now: int) -> None:
        for connection, session in list(self._sessions.items()):
            if not session.authenticated and now >= session.opened + AUTH_TIMEOUT_NS:
                self._status(connection, "auth_timeout", "No authentication request received.")
                self._end(connection, 1008, "auth timeout")

    def take_output(self) -> list[Output]:
        return self._outbox.take()

    # ---- the conversation

    def _auth(self, connection: int, session: _Session, key: str) -> None:
        refusal = self.conditions.auth_refusal
        if refusal == "plan":
            self._status(connection, "auth_failed", "Your plan doesn't include websocket access.")
            self._end(connection, None, "plan")
            return
        if refusal or not key or self._key not in {None, key}:
            self._status(connection, "auth_failed", "authentication failed")
            self._end(connection, None, "authentication failed")  # TCP is dropped, no close handshake
            return
        session.authenticated, session.key = True, key
        self._status(connection, "auth_success", "authenticated")
        others = [number for number, each in self._sessions.items() if each.authenticated and each.key == key]
        if self.conditions.slot_taken:
            self._exceeded(connection)
        elif len(others) > self._limit and self._policy == "evict":
            self._exceeded(others[0])
        session.surplus = len(others) > self._limit and self._policy == "refuse"

    def _exceeded(self, connection: int) -> None:
        self._status(connection, "max_connections", "Maximum number of websocket connections exceeded. ")
        self._end(connection, 1008, "Maximum number of websocket connections exceeded.")

    def _subscribe(self, connection: int, session: _Session, params: str) -> None:
        replies = []
        for pair in dict.fromkeys(part.strip() for part in params.split(",")):
            topic, dot, symbol = pair.partition(".")
            if topic not in TOPICS or not dot or not symbol:
                continue  # silently ignored
            if topic not in self._plan:
                replies.append(_status("error", "not authorized"))
            elif pair not in session.topics:
                session.topics.add(pair)
                replies.append(_status("success", f"subscribed to: {pair}"))
        self._reply(connection, replies)
        if session.surplus:  # such newcomers were seen to be acknowledged before they are told
            self._exceeded(connection)

    def _unsubscribe(self, connection: int, session: _Session, params: str) -> None:
        replies = []
        for pair in dict.fromkeys(part.strip() for part in params.split(",")):
            if pair in session.topics:
                session.topics.remove(pair)
                replies.append(_status("success", f"unsubscribed to: {pair}"))
        self._reply(connection, replies)

    def _reply(self, connection: int, replies: list[dict[str, Any]]) -> None:
        if replies:
            self._outbox.send(connection, json.dumps(replies, separators=(",", ":")))

    def _status(self, connection: int, status: str, message: str) -> None:
        self._reply(connection, [_status(status, message)])

    def _end(self, connection: int, code: int | None, reason: str) -> None:
        self._sessions.pop(connection, None)
        self._outbox.close(connection, code, reason)


def _status(status: str, message: str) -> dict[str, Any]:
    return {"ev": "status", "status": status, "message": message}


def _quote(tick: Tick) -> str:
    assert tick.nbbo is not None
    parts = [f'{{"ev":"Q","sym":"{tick.symbol}"', *_side("b", tick.nbbo.bid), *_side("a", tick.nbbo.ask)]
    # sequences of quotes are odd, of trades even: they are lines of their own at the SIP
    number = 2 * tick.sequence + 1
    parts.append(f'"c":1,"t":{tick.ts // 1_000_000},"q":{number},"z":{tape_of(tick.symbol)}}}')
    return ",".join(parts)


def _side(letter: str, slot: Slot) -> list[str]:
    if not slot.quantity:
        return []
    return [
        f'"{letter}x":{EXCHANGES.get(slot.venue, 0)}',
        f'"{letter}p":{decimal_text(slot.price)}',
        f'"{letter}s":{slot.quantity // NANOS}',
    ]


def _trade(tick: Tick, trade: Print) -> str:
    shares = trade.quantity // NANOS
    conditions = f"[{ODD_LOT}]" if shares < 100 else "[]"
    return (
        f'{{"ev":"T","sym":"{tick.symbol}","x":{EXCHANGES.get(trade.venue, 0)},"i":"{trade.trade_id}",'
        f'"z":{tape_of(tick.symbol)},"p":{decimal_text(trade.price)},"s":{shares},"c":{conditions},'
        f'"t":{tick.ts // 1_000_000},"q":{2 * trade.trade_id}}}'
    )


def _bar(topic: str, symbol: str, span: int, window: Window, day: Window) -> str:
    start = window.start // 1_000_000
    prices = {"op": day.open, "vw": window.vwap, "o": window.open, "c": window.close, "h": window.high, "l": window.low}
    texts = ",".join(f'"{name}":{decimal_text(value)}' for name, value in prices.items())
    volume, total = window.volume // NANOS, day.volume // NANOS
    return (
        f'{{"ev":"{topic}","sym":"{symbol}","v":{volume},"dv":"{volume}.0","av":{total},"dav":"{total}.0",{texts},'
        f'"a":{decimal_text(day.vwap)},"z":{volume // window.count},"s":{start},"e":{start + span // 1_000_000}}}'
    )
