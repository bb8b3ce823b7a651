"""Recorded files and genuine packets give the counts that the data's own README states."""

import gzip
import json
import lzma
import tarfile

import numpy as np
import pytest

from engine import EVENT, Book, Decoder, Kind
from engine.core.events import Status
from tests.reference import capture, iex, itch

NO_LOSS = {"gaps": 0, "missing": 0, "duplicates": 0, "malformed": 0, "unknown_types": 0, "packets_ignored": 0}


def decode(decoder, raw, chunk=1 << 20):
    parts = [decoder.receive_bytes(raw[i : i + chunk]) for i in range(0, len(raw), chunk)]
    return np.concatenate([*parts, decoder.close()])


def messages(decoder):
    return {key.partition(".")[2]: count for key, count in decoder.counts.items() if "." in key}


def test_deep_capture(data):
    decoder = Decoder("pcap")
    events = decode(decoder, gzip.decompress(data("iex/DEEP10.part1.pcap.gz").read_bytes()))
    counts = decoder.counts
    assert messages(decoder) == {
        "S": 43, "H": 93638, "O": 93638, "P": 93636, "E": 59, "5": 10425, "8": 9947, "T": 41398, "B": 44,
    }  # fmt: skip
    assert counts["packets"] == counts["segments"] == 72788
    assert counts["heartbeats"] == 7857
    assert counts["gaps"] == counts["restarts"] == 11  # the test system numbered from 1 again, eleven times
    assert {key: counts[key] for key in NO_LOSS if key != "gaps"} == {k: v for k, v in NO_LOSS.items() if k != "gaps"}
    levels = events[events["kind"] == Kind.LEVEL]
    last = events["flags"] & 1 != 0  # only a price level update ends an atomic event here, or a restart
    assert set(events["kind"][last].tolist()) == {Kind.LEVEL, Kind.CLEAR}
    assert 0 < np.sum(last[events["kind"] == Kind.LEVEL]) < len(levels)
    assert len(np.unique(levels["instrument"])) == 20
    assert counts["events"] == len(events) == 342828 + 11  # a CLEAR of the venue at each restart


def test_tops_capture(data):
    decoder = Decoder("pcap")
    events = decode(decoder, gzip.decompress(data("iex/TOPS16.part1.pcap.gz").read_bytes()))
    counts = decoder.counts
    assert messages(decoder) == {
        "Q": 17739, "T": 3942, "A": 490, "D": 10, "H": 7803, "O": 7800, "P": 7800, "S": 3, "B": 2,
    }  # fmt: skip
    assert counts["packets"] == 7813
    assert {key: counts[key] for key in NO_LOSS} == NO_LOSS
    assert np.sum(events["kind"] == Kind.QUOTE) == 2 * 17739
    assert len(decoder.take_side()) == 500


def test_itch_file(data):
    decoder = Decoder("itch", date="2010-12-24")
    events = decode(decoder, gzip.decompress(data("itch/ex20101224.TEST_ITCH_50.gz").read_bytes()))
    assert messages(decoder) == {
        "A": 4997, "F": 3, "E": 198, "X": 45, "D": 1745, "U": 12, "P": 5000, "S": 6, "R": 3, "H": 3,
    }  # fmt: skip
    assert {key: decoder.counts[key] for key in NO_LOSS} == NO_LOSS
    assert decoder.counts["unknown_locates"] == 0
    assert decoder.instruments.symbols == ["ALC", "BOB", "CHAR"]
    assert len(events) == 12012 - 3 + 12  # a directory entry is no event, a replacement is two
    unknown = 0
    for instrument in range(3):
        book = Book(by="order")
        book.apply(events[events["instrument"] == instrument])
        unknown += book.counts["unknown_order"]
    assert unknown == 117


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("AAPL_2012-06-21_34200000_37800000_message_50.csv.xz", [44256, 469, 41004, 4067, 2201]),
        ("AAPL_2012-06-21_34200000_37800000_message_50_first672.csv.xz", [455, 0, 139, 56, 22]),
        ("AAPL_2012-06-21_34200000_57600000_message_10_first999.csv.xz", [471, 0, 369, 98, 61]),
        ("AMZN_2012-06-21_34200000_57600000_message_1.csv.xz", [27845, 16, 18235, 8974, 2445]),
    ],
)
def test_lobster_files(data, path, rows):
    raw = lzma.decompress(data(f"lobster/{path}").read_bytes())
    decoder = Decoder("lobster", symbol="AAPL", date="2012-06-21")
    events = decode(decoder, raw, 70_001)
    assert [decoder.counts.get(f"lobster.{kind}", 0) for kind in range(1, 6)] == rows
    assert len(events) == sum(rows) == len(raw.splitlines())
    assert decoder.counts["malformed"] == 0
    assert np.all(np.diff(events["ts_event"]) >= 0)


FOLDERS = ["Nasdaq.Equities.TotalView.Itch", "Iex/Deep.", "Iex/DeepPlus.", "Iex/Tops."]


def genuine(data, folders):
    with tarfile.open(data("omi_packets/us_equity_feeds.tar.xz")) as archive:
        for member in archive:
            if member.isfile() and any(folder in member.name for folder in folders):
                yield member.name, archive.extractfile(member).read()


def test_every_genuine_packet_of_our_formats_decodes(data):
    seen = {}
    for name, raw in genuine(data, FOLDERS):
        decoder = Decoder("pcap")
        events = decode(decoder, raw)
        counts = decoder.counts
        assert counts["malformed"] == counts["unknown_types"] == counts["packets_ignored"] == 0, name
        assert counts["segments"] == counts["packets"] > 0, name
        assert events.dtype == EVENT
        assert np.all(events["reserved"] == 0)
        for key, count in decoder.counts.items():
            if "." in key:
                seen[key] = seen.get(key, 0) + count
        if not counts["duplicates"]:  # all_message_types.pcap holds its packets in another order than they were sent
            assert counts["heartbeats"] or messages(decoder), name
    itch = {key.removeprefix("itch.") for key in seen if key.startswith("itch.")}
    assert itch == set("SHYLJAFECXDUPQI")
    assert {key.removeprefix("iex.") for key in seen if key.startswith("iex.")} == set("SDHIOPEQ85TBXAaMRL")


def test_every_genuine_packet_equals_its_twin(data):
    compared = 0
    for name, raw in genuine(data, FOLDERS):
        decoder = Decoder("pcap")
        events = decode(decoder, raw)
        sessions = iex.IexTwin(venue=8, provider=4)
        packets = itch.ItchTwin(venue=1, provider=6)
        for time, payload in capture.payloads(raw):
            sessions.ts_recv = packets.ts_recv = time
            if name.startswith("Iex"):
                sessions.segment(payload, 0)
            else:
                packets.packet(payload, 0)
        twin = sessions if name.startswith("Iex") else packets
        np.testing.assert_array_equal(events, twin.array(), err_msg=name)
        assert decoder.instruments.symbols == twin.symbols
        assert len(decoder.take_side()) == len(twin.side)
        compared += len(events) + len(twin.side)
    assert compared > 600


# what the segments and messages of protocols/samples/iex.jsonl say, read off their bytes by hand:
# source file -> fields of the first event
NANO = 10**9
SAMPLES = {
    "DEEPSegment": {
        "kind": Kind.TRADE, "sequence": 25846, "ts_event": 0x14F3E2EDCEABC5A6, "price": 999_500 * 100_000,
        "quantity": 471 * NANO, "order_id": 0x3BBB46, "conditions": 128 | 64 | 1 | 2,
    },
    "IEXOperationalHaltStatusMessage": {"kind": Kind.STATUS, "conditions": Status.OPERATIONAL_TRADING},
    "IEXPriceLevelUpdateMessage": {
        "kind": Kind.LEVEL, "side": 1, "flags": 1, "price": 0xF3EBC * 100_000, "quantity": 0x1537 * NANO, "order_id": 0,
    },
    "IEXSecurityEventMessage": {"kind": Kind.STATUS, "conditions": Status.OPENING_DONE},
    "IEXSystemEventMessage": {"kind": Kind.STATUS, "conditions": Status.SYSTEM_START_HOURS, "instrument": 0xFFFFFFFF},
    "IEXTradeReportMessage": {
        "kind": Kind.TRADE, "price": 999_500 * 100_000, "quantity": 471 * NANO, "order_id": 0x3BBB46,
        "conditions": 128 | 64 | 1 | 2,
    },
    "TOPS15Segment": {
        "kind": Kind.QUOTE, "side": 1, "flags": 0, "conditions": 64, "price": 0, "quantity": 0, "sequence": 8446,
    },
    "TOPS16Segment": {
        "kind": Kind.TRADE, "sequence": 34343, "price": 999_500 * 100_000, "quantity": 471 * NANO, "order_id": 0x3BBB46,
    },
}  # fmt: skip


def test_recorded_iex_samples(data):
    """Ten genuine segments and messages, field by field."""
    seen = 0
    for line in data("../protocols/samples/iex.jsonl").read_text().splitlines():
        sample = json.loads(line)
        raw = bytes.fromhex(sample["raw"])
        if sample["kind"] != "iextp_segment":
            raw = iex.segment([raw], 1)
        decoder = Decoder("iex")
        events = np.concatenate([decoder.receive_bytes(raw), decoder.close()])
        twin = iex.IexTwin(venue=8, provider=4)
        assert twin.stream(raw) == 0
        np.testing.assert_array_equal(events, twin.array())
        source = sample["src"].split()[-1].removesuffix(".dump")
        for name, value in SAMPLES.get(source, {}).items():
            assert events[0][name] == value, (source, name)
        if source == "IEXSecurityDirectoryMessage":
            (message,) = decoder.take_side()
            assert (message.symbol, message.round_lot, message.test, message.luld_tier) == ("ZEXIT", 100, True, 1)
            assert str(message.previous_close) == "10.0000"
        if source == "BigTopsSegment":
            assert len(events) + len(decoder.take_side()) - messages(decoder).get("Q", 0) == 52
        seen += 1
    assert seen == 10


def test_packets_of_other_feeds_are_passed_over(data):
    for name, raw in genuine(data, ["Nasdaq.Nsm.Ouch", "Siac/", "Cboe/"]):
        decoder = Decoder("pcap", lenient=True)
        assert len(decode(decoder, raw)) == 0, name
        assert decoder.counts["bytes"] == len(raw)
