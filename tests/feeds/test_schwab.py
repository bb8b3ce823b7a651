"""Schwab's streamer after the login: responses, notifications, the battery."""

from __future__ import annotations

import json

import pytest

from engine.core.instruments import Instruments
from engine.errors import ConfigError, SessionLost, Throttled, VenueError
from engine.feeds.protocol import NEVER, Connected, Heartbeat, Ready, Refused, Subscribed, Unexpected
from engine.feeds.schwab import CODES, SERVICES, SchwabFeed
from tests.feeds.battery import START, Battery, Rig, pump

HEARTBEAT = b'{"notify":[{"heartbeat":"1668715930582"}]}'
BOOK = (
    b'{"data":[{"service":"NASDAQ_BOOK","timestamp":1790000000149,"command":"SUBS","content":[{"key":"AAPL",'
    b'"1":1790000000100,"2":[{"0":181.77,"1":100,"2":1,"3":[{"0":"edgx","1":100,"2":63150257}]}],"3":[]}]}]}'
)


def response(code: object, message: str = "SUBS command succeeded") -> bytes:
    answer = {"service": "LEVELONE_EQUITIES", "command": "SUBS", "requestid": "0", "timestamp": 1668715930582}
    return json.dumps({"response": [{**answer, "content": {"code": code, "msg": message}}]}).encode()


def line() -> SchwabFeed:
    return SchwabFeed(Instruments())


class TestBattery(Battery):
    rig = Rig(
        make=line,
        frames=[response(0), HEARTBEAT, BOOK],
        unknown=[
            b'{"zzz":[]}',
            b"{}",
            b'{"response":5}',
            b'{"response":[{"content":5}]}',
            b'{"notify":[5]}',
            b'{"notify":[{"strange":1}]}',
        ],
        hostile=[
            b"[" * 100_000,
            b'{"response":[{"service":"' + b"x" * 1_000_000 + b'","command":"S","content":{"code":9,"msg":"m"}}]}',
            b'{"notify":[' + b",".join([b'{"heartbeat":"1"}'] * 20_000) + b"]}",
        ],
    )


def test_it_is_ready_when_it_is_open():
    made = line()
    made.subscribe(["AAPL", "BRK.B"])
    made.opened(START)
    assert made.take_notices() == [Connected(), Ready(), Subscribed(("AAPL", "BRK.B"), confirmed=False)]
    assert made.take_outgoing() == []
    assert made.timer(START) == NEVER


def test_heartbeats_and_successes():
    made = line()
    assert pump(made, HEARTBEAT).notices == [Heartbeat()]
    for code in (0, 26, 27, 28, 29):
        pumped = pump(made, response(code))
        assert (pumped.notices, pumped.counted) == ([], True)


@pytest.mark.parametrize("code", [*CODES, 99])
def test_codes(code):
    made = line()
    (refused,) = pump(made, response(code, "because")).notices
    assert isinstance(refused, Refused)
    error, retry, close = {
        3: (ConfigError, "never", True),
        12: (Throttled, "slow", True),
        19: (ConfigError, "never", False),
        20: (SessionLost, "usual", True),
        21: (VenueError, "never", False),
        30: (SessionLost, "usual", True),
    }.get(code, (VenueError, "usual", False))
    assert type(refused.error) is error
    assert (refused.retry, refused.close) == (retry, close)
    assert str(refused.error) == f"schwab: LEVELONE_EQUITIES SUBS: because (code {code})"


def test_books_are_events():
    made = line()
    made.subscribe(["AAPL"])
    assert len(pump(made, BOOK).events) > 0


def test_every_sample(data):
    """Charts are of no service here; requests are not sent to us."""
    for row in data("../protocols/samples/schwab.jsonl").read_text().splitlines():
        raw = json.loads(row)["raw"]
        value = json.loads(raw)
        made = line()
        made.subscribe(["AAPL", "MSFT", "SCHW", "SPY"])
        pumped = pump(made, raw.encode())
        if "response" in value:
            code = value["response"][0]["content"]["code"]
            assert [type(notice) for notice in pumped.notices] == ([] if code == 0 else [Refused])
        elif "data" in value and value["data"][0]["service"] in SERVICES:
            assert pumped.notices == []
            assert pumped.counted
        else:
            assert {type(notice) for notice in pumped.notices} <= {Unexpected}
            assert pumped.counted or pumped.problem
