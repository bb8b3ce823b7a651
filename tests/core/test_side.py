"""The side stream as typed values: every message type, each field from bytes written by hand."""

import struct
from dataclasses import asdict
from decimal import Decimal

import numpy as np
import pytest

from engine import Decoder, Instruments
from engine.core import side
from engine.core.events import NO_INSTRUMENT

TIME = 34_200_000_000_123


def itch(kind, body, locate=7):
    message = kind.encode() + struct.pack(">HH", locate, 3) + TIME.to_bytes(6, "big") + body
    return struct.pack(">H", len(message)) + message


def iex(*messages):
    blocks = b"".join(struct.pack("<H", len(message)) + message for message in messages)
    return struct.pack("<BBHIIHHQQQ", 1, 0, 0x8003, 1, 1, len(blocks), len(messages), 0, 1, TIME) + blocks


def price(value):
    return round(value * 10_000)


ITCH = [
    (
        "R",
        b"ZVZZT   QN" + struct.pack(">I", 100) + b"NC" + b"Z " + b"TN 1N" + struct.pack(">I", 3) + b"Y",
        side.SecurityDirectory,
        {
            "round_lot": 100, "test": True, "etp": False, "luld_tier": 1, "market_category": "Q",
            "financial_status": "N", "round_lots_only": False, "classification": "C",
            "subtype": "Z", "short_sale_threshold": False, "ipo": None,
            "etp_leverage": 3, "inverse": True, "when_issued": None, "previous_close": None,
        },
    ),
    (
        "L",
        b"GSCOZVZZT   YNA",
        side.ParticipantPosition,
        {"participant": "GSCO", "primary": True, "mode": "N", "state": "A"},
    ),
    (
        "V",
        struct.pack(">QQQ", 450_000_000_000, 420_000_000_001, 380_000_000_000),
        side.DeclineLevels,
        {"level_1": Decimal("4500.00000000"), "level_2": Decimal("4200.00000001"), "level_3": Decimal("3800.00000000")},
    ),
    ("W", b"2", side.DeclineBreach, {"level": 2}),
    (
        "K",
        b"ZVZZT   " + struct.pack(">IcI", 36_000, b"A", price(17.5)),
        side.OfferingQuotation,
        {"release_time": 36_000, "qualifier": "A", "price": Decimal("17.5")},
    ),
    (
        "J",
        b"ZVZZT   " + struct.pack(">IIII", price(10), price(10.5), price(9.5), 2),
        side.AuctionCollar,
        {"reference": Decimal(10), "upper": Decimal("10.5"), "lower": Decimal("9.5"), "extension": 2},
    ),
    (
        "I",
        struct.pack(">QQc8sIII", 5_000, 300, b"B", b"ZVZZT   ", price(9), price(10), price(11)) + b"OL",
        side.Imbalance,
        {
            "paired": 5_000, "imbalance": 300, "direction": "B", "far": Decimal(9), "near": Decimal(10),
            "reference": Decimal(11), "cross": "O", "variation": "L",
        },
    ),
    ("N", b"ZVZZT   A", side.RetailInterest, {"interest": "both"}),
    (
        "O",
        b"ZVZZT   Y" + struct.pack(">IIIQII", price(1), price(2), price(3), TIME + 1, price(4), price(5)),
        side.DirectListing,
        {
            "eligible": True, "minimum": Decimal(1), "maximum": Decimal(2), "near_price": Decimal(3),
            "near_time": TIME + 1, "lower_collar": Decimal(4), "upper_collar": Decimal(5),
        },
    ),
]  # fmt: skip
IEX_HEAD = struct.pack("<q8s", TIME, b"ZVZZT   ")
IEX = [
    (
        b"D" + b"\xa0" + IEX_HEAD + struct.pack("<IqB", 100, price(12.34), 2),
        side.SecurityDirectory,
        {"round_lot": 100, "test": True, "etp": True, "when_issued": False, "luld_tier": 2, "ipo": None,
         "previous_close": Decimal("12.34")},
    ),
    (b"I" + b"C" + IEX_HEAD, side.RetailInterest, {"interest": "both"}),
    (b"X" + b"M" + IEX_HEAD + struct.pack("<q", price(5)), side.OfficialPrice, {"kind": "M", "price": Decimal(5)}),
    (
        b"A" + b"C" + IEX_HEAD
        + struct.pack("<IqqIcBIqqqq", 1_000, price(1), price(2), 50, b"S", 1, 1_600_000_000, *map(price, (3, 4, 5, 6))),
        side.AuctionInformation,
        {
            "auction": "C", "paired": 1_000, "reference": Decimal(1), "indicative": Decimal(2), "imbalance": 50,
            "imbalance_side": "S", "extensions": 1, "scheduled": 1_600_000_000, "clearing": Decimal(3),
            "collar_reference": Decimal(4), "collar_lower": Decimal(5), "collar_upper": Decimal(6),
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "expected", "fields"), ITCH, ids=[row[0] for row in ITCH])
def test_itch_messages(kind, body, expected, fields):
    decoder = Decoder("itch", date="2024-01-02", venue="XBOS")
    assert len(decoder.receive_bytes(itch("S", b"O") + itch(kind, body), 99)) == 1
    (message,) = decoder.take_side()
    assert type(message) is expected
    values = asdict(message)
    assert {name: values[name] for name in fields} == fields
    market_wide = kind in "VW"
    assert message.symbol == (None if market_wide else "ZVZZT")
    assert message.instrument == (NO_INSTRUMENT if market_wide else 0)
    assert message.ts_event == 1_704_171_600_000_000_000 + TIME  # midnight in New York is 05:00 UTC in winter
    assert (message.ts_recv, message.sequence, message.venue, message.provider) == (99, 2, 11, 6)
    assert decoder.take_side() == []


@pytest.mark.parametrize(("message", "expected", "fields"), IEX, ids=[row[1].__name__ for row in IEX])
def test_iex_messages(message, expected, fields):
    decoder = Decoder("iex")
    assert len(decoder.receive_bytes(iex(message), 99)) == 0
    (value,) = decoder.take_side()
    assert type(value) is expected
    values = asdict(value)
    assert {name: values[name] for name in fields} == fields
    assert (value.symbol, value.ts_event, value.ts_recv, value.sequence) == ("ZVZZT", TIME, 99, 1)
    assert (value.venue, value.provider) == (8, 4)


def test_every_type_that_the_decoders_put_aside_has_a_reader():
    tested = {(side.PROTOCOL_ITCH, row[0]) for row in ITCH} | {(side.PROTOCOL_IEX, chr(row[0][0])) for row in IEX}
    assert set(side._READERS) == tested


def test_records_are_the_messages_as_they_came():
    decoder = Decoder("itch")
    decoder.receive_bytes(itch("N", b"ZVZZT   B"))
    records = decoder.take_side_records()
    assert records.dtype == side.SIDE
    assert side.SIDE.itemsize == 128
    assert records["body"][0].tobytes()[: records["length"][0]] == itch("N", b"ZVZZT   B")[3:]
    (message,) = side.side_messages(records, decoder.instruments)
    assert message.interest == "buy"
    assert side.side_messages(np.zeros(0, side.SIDE), Instruments()) == []


def test_an_untaken_stream_drops_its_oldest():
    decoder = Decoder("itch")
    decoder.receive_bytes(itch("N", b"ZVZZT   B") * 65_540)  # one call is never cut
    assert decoder.counts["side_dropped"] == 0
    decoder.receive_bytes(itch("N", b"ZVZZT   B"))
    assert decoder.counts["side_dropped"] == 4
    records = decoder.take_side_records()
    assert records["sequence"].tolist() == list(range(5, 65_542))
