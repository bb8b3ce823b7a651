from decimal import ROUND_HALF_EVEN, Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.core.units import NANOS
from engine.sim.account import Account, Fees, SimOrder


def order(number, side, quantity):
    return SimOrder([f"u-{number}"], number, "AAPL", side, quantity, 0, "day", 0)


@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 10**15), st.integers(1, 10**14), st.booleans()),
        max_size=20,
    )
)
def test_cash_and_positions_are_the_sum_of_what_was_not_busted(trades):
    account = Account(0, Fees(per_share=3_333_333))
    cash, position = Decimal(0), 0
    for number, (side, quantity, price, busted) in enumerate(trades):
        placed = order(number, side, quantity)
        account.add(placed)
        execution = account.book(placed, quantity, price, f"x{number}", 0)
        placed.cumulative += quantity
        if busted:
            account.bust(execution)
            assert placed.cumulative == 0
        else:
            sign = 1 if side == "buy" else -1
            exact = Decimal(quantity * price) / NANOS
            cash -= sign * exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN) + execution.fee
            position += sign * quantity
    assert account.cash == cash
    assert account.positions.get("AAPL", 0) == position


def test_fees_are_rounded_up_to_the_cent_and_have_a_minimum():
    fees = Fees(per_share=3_500_000, minimum=NANOS // 2)  # 0.35 cent a share
    assert fees.of(10 * NANOS) == NANOS // 2
    assert fees.of(200 * NANOS) == 70 * NANOS // 100
    assert fees.of(201 * NANOS) == 71 * NANOS // 100  # 0.7035


def test_a_replaced_order_is_found_under_both_ids():
    account = Account(0, Fees())
    placed = order(1, "buy", NANOS)
    account.add(placed)
    account.rename(placed, "u-2")
    assert account.by_id["u-1"] is account.by_id["u-2"] is placed
    assert placed.client_order_id == "u-2"
