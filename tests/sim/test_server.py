"""Simulators on real sockets. Nothing here waits for a clock to be right, only for things to happen."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.error
import urllib.request
from typing import Any

import msgpack
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from engine import Decoder, Instruments
from engine.errors import ConfigError
from engine.sim import server as module
from engine.sim.market import Market
from engine.sim.server import SocketServer
from engine.sim.simulator import Simulator

PATIENCE = 20


class Running:
    """A served simulator."""

    def __init__(self, lines: list[str], faults: str = "", **options: Any) -> None:
        import time

        market = Market(seed=1, start=time.time_ns(), rate=200)
        self.simulator = Simulator(market, lines, faults, options=options)
        self.server = SocketServer(self.simulator)

    async def __aenter__(self) -> SocketServer:
        await self.server.open()
        return self.server

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()


def run(work: Any) -> Any:
    return asyncio.run(asyncio.wait_for(work, PATIENCE))


async def login(url: str) -> Any:
    client = await connect(url)
    assert json.loads(await client.recv())[0]["status"] == "connected"
    await client.send(['{"action":"auth",', '"params":"k"}'])  # a fragmented message
    assert json.loads(await client.recv())[0]["status"] == "auth_success"
    await client.send('{"action":"subscribe","params":"Q.*,T.*"}')
    assert len(json.loads(await client.recv())) == 2
    return client


async def read(client: Any, patience: float = PATIENCE) -> None:
    """Until the end, or silence."""
    while True:
        await asyncio.wait_for(client.recv(), patience)


def test_a_websocket_line_talks_and_the_log_has_every_frame():
    async def work() -> None:
        running = Running(["polygon"])
        async with running as server:
            client = await login(server.urls["polygon"])
            received = [await client.recv() for _ in range(20)]
            assert all(json.loads(frame)[0]["ev"] in {"Q", "T"} for frame in received)
            await client.ping()
            (connection,) = running.simulator.truth.connections("polygon")
            frames = running.simulator.truth.frames(connection)
            told = [len(frame.changes) for frame in frames[3:23]]
            assert told == [len(json.loads(frame)) for frame in received]
            await client.close()
        await server.close()

    run(work())


def test_msgpack_and_compression_as_the_client_wants_them():
    async def work() -> None:
        async with Running(["alpaca-sip"]) as server:
            for compression in ("deflate", None):
                headers = {"Content-Type": "application/msgpack", "APCA-API-KEY-ID": str(compression)}
                client = await connect(server.urls["alpaca-sip"], additional_headers=headers, compression=compression)
                assert bool(client.protocol.extensions) == (compression is not None)
                assert msgpack.unpackb(await client.recv()) == [{"T": "success", "msg": "connected"}]
                assert msgpack.unpackb(await client.recv()) == [{"T": "success", "msg": "authenticated"}]
                await client.close()

    run(work())


def test_ends_with_and_without_a_close_frame():
    async def work() -> None:
        async with Running(["polygon"], polygon={"key": "right"}) as server:
            client = await connect(server.urls["polygon"])
            await client.recv()
            await client.send('{"action":"auth","params":"wrong"}')
            assert "authentication failed" in await client.recv()
            with pytest.raises(ConnectionClosed) as end:
                await client.recv()
            assert end.value.rcvd is None  # dropped
        async with Running(["polygon"]) as server:
            one = await login(server.urls["polygon"])
            two = await connect(server.urls["polygon"])
            await two.send('{"action":"auth","params":"k"}')
            with pytest.raises(ConnectionClosed) as end:
                await read(one)
            assert end.value.rcvd is not None
            assert end.value.rcvd.code == 1008
            await two.close()

    run(work())


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_refused_handshakes_and_rest_on_the_same_port():
    async def work() -> None:
        async with Running(["finnhub"]) as server:
            with pytest.raises(InvalidStatus) as refused:
                await connect(server.urls["finnhub"])
            assert refused.value.response.status_code == 401
            status, body = await asyncio.to_thread(get, server.rest_urls["finnhub"] + "//quote?symbol=AAPL&token=k")
            assert status == 200
            assert set(json.loads(body)) == {"c", "d", "dp", "h", "l", "o", "pc", "t"}
            assert (await asyncio.to_thread(get, server.rest_urls["finnhub"] + "/nothing?token=k"))[0] == 404
        async with Running(["finnhub"], "throttle finnhub for=1h") as server:
            with pytest.raises(InvalidStatus) as refused:
                await connect(server.urls["finnhub"] + "?token=k")
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["Retry-After"] == "1"

    run(work())


def test_connections_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "CONNECTIONS_MAX", 1)

    async def work() -> None:
        async with Running(["polygon"]) as server:
            client = await connect(server.urls["polygon"])
            with pytest.raises(InvalidStatus) as refused:
                await connect(server.urls["polygon"])
            assert refused.value.response.status_code == 503
            await client.close()

    run(work())


def test_a_slow_reader_is_killed(monkeypatch):
    monkeypatch.setattr(module, "BUFFER_FRAMES", 3)
    monkeypatch.setattr(module, "_LAST_WORDS", 0.1)

    async def work() -> None:
        async with Running(["alpaca-sip"], "huge_frame alpaca-sip at=100ms size=64000000") as server:
            client = await connect(server.urls["alpaca-sip"], max_queue=1, max_size=None)
            await client.send('{"action":"auth","key":"k","secret":"s"}')
            await client.send('{"action":"subscribe","quotes":["*"],"trades":["*"]}')
            client.transport.pause_reading()
            while not server._clients:
                await asyncio.sleep(0.01)
            while server._clients:  # gone, though nothing was read
                await asyncio.sleep(0.01)
            client.transport.abort()

    run(work())


def test_a_half_open_connection_answers_nothing():
    async def work() -> None:
        async with Running(["polygon"], "half_open polygon at=300ms for=1h") as server:
            client = await login(server.urls["polygon"])
            with pytest.raises(TimeoutError):
                await read(client, 1)
            pong = await client.ping()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(pong), 0.3)
            client.transport.abort()

    run(work())


class Listener(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.datagrams: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.datagrams.put_nowait(data)


def test_datagrams_go_to_who_listens():
    async def work() -> None:
        running = Running(["iex"])
        async with running as server:
            host, port = server.urls["iex"].removeprefix("udp://").split(":")
            loop = asyncio.get_running_loop()
            for connections in (1, 2):  # the second finds the session begun anew
                transport, listener = await loop.create_datagram_endpoint(Listener, local_addr=(host, int(port)))
                decoder = Decoder("iex", Instruments())
                first = await listener.datagrams.get()
                assert first[16:32] == (0).to_bytes(8, "little") + (1).to_bytes(8, "little")
                events = len(decoder.receive_bytes(first))
                for _ in range(10):
                    events += len(decoder.receive_bytes(await listener.datagrams.get()))
                assert events > 10
                assert decoder.counts.get("gaps", 0) == 0
                transport.close()
                while server._senders[0].connection is not None:
                    await asyncio.sleep(0.01)
                assert len(running.simulator.truth.connections("iex")) == connections

    run(work())


def test_a_port_that_is_taken_is_one_clear_error():
    async def work() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = SocketServer(Simulator(Market(duration="1s"), ["iex", "polygon"]), {"polygon": port})
            with pytest.raises(ConfigError, match=f"polygon: port {port} cannot be had"):
                await server.open()

    run(work())
