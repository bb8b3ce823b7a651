"""What a journal file holds: its head, its records, where it ends, and what is damage."""

from __future__ import annotations

import struct

import pytest

from engine._native.journal import PAYLOAD_MAX, Writer, crc32c
from engine.errors import ConfigError, StorageError
from engine.storage.journal_file import MemoryFile
from engine.storage.journal_records import FACTS_MAX, PAGE, Head, JournalReader, Tail, decode_head, encode_head

UID = bytes(range(16))
COMMITS = [[b"one"], [b"two", b"", b"four " * 9], [b"five", b"six"], [b"seven", b"eight", b"nine"]]


def content(commits: list[list[bytes]] = COMMITS, uid: bytes = UID) -> tuple[bytes, list[int]]:
    """A journal's bytes, and where each commit begins."""
    writer, data, starts = Writer("test", crc32c(uid), 0), encode_head(uid, {"desk": 7}), []
    for payloads in commits:
        starts.append(len(data))
        for payload in payloads:
            writer.append(1, 2, 3, payload)
        data += writer.take()[0]
    return data, starts


def read(data: bytes) -> tuple[list[bytes], Tail]:
    reader = JournalReader(MemoryFile(data))
    return [record.payload for record in reader], reader.tail


# ---- the head


def test_a_head_comes_back() -> None:
    page = encode_head(UID, {"b": [1, "ö"], "a": None})
    assert len(page) == PAGE
    assert decode_head(MemoryFile(page)) == Head(UID, {"a": None, "b": [1, "ö"]})
    assert JournalReader(MemoryFile(page)).head.uid == UID


def test_facts_are_bounded_json() -> None:
    encode_head(UID, {"a": "x" * (FACTS_MAX - 8)})
    with pytest.raises(ConfigError, match=f"uid and facts have 16 and {FACTS_MAX + 1} bytes; expected 16 and at most"):
        encode_head(UID, {"a": "x" * (FACTS_MAX - 7)})
    with pytest.raises(ConfigError, match="uid and facts have 3 and 2 bytes"):
        encode_head(b"uid", {})
    for wrong in ({"a": object()}, {"a": float("nan")}):
        with pytest.raises(ConfigError, match="expected what JSON can hold"):
            encode_head(UID, wrong)


def test_a_head_cut_at_any_byte_is_no_journal_yet() -> None:
    page = encode_head(UID, {"a": 1})
    for cut in range(PAGE):
        assert decode_head(MemoryFile(page[:cut])) is None
        whole = not any(page[cut:])
        assert decode_head(MemoryFile(page[:cut] + bytes(2 * PAGE - cut))) == (Head(UID, {"a": 1}) if whole else None)
    assert decode_head(MemoryFile()) is None
    with pytest.raises(StorageError, match="no journal; the file is empty"):
        JournalReader(MemoryFile())


def test_what_is_no_journal_is_left_alone() -> None:
    with pytest.raises(StorageError, match=r"no journal; expected b'TFJRNL\\r\\n' at its start, found b'ARROW1"):
        decode_head(MemoryFile(b"ARROW1\0\0" + bytes(9000)))
    with pytest.raises(StorageError, match=r"no journal; .* found b'T1'"):
        decode_head(MemoryFile(b"T1"))


def test_a_damaged_head_before_records_is_an_error() -> None:
    data = content()[0]
    for at in range(8, 60):
        broken = bytearray(data)
        broken[at] ^= 4
        with pytest.raises(StorageError, match="the head of the journal is damaged") as caught:
            decode_head(MemoryFile(bytes(broken)))
        assert caught.value.offset == 0


def test_another_version_is_refused() -> None:
    page = bytearray(encode_head(UID, {}))
    struct.pack_into("<I", page, 12, 2)
    struct.pack_into("<I", page, 8, crc32c(bytes(page[12:])))
    with pytest.raises(StorageError, match="version is 2; expected 1"):
        decode_head(MemoryFile(bytes(page)))


# ---- the end


def test_every_record_comes_back() -> None:
    data, starts = content()
    expected = [payload for commit in COMMITS for payload in commit]
    for zeros in (0, 8, 3 * PAGE, 3 << 20):
        assert read(data + bytes(zeros)) == (expected, Tail(len(data), 9, starts[-1], 0))
    record = next(iter(JournalReader(MemoryFile(data))))
    assert record == (1, 3, 1, 2, b"one")
    assert read(data[:PAGE]) == ([], Tail(PAGE, 0, PAGE, 0))


def test_long_records_and_many_come_back() -> None:
    commits = [[b"a" * PAYLOAD_MAX], [b"b" * (5 << 20), b"c"], [b"d" * 999] * 3000]
    data, starts = content(commits)
    payloads, tail = read(data + bytes(100))
    assert payloads == [payload for commit in commits for payload in commit]
    assert tail == Tail(len(data), 3003, starts[-1], 0)


@pytest.mark.parametrize("zeros", [False, True])
def test_a_journal_cut_at_any_byte_ends_at_its_last_whole_record(*, zeros: bool) -> None:
    data, _ = content()
    whole = [payload for commit in COMMITS for payload in commit]
    ends = [PAGE]
    for payload in whole:
        ends.append(ends[-1] + (32 + len(payload) + 7) // 8 * 8)
    for cut in range(PAGE, len(data) + 1):
        payloads, tail = read(data[:cut] + bytes(len(data) - cut if zeros else 0))
        last = max(number for number, end in enumerate(ends) if end <= cut)
        if zeros and not any(data[cut:]):
            last = len(whole)
        elif zeros and last < len(whole) and not any(data[cut : ends[last + 1]]):
            last += 1  # what was cut off were zeros
        assert payloads == whole[:last]
        assert (tail.end, tail.last) == (ends[last], last)
        assert tail.dropped == len(data[ends[last] : cut].rstrip(b"\0"))


# ---- damage


def test_a_flipped_bit_is_damage_or_a_last_commit_cut_short() -> None:
    data, starts = content()
    for at in range(PAGE, len(data)):
        broken = bytearray(data)
        broken[at] ^= 16
        if at >= starts[-1]:
            payloads, tail = read(bytes(broken))
            assert 6 <= len(payloads) < 9
            assert tail.commit == starts[-1] or len(payloads) == 6
            assert tail.dropped == len(broken.rstrip(b"\0")) - tail.end
            continue
        given = []
        with pytest.raises(
            StorageError, match=r"record \d is damaged: record \d, of a later commit, follows"
        ) as caught:
            given.extend(JournalReader(MemoryFile(bytes(broken))))
        assert caught.value.offset is not None
        assert caught.value.offset <= at


def test_damage_far_before_the_next_whole_record_is_found() -> None:
    data, starts = content([[b"first"], [b"a" * PAYLOAD_MAX], [b"b" * PAYLOAD_MAX, b"c"], [b"last"]])
    broken = data[: starts[1] + 100] + bytes(starts[3] - starts[1] - 100) + data[starts[3] :]
    with pytest.raises(StorageError, match=r"record 2 is damaged: record 5"):
        read(broken)
    assert read(data[: starts[1] + 100] + bytes(starts[3] - starts[1] - 100))[1].dropped == 100


def test_a_record_out_of_its_sequence_is_damage() -> None:
    data, starts = content()
    with pytest.raises(StorageError, match="record 10 is damaged: record 1,"):
        read(data + data[PAGE : starts[1]])


def test_another_journals_records_are_none() -> None:
    data, other = content()[0], content(uid=b"o" * 16)[0]
    payloads, tail = read(data[:PAGE] + other[PAGE:])
    assert (payloads, tail.dropped) == ([], len(other.rstrip(b"\0")) - PAGE)


def test_a_reader_of_a_growing_file_takes_what_was_completed_meanwhile() -> None:
    data, starts = content()
    pieces = [data[: starts[1]] + bytes(8) + data[starts[1] + 8 :], data]

    class Growing(MemoryFile):
        def read(self, offset: int, size: int) -> bytes:
            if offset == starts[1] and size > 1 << 20 and len(pieces) > 1:  # the search behind the half-written record
                pieces.pop(0)
                return super().read(offset, size)
            self.content[:] = pieces[0]
            return super().read(offset, size)

    assert len(list(JournalReader(Growing(data)))) == 9


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    class Broken(MemoryFile):
        def read(self, offset: int, size: int) -> bytes:
            if offset >= PAGE:
                raise OSError(5, "Input/output error")
            return super().read(offset, size)

    with pytest.raises(StorageError, match="cannot be read: Input/output error"):
        list(JournalReader(Broken(content()[0])))
