"""``engine record``, and ``engine replay raw`` of what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import engine
from engine.cli import main
from engine.storage.session import RAW, TAPE
from tests.cli.live import Served, invoke


def recorded(monkeypatch: pytest.MonkeyPatch, folder: Path, *more: str) -> dict[str, object]:
    with Served() as polygon:
        arguments = (
            "record",
            "AAPL",
            "--providers",
            "polygon",
            "--seconds",
            "0.5",
            "--out",
            str(folder),
            "--json",
            *more,
        )
        result = invoke(monkeypatch, polygon.url, *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def rerun(folder: Path, *more: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(main, ["replay", "raw", str(folder), "--json", *more])
    return result.exit_code, json.loads(result.stdout) if result.stdout else {"error": result.stderr}


def test_a_recording_is_a_tape_and_runs_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "day"
    found = recorded(monkeypatch, folder)
    assert (found["symbols"], found["torn"]) == (1, False)
    assert found["trade"]
    assert b"hush" not in (folder / RAW).read_bytes()
    assert sum(len(batch) for batch in engine.replay(folder / TAPE)) == found["events"]
    code, document = rerun(folder, "--tape", str(tmp_path / "again.arrow"))
    assert code == 0
    assert (document["tape_equal"], document["events"], document["torn"]) == (True, found["events"], False)
    assert document["lines"] == ["polygon"]
    assert (tmp_path / "again.arrow").read_bytes() == (folder / TAPE).read_bytes()
    with Served() as polygon:
        result = invoke(monkeypatch, polygon.url, "record", "AAPL", "--providers", "polygon", "--out", str(folder))
    assert result.exit_code == 2
    assert "there is a recording already; give another folder" in result.stderr


def test_a_tape_that_differs_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recorded(monkeypatch, tmp_path)
    tape = bytearray((tmp_path / TAPE).read_bytes())
    tape[len(tape) // 2] ^= 1
    (tmp_path / TAPE).write_bytes(tape)
    code, document = rerun(tmp_path)
    assert (code, document["tape_equal"]) == (1, False)
    (tmp_path / TAPE).unlink()
    assert rerun(tmp_path)[1]["tape_equal"] is None


def test_a_recording_cut_off_is_compared_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recorded(monkeypatch, tmp_path)
    log = (tmp_path / RAW).read_bytes()
    (tmp_path / RAW).write_bytes(log[: len(log) * 2 // 3])
    code, document = rerun(tmp_path)
    assert (code, document["tape_equal"], document["torn"]) == (0, True, True)


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    code, found = rerun(tmp_path)
    assert code == 2
    assert "raw.log: cannot be read" in str(found["error"])
    recorded_tape = tmp_path / TAPE
    result = CliRunner().invoke(main, ["replay", "raw", str(tmp_path), "--tape", str(recorded_tape)])
    assert result.exit_code == 2


def test_people_get_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recorded(monkeypatch, tmp_path)
    result = CliRunner().invoke(main, ["replay", "raw", str(tmp_path)])
    assert result.exit_code == 0
    assert "tape equal" in result.stdout
