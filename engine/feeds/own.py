"""A user's own feed as one of the lines: ``engine.Feed`` says what such a class has."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args, runtime_checkable

import numpy as np

from engine.core.events import EVENT
from engine.core.settings import masked_url
from engine.core.venues import venue_id
from engine.errors import ConfigError, EngineError
from engine.feeds.protocol import NEVER, Accepted, LineFacts, Ready, Role, Subscribed, Unsubscribed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from engine.core.instruments import Instruments
    from engine.feeds.protocol import Notice

__all__ = ["Feed", "OwnFeed"]

_LOG: Final = logging.getLogger("engine.feeds")
_TEXT: Final = 200
_FRAMES: Final = 1_000  #: sent at once at most


@runtime_checkable
class Feed(Protocol):
    """A feed of your own for ``MarketData([...])``: bytes in, events out, bytes to send.

    Besides the two methods an object has these attributes: ``url`` ("wss://...", "ws://..." or "udp://host:port"),
    ``role`` ("depth", "top", "montage", "nbbo" or "prints": what its events are), ``venue`` (the name of the one venue
    of a depth or top), and optionally ``name`` (else its class's), ``headers`` of the handshake, and
    ``subscribe(symbols)`` and ``unsubscribe(symbols)``, which queue what ``take_bytes`` then gives.

    Events carry the ids of ``market.instruments``. Prices and quantities are counts of 1e-9; a
    ``ts_recv`` of 0 is filled in. On every connection after the first, levels of a depth count only behind a CLEAR (of
    side NONE) of their instrument: begin snapshots with one. ``market.health()`` counts those that wait (``waiting``).
    """

    def receive_bytes(self, data: Any, ts_recv: int = 0, /) -> NDArray[np.void]:
        """Events of one frame or datagram. An exception drops the connection and builds it anew."""
        ...

    def take_bytes(self) -> bytes | str:
        """What is to be sent next: one frame (``str`` as text), or nothing. Called until it gives nothing."""
        ...


class _Decoder:
    """The pump's view of a feed: never raises."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._problem: str | None = None
        self.counts = {"frames": 0, "bytes": 0, "events": 0, "malformed": 0}

    def map(self, symbol: str, instrument: int) -> None:
        pass  # such a feed knows the instruments

    def receive_bytes(self, data: Any, ts_recv: int = 0) -> NDArray[np.void]:
        self.counts["frames"] += 1
        self.counts["bytes"] += len(data)
        try:
            events = self._feed.receive_bytes(data, ts_recv)
            if events.dtype != EVENT or events.ndim != 1:
                raise TypeError(f"events are {events.dtype}, {events.ndim}-dimensional; expected (n,) of engine.EVENT")
        except Exception as error:
            self.counts["malformed"] += 1
            self._problem = f"{type(error).__name__}: {error}"[:_TEXT]
            return np.empty(0, EVENT)
        self.counts["events"] += len(events)
        if not events["ts_recv"].all():  # health goes by it
            events = events.copy()
            events["ts_recv"][events["ts_recv"] == 0] = ts_recv
        return events

    def take_other(self, frame: Any = None) -> list[bytes]:
        return []

    def take_problem(self) -> str | None:
        problem, self._problem = self._problem, None
        return problem


class OwnFeed:
    """``FeedProtocol`` around a user's feed; logged in as soon as it is connected.

    Args:
        feed: the user's.
        instruments: the market's.
        provider: its name, "own-128" to "own-255".

    Raises:
        ConfigError: an attribute is missing or wrong.
    """

    def __init__(self, feed: Feed, instruments: Instruments, provider: str = "own-128") -> None:
        self.name = str(getattr(feed, "name", type(feed).__name__))
        self.provider = provider
        url, role = getattr(feed, "url", None), getattr(feed, "role", None)
        if not isinstance(url, str) or not url.startswith(("ws://", "wss://", "udp://")):
            shown = masked_url(url) if isinstance(url, str) else url
            raise ConfigError(f"feed {self.name}: url is {shown!r}; expected wss://, ws:// or udp://host:port")
        if role is None or role not in get_args(Role):
            raise ConfigError(f"feed {self.name}: role is {role!r}; expected one of {', '.join(get_args(Role))}")
        theirs = getattr(feed, "instruments", instruments)
        if theirs is not instruments:
            raise ConfigError(
                f"feed {self.name}: its instruments are another table; give that to MarketData as instruments"
            )
        self.url = url
        self.shown_url = masked_url(url)
        self.headers: Mapping[str, str] = dict(getattr(feed, "headers", {}))
        self.facts = LineFacts(role=role, venue=_venue(feed, self.name, role), confirms=False)
        self.decoder = _Decoder(feed)
        self.counts: dict[str, int] = {}
        self._feed = feed
        self._open = False
        self._wanted: dict[str, None] = {}
        self._notices: list[Notice] = []

    @property
    def subscribed(self) -> frozenset[str]:
        """What is wanted, while connected."""
        return frozenset(self._wanted) if self._open else frozenset()

    def opened(self, now: int) -> None:
        """Connected: ready at once."""
        self._open = True
        self._notices += [Accepted(), Ready()]
        self._ask("subscribe", tuple(self._wanted))

    def receive_other(self, messages: Sequence[bytes], now: int) -> None:
        """Nothing comes this way."""

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Tells the feed, if it wants to know."""
        new = tuple(symbol for symbol in dict.fromkeys(symbols) if symbol not in self._wanted)
        self._wanted |= dict.fromkeys(new)
        if self._open:
            self._ask("subscribe", new)

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Likewise."""
        gone = tuple(symbol for symbol in dict.fromkeys(symbols) if symbol in self._wanted)
        for symbol in gone:
            del self._wanted[symbol]
        if self._open:
            self._ask("unsubscribe", gone)

    def _ask(self, verb: str, symbols: tuple[str, ...]) -> None:
        if symbols:
            if callable(method := getattr(self._feed, verb, None)):
                self._call(method, list(symbols))
            made = Subscribed if verb == "subscribe" else Unsubscribed
            self._notices.append(made(symbols, confirmed=False))

    def closed(self, code: int | None, reason: str, now: int) -> None:
        """The connection is gone."""
        self._open = False

    def timer(self, now: int) -> int:
        """Wants no timer."""
        return NEVER

    def take_outgoing(self) -> list[bytes | str]:
        """What the feed wants to send."""
        outgoing: list[bytes | str] = []
        while self._open and len(outgoing) < _FRAMES and (data := self._call(self._taken)):
            outgoing.append(data)
        return outgoing

    def _taken(self) -> bytes | str:
        data = self._feed.take_bytes()
        if isinstance(data, str):
            data.encode()  # what cannot be sent is told here
            return data
        return memoryview(data or b"").tobytes()

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """The user's method; what it raises is logged and counted, and never stops the pump."""
        try:
            return method(*arguments)
        except Exception:
            self.counts["failed"] = self.counts.get("failed", 0) + 1
            _LOG.exception("feed %s: %s failed", self.name, getattr(method, "__name__", method))
            return None

    def take_notices(self) -> list[Notice]:
        """What happened."""
        notices, self._notices = self._notices, []
        return notices


def _venue(feed: Feed, name: str, role: Role) -> int:
    venue = getattr(feed, "venue", None)
    if role not in {"depth", "top"}:
        return 0
    try:
        return venue_id(venue)  # type: ignore[arg-type]
    except (ValueError, TypeError, EngineError):
        raise ConfigError(
            f"feed {name}: venue is {venue!r}; expected the name of its one venue, such as 'XNAS'"
        ) from None
