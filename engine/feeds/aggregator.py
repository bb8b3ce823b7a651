"""Many lines into one book: the native composer, and who of its sources may be trusted.

The composer (``engine._native.compose``) holds the state of each source and applies DESIGN section 4; ``LineHealth``
comes to a verdict on each line; here the two are put together. No clock: every time is given.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine.core.events import Status
from engine.core.venues import provider_id
from engine.feeds.health import LineHealth, Reading, Rules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engine.core.instruments import Instruments

__all__ = ["SOURCES", "Aggregator", "ComposerLike"]

_HALTED: Final = frozenset({Status.HALTED, Status.PAUSED})
_FRESH: Final = 1_000_000_000  #: ns
SOURCES: Final = 64  #: that a composer can have: a bit each (native/compose/composer.hpp)
_RANKS: Final = 4  #: scores are compared in so many steps, so that a leader is not replaced for nothing


class ComposerLike(Protocol):
    """What is used of ``engine._native.compose.Composer``."""

    def add_source(self, provider: int, role: Any, venue: int = 0) -> int: ...  # noqa: D102
    def subscribe(self, source: int, instrument: int) -> None: ...  # noqa: D102
    def unsubscribe(self, source: int, instrument: int) -> None: ...  # noqa: D102
    def apply(self, source: int, events: NDArray[np.void]) -> None: ...  # noqa: D102
    def trust(self, source: int, trusted: bool, now: int) -> None: ...  # noqa: D102
    def reset(self, source: int, now: int, instrument: int | None = None) -> None: ...  # noqa: D102
    def rank(self, source: int, rank: int, now: int) -> None: ...  # noqa: D102
    def line(self, source: int) -> Mapping[str, int]: ...  # noqa: D102
    def status(self, instrument: int) -> int: ...  # noqa: D102
    def take_changes(self) -> NDArray[np.uint32]: ...  # noqa: D102
    def take_trades(self) -> NDArray[np.void]: ...  # noqa: D102


class _Line:
    """One line as the aggregator sees it."""

    __slots__ = ("health", "name", "rank", "reading", "role", "source", "speaks", "symbols", "told", "venue")

    def __init__(self, name: str, role: str, venue: int, source: int, rules: Rules) -> None:
        self.name = name
        self.role, self.venue = role, venue
        self.symbols: set[str] = set()
        self.source = source
        self.health = LineHealth(rules)
        self.reading = Reading()
        self.speaks = False  # it says something of an instrument now
        self.told: bool | None = None  # what the composer was told last
        self.rank = 0


class Aggregator:
    """The composer with the health of its lines; a line is its number in the order of ``add_line``.

    Args:
        instruments: gets every symbol that is subscribed.
        composer: where data goes.
        rules: the numbers of health's verdicts.
    """

    def __init__(self, instruments: Instruments, composer: ComposerLike, *, rules: Rules | None = None) -> None:
        self.instruments = instruments
        self.composer = composer
        self._rules = rules or Rules()
        self._lines: list[_Line] = []

    def add_line(self, name: str, provider: str, role: str, venue: int = 0, *, live: bool = True) -> int:
        """A new line's number. Delayed data (``live=False``) has no source: it never enters the book."""
        source = self.composer.add_source(provider_id(provider), role, venue) if live else -1
        line = _Line(name, role, venue, source, self._rules)
        line.rank = len(self._lines)
        self._lines.append(line)
        return len(self._lines) - 1

    @property
    def room(self) -> int:
        """How many live lines can still be added."""
        return SOURCES - sum(line.source >= 0 for line in self._lines)

    def source(self, line: int) -> int:
        """The line's source in the composer, -1 for delayed data."""
        return self._lines[line].source

    def line_health(self, line: int) -> LineHealth:
        """The line's state, to read."""
        return self._lines[line].health

    # ---- what happens to a line

    def subscribe(self, line: int, symbols: Sequence[str]) -> None:
        """The provider sends these symbols now."""
        source = self._lines[line].source
        if source >= 0:
            for symbol in symbols:
                self.composer.subscribe(source, self.instruments[symbol].id)
        self._lines[line].symbols.update(symbols)

    def unsubscribe(self, line: int, symbols: Sequence[str]) -> None:
        """It does so no more: what it said of them is forgotten."""
        source = self._lines[line].source
        if source >= 0:
            for symbol in symbols:
                if symbol in self.instruments:
                    self.composer.unsubscribe(source, self.instruments[symbol].id)
        self._lines[line].symbols.difference_update(symbols)

    def connecting(self, line: int, now: int, reason: str = "connecting") -> None:
        """A connection is being opened, or waits to be."""
        self._lines[line].health.connecting(now, reason)
        self._tell(self._lines[line], now)

    def ready(self, line: int, now: int) -> None:
        """It is logged in."""
        self._lines[line].health.ready(now)
        self._tell(self._lines[line], now)

    def lost(self, line: int, now: int, reason: str, *, fault: bool = True, reset: bool = True) -> None:
        """The connection is gone, and with it (``reset``) what the line knew. ``fault=False``: we ended it."""
        found = self._lines[line]
        found.health.lost(now, reason, fault=fault)
        self._tell(found, now)
        if found.source >= 0 and reset:
            self.composer.reset(found.source, now)

    def silent(self, line: int, now: int, reason: str) -> None:
        """Not even heartbeats come, and there is no connection to drop."""
        self._lines[line].health.silent(now, reason)
        self._tell(self._lines[line], now)

    def gap(self, line: int, now: int, *, fault: bool = True) -> None:
        """Messages were lost: what the line knew contributes nothing until it is rebuilt. ``fault=False``: by us."""
        found = self._lines[line]
        if fault:
            found.health.charge(now)
        if found.source >= 0:
            self.composer.reset(found.source, now)

    def missed(self, line: int, symbols: Sequence[str], now: int) -> None:
        """What came of these symbols so far is not known: they contribute nothing before the next snapshot."""
        source = self._lines[line].source
        if source >= 0:
            for symbol in symbols:
                self.composer.reset(source, now, self.instruments[symbol].id)

    def charge(self, line: int, now: int) -> None:
        """A fault that costs score only."""
        self._lines[line].health.charge(now)

    def set_back(self, by: int) -> None:
        """Our clock was set back by so much."""
        for line in self._lines:
            line.health.set_back(by)

    # ---- verdicts

    def judge(self, now: int) -> list[int]:
        """Judges every line, about every 100 ms; the lines whose state changed."""
        for line in self._lines:
            if line.source >= 0:
                counts = self.composer.line(line.source)
                line.reading, line.speaks = _reading(counts), counts.get("speaks", 1) > 0
                line.health.measure(line.reading)
        changed = []
        for number, line in enumerate(self._lines):
            others = [other for other in self._lines if _trusted_beside(other, line)]
            peers = [other for other in others if _same_class(other, line)]
            # a depth that waits for its snapshot has nothing to hold against anybody
            quotes = [
                other.health for other in others if other.reading.updates and other.speaks and other.role != "prints"
            ]
            witnesses = [other for other in others if other.role == "prints" and _printed(other, now)]
            excesses = [health.excess for health in quotes if health.excess is not None]
            peer_delays = [delay for peer in peers if (delay := peer.health.true_delay) is not None]
            delays = [health.delay for health in quotes if health.delay is not None and not health.ahead]
            line.reading = replace(
                line.reading,
                others=len(quotes),
                witnesses=len(quotes) + len(witnesses),
                peers=len(peers),
                halted=not peers and self._is_halted(line, now),
                other_last=max((other.reading.last_recv for other in others), default=0),
                peer_delay=min(peer_delays, default=None),
                other_delay=min(delays, default=None),
                least_excess=min(excesses, default=None),
                most_excess=max(excesses, default=None),
            )
            if line.health.judge(line.reading, now):
                changed.append(number)
                self._tell(line, now)
        self._rerank(now)
        return changed

    def _is_halted(self, line: _Line, now: int) -> bool:
        """Whether a line is silent because nothing of what it carries is traded."""
        if not line.symbols or now - line.reading.last_recv < self._rules.alone_silence:
            return False
        status, instruments = self.composer.status, self.instruments
        return all(status(instruments[symbol].id) in _HALTED for symbol in line.symbols)

    def _tell(self, line: _Line, now: int) -> None:
        if line.source >= 0 and line.told is not line.health.trusted:
            line.told = line.health.trusted
            self.composer.trust(line.source, line.told, now)

    def _rerank(self, now: int) -> None:
        """Better scores lead; the order of adding decides among equals."""
        steps = [round(line.health.score(now) * _RANKS) for line in self._lines]
        order = sorted(range(len(self._lines)), key=lambda number: (-steps[number], number))
        for rank, number in enumerate(order):
            line = self._lines[number]
            if line.rank != rank:
                line.rank = rank
                if line.source >= 0:
                    self.composer.rank(line.source, rank, now)

    def _counts(self, line: _Line) -> Mapping[str, int]:
        return self.composer.line(line.source) if line.source >= 0 else {}

    def report(self, line: int, now: int) -> dict[str, Any]:
        """What ``market.health()`` says of a line as far as its data tells.

        ``state``, ``reason``, ``since`` (ns), ``alone`` (no other line of its class), ``exempt`` (no other line with
        quotes, which would reveal wrong data), ``score``, ``updates``, ``prints``, ``suspect`` updates by reason,
        ``duplicates``, ``reordered`` (messages left out or late by number or stamp), ``waiting`` (events of a depth
        that came before the snapshot it has to begin with),
        ``delay_ns`` of its last update (with the clocks' offset) and ``excess_ns`` over its best.
        """
        found = self._lines[line]
        health, reading, counts = found.health, found.reading, self._counts(found)
        reason = health.reason
        if health.state == "live" and health.alone:
            reason = "no other line of its class: silence is judged by heartbeats and its own rate"
            if health.exempt:
                reason = "alone: judged by heartbeats and its own rate; wrong data would not show"
        return {
            "state": health.state,
            "reason": reason,
            "since": health.since,
            "alone": health.alone,
            "exempt": health.exempt,
            "score": round(health.score(now), 3),
            "updates": reading.updates,
            "prints": reading.prints,
            "suspect": {"crossed": reading.crossed, "scale": reading.scale, "replayed": reading.replayed},
            "duplicates": counts.get("duplicates", 0),
            "reordered": counts.get("reordered", 0),
            "waiting": counts.get("waiting", 0),
            "delay_ns": health.delay,
            "excess_ns": health.excess,
        }


#: Names of a Reading, and of what the composer says of a line.
_NAMES: Final = (
    *(("updates", "updates"), ("prints", "trades"), ("last_recv", "last_recv"), ("last_event", "last_event")),
    *(("crossed", "crossed"), ("scale", "scaled"), ("replayed", "replayed")),
    *(("peer_updates", "peer_updates"), ("peer_first", "peer_since"), ("peer_last", "peer_last")),
)


def _reading(counts: Mapping[str, int]) -> Reading:
    values: dict[str, Any] = {name: counts[theirs] for name, theirs in _NAMES}
    return Reading(**values)


def _trusted_beside(other: _Line, line: _Line) -> bool:
    """Whether another line is trusted and shares instruments with this one."""
    if other is line or other.source < 0 or line.source < 0 or not other.health.trusted:
        return False
    return not other.symbols.isdisjoint(line.symbols)


def _printed(line: _Line, now: int) -> bool:
    """Whether a line of prints gave some just now: so long the composer lets them tell what a price is."""
    return line.reading.prints > 0 and now - line.reading.last_recv <= _FRESH


def _same_class(other: _Line, line: _Line) -> bool:
    """Whether silence of one shows in the other: the same role and venue; for prints, whoever has given some."""
    if line.role == "prints":
        return other.reading.prints > 0
    return (other.role, other.venue) == (line.role, line.venue)
