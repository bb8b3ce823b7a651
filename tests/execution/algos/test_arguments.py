"""Arguments of algorithms."""

from datetime import timedelta
from decimal import Decimal

import pytest

from engine.execution.algos import arguments


def test_fractions_and_spans():
    assert arguments.fraction(0, "band") == 0
    assert arguments.fraction("0.250", "band") == Decimal("0.25")
    assert arguments.span(timedelta(seconds=2), "jitter") == arguments.span("2s", "jitter") == "2000000000ns"
    for wrong in (True, -0.1, 1.1, "x"):
        with pytest.raises(ValueError, match="band is"):
            arguments.fraction(wrong, "band")
