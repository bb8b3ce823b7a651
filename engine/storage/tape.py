"""The tape: market history in one file, a standard Arrow IPC stream.

The columns are the fields of ``engine.EVENT``; any Arrow reader reads them. What is new since the batch before travels
in the custom metadata of each record batch, as JSON with exact integers: ``tickforge.instruments`` (rows with ``id``),
``tickforge.venues`` (number -> name), ``tickforge.side`` (rows of the side stream, with ``type``) and
``tickforge.bars`` (bars that were pushed). An instrument travels with the first batch that refers to it. So a file cut
off at any byte is whole up to its last complete batch, and needs nothing beside it.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import stat
import threading
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self

import numpy as np

from engine._native import tape as kernel
from engine.core.events import EVENT
from engine.core.venues import venue_id, venue_name
from engine.errors import ConfigError, StorageError
from engine.storage.arrow_message import END, END_OF_STREAM, RECORD_BATCH, SCHEMA, Message, read_messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["ROWS", "VERSION", "TapeBatch", "TapeFile", "TapeWriter", "record_batch", "schema", "write_parquet"]

VERSION: Final = "1"  #: of the schema and the metadata, in the schema's metadata as ``tickforge.tape``
#: Events a record batch at most: two megabytes. Not a power of two, so that the columns, 255 KB apart, fall into
#: different sets of the first-level cache.
ROWS: Final = 32_640
_POOL: Final[list[bytearray]] = []  # memory of batches that was read into, for the next batches of any tape
_POOLED: Final = 4  # as many stay: 8 MB
_POOL_LOCK: Final = threading.Lock()
_KEYS: Final = ("instruments", "venues", "side", "bars")
_FIELDS: Final = EVENT.names or ()


class InstrumentTable(Protocol):
    """What a writer needs of ``engine.Instruments``."""

    def __getitem__(self, key: int, /) -> Any: ...
    def __len__(self) -> int: ...


class TapeBatch(NamedTuple):
    """One record batch: its events, and what is new with it (see the module)."""

    events: NDArray[np.void]
    instruments: Sequence[Mapping[str, Any]] = ()
    venues: Mapping[int, str] = {}
    side: Sequence[Mapping[str, Any]] = ()
    bars: Sequence[Mapping[str, Any]] = ()


@cache
def schema() -> pa.Schema:
    """The Arrow schema of a tape: the fields of EVENT, none null. Prices and quantities are counts of 1e-9."""
    import pyarrow as pa

    stamp = pa.timestamp("ns", "UTC")
    types = [stamp if name.startswith("ts_") else pa.from_numpy_dtype(EVENT[name]) for name in _FIELDS]
    units = {"price": {"unit": "1e-9"}, "quantity": {"unit": "1e-9"}}
    fields = [pa.field(*pair, nullable=False, metadata=units.get(pair[0])) for pair in zip(_FIELDS, types, strict=True)]
    return pa.schema(fields, metadata={"tickforge.tape": VERSION})


@cache
def _schema_message() -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, schema()).close()
    return bytes(sink.getvalue())[: -len(END_OF_STREAM)]


def _batch_header(rows: int, metadata: dict[str, str] | None) -> bytes:
    """The frame and the metadata of a record batch, written by pyarrow; the body that follows is ours."""
    import pyarrow as pa

    zeros = pa.py_buffer(bytes(8 * rows))
    arrays = [
        pa.Array.from_buffers(field.type, rows, [None, zeros[: rows * EVENT[field.name].itemsize]], 0)
        for field in schema()
    ]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema()) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema()), custom_metadata=metadata)
    message = bytes(sink.getvalue())[len(_schema_message()) :]
    return message[: len(message) - len(END_OF_STREAM) - kernel.body_size(rows)]


@lru_cache(maxsize=4096)
def _plain_header(rows: int) -> bytes:
    return _batch_header(rows, None)


def record_batch(events: NDArray[np.void]) -> pa.RecordBatch:
    """Events as an Arrow record batch of ``schema``."""
    import pyarrow as pa

    body = pa.allocate_buffer(kernel.body_size(len(events)))
    kernel.to_columns(np.ascontiguousarray(events), body)
    arrays, offset = [], 0
    for field in schema():
        size = len(events) * EVENT[field.name].itemsize
        arrays.append(pa.Array.from_buffers(field.type, len(events), [None, body[offset : offset + size]], 0))
        offset += -(-size // 8) * 8
    return pa.RecordBatch.from_arrays(arrays, schema=schema())


def write_parquet(
    path: str | os.PathLike[str],
    batches: Iterable[pa.RecordBatch],
    instruments: Sequence[Mapping[str, Any]],
    venues: Mapping[int, str],
) -> None:
    """Writes record batches of ``schema``; instruments and venues go into the file's schema metadata, as on a tape.

    Raises:
        StorageError: the file cannot be written.
    """
    import pyarrow.parquet as pq

    tables = {b"tickforge.instruments": _json(instruments), b"tickforge.venues": _json(venues)}
    described = schema().with_metadata({**schema().metadata, **tables})
    try:
        with pq.ParquetWriter(os.fspath(path), described) as writer:
            for batch in batches:
                writer.write_batch(batch.replace_schema_metadata(described.metadata))
    except OSError as error:
        raise StorageError(f"{os.fspath(path)}: cannot be written: {error}") from error


class TapeWriter:
    """Records events, side rows and bars into one file; every batch is one write, nothing is held back.

    Args:
        path: the file; an existing one is replaced.
        instruments: where the definitions of the instruments in the events are found.
        resume: go on after the last complete batch of an existing tape, torn or ended, instead of replacing it.

    Raises:
        StorageError: the file cannot be opened or written, or is not a tape.
        ConfigError: the tape that is to go on names other instruments by the same ids.
    """

    def __init__(
        self, path: str | os.PathLike[str], instruments: InstrumentTable | None = None, *, resume: bool = False
    ) -> None:
        self.path = os.fspath(path)
        self.rows = 0
        self._instruments = instruments
        self._known_instruments = 0
        self._known_venues = np.zeros(1 << 16, bool)
        self._body = _aligned(np.empty(kernel.body_size(ROWS) + 64, np.uint8)).data
        self._end = 0
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            if not resume and stat.S_ISREG(os.fstat(self._file).st_mode):
                self._file = self._replace(self._file)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror}") from error
        try:
            if resume:
                self._resume()
            if self._end == 0:
                self._append(_schema_message())
        except BaseException:
            os.close(self._file)
            raise

    def _replace(self, file: int) -> int:
        """A new file in place of the old one, which stays whole for whoever has it mapped."""
        os.close(file)
        path = os.path.realpath(self.path)
        os.unlink(path)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    def _resume(self) -> None:
        with TapeFile(self.path) as tape:
            self._end = tape.end_of_data
            self.rows = tape.rows
            for batch in tape.news():
                self._check_table(batch.instruments)
                self._known_instruments += len(batch.instruments)
                self._known_venues[list(batch.venues)] = True
        os.truncate(self._file, self._end)
        os.lseek(self._file, self._end, os.SEEK_SET)

    def _check_table(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Whether the ids on the tape mean the same in the table that the next events come with."""
        if (table := self._instruments) is None:
            return
        for row in rows:
            number, symbol = row["id"], row["symbol"]
            known = table[number].symbol if number < len(table) else None
            if known != symbol:
                raise ConfigError(f"{self.path}: id {number} is {symbol} on the tape and {known} in instruments")

    def write(
        self,
        events: NDArray[np.void],
        side: Iterable[Mapping[str, Any]] = (),
        bars: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """Appends events, in record batches of at most ``ROWS``; side rows and bars travel with the first.

        Args:
            events: (n,) of ``engine.EVENT``.
            side: rows of the side stream, each a mapping of JSON values with ``type``.
            bars: mappings of JSON values, such as ``symbol``, ``interval`` and the columns of a bar table.

        Raises:
            StorageError: the write failed; the file ends with the batch before.
        """
        if events.dtype != EVENT or events.ndim != 1:
            raise ValueError(f"events are {events.ndim}-dimensional of {events.dtype}; expected (n,) of engine.EVENT")
        news = {"side": list(side), "bars": list(bars)}
        if not len(events) and not any(news.values()):
            return
        events = np.ascontiguousarray(events)
        for start in range(0, max(len(events), 1), ROWS):
            self._write_batch(events[start : start + ROWS], news if start == 0 else {})

    def write_batch(self, batch: TapeBatch) -> None:
        """Appends one batch of at most ``ROWS`` as it was read, so that recording a tape again gives the same bytes."""
        self._write_batch(np.ascontiguousarray(batch.events), batch._asdict())

    def _write_batch(self, events: NDArray[np.void], news: dict[str, Any]) -> None:
        rows = len(events)
        size = kernel.to_columns(events, self._body)
        if self._instruments is not None:
            news = {**news, "instruments": self._new_instruments(rows, news.get("side", ()))}
        new_venues: list[int] = []
        if "venues" not in news:
            new_venues = self._new_venues(rows)
            news = {**news, "venues": _venue_names(new_venues)}
        metadata = {f"tickforge.{key}": _json(news[key]) for key in _KEYS if news.get(key)}
        header = _batch_header(rows, metadata) if metadata else _plain_header(rows)
        self._append(header, self._body[:size])
        self.rows += rows
        if self._instruments is not None:
            self._known_instruments += len(news["instruments"])
        self._known_venues[new_venues] = True

    def _column(self, name: str, rows: int) -> NDArray[Any]:
        before = _FIELDS[: _FIELDS.index(name)]
        offset = sum(-(-rows * EVENT[field].itemsize // 8) * 8 for field in before)
        return np.frombuffer(self._body, EVENT[name], rows, offset)

    def _new_instruments(self, rows: int, side: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Definitions of the instruments that this batch is the first to refer to, and of those before them."""
        if self._instruments is None:
            return []
        # NO_INSTRUMENT + 1 wraps to 0
        numbers = [(row["instrument"] + 1) % (1 << 32) for row in side if "instrument" in row]
        numbers.append(int((self._column("instrument", rows) + np.uint32(1)).max(initial=0)))
        new = range(self._known_instruments, min(max(numbers), len(self._instruments)))
        return [{"id": number, **self._instruments[number].to_dict()} for number in new]

    def _new_venues(self, rows: int) -> list[int]:
        venues = self._column("venue", rows)
        if kernel.all_known(venues, self._known_venues):
            return []
        new: list[int] = np.unique(venues[~self._known_venues[venues]]).tolist()
        return new

    def _append(self, *parts: bytes | memoryview) -> None:
        """Writes all parts at the end, or leaves the file as it was."""
        left = [memoryview(part) for part in parts]
        size = sum(len(part) for part in left)
        try:
            while left:
                written = os.writev(self._file, left)
                while left and written >= len(left[0]):
                    written -= len(left.pop(0))
                if left:
                    left[0] = left[0][written:]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.truncate(self._file, self._end)
                os.lseek(self._file, self._end, os.SEEK_SET)
            raise StorageError(f"{self.path}: write failed: {error.strerror}", self._end) from error
        self._end += size

    def close(self, *, complete: bool = True) -> None:
        """Writes the end mark, which tells readers that nothing is missing, and closes the file.

        Args:
            complete: False leaves the end mark out: what was to be recorded was not recorded to its end, and the tape
                is ``torn``. A ``with`` statement that is left by an exception does that.
        """
        if self._file < 0:
            return
        try:
            if complete:
                self._append(END_OF_STREAM)
        finally:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(complete=kind is None)


class TapeFile:
    """A tape on disk, mapped into memory.

    Attributes:
        torn: the end mark is missing: the recording was cut off, failed, or still goes on.
        dropped: bytes after the last complete batch, which are not read.
        rows: events in the complete batches.
        end_of_data: where the last complete batch ends.

    Raises:
        StorageError: the file cannot be read, is not a tape, or is a tape of another version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._memory = _map(self.path)
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

    def _check_schema(self, message: Message | None) -> None:
        if message is None:
            if not _schema_message().startswith(bytes(self._memory[:8])):
                raise StorageError(f"{self.path}: not a tape (no Arrow stream starts here)", 0)
            return
        import pyarrow as pa

        data = bytes(self._memory[: message.end])
        found = pa.ipc.read_schema(pa.py_buffer(data)) if message.kind == SCHEMA else pa.schema([])
        version = (found.metadata or {}).get(b"tickforge.tape", b"").decode()
        if not version:
            raise StorageError(f"{self.path}: an Arrow stream, but not a tape (no tickforge.tape in its schema)", 0)
        if version != VERSION or found.names != list(_FIELDS) or found.types != schema().types:
            raise StorageError(f"{self.path}: a tape of version {version}; expected version {VERSION}", 0)
        self.end_of_data = message.end

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[TapeBatch]:
        """Every batch, venues numbered as here.

        The events are the caller's: their memory is used again only when nobody holds them.
        """
        ours = self._venue_numbers()
        for message in self._messages:
            batch = _news(message)._replace(events=self._events(message))
            if ours is not None:
                batch.events["venue"] = ours[batch.events["venue"]]
                batch = batch._replace(venues={venue_id(name): name for name in batch.venues.values()})
            yield batch

    def _venue_numbers(self) -> NDArray[np.uint16] | None:
        """Our number of each venue number on the tape; None where all are the same.

        They differ for venues that got a fixed number after the recording.
        """
        names = {number: name for batch in self.news() for number, name in batch.venues.items()}
        moved = {number: venue_id(name) for number, name in names.items() if venue_id(name) != number}
        if not moved:
            return None
        ours = np.arange(1 << 16, dtype=np.uint16)
        ours[list(moved)] = list(moved.values())
        return ours

    def news(self) -> Iterator[TapeBatch]:
        """Every batch without its events: instruments, venues (numbered as on the tape), side rows and bars."""
        return map(_news, self._messages)

    def _events(self, message: Message) -> NDArray[np.void]:
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
            return _aligned(np.frombuffer(raw, np.uint8))[: rows * EVENT.itemsize].view(EVENT)

    def to_arrow(self) -> pa.Table:
        """All events as an Arrow table over the mapped file, nothing copied."""
        return self.reader().read_all()

    def reader(self) -> pa.RecordBatchReader:
        """The events as Arrow record batches over the mapped file, nothing copied, venues numbered as on the tape."""
        import pyarrow as pa

        if not self.end_of_data:
            return pa.RecordBatchReader.from_batches(schema(), [])
        return pa.ipc.open_stream(pa.py_buffer(self._memory)[: self.end_of_data])

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.reader().__arrow_c_stream__(requested_schema)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Exports the events; instruments and venues go into the file's schema metadata, as on the tape."""
        instruments = [row for batch in self.news() for row in batch.instruments]
        venues = {number: name for batch in self.news() for number, name in batch.venues.items()}
        write_parquet(path, self.reader(), instruments, venues)

    def close(self) -> None:
        """Lets the file go; the batches and tables already given out stay valid."""
        self._messages, self._memory = [], b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _venue_names(numbers: Iterable[int]) -> dict[int, str]:
    names = {}
    for number in numbers:
        with contextlib.suppress(KeyError):  # a number nobody named is only a number
            names[number] = venue_name(number)
    return names


def _map(path: str) -> mmap.mmap | bytes:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from error


def _aligned(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part of ``raw`` that starts on a cache line, so that whole lines are stored."""
    return raw[-raw.ctypes.data % 64 :]


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
    if not message.plain or len(message.offsets) != 2 * len(_FIELDS):
        return False
    values = zip(message.offsets[1::2], message.lengths[1::2], _FIELDS, strict=True)
    return all(
        at >= 0 and message.body + at + length <= message.end and length >= message.rows * EVENT[name].itemsize
        for at, length, name in values
    )


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _news(message: Message) -> TapeBatch:
    if not message.metadata:
        return TapeBatch(np.empty(0, EVENT))
    empty = {"venues": "{}"}
    news = {key: json.loads(message.metadata.get(f"tickforge.{key}", empty.get(key, "[]"))) for key in _KEYS}
    venues = {int(number): name for number, name in news["venues"].items()}
    return TapeBatch(np.empty(0, EVENT), news["instruments"], venues, news["side"], news["bars"])
