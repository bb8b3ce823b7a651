"""``engine replay``: options, output and exit codes, on files made here; recorded files are in test_replay_data.py."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import engine
from engine.cli import main

MESSAGES = "TEST_2012-06-21_34200000_37800000_message_1.csv"
TEXT = "34200.0,1,1,10,1000000,1\n34200.5,1,2,5,1000100,1\n34201.0,3,2,5,1000100,1\n34202.0,4,9,4,1000200,-1\n"
ROWS = [[1000200, 7, 1000000, 10], [1000200, 7, 1000100, 5], [1000200, 7, 1000000, 10], [1000200, 3, 1000000, 10]]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def document(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    (tmp_path / MESSAGES).write_text(TEXT)
    (tmp_path / "orderbook.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in ROWS))
    return tmp_path


def test_a_pair_is_verified_and_written(pair: Path) -> None:
    arguments = ("replay", "lobster", pair / MESSAGES, "--orderbook", pair / "orderbook.csv", "--verify")
    found = document(*arguments, "--out", pair / "rows.parquet")
    assert found["messages"] == {"1": 2, "3": 1, "4": 1}
    assert found["kinds"] == {"ADD": 2, "DELETE": 1, "EXECUTE": 1}
    assert (found["rows"], found["matched"], found["taken_from_file"], found["first_mismatch"]) == (4, 3, 1, None)
    assert (found["events"], found["messages_total"], found["symbols"], found["unknown_orders"]) == (4, 4, 1, 1)
    assert found["gaps"] == found["malformed"] == 0
    assert found["events_per_second"] > 0
    table = pq.read_table(pair / "rows.parquet")
    assert table.column_names == ["ask_price_1", "ask_size_1", "bid_price_1", "bid_size_1"]
    assert np.column_stack([column.to_numpy() for column in table.columns]).tolist() == ROWS
    shown = run(*arguments)
    assert shown.exit_code == 0
    for text in ("first mismatch", "events per second", "taken from file"):
        assert text in shown.stdout


def test_a_path_with_brackets_is_shown_as_it_is(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")  # nothing is folded
    folder = pair / "[" / "x]"  # in the path: [/x]
    folder.mkdir(parents=True)
    (pair / MESSAGES).rename(folder / f"[bold]{MESSAGES}")
    result = run("replay", "lobster", folder / f"[bold]{MESSAGES}", "--symbol", "[/x]", "--date", "2012-06-21")
    assert result.exit_code == 0, result.output
    assert f"[/x]/[bold]{MESSAGES} (lobster)" in result.stdout


def test_without_rows_their_figures_are_null(pair: Path) -> None:
    found = document("replay", "lobster", pair / MESSAGES)
    assert found["events"] == 4
    assert found["rows"] is found["matched"] is found["taken_from_file"] is found["first_mismatch"] is None


def test_a_row_that_differs_is_exit_code_1(pair: Path) -> None:
    rows = [list(row) for row in ROWS]
    rows[1][1] = 8
    (pair / "orderbook.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    arguments = ("replay", "lobster", pair / MESSAGES, "--orderbook", pair / "orderbook.csv")
    result = run(*arguments, "--verify")
    assert result.exit_code == 1
    assert "rows differ, first row 1" in result.stderr
    found = document(*arguments, "--verify", code=1)
    assert (found["matched"], found["first_mismatch"]) == (1, 1)
    assert document(*arguments)["first_mismatch"] == 1  # a comparison alone fails nothing


def test_a_free_run_starts_from_another_file(pair: Path) -> None:
    (pair / "deep.csv").write_text("1000200,7,1000000,10,1000300,1,999900,1\n")
    arguments = ("replay", "lobster", pair / MESSAGES, "--start", pair / "deep.csv")
    found = document(*arguments, "--orderbook", pair / "orderbook.csv")
    assert (found["matched"], found["taken_from_file"], found["depth"]) == (3, 0, 1)
    assert document(*arguments)["depth"] == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["replay", "lobster", "absent.csv"], "engine: absent.csv: cannot be read: No such file"),
        (["replay", "lobster", MESSAGES, "--verify"], "--verify needs --orderbook"),
        (["replay", "lobster", MESSAGES, "--orderbook", MESSAGES], "6 columns; expected 4 integers a level"),
        (["replay", "lobster", MESSAGES, "--orderbook", "orderbook.csv", "--depth", "2"], "depth is 2"),
        (["replay", "lobster", "orderbook.csv"], "the name does not tell the symbol"),
        (["replay", "lobster", "bad.csv", "--symbol", "A"], "bad.csv: "),
        (["replay", "lobster", MESSAGES, "--date", "tomorrow"], "tomorrow"),
        (["replay", "tape", MESSAGES], "not a tape"),
        (["replay", "itch", MESSAGES, "--tape", "absent/x"], "absent/x: cannot be written"),
        (["replay", "lobster", MESSAGES, "--out", "absent/x"], "absent/x: cannot be written"),
        (["replay", "fix", MESSAGES], "No such command"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(
    pair: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    monkeypatch.chdir(pair)
    (pair / "bad.csv").write_text("34200,1,2\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_lenient_counts(pair: Path) -> None:
    (pair / MESSAGES).write_text("what is this\n" + TEXT)
    assert run("replay", "lobster", pair / MESSAGES).exit_code == 2
    found = document("replay", "lobster", pair / MESSAGES, "--lenient")
    assert (found["malformed"], found["events"]) == (1, 4)


def test_what_is_replayed_can_be_recorded(pair: Path) -> None:
    document("replay", "lobster", pair / MESSAGES, "--tape", pair / "a.tape")
    found = document("replay", "tape", pair / "a.tape", "--tape", pair / "b.tape")
    assert (pair / "a.tape").read_bytes() == (pair / "b.tape").read_bytes()
    assert found["kinds"] == {"ADD": 2, "DELETE": 1, "EXECUTE": 1}
    assert found["unknown_orders"] == 1
    first, second = engine.replay(pair / MESSAGES), engine.replay(pair / "a.tape")
    assert np.concatenate(list(first)).tobytes() == np.concatenate(list(second)).tobytes()


def test_a_torn_tape_is_read_and_told(pair: Path) -> None:
    run("replay", "lobster", pair / MESSAGES, "--tape", pair / "a.tape")
    (pair / "a.tape").write_bytes((pair / "a.tape").read_bytes()[:-8] + b"\xff\xff")
    result = run("replay", "tape", pair / "a.tape")
    assert result.exit_code == 0
    assert "cut off; 2 bytes after the last complete batch dropped" in result.stderr
    assert document("replay", "tape", pair / "a.tape")["torn"] is True


def test_an_empty_recording_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "day.itch.gz").write_bytes(gzip.compress(b""))
    found = document("replay", "itch", tmp_path / "day.itch.gz")
    assert (found["events"], found["start"], found["messages"]) == (0, None, {})
    assert run("replay", "itch", tmp_path / "day.itch.gz").exit_code == 0


@pytest.mark.parametrize("name", ["lobster", "iex", "itch", "tape"])
def test_help_has_an_example(name: str) -> None:
    assert f"Example: engine replay {name}" in run("replay", name, "--help").stdout


def test_the_installed_command_prints_json_on_stdout_alone(pair: Path) -> None:
    code = "import sys; from engine.cli import main; sys.argv[0] = 'engine'; main()"
    command = [sys.executable, "-c", code, "replay", "lobster", str(pair / MESSAGES), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=pair)
    assert json.loads(done.stdout)["events"] == 4
    assert done.stderr == ""


def test_rows_left_over_in_the_orderbook_file_are_told(pair: Path) -> None:
    text = (pair / "orderbook.csv").read_text()
    (pair / "longer.csv").write_text(text + text.splitlines()[-1] + "\n")
    found = run("replay", "lobster", pair / MESSAGES, "--orderbook", pair / "longer.csv", "--verify")
    assert found.exit_code == 2
    assert "goes on after 4 rows" in found.stderr


def test_lenient_goes_without_an_orderbook_file(pair: Path) -> None:
    found = run("replay", "lobster", pair / MESSAGES, "--orderbook", pair / "orderbook.csv", "--lenient")
    assert found.exit_code == 2
    assert "--lenient" in found.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["lobster", MESSAGES, "--orderbook", "orderbook.csv", "--verify", "--out", "orderbook.csv"],
        ["lobster", MESSAGES, "--out", "./" + MESSAGES],
        ["lobster", MESSAGES, "--start", "orderbook.csv", "--out", "link"],
        ["lobster", MESSAGES, "--orderbook", "orderbook.csv", "--tape", "orderbook.csv"],
        ["lobster", MESSAGES, "--tape", "new", "--out", "new"],
        ["lobster", MESSAGES, "--tape", MESSAGES],
        ["itch", MESSAGES, "--tape", MESSAGES],
        ["iex", MESSAGES, "--tape", MESSAGES],
        ["tape", MESSAGES, "--tape", MESSAGES],
    ],
)
def test_no_output_replaces_an_input_or_another_output(
    pair: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(pair)
    (pair / "link").symlink_to("orderbook.csv")
    before = {path.name: path.read_bytes() for path in pair.iterdir()}
    result = run("replay", *arguments)
    assert result.exit_code == 2
    assert "are the same file" in result.stderr
    assert {path.name: path.read_bytes() for path in pair.iterdir()} == before


def test_a_failed_run_leaves_no_rows_and_a_torn_tape(pair: Path) -> None:
    (pair / MESSAGES).write_text(TEXT + "34203.0,9,4,2,1000200,-1\n")
    result = run("replay", "lobster", pair / MESSAGES, "--out", pair / "rows", "--tape", pair / "a.tape")
    assert result.exit_code == 2
    assert sorted(path.name for path in pair.iterdir()) == sorted([MESSAGES, "a.tape", "orderbook.csv"])
    assert engine.replay(pair / "a.tape").torn


def test_ctrl_c_is_130_and_leaves_no_rows(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.storage.lobster._advance", interrupted)
    result = run("replay", "lobster", pair / MESSAGES, "--out", pair / "rows", "--tape", pair / "a.tape")
    assert result.exit_code == 130
    assert result.stderr == "engine: interrupted\n"
    assert sorted(path.name for path in pair.iterdir()) == sorted([MESSAGES, "a.tape", "orderbook.csv"])
    assert engine.replay(pair / "a.tape").torn


def test_a_damaged_tape_is_one_line(pair: Path) -> None:
    run("replay", "lobster", pair / MESSAGES, "--tape", pair / "a.tape")
    (pair / "a.tape").write_bytes((pair / "a.tape").read_bytes().replace(b'"lot":"1"', b'"lot":"?"'))
    result = run("replay", "tape", pair / "a.tape")
    assert result.exit_code == 2
    assert "a.tape: the instruments are damaged" in result.stderr
    assert "(at byte" in result.stderr
