import numpy as np

from engine.core.events import EVENT
from engine.core.orders import REPORT
from engine.sim.exchange import Exchange


class Echo:
    """Takes orders and reports each to its owner, and to the owner before; time makes one report."""

    def __init__(self):
        self.times = []

    def submit(self, orders):
        reports = np.zeros(2 * len(orders), REPORT)
        reports["owner"] = np.stack([orders["owner"], orders["owner"] - 1], axis=1).ravel()
        reports["order_id"] = np.repeat(orders["order_id"], 2)
        return reports

    def advance(self, until_ns):
        self.times.append(until_ns)
        return np.zeros(1, EVENT)

    def take_reports(self):
        reports = np.zeros(1, REPORT)
        reports["owner"] = 1
        return reports


class Ear:
    def __init__(self):
        self.heard = []

    def matched(self, reports, now):
        self.heard.append((now, reports["order_id"].tolist()))


def test_everybody_hears_of_their_own_orders_in_order_and_at_the_time():
    matching = Echo()
    exchange = Exchange(matching, 5)
    one, two = Ear(), Ear()
    assert [exchange.join(one), exchange.join(two)] == [1, 2]
    orders = np.zeros(2, [("owner", "u4"), ("order_id", "u8")])
    orders["owner"], orders["order_id"] = 2, [exchange.next_number(), exchange.next_number()]
    exchange.submit(orders, 7)
    assert matching.times == [7]
    assert two.heard == [(7, [1, 2])]
    assert one.heard == [(7, [0]), (7, [1, 2])]
    assert len(exchange.take_events()) == 1
    assert exchange.take_events() == []


def test_time_does_not_go_back():
    matching = Echo()
    exchange = Exchange(matching, 5)
    exchange.join(Ear())
    exchange.advance(9)
    exchange.advance(7)
    assert matching.times == [9]
