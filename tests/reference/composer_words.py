"""What sources say, and who is contradicted: the part of ``tests/reference/composer.py`` that judges."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.events import Side
from tests.reference.stream import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

SIDES = (Side.BID, Side.ASK)
MOST_PRICE = INT64_MAX - 1
PRINT_FRESH_NS = 1_000_000_000
DENIED_NS = 10_000_000_000
ANCHOR_NS = 60_000_000_000

Levels = dict[int, int]  # price -> quantity
Top = tuple[int | None, int | None]  # best bid and ask


def better(side: Side, price: int, than: int) -> bool:
    return price > than if side == Side.BID else price < than


def best(side: Side, prices: Iterable[int]) -> int | None:
    found = list(prices)
    return None if not found else max(found) if side == Side.BID else min(found)


def apart(one: Top, other: Top, part: int = 10) -> bool:
    """Whether one bids more than a ``part``-th above what the other asks, or asks so far below what it bids."""
    bid, ask = one
    other_bid, other_ask = other
    above = bid is not None and other_ask is not None and bid - other_ask > other_ask // part
    below = ask is not None and other_bid is not None and other_bid - ask > other_bid // part
    return above or below


def near(one: Top, other: Top) -> bool:
    """Whether bids or asks lie within 10 %."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    return any(abs(a - b) <= min(a, b) // 10 for a, b in pairs)


def whole(top: Top) -> bool:
    """It has both sides."""
    return None not in top


def narrow(top: Top) -> bool:
    """Whole, and its ask is at most 10 % above its bid."""
    bid, ask = top
    return bid is not None and ask is not None and ask - bid <= bid // 10


class State:
    """What one source says of one instrument: quantities by venue, side and price, whatever the role."""

    def __init__(self) -> None:
        self.quotes: dict[int, dict[Side, Levels]] = {}
        self.has = False
        self.waits = False
        self.prints = False
        self.suspect = ""
        self.was: Top = (None, None)  # the last whole top, or print
        self.since = 0  # arrival of the word it stands by
        self.denied_at = 0
        self.print: int | None = None
        self.print_at = 0
        self.quiet = False
        self.gap = self.gap_since = self.run = 0
        self.status = self.status_at = 0
        self.latest = 0
        self.late: list[int] = []
        self.print_ids: list[tuple[int, int]] = []
        self.sequence = 0
        self.arrived = 0
        self.better = dict.fromkeys(SIDES, False)

    def levels(self, venue: int, side: Side) -> Levels:
        return self.quotes.get(venue, {}).get(side, {})

    def clear(self, sides: Iterable[Side], venue: int | None = None) -> None:
        for here in self.quotes if venue is None else [venue]:
            for side in sides:
                self.quotes.setdefault(here, {})[side] = {}

    def put(self, venue: int, side: Side, price: int, quantity: int) -> None:
        levels = self.quotes.setdefault(venue, {}).setdefault(side, {})
        levels[price] = quantity
        if quantity == 0:
            del levels[price]

    def slot(self, side: Side) -> tuple[int, int, int] | None:
        """The one (venue, price, quantity) of an NBBO's side."""
        held = [(venue, price, q) for venue, sides in self.quotes.items() for price, q in sides.get(side, {}).items()]
        return held[0] if held else None

    @property
    def top(self) -> Top:
        return tuple(best(side, [p for sides in self.quotes.values() for p in sides.get(side, {})]) for side in SIDES)  # type: ignore[return-value]


@dataclass
class Source:
    number: int
    role: str
    venue: int
    rank: int
    trusted: bool = True
    states: dict[int, State] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


class Words:
    """Sources, each with its word on each instrument."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.anchors: dict[int, tuple[Top, int]] = {}  # and when it was confirmed

    def word(self, source: Source, instrument: int, now: int) -> tuple[Top, int] | None:
        """What a source that has a say says, and when it said so."""
        state = source.states.get(instrument)
        if state is None:
            return None
        if source.role == "prints":
            fresh = state.print is not None and now - state.print_at <= PRINT_FRESH_NS
            return ((state.print, state.print), state.arrived) if fresh else None
        return (state.top, state.arrived) if state.has and state.suspect in {"", "scale"} else None

    def against(self, one: Source, other: Source, instrument: int, now: int) -> bool:
        mine, theirs = self.word(one, instrument, now), self.word(other, instrument, now)
        part = 2 if "prints" in {one.role, other.role} else 10
        return mine is not None and theirs is not None and apart(mine[0], theirs[0], part)

    def agree(self, one: Source, other: Source, instrument: int, now: int) -> bool:
        mine, theirs = self.word(one, instrument, now), self.word(other, instrument, now)
        if mine is None or theirs is None or self.against(one, other, instrument, now):
            return False
        return near(mine[0], theirs[0])

    def have_a_say(self, source: Source, instrument: int) -> list[Source]:
        return [other for other in self.sources if other is not source and other.trusted and instrument in other.states]

    def camp(self, source: Source, instrument: int, now: int) -> int:
        return 1 + sum(self.agree(source, other, instrument, now) for other in self.have_a_say(source, instrument))

    def verdict(self, source: Source, instrument: int, now: int) -> tuple[bool, bool]:
        """Whether it is suspect, and whether somebody said the contrary after it had come to its word."""
        state = source.states[instrument]
        word = self.word(source, instrument, now)
        assert word is not None
        contrary = [o for o in self.have_a_say(source, instrument) if self.against(source, o, instrument, now)]
        mine = self.camp(source, instrument, now)
        anchor = self.anchors.get(instrument, ((None, None), 0))[0]
        off = apart(word[0], anchor)
        if not contrary:
            held = state.denied_at and now - state.denied_at <= DENIED_NS and off and mine == 1
            return bool(held), False
        loses = denied = False
        for other in contrary:
            theirs = self.camp(other, instrument, now)
            their_word = self.word(other, instrument, now)
            assert their_word is not None
            other_off = apart(their_word[0], anchor)
            later = state.since > other.states[instrument].since
            if theirs > mine or (theirs == mine and (off if off != other_off else later)):
                loses = True
                denied |= their_word[1] > state.since
        return loses, denied

    def judge(self, instrument: int, speaker: Source, now: int) -> None:
        """Judges who has spoken; and, where it is contradicted or anybody was, all who quote."""
        state = speaker.states[instrument]
        contradicted = any(
            self.against(speaker, other, instrument, now) for other in self.have_a_say(speaker, instrument)
        )
        disputed = any(
            source.trusted and instrument in source.states and source.states[instrument].suspect == "scale"
            for source in self.sources
            if source is not speaker and source.role != "prints"
        )
        if not contradicted and not disputed and not state.denied_at:
            return
        rest = self.have_a_say(speaker, instrument) if speaker.trusted else []
        judged = [speaker, *(other for other in rest if other.role != "prints" and self.word(other, instrument, now))]
        verdicts = [self.verdict(source, instrument, now) for source in judged]
        for source, (loses, denied) in zip(judged, verdicts, strict=True):
            its = source.states[instrument]
            its.suspect = "scale" if loses else ""
            its.denied_at = 0 if not loses else now if denied else its.denied_at

    def lay_anchor(self, instrument: int, source: Source, now: int) -> None:
        top = source.states[instrument].top
        anchor, at = self.anchors.get(instrument, ((None, None), 0))
        if not narrow(top):
            return
        if not apart(top, anchor) or self.camp(source, instrument, now) > 1 or now - at > ANCHOR_NS:
            self.anchors[instrument] = (top, now)
