"""nautilus_trader, which pins its own NumPy and pandas and so lives in an environment of its own (`apart`)."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np

from bench import measure
from bench.measure import Absent, Contender
from bench.peers.apart import Environment, Worker, WorkerError
from bench.workloads import Stream

NAME = "nautilus_trader"
PYO3 = "nautilus_pyo3"  #: the order book in Rust of the same package, another class than the Cython one
VERSION = "1.221.0"  # the last for Python 3.11
ENVIRONMENT = Environment(NAME, VERSION)


def home() -> Path:
    return ENVIRONMENT.home


def install() -> None:
    ENVIRONMENT.install()


@functools.cache
def version() -> str | None:
    """The version installed, or None."""
    return ENVIRONMENT.version()


@functools.cache
def worker(name: str) -> Worker:
    """One process for each contender's name, so that two of one row stay apart."""
    return ENVIRONMENT.start("nautilus_worker.py")


def contender(mode: str, stream: Stream, count: int, batch: int = 100) -> Contender | Absent:
    """``mode`` is "apply_delta", "apply_deltas" (in batches of one book), "depth" or "depth_pyo3".

    "depth" is a delta, then both sides' top 10 by the Cython book's ``bids()[:10]``, which builds the whole side;
    "depth_pyo3" the same by ``bids(10)`` of the pyo3 book, which builds ten levels, under a name of its own.
    The first ``count`` updates are done each round; deltas are built before. A name's worker holds one contender.
    """
    name = PYO3 if mode == "depth_pyo3" else NAME
    count = min(count, len(stream.updates))
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stream.npy"
            with path.open("wb") as file:
                np.save(file, stream.snapshot)
                np.save(file, stream.updates[:count])
            answer = worker(name).ask({"do": "load", "mode": mode, "path": str(path), "batch": batch})
    except WorkerError as error:
        return Absent(name, str(error))

    def latencies() -> list[int]:
        return list(worker(name).ask({"do": "latencies"})["ns"])

    return Contender(
        name,
        int(answer["operations"]),
        lambda: int(worker(name).ask({"do": "round", "clock": measure.clock_name()})["ns"]),
        latencies if mode in ("depth", "depth_pyo3") else None,
    )
