"""What commands print: one JSON document, or tables; a progress bar on a terminal."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from engine.core.clock import elapsed_ns
from engine.core.units import NANOS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console
    from rich.table import Table

__all__ = ["bar", "figures", "new_console", "show", "write_json"]

_PATIENCE_NS: Final = NANOS


def write_json(document: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))


def new_console(*, stderr: bool = False) -> Console:
    """Where tables go. Paths and symbols are shown as they are: ``[x]`` and ``:x:`` in them are no markup."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def show(*tables: Table | str) -> None:
    """Tables and lines on stdout."""
    console = new_console()
    for table in tables:
        console.print(table)


def figures(title: str, values: Mapping[str, Any]) -> Table:
    """A table of names and numbers; numbers with thousands separators."""
    from rich.table import Table

    table = Table(title, "", title_justify="left")
    table.columns[1].justify = "right"
    for name, value in values.items():
        text = f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
        table.add_row(name.replace("_", " "), text)
    return table


@contextlib.contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on stderr, where that is a terminal and after a second; called with (done, in all)."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress, TextColumn

    name = TextColumn("{task.description}", style="progress.description", markup=False)  # a path: no markup
    progress = Progress(name, *Progress.get_default_columns()[1:], console=new_console(stderr=True), transient=True)
    task, patience = progress.add_task(title, total=None), elapsed_ns() + _PATIENCE_NS

    def update(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)
        if elapsed_ns() > patience:
            progress.start()

    try:
        yield update
    finally:
        progress.stop()
