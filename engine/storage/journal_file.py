"""Where a journal lies: on a disk, or in memory with the faults of disks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING, Final, Protocol

from engine.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SECTOR", "DiskFile", "JournalFile", "MemoryFile", "Stopped"]

SECTOR: Final = 512  #: bytes a disk writes as a whole or not at all


class JournalFile(Protocol):
    """What a journal needs of a file. Offsets and sizes are bytes; every method may raise OSError.

    Attributes:
        name: for messages.
        descriptor: of the operating system's file, None where there is none.
        step: bytes by which the file grows ahead of what is written.
    """

    name: str
    descriptor: int | None
    step: int

    def size(self) -> int:
        """How long the file is."""

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes from there; fewer at the end of the file."""

    def write(self, offset: int, data: bytes) -> None:
        """All of data, there."""

    def reserve(self, size: int) -> None:
        """Makes the file at least so long, with zeros, as far as that is possible."""

    def truncate(self, size: int) -> None:
        """Makes the file so long."""

    def sync(self) -> None:
        """What was written outlives a stop of the machine."""

    def close(self) -> None:
        """Lets go of it."""


class DiskFile:
    """A file of the operating system.

    Args:
        path: made, readable by its owner alone, where there is none.
        write: for one writer: locked until it is closed. Else for reading; nothing is made.

    Raises:
        StorageError: it cannot be opened, is no regular file, or is open for writing elsewhere.
    """

    def __init__(self, path: str | os.PathLike[str], *, write: bool = True) -> None:
        self.name = os.fspath(path)
        self.descriptor: int | None = None
        self.step = 1 << 24
        try:
            descriptor = os.open(self.name, os.O_RDWR | os.O_CREAT if write else os.O_RDONLY, 0o600)
        except OSError as error:
            raise StorageError(f"{self.name}: cannot be opened: {error.strerror}") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise StorageError(f"{self.name}: is no regular file; a journal is one")
            if write:
                self._lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self.descriptor = descriptor

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                raise StorageError(f"{self.name}: cannot be locked: {error.strerror}") from error
            raise StorageError(f"{self.name}: another engine has this journal open; expected one writer") from error

    def _open(self) -> int:
        if self.descriptor is None:
            raise OSError(errno.EBADF, "the file is closed")
        return self.descriptor

    def size(self) -> int:
        """How long the file is."""
        return os.fstat(self._open()).st_size

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes from there; fewer at the end of the file."""
        descriptor, parts = self._open(), []
        while size > 0 and (part := os.pread(descriptor, size, offset)):
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        """All of data, there."""
        descriptor, rest = self._open(), memoryview(data)
        while rest:
            written = os.pwrite(descriptor, rest, offset)
            rest = rest[written:]
            offset += written

    def reserve(self, size: int) -> None:
        """Makes the file at least so long, where the file system can do so and the disk has room."""
        with contextlib.suppress(OSError):
            os.posix_fallocate(self._open(), 0, size)

    def truncate(self, size: int) -> None:
        """Makes the file so long."""
        os.ftruncate(self._open(), size)

    def sync(self) -> None:
        """Its bytes to the disk."""
        os.fdatasync(self._open())

    def sync_name(self) -> None:
        """Its name in its folder to the disk."""
        os.fsync(self._open())
        folder = os.open(os.path.dirname(os.path.abspath(self.name)), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Unlocks and closes it."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Stopped(BaseException):
    """The process ended here: nobody catches it on the way."""


class MemoryFile:
    """A journal's file in memory, for virtual time and for tests of what a stop leaves behind.

    Attributes:
        content: what a reader sees now, and what the stop of the process alone would leave.
        stop_at: the write that would pass this byte of the file ends before it and raises ``Stopped``; None: none does.
        write_errors, sync_errors: errnos that the next writes or syncs fail with, 0 for one that does not.
        syncs: how many succeeded.
    """

    def __init__(self, content: bytes = b"", *, name: str = "journal in memory", step: int = 1 << 16) -> None:
        self.name, self.step = name, step
        self.descriptor: int | None = None
        self.content = bytearray(content)
        self.stop_at: int | None = None
        self.write_errors: list[int] = []
        self.sync_errors: list[int] = []
        self.syncs = 0
        self._before: dict[int, bytes] = {}  # sectors written since the last sync, as they are on the disk
        self._lost: dict[int, bytes] = {}  # likewise, of those that a sync has failed to write: the next forgets them

    def size(self) -> int:
        """How long the file is."""
        return len(self.content)

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes from there; fewer at the end of the file."""
        return bytes(self.content[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        """All of data, there."""
        _fail_from(self.write_errors)
        stop = self.stop_at is not None and offset + len(data) > self.stop_at
        if stop and self.stop_at is not None:
            data = data[: max(0, self.stop_at - offset)]
        end = offset + len(data)
        self.reserve(end)
        for sector in range(offset // SECTOR, -(-end // SECTOR)):
            now = bytes(self.content[sector * SECTOR : (sector + 1) * SECTOR])
            self._before.setdefault(sector, self._lost.pop(sector, now))
        self.content[offset:end] = data
        if stop:
            raise Stopped(f"{self.name}: stopped at byte {self.stop_at}")

    def reserve(self, size: int) -> None:
        """Makes the file at least so long, with zeros."""
        if size > len(self.content):
            self.content.extend(bytes(size - len(self.content)))

    def truncate(self, size: int) -> None:
        """Makes the file so long."""
        self.reserve(size)
        del self.content[size:]

    def sync(self) -> None:
        """Nothing written so far is lost by ``crashed``. One that fails forgets what it should have kept, as kernels
        do: it is there to read, and the next sync succeeds without it.
        """
        try:
            _fail_from(self.sync_errors)
        except OSError:
            self._lost.update(self._before)
            raise
        finally:
            self._before.clear()
        self.syncs += 1

    def close(self) -> None:
        """Nothing: the content stays."""

    def crashed(self, survives: Callable[[int], bool]) -> MemoryFile:
        """What a stop of the machine would leave: of the sectors written since the last sync those whose number
        ``survives``, the others as they were.
        """
        left = bytearray(self.content)
        for sector, before in [*self._before.items(), *self._lost.items()]:
            if sector in self._lost or not survives(sector):
                left[sector * SECTOR : sector * SECTOR + len(before)] = before
        return MemoryFile(bytes(left), name=self.name, step=self.step)


def _fail_from(errors: list[int]) -> None:
    if errors and (number := errors.pop(0)):
        raise OSError(number, os.strerror(number))
