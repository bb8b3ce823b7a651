"""Virtual time: asyncio's own tools run unchanged and at once, in one order."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.units import NANOS
from engine.errors import InternalError
from engine.sim.loop import SPINS_MAX, VirtualLoop, run

START = 1_767_623_400 * NANOS


def now() -> int:
    return asyncio.get_running_loop().clock()


def test_a_sleep_takes_its_time_and_no_other():
    async def main():
        await asyncio.sleep(23_400)
        await asyncio.sleep(0.000_000_001)
        return now() - START, asyncio.get_running_loop().time()

    assert run(main(), start=START) == (23_400 * NANOS + 1, 23_400.000000001)


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=50))
def test_timers_fire_at_their_nanosecond_in_the_order_of_time_then_making(dues):
    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        for place, due in enumerate(dues):
            if place % 2:
                loop.call_at_clock(START + due, lambda place=place: seen.append((now() - START, place)))
            else:
                loop.call_later(due / NANOS, lambda place=place: seen.append((now() - START, place)))
        await asyncio.sleep(10**15 / NANOS)

    run(main(), start=START)
    assert seen == sorted((due, place) for place, due in enumerate(dues))


def test_timeouts_locks_queues_and_groups_run_unchanged():
    log = []

    async def worker(name, lock, queue):
        async with lock:
            await asyncio.sleep(1)
            await queue.put((name, now()))

    async def main():
        lock, queue = asyncio.Lock(), asyncio.Queue(maxsize=1)
        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(worker(name, lock, queue))
            log.extend([await queue.get() for _ in range(3)])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.25):
                await asyncio.Event().wait()
        assert await asyncio.wait_for(asyncio.sleep(5, "done"), 6) == "done"
        return now()

    assert run(main()) == 8_250_000_000
    assert log == [("a", NANOS), ("b", 2 * NANOS), ("c", 3 * NANOS)]


def test_what_a_timer_makes_ready_runs_before_time_goes_on():
    seen = []

    async def main():
        loop = asyncio.get_running_loop()

        def first():
            loop.call_soon(lambda: seen.append(("soon", now())))
            loop.call_later(0, lambda: seen.append(("zero", now())))
            loop.call_at(0.5, lambda: seen.append(("late", now())))  # past: at once, and time never goes back

        loop.call_later(1, first)
        loop.call_later(1.000_000_001, lambda: seen.append(("next", now())))
        await asyncio.sleep(2)

    run(main())
    assert sorted(seen[:3]) == [("late", NANOS), ("soon", NANOS), ("zero", NANOS)]
    assert seen[3] == ("next", NANOS + 1)


def test_cancelled_timers_neither_fire_nor_stay():
    loop = VirtualLoop()

    async def main():
        for _ in range(10_000):
            loop.call_later(3_600, pytest.fail).cancel()
        assert len(loop._timers) <= 101
        await asyncio.sleep(7_200)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_a_deadlock_is_an_error_that_names_who_waits():
    async def main():
        asyncio.current_task().set_name("bot")
        asyncio.get_running_loop().call_later(math.inf, pytest.fail)
        await asyncio.sleep(1)
        await asyncio.Event().wait()

    with pytest.raises(InternalError, match=rf"deadlock in virtual time at {START + NANOS}: .*these tasks wait: bot"):
        run(main(), start=START)


def test_polling_is_an_error():
    async def main():
        while True:
            await asyncio.sleep(0)

    with pytest.raises(InternalError, match=f"{SPINS_MAX} iterations at the instant 5 of virtual time"):
        run(main(), start=5)


def test_executors_run_inline_and_hand_on_what_is_raised():
    async def main():
        assert await asyncio.to_thread(lambda: 41 + 1) == 42
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        return now()

    assert run(main()) == 0


def test_the_world_outside_is_refused_by_name():
    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(NotImplementedError, match=r"create_server\(\) on a loop in virtual time"):
            await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        with pytest.raises(NotImplementedError, match="add_reader"):
            loop.add_reader(0, print)
        with pytest.raises(NotImplementedError, match="create_connection"):
            await asyncio.open_connection("localhost", 1)
        with pytest.raises(ValueError, match="when is nan"):
            loop.call_later(math.nan, print)

    run(main())


def test_what_is_left_is_cancelled_and_generators_are_closed():
    log = []

    async def background():
        try:
            await asyncio.sleep(math.inf)
        finally:
            await asyncio.sleep(1)  # cleaning up may take time, too
            log.append(now())

    async def ticks():
        try:
            while True:
                yield now()
                await asyncio.sleep(1)
        finally:
            log.append("closed")

    async def main():
        task = asyncio.create_task(background())
        async for ts in ticks():
            if ts == 3 * NANOS:
                break
        assert not task.done()

    run(main())
    assert log == ["closed", 4 * NANOS] or log == [4 * NANOS, "closed"]


def test_a_closed_loop_takes_no_timers_and_an_exception_of_a_callback_stops_nothing():
    loop = VirtualLoop()
    reports = []
    loop.set_exception_handler(lambda _, context: reports.append(context["exception"]))
    loop.call_later(1, lambda: 1 // 0)
    loop.call_later(2, loop.stop)
    loop.run_forever()
    assert [type(error) for error in reports] == [ZeroDivisionError]
    assert loop.clock() == 2 * NANOS
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1, print)
