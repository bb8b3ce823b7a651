"""Every error the engine raises, grouped by what the caller can do about it.

EngineError
├── ConfigError      fix the configuration and restart (a refused key, a plan without the feed, an unknown name)
├── ProtocolError    the bytes are wrong: drop the connection or file, resynchronise
├── VenueError       a provider or venue says no, and says it in its protocol
│   ├── Throttled    too much or too many for now (carries ``retry_after``): wait
│   └── SessionLost  the session is over (evicted, too slow, idle): connect and log in again
├── Refused          our own gate says no (carries ``limit``, ``value``, ``bound``): change the order or the limit
├── Lagged           a reader of updates was too slow (carries ``sequence``): go on from there
├── StorageError     a tape or journal cannot be read or written (carries ``offset``)
└── InternalError    a broken invariant: stop and report
"""

from __future__ import annotations

from typing import Self

__all__ = [
    "ConfigError",
    "EngineError",
    "InternalError",
    "Lagged",
    "ProtocolError",
    "Refused",
    "SessionLost",
    "StorageError",
    "Throttled",
    "VenueError",
]


class EngineError(Exception):
    """Base of every error of the engine."""


class ConfigError(EngineError):
    """The configuration or an argument of a command is wrong; fix it and restart."""


class ProtocolError(EngineError):
    """Received bytes break the provider's format; the message names file, place, type and what was expected."""


class VenueError(EngineError):
    """A provider or venue refuses something, or fails, and says so in its own protocol.

    Attributes:
        code: the provider's own code, None where it gives none.
    """

    def __init__(self, message: str, code: int | str | None = None) -> None:
        super().__init__(message)
        self.code = code


class Throttled(VenueError):  # noqa: N818 - the field's word
    """Too many requests, symbols or connections for now.

    Attributes:
        retry_after: ns to wait before the next try; 0 where the provider does not say.
    """

    def __init__(self, message: str, code: int | str | None = None, retry_after: int = 0) -> None:
        super().__init__(message, code)
        self.retry_after = retry_after


class SessionLost(VenueError):  # noqa: N818 - the field's word
    """The provider ended the session; what it knew of us is gone, a new one starts from its login."""


class Refused(EngineError):  # noqa: N818 - the field's word
    """The gate refuses an order; nothing of it left.

    Attributes:
        limit: which one it hit; "algorithm" where the order itself cannot be.
        value: what was seen.
        bound: what is allowed.
    """

    def __init__(self, limit: str, value: str, bound: str) -> None:
        super().__init__(f"{limit}: {value}" + (f", allowed: {bound}" if bound else ""))
        self.limit, self.value, self.bound = limit, value, bound

    @classmethod
    def parse(cls, reason: str) -> Self:
        """From the words an order gives as its reason."""
        limit, _, rest = reason.partition(": ")
        value, _, bound = rest.rpartition(", allowed: ")
        return cls(limit, value, bound) if value else cls(limit, rest, "")


class Lagged(EngineError):  # noqa: N818 - the field's word
    """Updates were dropped before they were read, because only the newest are kept.

    Attributes:
        sequence: of the last one that is gone: look at the orders themselves, then go on with ``since=sequence``.
        read: sequence of the last one that was read.
    """

    def __init__(self, sequence: int, read: int) -> None:
        super().__init__(f"updates {read + 1} to {sequence} were not read in time")
        self.sequence, self.read = sequence, read


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
