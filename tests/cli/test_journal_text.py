"""Records of a journal in words and as plain values."""

from __future__ import annotations

import json

from engine.cli.journal_text import Teller, document, instant
from engine.core import trading
from engine.core.trading import (
    Amend,
    Approved,
    BrokerFacts,
    Halt,
    Intent,
    LineState,
    Listing,
    OrderState,
    Place,
    Query,
    Reconcile,
    Refusal,
    Replace,
    Report,
    ReportKind,
    Session,
    Snapshot,
    Submit,
    Timer,
    TopChange,
)
from engine.core.units import NANOS
from engine.execution.codec import BATCH, SETUP, encode_batch
from engine.storage.journal import Record
from engine.trader import TraderSetup, encode_setup

NOW = 1_767_623_400 * NANOS
TOP = TopChange(0, 99 * NANOS, 300 * NANOS, 101 * NANOS, 50 * NANOS, 99 * NANOS, 101 * NANOS, "live", NOW, NOW)
LISTED = Listing(0, "AAPL", NANOS // 100, NANOS)
SUBMITTED = Submit(1, 0, "AAPL", "buy", 1_500 * NANOS, {"algo": "twap"}, key="k1")
INTENT = Intent(1, "ab-1-1", 0, "AAPL", "buy", 100 * NANOS, 101 * NANOS, "sim")


def batch(inputs: list[trading.Input], answers: list[Refusal | None], commands: list[trading.Command]) -> Record:
    return Record(7, NOW, BATCH, 1, encode_batch(inputs, answers, commands))


def told(*inputs: trading.Input, commands: list[trading.Command] | None = None) -> str | None:
    line = Teller().line(batch(list(inputs), [], commands or []))
    head = "       7  2026-01-05T14:30:00.000000000Z  "
    assert line is None or line.startswith(head)
    return line and line.removeprefix(head)


def test_instants_are_utc_to_the_nanosecond() -> None:
    assert instant(NOW + 1) == "2026-01-05T14:30:00.000000001Z"


def test_inputs_and_commands_are_told_in_words() -> None:
    place = Place(Approved(INTENT, NOW))
    assert told(LISTED, SUBMITTED, commands=[place]) == (
        "AAPL may be traded, tick 0.01, lot 1; submit parent 1: buy 1,500 AAPL, twap, key k1 "
        "→ place ab-1-1: buy 100 AAPL at 101, day, sim"
    )
    fill = Report("sim", ReportKind.FILL, "ab-1-1", quantity=50 * NANOS, price=101 * NANOS, cumulative=50 * NANOS,
                  state=OrderState.PARTIALLY_FILLED)  # fmt: skip
    reject = Report("sim", ReportKind.REJECTED, "ab-1-1", reason="no money")
    assert told(fill, reject) == (
        "sim: fill 50 at 101 ab-1-1 (partially-filled, 50 done); sim: rejected ab-1-1: no money"
    )
    assert told(LineState("broker", "sim", "down", "silent"), Halt("fat finger")) == (
        "broker sim down: silent; halt by user: fat finger"
    )
    assert told(Amend(1, price=NANOS, quantity=2 * NANOS), trading.Cancel(1), trading.CancelAll("desk")) == (
        "amend parent 1: price 1, quantity 2; cancel parent 1; cancelall tag desk"
    )
    assert told(Session(NOW, NOW + NANOS), trading.Restart()) == (
        "session from 2026-01-05T14:30:00.000000000Z to 2026-01-05T14:30:01.000000000Z; restart"
    )
    assert told(Snapshot("sim", 0, complete=False)) == (
        "sim: snapshot of 0 orders, 0 executions, 0 positions, incomplete"
    )
    replace = Replace(Approved(INTENT._replace(price=0, replaces="ab-1-0"), NOW), "v1")
    assert told(commands=[replace, Query("sim", "ab-1-1", "", "AAPL"), Reconcile("sim", 0)]) == (
        "→ replace ab-1-1 instead of ab-1-0: buy 100 AAPL at market, day, sim; query ab-1-1, sim; reconcile sim"
    )


def test_prices_and_time_alone_are_told_on_request() -> None:
    record = batch([TOP, Timer()], [], [])
    teller = Teller()
    assert teller.line(record) is None
    assert (teller.line(record, everything=True) or "").endswith(
        "instrument 0 live: bid 300 at 99, ask 50 at 101; timer"
    )
    teller.line(batch([LISTED], [], []))
    assert "AAPL live" in (teller.line(record, everything=True) or "")


def test_setups_refusals_and_foreign_records_are_told() -> None:
    setup = TraderSetup("ab" * 16, (BrokerFacts("sim"), BrokerFacts("paper")), seed=3)
    teller = Teller()
    assert (teller.line(Record(1, NOW, SETUP, 1, encode_setup(setup))) or "").endswith(
        "setup: brokers sim, paper, seed 3"
    )
    assert (teller.line(batch([], [None, Refusal("check", "5", "4")], [])) or "").endswith(
        "Z  check refused: check 5, bound 4"
    )
    assert (teller.line(Record(2, NOW, 99, 1, b"abc")) or "").endswith("Z  kind 99, 3 bytes")


def test_documents_leave_nothing_out_and_are_json() -> None:
    found = document(batch([TOP, SUBMITTED], [None, Refusal("check", "5", "4")], [Reconcile("sim", 5)]))
    assert json.loads(json.dumps(found)) == found | {
        "inputs": [json.loads(json.dumps(one)) for one in found["inputs"]],
    }
    assert (found["sequence"], found["now"], found["kind"], found["version"]) == (7, NOW, "batch", 1)
    assert [one["input"] for one in found["inputs"]] == ["topchange", "submit"]
    assert (found["inputs"][0]["bid"], found["inputs"][1]["key"]) == (99 * NANOS, "k1")
    assert found["answers"] == [None, {"limit": "check", "value": "5", "bound": "4"}]
    assert found["commands"] == [{"command": "reconcile", "broker": "sim", "since": 5}]
    setup = TraderSetup("ab" * 16, (BrokerFacts("sim"),))
    assert document(Record(1, NOW, SETUP, 1, encode_setup(setup)))["setup"]["uid"] == "ab" * 16
    assert document(Record(1, NOW, 99, 1, b"\x01"))["payload"] == "01"
