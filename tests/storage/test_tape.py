"""Recording tapes: round trips, torn tails, what travels with which batch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.core.events import EVENT, NO_INSTRUMENT
from engine.core.instruments import Instruments
from engine.core.venues import venue_id
from engine.errors import ConfigError, StorageError
from engine.storage import tape as module
from engine.storage.tape import TapeWriter
from engine.storage.tape_reader import TapeFile
from engine.storage.tape_schema import ROWS, TapeBatch

ARBITRARY = hnp.arrays(EVENT, st.integers(0, 40), elements=hnp.from_dtype(EVENT))


def events(count: int, seed: int = 1) -> np.ndarray:
    return np.frombuffer(np.random.default_rng(seed).bytes(count * EVENT.itemsize), EVENT).copy()


def joined(path: Path) -> np.ndarray:
    with TapeFile(path) as tape:
        return np.concatenate([np.empty(0, EVENT), *(batch.events for batch in tape)])


@given(st.lists(ARBITRARY, max_size=4))
def test_any_events_come_back(tmp_path_factory: pytest.TempPathFactory, arrays: list[np.ndarray]) -> None:
    path = tmp_path_factory.mktemp("tape") / "any.tape"
    with TapeWriter(path) as writer:
        for array in arrays:
            writer.write(array)
    assert joined(path).tobytes() == b"".join(array.tobytes() for array in arrays)
    with TapeFile(path) as tape:
        assert not tape.torn
        assert tape.dropped == 0
        assert tape.rows == sum(map(len, arrays))
        assert [len(batch.events) for batch in tape] == [len(array) for array in arrays if len(array)]


def test_extreme_integers_stay_exact(tmp_path: Path) -> None:
    array = np.zeros(2, EVENT)
    for name in EVENT.names or ():
        array[name] = np.iinfo(EVENT[name]).min, np.iinfo(EVENT[name]).max
    with TapeWriter(tmp_path / "t") as writer:
        writer.write(array, [{"type": "Wide", "least": -(2**63), "most": 2**64 - 1}])
    assert joined(tmp_path / "t").tobytes() == array.tobytes()
    with TapeFile(tmp_path / "t") as tape:
        assert next(iter(tape)).side == [{"type": "Wide", "least": -(2**63), "most": 2**64 - 1}]


def test_long_arrays_become_several_batches(tmp_path: Path) -> None:
    array = events(2 * ROWS + 5)
    with TapeWriter(tmp_path / "t") as writer:
        writer.write(array, [{"type": "Once"}])
        writer.write(array[::-7])
    with TapeFile(tmp_path / "t") as tape:
        assert [len(batch.events) for batch in tape] == [ROWS, ROWS, 5, len(array[::-7])]
        assert [len(batch.side) for batch in tape.news()] == [1, 0, 0, 0]
    assert joined(tmp_path / "t").tobytes() == array.tobytes() + array[::-7].tobytes()


def small_tape(path: Path) -> bytes:
    """Three batches with everything a batch can carry."""
    instruments = Instruments(["AAPL", "MSFT"])
    array = events(9)
    array["instrument"] = [0, 0, NO_INSTRUMENT, 1, 1, 1, 0, 0, 0]
    array["venue"] = [8, 8, 0, 1, 1, 1, 8, venue_id("OURX"), 0]
    with TapeWriter(path, instruments) as writer:
        writer.write(array[:3], [{"type": "A", "price": 2**60}])
        writer.write(array[3:6], bars=[{"symbol": "AAPL", "interval": "1m", "ts": [0], "close": [0.1]}])
        writer.write(array[6:])
    return path.read_bytes()


def test_what_is_new_travels_with_the_batch_that_needs_it(tmp_path: Path) -> None:
    small_tape(tmp_path / "t")
    with TapeFile(tmp_path / "t") as tape:
        first, second, third = tape
    assert [row["symbol"] for row in first.instruments] == ["AAPL"]
    assert [(row["id"], row["symbol"], row["tick"]) for row in second.instruments] == [(1, "MSFT", "0.01")]
    assert first.venues == {8: "IEXG"}
    assert second.venues == {1: "XNAS"}
    assert third.venues == {venue_id("OURX"): "OURX"}
    assert first.side == [{"type": "A", "price": 2**60}]
    assert second.bars == [{"symbol": "AAPL", "interval": "1m", "ts": [0], "close": [0.1]}]
    assert third.instruments == third.side == third.bars == []


def test_a_cut_at_any_byte_keeps_the_complete_batches(tmp_path: Path) -> None:
    data = small_tape(tmp_path / "whole")
    with TapeFile(tmp_path / "whole") as tape:
        whole = list(tape)
        ends = [message.end for message in tape._messages]
        assert (tape.torn, tape.dropped, tape.end_of_data) == (False, 0, len(data) - 8)
    path = tmp_path / "cut"
    path.write_bytes(data)
    for size in reversed(range(len(data))):
        os.truncate(path, size)
        with TapeFile(path) as tape:
            kept = sum(end <= size for end in ends)
            assert tape.torn
            assert len(tape) == kept
            assert tape.dropped == size - tape.end_of_data
            assert tape.end_of_data <= size
            for got, expected in zip(tape, whole, strict=False):
                assert got.events.tobytes() == expected.events.tobytes()
                assert got[1:] == expected[1:]
            assert tape.rows == 3 * kept
            if size == tape.end_of_data + 1:
                assert pa.table(tape).num_rows == tape.rows


def test_a_torn_tape_goes_on_after_its_last_complete_batch(tmp_path: Path) -> None:
    instruments = Instruments(["AAPL", "MSFT"])
    array = events(6)
    array["instrument"] = [0, 0, 0, 1, 1, 1]
    array["venue"] = 8
    with TapeWriter(tmp_path / "whole", instruments) as writer:
        writer.write(array[:3])
        writer.write(array[3:])
    data = (tmp_path / "whole").read_bytes()
    with TapeFile(tmp_path / "whole") as tape:
        first = tape._messages[0].end
    for size in (0, 5, 700, first, first + 1, len(data) - 9, len(data) - 8, len(data)):
        path = tmp_path / "torn"
        path.write_bytes(data[:size])
        with TapeWriter(path, instruments, resume=True) as writer:
            for start in range(writer.rows, 6, 3):
                writer.write(array[start : start + 3])
        assert path.read_bytes() == data, size


def test_a_recording_that_failed_has_no_end_mark(tmp_path: Path) -> None:
    def fail() -> None:
        with TapeWriter(tmp_path / "t") as writer:
            writer.write(events(2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with TapeFile(tmp_path / "t") as tape:
        assert (tape.torn, tape.dropped, tape.rows) == (True, 0, 2)


def test_recording_again_gives_the_same_bytes(tmp_path: Path) -> None:
    data = small_tape(tmp_path / "a")
    with TapeFile(tmp_path / "a") as tape, TapeWriter(tmp_path / "b") as writer:
        for batch in tape:
            writer.write_batch(batch)
    assert (tmp_path / "b").read_bytes() == data


def test_empty_writes_leave_no_batch_but_side_rows_alone_do(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "t") as writer:
        writer.write(np.empty(0, EVENT))
        writer.write(np.empty(0, EVENT), [{"type": "A"}])
    with TapeFile(tmp_path / "t") as tape:
        assert [(len(batch.events), batch.side) for batch in tape] == [(0, [{"type": "A"}])]


def test_the_writer_names_what_it_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="cannot be written: No such file"):
        TapeWriter(tmp_path / "absent" / "t")
    (tmp_path / "text").write_text("this is not a tape")
    with pytest.raises(StorageError, match="not a tape"):
        TapeWriter(tmp_path / "text", resume=True)
    assert (tmp_path / "text").read_text() == "this is not a tape"
    with TapeWriter(tmp_path / "t") as writer:
        with pytest.raises(ValueError, match=r"expected \(n,\) of engine.EVENT"):
            writer.write(np.zeros(3))
        writer.write(events(2))
        size = (tmp_path / "t").stat().st_size
        real = os.writev

        def full_disk(file: int, parts: list[memoryview]) -> int:
            real(file, [parts[0][:100]])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module.os, "writev", full_disk)
        with pytest.raises(StorageError, match=f"No space left on device \\(at byte {size}\\)") as caught:
            writer.write(events(2))
        assert caught.value.offset == size
        monkeypatch.setattr(module.os, "writev", lambda file, parts: real(file, [parts[0][:7]]))
        writer.write(events(1))  # writes of 7 bytes at a time end at the same file
    assert joined(tmp_path / "t").tobytes() == events(2).tobytes() + events(1).tobytes()


def test_a_batch_knows_nothing_new_by_default() -> None:
    assert TapeBatch(events(1))[1:] == ((), {}, (), (), 0)


def test_a_tape_goes_on_only_with_the_ids_it_knows(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    first = events(3)
    first["instrument"] = 0
    with TapeWriter(path, Instruments(["AAPL"])) as writer:
        writer.write(first)
    for other in (Instruments(["MSFT"]), Instruments()):
        with pytest.raises(ConfigError, match="id 0 is AAPL on the tape"):
            TapeWriter(path, other, resume=True)
    with TapeWriter(path, Instruments(["AAPL", "MSFT"]), resume=True) as writer:
        writer.write(first)
    assert len(joined(path)) == 6


def test_what_a_failed_write_would_have_named_travels_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tape"
    batch = events(3)
    batch["instrument"] = 0
    batch["venue"] = venue_id("XNAS")
    with TapeWriter(path, Instruments(["AAPL"])) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(module.os, "writev", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
            with pytest.raises(StorageError):
                writer.write(batch)
        writer.write(batch)
    (news,) = TapeFile(path).news()
    assert [row["symbol"] for row in news.instruments] == ["AAPL"]
    assert news.venues == {venue_id("XNAS"): "XNAS"}


def test_a_tape_that_is_replaced_stays_whole_for_who_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.tape"
    with TapeWriter(path) as writer:
        writer.write(events(1_000))
    reader = TapeFile(path)
    TapeWriter(path).close()
    assert np.concatenate([batch.events for batch in reader]).tobytes() == events(1_000).tobytes()
    assert TapeFile(path).rows == 0


def test_a_definition_that_changes_travels_with_the_next_batch(tmp_path: Path) -> None:
    many = [f"S{number}" for number in range(400)]  # enough that not every definition is looked at
    for symbols in (["AAPL", "MSFT"], ["AAPL", "MSFT", *many]):
        instruments = Instruments(symbols)
        batch = events(len(symbols))
        batch["instrument"] = np.arange(len(symbols))
        with TapeWriter(tmp_path / "t", instruments) as writer:
            writer.write(batch)
            writer.write(batch)
            instruments.add("AAPL", tick="0.0001")
            instruments.add("MSFT", tick="0.05")
            writer.write(batch[:1])
            instruments.add("AAPL", tick="0.0001")  # says nothing new
            writer.write(batch[:1], [{"type": "A", "instrument": 1}])
            instruments.add("MSFT", lot="100")
        with TapeFile(tmp_path / "t") as tape:
            rows = [[(row["id"], row["tick"], row["lot"]) for row in batch.instruments] for batch in tape.news()]
            known = Instruments()
            tape.define(known)
        assert len(rows[0]) == len(symbols)
        changed = [(0, "0.0001", "1"), (1, "0.05", "1")]
        parts = [changed, []] if len(symbols) == 2 else [changed[:1], changed[1:]]
        assert rows[1:] == [[], *parts, [(1, "0.01", "100")]]
        assert [str(known[symbol].tick) for symbol in ("AAPL", "MSFT")] == ["0.0001", "0.01"]
        assert known.symbols == symbols


def test_a_tape_that_goes_on_takes_the_definitions_it_is_given(tmp_path: Path) -> None:
    batch = events(1)
    batch["instrument"] = 0
    with TapeWriter(tmp_path / "t", Instruments(["AAPL"])) as writer:
        writer.write(batch)
    for expected in ([1, 1], [1, 1, 0]):  # once is enough
        with TapeWriter(tmp_path / "t", Instruments([{"symbol": "AAPL", "tick": "0.05"}]), resume=True) as writer:
            writer.write(batch)
        with TapeFile(tmp_path / "t") as tape:
            assert [len(news.instruments) for news in tape.news()] == expected


def test_the_rest_of_the_table_is_written_at_the_end(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "t", Instruments(["AAPL", "MSFT"])):
        pass
    with TapeFile(tmp_path / "t") as tape:
        assert [[row["symbol"] for row in batch.instruments] for batch in tape.news()] == [["AAPL", "MSFT"]]
        assert (tape.torn, tape.rows) == (False, 0)
    TapeWriter(tmp_path / "t", Instruments(["AAPL"])).close(complete=False)
    assert TapeFile(tmp_path / "t").torn
    assert len(TapeFile(tmp_path / "t")) == 0


def test_a_closed_tape_says_that_it_is_closed(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "t")
    writer.close()
    writer.close()
    for write in (lambda: writer.write(events(1)), lambda: writer.write_batch(TapeBatch(events(1)))):
        with pytest.raises(ValueError, match="t: the tape is closed"):
            write()


def test_a_tape_whose_instruments_are_damaged_does_not_go_on(tmp_path: Path) -> None:
    data = small_tape(tmp_path / "t")
    at = data.index(b'"id":1')
    (tmp_path / "t").write_bytes(data[: at + 5] + b"7" + data[at + 6 :])
    with pytest.raises(StorageError, match=r"the instruments are damaged: .*id of MSFT is 7; expected at most 1"):
        TapeWriter(tmp_path / "t", Instruments(["AAPL", "MSFT"]), resume=True)
