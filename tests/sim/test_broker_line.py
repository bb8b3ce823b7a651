import orjson

from engine.core.units import NANOS
from engine.sim.broker_line import BrokerLine


def line(heard=None, **settings):
    settings = {"start": 0, "heartbeat": NANOS, "latency": 1_000, "seed": 1, "faults": ()} | settings
    made = BrokerLine("sim", arrive=lambda message, now: heard.append((message, now)), **settings)
    assert made.connect(0)
    return made


def repeating(**settings):
    """A broker that answers each request with the request."""

    def arrive(message, now):
        made.answer(message, now)

    made = BrokerLine(
        "sim",
        start=0,
        heartbeat=NANOS,
        latency=1_000,
        seed=1,
        arrive=arrive,
        **settings,
    )
    assert made.connect(0)
    return made


def arrived(line, until):
    found = []
    while line.next_time <= until:
        line.advance(line.next_time)
        found += [orjson.loads(data) for data in line.take_outgoing()]
    return [message for message in found if message.get("event") != "heartbeat"]


def test_messages_take_their_time_and_may_be_cut_anywhere():
    heard = []
    one = line(heard)
    for piece in (b'{"op":', b'"ping"}\n{"op"', b':"pong"}\n'):
        one.receive(piece, 5)
    arrived(one, 1_000)
    assert heard == []
    arrived(one, 1_005)
    assert heard == [({"op": "ping"}, 1_005), ({"op": "pong"}, 1_005)]


def test_nothing_overtakes_a_late_message():
    one = line(faults="lag sim at=0s for=1s by=500ms")
    one.tell({"n": 1}, 0)
    one.tell({"n": 2}, NANOS)
    assert arrived(one, NANOS) == [{"n": 1}]
    assert arrived(one, 2 * NANOS) == [{"n": 2}]


def test_events_are_doubled_turned_round_or_lost_while_answers_go_on():
    doubled = line(faults="duplicate sim at=0s for=1s rate=100")
    doubled.tell({"n": 1}, 0)
    assert arrived(doubled, NANOS // 2) == [{"n": 1}, {"n": 1}]
    turned = line(faults="reorder sim at=0s for=1s rate=100")
    turned.tell({"n": 1}, 0)
    turned.tell({"n": 2}, 0)
    assert arrived(turned, NANOS // 2) == [{"n": 2}, {"n": 1}]
    turned.tell({"n": 3}, NANOS // 2)  # waits for one that never comes, but not for ever
    assert arrived(turned, 3 * NANOS) == [{"n": 3}]
    lost = repeating(faults="swallow sim at=0s for=1s")
    lost.tell({"n": 1}, 0)
    lost.receive(b'{"n":2}\n', 0)
    assert arrived(lost, NANOS // 2) == [{"n": 2}]


def test_an_answer_goes_back_on_the_connection_that_asked_or_nowhere():
    one = repeating(faults=())
    one.receive(b'{"n":1}\n', 0)
    one.disconnect()
    assert one.connect(500)
    one.receive(b'{"n":2}\n', 500)
    assert arrived(one, NANOS // 2) == [{"n": 2}]


def test_what_is_on_its_way_when_the_line_breaks_is_lost_for_the_client_only():
    heard = []
    one = line(heard)
    one.receive(b'{"op":"ping"}\n', 0)
    one.answer({"n": 1}, 0)
    one.drop()
    assert one.dropped
    assert arrived(one, NANOS) == []
    assert heard == [({"op": "ping"}, 1_000)]
    assert one.connect(NANOS)
    assert not one.dropped


def test_half_a_request_of_a_lost_connection_is_not_part_of_the_next():
    heard = []
    one = line(heard)
    one._arrive_at_broker = lambda message, now: one.answer({"to": message["n"]}, now)
    one.receive(b'{"n":1}\n{"n":', 0)
    one.drop()
    one.connect(500)
    one.receive(b'{"n":2}\n', 600)
    assert arrived(one, NANOS) == [{"to": 2}]


def test_a_half_open_line_is_dead_and_then_dropped():
    heard = []
    one = line(heard, faults="half_open sim at=1s for=2s")
    one.receive(b'{"op":"ping"}\n', NANOS)
    one.answer({"n": 1}, NANOS)
    assert not one.connect(2 * NANOS)
    assert arrived(one, 3 * NANOS - 1) == []
    assert not one.dropped
    arrived(one, 3 * NANOS)
    assert one.dropped
    assert heard == []
