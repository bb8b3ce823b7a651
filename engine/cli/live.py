"""What the commands on live market data share: their options, and getting a market that has data."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.core.config import CREDENTIALS, Config
from engine.core.settings import listed
from engine.errors import ConfigError, VenueError
from engine.feeds.runner import new_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engine.core.config import Provider
    from engine.market import BookView, MarketData

__all__ = ["complaints", "run", "settings", "source_options", "subscribe"]

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def source_options(function: _Function) -> _Function:
    """Where data comes from, how long to wait for it, and how much to tell."""
    for option in (
        click.option("--verbose", "-v", is_flag=True, help="Log what happens on each line, on stderr."),
        click.option(
            "--timeout",
            type=click.FloatRange(0, min_open=True),
            default=10.0,
            show_default=True,
            metavar="S",
            help="Seconds to wait for a connection, and then for data.",
        ),
        click.option(
            "--seconds",
            type=click.FloatRange(0, min_open=True),
            help="Stop so long after data began to come; else on Ctrl-C.",
        ),
        click.option("--config", type=click.Path(), metavar="FILE", help="A TOML file; else the environment alone."),
        click.option(
            "--providers", metavar="NAMES", help="Such as polygon,alpaca-sip; else those of the configuration."
        ),
        click.argument("symbols", nargs=-1),
    ):
        function = option(function)
    return function


def settings(
    symbols: Sequence[str], providers: str | None, config: str | None, *, verbose: bool
) -> tuple[Config, list[Provider], list[str]]:
    """The configuration, the providers and the symbols that a command is about.

    Raises:
        ConfigError: a mistake in the configuration, or nobody to ask.
        click.UsageError: no symbols.
    """
    logging.getLogger("engine").setLevel(logging.INFO if verbose else logging.ERROR)
    found = Config.from_env() if config is None else Config.load(config)
    chosen = list(found.providers) if providers is None else [found.provider(name) for name in listed(providers)]
    if not chosen:
        names = ", ".join(name for name, needs in CREDENTIALS.items() if needs)
        raise ConfigError(f"no provider: give --providers with some of {names}, iex, or set their keys")
    wanted = list(dict.fromkeys(symbols or found.market.symbols))
    if not wanted:
        raise click.UsageError("no symbols; expected such as AAPL")
    return replace(found, market=replace(found.market, symbols=())), chosen, wanted


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs it in the loop of live data; Ctrl-C ends it cleanly and is no failure."""
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main)


async def subscribe(market: MarketData, symbols: Sequence[str], timeout: float) -> list[str]:
    """Subscribes and waits until something came of each symbol; those of which nothing did.

    Raises:
        ConfigError, VenueError: every provider refuses, none can be reached, or nothing came at all.
    """
    try:
        async with asyncio.timeout(timeout):
            await market.subscribe(symbols)
    except TimeoutError:
        raise VenueError(f"no connection within {timeout:g} s: {complaints(market, everything=True)}") from None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    silent = dict.fromkeys(symbols)
    all_there = asyncio.Event()

    def heard(books: Sequence[BookView]) -> None:
        for book in books:
            if book.bbo().ts_recv:
                silent.pop(book.symbol, None)
        if not silent:
            all_there.set()

    handles = [
        market.on_change(heard, symbols),
        market.on_trade(lambda trades: heard_of(market, trades, silent, all_there), symbols),
    ]
    heard([market.book(symbol) for symbol in symbols])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            await all_there.wait()
    for handle in handles:
        handle.cancel()
    if len(silent) == len(symbols):
        lines = ", ".join(market.health())
        names = ", ".join(silent)
        raise VenueError(
            f"no data of {names} from {lines} within {timeout:g} s: no such symbol there, or a closed market"
        )
    return list(silent)


def heard_of(market: MarketData, trades: NDArray[np.void], silent: dict[str, None], all_there: asyncio.Event) -> None:
    """Prints are something, too."""
    for number in set(trades["instrument"].tolist()):
        silent.pop(market.instruments[number].symbol, None)
    if not silent:
        all_there.set()


def complaints(market: MarketData, *, everything: bool = False) -> str:
    """In one line, what is wrong with each line that was refused; of ``everything``, with each that is not live."""
    found = []
    for name, report in market.health().items():
        text = report["error"] or report["reason"] or report["state"]
        if report.get("phase") == "refused" or (everything and report["state"] != "live"):
            found.append(text if text.startswith(name) else f"{name}: {text}")
    return "; ".join(found)
