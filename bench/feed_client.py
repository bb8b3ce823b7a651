"""A client of the load generator: `MarketData` on loopback, and what it measured of itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.frames import symbols_of

LINES = ("polygon", "alpaca-sip", "alpaca-iex", "finnhub")

_PATHS = {"polygon": "/stocks", "alpaca-sip": "/v2/sip", "alpaca-iex": "/v2/iex", "finnhub": ""}
_QUOTES = ("quotes",)


@dataclass(frozen=True)
class Load:
    """What the generator is to send: ``frames`` a line, ``rate`` a second over all lines (0: as fast as it goes)."""

    lines: tuple[str, ...] = LINES
    symbols: int = 250
    frames: int = 20_000
    rate: float = 0.0
    quotes: int = 1
    stamp: bool = False

    def arguments(self) -> list[str]:
        named = ("lines", ",".join(self.lines)), ("symbols", self.symbols), ("frames", self.frames)
        more = ("rate", self.rate), ("quotes", self.quotes)
        return [text for name, value in (*named, *more) for text in (f"--{name}", str(value))] + [
            "--stamp"
        ] * self.stamp


@dataclass(frozen=True)
class Received:
    """``seconds`` from the start of the sending until every frame's effect was applied.

    ``latency`` by line and hop, and ``together`` by hop: of the frames of all lines.
    """

    frames: int
    seconds: float
    latency: dict[str, dict[str, Any]]
    together: dict[str, dict[str, Any]]
    stats: dict[str, int]
    calls: int


def run(load: Load, *, busy_poll: bool = False) -> Received:
    """One client and one generator, each on a core of its own where there are two; both are gone afterwards."""
    generator = subprocess.Popen(
        [sys.executable, "-m", "bench.load", *load.arguments()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert generator.stdin is not None
        assert generator.stdout is not None
        urls = json.loads(generator.stdout.readline())
        with _apart(generator.pid):
            return _run(_receive(load, urls, generator.stdin, busy_poll))
    finally:
        generator.kill()
        generator.communicate()


@contextlib.contextmanager
def _apart(other: int) -> Iterator[None]:
    """We on the last core there is for us, the other process on the first: else the kernel moves them about."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield
        return
    os.sched_setaffinity(other, cores[:1])
    os.sched_setaffinity(0, cores[-1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _run(work: Any) -> Received:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result: Received = runner.run(work)
    return result


async def _receive(load: Load, urls: dict[str, str], go: Any, busy_poll: bool) -> Received:
    from engine import Config, MarketData
    from engine.core.config import Market

    providers = tuple(_provider(line, url) for line, url in urls.items())
    calls = 0

    def changed(books: Any) -> None:
        nonlocal calls
        calls += 1

    config = Config(providers=providers, market=Market(busy_poll=busy_poll, seed=1))
    async with MarketData(config) as market:
        await market.subscribe(symbols_of(load.symbols))
        market.on_change(changed)
        market.on_trade(changed)
        before = _frames(market)
        expected = before + load.frames * len(load.lines)
        start = time.perf_counter()
        go.write("\n")
        go.flush()
        while _frames(market) < expected:
            await asyncio.sleep(0.005)
            if time.perf_counter() - start > 120:
                raise RuntimeError(f"{_frames(market) - before} of {expected - before} frames: {market.health()}")
        seconds = time.perf_counter() - start
        return Received(expected - before, seconds, market.latency(), _together(market), market.stats(), calls)


def _together(market: Any) -> dict[str, dict[str, Any]]:
    from engine._native.latency import Histogram
    from engine.feeds.latency import HOPS, summary

    lines = market.machine.lines
    merged = {hop: Histogram() for hop in HOPS}
    for hop, histogram in merged.items():
        for line in range(len(lines.names)):
            histogram.merge(getattr(lines.latency(line), hop))
    return {hop: summary(histogram) for hop, histogram in merged.items()}


def _frames(market: Any) -> int:
    lines = market.machine.lines
    return sum(lines.connection(line)[1] for line in range(len(lines.names)))


def _provider(line: str, url: str) -> Any:
    from engine import Provider

    name, _, feed = line.partition("-")
    path, key = _PATHS[line], "k" * 20
    if name == "alpaca":
        return Provider(name, url=url + path, key=key, secret=key, feed=feed, codec="json", line=line, channels=_QUOTES)
    return Provider(name, url=url + path, key=key, line=line, channels=() if name == "finnhub" else _QUOTES)
