import dataclasses
import re
from pathlib import Path

import pytest

from engine.core import trading

ENGINE = Path(trading.__file__).parent.parent
WORDS = [getattr(trading, name) for name in trading.__all__]
CLASSES = [word for word in WORDS if dataclasses.is_dataclass(word)]


@pytest.mark.parametrize("word", CLASSES, ids=lambda word: word.__name__)
def test_what_the_journal_keeps_cannot_change(word):
    assert word.__dataclass_params__.frozen
    assert not hasattr(word, "__dict__") or "__slots__" in vars(word)


def test_only_the_gate_makes_an_approved_order():
    makers = [
        path.relative_to(ENGINE).as_posix()
        for path in ENGINE.rglob("*.py")
        if re.search(r"(?<!class )\bApproved\(", path.read_text(encoding="utf-8"))
    ]
    assert set(makers) <= {"risk/gate.py"}
