"""What is asked of brokers, and when."""

import pytest

from engine.core.trading import BrokerFacts, LineState, Query, Reconcile, Report, ReportKind, Snapshot, Withdraw
from engine.execution.orders import AUDIT_NS, RECONCILE_NS, Orders, parse_id
from engine.execution.timers import Timers
from tests.execution.children import NANO, report

FACTS = BrokerFacts("one", requests_per_minute=120)


class Nobody:
    """Is told everything, does nothing."""

    def changed(self, child, before, fills, now):
        pass

    def opened(self, line, snapshot, now):
        pass


def book(facts=FACTS):
    timers = Timers()
    orders = Orders("u-", (facts,), timers, Nobody())
    orders.line_state(LineState("broker", "one", "up"), 0)
    orders.snapshot(Snapshot("one", 0), 0)
    orders.commands.clear()
    return orders, timers


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("u-12-3", (12, 3)), ("u-12", None), ("u-x-3", None), ("v-12-3", None), ("u-1-2-3", None), ("", None)],
)
def test_ids_of_ours_are_told_from_others(name, numbers):
    assert parse_id(name, "u-") == numbers


def test_snapshots_are_asked_for_at_times_and_again_when_they_do_not_come():
    orders, timers = book()
    assert timers.next == RECONCILE_NS
    (line,) = timers.take_due(RECONCILE_NS)
    orders.due(line, RECONCILE_NS)
    (first,) = orders.commands
    assert isinstance(first, Reconcile)
    again = timers.next
    assert again < RECONCILE_NS + 5 * NANO
    orders.line_state(LineState("broker", "one", "down"), again)
    assert line not in timers.take_due(again + RECONCILE_NS)


def test_a_strange_order_under_our_name_is_asked_about_once():
    orders, _ = book()
    for _ in range(3):
        orders.receive(Report("one", ReportKind.ACCEPTED, "u-1-1"), 0)
    assert orders.commands == [Query("one", "u-1-1", "", "")]


def test_reports_of_brokers_and_orders_that_nobody_knows_are_passed_over():
    orders, _ = book()
    orders.receive(Report("two", ReportKind.FILL, "u-1-1", quantity=5), 0)
    orders.receive(report("not-found", "u-1-1"), 0)
    orders.receive(report("accepted", "x-1"), 0)
    orders.line_state(LineState("broker", "two", "up"), 0)
    orders.snapshot(Snapshot("two", 0), 0)
    assert (orders.commands, orders.children) == ([], {})


def placed(orders, count, now=0):
    from engine.core.trading import Intent, Submit
    from engine.execution.parent import Parent, Traded

    parent = Parent(Submit(1, 0, "AAPL", "buy", NANO, {}), Traded("AAPL", 0), now)
    found = []
    for number in range(count):
        intent = Intent(1, f"u-1-{number}", 0, "AAPL", "buy", NANO, NANO, "one")
        order = type("Order", (), {"intent": intent})
        found.append(orders.place(parent, order, now))
    orders.commands.clear()
    return found


def test_reads_leave_half_of_the_budget_to_orders():
    orders, timers = book()
    found = placed(orders, 10)
    for child in timers.take_due(AUDIT_NS):
        orders.attend(child, AUDIT_NS)
    line = orders.lines["one"]
    assert 0 < len(orders.commands) < len(found)
    assert line.has_tokens(AUDIT_NS, part=4)
    assert timers.next > AUDIT_NS  # the others come later


def test_an_order_that_cannot_be_named_is_withdrawn_as_soon_as_it_can():
    orders, _ = book(BrokerFacts("one", client_order_ids=False))
    (child,) = placed(orders, 1)
    orders.withdraw(child, 5)
    assert orders.commands == []
    orders.receive(report("accepted", "u-1-0", venue_order_id="v7"), 6)
    assert orders.commands == [Withdraw("one", "u-1-0", "v7", "AAPL")]
    orders.receive(Report("one", ReportKind.FILL, "", "v7", "e", quantity=NANO), 7)
    assert child.over


def test_a_total_that_is_ahead_asks_for_the_executions():
    orders, _ = book()
    (child,) = placed(orders, 1, NANO)
    child.asked("u-1-0", NANO)
    orders.receive(report("status", "u-1-0", state=None, cumulative=1, leaves=0), 2 * NANO)
    assert [type(one) for one in orders.commands] == [Reconcile, Query]
    assert orders.commands[0].since == 0


def test_other_brokers_may_be_set_up_and_gone_ones_keep_their_orders():
    orders, _ = book()
    (child,) = placed(orders, 1)
    orders.set_up((BrokerFacts("two"), BrokerFacts("one", readable=False)))
    assert list(orders.lines) == ["two", "one"]
    orders.set_up((BrokerFacts("two"),))
    assert orders.lines["one"].open == {"u-1-0": child}
