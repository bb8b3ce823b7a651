"""Peers that pin what we do not want, each in a virtual environment and a worker process of its own.

The worker prepares everything untimed, then does one round whenever it is told to and answers with the nanoseconds its
own clock saw; nothing of the pipe is in the figure. So both sides take turns as if they were in one process.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class WorkerError(Exception):
    """The worker ended or refused; the message holds what it said."""


@dataclass(frozen=True)
class Environment:
    """The virtual environment of one peer: under TICKFORGE_BENCH_PEERS, else the user's cache."""

    name: str
    wanted: str  #: the version to install

    @property
    def home(self) -> Path:
        root = os.environ.get("TICKFORGE_BENCH_PEERS")
        if not root:
            cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
            root = str(Path(cache) / "tickforge-bench")
        return Path(root) / f"{self.name}-{self.wanted}-py{sys.version_info.major}.{sys.version_info.minor}"

    @property
    def python(self) -> Path:
        return self.home / "bin" / "python"

    def install(self) -> None:
        """Creates the environment and installs the peer into it; raises CalledProcessError if pip fails."""
        venv.create(self.home, with_pip=True, clear=True)
        subprocess.run([self.python, "-m", "pip", "install", "-q", f"{self.name}=={self.wanted}"], check=True)

    def version(self) -> str | None:
        """The version installed, or None."""
        command = f"import importlib.metadata; print(importlib.metadata.version({self.name!r}))"
        try:
            answer = subprocess.run([self.python, "-c", command], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return answer.stdout.strip()

    def start(self, script: str) -> Worker:
        """A worker that runs ``script`` of this folder; raises WorkerError where the peer is not installed."""
        if not self.python.exists():
            raise WorkerError("not installed: python -m bench --install-peers")
        return Worker(self.python, Path(__file__).with_name(script))


class Worker:
    """The process in the peer's environment: one JSON line to it, one JSON line back."""

    def __init__(self, python: Path, script: Path) -> None:
        # -P: files beside the script must not be taken for the libraries they are named after
        self._process = subprocess.Popen(
            [python, "-P", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
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
