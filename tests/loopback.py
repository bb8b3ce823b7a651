"""A scripted provider on a socket: speaks as Polygon does, and says what a test says."""

from __future__ import annotations

import asyncio
import contextlib
import json
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from engine.core.config import Provider

TS = 1_767_623_400_000  # ms


class Loopback:
    """``async with Loopback() as polygon``: ``polygon.provider`` is what to give to ``MarketData``."""

    def __init__(self, *, auth: str = "auth_success", acks: bool = True) -> None:
        self.auth, self.acks = auth, acks
        self.symbols: list[str] = []
        self.sent = 0
        self._server: Server | None = None
        self._clients: set[ServerConnection] = set()

    async def __aenter__(self) -> Self:
        self._server = await serve(self._serve, "127.0.0.1", 0, compression=None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def provider(self) -> Provider:
        return Provider("polygon", url=self.url, key="hush")

    async def _serve(self, socket: ServerConnection) -> None:
        self._clients.add(socket)
        try:
            await self._tell(socket, {"ev": "status", "status": "connected", "message": "Connected Successfully"})
            async for text in socket:
                request = json.loads(text)
                if request["action"] == "auth":
                    await self._tell(socket, {"ev": "status", "status": self.auth, "message": self.auth})
                    if self.auth != "auth_success":
                        return
                elif self.acks:
                    verb = request["action"]
                    topics = request["params"].split(",")
                    message = "subscribed to: " if verb == "subscribe" else "unsubscribed to: "
                    await self._tell(
                        socket, *({"ev": "status", "status": "success", "message": message + topic} for topic in topics)
                    )
                    for topic in topics:
                        symbol = topic.partition(".")[2]
                        if verb == "subscribe" and symbol not in self.symbols:
                            self.symbols.append(symbol)
        except ConnectionClosed:
            pass
        finally:
            self._clients.discard(socket)

    async def _tell(self, socket: ServerConnection, *objects: dict[str, Any]) -> None:
        await socket.send(json.dumps(objects))

    async def tell(self, *objects: dict[str, Any]) -> None:
        """One frame to every client."""
        for socket in list(self._clients):
            with contextlib.suppress(ConnectionClosed):
                await self._tell(socket, *objects)

    async def quote(self, symbol: str, bid: float, ask: float) -> None:
        self.sent += 1
        await self.tell(quote(symbol, bid, ask, self.sent))

    async def trade(self, symbol: str, price: float, ts: int = TS) -> None:
        self.sent += 1
        await self.tell(trade(symbol, price, self.sent, ts))

    async def drop(self) -> None:
        """Closes every connection."""
        for socket in list(self._clients):
            await socket.close(1001)


def quote(symbol: str, bid: float, ask: float, number: int) -> dict[str, Any]:
    sizes = {"bs": 100, "as": 200}
    return {"ev": "Q", "sym": symbol, "bx": 12, "bp": bid, "ax": 11, "ap": ask, "t": TS + number, "q": number, **sizes}


def trade(symbol: str, price: float, number: int, ts: int) -> dict[str, Any]:
    return {"ev": "T", "sym": symbol, "x": 12, "i": str(number), "z": 3, "p": price, "s": 10, "t": ts, "q": number}


async def until(done: Any, seconds: float = 10.0) -> None:
    """Waits until ``done()``; TimeoutError if that takes too long."""
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.001)
