"""The seeded market: the same bytes for a seed, and a flow that obeys the rules of an order book."""

import hashlib
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from engine.core.events import EVENT, Flag, Kind, Side, Status
from engine.core.units import NANOS
from engine.sim.world import OPEN, TICK, World

SYMBOLS = ["AAPL", "MSFT"]
DIGEST = "5f7560d5517a40c87aa95b085dd926f2e24eb5abf0223f162db9fce393ab0543"  # changes only when the flow is meant to


def flow(world):
    return np.concatenate(list(world))


@pytest.fixture(scope="module")
def events():
    return flow(World(SYMBOLS, seed=7, duration="5s"))


def test_a_seed_means_these_bytes(events):
    assert hashlib.sha256(events.tobytes()).hexdigest() == DIGEST


def test_iterating_again_gives_the_same_and_another_seed_does_not(events):
    world = World(SYMBOLS, seed=7, duration=timedelta(seconds=5))
    assert flow(world).tobytes() == flow(world).tobytes() == events.tobytes()
    assert flow(World(SYMBOLS, seed=8, duration="5s")).tobytes() != events.tobytes()


def test_another_symbol_leaves_the_flow_of_the_first_alone(events):
    alone = flow(World(["AAPL"], seed=7, duration="5s"))
    names = [name for name in EVENT.names if name not in {"sequence", "flags"}]
    first = events[events["instrument"] == 0]
    assert all((alone[name] == first[name]).all() for name in names)


def test_time_order_sequence_and_batches():
    world = World(SYMBOLS, seed=3, duration="2s", interval="50ms", start=OPEN + 7)
    sequence, before = 0, world.start
    for batch in world:
        assert batch.dtype == EVENT
        assert len(batch) > 0
        close = int(batch["ts_recv"][0])
        assert (batch["ts_recv"] == close).all()
        assert (np.diff(batch["ts_event"]) >= 0).all()
        assert before <= batch["ts_event"][0]
        assert batch["ts_event"][-1] < close <= world.end
        assert batch["sequence"].tolist() == list(range(sequence + 1, sequence + 1 + len(batch)))
        assert batch["flags"][-1] & Flag.BATCH_END
        sequence, before = int(batch["sequence"][-1]), close


def test_the_interval_cuts_the_flow_but_does_not_change_it():
    coarse, fine = (flow(World(["A"], seed=1, duration="1s", interval=step)) for step in ("1s", "1ms"))
    for name in ("ts_event", "price", "quantity", "order_id", "kind", "sequence"):
        assert (coarse[name] == fine[name]).all()


def test_every_kind_arrives_on_the_tick_with_a_quantity(events):
    kinds = set(events["kind"].tolist())
    assert kinds == {Kind.STATUS, Kind.ADD, Kind.REDUCE, Kind.DELETE, Kind.REPLACE, Kind.EXECUTE, Kind.TRADE}
    assert (events["conditions"][events["kind"] == Kind.STATUS] == Status.TRADING).all()
    resting = events[np.isin(events["kind"], [Kind.ADD, Kind.REDUCE, Kind.REPLACE, Kind.EXECUTE])]
    assert (resting["price"] % TICK == 0).all()
    assert (resting["quantity"] > 0).all()
    assert (resting["quantity"] % NANOS == 0).all()
    assert (events["flags"][events["kind"] == Kind.TRADE] & Flag.HIDDEN).all()


def test_orders_are_conserved_and_taken_oldest_first_and_books_never_cross():
    world = World(SYMBOLS, seed=11, duration="3s")
    books = [{Side.BID: {}, Side.ASK: {}} for _ in SYMBOLS]  # price -> {order id: left}, in time priority
    places = {}  # order id -> price
    for batch in world:
        for event in batch[~np.isin(batch["kind"], [Kind.STATUS, Kind.TRADE])]:
            book, kind, order_id = books[event["instrument"]], event["kind"], int(event["order_id"])
            side, price, quantity = book[Side(event["side"])], int(event["price"]), int(event["quantity"])
            if kind in (Kind.REPLACE, Kind.DELETE):
                del side[places[order_id]][order_id]
            elif kind == Kind.EXECUTE:
                assert price == (max if event["side"] == Side.BID else min)(side)
                assert next(iter(side[price])) == order_id
            if kind in (Kind.ADD, Kind.REPLACE):
                assert order_id not in places or kind == Kind.REPLACE
                places[order_id] = price
                side.setdefault(price, {})[order_id] = quantity
            elif kind in (Kind.REDUCE, Kind.EXECUTE):
                assert side[price][order_id] - quantity >= 0
                side[price][order_id] -= quantity
                if side[price][order_id] == 0:
                    del side[price][order_id]
            for one in book.values():
                for empty in [price for price, level in one.items() if not level]:
                    del one[empty]
            assert not book[Side.BID] or not book[Side.ASK] or max(book[Side.BID]) < min(book[Side.ASK])
        for symbol, book in zip(SYMBOLS, books, strict=True):
            truth = world.truth(symbol)
            for side in (Side.BID, Side.ASK):
                assert {price: list(level.items()) for price, level in book[side].items()} == {
                    price: truth.queue(side, price) for price in truth.levels[side]
                }


def test_the_shape_is_that_of_a_market():
    world = World(["A"], seed=5, duration="20s")
    spreads, sizes = [], []
    for _ in world:
        depth = world.truth("A").depth(10)
        spreads.append(round((depth["ask_price"][0] - depth["bid_price"][0]) / 0.01))
        sizes.append(len(world.truth("A").orders_list))
        assert not np.isnan(depth["bid_price"]).any()
        assert not np.isnan(depth["ask_price"]).any()
    assert min(spreads) >= 1
    assert 1 <= np.median(spreads) <= 4
    assert max(spreads) > np.median(spreads)
    assert 200 <= np.median(sizes) <= 400


def test_sparse_worlds_have_two_sides_too():
    world = World(["A"], seed=5, duration="2h", interval="60s", rate=1)
    for _ in world:
        top = world.truth("A").bbo()
        assert 0 < top.bid < top.ask < 1.01 * top.bid


def test_noon_is_quieter_than_the_open():
    opening = len(flow(World(["A"], seed=2, duration="5s")))
    noon = len(flow(World(["A"], seed=2, duration="5s", start=OPEN + 11_700 * NANOS)))
    assert opening > 2.5 * noon


def test_the_waits_have_the_mean_they_say():
    flow_of_a = flow(World(["A"], seed=2, duration="60s", rate=200, start=OPEN + 11_700 * NANOS))
    gaps = [later - earlier for earlier, later in pairwise(sorted(set(flow_of_a["ts_event"].tolist())))]
    assert 0.9 < np.mean(gaps) / (2 * NANOS / 200) < 1.2  # an act that finds nothing to do leaves a longer gap


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "expected a sequence of names"),
        (("AAPL",), "expected a sequence of names"),
        ((["A", "A"],), "each once"),
        ((["A"], -1), "seed is -1"),
        ((["A"], 0, "10 fortnights"), "duration is '10 fortnights'"),
    ],
)
def test_wrong_arguments_name_what_was_expected(arguments, message):
    with pytest.raises(ValueError, match=message):
        World(*arguments)


def test_wrong_rate_interval_and_symbol():
    with pytest.raises(ValueError, match="rate is 0"):
        World(["A"], rate=0)
    with pytest.raises(ValueError, match="interval is 0"):
        World(["A"], interval="0s")
    with pytest.raises(KeyError, match="expected one of A"):
        World(["A"]).truth("B")
