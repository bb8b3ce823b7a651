"""One composed book of many lines: each rule of DESIGN.md section 4 by example."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine._native.book import Books
from engine._native.compose import Composer, outline, stamped
from engine._native.wire import FrameDecoder
from engine.core.events import EVENT, NO_INSTRUMENT, Condition, Flag, Kind, Side, Status
from engine.core.instruments import Instruments
from engine.core.units import NANOS
from engine.core.venues import venue_id

XNAS, ARCX, IEXG, BATS = (venue_id(name) for name in ("XNAS", "ARCX", "IEXG", "BATS"))
NAMES = {XNAS: "XNAS", ARCX: "ARCX", IEXG: "IEXG", BATS: "BATS"}
SECOND = 1_000_000_000


class Desk:
    """A composer over one instrument, with a clock that ticks a millisecond a message."""

    def __init__(self, *, record: bool = True) -> None:
        self.instruments = Instruments()
        self.id = self.instruments.add("AAPL").id
        self.books = Books(self.instruments)
        self.composer = Composer(self.instruments, self.books, record=record)
        self.now = 1_000 * SECOND

    def source(self, provider: int, role: str, venue: int = 0) -> int:
        source = self.composer.add_source(provider, role, venue)  # type: ignore[arg-type]
        self.composer.subscribe(source, self.id)
        return source

    def event(self, kind: Kind, side: Side, price: float, quantity: float, venue: int, **more: int) -> np.ndarray:
        event = np.zeros(1, EVENT)
        event["kind"], event["side"], event["venue"], event["instrument"] = kind, side, venue, self.id
        event["price"], event["quantity"] = round(price * NANOS), round(quantity * NANOS)
        event["ts_event"] = event["ts_recv"] = self.now
        for name, value in more.items():
            event[name] = value
        return event

    def say(self, source: int, *events: np.ndarray, last: bool = True) -> None:
        self.now += SECOND // 1_000
        message = np.concatenate(events)
        message["ts_recv"] = self.now
        message["ts_event"] = np.where(message["ts_event"] < self.now - SECOND, message["ts_event"], self.now)
        message["flags"][-1] |= Flag.LAST if last else 0
        self.composer.apply(source, message)

    def nbbo(self, source: int, bid: tuple[float, float, int], ask: tuple[float, float, int], **more: int) -> None:
        self.quotes(source, Kind.NBBO, bid, ask, **more)

    def quotes(
        self, source: int, kind: Kind, bid: tuple[float, float, int], ask: tuple[float, float, int], **more: int
    ) -> None:
        self.say(source, self.event(kind, Side.BID, *bid, **more), self.event(kind, Side.ASK, *ask, **more))

    def montage(self, source: int, *quotes: tuple[Side, float, float, int]) -> None:
        clear = self.event(Kind.CLEAR, Side.NONE, 0, 0, 0, flags=Flag.SNAPSHOT)
        self.say(source, clear, *(self.event(Kind.QUOTE, *quote) for quote in quotes))

    def shown(self, side: str = "bid") -> list[tuple[str, float, float]]:
        """(venue, price, quantity) of all levels, by venue."""
        book = self.books["AAPL"]
        found = []
        for venue in book.venue_names:
            depth = book.venue_depth(venue, 20)
            found += [
                (venue, float(row[f"{side}_price"]), float(row[f"{side}_quantity"]))
                for row in depth
                if row[f"{side}_quantity"]
            ]
        return sorted(found)


def test_the_nbbo_is_one_slot_whatever_the_venue_it_names():
    desk = Desk()
    line = desk.source(1, "nbbo")
    desk.nbbo(line, (100, 200, XNAS), (101, 300, ARCX))
    desk.nbbo(line, (100.5, 100, ARCX), (101, 300, ARCX))
    assert desk.shown("bid") == [("ARCX", 100.5, 100)]
    assert desk.shown("ask") == [("ARCX", 101, 300)]
    assert desk.composer.nbbo(desk.id)[:4] == (100.5, 100, 101, 300)
    assert desk.composer.take_changes().tolist() == [desk.id]
    assert desk.composer.take_changes().tolist() == []


@pytest.mark.parametrize("how", ["zero", "non-firm", "halted"])
def test_what_clears_a_slot(how):
    desk = Desk()
    line = desk.source(1, "nbbo")
    desk.nbbo(line, (100, 200, XNAS), (101, 300, ARCX))
    if how == "zero":
        desk.nbbo(line, (0, 0, XNAS), (0, 0, ARCX))
    elif how == "non-firm":
        desk.nbbo(line, (100, 200, XNAS), (101, 300, ARCX), conditions=Condition.NON_FIRM)
    else:
        desk.say(line, desk.event(Kind.STATUS, Side.NONE, 0, 0, 0, conditions=Status.HALTED))
        assert desk.composer.status(desk.id) == Status.HALTED
    assert desk.shown("bid") == desk.shown("ask") == []
    assert math.isnan(desk.composer.nbbo(desk.id).bid)


def test_a_depth_beats_a_top_beats_a_montage_and_sizes_add_over_venues_only():
    desk = Desk()
    nbbo, top, depth = desk.source(1, "nbbo"), desk.source(2, "top", IEXG), desk.source(3, "depth", IEXG)
    book = desk.source(4, "montage")
    desk.montage(book, (Side.BID, 100, 10, IEXG), (Side.BID, 100, 20, XNAS), (Side.BID, 99, 5, ARCX))
    assert desk.shown() == [("ARCX", 99, 5), ("IEXG", 100, 10), ("XNAS", 100, 20)]
    desk.quotes(top, Kind.QUOTE, (99.5, 7, IEXG), (101, 7, IEXG))
    assert desk.shown() == [("ARCX", 99, 5), ("IEXG", 99.5, 7), ("XNAS", 100, 20)]
    desk.say(depth, *(desk.event(Kind.LEVEL, Side.BID, price, 3, IEXG) for price in (99.5, 99.4)))
    assert desk.shown() == [("ARCX", 99, 5), ("IEXG", 99.4, 3), ("IEXG", 99.5, 3), ("XNAS", 100, 20)]
    assert desk.composer.depth_venues(desk.id) == (IEXG,)
    desk.nbbo(nbbo, (99.5, 70, IEXG), (101, 7, IEXG))  # the slot's venue has a depth; XNAS is masked
    assert desk.shown() == [("ARCX", 99, 5), ("IEXG", 99.4, 3), ("IEXG", 99.5, 3)]
    assert desk.books["AAPL"].bbo()[:2] == (99.5, 3)
    desk.composer.trust(depth, False, desk.now)
    assert desk.shown() == [("ARCX", 99, 5), ("IEXG", 99.5, 7)]
    desk.composer.trust(top, False, desk.now)
    assert desk.shown() == [("ARCX", 99, 5), ("IEXG", 99.5, 70)]  # the slot replaces the montage's 100


def test_the_nbbo_shows_where_a_top_without_quotes_has_left():
    desk = Desk()
    nbbo, top = desk.source(1, "nbbo"), desk.source(2, "top", IEXG)
    desk.nbbo(nbbo, (99.5, 70, IEXG), (101, 7, IEXG))
    desk.quotes(top, Kind.QUOTE, (0, 0, IEXG), (0, 0, IEXG))
    assert desk.shown() == []
    desk.composer.trust(top, False, desk.now)
    assert desk.shown() == [("IEXG", 99.5, 70)]


def test_a_frame_goes_to_the_book_natively_and_through_any_other_decoder():
    desk = Desk()
    native = FrameDecoder("polygon", provider=1)
    native.map("AAPL", desk.id)
    frame = (
        b'[{"ev":"Q","sym":"AAPL","bx":12,"bp":100.5,"bs":300,"ax":11,"ap":100.52,"as":100,"c":1,"t":1763000000000,"q":7,"z":3},'
        b'{"ev":"status","status":"success","message":"x"}]'
    )

    class Slow:
        def receive_bytes(self, data: bytes, ts_recv: int = 0) -> np.ndarray:
            return FrameDecoder.receive_bytes(native, data, ts_recv)

    for decoder in (native, Slow()):
        source = desk.composer.add_source(1, "nbbo", decoder=decoder)
        desk.composer.subscribe(source, desk.id)
        assert desk.composer.receive(source, bytearray(frame), desk.now) == 2
        assert desk.composer.has_other
        assert desk.composer.nbbo(desk.id)[:4] == (100.5, 300, 100.52, 100)
        assert len(native.take_other(frame)) >= 1
        desk.composer.unsubscribe(source, desk.id)
        assert desk.shown() == []
        assert desk.composer.receive(source, frame, desk.now) == 2
        assert desk.composer.line(source)["unsubscribed"] == 2


def test_a_montage_after_the_nbbo_is_not_masked():
    desk = Desk()
    nbbo, book = desk.source(1, "nbbo"), desk.source(2, "montage")
    desk.nbbo(nbbo, (99.5, 70, IEXG), (101, 7, IEXG))
    desk.montage(book, (Side.BID, 100, 20, XNAS), (Side.BID, 100, 5, IEXG), (Side.BID, 99, 5, ARCX))
    assert desk.shown() == [("ARCX", 99, 5), ("IEXG", 99.5, 70), ("XNAS", 100, 20)]
    desk.nbbo(nbbo, (99.5, 70, IEXG), (101, 7, IEXG))
    assert desk.shown() == [("ARCX", 99, 5), ("IEXG", 99.5, 70)]


def test_failover_swaps_the_whole_depth():
    desk = Desk()
    first, second = desk.source(1, "depth", IEXG), desk.source(2, "depth", IEXG)
    for price in (100, 99, 98):
        desk.say(first, desk.event(Kind.LEVEL, Side.BID, price, 5, IEXG))
    for price in (99, 98, 97):
        desk.say(second, desk.event(Kind.LEVEL, Side.BID, price, 5 + (price == 98), IEXG))
    assert [level[1] for level in desk.shown()] == [98, 99, 100]
    desk.composer.reset(first, desk.now)
    assert desk.shown() == [("IEXG", 97, 5), ("IEXG", 98, 6), ("IEXG", 99, 5)]
    assert desk.composer.leader(desk.id, "depth", IEXG) == second
    desk.say(first, desk.event(Kind.LEVEL, Side.BID, 100, 5, IEXG))  # a delta before its snapshot
    assert desk.composer.leader(desk.id, "depth", IEXG) == second
    desk.say(first, desk.event(Kind.CLEAR, Side.NONE, 0, 0, IEXG), desk.event(Kind.LEVEL, Side.BID, 96, 5, IEXG))
    assert desk.shown() == [("IEXG", 96, 5)]
    desk.say(first, desk.event(Kind.CLEAR, Side.NONE, 0, 0, IEXG, instrument=NO_INSTRUMENT))
    assert desk.composer.leader(desk.id, "depth", IEXG) == second
    desk.say(first, desk.event(Kind.LEVEL, Side.BID, 95, 5, IEXG))
    assert desk.shown() == [("IEXG", 95, 5)]


@pytest.mark.parametrize(("bid", "ask", "reason"), [(102, 101, "crossed"), (10_000, 10_100, "scale")])
def test_a_suspect_never_leads_while_another_line_can(bid, ask, reason):
    desk = Desk()
    first, second = desk.source(1, "nbbo"), desk.source(2, "nbbo")
    desk.nbbo(first, (100, 1, XNAS), (101, 1, XNAS))
    desk.nbbo(second, (100, 2, XNAS), (101, 2, XNAS))
    desk.nbbo(first, (bid, 1, XNAS), (ask, 1, XNAS))
    assert desk.composer.leader(desk.id, "nbbo") == second
    assert desk.composer.suspect(first, desk.id) == reason
    assert desk.shown() == [("XNAS", 100, 2)]
    assert desk.composer.line(first)["suspect_run"] == 1
    desk.nbbo(first, (100, 3, XNAS), (101, 1, XNAS))
    assert desk.composer.leader(desk.id, "nbbo") == first
    desk.composer.trust(second, False, desk.now)
    desk.nbbo(first, (bid, 1, XNAS), (ask, 1, XNAS))  # alone it is all there is
    assert desk.composer.leader(desk.id, "nbbo") == first
    assert desk.books["AAPL"].crossed == (bid > ask)


def test_a_third_line_tells_which_of_two_lies():
    """The liar was alone when it began; nobody but prints is left when another line comes back."""
    desk = Desk()
    liar, other, prints = desk.source(1, "nbbo"), desk.source(2, "nbbo"), desk.source(3, "prints")
    desk.nbbo(liar, (100, 1, XNAS), (100.1, 1, XNAS))
    desk.now += 2 * SECOND
    desk.nbbo(liar, (1, 1, XNAS), (1.01, 1, XNAS))
    assert desk.composer.leader(desk.id, "nbbo") == liar  # alone it is believed
    desk.say(prints, desk.event(Kind.TRADE, Side.NONE, 100, 5, XNAS))
    desk.nbbo(other, (100, 2, XNAS), (100.1, 2, XNAS))
    assert desk.composer.suspect(liar, desk.id) == "scale"  # without a word of its own since
    assert desk.composer.leader(desk.id, "nbbo") == other
    desk.nbbo(liar, (1, 1, XNAS), (1.01, 1, XNAS))
    assert desk.composer.line(liar)["scaled"] == 1
    desk.composer.trust(other, False, desk.now)
    desk.nbbo(liar, (1, 1, XNAS), (1.01, 1, XNAS))
    assert desk.composer.leader(desk.id, "nbbo") == -1  # stale, not wrong


@pytest.mark.parametrize("prints", [True, False])
def test_a_real_jump_is_not_held_against_the_line_that_tells_it(prints):
    """The only other line with quotes is silent. Prints tell at once, health in time."""
    desk = Desk()
    fresh, silent, trades = desk.source(1, "nbbo"), desk.source(2, "depth", IEXG), desk.source(3, "prints")
    for source in (fresh, silent):
        kind = Kind.NBBO if source == fresh else Kind.LEVEL
        desk.quotes(source, kind, (100, 1, IEXG), (100.1, 1, IEXG))
    desk.nbbo(fresh, (120, 1, XNAS), (120.1, 1, XNAS))
    assert desk.composer.suspect(fresh, desk.id) == "scale"
    assert desk.composer.line(fresh)["scaled"] == 0  # who contradicts it has said nothing since
    if prints:
        desk.say(trades, desk.event(Kind.TRADE, Side.NONE, 120.05, 5, XNAS))
        desk.nbbo(fresh, (120, 1, XNAS), (120.1, 1, XNAS))
        assert desk.composer.suspect(silent, desk.id) == "scale"
    else:
        desk.composer.trust(silent, False, desk.now)
        desk.nbbo(fresh, (120, 1, XNAS), (120.1, 1, XNAS))
    assert desk.composer.leader(desk.id, "nbbo") == fresh


def test_prints_are_judged_by_quotes_and_do_not_lead_where_they_are_far_off():
    desk = Desk()
    quotes, prints = desk.source(1, "nbbo"), desk.source(2, "prints")
    desk.nbbo(quotes, (100, 1, XNAS), (100.1, 1, XNAS))
    for price in (100, 10_000, 140, 1):  # 40 % off is a thin market
        desk.say(prints, desk.event(Kind.TRADE, Side.NONE, price, 5, XNAS))
    assert desk.composer.line(prints)["scaled"] == 0  # the quotes are older than those prints
    for price in (1, 10_000, 101):
        desk.nbbo(quotes, (100, 1, XNAS), (100.1, 1, XNAS))
        desk.say(prints, desk.event(Kind.TRADE, Side.NONE, price, 5, XNAS))
    assert desk.composer.take_trades()["price"].tolist() == [100 * NANOS, 140 * NANOS, 101 * NANOS]
    assert desk.composer.leader(desk.id, "nbbo") == quotes


def test_a_line_whose_trades_have_stopped_leads_prints_no_more():
    desk = Desk()
    first, second = desk.source(1, "nbbo"), desk.source(2, "prints")

    def give(source: int) -> None:
        desk.now += SECOND // 5
        desk.say(source, desk.event(Kind.TRADE, Side.NONE, 100, 5, XNAS))

    give(first)
    for _ in range(5):
        assert desk.composer.leader(desk.id, "prints") == first
        desk.nbbo(first, (100, 1, XNAS), (100.1, 1, XNAS))  # its quotes go on
        give(second)
    assert desk.composer.leader(desk.id, "prints") == second
    for _ in range(5):
        assert desk.composer.leader(desk.id, "prints") == second
        give(second)
        give(first)  # the first of them comes after a gap
    assert desk.composer.leader(desk.id, "prints") == second
    give(first)
    assert desk.composer.leader(desk.id, "prints") == first


@pytest.mark.parametrize("how", ["trust", "reset", "unsubscribe"])
def test_a_halt_goes_with_the_line_that_told_it(how):
    desk = Desk()
    first, second = desk.source(1, "nbbo"), desk.source(2, "nbbo")

    def tell(source: int, status: Status) -> None:
        desk.say(source, desk.event(Kind.STATUS, Side.NONE, 0, 0, 0, conditions=status))

    tell(second, Status.QUOTE_ONLY)
    tell(first, Status.HALTED)
    assert desk.composer.status(desk.id) == Status.HALTED
    desk.composer.take_changes()
    arguments = {"trust": (False, desk.now), "reset": (desk.now,), "unsubscribe": (desk.id,)}[how]
    getattr(desk.composer, how)(first, *arguments)
    assert desk.composer.status(desk.id) == Status.QUOTE_ONLY
    assert desk.composer.take_changes().tolist() == [desk.id]
    states = desk.composer.take_events()
    assert states[states["kind"] == Kind.STATUS]["conditions"].tolist() == [4, 2, 4]
    desk.composer.reset(second, desk.now)
    assert desk.composer.status(desk.id) == 0
    if how == "trust":  # what was told while nobody believed it counts from when it is believed
        tell(first, Status.PAUSED)
        desk.composer.trust(first, True, desk.now)
        assert desk.composer.status(desk.id) == Status.PAUSED


def test_a_depth_without_numbers_that_is_replayed_waits_for_its_snapshot():
    desk = Desk()
    depth, other = desk.source(1, "depth", IEXG), desk.source(2, "nbbo")
    desk.nbbo(other, (100, 1, XNAS), (100.1, 1, XNAS))
    for price in (100, 99):
        desk.say(depth, desk.event(Kind.LEVEL, Side.BID, price, 5, IEXG))
    desk.say(depth, desk.event(Kind.LEVEL, Side.BID, 99, 7, IEXG, ts_event=desk.now - 5 * SECOND))
    desk.say(depth, desk.event(Kind.LEVEL, Side.BID, 98, 5, IEXG))  # what was missed is not known
    assert desk.composer.leader(desk.id, "depth", IEXG) == -1
    desk.say(depth, desk.event(Kind.CLEAR, Side.NONE, 0, 0, IEXG), desk.event(Kind.LEVEL, Side.BID, 97, 5, IEXG))
    assert ("IEXG", 97, 5) in desk.shown()


def test_numbers_and_stamps_tell_what_is_old():
    desk = Desk()
    first, second = desk.source(1, "nbbo"), desk.source(2, "nbbo")
    desk.nbbo(second, (100, 2, XNAS), (101, 2, XNAS))
    desk.nbbo(first, (100, 1, XNAS), (101, 1, XNAS), sequence=7)
    desk.nbbo(first, (100.1, 1, XNAS), (101, 1, XNAS), sequence=7)
    line = desk.composer.line(first)
    assert (line["duplicates"], line["updates"]) == (1, 1)
    assert desk.shown() == [("XNAS", 100, 1)]
    desk.nbbo(first, (99, 1, XNAS), (101, 1, XNAS), sequence=3, ts_event=desk.now - 5 * SECOND)
    assert desk.composer.line(first)["replayed"] == 1
    assert desk.composer.leader(desk.id, "nbbo") == second
    desk.nbbo(first, (100, 4, XNAS), (101, 1, XNAS), sequence=8)
    assert desk.shown() == [("XNAS", 100, 4)]


def test_a_line_whose_words_were_left_out_does_not_lead_with_older_ones():
    """Campaign, seed 21048 of an older world: its clock ran back, then the other line was lost."""
    desk = Desk()
    first, second = desk.source(1, "top", IEXG), desk.source(2, "depth", IEXG)
    desk.quotes(first, Kind.QUOTE, (100, 10, IEXG), (101, 1, IEXG))
    desk.quotes(second, Kind.LEVEL, (100, 10, IEXG), (101, 1, IEXG))
    desk.quotes(first, Kind.QUOTE, (100, 9, IEXG), (101, 1, IEXG), ts_event=desk.now - 2 * SECOND)
    assert desk.composer.suspect(first, desk.id) == "replay"
    desk.composer.reset(second, desk.now)
    assert desk.shown() == []
    desk.quotes(first, Kind.QUOTE, (100, 8, IEXG), (101, 1, IEXG), ts_event=desk.now - 2 * SECOND)  # alone it is heard
    assert desk.shown() == [("IEXG", 100, 8)]


def test_a_stamp_before_all_time_is_old():
    desk = Desk()
    first, second = desk.source(1, "nbbo"), desk.source(2, "nbbo")
    for source in (first, second):
        desk.nbbo(source, (10.0, 100, XNAS), (10.5, 100, XNAS))
    desk.nbbo(first, (9.0, 100, XNAS), (9.5, 100, XNAS), ts_event=-(2**63))
    assert desk.composer.line(first)["replayed"] == 1
    assert desk.composer.nbbo(desk.id).bid == 10.0


def test_a_late_message_is_left_out_and_a_clock_that_went_back_is_followed():
    desk = Desk()
    first, second = desk.source(1, "nbbo"), desk.source(2, "nbbo")
    desk.nbbo(first, (100, 1, XNAS), (101, 1, XNAS))
    desk.nbbo(second, (100, 2, XNAS), (101, 2, XNAS))
    for source in (first, second):
        behind = [desk.event(Kind.NBBO, Side.BID, 99 - i / 100, 7, XNAS, flags=Flag.LAST) for i in range(5)]
        for i, event in enumerate(behind):
            event["ts_event"] = desk.now - SECOND // 2 + i
        desk.now += 1
        desk.composer.apply(source, behind[0])
        assert desk.composer.suspect(source, desk.id) == "late"
        if source == first:
            assert desk.composer.leader(desk.id, "nbbo") == second
            assert desk.shown() == [("XNAS", 100, 2)]
            desk.composer.trust(first, False, desk.now)
    assert desk.shown() == []  # if it is the clock, what it said before is old
    desk.composer.apply(second, np.concatenate(behind[1:]))
    assert desk.shown() == [("XNAS", 98.96, 7)]


def test_a_print_that_comes_again_is_left_out():
    desk = Desk()
    line = desk.source(1, "prints")
    prints = [desk.event(Kind.TRADE, Side.NONE, 100, 5, XNAS, order_id=i) for i in (1, 2, 3)]
    desk.composer.apply(line, np.concatenate(prints * 2))
    desk.composer.apply(line, np.concatenate([desk.event(Kind.TRADE, Side.NONE, 100, 5, XNAS)] * 2))  # without an id
    assert desk.composer.take_trades()["order_id"].tolist() == [1, 2, 3, 0, 0]
    assert desk.composer.line(line)["duplicates"] == 3


def test_prints_come_from_one_line():
    desk = Desk()
    first, second = desk.source(1, "nbbo"), desk.source(2, "prints")
    for source in (second, first, second):
        desk.say(source, desk.event(Kind.TRADE, Side.NONE, 100, 5, XNAS, provider=source + 1))
    assert desk.composer.take_trades()["provider"].tolist() == [2, 1]
    desk.composer.trust(first, False, desk.now)
    desk.say(second, desk.event(Kind.TRADE, Side.NONE, 100, 5, XNAS, provider=2))
    assert desk.composer.take_trades()["provider"].tolist() == [2]


def test_updates_of_peers_are_counted_since_the_last_word():
    desk = Desk()
    first, second = desk.source(1, "nbbo"), desk.source(2, "nbbo")
    desk.nbbo(first, (100, 1, XNAS), (101, 1, XNAS))
    for quantity in (1, 2, 3):
        desk.nbbo(second, (100, quantity, XNAS), (101, 1, XNAS))
    line = desk.composer.line(first)
    assert line["peer_updates"] == 3
    assert line["peer_last"] - line["peer_since"] == 2 * SECOND // 1_000
    desk.nbbo(first, (100, 1, XNAS), (101, 1, XNAS))
    assert desk.composer.line(first)["peer_updates"] == 0


def test_wrong_arguments_are_told():
    desk = Desk()
    with pytest.raises(ValueError, match="role is 'level2'"):
        desk.composer.add_source(1, "level2")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="venue is 0"):
        desk.composer.add_source(1, "depth")
    with pytest.raises(ValueError, match="source is 0"):
        desk.composer.trust(0, True, 0)
    with pytest.raises(ValueError, match="has no decoder"):
        desk.composer.receive(desk.source(1, "nbbo"), b"", 0)
    with pytest.raises(TypeError, match="books are dict"):
        Composer(desk.instruments, {})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="by 'order'"):
        Composer(desk.instruments, Books(desk.instruments, by="order"))
    for _ in range(63):
        desk.source(1, "nbbo")
    with pytest.raises(ValueError, match="at most 64"):
        desk.source(1, "nbbo")


def test_what_is_pushed_is_outlined_and_stamped() -> None:
    draw = np.random.default_rng(1)
    events = np.zeros(50, EVENT)
    for name, most in ("venue", 3), ("instrument", 4), ("ts_recv", 2), ("price", 9):
        events[name] = draw.integers(0, most, 50)
    events["instrument"][7] = NO_INSTRUMENT
    for rows in (events, events[::3], events[:1], events[:0]):
        pairs = sorted(set(zip(rows["venue"].tolist(), rows["instrument"].tolist(), strict=True)))
        assert outline(rows) == pairs
        wanted = rows.copy()
        wanted["provider"] = 9
        wanted["ts_recv"][wanted["ts_recv"] == 0] = 77
        assert stamped(rows, 9, 77).tobytes() == wanted.tobytes()
    assert not events["provider"].any()
