import asyncio
import contextlib
import logging
import socket
import time

import numpy as np
import pytest

from engine.core.backoff import BackoffPolicy
from engine.core.instruments import Instruments
from engine.feeds import runner as runners
from engine.feeds.aggregator import Aggregator
from engine.feeds.lines import LinePolicy, Lines
from engine.feeds.protocol import LineFacts
from engine.feeds.runner import Runner, new_event_loop
from tests.feeds.loopback import TIMEOUT, server
from tests.feeds.scripted import MS, ScriptedComposer, ScriptedFeed

KINDS = ["picows", "websockets"]
POLICY = LinePolicy(BackoffPolicy(base=10 * MS), judge_every=20 * MS)


class Composer(ScriptedComposer):
    """Says that instrument 0 changed wherever something was applied."""

    def __init__(self):
        super().__init__()
        self.taken = 0

    def take_changes(self):
        applied = sum(counts["updates"] for counts in self.counters)
        fresh, self.taken = applied > self.taken, applied
        return np.zeros(int(fresh), np.uint32)


class Provider:
    """Serves the scripted wire; a test sends through ``connections``."""

    def __init__(self, *, batch=()):
        self.connections = []
        self.received = []
        self.batch = batch

    async def __call__(self, connection):
        self.connections.append(connection)
        async for message in connection:
            self.received.append(message)
            if message == "login":
                await connection.send("ok")
            elif message.startswith("sub "):
                await connection.send(f"subscribed {message[4:]}")
                for frame in self.batch:
                    await connection.send(frame)


def run(coroutine, loop_factory=new_event_loop):
    async def bounded():
        async with asyncio.timeout(TIMEOUT):
            await coroutine
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(bounded())


def made(*urls, kind="picows", facts=None, **keywords):
    feeds = [ScriptedFeed(f"line{i}", facts, url) for i, url in enumerate(urls)]
    lines = Lines(feeds, Aggregator(Instruments(), Composer()), policy=POLICY)
    return Runner(lines, transport=kind, **keywords)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.002)


def updates(runner):
    return runner.lines.aggregator.composer.counters[0]["updates"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, new_event_loop])
@pytest.mark.parametrize("busy", [False, True])
def test_frames_reach_the_callback(kind, factory, busy):
    async def live():
        provider, drained, notices = Provider(batch=["u"] * 500), [], []
        async with server(provider) as url:
            runner = made(url, kind=kind, busy_poll=busy)
            runner.on_drain = lambda changes, trades: drained.append((changes, len(trades)))
            runner.on_notices = notices.extend
            runner.subscribe(["A"])
            async with runner:
                await until(lambda: updates(runner) == 500)
                await asyncio.sleep(0)
                assert runner.address(0)[0] == "127.0.0.1"
            assert provider.received == ["login", "sub A"]
        report = runner.report()
        assert report["frames"] == 502
        assert 1 <= len(drained) <= report["drains"] <= 502
        assert all(entry == ([0], 0) for entry in drained)
        assert report["conflated"] == 502 - report["drains"]
        assert runner.lines.latency(0).returned.count >= 500  # all that changed something, and what came with them
        assert runner.lines.latency(0).total.count == 500
        assert [type(notice).__name__ for _, notice in notices] == ["Ready", "Subscribed"]

    run(live(), factory)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dropped_connection_comes_back_and_asks_again(kind):
    async def live():
        provider = Provider(batch=["u"])
        async with server(provider) as url:
            runner = made(url, kind=kind)
            runner.subscribe(["A"])
            async with runner:
                await until(lambda: updates(runner) == 1)
                provider.connections[0].transport.abort()
                await until(lambda: updates(runner) == 2)
                await provider.connections[1].close(1012, "restarting")
                await until(lambda: updates(runner) == 3)
            assert provider.received == ["login", "sub A"] * 3
        assert runner.lines.health(0)["line0"]["reconnects"] == 2

    run(live())


@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_frame_is_answered_with_a_new_connection(kind):
    async def live():
        provider = Provider()
        async with server(provider) as url:
            runner = made(url, kind=kind)
            runner.subscribe(["A"])
            async with runner:
                await until(lambda: runner.lines.health(0)["line0"]["phase"] == "ready")
                await provider.connections[0].send("u;bad;u")
                await provider.connections[0].wait_closed()
                assert provider.connections[0].close_code == 1007
                await until(lambda: len(provider.connections) == 2)
            assert updates(runner) == 1

    run(live())


@pytest.mark.parametrize("kind", KINDS)
def test_pings_are_sent_and_their_answers_heard(kind):
    async def live():
        async with server(Provider(batch=["u"] * 40)) as url:
            runner = made(url, kind=kind, facts=LineFacts("nbbo", ping_every=10 * MS))
            runner.subscribe(["A"])
            clock = runner.lines.latency(0).clock
            async with runner:
                await until(lambda: clock.report()["round_trip_ns"] is not None)
                assert clock.report()["round_trip_ns"] >= 0

    run(live())


def test_symbols_come_while_it_runs():
    async def live():
        provider = Provider()
        async with server(provider) as url, made(url) as runner:
            await until(lambda: runner.lines.health(0)["line0"]["phase"] == "ready")
            runner.subscribe(["B"])
            await until(lambda: "sub B" in provider.received)
            runner.unsubscribe(["B"])
            assert runner.lines.aggregator.composer.symbols == [set()]

    run(live())


def test_every_input_is_recorded_in_order_and_the_record_can_be_run_again():
    async def live():
        told = []
        provider = Provider(batch=["u"] * 100)
        async with server(provider) as url:
            runner = made(url, record=lambda *entry: told.append(entry))
            runner.subscribe(["A"])
            async with runner:
                await until(lambda: updates(runner) == 100)
                provider.connections[0].transport.abort()
                await until(lambda: updates(runner) == 200)
        kinds = [kind for kind, *_ in told]
        assert kinds[:3] == ["subscribe", "start", "opened"]
        assert kinds[-1] == "stop"
        assert {"frame", "closed", "timer"} <= set(kinds)
        assert all(type(data) is bytes for kind, _, _, data in told if kind == "frame")
        again = rerun(told, url)
        assert again.aggregator.composer.told == runner.lines.aggregator.composer.told
        assert again.health(0) == runner.lines.health(0)

    run(live())


def rerun(told, url):
    """The same inputs into fresh lines."""
    lines = made(url).lines
    for kind, line, now, payload in told:
        {
            "start": lambda now=now: lines.start(now),
            "stop": lambda now=now: lines.stop(now),
            "timer": lambda now=now: lines.timer(now),
            "opened": lambda line=line, now=now: lines.opened(line, now),
            "pong": lambda line=line, now=now: lines.pong(line, now),
            "closed": lambda line=line, now=now, payload=payload: lines.closed(line, *payload, now),
            "frame": lambda line=line, now=now, payload=payload: lines.received(line, payload, now),
            "subscribe": lambda now=now, payload=payload: lines.subscribe(payload, now),
        }[kind]()
        lines.take_commands()
    return lines


def test_an_error_in_a_callback_is_logged_counted_and_stops_nothing(caplog):
    async def live():
        async with server(Provider(batch=["u", "u"])) as url:
            runner = made(url)

            def broken(changes, trades):
                raise ValueError("mine")

            runner.on_drain = broken
            runner.subscribe(["A"])
            async with runner:
                await until(lambda: updates(runner) == 2)
                await asyncio.sleep(0.01)
            assert runner.report()["errors"] >= 1

    with caplog.at_level(logging.ERROR, "engine.feeds"):
        run(live())
    assert "a callback for market data failed" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_our_own_is_logged_and_the_line_starts_anew(kind, caplog):
    async def live():
        provider = Provider()
        async with server(provider) as url:
            runner = made(url, kind=kind)
            runner.subscribe(["A"])
            async with runner:
                await until(lambda: runner.lines.health(0)["line0"]["state"] == "live")
                receive, runner.lines.aggregator.composer.apply = runner.lines.aggregator.composer.apply, None
                await provider.connections[0].send("u")
                await until(lambda: len(provider.connections) == 2)
                runner.lines.aggregator.composer.apply = receive
                await until(lambda: runner.lines.health(0)["line0"]["state"] == "live")
            assert runner.report()["errors"] >= 1

    with caplog.at_level(logging.ERROR, "engine.feeds"):
        run(live())
    assert "line0: a frame could not be handled" in caplog.text


def test_an_error_in_a_timer_is_logged_and_timers_go_on(caplog):
    async def live():
        runner = made("udp://127.0.0.1:0")
        judge, calls = runner.lines.aggregator.judge, []

        def broken(now):
            calls.append(now)
            if len(calls) == 1:
                raise ValueError("ours")
            return judge(now)

        runner.lines.aggregator.judge = broken
        async with runner:
            await until(lambda: len(calls) == 3)
        assert runner.report()["errors"] == 1

    with caplog.at_level(logging.ERROR, "engine.feeds"):
        run(live())
    assert "a timer could not be handled" in caplog.text


def test_nothing_secret_is_logged(caplog):
    async def live():
        async with server(Provider(batch=["u"])) as url:
            for kind in KINDS:
                runner = made(url + "?token=secret", kind=kind)
                runner.subscribe(["A"])
                async with runner:
                    await until(lambda runner=runner: updates(runner) == 1)

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("websockets.server").setLevel(logging.INFO)
        run(live())
    assert "secret" not in caplog.text


def test_datagrams_reach_the_book():
    async def live():
        runner = made("udp://127.0.0.1:0", facts=LineFacts("depth", 8))
        async with runner:
            await until(lambda: runner.address(0) is not None)
            with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
                for _ in range(20):
                    sender.sendto(b"u", runner.address(0))
            await until(lambda: updates(runner) == 20)

    run(live())


def test_addresses_that_make_no_sense_are_told_as_failed_connections():
    async def live():
        async with made("http://x") as runner:
            await until(lambda: "scheme of the address" in runner.lines.health(0)["line0"]["reason"])

    run(live())


def test_closing_is_clean_at_any_moment():
    async def live():
        runner = made("ws://127.0.0.1:9/")
        await runner.close()
        await runner.start()
        await runner.close()
        await runner.close()
        async with server(Provider()) as url:
            for pause in (0, 0.001, 0.01):
                runner = made(url)
                await runner.start()
                await asyncio.sleep(pause)
                await runner.close()
                runner.schedule_drain()
                await asyncio.sleep(0)

    run(live())


def test_the_end_of_an_old_link_is_not_taken_for_that_of_the_next(monkeypatch):
    """All in one loop iteration: the line is dropped, due again at once, and the old socket sees its end."""
    links = []

    class Fake:
        address = None

        def __init__(self, _url, _headers, handler, **_):
            self.handler, self.over, self.sent = handler, asyncio.Event(), []
            links.append(self)

        def send(self, data):
            self.sent.append(data)

        def close(self, _code, _reason):
            self.over.set()

        async def wait_closed(self):
            await self.over.wait()

    monkeypatch.setattr(runners, "connect", Fake)

    async def live():
        async with made("ws://127.0.0.1:9/") as runner:
            await until(lambda: links)
            links[0].handler.opened()
            links[0].handler.frame(b"refuse now 0")
            time.sleep(0.001)  # without a turn of the loop
            runner._input("timer", -1)
            links[0].handler.closed(None, "connection lost")
            await until(lambda: len(links) == 2)
            links[1].handler.opened()
            await asyncio.sleep(0)
            assert runner.lines.phase(0) == "login"
            assert [link.over.is_set() for link in links] == [True, False]

    run(live())


def test_a_clock_set_far_back_is_told():
    async def live():
        back = [0]
        runner = made("udp://127.0.0.1:0", clock=lambda: 10_000_000 * MS + time.monotonic_ns() - back[0])
        async with runner:
            back[0] = 5_000_000 * MS
            await until(lambda: runner.lines.next_timer < 6_000_000 * MS + time.monotonic_ns())

    run(live())


def test_a_clock_set_back_does_not_spin():
    async def live():
        times = iter([1_000_000 * MS] * 3 + [MS] * 10_000)
        runner = made("udp://127.0.0.1:0", clock=lambda: next(times))
        async with runner:
            await asyncio.sleep(0.05)
        assert next(times) == MS

    run(live())
