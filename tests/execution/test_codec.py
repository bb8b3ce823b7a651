"""What goes into the journal comes out of it."""

import pytest

from engine.core.trading import (
    Amend,
    Approved,
    Cancel,
    CancelAll,
    Halt,
    Holding,
    Intent,
    LineState,
    Listing,
    OrderState,
    Pause,
    Place,
    Query,
    Reconcile,
    Refusal,
    Release,
    Replace,
    Report,
    ReportKind,
    Restart,
    Resume,
    Session,
    Snapshot,
    Submit,
    Timer,
    TopChange,
    Withdraw,
)
from engine.errors import StorageError
from engine.execution.codec import decode_batch, describe_commands, encode_batch, encode_commands

REPORT = Report(
    "one", ReportKind.STATUS, "u-1-1", "v", "e", "r", 1, 2, 3, 4, -5, OrderState.NEW, "why", "AAPL", "sell", 6, 7
)
INPUTS = (
    TopChange(1, 2, 3, 4, 5, 6, 7, "live", 2**62, 9, 10, 11, ((1, 2), (3, 4)), ()),
    Submit(1, 2, "AAPL", "buy", 3, {"algo": "limit", "price": "1.5", "on": True}, "key", None, ("one", "two"), 7),
    Cancel(1),
    CancelAll(None),
    CancelAll("t"),
    Amend(1, None, 5),
    Pause(1),
    Resume(1),
    Halt("because"),
    Release("x"),
    REPORT,
    Report("one", ReportKind.FILL, "u-1-1"),
    Snapshot("one", 5, (REPORT,), (REPORT, REPORT), (Holding("AAPL", -5, 7),), None, False, 9),
    LineState("broker", "one", "down", "cut"),
    Session(1, 2),
    Listing(1, "AAPL", 2, 3),
    Restart(),
    Timer(),
)
INTENT = Intent(1, "u-1-1", 2, "AAPL", "buy", 3, 4, "one", "ioc", True, 5, "u-1-0", -6)
COMMANDS = (
    Place(Approved(INTENT, 77)),
    Replace(Approved(INTENT, 78), "v"),
    Withdraw("one", "u-1-1", "v", "AAPL"),
    Query("one", "u-1-1", "", "AAPL"),
    Reconcile("one", 5),
)


def test_inputs_and_answers_come_back_equal_and_of_the_same_classes():
    answers = (None, Refusal("a", "b", "c"))
    batch = decode_batch(encode_batch(INPUTS, answers, COMMANDS))
    assert batch.inputs == INPUTS
    assert [type(one) for one in batch.inputs] == [type(one) for one in INPUTS]
    assert type(batch.inputs[INPUTS.index(REPORT)].state) is OrderState
    assert batch.answers == answers
    assert batch.commands == encode_commands(COMMANDS)


def test_every_input_has_a_tag():
    import engine.core.trading as words

    assert {type(one) for one in INPUTS} == set(words.Input.__args__)
    assert {type(one) for one in COMMANDS} == set(words.Command.__args__)


def test_tags_are_for_good():
    """A journal written today is read tomorrow: these bytes never change."""
    assert encode_batch((Cancel(1), Timer()), (), ()).hex() == "9392920201910e90c40190"
    assert encode_commands((Withdraw("one", "a", "v", "S"),)).hex() == "919502a36f6e65a161a176a153"


def test_commands_are_described_for_people():
    place, replace, withdraw, query, reconcile = describe_commands(encode_commands(COMMANDS))
    assert (place["command"], place["approved"], place["client_order_id"], place["increase"]) == (
        "place",
        77,
        "u-1-1",
        -6,
    )
    assert (replace["command"], replace["venue_order_id"], replace["replaces"]) == ("replace", "v", "u-1-0")
    assert withdraw == {
        "command": "withdraw",
        "broker": "one",
        "client_order_id": "u-1-1",
        "venue_order_id": "v",
        "symbol": "AAPL",
    }
    assert (query["command"], reconcile["since"]) == ("query", 5)


@pytest.mark.parametrize(
    "payload", [b"", b"\x00", b"\x93\x91\x91\xcc\xff\x90\xc4\x00", b"\xc1", b"\x93\x91\x92\x00\x01\x90\xc4\x00"]
)
def test_what_is_no_batch_is_named(payload):
    with pytest.raises(StorageError, match=f"batch of {len(payload)} bytes"):
        decode_batch(payload)


def test_what_are_no_commands_is_named():
    with pytest.raises(StorageError, match="commands of 1 bytes"):
        describe_commands(b"\x05")
