"""The raw log: what goes in comes out, whatever happened to the file's end."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import EVENT, Kind
from engine.errors import ConfigError, StorageError
from engine.storage import raw
from engine.storage.raw import MAGIC, Input, InputKind, RawFile, RawWriter

LINES = ["polygon", "alpaca-sip", "ours"]


def events(count: int) -> np.ndarray:
    array = np.zeros(count, EVENT)
    array["kind"] = Kind.TRADE
    array["price"] = np.arange(count)
    return array


def write_one_of_each(path: Path) -> None:
    with RawWriter(path, LINES, {"seed": 7}) as log:
        log.log("start", -1, 5)
        log.log("subscribe", -1, 6, ["AAPL", "BRK.B"])
        log.log("opened", 0, 7)
        log.log("frame", 0, 8, b'[{"ev":"Q"}]')
        log.log("frame", 1, 9, memoryview(bytearray(b"\x00\xff")))
        log.log("pong", 0, 9)
        log.log("timer", -1, 10)
        log.drained(10)
        log.log("name", 2, 11, {"name": "ours"})
        log.log("push", 2, 11, events(2))
        log.log("unsubscribe", -1, 12, ["AAPL"])
        log.log("closed", 0, 13, (1008, "größer"))
        log.log("closed", 1, 14, (None, ""))
        log.log("stop", -1, 15)


def test_every_input_comes_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    write_one_of_each(path)
    log = RawFile(path)
    assert (log.lines, log.facts["seed"]) == (LINES, 7)
    records = list(log)
    assert [(record.kind.name, record.line, record.now) for record in records] == [
        ("HEAD", -1, 0),
        ("START", -1, 5),
        ("SUBSCRIBE", -1, 6),
        ("OPENED", 0, 7),
        ("FRAME", 0, 8),
        ("FRAME", 1, 9),
        ("PONG", 0, 9),
        ("TIMER", -1, 10),
        ("DRAIN", -1, 10),
        ("NAME", 2, 11),
        ("PUSH", 2, 11),
        ("UNSUBSCRIBE", -1, 12),
        ("CLOSED", 0, 13),
        ("CLOSED", 1, 14),
        ("STOP", -1, 15),
        ("END", -1, 0),
    ]
    assert records[2].symbols == ["AAPL", "BRK.B"]
    assert [bytes(record.data) for record in records[4:6]] == [b'[{"ev":"Q"}]', b"\x00\xff"]
    assert records[9].facts == {"name": "ours"}
    assert np.array_equal(records[10].events, events(2))
    assert [(record.code, record.reason) for record in records[12:14]] == [(1008, "größer"), (None, "")]
    assert (log.torn, log.dropped) == (False, 0)
    assert list(log) == records


def test_a_log_cut_at_any_byte_is_whole_up_to_its_last_block(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    write_one_of_each(path)
    whole = path.read_bytes()
    records = list(RawFile(path))
    path.write_bytes(b"")
    first = whole.index(b"TFRB", len(MAGIC) + 1)  # the block after HEAD's
    counts = set()
    for size in range(first, len(whole)):
        path.write_bytes(whole[:size])
        log = RawFile(path)
        found = list(log)
        assert found == records[: len(found)]
        assert log.torn
        assert log.dropped == size - (first if len(found) == 1 else whole.rindex(b"TFRB"))
        counts.add(len(found))
    assert counts == {1, 9}
    for size in range(first):
        path.write_bytes(whole[:size])
        with pytest.raises(StorageError):
            RawFile(path)


def test_a_crash_may_leave_zeros_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    write_one_of_each(path)
    size = path.stat().st_size
    os.truncate(path, size + 100)
    log = RawFile(path)
    assert len(list(log)) == 16
    assert log.dropped == 100


def test_damage_before_the_end_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    write_one_of_each(path)
    whole = path.read_bytes()
    middle = whole.index(b"TFRB", len(MAGIC) + 1)
    for at, text in ((middle, "starts with"), (middle + 40, "checksum")):
        damaged = bytearray(whole)
        damaged[at] ^= 0x55
        path.write_bytes(damaged)
        with pytest.raises(StorageError, match=text) as caught:
            list(RawFile(path))
        assert caught.value.offset == middle
    path.write_bytes(b"x" * 100)
    with pytest.raises(StorageError, match="no raw log"):
        RawFile(path)
    with pytest.raises(StorageError, match="cannot be read"):
        RawFile(tmp_path / "absent")


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_one_error(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    path = tmp_path_factory.mktemp("noise") / "raw"
    with RawWriter(path, LINES) as log:
        log.log("timer", -1, 1)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - len(noise) % 60] + noise)
    with contextlib.suppress(StorageError):
        assert all(isinstance(record, Input) for record in RawFile(path))


def test_blocks_are_written_when_they_are_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "BLOCK", 100)
    log = RawWriter(tmp_path / "raw", ["a"])
    for at in range(50):
        log.log("frame", 0, at, bytes(at))
    assert log.records > 40
    log.close(complete=False)
    log.close()
    read = RawFile(log.path)
    assert [len(record.data) for record in read if record.kind is InputKind.FRAME] == list(range(50))
    assert read.torn
    assert read.dropped == 0
    with pytest.raises(ValueError, match="closed"):
        log.log("timer", -1, 1)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    RawWriter(path, []).close()
    with pytest.raises(StorageError, match="File exists"):
        RawWriter(path, [])
    with pytest.raises(ConfigError, match="each name once"):
        RawWriter(tmp_path / "other", ["a", "a"])


def test_a_failed_write_leaves_whole_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = RawWriter(tmp_path / "raw", ["a"])
    log.log("frame", 0, 1, b"first")
    log.flush()
    real = os.write

    def full(file: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", no_space)
        return real(file, bytes(data)[:10])

    def no_space(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    log.log("frame", 0, 2, b"second")
    with pytest.raises(StorageError, match="No space left") as caught:
        log.flush()
    monkeypatch.setattr(os, "write", real)
    log.log("frame", 0, 3, b"third")
    log.close()
    read = RawFile(log.path)
    assert [bytes(record.data) for record in read if record.kind is InputKind.FRAME] == [b"first", b"third"]
    assert caught.value.offset is not None


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    RawWriter(path, [], {"version": 9}).close()
    with pytest.raises(StorageError, match="version is 9; expected 1"):
        RawFile(path)
