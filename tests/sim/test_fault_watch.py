from __future__ import annotations

import pytest

from engine.core.units import NANOS
from engine.sim.fault_watch import FaultWatch
from engine.sim.faults import parse_faults

MS = NANOS // 1_000


def report(state="live", phase="ready", suspect=None, **changed):
    base = {"state": state, "phase": phase, "malformed": 0, "gaps": 0, "reconnects": 0, "duplicates": 0, "reordered": 0}
    return base | {"delay_ns": MS, "suspect": {"crossed": 0, "scale": 0, "replayed": 0} | (suspect or {})} | changed


def watched(spec, *looks):
    watch = FaultWatch(parse_faults(spec), 5 * NANOS)
    for ms, health in looks:
        watch.look(5 * NANOS + ms * MS, {"polygon": health})
    (row,) = watch.report()
    return row["detected_ms"], row["recovered_ms"]


def test_a_mute_line():
    looks = [(990, report()), (1_000, report()), (1_600, report("mute")), (2_000, report("mute")), (2_300, report())]
    assert watched("mute polygon at=1s for=1s", *looks[:2]) == (None, None)
    assert watched("mute polygon at=1s for=1s", *looks[:4]) == (600, None)
    assert watched("mute polygon at=1s for=1s", *looks) == (600, 300)


def test_another_state_is_no_sign_of_a_mute_line():
    assert watched("mute polygon at=1s for=1s", (1_000, report()), (1_200, report("lagging"))) == (None, None)


@pytest.mark.parametrize(
    ("spec", "sign"),
    [
        ("disconnect polygon at=1s", report("down", "waiting")),
        ("disconnect polygon at=1s", report(reconnects=1)),
        ("half_open polygon at=1s for=100ms", report("mute")),
        ("truncate polygon at=1s for=100ms", report(malformed=1)),
        ("duplicate polygon at=1s for=100ms", report(duplicates=1)),
        ("reorder polygon at=1s for=100ms", report(reordered=1)),
        ("wrong_scale polygon at=1s for=100ms", report(suspect={"scale": 1})),
        ("crossed polygon at=1s for=100ms", report(suspect={"crossed": 1})),
        ("lag polygon at=1s for=100ms by=400ms", report(delay_ns=300 * MS)),
        ("clock_skew polygon at=1s for=100ms by=-2s", report(delay_ns=-1_500 * MS)),
        ("huge_frame polygon at=1s size=9000", report(decoder={"bytes": 9_000})),
    ],
)
def test_signs(spec, sign):
    assert watched(spec, (1_000, report()), (1_050, sign), (1_200, report()))[0] == 50
    assert watched(spec, (1_000, sign), (1_050, sign))[0] in {None, 0}  # what was there before is no news


def test_what_nothing_shows_is_over_a_second_after_its_end():
    looks = [(ms, report()) for ms in range(1_000, 2_300, 50)]
    assert watched("jitter polygon at=1s for=100ms by=10ms", *looks) == (None, 0)
    assert watched("jitter polygon at=1s for=100ms by=10ms", *looks[:10]) == (None, None)
