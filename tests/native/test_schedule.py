"""Schedules: equal to the slow twin on every CPU target, and what every schedule promises."""

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine._native import batch, schedule
from tests.reference import schedule as twin

DAY = 6 * 3_600 * 10**9
START = 1_800_000_000 * 10**9


@st.composite
def requests(draw):
    """Any request that the kernel must take, the extremes among them."""
    count = draw(st.one_of(st.integers(1, 40), st.integers(1, 300)))
    lots = draw(st.one_of(st.integers(1, 1_000), st.integers(1, 2**62), st.just(2**63 - 1)))
    lot = draw(st.integers(1, max((2**63 - 1) // lots, 1)))
    least = draw(st.one_of(st.just(0), st.integers(0, lots // count)))
    even = -(-lots // count)
    most = draw(st.one_of(st.just(lots), st.just(even), st.integers(even, 2**63 - 1)))
    start = draw(st.one_of(st.just(START), st.integers(-(2**63), 2**63 - 1 - count)))
    end = draw(st.one_of(st.just(start + count), st.integers(start + count, min(start + DAY, 2**63 - 1))))
    jitter = draw(st.one_of(st.just(0), st.integers(0, 10**11), st.just(2**63 - 1)))
    size_jitter = draw(st.one_of(st.just(0), st.integers(0, 10**9), st.just(10**9)))
    return lots, lot, start, end, count, least, most, jitter, size_jitter, draw(st.integers(0, 2**64 - 1))


@settings(max_examples=500, deadline=None)
@given(requests(), st.integers(0, 2**32 - 1))
@example((10, 1, START, START + DAY, 4, 2, 3, 0, 10**9, 1), 0)
def test_equals_the_slow_twin(request, stream):
    assert schedule.slices(*request, stream).tolist() == twin.slices(*request, stream)


@settings(max_examples=300, deadline=None)
@given(requests())
def test_what_every_schedule_promises(request):
    lots, lot, start, end, count, least, most, jitter, size_jitter, _ = request
    made = schedule.slices(*request)
    times, sizes = made["ts"].tolist(), made["quantity"].tolist()
    assert sum(sizes) == lots * lot
    assert all(least * lot <= size <= most * lot for size in sizes)
    assert all(
        start + (end - start) * k // count <= ts < start + (end - start) * (k + 1) // count
        for k, ts in enumerate(times)
    )
    assert all(before < after for before, after in itertools.pairwise(times))
    if most >= lots and least == 0:  # nothing but the band bounds the path
        done = 0
        for k, size in enumerate(sizes, 1):
            done += size // lot
            assert 2 * abs(done * count - k * lots) <= lots * size_jitter // 10**9 + count + 2
    if jitter == 0:
        half = (end - start) // count // 2
        assert times == [start + (end - start) * k // count + half for k in range(count)]


def test_published_words():
    """The known answers of the Random123 distribution (kat_vectors, philox4x32 10)."""
    assert twin.philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    ones = 0xFFFFFFFF
    assert twin.philox((ones,) * 4, (ones,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)


def test_times_and_sizes_are_spread_evenly():
    """Buckets of 16 ns and slices of 1600 lots +- half: every cell of 16 is as full as chance has it."""
    count = 100_000
    made = schedule.slices(1_600 * count, 1, 0, 32 * count, count, 0, 10_000, 16, 10**9, 3)
    times = np.bincount((made["ts"] - 32 * np.arange(count)) // 2, minlength=16)
    path = np.cumsum(made["quantity"])[:-1] - 1_600 * np.arange(1, count)
    sizes = np.bincount((path + 800) // 100, minlength=16)[:16]
    for cells in (times, sizes):
        assert abs(cells - count / 16).max() < 5 * (count / 16) ** 0.5


@pytest.mark.parametrize("target", batch.supported_targets())
def test_every_cpu_target_gives_the_same(target):
    request = (10**6, 10**9, START, START + DAY, 999, 10, 2_000, 10**10, 3 * 10**8, 42)
    code = f"import json; from engine._native import schedule; print(json.dumps(schedule.slices(*{request}).tolist()))"
    environment = os.environ | {"TICKFORGE_CPU": target}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert [tuple(row) for row in json.loads(done.stdout)] == twin.slices(*request)


GOOD = (100, 10**9, START, START + DAY, 10, 0, 100, 0, 0, 1)


@pytest.mark.parametrize(
    ("place", "value", "text"),
    [
        (0, 0, "quantity is 0 lots"),
        (0, 2**62, "quantity is 4611686018427387904 lots of 1000000000"),
        (1, 0, "lots of 0"),
        (3, START, "expected at least 1 ns for each of 10 slices"),
        (3, START + 9, "expected at least 1 ns for each of 10 slices"),
        (4, 0, "slices is 0; expected 1 to 1000000"),
        (4, 1_000_001, "slices is 1000001"),
        (5, 11, "least is 11 and most 100 lots; expected 10 slices to make 100"),
        (5, -1, "least is -1"),
        (6, 9, "most is 9 lots; expected at least an even share of 100 in 10 slices"),
        (7, -1, "jitter is -1"),
        (8, 10**9 + 1, "size_jitter is 1000000001"),
    ],
)
def test_what_cannot_be_is_refused(place, value, text):
    asked = [*GOOD]
    asked[place] = value
    with pytest.raises(ValueError, match=text):
        schedule.slices(*asked)
