"""A process of its own for each row: what ran before must not decide how memory lies for what runs now.

Measured: the row of single calls took a third longer at the end of the suite than alone, because the objects it walks
over were scattered over a used heap.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from bench.groups import Setting, rows_of
from bench.measure import Measured, Result, Row, measure, use_clock


def measure_alone(group: str, row: Row, setting: Setting, rounds: int, clock: str) -> Result:
    """`measure` in a fresh interpreter; raises what it raised there."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        ours, peers, clock_ghz, note = pool.submit(_measured, group, row.key, setting, rounds, clock).result()
    return Result(group, row, ours, peers, clock_ghz, note)


def _measured(
    group: str, key: str, setting: Setting, rounds: int, clock: str
) -> tuple[Measured, list[Measured], float, str]:
    use_clock(clock)
    row = next(row for row in rows_of(group) if row.key == key)
    result = measure(group, row, setting, rounds)
    return result.ours, result.peers, result.clock_ghz, result.note
