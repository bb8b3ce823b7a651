"""The grammar of faults, and schedules."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.units import NANOS
from engine.errors import ConfigError
from engine.sim.faults import DRAWN, MOMENTS, Fault, faults, parse_faults

MS = NANOS // 1_000


def test_one_fault_of_each_form():
    found = parse_faults(
        """
        mute polygon at=2s for=1s   # a comment
        lag alpaca at=500ms for=250ms by=10ms; disconnect finnhub at=1s close=no
        wrong_scale iex at=3s for=1s factor=1/100
        clock_skew alpaca at=4s for=1s by=-2s
        auth_refusal polygon at=5s for=1s reason=plan
        """
    )
    assert found == (
        Fault("lag", "alpaca", 500 * MS, 250 * MS, by=10 * MS),
        Fault("disconnect", "finnhub", NANOS, close=False),
        Fault("mute", "polygon", 2 * NANOS, NANOS),
        Fault("wrong_scale", "iex", 3 * NANOS, NANOS, factor=Fraction(1, 100)),
        Fault("clock_skew", "alpaca", 4 * NANOS, NANOS, by=-2 * NANOS),
        Fault("auth_refusal", "polygon", 5 * NANOS, NANOS, reason="plan"),
    )
    assert found[2].end == 3 * NANOS
    assert parse_faults([*found, "mute iex at=9s for=1s"]) == (*found, Fault("mute", "iex", 9 * NANOS, NANOS))
    assert parse_faults("") == parse_faults([]) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mutes polygon", "line 1, column 1: fault 'mutes'; expected one of disconnect, half_open, mute"),
        ("mute", "line 1, column 5: fault 'mute' names no line; expected one of polygon, iex"),
        ("mute for=1s", "line 1, column 6: fault 'mute' names no line"),
        ("mute alpaca for=1s", "line 1, column 6: line 'alpaca'; expected one of polygon, iex"),
        ("mute iex", "line 1, column 9: fault 'mute' lasts no time; expected a duration such as for=1s"),
        (
            "lag iex for=1s\n  lag iex by=soon for=1s",
            "line 2, column 11: setting 'by=soon' of lag; expected a duration",
        ),
        (
            "mute iex for=1s; mute iex by=1s for=1s",
            "column 27: setting 'by=1s' of mute; expected each once",
        ),
        ("mute iex for=1s for=1s", "column 17: setting 'for=1s' of mute; expected each once"),
        ("disconnect iex for=1s", "setting 'for=1s' of disconnect; expected each once of at=, close=, code="),
        ("disconnect iex close=maybe", "expected yes or no"),
        ("disconnect iex code=7", "expected a whole number of 1000 to 4999"),
        ("auth_refusal iex for=1s reason=mood", "expected key or plan"),
        ("truncate iex for=1s rate=0", "expected a whole number of 1 to 100"),
        ("huge_frame iex size=1", "expected a whole number of 1000 to 64000000"),
        ("wrong_scale iex for=1s factor=0", "expected a factor such as 100 or 1/100"),
        ("wrong_scale iex for=1s factor=1/0", "expected a factor"),
        ("lag iex for=1s by=-1s", "expected a duration such as 250ms or 2s"),
    ],
)
def test_errors_name_the_place_and_what_was_allowed(text, message):
    with pytest.raises(ConfigError) as caught:
        parse_faults(text, ["polygon", "iex"])
    assert message in str(caught.value)
    assert str(caught.value).startswith("faults, line ")


@given(st.integers(0, 2**64 - 1), st.integers(1, 60))
def test_drawn_schedules_are_of_the_grammar_and_end_in_time(seed, seconds):
    lines = ["polygon", "alpaca-sip", "iex"]
    drawn = faults(seed, lines, f"{seconds}s")
    assert drawn == faults(seed, lines, f"{seconds}s")
    assert 1 <= len(drawn) <= 6
    for fault in drawn:
        assert parse_faults(str(fault), lines) == (fault,)
        assert seconds * NANOS // 10 - MS <= fault.at <= fault.end <= seconds * NANOS * 8 // 10 + MS
        assert (fault.duration == 0) == (fault.kind in MOMENTS)


def test_every_kind_is_drawn_and_seeds_differ():
    drawn = [fault for seed in range(100) for fault in faults(seed, ["polygon", "finnhub", "iex"], "20s")]
    assert {fault.kind for fault in drawn} == set(DRAWN)
    assert len({faults(seed, ["polygon"], "20s") for seed in range(20)}) == 20
    only = faults(1, ["polygon"], "20s", kinds=["mute"], count=9, longest="300ms")
    assert {fault.kind for fault in only} == {"mute"}
    assert len(only) == 9
    assert max(fault.duration for fault in only) <= 300 * MS


def test_datagram_lines_and_prints_get_what_they_can_have():
    drawn = [fault for seed in range(200) for fault in faults(seed, ["iex", "finnhub"], "20s")]
    assert {fault.kind for fault in drawn if fault.line == "iex"} == {
        "mute", "lag", "jitter", "duplicate", "reorder", "truncate", "wrong_scale", "crossed", "clock_skew",
        "huge_frame",
    }  # fmt: skip
    assert {fault.kind for fault in drawn if fault.line == "finnhub"} == set(DRAWN) - {"crossed"}
