"""No order lost, none doubled, every one resolved, positions to the cent: whatever byte the process dies at.

The long form is ``python -m tests.campaign orders --runs 100000``, and ``--every-byte`` for one session; a seed that
failed there becomes a line here.
"""

import pytest

from tests.campaign.orders import Outcome, run


@pytest.mark.parametrize("seed", range(1, 13))
def test_kills_at_drawn_bytes(seed):
    outcome = run(seed)
    assert outcome.problems == []


def test_sessions_are_killed_indeed():
    assert sum(run(seed).kills for seed in range(20, 24)) > 4


@pytest.mark.parametrize("part", range(24))
def test_bytes_of_one_session_in_a_sample(part):
    whole = 12_000
    assert run(7, cut=4_096 + whole * part // 24 + part * 7).problems == []


def test_two_runs_of_a_seed_are_one():
    assert run(3) == run(3)


def test_problems_are_counted_by_what_they_are():
    problems = [
        "seed 1 at 2.000 s: u-1-1 is lost",
        "parent 2: 30 may trade of 20",
        "cash is 1, the trader has 2",
        "odd",
    ]
    assert Outcome(1, problems, 0, 0).kinds() == {"lost", "doubled", "position_errors", "other"}
