"""``engine order``: works one order, against the paper broker, on live or made-up data."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from engine.cli.live import run, settings, subscribe
from engine.cli.output import figures, show, write_json
from engine.core.calendar import session_at
from engine.core.instruments import Instruments
from engine.core.units import NANOS, duration_ns
from engine.errors import ConfigError, Refused
from engine.live import Engine
from engine.market import MarketData
from engine.risk.limits import Limits
from engine.sim import loop as virtual
from engine.sim.pace import play
from engine.sim.world import OPEN, World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core.config import Config, Provider
    from engine.execution.planner import Algo
    from engine.live import Order, Update

__all__ = ["command"]

_RATE: Final = 200  #: acts a second of the made-up market
_SLACK: Final = 60 * NANOS  #: of the made-up market's length, beyond the order's
_WARM_NS: Final = 2 * NANOS  #: the made-up market runs this long before the order comes


@click.command()
@click.argument("symbol")
@click.argument("side", type=click.Choice(["buy", "sell"]))
@click.argument("quantity")
@click.option(
    "--algo",
    type=click.Choice(["limit", "immediate", "twap"]),
    default="immediate",
    show_default=True,
    help="limit: rests at --limit. immediate: takes what the book shows, within a collar. twap: even slices over time.",
)
@click.option("--limit", metavar="PRICE", help="Worst price; of limit, the price.")
@click.option("--duration", metavar="TIME", help='How long, such as "15m": of twap; limit is cancelled then.')
@click.option("--start", metavar="TIME", help='When twap begins, such as "09:45" in New York; else at once.')
@click.option("--end", metavar="TIME", help="When twap ends, instead of --duration.")
@click.option("--slices", type=click.IntRange(1), default=10, show_default=True, help="Of twap.")
@click.option("--jitter", metavar="TIME", default="10s", show_default=True, help="Of twap: chance in a slice's time.")
@click.option("--tif", type=click.Choice(["day", "gtc", "ioc", "fok"]), help="Of limit (day) and immediate (ioc).")
@click.option("--post-only", is_flag=True, help="Of limit: never take.")
@click.option("--providers", metavar="NAMES", help="Live data, such as polygon,alpaca-sip; else a made-up market.")
@click.option("--config", type=click.Path(), metavar="FILE", help="A TOML file with providers: live data, too.")
@click.option(
    "--speed",
    type=click.Choice(["1", "max"]),
    default="1",
    show_default=True,
    help="Of the made-up market: as time passes, or in virtual time, as fast as it can be computed.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of the made-up market and the algorithm's chance.")
@click.option("--journal", type=click.Path(dir_okay=False), metavar="FILE", help="Keep what happens there.")
@click.option("--key", help="With --journal: the same key is the same order, also after a restart.")
@click.option("--anytime", is_flag=True, help="Trade outside regular hours, too.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=10.0, metavar="S", help="To wait for data.")
@click.option("--verbose", "-v", is_flag=True, help="Log what happens, on stderr.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(**given: Any) -> None:
    """Work an order to buy or sell QUANTITY of SYMBOL against the paper broker.

    Nothing leaves this computer: the paper broker fills against the market data as engine.brokers.paper says. Data is a
    made-up market, or live with --providers or --config. Ctrl-C cancels the order and shows what was done. Exit code 1:
    not all of it was filled; 2: it was refused.

    \b
    Example: engine order AAPL buy 1000 --algo twap --duration 15m --slices 5
             engine order AAPL buy 1000 --algo twap --duration 6h --speed max --json
             engine order AAPL sell 100 --providers alpaca --algo immediate
    """
    work = _Work(given)
    try:
        work.run()
    except Refused as error:
        raise ConfigError(f"refused: {error}") from None
    work.report()
    if work.filled < work.quantity:
        raise SystemExit(1)


class _Work:
    """One order and what became of it."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._seed = secrets.randbits(31) if given["seed"] is None else given["seed"]
        self._live = given["providers"] is not None or given["config"] is not None
        self._symbol: str = given["symbol"]
        self._side: Literal["buy", "sell"] = given["side"]
        self._fills: list[dict[str, Any]] = []
        self._order: dict[str, Any] = {}
        self._started = 0
        self._ended = 0
        self._algo = self._made()
        if given["key"] is not None and given["journal"] is None:
            raise click.UsageError("--key needs --journal: without one, nothing is remembered")
        if self._live and given["speed"] == "max":
            raise click.UsageError("--speed max is for the made-up market; live data comes when it comes")

    @property
    def filled(self) -> float:
        """Of the order."""
        return float(self._order.get("cumulative", 0))

    @property
    def quantity(self) -> float:
        """Of the order."""
        return float(self._order.get("quantity", 1))

    def _made(self) -> Algo:
        """The algorithm that was asked for."""
        from engine.execution.algos.immediate import Immediate
        from engine.execution.algos.limit import Limit
        from engine.execution.algos.twap import TWAP

        given = self._given
        try:
            if given["algo"] == "twap":
                if given["duration"] is None and given["end"] is None:
                    raise click.UsageError("twap needs --duration or --end")
                return TWAP(
                    start=given["start"],
                    end=given["end"],
                    duration=given["duration"],
                    slices=given["slices"],
                    jitter=given["jitter"],
                    limit=given["limit"],
                )
            if given["algo"] == "limit":
                if given["limit"] is None:
                    raise click.UsageError("limit needs --limit")
                return Limit(given["limit"], tif=given["tif"] or "day", post_only=given["post_only"])
            return Immediate(limit=given["limit"], tif=given["tif"] or "ioc")
        except ValueError as error:
            raise ConfigError(str(error)) from None

    # ---- running

    def run(self) -> None:
        """To the end, or to Ctrl-C."""
        logging.getLogger("engine").setLevel(logging.INFO if self._given["verbose"] else logging.ERROR)
        if self._live:
            found, chosen, _ = settings(
                [self._symbol], self._given["providers"], self._given["config"], verbose=self._given["verbose"]
            )
            run(self._on_live_data(found, chosen))
        elif self._given["speed"] == "max":
            virtual.run(self._on_made_up_data(OPEN), start=OPEN)
        else:
            run(self._on_made_up_data(time.time_ns()))

    async def _on_live_data(self, config: Config, providers: list[Provider]) -> None:
        async with MarketData(config, providers) as market:
            await subscribe(market, [self._symbol], self._given["timeout"])
            await self._trade(market, Limits(session=not self._given["anytime"]))

    async def _on_made_up_data(self, start: int) -> None:
        loop = asyncio.get_running_loop()
        clock: Callable[[], int] = loop.clock if isinstance(loop, virtual.VirtualLoop) else time.time_ns
        length = self._length(start)
        try:
            instruments = Instruments([self._symbol])
        except ValueError as error:
            raise ConfigError(str(error)) from None
        world = World([self._symbol], self._seed, f"{length}ns", start=start, rate=_RATE, interval="100ms")
        async with MarketData([], instruments=instruments, clock=clock) as market:
            task = asyncio.ensure_future(play(world, market.push, [0], clock))
            try:
                await asyncio.sleep(_WARM_NS / NANOS)
                await self._trade(market, Limits(session=False))
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def _length(self, start: int) -> int:
        """Of the made-up market: a day at most."""
        if self._given["end"] is not None:
            return session_at(start).close - start
        wanted = 3_600 * NANOS if self._given["duration"] is None else duration_ns(self._given["duration"], "duration")
        return wanted + _WARM_NS + _SLACK

    async def _trade(self, market: MarketData, limits: Limits) -> None:
        journal = self._given["journal"]
        async with Engine(market, "paper", journal=journal, limits=limits, seed=self._seed) as trading:
            try:
                order = trading.submit(
                    self._symbol, self._side, self._given["quantity"], self._algo, key=self._given["key"]
                )
            except ValueError as error:
                raise ConfigError(str(error)) from None
            self._started = market.now()
            trading.on_update(self._heard)
            try:
                await order
                async with asyncio.timeout(self._patience()):
                    await order.done()
            except TimeoutError:
                order.cancel()
                await order.done()
            except asyncio.CancelledError:  # Ctrl-C: leaving cancels the order and waits for that
                await trading.close()
                raise
            finally:
                self._ended = market.now()
                self._order = order.to_dict()

    def _patience(self) -> float | None:
        duration = self._given["duration"]
        if self._given["algo"] != "limit" or duration is None:
            return None
        return duration_ns(duration, "duration") / NANOS

    def _heard(self, updates: Sequence[Update]) -> None:
        for update in updates:
            fill = update.fill
            if fill is None:
                continue
            self._fills.append(
                {
                    "ts": fill.ts_event,
                    "quantity": str(fill.quantity),
                    "price": str(fill.price),
                    "fee": str(fill.fee),
                    "order": update.order,
                    "broker": fill.broker,
                }
            )
            if not self._given["as_json"] and sys.stdout.isatty():
                order: Order = update.parent
                click.echo(f"{fill.quantity:>10} at {fill.price}, {order.cumulative} of {order.quantity} done")

    # ---- what came of it

    def report(self) -> None:
        """On stdout."""
        took = (self._ended - self._started) / NANOS
        if self._given["as_json"]:
            source = "live" if self._live else "made-up"
            document = {"order": self._order, "fills": self._fills, "seconds": took, "data": source, "broker": "paper"}
            write_json(document | {"seed": self._seed})
            return
        names = ("symbol", "side", "quantity", "cumulative", "average_price", "fees", "state", "children")
        shown = {name: self._order.get(name) for name in names} | {"fills": len(self._fills), "seconds": round(took, 3)}
        if self._order.get("reason"):
            shown["reason"] = self._order["reason"]
        show(figures("Order", shown))
