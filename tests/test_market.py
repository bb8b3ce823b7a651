"""``engine.MarketData`` on sockets, against a scripted provider."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from engine.core.config import Config, Market, Provider
from engine.core.events import EVENT, Flag, Kind, Side
from engine.core.instruments import Instruments
from engine.core.units import NANOS
from engine.errors import ConfigError, StorageError, VenueError
from engine.feeds.rerun import Rerun
from engine.market import Change, MarketData
from engine.storage.session import TAPE, open_raw
from tests.loopback import TS, Loopback, until

Test = Callable[[Loopback, MarketData], Coroutine[Any, Any, None]]


def live(test: Test, **options: Any) -> None:
    """Runs a test with a provider, and a market that is subscribed to AAPL and has a quote of it."""

    async def main() -> None:
        async with Loopback() as polygon, MarketData([polygon.provider], **options) as market, asyncio.timeout(30):
            await market.subscribe("AAPL")
            await polygon.quote("AAPL", 10.0, 10.5)
            await market.ready("AAPL")
            await test(polygon, market)

    asyncio.run(main())


def test_a_book_comes_alive() -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        book = market.book("AAPL")
        assert (book.symbol, book.state, book.two_sided) == ("AAPL", "live", True)
        assert book.bbo()[:4] == book.nbbo()[:4] == (10.0, 100.0, 10.5, 200.0)
        assert (book.mid(), book.depth(1)["ask_price"][0]) == (10.25, 10.5)
        assert book is market.book("AAPL")
        assert market.instrument("AAPL").id == book.id
        assert polygon.symbols == ["AAPL"]
        assert abs(market.now() - book.bbo().ts_recv) < 60 * NANOS
        with pytest.raises(KeyError):
            market.book("MSFT")
        await polygon.drop()
        await until(lambda: book.state == "stale")
        assert np.isnan(book.bbo().bid)
        await until(lambda: market.health()["polygon"]["reconnects"] == 1)

    live(test)


def test_subscriptions_change_while_running() -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        await market.subscribe(["MSFT", "SPY"])
        assert polygon.symbols == ["AAPL", "MSFT", "SPY"]
        await polygon.quote("MSFT", 1.0, 2.0)
        await market.ready("MSFT")
        market.unsubscribe("AAPL")
        assert market.book("AAPL").state == "stale"
        await polygon.quote("AAPL", 11.0, 12.0)
        await polygon.quote("MSFT", 1.5, 2.0)
        await until(lambda: market.book("MSFT").bbo().bid == 1.5)
        assert market.book("AAPL").state == "stale"
        with pytest.raises(ValueError, match="symbol"):
            await market.subscribe(["not a symbol"])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await market.ready("SPY")

    live(test)


def test_callbacks_come_once_a_loop_iteration() -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        found: list[tuple[list[str], float]] = []
        trades: list[np.ndarray] = []

        def changed(books: Any) -> None:
            found.append(([book.symbol for book in books], books[-1].bbo().bid))

        handle = market.on_change(changed, "AAPL")
        market.on_trade(trades.append)
        await polygon.quote("AAPL", 10.1, 10.5)
        await until(lambda: found)
        assert found == [(["AAPL"], 10.1)]
        await polygon.trade("AAPL", 10.2)
        await until(lambda: trades)
        assert [(row["kind"], row["price"]) for row in trades[0]] == [(Kind.TRADE, 10.2 * NANOS)]
        handle.cancel()
        await polygon.quote("AAPL", 10.3, 10.5)
        await until(lambda: market.book("AAPL").bbo().bid == 10.3)
        assert len(found) == 1

    live(test)


def test_an_exception_stops_one_callback(caplog: pytest.LogCaptureFixture) -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        found: list[Any] = []
        handle = market.on_change(lambda books: 1 / 0)
        market.on_change(found.append)
        for bid in (10.1, 10.2):
            await polygon.quote("AAPL", bid, 10.5)
            await until(lambda bid=bid: market.book("AAPL").bbo().bid == bid)
        await until(lambda: len(found) == 2)
        assert (handle.calls, handle.active, market.stats()["callbacks_stopped"]) == (1, False, 1)
        assert "tickforge_market_callbacks_stopped 1" in market.metrics()

    with caplog.at_level(logging.ERROR, "engine.market"):
        live(test)
    assert "a callback for market data failed" in caplog.text


def test_streams_conflate_to_the_newest() -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        await market.subscribe("MSFT")
        stream = market.stream(["AAPL", "MSFT"])
        seen: list[int] = []
        market.on_change(lambda books: seen.append(len(books)))
        for bid in (10.1, 10.2, 10.3):
            await polygon.quote("AAPL", bid, 10.5)
            await until(lambda bid=bid: market.book("AAPL").bbo().bid == bid)
        await polygon.quote("MSFT", 1.0, 2.0)
        await until(lambda: market.book("MSFT").two_sided)
        changes = [await anext(stream), await anext(stream)]
        assert all(isinstance(change, Change) for change in changes)
        assert [(change.book.symbol, change.quote.bid) for change in changes] == [("AAPL", 10.3), ("MSFT", 1.0)]
        assert changes[0].missed == len([1 for count in seen]) - 2
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one reader at a time"):
            await anext(stream)
        await polygon.quote("MSFT", 1.5, 2.0)
        assert (await waiting).quote.bid == 1.5
        await market.close()
        assert {change.book.state async for change in stream} == {"stale"}  # the end of the lines, then of the stream

    live(test)


def test_streams_that_nobody_holds_are_forgotten() -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        market.stream("AAPL")
        market.bars("AAPL", "1m")
        gc.collect()
        assert market._watchers.readers == []
        assert market._watchers.builders == {}
        held = market.stream("AAPL")
        await held.aclose()
        assert market._watchers.readers == []

    live(test)


def test_bars_close_by_the_clock() -> None:
    clock = [TS * 1_000_000]

    async def test(polygon: Loopback, market: MarketData) -> None:
        bars = market.bars("AAPL", "50ms", delay="0s")
        clock[0] = TS * 1_000_000 + 1
        await polygon.trade("AAPL", 10.0, TS)
        await polygon.trade("AAPL", 11.0, TS + 1)
        await until(lambda: market._watchers.builders[50_000_000, 0].bars.counts["prints"] == 2)
        clock[0] += 60_000_000
        bar = await anext(bars)
        assert (bar.ts, bar.open, bar.close, bar.volume) == (TS * 1_000_000, 10.0, 11.0, 20.0)
        with pytest.raises(ValueError, match="interval"):
            market.bars("AAPL", "0s")

    live(test, clock=lambda: clock[0])


def test_bars_that_were_asked_for_before_close_by_the_clock() -> None:
    async def main() -> None:
        clock = [TS * 1_000_000]
        market = MarketData([], instruments=Instruments(["AAPL"]), clock=lambda: clock[0])
        bars = market.bars("AAPL", "50ms", delay="0s")
        async with market, asyncio.timeout(10):
            trade = np.zeros(1, EVENT)
            trade["kind"], trade["flags"], trade["ts_event"] = Kind.TRADE, Flag.LAST, clock[0]
            trade["price"], trade["quantity"] = 10 * NANOS, 20 * NANOS
            market.push("ours", trade)
            clock[0] += 60_000_000
            assert (await anext(bars)).volume == 20.0

    asyncio.run(main())


def test_timers_follow_the_clock() -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        found: list[str] = []
        market.at(market.now() + 20_000_000, lambda: found.append("later"))
        market.at(market.now() - 1, lambda: found.append("at once"))
        market.at(market.now() + 1_000_000, lambda: found.append("never")).cancel()
        await until(lambda: len(found) == 2)
        assert found == ["at once", "later"]
        failing = market.at(market.now(), lambda: 1 / 0)
        await until(lambda: not failing.active)
        assert isinstance(failing.error, ZeroDivisionError)
        with pytest.raises(ValueError, match="when is 'noon'"):
            market.at("noon", found.clear)

    live(test)


def test_a_time_of_day_that_has_passed_is_told() -> None:
    async def main() -> None:
        async with MarketData([], clock=lambda: TS * 1_000_000) as market:  # 09:30 in New York
            with pytest.raises(ValueError, match="when is '09:29', which has passed today"):
                market.at("09:29", print)
            market.at("15:55", print).cancel()

    asyncio.run(main())


def test_pushed_events_are_market_data() -> None:
    async def main() -> None:
        async with MarketData([], instruments=engine.Instruments(["OURS"])) as market:
            await market.subscribe("OURS")
            found: list[Any] = []
            market.on_change(found.append)
            events = np.zeros(3, EVENT)
            events["kind"] = [Kind.CLEAR, Kind.LEVEL, Kind.LEVEL]
            events["side"] = [Side.NONE, Side.BID, Side.ASK]
            events["price"], events["quantity"] = [0, NANOS, 2 * NANOS], [0, NANOS, NANOS]
            events["venue"], events["flags"] = 1, Flag.LAST
            market.push("ours", events)
            async with asyncio.timeout(10):
                await market.ready("OURS")
            assert market.book("OURS").bbo()[:4] == (1.0, 1.0, 2.0, 1.0)
            await until(lambda: found)
            assert market.health()["ours"]["role"] == "depth"
            events["instrument"] = 7
            with pytest.raises(ValueError, match="instrument 7"):
                market.push("ours", events)

    asyncio.run(main())


def test_a_users_feed_is_a_line() -> None:
    async def main() -> None:
        async with Loopback() as server:

            class Ours:
                name, role, venue = "ours", "top", "XNAS"
                url = server.url

                def receive_bytes(self, data: Any, ts_recv: int = 0) -> np.ndarray:
                    events = np.zeros(2, EVENT)
                    events["kind"], events["side"] = Kind.QUOTE, [Side.BID, Side.ASK]
                    events["price"], events["quantity"] = [NANOS, 2 * NANOS], NANOS
                    events["venue"], events["flags"], events["ts_recv"] = 1, [0, Flag.LAST], ts_recv
                    return events if b'"Q"' in bytes(data) else events[:0]

                def take_bytes(self) -> bytes:
                    return b""

            assert isinstance(Ours(), engine.Feed)
            async with MarketData(Ours()) as market, asyncio.timeout(30):
                await market.subscribe("AAPL")
                await server.quote("AAPL", 1.0, 2.0)
                await market.ready("AAPL")
                assert market.book("AAPL").venue_names == ("XNAS",)

    asyncio.run(main())


def test_wrong_keys_raise_where_they_are_waited_for() -> None:
    async def main() -> None:
        async with Loopback(auth="auth_failed") as polygon, MarketData([polygon.provider]) as market:
            with pytest.raises(ConfigError, match="polygon") as caught:
                async with asyncio.timeout(30):
                    await market.subscribe("AAPL")
            assert "hush" not in str(caught.value)
            assert market.health()["polygon"]["state"] == "down"
            with pytest.raises(ConfigError):
                await market.ready("AAPL")

    asyncio.run(main())


def test_several_lines_that_refuse_are_all_named() -> None:
    async def main() -> None:
        async with Loopback(auth="auth_failed") as one, Loopback(auth="auth_failed") as two:
            providers = [Provider("polygon", url=it.url, key="x", line=name) for it, name in ((one, "a"), (two, "b"))]
            async with MarketData(providers) as market:
                with pytest.raises(ConfigError, match=r"a: .*; b: "):
                    async with asyncio.timeout(30):
                        await market.subscribe("AAPL")

    asyncio.run(main())


def test_closing_ends_waits() -> None:
    async def main() -> None:
        async with Loopback(acks=False) as polygon:
            market = MarketData([polygon.provider])
            with pytest.raises(RuntimeError, match="the market is not open"):
                await market.subscribe("AAPL")
            async with market:
                with pytest.raises(RuntimeError, match="open already"):
                    await market.__aenter__()
                waiting = asyncio.ensure_future(market.subscribe("AAPL"))
                await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="the market was closed"):
                await waiting
            await market.close()

    asyncio.run(main())


def test_streams_of_a_market_that_was_closed_end() -> None:
    async def main() -> None:
        async with MarketData([]) as market, asyncio.timeout(30):
            pass
        async with asyncio.timeout(30):
            assert [change async for change in market.stream("AAPL")] == []
            assert [bar async for bar in market.bars("AAPL", "1s")] == []

    asyncio.run(main())


def test_a_market_that_cannot_be_entered_is_closed() -> None:
    async def main() -> None:
        async with Loopback() as polygon:
            config = Config(market=Market(symbols=("two words",)))
            market = MarketData(config, [polygon.provider])
            with pytest.raises(ValueError, match="two words"):
                async with market, asyncio.timeout(30):
                    pass
            with pytest.raises(RuntimeError, match="not open"):
                market.unsubscribe("AAPL")
            assert market.machine.lines.phase(0) == "stopped"

    asyncio.run(main())


def test_a_recording_runs_again_to_the_same_tape(tmp_path: Path) -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        market.instruments.add("OURS", tick="0.5")
        events = np.zeros(1, EVENT)
        events["instrument"], events["kind"], events["price"] = 1, Kind.TRADE, NANOS
        market.push("ours", events)
        await market.subscribe("MSFT")
        for number in range(20):
            await polygon.quote("MSFT", 1.0 + number, 30.0)
            await polygon.trade("AAPL", 1.0 + number)
            await asyncio.sleep(0.02)
        await polygon.tell({"ev": "LULD", "T": "AAPL", "h": 12.0, "l": 8.0, "i": [1], "z": 3, "t": TS, "q": 3})
        await polygon.drop()
        await until(lambda: market.health()["polygon"]["reconnects"] == 1)

    live(test, record=tmp_path / "day")
    Rerun(open_raw(tmp_path / "day")).record(str(tmp_path / "again.arrow"))
    assert (tmp_path / "again.arrow").read_bytes() == (tmp_path / "day" / TAPE).read_bytes()
    recorded = engine.replay(tmp_path / "day" / TAPE)
    assert recorded.instruments["OURS"].tick == engine.Instruments([{"symbol": "X", "tick": "0.5"}])["X"].tick
    assert recorded.kinds["TRADE"] == 21
    assert [type(message).__name__ for message in recorded.side()] == ["PriceBand"]
    with pytest.raises(StorageError, match="there is a recording already"):
        live(test, record=tmp_path / "day")


def test_a_full_disk_ends_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        def full(*arguments: Any) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            for _ in range(3):
                await polygon.quote("AAPL", 10.1, 10.5)
                await asyncio.sleep(0.1)
            await until(lambda: "the recording in" in caplog.text)
        await polygon.quote("AAPL", 10.2, 10.5)
        await until(lambda: market.book("AAPL").bbo().bid == 10.2)
        market.instruments.add("OURS")
        await market.subscribe("MSFT")
        market.push("ours", np.zeros(1, EVENT))
        assert len(market._machine.composer.take_events()) < 100

    live(test, record=tmp_path)
    assert "No space left on device" in caplog.text
    log = open_raw(tmp_path)
    assert len(list(log)) > 1
    assert log.torn


def test_what_is_given_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLYGON_API_KEY", "MASSIVE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        ConfigError, match=r"no provider: name some, or set POLYGON_API_KEY, .*FINNHUB_API_KEY; \[\] is"
    ):
        MarketData(Config())
    with pytest.raises(ConfigError, match="polygon: no key: set TICKFORGE_POLYGON_KEY or POLYGON_API_KEY"):
        MarketData("polygon")
    with pytest.raises(ConfigError, match="provider is 'polygn'; expected one of alpaca"):
        MarketData(["polygn"])
    with pytest.raises(ConfigError, match="provider is 3; expected a name"):
        MarketData([3])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="IEX Cloud was shut down"):
        MarketData(["iex_cloud"])
    with pytest.raises(ConfigError, match="before the providers"):
        MarketData("polygon", ["alpaca"])
    with pytest.raises(ConfigError, match="transport is 'tcp'; expected one of 'picows', 'websockets'"):
        MarketData([], transport="tcp")  # type: ignore[arg-type]
    monkeypatch.setenv("POLYGON_API_KEY", "hush")
    assert repr(MarketData("polygon")) == "MarketData([polygon], 0 instruments)"
    config = Config((Provider("finnhub", key="x"),), Market(("AAPL",)), ({"symbol": "BTC-USD", "tick": "0.5"},))
    market = MarketData(config)
    assert repr(market) == "MarketData([finnhub], 1 instruments)"
    assert str(market.instrument("BTC-USD").tick) == "0.5"
    assert repr(MarketData(config, [Provider("polygon", key="x")])) == "MarketData([polygon], 1 instruments)"


def test_symbols_of_the_configuration_are_subscribed() -> None:
    async def main() -> None:
        async with Loopback() as polygon, asyncio.timeout(10):
            market = MarketData(Config((polygon.provider,), Market(("AAPL",))), transport="websockets", busy_poll=True)
            assert market._config.market == Market(("AAPL",), "websockets", busy_poll=True)
            async with market:
                await until(lambda: polygon.symbols == ["AAPL"])
                await polygon.quote("AAPL", 1.0, 2.0)
                await market.ready("AAPL")

    asyncio.run(main())


def test_metrics_and_latency_tell_of_each_line() -> None:
    async def test(polygon: Loopback, market: MarketData) -> None:
        await polygon.quote("AAPL", 10.1, 10.5)
        await until(lambda: market.book("AAPL").bbo().bid == 10.1)
        await until(lambda: market.latency()["polygon"]["returned"]["count"] > 0)
        text = market.metrics()
        assert 'tickforge_line_state{line="polygon",state="live"} 1' in text
        assert 'tickforge_frames_total{line="polygon"}' in text
        assert "hush" not in text + repr(market.health())
        assert market.stats()["frames"] >= 3

    live(test)


def test_symbols_that_every_line_refuses_raise() -> None:
    async def main() -> None:
        async with Loopback() as polygon:
            provider = Provider("polygon", url=polygon.url, key="x", symbol_limit=1)
            async with MarketData([provider]) as market, asyncio.timeout(30):
                await market.subscribe("AAPL")
                with pytest.raises((ConfigError, VenueError), match="MSFT is one too many"):
                    await market.subscribe("MSFT")

    asyncio.run(main())
