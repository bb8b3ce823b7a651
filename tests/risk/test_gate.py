"""The gate: each limit at its bound and one beyond, the kill switch, the user's own check."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.trading import Approved, Intent, Refusal, TopChange
from engine.risk.gate import MEMORY, Gate, GateFacts
from engine.risk.limits import Limits

UNIT = 10**9
MONEY = 10**18
NOW = 1_800_000_000 * UNIT
NOTHING = Limits(
    order_notional=None,
    gross_exposure=None,
    collar_bps=None,
    orders_per_second=None,
    orders_per_minute=None,
    duplicates=None,
    data_age=None,
    session=False,
)


def top(bid=100, ask=101, *, state="live", at=NOW, last=0):
    return TopChange(0, bid * UNIT, UNIT, ask * UNIT, UNIT, bid * UNIT, ask * UNIT, state, at, at, last * UNIT)


def intent(quantity=10, price=100, side="buy", order="u-1-1", **others):
    return Intent(1, order, 0, others.pop("symbol", "AAPL"), side, quantity * UNIT, price * UNIT, **others)


def parent(quantity=10, price=0, side="buy", **others):
    return intent(quantity, price, side, "", **others)


FACTS = GateFacts(tick=UNIT // 100, lot=UNIT, top=top(), mark=100 * UNIT)


def refused(gate, asked, facts=FACTS, now=NOW):
    answer = gate.check(asked, facts, now)
    assert isinstance(answer, Refusal), answer
    return answer


def test_without_limits_a_well_formed_order_passes():
    asked = intent()
    assert Gate(NOTHING).check(asked, FACTS, NOW) == Approved(asked, NOW)


@pytest.mark.parametrize(
    ("asked", "limit", "value"),
    [
        (intent(quantity=0), "quantity", "0"),
        (intent(quantity=-5), "quantity", "-5"),
        (intent()._replace(quantity=UNIT // 2), "quantity", "0.5"),
        (intent(price=0), "price", "0"),
        (intent(price=-1), "price", "-1"),
        (intent()._replace(price=UNIT + 1), "price", "1.000000001"),
        (intent(symbol="AAPL  260116C00150000"), "instrument", "AAPL  260116C00150000"),
        (intent(symbol="O:SPY251219P00650000"), "instrument", "O:SPY251219P00650000"),
        (parent(symbol="AAPL260116C00150000"), "instrument", "AAPL260116C00150000"),
    ],
)
def test_what_is_not_well_formed(asked, limit, value):
    answer = refused(Gate(NOTHING), asked)
    assert (answer.limit, answer.value) == (limit, value)
    assert answer.bound


def test_an_id_is_approved_once_and_a_refused_one_may_come_again():
    gate = Gate(replace(NOTHING, order_quantity=10))
    assert refused(gate, intent(11)).limit == "order_quantity"
    assert isinstance(gate.check(intent(10), FACTS, NOW), Approved)
    assert refused(gate, intent(9)) == Refusal("client_order_id", "u-1-1", "an id that was never approved before")


def test_the_memory_of_ids_has_an_end():
    gate = Gate(NOTHING)
    for number in range(MEMORY + 1):
        gate.check(intent(order=str(number)), FACTS, NOW)
    assert isinstance(gate.check(intent(order="0"), FACTS, NOW), Approved)
    assert refused(gate, intent(order=str(MEMORY))).limit == "client_order_id"


@pytest.mark.parametrize(
    ("limits", "passes", "stopped", "facts", "answer"),
    [
        ({"order_quantity": 10}, intent(10), intent(11), FACTS, ("order_quantity", "11", "10")),
        ({"order_notional": 1000}, intent(10), intent(11), FACTS, ("order_notional", "1100", "1000")),
        ({"order_notional": 1010}, parent(10), parent(11), FACTS, ("order_notional", "1111", "1010")),
        (
            {"position_quantity": 30},
            intent(10),
            intent(11),
            FACTS._replace(position=5 * UNIT, buying=15 * UNIT, selling=99 * UNIT),
            ("position_quantity", "31", "30"),
        ),
        (
            {"position_quantity": 30},
            intent(10, side="sell"),
            intent(11, side="sell"),
            FACTS._replace(position=-5 * UNIT, selling=15 * UNIT, buying=99 * UNIT),
            ("position_quantity", "31", "30"),
        ),
        ({"position_notional": 1000}, intent(10), intent(11), FACTS, ("position_notional", "1100", "1000")),
        (
            {"gross_exposure": 5000},
            intent(10),
            intent(11),
            FACTS._replace(gross=4000 * MONEY),
            ("gross_exposure", "5100", "5000"),
        ),
        (
            {"net_exposure": 5000},
            intent(10),
            intent(11),
            FACTS._replace(long=4000 * MONEY, short=9000 * MONEY),
            ("net_exposure", "5100", "5000"),
        ),
        (
            {"adv_fraction": "0.1"},
            parent(100),
            parent(101),
            FACTS._replace(average_daily_volume=1000 * UNIT),
            ("adv_fraction", "0.101", "0.1"),
        ),
        (
            {"collar_bps": 100},
            intent(price=99),
            intent(price=103),
            FACTS,
            ("collar_bps", "198.01980198 from 101", "100"),
        ),
        (
            {"collar_bps": 100},
            intent(price=99, side="sell"),
            intent(price=98, side="sell"),
            FACTS,
            ("collar_bps", "200 from 100", "100"),
        ),
        (
            {"restricted": ("GME",)},
            intent(),
            intent(symbol="GME"),
            FACTS,
            ("restricted", "GME", "not on the restricted list"),
        ),
    ],
)
def test_a_limit_reached_passes_and_one_more_is_refused(limits, passes, stopped, facts, answer):
    gate = Gate(replace(NOTHING, **limits))
    assert isinstance(gate.check(passes, facts, NOW), Approved)
    assert refused(Gate(replace(NOTHING, **limits)), stopped, facts) == Refusal(*answer)


def test_what_does_not_add_to_the_worst_side_passes_a_gross_limit_already_exceeded():
    gate = Gate(replace(NOTHING, gross_exposure=1000, position_quantity=5))
    facts = FACTS._replace(position=20 * UNIT, gross=2000 * MONEY)
    assert isinstance(gate.check(intent(20, side="sell"), facts, NOW), Approved)
    assert refused(gate, intent(1, order="b"), facts).limit == "position_quantity"
    assert refused(gate, intent(26, side="sell", order="c"), facts).limit == "position_quantity"


def test_a_replacement_counts_by_what_it_adds():
    gate = Gate(replace(NOTHING, position_quantity=30))
    facts = FACTS._replace(buying=25 * UNIT)
    bigger = intent(20, order="u-1-2", replaces="u-1-1", increase=5 * UNIT)
    assert isinstance(gate.check(bigger, facts, NOW), Approved)
    assert refused(gate, bigger._replace(client_order_id="x", increase=6 * UNIT), facts).limit == "position_quantity"


def test_unknown_volume_is_refused_where_it_matters():
    assert refused(Gate(replace(NOTHING, adv_fraction="0.1")), parent()).value == "no average daily volume is known"


@pytest.mark.parametrize(
    ("book", "value"),
    [
        (None, "no book"),
        (top(state="stale"), "a book that is stale"),
        (top(state="halted"), "a book that is halted"),
        (top(at=NOW - 2 * UNIT - 1), "2000000001 ns"),
    ],
)
def test_stale_data(book, value):
    gate = Gate(replace(NOTHING, data_age="2s"))
    assert isinstance(gate.check(intent(order="a"), FACTS._replace(top=top(at=NOW - 2 * UNIT)), NOW), Approved)
    answer = refused(gate, intent(order="b"), FACTS._replace(top=book))
    assert (answer.limit, answer.value) == ("data_age", value)
    assert isinstance(gate.check(parent(), FACTS._replace(top=book), NOW), Approved)


def test_the_session_holds_children_and_not_parents():
    gate = Gate(replace(NOTHING, session=True))
    facts = FACTS._replace(open=NOW, close=NOW + 10)
    assert isinstance(gate.check(intent(order="a"), facts, NOW), Approved)
    assert refused(gate, intent(order="b"), facts, NOW - 1).limit == "session"
    assert refused(gate, intent(order="b"), facts, NOW + 10).limit == "session"
    assert isinstance(gate.check(parent(), facts, NOW - 1), Approved)
    assert isinstance(gate.check(intent(order="b"), FACTS, NOW - 1), Approved)  # no calendar: it trades always


def test_without_any_market_price_the_collar_refuses():
    gate = Gate(replace(NOTHING, collar_bps=10))
    assert refused(gate, intent(), FACTS._replace(top=None)).limit == "collar_bps"
    assert refused(gate, intent(), FACTS._replace(top=top(0, 0))).limit == "collar_bps"
    assert isinstance(gate.check(intent(), FACTS._replace(top=top(0, 0, last=100)), NOW), Approved)


def test_a_lost_day_lets_pass_only_what_reduces():
    gate = Gate(replace(NOTHING, daily_loss=500))
    facts = FACTS._replace(profit=-500 * MONEY, position=20 * UNIT, selling=5 * UNIT)
    assert isinstance(gate.check(intent(15, side="sell", order="a"), facts, NOW), Approved)
    assert refused(gate, intent(16, side="sell", order="b"), facts) == Refusal("daily_loss", "500", "500")
    assert refused(gate, intent(1, order="c"), facts).limit == "daily_loss"
    assert isinstance(gate.check(intent(1, order="d"), facts._replace(profit=1 - 500 * MONEY), NOW), Approved)


def test_duplicates_are_counted_within_their_window():
    gate = Gate(replace(NOTHING, duplicates=2, duplicate_window="1s"))
    assert isinstance(gate.check(parent(), FACTS, NOW), Approved)
    assert isinstance(gate.check(parent(), FACTS, NOW + 1), Approved)
    assert refused(gate, parent(), FACTS, NOW + UNIT - 1) == Refusal("duplicates", "3", "2 in 1000000000 ns")
    assert isinstance(gate.check(parent(11), FACTS, NOW + 2), Approved)
    assert isinstance(gate.check(intent(10, 0 + 100), FACTS, NOW + 2), Approved)
    assert isinstance(gate.check(parent(), FACTS, NOW + UNIT), Approved)
    assert refused(gate, parent(), FACTS, NOW + UNIT).limit == "duplicates"


def test_the_rate_is_a_bucket():
    gate = Gate(replace(NOTHING, orders_per_second=2, orders_per_minute=5))
    results = []
    for number, at in enumerate((0, 0, 0, UNIT // 2, UNIT, UNIT, 2 * UNIT, 2 * UNIT, 14 * UNIT)):
        answer = gate.check(intent(order=str(number)), FACTS, NOW + at)
        results.append(answer.limit if isinstance(answer, Refusal) else "")
    second, minute = "orders_per_second", "orders_per_minute"
    assert results == ["", "", second, "", "", second, "", minute, ""]


def test_the_clock_running_backwards_gives_no_tokens():
    gate = Gate(replace(NOTHING, orders_per_second=1))
    assert isinstance(gate.check(intent(order="a"), FACTS, NOW), Approved)
    assert refused(gate, intent(order="b"), FACTS, NOW - UNIT).limit == "orders_per_second"


def test_the_users_check_is_asked_last_and_may_fail():
    asked = []
    gate = Gate(replace(NOTHING, order_quantity=10), asked.append)
    refused(gate, intent(11))
    gate.check(intent(), FACTS, NOW)
    assert asked == [intent()]
    gate.user_check = lambda _: Refusal("mine", "1", "0")
    assert refused(gate, parent()) == Refusal("mine", "1", "0")
    gate.user_check = lambda _: 1 // 0
    assert refused(gate, parent()).value.startswith("ZeroDivisionError")
    gate.user_check = lambda _: True
    assert refused(gate, parent()) == Refusal("check", "bool", "Refusal or None")


def test_a_refusal_uses_nothing_up():
    gate = Gate(replace(NOTHING, orders_per_second=1, duplicates=1), lambda _: Refusal("mine", "", ""))
    refused(gate, intent())
    gate.user_check = None
    assert isinstance(gate.check(intent(), FACTS, NOW), Approved)


# ---- the kill switch


def test_after_a_halt_only_a_pure_decrease_passes():
    gate = Gate(NOTHING)
    gate.halt("stop")
    facts = FACTS._replace(replaced_price=100 * UNIT, buying=10 * UNIT)
    assert refused(gate, intent()) == Refusal("halt", "stop", "no new order and no increase until released")
    assert refused(gate, parent()).limit == "halt"
    change = intent(5, order="u-1-2", replaces="u-1-1", increase=-5 * UNIT)
    assert refused(gate, change._replace(increase=0), facts).limit == "halt"
    assert refused(gate, change._replace(price=101 * UNIT), facts).limit == "halt"
    assert isinstance(gate.check(change, facts, NOW), Approved)
    gate.release()
    assert isinstance(gate.check(intent(), FACTS, NOW), Approved)


asks = st.builds(
    intent,
    quantity=st.integers(-1, 50),
    price=st.integers(0, 200),
    side=st.sampled_from(["buy", "sell"]),
    order=st.sampled_from(["", *"abcdefgh"]),
    replaces=st.sampled_from(["", "z"]),
    increase=st.integers(-10, 10).map(lambda count: count * UNIT),
)
moves = st.one_of(asks, st.sampled_from(["halt", "release"]))


@settings(max_examples=300, deadline=None)
@given(st.lists(moves, max_size=30), st.sampled_from([Limits(), NOTHING, replace(NOTHING, position_quantity=40)]))
def test_whatever_comes_nothing_grows_after_a_halt_and_no_id_passes_twice(sequence, limits):
    gate, halted, seen = Gate(limits), False, set()
    facts = FACTS._replace(replaced_price=100 * UNIT)
    for number, move in enumerate(sequence):
        if isinstance(move, str):
            halted = move == "halt"
            gate.halt("stop") if halted else gate.release()
            continue
        answer = gate.check(move, facts, NOW + number)
        if isinstance(answer, Approved):
            assert not halted or (move.replaces and move.increase < 0 and move.price == 100 * UNIT)
            assert move.client_order_id == "" or move.client_order_id not in seen
            assert move.quantity > 0
            seen.add(move.client_order_id)
        else:
            assert answer.limit
            assert answer.bound
