"""``MarketData`` on all simulated providers at once, on sockets."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.feeds.rerun import Rerun
from engine.feeds.runner import new_event_loop
from engine.storage.session import TAPE, first_difference, open_raw
from tests.loopback import until

LINES = ("polygon", "alpaca-sip", "iex", "finnhub")


def test_four_providers_make_one_book_and_a_recording_that_runs_again(tmp_path: Path) -> None:
    async def main() -> None:
        world = engine.World(["AAPL", "MSFT"], seed=7, rate=100)
        trades: list[Any] = []
        async with engine.Simulation(world, providers=LINES) as sim:
            market = engine.MarketData(sim.providers, record=tmp_path / "day")
            async with market, asyncio.timeout(60):
                await market.subscribe(["AAPL", "MSFT"])
                await market.ready("AAPL")
                await market.ready("MSFT")
                market.on_trade(trades.append)
                bars = market.bars("AAPL", "100ms", delay="0s")
                await until(lambda: all(report["state"] == "live" for report in market.health().values()), 30)
                bar = await anext(bars)
                assert bar.low <= bar.open <= bar.high
                assert bar.instrument == market.instrument("AAPL").id
                await until(lambda: trades, 30)
                book = market.book("AAPL")
                assert "IEXG" in book.venue_names
                assert len(book.venue_names) > 1
                assert abs(book.mid() / sim.truth.book("AAPL").bbo()[0] - 1) < 0.05
                assert set(market.latency()) == set(LINES)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
    rerun = Rerun(open_raw(tmp_path / "day"))
    rerun.record(str(tmp_path / "again.arrow"))
    assert first_difference(str(tmp_path / "again.arrow"), str(tmp_path / "day" / TAPE)) is None
    assert rerun.machine.names == LINES


def test_many_symbols_that_are_refused_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    symbols = [f"S{number}" for number in range(60)]  # ten more than there may be

    async def main() -> None:
        world = engine.World(symbols, seed=7, rate=1)
        async with (
            engine.Simulation(world, providers=["finnhub"]) as sim,
            engine.MarketData(sim.providers) as market,
            asyncio.timeout(60),
        ):
            await market.subscribe(symbols)
            await until(lambda: sum("too many symbols" in record.message for record in caplog.records) == 10, 30)

    with caplog.at_level(logging.DEBUG, "engine.market"):
        asyncio.run(main())
    levels = [record.levelno for record in caplog.records if "too many symbols" in record.message]
    assert levels == [logging.WARNING] + [logging.DEBUG] * 9
