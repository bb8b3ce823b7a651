"""``engine demo``: a seeded market, served by simulated providers and received by the real adapters, amid faults."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np

from engine.cli.output import figures, new_console, show, write_json
from engine.core.units import NANOS
from engine.execution.algos.twap import TWAP
from engine.live import Engine
from engine.market import MarketData
from engine.risk.limits import Limits
from engine.sim.checker import CheckedLine, Checker
from engine.sim.fault_watch import FaultWatch
from engine.sim.faults import faults as drawn_faults
from engine.sim.faults import parse_faults
from engine.sim.market import SYMBOLS
from engine.sim.simulation import RATE, Simulation
from engine.sim.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Group
    from rich.table import Table

    from engine.feeds.book_view import BookView
    from engine.live import Order
    from engine.sim.faults import Fault

__all__ = ["command"]

LEVELS: Final = 10
LINES: Final = ("polygon", "alpaca-sip", "alpaca-iex", "iex", "finnhub")
_LOOK_S: Final = 0.01  #: between two looks at the lines' health
_FRAME_S: Final = 0.25
_REST_S: Final = 0.7  #: without the market at the end, for what is on its way; too short to be called silence
_SETTLE_S: Final = 1.0  #: from the last fault to the end, for quotes in place of those it has swallowed
_ERRORS_SHOWN: Final = 5
_BROKER: Final = "sim"  #: its orders rest and trade in the very market that the lines tell of
_SHARES: Final = 1_000
_SLICES: Final = 5


@click.command()
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=7, show_default=True, help="Of the market and its faults."
)
@click.option("--seconds", type=click.FloatRange(1), default=15.0, show_default=True, help="How long it runs.")
@click.option(
    "--faults", "spec", help='Instead of those drawn from the seed: "mute polygon at=2s for=1s; ...", or "none".'
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, no table.")
def command(seed: int, seconds: float, spec: str | None, as_json: bool) -> None:
    """Show one live book made of five redundant lines, while the lines fail, and work an order on it.

    A seeded market is served on loopback by simulated providers that speak the wire protocols of Polygon/Massive,
    Alpaca (SIP and IEX), IEX DEEP and Finnhub; the real adapters connect to them. After every batch the book is held
    against the truth behind what each line has delivered: book_errors counts the disagreements. Exit code 1 if there
    were any. Meanwhile a TWAP buys 1,000 shares in that market. Ctrl-C leaves with the summary.

    \b
    Example: engine demo --seed 42 --seconds 30
             engine demo --faults "mute polygon at=2s for=3s; disconnect iex at=4s"
    """
    if not math.isfinite(seconds):
        raise click.UsageError(f"--seconds is {seconds}; expected a finite number")
    run = Demo(seed, seconds, spec)
    live = sys.stdout.isatty() and not as_json
    with contextlib.suppress(KeyboardInterrupt):
        if live:
            _run_live(run)
        else:
            asyncio.run(run.run())
    if as_json:
        write_json(run.summary())
    else:
        show(*([] if live else run.tables()), figures("Summary", run.figures()))
        for text in run.errors[:_ERRORS_SHOWN]:
            show(f"wrong: {text}")
    if run.book_errors:
        raise SystemExit(1)


def _run_live(run: Demo) -> None:
    from rich.live import Live

    with Live(run.screen(), console=new_console(), auto_refresh=False) as screen:
        asyncio.run(run.run(lambda: screen.update(run.screen(), refresh=True)))


def default_faults(seed: int, seconds: float) -> tuple[Fault, ...]:
    """A mute line first, and some faults more as the seed will have them; the last fifth is quiet.

    None is a mute alpaca-iex: nobody beside it tells the top of that venue, and a line judged by its own slow rate is
    known to be mute after seconds, not within one. ``--faults`` injects it all the same.
    """
    length = f"{round(seconds * 1_000)}ms"
    mute = parse_faults(f"mute polygon at={round(seconds * 100)}ms for={min(2_000, round(seconds * 150))}ms", LINES)
    later = [
        fault
        for fault in drawn_faults(seed, LINES, length, count=max(2, round(seconds / 3)))
        if (fault.line != "polygon" or fault.at > mute[0].end + NANOS)
        and (fault.kind, fault.line) != ("mute", "alpaca-iex")
    ]
    return tuple(sorted((*mute, *later), key=lambda fault: fault.at))


class Demo:
    """A simulation, a `MarketData` on it, and those who watch both."""

    def __init__(self, seed: int, seconds: float, spec: str | None = None) -> None:
        self.seed = seed
        self.seconds = seconds
        if spec is None:
            chosen = default_faults(seed, seconds)
        else:
            chosen = () if spec.strip() == "none" else parse_faults(spec, LINES)
        world = World(SYMBOLS, seed, f"{round(seconds * 1_000)}ms", rate=RATE)
        self.simulation = Simulation(world, LINES, chosen, brokers=[_BROKER], seed=seed)
        self.watch = FaultWatch(self.simulation.faults, 0)
        self.errors: list[str] = []
        self.book_errors = self.batches = self.comparisons = 0
        self.elapsed = 0.0
        self.finished = False
        self.lines_at_rest: list[str] = []  #: live when the book was held against the market itself
        self._health: dict[str, dict[str, Any]] = {}
        self._latency: dict[str, dict[str, Any]] = {}
        self._stats: dict[str, int] = {}
        self._book: BookView | None = None
        self._order: Order | None = None
        self._worked: dict[str, Any] = {}
        self._depth: np.ndarray[Any, Any] | None = None

    async def run(self, draw: Callable[[], None] | None = None) -> None:
        """Runs to the end; ``draw`` is called four times a second."""
        async with self.simulation as simulation, MarketData(simulation.providers) as market:
            self.watch = FaultWatch(simulation.faults, simulation.truth.market.start)
            checker = self._checker(market)
            loop = asyncio.get_running_loop()
            # later in the same turn of the loop, so that comparing is not counted as a callback's time
            market.on_change(lambda books: loop.call_soon(self._check, market, checker))
            task = asyncio.ensure_future(self._trade(market))
            try:
                await self._look_on(market, checker, draw)
                if task.done():
                    task.result()
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                self._note(market)

    async def _trade(self, market: MarketData) -> None:
        """A TWAP on what is composed, with a journal that is thrown away, over two thirds of the time."""
        await market.subscribe(SYMBOLS)
        await market.ready(SYMBOLS[0])
        span = self.seconds * 2 / 3
        algo = TWAP(duration=_text(span), slices=_SLICES, jitter=_text(span / _SLICES / 4))
        with tempfile.TemporaryDirectory() as folder:
            journal = os.path.join(folder, "demo.journal")
            limits = Limits(session=False)  # the market of the demo is open day and night
            async with Engine(
                market, self.simulation.brokers, journal=journal, limits=limits, seed=self.seed
            ) as trading:
                self._order = trading.submit(SYMBOLS[0], "buy", _SHARES, algo)
                try:
                    await self._order.done()
                finally:
                    self._worked = self._order.to_dict()

    async def _look_on(self, market: MarketData, checker: Checker, draw: Callable[[], None] | None) -> None:
        drawn = 0.0
        while self.elapsed < self.seconds:
            await asyncio.sleep(_LOOK_S)
            self.elapsed = self.simulation.elapsed
            self.watch.look(market.now(), market.health())
            if self._book is None and SYMBOLS[0] in market.instruments:
                self._book = market.book(SYMBOLS[0])
            if draw is not None and self.elapsed - drawn >= _FRAME_S:
                drawn = self.elapsed
                self._note(market)
                draw()
        await self._rest(market, checker)
        self.finished = True

    async def _rest(self, market: MarketData, checker: Checker) -> None:
        """The market stands still: what is on its way arrives, then the book is what the market is."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _REST_S
        while True:
            await asyncio.sleep(_LOOK_S)
            self.watch.look(market.now(), market.health())
            wrong = self._at_rest(market, checker)
            if not wrong or loop.time() >= end:
                break
        self._check(market, checker)
        self._count(wrong)

    def _checker(self, market: MarketData) -> Checker:
        machine = market.machine
        lines = [
            CheckedLine(feed.name, machine.aggregator.source(line), feed.facts.role, feed.facts.venue)
            for line, feed in enumerate(machine.feeds)
        ]
        truth = self.simulation.truth.log
        return Checker(truth, machine.composer, machine.books, machine.instruments, lines)

    def _check(self, market: MarketData, checker: Checker) -> None:
        """After a batch: the book against the truth behind each line's last delivered frame."""
        self.batches += 1
        lines = market.machine.lines
        symbols: set[str] = set()
        for line, name in enumerate(lines.names):
            symbols |= checker.follow(name, *lines.connection(line))
        self.comparisons += len(symbols)
        alone = {name for name, report in market.health().items() if report["exempt"]}
        self._count(checker.disagreements(sorted(symbols), alone))

    def _at_rest(self, market: MarketData, checker: Checker) -> list[str]:
        """The book against the market itself, as far as lines carry it that are live and no fault holds back."""
        if any(fault.end > (self.seconds - _SETTLE_S) * NANOS for fault in self.simulation.faults):
            return []
        live = frozenset(name for name, report in market.health().items() if report["state"] == "live")
        found = checker.at_rest(self.simulation.truth.market, SYMBOLS, live)
        self.lines_at_rest = sorted(live)
        return found

    def _count(self, errors: Sequence[str]) -> None:
        self.book_errors += len(errors)
        room = 100 - len(self.errors)
        self.errors += [f"{self.elapsed:.2f} s: {text}" for text in errors[: max(room, 0)]]

    def _note(self, market: MarketData) -> None:
        """What the tables show, kept for when the market is closed."""
        self._health, self._latency, self._stats = market.health(), market.latency(), market.stats()
        if self._order is not None:
            self._worked = self._order.to_dict()
        if self._book is not None:
            self._depth = self._book.depth(LEVELS)

    # ---- what is shown

    def summary(self) -> dict[str, Any]:
        """Everything, for ``--json``."""
        return {
            **self.figures(),
            "finished": self.finished,
            "lines_at_rest": self.lines_at_rest,
            "errors": self.errors,
            "order": self._worked,
            "faults": self._injected(),
            "latency_ns": {name: _plain(report) for name, report in self._latency.items()},
            "health": {
                name: {
                    key: report[key]
                    for key in ("state", "reason", "score", "updates", "reconnects", "malformed", "gaps")
                }
                for name, report in self._health.items()
            },
        }

    def _injected(self) -> list[dict[str, Any]]:
        """What came of the faults so far; Ctrl-C may come before the rest."""
        return [row for row in self.watch.report() if row["at_ms"] <= self.elapsed * 1_000]

    def figures(self) -> dict[str, Any]:
        """The figures at the end."""
        faults = self._injected()
        return {
            "seed": self.seed,
            "seconds": round(min(self.elapsed, self.seconds), 3),
            "frames": self._stats.get("frames", 0),
            "batches": self.batches,
            "comparisons": self.comparisons,
            "book_errors": self.book_errors,
            "order_state": self._worked.get("state", "not sent"),
            "order_filled": int(float(self._worked.get("cumulative", 0))),
            "order_average_price": self._worked.get("average_price"),
            "faults_injected": len(faults),
            "faults_detected": sum(row["detected_ms"] is not None for row in faults),
        }

    def screen(self) -> Group:
        """All tables, one below the other."""
        from rich.console import Group

        return Group(*self.tables())

    def tables(self) -> list[Table]:
        """The book, the lines, the faults."""
        return [self._book_table(), self._line_table(), self._fault_table()]

    def _book_table(self) -> Table:
        from rich.table import Table

        frames = self._stats.get("frames", 0)
        title = f"{SYMBOLS[0]}  {self.elapsed:6.2f} s  {frames:,} frames  {self.book_errors} book errors"
        if self._worked:
            work = self._worked
            title += f"\nTWAP buy {work['cumulative']} of {work['quantity']}, {work['state']}"
            title += "" if work["average_price"] is None else f", at {float(work['average_price']):.4f}"
        table = Table(title=title, title_justify="left")
        for name in ("venues", "bid size", "bid", "ask", "ask size", "venues"):
            table.add_column(name, justify="right", min_width=8)
        for level in () if self._depth is None else self._depth:
            table.add_row(*_side_cells(level, "bid"), *reversed(_side_cells(level, "ask")))
        return table

    def _line_table(self) -> Table:
        from rich.table import Table

        table = Table(title="Lines (latency: stamp to callback returned, us)", title_justify="left")
        for name in ("line", "state", "updates", "reconnects", "p50", "p99", "p99.9"):
            left = name in {"line", "state"}
            table.add_column(name, justify="left" if left else "right", no_wrap=True, min_width=11 if left else 5)
        for name, report in self._health.items():
            total = self._latency.get(name, {}).get("total", {})
            spans = [_microseconds(total.get(key)) for key in ("p50", "p99", "p99_9")]
            counts = (f"{report['updates'] + report['prints']:,}", f"{report['reconnects']}")
            table.add_row(name, report["state"], *counts, *spans)
        faults = {name: report["reason"] for name, report in self._health.items() if report["state"] != "live"}
        table.caption = "\n".join(f"{name}: {reason}" for name, reason in faults.items()) or None
        table.caption_justify = "left"
        return table

    def _fault_table(self) -> Table:
        from rich.table import Table

        table = Table(title="Faults", title_justify="left")
        for name in ("fault", "line", "at ms", "for ms", "detected after ms", "recovered after ms"):
            table.add_column(name, justify="left" if name in {"fault", "line"} else "right")
        for row in self._injected():
            table.add_row(*("" if value is None else str(value) for value in row.values()))
        return table


def _side_cells(level: np.void, side: str) -> tuple[str, str, str]:
    price = level[f"{side}_price"]
    if np.isnan(price):
        return "", "", ""
    return f"{level[f'{side}_count']:,}", f"{level[f'{side}_quantity']:,.0f}", f"{price:,.2f}"


def _text(seconds: float) -> str:
    """A duration as algorithms take it."""
    return f"{round(seconds * 1_000)}ms"


def _microseconds(ns: float | None) -> str:
    return "" if ns is None or math.isnan(ns) else f"{ns / 1_000:,.0f}"


def _plain(report: dict[str, Any]) -> dict[str, Any]:
    """JSON has no nan."""
    return {
        name: _plain(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and math.isnan(value)
        else value
        for name, value in report.items()
    }
