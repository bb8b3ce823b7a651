"""The journal leads to the same trader, and the same commands."""

import pytest

from engine.core.trading import Cancel, Halt, OrderState, Query, Reconcile, Refusal, Restart
from engine.errors import StorageError
from engine.execution.codec import BATCH, decode_batch, encode_batch
from engine.risk.limits import Limits
from engine.trader import TraderSetup, recover, replay_journal
from engine.trader.rerun import decode_setup
from tests.trader.adversary import Faults
from tests.trader.desk import NANO, UID, Desk, Kept
from tests.trader.exchange_session import ExchangeSession
from tests.trader.session import Session, state_of

ONE = f"{UID[:8]}-1-1"


def test_replay_gives_the_same_commands_and_state():
    desk = Desk(check=lambda intent: Refusal("no", "", "") if intent.quantity == 7 * NANO else None)
    desk.submit(100, key="k")
    desk.submit(7, parent=2)
    desk.tell("fill", ONE, 40, execution_id="a")
    desk.step(Cancel(1))
    desk.wait(5 * NANO)
    rerun = replay_journal(desk.records)
    assert rerun.first_difference == ""
    assert (rerun.batches, rerun.commands) == (len(desk.records) - 1, len(desk.commands))
    assert state_of(rerun.trader) == state_of(desk.trader)


def test_another_command_in_the_journal_is_named():
    desk = Desk()
    desk.submit(100)
    last = desk.records[-1]
    inputs = decode_batch(last.payload).inputs
    last.payload = encode_batch(inputs, (), (Reconcile("one", 5),))
    found = replay_journal(desk.records).first_difference
    assert found.startswith(f"record {last.sequence}, command 0: the journal has {{'command': 'reconcile'")
    last.payload = encode_batch(inputs, (), ())
    assert "the journal has None, the step gave {'command': 'place'" in replay_journal(desk.records).first_difference


def test_a_restart_doubts_what_was_in_flight_and_trades_only_after_the_snapshot():
    desk = Desk()
    desk.submit(100, key="k")
    desk.tell("accepted", ONE)
    desk.submit(50, parent=2, key="l")
    limits = Limits(order_quantity=60)
    trader, rerun = recover(desk.records, TraderSetup(UID, desk.setup.brokers, limits))
    assert rerun.first_difference == ""
    turn = trader.step([Restart()], desk.now + NANO)
    assert turn.commands == ()
    assert trader.keys == {"k": 1, "l": 2}
    assert [trader.children[name].state for name in (ONE, f"{UID[:8]}-2-1")] == [OrderState.NEW, OrderState.UNKNOWN]
    desk.trader = trader
    desk.begin()
    assert {type(one) for one in desk.line("up")} == {Reconcile, Query}
    desk.submit(100, parent=3)
    assert "order_quantity" in trader.parents[3].reason


def test_a_halt_survives_restarts():
    desk = Desk()
    desk.step(Halt("enough"))
    trader, _ = recover(desk.records, desk.setup)
    trader.step([Restart()], desk.now)
    assert trader.halted == "enough (user)"


def test_an_empty_journal_is_a_new_trader():
    setup = TraderSetup(UID, ())
    trader, rerun = recover([], setup)
    assert rerun.trader is None
    assert trader.setup is setup


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Kept(BATCH, 5, 0, b"\x93\x90\x90\xc4\x01\x90"), "record 5 is a batch, and no setup"),
        (Kept(1, 5, 0, b"{}"), "setup of 2 bytes"),
    ],
)
def test_a_journal_that_makes_no_sense_is_named(record, message):
    with pytest.raises(StorageError, match=message):
        replay_journal([record])


def test_a_later_version_is_refused():
    record = Kept(BATCH, 5, 0, b"")
    record.version = 9
    with pytest.raises(StorageError, match="version 9"):
        replay_journal([record])
    with pytest.raises(StorageError):
        decode_setup(b"\xff")


def test_another_process_numbers_children_from_the_next_thousand_on():
    desk = Desk()
    desk.submit(100)
    desk.begin()
    desk.up()
    desk.submit(100, parent=2)
    assert [one.client_order_id for one in desk.placed()] == [ONE, f"{UID[:8]}-2-1001"]


def test_with_a_time_to_settle_no_broker_gets_an_order_before_all_were_read_late_enough():
    desk = Desk("one", "two", up=False)
    desk.trader.set_up(TraderSetup(UID, desk.setup.brokers, settle_ns=2 * NANO), None)
    desk.begin()
    desk.up("one")
    desk.submit(100)
    desk.wait(2 * NANO)
    desk.snapshot("one")
    assert desk.placed() == []
    desk.up("two")
    desk.wait(2 * NANO)
    desk.snapshot("two")
    assert [one.broker for one in desk.placed()] == ["one"]


# ---- everything wrong at once


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_or_doubled_whatever_brokers_and_kills_do(seed):
    assert Session(seed, duration=20 * NANO).run() == []


@pytest.mark.parametrize("kind", [Session, ExchangeSession])
@pytest.mark.parametrize("seed", range(5))
def test_nor_when_the_journal_loses_its_tail_if_brokers_settle_first(seed, kind):
    assert kind(seed, Faults(power=0.02)).run() == []


@pytest.mark.parametrize("seed", range(12))
def test_nor_on_simulated_brokers_with_all_their_faults_and_cash_agrees_to_the_cent(seed):
    assert ExchangeSession(seed).run() == []
