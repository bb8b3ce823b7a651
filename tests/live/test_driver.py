"""The driver with a scripted trader: what leaves when, and what never leaves."""

import errno

import pytest

from engine.core.trading import Approved, Cancel, Halt, Intent, Place, Report, ReportKind, Timer, Withdraw
from engine.execution.codec import BATCH, decode_batch, encode_commands
from engine.live.driver import Driver
from engine.storage.journal import Journal
from engine.storage.journal_file import MemoryFile
from engine.trader import Turn

PLACE = Place(Approved(Intent(1, "u-1-1", 0, "AAPL", "buy", 1, 1, "sim"), 5))  # as the gate would
WITHDRAW = Withdraw("sim", "u-1-1", "", "AAPL")


class Scripted:
    """A trader that answers each input with the commands it is told to."""

    def __init__(self, **answers):
        self.answers, self.seen = answers, []
        self.next_timer = 2**63 - 1
        self.halted = ""
        self.now = 0

    def step(self, inputs, now):
        self.seen += inputs
        self.halted = "halted" if any(isinstance(one, Halt) for one in self.seen) else ""
        self.next_timer = 2**63 - 1
        commands = [one for given in inputs for one in self.answers.get(type(given).__name__, ())]
        return Turn(tuple(commands), (), ())


class Slow:
    """A journal whose durability is said by the test."""

    def __init__(self):
        self.payloads, self.durable, self.failed, self.submits = [], 0, None, 0

    def append(self, kind, payload, now, *, version):
        self.payloads.append(payload)
        return len(self.payloads)

    def submit(self):
        self.submits += 1


def driver(trader, journal):
    sent = []
    return Driver(trader, journal, sent.extend, lambda updates: None, lambda: 100), sent


def test_nothing_leaves_before_the_journal_has_it():
    journal = Slow()
    made, sent = driver(Scripted(Cancel=[PLACE, WITHDRAW]), journal)
    made.put(Cancel(1))
    made.turn()
    assert sent == []
    assert not made.idle
    journal.durable = 1
    made.settle()
    assert sent == [PLACE, WITHDRAW]
    assert made.idle


def test_each_step_is_one_record_with_what_went_in_and_what_came_out():
    file = MemoryFile()
    journal = Journal.open(file)
    made, sent = driver(Scripted(Cancel=[WITHDRAW]), journal)
    made.put(Cancel(7))
    made.put(Timer())
    made.turn()
    (record,) = journal.records()
    batch = decode_batch(record.payload)
    assert (record.kind, record.now, batch.inputs) == (BATCH, 100, (Cancel(7), Timer()))
    assert batch.commands == encode_commands([WITHDRAW])
    assert sent == [WITHDRAW]


def test_what_needs_no_hurry_waits_for_company():
    journal = Slow()
    made, _ = driver(Scripted(), journal)
    made.put(Timer())
    made.turn()
    assert journal.submits == 0
    made.flush()
    assert journal.submits == 1
    made.put(Cancel(1))  # somebody may wait for this one
    made.turn()
    assert journal.submits == 2


def test_a_due_timer_is_a_step_of_its_own():
    trader = Scripted()
    trader.next_timer = 100
    made, _ = driver(trader, None)
    made.turn()
    assert made.steps == 1
    made.turn()
    assert made.steps == 1


@pytest.mark.parametrize("where", ["append", "sync"])
def test_after_a_failure_only_what_reduces_leaves_and_the_trader_knows(where, caplog):
    trader = Scripted(Cancel=[PLACE, WITHDRAW])
    if where == "sync":
        file = MemoryFile()
        journal = Journal.open(file)
        file.sync_errors = [errno.EIO]
    else:
        journal = Journal.open(MemoryFile())
        journal.close()
    made, sent = driver(trader, journal)
    made.put(Cancel(1))
    made.turn()
    assert sent == [WITHDRAW]
    halts = [one for one in trader.seen if type(one).__name__ == "Halt"]
    assert [halt.source for halt in halts] == ["journal"]
    (report,) = [one for one in trader.seen if isinstance(one, Report)]
    assert (report.kind, report.client_order_id) == (ReportKind.REJECTED, "u-1-1")
    assert "not sent" in report.reason
    made.put(Cancel(2))
    made.turn()
    assert sent == [WITHDRAW, WITHDRAW]
    assert "no new order leaves" in caplog.text


def test_what_waited_for_a_journal_that_fails_never_leaves():
    journal = Slow()
    trader = Scripted(Cancel=[PLACE])
    made, sent = driver(trader, journal)
    made.put(Cancel(1))
    made.turn()
    journal.failed = "disk full"
    made.settle()
    assert sent == []
    assert [one.kind for one in trader.seen if isinstance(one, Report)] == [ReportKind.REJECTED]


def test_what_waited_for_the_journal_when_a_halt_came_never_leaves():
    journal = Slow()
    trader = Scripted(Cancel=[PLACE, WITHDRAW])
    made, sent = driver(trader, journal)
    made.put(Cancel(1))
    made.turn()
    made.put(Halt("stop"))
    made.turn()
    journal.durable = 2
    made.settle()
    assert sent == [WITHDRAW]
    assert [one.reason for one in trader.seen if isinstance(one, Report)] == ["not sent: halted"]
