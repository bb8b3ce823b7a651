"""The end of an algorithm with one child."""

import pytest

from engine.execution.algos.children import TOO_SMALL, finished, placeable
from engine.execution.planner import Plan, View

UNIT = 10**9


def view(**values):
    given = {"quantity": 100 * UNIT, "cumulative": 0, "free": 100 * UNIT, "price": 0, "top": None, "working": ()}
    return View("buy", **given | {"tick": 1, "lot": UNIT, "open": 0, "close": 0} | values)


@pytest.mark.parametrize(
    ("values", "plan"),
    [
        ({}, None),
        ({"ended": "withdrawn"}, None),
        ({"ended": "lost"}, None),
        ({"ended": "filled"}, None),
        ({"ended": "rejected", "revision": 1}, None),
        ({"cumulative": 100 * UNIT}, Plan(done=True)),
        ({"cumulative": 101 * UNIT, "ended": "filled"}, Plan(done=True)),
        ({"cumulative": 99 * UNIT + 1}, Plan(done=True, reason=TOO_SMALL)),
        ({"ended": "cancelled"}, Plan(done=True, reason="usual")),
        ({"ended": "expired", "reason": "day is over"}, Plan(done=True, reason="day is over")),
        ({"ended": "refused", "reason": "halt"}, Plan(done=True, reason="halt")),
        ({"ended": "rejected"}, Plan(done=True, reason="the order was rejected")),
    ],
)
def test_when_it_is_over(values, plan):
    assert finished(view(**values), 0, "usual") == plan


def test_what_may_be_placed_is_whole_lots_within_the_rest():
    assert placeable(view(free=3 * UNIT + 7)) == 3 * UNIT
    assert placeable(view(free=100 * UNIT, cumulative=98 * UNIT)) == 2 * UNIT
    assert placeable(view(cumulative=101 * UNIT)) == 0
