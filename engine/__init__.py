"""Tickforge: an embeddable trading engine with native books.

Names are loaded on first use, so ``import engine`` costs a few milliseconds.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from engine._native.book import Book, Books, ConsolidatedBook
    from engine._native.decode import Decoder
    from engine._native.venue import Venue
    from engine.core.broker_config import Broker
    from engine.core.config import Config, Provider
    from engine.core.events import EVENT, Flag, Kind, Side
    from engine.core.instruments import Instruments
    from engine.core.orders import ORDER, REPORT
    from engine.core.trading import Intent, Refusal
    from engine.core.units import NANOS
    from engine.errors import (
        ConfigError,
        EngineError,
        InternalError,
        Lagged,
        ProtocolError,
        Refused,
        SessionLost,
        StorageError,
        Throttled,
        VenueError,
    )
    from engine.execution.algos.immediate import Immediate
    from engine.execution.algos.limit import Limit
    from engine.execution.algos.twap import TWAP
    from engine.feeds.bars import Bar, Bars
    from engine.live import Engine, Fill, Order, Update
    from engine.live.run import run
    from engine.market import BookView, Change, Feed, MarketData
    from engine.replay import Tape, replay
    from engine.risk.limits import Limits
    from engine.sim.simulation import Simulation
    from engine.sim.world import World

__all__ = [
    "EVENT",
    "NANOS",
    "ORDER",
    "REPORT",
    "TWAP",
    "Bar",
    "Bars",
    "Book",
    "BookView",
    "Books",
    "Broker",
    "Change",
    "Config",
    "ConfigError",
    "ConsolidatedBook",
    "Decoder",
    "Engine",
    "EngineError",
    "Feed",
    "Fill",
    "Flag",
    "Immediate",
    "Instruments",
    "Intent",
    "InternalError",
    "Kind",
    "Lagged",
    "Limit",
    "Limits",
    "MarketData",
    "Order",
    "ProtocolError",
    "Provider",
    "Refusal",
    "Refused",
    "SessionLost",
    "Side",
    "Simulation",
    "StorageError",
    "Tape",
    "Throttled",
    "Update",
    "Venue",
    "VenueError",
    "World",
    "replay",
    "run",
]
__version__ = "0.1.0"

_HOME: Final = {
    "Bar": "engine.feeds.bars",
    "Bars": "engine.feeds.bars",
    "Book": "engine._native.book",
    "Books": "engine._native.book",
    "BookView": "engine.market",
    "Broker": "engine.core.broker_config",
    "Change": "engine.market",
    "Config": "engine.core.config",
    "ConfigError": "engine.errors",
    "ConsolidatedBook": "engine._native.book",
    "Decoder": "engine._native.decode",
    "Engine": "engine.live",
    "EngineError": "engine.errors",
    "EVENT": "engine.core.events",
    "Feed": "engine.market",
    "Fill": "engine.live",
    "Flag": "engine.core.events",
    "Immediate": "engine.execution.algos.immediate",
    "Instruments": "engine.core.instruments",
    "Intent": "engine.core.trading",
    "InternalError": "engine.errors",
    "Kind": "engine.core.events",
    "Lagged": "engine.errors",
    "Limit": "engine.execution.algos.limit",
    "Limits": "engine.risk.limits",
    "MarketData": "engine.market",
    "NANOS": "engine.core.units",
    "ORDER": "engine.core.orders",
    "Order": "engine.live",
    "ProtocolError": "engine.errors",
    "Provider": "engine.core.config",
    "Refusal": "engine.core.trading",
    "Refused": "engine.errors",
    "replay": "engine.replay",
    "REPORT": "engine.core.orders",
    "run": "engine.live.run",
    "SessionLost": "engine.errors",
    "Side": "engine.core.events",
    "Simulation": "engine.sim.simulation",
    "StorageError": "engine.errors",
    "Tape": "engine.replay",
    "Throttled": "engine.errors",
    "TWAP": "engine.execution.algos.twap",
    "Update": "engine.live",
    "Venue": "engine._native.venue",
    "VenueError": "engine.errors",
    "World": "engine.sim.world",
}


def _built_package() -> str:
    """The folder of the package that holds compiled modules for this Python.

    It is this one, except when Python runs in the root of a checkout whose package was installed elsewhere:
    there the folder of sources comes first on ``sys.path``, and steps aside for the installed package.
    """
    compiled = os.path.join("_native", f"batch{EXTENSION_SUFFIXES[0]}")
    for folder in (*__path__, *(os.path.join(entry, "engine") for entry in sys.path)):
        if os.path.exists(os.path.join(folder, compiled)):
            return folder
    raise ImportError(f"no compiled modules beside {__path__[0]}; run `pip install .` in the checkout")


__path__ = [_built_package()]

if not TYPE_CHECKING:

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
