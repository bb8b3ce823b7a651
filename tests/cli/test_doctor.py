"""``engine doctor``."""

from __future__ import annotations

import json
import platform

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

import engine
from engine._native import batch
from engine.cli import doctor, main


def test_everything_is_told_as_json() -> None:
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["versions"]["tickforge"] == engine.__version__
    assert found["versions"]["python"] == platform.python_version()
    assert (found["versions"]["numpy"], found["versions"]["pyarrow"]) == (np.__version__, pa.__version__)
    assert (found["cpu"]["target"], found["cpu"]["supported"]) == (batch.target(), batch.supported_targets())
    assert 0 < found["timer_resolution_ns"] < 1_000_000
    assert isinstance(found["clock_offset"], str | dict)
    assert {"batch", "book", "decode", "lobster", "tape"} <= set(found["native"])
    assert set(found["native"].values()) == {"ok"}


def test_people_see_the_same() -> None:
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0
    for text in ("Versions", batch.target(), "timer resolution ns", "Native modules", "ok"):
        assert text in result.stdout


def test_a_module_that_does_not_load_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_modules", lambda: {"batch", "absent"})
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert result.exit_code == 1
    assert "No module named" in json.loads(result.stdout)["native"]["absent"]
    assert "No module named" in CliRunner().invoke(main, ["doctor"]).stdout


def test_a_clock_with_a_service_shows_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "clock_offset", lambda: {"synchronised": True, "offset_ns": -1234, "error_ns_max": 9})
    shown = CliRunner().invoke(main, ["doctor"]).stdout
    assert "-1,234" in shown


def test_a_package_that_is_absent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> object:
        raise ImportError(f"no {name} here")

    monkeypatch.setattr(doctor.importlib, "import_module", refuse)
    assert doctor.examine()["versions"]["pyarrow"] == "does not load: no pyarrow here"
