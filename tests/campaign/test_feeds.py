"""Seeded faults over every line in virtual time: the book is the truth its sources delivered, or says that it is stale.

The long form is ``python -m tests.campaign feeds --runs 10000``; a seed that failed there becomes a line here.
"""

from __future__ import annotations

import pytest

from tests.campaign.virtual import LINES, VirtualRun


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_drawn_faults(seed):
    outcome = VirtualRun(seed).run()
    assert outcome.frames > 200
    assert outcome.checks > 200
    assert outcome.errors == []
    assert outcome.at_rest == []


@pytest.mark.parametrize(
    "seed",
    [
        4,  # a restart of IEX's numbering was told as a gap behind the rebuilt book
        17,  # two clocks ahead at once: the one was taken for what is usual of the other, which lagged ever after
        21,  # a wrong scale of the only line that was left with quotes
        345,  # prints alone for a second: the time since the last quote was taken for lag
        31,  # IEX's clock ran three seconds back: levels were taken for replays
        410,  # nobody else was left when a line lied; when one came back, the two stood against each other
        1242,  # who contradicted a lying line was crossed just then
        67,  # a clock that came back to its usual was taken for one that had been set a minute ago
        20905,  # a crossed line was taken for recovered while the only other line lied, too
        1175,  # a clock jumped while nobody else was there: when it came back, the line lagged ever after
        381,  # who could contradict a liar was cut off
    ],
)
def test_seeds_that_failed(seed):
    outcome = VirtualRun(seed).run()
    assert outcome.errors + outcome.at_rest == []


@pytest.mark.parametrize("line", [line for line in LINES if line != "finnhub"])
@pytest.mark.parametrize(
    "fault",
    [
        "mute {} at=1s for=1s",
        "wrong_scale {} at=1s for=1s factor=100",
        "crossed {} at=1s for=1s",
        "lag {} at=1s for=1s by=2s",
    ],
)
def test_each_fault_of_each_line(line, fault):
    outcome = VirtualRun(11, schedule=fault.format(line), seconds=2).run()
    assert outcome.errors + outcome.at_rest == []


def states_of(run: VirtualRun, line: str) -> set[str]:
    """What health says of a line in the course of a run."""
    seen: set[str] = set()
    judge, number = run.aggregator.judge, run.names.index(line)

    def watched(now: int) -> list[int]:
        changed = judge(now)
        seen.add(run.aggregator.line_health(number).state)
        return changed

    run.aggregator.judge = watched  # type: ignore[method-assign]
    outcome = run.run()
    assert outcome.errors + outcome.at_rest == []
    return seen


def test_prints_of_a_wrong_scale_are_revealed_by_quotes():
    run = VirtualRun(11, schedule="wrong_scale finnhub at=1s for=1s factor=2", seconds=2)
    assert "quarantined" in states_of(run, "finnhub")


@pytest.mark.parametrize("factor", ["2", "1/100"])
def test_quotes_of_a_wrong_scale_are_revealed_by_prints(factor):
    schedule = f"wrong_scale polygon at=1s for=1s factor={factor}"
    run = VirtualRun(11, lines=("polygon", "finnhub"), schedule=schedule, seconds=2)
    assert "quarantined" in states_of(run, "polygon")


def test_a_liar_and_another_that_is_silent():
    """Nobody contradicts the liar but old words and prints; the truth comes back with it."""
    schedule = "mute alpaca-sip at=500ms for=2s; wrong_scale polygon at=1s for=1s factor=2"
    run = VirtualRun(11, lines=("polygon", "alpaca-sip", "finnhub"), schedule=schedule, seconds=3)
    assert "quarantined" in states_of(run, "polygon")
