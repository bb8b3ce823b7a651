"""``engine sim``: simulated providers on loopback, for testing one's own programs."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Any

import click

from engine.core.config import no_provider
from engine.errors import ConfigError
from engine.sim.market import SYMBOLS, Market
from engine.sim.simulation import RATE, Simulation
from engine.sim.simulator import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["command"]


@click.group(name="sim")
def command() -> None:
    """Simulated providers on loopback that speak the real wire protocols."""


@command.command()
@click.argument("name", metavar="PROVIDER")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, show_default=True, help="0 takes a free one; IEX: sends to it."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="The same seed, the same."
)
@click.option("--tape", type=click.Path(exists=True, dir_okay=False), help="Plays a recorded tape instead of a seed.")
@click.option("--faults", "spec", default="", help='Such as "mute polygon at=2s for=1s"; several with ";" between.')
@click.option("--symbols", default=",".join(SYMBOLS), show_default=True, help="With commas between.")
@click.option("--feed", default=None, help="Alpaca: iex, sip, test. IEX: deep, tops.")
@click.option(
    "--rate", type=click.IntRange(1, 100_000), default=RATE, show_default=True, help="Acts a second and symbol."
)
@click.option("--truth", type=click.Path(dir_okay=False), help="Writes what stood behind each frame, as JSON lines.")
@click.option("--key", default=None, help="The only key that is accepted; any by default.")
@click.option(
    "--json", "as_json", is_flag=True, help="As every command has it; the first line is JSON with or without."
)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=None, help="Ends by itself after that.")
def provider(
    name: str,
    port: int,
    seed: int,
    tape: str | None,
    spec: str,
    symbols: str,
    feed: str | None,
    rate: int,
    truth: str | None,
    key: str | None,
    as_json: bool,
    seconds: float | None,
) -> None:
    """Serve PROVIDER (polygon, alpaca, finnhub or iex) until Ctrl-C.

    The first line on stdout is a JSON object with the "url" to connect to, and "rest_url" where there is one. Faults
    name the line as the provider, or with its feed as in "alpaca-sip".

    \b
    Example: engine sim provider alpaca --feed sip --port 9001 --faults "lag alpaca-sip at=5s for=2s by=300ms"
    """
    if name not in PROVIDERS:
        raise no_provider(name, PROVIDERS)
    line = f"{name}-{feed}" if feed else name
    feeds = {"alpaca": ("iex", "sip", "delayed_sip", "test"), "iex": ("deep", "tops")}.get(name, ())
    if feed and feed not in feeds:
        raise ConfigError(f"--feed is {feed!r}; expected {'one of ' + ', '.join(feeds) if feeds else 'none'}")
    names = [symbol.strip() for symbol in symbols.split(",") if symbol.strip()]
    options: dict[str, dict[str, Any]] = {line: {"key": key}} if key is not None else {}
    if tape is not None:
        recorded = _Tape(tape)
        make = lambda start: Market(recorded.symbols, seed, start=start, source=iter(recorded))  # noqa: E731
    else:
        make = lambda start: Market(names, seed, start=start, rate=rate)  # noqa: E731
    try:
        simulation = Simulation(
            make, [line], spec, seed=seed, ports={line: port}, options=options, log=False, truth_file=truth
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    asyncio.run(_serve(simulation, line, seconds))


async def _serve(simulation: Simulation, line: str, seconds: float | None) -> None:
    """Until the time is over or somebody ends it; ending it is no error."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with simulation:
        first = {"provider": line, "url": simulation.urls[line]}
        if line in simulation.rest_urls:
            first["rest_url"] = simulation.rest_urls[line]
        click.echo(json.dumps(first))
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            return


class _Tape:
    """Batches of a recorded tape."""

    def __init__(self, path: str) -> None:
        from engine.replay import replay

        self._tape = replay(path)
        self.symbols = list(self._tape.instruments.symbols)
        if not self.symbols:
            raise ConfigError(f"{path} names no instruments; expected a tape with some")

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return iter(self._tape)
