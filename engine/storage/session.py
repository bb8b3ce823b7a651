"""A recorded session: a folder with the tape of what was composed and the raw log of everything that came in.

``tape.arrow`` is a tape like any other. ``raw.log`` holds the inputs; a DRAIN record in it stands where a batch of the
tape ends, so that running the inputs again gives the same tape, byte for byte.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any, Final

from engine.errors import StorageError
from engine.storage.raw import RawFile, RawWriter
from engine.storage.tape import TapeWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engine.core.instruments import Instrument, Instruments

__all__ = ["RAW", "TAPE", "Recording", "SessionWriter", "first_difference", "open_raw"]

_LOG: Final = logging.getLogger("engine.storage")
RAW: Final = "raw.log"
TAPE: Final = "tape.arrow"
_PIECE: Final = 1 << 20


class SessionWriter:
    """Records a session into a folder, which is made; a recording that is there is never written over.

    Args:
        folder: where to.
        instruments: of the session; what is defined in it at the start travels in the log.
        lines: names of the lines, in order.
        facts: JSON values: what is needed to make the same lines again. No secrets.

    Raises:
        StorageError: the folder holds a recording, or cannot be written.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        instruments: Instruments,
        lines: Sequence[str],
        facts: Mapping[str, Any],
    ) -> None:
        self.folder = os.fspath(folder)
        self.events = 0
        self._instruments = instruments
        self._told: list[Instrument] = list(instruments)
        try:
            os.makedirs(self.folder, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.folder}: cannot be made: {error.strerror}") from error
        paths = {name: os.path.join(self.folder, name) for name in (RAW, TAPE)}
        for path in paths.values():
            if os.path.exists(path):
                raise StorageError(f"{path}: there is a recording already; give another folder")
        rows = [one.to_dict() for one in self._told]
        self._raw = RawWriter(paths[RAW], lines, {**facts, "instruments": rows})
        self._tape = TapeWriter(paths[TAPE], instruments)
        self.log = self._raw.log

    @property
    def records(self) -> int:
        """Inputs written so far."""
        return self._raw.records

    def define(self, now: int) -> None:
        """Logs what was defined or changed in ``instruments`` since the last time; before anything that uses it."""
        table, told = self._instruments, self._told
        news = [one for number, one in enumerate(table) if number >= len(told) or one is not told[number]]
        if news:
            self.log("define", -1, now, [one.to_dict() for one in news])
            self._told = list(table)

    def drain(self, events: NDArray[np.void], side: Sequence[Mapping[str, Any]], now: int) -> None:
        """A batch for the tape; the log first, so that it is never behind the tape."""
        if not len(events) and not side:
            return
        self.define(now)
        self._raw.drained(now)
        self._tape.write(events, side)
        self.events += len(events)

    def flush(self) -> None:
        """Writes what the log still holds."""
        self._raw.flush()

    def close(self, now: int = 0, *, complete: bool = True) -> None:
        """Ends both files; not ``complete``: without their end marks."""
        try:
            self._raw.close(now, complete=complete)
        finally:
            self._tape.close(complete=complete)


class Recording:
    """A session's writer that never fails its caller: a full disk ends the recording, is logged, and nothing else.

    Args: see ``SessionWriter``; what it raises when it is made is raised here, too.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        instruments: Instruments,
        lines: Sequence[str],
        facts: Mapping[str, Any],
    ) -> None:
        self._session: SessionWriter | None = SessionWriter(folder, instruments, lines, facts)
        self._lines = len(lines)
        self._pushers: dict[str, int] = {}

    def log(self, kind: str, line: int, now: int, payload: Any = None) -> None:
        """One input; see ``RawWriter.log``."""
        if self._session is not None:
            try:
                self._session.log(kind, line, now, payload)
            except StorageError:
                self._give_up()

    def define(self, now: int) -> None:
        """What is new in the instruments."""
        if self._session is not None:
            try:
                self._session.define(now)
            except StorageError:
                self._give_up()

    def push(self, name: str, role: str, events: NDArray[np.void], now: int) -> None:
        """Events that were pushed; the first time, whose they are."""
        self.define(now)
        number = self._pushers.get(name)
        if number is None:
            number = self._pushers[name] = self._lines + len(self._pushers)
            self.log("name", number, now, {"name": name, "role": role})
        self.log("push", number, now, events)

    def drain(self, events: NDArray[np.void], side: Sequence[Mapping[str, Any]], now: int) -> None:
        """A batch of the tape, and what the log holds back."""
        if self._session is not None:
            try:
                self._session.drain(events, side, now)
                self._session.flush()
            except StorageError:
                self._give_up()

    def _give_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            _LOG.exception("the recording in %s ends here", session.folder)
            with contextlib.suppress(StorageError):
                session.close(complete=False)

    def close(self, now: int) -> None:
        """Ends both files.

        Raises:
            StorageError: they cannot be ended.
        """
        session, self._session = self._session, None
        if session is not None:
            session.close(now)


def open_raw(folder: str | os.PathLike[str]) -> RawFile:
    """The raw log of a recorded session; a path of such a file is taken as well.

    Raises:
        StorageError: there is none, or it cannot be read.
    """
    path = os.fspath(folder)
    return RawFile(os.path.join(path, RAW) if os.path.isdir(path) else path)


def first_difference(path: str, other: str) -> int | None:
    """The first byte in which two files differ, None if they are equal; the shorter one differs at its end.

    Raises:
        StorageError: one cannot be read.
    """
    at = 0
    try:
        with open(path, "rb") as one, open(other, "rb") as two:
            while True:
                left, right = one.read(_PIECE), two.read(_PIECE)
                if left != right:
                    return at + next(
                        (place for place, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]),
                        min(len(left), len(right)),
                    )
                if not left:
                    return None
                at += len(left)
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be read: {error.strerror}") from error
