"""Requests in, commands out, one step at a time."""

from itertools import pairwise

import pytest

from engine.core.trading import (
    Amend,
    Cancel,
    CancelAll,
    Halt,
    OrderState,
    Pause,
    Place,
    Query,
    Refusal,
    Release,
    Replace,
    Resume,
    Session,
    TopChange,
    Withdraw,
)
from engine.errors import InternalError
from engine.execution.algos import Immediate
from engine.execution.parent import REJECTS
from engine.execution.planner import Plan, Want
from engine.execution.timers import NEVER
from engine.risk.limits import Limits
from engine.trader import Trader
from tests.trader.desk import NANO, UID, Desk

ONE = f"{UID[:8]}-1-1"
TWO = f"{UID[:8]}-1-2"


def states(desk, order=""):
    return [str(one.state) for one in desk.updates if one.order == order]


def test_a_limit_order_from_submit_to_the_last_fill():
    desk = Desk()
    (place,) = desk.submit(100)
    assert (place.order.intent.client_order_id, place.order.intent.quantity) == (ONE, 100 * NANO)
    desk.tell("accepted", ONE)
    desk.tell("fill", ONE, 40, execution_id="a", fee=3)
    desk.tell("fill", ONE, 60, execution_id="b")
    desk.tell("fill", ONE, 60, execution_id="b")
    parent = desk.trader.parents[1]
    assert (parent.state, parent.cumulative, parent.fees) == (OrderState.FILLED, 100 * NANO, 3)
    assert states(desk) == ["new", "partially-filled", "filled"]
    assert states(desk, ONE) == ["pending-new", "new", "partially-filled", "filled"]
    assert [one.sequence for one in desk.updates] == list(range(1, len(desk.updates) + 1))
    assert desk.trader.positions[0].quantity == 100 * NANO
    assert desk.trader.positions[0].buying == 0


def test_no_order_leaves_before_the_brokers_snapshot_is_digested():
    desk = Desk(up=False)
    assert desk.submit() == ()
    (reconcile,) = desk.line("up")
    assert reconcile.broker == "one"
    assert [type(one) for one in desk.snapshot(complete=False)] == []
    assert [type(one) for one in desk.snapshot()] == [Place]


def test_the_first_ready_broker_of_the_parents_list_gets_the_order():
    desk = Desk("one", "two")
    desk.submit(brokers=("two", "one"))
    assert desk.placed()[0].broker == "two"
    desk.line("suspect", "two")
    desk.submit(parent=2, brokers=("two", "one"))
    assert desk.placed()[1].broker == "one"


def test_the_same_key_or_number_is_the_same_order():
    desk = Desk()
    desk.submit(key="desk-17")
    assert desk.submit(parent=2, key="desk-17") == ()
    assert desk.submit(parent=1) == ()
    assert list(desk.trader.parents) == [1]
    assert desk.trader.keys == {"desk-17": 1}


def test_cancel_leaves_no_live_child_and_waits_for_the_proof():
    desk = Desk()
    desk.submit()
    desk.tell("accepted", ONE)
    (withdraw,) = desk.step(Cancel(1))
    assert isinstance(withdraw, Withdraw)
    (query,) = desk.tell("cancelled", ONE)
    assert isinstance(query, Query)
    assert desk.trader.parents[1].state is OrderState.PENDING_CANCEL
    desk.tell("status", ONE, state=OrderState.CANCELLED, cumulative=0, leaves=0)
    assert desk.trader.parents[1].state is OrderState.CANCELLED
    assert desk.trader.parents[1].live == {}
    assert desk.trader.watched == {}


def test_cancel_all_takes_those_of_a_tag():
    desk = Desk()
    desk.submit(parent=1, tag="a")
    desk.submit(parent=2, tag="b")
    desk.step(CancelAll("b"))
    assert [desk.trader.parents[one].ending for one in (1, 2)] == [None, OrderState.CANCELLED]
    desk.step(CancelAll())
    assert desk.trader.parents[1].ending is OrderState.CANCELLED


def test_a_cancel_is_sent_again_until_the_order_is_over():
    desk = Desk()
    desk.submit()
    desk.tell("accepted", ONE)
    desk.step(Cancel(1))
    assert sum(isinstance(one, Withdraw) for one in desk.wait(3 * NANO)) >= 2


def test_pause_withdraws_and_resume_goes_on():
    desk = Desk()
    desk.submit()
    desk.tell("accepted", ONE)
    desk.tell("fill", ONE, 30, execution_id="a")
    desk.step(Pause(1))
    desk.cancelled(ONE, cumulative=30)
    assert len(desk.placed()) == 1
    (place,) = desk.step(Resume(1))
    assert (place.order.intent.client_order_id, place.order.intent.quantity) == (TWO, 70 * NANO)


def test_amend_changes_the_working_child_in_place():
    desk = Desk()
    desk.submit(100)
    desk.tell("accepted", ONE, venue_order_id="v1")
    (replace,) = desk.step(Amend(1, price=99 * NANO, quantity=120 * NANO))
    assert isinstance(replace, Replace)
    intent = replace.order.intent
    assert (intent.replaces, intent.client_order_id, intent.quantity, intent.increase) == (
        ONE,
        TWO,
        120 * NANO,
        20 * NANO,
    )
    assert replace.venue_order_id == "v1"
    assert desk.trader.parents[1].committed == 120 * NANO
    desk.tell("replaced", TWO, reference=ONE)
    assert states(desk, ONE)[-1] == "replaced"
    assert states(desk, TWO) == ["new"]


def test_without_native_replace_the_child_is_withdrawn_and_another_placed():
    desk = Desk(native_replace=False)
    desk.submit(100)
    desk.tell("accepted", ONE)
    assert [type(one) for one in desk.step(Amend(1, price=99 * NANO))] == [Withdraw]
    assert [type(one) for one in desk.cancelled(ONE)] == [Query, Place]
    assert desk.placed()[-1].price == 99 * NANO


def test_amending_below_what_is_at_work_withdraws_it():
    desk = Desk(native_replace=False)
    desk.submit(100)
    desk.tell("accepted", ONE)
    desk.step(Amend(1, quantity=40 * NANO))
    desk.cancelled(ONE)
    assert [one.quantity // NANO for one in desk.placed()] == [100, 40]


def test_an_amendment_the_gate_refuses_changes_nothing():
    desk = Desk(limits=Limits(order_quantity=150))
    desk.submit(100)
    desk.step(Amend(1, quantity=200 * NANO))
    assert desk.trader.parents[1].quantity == 100 * NANO
    assert "order_quantity: 200, allowed: 150" in desk.updates[-1].reason


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"quantity": 20_000}, "order_notional"),
        ({"brokers": ("three",)}, "broker 'three' is none of one"),
        ({"price": "100.001"}, "algorithm: price"),
    ],
)
def test_what_may_not_be_is_rejected_with_the_reason(more, reason):
    desk = Desk()
    assert desk.submit(**more) == ()
    parent = desk.trader.parents[1]
    assert parent.state is OrderState.REJECTED
    assert reason in parent.reason
    assert not desk.trader.watched


def test_an_instrument_that_is_not_listed_is_rejected():
    desk = Desk()
    desk.step(TopChange(99, 1, 1, 2, 1, 1, 2, "live", 0, 0))
    desk.trader.books.begin_process()
    desk.submit()
    assert "not listed" in desk.trader.parents[1].reason


# ---- halt


def test_after_a_halt_nothing_new_leaves_and_cancels_pass():
    desk = Desk()
    desk.submit(100)
    desk.tell("accepted", ONE)
    desk.step(Halt("enough"))
    assert desk.trader.halted == "enough (user)"
    desk.submit(parent=2)
    assert "halt" in desk.trader.parents[2].reason
    assert desk.step(Amend(1, quantity=200 * NANO)) == ()
    assert [type(one) for one in desk.step(Cancel(1))] == [Withdraw]
    desk.step(Release())
    assert desk.trader.halted == ""
    assert [type(one) for one in desk.submit(parent=3)] == [Place]


def test_a_parent_waits_while_halted_and_goes_on_when_released():
    desk = Desk()
    desk.submit(100)
    desk.step(Halt("enough"))
    desk.cancelled(ONE)
    assert len(desk.placed()) == 1
    assert desk.trader.parents[1].is_open is False  # the venue's own cancel ends a limit order
    desk = Desk(up=False)
    desk.submit(100)
    desk.step(Halt("enough"))
    desk.up()
    assert desk.placed() == []
    desk.step(Release())
    assert len(desk.placed()) == 1


# ---- refusals, rejects, the user's check


def test_the_users_check_is_asked_about_parent_and_child_and_its_answers_are_kept():
    asked = []

    def check(intent):
        asked.append(intent.client_order_id)
        return Refusal("mine", "1", "0") if intent.client_order_id == ONE else None

    desk = Desk(check=check)
    desk.submit()
    assert asked == ["", ONE]
    assert desk.answers == (None, Refusal("mine", "1", "0"))
    assert "mine: 1, allowed: 0" in desk.updates[-2].reason


def test_a_check_that_raises_refuses():
    def check(intent):
        raise KeyError("oops")

    desk = Desk(check=check)
    desk.submit()
    assert "KeyError" in desk.trader.parents[1].reason
    assert desk.answers[0].limit == "check"


class Stubborn:
    """Wants all that is free, always."""

    levels = limit_nanos = 0

    def __init__(self, more=0):
        self.more = more

    def check(self, *one):
        pass

    def window(self, now, open_, close):
        return now, 0

    def planner(self, *one):
        return self

    def plan(self, view, now):
        return Plan(place=(Want(view.free + self.more, 100 * NANO),)) if view.free or self.more else Plan()


def stubborn(more=0):
    desk = Desk()
    desk.trader = Trader(desk.setup, algo=lambda plain: Stubborn(more))
    desk.begin()
    desk.up()
    return desk


def test_after_rejects_a_parent_waits_longer_each_time_and_gives_up():
    desk = stubborn()
    desk.submit()
    times = []
    while desk.trader.parents[1].is_open:
        times.append(desk.now)
        desk.tell("rejected", desk.placed()[-1].client_order_id, reason="no")
        desk.wait(desk.trader.next_timer - desk.now if desk.trader.parents[1].is_open else 0)
    assert len(times) == REJECTS
    assert [b - a > 200_000_000 for a, b in pairwise(times)] == [True] * (REJECTS - 1)
    assert (desk.trader.parents[1].state, desk.trader.parents[1].reason) == (OrderState.REJECTED, "no")


def test_an_algorithm_that_wants_more_than_is_free_is_a_broken_invariant():
    desk = stubborn(more=NANO)
    with pytest.raises(InternalError, match="101000000000 wanted, 100000000000 are free"):
        desk.submit()


@pytest.mark.parametrize("reason", ["throttled", "not sent: the line is down"])
def test_a_reject_that_is_no_verdict_is_waited_out(reason):
    desk = Desk()
    desk.submit()
    for _ in range(REJECTS + 2):
        desk.tell("rejected", desk.placed()[-1].client_order_id, reason=reason)
        placed = len(desk.placed())
        desk.wait(11 * NANO)
        desk.top()
        assert len(desk.placed()) == placed + 1
    assert desk.trader.parents[1].is_open


# ---- time


def test_a_working_order_of_which_nothing_is_heard_is_read_every_two_seconds():
    desk = Desk()
    desk.submit()
    desk.tell("accepted", ONE)
    found = desk.wait(2 * NANO)
    assert [type(one) for one in found] == [Query]
    desk.tell("status", ONE, state=OrderState.NEW, cumulative=0, leaves=100)
    assert [type(one) for one in desk.wait(1_900_000_000)] == []
    assert [type(one) for one in desk.wait(200_000_000)] == [Query]


def test_time_does_not_go_back():
    desk = Desk()
    desk.submit()
    due = desk.trader.next_timer
    desk.now -= 10 * NANO
    desk.tell("accepted", ONE)
    assert desk.trader.next_timer >= due


def test_with_nothing_to_do_there_is_no_timer_but_the_next_snapshot():
    assert Desk(up=False).trader.next_timer == NEVER
    desk = Desk()
    assert desk.trader.next_timer - desk.now > 10 * NANO


def test_sessions_and_tops_reach_the_algorithm():
    desk = Desk()
    desk.step(Session(desk.now, desk.now + NANO))
    desk.submit(algo=Immediate())
    (intent,) = desk.placed()
    assert (intent.tif, intent.price >= 101 * NANO) == ("ioc", True)
    assert desk.trader.watched == {7: 10}
