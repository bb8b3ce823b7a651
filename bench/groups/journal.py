"""The journal beside one sync of the same disk that writes as much: how long an order waits until it is durable."""

from __future__ import annotations

import itertools
import os
import select
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.groups import Setting
from bench.measure import NS, Contender, Contest, Row

if TYPE_CHECKING:
    from engine.storage.journal import Journal

OURS, PEER = "engine", "one sync"
RATE = 10_000  #: records a second
PAYLOAD = bytes(range(160))  #: as long as a step with one child order
GROUP = 2 * (32 + len(PAYLOAD))  #: bytes of the commits that this rate leads to
WARM = 200  #: records before the clock counts


def journal_round(folder: Path, count: int, spans: list[int]) -> Callable[[], int]:
    """Appends and submits ``count`` records, one every 1/RATE s, and looks when each is durable; the median wait."""
    names = itertools.count()

    def one_round() -> int:
        from engine.storage.journal import Journal

        with Journal.open(folder / f"ours-{next(names)}.journal") as journal:
            for _ in range(WARM):
                journal.append(1, PAYLOAD, 0)
                journal.commit()
            waits = list(paced(journal, count))
        spans.extend(waits)
        return int(statistics.median(waits))

    return one_round


def paced(journal: Journal, count: int) -> Iterator[int]:
    """The ns from each append to the moment its caller, asleep as a loop is, knows that it is durable."""
    append, submit, clock, news = journal.append, journal.submit, time.perf_counter_ns, journal.fileno()
    gap, first = 1_000_000_000 // RATE, journal.durable
    begun: list[int] = []
    seen, start = 0, clock()
    while seen < count:
        now = clock()
        due = start + len(begun) * gap if len(begun) < count else now + gap
        if now >= due:
            begun.append(now)
            append(1, PAYLOAD, now)
            submit()
        else:
            select.select([news], [], [], (due - now) / 1e9)
        durable = journal.acknowledge() - first
        if durable > seen:
            now = clock()
            yield from (now - then for then in begun[seen:durable])
            seen = durable


def sync_round(folder: Path, count: int, spans: list[int]) -> Callable[[], int]:
    """``count`` writes of one commit's bytes, each with its fdatasync, over a file that was written before."""
    path = folder / "peer"

    def one_round() -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, bytes(count * GROUP), 0)
            os.fsync(descriptor)
            data, clock, waits = bytes(range(128)) * (GROUP // 128), time.perf_counter_ns, []
            for number in range(count):
                begun = clock()
                os.pwrite(descriptor, data, number * GROUP)
                os.fdatasync(descriptor)
                waits.append(clock() - begun)
        finally:
            os.close(descriptor)
        spans.extend(waits)
        return int(statistics.median(waits))

    return one_round


def durable(setting: Setting) -> Contest:
    place = tempfile.TemporaryDirectory(prefix="tickforge-bench-")
    folder = Path(place.name)
    ours: list[int] = []
    peer: list[int] = []
    one_round = journal_round(folder, setting.count(10_000, 200), ours)
    one_round.place = place  # type: ignore[attr-defined] - removed with it
    return Contest(
        Contender(OURS, 1, one_round, lambda: ours),
        (Contender(PEER, 1, sync_round(folder, setting.count(3_000, 50), peer), lambda: peer),),
        f"{RATE:,} records of {32 + len(PAYLOAD)} bytes a second; beside writes of {GROUP} bytes, each with its sync",
    )


ROWS = [Row("durable", "journal: append to durable, median", NS, durable, scaled=False)]
