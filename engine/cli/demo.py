"""``engine demo``: a seeded order flow through the native book, shown while it runs."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np

from engine._native.book import Book
from engine.cli.output import figures, new_console, show, write_json
from engine.core.clock import elapsed_ns
from engine.core.units import NANOS
from engine.sim.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from rich.table import Table

__all__ = ["command"]

LEVELS: Final = 10
_SYMBOL: Final = "DEMO"
_FRAME_NS: Final = NANOS // 10


@click.command()
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=7, show_default=True, help="The same seed, the same market."
)
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="Virtual time."
)
@click.option(
    "--speed",
    type=click.FloatRange(0),
    help="Virtual seconds a second; 0 is as fast as it goes. 1 by default on a terminal, else 0.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, no table.")
def command(seed: int, seconds: float, speed: float | None, as_json: bool) -> None:
    """Show a ten-level book fed from a generated order flow, then a summary.

    The flow keeps a slow, plain book of its own; after every batch both are compared, and book_errors counts the levels
    that differ. Ctrl-C leaves with the summary. Exit code 1 if there were book errors.

    \b
    Example: engine demo --seed 42 --seconds 30 --speed 2
    """
    if not math.isfinite(seconds) or not math.isfinite(speed or 0.0):
        raise click.UsageError(f"--seconds is {seconds}, --speed is {speed}; expected finite numbers")
    live = sys.stdout.isatty() and not as_json
    run = Demo(seed, seconds, (1.0 if live else 0.0) if speed is None else speed)
    with contextlib.suppress(KeyboardInterrupt):
        if live:
            _run_live(run)
        else:
            run.run()
    if as_json:
        write_json(run.summary())
    else:
        show(*([] if live else [run.table()]), figures("Summary", run.summary()))
    if run.book_errors:
        raise SystemExit(1)


def _run_live(run: Demo) -> None:
    from rich.live import Live

    with Live(run.table(), console=new_console(), auto_refresh=False) as screen:
        run.run(lambda: screen.update(run.table(), refresh=True))


class Demo:
    """A world, the native book it feeds, and the comparison of both."""

    def __init__(self, seed: int, seconds: float, speed: float) -> None:
        self.seed = seed
        self.speed = speed
        self.world = World([_SYMBOL], seed=seed, duration=f"{seconds:.9f}s")
        self.book = Book(by="order")
        self.events = self.batches = self.book_errors = self.busy_ns = 0
        self.now = self.world.start

    def run(self, draw: Callable[[], None] | None = None) -> None:
        """Runs to the end of the world, at ``speed``; ``draw`` is called ten times a second."""
        started = drawn = elapsed_ns()
        for batch in self.world:
            self._apply(batch)
            if self.speed:
                due = started + int((self.now - self.world.start) / self.speed)
                time.sleep(max(0, due - elapsed_ns()) / NANOS)
            if draw is not None and elapsed_ns() - drawn >= _FRAME_NS:
                drawn = elapsed_ns()
                draw()
        if draw is not None:
            draw()

    def _apply(self, batch: NDArray[np.void]) -> None:
        started = elapsed_ns()
        self.book.apply(batch)
        self.busy_ns += elapsed_ns() - started
        self.events += len(batch)
        self.batches += 1
        self.now = int(batch["ts_recv"][-1])
        self.book_errors += self.world.truth(_SYMBOL).disagreements(self.book, LEVELS)

    def summary(self) -> dict[str, Any]:
        """The figures at the end."""
        quote = self.book.bbo()
        return {
            "seed": self.seed,
            "seconds": (self.now - self.world.start) / NANOS,
            "events": self.events,
            "batches": self.batches,
            "book_errors": self.book_errors,
            "apply_ns_per_event": round(self.busy_ns / self.events, 1) if self.events else None,
            "bid": _number(quote.bid),
            "ask": _number(quote.ask),
            "spread_bps": _number(round(self.book.spread_bps(), 3)),
        }

    def table(self) -> Table:
        """The best ten levels of both sides."""
        from rich.table import Table

        clock = (self.now - self.world.start) / NANOS
        title = f"{_SYMBOL}  {clock:8.2f} s  {self.events:,} events  {self.book_errors} book errors"
        table = Table(title=title, title_justify="left")
        for name in ("orders", "bid size", "bid", "ask", "ask size", "orders"):
            table.add_column(name, justify="right", min_width=8)
        for level in self.book.depth(LEVELS):
            table.add_row(*_side_cells(level, "bid"), *reversed(_side_cells(level, "ask")))
        return table


def _side_cells(level: np.void, side: str) -> tuple[str, str, str]:
    price = level[f"{side}_price"]
    if np.isnan(price):
        return "", "", ""
    return f"{level[f'{side}_count']:,}", f"{level[f'{side}_quantity']:,.0f}", f"{price:,.2f}"


def _number(value: float) -> float | None:
    """JSON has no nan."""
    return None if np.isnan(value) else float(value)
