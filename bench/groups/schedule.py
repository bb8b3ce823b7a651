"""A parent's schedule beside NumPy's best: the same promises, a seed of its own for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.groups import Setting
from bench.measure import NS, Contender, Contest, Row, local

OURS, PEER = "engine", "numpy"
UNIT = 10**9
WINDOW = (1_800_000_000 * UNIT, 1_800_023_400 * UNIT)  # 6.5 hours
LOTS, LEAST, MOST = 1_000_000, 0.5, 2  # least and most in even slices
JITTER, SIZE_JITTER = UNIT, 0.5
ROW = np.dtype([("ts", "<i8"), ("quantity", "<i8")])


def numpy_slices(count: int, least: int, most: int, seed: int) -> np.ndarray[Any, Any]:
    """Stratified times, a cumulative path clamped to the least and most a slice may have, in whole lots."""
    draws = np.random.Generator(np.random.Philox(key=seed)).random((2, count))
    start, end = WINDOW
    part = (end - start) / count
    steps = np.arange(count + 1)
    reach = min(JITTER, part / 2)
    out = np.empty(count, ROW)
    out["ts"] = start + (part * steps[:-1] + part / 2 + reach * (2 * draws[0] - 1)).astype(np.int64)
    path = np.empty(count + 1)
    path[0], path[-1] = 0, LOTS
    inner = steps[1:-1]
    between = np.rint(LOTS / count * (inner + SIZE_JITTER * (draws[1, 1:] - 0.5)))
    between = np.maximum.accumulate(between - least * inner) + least * inner
    between = np.minimum.accumulate(between - most * inner) + most * inner
    path[1:-1] = np.clip(between, LOTS - (count - inner) * most, LOTS - (count - inner) * least)
    out["quantity"] = np.diff(path).astype(np.int64) * UNIT
    return out


def checked(made: np.ndarray[Any, Any], least: int, most: int) -> None:
    """Both keep what was promised."""
    sizes = made["quantity"]
    inside = (made["ts"] >= WINDOW[0]).all() and (made["ts"] < WINDOW[1]).all() and (np.diff(made["ts"]) > 0).all()
    if sizes.sum() != LOTS * UNIT or sizes.min() < least * UNIT or sizes.max() > most * UNIT or not inside:
        raise RuntimeError(f"a schedule of {len(made)} slices breaks its promises")


def contest(count: int) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        from engine._native.schedule import slices

        least, most = int(LOTS / count * LEAST), int(LOTS / count * MOST)
        seeds = range(1, 1 + setting.count(200, 5))

        def ours(seed: int) -> np.ndarray[Any, Any]:
            return slices(LOTS, UNIT, *WINDOW, count, least, most, JITTER, int(SIZE_JITTER * UNIT), seed)

        def peer(seed: int) -> np.ndarray[Any, Any]:
            return numpy_slices(count, least, most, seed)

        for make in (ours, peer):
            checked(make(7), least, most)
        operations = len(seeds) * count
        note = f"{count:,} slices of {LOTS:,} lots over 6.5 hours, another seed each time"
        return Contest(contender(OURS, operations, ours, seeds), (contender(PEER, operations, peer, seeds),), note)

    return build


def contender(name: str, operations: int, make: Callable[[int], object], seeds: range) -> Contender:
    def run(make: Any) -> None:
        for seed in seeds:
            make(seed)

    return local(name, operations, lambda: make, run)


ROWS = [
    Row(
        "slices",
        "a schedule of 1,000 slices, a slice",
        NS,
        contest(1_000),
        0.75,
        "3 cycles: half of Philox's 80 steps in 8 lanes, one 64-bit product for the division, a 16-byte store",
    ),
    Row(
        "slices_10", "a schedule of 10 slices, a slice", NS, contest(10), 20.0, "800 cycles for the call and the array"
    ),
]
