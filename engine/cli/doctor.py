"""``engine doctor``: what runs here, and whether it runs well."""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
from importlib.metadata import version
from typing import Any

import click

import engine._native as native
from engine.cli.output import figures, show, write_json
from engine.core.clock import clock_offset, timer_resolution_ns

__all__ = ["command"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(as_json: bool) -> None:
    """Show versions, the CPU target, the timers, and whether the native modules load.

    Exit code 1 if a native module does not load.

    \b
    Example: engine doctor --json
    """
    found = examine()
    broken = {name: text for name, text in found["native"].items() if text != "ok"}
    if as_json:
        write_json(found)
    else:
        clock = found["clock_offset"]
        lines = found["clock_offset"] if isinstance(clock, dict) else {"clock_offset": clock}
        target = {"in use": found["cpu"]["target"], "supported": ", ".join(found["cpu"]["supported"])}
        timers = {"timer_resolution_ns": found["timer_resolution_ns"], **lines}
        tables = {
            "Versions": found["versions"],
            "CPU target": target,
            "Clocks": timers,
            "Native modules": found["native"],
        }
        show(*(figures(title, values) for title, values in tables.items()))
    if broken:
        raise SystemExit(1)


def examine() -> dict[str, Any]:
    """Everything the command shows."""
    return {
        "versions": _versions(),
        "cpu": _cpu(),
        "timer_resolution_ns": timer_resolution_ns(),
        "clock_offset": clock_offset(),
        "native": {name: _loads(name) for name in sorted(_modules())},
    }


def _versions() -> dict[str, str]:
    versions = {"tickforge": version("tickforge"), "python": platform.python_version(), "platform": platform.platform()}
    for name in ("numpy", "pyarrow"):
        try:
            versions[name] = str(importlib.import_module(name).__version__)
        except ImportError as error:
            versions[name] = f"does not load: {error}"
    return versions


def _cpu() -> dict[str, Any]:
    forced = os.environ.get("TICKFORGE_CPU") or None
    try:
        from engine._native import batch
    except ImportError:
        return {"target": "unknown", "supported": [], "forced": forced}
    return {"target": batch.target(), "supported": batch.supported_targets(), "forced": forced}


def _modules() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(native.__path__)}


def _loads(name: str) -> str:
    """``ok``, or what the import said."""
    try:
        importlib.import_module(f"{native.__name__}.{name}")
    except ImportError as error:
        return str(error)
    return "ok"
