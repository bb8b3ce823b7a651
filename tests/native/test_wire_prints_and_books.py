"""Finnhub and Schwab frames against their twins."""

import json
import random

import pytest

from engine._native.wire import FrameDecoder
from engine.core.events import Kind, Status
from engine.core.units import NANOS
from engine.core.venues import venue_id
from tests.reference import wire_finnhub, wire_schwab

TWINS = {"finnhub": (3, wire_finnhub, wire_finnhub.FinnhubTwin), "schwab": (5, wire_schwab, wire_schwab.SchwabTwin)}
formats = pytest.mark.parametrize("name", TWINS)
seeds = pytest.mark.parametrize("seed", range(40))


def pair(name: str):
    provider, module, twin = TWINS[name]
    native = FrameDecoder(name, provider=name)
    for symbol, number in module.MAPPED.items():
        native.map(symbol, number)
    return native, twin(provider, symbols=module.MAPPED)


def assert_agree(frame: bytes, native, twin) -> None:
    ours, theirs = native.receive_bytes(frame, 77), twin.receive_bytes(frame, 77)
    assert ours.tolist() == theirs.tolist(), frame
    assert native.take_other() == twin.other, frame
    assert (native.take_problem() is not None) == twin.problem, frame
    counts = native.counts
    del counts["general"]
    assert counts == twin.counts, frame


@formats
@seeds
def test_random_frames(name, seed):
    draw = random.Random(seed)
    native, twin = pair(name)
    for _ in range(20):
        assert_agree(TWINS[name][1].random_frame(draw, draw.choice([0, 1, 2, 5])), native, twin)


@formats
@seeds
def test_damaged_frames(name, seed):
    draw = random.Random(1_000 + seed)
    native, twin = pair(name)
    for _ in range(20):
        frame = bytearray(TWINS[name][1].random_frame(draw, draw.choice([1, 2])))
        for _ in range(draw.randrange(1, 3)):
            at = draw.randrange(len(frame))
            match draw.randrange(3):
                case 0:
                    frame[at] ^= 1 << draw.randrange(8)
                case 1:
                    frame[at] = draw.choice(b'",:{}[]0123456789.-eE \\')
                case _:
                    frame[at:at] = frame[at : at + draw.randrange(1, 30)]
        assert_agree(bytes(frame), native, twin)


@formats
def test_a_frame_cut_at_every_byte(name):
    frame = TWINS[name][1].random_frame(random.Random(4), 2)
    native, twin = pair(name)
    for end in range(len(frame) + 1):
        assert_agree(frame[:end], native, twin)


# ---- Schwab's changes, by hand


def level_one(**fields) -> bytes:
    item = {"key": "AAPL"} | {name.strip("_"): value for name, value in fields.items()}
    service = {"service": "LEVELONE_EQUITIES", "timestamp": 1_790_000_000_000, "command": "SUBS", "content": [item]}
    return json.dumps({"data": [service]}).encode()


def quotes(events) -> list[tuple[float, float]]:
    return [(event["price"] / NANOS, event["quantity"] / NANOS) for event in events if event["kind"] == Kind.NBBO]


def test_fields_that_do_not_come_keep_their_values():
    native, _ = pair("schwab")
    events = native.receive_bytes(level_one(_1=10.5, _2=10.6, _4=100, _5=200, _6="Q", _7="P", _34=1_790_000_000_001))
    assert quotes(events) == [(10.5, 100), (10.6, 200)]
    events = native.receive_bytes(level_one(_4=40))
    assert quotes(events) == [(10.5, 40), (10.6, 200)]
    assert events["venue"].tolist() == [venue_id("ARCX"), venue_id("XNAS")]
    assert events["ts_event"].tolist() == [1_790_000_000_001 * 10**6] * 2
    assert len(native.receive_bytes(level_one(_3=10.55, _8=1_000))) == 0  # a print changes no quote


def test_a_number_that_cannot_be_kept_ends_the_quote():
    native, _ = pair("schwab")
    native.receive_bytes(level_one(_1=10.5, _2=10.6, _4=100, _5=200))
    assert quotes(native.receive_bytes(level_one(_1=1e-12))) == [(0, 0), (0, 0)]
    assert native.counts["inexact"] == 1
    assert quotes(native.receive_bytes(level_one(_2=10.7, _5=1))) == [(0, 0), (10.7, 1)]


def test_a_status_comes_once_until_it_changes():
    native, _ = pair("schwab")
    states = [native.receive_bytes(level_one(_32=text)) for text in ("Normal", "Normal", "Halted", "Closed")]
    assert [events["conditions"].tolist() for events in states] == [
        [Status.TRADING],
        [],
        [Status.HALTED],
        [Status.CLOSING_DONE],
    ]
    assert states[0]["kind"].tolist() == [Kind.STATUS]


def test_a_participants_best_price_counts():
    native, _ = pair("schwab")
    levels = [{"0": p, "3": [{"0": "NITE", "1": s}, {"0": "nsdq", "1": 5}]} for p, s in ((10, 1), (11, 2), (11, 3))]
    service = {"service": "NASDAQ_BOOK", "timestamp": 1, "content": [{"key": "MSFT", "1": 2, "2": levels, "3": None}]}
    events = native.receive_bytes(json.dumps({"data": [service]}).encode())
    assert [event["price"] // NANOS for event in events] == [0, 11, 11]
    assert [event["quantity"] // NANOS for event in events] == [0, 5, 10]
    assert events["venue"].tolist() == [0, venue_id("NITE"), venue_id("XNAS")]
    assert events["flags"].tolist() == [4, 4, 5]
