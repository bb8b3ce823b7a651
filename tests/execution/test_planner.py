"""The contract between algorithms and the trader."""

import pytest

from engine.execution.planner import IDLE, Plan, View


def test_an_idle_plan_asks_for_nothing():
    assert Plan() == IDLE == ((), (), (), 0, False, False, "")


def test_a_view_cannot_be_changed_by_the_planner_that_sees_it():
    view = View("buy", 100, 0, 100, 0, None, (), 1, 1, 0, 0)
    with pytest.raises(AttributeError):
        view.free = 200
