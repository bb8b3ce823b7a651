"""Chance from a seed."""

from engine.sim.draws import Draws


def test_a_key_means_these_words():
    assert [Draws(7, 0).word(), Draws(7, 1).word(), Draws(8, 0).word()] == [
        2411586491410840307,
        18349292631691765599,
        8565121113155970484,
    ]


def test_below_is_in_range_and_reaches_every_value():
    draws = Draws(1, 2)
    assert {draws.below(5) for _ in range(200)} == set(range(5))


def test_geometric_and_waiting_have_their_means():
    draws = Draws(3, 0)
    assert 0.9 < sum(draws.geometric() for _ in range(4_000)) / 4_000 < 1.1
    assert 0.95 < sum(draws.waiting(1_000_000) for _ in range(4_000)) / 4_000 / 1_000_000 < 1.05
