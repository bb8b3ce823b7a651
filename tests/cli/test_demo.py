"""``engine demo``."""

from __future__ import annotations

import asyncio
import json
import signal
from io import StringIO

import pytest
from click.testing import CliRunner
from rich.console import Console

from engine.cli import demo, main
from engine.sim.faults import KINDS


def run(*arguments: str) -> dict:
    result = CliRunner().invoke(main, ["demo", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_book_is_right_while_lines_fail() -> None:
    found = run(
        "--seed", "3", "--seconds", "4", "--faults", "mute polygon at=1s for=1500ms; disconnect alpaca-iex at=1s"
    )
    assert found["book_errors"] == 0
    assert found["errors"] == []
    assert found["finished"] is True
    assert found["frames"] > 100
    assert found["comparisons"] > 50
    assert {row["kind"] for row in found["faults"]} == {"mute", "disconnect"}
    assert all(row["detected_ms"] is not None for row in found["faults"])
    assert set(found["latency_ns"]) == set(demo.LINES)


def test_a_pipe_gets_the_tables_and_the_summary() -> None:
    result = CliRunner().invoke(main, ["demo", "--seconds", "1", "--faults", "none"])
    assert result.exit_code == 0
    for text in ("bid size", "alpaca-sip", "Faults", "Summary", "book errors"):
        assert text in result.stdout


def test_book_errors_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.Checker, "disagreements", lambda *_: ["AAPL: wrong"])
    result = CliRunner().invoke(main, ["demo", "--seconds", "1", "--faults", "none", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["book_errors"] > 0


def test_at_rest_every_line_is_held_against_the_market(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--seconds", "2", "--faults", "none")["lines_at_rest"] == sorted(demo.LINES)
    monkeypatch.setattr(demo.Checker, "at_rest", lambda *_: ["AAPL: wrong"])
    result = CliRunner().invoke(main, ["demo", "--seconds", "1", "--faults", "none", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["book_errors"] == 1


def test_the_table_of_lines_keeps_its_figures_whatever_the_reasons() -> None:
    found = demo.Demo(7, 1)
    report = {"state": "mute", "updates": 1, "prints": 2_345, "reconnects": 67, "reason": "silent " * 30}
    found._health = {"alpaca-sip": report}
    console = Console(width=80, file=StringIO())
    console.print(found._line_table())
    text = console.file.getvalue()
    for shown in ("alpaca-sip", "mute", "2,346", "67", "p99.9", "silent"):
        assert shown in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--seconds", "0"], "0 is not in the range"),
        (["--seconds", "inf"], "expected a finite number"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--faults", "sneeze polygon at=1s"], "sneeze"),
        (["--faults", "mute nobody at=1s for=1s"], "nobody"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], text: str) -> None:
    result = CliRunner().invoke(main, ["demo", *arguments])
    assert result.exit_code != 0
    assert text in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("seed", range(20))
def test_drawn_faults_begin_with_a_mute_line_and_leave_time_to_recover(seed: int) -> None:
    faults = demo.default_faults(seed, 15)
    assert sum(fault.kind == "mute" and fault.line == "polygon" for fault in faults) >= 1
    assert all(fault.kind in KINDS and fault.end <= 12_000_000_000 for fault in faults)
    assert faults == demo.default_faults(seed, 15)


def test_ctrl_c_leaves_with_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    look_on = demo.Demo._look_on

    async def interrupted(*arguments) -> None:
        asyncio.get_running_loop().call_later(0.5, signal.raise_signal, signal.SIGINT)
        await look_on(*arguments)

    monkeypatch.setattr(demo.Demo, "_look_on", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have background processes ignore it
    try:
        found = run("--seconds", "60")
    finally:
        signal.signal(signal.SIGINT, before)
    assert found["finished"] is False
    assert found["seconds"] < 30
