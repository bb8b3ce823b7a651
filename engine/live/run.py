"""One coroutine, live: `run` owns the loop, the market and the engine around it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, TypeVar

from engine.core.config import Config
from engine.feeds.runner import new_event_loop
from engine.live.engine import Engine
from engine.market import MarketData

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.core.trading import Intent, Refusal

__all__ = ["run"]

Result = TypeVar("Result")


def run(
    bot: Callable[[MarketData, Engine], Awaitable[Result]],
    config: Config | None = None,
    *,
    check: Callable[[Intent], Refusal | None] | None = None,
) -> Result | None:
    """Runs ``await bot(market, trading)`` on a loop of its own, uvloop where it is installed.

    Ctrl-C and SIGTERM cancel the coroutine; open orders are cancelled, everything is closed, and None is returned.
    SIGUSR1 throws the kill switch.

    Args:
        bot: opens nothing itself.
        config: providers, brokers, journal and limits; ``Config.from_env()`` without it.
        check: your own, last in the gate.

    Raises:
        ConfigError: a setting is wrong.
        StorageError: the journal cannot be opened.
    """
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_main(bot, Config.from_env() if config is None else config, check))
    return None


async def _main(
    bot: Callable[[MarketData, Engine], Awaitable[Result]],
    config: Config,
    check: Callable[[Intent], Refusal | None] | None,
) -> Result | None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    engines: list[Engine] = []
    halted = []

    def halt() -> None:
        halted.append(True)
        for trading in engines:
            trading.halt("SIGUSR1")

    loop.add_signal_handler(signal.SIGUSR1, halt)  # from the start to the end: both would kill the process else
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        async with MarketData(config) as market, Engine(market, config, check=check) as trading:
            engines.append(trading)
            if halted:
                trading.halt("SIGUSR1")
            return await bot(market, trading)
    except asyncio.CancelledError:
        return None
    finally:
        for number in (signal.SIGTERM, signal.SIGUSR1):
            loop.remove_signal_handler(number)
