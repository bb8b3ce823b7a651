"""Recorded and documented frames of Massive (Polygon) decode to what their documentation says, field by field."""

import json

import pytest

from engine._native.wire import FrameDecoder
from engine.core.events import Condition, Flag, Kind, Side
from engine.core.units import NANOS, to_nanos
from engine.core.venues import venue_id

pytestmark = pytest.mark.data

OPTION = "O:SPY241220P00720000"
FORM_T = Condition.EXTENDED_HOURS | Condition.NO_LAST | Condition.NO_HIGH_LOW
LOT = 100 * NANOS  # the samples' quotes are of years when sizes were round lots


def samples(data) -> list[dict[str, str]]:
    return [json.loads(line) for line in data("../protocols/samples/polygon.jsonl").read_text().splitlines()]


def sample(data, source: str) -> bytes:
    """The one sample of a source."""
    (found,) = [each["raw"] for each in samples(data) if each["src"].endswith(source)]
    return found.encode()


def decoded(frame: bytes, symbol: str, *, unknown_venues: int = 0, general: bool = False) -> list[dict[str, int]]:
    decoder = FrameDecoder("polygon", provider="polygon", general=general)
    decoder.map(symbol, 3)
    events = decoder.receive_bytes(frame, 5)
    assert decoder.take_problem() is None
    assert decoder.take_other() == []
    counts = decoder.counts
    assert [counts[name] for name in ("unknown_symbols", "inexact", "invalid")] == [0, 0, 0]
    assert counts["unknown_venues"] == unknown_venues
    return [dict(zip(events.dtype.names, event, strict=True)) for event in events.tolist()]


def event(**fields: int) -> dict[str, int]:
    """The fields that every event of these frames has, and the others."""
    shared = {"ts_recv": 5, "instrument": 3, "provider": 1, "reserved": 0, "conditions": 0, "order_id": 0}
    return shared | {name: int(value) for name, value in fields.items()}


@pytest.mark.parametrize("general", [False, True])
def test_the_trade(data, general):
    assert decoded(sample(data, "/stocks/T"), "MSFT", general=general) == [
        event(
            kind=Kind.TRADE,
            side=Side.NONE,
            flags=Flag.LAST,
            venue=venue_id("XADF"),  # exchange 4
            order_id=12345,
            price=to_nanos("114.125"),
            quantity=100 * NANOS,
            conditions=FORM_T,  # 0 and 12
            ts_event=1_536_036_818_784 * 10**6,
            sequence=3_681_328,
        )
    ]


@pytest.mark.parametrize("general", [False, True])
def test_the_quote(data, general):
    shared = {"kind": Kind.NBBO, "ts_event": 1_536_036_818_784 * 10**6, "sequence": 50_385_480}
    bid = {"venue": venue_id("XADF"), "price": to_nanos("114.125"), "quantity": 100 * LOT}
    ask = {"venue": venue_id("EDGA"), "price": to_nanos("114.128"), "quantity": 160 * LOT}
    assert decoded(sample(data, "/stocks/Q"), "MSFT", general=general) == [
        event(side=Side.BID, flags=0, **shared, **bid),
        event(side=Side.ASK, flags=Flag.LAST, **shared, **ask),
    ]


def test_the_quote_of_an_option(data):
    """Its exchanges are in no table of stocks."""
    shared = {"kind": Kind.NBBO, "ts_event": 1_644_506_128_351 * 10**6, "sequence": 844_090_872, "venue": 0}
    assert decoded(sample(data, "/options/Q"), OPTION, unknown_venues=2) == [
        event(side=Side.BID, flags=0, price=to_nanos("9.71"), quantity=17 * LOT, **shared),
        event(side=Side.ASK, flags=Flag.LAST, price=to_nanos("9.81"), quantity=24 * LOT, **shared),
    ]


def test_every_other_message_is_handed_on_as_it_came(data):
    decoder = FrameDecoder("polygon", provider="polygon")
    handed_on = 0
    for each in samples(data):
        raw = each["raw"].encode()
        message = json.loads(raw)
        messages = message if isinstance(message, list) else [message]
        events, other = decoder.receive_bytes(raw), decoder.take_other()
        assert (len(events), decoder.take_problem()) == (0, None)
        if messages[0].get("ev") not in {"Q", "T"}:
            assert [json.loads(one) for one in other] == messages
            assert b"".join(other).replace(b"}{", b"},{") == raw.removeprefix(b"[").removesuffix(b"]")
            handed_on += len(other)
    assert decoder.counts["other"] == handed_on == 31
    assert decoder.counts["unknown_symbols"] == 3
