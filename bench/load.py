"""A load generator in a process of its own: WebSocket servers that log clients in and then send pre-encoded frames.

Started as ``python -m bench.load --lines polygon,alpaca-sip --symbols 250 --rate 10000``; the first line on stdout is a
JSON object with the URL of each line. A line on stdin starts the sending. ``--rate`` is frames a second over all lines,
0 for as fast as the clients read. Every frame is sent once, so stamps and sequence numbers never run backwards. A frame
holds one quote (Finnhub: one trade) unless ``--quotes`` says more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from typing import Any

import websockets.asyncio.server as ws

from bench.frames import encoded, frame_texts, stamped, symbols_of

WELCOME = {
    "polygon": ['[{"ev":"status","status":"connected","message":"Connected Successfully"}]'],
    "alpaca": ['[{"T":"success","msg":"connected"}]'],
    "finnhub": [],
}


class Line:
    """One provider's server."""

    def __init__(self, name: str, symbols: list[str]) -> None:
        self.name = name
        self.provider = name.partition("-")[0]
        self.symbols = symbols
        self.transport: Any = None
        self.ready = asyncio.Event()
        self.sent = 0

    async def serve(self, connection: ws.ServerConnection) -> None:
        for text in WELCOME[self.provider]:
            await connection.send(text)
        wanted: set[str] = set()
        async for message in connection:
            request = json.loads(message)
            await getattr(self, f"_{self.provider}")(connection, request, wanted)

    async def _polygon(self, connection: ws.ServerConnection, request: dict[str, str], wanted: set[str]) -> None:
        if request["action"] == "auth":
            await connection.send('[{"ev":"status","status":"auth_success","message":"authenticated"}]')
            return
        pairs = [pair.strip() for pair in request["params"].split(",")]
        acks = [{"ev": "status", "status": "success", "message": f"subscribed to: {pair}"} for pair in pairs]
        await connection.send(json.dumps(acks))
        wanted.update(pair.partition(".")[2] for pair in pairs)
        self._check(connection, wanted)

    async def _alpaca(self, connection: ws.ServerConnection, request: dict[str, Any], wanted: set[str]) -> None:
        if request["action"] == "auth":
            await connection.send('[{"T":"success","msg":"authenticated"}]')
            return
        wanted.update(request.get("quotes", []))
        names = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances")
        answer: dict[str, Any] = {"T": "subscription"} | {name: request.get(name, []) for name in names}
        answer["quotes"] = sorted(wanted)
        await connection.send(json.dumps([answer]))
        self._check(connection, wanted)

    async def _finnhub(self, connection: ws.ServerConnection, request: dict[str, str], wanted: set[str]) -> None:
        wanted.add(request["symbol"])
        self._check(connection, wanted)

    def _check(self, connection: ws.ServerConnection, wanted: set[str]) -> None:
        if len(wanted & set(self.symbols)) == len(self.symbols):
            self.transport = connection.transport
            self.ready.set()

    async def blast(self, frames: list[bytes], rate: float, *, stamp: bool) -> None:
        """Sends every frame; bounded by what the client takes, and by ``rate`` (0: by nothing else)."""
        await self.ready.wait()
        write, get_size = self.transport.write, self.transport.get_write_buffer_size
        start = time.perf_counter()
        chunk = 64 if not rate else max(1, min(64, int(rate / 20_000)))
        while self.sent < len(frames):
            if rate and self.sent > (time.perf_counter() - start) * rate:
                await asyncio.sleep(0)
            elif get_size() > 1 << 20:
                await asyncio.sleep(0.0005)
            else:
                part = frames[self.sent : self.sent + chunk]
                write(b"".join(part if not stamp else [stamped(frame) for frame in part]))
                self.sent += len(part)
                await asyncio.sleep(0)
        while get_size():
            await asyncio.sleep(0.001)


async def run(arguments: argparse.Namespace) -> None:
    symbols = symbols_of(arguments.symbols)
    lines = [Line(name, symbols) for name in arguments.lines.split(",")]
    draw = random.Random(arguments.seed)
    frames = [
        [encoded(text) for text in frame_texts(line.name, symbols, arguments.frames, arguments.quotes, draw)]
        for line in lines
    ]
    servers = [await ws.serve(line.serve, "127.0.0.1", 0, compression=None, ping_interval=None) for line in lines]
    urls = {
        line.name: f"ws://127.0.0.1:{s.sockets[0].getsockname()[1]}" for line, s in zip(lines, servers, strict=True)
    }
    print(json.dumps(urls), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    rate = arguments.rate / len(lines)
    await asyncio.gather(
        *(line.blast(these, rate, stamp=arguments.stamp) for line, these in zip(lines, frames, strict=True))
    )
    print(json.dumps({line.name: line.sent for line in lines}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for server in servers:
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", default="polygon,alpaca-sip,alpaca-iex,finnhub")
    parser.add_argument("--symbols", type=int, default=250)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--frames", type=int, default=100_000, help="a line")
    parser.add_argument("--quotes", type=int, default=1)
    parser.add_argument(
        "--stamp", action="store_true", help="Alpaca frames of one: their time is when they are written"
    )
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
