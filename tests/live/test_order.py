from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.units import NANOS
from engine.live.order import stepped


@given(st.integers(1, 10**9), st.sampled_from(["0.01", "1", "0.0001", "100"]))
def test_a_number_on_its_step_is_its_count(steps, step):
    step = Decimal(step)
    if steps * step <= 9_000_000_000:
        assert stepped(steps * step, step, "price", "tick") == int(steps * step * NANOS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.005", r"price is '1.005'; expected a multiple of the tick 0.01"),
        (0, "price is 0; expected more than 0"),
        (-1, "price is -1; expected more than 0"),
        ("x", "price is 'x'; expected a number"),
        (float("nan"), "price is nan; expected a finite number"),
    ],
)
def test_any_other_number_is_told_with_what_was_expected(value, text):
    with pytest.raises(ValueError, match=text):
        stepped(value, Decimal("0.01"), "price", "tick")
