"""``engine journal``: what stands in a journal, whether it is sound, and whether the engine would do it again."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, Final

import click

from engine.cli.journal_text import KINDS, Teller, document, instant
from engine.cli.output import bar, figures, show, write_json
from engine.core.clock import elapsed_ns
from engine.core.units import NANOS
from engine.errors import StorageError
from engine.storage.files import check_apart
from engine.storage.journal import JournalReader, read_journal
from engine.trader import replay_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.storage.journal import Record

__all__ = ["command"]

_OFTEN: Final = 1_000  #: records between two looks of the progress bar


@click.group()
def command() -> None:
    """Look into a journal of orders. The engine that writes it may run meanwhile; nothing is changed."""


def _arguments(function: Callable[..., None]) -> Callable[..., None]:
    function = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(function)
    return click.argument("file", type=click.Path(dir_okay=False))(function)


def _range(function: Callable[..., None]) -> Callable[..., None]:
    function = click.option("--to", "last", type=click.IntRange(1), metavar="N", help="Up to this record.")(function)
    return click.option("--from", "first", type=click.IntRange(1), default=1, metavar="N", help="From this record on.")(
        function
    )


def _told(journal: JournalReader, update: Callable[[int, int], None] | None) -> Iterator[Record]:
    """The records, with progress by bytes."""
    done, size = 0, journal.file.size()
    for record in journal:
        done += len(record.payload)
        if update is not None and record.sequence % _OFTEN == 0:
            update(done, size)
        yield record


def _chosen(journal: JournalReader, first: int, last: int | None) -> Iterator[Record]:
    for record in journal:
        if last is not None and record.sequence > last:
            return
        if record.sequence >= first:
            yield record


@command.command()
@_arguments
def verify(file: str, as_json: bool) -> None:
    """Read every record of FILE: checksums, order, and what the payloads say.

    A last commit that a stop cut short is no fault: opening drops it, and it was durable for nobody. Damage before that
    is: exit code 1, with its place.

    \b
    Example: engine journal verify desk.journal --json
    """
    kinds: Counter[str] = Counter()
    first = last = damage = None
    started = elapsed_ns()
    with read_journal(file) as journal, bar(file) as update:
        try:
            for record in _told(journal, update):
                document(record)
                kinds[str(KINDS.get(record.kind, record.kind))] += 1
                first, last = first or record, record
        except StorageError as error:
            damage = {"message": str(error), "offset": error.offset}
        found: dict[str, Any] = {
            "journal": file,
            "uid": journal.head.uid.hex(),
            "facts": journal.head.facts,
            "records": sum(kinds.values()),
            "kinds": dict(kinds),
            "start": first.now if first else None,
            "end": last.now if last else None,
            "bytes": None if damage else journal.tail.end,
            "dropped": None if damage else journal.tail.dropped,
            "damage": damage,
            "seconds": (elapsed_ns() - started) / NANOS,
        }
    if as_json:
        write_json(found)
    else:
        times = {name: instant(found[name]) for name in ("start", "end") if found[name] is not None}
        show(figures(file, {name: value for name, value in (found | times).items() if not isinstance(value, dict)}))
    if damage:
        click.echo(f"engine: {damage['message']}", err=True)
        raise SystemExit(1)


@command.command("show")
@_arguments
@_range
@click.option("--all", "everything", is_flag=True, help="Also prices and timers that led to nothing.")
def show_records(file: str, as_json: bool, first: int, last: int | None, everything: bool) -> None:
    """Tell the records of FILE in words: what came in, and what was sent.

    \b
    Example: engine journal show desk.journal --from 1200
    """
    with read_journal(file) as journal:
        if as_json:
            write_json({"journal": file, "records": [document(record) for record in _chosen(journal, first, last)]})
            return
        teller = Teller()
        for record in _chosen(journal, 1, last):  # from the first: it says which number means which symbol
            line = teller.line(record, everything=everything)
            if line is not None and record.sequence >= first:
                click.echo(line)
        if journal.tail.dropped:
            click.echo(f"engine: {journal.tail.dropped} bytes of a commit cut short behind them", err=True)


@command.command()
@_arguments
@_range
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="Where to; stdout by default.")
def export(file: str, as_json: bool, first: int, last: int | None, out: str | None) -> None:
    """Write the records of FILE as JSON lines, one a record, nothing left out.

    Prices and quantities are counts of 1e-9, times nanoseconds since the epoch. With --json stdout tells what was
    written, so --out is needed.

    \b
    Example: engine journal export desk.journal --out desk.jsonl
    """
    if as_json and out is None:
        raise click.UsageError("--json tells what was written, so it needs --out")
    if out is not None:
        check_apart(out, file)
    count = 0
    with read_journal(file) as journal, _opened(out) as sink:
        for record in _chosen(journal, first, last):
            sink.write(json.dumps(document(record), separators=(",", ":"), allow_nan=False) + "\n")
            count += 1
    if as_json:
        write_json({"journal": file, "out": out, "records": count})


def _opened(out: str | None) -> contextlib.AbstractContextManager[IO[str]]:
    if out is None:
        return contextlib.nullcontext(sys.stdout)
    return open(out, "w", encoding="utf-8")


@command.command()
@_arguments
def replay(file: str, as_json: bool) -> None:
    """Take the inputs of FILE through this engine's decisions again, and compare the commands, byte for byte.

    Nothing is sent. Exit code 1 if a command differs: then another version of the engine wrote the journal, or its own
    check is not what it was.

    \b
    Example: engine journal replay desk.journal
    """
    started = elapsed_ns()
    with read_journal(file) as journal, bar(file) as update:
        result = replay_journal(_told(journal, update))
        found = {
            "journal": file,
            "batches": result.batches,
            "commands": result.commands,
            "equal": not result.first_difference,
            "first_difference": result.first_difference or None,
            "dropped": journal.tail.dropped,
            "seconds": (elapsed_ns() - started) / NANOS,
        }
    if as_json:
        write_json(found)
    else:
        show(
            figures(file, {name: value for name, value in found.items() if name not in {"journal", "first_difference"}})
        )
    if result.first_difference:
        click.echo(f"engine: {result.first_difference}", err=True)
        raise SystemExit(1)
