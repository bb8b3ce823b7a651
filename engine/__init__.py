"""Tickforge: an embeddable trading engine with native books.

Names are loaded on first use, so ``import engine`` costs a few milliseconds.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "EVENT": "engine.core.events",
    "Flag": "engine.core.events",
    "Kind": "engine.core.events",
    "NANOS": "engine.core.units",
    "Side": "engine.core.events",
}

__all__ = ["EVENT", "NANOS", "Flag", "Kind", "Side"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'engine' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
