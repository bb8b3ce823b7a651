"""What a figure depends on besides the code: machine, target, versions, load."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.measure import clock_ghz
from bench.peers import cryptofeed, json_frames, matching_engines, nautilus, order_book

ROOT = Path(__file__).resolve().parent.parent


def describe() -> dict[str, Any]:
    """Everything that is recorded beside the rows of a run; no names of hosts or people."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "clock_ghz": round(clock_ghz(), 3),
        "cpu_target": cpu_target(),
        "load": load(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
    }


def load() -> list[float]:
    """Load averages over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def cpu() -> str:
    """Model name, family and model number, which together tell the core."""
    fields: dict[str, str] = {}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    model = fields.get("model name", platform.machine())
    return f"{model} (family {fields['cpu family']}, model {fields['model']})" if "cpu family" in fields else model


def cpu_target() -> str:
    from engine._native.batch import target

    return target()


def commit() -> str:
    """Short hash of the checkout, with a + where files differ from it; "unknown" outside a checkout."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (
            "+" if git("status", "--porcelain", "--untracked-files=no") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions() -> dict[str, str | None]:
    """Versions of what takes part; None for what is absent."""
    found: dict[str, str | None] = {}
    for name in ("tickforge", "numpy", "pyarrow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    peers = {
        order_book.NAME: order_book.version(),
        matching_engines.CYTHON: matching_engines.version(matching_engines.CYTHON),
        matching_engines.LIGHT: matching_engines.version(matching_engines.LIGHT),
        nautilus.NAME: nautilus.version(),
        cryptofeed.NAME: cryptofeed.version(),
    }
    return {**found, **peers, **json_frames.versions()}
