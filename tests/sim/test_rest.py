"""REST answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.core.units import NANOS
from engine.sim.history import MINUTE
from engine.sim.market import NEVER, Market
from engine.sim.simulator import Simulator


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    found = Simulator(Market(seed=2, duration="150s", rate=20), ["polygon", "alpaca", "finnhub"])
    found.advance(NEVER - 1)
    return found


HEADERS = {
    "polygon": {"authorization": "Bearer k"},
    "alpaca": {"apca-api-key-id": "k"},
    "finnhub": {"x-finnhub-token": "k"},
}


def get(simulator: Simulator, line: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    now = simulator.market.start + 150 * NANOS
    reply = simulator.rest(line, path, HEADERS[line] if headers is None else headers, now)
    return reply.status, json.loads(reply.body)


def test_finnhub(simulator):
    status, quote = get(simulator, "finnhub", "//quote?symbol=AAPL")
    last = simulator.history.last("AAPL")
    assert status == 200
    assert quote["c"] * NANOS == pytest.approx(last[1].price)
    assert quote["l"] <= quote["c"] <= quote["h"]
    assert get(simulator, "finnhub", "/api/v1/quote?symbol=NONE&token=k", {})[1]["c"] == 0
    start = simulator.market.start // NANOS
    path = f"/stock/candle?symbol=AAPL&resolution=1&from={start}&to={start + 600}"
    status, candles = get(simulator, "finnhub", path)
    assert (status, candles["s"]) == (200, "ok")
    assert {len(candles[name]) for name in "chlotv"} == {3}
    assert candles["v"] == [bar.volume // NANOS for bar in simulator.history.minutes("AAPL")]
    assert get(simulator, "finnhub", f"/stock/candle?symbol=X&resolution=1&from={start}&to={start}")[1] == {
        "s": "no_data"
    }
    assert get(simulator, "finnhub", "/stock/candle?symbol=AAPL&resolution=7")[0] == 422
    assert get(simulator, "finnhub", "/stock/candle?symbol=AAPL&resolution=1&from=x&to=1")[0] == 400


def test_alpaca(simulator):
    status, found = get(simulator, "alpaca", "/v2/stocks/bars?symbols=AAPL,MSFT,NONE&timeframe=1Min&limit=4")
    assert status == 200
    assert [len(bars) for bars in found["bars"].values()] == [3, 1]
    rest = get(simulator, "alpaca", f"/v2/stocks/bars?symbols=AAPL,MSFT&page_token={found['next_page_token']}")[1]
    assert {name: len(bars) for name, bars in rest["bars"].items()} == {"MSFT": 2}
    assert rest["next_page_token"] is None
    bar = found["bars"]["AAPL"][0]
    assert set(bar) == {"o", "h", "l", "c", "v", "n", "vw", "t"}
    assert bar["t"] == "2026-01-05T14:30:00Z"
    assert bar["l"] <= bar["vw"] <= bar["h"]
    whole = get(simulator, "alpaca", "/v2/stocks/bars?symbols=AAPL&timeframe=1Hour&start=2026-01-05&sort=desc")[1]
    assert whole["bars"]["AAPL"][0]["v"] == sum(each["v"] for each in found["bars"]["AAPL"])
    for path in ("timeframe=7Parsecs", "limit=0", "start=yesterday", "sort=up"):
        assert get(simulator, "alpaca", f"/v2/stocks/bars?symbols=AAPL&{path}")[0] == 400
    quote = get(simulator, "alpaca", "/v2/stocks/quotes/latest?symbols=AAPL")[1]["quotes"]["AAPL"]
    assert quote["bp"] < quote["ap"]
    trade = get(simulator, "alpaca", "/v2/stocks/trades/latest?symbols=AAPL,NONE")[1]["trades"]
    assert set(trade) == {"AAPL"}
    assert "T" not in trade["AAPL"]


def test_polygon(simulator):
    start = simulator.market.start // 1_000_000
    path = f"/v2/aggs/ticker/AAPL/range/1/minute/{start}/{start + MINUTE // 1_000_000}"
    status, found = get(simulator, "polygon", path)
    assert (status, found["resultsCount"], found["adjusted"]) == (200, 2, True)
    assert found["results"][0]["t"] == start
    whole = get(simulator, "polygon", "/v2/aggs/ticker/AAPL/range/1/day/2026-01-05/2026-01-05?apiKey=k", {})[1]
    assert whole["results"][0]["n"] > found["results"][0]["n"]
    assert get(simulator, "polygon", "/v2/aggs/ticker/AAPL/range/1/parsec/1/2")[0] == 400
    nbbo = get(simulator, "polygon", "/v2/last/nbbo/AAPL")[1]["results"]
    assert nbbo["p"] < nbbo["P"]
    assert get(simulator, "polygon", "/v2/last/nbbo/NONE")[0] == 404


def test_keys_limits_and_what_is_not_served(simulator):
    for line, path in (("polygon", "/v2/last/nbbo/AAPL"), ("alpaca", "/v2/stocks/bars"), ("finnhub", "/quote")):
        assert get(simulator, line, path, {})[0] == 401
        assert get(simulator, line, "/nothing")[0] == 404
    throttled = Simulator(Market(duration="1s"), ["finnhub"], "throttle finnhub for=1s")
    reply = throttled.rest("finnhub", "/quote?token=k", {}, throttled.market.start)
    assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
