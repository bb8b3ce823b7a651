"""Records of a journal against their slow twin, and the thread that writes them, on files that fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine._native.journal import PAYLOAD_MAX, Writer, crc32c, find_record, read_records
from engine.errors import StorageError
from tests.reference import journal as twin

SEED = 0x12345678

entries = st.lists(
    st.tuples(
        st.integers(0, 255),
        st.integers(0, 255),
        st.integers(-(2**63), 2**63 - 1),
        st.binary(max_size=40),
        st.booleans(),
    ),
    max_size=8,
)


def encoded(rows: list[tuple[int, int, int, bytes, bool]], last: int = 0) -> tuple[bytes, list[twin.Entry]]:
    """What a writer makes of rows, whose last item is whether a commit ends there; and what the twin says of them."""
    writer, data, expected, place = Writer("test", SEED, last), b"", [], 0
    for kind, version, now, payload, ends in rows:
        sequence = writer.append(kind, version, now, payload)
        expected.append(twin.Entry(sequence, now, kind, version, place, payload))
        place += 1
        if ends:
            part, taken = writer.take()
            assert taken == sequence
            data, place = data + part, 0
    return data + writer.take()[0], expected


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_the_checksum_is_that_of_rfc_3720(data: bytes, crc: int) -> None:
    assert crc32c(data) == twin.crc32c(data) == crc


@given(st.binary(max_size=60), st.integers(0, 60))
def test_a_checksum_goes_on_where_it_ended(data: bytes, cut: int) -> None:
    assert crc32c(data[cut:], crc32c(data[:cut])) == crc32c(data) == twin.crc32c(data)


@given(entries, st.integers(0, 2**63))
def test_records_are_the_twins(rows: list[tuple[int, int, int, bytes, bool]], last: int) -> None:
    data, expected = encoded(rows, last)
    assert data == b"".join(twin.encode(entry, SEED) for entry in expected)
    assert read_records(data, SEED, last + 1) == (expected, len(data), True)


@given(entries, st.data())
def test_any_bytes_are_read_as_by_the_twin(rows: list[tuple[int, int, int, bytes, bool]], draw: st.DataObject) -> None:
    data = bytearray(encoded(rows)[0] + bytes(draw.draw(st.integers(0, 80))))
    for _ in range(draw.draw(st.integers(0, 3))):
        if data:
            at = draw.draw(st.integers(0, len(data) - 1))
            data[at] ^= 1 << draw.draw(st.integers(0, 7))
    cut = bytes(data[draw.draw(st.integers(0, 12)) * 8 : draw.draw(st.integers(0, len(data)))])
    start = draw.draw(st.integers(0, 8)) * 8
    assert read_records(cut, SEED, 1) == twin.read_records(cut, SEED, 1)
    assert find_record(cut, start, SEED) == twin.find_record(cut, start, SEED)
    assert find_record(cut, start, SEED + 1) is None


def test_another_seed_or_sequence_is_no_record() -> None:
    data, _ = encoded([(1, 1, 5, b"order", True)])
    assert read_records(data, SEED + 1, 1) == ([], 0, False)
    assert read_records(data, SEED, 2) == ([], 0, False)
    assert read_records(data[:-1], SEED, 1) == ([], 0, True)


def test_payloads_are_any_buffer_and_bounded() -> None:
    writer = Writer("desk", SEED, 0)
    writer.append(1, 1, 0, memoryview(bytearray(b"abc")))
    assert read_records(writer.take()[0], SEED, 1)[0][0][-1] == b"abc"
    with pytest.raises(ValueError, match=f"payload has {PAYLOAD_MAX + 1} bytes; expected at most {PAYLOAD_MAX}"):
        writer.append(1, 1, 0, bytes(PAYLOAD_MAX + 1))
    for _ in range(3):
        writer.append(1, 1, 0, bytes(PAYLOAD_MAX))
    with pytest.raises(StorageError, match=r"desk: the disk is behind; expected at most 67108864 bytes"):
        writer.append(1, 1, 0, bytes(PAYLOAD_MAX))
    assert writer.append(1, 1, 0, b"smaller") == 5
    with pytest.raises(TypeError):
        writer.append(1, 1, 0, "text")  # type: ignore[arg-type]


def started(path: str | Path) -> tuple[Writer, int, int]:
    writer = Writer("desk", SEED, 0)
    descriptor, news = os.open(path, os.O_RDWR | os.O_CREAT, 0o600), os.eventfd(0)
    writer.start(descriptor, news, 0, 0)
    return writer, descriptor, news


def test_a_thread_makes_groups_durable(tmp_path: Path) -> None:
    writer, descriptor, news = started(tmp_path / "file")
    for count in range(1, 200):
        for _ in range(count % 7):
            writer.append(3, 1, count, bytes(count))
        writer.submit()
        if count % 50 == 0:
            writer.commit()
            assert writer.durable == writer.last
    writer.append(4, 1, 0, b"submitted by commit")
    writer.commit()
    writer.append(5, 1, 0, b"never submitted")
    writer.stop()
    data = (tmp_path / "file").read_bytes()
    records, used, _ = twin.read_records(data, SEED, 1)
    assert [record.sequence for record in records] == list(range(1, writer.durable + 1))
    assert (used, writer.durable, writer.failed) == (writer.end, writer.last - 1, None)
    assert not any(data[used:])
    groups = sum(record.place == 0 for record in records)
    assert 1 <= os.eventfd_read(news) <= groups
    os.close(descriptor)
    os.close(news)


@pytest.mark.parametrize(
    ("device", "reason"),
    [("/dev/full", "cannot be written: No space left on device"), ("/dev/null", "cannot be synced: Invalid argument")],
)
def test_a_failure_is_for_good(device: str, reason: str) -> None:
    writer, descriptor, news = started(device)
    sequence = writer.append(1, 1, 0, b"first")
    with pytest.raises(StorageError, match=f"desk: {reason}"):
        writer.commit()
    assert os.eventfd_read(news) == 1
    assert (writer.failed, writer.durable) == (reason, sequence - 1)
    with pytest.raises(StorageError, match=reason):
        writer.append(1, 1, 0, b"second")
    writer.submit()
    writer.stop()
    os.close(descriptor)
    os.close(news)


def test_a_reason_of_ones_own_ends_it_too() -> None:
    writer = Writer("desk", SEED, 0)
    writer.fail("is closed")
    writer.fail("later")
    assert writer.failed == "is closed"
    with pytest.raises(StorageError, match="desk: is closed"):
        writer.append(1, 1, 0, b"")


def test_a_child_process_cannot_use_it(tmp_path: Path) -> None:
    code = f"""
import os
from engine._native.journal import Writer
writer = Writer("desk", 1, 0)
writer.start(os.open({str(tmp_path / "file")!r}, os.O_RDWR | os.O_CREAT), os.eventfd(0), 0, 0)
writer.append(1, 1, 0, b"parent")
child = os.fork()
if child == 0:
    refused = 0
    for call in (lambda: writer.append(1, 1, 0, b"child"), writer.submit, writer.commit, writer.take):
        try:
            call()
        except RuntimeError as error:
            refused += str(error) == "desk: a journal cannot be used after a fork"
    writer.stop()
    os._exit(refused)
writer.commit()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
assert writer.durable == 1
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
