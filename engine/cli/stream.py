"""``engine stream``: live books of some symbols, as a table or line by line."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import click

from engine.cli.live import complaints, run, settings, source_options, subscribe
from engine.cli.output import new_console
from engine.core.units import NANOS
from engine.core.venues import venue_name
from engine.market import MarketData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Group
    from rich.table import Table

    from engine.core.config import Config, Provider
    from engine.market import BookView

__all__ = ["command"]

_FRAME_S: Final = 0.1
_TRADES: Final = 10_000  #: prints held for a slow reader of stdout; older ones are dropped and counted


@click.command()
@source_options
@click.option("--depth", type=click.IntRange(1, 50), default=10, show_default=True, help="Levels a side in the table.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line for each change and print.")
def command(
    symbols: tuple[str, ...],
    providers: str | None,
    config: str | None,
    seconds: float | None,
    timeout: float,
    verbose: bool,
    depth: int,
    as_json: bool,
) -> None:
    """Show live books of SYMBOLS, merged from all providers.

    On a terminal a table that updates, else a line for each change; a reader that is slow gets the newest state and is
    told how many changes it missed. Keys come from the environment (POLYGON_API_KEY, APCA_API_KEY_ID and
    APCA_API_SECRET_KEY, FINNHUB_API_KEY, or TICKFORGE_<PROVIDER>_KEY) or from --config. Ctrl-C ends it.

    \b
    Example: engine stream AAPL --providers alpaca,polygon
             engine stream AAPL MSFT --config desk.toml --json
    """
    found, chosen, wanted = settings(symbols, providers, config, verbose=verbose)
    live = sys.stdout.isatty() and not as_json
    show = _table(depth) if live else _lines(_as_json if as_json else _as_text)
    run(_stream(found, chosen, wanted, timeout, seconds, show))


async def _stream(
    config: Config,
    providers: list[Provider],
    symbols: list[str],
    timeout: float,
    seconds: float | None,
    show: Callable[[MarketData, Sequence[str]], Any],
) -> None:
    async with MarketData(config, providers) as market:
        silent = await subscribe(market, symbols, timeout)
        for symbol in silent:
            click.echo(f"engine: no data of {symbol} yet: no such symbol there, or a closed market", err=True)
        if text := complaints(market):
            click.echo(f"engine: {text}", err=True)
        try:
            async with asyncio.timeout(seconds):
                await show(market, symbols)
        except TimeoutError:
            if seconds is None:
                raise


# ---- line by line


def _lines(form: Callable[[dict[str, Any]], str]) -> Callable[[MarketData, Sequence[str]], Any]:
    """Writes every change and print as one line."""

    async def show(market: MarketData, symbols: Sequence[str]) -> None:
        news = _News(market, symbols)
        while True:
            await news.event.wait()
            click.echo("\n".join(form(row) for row in news.take()))

    return show


class _News:
    """What came since the last look: changes conflated to the newest, prints one by one."""

    def __init__(self, market: MarketData, symbols: Sequence[str]) -> None:
        self.event = asyncio.Event()
        self._market = market
        self._books: dict[str, tuple[BookView, int]] = {}
        self._trades: deque[np.void] = deque(maxlen=_TRADES)
        market.on_change(self._changed, symbols)
        market.on_trade(self._traded, symbols)
        self._changed([market.book(symbol) for symbol in symbols if market.book(symbol).state != "empty"])

    def _changed(self, books: Sequence[BookView]) -> None:
        for book in books:
            missed = self._books[book.symbol][1] + 1 if book.symbol in self._books else 0
            self._books[book.symbol] = book, missed
            self.event.set()

    def _traded(self, trades: NDArray[np.void]) -> None:
        self._trades.extend(trades)
        self.event.set()

    def take(self) -> Iterator[dict[str, Any]]:
        books, self._books = self._books, {}
        self.event.clear()
        for book, missed in books.values():
            quote = book.bbo()
            yield {
                "type": "book",
                "symbol": book.symbol,
                "state": book.state,
                "ts_event": quote.ts_event,
                "ts_recv": quote.ts_recv,
                "bid": _number(quote.bid),
                "bid_quantity": quote.bid_quantity,
                "ask": _number(quote.ask),
                "ask_quantity": quote.ask_quantity,
                "missed": missed,
            }
        while self._trades:
            row = self._trades.popleft()
            yield {
                "type": "trade",
                "symbol": self._market.instruments[int(row["instrument"])].symbol,
                "ts_event": int(row["ts_event"]),
                "ts_recv": int(row["ts_recv"]),
                "price": int(row["price"]) / NANOS,
                "quantity": int(row["quantity"]) / NANOS,
                "venue": _venue(int(row["venue"])),
                "conditions": int(row["conditions"]),
            }


def _as_json(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False)


def _as_text(row: dict[str, Any]) -> str:
    if row["type"] == "trade":
        return f"{row['symbol']} trade {row['price']} x {row['quantity']:,.10g} {row['venue'] or ''}".rstrip()
    sides = [
        f"{row[f'{side}_quantity']:,.10g} x {row[side]}" if row[side] is not None else "-" for side in ("bid", "ask")
    ]
    return f"{row['symbol']} {row['state']} {sides[0]} / {sides[1]}"


def _number(value: float) -> float | None:
    """JSON has no nan."""
    return None if math.isnan(value) else value


def _venue(number: int) -> str | None:
    try:
        return venue_name(number) if number else None
    except KeyError:
        return str(number)


# ---- a table


def _table(depth: int) -> Callable[[MarketData, Sequence[str]], Any]:
    """Draws books and lines ten times a second."""

    async def show(market: MarketData, symbols: Sequence[str]) -> None:
        from rich.live import Live

        with Live(_screen(market, symbols, depth), console=new_console(), auto_refresh=False) as screen:
            while True:
                screen.update(_screen(market, symbols, depth), refresh=True)
                await asyncio.sleep(_FRAME_S)

    return show


def _screen(market: MarketData, symbols: Sequence[str], depth: int) -> Group:
    from rich.console import Group

    books = [market.book(symbol) for symbol in symbols]
    return Group(_levels(books[0], depth) if len(books) == 1 else _tops(books), _health(market))


def _levels(book: BookView, depth: int) -> Table:
    from rich.table import Table

    table = Table(title=f"{book.symbol}  {book.state}", title_justify="left")
    for name in ("bid size", "bid", "ask", "ask size"):
        table.add_column(name, justify="right", min_width=9)
    for row in book.depth(depth):
        bid, ask = _cells(row["bid_price"], row["bid_quantity"]), _cells(row["ask_price"], row["ask_quantity"])
        table.add_row(bid[1], bid[0], *ask)
    return table


def _tops(books: Sequence[BookView]) -> Table:
    from rich.table import Table

    table = Table(title_justify="left")
    table.add_column("symbol")
    for name in ("state", "bid size", "bid", "ask", "ask size", "spread bps"):
        table.add_column(name, justify="right", min_width=6)
    for book in books:
        quote = book.bbo()
        bid, ask = _cells(quote.bid, quote.bid_quantity), _cells(quote.ask, quote.ask_quantity)
        spread = book.spread_bps()
        table.add_row(book.symbol, book.state, bid[1], bid[0], *ask, "" if math.isnan(spread) else f"{spread:,.2f}")
    return table


def _cells(price: float, quantity: float) -> tuple[str, str]:
    return ("", "") if math.isnan(price) else (f"{price:,.10g}", f"{quantity:,.10g}")


def _health(market: MarketData) -> Group:
    """Every line in a row, and below what there is to say of it; fits 80 columns."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Lines", title_justify="left")
    table.add_column("line", no_wrap=True)
    for name in ("state", "last byte", "frames", "p50", "p99", "again"):
        table.add_column(name, justify="right", no_wrap=True)
    latency, reasons = market.latency(), []
    for name, report in market.health().items():
        received = latency.get(name, {}).get("received", {})
        age = report.get("age_ns")
        table.add_row(
            name,
            report["state"],
            "" if age is None else f"{age / NANOS:.1f} s",
            f"{report.get('frames', report['updates']):,}",
            _microseconds(received.get("p50")),
            _microseconds(received.get("p99")),
            f"{report.get('reconnects', 0):,}",
        )
        if report["reason"]:
            reasons.append(Text(f"{name}: {report['reason']}", no_wrap=True, overflow="ellipsis"))
    return Group(table, *reasons)


def _microseconds(ns: float | None) -> str:
    return "" if not ns else f"{ns / 1_000:,.0f} µs"
