"""The transposition of events to columns and back, on every CPU target, against field assignment in NumPy."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine._native import batch, tape
from engine.core.events import EVENT

PLAIN = """
import sys
sys.path.append(sys.argv[1])
from tests.native.test_tape_transpose import ROWS, compare
for rows in ROWS:
    compare(rows, seed=rows)
"""
ROWS = [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 1000, 16_320]


def slow_columns(events: np.ndarray) -> bytes:
    """The twin: each field as bytes, padded with zeros to a multiple of 8."""
    columns = [np.ascontiguousarray(events[name]).tobytes() for name in EVENT.names or ()]
    return b"".join(column + bytes(-len(column) % 8) for column in columns)


def offsets(rows: int) -> list[int]:
    sizes = [-(-rows * EVENT[name].itemsize // 8) * 8 for name in EVENT.names or ()]
    return [sum(sizes[:index]) for index in range(len(sizes))]


def compare(rows: int, seed: int, shift: int = 0) -> None:
    events = np.frombuffer(np.random.default_rng(seed).bytes(rows * EVENT.itemsize), EVENT)
    expected = slow_columns(events)
    out = bytearray(b"\xaa" * (shift + tape.body_size(rows) + 8))
    assert tape.to_columns(events, memoryview(out)[shift:]) == len(expected) == tape.body_size(rows)
    assert out[shift:-8] == expected
    assert out[-8:] == b"\xaa" * 8
    back = np.zeros(rows, EVENT)
    tape.to_events(out, shift, offsets(rows), back)
    assert back.tobytes() == events.tobytes()


@pytest.mark.parametrize("target", batch.supported_targets())
def test_equals_the_twin_on_every_target(target: str, request: pytest.FixtureRequest) -> None:
    environment = {**os.environ, "TICKFORGE_CPU": target}
    command = [sys.executable, "-c", PLAIN, str(request.config.rootpath)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


@given(st.integers(0, 300), st.integers(0, 2**32), st.integers(0, 9))
def test_equals_the_twin_at_any_place(rows: int, seed: int, shift: int) -> None:
    compare(rows, seed, shift)


def test_unknown_values_are_found() -> None:
    known = np.zeros(1 << 16, bool)
    known[[0, 7, 65_535]] = True
    assert tape.all_known(np.array([7, 0, 65_535, 7], "<u2"), known)
    assert tape.all_known(b"", known)
    assert not tape.all_known(np.array([7, 0, 8], "<u2"), known)
    with pytest.raises(ValueError, match="16-bit values and 65536 bytes"):
        tape.all_known(b"123", known)
    with pytest.raises(ValueError, match="16-bit values and 65536 bytes"):
        tape.all_known(b"12", bytes(10))


def test_refuses_memory_that_is_too_small() -> None:
    events = np.zeros(3, EVENT)
    with pytest.raises(ValueError, match="out has 10 bytes; expected"):
        tape.to_columns(events, bytearray(10))
    with pytest.raises(ValueError, match="events has 65 bytes; expected a multiple of 64"):
        tape.to_columns(bytes(65), bytearray(1000))
    with pytest.raises(ValueError, match="column 13 at byte 100 reaches past the end of data"):
        tape.to_events(bytes(108), 0, [*[0] * 13, 100], events)
    with pytest.raises(ValueError, match="13 offsets; expected 14"):
        tape.to_events(bytes(1000), 0, [0] * 13, events)
