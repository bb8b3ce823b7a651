"""The ``engine`` command. Each command is a file here; ``--json`` of each prints one document on stdout."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import IO, Any, Final

import click

from engine.errors import EngineError

__all__ = ["main"]

_COMMANDS: Final = {
    "demo": "engine.cli.demo",
    "doctor": "engine.cli.doctor",
    "journal": "engine.cli.journal",
    "halt": "engine.cli.halt",
    "order": "engine.cli.order",
    "record": "engine.cli.record",
    "replay": "engine.cli.replay",
    "sim": "engine.cli.sim",
    "stream": "engine.cli.stream",
}


class _Failure(click.ClickException):
    """One line on stderr."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"engine: {self.message}", file=file, err=True)


class _Interrupted(_Failure):
    exit_code = 130  # 128 + SIGINT


class _Commands(click.Group):
    """The commands, loaded when they are asked for.

    Our errors become one line on stderr and exit code 2; Ctrl-C is 130, as in a shell.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        try:
            command: click.Command = importlib.import_module(_COMMANDS[cmd_name]).command
        except ImportError as error:  # such as a CPU target that TICKFORGE_CPU asks for and this machine lacks
            raise _Failure(str(error)) from error
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of stdout has gone: click knows how to leave
            raise
        except (EngineError, OSError, ImportError) as error:
            raise _Failure(str(error)) from error
        except (KeyboardInterrupt, click.Abort) as error:
            raise _Interrupted("interrupted") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tickforge", prog_name="engine")
def main() -> None:
    """Tickforge: market data through native books.

    \b
    Example: engine demo
             engine replay lobster AAPL_2012-06-21_34200000_37800000_message_50.csv.xz
    """
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
