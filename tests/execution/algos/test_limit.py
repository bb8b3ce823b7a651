"""Limit: its arguments, and one child kept at what the parent asks for."""

import pytest

from engine.core.trading import OrderState
from engine.execution.algos.limit import RETRY, TRIES, Limit
from engine.execution.planner import IDLE, Change, Want
from tests.execution.algos.desk import CENT, UNIT, Desk


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"price": 0}, r"price is 0; expected more than 0"),
        ({"price": True}, r"price is True"),
        ({"price": "a lot"}, r"price is 'a lot'; expected a number"),
        ({"price": 1, "tif": "GTC"}, r"tif is 'GTC'; expected 'day' or 'gtc' or 'ioc' or 'fok'"),
        ({"price": 1, "post_only": 1}, r"post_only is 1; expected True or False"),
        ({"price": 1, "post_only": True, "tif": "ioc"}, r"tif is 'ioc' with post_only"),
        ({"price": 1, "display": -1}, r"display is -1"),
    ],
)
def test_wrong_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        Limit(**arguments)


@pytest.mark.parametrize(
    ("quantity", "price", "display", "text"),
    [
        (100 * UNIT + 1, "100.01", None, "quantity is 100.000000001; expected a multiple of the lot 1"),
        (100 * UNIT, "100.005", None, "price is 100.005; expected a multiple of the tick 0.01"),
        (100 * UNIT, "100", "0.5", "display is 0.5; expected a multiple of the lot 1"),
    ],
)
def test_off_the_step(quantity, price, display, text):
    with pytest.raises(ValueError, match=text):
        Limit(price, display=display).check(quantity, UNIT, CENT)


def test_places_all_at_once_and_is_done_when_filled():
    desk = Desk(Limit(100.05, post_only=True, display=20), 100)
    assert desk.ask().place == (Want(100 * UNIT, 10_005 * CENT, "day", True, 20 * UNIT),)
    assert desk.ask() == IDLE
    desk.accept("c0")
    desk.fill("c0", 30)
    assert desk.ask() == IDLE
    desk.fill("c0", 70)
    assert desk.ask().done
    assert desk.plan.reason == ""


def test_an_amended_price_and_quantity_change_the_child():
    desk = Desk(Limit(100.05), 100)
    desk.ask()
    desk.accept("c0")
    desk.fill("c0", 30)
    desk.price, desk.quantity, desk.revision = 10_006 * CENT, 80 * UNIT, 1
    change = Change("c0", 80 * UNIT, 10_006 * CENT)
    assert desk.ask().replace == (change,)
    desk.changed("c0", change)
    assert desk.ask() == IDLE
    desk.quantity = 30 * UNIT
    assert desk.ask().withdraw == ("c0",)


def test_an_amended_price_off_the_tick_is_more_passive():
    for side, price in (("buy", 10_005), ("sell", 10_006)):
        desk = Desk(Limit(100), 100, side)
        desk.price = 10_005 * CENT + 3
        assert desk.ask().place[0].price == price * CENT


def test_a_change_nobody_does_is_asked_for_slowly_and_then_given_up():
    desk = Desk(Limit(100.05), 100)
    desk.ask()
    desk.accept("c0")
    desk.price = 10_006 * CENT
    for _ in range(TRIES):
        assert desk.ask().replace
        desk.now += RETRY - 1
        assert desk.ask() == IDLE._replace(wake=desk.now + 1)
        desk.now += 1
    assert desk.ask().withdraw == ("c0",)
    assert desk.ask() == IDLE
    desk.over("c0", "withdrawn")
    assert desk.ask().place == (Want(100 * UNIT, 10_006 * CENT),)


@pytest.mark.parametrize("state", [OrderState.PENDING_NEW, OrderState.PENDING_CANCEL, OrderState.UNKNOWN])
def test_a_child_in_between_is_left_alone(state):
    desk = Desk(Limit(100.05), 100)
    desk.ask()
    desk.children["c0"] = desk.children["c0"]._replace(state=state)
    desk.price, desk.quantity = 10_006 * CENT, 200 * UNIT
    assert desk.ask() == IDLE


@pytest.mark.parametrize("ended", ["withdrawn", "lost"])
def test_what_was_withdrawn_or_lost_is_placed_again(ended):
    desk = Desk(Limit(100.05), 100)
    desk.ask()
    desk.fill("c0", 40)
    desk.over("c0", ended)
    assert desk.ask().place == (Want(60 * UNIT, 10_005 * CENT),)


def test_held_back_it_waits():
    desk = Desk(Limit(100.05), 100)
    desk.hold = True
    assert desk.ask() == IDLE
    desk.hold = False
    assert desk.ask().place
