import asyncio
from types import SimpleNamespace

import pytest

from engine.core import trading
from engine.core.trading import OrderState
from engine.errors import Lagged
from engine.live.news import KEPT, Update, UpdateLog, public_fill


def update(sequence, parent=1, state=OrderState.NEW):
    return Update("", SimpleNamespace(id=parent), state, None, "", sequence, 0)


def always(one):
    return True


def never(one):
    return False


def test_a_reader_gets_everything_in_order_also_what_was_there_before():
    async def main():
        log = UpdateLog()
        log.add(update(1))
        stream = log.stream(0, always, lambda one: one.state is OrderState.FILLED)
        read = asyncio.ensure_future(_all(stream))
        await asyncio.sleep(0)
        log.add(update(2))
        log.add(update(3, state=OrderState.FILLED))
        log.add(update(4))
        log.wake()
        return [one.sequence for one in await read]

    assert asyncio.run(main()) == [1, 2, 3]


async def _all(stream):
    return [one async for one in stream]


def test_readers_end_with_the_log_after_what_is_left():
    async def main():
        log = UpdateLog()
        stream = log.stream(0, lambda one: one.parent.id == 2, never)
        for sequence in range(1, 5):
            log.add(update(sequence, parent=sequence % 2 + 1))
        log.end()
        return [one.sequence for one in await _all(stream)]

    assert asyncio.run(main()) == [1, 3]


def test_a_slow_reader_is_told_and_can_go_on():
    async def main():
        log = UpdateLog()
        stream = log.stream(0, always, never)
        log.add(update(1))
        assert (await anext(stream)).sequence == 1
        for sequence in range(2, KEPT + 10):
            log.add(update(sequence))
        with pytest.raises(Lagged) as caught:
            await anext(stream)
        assert (caught.value.sequence, caught.value.read) == (9, 1)
        assert (await anext(stream)).sequence == 10

    asyncio.run(main())


def test_fills_are_told_in_the_numbers_people_use():
    fill = public_fill(trading.Fill(-5_500_000_000, 101_250_000_000, 10_000_000, "x", "sim", 7, inferred=True))
    assert [str(value) for value in fill] == ["-5.5", "101.25", "0.01", "x", "sim", "7", "True"]
    assert public_fill(None) is None
