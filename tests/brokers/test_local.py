"""The adapter of in-process brokers: what it sends, what it understands, and that it never guesses."""

from contextlib import suppress
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.brokers.local import LINE_LIMIT, LocalProtocol
from engine.brokers.protocol import NEVER, BrokerFacts
from engine.core.trading import (
    Approved,
    Intent,
    LineState,
    OrderState,
    Place,
    Query,
    Reconcile,
    Replace,
    Report,
    ReportKind,
    Snapshot,
    Withdraw,
)
from engine.core.units import NANOS
from engine.errors import ProtocolError

FACTS = BrokerFacts("sim")
INTENT = Intent(1, "u-1-1", 0, "AAPL", "buy", 100 * NANOS, 101 * NANOS, "sim")
PLACE = Place(Approved(INTENT, 5))
QUERY = Query("sim", "u-1-1", "", "AAPL")


def opened(now=0):
    adapter = LocalProtocol(FACTS)
    adapter.opened(now)
    assert adapter.take_inputs() == [LineState("broker", "sim", "up")]
    return adapter


def sent(adapter):
    return [orjson.loads(outgoing.data) for outgoing in adapter.take_outgoing()]


def line(**message):
    return orjson.dumps(message) + b"\n"


ORDER = {"client_order_id": "u-1-1", "venue_order_id": "7", "symbol": "AAPL", "side": "buy", "cumulative": 0}
STREAM = b"".join(
    [
        line(event="heartbeat"),
        line(request=1, order=ORDER | {"leaves": 100 * NANOS}),
        line(event="fill", **ORDER, execution_id="x1", quantity=40 * NANOS, price=100 * NANOS, fee=-3, ts=9),
        line(event="bust", **ORDER, reference="x1"),
        line(event="cancelled", **ORDER, leaves=0, reason="by request"),
        line(request=2, order=ORDER | {"state": "new"}, executions=[ORDER | {"event": "fill", "execution_id": "x2"}]),
        line(
            request=3,
            snapshot={
                "since": 4,
                "orders": [ORDER | {"state": "new"}],
                "executions": [ORDER | {"event": "fill"}],
                "positions": [],
            },
        ),
    ]
)


def asked():
    adapter = opened()
    for command in (PLACE, QUERY, Reconcile("sim", 4)):
        adapter.encode(command, 0)
    adapter.take_outgoing()
    return adapter


def test_commands_become_lines():
    adapter = opened()
    replacing = Intent(1, "u-1-2", 0, "AAPL", "buy", 50 * NANOS, 99 * NANOS, "sim", replaces="u-1-1")
    commands = [PLACE, Replace(Approved(replacing, 5), "7"), Withdraw("sim", "u-1-1", "7", "AAPL"), QUERY]
    for command in (*commands, Reconcile("sim", 4)):
        adapter.encode(command, 0)
    new, replace, cancel, query, snapshot = sent(adapter)
    assert new == {
        "op": "new",
        "request": 1,
        "client_order_id": "u-1-1",
        "symbol": "AAPL",
        "side": "buy",
        "quantity": 100 * NANOS,
        "price": 101 * NANOS,
        "tif": "day",
        "post_only": False,
        "display": 0,
    }
    assert (replace["client_order_id"], replace["replaces"], replace["quantity"]) == ("u-1-2", "u-1-1", 50 * NANOS)
    assert cancel == {"op": "cancel", "request": 3, "client_order_id": "u-1-1"}
    assert (query["op"], snapshot) == ("query", {"op": "snapshot", "request": 5, "since": 4})


def test_what_a_broker_says_is_understood():
    adapter = asked()
    adapter.receive(STREAM, 20)
    accepted, fill, bust, cancelled, found, status, snapshot = adapter.take_inputs()
    assert (accepted.kind, accepted.venue_order_id, accepted.leaves) == (ReportKind.ACCEPTED, "7", 100 * NANOS)
    assert (fill.kind, fill.quantity, fill.price, fill.fee) == (ReportKind.FILL, 40 * NANOS, 100 * NANOS, -3)
    assert (fill.ts_event, fill.ts_recv) == (9, 20)
    assert (bust.kind, bust.reference) == (ReportKind.BUST, "x1")
    assert (cancelled.kind, cancelled.reason) == (ReportKind.CANCELLED, "by request")
    assert (found.kind, found.execution_id, status.kind, status.state) == ("fill", "x2", "status", OrderState.NEW)
    assert (snapshot.since, snapshot.complete, snapshot.orders[0].state) == (4, True, OrderState.NEW)


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_cut_anywhere_it_means_the_same(cuts):
    whole, pieces = asked(), asked()
    whole.receive(STREAM, 20)
    places = [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(places):
        pieces.receive(STREAM[start:end], 20)
    assert pieces.take_inputs() == whole.take_inputs()


@given(
    st.binary(max_size=60) | st.sampled_from(STREAM.splitlines()).flatmap(lambda text: st.just(text[: len(text) // 2]))
)
def test_garbage_is_a_protocol_error_or_nothing(data):
    with suppress(ProtocolError):
        asked().receive(data + b"\n", 20)


@pytest.mark.parametrize(
    "message",
    [
        line(event="fill", client_order_id=7),
        line(event="unknown-outcome", client_order_id="u"),
        line(event="fill", client_order_id="u", quantity=1.5),
        line(event="fill", client_order_id="u", side="hold"),
        line(request=True),
        line(request=3, snapshot={"orders": []}),
        b"[" * 5_000 + b"\n",
        b"x" * (LINE_LIMIT + 1),
    ],
)
def test_a_message_of_another_shape_is_a_protocol_error(message):
    with pytest.raises(ProtocolError, match=r"^sim: "):
        asked().receive(message, 20)


def test_a_request_without_an_answer_has_an_unknown_outcome():
    adapter = opened()
    adapter.encode(PLACE, 100)
    assert adapter.timer(100) == 100 + FACTS.answer_ns
    adapter.timer(100 + FACTS.answer_ns)
    (report,) = adapter.take_inputs()
    assert (report.kind, report.client_order_id) == (ReportKind.UNKNOWN_OUTCOME, "u-1-1")
    adapter.take_outgoing()
    for _ in range(2):
        adapter.receive(line(request=1, order=ORDER), 101 + FACTS.answer_ns)
    (report,) = adapter.take_inputs()  # late, but a positive statement; the second one is nothing new
    assert report.kind == ReportKind.ACCEPTED


def test_a_read_that_fails_tells_nothing_and_one_that_finds_nothing_says_so():
    adapter = opened()
    for _ in range(3):
        adapter.encode(QUERY, 0)
    adapter.receive(line(request=1, error="not-found") + line(request=2, error="throttled"), 20)
    assert adapter.take_inputs() == [
        Report("sim", ReportKind.NOT_FOUND, "u-1-1", reason="not-found", symbol="AAPL", ts_recv=20)
    ]
    adapter.timer(FACTS.answer_ns)
    adapter.receive(line(request=3, error="not-found"), FACTS.answer_ns + 1)
    assert adapter.take_inputs() == []


def test_a_lost_line_makes_every_open_request_unknown():
    adapter = asked()
    adapter.closed("reset", 9)
    new, snapshot, down = adapter.take_inputs()
    assert new.kind == ReportKind.UNKNOWN_OUTCOME
    assert snapshot == Snapshot("sim", 0, complete=False, ts_recv=9)
    assert down == LineState("broker", "sim", "down", "reset")
    assert adapter.take_outgoing() == []


def test_on_a_line_that_is_down_nothing_is_sent_and_that_is_certain():
    adapter = LocalProtocol(FACTS)
    adapter.encode(PLACE, 3)
    adapter.encode(QUERY, 3)
    (report,) = adapter.take_inputs()
    assert (report.kind, report.client_order_id) == (ReportKind.REJECTED, "u-1-1")
    assert adapter.take_outgoing() == []


def test_a_silent_line_is_suspect_until_it_speaks():
    adapter = opened()
    assert adapter.timer(0) == 2 * FACTS.heartbeat_ns
    assert adapter.timer(2 * FACTS.heartbeat_ns) == 4 * FACTS.heartbeat_ns
    assert [state.state for state in adapter.take_inputs()] == ["suspect"]
    adapter.receive(line(event="heartbeat"), 3 * FACTS.heartbeat_ns)
    assert [state.state for state in adapter.take_inputs()] == ["up"]
    assert adapter.timer(7 * FACTS.heartbeat_ns) == NEVER
    assert "silent" in adapter.broken
    adapter.opened(8 * FACTS.heartbeat_ns)
    assert adapter.broken == ""
