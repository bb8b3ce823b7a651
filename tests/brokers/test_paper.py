import orjson

from engine.brokers.local import LocalProtocol
from engine.brokers.paper import PaperBroker
from engine.core.trading import Fill, Intent, OrderState, Reconcile
from engine.core.units import NANOS
from engine.sim.account import Fees
from tests.brokers.test_paper_matching import prints

MS = 1_000_000


def paper(**settings):
    broker = PaperBroker("paper", {"AAPL": 0}, now=0, latency=5 * MS, cash=1_000 * NANOS, **settings)
    broker.show(0, [(0, ((99 * NANOS, 300 * NANOS),), ((101 * NANOS, 200 * NANOS),), True)])
    return broker


def heard(broker, until):
    line = broker.broker.line
    found = []
    while line.next_time <= until:
        line.advance(line.next_time)
        found += [orjson.loads(data) for data in line.take_outgoing()]
    return [message for message in found if message.get("event") != "heartbeat"]


def send(broker, now, **message):
    broker.broker.line.receive(orjson.dumps(message) + b"\n", now)


def new(price, quantity=10):
    return {
        "op": "new",
        "request": 1,
        "client_order_id": "u-1-1",
        "symbol": "AAPL",
        "side": "buy",
        "quantity": quantity * NANOS,
        "price": price * NANOS,
        "tif": "day",
    }


def test_an_order_takes_its_time_there_and_back():
    broker = paper(fees=Fees(minimum=NANOS))
    broker.broker.line.connect(0)
    heard(broker, 6 * MS)
    send(broker, 10 * MS, **new(101))
    assert heard(broker, 20 * MS - 1) == []
    answer, fill = heard(broker, 20 * MS)
    assert answer["order"]["state"] == "new"
    assert (fill["event"], fill["price"], fill["quantity"]) == ("fill", 101 * NANOS, 10 * NANOS)
    assert broker.broker.account.cash == -11 * NANOS


def test_prints_fill_what_rests():
    broker = paper()
    broker.broker.line.connect(0)
    send(broker, 10 * MS, **new(99))
    heard(broker, 20 * MS)
    broker.trades(30 * MS, prints((98 * NANOS, 4 * NANOS)))
    (fill,) = heard(broker, 35 * MS)
    assert (fill["event"], fill["quantity"], fill["leaves"]) == ("fill", 4 * NANOS, 6 * NANOS)


def test_after_a_restart_the_account_is_what_the_journal_says():
    def intent(number, quantity):
        return Intent(1, f"u-1-{number}", 0, "AAPL", "buy", quantity * NANOS, 99 * NANOS, "paper")

    done = Fill(10 * NANOS, 100 * NANOS, 0, "x1", "paper", 1)
    broker = paper()
    children = [
        (intent(1, 10), OrderState.FILLED, [done]),
        (intent(2, 30), OrderState.PARTIALLY_FILLED, [done]),
        (intent(3, 10), OrderState.UNKNOWN, []),
        (intent(4, 10), OrderState.NEW, []),
    ]
    broker.restore(children, 5)
    adapter = LocalProtocol(broker.broker.facts)
    broker.broker.line.connect(5)
    adapter.opened(5)
    adapter.encode(Reconcile("paper", 0), 5)
    broker.broker.line.receive(adapter.take_outgoing()[0].data, 5)
    for message in heard(broker, 100 * MS):
        adapter.receive(orjson.dumps(message) + b"\n", 100 * MS)
    _, snapshot = adapter.take_inputs()
    states = {order.client_order_id: (order.state, order.cumulative, order.leaves) for order in snapshot.orders}
    assert states == {
        "u-1-1": (OrderState.FILLED, 10 * NANOS, 0),
        "u-1-2": (OrderState.PARTIALLY_FILLED, 10 * NANOS, 20 * NANOS),
        "u-1-4": (OrderState.NEW, 0, 10 * NANOS),
    }
    assert [holding.quantity for holding in snapshot.positions] == [20 * NANOS]
    send(
        broker,
        100 * MS,
        op="replace",
        request=9,
        client_order_id="u-1-5",
        replaces="u-1-2",
        quantity=15 * NANOS,
        price=99 * NANOS,
    )
    heard(broker, 200 * MS)
    assert broker.broker.account.by_id["u-1-5"].leaves == 5 * NANOS
