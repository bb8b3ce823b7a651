import json

import pytest
from click.testing import CliRunner

from engine.cli import main


def order(arguments):
    return CliRunner().invoke(main, ["order", *arguments.split()])


def test_a_twap_in_virtual_time_is_filled_and_told_as_json():
    found = order("AAPL buy 1000 --algo twap --duration 2m --slices 5 --speed max --seed 3 --json")
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert (document["order"]["state"], document["order"]["cumulative"]) == ("filled", "1000")
    assert sum(float(fill["quantity"]) for fill in document["fills"]) == 1000
    assert 60 < document["seconds"] <= 120
    again = order("AAPL buy 1000 --algo twap --duration 2m --slices 5 --speed max --seed 3 --json")
    fills = [[{**fill, "order": ""} for fill in json.loads(one.stdout)["fills"]] for one in (found, again)]
    assert fills[0] == fills[1]


def test_what_is_not_filled_ends_with_one():
    found = order("AAPL buy 100 --algo limit --limit 1 --duration 5s --speed max --seed 3")
    assert found.exit_code == 1
    assert "cancelled" in found.output


def test_a_journal_keeps_the_order_and_its_key(tmp_path):
    path = str(tmp_path / "desk.journal")
    arguments = f"AAPL buy 100 --speed max --seed 3 --journal {path} --key k --json"
    first, second = order(arguments), order(arguments)
    assert (first.exit_code, second.exit_code) == (0, 0), second.output
    assert json.loads(second.stdout)["order"]["id"] == 1
    assert json.loads(second.stdout)["fills"] == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("AAPL buy 100 --algo twap", "--duration or --end"),
        ("AAPL buy 100 --algo limit", "needs --limit"),
        ("AAPL buy 1.5 --speed max", "multiple of the lot 1"),
        ("AAPL buy x --speed max", "quantity is 'x'"),
        ("AAPL buy 100 --limit 1.005 --speed max", "multiple of the tick"),
        ("AAPL buy 100 --key k", "--key needs --journal"),
        ("AAPL buy 100 --providers polygon --speed max", "made-up market"),
        ("AAPL buy 100 --providers nope", "provider is 'nope'"),
        ("AAPL buy 1000000 --speed max", "refused: order_notional"),
        ("AAPL buy 100 --algo twap --duration soon", "duration is 'soon'"),
    ],
)
def test_a_mistake_is_one_line_and_two(arguments, text):
    found = order(arguments)
    assert found.exit_code == 2
    assert text in found.output
    assert "Traceback" not in found.output
