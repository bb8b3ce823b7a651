"""Floors: read, compared, and never passed by not measuring."""

import pytest

from bench import budgets
from bench.budgets import Budget
from bench.groups import GROUPS, rows_of
from bench.measure import NS, RATE, Measured, Result, Row


def result(ours, peer=None, unit=NS, absent=None, clock=4.0):
    peers = [] if peer is None else [Measured("peer", [peer])]
    if absent:
        peers = [Measured("peer", absent=absent)]
    return Result("g", Row("key", "title", unit, lambda _: None), Measured("engine", [ours]), peers, clock)


def verdict(budget, measured):
    (outcome,) = budgets.check([measured], [budget])
    return outcome.verdict


@pytest.mark.parametrize(("peer", "reached"), [(120.0, "goal"), (80.0, "floor"), (79.0, "missed")])
def test_times_faster(peer, reached):
    assert verdict(Budget("g.key", "times_faster", 8, 12, "peer"), result(10.0, peer)) == reached


@pytest.mark.parametrize(("ours", "reached"), [(10.0, "goal"), (12.0, "floor"), (12.5, "missed")])
def test_times_cost(ours, reached):
    assert verdict(Budget("g.key", "times_cost", 1.2, 1.0, "peer"), result(ours, 10.0)) == reached


@pytest.mark.parametrize(
    ("unit", "value", "clock", "reached"),
    [
        (NS, 12.0, 4.0, "goal"),
        (NS, 30.0, 3.0, "floor"),
        (NS, 26.0, 4.0, "missed"),
        (RATE, 9.0, 3.0, "goal"),
        (RATE, 9.0, 4.0, "missed"),
    ],
)
def test_absolute_values_are_brought_to_the_reference_clock(unit, value, clock, reached):
    budget = Budget("g.key", "at_4_ghz", 25, 12) if unit == NS else Budget("g.key", "at_4_ghz", 10, 12)
    assert verdict(budget, result(value, unit=unit, clock=clock)) == reached


def test_what_was_not_measured_has_not_passed():
    budget = Budget("g.key", "times_faster", 8, 12, "peer")
    for measured in (result(10.0), result(10.0, absent="not installed")):
        (outcome,) = budgets.check([measured], [budget])
        assert (outcome.verdict, outcome.passed) == ("not measured", False)
    (outcome,) = budgets.check([result(10.0)], [Budget("g.other", "at_4_ghz", 1, 1)])
    assert outcome.reason == "the row was not run"
    assert budgets.check([result(10.0)], [Budget("h.key", "at_4_ghz", 1, 1)]) == []


def test_the_file_names_rows_that_exist_and_goals_beyond_floors():
    known = {f"{group}.{row.key}" for group in GROUPS for row in rows_of(group)}
    entries = budgets.load()
    assert len(entries) >= 14
    for entry in entries:
        assert entry.row in known
        rates = ("decode.", "feed.sustained", "step.day")
        more_is_better = entry.measure == "times_faster" or entry.row.startswith(rates)
        assert (entry.goal > entry.floor) is more_is_better


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('row = "g.key"\nmeasure = "times_better"\nfloor = 1\ngoal = 2', "measure is 'times_better'"),
        ('row = "g.key"\nmeasure = "times_faster"\nfloor = 1\ngoal = 2', "needs a peer"),
        ('row = "g.key"\nmeasure = "at_4_ghz"\npeer = "p"\nfloor = 1\ngoal = 2', "takes no peer"),
        ('row = "g.key"\nmeasure = "at_4_ghz"\nfloor = 1\ngaol = 2', "gaol"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "budgets.toml"
    path.write_text(f"[[budget]]\n{text}\n")
    with pytest.raises(ValueError, match=message):
        budgets.load(path)
