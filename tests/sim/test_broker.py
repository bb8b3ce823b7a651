"""The simulated broker: what it does with orders, what its faults do, and that its accounts conserve money."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Instruments, Venue
from engine.brokers.local import LocalProtocol
from engine.core.trading import (
    Approved,
    Intent,
    OrderState,
    Place,
    Query,
    Reconcile,
    Replace,
    Report,
    ReportKind,
    Withdraw,
)
from engine.core.units import NANOS
from engine.errors import ConfigError
from engine.sim.account import Fees
from engine.sim.broker import SimBroker
from engine.sim.exchange import Exchange, VenueMatching
from engine.sim.faults import BROKER_KINDS, faults

SECOND = NANOS
CASH = 1_000_000 * NANOS


class Desk:
    """A broker, and an adapter at the other end of its line; time moves by `run`."""

    def __init__(self, exchange, name="sim", **settings):
        self.now = 0
        self.broker = SimBroker(name, exchange, {"AAPL": 0}, start=0, cash=CASH, **settings)
        self.adapter = LocalProtocol(self.broker.facts)
        self.line = self.broker.line
        self.heard = []
        self.connect()

    def connect(self):
        if self.line.connect(self.now):
            self.adapter.opened(self.now)

    def send(self, *commands):
        for command in commands:
            self.adapter.encode(command, self.now)
        for outgoing in self.adapter.take_outgoing():
            self.line.receive(outgoing.data, self.now)

    def run(self, until):
        while min(self.line.next_time, self.adapter.timer(self.now)) <= until:
            self.now = max(self.now, min(self.line.next_time, self.adapter.timer(self.now)))
            self.line.advance(self.now)
            for data in self.line.take_outgoing():
                self.adapter.receive(data, self.now)
            self.adapter.timer(self.now)
            if self.line.dropped:
                self.line.dropped = False
                self.adapter.closed("dropped", self.now)
        self.now = until
        self.heard += self.adapter.take_inputs()

    def reports(self, kind=None):
        """What was said of orders since the last call."""
        found = [one for one in self.heard if isinstance(one, Report) and kind in {None, one.kind}]
        self.heard = []
        return found


def exchange():
    return Exchange(VenueMatching(Venue(Instruments(["AAPL"]), events=True)), 0)


def intent(number, side, quantity, price, **more):
    return Intent(1, f"u-1-{number}", 0, "AAPL", side, quantity * NANOS, price * NANOS, "sim", **more)


def place(number, side, quantity, price, **more):
    return Place(Approved(intent(number, side, quantity, price, **more), 0))


def kinds(reports):
    return [report.kind for report in reports]


def pair(**settings):
    """A desk under test, and another that rests 100 to sell at 10."""
    market = exchange()
    one, other = Desk(market, **settings), Desk(market, "other")
    other.send(place(9, "sell", 100, 10))
    other.run(SECOND // 100)
    one.run(SECOND // 100)
    one.reports()
    return one, other


def test_an_order_is_acknowledged_then_filled_and_both_accounts_say_the_same():
    one, other = pair(fees=Fees(per_share=NANOS // 200))
    one.send(place(1, "buy", 60, 11))
    one.run(SECOND)
    accepted, fill = one.reports()
    assert (accepted.kind, accepted.cumulative, accepted.leaves) == (ReportKind.ACCEPTED, 0, 60 * NANOS)
    assert (fill.kind, fill.quantity, fill.price, fill.state) == ("fill", 60 * NANOS, 10 * NANOS, OrderState.FILLED)
    assert fill.fee == 30 * NANOS // 100
    assert one.broker.account.cash == CASH - 600 * NANOS - fill.fee
    assert other.broker.account.cash == CASH + 600 * NANOS
    assert one.broker.account.positions == {"AAPL": 60 * NANOS}
    assert other.broker.account.positions == {"AAPL": -60 * NANOS}


def test_the_same_client_order_id_is_the_same_order():
    one, _ = pair()
    one.send(place(1, "buy", 60, 11))
    one.run(SECOND)
    one.send(place(1, "buy", 60, 11))
    one.run(2 * SECOND)
    assert len(one.broker.account.orders) == 1
    assert one.broker.account.positions == {"AAPL": 60 * NANOS}


def test_cancel_replace_query_and_snapshot():
    one, _ = pair()
    one.send(place(1, "buy", 60, 9))
    one.run(SECOND)
    one.send(Replace(Approved(intent(2, "buy", 40, 8, replaces="u-1-1"), 0), "1"))
    one.run(2 * SECOND)
    _, replaced = one.reports()
    assert (replaced.kind, replaced.client_order_id, replaced.reference) == (ReportKind.REPLACED, "u-1-2", "u-1-1")
    assert replaced.leaves == 40 * NANOS
    one.send(Query("sim", "u-1-2", "", "AAPL"), Withdraw("sim", "u-1-2", "", "AAPL"), Withdraw("sim", "x", "", "AAPL"))
    one.run(3 * SECOND)
    status, cancelled, refused = one.reports()
    assert (status.kind, status.state, status.leaves) == (ReportKind.STATUS, OrderState.NEW, 40 * NANOS)
    assert (cancelled.kind, cancelled.client_order_id) == (ReportKind.CANCELLED, "u-1-2")
    assert (refused.kind, refused.reason) == (ReportKind.CANCEL_REJECTED, "not-found")
    one.send(Reconcile("sim", 0))
    one.run(4 * SECOND)
    snapshot = one.heard[-1]
    assert [(order.client_order_id, order.state) for order in snapshot.orders] == [("u-1-2", OrderState.CANCELLED)]
    assert snapshot.cash == CASH


def test_a_young_order_is_not_seen_yet():
    one, _ = pair()
    one.send(place(1, "buy", 60, 9), Query("sim", "u-1-1", "", "AAPL"))
    one.run(SECOND)
    assert kinds(one.reports()) == [ReportKind.ACCEPTED, ReportKind.NOT_FOUND]


def test_a_lost_response_leaves_the_order_at_work():
    one, _ = pair(faults="lost_response sim at=0s for=1s")
    one.send(place(1, "buy", 60, 9))
    one.run(3 * SECOND)
    assert kinds(one.reports()) == [ReportKind.UNKNOWN_OUTCOME]
    assert one.broker.account.by_id["u-1-1"].is_open


def test_a_fill_before_its_acknowledgement():
    one, _ = pair(faults="early_fill sim at=0s for=1s")
    one.send(place(1, "buy", 60, 11))
    one.run(SECOND)
    assert kinds(one.reports()) == [ReportKind.FILL, ReportKind.ACCEPTED]


def test_a_false_cancel_that_fills_later():
    one, other = pair(faults="false_cancel sim at=0s for=1s")
    one.send(place(1, "buy", 60, 9))
    one.run(SECOND // 10)
    one.send(Withdraw("sim", "u-1-1", "", "AAPL"))
    one.run(SECOND)
    assert kinds(one.reports()) == [ReportKind.ACCEPTED, ReportKind.CANCELLED]
    other.now = one.now
    other.send(place(10, "sell", 60, 9))
    other.run(2 * SECOND)
    one.run(2 * SECOND)
    assert kinds(one.reports()) == [ReportKind.FILL]


def test_a_cancel_that_comes_too_late():
    one, other = pair(faults="late_cancel sim at=0s for=1s by=300ms")
    one.send(place(1, "buy", 60, 9))
    one.run(SECOND // 10)
    one.send(Withdraw("sim", "u-1-1", "", "AAPL"))
    one.run(SECOND // 5)
    other.now = one.now
    other.send(place(10, "sell", 20, 9))
    other.run(SECOND // 4)
    one.run(SECOND)
    assert kinds(one.reports()) == [ReportKind.ACCEPTED, ReportKind.FILL, ReportKind.CANCELLED]


def test_a_bust_takes_back_what_was_booked():
    one, _ = pair(fees=Fees(minimum=NANOS), faults="bust sim at=1s")
    one.send(place(1, "buy", 60, 11))
    one.run(2 * SECOND)
    _, fill, bust = one.reports()
    assert (bust.kind, bust.reference) == (ReportKind.BUST, fill.execution_id)
    assert one.broker.account.cash == CASH
    assert one.broker.account.positions == {"AAPL": 0}
    one.send(Query("sim", "u-1-1", "", "AAPL"))
    one.run(3 * SECOND)
    assert kinds(one.reports()) == [ReportKind.FILL, ReportKind.BUST, ReportKind.STATUS]


def test_swallowed_fills_are_found_by_a_query():
    one, _ = pair(faults="swallow sim at=0s for=1s")
    one.send(place(1, "buy", 60, 11))
    one.run(2 * SECOND)
    assert kinds(one.reports()) == [ReportKind.ACCEPTED]
    one.send(Query("sim", "u-1-1", "", "AAPL"))
    one.run(3 * SECOND)
    assert kinds(one.reports()) == [ReportKind.FILL, ReportKind.STATUS]


def test_partial_fills_add_up():
    one, _ = pair(faults="partial sim at=0s for=1s", seed=3)
    one.send(place(1, "buy", 60, 11))
    one.run(SECOND)
    fills = one.reports(ReportKind.FILL)
    assert 1 < len(fills) <= 4
    assert sum(fill.quantity for fill in fills) == 60 * NANOS
    assert len({fill.execution_id for fill in fills}) == len(fills)
    assert [fill.leaves for fill in fills] == sorted((fill.leaves for fill in fills), reverse=True)


def test_a_disconnect_in_mid_order_leaves_the_order_at_work():
    one, _ = pair(faults="disconnect sim at=500ms")
    one.run(SECOND * 6 // 10)
    one.send(place(1, "buy", 60, 9))
    one.run(SECOND)
    assert kinds(one.reports()) == [ReportKind.UNKNOWN_OUTCOME]
    assert one.broker.account.by_id["u-1-1"].is_open
    one.connect()
    one.send(Reconcile("sim", 0))
    one.run(2 * SECOND)
    assert [order.state for order in one.heard[-1].orders] == [OrderState.NEW]


def test_a_half_open_line_neither_takes_nor_gives_and_then_breaks():
    one, _ = pair(faults="half_open sim at=500ms for=3s")
    one.run(SECOND * 6 // 10)
    one.send(place(1, "buy", 60, 9))
    one.run(4 * SECOND)
    assert kinds(one.reports()) == [ReportKind.UNKNOWN_OUTCOME]
    assert one.broker.account.orders == {}


def test_a_fault_of_providers_is_refused():
    with pytest.raises(ConfigError, match=r"wrong_scale sim .* cannot be"):
        SimBroker("sim", exchange(), {}, start=0, faults="wrong_scale sim at=0s for=1s")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    acts=st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from(["place", "place", "place", "withdraw", "replace"]),
            st.sampled_from(["buy", "sell"]),
            st.integers(1, 300),
            st.integers(9, 12),
            st.sampled_from(["day", "ioc", "fok"]),
        ),
        max_size=40,
    ),
)
def test_money_and_quantity_are_conserved_whatever_the_faults(seed, acts):
    market = exchange()
    kinds_here = [kind for kind in BROKER_KINDS if kind != "bust"]  # its counterparty hears nothing of it
    desks = [
        Desk(
            market,
            name,
            seed=seed,
            fees=Fees(per_share=NANOS // 300),
            faults=faults(seed + number, [name], "8s", kinds=kinds_here, count=4),
        )
        for number, name in enumerate(["one", "two"])
    ]
    numbers = itertools.count(1)
    now = 0
    for which, act, side, quantity, price, tif in acts:
        desk = desks[which]
        number = next(numbers)
        if act == "place":
            desk.send(place(number, side, quantity, price, tif=tif))
        elif act == "withdraw":
            desk.send(Withdraw("x", f"u-1-{max(1, number - 3)}", "", "AAPL"))
        else:
            old = f"u-1-{max(1, number - 2)}"
            desk.send(Replace(Approved(intent(number, side, quantity, price, replaces=old), 0), ""))
        now += SECOND // 5
        for each in desks:
            each.run(now)
    for each in desks:
        each.run(now + 10 * SECOND)
    accounts = [desk.broker.account for desk in desks]
    assert sum(account.cash + account.fees_paid for account in accounts) == 2 * CASH
    assert sum(account.positions.get("AAPL", 0) for account in accounts) == 0
    for account in accounts:
        for order in account.orders.values():
            assert order.cumulative == sum(one.quantity for one in order.executions)
            assert order.cumulative + order.leaves <= max(order.quantity, order.cumulative)
            if order.state == OrderState.FILLED:
                assert order.leaves == 0
