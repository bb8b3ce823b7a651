"""LOBSTER files beyond their messages: what the name says, orderbook rows, and the rows a replay writes.

A pair is a message file and an orderbook file without header rows; row i of the latter is the book after message i:
ask price 1, ask size 1, bid price 1, bid size 1, ask price 2, ... as integers (dollars x 10000, shares).
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from engine._native.lobster import RowReplay, parse_rows
from engine.errors import ConfigError, ProtocolError
from engine.storage.files import RecordedFile
from engine.storage.parquet import parquet_writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from numpy.typing import NDArray

__all__ = ["RowFile", "RowReport", "RowWriter", "file_facts", "replay_rows", "row_columns"]

_NAME: Final = re.compile(r"(?P<symbol>[A-Z][A-Z0-9.\-]*)_(?P<date>\d{4}-\d\d-\d\d)_\d+_\d+_(message|orderbook)_\d+")
_LINE: Final = 1 << 16  # bytes a row may have: 400 levels of the widest numbers and more


def file_facts(path: str | os.PathLike[str]) -> dict[str, str]:
    """``symbol`` and ``date`` of a name such as AAPL_2012-06-21_34200000_37800000_message_50.csv; else nothing."""
    match = _NAME.match(os.path.basename(os.fspath(path)))
    return {"symbol": match["symbol"], "date": match["date"]} if match else {}


def row_columns(depth: int) -> list[str]:
    """Names of the 4 x depth columns, in LOBSTER's order."""
    names = ("ask_price", "ask_size", "bid_price", "bid_size")
    return [f"{name}_{level}" for level in range(1, depth + 1) for name in names]


class RowFile:
    """An orderbook file, read from the start to the end.

    Attributes:
        depth: levels of a row.

    Raises:
        StorageError: the file cannot be read.
        ProtocolError: a line that is not 4 x depth integers; the message names file, line and field.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._pieces = self._text(RecordedFile(path))
        self._piece = next(self._pieces, b"")
        self._at = 0
        self._line = 1
        columns = self._piece[:_LINE].split(b"\n", 1)[0].count(b",") + 1
        if columns % 4 or not self._piece:
            found = f"{columns} columns" if self._piece else "nothing"
            raise ProtocolError(f"{self.path}: line 1: {found}; expected 4 integers a level")
        self.depth = columns // 4

    @staticmethod
    def _text(file: RecordedFile) -> Iterator[bytes]:
        """Pieces of whole lines; the last line ends with a newline too."""
        rest = b""
        for piece in file.pieces():
            end = piece.rfind(b"\n") + 1
            if end:
                yield rest + piece[:end]
                rest = piece[end:]
            else:
                rest += piece
                if len(rest) > _LINE:
                    raise ProtocolError(f"{file.path}: a line of more than {_LINE} bytes; expected orderbook rows")
        if rest:
            yield rest + b"\n"

    def take(self, count: int) -> NDArray[np.int64]:
        """The next rows, shape (count, 4 x depth), or fewer at the end of the file."""
        out = np.empty((count, 4 * self.depth), np.int64)
        done = 0
        while done < count and self._piece:
            text = memoryview(self._piece)[self._at :]
            rows, size, column, failed = parse_rows(text, 4 * self.depth, out[done:])
            self._line += self._piece.count(b"\n", self._at, self._at + size)
            self._at += size
            if failed:
                expected = f"field {column + 1} is wrong; expected {4 * self.depth} integers"
                raise ProtocolError(f"{self.path}: line {self._line}: {expected}")
            done += rows
            if self._at == len(self._piece):
                self._piece, self._at = next(self._pieces, b""), 0
        return out[:done]


class RowWriter:
    """Writes rows as Parquet: int64 columns named as ``row_columns``.
    The file is there when the block has ended, and not if an exception left it.

    Raises:
        StorageError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], depth: int) -> None:
        import pyarrow as pa

        self._path = os.fspath(path)
        self._schema = pa.schema([(name, pa.int64()) for name in row_columns(depth)])
        self._stack = contextlib.ExitStack()

    def write(self, rows: NDArray[np.int64]) -> None:
        """Appends rows of shape (n, 4 x depth)."""
        import pyarrow as pa

        columns = [pa.array(np.ascontiguousarray(column)) for column in rows.T]
        self._write(pa.record_batch(columns, schema=self._schema))

    def __enter__(self) -> Self:
        self._write = self._stack.enter_context(parquet_writer(self._path, self._schema))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


@dataclass
class RowReport:
    """What a replay of rows found.

    Attributes:
        depth: levels a row has.
        rows: rows seen, the first one included.
        compared: rows compared with the orderbook file: all but the first.
        matched: of these, rows equal in every level compared.
        first_mismatch: the first row that differs (counted from 0), or None.
        matched_by_level, first_mismatch_by_level: the same for the best 1, 2, ... levels.
        taken_from_file: levels that no message tells and that were taken from the orderbook file.
        unknown_levels: reductions at levels that are not known: behind the window, or older than the file.
        clamped: reductions of more than a level held.
    """

    depth: int
    rows: int = 0
    compared: int = 0
    taken_from_file: int = 0
    unknown_levels: int = 0
    clamped: int = 0
    matched_by_level: list[int] = field(default_factory=list)
    first_mismatch_by_level: list[int | None] = field(default_factory=list)

    @property
    def matched(self) -> int:
        """Rows equal in every level compared."""
        return self.matched_by_level[-1] if self.matched_by_level else 0

    @property
    def first_mismatch(self) -> int | None:
        """The first row that differs, or None."""
        return self.first_mismatch_by_level[-1] if self.first_mismatch_by_level else None

    def compare(self, agree: NDArray[np.int32]) -> None:
        """Counts the rows of a batch by the levels in which they agree with the file."""
        for index in range(len(self.matched_by_level)):
            wrong = np.flatnonzero(agree <= index)
            self.matched_by_level[index] += len(agree) - len(wrong)
            if len(wrong) and self.first_mismatch_by_level[index] is None:
                self.first_mismatch_by_level[index] = self.rows + int(wrong[0])
        self.compared += len(agree)

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        names = (
            "rows",
            "compared",
            "matched",
            "taken_from_file",
            "first_mismatch",
            "depth",
            "unknown_levels",
            "clamped",
        )
        by_level = {name: getattr(self, name) for name in ("matched_by_level", "first_mismatch_by_level")}
        return {name: getattr(self, name) for name in names} | by_level


def replay_rows(
    batches: Iterable[NDArray[np.void]],
    *,
    orderbook: str | os.PathLike[str] | None = None,
    start: str | os.PathLike[str] | None = None,
    depth: int | None = None,
    take: bool = False,
    out: str | os.PathLike[str] | None = None,
) -> RowReport:
    """Rebuilds the rows of a LOBSTER orderbook file from its messages, by the arithmetic of levels.

    Type 1 adds size at (direction, price), types 2, 3 and 4 subtract it, a level at 0 vanishes, other types change
    nothing. The first row is that of ``start`` or else of ``orderbook``, and contains message 0; without either the
    book is empty before message 0.

    Args:
        batches: events of the message file, one a message.
        orderbook: the file to compare with, and to take levels from.
        start: another file whose first row is the first row; it may be deeper.
        depth: levels of a row; that of ``orderbook``, else of ``start``, else 10.
        take: a side keeps its best ``depth`` levels, and the level that comes into this window when another leaves is
            taken from ``orderbook``; a row that differs is followed from the file's, so every row is judged by itself.
            Otherwise the book keeps every level and takes none.
        out: a Parquet file for the rows, the first one included; it is not there if the replay fails.

    Raises:
        ConfigError: the depth is not in the file, or nothing to take levels from.
        ProtocolError: the orderbook file is malformed, or has not one row for each message.
    """
    truth = RowFile(orderbook) if orderbook is not None else None
    if take and truth is None:
        raise ConfigError("taking unknown levels needs an orderbook file")
    other = RowFile(start) if start is not None else None
    known = truth or other
    depth = depth or (known.depth if known else 10)
    if truth is not None and depth > truth.depth:
        raise ConfigError(f"depth is {depth}; {truth.path} has {truth.depth}")
    replay = RowReplay(depth, take)
    report = RowReport(depth)
    if truth is not None:
        report.matched_by_level, report.first_mismatch_by_level = [0] * depth, [None] * depth
    pending = _begin(replay, report, truth, other)
    with RowWriter(out, depth) if out is not None else _Nowhere() as writer:
        if pending:
            first = np.empty((1, 4 * depth), np.int64)
            replay.write_row(first)
            writer.write(first)
        for batch in batches:
            events, pending = batch[pending:], pending - min(pending, len(batch))
            if len(events):
                rows = np.empty((len(events), 4 * depth), np.int64) if out is not None else None
                _advance(replay, report, events, truth, take, rows)
                if rows is not None:
                    writer.write(rows)
        if truth is not None and len(truth.take(1)):
            raise ProtocolError(f"{truth.path}: goes on after {report.rows} rows; expected one for each message")
    for name, value in (("taken_from_file", "taken"), ("unknown_levels", "unknown_levels"), ("clamped", "clamped")):
        setattr(report, name, replay.counts[value])
    return report


def _begin(replay: RowReplay, report: RowReport, truth: RowFile | None, other: RowFile | None) -> int:
    """Sets the book to its first row; how many messages that row contains."""
    first = truth.take(1) if truth is not None else None
    if other is not None:
        first = other.take(1)
    if first is None or not len(first):
        return 0
    replay.start(first[0])
    report.rows = 1
    return 1


def _advance(
    replay: RowReplay,
    report: RowReport,
    events: NDArray[np.void],
    truth: RowFile | None,
    take: bool,
    rows: NDArray[np.int64] | None,
) -> None:
    """One batch of messages."""
    expected = None
    if truth is not None:
        expected = np.ascontiguousarray(truth.take(len(events))[:, : 4 * report.depth])
        if len(expected) < len(events):
            end = report.rows + len(expected)
            raise ProtocolError(f"{truth.path}: ends after {end} rows; expected one for each message")
    agree = np.empty(len(events), np.int32)
    replay.run(np.ascontiguousarray(events), expected, take, rows, agree)
    if expected is not None:
        report.compare(agree)
    report.rows += len(events)


class _Nowhere:
    """A writer of rows nobody wants."""

    def write(self, rows: NDArray[np.int64]) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
