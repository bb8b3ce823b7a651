"""The contract of provider adapters: one connection's conversation, without I/O and without a clock.

Whoever pumps a connection (``engine.feeds.lines``) does, for each thing that happens:

* the transport is up: ``feed.opened(now)``;
* a frame came: the decoder gets its bytes, then ``feed.receive_other(decoder.take_other(), now)`` if that is not empty
  (IEX: after every datagram);
* symbols are wanted or not: ``feed.subscribe``, ``feed.unsubscribe``, at any time, also before ``opened``;
* the transport is down: ``feed.closed(code, reason, now)``;

and after each of them asks ``feed.timer(now)`` when to call it again, sends what ``take_outgoing`` gives and acts on
what ``take_notices`` gives. What is wanted
survives ``closed``: the next ``opened`` logs in and subscribes again. Nothing here raises for what a provider sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engine.core.side import SideMessage
    from engine.errors import EngineError

__all__ = [
    "CHANNELS",
    "NEVER",
    "Accepted",
    "Channel",
    "Connected",
    "FeedProtocol",
    "Gap",
    "Heartbeat",
    "LineDecoder",
    "LineFacts",
    "Notice",
    "Ready",
    "Refused",
    "Retry",
    "Role",
    "Side",
    "Subscribed",
    "Unexpected",
    "Unsubscribed",
]

NEVER: Final = 2**63 - 1  #: "no timer": a time that does not come

#: What a source's events are, and so what they may do in a book (DESIGN section 4).
Role = Literal["depth", "top", "montage", "nbbo", "prints"]

#: Channels in our words; each adapter's table says which it has and what they are on the wire.
Channel = Literal[
    "trades",
    "quotes",
    "book",
    "bars",
    "second_bars",
    "daily_bars",
    "updated_bars",
    "bands",
    "statuses",
    "imbalances",
]
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)

#: When a refused connection or request may be tried again. "never": not before a person changes the configuration;
#: "slow": after ``Refused.after``; "usual": by the ordinary back-off; "now": at once.
Retry = Literal["never", "slow", "usual", "now"]


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What a pump needs to know of a line before it connects; tables of the providers' policies."""

    #: What this line's events are, and for "top" and "depth" of one venue that venue's number (else 0).
    role: Role
    venue: int = 0
    #: False: delayed data. It is decoded, counted and shown, but never enters a live book.
    live: bool = True
    #: Channels it is asked for.
    channels: tuple[Channel, ...] = ()
    #: What the provider does to one connection too many.
    connection_limit: Literal["evicts_older", "refuses_newer", "drops_all", "none"] = "none"
    #: ns after which a held connection slot is free again.
    slot_free_after: int = 0
    #: ns between WebSocket pings we send, and ns without any byte after which the line is dead; 0: none.
    ping_every: int = 0
    silent_after: int = 0
    #: Whether it answers subscriptions; if not, ``Subscribed.confirmed`` is False.
    confirms: bool = True
    #: Most symbols the provider takes on this connection; None: no limit known.
    symbol_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """The provider's welcome came; login follows."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Login succeeded. ``Ready`` follows at once; apart so that logs can tell what took time."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The line may subscribe: what is wanted has been queued. Service counts as stable from here."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Symbols whose data will come: every channel asked for is confirmed, or the provider does not confirm any.

    Not ``whole``: their depth began before we listened, and cannot be trusted before the next snapshot.
    """

    symbols: tuple[str, ...]
    confirmed: bool = True
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """Symbols whose data ends; some may still arrive."""

    symbols: tuple[str, ...]
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no, or ended the conversation.

    Attributes:
        error: what to tell people: ConfigError (key, plan, symbol), Throttled, SessionLost or VenueError.
        retry: when to try again; "never" stops this line until its configuration changes.
        close: the connection is of no more use: close it. Otherwise it goes on, and only ``symbols`` are refused.
        after: least ns to wait where retry is "slow".
        symbols: the symbols meant, empty where the provider does not name them or means the connection.
        channel: the channel meant, None for all.
    """

    error: EngineError
    retry: Retry
    close: bool
    after: int = 0
    symbols: tuple[str, ...] = ()
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life without data."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages were lost: what is known of the line's books cannot be trusted until they are rebuilt.

    ``missing`` is how many messages, 0 where nobody can tell, as when the provider starts a new session.
    """

    missing: int


@dataclass(frozen=True, slots=True)
class Side:
    """Rare messages as typed values, in order: bars, price bands, statuses, corrections, imbalances, news."""

    messages: tuple[SideMessage, ...]


@dataclass(frozen=True, slots=True)
class Unexpected:
    """A message that is not understood, or not at this point; counted, otherwise without effect.

    ``text`` is its beginning (at most 200 characters), with nothing of ours in it.
    """

    text: str


Notice = Connected | Accepted | Ready | Subscribed | Unsubscribed | Refused | Heartbeat | Gap | Side | Unexpected


class LineDecoder(Protocol):
    """What a pump uses of ``engine._native.wire.FrameDecoder``; the IEX adapter has one of its own."""

    def map(self, symbol: str, instrument: int) -> None:
        """Messages of a wire symbol become events of an instrument; NO_INSTRUMENT: of none."""
        ...

    def receive_bytes(self, data: Any, ts_recv: int = 0) -> NDArray[np.void]:
        """The events of one whole frame or datagram. Never raises for its bytes."""
        ...

    def take_other(self) -> list[bytes]:
        """Messages of the last frame that are no events, in order."""
        ...

    def take_problem(self) -> str | None:
        """What was wrong with the last frame, None if nothing; the events before it were given."""
        ...

    @property
    def counts(self) -> dict[str, int]:
        """Totals since the decoder was made."""
        ...


class FeedProtocol(Protocol):
    """One connection of one provider, as a state machine (see the module)."""

    @property
    def name(self) -> str:
        """The line's name: what people type and faults name."""
        ...

    @property
    def provider(self) -> str:
        """The provider's name, a key of ``engine.core.venues.PROVIDERS``."""
        ...

    @property
    def url(self) -> str:
        """Where to connect; "udp://host:port" for datagrams. May carry a secret: never logged."""
        ...

    @property
    def shown_url(self) -> str:
        """The same without secrets, for people."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the WebSocket handshake. May carry secrets: never logged."""
        ...

    @property
    def facts(self) -> LineFacts:
        """Role, policies and limits."""
        ...

    @property
    def decoder(self) -> LineDecoder:
        """Gets each frame before ``receive_other`` does. ``subscribe`` maps symbols in it."""
        ...

    @property
    def subscribed(self) -> frozenset[str]:
        """Canonical symbols whose data comes now."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Control and rare messages by kind, and ``unexpected``, ``unreadable``."""
        ...

    def opened(self, now: int) -> None:
        """The transport is up."""
        ...

    def receive_other(self, messages: Sequence[bytes], now: int) -> None:
        """Control and rare messages of the frame just decoded."""
        ...

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Wants data of canonical symbols: queued until the provider lets us ask.

        Raises:
            ValueError: a symbol that no instrument can have.
        """
        ...

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Wants no more data of them; unknown ones are ignored."""
        ...

    def closed(self, code: int | None, reason: str, now: int) -> None:
        """The transport is down: a WebSocket close code, or None for a drop without close frame.

        A refused handshake is (401, text) and the like: HTTP status instead of a close code.
        """
        ...

    def timer(self, now: int) -> int:
        """Does what is due at ``now``; returns when to be called next, ``NEVER`` for not at all."""
        ...

    def take_outgoing(self) -> list[bytes | str]:
        """Frames to send, in order: ``str`` as text frames, ``bytes`` as binary ones. May carry secrets."""
        ...

    def take_notices(self) -> list[Notice]:
        """What happened since the last call, in order."""
        ...
