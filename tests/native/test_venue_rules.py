"""What the venue does, rule by rule, through its one-call-an-operation door."""

from __future__ import annotations

import gc
import random

import numpy as np
import pytest

from engine import Instruments
from engine._native.venue import Venue
from engine.core.events import Flag, Kind, Side, Status
from engine.core.orders import REPORT, Action, OrderType, Reason, ReportKind, TimeInForce
from engine.core.units import NANOS
from tests.order_flow import random_orders

DOLLAR = NANOS


class Desk:
    """A venue with one symbol; prices and quantities in units, answers as (id, kind, quantity, leaves) rows."""

    def __init__(self) -> None:
        self.venue = Venue(Instruments(["AAPL"]), events=True)

    def place(self, side: str, price: float, quantity: float, number: int, **more: object) -> list[tuple[object, ...]]:
        count = self.venue.place("AAPL", side, round(price * NANOS), round(quantity * NANOS), number, **more)  # type: ignore[arg-type]
        return self.taken(count)

    def cancel(self, number: int, **more: int) -> list[tuple[object, ...]]:
        return self.taken(self.venue.cancel(number, **more))

    def replace(self, number: int, price: float, quantity: float, **more: int) -> list[tuple[object, ...]]:
        return self.taken(self.venue.replace(number, round(price * NANOS), round(quantity * NANOS), **more))

    def taken(self, count: int) -> list[tuple[object, ...]]:
        reports = self.venue.take_reports()
        assert len(reports) == count
        return [
            (
                *(int(report["order_id"]), ReportKind(report["kind"]).name.lower()),
                *(report["quantity"] / NANOS, report["leaves"] / NANOS),
                *([Reason(report["reason"]).name] if report["reason"] else []),
            )
            for report in reports
        ]

    def kinds(self) -> list[tuple[str, int, float]]:
        """Kind, order id and quantity of the events since."""
        return [
            (Kind(event["kind"]).name, int(event["order_id"]), event["quantity"] / NANOS)
            for event in self.venue.take_events()
        ]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_better_prices_trade_first_then_older_orders(desk: Desk):
    desk.place("sell", 10.02, 5, 1)
    desk.place("sell", 10.01, 5, 2)
    desk.place("sell", 10.01, 5, 3)
    desk.kinds()
    assert desk.place("buy", 10.02, 12, 4) == [
        *((4, "accepted", 12, 12), (2, "fill", 5, 0), (4, "fill", 5, 7)),
        *((3, "fill", 5, 0), (4, "fill", 5, 2), (1, "fill", 2, 3), (4, "fill", 2, 0)),
    ]
    assert desk.kinds() == [("EXECUTE", 2, 5), ("EXECUTE", 3, 5), ("EXECUTE", 1, 2)]
    assert desk.venue["AAPL"].bbo()[:4] == (pytest.approx(float("nan"), nan_ok=True), 0, 10.02, 3)


def test_what_a_limit_order_does_not_get_rests(desk: Desk):
    desk.place("buy", 10, 5, 1)
    assert desk.place("sell", 10, 8, 2) == [(2, "accepted", 8, 8), (1, "fill", 5, 0), (2, "fill", 5, 3)]
    assert desk.venue["AAPL"].total("ask") == 3
    assert desk.venue["AAPL"].total("bid") == 0
    assert desk.kinds() == [("ADD", 1, 5), ("EXECUTE", 1, 5), ("ADD", 2, 3)]


@pytest.mark.parametrize("more", [{"type": "market"}, {"tif": "ioc"}, {"type": OrderType.MARKET}, {"tif": 2}])
def test_market_and_ioc_orders_never_rest(desk: Desk, more: dict[str, object]):
    desk.place("sell", 10, 5, 1)
    price = 10 if "tif" in more else 0
    assert desk.place("buy", price, 8, 2, **more)[-1] == (2, "cancelled", 3, 0, "NO_LIQUIDITY")
    assert desk.venue["AAPL"].total("bid") == 0


def test_fill_or_kill_counts_what_is_hidden(desk: Desk):
    desk.place("sell", 10, 9, 1, display=2 * NANOS)
    desk.place("sell", 10.01, 5, 2)
    assert desk.place("buy", 10, 10, 3, tif="fok") == [
        (3, "accepted", 10, 10),
        (3, "cancelled", 10, 0, "NO_LIQUIDITY"),
    ]
    assert desk.place("buy", 10.01, 14, 4, tif=TimeInForce.FOK)[-1] == (4, "fill", 5, 0)


def test_post_only_orders_take_nothing(desk: Desk):
    desk.place("sell", 10, 5, 1)
    assert desk.place("buy", 10, 1, 2, post_only=True) == [(2, "rejected", 1, 0, "WOULD_CROSS")]
    desk.place("buy", 9.99, 1, 2, post_only=True)
    assert desk.replace(2, 10, 1) == [(2, "rejected", 1, 1, "WOULD_CROSS")]
    assert desk.venue["AAPL"].bbo()[0] == 9.99


def test_a_reserve_order_goes_to_the_back_with_every_part(desk: Desk):
    desk.place("sell", 10, 5, 1, display=2 * NANOS)
    desk.place("sell", 10, 2, 2)
    assert desk.venue["AAPL"].bbo()[3] == 4
    desk.kinds()
    assert [row[:3] for row in desk.place("buy", 10, 5, 3)[1::2]] == [(1, "fill", 2), (2, "fill", 2), (1, "fill", 1)]
    assert desk.kinds() == [("EXECUTE", 1, 2), ("ADD", 1, 2), ("EXECUTE", 2, 2), ("EXECUTE", 1, 1)]
    assert desk.cancel(1) == [(1, "cancelled", 2, 0)]


def test_replace_keeps_the_place_only_for_less_of_the_same(desk: Desk):
    for number in (1, 2):
        desk.place("buy", 10, 5, number)
    assert desk.replace(1, 10, 3) == [(1, "replaced", 3, 3)]
    assert desk.venue["AAPL"].queue_position(1) == (0, 0)
    desk.replace(1, 10, 4)
    assert desk.venue["AAPL"].queue_position(1) == (1, 5)
    desk.replace(2, 9.99, 5)
    assert desk.venue["AAPL"].bbo()[:2] == (10, 4)
    assert desk.kinds()[2:] == [("REDUCE", 1, 2), ("REPLACE", 1, 4), ("REPLACE", 2, 5)]


def test_replace_may_trade_and_may_end_the_order(desk: Desk):
    desk.place("sell", 10, 5, 1)
    desk.place("buy", 9, 8, 2)
    desk.kinds()
    assert desk.replace(2, 10, 8) == [(2, "replaced", 8, 8), (1, "fill", 5, 0), (2, "fill", 5, 3)]
    assert desk.kinds() == [("DELETE", 2, 8), ("EXECUTE", 1, 5), ("ADD", 2, 3)]
    assert desk.replace(2, 10, 5) == [(2, "cancelled", 3, 0)]
    assert desk.cancel(2) == [(2, "rejected", 0, 0, "UNKNOWN_ORDER")]


def test_another_owners_order_is_an_unknown_one(desk: Desk):
    desk.place("buy", 10, 5, 1, owner=7)
    assert desk.cancel(1)[0][-1] == desk.replace(1, 10, 2, owner=8)[0][-1] == "UNKNOWN_ORDER"
    assert desk.cancel(1, owner=7) == [(1, "cancelled", 5, 0)]


def test_a_live_id_is_not_given_twice_in_the_whole_venue():
    venue = Venue(Instruments(["A", "B"]))
    venue.place("A", "buy", NANOS, NANOS, 1)
    venue.place("B", "buy", NANOS, NANOS, 1)
    assert venue.take_reports()["reason"].tolist() == [Reason.NONE, Reason.DUPLICATE_ID]
    assert venue["B"].queue_position(1) is None
    venue.cancel(1)
    venue.place("B", "buy", NANOS, NANOS, 1)
    assert venue.take_reports()["kind"].tolist() == [ReportKind.CANCELLED, ReportKind.ACCEPTED]
    assert venue["A"].queue_position(1) is None
    assert venue["B"].queue_position(1) == (0, 0)


def test_a_halt_lets_cancels_pass_and_nothing_else(desk: Desk):
    desk.place("buy", 10, 5, 1)
    desk.place("buy", 10, 5, 2)
    desk.venue.halt("AAPL", 3)
    assert desk.place("sell", 10, 5, 3)[0][-1] == desk.replace(1, 10, 4)[0][-1] == "HALTED"
    assert desk.cancel(1) == [(1, "cancelled", 5, 0)]
    desk.venue.resume("AAPL", 4)
    desk.venue.resume("AAPL", 5)
    assert desk.place("sell", 10, 5, 3)[-1] == (3, "fill", 5, 0)
    events = desk.venue.take_events()
    states = events[events["kind"] == Kind.STATUS]
    assert states["conditions"].tolist() == [Status.HALTED, Status.TRADING]
    assert states["ts_event"].tolist() == [3, 4]
    assert (events["flags"] & Flag.LAST).all()


def test_the_day_ends_for_day_orders(desk: Desk):
    desk.place("buy", 10, 5, 1, tif="gtc")
    desk.place("buy", 10, 5, 2)
    desk.place("sell", 11, 5, 3)
    expired = desk.venue.expire(9)
    assert expired["order_id"].tolist() == [2, 3]
    assert expired["kind"].tolist() == [ReportKind.EXPIRED] * 2
    assert expired["action"].tolist() == [Action.NONE] * 2
    assert desk.venue["AAPL"].total("bid") == 5
    assert len(desk.venue.expire(9)) == 0


def test_a_level_holds_no_more_than_its_sum_can_say(desk: Desk):
    most = (2**63 - 1) // NANOS
    desk.place("sell", 10, 10, 1, display=5 * NANOS)
    desk.place("sell", 10, most - 5, 2)
    assert desk.place("sell", 10, 1, 3)[1:] == [(3, "cancelled", 1, 0, "LEVEL_FULL")]
    assert desk.replace(1, 10, 12, display=6 * NANOS)[1:] == [(1, "cancelled", 12, 0, "LEVEL_FULL")]
    assert desk.venue["AAPL"].total("ask") == most - 5


def test_the_next_part_of_a_reserve_order_may_find_its_level_full(desk: Desk):
    most = (2**63 - 1) // NANOS
    desk.place("sell", 10, 10, 1, display=5 * NANOS)
    desk.place("sell", 10, most - 5, 2)
    desk.place("buy", 10, 3, 3)
    desk.place("sell", 10, 3, 4)
    desk.kinds()
    assert desk.place("buy", 10, 2, 5)[1:] == [
        (1, "fill", 2, 5),
        (5, "fill", 2, 0),
        (1, "cancelled", 5, 0, "LEVEL_FULL"),
    ]
    assert desk.kinds() == [("EXECUTE", 1, 2)]
    assert desk.cancel(1)[0][-1] == "UNKNOWN_ORDER"


def test_prices_and_quantities_keep_to_tick_and_lot(desk: Desk):
    for price, quantity, reason in [
        (10.001, 1, "BAD_PRICE"),
        (0, 1, "BAD_PRICE"),
        (-1, 1, "BAD_PRICE"),
        (10, 0.5, "BAD_QUANTITY"),
        (10, 0, "BAD_QUANTITY"),
    ]:
        assert desk.place("buy", price, quantity, 1)[0][-1] == reason
    assert desk.place("buy", 10, 5000, 1, display=NANOS)[0][-1] == "BAD_DISPLAY"
    fine = Venue(Instruments([{"symbol": "BTC", "tick": "0.1", "lot": "1e-8"}]))
    assert fine.place(0, "buy", 60_000 * NANOS + NANOS // 10, 10, 1) == 1
    assert fine.take_reports()["kind"].tolist() == [ReportKind.ACCEPTED]


def test_wrong_arguments_are_named(desk: Desk):
    for arguments, error, text in [
        (("NONE", "buy", 1, 1, 1), KeyError, "NONE"),
        (("AAPL", "long", 1, 1, 1), ValueError, "side is 'long'; expected 'buy'"),
        (("AAPL", 3, 1, 1, 1), ValueError, "side is 3"),
        (("AAPL", "buy", 1.5, 1, 1), TypeError, "integer"),
    ]:
        with pytest.raises(error, match=text):
            desk.venue.place(*arguments)
    with pytest.raises(ValueError, match="tif is 'forever'; expected one of day, gtc, ioc, fok"):
        desk.venue.place("AAPL", "buy", 1, 1, 1, tif="forever")
    with pytest.raises(KeyError, match="NONE"):
        desk.venue.halt("NONE", 1)
    assert len(desk.venue.take_reports()) == 0


def test_instruments_may_come_later():
    instruments = Instruments(["A"])
    venue = Venue(instruments)
    instruments.add("B", tick="0.5")
    assert "B" in venue
    assert venue.place("B", Side.BID, NANOS // 2, NANOS, 1) == 1
    assert venue["B"].bbo().bid == 0.5


def test_a_view_outlives_the_name_of_its_venue():
    view = Venue(Instruments(["A"]))["A"]
    gc.collect()
    assert view.symbol == "A"
    assert view.total("bid") == 0


def test_one_call_an_operation_gives_what_a_batch_gives():
    instruments = Instruments(["A", "B"])
    for seed in range(20):
        orders = random_orders(random.Random(seed), 100, garbage=False)
        batch, single = Venue(instruments), Venue(instruments)
        total = 0
        for order in orders:
            number, ts, owner = int(order["order_id"]), int(order["ts"]), int(order["owner"])
            price, quantity, display = (int(order[name]) for name in ("price", "quantity", "display"))
            if order["action"] == Action.NEW:
                total += single.place(
                    *(int(order["instrument"]), int(order["side"]), price, quantity, number, ts, display, owner),
                    type=int(order["type"]),
                    tif=int(order["tif"]),
                    post_only=bool(order["flags"]),
                )
            elif order["action"] == Action.CANCEL:
                total += single.cancel(number, ts, owner)
            else:
                total += single.replace(number, price, quantity, ts, display, owner)
        expected, taken = batch.apply(orders), single.take_reports()
        assert len(taken) == total
        told = expected["kind"] != ReportKind.REJECTED  # these repeat what was asked, and a batch asks for more
        for name in REPORT.names or ():
            rows = slice(None) if name in {"order_id", "kind", "reason"} else told
            np.testing.assert_array_equal(taken[name][rows], expected[name][rows], err_msg=name)
