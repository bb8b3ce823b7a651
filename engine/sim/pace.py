"""A made-up market given to a `MarketData` at its own times, on whatever loop runs: real or virtual."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np

from engine._native.world import LevelFeed
from engine.core.units import NANOS
from engine.core.venues import venue_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

__all__ = ["NAME", "play"]

NAME = "world"  #: whose events they are in the market's health


async def play(
    batches: Iterable[NDArray[Any]],
    push: Callable[[str, NDArray[Any]], None],
    ids: list[int],
    clock: Callable[[], int],
) -> None:
    """Pushes each batch when its ``ts_recv`` comes.

    Args:
        batches: order-by-order events, as a `World` makes them.
        push: ``MarketData.push``.
        ids: the market's number of each instrument of the batches.
        clock: ns since the epoch.
    """
    levels = LevelFeed(venue_id("XNAS"))
    numbers, moved = np.array(ids, np.uint32), ids != list(range(len(ids)))
    for batch in batches:
        wait = int(batch["ts_recv"][-1]) - clock()
        if wait > 0:
            await asyncio.sleep(wait / NANOS)
        events = levels.convert(batch)
        if moved:
            events["instrument"] = numbers[events["instrument"]]
        push(NAME, events)
