"""`engine.run` on a real loop, with the paper broker and nobody's data."""

import asyncio
import os
import signal

import pytest

from engine import Config, Provider
from engine.core.broker_config import Broker, Trading
from engine.errors import ConfigError, Refused
from engine.execution.algos.limit import Limit
from engine.live.run import run

NOBODY = Provider("polygon", url="ws://127.0.0.1:1", key="k")  # refuses every connection
CONFIG = Config((NOBODY,), brokers=(Broker("paper", latency="1ms"),), trading=Trading(limits={"session": False}))


def test_it_owns_the_loop_and_returns_what_the_coroutine_does():
    async def bot(market, trading):
        market.instruments.add("AAPL")
        order = trading.submit("AAPL", "buy", 1, Limit(1))
        await order
        return order

    order = run(bot, CONFIG)
    assert order.state == "cancelled"  # leaving cancels


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(number):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    ended = []

    async def bot(market, trading):
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), number)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    assert run(bot, CONFIG) is None
    assert ended == [number]


def test_a_signal_halts():
    async def bot(market, trading):
        market.instruments.add("AAPL")
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.sleep(0.05)
        with pytest.raises(Refused, match="SIGUSR1"):
            await trading.submit("AAPL", "buy", 1, Limit(1))
        return trading.health()["halted"]

    assert run(bot, CONFIG) == "SIGUSR1 (user)"


def test_a_wrong_limit_is_a_configuration_error():
    with pytest.raises(ConfigError, match="limits: limit 'colour' is not known"):
        run(lambda market, trading: None, Config((NOBODY,), trading=Trading(limits={"colour": 1})))
