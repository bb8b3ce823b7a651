"""Reading a tape: what is whole, what is torn, what is damaged."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import threading
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from engine._native import tape as kernel
from engine.core.events import EVENT
from engine.core.instruments import Instruments
from engine.core.venues import venue_id
from engine.errors import ConfigError, StorageError
from engine.storage.arrow_message import END, END_OF_STREAM, RECORD_BATCH, SCHEMA, Message, read_messages
from engine.storage.files import check_apart
from engine.storage.parquet import write_parquet
from engine.storage.tape_schema import FIELDS, KEYS, ROWS, VERSION, TapeBatch, aligned, schema, schema_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["TapeFile", "damage"]

_POOL: Final[list[bytearray]] = []  # memory of batches that was read into, for the next batches of any tape
_POOLED: Final = 4  # as many stay: 8 MB
_POOL_LOCK: Final = threading.Lock()
#: What reading text that bytes were changed in can raise; pyarrow's errors are among them, or are OSError.
_DAMAGE: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, OSError)


@contextlib.contextmanager
def damage(path: str, what: str, offset: int) -> Iterator[None]:
    """Whatever goes wrong inside means that these bytes of a tape are damaged: a StorageError that names the place."""
    try:
        yield
    except (*_DAMAGE, NotImplementedError) as error:
        text = str(error).partition("\n")[0]
        raise StorageError(f"{path}: {what} damaged: {type(error).__name__}: {text}", offset) from error


class TapeFile:
    """A tape on disk, mapped into memory.

    Text that is damaged (instruments, venues, side rows, bars) is a StorageError wherever it is read, with the place. A
    batch whose frame is damaged cannot be told from one that was cut off: the tape ends before it, is ``torn``, and
    ``dropped`` tells how much was left. The columns carry no checksum: a changed byte there reads as another value.

    Attributes:
        torn: the end mark is missing: the recording was cut off, failed, or still goes on.
        dropped: bytes after the last complete batch, which are not read.
        rows: events in the complete batches.
        end_of_data: where the last complete batch ends.

    Raises:
        StorageError: the file cannot be read, is not a tape, is a tape of another version, or is damaged.
        ValueError: while reading: it was closed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._memory = _map(self.path)
        self._closed = False
        self._messages: list[Message] = []
        self.torn, self.end_of_data = True, 0
        messages = read_messages(self._memory)
        self._check_schema(next(messages, None))
        for message in messages:
            if message.kind == END:
                self.torn = False
                break
            if message.kind != RECORD_BATCH or not _is_plain(message):
                raise StorageError(f"{self.path}: message of kind {message.kind} is no batch of events", message.start)
            self._messages.append(message)
            self.end_of_data = message.end
        self.rows = sum(message.rows for message in self._messages)
        self.dropped = len(self._memory) - self.end_of_data - (0 if self.torn else len(END_OF_STREAM))
        if self.dropped and not self.torn:
            raise StorageError(f"{self.path}: damaged: {self.dropped} bytes after the end mark", self.end_of_data)

    def _check_schema(self, message: Message | None) -> None:
        if message is None:
            if not schema_message().startswith(bytes(self._memory[:8])):
                raise StorageError(f"{self.path}: not a tape (no Arrow stream starts here)", 0)
            return
        import pyarrow as pa

        with damage(self.path, "the schema is", message.start):
            data = bytes(self._memory[: message.end])
            found = pa.ipc.read_schema(pa.py_buffer(data)) if message.kind == SCHEMA else pa.schema([])
            version = (found.metadata or {}).get(b"tickforge.tape", b"").decode()
        if not version:
            raise StorageError(f"{self.path}: an Arrow stream, but not a tape (no tickforge.tape in its schema)", 0)
        if version != VERSION:
            raise StorageError(f"{self.path}: a tape of version {version}; expected version {VERSION}", 0)
        if not found.equals(schema()):
            raise StorageError(f"{self.path}: the columns are not those of a tape of version {VERSION}", 0)
        self.end_of_data = message.end

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[TapeBatch]:
        """Every batch, venues numbered as here.

        The events are the caller's: their memory is used again only when nobody holds them.
        """
        ours = self._venue_numbers()
        for message in self._messages:
            batch = self._news(message)._replace(events=self._events(message))
            if ours is not None:
                batch.events["venue"] = ours[batch.events["venue"]]
                batch = batch._replace(venues={venue_id(name): name for name in batch.venues.values()})
            yield batch

    def _venue_numbers(self) -> NDArray[np.uint16] | None:
        """Our number of each venue number on the tape; None where all are the same.

        They differ for venues that got a fixed number after the recording.
        """
        numbers: dict[int, int] = {}
        for batch in self.news():
            with damage(self.path, "the venues are", batch.start):
                numbers |= {number: venue_id(name) for number, name in batch.venues.items()}
        moved = {number: here for number, here in numbers.items() if here != number}
        if not moved:
            return None
        ours = np.arange(1 << 16, dtype=np.uint16)
        ours[list(moved)] = list(moved.values())
        return ours

    def news(self) -> Iterator[TapeBatch]:
        """Every batch without its events: instruments, venues (numbered as on the tape), side rows and bars."""
        self._check_open()
        return map(self._news, self._messages)

    def _news(self, message: Message) -> TapeBatch:
        if not message.metadata:
            return TapeBatch(np.empty(0, EVENT), start=message.start)
        with damage(self.path, "what is new with a batch is", message.start):
            empty = {"venues": "{}"}
            news = {key: json.loads(message.metadata.get(f"tickforge.{key}", empty.get(key, "[]"))) for key in KEYS}
            for key in ("instruments", "side", "bars"):
                if not isinstance(news[key], list) or not all(isinstance(row, dict) for row in news[key]):
                    raise ValueError(f"{key} are no rows")
            venues = {int(number): name for number, name in news["venues"].items()}
            if not all(0 <= number < 1 << 16 and isinstance(name, str) for number, name in venues.items()):
                raise ValueError("venues are not numbers and names")
            parts = (news["instruments"], venues, news["side"], news["bars"])
        return TapeBatch(np.empty(0, EVENT), *parts, start=message.start)

    def define(self, instruments: Instruments) -> None:
        """Adds the tape's instruments to a table, each with its last definition.

        Raises:
            ConfigError: the table knows them by other ids.
        """
        numbers: dict[str, int] = {}
        for batch in self.news():
            for row in batch.instruments:
                with damage(self.path, "the instruments are", batch.start):
                    number, symbol = row["id"], row["symbol"]
                    if (expected := numbers.setdefault(symbol, len(numbers))) != number:
                        raise ValueError(f"id of {symbol} is {number!r}; expected {expected}")
                    known = instruments.add(**{name: value for name, value in row.items() if name != "id"})
                if known.id != number:
                    raise ConfigError(f"{self.path}: {symbol} has id {number} there and {known.id} in instruments")

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.path}: the tape is closed")

    def _events(self, message: Message) -> NDArray[np.void]:
        self._check_open()
        events = self._room(message.rows)
        kernel.to_events(self._memory, message.body, message.offsets[1::2], events)
        return events

    @staticmethod
    def _room(rows: int) -> NDArray[np.void]:
        """An array of our own; large ones come from a pool, since fresh pages cost more than the transposition."""
        if rows > ROWS or rows < ROWS // 8:
            return np.empty(rows, EVENT)
        with _POOL_LOCK:
            raw = next(filter(_is_free, _POOL), None)
            if raw is None:
                raw = bytearray(ROWS * EVENT.itemsize + 64)
                _POOL.append(raw)
                del _POOL[:-_POOLED]
            return aligned(np.frombuffer(raw, np.uint8))[: rows * EVENT.itemsize].view(EVENT)

    def to_arrow(self) -> pa.Table:
        """All events as an Arrow table over the mapped file, nothing copied."""
        return self.reader().read_all()  # errors of _arrow_batches come through as they are

    def reader(self) -> pa.RecordBatchReader:
        """The events as Arrow record batches over the mapped file, nothing copied, venues numbered as on the tape."""
        import pyarrow as pa

        self._check_open()
        return pa.RecordBatchReader.from_batches(schema(), self._arrow_batches())

    def _arrow_batches(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        memory, messages = self._memory, self._messages
        if not messages:
            return
        with damage(self.path, "the schema is", 0):
            stream = pa.ipc.open_stream(pa.py_buffer(memory)[: self.end_of_data])
        for message in messages:
            with damage(self.path, "a batch is", message.start):
                batch = stream.read_next_batch()
                batch.validate()
            yield batch

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        self._check_open()
        for _ in self._arrow_batches():  # damage is told now: the stream cannot carry our errors
            pass
        return self.reader().__arrow_c_stream__(requested_schema)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Exports the events; instruments and venues go into the file's schema metadata, as on the tape.

        Raises:
            StorageError: the tape is damaged, or the file cannot be written; then it is not there.
            ConfigError: ``path`` is the tape itself.
        """
        check_apart(path, self.path)
        defined = Instruments()
        self.define(defined)
        instruments = [{"id": instrument.id, **instrument.to_dict()} for instrument in defined]
        venues = {number: name for batch in self.news() for number, name in batch.venues.items()}
        write_parquet(path, self.reader(), instruments, venues)

    def close(self) -> None:
        """Lets the file go; the batches and tables already given out stay valid."""
        self._messages, self._memory, self._closed = [], b"", True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _map(path: str) -> mmap.mmap | bytes:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from error


def _is_free(raw: bytearray) -> bool:
    """Whether no array looks at these bytes: an array's view of a bytearray forbids to change its length."""
    try:
        raw.append(0)
    except BufferError:
        return False
    raw.pop()
    return True


def _is_plain(message: Message) -> bool:
    """Whether the batch holds every column whole, without nulls and compression."""
    if not message.plain or len(message.offsets) != 2 * len(FIELDS):
        return False
    values = zip(message.offsets[1::2], message.lengths[1::2], FIELDS, strict=True)
    return message.rows >= 0 and all(
        at >= 0 and message.body + at + length <= message.end and length >= message.rows * EVENT[name].itemsize
        for at, length, name in values
    )
