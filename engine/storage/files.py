"""Recorded files as pieces of bytes: plain, gzip, xz and zstandard alike, in bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import stat
import time
import zlib
from typing import TYPE_CHECKING, Any, Final

from engine.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PIECE", "RecordedFile", "check_apart", "same_file"]

PIECE: Final = 1 << 21  #: bytes a piece at most, after decompression
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


class RecordedFile:
    """A file to read from the start, again and again. What it is compressed with is told by its first bytes.

    Attributes:
        path: as it was given.
        size: bytes on disk.
        position: bytes on disk read so far in the pass that runs.
        reading_ns: time spent on reading and decompressing, over all passes.
        compression: "gzip", "xz", "zstd", or None.

    Raises:
        StorageError: the file cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.position = self.reading_ns = 0
        try:
            self.size = os.stat(self.path).st_size
            with open(self.path, "rb") as file:
                start = file.read(8)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be read: {error.strerror}") from error
        self.compression = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)

    def pieces(self, size: int = PIECE) -> Iterator[bytes]:
        """The content in pieces of about ``size`` bytes.

        Raises:
            StorageError: the compressed data is damaged or cut off; what came before it was given out.
        """
        with open(self.path, "rb", buffering=1 << 18) as file, self._opened(file) as stream:
            whole, failure = False, None
            while not whole and failure is None:
                started = time.perf_counter_ns()
                piece, whole, failure = _collect(stream, size)
                self.reading_ns += time.perf_counter_ns() - started
                self.position = file.tell()
                if piece:
                    yield piece
        if failure is not None:
            place = f"near byte {self.position} of {self.size}"
            raise StorageError(f"{self.path}: {self.compression or 'plain'} data, {place}: {failure}") from failure

    def head(self, size: int = 4096) -> bytes:
        """The first bytes of the content."""
        return next(self.pieces(size), b"")[:size]

    def _opened(self, file: Any) -> Any:
        if self.compression == "gzip":
            return gzip.GzipFile(fileobj=file)
        if self.compression == "xz":
            return lzma.LZMAFile(file)
        if self.compression == "zstd":
            import pyarrow as pa

            return pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")
        return contextlib.nullcontext(file)


def _collect(stream: Any, size: int) -> tuple[bytes, bool, Exception | None]:
    """(bytes, the end was reached, what went wrong after them)."""
    parts: list[bytes] = []
    left = size
    try:
        while left > 0:
            part = stream.read1(left)
            if not part:
                return b"".join(parts), True, None
            parts.append(part)
            left -= len(part)
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        return b"".join(parts), False, error
    return parts[0] if len(parts) == 1 else b"".join(parts), False, None


def same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether writing one path would write the other: the same regular file, or one to be, by any name."""
    try:
        here, there = os.stat(one), os.stat(other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
    return stat.S_ISREG(here.st_mode) and os.path.samestat(here, there)


def check_apart(out: str | os.PathLike[str], source: str | os.PathLike[str]) -> None:
    """ConfigError where ``out`` is the file that is read."""
    if same_file(out, source):
        raise ConfigError(f"{os.fspath(out)}: is the file being read; expected another to write")
