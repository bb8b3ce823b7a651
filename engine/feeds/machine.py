"""All of live market data that needs no clock and no socket: lines, composer, books, and what users push.

``MarketData`` pumps one on sockets, ``rerun`` from a raw log; given the same inputs both end with the same books and
compose the same events.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine._native.book import Books
from engine._native.compose import ROLES, Composer, outline, stamped
from engine.core.config import Provider
from engine.core.events import EVENT, NO_INSTRUMENT, Kind
from engine.core.settings import MASK, masked_url
from engine.core.venues import provider_name
from engine.errors import ConfigError
from engine.feeds.aggregator import SOURCES, Aggregator
from engine.feeds.lines import Lines
from engine.feeds.own import Feed, OwnFeed
from engine.feeds.protocol import Role, Side
from engine.feeds.providers import feed_protocol
from engine.storage.side_rows import side_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from engine.core.instruments import Instruments
    from engine.feeds.protocol import FeedProtocol, Notice

__all__ = ["OWN", "Machine", "feeds_of", "session_facts", "side_rows"]

OWN: Final = "own"  #: in the facts of a session, the name of a feed that was the user's
_OWN: Final = 128  #: the first provider number of users
_OWN_LAST: Final = 255


def feeds_of(providers: Iterable[Provider | Feed], instruments: Instruments) -> list[FeedProtocol]:
    """One adapter a provider or own feed, in order.

    Raises:
        ConfigError: what a provider is set to is wrong or missing, or two lines have one name.
    """
    lines: dict[str, FeedProtocol] = {}
    own = 0
    for provider in providers:
        if isinstance(provider, Feed):
            line: FeedProtocol = OwnFeed(provider, instruments, f"own-{_OWN + own}")
            own += 1
        else:
            line = feed_protocol(provider, instruments)
        if line.name in lines:
            raise ConfigError(f"line {line.name!r} is there twice; give one of them another name (line=...)")
        lines[line.name] = line
    return list(lines.values())


def session_facts(providers: Sequence[Provider | Feed], seed: int) -> dict[str, Any]:
    """What a raw log needs to tell so that the same lines can be made again. Secrets are masked."""
    return {"providers": [_provider_facts(provider) for provider in providers], "seed": seed}


def _provider_facts(provider: Provider | Feed) -> dict[str, Any]:
    if not isinstance(provider, Provider):
        return {OWN: str(getattr(provider, "name", type(provider).__name__))}
    facts = {name: value for name, value in dataclasses.asdict(provider).items() if value not in {None, ()}}
    facts |= {name: MASK for name in ("key", "secret") if name in facts}
    if "url" in facts:
        facts["url"] = masked_url(facts["url"])
    return facts


class Machine:
    """Lines, their composer and books; one input after the other (see ``engine.feeds.lines``).

    Args:
        feeds: one adapter a line.
        instruments: gets every symbol that is subscribed.
        seed: of the reconnects' jitter.
        record: keep what is composed for ``composer.take_events``.
        elapsed: a monotonic clock in ns, for latencies.

    Attributes:
        groups: the classes of sources a book may have a leader in, with their venue (see ``BookView``).
        pushed: counts of each name that pushes.
    """

    def __init__(
        self,
        feeds: Sequence[FeedProtocol],
        instruments: Instruments,
        *,
        seed: int = 0,
        record: bool = False,
        elapsed: Callable[[], int] | None = None,
    ) -> None:
        self.feeds = tuple(feeds)
        self.instruments = instruments
        self.books = Books(instruments)
        self.composer = Composer(instruments, self.books, record=record)
        self.aggregator = Aggregator(instruments, self.composer)
        self.lines = Lines(feeds, self.aggregator, seed=seed, elapsed=elapsed)
        self.groups: list[tuple[str, int]] = []
        self.roles = {feed.name: feed.facts.role for feed in feeds}
        self._own = sum(feed.provider.startswith("own-") for feed in feeds)
        self._pushers: dict[str, _Pusher] = {}
        for feed in feeds:
            if feed.facts.live:
                self._add_group(feed.facts.role, feed.facts.venue)

    def _add_group(self, role: Role, venue: int) -> None:
        if role != "prints" and (role, venue) not in self.groups:
            self.groups.append((role, venue))

    # ---- what users push

    def push(self, name: str, events: NDArray[np.void], now: int, role: Role | None = None) -> None:
        """Applies events that came another way than over a line.

        Args:
            name: whose they are; no line's name. Its role is settled by the first push.
            events: (n,) of ``engine.EVENT``, with ids of ``instruments``; each message ends with LAST. ``provider`` is
                set here, and ``ts_recv`` where it is 0.
            now: their time, ns.
            role: what they are; told from their kinds if None: NBBO is "nbbo", LEVEL and CLEAR are "depth", QUOTE is
                "top" if all are of one venue and else "montage", prints alone are "prints".

        Raises:
            ConfigError: the name is a line's, there is no such role, or there are too many names or venues.
            ValueError: not such an array, an instrument that is not known, or a depth or top without its venue.
        """
        held = self._outlined(events)
        pusher = self._pushers.get(name)
        told = pusher.role if pusher is not None else role or _role_of(events)
        if told not in ROLES:
            raise ConfigError(f"push as {name!r}: role is {told!r}; expected one of {', '.join(ROLES)}")
        one_venue = told in {"depth", "top"}
        if one_venue and any(venue == 0 and number != NO_INSTRUMENT for venue, number in held):
            raise ValueError(f"an event pushed as {name!r} has venue 0; expected the venue of each, it is a {told}")
        venues = list(dict.fromkeys(venue for venue, _ in held if venue)) if one_venue else [0]
        known = () if pusher is None else pusher.sources
        new = [venue for venue in venues if venue not in known]
        if len(new) > self.aggregator.room:  # all or none: what is half applied would stand in no recording
            raise ConfigError(f"push as {name!r}: a composer has at most {SOURCES} sources")
        if pusher is None:
            pusher = self._pushers[name] = self._new_pusher(name, told)
        for venue in new:
            self._add_source(pusher, venue, now)
        events = stamped(events, pusher.number, now)
        for venue in venues:
            source = pusher.sources[venue]
            for on, number in held:
                if number != NO_INSTRUMENT and venue in {0, on} and (source, number) not in pusher.held:
                    pusher.held.add((source, number))
                    self.composer.subscribe(source, number)
            part = events
            if len(venues) > 1:
                part = events[(events["venue"] == venue) | (events["instrument"] == NO_INSTRUMENT)]
            self.composer.apply(source, part)

    def _outlined(self, events: NDArray[np.void]) -> list[tuple[int, int]]:
        """Each venue and instrument of events that `push` can take.

        Raises:
            ValueError: it cannot take them.
        """
        if not isinstance(events, np.ndarray) or events.dtype != EVENT or events.ndim != 1:
            shown = f"{events.ndim}-dimensional of {events.dtype}" if isinstance(events, np.ndarray) else repr(events)
            raise ValueError(f"events are {shown[:80]}; expected (n,) of engine.EVENT")
        held = outline(events)
        known = len(self.instruments)
        for _, number in held:
            if number >= known and number != NO_INSTRUMENT:
                raise ValueError(f"instrument {number} is not known; add it to market.instruments first")
        return held

    def _new_pusher(self, name: str, role: Role) -> _Pusher:
        if name in self.lines.names:
            raise ConfigError(f"push as {name!r}: a line has that name; choose another")
        number = _OWN + self._own
        if number > _OWN_LAST:
            raise ConfigError(f"push as {name!r}: {_OWN_LAST - _OWN + 1} feeds of your own are the most")
        self._own += 1
        self.roles[name] = role
        return _Pusher(name, role, number)

    def _add_source(self, pusher: _Pusher, venue: int, now: int) -> None:
        line = self.aggregator.add_line(pusher.name, provider_name(pusher.number), pusher.role, venue)
        pusher.lines.append(line)
        pusher.sources[venue] = self.aggregator.source(line)
        self._add_group(pusher.role, venue)
        self.aggregator.ready(line, now)

    # ---- readings

    @property
    def names(self) -> tuple[str, ...]:
        """Every line and everyone who pushes."""
        return (*self.lines.names, *self._pushers)

    def health(self, now: int) -> dict[str, dict[str, Any]]:
        """``Lines.health``, and the same of those who push, as far as it applies."""
        found = {name: {"role": self.roles[name]} | report for name, report in self.lines.health(now).items()}
        for name, pusher in self._pushers.items():
            reports = [self.aggregator.report(line, now) for line in pusher.lines]
            if reports:
                updates = sum(report["updates"] for report in reports)
                found[name] = {"role": pusher.role, **reports[0], "updates": updates}
        return found


@dataclasses.dataclass(slots=True)
class _Pusher:
    """Someone who pushes: a source for each venue, or one for all."""

    name: str
    role: Role
    number: int
    lines: list[int] = dataclasses.field(default_factory=list)
    sources: dict[int, int] = dataclasses.field(default_factory=dict)
    held: set[tuple[int, int]] = dataclasses.field(default_factory=set)


def _role_of(events: NDArray[np.void]) -> Role:
    kinds = set(np.unique(events["kind"]).tolist())
    if Kind.NBBO in kinds:
        return "nbbo"
    if Kind.LEVEL in kinds:
        return "depth"
    if Kind.QUOTE in kinds:
        return "top" if len(np.unique(events["venue"][events["kind"] == Kind.QUOTE])) == 1 else "montage"
    return "depth" if Kind.CLEAR in kinds else "prints"


def side_rows(notices: Iterable[tuple[int, Notice]]) -> list[Mapping[str, Any]]:
    """The typed side messages among notices, as rows of a tape."""
    return [side_row(message) for _, notice in notices if isinstance(notice, Side) for message in notice.messages]
