"""What a line's state machine holds: the commands it gives, its policy, and one connection's place and counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from engine._native.pump import Intake
from engine.core.backoff import BackoffPolicy
from engine.feeds.latency import LineLatency
from engine.feeds.protocol import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.backoff import Backoff
    from engine.errors import EngineError
    from engine.feeds.protocol import FeedProtocol

__all__ = ["Close", "Command", "Connection", "LinePolicy", "Open", "Phase", "Ping", "Send"]

_MS: Final = 1_000_000
Phase = Literal["idle", "waiting", "opening", "login", "ready", "refused", "stopped"]


@dataclass(frozen=True, slots=True)
class Open:
    """Connect. URL and headers may hold secrets and are not shown."""

    line: int
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection, or the attempt; with a close frame where that can be sent at once."""

    line: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame: ``str`` as text, ``bytes`` as binary. May hold secrets and is not shown."""

    line: int
    data: bytes | str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ping:
    """Send the transport's own ping."""

    line: int


Command = Open | Close | Send | Ping


@dataclass(frozen=True, slots=True)
class LinePolicy:
    """Bounds of a line's life; times in ns.

    Attributes:
        backoff: when to connect again.
        open_within: for the transport to come up, TLS and handshake included.
        login_within: from there until the provider lets us subscribe.
        pong_within: for the answer to a ping; ``mute_pong_within`` where other lines show that there is data.
        mute_reconnect: a line that answers pings but stays mute so long is connected anew.
        judge_every: between two verdicts. Where we come so late ourselves, sockets are read before anything is judged.
        late_for: datagrams that are missed so soon after were lost by us, not by the line.
        notices: most notices kept until they are taken; older ones are dropped and counted.
    """

    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    open_within: int = 15_000 * _MS
    login_within: int = 15_000 * _MS
    pong_within: int = 10_000 * _MS
    mute_pong_within: int = 1_000 * _MS
    mute_reconnect: int = 5_000 * _MS
    judge_every: int = 100 * _MS
    late_for: int = 1_000 * _MS
    notices: int = 10_000


class Connection(Intake):
    """One line: where it stands, when what is due, and what was counted."""

    __slots__ = (
        "accepted",
        "backoff",
        "datagrams",
        "deadline",
        "decoder",
        "due_feed",
        "error",
        "feed",
        "first_frame",
        "gaps",
        "latency",
        "login_failures",
        "malformed",
        "opens",
        "phase",
        "ping_at",
        "ping_deadline",
        "pinged",
        "ready_at",
        "reconnects",
        "source",
        "transports",
    )  # fmt: skip

    def __init__(self, feed: FeedProtocol, backoff: Backoff) -> None:
        self.feed = feed
        self.decoder: Any = feed.decoder
        self.datagrams = feed.url.startswith("udp:")
        self.source = -1
        self.backoff = backoff
        self.latency = LineLatency()
        self.phase: Phase = "idle"
        self.accepted = False  # a login ever worked
        self.error: EngineError | None = None
        self.deadline = NEVER  # waiting: to open; opening and login: to give up
        self.due_feed = NEVER
        self.ready_at = 0
        self.pinged = 0
        self.ping_at = 0  # of the ping that is not answered, 0: none
        self.ping_deadline = 0
        self.malformed = self.gaps = self.opens = self.reconnects = self.login_failures = 0
        self.transports = 0  # how often one was up
        self.first_frame = 0  # frames before this connection
