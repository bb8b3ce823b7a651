"""The ``engine`` command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import engine
from engine.cli import main


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_help_lists_the_commands() -> None:
    code, text = run("--help")
    assert code == 0
    for name in ("demo", "doctor", "replay", "Example: engine demo"):
        assert name in text


def test_version_is_the_packages() -> None:
    assert run("--version") == (0, f"engine, version {engine.__version__}\n")


def test_unknown_commands_are_usage_errors() -> None:
    code, text = run("fly")
    assert code == 2
    assert "No such command 'fly'" in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line() -> None:
    code = "import sys; from engine.cli import main; sys.argv[0] = 'engine'; main()"
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", code, "doctor", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("engine: ")
    assert "Traceback" not in done.stderr


def test_one_command_does_not_load_what_others_need() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from engine.cli import main;"
        "CliRunner().invoke(main, ['--version']);"
        "assert not {'pyarrow', 'rich', 'engine.replay', 'engine.cli.demo'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("arguments", [["demo"], ["replay", "iex", "x"], ["--help"]])
def test_modules_that_do_not_load_are_one_line(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "engine", *arguments]
    environment = {**os.environ, "TICKFORGE_CPU": "foo"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("engine: ")
    assert "TICKFORGE_CPU" in done.stderr
    assert len(done.stderr.splitlines()) == 1
