"""A stream waits, wakes, ends, and is forgotten when nobody holds it."""

from __future__ import annotations

import asyncio
import gc

import pytest

from engine.feeds.stream import Stream


def filled(items: list[int], forgotten: list[str]) -> Stream[int]:
    stream: Stream[int] = Stream()
    stream.attach(lambda: items.pop(0) if items else None, lambda: forgotten.append("x"))
    return stream


def test_items_come_in_order_and_end() -> None:
    async def main() -> None:
        items, forgotten = [1, 2], list[str]()
        stream = filled(items, forgotten)
        wake = stream.waker()
        assert [await anext(stream), await anext(stream)] == [1, 2]
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        wake()
        await asyncio.sleep(0)
        assert not waiting.done()  # woken for nothing
        items.append(3)
        wake()
        wake()
        assert await waiting == 3
        items.append(4)
        stream.end()
        assert forgotten == ["x"]
        assert [item async for item in stream] == [4]
        await stream.aclose()
        assert forgotten == ["x"]

    asyncio.run(main())


def test_one_reader_at_a_time_and_cancelling_is_harmless() -> None:
    async def main() -> None:
        items = list[int]()
        stream = filled(items, [])
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one reader at a time"):
            await anext(stream)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        items.append(1)
        assert await anext(stream) == 1

    asyncio.run(main())


def test_what_nobody_holds_is_forgotten() -> None:
    forgotten = list[str]()
    wake = filled([], forgotten).waker()
    gc.collect()
    assert forgotten == ["x"]
    wake()
