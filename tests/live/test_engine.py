"""The engine in virtual time, with a simulated broker behind it: what users call, and what they see."""

import asyncio
import errno
import os
from decimal import Decimal

import pytest

from engine import MarketData
from engine.core.orders import Action
from engine.core.trading import OrderState, Refusal
from engine.errors import ConfigError, InternalError, Refused, StorageError
from engine.execution.algos.immediate import Immediate
from engine.execution.algos.limit import Limit
from engine.execution.algos.twap import TWAP
from engine.live import Engine
from engine.risk.limits import Limits
from engine.sim import loop
from engine.storage.journal import Journal
from engine.storage.journal_file import MemoryFile
from engine.trader import replay_journal
from tests.live.desk import OPEN, run, trading


async def quoted(desk):
    """A book of 50 at 101 and 500 at 102 against 300 at 99."""
    desk.rest("sell", 101, 50)
    desk.rest("sell", 102, 500)
    desk.rest("buy", 99, 300)
    await asyncio.sleep(0.1)


def test_an_order_is_there_at_once_and_lives_until_it_is_filled():
    async def scene(desk):
        await quoted(desk)
        async with trading(desk) as engine:
            order = engine.submit("AAPL", "buy", 100, Limit("101"), tag="desk")
            assert (order.state, order.cumulative, order.leaves, order.is_open) == ("pending-new", 0, 100, True)
            assert await order is order
            await asyncio.sleep(1)
            assert (order.state, order.cumulative, order.average_price) == ("partially-filled", 50, 101)
            order.replace(price="102")
            assert await order.done() is order
            assert (order.state, order.cumulative, order.leaves) == (OrderState.FILLED, 100, 0)
            assert order.average_price == Decimal("101.5")
            assert [child.state for child in order.children] == ["filled"]
            await asyncio.sleep(0.1)  # the book without what was bought
            position = engine.position("AAPL")
            assert (position.quantity, position.average_cost, position.unrealised) == (100, Decimal("101.5"), -100)
            assert engine.pnl().total == -100
            assert engine.orders(open=False) == engine.orders(tag="desk") == [order]
            assert engine.orders(open=True) == []
            assert (await engine.done(tag="desk")) == [order]
        return desk.brokers["sim"].account

    account = run(scene)
    assert account.positions == {"AAPL": 100 * 10**9}
    assert account.cash == (1_000_000 - 10_150) * 10**9


def test_arguments_that_are_wrong_raise_at_the_call():
    async def scene(desk):
        await quoted(desk)
        async with trading(desk) as engine:
            for arguments, error, text in [
                (("MSFT", "buy", 1, Limit(1)), KeyError, "MSFT"),
                (("AAPL", "hold", 1, Limit(1)), ValueError, "side is 'hold'"),
                (("AAPL", "buy", "1.5", Limit(1)), ValueError, "quantity is '1.5'; expected a multiple of the lot 1"),
                (("AAPL", "buy", 0, Limit(1)), ValueError, "quantity is 0; expected more than 0"),
                (("AAPL", "buy", 1, Limit("1.005")), ValueError, "price"),
            ]:
                with pytest.raises(error, match=text):
                    engine.submit(*arguments)
            with pytest.raises(ConfigError, match="broker is 'ibkr'; expected some of sim"):
                engine.submit("AAPL", "buy", 1, Limit(1), brokers="ibkr")
            order = engine.submit("AAPL", "buy", 1, Limit(98))
            with pytest.raises(ValueError, match="price and quantity are None"):
                order.replace()
            with pytest.raises(ValueError, match="multiple of the tick"):
                order.replace(price="98.001")
            assert engine.stats()["orders"] == 1
        with pytest.raises(RuntimeError, match="not open"):
            engine.submit("AAPL", "buy", 1, Limit(1))

    run(scene)


def test_a_refusal_is_in_the_order_and_raises_only_when_awaited():
    async def scene(desk):
        await quoted(desk)
        async with trading(desk, limits=Limits(order_notional=1_000)) as engine:
            order = engine.submit("AAPL", "buy", 100, Limit(101))
            with pytest.raises(Refused, match=r"order_notional: 10100, allowed: 1000") as caught:
                await order
            assert (caught.value.limit, caught.value.value, caught.value.bound) == ("order_notional", "10100", "1000")
            assert (order.state, order.is_open) == ("rejected", False)
            assert await order.done() is order

    run(scene)


def test_the_users_check_is_asked_last_about_parents_and_children():
    asked = []

    def check(intent):
        asked.append((intent.parent, bool(intent.client_order_id)))
        return Refusal("desk", "too many", "1") if intent.parent == 2 else None

    async def scene(desk):
        await quoted(desk)
        async with trading(desk, check=check) as engine:
            await engine.submit("AAPL", "buy", 10, Limit(98))
            with pytest.raises(Refused, match="desk: too many"):
                await engine.submit("AAPL", "buy", 10, Limit(98))

    run(scene)
    assert asked == [(1, False), (1, True), (2, False)]


def test_updates_come_in_order_inline_and_as_streams():
    async def scene(desk):
        await quoted(desk)
        inline, stopped = [], []
        async with trading(desk) as engine:
            engine.on_update(inline.extend, tag="a")
            engine.on_update(lambda updates: stopped.append(1 / 0))
            order = engine.submit("AAPL", "buy", 50, Limit(101), tag="a")
            engine.submit("AAPL", "buy", 50, Limit(98), tag="b")
            stream = [update async for update in order.updates()]
            whole = engine.updates(since=0, tag="a")
            again = [await anext(whole) for _ in stream]
            assert engine.stats()["callbacks_stopped"] == 1
        return order, inline, stream, again

    order, inline, stream, again = run(scene)
    assert inline == stream == again
    assert [update.sequence for update in stream] == sorted(update.sequence for update in stream)
    assert stream[-1].state == OrderState.FILLED
    assert not stream[-1].order
    assert all(update.parent is order for update in stream)
    (fill,) = [update.fill for update in stream if update.fill]
    assert (fill.quantity, fill.price, fill.broker) == (50, 101, "sim")


def test_pause_resume_cancel_and_leaving():
    async def scene(desk):
        await quoted(desk)
        async with trading(desk) as engine:
            order = engine.submit("AAPL", "buy", 10, Limit(98))
            await asyncio.sleep(1)
            order.pause()
            await asyncio.sleep(1)
            assert order.is_open
            assert [child.leaves for child in order.children] == [0]
            order.resume()
            await asyncio.sleep(1)
            assert [child.leaves for child in order.children] == [0, 10]
            order.cancel()
            await order.done()
            kept = engine.submit("AAPL", "buy", 10, Limit(98))
            await asyncio.sleep(1)
        assert (order.state, kept.state) == ("cancelled", "cancelled")

    run(scene)


def test_on_exit_keep_leaves_orders_at_work():
    async def scene(desk):
        await quoted(desk)
        async with trading(desk, on_exit="keep") as engine:
            await engine.submit("AAPL", "buy", 10, Limit(98))
            await asyncio.sleep(1)
        return [order.leaves for order in desk.brokers["sim"].account.orders.values()]

    assert run(scene) == [10 * 10**9]


def test_after_a_halt_nothing_new_leaves_and_cancels_do():
    async def scene(desk):
        await quoted(desk)
        async with trading(desk) as engine:
            order = engine.submit("AAPL", "buy", 10, Limit(98))
            await asyncio.sleep(1)
            engine.halt("lunch")
            with pytest.raises(Refused, match="lunch"):
                await engine.submit("AAPL", "buy", 10, Limit(98))
            assert "lunch" in engine.health()["halted"]
            order.cancel()
            await order.done()
            engine.resume()
            await engine.submit("AAPL", "buy", 10, Limit(98))

    run(scene)


def test_orders_submitted_in_a_callback_leave_when_it_returns():
    async def scene(desk):
        async with trading(desk) as engine:
            orders = []

            def quote(books):
                if not orders:
                    orders.append(engine.submit("AAPL", "buy", 50, Immediate()))
                    assert orders[0].state == "pending-new"

            desk.market.on_change(quote, "AAPL")
            await quoted(desk)
            await asyncio.sleep(1)
            return orders[0].state, orders[0].cumulative

    assert run(scene) == ("filled", 50)


def test_a_key_is_one_order_also_after_a_restart():
    async def scene(desk):
        await quoted(desk)
        file = MemoryFile()
        async with trading(desk, journal=file, on_exit="keep") as engine:
            order = engine.submit("AAPL", "buy", 60, Limit(101), key="k-1")
            assert engine.submit("AAPL", "buy", 60, Limit(101), key="k-1") is order
            await asyncio.sleep(1)
            assert order.cumulative == 50
        async with trading(desk, journal=MemoryFile(file.content)) as engine:
            (found,) = engine.orders()
            again = engine.submit("AAPL", "buy", 60, Limit(101), key="k-1")
            assert again is found
            assert (found.cumulative, found.leaves, found.state) == (50, 10, "partially-filled")
            assert engine.position("AAPL").quantity == 50
            desk.rest("sell", 101, 10)
            await found.done()
            assert found.state == "filled"
            fresh = engine.submit("AAPL", "buy", 1, Limit(98))
            assert fresh.id == 2
            last = file.content
        return desk.brokers["sim"].account.positions, last

    positions, content = run(scene)
    assert positions == {"AAPL": 60 * 10**9}
    assert replay_journal(Journal.open(MemoryFile(content)).records()).first_difference == ""


def test_a_journal_that_fails_stops_new_orders_and_lets_cancels_pass():
    async def scene(desk):
        await quoted(desk)
        file = MemoryFile()
        async with trading(desk, journal=file) as engine:
            order = await engine.submit("AAPL", "buy", 10, Limit(98))
            await asyncio.sleep(1)
            file.sync_errors = [errno.EIO]
            lost = engine.submit("AAPL", "buy", 20, Limit(98))
            with pytest.raises(StorageError):
                await lost
            await asyncio.sleep(1)
            assert "journal" in engine.health()["halted"]
            with pytest.raises(Refused):
                await engine.submit("AAPL", "buy", 30, Limit(98))
            order.cancel()
            await order.done()
            assert order.state == "cancelled"
        return [(one.quantity, one.leaves) for one in desk.brokers["sim"].account.orders.values()]

    assert run(scene) == [(10 * 10**9, 0)]


def test_the_halt_file_halts_and_survives_a_restart(tmp_path):
    async def scene(desk):
        await quoted(desk)
        path = tmp_path / "desk.journal"
        async with trading(desk, journal=path, durable="os") as engine:
            (tmp_path / "desk.journal.halt").write_text("stop it")
            await asyncio.sleep(0.5)
            assert engine.health()["halted"] == "stop it (file)"
        async with trading(desk, journal=path, durable="os") as engine:
            assert engine.health()["halted"] == "stop it (file)"
            os.remove(tmp_path / "desk.journal.halt")
            await asyncio.sleep(0.5)
            assert engine.health()["halted"] == ""

    run(scene)


def test_settings_that_are_wrong_are_told_at_once():
    async def scene(desk):
        with pytest.raises(ConfigError, match="broker is 'alpaka'; expected one of paper"):
            Engine(desk.market, "alpaka")
        with pytest.raises(ConfigError, match="is there twice"):
            Engine(desk.market, ["paper", "paper"])
        with pytest.raises(ConfigError, match="on_exit is 'stay'"):
            Engine(desk.market, on_exit="stay")
        with pytest.raises(ConfigError, match="durable is 'ram'"):
            Engine(desk.market, durable="ram")

    run(scene)


def test_an_engine_belongs_to_its_process(monkeypatch):
    async def scene(desk):
        async with trading(desk) as engine:
            with monkeypatch.context() as patch:
                patch.setattr(os, "getpid", lambda: 1)
                with pytest.raises(RuntimeError, match="belongs to the process"):
                    engine.cancel_all()

    run(scene)


def test_two_engines_share_a_loop():
    async def scene(desk):
        await quoted(desk)
        other = Engine(desk.market, "paper", seed=2)
        async with trading(desk) as engine, other:
            real = engine.submit("AAPL", "buy", 50, Limit(101))
            paper = other.submit("AAPL", "buy", 70, Limit(102))
            await real.done()
            await paper.done()
            return real.average_price, paper.cumulative, desk.brokers["sim"].account.positions

    price, cumulative, positions = run(scene)
    assert (price, cumulative, positions) == (101, 70, {"AAPL": 50 * 10**9})


def test_a_halt_keeps_back_what_was_decided_in_the_same_step():
    async def scene(desk):
        await quoted(desk)
        for journal in (None, MemoryFile()):
            async with trading(desk, journal=journal) as engine:
                engine.on_update(lambda updates, engine=engine: engine.halt("stop"))
                engine.submit("AAPL", "buy", 10, Limit(101))
                await asyncio.sleep(2)
        return len(desk.brokers["sim"].account.orders)

    assert run(scene) == 0


def test_a_second_order_sees_the_book_of_now():
    async def scene(desk):
        offer = desk.rest("sell", 101, 50)
        desk.rest("buy", 99, 300)
        await asyncio.sleep(0.1)
        async with Engine(desk.market, "paper", seed=1) as engine:
            for side in ("buy", "sell"):
                await engine.submit("AAPL", side, 10, Immediate(collar_bps=500)).done()
            desk.rest("sell", 101, 50, number=offer, action=Action.CANCEL)
            desk.rest("sell", 100, 70)
            await asyncio.sleep(30)
            order = await engine.submit("AAPL", "buy", 10, Immediate()).done()
            return order.state, order.average_price

    assert run(scene) == ("filled", 100)


def test_what_the_journal_cannot_keep_is_refused_at_the_call():
    async def scene(desk):
        await quoted(desk)
        async with trading(desk) as engine:
            with pytest.raises(ValueError, match=r"key is 7; expected text"):
                engine.submit("AAPL", "buy", 1, Limit(98), key=7)
            engine.halt(ValueError("broken"))
            await asyncio.sleep(0.1)
            assert "broken" in engine.health()["halted"]

    run(scene)


def test_a_broken_invariant_stops_new_orders_and_lets_cancels_pass(monkeypatch):
    async def scene(desk):
        await quoted(desk)
        async with trading(desk, journal=MemoryFile()) as engine:
            order = await engine.submit("AAPL", "buy", 10, Limit(98))
            await asyncio.sleep(1)
            step = engine.trader.step

            def broken(inputs, now):
                monkeypatch.setattr(engine.trader, "step", step)
                raise InternalError("the books do not agree")

            monkeypatch.setattr(engine.trader, "step", broken)
            engine.submit("AAPL", "buy", 20, Limit(98))
            await asyncio.sleep(1)
            assert "do not agree" in engine.health()["halted"]
            engine.submit("AAPL", "buy", 30, Limit(98))
            order.cancel()
            await order.done()
        return [one.quantity for one in desk.brokers["sim"].account.orders.values()]

    assert run(scene) == [10 * 10**9]


def test_readers_after_a_restart_get_what_comes_and_waits_after_the_end_are_told():
    async def scene(desk):
        await quoted(desk)
        file = MemoryFile()
        async with trading(desk, journal=file, on_exit="keep") as engine:
            first = await engine.submit("AAPL", "buy", 10, Limit(98))
            await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="closed"):
            await first.done()
        await engine.close()  # once more does nothing
        async with trading(desk, journal=MemoryFile(file.content)) as engine:
            reader = engine.updates()
            (order,) = engine.orders()
            order.cancel()
            update = await anext(reader)
            assert update.parent is order
            assert update.sequence > 2

    run(scene)


def test_a_clock_that_was_set_back_stops_no_timer():
    async def scene(desk):
        await quoted(desk)
        back = [0]
        engine = Engine(desk.market, desk.ends(), seed=1, clock=lambda: desk.clock() - back[0])
        async with engine:
            order = engine.submit("AAPL", "buy", 40, TWAP(duration="20s", slices=2, jitter="0s", style="cross"))
            await asyncio.sleep(1)
            back[0] = 3_600 * 10**9
            await asyncio.sleep(25)
            return order.state, order.cumulative

    assert run(scene) == ("filled", 40)


def test_a_paper_journal_is_opened_before_anything_is_subscribed():
    file = MemoryFile()

    async def before(desk):
        await quoted(desk)
        async with Engine(desk.market, "paper", journal=file, on_exit="keep", seed=1) as engine:
            await engine.submit("AAPL", "buy", 10, Limit(98))
            await asyncio.sleep(1)

    async def main():
        clock = asyncio.get_running_loop().clock
        async with MarketData([], clock=clock) as market, Engine(market, "paper", journal=file, seed=1) as engine:
            return [order.state for order in engine.orders()]

    run(before)
    assert loop.run(main(), start=OPEN + 3_600 * 10**9) == ["new"]
