"""One order, and everything a broker may say of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.trading import BrokerFacts, Intent, OrderState
from engine.execution.child import NEVER_ARRIVED, READS, SPACING_NS
from tests.execution.children import MS, NAME, NANO, child, report
from tests.reference.oms import executions

VISIBLE = BrokerFacts("one").visibility_delay_ns


def tell(order, *reports, now=1_000 * NANO):
    fills = []
    for one in reports:
        fills += order.receive(one, now)
        assert order.cumulative + order.leaves + order.cancelled == order.ordered
    return fills


def read(order, now, kind="status", name=NAME, **more):
    """A query that is answered at once."""
    order.asked(name, now)
    return tell(order, report(kind, name, **more), now=now)


# ---- executions


def numbered(kind, execution, quantity, stamp=0):
    more = {"execution_id": execution} if kind == "fill" else {"reference": execution}
    return report(kind, quantity=quantity, ts_event=stamp, **more)


@st.composite
def histories(draw):
    """Fills, busts and corrections of a few executions, in any order, each told once or twice."""
    told = []
    for place, quantity in enumerate(draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))):
        told.append(numbered("fill", f"e{place}", quantity))
        stamps = range(1, 1 + draw(st.integers(0, 2)))
        told += [numbered("correction", f"e{place}", draw(st.integers(1, 12)), stamp) for stamp in stamps]
        if draw(st.booleans()):
            told.append(numbered("bust", f"e{place}", 0))
    twice = draw(st.lists(st.sampled_from(told), max_size=6))
    return draw(st.permutations(told + twice))


@given(histories())
def test_executions_count_once_in_whatever_order_they_are_told(history):
    order = child(1_000)
    fills = tell(order, *history)
    wanted = executions(history)
    assert {name: (one.quantity, one.price) for name, one in order.fills.items()} == wanted
    assert order.cumulative == sum(quantity for quantity, _ in wanted.values()) == sum(one.quantity for one in fills)
    assert order.notional == sum(quantity * price for quantity, price in wanted.values())


def test_a_fill_before_the_acknowledgement_shows_that_it_arrived():
    order = child()
    tell(order, report("fill", quantity=30, execution_id="a"))
    assert order.state is OrderState.PARTIALLY_FILLED
    tell(order, report("accepted"))
    assert order.state is OrderState.PARTIALLY_FILLED
    tell(order, report("fill", quantity=70, execution_id="b"))
    assert (order.state, order.over, order.leaves) == (OrderState.FILLED, True, 0)


def test_a_total_ahead_of_the_executions_is_believed_only_after_reads_and_gives_way_to_the_real_fill():
    order = child()
    tell(order, report("accepted"))
    now = 1_010 * NANO
    for _ in range(READS - 1):
        assert read(order, now, state=OrderState.PARTIALLY_FILLED, cumulative=40, leaves=60) == []
        assert order.urgent
    (guess,) = read(order, now, state=OrderState.PARTIALLY_FILLED, cumulative=40, leaves=60)
    assert guess.inferred
    assert guess.quantity == order.cumulative == 40 * NANO
    fills = tell(order, report("fill", quantity=25, execution_id="real"))
    assert [one.quantity // NANO for one in fills] == [-40, 25, 15]
    assert order.cumulative == 40 * NANO
    tell(order, report("fill", quantity=15, execution_id="other"))
    assert order.inferred is None
    assert order.cumulative == 40 * NANO


def test_what_was_inferred_goes_with_the_total_it_rests_on():
    order = child()
    tell(order, report("accepted"))
    for place in range(READS):
        read(order, 1_010 * NANO + place, state=OrderState.CANCELLED, cumulative=40, leaves=0)
    assert (order.over, order.cumulative) == (True, 40 * NANO)
    tell(order, report("bust", reference="never seen"))
    fills = tell(order, report("status", state=OrderState.CANCELLED, cumulative=15, leaves=0))
    assert [one.quantity // NANO for one in fills] == [-40, 15]
    tell(order, report("status", state=OrderState.CANCELLED, cumulative=0, leaves=0))
    assert (order.inferred, order.cumulative, order.cancelled) == (None, 0, 100 * NANO)


def test_a_bust_of_a_filled_order_does_not_open_it_again():
    order = child()
    tell(order, report("fill", quantity=100, execution_id="a"))
    (back,) = tell(order, report("bust", reference="a"))
    assert back.quantity == -100 * NANO
    assert (order.state, order.over, order.cancelled) == (OrderState.FILLED, True, 100 * NANO)


# ---- the end


def test_a_cancel_frees_nothing_before_a_read_confirms_it():
    order = child()
    tell(order, report("accepted"), report("cancelled", cumulative=0))
    assert (order.state, order.committed) == (OrderState.PENDING_CANCEL, 100 * NANO)
    assert order.doubtful
    read(order, 1_001 * NANO, state=OrderState.CANCELLED, cumulative=0, leaves=0)
    assert (order.state, order.committed, order.cancelled) == (OrderState.CANCELLED, 0, 100 * NANO)


def test_a_false_cancel_is_unmasked_by_reads():
    order = child()
    tell(order, report("accepted"), report("cancelled"))
    for place in range(READS):
        assert order.stated is OrderState.CANCELLED
        read(order, 1_001 * NANO + place * NANO, state=OrderState.NEW, cumulative=0, leaves=100)
    assert (order.stated, order.state, order.committed) == (None, OrderState.NEW, 100 * NANO)


def test_an_answer_to_a_question_older_than_the_statement_does_not_contradict_it():
    order = child()
    order.asked(NAME, 1_000 * NANO)
    tell(
        order, report("accepted"), report("cancelled"), report("status", state=OrderState.NEW, cumulative=0, leaves=100)
    )
    assert order.contradicted == 0


def test_a_broker_that_cannot_be_read_is_believed():
    order = child(facts=BrokerFacts("one", readable=False))
    tell(order, report("accepted"), report("cancelled"))
    assert (order.state, order.over) == (OrderState.CANCELLED, True)


def test_a_fill_after_a_proven_cancel_counts_and_the_order_is_looked_at_again():
    order = child()
    tell(order, report("accepted"), report("cancelled"))
    read(order, 1_001 * NANO, state=OrderState.CANCELLED, cumulative=0, leaves=0)
    tell(order, report("fill", quantity=10, execution_id="late"))
    assert order.state is OrderState.CANCELLED
    assert (order.over, order.wanted_gone, order.committed) == (False, True, 100 * NANO)
    read(order, 1_002 * NANO, state=OrderState.CANCELLED, cumulative=10, leaves=0)
    assert (order.over, order.committed, order.cancelled) == (True, 10 * NANO, 90 * NANO)


def test_a_cancel_is_not_confirmed_while_executions_are_missing():
    order = child()
    tell(order, report("accepted"), report("cancelled"))
    read(order, 1_001 * NANO, state=OrderState.CANCELLED, cumulative=30, leaves=0)
    assert (order.over, order.stated) == (False, OrderState.CANCELLED)
    tell(order, report("fill", quantity=30, execution_id="a"))
    read(order, 1_002 * NANO, state=OrderState.CANCELLED, cumulative=30, leaves=0)
    assert (order.over, order.cancelled) == (True, 70 * NANO)


@pytest.mark.parametrize(("venue", "over"), [("", True), ("v1", False)])
def test_a_reject_is_final_unless_the_order_had_been_accepted(venue, over):
    order = child()
    order.venue_order_id = venue
    tell(order, report("rejected", reason="no money"))
    assert (order.over, order.reason) == (over, "no money")


# ---- doubt


def test_absence_is_proof_only_after_reads_that_are_spaced_and_late_enough():
    order = child()
    sent = order.sent_ts
    tell(order, report("unknown-outcome"))
    assert order.state is OrderState.UNKNOWN
    read(order, sent + VISIBLE - 1, "not-found")  # too early
    asked = sent + VISIBLE
    read(order, asked, "not-found")
    read(order, asked + SPACING_NS - 1, "not-found")  # too close
    read(order, asked + SPACING_NS, "not-found")
    tell(order, report("not-found"))  # nobody asked
    assert not order.over
    read(order, asked + 2 * SPACING_NS, "not-found")
    assert (order.state, order.over, order.reason) == (OrderState.REJECTED, True, NEVER_ARRIVED)


def test_an_order_that_appears_after_all_counts_again_and_must_go():
    order = child()
    tell(order, report("unknown-outcome"))
    for place in range(READS):
        read(order, order.sent_ts + VISIBLE + place * NANO, "not-found")
    assert order.over
    tell(order, report("accepted", venue_order_id="v1"))
    assert (order.over, order.wanted_gone, order.committed) == (False, True, 100 * NANO)
    assert order.state is OrderState.REJECTED  # a final state stays


def test_doubt_makes_what_is_in_flight_unknown_and_leaves_the_rest():
    flying, working = child(), child()
    tell(working, report("accepted"))
    flying.doubt()
    working.doubt()
    assert (flying.state, working.state) == (OrderState.UNKNOWN, OrderState.NEW)
    assert working.urgent


# ---- replacement


def replacing(quantity=150):
    order = child()
    tell(order, report("accepted", venue_order_id="v1"))
    order.replacing(
        Intent(1, "u-1-2", 0, "AAPL", "buy", quantity * NANO, 11 * NANO, "one", replaces=NAME), 1_001 * NANO
    )
    return order


def test_while_it_is_replaced_the_larger_total_counts():
    assert replacing(150).committed == 150 * NANO
    assert replacing(50).committed == 100 * NANO


def test_the_new_id_stands_for_the_whole_chain():
    order = replacing(150)
    tell(order, report("fill", quantity=60, execution_id="a"), report("replaced", "u-1-2", venue_order_id="v2"))
    assert (order.id, order.quantity, order.leaves) == ("u-1-2", 150 * NANO, 90 * NANO)
    tell(order, report("fill", quantity=90, execution_id="b", name="u-1-2"))
    assert order.state is OrderState.FILLED


def test_an_old_total_that_is_filled_while_replaced_is_not_the_end():
    order = replacing(150)
    tell(order, report("fill", quantity=100, execution_id="a"))
    assert not order.over
    tell(order, report("replace-rejected", "u-1-2"))
    assert order.state is OrderState.FILLED


def test_a_fill_under_the_new_id_proves_the_replacement():
    order = replacing(150)
    tell(order, report("fill", "u-1-2", quantity=10, execution_id="a"))
    assert (order.id, order.replacement) == ("u-1-2", None)


def test_the_end_of_the_old_id_is_no_end_while_a_replacement_may_live():
    order = replacing(150)
    order.doubt()
    read(order, 1_002 * NANO, state=OrderState.CANCELLED, cumulative=0, leaves=0)
    assert not order.over
    read(order, 1_003 * NANO, name="u-1-2", state=OrderState.NEW, cumulative=0, leaves=150)
    assert (order.id, order.state) == ("u-1-2", OrderState.NEW)


def test_a_replacement_that_never_arrived_leaves_the_order_as_it_was():
    order = replacing(150)
    order.doubt()
    assert order.state is OrderState.UNKNOWN
    for place in range(READS):
        read(order, order.replaced_ts + VISIBLE + place * NANO, "not-found", name="u-1-2")
    assert (order.replacement, order.committed) == (None, 100 * NANO)
    read(order, 1_010 * NANO, state=OrderState.NEW, cumulative=0, leaves=100)
    assert order.state is OrderState.NEW
    tell(order, report("replaced", "u-1-2"))  # it did arrive, later
    assert (order.id, order.quantity, order.wanted_gone) == ("u-1-2", 150 * NANO, True)


def test_a_read_ends_an_urgent_look():
    order = child()
    tell(order, report("accepted"), report("cancel-rejected"))
    assert order.urgent
    read(order, 1_000 * NANO + 5 * MS, state=OrderState.NEW, cumulative=0, leaves=100)
    assert not order.doubtful
