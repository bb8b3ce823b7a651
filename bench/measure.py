"""How things are measured: contenders alternate round by round, and every number is a median or a minimum of rounds.

A contender does all preparation before its clock starts and all clearing after it stopped; slicing, looping and call
overhead are inside. Contenders of one row take turns within a round, and the order is turned over from round to round,
so that a slow spell of a shared machine falls on all of them. The clock is the wall's, or that of the thread where
others take the core away (`use_clock`); it is the same for everybody.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

LEAST_ROUNDS: Final = 7
REFERENCE_GHZ: Final = 4.0  #: the clock the absolute floors are stated for
NS: Final = "ns"  #: time for one operation: lower is better
RATE: Final = "M/s"  #: million operations a second: higher is better
MILLISECONDS: Final = "ms"
MEBIBYTES: Final = "MiB"

Round = Callable[[], int]

CLOCKS: Final = {"wall": "perf_counter_ns", "thread": "thread_time_ns"}  #: names in `time`, also in peers' processes
_clock = ["wall"]


def use_clock(name: str) -> None:
    """Either "wall" or "thread": the time this thread had a core, for machines that others keep busy."""
    if name not in CLOCKS:
        raise ValueError(f"clock is {name!r}; expected one of {', '.join(CLOCKS)}")
    _clock[0] = name


def clock_name() -> str:
    """The function of `time` that rounds are timed with."""
    return CLOCKS[_clock[0]]


@dataclass(frozen=True)
class Contender:
    """Somebody who does the same work.

    Attributes:
        operations: how many a round has; a peer far slower than ours may do fewer of the same stream.
        round: does one round and returns its nanoseconds (or, for MiB rows, its bytes).
        latencies: nanoseconds of single calls, for rows where a call is what people wait for.
    """

    name: str
    operations: int
    round: Round
    latencies: Callable[[], Sequence[int]] | None = None


@dataclass(frozen=True)
class Absent:
    """A contender that could not take part, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Contest:
    ours: Contender | Absent
    peers: tuple[Contender | Absent, ...] = ()
    #: "ours at one symbol" and the like: measured beside ours, but nobody's competitor
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        limit: the physical limit in ``unit`` on a core at `REFERENCE_GHZ`, with the reason it lies there.
        scaled: whether the value follows the core's clock, so that it can be stated for `REFERENCE_GHZ`.
    """

    key: str
    title: str
    unit: str
    build: Callable[[Any], Contest]
    limit: float | None = None
    reason: str = ""
    scaled: bool = True


@dataclass
class Measured:
    """One contender's rounds in the unit of the row, in the order they were run."""

    name: str
    values: list[float] = field(default_factory=list)
    latencies: dict[str, float] | None = None
    absent: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def best(self, unit: str) -> float:
        """The fastest round: the minimum of times, the maximum of rates."""
        return max(self.values) if unit == RATE else min(self.values)


@dataclass
class Result:
    """A row measured. ``clock_ghz`` is nan where it could not be measured."""

    group: str
    row: Row
    ours: Measured
    peers: list[Measured]
    clock_ghz: float
    note: str = ""

    def at_reference_clock(self, value: float) -> float:
        """``value`` on a core of the same kind at `REFERENCE_GHZ`: cycles stay, nanoseconds change."""
        if not self.row.scaled or math.isnan(self.clock_ghz):
            return value
        factor = self.clock_ghz / REFERENCE_GHZ
        return value / factor if self.row.unit == RATE else value * factor

    def times_faster(self, peer: Measured) -> float:
        """How many times less the median round of ours costs than the peer's."""
        if self.row.unit == RATE:
            return self.ours.median / peer.median
        return peer.median / self.ours.median

    def times_faster_at_best(self, peer: Measured) -> float:
        """The same of the fastest rounds, which a busy machine disturbs least."""
        ours, theirs = self.ours.best(self.row.unit), peer.best(self.row.unit)
        return ours / theirs if self.row.unit == RATE else theirs / ours

    def times_limit(self) -> float | None:
        """How many times the physical limit ours costs, at the reference clock; 1 is the limit."""
        if self.row.limit is None or self.ours.absent:
            return None
        value = self.at_reference_clock(self.ours.median)
        return self.row.limit / value if self.row.unit == RATE else value / self.row.limit


def local(name: str, operations: int, prepare: Callable[[], Any], run: Callable[[Any], object]) -> Contender:
    """A contender of this process: ``run(prepare())`` with only ``run`` timed and the garbage collector at rest."""

    def one_round() -> int:
        gc.collect()  # before: it walks all that lives, and what was prepared would be measured cold
        state = prepare()
        clock = getattr(time, clock_name())
        gc.disable()
        try:
            start = clock()
            run(state)
            return int(clock() - start)
        finally:
            gc.enable()

    return Contender(name, operations, one_round)


def timed_calls(calls: Iterable[tuple[Callable[..., object], tuple[Any, ...]]]) -> list[int]:
    """Nanoseconds of each ``function(*arguments)``, less what reading the clock twice costs (the median of nothing)."""
    clock = time.perf_counter_ns
    empty = []
    for _ in range(2_000):
        start = clock()
        empty.append(clock() - start)
    overhead = int(statistics.median(empty))
    spans = []
    for function, arguments in calls:
        start = clock()
        function(*arguments)
        spans.append(clock() - start - overhead)
    return spans


def percentiles(spans: Sequence[int]) -> dict[str, float]:
    """p50, p99 and p99.9 by the nearest-rank rule: each is a latency that was seen."""
    ordered = sorted(spans)
    return {
        name: float(ordered[math.ceil(q * len(ordered)) - 1])
        for name, q in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    }


def in_unit(unit: str, operations: int, measured: int) -> float:
    """What a round of ``operations`` that took ``measured`` ns (or bytes) is in the unit of its row."""
    if unit == RATE:
        return operations * 1e3 / measured
    if unit == MILLISECONDS:
        return measured / operations / 1e6
    if unit == MEBIBYTES:
        return measured / operations / 2**20
    return measured / operations


def measure(
    group: str, row: Row, setting: Any, rounds: int, progress: Callable[[str], None] = lambda _: None
) -> Result:
    """Runs a row: one round of everybody that does not count, then ``rounds`` rounds of turns."""
    contest = row.build(setting)
    everybody = [contest.ours, *contest.peers]
    results = [Measured(one.name, absent=one.reason if isinstance(one, Absent) else None) for one in everybody]
    present = [(one, result) for one, result in zip(everybody, results, strict=True) if isinstance(one, Contender)]
    clocks = [clock_ghz()]
    if not isinstance(contest.ours, Absent):
        for one, _ in present:
            one.round()
        for turn in range(rounds):
            for one, result in present if turn % 2 == 0 else reversed(present):
                result.values.append(in_unit(row.unit, one.operations, one.round()))
            clocks.append(clock_ghz())
        for one, result in present:
            if one.latencies is not None:
                result.latencies = percentiles(one.latencies())
    return Result(group, row, results[0], results[1:], statistics.median(clocks), contest.note)


def clock_ghz() -> float:
    """The clock of this core now, from a chain of dependent additions (one cycle each); nan if that cannot be had.

    The best of several short runs, because anything that disturbs one makes it longer.
    """
    try:
        from engine._native.batch import dependent_additions
    except ImportError:
        return math.nan
    count, best = 1_000_000, math.inf
    for _ in range(8):
        start = time.perf_counter_ns()
        dependent_additions(count)
        best = min(best, time.perf_counter_ns() - start)
    return count / best
