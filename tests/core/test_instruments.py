import struct
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from engine import EVENT, Books, Decoder, Instruments, Kind
from engine._native.decode import SymbolTable
from engine.core.instruments import Instrument, midnight_ns
from engine.errors import ProtocolError
from tests.reference import iex


def test_ids_are_contiguous_and_given_on_first_use():
    instruments = Instruments()
    assert [instruments.add(symbol).id for symbol in ("AAPL", "MSFT", "BTC-USD", "AAPL")] == [0, 1, 2, 0]
    assert instruments.symbols == ["AAPL", "MSFT", "BTC-USD"]
    assert len(instruments) == 3
    assert "MSFT" in instruments
    assert "IBM" not in instruments
    assert 0 not in instruments
    assert [instrument.symbol for instrument in instruments] == instruments.symbols
    assert repr(instruments) == "Instruments(3 instruments)"


def test_definition():
    instruments = Instruments()
    coin = instruments.add("BTC-USD", tick="0.010", lot="1e-8", multiplier=1, venues=["OURX"], time_zone="UTC")
    assert coin == Instrument("BTC-USD", 0, Decimal("0.01"), Decimal("1e-8"), Decimal(1), ("OURX",), "UTC")
    assert str(coin.tick) == "0.01"
    assert str(instruments.add("ES", multiplier=50).multiplier) == "50"
    assert instruments["BTC-USD"] is coin
    assert instruments[0] is coin
    again = instruments.add("BTC-USD", tick=0.5)
    assert again.id == 0
    assert instruments["BTC-USD"].tick == Decimal("0.5")


def test_symbols_that_a_decoder_added_have_the_defaults():
    instruments = Instruments()
    instruments.table.add("NEWS")
    assert instruments["NEWS"] == Instrument("NEWS", 0)
    assert instruments["NEWS"] is instruments[0]


@pytest.mark.parametrize("key", ["IBM", 1, -1, 2**40])
def test_unknown_keys(key):
    with pytest.raises(KeyError, match="not known"):
        Instruments(["AAPL"])[key]


def test_rows_and_tables():
    rows = [{"symbol": "A", "tick": "0.05", "venues": ["XNAS"]}, {"symbol": "B", "tick": None}]
    expected = [Instrument("A", 0, Decimal("0.05"), venues=("XNAS",)), Instrument("B", 1)]
    assert list(Instruments(rows)) == expected
    assert list(Instruments(Instruments(rows))) == expected
    assert list(Instruments(pa.Table.from_pylist([row.to_dict() for row in expected]))) == expected
    columns = {"symbol": ["A", "B"], "tick": ["0.05", None], "venues": [["XNAS"], None]}
    assert list(Instruments(columns)) == expected

    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.table(columns).__arrow_c_stream__(requested_schema)

    assert list(Instruments(Stream())) == expected


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"symbol": ""}, "symbol is ''"),
        ({"symbol": "A B"}, "without blanks"),
        ({"symbol": "X" * 33}, "1 to 32"),
        ({"symbol": "É"}, "ASCII"),
        ({"symbol": "A", "tick": 0}, "tick is 0; expected more than 0"),
        ({"symbol": "A", "lot": "-1"}, "lot is"),
        ({"symbol": "A", "multiplier": "nan"}, "multiplier is"),
        ({"symbol": "A", "tick": "1e-10"}, "multiple of 1e-9"),
        ({"symbol": "A", "time_zone": "Mars/Olympus"}, "time zone is"),
    ],
)
def test_bad_definitions(arguments, match):
    with pytest.raises(ValueError, match=match):
        Instruments().add(**arguments)


def test_text_is_not_a_list_of_symbols():
    with pytest.raises(ValueError, match="list of symbols"):
        Instruments("AAPL")


@pytest.mark.parametrize("venues", ["XNAS", b"XNAS", 5, [1], ["XNAS", None]])
def test_venues_are_several_texts(venues):
    with pytest.raises(TypeError, match="venue"):
        Instruments().add("A", venues=venues)


@pytest.mark.parametrize("name", ["toolongname", "xnas", ""])
def test_venues_have_names_of_venues(name):
    instruments = Instruments()
    with pytest.raises(ValueError, match="1 to 8 characters of A-Z and 0-9"):
        instruments.add("A", venues=["XNAS", name])
    assert len(instruments) == 0


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        ([{"symbol": "A", "tik": 1}], ValueError, "field 'tik'; expected some of symbol, id, tick, lot"),
        ([{"tick": 1}], ValueError, "expected a symbol in it"),
        ([5], TypeError, "instrument is 5; expected a symbol, an Instrument or a mapping"),
        (5, TypeError, "instruments are 5; expected a list"),
    ],
)
def test_rows_that_are_none(rows, error, match):
    with pytest.raises(error, match=match):
        Instruments(rows)


def test_keys():
    instruments = Instruments(["A", "B"])
    assert instruments[np.uint32(1)] is instruments["B"]
    for key in (None, 1.0):
        with pytest.raises(TypeError, match="expected a symbol or an id"):
            instruments[key]


@pytest.mark.parametrize(
    ("price", "side", "tick", "expected"),
    [
        (101.237, "buy", "0.01", "101.23"),
        (101.237, "sell", "0.01", "101.24"),
        ("101.23", "buy", "0.01", "101.23"),
        (101.23, "sell", "0.01", "101.23"),  # 101.23 means its shortest text: on the tick
        (-0.5, "buy", "1", "-1"),
        (1, "sell", "0.3", "1.2"),
        (np.int64(3), "buy", "0.01", "3"),
        (np.float32(101.237), "buy", "0.01", "101.23"),
    ],
)
def test_round_price_is_passive(price, side, tick, expected):
    instrument = Instruments().add("A", tick=tick)
    assert instrument.round_price(price, side) == Decimal(expected)


def test_round_price_refuses():
    instrument = Instruments().add("A")
    with pytest.raises(ValueError, match="side is 'bid'"):
        instrument.round_price(1, "bid")
    with pytest.raises(ValueError, match="finite"):
        instrument.round_price(float("inf"), "buy")
    with pytest.raises(ValueError, match="price is 'x'; expected a number"):
        instrument.round_price("x", "buy")
    with pytest.raises(ValueError, match="expected between"):
        instrument.round_price("1e40", "buy")


def test_midnight():
    assert midnight_ns(None) == 0
    # New York was at UTC-4 in June and is at UTC-5 in January
    assert midnight_ns("2012-06-21") == int(datetime(2012, 6, 21, 4, tzinfo=UTC).timestamp()) * 10**9
    assert midnight_ns(date(2018, 1, 2)) == int(datetime(2018, 1, 2, 5, tzinfo=UTC).timestamp()) * 10**9
    assert midnight_ns("1970-01-01", "UTC") == 0
    with pytest.raises(ValueError, match="expected YYYY-MM-DD"):
        midnight_ns("21.6.2012")
    with pytest.raises(TypeError, match="date is 5; expected a date"):
        midnight_ns(5)


@pytest.mark.parametrize("day", [date(1678, 1, 1), datetime(2261, 12, 31, 12, tzinfo=UTC)])
def test_far_days_whose_nanoseconds_fit(day):
    for zone in ("America/New_York", "Pacific/Kiritimati"):
        assert abs(midnight_ns(day, zone)) + 2**48 < 2**63


@pytest.mark.parametrize("day", ["2300-01-01", "1677-12-31", date.min, date.max])
def test_days_beyond_64_bits(day):
    with pytest.raises(ValueError, match="expected 1678-01-01 to 2261-12-31"):
        midnight_ns(day)


def test_table_finds_what_it_was_given_through_growth():
    table = SymbolTable()
    names = [f"S{number}" for number in range(5000)] + ["X" * 32, "12345678", "123456789"]
    assert [table.add(name) for name in names] == list(range(len(names)))
    assert [table.find(name) for name in names] == list(range(len(names)))
    assert table.symbols() == names
    assert table.symbols(5000) == names[5000:]
    assert table.find("S5000") == -1
    assert table.find("") == -1
    with pytest.raises(KeyError):
        table.symbol(len(names))


def test_a_full_table():
    """Every way in says so, and that nothing is wrong with the symbol; books have no more ids either."""
    instruments = Instruments()
    for number in range(2**22):
        instruments.table.add(f"{number:x}")
    assert instruments.table.add("0") == 0
    with pytest.raises(ValueError, match="'MORE' is one too many; 4194304 is the maximum"):
        instruments.add("MORE")
    more, known = (
        iex.segment([b"8\x01" + struct.pack("<q8sIq", 5, symbol, 100, 1_500_000)], number)
        for number, symbol in enumerate([b"MORE    ", b"3fffff  "])
    )
    with pytest.raises(ProtocolError, match="message '8': symbol is one too many; 4194304 in one table"):
        Decoder("iex", instruments).receive_bytes(more)
    lenient = Decoder("iex", instruments, lenient=True)
    assert lenient.receive_bytes(more + known)["instrument"] == [2**22 - 1]
    assert lenient.counts["malformed"] == 1
    halt = struct.pack(">HcHH6s8scc4s", 25, b"H", 1, 0, bytes(6), b"MORE    ", b"T", b" ", b"    ")
    with pytest.raises(ProtocolError, match="message 'H': symbol is one too many"):
        Decoder("itch", instruments).receive_bytes(halt)
    event = np.zeros(2, EVENT)
    event["kind"] = Kind.LEVEL
    event["instrument"] = [2**22 - 1, 2**22]
    books = Books(instruments)
    books.apply(event)
    assert books.counts["unknown_instrument"] == 1


def test_table_is_shared_by_threads():
    table = SymbolTable()
    names = [f"T{number}" for number in range(2000)]

    def work(order):
        for name in order:
            table.add(name)

    threads = [threading.Thread(target=work, args=(names[::step],)) for step in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(table.symbols()) == sorted(names)
