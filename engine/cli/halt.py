"""``engine halt``: the kill switch of an engine, by the path of its journal."""

from __future__ import annotations

import os

import click

from engine.cli.output import write_json
from engine.errors import ConfigError
from engine.live.halt import HaltFile

__all__ = ["command"]


@click.command()
@click.argument("journal", type=click.Path(dir_okay=False))
@click.option("--reason", default="engine halt", show_default=True, help="What health and refusals will say.")
@click.option("--release", is_flag=True, help="Let trading go on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def command(journal: str, reason: str, release: bool, as_json: bool) -> None:
    """Stop every new order of the engine that writes JOURNAL, within a tenth of a second; cancels still pass.

    It works by a file beside the journal, so it holds as well for an engine that is started later, until --release.

    \b
    Example: engine halt desk.journal --reason "fat finger"
             engine halt desk.journal --release
    """
    if not os.path.exists(journal):
        raise ConfigError(f"{journal}: no such journal")
    file = HaltFile(journal)
    if release:
        was = file.remove()
        text = "released" if was else "was not halted by file"
    else:
        file.write(reason)
        text = f"halted: {reason}"
    if as_json:
        write_json({"journal": journal, "halted": not release, "reason": "" if release else reason})
    else:
        click.echo(f"{journal}: {text}")
