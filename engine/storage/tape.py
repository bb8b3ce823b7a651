"""Recording a tape: every batch is one write, nothing is held back. What a tape is stands in ``tape_schema``."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import numpy as np

from engine._native import tape as kernel
from engine.core.events import EVENT
from engine.core.venues import venue_name
from engine.errors import ConfigError, StorageError
from engine.storage.arrow_message import END_OF_STREAM
from engine.storage.tape_reader import TapeFile, damage
from engine.storage.tape_schema import (
    FIELDS,
    KEYS,
    ROWS,
    TapeBatch,
    aligned,
    batch_header,
    plain_header,
    schema_message,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from numpy.typing import NDArray

__all__ = ["TapeWriter"]

#: Definitions that are all looked at with each batch; of larger tables those the batch refers to.
_FEW: Final = 64


class InstrumentTable(Protocol):
    """What a writer needs of ``engine.Instruments``."""

    def __getitem__(self, key: int, /) -> Any: ...
    def __len__(self) -> int: ...


class TapeWriter:
    """Records events, side rows and bars into one file; every batch is one write, nothing is held back.

    Args:
        path: the file; an existing one is replaced.
        instruments: where the definitions of the instruments in the events are found. What is defined anew travels with
            the next batch (of tables of more than 64, with the next that refers to it), and the rest of the table when
            the tape is closed.
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
        self._written: list[Any] = []  # the definitions on the tape, by id
        self._known_venues = np.zeros(1 << 16, bool)
        self._body = aligned(np.empty(kernel.body_size(ROWS) + 64, np.uint8)).data
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
                self._append(schema_message())
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
                self._take_table(batch)
                self._known_venues[list(batch.venues)] = True
        os.truncate(self._file, self._end)
        os.lseek(self._file, self._end, os.SEEK_SET)

    def _take_table(self, batch: TapeBatch) -> None:
        """Whether the ids on the tape mean the same in the table that the next events come with."""
        if (table := self._instruments) is None:
            return
        for row in batch.instruments:
            with damage(self.path, "the instruments are", batch.start):
                number, symbol = row["id"], row["symbol"]
                if number not in range(len(self._written) + 1):
                    raise ValueError(f"id of {symbol} is {number!r}; expected at most {len(self._written)}")
            known = table[number] if number < len(table) else None
            if known is None or known.symbol != symbol:
                here = known and known.symbol
                raise ConfigError(f"{self.path}: id {number} is {symbol} on the tape and {here} in instruments")
            same = {"id": number, **known.to_dict()} == row
            self._written[number : number + 1] = [known if same else None]

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
            ValueError: other arrays, or the tape is closed.
        """
        if events.dtype != EVENT or events.ndim != 1:
            raise ValueError(f"events are {events.ndim}-dimensional of {events.dtype}; expected (n,) of engine.EVENT")
        self._check_open()
        news = {"side": list(side), "bars": list(bars)}
        if not len(events) and not any(news.values()):
            return
        events = np.ascontiguousarray(events)
        for start in range(0, max(len(events), 1), ROWS):
            self._write_batch(events[start : start + ROWS], news if start == 0 else {})

    def write_batch(self, batch: TapeBatch) -> None:
        """Appends one batch of at most ``ROWS`` as it was read, so that recording a tape again gives the same bytes."""
        self._write_batch(np.ascontiguousarray(batch.events), batch._asdict())

    def _write_batch(self, events: NDArray[np.void], news: dict[str, Any], *, last: bool = False) -> None:
        self._check_open()
        rows = len(events)
        size = kernel.to_columns(events, self._body)
        defined: dict[int, Any] = {}
        if self._instruments is not None:
            defined = self._whole_table() if last else self._new_instruments(rows, news.get("side", ()))
            news = {**news, "instruments": [{"id": number, **one.to_dict()} for number, one in defined.items()]}
        if last and not defined:
            return
        new_venues: list[int] = []
        if "venues" not in news:
            new_venues = self._new_venues(rows)
            news = {**news, "venues": _venue_names(new_venues)}
        metadata = {f"tickforge.{key}": to_json(news[key]) for key in KEYS if news.get(key)}
        header = batch_header(rows, metadata) if metadata else plain_header(rows)
        self._append(header, self._body[:size])
        self.rows += rows
        for number, one in defined.items():
            self._written[number : number + 1] = [one]
        self._known_venues[new_venues] = True

    def _check_open(self) -> None:
        if self._file < 0:
            raise ValueError(f"{self.path}: the tape is closed")

    def _column(self, name: str, rows: int) -> NDArray[Any]:
        before = FIELDS[: FIELDS.index(name)]
        offset = sum(-(-rows * EVENT[field].itemsize // 8) * 8 for field in before)
        return np.frombuffer(self._body, EVENT[name], rows, offset)

    def _new_instruments(self, rows: int, side: Iterable[Mapping[str, Any]]) -> dict[int, Any]:
        """Instruments that this batch is the first to refer to, those before them, and what was defined anew."""
        beside = [row["instrument"] for row in side if "instrument" in row]
        column, known = self._column("instrument", rows), len(self._written)
        # NO_INSTRUMENT + 1 wraps to 0
        end = max(int((column + np.uint32(1)).max(initial=0)), *((number + 1) % (1 << 32) for number in beside), 0)
        if known <= _FEW:
            return self._unwritten(range(known), range(known, end))
        used = np.zeros(known + 1, bool)
        used[np.minimum(column, known)] = True
        used[[number for number in beside if number < known]] = True
        return self._unwritten(np.flatnonzero(used[:known]).tolist(), range(known, end))

    def _whole_table(self) -> dict[int, Any]:
        known = len(self._written)
        return self._unwritten(range(known), range(known, len(self._instruments or ())))

    def _unwritten(self, known: Iterable[int], new: range) -> dict[int, Any]:
        """Of the known instruments those whose definition changed, and all new ones."""
        table = self._instruments
        if table is None:
            return {}
        written = self._written  # the same object says the same: values are looked at only where it is another
        changed = {number: one for number in known if (one := table[number]) is not written[number]}
        changed = {number: one for number, one in changed.items() if one != written[number]}
        return changed | {number: table[number] for number in new if number < len(table)}

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
        """Writes instruments no event has named yet, and the end mark: nothing is missing. Closes the file.

        Args:
            complete: False leaves the end mark out: what was to be recorded was not recorded to its end, and the tape
                is ``torn``. A ``with`` statement that is left by an exception does that.
        """
        if self._file < 0:
            return
        try:
            if complete:
                self._write_batch(np.empty(0, EVENT), {}, last=True)
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


def _venue_names(numbers: Iterable[int]) -> dict[int, str]:
    names = {}
    for number in numbers:
        with contextlib.suppress(KeyError):  # a number nobody named is only a number
            names[number] = venue_name(number)
    return names
