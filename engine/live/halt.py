"""The halt file: a kill switch that anybody with a shell can throw, whether the engine runs or not."""

from __future__ import annotations

import contextlib
import os
from typing import Final

from engine.core.trading import Halt, Release
from engine.errors import StorageError

__all__ = ["SOURCE", "HaltFile"]

SOURCE: Final = "file"
_REASON_LIMIT: Final = 200


class HaltFile:
    """``<journal>.halt``: while it is there, the engine of that journal is halted; its text is the reason.

    Args:
        journal: path of the journal.
    """

    def __init__(self, journal: str | os.PathLike[str]) -> None:
        self.path = os.path.realpath(journal) + ".halt"

    def write(self, reason: str) -> None:
        """Halts.

        Raises:
            StorageError: the file cannot be written.
        """
        try:
            with open(self.path, "w", encoding="utf-8") as file:
                file.write(reason)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror}") from error

    def remove(self) -> bool:
        """Releases; whether the file was there."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.path)
            return True
        return False

    def look(self, halted: str) -> Halt | Release | None:
        """What the file asks of a trader that is halted for this reason, "" if it is not."""
        by_file = halted.endswith(f"({SOURCE})")
        try:
            os.stat(self.path)
        except FileNotFoundError:
            return Release(SOURCE) if by_file else None
        except OSError:  # nobody knows: what was halted stays so
            pass
        if halted:
            return None
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                reason = file.read(_REASON_LIMIT).strip()
        except OSError:
            reason = ""
        return Halt(reason or "halt file", SOURCE)
