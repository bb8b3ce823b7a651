"""What is measured on: streams of EVENT, made from a seed or read from recorded data, the same for every contender."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.core.events import EVENT, Flag, Kind, Side
from engine.core.units import NANOS

Events = npt.NDArray[Any]
VENUES: Final = ("XNAS", "XNYS", "ARCX", "BATS")
CENT: Final = NANOS // 100
EPOCH: Final = 1_767_623_400 * NANOS  #: nautilus_trader aborts on the timestamp 0


class AbsentDataError(Exception):
    """Recorded data is not on this machine; the message says what to set."""


@dataclass(frozen=True)
class Stream:
    """``snapshot`` fills the books before the clock starts, ``updates`` is what is timed.

    ``venue`` counts from 1 and ``instrument`` from 0 in both; no update deletes a level that is not there, unless the
    exchange did.
    """

    snapshot: Events
    updates: Events

    def head(self, count: int) -> Stream:
        """The same with the first ``count`` updates only."""
        return Stream(self.snapshot, self.updates[:count])


def level_events(rows: list[tuple[int, int, int, int, int]], flags: int = Flag.LAST) -> Events:
    """LEVEL events of (instrument, venue, side, price, quantity), prices and quantities in counts of 1e-9."""
    events = np.zeros(len(rows), EVENT)
    if rows:
        for name, column in zip(
            ("instrument", "venue", "side", "price", "quantity"), np.array(rows, np.int64).T, strict=True
        ):
            events[name] = column
    events["kind"] = Kind.LEVEL
    events["flags"] = flags
    events["ts_event"] = events["ts_recv"] = EPOCH + np.arange(len(rows)) * 1_000
    events["sequence"] = np.arange(1, len(rows) + 1)
    return events


@cache
def touch(count: int, symbols: int = 1, seed: int = 1) -> Stream:
    """Updates of which 80 % lie within 5 ticks of the touch; books of four venues a symbol never cross.

    A symbol's centre moves by a tick now and then and is shared by its venues: bids lie at or below it, asks above it,
    and what it passes over is deleted at once on every venue. Around it most levels are there, farther out fewer.
    """
    draw = random.Random(seed)
    coin, below = draw.random, draw.randrange
    base = [10_000 + 37 * symbol for symbol in range(symbols)]
    start = list(base)
    venues = range(len(VENUES))
    levels: list[list[set[int]]] = [[set() for _ in range(2 * len(VENUES))] for _ in range(symbols)]  # venue * 2 + ask
    rows: list[tuple[int, int, int, int, int]] = []

    def put(symbol: int, slot: int, tick: int, shares: int) -> None:
        rows.append((symbol, slot // 2 + 1, 1 + slot % 2, tick * CENT, shares * NANOS))

    for symbol in range(symbols):
        for slot in range(2 * len(VENUES)):
            for distance in range(35):
                tick = base[symbol] + 1 + distance if slot % 2 else base[symbol] - distance
                levels[symbol][slot].add(tick)
                put(symbol, slot, tick, 100 * (1 + below(50)))
    snapshot, rows = rows, []
    while len(rows) < count:
        symbol = below(symbols) if symbols > 1 else 0
        books, centre = levels[symbol], base[symbol]
        if coin() < 0.02:
            up = coin() < 0.5 - 0.05 * (centre - start[symbol])  # drawn back: levels far behind would pile up
            base[symbol] += 1 if up else -1
            passed = centre + 1 if up else centre
            for slot in (2 * venue + up for venue in venues):
                if passed in books[slot]:
                    books[slot].remove(passed)
                    put(symbol, slot, passed, 0)
            continue
        slot = below(2 * len(VENUES))
        distance = below(5) if coin() < 0.75 else 5 + int(35 * coin() ** 2)
        tick = centre + 1 + distance if slot % 2 else centre - distance
        if tick in books[slot] and coin() < 0.15:
            books[slot].remove(tick)
            put(symbol, slot, tick, 0)
        else:
            books[slot].add(tick)
            put(symbol, slot, tick, 100 * (1 + below(50)))
    return Stream(level_events(snapshot, Flag.SNAPSHOT | Flag.LAST), level_events(rows[:count]))


@cache
def sparse(count: int, symbols: int = 50, seed: int = 2) -> Stream:
    """Books of prices from 0.05 to 700,000 dollars whose levels lie far apart.

    Reference prices are spaced evenly in logarithm; below a dollar the tick is a hundredth of a cent. Distances from
    the touch are spread over decades up to 30 % of the price, and every side has a stub: bids at 0.05, asks at 700,000.
    """
    draw = random.Random(seed)
    kept: list[list[int]] = []
    rows: list[tuple[int, int, int, int, int]] = []
    reference = [int(0.10 * 3.5e6 ** (symbol / max(1, symbols - 1)) * NANOS) for symbol in range(symbols)]
    slots = [(symbol, venue + 1, side) for symbol in range(symbols) for venue in range(len(VENUES)) for side in (1, 2)]

    def new(slot: int) -> int:
        symbol, _, side = slots[slot]
        price = reference[symbol]
        tick = CENT // 100 if price < NANOS else CENT
        span = max(8, int(price * 0.3) // tick)
        ticks = 1 + int(span ** draw.random())
        return (price // tick + ticks if side == Side.ASK else max(1, price // tick - ticks)) * tick

    for slot, (symbol, venue, side) in enumerate(slots):
        prices = sorted({new(slot) for _ in range(40)} | {5 * CENT if side == Side.BID else 700_000 * NANOS})
        kept.append(prices)
        rows += [(symbol, venue, side, price, 100 * NANOS) for price in prices]
    snapshot, rows = rows, []
    while len(rows) < count:
        slot = draw.randrange(len(slots))
        prices, act = kept[slot], draw.random()
        if act < 0.6 or (act >= 0.8 and len(prices) >= 60):
            price, shares = prices[draw.randrange(len(prices))], 1 + draw.randrange(500)
        elif act < 0.8 and len(prices) > 10:
            price, shares = prices.pop(draw.randrange(len(prices))), 0
        else:
            price, shares = new(slot), 1 + draw.randrange(500)
            if price not in prices:
                prices.append(price)
        rows.append((*slots[slot], price, shares * NANOS))
    return Stream(level_events(snapshot, Flag.SNAPSHOT | Flag.LAST), level_events(rows))


def by_venue(stream: Stream, batch: int) -> list[Events]:
    """The updates as batches of ``batch`` of one venue each, venues taking turns; every venue's own order is kept.

    Leftovers shorter than a batch are dropped.
    """
    parts = [
        stream.updates[stream.updates["venue"] == venue + 1] for venue in range(int(stream.updates["venue"].max()))
    ]
    turns = max(len(part) // batch for part in parts)
    return [
        np.ascontiguousarray(part[turn * batch : (turn + 1) * batch])
        for turn in range(turns)
        for part in parts
        if (turn + 1) * batch <= len(part)
    ]


def recorded(*parts: str) -> Path:
    """A file of the recorded data; raises AbsentDataError if there is none here, FileNotFoundError if it should be."""
    root = os.environ.get("TICKFORGE_DATA")
    if not root:
        raise AbsentDataError("recorded data: TICKFORGE_DATA is not set")
    path = Path(root, *parts)
    if not path.exists():
        raise FileNotFoundError(f"TICKFORGE_DATA is {root}; expected {'/'.join(parts)} in it")
    return path


@cache
def bitcoin() -> Stream:
    """Depth diffs of BTC on three Binance venues at one time: spot is venue 1, usdm 2, cm 3. One file is one venue."""
    files = ("spot_btcusdt_20240808.gz", "usdm_btcusdt_20240808.gz", "cm_btcusd_perp_20240808.gz")
    pairs = [_diffs(recorded("binance_l2", name), venue + 1) for venue, name in enumerate(files)]
    updates = np.concatenate([updates for _, updates in pairs])
    updates = updates[np.argsort(updates["ts_recv"], kind="stable")]
    return Stream(np.concatenate([snapshot for snapshot, _ in pairs]), updates)


def _diffs(path: Path, venue: int) -> tuple[Events, Events]:
    """Snapshot and the diffs that follow it, by the chaining rules of the exchange."""
    spot = "spot" in path.name
    snapshot: dict[str, Any] = {}
    diffs: list[tuple[int, dict[str, Any]]] = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if "depthUpdate" in line:
                ts_recv, _, text = line.partition(" ")
                diffs.append((int(ts_recv), json.loads(text)["data"]))
            elif "lastUpdateId" in line:
                snapshot = json.loads(line.partition(" ")[2])
    first = snapshot["lastUpdateId"] + (1 if spot else 0)
    kept = [(ts_recv, diff) for ts_recv, diff in diffs if diff["u"] >= first]
    rows = [(kept[0][0], 0, side, *level) for side, name in ((1, "bids"), (2, "asks")) for level in snapshot[name]]
    changes = [
        (ts_recv, diff["u"], side, *level)
        for ts_recv, diff in kept
        for side, name in ((1, "b"), (2, "a"))
        for level in diff[name]
    ]
    return _crypto(rows, venue), _crypto(changes, venue)


def _crypto(rows: list[tuple[int, int, int, str, str]], venue: int) -> Events:
    times, sequences, sides, prices, sizes = zip(*rows, strict=True)
    events = level_events([(0, venue, side, 0, 0) for side in sides], 0)
    events["ts_event"] = events["ts_recv"] = times
    events["sequence"] = sequences
    events["price"] = np.rint(np.array(prices, float) * NANOS)  # at most 15 digits: exact
    events["quantity"] = np.rint(np.array(sizes, float) * NANOS)
    events["flags"] = np.where(np.append(events["sequence"][1:] != events["sequence"][:-1], True), Flag.LAST, 0)
    return events


@cache
def lobster() -> Stream:
    """The hour of AAPL order by order, 2012-06-21 09:30 to 10:30; orders older than the file are unknown to it."""
    path = recorded("lobster", "AAPL_2012-06-21_34200000_37800000_message_50.csv.xz")
    kinds = {"1": Kind.ADD, "2": Kind.REDUCE, "3": Kind.DELETE, "4": Kind.EXECUTE, "5": Kind.TRADE, "7": Kind.STATUS}
    midnight = 1_340_251_200 * NANOS
    rows = []
    with lzma.open(path, "rt") as lines:
        for line in lines:
            time, kind, order_id, size, price, direction = line.rstrip().split(",")
            seconds, _, fraction = time.partition(".")
            stamp = midnight + int(seconds) * NANOS + int(fraction[:9].ljust(9, "0"))  # one stamp has 12 digits
            side = Side.BID if direction == "1" else Side.ASK
            rows.append((stamp, kinds[kind], side, int(price) * (NANOS // 10_000), int(size) * NANOS, int(order_id)))
    events = np.zeros(len(rows), EVENT)
    for name, column in zip(
        ("ts_event", "kind", "side", "price", "quantity", "order_id"), np.array(rows).T, strict=True
    ):
        events[name] = column
    events["ts_recv"] = events["ts_event"]
    events["venue"] = 1
    events["flags"] = Flag.LAST
    return Stream(events[:0], events)
