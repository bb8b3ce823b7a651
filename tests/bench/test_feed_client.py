from __future__ import annotations

import pytest

from bench.feed_client import Load, run


@pytest.mark.parametrize("load", [Load(frames=50, symbols=5), Load(("alpaca-sip",), 3, 40, 2_000.0, stamp=True)])
def test_every_frame_arrives(load):
    found = run(load)
    assert found.frames == load.frames * len(load.lines)
    assert found.calls > 0
    assert set(found.latency) == set(load.lines)
    assert found.together["decoded"]["count"] == found.frames
    assert found.stats["callbacks_stopped"] == 0
