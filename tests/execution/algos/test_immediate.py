"""Immediate: never beyond collar and limit, waits for a book, ends by itself."""

import pytest

from engine.execution.algos.immediate import PATIENCE, Immediate
from engine.execution.planner import IDLE, Want
from tests.execution.algos.desk import CENT, UNIT, Desk, book


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"limit": -1}, "limit is -1"),
        ({"collar_bps": 0}, "collar_bps is 0; expected more than 0"),
        ({"collar_bps": None}, "collar_bps is None"),
        ({"tif": "day"}, "tif is 'day'; expected 'ioc' or 'fok'"),
        ({"levels": 0}, "levels is 0; expected a whole number from 1 to 100"),
        ({"levels": 2.5}, "levels is 2.5"),
    ],
)
def test_wrong_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        Immediate(**arguments)


def test_takes_the_levels_it_needs_and_no_worse_price():
    desk = Desk(Immediate(), 700)
    assert desk.ask().place == (Want(700 * UNIT, 10_003 * CENT, "ioc"),)
    desk = Desk(Immediate(tif="fok"), 700, "sell")
    assert desk.ask().place == (Want(700 * UNIT, 9_999 * CENT, "fok"),)


def test_on_a_thin_book_the_collar_is_the_price():
    desk = Desk(Immediate(collar_bps=10), 5_000)
    assert desk.ask().place[0].price == 10_012 * CENT  # 100.02 and 10 bps, rounded down to the tick
    desk = Desk(Immediate(collar_bps=10), 5_000, "sell")
    assert desk.ask().place[0].price == 9_990 * CENT


def test_the_limit_holds():
    desk = Desk(Immediate(limit=100.03, collar_bps=10), 5_000)
    assert desk.ask().place[0].price == 10_003 * CENT


def test_ends_with_the_child():
    desk = Desk(Immediate(), 700)
    desk.ask()
    assert desk.ask() == IDLE
    desk.fill("c0", 500)
    desk.over("c0", "cancelled")
    assert desk.ask().done
    assert desk.plan.reason == "the book held no more within the collar and the limit"


@pytest.mark.parametrize("top", [None, book(state="stale"), book(ask=0), book(state="halted")])
def test_waits_for_a_book_and_not_for_ever(top):
    desk = Desk(Immediate(), 700)
    desk.top = top
    assert desk.ask() == IDLE._replace(wake=desk.now + PATIENCE, watch=True)
    desk.now += PATIENCE - 1
    desk.ask()
    assert not desk.done
    desk.now += 1
    assert desk.ask().reason == "no live book within 5 s"
    assert desk.done


def test_one_that_never_arrived_is_sent_again():
    desk = Desk(Immediate(), 700)
    desk.ask()
    desk.over("c0", "lost")
    assert desk.ask().place


def test_refused_or_rejected_it_is_done_with_the_reason():
    desk = Desk(Immediate(), 700)
    desk.ask()
    desk.over("c0", "refused", "order_notional is 70000; bound 1000")
    assert desk.ask().reason == "order_notional is 70000; bound 1000"
    assert desk.done
