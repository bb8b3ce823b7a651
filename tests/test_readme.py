"""The README keeps its promises: its example runs, its links lead somewhere."""

import re

import numpy as np
import pytest

import engine
from engine.core.venues import venue_id
from engine.storage.tape import TapeWriter
from tests.checkout import PROJECT, ROOT

README = (ROOT / "README.md").read_text()


@pytest.fixture
def folder_with_a_tape(tmp_path, monkeypatch):
    """What the second example expects: a tape of one instrument."""
    instruments = engine.Instruments()
    events = np.zeros(3, engine.EVENT)
    events["instrument"] = instruments.add("AAPL", tick="0.01").id
    events["kind"] = [engine.Kind.LEVEL, engine.Kind.LEVEL, engine.Kind.TRADE]
    events["side"] = [engine.Side.BID, engine.Side.ASK, engine.Side.NONE]
    events["price"] = np.array([4000, 4001, 4001]) * (engine.NANOS // 100)
    events["quantity"] = 100 * engine.NANOS
    events["flags"] = engine.Flag.LAST
    events["venue"] = venue_id("XNAS")
    with TapeWriter(tmp_path / "day.arrow", instruments) as tape:
        tape.write(events)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder_with_a_tape")
@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_examples_run(example):
    names = {"__name__": "readme"}
    exec(compile(example, "README.md", "exec"), names)
    if "tape" in names:
        assert names["changed"].tolist() == [0]
        assert names["tape"].bars("AAPL", "1m")["close"].to_pylist() == [40.01]


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(link):
    assert link.startswith("https://") or (ROOT / link).exists()


def test_the_two_commands_are_there():
    assert "pip install . && engine demo\npip install '.[test]' && pytest\n" in README


def test_extras_and_command_exist():
    extras = set(re.findall(r"'\.\[(\w+)\]'", README))
    assert extras <= set(PROJECT["project"]["optional-dependencies"])
    assert PROJECT["project"]["scripts"] == {"engine": "engine.cli:main"}
