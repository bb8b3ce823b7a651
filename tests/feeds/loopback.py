"""A WebSocket server on a free port, and a handler that remembers: for the tests of transports and of the runner."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

TIMEOUT = 20  # seconds: only a test that has failed takes so long


@contextlib.asynccontextmanager
async def server(handle: Callable[[ServerConnection], Awaitable[None]], **keywords: Any) -> AsyncIterator[str]:
    """Serves ``handle`` on loopback; gives the address."""
    keywords = {"ping_interval": None, "close_timeout": 1, **keywords}
    async with serve(handle, "127.0.0.1", 0, **keywords) as found:
        scheme = "wss" if "ssl" in keywords else "ws"
        yield f"{scheme}://127.0.0.1:{next(iter(found.sockets)).getsockname()[1]}/feed"


class Remembers:
    """What a link told, in order: "opened", frames as bytes, "pong", ("closed", code, reason)."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self._changed = asyncio.Event()

    def opened(self) -> None:
        self.tell("opened")

    def frame(self, data: memoryview | bytes, last: bool = False) -> None:
        self.tell(bytes(data))

    def pong(self) -> None:
        self.tell("pong")

    def closed(self, code: int | None, reason: str) -> None:
        self.tell(("closed", code, reason))

    def tell(self, what: Any) -> None:
        self.told.append(what)
        self._changed.set()

    async def until(self, enough: Callable[[list[Any]], bool]) -> list[Any]:
        """Waits until what was told is enough."""
        async with asyncio.timeout(TIMEOUT):
            while not enough(self.told):
                self._changed.clear()
                await self._changed.wait()
        return self.told

    async def until_closed(self) -> Any:
        """Waits for the end; gives it."""
        return (await self.until(lambda told: isinstance(told[-1] if told else None, tuple)))[-1]
