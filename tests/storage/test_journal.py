"""The journal: what is durable is there after any stop, whole or not at all."""

from __future__ import annotations

import errno
import os
import select
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, StorageError
from engine.storage.journal import Journal, read_journal
from engine.storage.journal_file import SECTOR, MemoryFile, Stopped
from engine.storage.journal_records import PAGE

UID = bytes(range(16))
steps = st.lists(st.one_of(st.binary(max_size=300), st.none()), max_size=20)  # a record's payload, or a commit


def write(file: MemoryFile, rows: list[bytes | None]) -> list[tuple[int, bytes]]:
    """Runs a session until it ends or stops; what was told to be durable, in order. Never closes."""
    durable: list[tuple[int, bytes]] = []
    try:
        journal = Journal.open(file, uid=UID)
        durable += [(record.sequence, record.payload) for record in journal.records()]
        waiting: list[tuple[int, bytes]] = []
        for number, row in enumerate(rows):
            if row is None:
                journal.commit()
                assert journal.durable == journal.last
                durable, waiting = durable + waiting, []
            else:
                waiting.append((journal.append(number % 256, row, number), row))
    except Stopped:
        pass
    return durable


def reopened(file: MemoryFile) -> list[tuple[int, bytes]]:
    with Journal.open(file, uid=UID) as journal:
        return [(record.sequence, record.payload) for record in journal.records()]


# ---- what it takes it gives


@pytest.mark.parametrize("durable", ["disk", "os"])
def test_records_come_back_after_a_clean_end(tmp_path: Path, durable: str) -> None:
    path = tmp_path / "desk.journal"
    with Journal.open(path, durable=durable, facts={"desk": 7}, uid=UID) as journal:
        assert (journal.uid, journal.facts, journal.last, journal.durable) == (UID, {"desk": 7}, 0, 0)
        assert [journal.append(1, b"a", 10), journal.append(2, bytearray(b"b"), 11, version=3)] == [1, 2]
        assert journal.durable == 0
        journal.commit()
        assert (journal.durable, len(list(journal.records()))) == (2, 2)
        journal.append(1, b"committed by the end", 12)
    assert path.stat().st_size == journal.end
    with Journal.open(path, durable=durable, facts={"other": 1}) as journal:
        assert (journal.uid, journal.facts, journal.last, journal.recovered) == (UID, {"desk": 7}, 3, 0)
        assert list(journal.records()) == [
            (1, 10, 1, 1, b"a"),
            (2, 11, 2, 3, b"b"),
            (3, 12, 1, 1, b"committed by the end"),
        ]
        assert journal.append(1, b"d", 13) == 4
    with read_journal(path) as reader:
        assert [record.sequence for record in reader] == [1, 2, 3, 4]


def test_two_journals_have_two_uids() -> None:
    first, second = Journal.open(MemoryFile()), Journal.open(MemoryFile())
    assert len(first.uid) == 16
    assert first.uid != second.uid


def test_what_was_submitted_becomes_durable_and_is_told(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "desk.journal") as journal:
        for number in range(20):
            journal.append(1, b"order", number)
            journal.submit()
        news = journal.fileno()
        assert news is not None
        while journal.acknowledge() < 20:
            select.select([news], [], [])
        assert not select.select([news], [], [], 0)[0]
        journal.submit()
        assert not select.select([news], [], [], 0)[0]


@pytest.mark.parametrize("file", [None, MemoryFile()])
def test_without_a_thread_submit_does_it_all(tmp_path: Path, file: MemoryFile | None) -> None:
    with Journal.open(file or tmp_path / "desk.journal", durable="disk" if file else "os") as journal:
        assert journal.fileno() is None
        journal.append(1, b"order", 0)
        journal.submit()
        assert (journal.durable, journal.acknowledge()) == (1, 1)


def test_a_journal_is_readable_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    with Journal.open(path) as journal, read_journal(path) as reader:
        assert list(reader) == []
        journal.append(1, b"order", 0)
        journal.commit()
        assert [record.payload for record in reader] == [b"order"]


def test_only_os_spares_the_syncs() -> None:
    for durable, syncs in (("disk", 5), ("os", 2)):
        file = MemoryFile()
        journal = Journal.open(file, durable=durable)  # type: ignore[arg-type]
        for _ in range(3):
            journal.append(1, b"", 0)
            journal.commit()
            journal.commit()
        assert file.syncs == syncs


def test_wrong_arguments_name_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="durable is 'none'; expected 'disk' or 'os'"):
        Journal.open(tmp_path / "a", durable="none")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected what JSON can hold"):
        Journal.open(tmp_path / "a", facts={"a": b""})
    assert not (tmp_path / "a").exists()


def test_a_second_writer_is_refused_and_a_closed_one_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    journal = Journal.open(path)
    with pytest.raises(StorageError, match="another engine has this journal open"):
        Journal.open(path)
    journal.append(1, b"order", 0)
    journal.close()
    journal.close()
    assert (journal.failed, journal.durable, journal.last) == ("is closed", 1, 1)
    with pytest.raises(StorageError, match=r"desk.journal: is closed"):
        journal.append(1, b"order", 0)
    Journal.open(path).close()


def test_another_file_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b"my notes")
    with pytest.raises(StorageError, match="no journal"):
        Journal.open(path)
    assert path.read_bytes() == b"my notes"


# ---- stops


@given(steps, steps, st.integers(0, 6000))
def test_a_process_stopped_at_any_byte_loses_nothing_that_was_durable(
    first: list[bytes | None], second: list[bytes | None], at: int
) -> None:
    file = MemoryFile(step=SECTOR)
    file.stop_at = PAGE * (at % 3 > 0) + at
    durable = write(file, first)
    file.stop_at = None
    found = reopened(MemoryFile(bytes(file.content)))
    written = [row for row in first if row is not None]
    assert found[: len(durable)] == durable
    assert found == list(enumerate(written[: len(found)], 1))  # never a part of a record, never out of order
    after = write(file, second)
    assert after[: len(found)] == found
    assert reopened(file)[: len(after)] == after


@given(steps, steps, st.integers(PAGE, 8000), st.randoms(use_true_random=False))
def test_a_machine_that_stops_keeps_what_was_durable_whatever_else_it_wrote(
    first: list[bytes | None], second: list[bytes | None], at: int, draw: object
) -> None:
    file, durable = MemoryFile(step=SECTOR), []
    for rows in (first, second, [b"end", None]):
        file.stop_at = at
        now = write(file, rows)
        assert now[: len(durable)] == durable
        durable = now or durable
        file = file.crashed(lambda sector: draw.random() < 0.5)  # type: ignore[attr-defined]
        at += 2000
    assert reopened(file)[: len(durable)] == durable


def test_what_a_stop_left_is_dropped_and_said() -> None:
    file = MemoryFile()
    with Journal.open(file) as journal:
        journal.append(1, b"first", 0)
        journal.commit()
        end = journal.end
        journal.append(1, b"second", 0)
        journal.append(1, b"third" * 100, 0)
    cut = MemoryFile(bytes(file.content[: end + 9]) + bytes(300) + b"rest")
    with Journal.open(cut) as journal:
        assert (journal.recovered, journal.last, journal.end) == (9 + 300 + 4, 1, end)
        assert journal.append(1, b"another second", 0) == 2
    with Journal.open(cut) as journal:
        assert journal.recovered == 0
        assert [record.payload for record in journal.records()] == [b"first", b"another second"]


def test_damage_stops_the_opening_and_names_its_place() -> None:
    file = MemoryFile()
    with Journal.open(file) as journal:
        for payload in (b"first", b"second", b"third"):
            journal.append(1, payload, 0)
            journal.commit()
    before = bytes(file.content)
    file.content[PAGE + 33] ^= 1
    with pytest.raises(StorageError, match=r"record 1 is damaged: record 2, .* \(at byte 4096\)"):
        Journal.open(file)
    assert file.content != before
    file.content[PAGE + 33] ^= 1
    assert file.content == before


# ---- failures


@pytest.mark.parametrize("fault", ["write_errors", "sync_errors"])
def test_a_failure_is_for_good_and_a_restart_finds_what_was_durable(fault: str) -> None:
    file = MemoryFile()
    journal = Journal.open(file)
    journal.append(1, b"durable", 0)
    journal.commit()
    setattr(file, fault, [errno.EIO])
    journal.append(1, b"lost", 0)
    with pytest.raises(StorageError, match="cannot be written or synced: Input/output error"):
        journal.commit()
    assert (journal.durable, journal.failed) == (1, "cannot be written or synced: Input/output error")
    with pytest.raises(StorageError, match="Input/output error"):
        journal.append(1, b"refused", 0)
    journal.submit()
    journal.close()
    assert reopened(file.crashed(lambda sector: True)) == [(1, b"durable")]


def test_submit_tells_a_failure_by_its_state() -> None:
    file = MemoryFile()
    journal = Journal.open(file)
    journal.append(1, b"lost", 0)
    file.sync_errors = [errno.EIO]
    journal.submit()
    assert journal.failed == "cannot be written or synced: Input/output error"
    assert journal.durable == 0


def test_what_a_failed_sync_left_in_memory_is_written_again_before_it_counts() -> None:
    file = MemoryFile()
    journal = Journal.open(file, uid=UID)
    journal.append(1, b"order", 0)
    file.sync_errors = [errno.EIO]
    journal.submit()
    assert reopened(file) == [(1, b"order")]  # the process restarts, the machine does not: it is there to read
    assert reopened(file.crashed(lambda sector: False)) == [(1, b"order")]


def test_a_full_disk_fails_the_opening() -> None:
    file = MemoryFile()
    file.write_errors = [errno.ENOSPC]
    with pytest.raises(StorageError, match=f"cannot be opened: {os.strerror(errno.ENOSPC)}"):
        Journal.open(file)


def test_a_failure_while_closing_is_told_and_everything_let_go(tmp_path: Path) -> None:
    file = MemoryFile()
    journal = Journal.open(file)
    journal.append(1, b"order", 0)
    file.sync_errors = [errno.EIO]
    with pytest.raises(StorageError, match="Input/output error"):
        journal.close()
    journal.close()
