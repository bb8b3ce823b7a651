"""Slices of quantities: how many there are where least and most ask for others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.execution.schedule import plan_slices

UNIT = 10**9
WINDOW = (0, 3_600 * UNIT)


def sizes(quantity, slices, **rules):
    return [size / UNIT for size in plan_slices(quantity * UNIT, UNIT, WINDOW, slices, **rules)["quantity"].tolist()]


@pytest.mark.parametrize(
    ("quantity", "slices", "rules", "expected"),
    [
        (1_000, 4, {}, [250] * 4),
        (10, 4, {}, [3, 2, 3, 2]),
        (3, 10, {}, [1, 1, 1]),
        (1_000, 10, {"least": 300 * UNIT}, [333, 334, 333]),
        (100, 10, {"least": 300 * UNIT}, [100]),
        (1_000, 2, {"most": 300 * UNIT}, [250] * 4),
        (1_000, 2, {"most": 300 * UNIT, "least": 280 * UNIT}, [250] * 4),
    ],
)
def test_how_many(quantity, slices, rules, expected):
    assert sizes(quantity, slices, **rules) == expected


def test_what_is_less_than_a_lot_is_left_out():
    assert plan_slices(5 * UNIT + 7, UNIT, WINDOW, 2)["quantity"].tolist() == [3 * UNIT, 2 * UNIT]
    with pytest.raises(ValueError, match="quantity is 999999999; expected at least a lot, 1000000000"):
        plan_slices(UNIT - 1, UNIT, WINDOW, 2)


@given(
    lots=st.integers(1, 10**6),
    slices=st.integers(1, 200),
    least=st.integers(0, 1_000),
    most=st.integers(0, 10**6),
    size_jitter=st.integers(0, UNIT),
    seed=st.integers(-(2**70), 2**70),
)
def test_never_above_the_most_nor_below_the_least_where_both_can_be_held(lots, slices, least, most, size_jitter, seed):
    most = max(most, -(-lots // 10_000)) if most else 0
    made = plan_slices(lots * 7, 7, WINDOW, slices, least=least * 7, most=most * 7, size_jitter=size_jitter, seed=seed)[
        "quantity"
    ].tolist()
    assert sum(made) == lots * 7
    assert all(size >= 7 for size in made)
    if most:
        assert max(made) <= most * 7
    if least and min(least, lots) * len(made) <= lots:
        assert min(made) >= min(least, lots) * 7
