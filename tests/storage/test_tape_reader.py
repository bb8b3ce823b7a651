"""Reading tapes: what any Arrow reader sees, what is refused, and what damage anywhere in the file does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine
from engine.core.events import EVENT, Kind
from engine.core.instruments import Instruments
from engine.core.units import NANOS
from engine.core.venues import venue_id
from engine.errors import ConfigError, StorageError
from engine.storage import tape_reader as module
from engine.storage.tape import TapeWriter
from engine.storage.tape_reader import TapeFile
from engine.storage.tape_schema import ROWS, schema

SIDE = {"ts_event": 0, "ts_recv": 0, "sequence": 0, "instrument": 1, "symbol": "MSFT", "venue": 8, "provider": 3}


def events(count: int, seed: int = 1) -> np.ndarray:
    return np.frombuffer(np.random.default_rng(seed).bytes(count * EVENT.itemsize), EVENT).copy()


def one_tape(path: Path) -> bytes:
    """Three batches of prints, with everything a batch can carry."""
    instruments = Instruments(["AAPL", "MSFT"])
    array = np.zeros(9, EVENT)
    array["kind"], array["price"], array["quantity"] = Kind.TRADE, 10 * NANOS, NANOS
    array["ts_event"] = np.arange(1, 10) * NANOS
    array["instrument"] = [0, 0, 0, 1, 1, 1, 0, 0, 0]
    array["venue"] = [8, 8, 0, 1, 1, 1, 8, venue_id("OURX"), 0]
    bars = {"open": [1.5], "high": [2.0], "low": [1.0], "close": [1.25], "volume": [9.0]}
    with TapeWriter(path, instruments) as writer:
        writer.write(array[:3], [{"type": "OfficialPrice", **SIDE, "kind": "Q", "price": "10.25"}])
        writer.write(array[3:6], bars=[{"symbol": "AAPL", "interval": "1m", "ts": [0], **bars}])
        writer.write(array[6:])
    return path.read_bytes()


def as_other_version(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink:
        pa.ipc.new_stream(sink, schema().with_metadata({"tickforge.tape": "2"})).close()


def as_plain_arrow(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink:
        pa.ipc.new_stream(sink, pa.schema([("a", pa.int8())])).close()


def as_compressed(path: Path) -> None:
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    columns = [pa.array([0] * 99, field.type) for field in schema()]
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema(), options=options) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema()))


@pytest.mark.parametrize(
    ("write", "text"),
    [
        (lambda path: path.write_bytes(b"time,type,id\n" * 9), "not a tape .* \\(at byte 0\\)"),
        (lambda path: path.write_bytes(b"x"), "not a tape"),
        (as_other_version, "a tape of version 2; expected version 1"),
        (as_plain_arrow, "an Arrow stream, but not a tape"),
        (as_compressed, "no batch of events"),
        (lambda path: None, "cannot be read: No such file"),
    ],
)
def test_what_is_not_a_tape_is_refused(tmp_path: Path, write: Callable[[Path], object], text: str) -> None:
    write(tmp_path / "t")
    with pytest.raises(StorageError, match=text):
        TapeFile(tmp_path / "t")


def test_any_arrow_reader_reads_the_events(tmp_path: Path) -> None:
    array = events(1000)
    array["ts_event"] //= 4
    array["ts_recv"] //= 4
    with TapeWriter(tmp_path / "t") as writer:
        writer.write(array[:600])
        writer.write(array[600:])
    with pa.memory_map(str(tmp_path / "t")) as source, pa.ipc.open_stream(source) as reader:
        assert reader.schema.metadata == {b"tickforge.tape": b"1"}
        table = reader.read_all()
    table.validate(full=True)
    assert table.schema.field("ts_event").type == pa.timestamp("ns", "UTC")
    for name in EVENT.names or ():
        column = table[name].cast(pa.int64()) if name.startswith("ts_") else table[name]
        assert (column.to_numpy() == array[name]).all(), name


def test_the_stream_protocol_outlives_the_file_object(tmp_path: Path) -> None:
    array = events(100)
    with TapeWriter(tmp_path / "t") as writer:
        writer.write(array)
    tape = TapeFile(tmp_path / "t")
    table = tape.to_arrow()
    assert table.equals(pa.table(tape))
    tape.close()
    assert (table["order_id"].to_numpy() == array["order_id"]).all()


def test_batches_that_are_kept_are_not_overwritten(tmp_path: Path) -> None:
    array = events(8 * ROWS)
    with TapeWriter(tmp_path / "t") as writer:
        writer.write(array)
    with TapeFile(tmp_path / "t") as tape:
        tails = [batch.events[-3:] for batch in tape]  # a slice holds the memory of its batch
        again = [batch.events for batch in tape]
    assert np.concatenate(tails).tobytes() == b"".join(
        array[end - 3 : end].tobytes() for end in range(ROWS, 8 * ROWS + 1, ROWS)
    )
    assert np.concatenate(again).tobytes() == array.tobytes()


def test_a_venue_that_got_another_number_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tape"
    batch = events(3)
    batch["venue"] = number = venue_id("MYEX")
    with TapeWriter(path) as writer:
        writer.write(batch)
    monkeypatch.setattr(module, "venue_id", {"MYEX": 27}.get)
    (read,) = TapeFile(path)
    assert set(read.events["venue"].tolist()) == {27}
    assert read.venues == {27: "MYEX"}
    assert set(TapeFile(path).to_arrow()["venue"].to_pylist()) == {number}


def test_parquet_holds_the_events_and_their_instruments(tmp_path: Path) -> None:
    one_tape(tmp_path / "t")
    with TapeFile(tmp_path / "t") as tape:
        tape.to_parquet(tmp_path / "t.parquet")
        assert pq.read_table(tmp_path / "t.parquet").equals(tape.to_arrow())
    metadata = pq.read_schema(tmp_path / "t.parquet").metadata
    assert b'"symbol":"MSFT"' in metadata[b"tickforge.instruments"]
    assert b'"8":"IEXG"' in metadata[b"tickforge.venues"]


def everything(path: Path) -> None:
    """Reads whatever a tape holds, every way there is."""
    tape = engine.replay(path, "tape")
    assert sum(map(len, tape)) == tape.counts["events"]
    assert sum(tape.kinds.values()) == tape.counts["events"]
    tape.side()
    assert pa.table(tape).num_rows == tape.to_arrow().num_rows == tape.counts["events"]
    for symbol in tape.instruments.symbols:
        tape.bars(symbol, "1m")
    tape.record(path.with_suffix(".again"))
    tape.to_parquet(path.with_suffix(".parquet"))


def outcome(path: Path) -> StorageError | None:
    try:
        everything(path)
    except StorageError as error:
        return error
    return None


def test_damage_is_a_storage_error_with_the_place_or_a_torn_tape(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    good = one_tape(path)
    everything(path)
    chance = random.Random(2)
    text = [at for at in range(len(good)) if good[at : at + 1].isalnum() and 32 < good[at - 1] < 127]
    found: Counter[str] = Counter()
    for trial in range(600):
        data = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            at = chance.choice(text) if trial % 2 else chance.randrange(len(data))
            data[at] = chance.choice([0, 1, 34, 128, 255, chance.randrange(256)])
        path.write_bytes(data)
        error = outcome(path)
        if error is None:
            found["read"] += 1
            continue
        assert str(path) in str(error)
        assert error.offset is not None
        assert 0 <= error.offset < len(good)
        found["damaged"] += 1
    assert min(found["read"], found["damaged"]) > 50


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (b'"id":1', b'"id":0', "the instruments are damaged: .*id of MSFT is 0; expected 1"),
        (b'"tick":"0.01"', b'"tock":"0.01"', "the instruments are damaged: .*tock"),
        (b'"tick":"0.01"', b'"tick":"0,01"', "the instruments are damaged: .*0,01"),
        (b'{"8":"IEXG"}', b'{"8":"I XG"}', "the venues are damaged: .*I XG"),
        (b'{"8":"IEXG"}', b'{"8":  7   }', "what is new with a batch is damaged: .*venues are not"),
        (b'[{"type":"Off', b'["{type":"Off', "what is new with a batch is damaged: JSONDecodeError"),
        (b'"10.25"', b'"1o.25"', "the side rows are damaged: InvalidOperation"),
        (b'"OfficialPrice"', b'"OfficialPrize"', "the side rows are damaged: .*OfficialPrize"),
        (b'"interval":"1m"', b'"interval":"1x"', "the bars are damaged: .*1x"),
        (b'"ts":[0]', b'"ts":{ }', "the bars are damaged: "),
    ],
)
def test_damaged_text_names_the_batch(tmp_path: Path, before: bytes, after: bytes, text: str) -> None:
    data = one_tape(tmp_path / "t")
    starts = [message.start for message in TapeFile(tmp_path / "t")._messages]
    (tmp_path / "t").write_bytes(data.replace(before, after, 1))
    with pytest.raises(StorageError, match=text) as caught:
        everything(tmp_path / "t")
    at = data.index(before)
    assert caught.value.offset == max(start for start in starts if start < at)


def test_bytes_after_the_end_mark_are_damage(tmp_path: Path) -> None:
    data = one_tape(tmp_path / "t")
    (tmp_path / "t").write_bytes(data + b"more")
    with pytest.raises(StorageError, match=rf"4 bytes after the end mark \(at byte {len(data) - 8}\)"):
        TapeFile(tmp_path / "t")


def test_a_closed_tape_says_that_it_is_closed(tmp_path: Path) -> None:
    one_tape(tmp_path / "t")
    tape = TapeFile(tmp_path / "t")
    reading = iter(tape)
    next(reading)
    tape.close()
    uses: list[Callable[[], object]] = [lambda: next(reading), lambda: list(tape), tape.news, tape.reader]
    for use in [*uses, tape.to_arrow, lambda: tape.to_parquet(tmp_path / "p")]:
        with pytest.raises(ValueError, match="t: the tape is closed"):
            use()
    assert not (tmp_path / "p").exists()


def test_a_table_that_knows_other_ids_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    one_tape(tmp_path / "t")
    with pytest.raises(ConfigError, match="AAPL has id 0 there and 1 in instruments"):
        TapeFile(tmp_path / "t").define(Instruments(["MSFT", "AAPL"]))


def test_a_tape_is_not_exported_over_itself(tmp_path: Path) -> None:
    data = one_tape(tmp_path / "t")
    (tmp_path / "link").hardlink_to(tmp_path / "t")
    for export in (TapeFile(tmp_path / "t").to_parquet, engine.replay(tmp_path / "t").to_parquet):
        for path in (tmp_path / "t", tmp_path / "link"):
            with pytest.raises(ConfigError, match="is the file being read"):
                export(path)
    assert (tmp_path / "t").read_bytes() == data
