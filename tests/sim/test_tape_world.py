"""A tape to trade in: places in the queue, what is missing after we took, latency, and the models of levels."""

from __future__ import annotations

import numpy as np
import pytest

import engine
from engine.core.events import EVENT, Flag, Kind, Side, Status
from engine.core.instruments import Instruments
from engine.core.orders import ORDER, Action, OrderType, Reason, ReportKind, TimeInForce
from engine.core.units import NANOS
from engine.sim.market import Market
from engine.sim.tape_world import TapeWorld
from engine.sim.world import NEVER, OUTSIDE, World
from tests.recorded import data_path

BID, ASK = Side.BID, Side.ASK
MS = NANOS // 1_000


def tape(*rows, tick="0.01", symbols=("A",)):
    """Rows are (kind, side, price, quantity, order id) in dollars and shares, a millisecond apart."""
    events = np.zeros(len(rows), EVENT)
    for place, (kind, side, price, quantity, order_id) in enumerate(rows):
        event = events[place]
        event["ts_event"] = (place + 1) * MS
        event["kind"], event["side"], event["order_id"], event["venue"] = kind, side, order_id, 1
        event["price"], event["quantity"], event["flags"] = (
            round(price * 100) * NANOS // 100,
            quantity * NANOS,
            Flag.LAST,
        )
    instruments = Instruments()
    for symbol in symbols:
        instruments.add(symbol, tick=tick, lot="1")
    return Recording([events], instruments)


class Recording:
    def __init__(self, batches, instruments):
        self.batches, self.instruments = batches, instruments

    def __iter__(self):
        return iter(self.batches)


def order(side, price, quantity, order_id=1, **fields):
    made = np.zeros(1, ORDER)
    made["owner"], made["order_id"], made["action"], made["side"] = 7, OUTSIDE + order_id, Action.NEW, side
    made["price"], made["quantity"] = round(price * 100) * NANOS // 100, quantity * NANOS
    for name, value in fields.items():
        made[name] = value
    return made


def fills(reports):
    found = reports[reports["kind"] == ReportKind.FILL]
    return [(int(row["ts"]) // MS, row["price"] / NANOS, int(row["quantity"]) // NANOS) for row in found]


def told(events):
    return [(Kind(row["kind"]).name, int(row["order_id"]), int(row["quantity"]) // NANOS) for row in events]


QUEUE = [
    (Kind.ADD, BID, 10, 100, 1),  # at 1 ms
    (Kind.ADD, ASK, 11, 100, 2),
    (Kind.ADD, BID, 10, 80, 3),  # 3 ms: behind ours
    (Kind.EXECUTE, BID, 10, 60, 1),
    (Kind.REDUCE, BID, 10, 10, 1),
    (Kind.EXECUTE, BID, 10, 30, 1),  # 6 ms: the last before ours
    (Kind.EXECUTE, BID, 10, 50, 3),
    (Kind.DELETE, BID, 10, 30, 3),
]


def test_our_place_is_behind_what_stood_there_and_before_what_came_later():
    world = TapeWorld(tape(*QUEUE))
    (accepted,) = world.submit(order(BID, 10, 40), 2 * MS + 1)
    assert accepted["kind"] == ReportKind.ACCEPTED
    world.advance(7 * MS)
    assert len(world.take_reports()) == 0
    events = world.advance(8 * MS)
    assert fills(world.take_reports()) == [(7, 10.0, 40)]
    # 10 of the 50 went to the order that was hit; it leaves as much as recorded
    assert told(events) == [("EXECUTE", OUTSIDE + 1, 40), ("EXECUTE", 3, 10), ("REDUCE", 3, 40)]
    assert told(world.advance(9 * MS)) == [("DELETE", 3, 30)]
    assert world.next_time == NEVER
    assert not world.counts


def test_without_orders_of_ours_it_is_the_tape():
    made = World(["A", "B"], seed=3, duration="3s")
    recorded = list(made)
    instruments = Instruments()
    for symbol in made.symbols:
        instruments.add(symbol, tick="0.01", lot="1")
    world = TapeWorld(Recording(recorded, instruments))
    assert world.start == recorded[0]["ts_event"][0]
    played = []
    while world.next_time != NEVER:
        played.append(world.advance(world.next_time + 70 * MS))
    ours, theirs = np.concatenate(played), np.concatenate(recorded)
    for name in ("ts_event", "kind", "order_id", "price", "quantity", "side", "instrument", "venue", "sequence"):
        assert (ours[name] == theirs[name]).all(), name
    assert not world.counts


def test_what_we_take_is_missing_and_executions_go_on_behind_it():
    world = TapeWorld(
        tape(
            (Kind.ADD, ASK, 11, 100, 1),
            (Kind.ADD, ASK, 11, 100, 2),
            (Kind.EXECUTE, ASK, 11, 100, 1),  # we took 70 of it: 70 come out of the next
            (Kind.EXECUTE, ASK, 11, 100, 2),  # 30 are left
        )
    )
    reports = world.submit(order(BID, 11, 70, tif=TimeInForce.IOC), 2 * MS + 1)
    assert fills(reports) == [(2, 11.0, 70)]
    world.advance(2 * MS + 2)
    assert told(world.advance(4 * MS)) == [("EXECUTE", 1, 30), ("EXECUTE", 2, 70)]
    assert told(world.advance(5 * MS)) == [("EXECUTE", 2, 30)]
    assert np.isnan(world.book("A").bbo().ask)


def test_a_recorded_order_that_crosses_ours_trades_at_our_price():
    world = TapeWorld(
        tape((Kind.ADD, BID, 10, 100, 1), (Kind.ADD, ASK, 10.5, 100, 2), (Kind.DELETE, ASK, 10.5, 100, 2))
    )
    world.submit(order(BID, 10.6, 30), MS + 1)
    events = world.advance(3 * MS)
    assert fills(world.take_reports()) == [(2, 10.6, 30)]
    assert told(events)[-2:] == [("EXECUTE", OUTSIDE + 1, 30), ("ADD", 2, 70)]
    assert told(world.advance(4 * MS)) == [("DELETE", 2, 70)]


def test_latency_delays_the_request_to_the_venue_and_reports_are_stamped_there():
    world = TapeWorld(tape(*QUEUE), latency="2ms")
    assert len(world.submit(order(ASK, 10, 30, tif=TimeInForce.IOC), 3 * MS + 1)) == 0
    assert world.next_time <= 5 * MS + 1
    world.advance(10 * MS)
    reports = world.take_reports()
    assert reports["ts"].tolist() == [5 * MS + 1] * 2
    assert reports["quantity"].tolist() == [30 * NANOS, 30 * NANOS]


def test_cancels_and_replacements_find_our_orders():
    world = TapeWorld(tape(*QUEUE))
    world.submit(order(BID, 10, 40), 2 * MS + 1)
    (replaced,) = world.submit(order(BID, 9, 40, action=Action.REPLACE), 2 * MS + 2)
    (cancelled,) = world.submit(order(BID, 9, 40, action=Action.CANCEL), 2 * MS + 3)
    assert (replaced["kind"], cancelled["kind"]) == (ReportKind.REPLACED, ReportKind.CANCELLED)
    world.advance(10 * MS)
    assert len(world.take_reports()) == 0


def test_a_print_against_hidden_orders_reaches_better_orders_of_ours():
    rows = [
        (Kind.ADD, BID, 10, 100, 1),
        (Kind.ADD, ASK, 11, 100, 2),
        (Kind.TRADE, BID, 10.5, 30, 0),
        (Kind.TRADE, BID, 10.8, 30, 0),
    ]
    world = TapeWorld(tape(*rows))
    world.submit(order(BID, 10.6, 50), 2 * MS + 1)
    world.advance(9 * MS)
    assert fills(world.take_reports()) == [(3, 10.6, 30)]


def test_halts_of_the_tape_halt_ours():
    rows = [(Kind.ADD, BID, 10, 100, 1), (Kind.STATUS, Side.NONE, 0, 0, 0), (Kind.ADD, BID, 10, 100, 2)]
    recorded = tape(*rows)
    recorded.batches[0]["conditions"][1] = Status.HALTED
    world = TapeWorld(recorded)
    (report,) = world.submit(order(ASK, 10, 50), 2 * MS + 1)
    assert (report["kind"], report["reason"]) == (ReportKind.REJECTED, Reason.HALTED)


LEVELS = [
    (Kind.LEVEL, BID, 10, 100, 0),
    (Kind.LEVEL, ASK, 11, 50, 0),
    (Kind.LEVEL, BID, 10, 300, 0),  # 3 ms: 200 behind ours
    (Kind.LEVEL, BID, 10, 150, 0),  # half of it goes without a print
    (Kind.TRADE, BID, 10, 70, 0),
    (Kind.LEVEL, BID, 10, 80, 0),
    (Kind.TRADE, BID, 10, 60, 0),
]


@pytest.mark.parametrize(
    ("queue", "expected"), [("back", [(7, 10.0, 30)]), ("proportional", [(5, 10.0, 20), (7, 10.0, 20)])]
)
def test_of_levels_the_model_says_what_goes_before_ours(queue, expected):
    world = TapeWorld(tape(*LEVELS), queue=queue)
    world.submit(order(BID, 10, 40), 2 * MS + 1)
    world.advance(9 * MS)
    assert fills(world.take_reports()) == expected


def test_what_we_took_of_a_level_stays_missing_until_it_is_gone():
    rows = [
        (Kind.LEVEL, ASK, 11, 100, 0),
        (Kind.LEVEL, ASK, 11, 120, 0),
        (Kind.LEVEL, ASK, 11, 0, 0),
        (Kind.LEVEL, ASK, 11, 90, 0),
    ]
    world = TapeWorld(tape(*rows))
    world.submit(order(BID, 11, 60, tif=TimeInForce.IOC), MS + 1)
    shown = []
    for until in (2, 3, 4, 5):
        world.advance(until * MS)
        shown.append(world.book("A").bbo().ask_quantity)
    assert shown == [40.0, 60.0, 0.0, 90.0]


def test_the_record_may_be_wrong_and_says_so():
    rows = [
        (Kind.ADD, BID, 10, 100, 1),
        (Kind.ADD, BID, 10, 100, 2),
        (Kind.EXECUTE, BID, 10, 40, 2),  # the second is hit before the first
        (Kind.ADD, ASK, 9, 100, 3),  # crosses
        (Kind.DELETE, BID, 10, 1, 9),
    ]
    world = TapeWorld(tape(*rows))
    events = world.advance(9 * MS)
    assert told(events)[2:] == [("REDUCE", 2, 40)]
    assert dict(world.counts) == {"out of turn": 1, "refused": 1, "unknown order": 1}


def test_times_move_and_a_market_plays_it_with_ours_in_it():
    world = TapeWorld(tape(*QUEUE), start=NANOS, interval="1ms")
    market = Market(("A",), source=world)
    (accepted,) = market.submit(order(ASK, 12, 40), NANOS + 2 * MS)
    assert accepted["ts"] == NANOS + 2 * MS
    market.advance(NANOS + 20 * MS)
    assert sum(sum(market.book("A", venue).levels[ASK].values()) for venue in market.venues) == 140 * NANOS
    assert len(market.take_reports()) == 0


def test_wrong_arguments_say_so():
    world = TapeWorld(tape(*QUEUE))
    with pytest.raises(ValueError, match="the tape is empty"):
        TapeWorld(Recording([], Instruments()))
    with pytest.raises(ValueError, match="queue is 'front'"):
        TapeWorld(tape(*QUEUE), queue="front")
    with pytest.raises(ValueError, match=r"orders\[0\] has owner 0"):
        world.submit(order(BID, 1, 1, owner=0))
    with pytest.raises(TypeError, match=r"engine.ORDER"):
        world.submit([])
    with pytest.raises(ValueError, match="time is 0"):
        world.advance(0)
    with pytest.raises(ValueError, match="NBBO events"):
        TapeWorld(tape((Kind.NBBO, BID, 1, 1, 0))).advance(NANOS)
    market = world.submit(order(BID, 0, 1, type=OrderType.MARKET))
    assert market["kind"].tolist() == [ReportKind.ACCEPTED, ReportKind.CANCELLED]


def test_a_recorded_hour_ends_with_its_book():
    path = data_path("lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv.xz")
    tape = engine.replay(path, format="lobster")
    world, book = TapeWorld(tape), engine.Book(by="order")
    for batch in tape:
        book.apply(batch)
        world.advance(int(batch["ts_event"][-1]) + 1)
        np.testing.assert_array_equal(world.book("AAPL").depth(10), book.depth(10))
    assert world.counts["out of turn"] < 30  # of 4,067 executions
    assert world.counts["refused"] == 0
