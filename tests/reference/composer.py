"""One book of many lines: the specification of the native ``Composer``, from the eight rules of DESIGN.md section 4.

What is composed is never kept: ``levels``, ``nbbo`` and ``leader`` are computed from all sources' states when asked.

Open points settled here:
* A message is what a source says up to LAST, to another instrument, or to the end of the call. Its number and stamp are
  looked at when it begins; it is judged, and shows, when it ends. Trades lie within; a state of the market ends it.
* Fresh (rule 5) is an NBBO whose line is trusted and leads. Which message came later is told by counting all messages.
* A source is *good* on an instrument: trusted, has spoken since it was subscribed or reset, and is not suspect. A
  suspect leads nothing: what it said last was left out, or contradicted. One that is crossed does where no source is
  good, whatever its role: it may be the market that is; not for ten seconds after it was so while another was good.
* Suspect is what is crossed (MONTAGE excepted: its participants may be), what others contradict (next point), and what
  sends stamps older than its newest: a replay, if by more than a second, else late. Such messages are left out. Where
  no other source is good a replay is applied, and the fourth late message in a row whose stamps rise: then it is the
  clock that went back (by up to 50 ms nobody is suspect for the three before). A DEPTH without numbers that leaves a
  replay out has lost its book and waits for a snapshot.
* A source's *word* is its top; of a PRINTS source the price of its last print that makes a last price, for a second.
  Words *contradict* each other where one bids more than 10 % above what the other asks; a print, 50 %. They *agree*
  where they do not, and bids or asks lie within 10 %. The trusted sources that are neither crossed nor late have a say.
  A source is suspect of "scale" where one that contradicts it has more agreeing with it; where as many, by the
  *anchor*, the last top that was believed: one that contradicts the anchor loses against one that does not; else the
  one loses that came to its word later. All are judged at each message that is contradicted, and while one is suspect.
* What is crossed counts as ``crossed`` where another source is good, else it may be the market that is; and of a source
  that is not trusted.
* What was contradicted by somebody who spoke after it had come to its word stays so for ten seconds after, whoever has
  left, while it contradicts the anchor and nobody agrees. Only such messages count as ``scaled``.
* The anchor follows narrow tops that do not contradict it; others where somebody agrees, or a minute later.
* A late message whose number is lower, too, is left out and says nothing about the line.
* Stamps count as at most the time of receipt, so a clock that was ahead and comes back is no replay.
* Numbers of a DEPTH count messages of the whole stream; a message whose number is higher is no replay, that is all.
* After ``reset`` a DEPTH waits for a CLEAR of both sides; the CLEAR of a whole venue is a reset that waits for nothing.
* Only TRADING, HALTED, PAUSED and QUOTE_ONLY are a market state; HALTED and PAUSED clear the NBBO slots. It is the last
  one that a trusted source told; who is lost or reset has told nothing. Likewise the session's.
* A source that is silent while others give 5 prints in 500 ms leads prints no more where another does, until it has
  given 5 between none of which others gave 5.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.core.events import NO_INSTRUMENT, Condition, Flag, Kind, Side, Status
from tests.reference.composer_words import (
    DENIED_NS,
    MOST_PRICE,
    SIDES,
    Levels,
    Source,
    State,
    Words,
    apart,
    best,
    better,
)
from tests.reference.stream import INT64_MAX, Event, records

if TYPE_CHECKING:
    pass

MOST_QUANTITY = INT64_MAX // 64
REPLAY_NS = 1_000_000_000
LATE_RUN = 4
LATE_NS = 50_000_000
QUIET_PRINTS = 5
QUIET_NS = 500_000_000
NO_PRICE = Condition.NO_LAST | Condition.NO_HIGH_LOW
PRINTS_KEPT = 8
ROUND_LOT = 100 * 1_000_000_000
PRINTS = (Kind.TRADE, Kind.TRADE_BREAK)
HALTED = (Status.HALTED, Status.PAUSED)


@dataclass
class Message:
    state: State
    instrument: int
    first: Event
    skips: bool
    suspect: str  # of the old message itself
    last: Event | None = None  # of those that were taken


class Composer(Words):
    def __init__(self) -> None:
        super().__init__()
        self.shown_status: dict[int, int] = {}
        self.sessions: dict[int, tuple[int, int]] = {}  # by source: arrival and state
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
            self.settle_status(instrument)
            self.settle(instrument)

    def trust(self, source: int, trusted: bool) -> None:
        if self.sources[source].trusted == trusted:
            return
        self.sources[source].trusted = trusted
        self.settle_status(*self.sources[source].states)
        self.settle(*self.sources[source].states)

    def rank(self, source: int, rank: int) -> None:
        self.sources[source].rank = rank
        self.settle(*self.sources[source].states)

    def reset(self, source: int, instrument: int | None = None) -> None:
        of = self.sources[source]
        if instrument is None:
            self.sessions.pop(source, None)
        for here in list(of.states) if instrument is None else [instrument] if instrument in of.states else []:
            old, new = of.states[here], State()
            new.waits = of.role == "depth"
            new.denied_at = old.denied_at
            of.states[here] = new
            self.settle_status(here)
            self.settle(here)

    # ---- who leads (rule 6)

    def good(self, source: Source, instrument: int) -> bool:
        state = source.states.get(instrument)
        return source.trusted and state is not None and state.has and not state.suspect

    def others_good(self, source: Source, instrument: int) -> list[Source]:
        return [other for other in self.sources if other is not source and self.good(other, instrument)]

    def leader(self, instrument: int, role: str, venue: int = 0) -> int:
        """The first by rank that may lead, of prints one that is not quiet before one that is; -1 if none may."""
        candidates = []
        for source in self.sources:
            state = source.states.get(instrument)
            if state is None or not source.trusted or not (state.prints if role == "prints" else state.has):
                continue
            if role != "prints" and (source.role != role or source.venue != venue):
                continue
            crossed = state.suspect == "crossed" and not state.denied_at and not self.others_good(source, instrument)
            if not state.suspect or crossed:
                candidates.append((role == "prints" and state.quiet, source.rank, source.number))
        return min(candidates)[2] if candidates else -1

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
            now = (tops, {leader for leader in leaders if leader >= 0}, self.status(instrument))
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
        state = source.states[event.instrument]
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
            if not overwrites and not alone and not event.sequence:
                latest = state.latest
                self.reset(source.number, event.instrument)
                source.states[event.instrument].latest = latest
            return "replayed", numbered or not alone, "" if alone else "replay"
        if numbered or not overwrites:
            return "reordered", numbered, ""
        if not alone:
            return "reordered", True, "late"
        rises = bool(state.late) and event.ts_event > state.late[-1]
        state.late = [*state.late, event.ts_event] if rises else [event.ts_event]
        refused = len(state.late) < LATE_RUN
        return "reordered", refused, "late" if refused and back > LATE_NS else ""

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
            if event.conditions & Condition.NON_FIRM or self.status(event.instrument) in HALTED:
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
            if not state.has:
                state.since = self.arrivals
            state.has = True
            state.arrived = self.arrivals
            state.sequence = message.first.sequence
            state.latest = max(state.latest, min(last.ts_event, last.ts_recv) if last.ts_recv > 0 else last.ts_event)
            source.counts["updates"] += 1
            self.count_peers(source, source.role, instrument)
            bid, ask = state.top
            if bid is not None and ask is not None:
                if apart(state.top, state.was):
                    state.since = self.arrivals
                state.was = state.top
            if source.role != "montage" and bid is not None and ask is not None and bid > ask:
                state.suspect = "crossed"
                if self.others_good(source, instrument):
                    state.denied_at = last.ts_recv
                elif last.ts_recv - state.denied_at > DENIED_NS:
                    state.denied_at = 0
            else:
                state.suspect = ""
                self.judge(instrument, source, last.ts_recv)
            if not state.suspect and source.trusted:
                self.lay_anchor(instrument, source, last.ts_recv)
        if state.suspect:
            source.counts["suspect_run"] += 1
            if state.suspect == "crossed":
                source.counts["crossed"] += bool(self.others_good(source, instrument)) or not source.trusted
            elif state.suspect != "scale":
                source.counts[state.suspect] += 1
            elif state.denied_at:
                source.counts["scaled"] += 1
        else:
            source.counts["suspect_run"] = 0
        self.settle(instrument)
        if source.role == "nbbo" and self.led(instrument, "nbbo") is state and not message.skips:
            self.count_disagreement(source, state, instrument)

    def count_peers(self, source: Source, role: str, instrument: int) -> None:
        for peer in self.sources:
            same = peer.role == role and (peer.venue == source.venue or role == "prints")
            if not source.trusted or not same or peer is source or instrument not in peer.states:
                continue
            left_out = role == "prints" and peer.counts["trades"] and not peer.states[instrument].prints
            peer.counts["peer_updates"] += not left_out

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
        self.hear_print(source, state, event)
        if source.role == "prints":
            self.weigh_print(source, state, event)
        if self.leader(event.instrument, "prints") == source.number:
            self.trades.append(event)

    def hear_print(self, source: Source, state: State, event: Event) -> None:
        """Who is quiet while others give prints."""
        state.run = state.run + 1 if state.gap < QUIET_PRINTS else 0
        if state.quiet and state.run >= QUIET_PRINTS:
            state.quiet = False
        state.gap = 0
        for other in self.sources:
            its = other.states.get(event.instrument)
            if other is source or its is None or not its.prints or not source.trusted:
                continue
            if its.gap == 0:
                its.gap_since = event.ts_recv
            its.gap += 1
            if not its.quiet and its.gap >= QUIET_PRINTS and event.ts_recv - its.gap_since >= QUIET_NS:
                its.quiet, its.run = True, 0

    def weigh_print(self, source: Source, state: State, event: Event) -> None:
        """A line of prints alone says a price, and is judged by it."""
        regular = not event.conditions & NO_PRICE or event.conditions & Condition.ODD_LOT
        if event.kind != Kind.TRADE or not regular or not 0 < event.price <= MOST_PRICE:
            return
        self.arrivals += 1
        state.print, state.print_at, state.arrived = event.price, event.ts_recv, self.arrivals
        top = (event.price, event.price)
        if state.was == (None, None) or apart(top, state.was, 2):
            state.since = self.arrivals
        state.was = top
        state.suspect = ""
        self.judge(event.instrument, source, event.ts_recv)
        source.counts["scaled"] += state.suspect == "scale" and bool(state.denied_at)
        self.settle(event.instrument)

    # ---- states of the market

    def status(self, instrument: int) -> int:
        """What a trusted source told last, 0 if none did."""
        if instrument == NO_INSTRUMENT:
            told = [told for source, told in self.sessions.items() if self.sources[source].trusted]
        else:
            told = [
                (source.states[instrument].status_at, source.states[instrument].status)
                for source in self.sources
                if source.trusted and instrument in source.states
            ]
        return max(told, default=(0, 0))[1]

    def market_state(self, source: Source, event: Event) -> None:
        if not Status.TRADING <= event.conditions <= Status.QUOTE_ONLY:
            return
        state = source.states[event.instrument]
        self.arrivals += 1
        state.status, state.status_at = event.conditions, self.arrivals
        self.settle_status(event.instrument)

    def settle_status(self, *instruments: int) -> None:
        for instrument in instruments:
            status = self.status(instrument)
            if status == self.shown_status.get(instrument, 0):
                continue
            self.shown_status[instrument] = status
            if status in HALTED:
                for other in self.sources:
                    if other.role == "nbbo" and instrument in other.states:
                        other.states[instrument].clear(SIDES)
            self.settle(instrument)

    def venue_event(self, source: Source, event: Event) -> None:
        if event.kind == Kind.CLEAR and event.side <= Side.ASK and not event.reserved:
            self.reset(source.number)
            for state in source.states.values():
                state.waits = False
        elif event.kind == Kind.STATUS:
            self.arrivals += 1
            self.sessions[source.number] = (self.arrivals, event.conditions)
        else:
            source.counts["refused"] += 1
