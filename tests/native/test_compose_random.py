"""The native composer against its twin: random sources of every role, faults, verdicts and orders of arrival.

After every step both show the same book, venue by venue, the same leaders, suspects and counts, and tell the same
changes and trades; and what was recorded leads fresh books to the same levels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine._native.book import Books
from engine._native.compose import ROLES, Composer
from engine.core.events import EVENT, NO_INSTRUMENT, Condition, Flag, Kind, Side, Status
from engine.core.instruments import Instruments
from engine.core.units import NANOS, from_nanos
from engine.core.venues import venue_id
from tests.reference.composer import SIDES
from tests.reference.composer import Composer as Twin
from tests.streams import plain

CENT = NANOS // 100
SYMBOLS = ("AAPL", "MSFT")
NAMES = ("XNAS", "ARCX", "IEXG")
VENUES = [venue_id(name) for name in NAMES]
KINDS = {"depth": Kind.LEVEL, "top": Kind.QUOTE, "montage": Kind.QUOTE, "nbbo": Kind.NBBO, "prints": Kind.TRADE}
COUNTS = ("events", "updates", "duplicates", "reordered", "replayed", "crossed", "scaled", "suspect_run", "trades")
COUNTS += ("refused", "unsubscribed", "waiting", "disagreements", "peer_updates")
START = 1_700_000_000 * NANOS
STEPS = ["speak_of_the_venue", "trust", "trust", "reset", "rank", "subscribe", "lie", "lie", "wait"]
SESSIONS = 2
STATUSES = [
    Status.TRADING,
    Status.TRADING,
    Status.TRADING,
    Status.HALTED,
    Status.PAUSED,
    Status.QUOTE_ONLY,
    Status.SHORT_RESTRICTED,
]

T = TypeVar("T")
Choose = Callable[[list[T]], T]  # one of a few, by hypothesis or by a seed


def spoil(events: np.ndarray, choose: Choose) -> None:
    """Events of other kinds among those of a message, and one field that makes no sense."""
    for event in events:
        if choose([0] * 9 + [1]):
            event["kind"] = choose([Kind.QUOTE, Kind.CLEAR, Kind.TRADE, Kind.STATUS, Kind.LEVEL])
        if event["kind"] == Kind.CLEAR:
            event["side"] = choose([0, 0, 1, 2])
        if event["kind"] == Kind.STATUS:
            event["conditions"] = choose(STATUSES)
        if choose([0] * 29 + [1]):
            name, value = choose(
                [("kind", 0), ("side", 3), ("quantity", -1), ("reserved", 1), ("venue", 9), ("price", -1)]
            )
            event[name] = value


def message(choose: Choose, role: str, venue: int, now: int, middle: int, scale: int) -> np.ndarray:
    """A message as its role has them, mostly; now and then one that is crossed, wrongly scaled or late."""
    fault = choose([""] * 12 + ["crossed", "scaled", "late", "late", "replayed"])
    size = 2 if role in {"nbbo", "top"} else choose([1, 2, 3, 5])
    events = np.zeros(size, EVENT)
    away = choose([-8 if fault == "crossed" else 0])
    scale = 100 if fault == "scaled" else scale
    for i, event in enumerate(events):
        side = SIDES[i % 2] if role in {"nbbo", "top"} else choose(list(SIDES))
        step = away + choose([0, 0, 1, 2, 3, 4])
        event["kind"], event["side"] = KINDS[role], side
        event["price"] = (
            (middle - step if side == Side.BID else middle + 2 + step) * scale * CENT * choose([1] * 12 + [0])
        )
        event["quantity"] = choose([0, 50, 100, 100, 200]) * NANOS
        event["venue"] = venue if role in {"depth", "top"} else choose(VENUES)
        event["conditions"] = Condition.NON_FIRM * (role == "nbbo") * choose([0] * 9 + [1])
    spoil(events, choose)
    if role == "montage" and choose([True, False]):
        events = np.concatenate([np.zeros(1, EVENT), events])
        events["kind"][0] = Kind.CLEAR
    events["order_id"] = choose([0, 0, *range(1, 12)])
    events["ts_event"] = now - {"late": choose([NANOS // 25, NANOS // 10]), "replayed": 3 * NANOS}.get(fault, 0)
    events["ts_recv"] = now + choose([1_000, -NANOS // 10])
    events["flags"][-1] = Flag.LAST * choose([1, 1, 1, 0])
    return events


class Pair:
    """A native composer and its twin, told the same."""

    def __init__(self, roles: list[tuple[str, int]]) -> None:
        self.instruments = Instruments()
        self.ids = [self.instruments.add(symbol).id for symbol in SYMBOLS]
        self.books, self.replayed = Books(self.instruments), Books(self.instruments)
        self.native, self.twin = Composer(self.instruments, self.books, record=True), Twin()
        self.roles = [(role, venue if role in {"depth", "top"} else 0) for role, venue in roles]
        self.now, self.number, self.middle = START, 1_000, 10_000
        self.liars: set[int] = set()
        for number, (role, venue) in enumerate(self.roles):
            self.native.add_source(number + 1, role, venue)  # type: ignore[arg-type]
            self.twin.add_source(role, venue)
            for instrument in self.ids:
                self.native.subscribe(number, instrument)
                self.twin.subscribe(number, instrument)

    def source(self, choose: Choose) -> int:
        return choose(list(range(len(self.roles))))

    def speak(self, choose: Choose) -> None:
        source = self.source(choose)
        pieces = []
        for _ in range(choose([1, 1, 2, 3])):
            self.now += NANOS // 100
            self.middle += choose([-1, 0, 0, 0, 1])
            numbered = choose([0, 1, 1])
            self.number += choose([1, 1, 1, 1, 1, 0, -2]) if numbered else 0
            scale = 3 if source in self.liars else 1
            piece = message(choose, *self.roles[source], self.now, self.middle, scale)
            piece["instrument"] = choose([self.ids[0]] * 5 + [self.ids[1]] * 3 + [77])
            piece["sequence"] = numbered * self.number
            pieces.append(piece)
        self.apply(source, np.concatenate(pieces))

    def speak_of_the_venue(self, choose: Choose) -> None:
        event = np.zeros(1, EVENT)
        event["kind"], event["instrument"] = choose([Kind.CLEAR, Kind.STATUS, Kind.LEVEL]), NO_INSTRUMENT
        event["conditions"] = Status.SYSTEM_START_MARKET
        self.apply(self.source(choose), event)

    def apply(self, source: int, events: np.ndarray) -> None:
        self.native.apply(source, events)
        self.twin.apply(source, events)

    def lie(self, choose: Choose) -> None:
        """From now on the source lies, or no more."""
        self.liars ^= {self.source(choose)}

    def wait(self, choose: Choose) -> None:
        self.now += choose([NANOS, NANOS, 11 * NANOS, 61 * NANOS])

    def trust(self, choose: Choose) -> None:
        source, trusted = self.source(choose), choose([True, True, False])
        self.native.trust(source, trusted, self.now)
        self.twin.trust(source, trusted)

    def reset(self, choose: Choose) -> None:
        source, instrument = self.source(choose), choose([None, *self.ids, 77])
        self.native.reset(source, self.now, instrument)
        self.twin.reset(source, instrument)

    def rank(self, choose: Choose) -> None:
        source, rank = self.source(choose), choose([0, 1, 2, 3])
        self.native.rank(source, rank, self.now)
        self.twin.rank(source, rank)

    def subscribe(self, choose: Choose) -> None:
        source, instrument, leave = self.source(choose), choose(self.ids), choose([True, False, False])
        for composer in (self.native, self.twin):
            (composer.unsubscribe if leave else composer.subscribe)(source, instrument)

    def agree(self) -> None:
        self.replayed.apply(self.native.take_events())
        for instrument, symbol in zip(self.ids, SYMBOLS, strict=True):
            self.books_agree(instrument, symbol)
            self.leaders_agree(instrument)
            assert self.native.status(instrument) == self.twin.status(instrument)
            quote = [self.twin.nbbo(instrument, side) or (None, 0) for side in SIDES]
            theirs = [quote[0][0], quote[0][1], quote[1][0], quote[1][1]]
            ours = plain(np.array(self.native.nbbo(instrument)[:4]))
            assert ours == plain(np.array([np.nan if value is None else value / 1e9 for value in theirs]))
        assert self.native.status(NO_INSTRUMENT) == self.twin.status(NO_INSTRUMENT)
        assert sorted(self.native.take_changes().tolist()) == sorted(self.twin.changed)
        self.twin.changed.clear()
        assert self.native.take_trades().tolist() == [tuple(trade) for trade in self.twin.trades]
        self.twin.trades.clear()
        for source in self.twin.sources:
            line = self.native.line(source.number)
            assert {name: line[name] for name in COUNTS} == {name: source.counts[name] for name in COUNTS}
            for instrument in self.ids:
                state = source.states.get(instrument)
                assert self.native.suspect(source.number, instrument) == (state.suspect if state else "")

    def books_agree(self, instrument: int, symbol: str) -> None:
        levels = self.twin.levels(instrument)
        for books in (self.books, self.replayed):
            book = books[symbol]
            for name, venue in zip(NAMES, VENUES, strict=True):
                depth = book.venue_depth(name, 40) if name in book.venue_names else np.zeros(0)
                for side, field in zip(SIDES, ("bid", "ask"), strict=True):
                    ours = {
                        float(row[f"{field}_price"]): float(row[f"{field}_quantity"])
                        for row in depth
                        if row[f"{field}_quantity"] != 0
                    }
                    theirs = levels.get((venue, side), {})
                    assert ours == {float(from_nanos(p)): float(from_nanos(q)) for p, q in theirs.items()}
            bbo = book.bbo()
            for side, price, quantity in (Side.BID, *bbo[:2]), (Side.ASK, *bbo[2:4]):
                top = self.twin.best(instrument, side)
                assert (top is None and np.isnan(price)) or (price, quantity) == (top[0] / 1e9, top[1] / 1e9)

    def leaders_agree(self, instrument: int) -> None:
        for role in ("nbbo", "montage", "prints"):
            assert self.native.leader(instrument, role) == self.twin.leader(instrument, role), role
        complete = []
        for venue in VENUES:
            for role in ("depth", "top"):
                assert self.native.leader(instrument, role, venue) == self.twin.leader(instrument, role, venue), role
            complete += [venue] * (self.twin.leader(instrument, "depth", venue) >= 0)
        assert sorted(self.native.depth_venues(instrument)) == sorted(complete)


class Composed(RuleBasedStateMachine):
    """Anything a caller may do to a composer, in any order."""

    @initialize(roles=st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from(VENUES)), min_size=1, max_size=7))
    def create(self, roles: list[tuple[str, int]]) -> None:
        self.pair = Pair(roles)

    @precondition(lambda self: hasattr(self, "pair"))
    @rule(data=st.data(), step=st.sampled_from(["speak"] * 6 + STEPS))
    def step(self, data: st.DataObject, step: str) -> None:
        getattr(self.pair, step)(lambda options: options[data.draw(st.integers(0, len(options) - 1))])

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "pair"):
            self.pair.agree()


TestComposed = Composed.TestCase

DESKS = {
    "live": [("nbbo", 0), ("nbbo", 0), ("top", VENUES[2]), ("prints", 0), ("depth", VENUES[2]), ("montage", 0)],
    "shadows": [("depth", VENUES[0]), ("depth", VENUES[0]), ("depth", VENUES[1]), ("top", VENUES[0]), ("nbbo", 0)],
    "quotes": [("nbbo", 0), ("nbbo", 0), ("nbbo", 0), ("nbbo", 0)],
    "montages": [("montage", 0), ("montage", 0), ("nbbo", 0), ("top", VENUES[1])],
    "alone": [("nbbo", 0)],
}


@pytest.mark.parametrize("desk", list(DESKS))
def test_long_sessions_agree(desk: str) -> None:
    """Sessions longer than hypothesis makes them, so that lines have a past: suspects, failovers, returns."""
    for seed in range(SESSIONS):
        rng = np.random.default_rng([seed, list(DESKS).index(desk)])
        pair = Pair(DESKS[desk])
        for _ in range(150):
            step = "speak" if rng.random() < 0.9 else STEPS[rng.integers(len(STEPS))]
            getattr(pair, step)(lambda options: options[rng.integers(len(options))])  # noqa: B023 - called at once
            pair.agree()
