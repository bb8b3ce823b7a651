"""``engine demo``."""

from __future__ import annotations

import io
import json
import sys
import time

import pytest
from click.testing import CliRunner

from engine.cli import demo, main


def run(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(main, ["demo", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    found.pop("apply_ns_per_event")
    return found


def test_a_seed_is_a_market_without_book_errors() -> None:
    found = run("--seed", "3", "--seconds", "1")
    assert found["book_errors"] == 0
    assert found["seconds"] == 1.0
    assert found["events"] > found["batches"] > 50  # type: ignore[operator]
    assert found == run("--seed", "3", "--seconds", "1")
    assert found != run("--seed", "4", "--seconds", "1")


def test_a_pipe_gets_the_last_table_and_the_summary() -> None:
    result = CliRunner().invoke(main, ["demo", "--seconds", "0.5"])
    assert result.exit_code == 0
    for text in ("bid size", "Summary", "book errors", "spread bps"):
        assert text in result.stdout


def test_book_errors_are_counted_and_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    real = demo.Demo._apply

    def lossy(self: demo.Demo, batch: object) -> None:
        real(self, batch[:-1] if len(batch) > 1 else batch)  # type: ignore[arg-type, index]

    monkeypatch.setattr(demo.Demo, "_apply", lossy)
    result = CliRunner().invoke(main, ["demo", "--seconds", "0.3", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["book_errors"] > 0


def test_a_terminal_sees_the_table_move(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(demo, "_FRAME_NS", 0)
    run = demo.Demo(seed=1, seconds=0.05, speed=0)
    demo._run_live(run)
    assert terminal.getvalue().count("DEMO") > 3


def test_speed_is_kept() -> None:
    started = time.monotonic()
    run("--seconds", "0.4", "--speed", "2")
    assert time.monotonic() - started >= 0.19


def test_ctrl_c_leaves_with_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.time, "sleep", interrupted)
    found = run("--seconds", "60", "--speed", "1")
    assert (found["batches"], found["book_errors"]) == (1, 0)
