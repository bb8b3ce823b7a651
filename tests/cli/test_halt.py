import json

from click.testing import CliRunner

from engine.cli import main


def halt(*arguments):
    return CliRunner().invoke(main, ["halt", *map(str, arguments)])


def test_it_writes_and_removes_the_file_beside_the_journal(tmp_path):
    journal = tmp_path / "desk.journal"
    journal.touch()
    found = halt(journal, "--reason", "lunch")
    assert found.exit_code == 0
    assert (tmp_path / "desk.journal.halt").read_text() == "lunch"
    assert json.loads(halt(journal, "--release", "--json").stdout)["halted"] is False
    assert not (tmp_path / "desk.journal.halt").exists()


def test_a_journal_that_is_not_there_is_told(tmp_path):
    found = halt(tmp_path / "x")
    assert found.exit_code == 2
    assert "no such journal" in found.output
