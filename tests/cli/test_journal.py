"""``engine journal``: what a journal holds, whether it is sound, whether it would be done again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.cli import main
from engine.core.trading import BrokerFacts, Halt, LineState, Reconcile, Restart
from engine.core.units import NANOS
from engine.execution.codec import BATCH, SETUP, encode_batch
from engine.storage.journal import Journal
from engine.trader import Trader, TraderSetup, encode_setup

NOW = 1_767_623_400 * NANOS
STEPS = [[Restart()], [LineState("broker", "sim", "up")], [Halt("enough")]]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["journal", *map(str, arguments)])


def report(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A session of three steps, each durable before the next."""
    file = tmp_path / "desk.journal"
    with Journal.open(file, facts={"desk": 7}, uid=bytes(16)) as journal:
        setup = TraderSetup(journal.uid.hex(), (BrokerFacts("sim"),))
        trader = Trader(setup)
        journal.append(SETUP, encode_setup(setup), NOW)
        for number, inputs in enumerate(STEPS):
            turn = trader.step(inputs, NOW + number)
            journal.append(BATCH, encode_batch(inputs, turn.answers, turn.commands), NOW + number)
            journal.commit()
    return file


def test_verify_tells_what_is_there(path: Path) -> None:
    found = report("verify", path)
    assert found.pop("seconds") >= 0
    assert found == {
        "journal": str(path), "uid": "00" * 16, "facts": {"desk": 7}, "records": 4, "kinds": {"setup": 1, "batch": 3},
        "start": NOW, "end": NOW + 2, "bytes": path.stat().st_size, "dropped": 0, "damage": None,
    }  # fmt: skip
    shown = run("verify", path)
    assert "2026-01-05T14:30:00.000000002Z" in shown.stdout


def test_a_torn_end_is_told_and_no_fault(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])
    found = report("verify", path)
    assert (found["records"], found["damage"]) == (3, None)
    assert found["dropped"] > 0
    assert f"{found['dropped']} bytes of a commit cut short" in run("show", path).stderr


def test_damage_is_told_with_its_place(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 + 40] ^= 1
    path.write_bytes(data)
    found = report("verify", path, code=1)
    assert (found["records"], found["damage"]["offset"], found["bytes"]) == (0, 4096, None)
    assert "record 1 is damaged" in run("verify", path).stderr
    for command in ("show", "export", "replay"):
        result = run(command, path)
        assert result.exit_code == 2
        assert "record 1 is damaged" in result.stderr


def test_show_tells_a_range(path: Path) -> None:
    lines = run("show", path).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]
    assert lines[2].endswith("broker sim up → reconcile sim")
    assert run("show", path, "--from", 3, "--to", 3).stdout.splitlines() == lines[2:3]
    assert [one["sequence"] for one in report("show", path, "--from", 2, "--to", 3)["records"]] == [2, 3]


def test_export_writes_json_lines(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "desk.jsonl"
    assert report("export", path, "--out", out) == {"journal": str(path), "out": str(out), "records": 4}
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record["kind"] for record in records] == ["setup", "batch", "batch", "batch"]
    assert records[3]["inputs"] == [{"input": "halt", "reason": "enough", "source": "user"}]
    assert run("export", path).stdout == out.read_text()
    assert len(run("export", path, "--from", 4).stdout.splitlines()) == 1
    assert run("export", path, "--json").exit_code == 2
    before = path.read_bytes()
    assert "is the file being read" in run("export", path, "--out", path).stderr
    assert path.read_bytes() == before


def test_replay_gives_the_same_commands(path: Path) -> None:
    found = report("replay", path)
    assert (found["batches"], found["equal"], found["first_difference"], found["dropped"]) == (3, True, None, 0)
    assert found["commands"] >= 1
    assert "True" in run("replay", path).stdout


def test_replay_names_the_first_difference(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append(BATCH, encode_batch([Restart()], [], [Reconcile("other", 0)]), NOW + 9)
    found = report("replay", path, code=1)
    assert found["equal"] is False
    assert found["first_difference"].startswith("record 5, command 0: the journal has {'command': 'reconcile'")
    assert found["first_difference"] in run("replay", path).stderr


def test_what_is_no_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("my notes, which are long enough")
    for command in ("verify", "show", "export", "replay"):
        result = run(command, tmp_path / "notes")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "no journal" in result.stderr
        assert "cannot be opened: No such file" in run(command, tmp_path / "absent").stderr


def test_a_journal_can_be_looked_into_while_it_is_written(path: Path) -> None:
    with Journal.open(path):
        assert report("verify", path)["records"] == 4
