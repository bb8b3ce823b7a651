"""The machine's clocks: the time, and how far it can be trusted."""

from __future__ import annotations

import ctypes
import time
from typing import Final

__all__ = ["clock_offset", "elapsed_ns", "timer_resolution_ns"]

elapsed_ns = time.perf_counter_ns  #: monotonic nanoseconds since some start

_STA_UNSYNC: Final = 0x0040
_STA_NANO: Final = 0x2000


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2) on 64-bit Linux, as far as it is read here."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def clock_offset() -> dict[str, int | bool] | str:
    """What the kernel knows of the wall clock's error: ``synchronised``, ``offset_ns``, ``error_ns_max``.

    Text with the reason where that cannot be had.
    """
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return "not available: this system has no adjtimex"
    state = _Timex()
    if adjtimex(ctypes.byref(state)) < 0:
        return f"not available: adjtimex failed with errno {ctypes.get_errno()}"
    if state.status & _STA_UNSYNC:
        return "not available: no time service (chrony, ntpd, systemd-timesyncd) keeps this clock"
    scale = 1 if state.status & _STA_NANO else 1_000
    return {"synchronised": True, "offset_ns": state.offset * scale, "error_ns_max": state.maxerror * 1_000}


def timer_resolution_ns(tries: int = 1_000) -> int:
    """The smallest step the monotonic timer was seen to make, in ns."""
    steps = []
    for _ in range(tries):
        start = now = elapsed_ns()
        while now == start:
            now = elapsed_ns()
        steps.append(now - start)
    return min(steps)
