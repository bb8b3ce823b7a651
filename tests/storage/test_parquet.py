"""Parquet files: whole, or as they were before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.core.events import EVENT
from engine.errors import StorageError
from engine.storage.parquet import parquet_writer, write_parquet
from engine.storage.tape_schema import record_batch

COLUMNS = pa.schema([("a", pa.int64())])
BATCH = pa.record_batch([pa.array([1, 2, 3])], schema=COLUMNS)


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    with parquet_writer(tmp_path / "p", COLUMNS) as write:
        write(BATCH)
        assert not (tmp_path / "p").exists()
    assert pq.read_table(tmp_path / "p").to_pydict() == {"a": [1, 2, 3]}
    assert os.listdir(tmp_path) == ["p"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, StorageError("x")])
@pytest.mark.parametrize("before", [b"before", None])
def test_a_failure_leaves_what_was_there(
    tmp_path: Path, error: type[BaseException] | BaseException, before: bytes | None
) -> None:
    if before is not None:
        (tmp_path / "p").write_bytes(before)

    def fail() -> None:
        with parquet_writer(tmp_path / "p", COLUMNS) as write:
            write(BATCH)
            raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        fail()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before] * (before is not None)


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(self: object, batch: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", full_disk)
    with pytest.raises(StorageError, match="p: cannot be written: No space left on device"):
        write_parquet(tmp_path / "p", [record_batch(np.zeros(3, EVENT))], [], {})
    assert os.listdir(tmp_path) == []


def test_batches_that_fail_leave_nothing(tmp_path: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield record_batch(np.zeros(3, EVENT))
        raise StorageError("torn", 7)

    with pytest.raises(StorageError, match="torn"):
        write_parquet(tmp_path / "p", batches(), [], {})
    assert os.listdir(tmp_path) == []


def test_links_are_followed_and_other_things_written_straight(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with parquet_writer(tmp_path / "link", COLUMNS) as write:
        write(BATCH)
    assert (tmp_path / "link").is_symlink()
    assert pq.read_table(tmp_path / "real").num_rows == 3
    with parquet_writer("/dev/null", COLUMNS) as write:
        write(BATCH)
    assert Path("/dev/null").is_char_device()


def test_places_that_cannot_be_written_are_told_at_once(tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "p", tmp_path):
        with pytest.raises(StorageError, match="cannot be written"), parquet_writer(path, COLUMNS):
            raise AssertionError
