"""REST answers of simulated providers: just what official clients are commonly pointed at. No sockets here.

Finnhub ``/quote`` and ``/stock/candle``; Alpaca ``/v2/stocks/bars``, ``/v2/stocks/{quotes,trades}/latest``; Massive
``/v2/aggs/ticker/...`` and ``/v2/last/nbbo/...``. Everything else is 404. There is only what happened
since the opening.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

from engine.core.units import NANOS
from engine.sim.history import MINUTE, Window
from engine.sim.providers import alpaca, polygon

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.sim.history import History
    from engine.sim.providers.protocol import Conditions

__all__ = ["Reply", "answer"]

_DAY: Final = 24 * 60 * MINUTE


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer with a JSON body."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class _Wrong(Exception):  # noqa: N818 - never leaves this file
    """A request that cannot be answered."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Query:
    path: str
    values: Mapping[str, list[str]]
    headers: Mapping[str, str]
    history: History
    now: int

    def get(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return self.values.get(name, [default])[0]

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of 1 to ``most``."""
        text = self.get(name, str(default))
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise _Wrong(400, f"{name} is {text!r}; expected 1 to {most}")
        return int(text)


def answer(
    provider: str, path: str, headers: Mapping[str, str], history: History, conditions: Conditions, now: int
) -> Reply:
    """What a provider answers to a GET; ``headers`` have lower-case names."""
    place, _, parameters = path.partition("?")
    plain = re.sub("/+", "/", unquote(place)).removeprefix("/api/v1")  # some clients double the first slash
    query = _Query(plain, parse_qs(parameters), headers, history, now)
    try:
        if conditions.throttled:
            raise _Wrong(429, "API limit reached. Please try again later. Remaining Limit: 0")
        if conditions.auth_refusal or not _has_key(provider, query):
            raise _Wrong(401, "Unauthorized")
        for pattern, handle in _ROUTES.get(provider, ()):
            if (match := re.fullmatch(pattern, plain)) is not None:
                return Reply(200, json.dumps(handle(query, *match.groups()), separators=(",", ":")))
        raise _Wrong(404, "Not Found")
    except _Wrong as wrong:
        extra = {"Retry-After": "1"} if wrong.status == 429 else {}
        body = json.dumps({"error": str(wrong), "message": str(wrong)}, separators=(",", ":"))
        return Reply(wrong.status, body, {"Content-Type": "application/json", **extra})


def _has_key(provider: str, query: _Query) -> bool:
    if provider == "finnhub":
        return bool(query.get("token") or query.headers.get("x-finnhub-token"))
    bearer = query.headers.get("authorization", "")
    if provider == "alpaca":
        return bool(query.headers.get("apca-api-key-id") or bearer)
    return bool(query.get("apiKey") or bearer.lower().startswith("bearer "))


# ---- Finnhub


def _finnhub_quote(query: _Query) -> dict[str, Any]:
    symbol = query.get("symbol")
    day, last = query.history.day(symbol), query.history.last(symbol)
    if day is None or last is None or not day.open:
        return {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}
    price, before = last[1].price, day.open  # the market opened just now: the close before is its first price
    return {
        "c": _price(price),
        "d": _price(price - before),
        "dp": round(100 * (price - before) / before, 4),
        "h": _price(day.high),
        "l": _price(day.low),
        "o": _price(day.open),
        "pc": _price(before),
        "t": last[0] // NANOS,
    }


def _finnhub_candles(query: _Query) -> dict[str, Any]:
    spans = {"1": 1, "5": 5, "15": 15, "30": 30, "60": 60, "D": 1_440, "W": 10_080, "M": 43_200}
    resolution = query.get("resolution")
    if resolution not in spans:
        raise _Wrong(422, f"resolution is {resolution!r}; expected one of {', '.join(spans)}")
    start, end = (query.number(name, 0, 2**40) * NANOS for name in ("from", "to"))
    bars = _bars(query.history.minutes(query.get("symbol")), spans[resolution] * MINUTE, start, end)
    if not bars:
        return {"s": "no_data"}
    return {
        "c": [_price(bar.close) for bar in bars],
        "h": [_price(bar.high) for bar in bars],
        "l": [_price(bar.low) for bar in bars],
        "o": [_price(bar.open) for bar in bars],
        "s": "ok",
        "t": [bar.start // NANOS for bar in bars],
        "v": [bar.volume // NANOS for bar in bars],
    }


# ---- Alpaca


def _alpaca_bars(query: _Query) -> dict[str, Any]:
    match = re.fullmatch(r"(\d{1,2})(Min|T|Hour|H|Day|D)", query.get("timeframe", "1Min"))
    if match is None or not int(match[1]):
        raise _Wrong(400, f"invalid timeframe: {query.get('timeframe')!r}")
    span = int(match[1]) * {"M": MINUTE, "T": MINUTE, "H": 60 * MINUTE, "D": _DAY}[match[2][0]]
    limit = query.number("limit", 1_000, 10_000)
    start = _instant(query.get("start"), query.now // _DAY * _DAY)
    end = _instant(query.get("end"), query.now)
    rows = [
        (symbol, bar)
        for symbol in sorted(_symbols(query))
        for bar in _ordered(_bars(query.history.minutes(symbol), span, start, end), query.get("sort", "asc"))
    ]
    token = query.get("page_token")
    first = int(token) if token.isdecimal() else 0
    bars: dict[str, list[dict[str, Any]]] = {}
    for symbol, bar in rows[first : first + limit]:
        bars.setdefault(symbol, []).append(alpaca.bar_fields(bar))
    return {"bars": bars, "next_page_token": str(first + limit) if len(rows) > first + limit else None}


def _alpaca_latest(query: _Query, what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for symbol in _symbols(query):
        ts, top = query.history.quote(symbol)
        if what == "quotes" and ts:
            found[symbol] = alpaca.quote_json(symbol, ts, top)
        elif what == "trades" and (last := query.history.last(symbol)) is not None:
            found[symbol] = alpaca.trade_json(symbol, *last)
    return {what: found}


def _symbols(query: _Query) -> list[str]:
    return [symbol for symbol in query.get("symbols").split(",") if symbol]


# ---- Massive


def _polygon_bars(query: _Query, symbol: str, many: str, unit: str, start: str, end: str) -> dict[str, Any]:
    spans = {"minute": MINUTE, "hour": 60 * MINUTE, "day": _DAY}
    if unit not in spans or not 1 <= int(many) <= 1_000:
        raise _Wrong(400, f"range is {many} {unit}; expected 1 to 1000 of minute, hour, day")
    limit = query.number("limit", 5_000, 50_000)
    first, last = _instant(start, 0), _instant(end, query.now)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", end):
        last += _DAY - 1  # the day is included
    bars = _ordered(
        _bars(query.history.minutes(symbol), int(many) * spans[unit], first, last), query.get("sort", "asc")
    )
    results = [
        {
            "v": bar.volume // NANOS,
            "vw": _price(bar.vwap),
            "o": _price(bar.open),
            "c": _price(bar.close),
            "h": _price(bar.high),
            "l": _price(bar.low),
            "t": bar.start // 1_000_000,
            "n": bar.count,
        }
        for bar in bars[:limit]
    ]
    counts = {"queryCount": len(results), "resultsCount": len(results)}
    head = {"ticker": symbol, **counts, "adjusted": query.get("adjusted", "true") == "true", "results": results}
    return {**head, "status": "OK", "request_id": "0" * 32, "count": len(results)}


def _polygon_nbbo(query: _Query, symbol: str) -> dict[str, Any]:
    ts, top = query.history.quote(symbol)
    if not ts:
        raise _Wrong(404, "Data not found.")
    (bid_venue, bid, bids), (ask_venue, ask, asks) = top
    results: dict[str, Any] = {"p": _price(bid), "s": bids // NANOS, "x": polygon.EXCHANGES.get(bid_venue, 0)}
    results |= {"P": _price(ask), "S": asks // NANOS, "X": polygon.EXCHANGES.get(ask_venue, 0)}
    results |= {"z": polygon.tape_of(symbol), "T": symbol, "t": ts, "y": ts, "q": 1}
    return {"results": results, "status": "OK", "request_id": "0" * 32}


# ---- shared


def _bars(minutes: Sequence[Window], span: int, start: int, end: int) -> list[Window]:
    """Minutes put together, those with a price and with a start in [start, end]."""
    out: list[Window] = []
    for minute in minutes:
        begins = minute.start // span * span
        if not minute.open or not start <= begins <= end:
            continue
        if not out or out[-1].start != begins:
            out.append(Window(begins))
        out[-1].join(minute)
    return out


def _ordered(bars: list[Window], sort: str) -> list[Window]:
    if sort not in {"asc", "desc"}:
        raise _Wrong(400, f"sort is {sort!r}; expected asc or desc")
    return bars if sort == "asc" else bars[::-1]


def _instant(text: str, default: int) -> int:
    """Ns since epoch of RFC 3339, a day, seconds or milliseconds."""
    if not text:
        return default
    if text.isdecimal():
        return int(text) * (NANOS if len(text) <= 10 else 1_000_000)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _Wrong(400, f"time is {text!r}; expected RFC 3339 or YYYY-MM-DD") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(found.timestamp()) * NANOS + found.microsecond * 1_000


def _price(count: int) -> float:
    return count / NANOS


_ROUTES: Final[Mapping[str, Sequence[tuple[str, Callable[..., dict[str, Any]]]]]] = {
    "finnhub": (("/quote", _finnhub_quote), ("/stock/candle", _finnhub_candles)),
    "alpaca": (("/v2/stocks/bars", _alpaca_bars), ("/v2/stocks/(quotes|trades)/latest", _alpaca_latest)),
    "polygon": (
        (r"/v2/aggs/ticker/([^/]+)/range/(\d{1,4})/([a-z]+)/([\d-]+)/([\d-]+)", _polygon_bars),
        (r"/v2/last/nbbo/([^/]+)", _polygon_nbbo),
    ),
}
