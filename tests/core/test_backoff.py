from hypothesis import given
from hypothesis import strategies as st

from engine.core.backoff import Backoff, BackoffPolicy

POLICY = BackoffPolicy(base=100, cap=10_000, slow=1_000, stable=50_000)


@given(st.integers(0, 2**70), st.integers(0, 50))
def test_delays_stay_below_a_doubling_bound_and_the_cap(seed, stream):
    backoff = Backoff(POLICY, seed, stream)
    for attempt in range(60):
        assert 0 <= backoff.delay() < min(100 * 2**attempt, 10_000)


def test_delays_fill_the_range():
    delays = [Backoff(POLICY, seed, 0).delay() for seed in range(1_000)]
    counts = [sum(low <= delay < low + 10 for delay in delays) for low in range(0, 100, 10)]
    assert min(counts) > 60
    assert max(counts) < 140


def test_seed_and_stream_decide():
    def draw(seed, stream):
        backoff = Backoff(POLICY, seed, stream)
        return [backoff.delay() for _ in range(20)]

    assert draw(1, 2) == draw(1, 2)
    assert len({tuple(draw(seed, stream)) for seed in range(8) for stream in range(8)}) == 64


def test_stable_service_starts_again_and_short_service_does_not():
    backoff = Backoff(POLICY, 1, 0)
    for _ in range(5):
        backoff.delay()
    backoff.served(49_999)
    assert backoff.failures == 5
    backoff.served(50_000)
    assert backoff.failures == 0
    assert backoff.delay() < 100


def test_patience_is_at_least_what_was_asked_for():
    assert all(5_000 <= Backoff(POLICY, seed, 0).slow_delay(5_000) < 7_600 for seed in range(200))
    assert all(1_000 <= Backoff(POLICY, seed, 0).slow_delay() < 1_600 for seed in range(200))
    assert Backoff(POLICY, 1, 0).delay(500) >= 500


def test_coming_back_at_once_counts():
    backoff = Backoff(POLICY, 1, 0)
    assert backoff.first() == 0
    assert backoff.failures == 1
