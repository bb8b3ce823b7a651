"""``engine.replay``: formats told apart, passes that agree, recordings that give the same events and bytes."""

from __future__ import annotations

import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine
from engine.core.events import EVENT, NO_INSTRUMENT, Kind
from engine.core.instruments import Instruments
from engine.core.side import AuctionInformation, SecurityDirectory
from engine.core.units import NANOS
from engine.errors import ConfigError, ProtocolError, StorageError
from engine.sim.world import World
from engine.storage.tape import TapeWriter

NAME = "TEST_2012-06-21_34200000_37800000_message_10.csv"
LINES = [
    "34200.000000001,1,11,100,1000000,1",
    "34200.5,1,12,50,1000200,-1",
    "34201.25,4,11,40,1000000,1",
    "34262.5,5,0,10,1000100,-1",
    "34263,3,12,50,1000200,-1",
]


def joined(tape: engine.Tape) -> np.ndarray:
    return np.concatenate([np.empty(0, EVENT), *tape])


def lobster(folder: Path, text: str = "\n".join(LINES) + "\n", name: str = NAME) -> Path:
    (folder / name).write_text(text)
    return folder / name


def itch_message(kind: bytes, body: bytes) -> bytes:
    return (len(body) + 1).to_bytes(2, "big") + kind + body


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_a_lobster_file_is_told_by_its_name(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = lobster(tmp_path)
    path.write_bytes(pack(path.read_bytes()))
    tape = engine.replay(path)
    assert (tape.format, tape.torn, tape.dropped) == ("lobster", False, 0)
    events = joined(tape)
    assert events["kind"].tolist() == [Kind.ADD, Kind.ADD, Kind.EXECUTE, Kind.TRADE, Kind.DELETE]
    assert tape.instruments.symbols == ["TEST"]
    midnight = 1_340_251_200 * NANOS  # 2012-06-21 00:00 in New York
    assert tape.start == midnight + 34_200 * NANOS + 1
    assert tape.end == midnight + 34_263 * NANOS
    assert tape.counts["lobster.1"] == 2
    assert tape.kinds == {"ADD": 2, "DELETE": 1, "EXECUTE": 1, "TRADE": 1}
    assert joined(tape).tobytes() == events.tobytes()


def test_a_last_line_without_newline_counts(tmp_path: Path) -> None:
    assert len(joined(engine.replay(lobster(tmp_path, "\n".join(LINES))))) == len(LINES)


def test_symbol_and_date_come_from_arguments_too(tmp_path: Path) -> None:
    path = lobster(tmp_path, name="messages.csv")
    with pytest.raises(ConfigError, match=r"messages.csv: the name does not tell the symbol"):
        engine.replay(path)
    tape = engine.replay(path, "lobster", symbol="ABC")
    assert tape.instruments.symbols == ["ABC"]
    assert tape.start == 34_200 * NANOS + 1
    assert engine.replay(path, symbol="ABC", date="1970-01-02").start == (86_400 + 5 * 3600 + 34_200) * NANOS + 1
    with pytest.raises(ConfigError, match=r"messages.csv: .*2012-13-01|Invalid isoformat|month"):
        engine.replay(path, symbol="ABC", date="2012-13-01")


def test_formats_that_cannot_be_told_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "what").write_bytes(b"hello world\n")
    with pytest.raises(
        ConfigError, match="what: the format cannot be told; give format: one of lobster, itch, iex, tape"
    ):
        engine.replay(tmp_path / "what")
    with pytest.raises(ConfigError, match="format is 'csv'; expected one of"):
        engine.replay(tmp_path / "what", "csv")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="symbol is 'A'; itch files name their own"):
        engine.replay(tmp_path / "what", "itch", symbol="A")
    with pytest.raises(StorageError, match="absent: cannot be read"):
        engine.replay(tmp_path / "absent")


def test_malformed_input_names_the_file_and_comes_after_what_is_good(tmp_path: Path) -> None:
    path = lobster(tmp_path, "\n".join([*LINES[:2], "34200.6,9,13,1,1,1", *LINES[2:]]) + "\n")
    seen = []
    with pytest.raises(ProtocolError, match=rf"{NAME}: .*3"):
        seen.extend(engine.replay(path))
    assert sum(map(len, seen)) == 2
    lenient = engine.replay(path, lenient=True)
    assert len(joined(lenient)) == len(LINES)
    assert lenient.counts["malformed"] == 1


def test_a_cut_archive_is_an_error_or_counted(tmp_path: Path) -> None:
    text = (
        "\n".join(f"{34200 + index * 1e-3:.9f},1,{index},{index % 977 + 1},1000000,1" for index in range(20_000)) + "\n"
    )
    path = lobster(tmp_path)
    packed = gzip.compress(text.encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(StorageError, match="gzip data"):
        joined(engine.replay(path))
    lenient = engine.replay(path, lenient=True)
    assert 5_000 < len(joined(lenient)) < 20_000
    assert lenient.counts["malformed"] >= 1


def world_tape(path: Path, symbols: tuple[str, ...] = ("AAPL", "MSFT")) -> np.ndarray:
    world = World(symbols, seed=3, duration="2s")
    batches = list(world)
    with TapeWriter(path, Instruments(symbols)) as writer:
        for batch in batches:
            writer.write(batch)
    return np.concatenate(batches)


def test_a_tape_gives_the_same_events_again_and_again(tmp_path: Path) -> None:
    events = world_tape(tmp_path / "t.tape")
    tape = engine.replay(tmp_path / "t.tape")
    assert tape.format == "tape"
    for _ in range(2):
        assert joined(tape).tobytes() == events.tobytes()
    assert tape.instruments.symbols == ["AAPL", "MSFT"]
    assert (tape.start, tape.end) == (events["ts_event"].min(), events["ts_event"].max())
    assert tape.counts["events"] == len(events) == sum(tape.kinds.values())


def test_recording_a_replay_gives_an_identical_tape(tmp_path: Path) -> None:
    world_tape(tmp_path / "a")
    tape = engine.replay(tmp_path / "a")
    tape.record(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with pytest.raises(ConfigError, match="is the file being read"):
        tape.record(tmp_path / "a")


def test_recording_a_capture_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """An instrument travels with the first batch that refers to it, whatever the table knows already."""
    path = lobster(tmp_path)
    tape = engine.replay(path, instruments=Instruments(["FIRST"]))
    tape.record(tmp_path / "a")
    tape.record(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = engine.replay(tmp_path / "a")
    assert joined(again).tobytes() == joined(tape).tobytes()
    assert again.instruments.symbols == ["FIRST", "TEST"]


def test_ids_of_a_tape_must_fit_the_table_it_is_given(tmp_path: Path) -> None:
    world_tape(tmp_path / "t")
    shared = Instruments(["AAPL"])
    assert engine.replay(tmp_path / "t", instruments=shared).instruments is shared
    assert shared.symbols == ["AAPL", "MSFT"]
    with pytest.raises(ConfigError, match="AAPL has id 0 there and 1 in instruments"):
        engine.replay(tmp_path / "t", instruments=Instruments(["OTHER"]))


def test_a_torn_tape_says_so(tmp_path: Path) -> None:
    events = world_tape(tmp_path / "t")
    whole = (tmp_path / "t").read_bytes()
    (tmp_path / "t").write_bytes(whole[:-9])
    tape = engine.replay(tmp_path / "t")
    assert tape.torn
    assert tape.dropped > 0
    got = joined(tape)
    assert events.tobytes().startswith(got.tobytes())
    assert len(got) < len(events)


def test_progress_is_told(tmp_path: Path) -> None:
    tape = engine.replay(lobster(tmp_path))
    seen: list[tuple[int, int]] = []
    tape.progress = lambda done, total: seen.append((done, total))
    joined(tape)
    size = tape.path and Path(tape.path).stat().st_size
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def itch_file(path: Path) -> None:
    def stamp(second: int) -> bytes:
        return (1).to_bytes(2, "big") + bytes(2) + (second * NANOS).to_bytes(6, "big")

    directory = b"AAPL    QN" + (100).to_bytes(4, "big") + b"NCZ PNN1N" + bytes(4) + b"N"
    add = (7).to_bytes(8, "big") + b"B" + (100).to_bytes(4, "big") + b"AAPL    " + (1_500_000).to_bytes(4, "big")
    execute = (7).to_bytes(8, "big") + (40).to_bytes(4, "big") + (1).to_bytes(8, "big")
    path.write_bytes(
        itch_message(b"S", bytes(4) + (1).to_bytes(6, "big") + b"O")
        + itch_message(b"R", stamp(1) + directory)
        + itch_message(b"A", stamp(34_200) + add)
        + itch_message(b"E", stamp(34_201) + execute)
    )


def test_side_messages_come_back_from_a_tape(tmp_path: Path) -> None:
    itch_file(tmp_path / "day.itch")
    tape = engine.replay(tmp_path / "day.itch")
    assert tape.format == "itch"
    (directory,) = tape.side()
    assert isinstance(directory, SecurityDirectory)
    assert (directory.symbol, directory.round_lot) == ("AAPL", 100)
    assert tape.side(SecurityDirectory) == tape.side("SecurityDirectory") == [directory]
    assert tape.side(AuctionInformation) == []
    tape.record(tmp_path / "day.tape")
    assert engine.replay(tmp_path / "day.tape").side() == [directory]


def test_bars_of_executions_have_the_prices_of_their_orders(tmp_path: Path) -> None:
    itch_file(tmp_path / "day.itch")
    bars = engine.replay(tmp_path / "day.itch", date="2019-01-30").bars("AAPL", "1m")
    assert bars.schema.field("ts").type == pa.timestamp("ns", "UTC")
    assert bars.to_pydict() | {"ts": None} == {
        "ts": None,
        "open": [150.0],
        "high": [150.0],
        "low": [150.0],
        "close": [150.0],
        "volume": [40.0],
    }
    assert bars["ts"].cast(pa.int64()).to_pylist() == [1_548_858_600 * NANOS]  # 09:30 in New York


def test_bars_and_samples_of_a_lobster_file(tmp_path: Path) -> None:
    tape = engine.replay(lobster(tmp_path), instruments=None)
    bars = tape.bars("TEST", "1m").to_pydict()
    assert (bars["open"], bars["close"], bars["volume"]) == ([100.0, 100.01], [100.0, 100.01], [40.0, 10.0])
    table = tape.sample("TEST", "500ms", levels=1)
    assert table.column_names == ["ts", "bid_price_1", "bid_quantity_1", "ask_price_1", "ask_quantity_1"]
    rows = table.slice(0, 4).to_pydict()
    second = 1_340_285_400 * NANOS
    stamps = table["ts"].cast(pa.int64()).to_pylist()
    assert stamps == [second + step * NANOS // 2 for step in range(1, 127)]
    assert rows["bid_quantity_1"] == [100.0, 100.0, 60.0, 60.0]
    assert rows["ask_quantity_1"][:2] == [50.0, 50.0]
    assert table["ask_quantity_1"].to_pylist()[-1] == 0.0
    with pytest.raises(KeyError):
        tape.bars("OTHER", "1m")
    with pytest.raises(ValueError, match="interval is '0s'; expected a positive duration"):
        tape.bars("TEST", "0s")
    with pytest.raises(ValueError, match="levels is 0"):
        tape.sample("TEST", "1s", levels=0)
    with pytest.raises(ValueError, match="every is too short"):
        tape.sample("TEST", "1us")


def test_samples_equal_the_truth_of_the_world(tmp_path: Path) -> None:
    world = World(["AAPL"], seed=5, duration="1s", interval="100ms")
    truths = []
    with TapeWriter(tmp_path / "t", Instruments(["AAPL"])) as writer:
        for batch in world:
            writer.write(batch)
            truths.append((int(batch["ts_recv"][-1]), world.truth("AAPL").depth(3)))
    table = engine.replay(tmp_path / "t").sample("AAPL", "100ms", levels=3)
    samples = dict(zip(table["ts"].cast(pa.int64()).to_pylist(), table.to_pylist(), strict=True))
    compared = 0
    for stamp, depth in truths:
        if stamp in samples:  # no event falls on the grid itself
            compared += 1
            for level in range(3):
                for name in ("bid_price", "bid_quantity", "ask_price", "ask_quantity"):
                    assert samples[stamp][f"{name}_{level + 1}"] == depth[level][name]
    assert compared >= 9


def test_events_leave_as_arrow_and_parquet(tmp_path: Path) -> None:
    capture = engine.replay(lobster(tmp_path))
    capture.record(tmp_path / "t")
    tape = engine.replay(tmp_path / "t")
    table = capture.to_arrow()
    table.validate(full=True)
    assert table.equals(tape.to_arrow())
    assert table.equals(pa.table(tape))
    assert table.equals(pa.table(capture))
    assert table["order_id"].to_pylist() == joined(capture)["order_id"].tolist()
    for source in (capture, tape):
        source.to_parquet(tmp_path / "p")
        assert pq.read_table(tmp_path / "p").equals(table)
        metadata = pq.read_schema(tmp_path / "p").metadata
        assert b'"symbol":"TEST"' in metadata[b"tickforge.instruments"]
        assert metadata[b"tickforge.venues"] == b'{"1":"XNAS"}'
    with pytest.raises(StorageError, match="cannot be written"):
        tape.to_parquet(tmp_path / "absent" / "p")


def test_pushed_bars_come_before_built_ones(tmp_path: Path) -> None:
    rows = [{"symbol": "AAPL", "interval": "1m", "ts": [60 * NANOS], "volume": [7.0]}]
    rows[0] |= {name: [float(Decimal(1))] for name in ("open", "high", "low", "close")}
    with TapeWriter(tmp_path / "t", Instruments(["AAPL"])) as writer:
        writer.write(np.zeros(1, EVENT), bars=rows)
    tape = engine.replay(tmp_path / "t")
    assert tape.bars("AAPL", "60s")["volume"].to_pylist() == [7.0]
    assert tape.bars("AAPL", "5m").num_rows == 0


def test_importing_the_module_does_not_hide_the_function() -> None:
    code = "import engine.replay, engine; assert callable(engine.replay); from engine.replay import Tape"
    for line in (code, "import engine; f = engine.replay; import engine.replay; assert callable(engine.replay) and f"):
        subprocess.run([sys.executable, "-c", line], check=True)


def test_an_empty_recording_keeps_its_instrument(tmp_path: Path) -> None:
    empty = engine.replay(lobster(tmp_path, ""), "lobster")
    empty.record(tmp_path / "a.tape")
    for tape in (empty, engine.replay(tmp_path / "a.tape")):
        assert tape.instruments.symbols == ["TEST"]
        assert tape.sample("TEST", "1s").num_rows == tape.bars("TEST", "1s").num_rows == 0


def test_events_without_a_stamp_make_no_grid(tmp_path: Path) -> None:
    events = np.zeros(4, EVENT)
    events["kind"], events["side"], events["quantity"] = Kind.LEVEL, engine.Side.BID, NANOS
    events["price"] = np.arange(1, 5) * NANOS
    events["ts_event"] = [0, 10**18, 0, 10**18 + 2 * NANOS]
    with TapeWriter(tmp_path / "t", Instruments(["A"])) as writer:
        writer.write(events)
    assert engine.replay(tmp_path / "t").sample("A", "1s")["bid_price_1"].to_pylist() == [3.0, 3.0, 4.0]
    events["ts_event"] = 0
    with TapeWriter(tmp_path / "t", Instruments(["A"])) as writer:
        writer.write(events)
    assert engine.replay(tmp_path / "t").sample("A", "1s").num_rows == 0


def test_a_sample_begins_anew_where_the_venue_does(tmp_path: Path) -> None:
    """One venue's CLEAR of everything reaches the sample as it reaches books; before the first event there is none."""
    events = np.zeros(5, EVENT)
    events["kind"] = [Kind.CLEAR, Kind.LEVEL, Kind.LEVEL, Kind.CLEAR, Kind.LEVEL]
    events["side"] = [0, engine.Side.BID, engine.Side.BID, 0, engine.Side.ASK]
    events["price"] = np.array([0, 1, 2, 0, 3]) * NANOS
    events["quantity"] = NANOS
    events["instrument"] = [NO_INSTRUMENT, 0, 1, NO_INSTRUMENT, 0]
    events["ts_event"] = np.arange(1, 6) * NANOS
    events["venue"] = 8
    with TapeWriter(tmp_path / "t", Instruments(["A", "B", "C"])) as writer:
        writer.write(events[:2])
        writer.write(events[2:])
    tape = engine.replay(tmp_path / "t")
    table = tape.sample("A", "1s", levels=1)
    assert table["ts"].cast(pa.int64()).to_pylist() == [second * NANOS for second in (2, 3, 4, 5)]
    assert table["bid_quantity_1"].to_pylist() == [1.0, 1.0, 0.0, 0.0]
    books = engine.Books(tape.instruments)
    for batch in tape:
        books.apply(batch)
    assert table["ask_price_1"].to_pylist()[-1] == books["A"].bbo().ask == 3.0
    assert tape.sample("C", "1s").num_rows == 0


def test_kinds_that_are_none_have_their_number(tmp_path: Path) -> None:
    events = np.zeros(2, EVENT)
    events["kind"] = [Kind.TRADE, 200]
    with TapeWriter(tmp_path / "t") as writer:
        writer.write(events)
    assert engine.replay(tmp_path / "t").kinds == {"TRADE": 1, "UNKNOWN_200": 1}


def test_the_last_definition_of_an_instrument_counts(tmp_path: Path) -> None:
    instruments = Instruments(["A"])
    with TapeWriter(tmp_path / "t", instruments) as writer:
        writer.write(np.zeros(1, EVENT))
        instruments.add("A", tick="0.0001")
        writer.write(np.zeros(1, EVENT))
    tape = engine.replay(tmp_path / "t")
    assert str(tape.instruments["A"].tick) == "0.0001"
    tape.to_parquet(tmp_path / "p")
    (row,) = json.loads(pq.read_schema(tmp_path / "p").metadata[b"tickforge.instruments"])
    assert row["tick"] == "0.0001"


def test_nothing_is_written_over_what_is_read(tmp_path: Path) -> None:
    path = lobster(tmp_path)
    before = path.read_bytes()
    for write in (engine.replay(path).record, engine.replay(path).to_parquet):
        with pytest.raises(ConfigError, match="is the file being read"):
            write(path)
    assert path.read_bytes() == before
