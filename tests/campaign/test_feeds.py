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
        pytest.param(
            410,  # nobody else was left when a line lied; when one came back, the two stood against each other
            marks=pytest.mark.xfail(reason="two lines disagree, no third can say who lies: prints are not asked"),
        ),
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
