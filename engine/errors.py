"""Every error the engine raises, grouped by what the caller can do about it.

EngineError
├── ConfigError      fix the configuration and restart
├── ProtocolError    the bytes are wrong: drop the connection or file, resynchronise
├── StorageError     a tape or journal cannot be read or written (carries ``offset``)
└── InternalError    a broken invariant: stop and report
"""

from __future__ import annotations

__all__ = ["ConfigError", "EngineError", "InternalError", "ProtocolError", "StorageError"]


class EngineError(Exception):
    """Base of every error of the engine."""


class ConfigError(EngineError):
    """The configuration or an argument of a command is wrong; fix it and restart."""


class ProtocolError(EngineError):
    """Received bytes break the provider's format; the message names file, place, type and what was expected."""


class StorageError(EngineError):
    """A tape or journal cannot be read or written.

    Attributes:
        offset: byte offset at which the file is damaged, or None where no place can be named.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at byte {offset})")
        self.offset = offset


class InternalError(EngineError):
    """An invariant is broken; the engine must stop."""
