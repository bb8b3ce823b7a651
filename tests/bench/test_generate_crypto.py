"""The same levels in every venue's frames."""

import json
from decimal import Decimal

import pytest

from bench import generate_crypto
from bench.generate_crypto import BASES, Message
from engine._native.wire import FrameDecoder
from engine.core.events import Flag, Kind, Side
from engine.core.units import NANOS

STREAM = generate_crypto.stream(2_000)
UPDATES = generate_crypto.messages(STREAM.updates, 7, 200)
SNAPSHOTS = generate_crypto.snapshots(STREAM.snapshot)


def counts(levels):
    return [(int(Decimal(price) * NANOS), int(Decimal(size) * NANOS)) for price, size, *_ in levels]


def of_alpaca(text):
    (message,) = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return message["S"].removesuffix("/USD"), *(
        counts([(level["p"], level["s"]) for level in message[side]]) for side in "ba"
    )


def of_bitstamp(text):
    message = json.loads(text)
    base = message["channel"].removeprefix("diff_order_book_").removesuffix("usd").upper()
    return base, counts(message["data"]["bids"]), counts(message["data"]["asks"])


def of_kraken(text):
    _, *parts, channel, pair = json.loads(text)
    assert channel == "book-1000"
    sides = {name[0]: levels for part in parts for name, levels in part.items()}
    return pair.removesuffix("/USD"), counts(sides.get("b", [])), counts(sides.get("a", []))


@pytest.mark.parametrize(("name", "read"), [("alpaca", of_alpaca), ("bitstamp", of_bitstamp), ("kraken", of_kraken)])
def test_every_format_holds_the_levels(name, read):
    write = generate_crypto.FORMATS[name]
    for one in UPDATES + SNAPSHOTS:
        assert read(write(one)) == (BASES[one.symbol], one.bids, one.asks)


def test_messages_hold_the_updates_of_each_book_in_order():
    for symbol in range(len(BASES)):
        own = STREAM.updates[STREAM.updates["instrument"] == symbol]
        for side, name in ((Side.BID, "bids"), (Side.ASK, "asks")):
            found = [level for one in UPDATES if one.symbol == symbol for level in getattr(one, name)]
            assert found == own[own["side"] == side][["price", "quantity"]].tolist()[: len(found)]
    assert {len(one.bids) + len(one.asks) for one in UPDATES} == {7}
    assert [one.time for one in UPDATES] == sorted({one.time for one in UPDATES})


def test_our_decoder_reads_the_frames():
    decoder = FrameDecoder("alpaca-crypto", provider="alpaca", venue="KRKN")
    for number, base in enumerate(BASES):
        decoder.map(f"{base}/USD", number)
    for one in UPDATES + SNAPSHOTS:
        events = decoder.receive_bytes(generate_crypto.alpaca(one).encode())
        levels = events[events["kind"] == Kind.LEVEL]
        assert levels[["price", "quantity"]].tolist() == one.bids + one.asks
        assert set(levels["ts_event"].tolist()) == {one.time}
        assert (Kind.CLEAR in events["kind"].tolist()) is one.snapshot
        assert events["flags"][-1] & Flag.LAST


def test_the_seed_decides_and_too_few_updates_are_refused():
    assert (generate_crypto.stream(2_000).updates == STREAM.updates).all()
    with pytest.raises(ValueError, match="expected 1000000"):
        generate_crypto.messages(STREAM.updates, 7, 1_000_000)


def test_decimals():
    assert generate_crypto.decimal(60_107_250_000_000, 2) == "60107.25"
    assert generate_crypto.decimal(1_500_000, 9) == "0.001500000"
    assert [generate_crypto.number(count) for count in (0, 10, 3 * NANOS)] == ["0", "0.00000001", "3"]
    assert '"b":[],"a":[{"p":1,"s":0}]' in generate_crypto.alpaca(Message(0, 0, [], [(NANOS, 0)]))
