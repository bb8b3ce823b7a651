"""Files of journals: on disk, and in memory with the faults of disks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.storage.journal_file import SECTOR, DiskFile, JournalFile, MemoryFile, Stopped


@pytest.mark.parametrize("kind", ["disk", "memory"])
def test_files_of_both_kinds_do_the_same(kind: str, tmp_path: Path) -> None:
    file: JournalFile = DiskFile(tmp_path / "file") if kind == "disk" else MemoryFile()
    file.write(2, b"abc")
    file.reserve(10)
    assert (file.size(), file.read(0, 99)) == (10, b"\0\0abc\0\0\0\0\0")
    file.reserve(5)
    assert (file.size(), file.read(3, 2)) == (10, b"bc")
    file.truncate(4)
    file.sync()
    assert file.read(1, 9) == b"\0ab"
    file.close()


def test_a_file_has_one_writer_and_any_readers(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(StorageError, match="cannot be opened: No such file"):
        DiskFile(path, write=False)
    writer = DiskFile(path)
    with pytest.raises(StorageError, match=r"file: another engine has this journal open; expected one writer"):
        DiskFile(path)
    reader = DiskFile(path, write=False)
    writer.write(0, b"abc")
    assert reader.read(0, 3) == b"abc"
    assert path.stat().st_mode & 0o777 == 0o600
    writer.close()
    DiskFile(path).close()
    reader.close()
    reader.close()
    with pytest.raises(OSError, match="closed"):
        reader.read(0, 3)


def test_only_regular_files_are_taken(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is no regular file"):
        DiskFile("/dev/null")
    with pytest.raises(StorageError, match="cannot be opened: Is a directory"):
        DiskFile(tmp_path)


def test_a_machine_that_stops_keeps_what_was_synced_and_some_of_the_rest() -> None:
    file = MemoryFile()
    file.write(0, b"a" * (2 * SECTOR))
    file.sync()
    file.write(SECTOR - 1, b"b" * (SECTOR + 2))
    assert bytes(file.crashed(lambda sector: False).content[: 2 * SECTOR]) == b"a" * (2 * SECTOR)
    left = file.crashed(lambda sector: sector == 1)
    assert bytes(left.content[SECTOR - 1 : 2 * SECTOR]) == b"a" + b"b" * SECTOR
    file.sync()
    assert file.crashed(lambda sector: False).content == file.content


def test_a_sync_that_failed_loses_what_it_should_have_kept() -> None:
    file = MemoryFile()
    file.sync_errors = [errno.EIO]
    file.write(0, b"a" * SECTOR)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        file.sync()
    file.sync()
    assert file.read(0, SECTOR) == b"a" * SECTOR
    assert not any(file.crashed(lambda sector: True).content)
    file.write(0, b"a" * SECTOR)
    file.sync()
    assert file.crashed(lambda sector: False).content == b"a" * SECTOR
    assert file.syncs == 2


def test_a_process_stops_at_a_byte() -> None:
    file = MemoryFile()
    file.stop_at, file.write_errors = 5, [0, errno.ENOSPC]
    file.write(0, b"abc")
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        file.write(3, b"de")
    file.write(3, b"de")
    with pytest.raises(Stopped, match="byte 5"):
        file.write(4, b"fgh")
    assert bytes(file.content) == b"abcdf"
