r"""What a journal file holds, and how it is read.

All numbers are little-endian. The first page of 4096 bytes is the head::

    8s "TFJRNL\r\n", u32 CRC-32C of the rest of the page, u32 version, 16s uid, u32 bytes of the facts, u32 0,
    the facts (a JSON object), zeros

Records follow without gaps, their layout in ``native/journal/records.hpp``: sequence (1, 2, ...), time, kind, version,
payload, and ``place``: how many records of the same commit came before. Checksums begin with that of the uid, so that
another journal's bytes are no records. Behind the last record there are zeros: the file grows ahead of what is written.

A stop may leave the last commit written in part. It was durable for nobody, so it is cut off. A commit is written only
when the one before is durable; so a whole record whose commit began after a broken one proves damage, and so does one
that is out of its sequence.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from engine._native.journal import PAYLOAD_MAX, crc32c, find_record, read_records
from engine.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from engine.storage.journal_file import JournalFile

__all__ = ["FACTS_MAX", "PAGE", "VERSION", "Head", "JournalReader", "Record", "Tail", "decode_head", "encode_head"]

MAGIC: Final = b"TFJRNL\r\n"
VERSION: Final = 1
PAGE: Final = 4096  #: bytes of the head; a whole page of its own, so that no commit ever writes to it
_HEAD: Final = struct.Struct("<8sII16sII")
FACTS_MAX: Final = PAGE - _HEAD.size  #: bytes of the facts as JSON
_CHECKED: Final = 12  # where what the head's checksum covers begins
_RECORD_HEAD: Final = 32
_PIECE: Final = 1 << 20
_LONGEST: Final = _RECORD_HEAD + PAYLOAD_MAX


class Record(NamedTuple):
    """One record: ``now`` in ns since epoch; ``kind``, ``version`` and what the payload means are the writer's."""

    sequence: int
    now: int
    kind: int
    version: int
    payload: bytes


class Head(NamedTuple):
    """What the first page says."""

    uid: bytes
    facts: dict[str, Any]


class Tail(NamedTuple):
    """How a journal ends.

    Attributes:
        end: of its last whole record, bytes.
        last: its sequence, 0 without any.
        commit: where the last commit begins.
        dropped: bytes behind ``end`` that are not zero, up to the last such one.
    """

    end: int
    last: int
    commit: int
    dropped: int


def encode_head(uid: bytes, facts: Mapping[str, Any]) -> bytes:
    """The first page.

    Raises:
        ConfigError: the uid has not 16 bytes, or the facts are no JSON of ``FACTS_MAX`` bytes at most.
    """
    try:
        text = json.dumps(dict(facts), separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"facts are {facts!r}; expected what JSON can hold: {error}") from error
    if len(uid) != 16 or len(text) > FACTS_MAX:
        raise ConfigError(f"uid and facts have {len(uid)} and {len(text)} bytes; expected 16 and at most {FACTS_MAX}")
    page = bytearray(_HEAD.pack(MAGIC, 0, VERSION, uid, len(text), 0) + text)
    page += bytes(PAGE - len(page))
    struct.pack_into("<I", page, len(MAGIC), crc32c(page[_CHECKED:]))
    return bytes(page)


def decode_head(file: JournalFile) -> Head | None:
    """What the first page says; None where the file is empty, or a stop has cut its making short.

    Raises:
        StorageError: the file is no journal, of another version, or its head is damaged.
    """
    page = file.read(0, PAGE)
    start = page[: len(MAGIC)]
    if start != MAGIC and (any(page[8:]) or not MAGIC.startswith(start.rstrip(b"\0"))):
        raise StorageError(f"{file.name}: no journal; expected {MAGIC!r} at its start, found {start!r}", 0)
    if len(page) == PAGE and any(page):
        _, check, version, uid, size, _ = _HEAD.unpack_from(page)
        if crc32c(page[_CHECKED:]) == check:
            if version != VERSION:
                raise StorageError(f"{file.name}: version is {version}; expected {VERSION}", _CHECKED)
            return Head(uid, json.loads(page[_HEAD.size : _HEAD.size + size]))
    if _last_byte(file, PAGE) > PAGE:  # records are written when the head is durable
        raise StorageError(f"{file.name}: the head of the journal is damaged", 0)
    return None


class JournalReader:
    """Reads a journal's file from the start, again and again, also while another process writes it.

    Attributes:
        head: what the first page says.
        tail: after a whole pass: how the journal ends.

    Raises:
        StorageError: the file holds no journal, or is damaged in its head.
    """

    def __init__(self, file: JournalFile) -> None:
        self.file = file
        self.tail = Tail(PAGE, 0, PAGE, 0)
        try:
            head = decode_head(file)
        except OSError as error:
            raise _unreadable(file, error) from error
        if head is None:
            raise StorageError(f"{file.name}: no journal; the file is empty", 0)
        self.head = head
        self._seed = crc32c(head.uid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def __iter__(self) -> Iterator[Record]:
        """Every whole record.

        Raises:
            StorageError: a record is damaged, or the file cannot be read; the records before were given out.
        """
        end, last, commit = PAGE, 0, PAGE
        try:
            while True:
                records = self._records(end, last + 1)
                if not records:
                    dropped = self._dropped(end, last + 1)
                    if dropped is None:
                        continue  # a writer has just completed what was read half-written
                    self.tail = Tail(end, last, commit, dropped)
                    return
                for sequence, now, kind, version, place, payload in records:
                    if place == 0:
                        commit = end
                    yield Record(sequence, now, kind, version, payload)
                    end += -(-(_RECORD_HEAD + len(payload)) // 8) * 8
                last = records[-1][0]
        except OSError as error:
            raise _unreadable(self.file, error) from error

    def _records(self, start: int, sequence: int) -> list[tuple[int, int, int, int, int, bytes]]:
        records, _, more = read_records(self.file.read(start, _PIECE), self._seed, sequence)
        if not records and more:
            records, _, _ = read_records(self.file.read(start, _LONGEST), self._seed, sequence)
        return records

    def _dropped(self, end: int, sequence: int) -> int | None:
        """Bytes of a commit that was cut short at ``end``; None where its next record is whole by now.

        Raises:
            StorageError: what follows proves that the record there was durable once.
        """
        last = _last_byte(self.file, end)
        for start in range(end, last, _LONGEST):  # a record that begins in the first half of a window ends in it
            window, at = self.file.read(start, 2 * _LONGEST), 0
            while (found := find_record(window, at, self._seed)) is not None and found[0] < _LONGEST:
                at, there, place = found
                if not there - place <= sequence < there:
                    if self._records(end, sequence):
                        return None
                    what = f"record {sequence} is damaged: record {there}, of a later commit, follows"
                    raise StorageError(f"{self.file.name}: {what} at byte {start + at}", end)
                at += 8
        return max(0, last - end)


def _last_byte(file: JournalFile, start: int) -> int:
    """The end of the last byte at or after ``start`` that is not zero; ``start`` where there is none."""
    found = start
    for at in range(start, file.size(), _PIECE):
        if piece := file.read(at, _PIECE).rstrip(b"\0"):
            found = at + len(piece)
    return found


def _unreadable(file: JournalFile, error: OSError) -> StorageError:
    return StorageError(f"{file.name}: cannot be read: {error.strerror}")
