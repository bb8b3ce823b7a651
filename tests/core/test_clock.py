"""The clocks of the machine."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from engine.core import clock


def test_the_timer_moves_forward() -> None:
    assert 0 < clock.timer_resolution_ns(10) < 1_000_000
    assert clock.elapsed_ns() <= clock.elapsed_ns()


def test_the_offset_is_a_number_or_a_reason() -> None:
    offset = clock.clock_offset()
    if isinstance(offset, dict):
        assert set(offset) == {"synchronised", "offset_ns", "error_ns_max"}
    else:
        assert offset.startswith("not available: ")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x2001, {"synchronised": True, "offset_ns": -250, "error_ns_max": 7_000}),
        (0x0001, {"synchronised": True, "offset_ns": -250_000, "error_ns_max": 7_000}),
        (0x0040, "not available: no time service (chrony, ntpd, systemd-timesyncd) keeps this clock"),
    ],
)
def test_what_the_kernel_says_is_read(monkeypatch: pytest.MonkeyPatch, status: int, expected: object) -> None:
    class Library:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        @staticmethod
        def adjtimex(pointer: Any) -> int:
            state = pointer._obj
            state.status, state.offset, state.maxerror = status, -250, 7
            return 0

    monkeypatch.setattr(ctypes, "CDLL", Library)
    assert clock.clock_offset() == expected


def test_systems_without_adjtimex_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    assert clock.clock_offset() == "not available: this system has no adjtimex"
