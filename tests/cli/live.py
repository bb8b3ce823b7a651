"""A provider on loopback in a thread of its own, for commands that run a loop themselves."""

from __future__ import annotations

import asyncio
import json
import threading
from types import TracebackType
from typing import Any, Self

import pytest
from click.testing import CliRunner, Result

from engine.cli import main
from tests.loopback import Loopback


class Served:
    """``with Served(...)`` quotes and prints AAPL all the time, and knows no other symbol."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.url = ""

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with Loopback(**self._options) as polygon:
            self.url = polygon.url
            self._ready.set()
            while not self._stop.is_set():
                if "AAPL" in polygon.symbols:
                    await polygon.quote("AAPL", 10.0 + polygon.sent % 7 / 100, 10.5)
                    await polygon.trade("AAPL", 10.25)
                await asyncio.sleep(0.005)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


def invoke(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str, key: str | None = "hush") -> Result:
    """Runs ``engine`` with the key and the address in the environment."""
    for name in ("POLYGON_API_KEY", "MASSIVE_API_KEY", "TICKFORGE_POLYGON_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TICKFORGE_POLYGON_URL", url)
    if key is not None:
        monkeypatch.setenv("TICKFORGE_POLYGON_KEY", key)
    result = CliRunner().invoke(main, arguments)
    assert "hush" not in result.output
    return result


def documents(result: Result) -> list[dict[str, Any]]:
    """The JSON documents on stdout, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]
