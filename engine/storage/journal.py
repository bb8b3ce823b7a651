"""The journal: what was decided, durable before it is done.

Records are bytes to this module; what they mean is their writer's business. Their form on disk stands in
``journal_records``; a file cut off at any byte opens with every record that was durable.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Literal, Self

from engine._native.journal import Writer, crc32c
from engine.errors import ConfigError, StorageError
from engine.storage.journal_file import DiskFile
from engine.storage.journal_records import Head, JournalReader, Record, Tail, decode_head, encode_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Buffer

    from engine.storage.journal_file import JournalFile

__all__ = ["Durability", "Journal", "JournalReader", "Record", "read_journal"]

Durability = Literal["disk", "os"]


class Journal:
    """One writer's journal; open it with ``Journal.open``.

    What ``append`` takes is durable after ``commit``, or some time after ``submit``: when ``durable`` has reached its
    sequence. On a disk a thread of its own, without Python, writes and syncs what was submitted while it was busy
    together. After a failure nothing can be appended any more.

    Attributes:
        name: the path, for messages.
        uid: 16 bytes that no other journal has.
        facts: what the journal was made with.
        recovered: bytes of a commit cut short that were found behind the last whole record, and dropped.
    """

    def __init__(self, file: JournalFile, head: Head, tail: Tail, durable: Durability) -> None:
        self.name, self.recovered = file.name, tail.dropped
        self.uid, self.facts = head
        self._file = file
        self._writer = Writer(file.name, crc32c(self.uid), tail.last)
        self._end, self._durable = tail.end, tail.last
        self._size = file.size()
        self._sync = durable == "disk"
        self._news: int | None = None
        if self._sync and file.descriptor is not None:
            self._news = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._writer.start(file.descriptor, self._news, self._end, self._size)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | JournalFile,
        *,
        durable: Durability = "disk",
        facts: Mapping[str, Any] | None = None,
        uid: bytes | None = None,
    ) -> Self:
        """Makes a journal, or opens one and drops what a stop has left of its last commit.

        Args:
            path: of a file, or a file in memory.
            durable: "disk": what is durable outlives a stop of the machine; "os": a stop of the process.
            facts: of a new journal: a JSON object, 4 KB at most. No secrets.
            uid: of a new journal, 16 bytes; drawn by chance where there is none.

        Raises:
            StorageError: the file cannot be opened or written, has a writer, is no journal, or is damaged.
            ConfigError: ``durable`` or ``facts`` is wrong.
        """
        if durable not in {"disk", "os"}:
            raise ConfigError(f"durable is {durable!r}; expected 'disk' or 'os'")
        page = encode_head(os.urandom(16) if uid is None else uid, facts or {})
        file: JournalFile = DiskFile(path) if isinstance(path, str | os.PathLike) else path
        try:
            if decode_head(file) is None:
                _create(file, page)
            reader = JournalReader(file)
            for _ in reader:
                pass
            _mend(file, reader.tail)
            return cls(file, reader.head, reader.tail, durable)
        except OSError as error:
            file.close()
            raise StorageError(f"{file.name}: cannot be opened: {error.strerror}") from error
        except BaseException:
            file.close()
            raise

    def append(self, kind: int, payload: Buffer, now: int, *, version: int = 1) -> int:
        """Takes a record, copies its payload, and returns its sequence; writes nothing yet.

        Args:
            kind: 0 to 255, the caller's.
            payload: at most 16 MiB.
            now: ns since epoch, the caller's clock.
            version: 0 to 255, of the payload's form.

        Raises:
            StorageError: the journal has failed (see ``failed``) or is closed, or 64 MiB wait for the disk already.
            ValueError: the payload is too long.
        """
        return self._writer.append(kind, version, now, payload)

    def commit(self) -> None:
        """Makes all that was appended durable before it returns.

        Raises:
            StorageError: it cannot be written or synced; the journal has failed for good.
        """
        if self._news is not None:
            self._writer.commit()
        else:
            self._write()

    def submit(self) -> None:
        """Lets what was appended become durable: at once, or soon where a thread does it. Raises nothing."""
        if self._news is not None:
            self._writer.submit()
        elif self._writer.failed is None:
            with contextlib.suppress(StorageError):
                self._write()

    def fileno(self) -> int | None:
        """Readable when ``durable`` or ``failed`` changed since ``acknowledge``; None where ``submit`` does all."""
        return self._news

    def acknowledge(self) -> int:
        """Makes ``fileno`` unreadable until there is more news; returns ``durable``."""
        if self._news is not None:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._news)
        return self.durable

    @property
    def last(self) -> int:
        """Sequence of the last record appended; 0 without any."""
        return self._writer.last

    @property
    def durable(self) -> int:
        """All records up to this sequence are durable."""
        return self._durable if self._news is None else self._writer.durable

    @property
    def failed(self) -> str | None:
        """Why nothing can be appended any more; None while all is well."""
        return self._writer.failed

    @property
    def end(self) -> int:
        """Bytes of the file up to the end of what is durable."""
        return self._end if self._news is None else self._writer.end

    def records(self) -> Iterator[Record]:
        """Every durable record, from the first.

        Raises:
            StorageError: the file was damaged since, or cannot be read.
        """
        durable = self.durable
        for record in JournalReader(self._file):
            if record.sequence > durable:
                return
            yield record

    def close(self) -> None:
        """Commits, gives back the room that the file has ahead, and lets go of it. A second call does nothing.

        Raises:
            StorageError: the last records cannot be made durable.
        """
        try:
            if self._writer.failed is None:
                self.commit()
        finally:
            self._release()

    def _release(self) -> None:
        self._writer.stop()
        try:
            if self._writer.failed is None:
                with contextlib.suppress(OSError):  # room that stays is no harm
                    self._file.truncate(self.end)
                    self._file.sync()
        finally:
            self._end, self._durable = self.end, self.durable
            self._writer.fail("is closed")
            self._file.close()
            news, self._news = self._news, None
            if news is not None:
                os.close(news)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self) -> None:
        data, last = self._writer.take()
        if not data:
            return
        end = self._end + len(data)
        try:
            if end > self._size:
                self._size = end + self._file.step
                self._file.reserve(self._size)
            self._file.write(self._end, data)
            if self._sync:
                self._file.sync()
        except OSError as error:
            self._writer.fail(f"cannot be written or synced: {error.strerror}")
            raise StorageError(f"{self.name}: {self.failed}") from error
        self._end, self._durable = end, last


def read_journal(path: str | os.PathLike[str]) -> JournalReader:
    """A journal to read, also while its engine runs.

    Raises:
        StorageError: there is no such journal, or it cannot be read.
    """
    return JournalReader(DiskFile(path, write=False))


def _create(file: JournalFile, page: bytes) -> None:
    file.truncate(0)
    file.write(0, page)
    file.sync()
    if isinstance(file, DiskFile):
        file.sync_name()


def _mend(file: JournalFile, tail: Tail) -> None:
    """Zeros where a commit was cut short. And the last commit is written again before it counts as durable: after a
    failed sync, a kernel may give out what the disk never got.
    """
    file.write(tail.commit, file.read(tail.commit, tail.end - tail.commit) + bytes(tail.dropped))
    file.sync()
