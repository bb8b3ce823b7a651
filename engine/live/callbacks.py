"""Who wants to hear of updates inline."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.live.news import Update

__all__ = ["Callback"]

_LOG: Final = logging.getLogger("engine.live")


class Callback:
    """Who wants to hear of updates."""

    def __init__(self, callback: Callable[[Sequence[Update]], object], tag: str | None, among: list[Callback]) -> None:
        self._callback, self._tag, self._among = callback, tag, among
        self.failed = False

    def cancel(self) -> None:
        """Ends it."""
        if self in self._among:
            self._among.remove(self)

    def run(self, updates: Sequence[Update]) -> None:
        """Tells of those that are wanted."""
        wanted = updates if self._tag is None else [one for one in updates if one.parent.tag == self._tag]
        if self.failed or not wanted:
            return
        try:
            self._callback(wanted)
        except Exception:
            self.failed = True
            _LOG.exception("a callback for updates failed; it hears nothing more")
