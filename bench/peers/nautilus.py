"""nautilus_trader, which pins its own NumPy and pandas and so lives in a virtual environment of its own.

A worker process there (`nautilus_worker.py`) prepares everything untimed, then does one round whenever it is told to
and answers with the nanoseconds its own clock saw; nothing of the pipe is in the figure. So both sides take turns as if
they were in one process.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np

from bench import measure
from bench.measure import Absent, Contender
from bench.workloads import Stream

NAME = "nautilus_trader"
PYO3 = "nautilus_pyo3"  #: the order book in Rust of the same package, another class than the Cython one
VERSION = "1.221.0"  # the last for Python 3.11


def home() -> Path:
    """The peer's virtual environment: under TICKFORGE_BENCH_PEERS, else the user's cache."""
    root = os.environ.get("TICKFORGE_BENCH_PEERS")
    if not root:
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        root = str(Path(cache) / "tickforge-bench")
    return Path(root) / f"{NAME}-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"


def install() -> None:
    """Creates the environment and installs the peer into it; raises CalledProcessError if pip fails."""
    folder = home()
    venv.create(folder, with_pip=True, clear=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", f"{NAME}=={VERSION}"], check=True)


@functools.cache
def version() -> str | None:
    """The version installed, or None."""
    command = f"import importlib.metadata; print(importlib.metadata.version({NAME!r}))"
    try:
        answer = subprocess.run([home() / "bin" / "python", "-c", command], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


class WorkerError(Exception):
    """The worker ended or refused; the message holds what it said."""


class Worker:
    """The process in the peer's environment: one JSON line to it, one JSON line back."""

    def __init__(self, python: Path) -> None:
        script = Path(__file__).with_name("nautilus_worker.py")
        self._process = subprocess.Popen(
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        atexit.register(self.close)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(request) + "\n")
            answer = stdout.readline()
        except OSError as error:
            raise WorkerError(f"the worker is gone: {error}") from None
        if not answer:
            raise WorkerError(f"the worker ended with code {self._process.wait()} on {request['do']}")
        result: dict[str, Any] = json.loads(answer)
        if "error" in result:
            raise WorkerError(result["error"])
        return result

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


@functools.cache
def worker(name: str) -> Worker:
    """One process for each contender's name, so that two of one row stay apart."""
    python = home() / "bin" / "python"
    if not python.exists():
        raise WorkerError("not installed: python -m bench --install-peers")
    return Worker(python)


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
