"""One book of many lines: the specification of the native ``Composer``, from the eight rules of DESIGN.md section 4.

What is composed is never kept: ``levels``, ``nbbo`` and ``leader`` are computed from all sources' states when asked.

Open points settled here:
* A message is what a source says up to LAST, to another instrument, or to the end of the call. Its number and stamp are
  looked at when it begins; it is judged, and shows, when it ends. Trades lie within; a state of the market ends it.
* Fresh (rule 5) is an NBBO whose line is trusted and leads. Which message came later is told by counting all messages.
* A source is *good* on an instrument: trusted, has spoken since it was subscribed or reset, and was not suspect in its
  last message. A suspect leads nothing while another source is good there, whatever its role; alone it is all there is.
* Suspect is what is crossed (MONTAGE excepted: its participants may be), what lies more than 10 % beyond a good source
  while its own last good top did not (or it had none) and no good source says as it does, and what sends stamps older
  than its newest: a replay, if by more than a second, else late. Such messages are left out. Where no other source is
  good a replay is applied, and the fourth late message in a row whose stamps rise: then it is the clock that went back.
* A late message whose number is lower, too, is left out and says nothing about the line.
* Stamps count as at most the time of receipt, so a clock that was ahead and comes back is no replay.
* Numbers of a DEPTH count messages of the whole stream; a message whose number is higher is no replay, that is all.
* After ``reset`` a DEPTH waits for a CLEAR of both sides; the CLEAR of a whole venue is a reset that waits for nothing.
* Only TRADING, HALTED, PAUSED and QUOTE_ONLY are a market state; HALTED and PAUSED clear the NBBO slots.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from engine.core.events import NO_INSTRUMENT, Condition, Flag, Kind, Side, Status
from tests.reference.stream import INT64_MAX, Event, records

if TYPE_CHECKING:
    from collections.abc import Iterable

SIDES = (Side.BID, Side.ASK)
MOST_QUANTITY = INT64_MAX // 64
MOST_PRICE = INT64_MAX - 1
REPLAY_NS = 1_000_000_000
LATE_RUN = 4
PRINTS_KEPT = 8
ROUND_LOT = 100 * 1_000_000_000
PRINTS = (Kind.TRADE, Kind.TRADE_BREAK)
HALTED = (Status.HALTED, Status.PAUSED)

Levels = dict[int, int]  # price -> quantity
Top = tuple[int | None, int | None]  # best bid and ask


def better(side: Side, price: int, than: int) -> bool:
    return price > than if side == Side.BID else price < than


def best(side: Side, prices: Iterable[int]) -> int | None:
    found = list(prices)
    return None if not found else max(found) if side == Side.BID else min(found)


def apart(one: Top, other: Top) -> bool:
    """More than 10 %: what one bids lies that far above what the other asks, or asks below what it bids."""
    bid, ask = one
    other_bid, other_ask = other
    above = bid is not None and other_ask is not None and bid - other_ask > other_ask // 10
    below = ask is not None and other_bid is not None and other_bid - ask > other_bid // 10
    return above or below


def whole(top: Top) -> bool:
    """It has both sides."""
    return None not in top


class State:
    """What one source says of one instrument: quantities by venue, side and price, whatever the role."""

    def __init__(self) -> None:
        self.quotes: dict[int, dict[Side, Levels]] = {}
        self.has = False
        self.waits = False
        self.prints = False
        self.suspect = ""
        self.good: Top = (None, None)
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


@dataclass
class Message:
    state: State
    instrument: int
    first: Event
    skips: bool
    suspect: str  # of the old message itself
    last: Event | None = None  # of those that were taken


class Composer:
    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.statuses: dict[int, int] = {}
        self.trades: list[Event] = []
        self.changed: dict[int, None] = {}
        self.arrivals = 0
        self.seen: dict[int, object] = {}
        self.message: Message | None = None

    # ---- sources

    def add_source(self, role: str, venue: int = 0) -> int:
        self.sources.append(Source(len(self.sources), role, venue, len(self.sources)))
        return len(self.sources) - 1

    def subscribe(self, source: int, instrument: int) -> None:
        self.sources[source].states.setdefault(instrument, State())

    def unsubscribe(self, source: int, instrument: int) -> None:
        if self.sources[source].states.pop(instrument, None) is not None:
            self.settle(instrument)

    def trust(self, source: int, trusted: bool) -> None:
        self.sources[source].trusted = trusted
        self.settle(*self.sources[source].states)

    def rank(self, source: int, rank: int) -> None:
        self.sources[source].rank = rank
        self.settle(*self.sources[source].states)

    def reset(self, source: int, instrument: int | None = None) -> None:
        of = self.sources[source]
        for here in list(of.states) if instrument is None else [instrument] if instrument in of.states else []:
            of.states[here] = State()
            of.states[here].waits = of.role == "depth"
            self.settle(here)

    # ---- who leads (rule 6)

    def good(self, source: Source, instrument: int) -> bool:
        state = source.states.get(instrument)
        return source.trusted and state is not None and state.has and not state.suspect

    def others_good(self, source: Source, instrument: int) -> list[Source]:
        return [other for other in self.sources if other is not source and self.good(other, instrument)]

    def leader(self, instrument: int, role: str, venue: int = 0) -> int:
        """The first by rank that may lead; -1 if none may."""
        candidates = []
        for source in self.sources:
            state = source.states.get(instrument)
            if state is None or not source.trusted or not (state.prints if role == "prints" else state.has):
                continue
            if role != "prints" and (source.role != role or source.venue != venue):
                continue
            if not state.suspect or not self.others_good(source, instrument):
                candidates.append((source.rank, source.number))
        return min(candidates)[1] if candidates else -1

    def led(self, instrument: int, role: str, venue: int = 0) -> State | None:
        leader = self.leader(instrument, role, venue)
        return None if leader < 0 else self.sources[leader].states[instrument]

    # ---- what is composed (rules 2 to 5, 7, 8)

    def contribution(self, instrument: int, venue: int, side: Side) -> Levels:
        """What one venue shows on one side, of exactly one trusted source, and the NBBO where no depth or top is."""
        for role in ("depth", "top"):
            state = self.led(instrument, role, venue)
            if state is not None:  # rule 3; and its levels better than the NBBO stay (rule 5)
                return state.levels(venue, side)
        nbbo, montage = self.led(instrument, "nbbo"), self.led(instrument, "montage")
        slot = None if nbbo is None else nbbo.slot(side)
        levels = {} if montage is None else dict(montage.levels(venue, side))
        if nbbo is None or slot is None:
            return levels
        slot_venue, price, quantity = slot
        if montage is not None and nbbo.arrived > montage.arrived:  # rule 5
            levels = {p: q for p, q in levels.items() if not better(side, p, price)}
        if slot_venue == venue:  # rule 4
            levels = {p: q for p, q in levels.items() if better(side, price, p)}
            levels[price] = quantity
        return levels

    def venues(self, instrument: int) -> set[int]:
        return {
            venue
            for source in self.sources
            if instrument in source.states
            for venue in source.states[instrument].quotes
        }

    def levels(self, instrument: int) -> dict[tuple[int, Side], Levels]:
        return {
            (venue, side): self.contribution(instrument, venue, side)
            for venue in self.venues(instrument)
            for side in SIDES
        }

    def best(self, instrument: int, side: Side) -> tuple[int, int] | None:
        """Price and quantity of the composed top."""
        total: Counter[int] = Counter()
        for (_, of), levels in self.levels(instrument).items():
            total.update(levels if of == side else {})
        price = best(side, total)
        return None if price is None else (price, total[price])

    def nbbo(self, instrument: int, side: Side) -> tuple[int, int] | None:
        state = self.led(instrument, "nbbo")
        slot = None if state is None else state.slot(side)
        return None if slot is None else slot[1:]

    def settle(self, *instruments: int) -> None:
        """Notes the instruments of which anything that callers are told is another now."""
        for instrument in instruments:
            leaders = [self.leader(instrument, "nbbo"), self.leader(instrument, "montage")]
            for venue in sorted({source.venue for source in self.sources}):
                leaders += [self.leader(instrument, "depth", venue), self.leader(instrument, "top", venue)]
            tops = [(self.best(instrument, side), self.nbbo(instrument, side)) for side in SIDES]
            now = (tops, {leader for leader in leaders if leader >= 0}, self.statuses.get(instrument, 0))
            if now != self.seen.get(instrument, ([(None, None)] * 2, set(), 0)):
                self.changed[instrument] = None
            self.seen[instrument] = now

    # ---- what sources say (rules 1 and 2)

    def apply(self, source: int, events: np.ndarray) -> None:
        of = self.sources[source]
        if len(events):
            of.counts["events"] += len(events)
            of.counts["peer_updates"] = 0
        for event in records(events):
            state = of.states.get(event.instrument)
            if event.instrument == NO_INSTRUMENT:
                self.close(of)
                self.venue_event(of, event)
            elif state is None:
                of.counts["unsubscribed"] += 1
            elif event.kind in PRINTS:
                self.trade(of, state, event)
            elif event.kind == Kind.STATUS:
                self.close(of)
                self.market_state(of, event)
            else:
                if self.message is None or self.message.state is not state:
                    self.close(of)
                    self.open(of, state, event)
                assert self.message is not None
                if not self.message.skips:
                    self.change(of, self.message, event)
                if event.flags & Flag.LAST:
                    self.close(of)
        self.close(of)

    def open(self, source: Source, state: State, event: Event) -> None:
        count, skips, suspect = self.old(source, state, event)
        if count:
            source.counts[count] += 1
        self.message = Message(state, event.instrument, event, skips, suspect)

    def old(self, source: Source, state: State, event: Event) -> tuple[str, bool, str]:
        """What is old about a message, whether it is left out for it, and what the source is suspect of."""
        overwrites = source.role != "depth"
        numbered = overwrites and event.sequence != 0 and state.sequence != 0
        if state.sequence and event.sequence > state.sequence:
            state.late = []
            return "", False, ""
        if numbered and event.sequence == state.sequence:
            return "duplicates", True, ""
        back = state.latest - event.ts_event if state.latest else 0
        if numbered and back < 0:
            return "", False, ""  # the numbering began anew
        if not numbered and back <= 0:
            state.late = []
            return "", False, ""
        alone = not self.others_good(source, event.instrument)
        if back > REPLAY_NS:
            return "replayed", numbered or not alone, "" if alone else "replay"
        if numbered or not overwrites:
            return "reordered", numbered, ""
        if not alone:
            return "reordered", True, "late"
        rises = bool(state.late) and event.ts_event > state.late[-1]
        state.late = [*state.late, event.ts_event] if rises else [event.ts_event]
        return "reordered", len(state.late) < LATE_RUN, ""

    def change(self, source: Source, message: Message, event: Event) -> None:
        if not self.allowed(source, event):
            source.counts["refused"] += 1
            return
        state = message.state
        sides = SIDES if event.side == Side.NONE else (Side(event.side),)
        if state.waits and not (event.kind == Kind.CLEAR and event.side == Side.NONE):
            source.counts["waiting"] += 1
            return
        state.waits = False
        message.last = event
        if event.kind == Kind.CLEAR:
            state.clear(sides)
            return
        quantity = event.quantity if event.price else 0
        if source.role == "nbbo":
            if event.conditions & Condition.NON_FIRM or self.statuses.get(event.instrument) in HALTED:
                quantity = 0
            state.clear(sides)  # one slot, whatever the venue
        elif event.kind == Kind.QUOTE:
            state.clear(sides, event.venue)
        state.put(event.venue, sides[0], event.price, quantity)

    def allowed(self, source: Source, event: Event) -> bool:
        kinds = {
            "depth": (Kind.LEVEL, Kind.QUOTE),
            "top": (Kind.QUOTE,),
            "montage": (Kind.QUOTE,),
            "nbbo": (Kind.NBBO,),
        }
        if event.reserved or (source.role in {"depth", "top"} and event.venue != source.venue):
            return False
        if event.kind == Kind.CLEAR:
            return source.role != "prints" and event.side <= Side.ASK
        least = 1 if source.role == "depth" else 0
        return (
            event.kind in kinds.get(source.role, ())
            and event.side in SIDES
            and 0 <= event.quantity <= MOST_QUANTITY
            and least <= event.price <= MOST_PRICE
        )

    def close(self, source: Source) -> None:
        message, self.message = self.message, None
        if message is None:
            return
        state, instrument = message.state, message.instrument
        if message.skips:
            if not message.suspect:
                return
            state.suspect = message.suspect
            source.counts["updates"] += 1
        elif message.last is None:
            return
        else:
            self.arrivals += 1
            last = message.last
            state.has = True
            state.arrived = self.arrivals
            state.sequence = message.first.sequence
            state.latest = max(state.latest, min(last.ts_event, last.ts_recv) if last.ts_recv > 0 else last.ts_event)
            source.counts["updates"] += 1
            self.count_peers(source, source.role, instrument)
            state.suspect = self.judge(source, state, instrument)
        if state.suspect:
            source.counts["suspect_run"] += 1
            source.counts[{"scale": "scaled"}.get(state.suspect, state.suspect)] += 1
        else:
            state.good = state.top
            source.counts["suspect_run"] = 0
        self.settle(instrument)
        if source.role == "nbbo" and self.led(instrument, "nbbo") is state and not message.skips:
            self.count_disagreement(source, state, instrument)

    def judge(self, source: Source, state: State, instrument: int) -> str:
        bid, ask = state.top
        if source.role != "montage" and bid is not None and ask is not None and bid > ask:
            return "crossed"
        tops = [other.states[instrument].top for other in self.others_good(source, instrument)]
        if any(whole(state.top) and whole(top) and not apart(state.top, top) for top in tops):
            return ""
        return "scale" if any(apart(state.top, top) and not apart(state.good, top) for top in tops) else ""

    def count_peers(self, source: Source, role: str, instrument: int) -> None:
        for peer in self.sources:
            same = peer.role == role and (peer.venue == source.venue or role == "prints")
            if source.trusted and same and peer is not source and instrument in peer.states:
                peer.counts["peer_updates"] += 1

    def count_disagreement(self, source: Source, state: State, instrument: int) -> None:
        """A round lot of a depth or top stands above the NBBO, and did at the message before."""
        persists = False
        for side in SIDES:
            top, slot = self.best(instrument, side), state.slot(side)
            above = bool(top and slot and top[1] >= ROUND_LOT and better(side, top[0], slot[1]))
            persists |= above and state.better[side]
            state.better[side] = above
        source.counts["disagreements"] += persists

    # ---- prints and states

    def trade(self, source: Source, state: State, event: Event) -> None:
        print_id = (event.order_id, event.venue)
        if event.kind == Kind.TRADE and event.order_id != 0:
            if print_id in state.print_ids:
                source.counts["duplicates"] += 1
                return
            state.print_ids = [*state.print_ids, print_id][-PRINTS_KEPT:]
        source.counts["trades"] += 1
        state.prints = True
        self.count_peers(source, "prints", event.instrument)
        if self.leader(event.instrument, "prints") == source.number:
            self.trades.append(event)

    def market_state(self, source: Source, event: Event) -> None:
        if not source.trusted or not Status.TRADING <= event.conditions <= Status.QUOTE_ONLY:
            return
        if self.statuses.get(event.instrument) == event.conditions:
            return
        self.statuses[event.instrument] = event.conditions
        if event.conditions in HALTED:
            for other in self.sources:
                if other.role == "nbbo" and event.instrument in other.states:
                    other.states[event.instrument].clear(SIDES)
        self.settle(event.instrument)

    def venue_event(self, source: Source, event: Event) -> None:
        if event.kind == Kind.CLEAR and event.side <= Side.ASK and not event.reserved:
            self.reset(source.number)
            for state in source.states.values():
                state.waits = False
        elif event.kind == Kind.STATUS:
            if source.trusted:
                self.statuses[NO_INSTRUMENT] = event.conditions
        else:
            source.counts["refused"] += 1
