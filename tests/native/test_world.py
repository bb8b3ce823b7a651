"""The native world against its slow twin, and what orders of others do in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine._native.world import World
from engine.core.events import Kind, Side
from engine.core.orders import ORDER, Action, OrderFlag, OrderType, ReportKind, TimeInForce
from engine.core.units import NANOS
from engine.sim.world import OPEN, OUTSIDE, PROVIDER, TICK, VENUE
from tests.reference.world import World as Twin

SECOND = NANOS


def make(symbols: int = 1, seed: int = 7, start: int = OPEN, seconds: int = 60, rate: int = 1_000) -> World:
    return World(symbols, seed, start, start + seconds * SECOND, OPEN, rate, VENUE, PROVIDER)


def order(order_id: int = 1, **fields: int) -> np.ndarray:
    made = np.zeros(1, ORDER)
    for name, value in {"owner": 1, "action": Action.NEW, "order_id": OUTSIDE + order_id, **fields}.items():
        made[name] = value
    return made


def best(world: World, side: Side, instrument: int = 0) -> int:
    prices = world.show(instrument)
    prices = prices["price"][prices["side"] == side]
    return int(max(prices) if side is Side.BID else min(prices)) if len(prices) else 0


@pytest.mark.parametrize(("seed", "rate", "start"), [(0, 1_000, OPEN), (2**64 - 1, 50, OPEN - 2 * SECOND), (3, 1, 0)])
def test_it_is_its_twin(seed, rate, start):
    seconds = 2_000 // rate
    native = make(2, seed, start, seconds, rate)
    twin = Twin(2, seed, start, start + seconds * SECOND, rate)
    for until in range(start, start + (seconds + 1) * SECOND, seconds * SECOND // 7):
        assert native.advance(until).tobytes() == twin.advance(until).tobytes()


requests = st.fixed_dictionaries(
    {
        "wait": st.integers(0, SECOND),
        "order_id": st.integers(1, 6),
        "owner": st.integers(1, 2),
        "instrument": st.integers(0, 2),
        "action": st.sampled_from([Action.NEW, Action.NEW, Action.NEW, Action.CANCEL, Action.REPLACE]),
        "side": st.sampled_from([Side.BID, Side.ASK]),
        "ticks": st.sampled_from([-30, -3, -1, 0, 1, 3, 30, -(10**9), 10**9, 2**62]),
        "shares": st.sampled_from([0, 1, 100, 5_000, 1_000_000, 9_000_000_000]),
        "display": st.sampled_from([0, 0, 100]),
        "type": st.sampled_from([OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET]),
        "tif": st.sampled_from(list(TimeInForce)),
        "flags": st.sampled_from([0, 0, OrderFlag.POST_ONLY]),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3), st.lists(requests, max_size=12))
def test_whatever_others_do_it_is_its_twin(seed, plan):
    native = make(2, seed, seconds=8, rate=100)
    twin = Twin(2, seed, OPEN, OPEN + 8 * SECOND, 100)
    for request in plan:
        fields = dict(request)
        at = native.now + fields.pop("wait")
        ticks = best(native, Side.BID, min(1, request["instrument"])) // TICK + fields.pop("ticks")
        fields["price"] = 0 if request["type"] == OrderType.MARKET else min(max(ticks, 0), (2**63 - 1) // TICK) * TICK
        fields["quantity"] = fields.pop("shares") * NANOS
        fields["display"] *= NANOS
        batch = order(**fields)
        assert native.advance(at).tobytes() == twin.advance(at).tobytes()
        assert native.submit(batch, at).tobytes() == twin.submit(batch).tobytes()
        assert native.take_reports().tobytes() == twin.take_reports().tobytes()
    end = native.now + 2 * SECOND
    assert native.advance(end).tobytes() == twin.advance(end).tobytes()
    assert native.take_reports().tobytes() == twin.take_reports().tobytes()


def test_our_order_rests_in_the_public_book_and_is_filled_in_its_turn():
    world = make()
    world.advance(OPEN + SECOND)
    at = world.now + 5
    (accepted,) = world.submit(order(side=Side.BID, price=best(world, Side.BID), quantity=300 * NANOS), at)
    assert (accepted["kind"], accepted["leaves"], accepted["ts"]) == (ReportKind.ACCEPTED, 300 * NANOS, at)
    assert world.next_time == at
    events, reports = world.advance(at + 30 * SECOND), world.take_reports()
    ours = events[events["order_id"] == OUTSIDE + 1]
    assert ours["kind"].tolist() == [Kind.ADD] + [Kind.EXECUTE] * len(reports)
    assert (ours["ts_event"][0], ours["price"][0]) == (at, accepted["price"])
    assert (reports["kind"] == ReportKind.FILL).all()
    assert reports["quantity"].sum() == 300 * NANOS
    assert (ours["ts_event"][1:] == reports["ts"]).all()
    assert (ours["quantity"][1:] == reports["quantity"]).all()


def test_a_swept_book_is_filled_again():
    quiet, swept = make(rate=200), make(rate=200)
    for world in (quiet, swept):
        world.advance(OPEN + SECOND)
    reports = swept.submit(order(side=Side.BID, type=OrderType.MARKET, quantity=10**9 * NANOS), swept.now)
    assert best(swept, Side.ASK) == 0
    assert reports["kind"][-1] == ReportKind.CANCELLED
    for world in (quiet, swept):
        world.advance(OPEN + 6 * SECOND)
    assert len(swept.show(0)) > 200
    assert best(quiet, Side.ASK) < best(swept, Side.ASK)


def test_an_order_moves_the_price_and_most_of_that_decays():
    """20 markets with and without buying 1 % of a day's volume in 10 minutes; news and times of acts are the same."""
    rate, start = 20, OPEN + 11_000 * SECOND
    volume = rate * 23_400 * 15
    moved = []
    for seed in range(20):
        mids = []
        for shares in (0, volume // 100 // 600):
            world = make(1, seed, start, 7_200, rate)
            path = []
            for second in range(1, 5_401):
                world.advance(start + second * SECOND)
                if second <= 600 and shares:
                    price = best(world, Side.ASK) + 10 * TICK
                    buy = order(second, side=Side.BID, price=price, quantity=shares * NANOS, tif=TimeInForce.IOC)
                    world.submit(buy, world.now)
                if second in {600, 1_200, 5_400}:
                    path.append((best(world, Side.BID) + best(world, Side.ASK)) / 2 / TICK)
            mids.append(path)
        day = min(mids[0][0] * 0.015, (rate * 23_400) ** 0.5 / 8)  # daily volatility in ticks
        moved.append([(with_us - without) / day for without, with_us in zip(*mids, strict=True)])
    peak, later, last = np.mean(moved, axis=0)
    assert 0.07 < peak < 0.15  # the square-root law says 0.1
    assert 0.25 < later / peak < 0.75
    assert 0 < last / peak < 0.35


def test_news_and_times_do_not_depend_on_orders():
    quiet, traded = make(seed=2, rate=100), make(seed=2, rate=100)
    for second in range(1, 30):
        traded.submit(
            order(second, side=Side.ASK, type=OrderType.MARKET, quantity=1_000 * NANOS), OPEN + second * SECOND
        )
        traded.advance(OPEN + second * SECOND + 1)
        quiet.advance(OPEN + second * SECOND + 1)
        assert traded.next_time == quiet.next_time
    assert best(traded, Side.BID) < best(quiet, Side.BID)


def test_a_shown_book_is_in_the_order_of_priority():
    world = make()
    world.advance(OPEN + SECOND)
    shown = world.show(0)
    bids, asks = (shown[shown["side"] == side] for side in (Side.BID, Side.ASK))
    assert (np.diff(bids["price"]) <= 0).all()
    assert (np.diff(asks["price"]) >= 0).all()
    assert bids["price"][0] < asks["price"][0]
    assert (shown["kind"] == Kind.ADD).all()


def test_wrong_arguments_say_what_was_expected():
    world = make()
    world.advance(OPEN + 5)
    with pytest.raises(ValueError, match=f"until is 3; expected {OPEN + 5} or later"):
        world.advance(3)
    with pytest.raises(ValueError, match=f"at is 3; expected {OPEN + 5} or later"):
        world.submit(order(), 3)
    with pytest.raises(ValueError, match=r"orders\[0\] has owner 0"):
        world.submit(order(owner=0), OPEN + 5)
    with pytest.raises(ValueError, match=r"orders\[1\] has order_id 7; expected 9223372036854775808 or more"):
        world.submit(np.concatenate([order(), order(-OUTSIDE + 7)]), OPEN + 5)
    with pytest.raises(TypeError, match=r"numpy.ndarray of engine.ORDER"):
        world.submit([], OPEN + 5)
    with pytest.raises(ValueError, match="instrument is 1; expected 0 to 0"):
        world.show(1)
