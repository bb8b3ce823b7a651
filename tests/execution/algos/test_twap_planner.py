"""TWAP at work: follows its schedule, takes what is late, and holds every rule on random markets."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.trading import OrderState
from engine.execution.algos.twap import TWAP
from engine.execution.planner import Change, Want
from tests.execution.algos.desk import CENT, START, UNIT, Desk, book

MINUTE = 60 * UNIT
EVEN = {"jitter": "0s", "size_jitter": 0, "band": 0}


def at(desk, seconds):
    """The plan at this many seconds after the start."""
    desk.now = START + int(seconds * UNIT)
    return desk.ask()


def test_one_slice_from_touch_to_taking():
    desk = Desk(TWAP(duration="10m", slices=10, **EVEN), 1_000)
    assert at(desk, 0) == ((), (), (), START + 30 * UNIT, False, False, "")
    assert at(desk, 30).place == (Want(100 * UNIT, 10_000 * CENT),)
    desk.accept("c0")
    desk.top = book(100_03, 100_05)
    assert at(desk, 31).replace == ()
    change = Change("c0", 100 * UNIT, 10_003 * CENT)
    assert at(desk, 37.5).replace == (change,)
    desk.changed("c0", change)
    desk.fill("c0", 60)
    assert at(desk, 54).withdraw == ()
    assert at(desk, 55).withdraw == ("c0",)
    assert at(desk, 55.5).place == ()
    desk.over("c0", "withdrawn")
    assert at(desk, 56).place == (Want(40 * UNIT, 10_005 * CENT, "ioc"),)
    desk.fill("c2", 40)
    assert at(desk, 57).place == ()
    assert at(desk, 90).place == (Want(100 * UNIT, 10_003 * CENT),)


def test_a_touch_that_comes_back_is_not_followed():
    desk = Desk(TWAP(duration="10m", slices=10, **EVEN), 1_000)
    at(desk, 30)
    desk.accept("c0")
    desk.top = book(99_90, 99_92)
    assert at(desk, 45).replace == ()


def test_crossing_at_once():
    desk = Desk(TWAP(duration="10m", slices=10, style="cross", **EVEN), 1_000, "sell")
    assert at(desk, 30).place == (Want(100 * UNIT, 10_000 * CENT, "ioc"),)
    desk.fill("c0", 30)
    desk.over("c0", "cancelled")
    assert at(desk, 30.5).place == ()
    assert at(desk, 31).place == (Want(70 * UNIT, 10_000 * CENT, "ioc"),)
    desk.over("c1", "cancelled")
    assert at(desk, 32).place == ()  # waits longer each time
    assert at(desk, 33).place == (Want(70 * UNIT, 10_000 * CENT, "ioc"),)
    desk.over("c2", "cancelled")
    assert at(desk, 90).place[0].quantity == 170 * UNIT


def test_a_limit_away_from_the_market_rests_there():
    desk = Desk(TWAP(duration="10m", slices=10, limit="99.95", **EVEN), 1_000)
    assert at(desk, 30).place == (Want(100 * UNIT, 9_995 * CENT),)
    desk.accept("c0")
    assert at(desk, 56).withdraw == ()
    assert at(desk, 90).place == (Want(100 * UNIT, 9_995 * CENT),)


def test_without_a_trusted_book_it_watches_for_one():
    desk = Desk(TWAP(duration="10m", slices=10, **EVEN), 1_000)
    desk.top = book(state="stale")
    plan = at(desk, 30)
    assert plan.place == ()
    assert plan.watch
    desk.top = book()
    assert at(desk, 40).place


def test_an_unknown_child_counts_as_live_and_stops_nothing_else():
    desk = Desk(TWAP(duration="10m", slices=10, **EVEN), 1_000)
    at(desk, 30)
    desk.children["c0"] = desk.children["c0"]._replace(state=OrderState.UNKNOWN)
    assert at(desk, 56).place == ()
    assert at(desk, 90).place == (Want(100 * UNIT, 10_000 * CENT),)
    desk.over("c0", "lost")
    desk.accept("c1")
    assert at(desk, 91).place == (Want(100 * UNIT, 10_002 * CENT, "ioc"),)


def test_what_rests_ends_where_the_quantity_is_amended_below_it():
    desk = Desk(TWAP(duration="10m", slices=10, **EVEN), 1_000)
    at(desk, 30)
    desk.accept("c0")
    desk.quantity, desk.revision = 60 * UNIT, 1
    assert at(desk, 31).withdraw == ("c0",)


def test_after_a_pause_the_rest_is_spread_over_the_rest_of_the_window():
    desk = Desk(TWAP(duration="10m", slices=10, **EVEN), 1_000)
    desk.revision = 1
    assert at(desk, 300).place == ()
    assert at(desk, 330).place == (Want(200 * UNIT, 10_000 * CENT),)


def test_an_amended_quantity_changes_what_is_left():
    desk = Desk(TWAP(duration="10m", slices=10, max_slice=100, **EVEN), 1_000)
    at(desk, 30)
    desk.fill("c0", 100)
    desk.quantity, desk.revision = 1_900 * UNIT, 1
    at(desk, 60)
    assert desk.plan.wake == START + 75 * UNIT  # 18 slices in 9 minutes
    assert at(desk, 75).place[0].quantity == 100 * UNIT
    desk.quantity, desk.revision = 100 * UNIT, 2
    assert at(desk, 76).done


def test_a_quantity_amended_beyond_all_slices_raises_nothing():
    desk = Desk(TWAP(duration="10m", slices=10, max_slice=100, **EVEN), 1_000)
    desk.quantity, desk.revision = 2 * 10**9 * UNIT, 1
    assert at(desk, 60).wake > desk.now
    assert at(desk, 599).place[0].quantity == 100 * UNIT


def test_slices_become_smaller_in_a_bad_market_and_bigger_in_a_good_one():
    def slices(tops):
        desk = Desk(TWAP(duration="10m", slices=10, jitter="0s", size_jitter=0, band="0.2", style="cross"), 1_000)
        made = []
        for number, top in enumerate(tops):
            desk.top = top
            made.append(at(desk, 30 + 60 * number).place[0].quantity // UNIT)
            desk.fill(f"c{number}", 1_000)
        return made

    usual, wide, deep, thin = book(shown=200), book(ask=100_22, shown=200), book(shown=2_000), book(shown=50)
    assert slices([usual, wide, usual]) == [100, 80, 120]
    assert slices([usual, deep, usual]) == [100, 120, 80]
    assert slices([usual, thin, usual]) == [100, 80, 120]


def test_the_window_ends():
    desk = Desk(TWAP(duration="10m", **EVEN), 1_000)
    at(desk, 30)
    assert at(desk, 600).done
    assert desk.plan.reason == "the window is over"
    desk = Desk(TWAP(duration="10m", **EVEN), 1_000, hours=(START - 1, START))
    assert at(desk, 0).reason == "the window is over"


def test_what_is_less_than_a_lot_ends_it():
    desk = Desk(TWAP(duration="10m", **EVEN), 1_000)
    desk.cumulative = 999 * UNIT + 1
    assert at(desk, 0).reason == "the rest is less than a lot"


class Street:
    """A market and a broker full of chance around a desk; time goes from event to event."""

    def __init__(self, desk, seed, *, kind=True):
        self.desk, self.random, self.kind = desk, random.Random(seed), kind
        self.placed = []  # (now, filled and at work) after each plan

    def step(self):
        """The broker and the market do something; then the planner is asked."""
        desk, chance = self.desk, self.random
        for name, child in list(desk.children.items()):
            self.serve(name, child)
        middle = 100_00 + chance.randrange(-30, 31)
        state = "live" if self.kind or chance.random() < 0.9 else "stale"
        shown = chance.choice([50, 500, 5_000]) if not self.kind else 5_000
        desk.top = book(middle, middle + chance.randrange(1, 9), shown=shown, state=state)
        if not self.kind and chance.random() < 0.05:
            desk.revision += 1
            desk.quantity = max(desk.quantity + chance.randrange(-200, 200) * UNIT, desk.lot)
        desk.hold = not self.kind and chance.random() < 0.1
        desk.ask()
        self.placed.append((desk.now, desk.cumulative + desk.live))

    def serve(self, name, child):
        desk, chance = self.desk, self.random
        if child.state is OrderState.PENDING_NEW:
            if not self.kind and chance.random() < 0.3:
                return
            if not self.kind and chance.random() < 0.1:
                desk.over(name, chance.choice(["rejected", "refused", "lost"]))
                return
            desk.accept(name)
        if child.tif == "ioc":
            desk.fill(name, 10**6 if self.kind else chance.randrange(0, 300))
            if name in desk.children:
                desk.over(name, "cancelled")
        elif child.state is OrderState.PENDING_CANCEL:
            if not self.kind and chance.random() < 0.5:
                desk.fill(name, chance.randrange(0, 100))
            if name in desk.children and (self.kind or chance.random() < 0.7):
                desk.over(name, "withdrawn")
        elif chance.random() < 0.3:
            desk.fill(name, chance.randrange(1, 200))

    def run(self):
        """Until the planner is done; it may wake too often nowhere."""
        desk, steps = self.desk, 0
        while not desk.done:
            self.step()
            if desk.done:
                break
            steps += 1
            assert steps < 20_000
            waits = [desk.now + self.random.randrange(UNIT // 20, UNIT)] if desk.children else []
            wakes = [desk.plan.wake] if desk.plan.wake else []
            desk.now = min([*wakes, *waits], default=desk.end)
        return self


choices = st.fixed_dictionaries(
    {
        "duration": st.sampled_from(["1m", "10m", "390m"]),
        "slices": st.integers(1, 40),
        "jitter": st.sampled_from(["0s", "1s", "10s", "1h"]),
        "size_jitter": st.sampled_from([0, "0.1", "0.5", 1]),
        "band": st.sampled_from([0, "0.25", 1]),
        "style": st.sampled_from(["passive", "cross"]),
        "min_slice": st.sampled_from([None, 10, 50]),
    }
)


@settings(max_examples=100, deadline=None)
@given(choices, st.integers(1, 2_000), st.sampled_from(["buy", "sell"]), st.integers(0, 2**32))
def test_in_a_kind_market_all_is_done_in_time_and_never_ahead_of_the_schedule(choice, quantity, side, seed):
    algo = TWAP(**choice)
    desk = Desk(algo, quantity, side, seed=seed)
    street = Street(desk, seed).run()
    assert desk.cumulative == quantity * UNIT
    assert desk.now < desk.end or choice["duration"] == "1m"
    # at work or filled: never more than the next goal with the whole of band and jitter
    size = -(-quantity // max(min(choice["slices"], quantity // (choice["min_slice"] or 1)), 1)) + 1
    ahead = size * (1 + float(choice["size_jitter"]) / 2 + float(choice["band"])) * UNIT
    for now, placed in street.placed:
        # the last seconds' slices come together, so that they can still be taken
        share = 1 if now >= desk.end - 5 * UNIT else (now - desk.start) / (desk.end - desk.start)
        assert placed <= quantity * UNIT * share + ahead + UNIT


@settings(max_examples=150, deadline=None)
@given(
    choices,
    st.integers(1, 2_000),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from([None, 50]),
    st.sampled_from([None, "100.05", "99.90"]),
    st.integers(0, 2**32),
)
def test_on_random_markets_with_faults_every_rule_holds(choice, quantity, side, most, limit, seed):
    if most is not None and choice["slices"] * most < quantity:
        quantity = choice["slices"] * most
    desk = Desk(TWAP(**choice, max_slice=most, limit=limit), quantity, side, seed=seed)
    Street(desk, seed, kind=False).run()
    for _, want in desk.sent:
        if isinstance(want, Want):
            assert most is None or want.quantity <= most * UNIT
    assert desk.cumulative >= desk.quantity or desk.now >= desk.end


@pytest.mark.parametrize("kind", [True, False])
def test_the_same_seed_does_the_same(kind):
    def sent():
        desk = Desk(TWAP(duration="10m", slices=20), 1_000, seed=5)
        Street(desk, 9, kind=kind).run()
        return desk.sent

    assert sent() == sent()


def test_messages_are_few():
    """A passive slice: one order, some changes as the touch moves, one cancel, one or two that take."""
    desk = Desk(TWAP(duration="390m", slices=10), 1_000, seed=5)
    Street(desk, 9).run()
    assert len(desk.sent) < 10 * 12
    assert all(before <= after for (before, _), (after, _) in pairwise(desk.sent))
