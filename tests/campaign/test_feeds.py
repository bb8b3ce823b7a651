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
        31,  # IEX's clock ran three seconds back: levels were taken for replays
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


def test_a_book_that_is_wrong_is_found():
    run = VirtualRun(5, schedule="", seconds=1)
    outcome = run.run()
    assert outcome.good
    polygon = run.names.index("polygon")
    run.composer.trust(run.aggregator.source(polygon), False, run.now)
    assert run.checker.disagreements(run.symbols) == []  # the other NBBO leads, and says the same
    run.books["AAPL"].mark_stale("IEXG")
    assert run.checker.disagreements(run.symbols) == []  # rows are compared, not who may be seen
    run.lines.received(
        polygon, b'[{"ev":"Q","sym":"AAPL","bx":12,"bp":1.0,"bs":100,"t":9999999999999,"q":99999999}]', run.now
    )
    run.composer.trust(run.aggregator.source(polygon), True, run.now)
    assert run.checker.disagreements(run.symbols) != []
