"""``engine replay``: recorded files through native books, and what was seen."""

from __future__ import annotations

import math
import os
import tempfile
from typing import TYPE_CHECKING, Any, Final

import click

from engine._native.book import Books
from engine.cli.output import bar, figures, show, write_json
from engine.core.clock import elapsed_ns
from engine.core.units import NANOS
from engine.feeds.rerun import Rerun
from engine.replay import Tape, book_form, replay
from engine.storage.files import same_file
from engine.storage.lobster import RowReport, replay_rows
from engine.storage.session import TAPE, first_difference, open_raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

__all__ = ["command"]

_SYMBOLS_SHOWN: Final = 20


@click.group()
def command() -> None:
    """Replay a recorded file through native books and tell what was in it.

    Files in gzip, xz and zstandard are read as they are.
    """


def _check_outputs(inputs: dict[str, str | None], outputs: dict[str, str | None]) -> None:
    """No output may replace an input or another output: a usage error, before anything is opened."""
    taken = {name: path for name, path in inputs.items() if path is not None}
    for name, path in outputs.items():
        if path is None:
            continue
        for other, there in taken.items():
            if same_file(path, there):
                raise click.UsageError(f"{name} and {other} are the same file: {path}")
        taken[name] = path


def options(function: Callable[..., None]) -> Callable[..., None]:
    """What every format has."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        click.option("--lenient", is_flag=True, help="Count malformed input and go on after it."),
        click.option("--tape", type=click.Path(), metavar="OUT", help="Record what is replayed as a tape."),
        click.argument("file", type=click.Path()),
    ):
        function = option(function)
    return function


@command.command()
@options
@click.option("--orderbook", type=click.Path(), metavar="FILE", help="The pair's orderbook file, to compare with.")
@click.option("--depth", type=click.IntRange(1), metavar="L", help="Levels a side; the orderbook file's by default.")
@click.option(
    "--verify", is_flag=True, help="Take unknown levels from the orderbook file; exit code 1 if a row differs."
)
@click.option("--start", type=click.Path(), metavar="FILE", help="Take the first row from this file: a free run.")
@click.option(
    "--out", type=click.Path(), metavar="PARQUET", help="Write the book after every message, first row included."
)
@click.option("--symbol", help="If the file's name does not tell it.")
@click.option("--date", metavar="YYYY-MM-DD", help="If the file's name does not tell it.")
def lobster(
    file: str,
    orderbook: str | None,
    depth: int | None,
    verify: bool,
    start: str | None,
    out: str | None,
    symbol: str | None,
    date: str | None,
    tape: str | None,
    lenient: bool,
    as_json: bool,
) -> None:
    """Replay a LOBSTER message FILE, and rebuild its orderbook file.

    With --verify every row is checked: levels that no message tells (they come into the window when another leaves) are
    taken from the orderbook file and counted. Without, or with --start, the book runs free from the first row.

    \b
    Example: engine replay lobster AAPL_2012-06-21_34200000_57600000_message_10.csv \\
                 --orderbook AAPL_2012-06-21_34200000_57600000_orderbook_10.csv --verify --out rows.parquet
    """
    if verify and orderbook is None:
        raise click.UsageError("--verify needs --orderbook")
    if lenient and orderbook is not None:
        raise click.UsageError("--lenient leaves lines out, so rows would no longer stand beside their messages")
    _check_outputs({"FILE": file, "--orderbook": orderbook, "--start": start}, {"--out": out, "--tape": tape})
    source = replay(file, "lobster", symbol=symbol, date=date, lenient=lenient)
    run = _Run(source, tape)
    rows: RowReport | None = None
    with bar(file) as progress:
        source.progress = progress
        if orderbook or start or out or depth:
            take = verify and start is None
            rows = replay_rows(run, orderbook=orderbook, start=start, depth=depth, take=take, out=out)
        else:
            run.drain()
    document = run.document() | (rows.to_dict() if rows is not None else dict.fromkeys(RowReport(0).to_dict()))
    if as_json:
        write_json(document)
    else:
        show(*run.tables(tops=False), *([figures("Rows", _row_figures(rows))] if rows is not None else []))
    if verify and rows is not None and rows.matched < rows.compared:
        click.echo(f"engine: {rows.compared - rows.matched} rows differ, first row {rows.first_mismatch}", err=True)
        raise SystemExit(1)


@command.command()
@options
def iex(file: str, tape: str | None, lenient: bool, as_json: bool) -> None:
    """Replay an IEX TOPS or DEEP capture (pcap or pcapng).

    \b
    Example: engine replay iex data_feeds_20170710_TOPS1.6.pcap.gz --json
    """
    _check_outputs({"FILE": file}, {"--tape": tape})
    _replay(replay(file, "iex", lenient=lenient), tape, as_json)


@command.command()
@options
@click.option("--date", metavar="YYYY-MM-DD", help="The day the file's times count from.")
def itch(file: str, date: str | None, tape: str | None, lenient: bool, as_json: bool) -> None:
    """Replay a NASDAQ TotalView-ITCH 5.0 file or capture.

    \b
    Example: engine replay itch 01302019.NASDAQ_ITCH50.gz --date 2019-01-30 --tape day.tape
    """
    _check_outputs({"FILE": file}, {"--tape": tape})
    _replay(replay(file, "itch", date=date, lenient=lenient), tape, as_json)


@command.command("tape")
@options
def recorded_tape(file: str, tape: str | None, lenient: bool, as_json: bool) -> None:
    """Replay a tape that --tape or the library recorded.

    A tape whose recording was cut off is read up to its last complete batch, and its torn end is told.

    \b
    Example: engine replay tape day.tape --json
    """
    _check_outputs({"FILE": file}, {"--tape": tape})
    source = replay(file, "tape")
    if source.torn and not lenient:
        click.echo(f"engine: {file}: cut off; {source.dropped} bytes after the last complete batch dropped", err=True)
    _replay(source, tape, as_json)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--tape", type=click.Path(), metavar="OUT", help="Keep the tape that comes out.")
@click.argument("folder", type=click.Path(), metavar="DIR")
def raw(folder: str, tape: str | None, as_json: bool) -> None:
    """Run a session that engine record wrote again: the same lines, driven by what came in.

    The tape that comes out is compared with the recorded one: exit code 1 unless they are equal, byte for byte. A
    recording that was cut off is compared as far as it goes.

    \b
    Example: engine replay raw today --json
    """
    _check_outputs({"the recorded tape": os.path.join(folder, TAPE)}, {"--tape": tape})
    with tempfile.TemporaryDirectory() as scratch:
        rerun = Rerun(open_raw(folder))
        started = elapsed_ns()
        rerun.record(made := tape or os.path.join(scratch, TAPE))
        seconds = (elapsed_ns() - started) / NANOS
        recorded = os.path.join(folder, TAPE)
        equal = _same_tape(made, recorded, torn=rerun.log.torn) if os.path.isfile(recorded) else None
        document = {
            "folder": folder,
            "lines": list(rerun.machine.names),
            "inputs": rerun.inputs,
            "events": sum(replay(made).kinds.values()),
            "symbols": len(rerun.instruments),
            "seconds": seconds,
            "torn": rerun.log.torn,
            "dropped": rerun.log.dropped,
            "tape_equal": equal,
        }
    if as_json:
        write_json(document)
    else:
        show(figures("Session", document))
    if equal is False:
        click.echo(f"engine: {recorded} differs from what the session composes again", err=True)
        raise SystemExit(1)


def _replay(source: Tape, tape: str | None, as_json: bool) -> None:
    run = _Run(source, tape)
    with bar(source.path) as progress:
        source.progress = progress
        run.drain()
    if as_json:
        write_json(run.document())
    else:
        show(*run.tables())


def _same_tape(made: str, recorded: str, *, torn: bool) -> bool:
    """Whether two tapes are equal; of a session that was cut off, as far as both go."""
    at = first_difference(made, recorded)
    return at is None or (torn and at >= min(os.path.getsize(made), os.path.getsize(recorded)))


class _Run:
    """One pass of a tape through books, timed; iterate it for the batches."""

    def __init__(self, source: Tape, tape: str | None) -> None:
        self.source = source
        self.tape = tape
        self.books: Books | None = None
        self.seconds = self.reading = 0.0

    def __iter__(self) -> Iterator[NDArray[np.void]]:
        started, reading = elapsed_ns(), self.source.reading_ns
        for batch in self.source if self.tape is None else self.source.recorded(self.tape):
            if self.books is None:
                self.books = self._new_books(batch)
            if self.books is not None:
                self.books.apply(batch)
            yield batch
        self.seconds = (elapsed_ns() - started) / NANOS
        self.reading = (self.source.reading_ns - reading) / NANOS

    def drain(self) -> None:
        for _ in self:
            pass

    def _new_books(self, batch: NDArray[np.void]) -> Books | None:
        """Books of the kind the events are for; None while nothing tells."""
        by = book_form(batch)
        return None if by is None else Books(self.source.known_instruments, by=by)

    def document(self) -> dict[str, Any]:
        """Everything for --json."""
        source = self.source
        events = sum(source.kinds.values())
        books = self.books.counts if self.books is not None else {}
        counts = source.counts
        messages = {name: count for name, count in counts.items() if "." in name}
        return {
            "file": source.path,
            "format": source.format,
            "events": events,
            "seconds": self.seconds,
            "reading_seconds": self.reading,
            "events_per_second": events / self.seconds if self.seconds else None,
            "events_per_second_after_reading": events / rest if (rest := self.seconds - self.reading) > 0 else None,
            "messages": {name.split(".", 1)[1]: count for name, count in messages.items()},
            "messages_total": sum(messages.values()),
            "kinds": source.kinds,
            "gaps": counts.get("gaps", 0),
            "unknown_orders": books.get("unknown_order", 0),
            "malformed": counts.get("malformed", 0),
            "symbols": len(source.instruments),
            "start": source.start,
            "end": source.end,
            "torn": source.torn,
            "dropped": source.dropped,
            "decoder": {name: count for name, count in counts.items() if "." not in name},
            "book": books,
            "tape": self.tape,
        }

    def tables(self, *, tops: bool = True) -> list[Table]:
        """Everything for people; without the tops of books that started empty in the middle of a day."""
        document = self.document()
        names = ("messages_total", "events", "symbols", "gaps", "unknown_orders", "malformed")
        summary = {name: document[name] for name in names}
        summary |= {"seconds": round(self.seconds, 3), "of these on reading": round(self.reading, 3)}
        for rate in ("events_per_second", "events_per_second_after_reading"):
            summary[rate] = round(document[rate]) if document[rate] else "-"
        tables = [figures(f"{document['file']} ({document['format']})", summary)]
        if document["messages"]:
            tables.append(figures("Messages by type", document["messages"]))
        odd = {name: count for name, count in document["book"].items() if count}
        if odd:
            tables.append(figures("Not applied as they stand, or worth a look", odd))
        if tops and self.books is not None and len(self.source.instruments):
            tables.append(self._tops(self.books))
        return tables

    def _tops(self, books: Books) -> Table:
        from rich.table import Table

        symbols = [symbol for symbol in self.source.instruments.symbols if symbol in books]
        quoted = [(symbol, books[symbol].bbo()) for symbol in symbols]
        quoted = [(symbol, quote) for symbol, quote in quoted if not (math.isnan(quote.bid) and math.isnan(quote.ask))]
        title = f"Final top of book, {min(len(quoted), _SYMBOLS_SHOWN)} of {len(quoted)} symbols"
        table = Table("symbol", "bid size", "bid", "ask", "ask size", title=title, title_justify="left")
        for symbol, quote in quoted[:_SYMBOLS_SHOWN]:
            values = (quote.bid_quantity, quote.bid, quote.ask, quote.ask_quantity)
            table.add_row(symbol, *("-" if math.isnan(value) else f"{value:,.10g}" for value in values))
        return table


def _row_figures(report: RowReport) -> dict[str, Any]:
    figures_ = report.to_dict()
    if not report.compared:
        return {name: figures_[name] for name in ("rows", "depth", "unknown_levels", "clamped")}
    figures_["best_level_matched"] = report.matched_by_level[0]
    return {name: "-" if value is None else value for name, value in figures_.items() if not isinstance(value, list)}
