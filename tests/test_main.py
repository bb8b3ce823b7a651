"""``python -m engine``."""

from __future__ import annotations

import subprocess
import sys

import engine


def test_the_package_runs_as_the_command() -> None:
    command = [sys.executable, "-m", "engine", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"engine, version {engine.__version__}\n"
