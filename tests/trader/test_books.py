"""Sums, positions, and what is found at brokers."""

from engine.core.trading import Cancel, Holding, Listing, OrderState, Place, Withdraw
from tests.trader.desk import NANO, UID, Desk

ONE = f"{UID[:8]}-1-1"
THREE = f"{UID[:8]}-1-3"


def status(desk, name, state, cumulative, leaves, **more):
    return desk.report(
        "status", name, cumulative=cumulative, leaves=leaves, state=OrderState(state), side="buy", **more
    )


def test_a_bust_takes_the_fill_out_of_parent_and_position():
    desk = Desk()
    desk.submit(100)
    desk.tell("fill", ONE, 40, execution_id="a", fee=7)
    desk.tell("bust", ONE, reference="a")
    parent, position = desk.trader.parents[1], desk.trader.positions[0]
    assert (parent.cumulative, parent.fees, parent.state) == (0, 0, OrderState.NEW)
    assert (position.quantity, position.fees, position.cash) == (0, 0, 0)
    assert [one.fill.quantity // NANO for one in desk.updates if one.fill] == [40, -40]


def test_both_sides_of_a_trade_with_oneself_count():
    desk = Desk()
    desk.submit(10, side="buy")
    desk.submit(10, side="sell", parent=2, price="101")
    desk.tell("fill", ONE, 10, execution_id="same")
    desk.tell("fill", f"{UID[:8]}-2-1", 10, execution_id="same")
    assert [desk.trader.parents[one].state for one in (1, 2)] == [OrderState.FILLED] * 2
    assert desk.trader.positions[0].quantity == 0


def test_first_positions_are_those_of_the_brokers_together():
    desk = Desk("one", "two", up=False)
    desk.line("up", "one")
    desk.snapshot("one", positions=[Holding("AAPL", 5 * NANO, 90 * NANO)])
    desk.line("up", "two")
    desk.snapshot("two", positions=[Holding("AAPL", 3 * NANO, 98 * NANO)])
    position = desk.trader.positions[0]
    assert (position.quantity, position.average_cost) == (8 * NANO, 93 * NANO)
    desk.line("down", "one")
    desk.line("up", "one")
    desk.snapshot("one", positions=[Holding("AAPL", 5 * NANO, 90 * NANO)])
    assert position.quantity == 8 * NANO


def test_an_order_of_ours_that_the_journal_lost_counts_and_must_go():
    desk = Desk()
    desk.submit(100)
    desk.tell("fill", ONE, 10, execution_id="a")
    desk.line("down")
    desk.line("up")
    fill = desk.report("fill", THREE, 25, execution_id="x", side="buy")
    commands = desk.snapshot(
        orders=[status(desk, ONE, "partially-filled", 10, 90), status(desk, THREE, "partially-filled", 25, 5)],
        executions=[fill],
        positions=[Holding("AAPL", 35 * NANO)],
    )
    assert [one.client_order_id for one in commands if isinstance(one, Withdraw)] == [THREE]
    parent = desk.trader.parents[1]
    assert (parent.cumulative, parent.committed) == (35 * NANO, 130 * NANO)
    desk.step(Cancel(1))
    desk.cancelled(ONE, cumulative=10)
    desk.cancelled(THREE, cumulative=25)
    assert parent.made == 3  # its number is not given again
    assert parent.state is OrderState.CANCELLED
    assert desk.trader.positions[0].quantity == 35 * NANO


def test_an_order_of_a_parent_that_the_journal_lost_gets_a_parent_of_its_own():
    desk = Desk(up=False)
    name = f"{UID[:8]}-9-4"
    desk.line("up")
    commands = desk.snapshot(orders=[status(desk, name, "new", 0, 50)])
    assert [type(one) for one in commands] == [Withdraw]
    assert desk.trader.health()["orphans"] == [9]
    assert desk.trader.next_parent == 10
    desk.cancelled(name)
    assert desk.trader.parents[9].state is OrderState.CANCELLED


def test_orders_of_others_and_strange_positions_stop_new_orders_there():
    desk = Desk()
    desk.line("down")
    desk.line("up")
    desk.snapshot(orders=[status(desk, "somebody-1", "new", 0, 50)])
    assert [one for one in desk.submit() if isinstance(one, Place)] == []
    assert "somebody-1" in desk.trader.health()["brokers"]["one"]["quarantined"]["AAPL"]
    desk.line("down")
    desk.line("up")
    assert [one for one in desk.snapshot(positions=[Holding("AAPL", 5)]) if isinstance(one, Place)] == []
    desk.wait(NANO)
    assert [type(one) for one in desk.snapshot()] == [Place]


def test_more_than_was_ordered_is_counted_and_closes_the_symbol():
    desk = Desk()
    desk.submit(10)
    desk.tell("fill", ONE, 12, execution_id="a")
    assert desk.trader.positions[0].quantity == 12 * NANO
    assert "more than was ordered" in desk.trader.health()["brokers"]["one"]["quarantined"]["AAPL"]
    assert desk.submit(parent=2) == ()


def test_an_instrument_may_come_back_under_another_number():
    desk = Desk()
    desk.submit(10)
    assert desk.trader.watched == {7: 0}
    desk.step(Listing(3, "AAPL", NANO // 100, NANO))
    assert desk.trader.watched == {3: 0}
    assert desk.trader.traded["AAPL"].index == 0
