"""The raw log: every input of the line machinery in one order, so that a session can be run again.

A file starts with ``MAGIC``; blocks follow, each written at once::

    block    b"TFRB", u32 bytes of the records, u32 CRC-32 of the records, u32 number of records
    record   u8 kind, u8 line, u16 0, u32 bytes of the payload, i64 time (ns since epoch), payload

All numbers are little-endian. The first record is HEAD: JSON with ``version``, ``lines`` (names; a record's line is the
place in this list) and what else the writer was given. The last is END. A file cut off at any byte is whole up to
its last complete block; damage before that is an error with its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np

from engine.core.events import EVENT
from engine.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from numpy.typing import NDArray

__all__ = ["BLOCK", "MAGIC", "VERSION", "Input", "InputKind", "RawFile", "RawWriter"]

MAGIC: Final = b"TFRAW\x001\n"
VERSION: Final = 1
BLOCK: Final = 1 << 18  #: bytes of records after which a block is written although nobody asked
LINES: Final = 255  #: lines a log can hold
_NO_LINE: Final = 255
_MARK: Final = b"TFRB"
_BLOCK_HEAD: Final = struct.Struct("<4sIII")
_HEAD: Final = struct.Struct("<BBHIq")
_CODE: Final = struct.Struct("<i")
_NO_CODE: Final = -1


class InputKind(IntEnum):
    """What happened; what its payload is."""

    HEAD = 1  #: JSON
    START = 2
    STOP = 3
    OPENED = 4
    CLOSED = 5  #: i32 code (-1 none), reason
    FRAME = 6  #: the frame; the time is that of its receipt
    PONG = 7
    TIMER = 8
    SUBSCRIBE = 9  #: JSON list of symbols
    UNSUBSCRIBE = 10  #: likewise
    PUSH = 11  #: events
    NAME = 12  #: a further line: JSON of what is needed to make it
    DEFINE = 13  #: JSON list of instrument rows that are new or changed
    DRAIN = 14  #: what was composed so far went to the tape as one batch
    END = 15


_KINDS: Final = {kind.name.lower(): kind for kind in InputKind}


class Input(NamedTuple):
    """One record: ``line`` is a number, -1 where the kind has none; ``now`` ns; ``data`` the payload as it stands."""

    kind: InputKind
    line: int
    now: int
    data: memoryview

    @property
    def symbols(self) -> list[str]:
        """Of SUBSCRIBE and UNSUBSCRIBE."""
        return [str(symbol) for symbol in json.loads(bytes(self.data))]

    @property
    def facts(self) -> Any:
        """Of HEAD, NAME and DEFINE: the JSON value."""
        return json.loads(bytes(self.data))

    @property
    def code(self) -> int | None:
        """Of CLOSED: the close code or HTTP status, None without."""
        code: int = _CODE.unpack_from(self.data)[0]
        return None if code == _NO_CODE else code

    @property
    def reason(self) -> str:
        """Of CLOSED."""
        return str(self.data[_CODE.size :], "utf-8")

    @property
    def events(self) -> NDArray[np.void]:
        """Of PUSH: an array of its own."""
        return np.frombuffer(self.data, EVENT).copy()


class RawWriter:
    """Writes a raw log.

    Args:
        path: the file; there must be none.
        lines: names of the lines; elsewhere a line is its number in this list.
        facts: further JSON values for HEAD: what is needed to make the same lines again. No secrets.

    Raises:
        StorageError: the file exists or cannot be written.
        ConfigError: more than ``LINES`` lines, or two with one name.
    """

    def __init__(
        self, path: str | os.PathLike[str], lines: Sequence[str], facts: Mapping[str, Any] | None = None
    ) -> None:
        self.path = os.fspath(path)
        self.records = 0
        if len(lines) > LINES or len(set(lines)) != len(lines):
            raise ConfigError(f"lines are {', '.join(lines)}; expected at most {LINES}, each name once")
        self._block = bytearray(_BLOCK_HEAD.size)
        self._count = 0
        self._end = 0
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror}") from error
        try:
            self._append(MAGIC)
            self.log("head", -1, 0, {"version": VERSION, "lines": list(lines), **(facts or {})})
            self.flush()
        except BaseException:
            self._abandon()
            raise

    def log(self, kind: str, line: int, now: int, payload: Any = None) -> None:
        """Records one input; what is read again is equal.

        Args:
            kind: the name of an ``InputKind``, in small letters.
            line: its number, -1 for none.
            now: its time, ns.
            payload: None, bytes of a frame (copied), (code or None, reason) of "closed", symbols, an array of events,
                or a JSON value.

        Raises:
            StorageError: a block was full and could not be written.
            ValueError: the log is closed.
        """
        if payload is None:
            payload = b""
        elif kind == "closed":
            code, reason = payload
            payload = _CODE.pack(_NO_CODE if code is None else code) + reason.encode("utf-8", "replace")
        elif isinstance(payload, np.ndarray):
            payload = payload.tobytes()
        elif isinstance(payload, list | tuple | dict):
            payload = json.dumps(payload, separators=(",", ":"), allow_nan=False).encode()
        if self._file < 0:
            raise ValueError(f"{self.path}: the log is closed")
        block = self._block
        block += _HEAD.pack(_KINDS[kind], line & 0xFF, 0, len(payload), now)
        block += payload
        self._count += 1
        if len(block) > BLOCK:
            self.flush()

    def drained(self, now: int) -> None:
        """What was composed went to the tape. Ends the block: log and tape are cut at the same place."""
        self.log("drain", -1, now)
        self.flush()

    def flush(self) -> None:
        """Writes what was recorded as one block.

        Raises:
            StorageError: the write failed; the file ends with the block before.
        """
        if not self._count:
            return
        records = memoryview(self._block)[_BLOCK_HEAD.size :]
        head = (_MARK, len(records), zlib.crc32(records), self._count)
        records.release()
        _BLOCK_HEAD.pack_into(self._block, 0, *head)
        block, count, self._block, self._count = self._block, self._count, bytearray(_BLOCK_HEAD.size), 0
        self._append(block)
        self.records += count

    def _append(self, data: bytes | bytearray) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.truncate(self._file, self._end)
                os.lseek(self._file, self._end, os.SEEK_SET)
            raise StorageError(f"{self.path}: write failed: {error.strerror}", self._end) from error
        self._end += len(data)

    def _abandon(self) -> None:
        os.close(self._file)
        self._file = -1

    def close(self, now: int = 0, *, complete: bool = True) -> None:
        """Writes what is left and, if ``complete``, the end mark; closes the file."""
        if self._file < 0:
            return
        try:
            if complete:
                self.log("end", -1, now)
            self.flush()
        finally:
            self._abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(complete=kind is None)


class RawFile:
    """Reads a raw log, from the start, again and again.

    Attributes:
        path: the file.
        size: its bytes.
        facts: what HEAD holds.
        lines: names of the lines.
        torn: after a pass: whether the end mark is missing.
        dropped: after a pass: bytes after the last complete block.

    Raises:
        StorageError: the file cannot be read, is no raw log, or of another version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.torn, self.dropped = True, 0
        self.facts: dict[str, Any] = {}
        self.lines: list[str] = []
        try:
            self.size = os.stat(self.path).st_size
            first = next(iter(self), None)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be read: {error.strerror}") from error
        if first is None or first.kind is not InputKind.HEAD:
            raise StorageError(f"{self.path}: the log holds no complete block", len(MAGIC))
        try:
            self.facts = first.facts
            version = self.facts["version"]
            self.lines = [str(name) for name in self.facts["lines"]]
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{self.path}: HEAD is damaged: {error}", len(MAGIC)) from error
        if version != VERSION:
            raise StorageError(f"{self.path}: version is {version!r}; expected {VERSION}", len(MAGIC))

    def __iter__(self) -> Iterator[Input]:
        """Every record up to the end mark, or to the last complete block.

        Raises:
            StorageError: damage before the last block; what came before it was given out.
        """
        self.torn, self.dropped = True, 0
        with open(self.path, "rb", buffering=1 << 18) as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise StorageError(f"{self.path}: no raw log; expected {MAGIC!r} at its start", 0)
            start = len(MAGIC)
            while (block := self._block(file, start)) is not None:
                for record in self._records(block, start):
                    self.torn = record.kind is not InputKind.END
                    yield record
                start += _BLOCK_HEAD.size + len(block)

    def _block(self, file: Any, start: int) -> memoryview | None:
        """The records of the block at ``start``; None at the end of what is whole."""
        head = file.read(_BLOCK_HEAD.size)
        self.dropped = max(0, self.size - start)
        if len(head) < _BLOCK_HEAD.size:
            return None
        mark, size, check, _ = _BLOCK_HEAD.unpack(head)
        end = start + _BLOCK_HEAD.size + size
        if mark != _MARK:
            rest = head + file.read(1 << 16)
            if any(rest):  # a crash may leave zeros where data was to be
                raise StorageError(f"{self.path}: a block starts with {mark!r}; expected {_MARK!r}", start)
            return None
        if end > self.size:
            return None
        records = file.read(size)
        if zlib.crc32(records) != check:
            if end == self.size:
                return None
            raise StorageError(f"{self.path}: the checksum of a block is wrong", start)
        self.dropped = 0
        return memoryview(records)

    def _records(self, block: memoryview, start: int) -> Iterator[Input]:
        at = 0
        while at < len(block):
            place = start + _BLOCK_HEAD.size + at
            try:
                kind, line, _, size, now = _HEAD.unpack_from(block, at)
                number = -1 if line == _NO_LINE else line
                record = Input(InputKind(kind), number, now, block[at + _HEAD.size : at + _HEAD.size + size])
            except (struct.error, ValueError) as error:
                raise StorageError(f"{self.path}: a record is damaged: {error}", place) from error
            if len(record.data) != size:
                raise StorageError(f"{self.path}: a record of {size} bytes leaves its block", place)
            yield record
            at += _HEAD.size + size
