"""``engine record``: live market data into a folder: the tape of what was composed, and everything that came in."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from engine.cli.live import complaints, run, settings, source_options, subscribe
from engine.cli.output import figures, show, write_json
from engine.market import MarketData
from engine.replay import replay
from engine.storage.session import RAW, TAPE

if TYPE_CHECKING:
    from engine.core.config import Config, Provider

__all__ = ["command"]


@click.command()
@source_options
@click.option(
    "--out", required=True, type=click.Path(file_okay=False), metavar="DIR", help="A folder without recording."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout at the end.")
def command(
    symbols: tuple[str, ...],
    providers: str | None,
    config: str | None,
    seconds: float | None,
    timeout: float,
    verbose: bool,
    out: str,
    as_json: bool,
) -> None:
    """Record SYMBOLS from all providers until Ctrl-C.

    DIR gets tape.arrow, the composed events (engine replay tape DIR/tape.arrow), and raw.log, every input with its
    time: engine replay raw DIR runs the session again. Both can be read up to their end while they are written, and
    after a crash.

    \b
    Example: engine record AAPL MSFT --providers polygon,alpaca --out today
    """
    found, chosen, wanted = settings(symbols, providers, config, verbose=verbose)
    run(_record(found, chosen, wanted, timeout, seconds, out))
    if not os.path.exists(os.path.join(out, TAPE)):
        return
    document = _summary(out)
    if as_json:
        write_json(document)
    else:
        show(figures("Recorded", document))


async def _record(
    config: Config, providers: list[Provider], symbols: list[str], timeout: float, seconds: float | None, out: str
) -> None:
    async with MarketData(config, providers, record=out) as market:
        for symbol in await subscribe(market, symbols, timeout):
            click.echo(f"engine: no data of {symbol} yet: no such symbol there, or a closed market", err=True)
        if text := complaints(market):
            click.echo(f"engine: {text}", err=True)
        try:
            async with asyncio.timeout(seconds):
                await _progress(market)
        except TimeoutError:
            if seconds is None:
                raise


async def _progress(market: MarketData) -> None:
    """Tells how it goes, on a terminal; for ever."""
    while True:
        await asyncio.sleep(1.0)
        if sys.stderr.isatty():
            states = ", ".join(f"{name} {report['state']}" for name, report in market.health().items())
            click.echo(f"\r\x1b[K{market.stats()['frames']:,} frames; {states}", nl=False, err=True)


def _summary(out: str) -> dict[str, Any]:
    tape = replay(os.path.join(out, TAPE))
    kinds = tape.kinds
    return {
        "folder": out,
        "events": sum(kinds.values()),
        **{kind.lower(): count for kind, count in kinds.items()},
        "symbols": len(tape.instruments),
        "tape_bytes": os.path.getsize(os.path.join(out, TAPE)),
        "raw_bytes": os.path.getsize(os.path.join(out, RAW)),
        "torn": tape.torn,
    }
