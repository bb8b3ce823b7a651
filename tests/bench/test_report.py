"""The table, the document and the diary say the same, and leave nobody out."""

import io
import json

import pytest
from rich.console import Console

from bench import budgets, report
from bench.budgets import Budget
from bench.measure import NS, Measured, Result, Row

FACTS = {
    "date": "2026-01-05T10:00:00+00:00",
    "commit": "abc1234",
    "cpu": "A core",
    "cores": 2,
    "clock_ghz": 3.0,
    "cpu_target": "avx2",
    "load": [0.5, 0.4, 0.3],
    "load_after": [0.6, 0.4, 0.3],
    "python": "3.11.2",
    "rounds": 7,
    "clock": "wall",
    "versions": {"tickforge": "0.1.0", "nautilus_trader": None},
}


@pytest.fixture
def results():
    ours = Measured("engine", [10.0, 12.0, 11.0], {"p50": 9.0, "p99": 20.0, "p99.9": 300.0})
    peers = [Measured("order-book", [100.0, 110.0, 120.0]), Measured("nautilus_trader", absent="not installed")]
    return [
        Result("book", Row("apply", "apply, batches", NS, lambda _: None, 3.0, "a store"), ours, peers, 3.0, "a note"),
        Result("book", Row("real", "real data", NS, lambda _: None), Measured("engine", absent="no data"), [], 3.0),
    ]


@pytest.fixture
def outcomes(results):
    entries = [
        Budget("book.apply", "times_faster", 8, 12, "order-book"),
        Budget("book.apply", "times_faster", 14, 18, "nautilus_trader"),
        Budget("book.real", "at_4_ghz", 25, 12),
    ]
    return budgets.check(results, entries)


def test_the_document_survives_json(results, outcomes):
    document = json.loads(json.dumps(report.document(FACTS, results, outcomes)))
    apply, real = document["rows"]
    assert (apply["ours"]["median"], apply["ours"]["best"], apply["ours"]["rounds"]) == (11.0, 10.0, [10.0, 12.0, 11.0])
    assert apply["ours_at_reference_clock"] == 8.25
    assert apply["ours_times_limit"] == 2.75
    assert apply["peers"][0]["ours_is_times_faster_at_best"] == 10.0
    assert apply["ours"]["latency_ns"]["p99.9"] == 300.0
    assert apply["peers"][0]["ours_is_times_faster"] == 10.0
    assert apply["peers"][1] == {"name": "nautilus_trader", "absent": "not installed"}
    assert real["ours"] == {"name": "engine", "absent": "no data"}
    assert [entry["verdict"] for entry in document["budgets"]] == ["floor", "not measured", "not measured"]
    assert document["passed"] is False


def test_the_table_shows_everybody(results, outcomes):
    out = io.StringIO()
    Console(file=out, width=250).print(report.table(results, outcomes))
    text = out.getvalue()
    for piece in (
        "11.0 (10.0) ns",
        "8.25",
        "10.0x (10.0x)",
        "9.00 / 20.0 / 300",
        "absent: not installed",
        "absent: no data",
    ):
        assert piece in text
    assert "10.0 (floor 8, goal 12): floor" in text


def test_brackets_in_a_reason_are_no_markup(results):
    results[0].peers[1].absent = "pip install '.[bench]' [/x]"
    out = io.StringIO()
    Console(file=out, width=250).print(report.table(results, []))
    assert "absent: pip install '.[bench]' [/x]" in out.getvalue()


def test_the_diary_has_machine_target_commit_and_rows(results, outcomes):
    text = report.diary(FACTS, results, outcomes)
    assert text.startswith("## 2026-01-05, abc1234\n")
    assert "target avx2" in text
    assert "nautilus_trader absent" in text
    assert "| book.apply | 11.0 ns; p50 / p99 / p99.9 9.00 / 20.0 / 300 | 10.0 | 8.25 | 2.75 | " in text
    assert "| order-book 110 = 10.0x; nautilus_trader absent (not installed) |" in text
    assert "| book.real | absent: no data |" in text


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (float("nan"), "-")])
def test_three_digits(value, text):
    assert report.figure(value) == text
