"""The decoder's Python surface: arguments, memory, errors, what may be asked when."""

import array
import datetime
import gc
import inspect
import struct
import threading

import numpy as np
import pytest

import engine
from engine import EVENT, Decoder, Instruments, Kind, Side
from engine._native.decode import SymbolTable
from engine.errors import ProtocolError
from tests.reference import iex, itch

ADD = struct.pack(">HcHH6sQcI8sI", 36, b"A", 1, 0, (5).to_bytes(6, "big"), 77, b"B", 300, b"AAPL    ", 1_500_000)
DELETE = struct.pack(">HcHH6sQ", 19, b"D", 1, 0, (6).to_bytes(6, "big"), 77)


def test_fields():
    decoder = engine.Decoder("itch", date=datetime.date(2024, 1, 2), venue="XBOS", provider=200)
    add, delete = decoder.receive_bytes(ADD + DELETE, 99)
    assert dict(zip(EVENT.names, add.tolist(), strict=True)) == {
        "ts_event": 1_704_171_600_000_000_005,
        "ts_recv": 99,
        "price": 150 * engine.NANOS,
        "quantity": 300 * engine.NANOS,
        "sequence": 1,
        "order_id": 77,
        "instrument": 0,
        "venue": 11,
        "provider": 200,
        "kind": Kind.ADD,
        "side": Side.BID,
        "flags": 1,
        "reserved": 0,
        "conditions": 0,
    }
    assert (delete["kind"], delete["order_id"], delete["instrument"]) == (Kind.DELETE, 77, 0)
    assert decoder.instruments["AAPL"].id == 0
    assert decoder.format == "itch"
    assert decoder.take_bytes() == b""


@pytest.mark.parametrize(
    "wrap", [bytes, bytearray, memoryview, lambda raw: array.array("B", raw), lambda raw: np.frombuffer(raw, "V1")]
)
def test_any_contiguous_buffer(wrap):
    assert len(Decoder("itch").receive_bytes(wrap(ADD))) == 1


def test_what_is_no_buffer():
    decoder = Decoder("itch")
    with pytest.raises(TypeError):
        decoder.receive_bytes("text")
    with pytest.raises(BufferError):
        decoder.receive_bytes(memoryview(ADD)[::2])
    assert len(decoder.receive_bytes(ADD)) == 1


def test_decoders_share_instruments():
    instruments = Instruments(["MSFT"])
    assert Decoder("itch", instruments).receive_bytes(ADD)["instrument"] == [1]
    level = iex.segment([b"8\x01" + struct.pack("<q8sIq", 5, b"AAPL    ", 100, 1_500_000)], 1)
    assert Decoder("iex", instruments).receive_bytes(level)["instrument"] == [1]
    assert instruments.symbols == ["MSFT", "AAPL"]


@pytest.mark.parametrize("count", [1, 1_000, 1_024, 5_000])
def test_arrays_keep_what_they_hold(count):
    """Memory is used again only when nobody holds an array on it, or a view of one."""
    decoder = Decoder("itch")
    held = [decoder.receive_bytes(ADD + DELETE * (count - 1)) for _ in range(6)]
    views = [events[1:]["order_id"] for events in held]
    copies = [events.copy() for events in held]
    held = held[::2]
    for _ in range(6):
        decoder.receive_bytes(DELETE * count)
    for events, copy in zip(held, copies[::2], strict=True):
        np.testing.assert_array_equal(events, copy)
    for view, copy in zip(views, copies, strict=True):
        np.testing.assert_array_equal(view, copy[1:]["order_id"])
    assert held[0].flags.writeable
    held[0]["price"] = 1  # it is the caller's
    assert not np.any(decoder.receive_bytes(DELETE * count)["price"])


def test_nothing_is_lost_before_an_error():
    decoder = Decoder("itch")
    wrong = b"\0\x05A1234"
    assert len(decoder.receive_bytes(ADD + wrong + ADD)) == 1
    for _ in range(2):
        with pytest.raises(ProtocolError, match=r"itch: byte 40: message 'A': length is 5; expected 36"):
            decoder.receive_bytes(ADD)
    with pytest.raises(ProtocolError):
        decoder.close()
    with pytest.raises(ProtocolError, match="byte 2"):
        Decoder("itch").receive_bytes(wrong)  # nothing to hand out: at once
    lenient = Decoder("itch", lenient=True)
    assert len(lenient.receive_bytes(ADD + wrong + ADD)) == 2
    assert lenient.counts["malformed"] == 1
    assert len(lenient.close()) == 0


def test_close_tells_of_a_tail():
    decoder = Decoder("itch")
    decoder.receive_bytes(ADD + DELETE[:7])
    with pytest.raises(ProtocolError, match="byte 38: input ends inside a message, 7 bytes into it"):
        decoder.close()
    lenient = Decoder("itch", lenient=True)
    lenient.receive_bytes(DELETE[:7])
    lenient.close()
    assert lenient.counts["malformed"] == 1


def test_closed():
    decoder = Decoder("lobster", symbol="AAPL")
    assert len(decoder.receive_bytes(b"34200.5,1,7,100,5853300,1\n34200.6,3,7,100,5853300,1", 9)) == 1
    last = decoder.close()
    assert last["kind"] == [Kind.DELETE]
    assert last["ts_recv"] == [9]
    assert len(decoder.close()) == 0
    with pytest.raises(ValueError, match="closed"):
        decoder.receive_bytes(b"")


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("34200.5,9,7,100,5853300,1", "line 2, byte 16: message '9': type is 9; expected 1 to 7"),
        ("time,type,id,size,price,direction", "expected a time in seconds"),
        ("34200.5,1,7,100,5853300,2", "direction 1 or -1"),
        ("34200.5,1,7,100,5853300", "six columns"),
        ("34200.5,1,7,100,5853300,1x", "end of the row"),
        ("34200.5,1,-7,100,5853300,1", "not negative"),
        ("34200.5,1,99999999999999999999,100,5853300,1", "order id"),
        ("34200.5,1,7,9999999999,5853300,1", "size in shares"),
        ("34200.5,1,7,100,99999999999999999,1", "price x 10000"),
        ("34200.5,7,0,0,2,-1", "halt"),
        ("x" * 2_000, "longer than 1024 bytes"),
    ],
)
def test_lobster_errors_name_the_row(row, match):
    decoder = Decoder("lobster", symbol="AAPL")
    decoder.receive_bytes(f"34200,1,7,1,1,1\n{row}\n".encode())
    with pytest.raises(ProtocolError, match=match):
        decoder.close()


@pytest.mark.parametrize(
    ("data", "form", "match"),
    [
        (iex.segment([b"Q short"], 1), "iex", "message 'Q': length is 7; expected at least 42"),
        (iex.segment([b"8" * 30], 1)[:-1] + b"\x7f", "iex", "price is"),
        (b"\1\0\1\x80" + bytes(36), "iex", "expected 1 and 0x8002 to 0x8005"),
        (b"not a capture, that is sure", "pcap", "pcap or pcapng magic"),
        (bytes(18) + b"\0\1\0\0", "moldudp64", "message blocks"),
    ],
)
def test_binary_errors(data, form, match):
    with pytest.raises(ProtocolError, match=match):
        Decoder(form).receive_bytes(data)


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        (("fix",), {}, "format is 'fix'; expected one of itch"),
        (("lobster",), {}, "symbol is None"),
        (("itch",), {"symbol": "AAPL"}, "none for other formats"),
        (("lobster",), {"symbol": "A B"}, "without blanks"),
        (("itch",), {"date": "yesterday"}, "expected YYYY-MM-DD"),
        (("itch",), {"date": "2300-01-01"}, "date is 2300-01-01; expected 1678-01-01 to 2261-12-31"),
        (("itch",), {"venue": "x"}, "venue is"),
        (("itch",), {"provider": "nobody"}, "provider is"),
    ],
)
def test_bad_arguments(arguments, options, match):
    with pytest.raises(ValueError, match=match):
        Decoder(*arguments, **options)


@pytest.mark.parametrize("instruments", [5, ["AAPL"], "AAPL"])
def test_instruments_are_instruments(instruments):
    with pytest.raises(TypeError, match="expected an Instruments"):
        Decoder("itch", instruments)


def test_receive_times_are_whole_nanoseconds():
    decoder = Decoder("itch")
    assert decoder.receive_bytes(ADD, np.int64(2**62))["ts_recv"] == [2**62]
    with pytest.raises(TypeError, match=r"ts_recv is 1\.5; expected whole nanoseconds"):
        decoder.receive_bytes(b"", 1.5)
    with pytest.raises(ValueError, match="64 bits"):
        decoder.receive_bytes(b"", 2**63)
    assert decoder.receive_bytes(DELETE, -1)["ts_recv"] == [-1]


def test_what_a_decoder_shows():
    decoder = Decoder("itch")
    decoder.receive_bytes(ADD + DELETE)
    assert repr(decoder) == "Decoder('itch', 1 instruments, 59 bytes, 2 events, 0 gaps, 0 malformed)"
    assert repr(Decoder.__new__(Decoder)) == "Decoder(not made)"
    signature = "(format, instruments=None, *, symbol=None, date=None, lenient=False, venue=None, provider=None)"
    assert str(inspect.signature(Decoder)) == signature
    assert str(inspect.signature(Decoder.receive_bytes)) == "(self, data, ts_recv=0)"
    assert inspect.getdoc(Decoder).startswith("Bytes of one feed or file in")


def test_a_decoder_keeps_the_table_it_writes_to():
    instruments = Instruments()
    decoder = Decoder("itch", instruments)
    instruments.table = SymbolTable()
    gc.collect()
    assert decoder.receive_bytes(ADD)["instrument"] == [0]
    assert "1 instruments" in repr(decoder)
    assert len(instruments) == 0


def test_the_side_stream_keeps_all_of_one_call_and_the_newest_of_earlier_ones():
    directory = struct.pack(">HcHH6s8s20s", 39, b"R", 1, 0, bytes(6), b"AAPL    ", b" " * 20)
    decoder = Decoder("itch")
    decoder.receive_bytes(directory * 65_540)
    assert decoder.counts["side_dropped"] == 0
    decoder.receive_bytes(directory)
    assert decoder.counts["side_dropped"] == 4
    assert decoder.take_side_records()["sequence"].tolist() == list(range(5, 65_542))


def test_one_thread_at_a_time():
    """The GIL is released for large pieces: a second caller is refused, not corrupted."""
    decoder = Decoder("itch")
    data = ADD + DELETE * 2_000_000
    refused = []

    def work():
        try:
            decoder.receive_bytes(data)
        except RuntimeError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("another thread" in text for text in refused)
    assert decoder.counts["itch.D"] == 2_000_000 * (3 - len(refused))


def test_counts_hold_what_occurred():
    counts = Decoder("itch").counts
    assert set(counts.values()) == {0}
    assert "itch.A" not in counts
    decoder = Decoder("itch")
    decoder.receive_bytes(ADD + itch.struct.pack(">Hc", 1, b"z"))
    assert (decoder.counts["itch.A"], decoder.counts["unknown_types"], decoder.counts["bytes"]) == (1, 1, 41)


def test_a_symbol_of_zero_bytes_is_nobodys() -> None:
    message = struct.pack("<cBq8sIq", b"8", 1, 10**18, b"\0" * 8, 100, 10_000)
    with pytest.raises(ProtocolError, match="symbol"):
        Decoder("iex").receive_bytes(iex.segment([message], 1))
    lenient = Decoder("iex", lenient=True)
    assert len(lenient.receive_bytes(iex.segment([message], 1))) == 0
    assert lenient.counts["malformed"] == 1


def test_a_decoder_that_was_not_made_says_so() -> None:
    bare = Decoder.__new__(Decoder)
    for call in (lambda: bare.counts, lambda: bare.receive_bytes(b"x"), bare.take_side_records, bare.close):
        with pytest.raises(TypeError, match="not made"):
            call()
