"""The command: what it lists, runs, writes, and how it ends."""

import json

import pytest
from click.testing import CliRunner

from bench import __main__ as command
from bench import budgets
from bench.budgets import Budget
from bench.groups import Setting
from bench.peers import cryptofeed, nautilus


def forget():
    for peer in (nautilus, cryptofeed):
        peer.worker.cache_clear()
        peer.version.cache_clear()


@pytest.fixture(autouse=True)
def no_peers(monkeypatch, tmp_path):
    """No environment of a peer here: the suite must say so and go on."""
    monkeypatch.setenv("TICKFORGE_BENCH_PEERS", str(tmp_path))
    forget()
    yield
    forget()


def invoke(*arguments):
    return CliRunner().invoke(command.main, arguments)


def test_list_shows_every_row():
    result = invoke("--list")
    assert result.exit_code == 0
    for group in command.GROUPS:
        for row in command.rows_of(group):
            assert row.title.split(",")[0] in result.stdout


def test_a_short_run_gives_a_document_with_absent_peers_named():
    result = invoke("--row", "apply,consolidated", "--smoke", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    rows = {row["row"]: row for row in document["rows"]}
    assert set(rows) == {"book.apply", "book.consolidated"}
    assert len(rows["book.apply"]["ours"]["rounds"]) == 9
    assert min(rows["book.apply"]["ours"]["rounds"]) > 0
    names = {peer["name"]: peer for peer in rows["book.apply"]["peers"]}
    assert set(names) == {"order-book", "nautilus_trader"}
    assert "--install-peers" in names["nautilus_trader"]["absent"]
    facts = document["environment"]
    assert facts["cpu_target"] in {"baseline", "avx2", "avx512"}
    assert {"cpu", "clock_ghz", "load", "load_after", "python", "versions", "commit", "date"} <= set(facts)


def test_a_way_to_install_is_shown_with_its_brackets(monkeypatch, tmp_path):
    installed = []
    for peer in (nautilus, cryptofeed):
        monkeypatch.setattr(peer, "install", lambda name=peer.NAME: installed.append(name))
    monkeypatch.setenv("TICKFORGE_BENCH_PEERS", f"{tmp_path}/[/x][bench]")
    result = invoke("--install-peers")
    assert result.exit_code == 0, result.output
    assert "".join(result.stdout.split()).count("[/x][bench]") == 2
    assert installed == ["nautilus_trader", "cryptofeed"]


def test_both_ways_of_reading_the_peers_depth_take_part():
    result = invoke("--row", "set_depth", "--smoke", "--json")
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(result.stdout)["rows"]
    assert [peer["name"] for peer in row["peers"]] == ["order-book", "nautilus_trader", "nautilus_pyo3"]
    assert "bids()[:10]" in row["note"]


def test_a_crypto_row_without_its_peer_says_so_and_measures_ours():
    result = invoke("--row", "crypto", "--smoke", "--json")
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(result.stdout)["rows"]
    assert min(row["ours"]["rounds"]) > 0
    assert [peer["name"] for peer in row["peers"]] == ["cryptofeed, Bitstamp", "cryptofeed, Kraken"]
    assert all("--install-peers" in peer["absent"] for peer in row["peers"])
    assert "sorts when it is read" in row["note"]


def test_check_fails_on_a_missed_floor_and_writes_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "Setting", lambda _: Setting(smoke=True))
    monkeypatch.setattr(budgets, "load", lambda: [Budget("book.consolidated", "at_4_ghz", floor=1e-6, goal=1e-7)])
    path = tmp_path / "run.json"
    result = invoke("--row", "consolidated", "--check", "--runs", "7", "--json", str(path))
    assert result.exit_code == 1
    assert json.loads(path.read_text())["budgets"][0]["verdict"] == "missed"
    monkeypatch.setattr(budgets, "load", lambda: [Budget("book.consolidated", "at_4_ghz", floor=1e9, goal=1e-7)])
    assert invoke("--row", "consolidated", "--check", "--runs", "7").exit_code == 0


def test_history_gets_a_section(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "Setting", lambda _: Setting(smoke=True))
    monkeypatch.setattr(command, "HISTORY", tmp_path / "HISTORY.md")
    assert invoke("--row", "consolidated", "--history", "--runs", "7").exit_code == 0
    assert "| book.consolidated |" in (tmp_path / "HISTORY.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--group", "bok"), "group is 'bok'"),
        (("--row", "aply"), "row is 'aply'"),
        (("--runs", "3"), "x>=7"),
        (("--smoke", "--check"), "not for --check"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
