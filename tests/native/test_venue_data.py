"""The venue does what NASDAQ did: an hour of recorded orders goes in, the recorded executions come out.

LOBSTER tells what rested and what became of it, not who took: executions of one side in one nanosecond, at prices that
only get worse, are taken for one IOC order of that quantity at the worst of the prices. Two more things the data does
not tell. An order older than the file, or deeper than its fifty levels, shows itself late, by an ADD with an id lower
than others before it or only when something happens to it: it goes in before the first later id, ids rising with time.
And a few orders that stood first were passed over, as NASDAQ's anti-internalization does with the taker's own: such a
taker is counted, and the venue goes on from the recorded state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from engine import Instruments, Kind, Venue, replay
from engine.core.orders import ORDER, Action, ReportFlag, ReportKind, TimeInForce

HOUR = "lobster/AAPL_2012-06-21_34200000_37800000_message_50.csv.xz"
TAKERS = 1 << 60  #: their ids begin here


class Row(NamedTuple):
    """One recorded event."""

    kind: int
    ts: int
    side: int
    price: int
    quantity: int
    number: int


class Market:
    """A venue beside the recorded state: orders that live, by id, oldest first, with what is left of them."""

    def __init__(self, instruments: Instruments) -> None:
        self.instruments = instruments
        self.live: dict[int, Row] = {}
        self.rejected = 0
        self.rebuild()

    def rebuild(self) -> None:
        """A venue in the recorded state."""
        self.venue = Venue(self.instruments)
        self.totals = {row.number: row.quantity for row in self.live.values()}
        for row in self.live.values():
            self.send(Action.NEW, row)

    def send(self, action: Action, row: Row, tif: TimeInForce = TimeInForce.GTC) -> list[tuple[int, int, int]]:
        """Maker, price and quantity of each trade."""
        order = np.zeros(1, ORDER)
        order["action"], order["tif"] = action, tif
        for name in ("ts", "side", "price", "quantity"):
            order[name] = getattr(row, name)
        order["order_id"] = row.number
        reports = self.venue.apply(order)
        self.rejected += int((reports["kind"] == ReportKind.REJECTED).sum())
        makers = reports[reports["flags"] & ReportFlag.MAKER != 0]
        return list(zip(*(makers[name].tolist() for name in ("order_id", "price", "quantity")), strict=True))

    def add(self, row: Row) -> None:
        self.live[row.number] = row
        self.totals[row.number] = row.quantity
        if self.send(Action.NEW, row):
            raise AssertionError(f"{row} trades, but rested")

    def reduce(self, row: Row) -> None:
        """The recorded state loses what the row takes off its order."""
        left = self.live[row.number].quantity - row.quantity
        if left:
            self.live[row.number] = self.live[row.number]._replace(quantity=left)
        else:
            del self.live[row.number]

    def change(self, row: Row) -> None:
        """A recorded deletion or reduction."""
        self.reduce(row)
        self.totals[row.number] -= row.quantity
        gone = row.number not in self.live
        self.send(Action.CANCEL if gone else Action.REPLACE, row._replace(quantity=self.totals[row.number]))

    def take(self, rows: list[Row], number: int) -> bool:
        """One order takes; whether the venue gives it what was recorded."""
        last = rows[-1]
        quantity = sum(row.quantity for row in rows)
        taker = Row(Kind.ADD, last.ts, 3 - last.side, last.price, quantity, number)
        trades = self.send(Action.NEW, taker, TimeInForce.IOC)
        for row in rows:
            self.reduce(row)
        if same := trades == [(row.number, row.price, row.quantity) for row in rows]:
            return same
        self.rebuild()
        return False


def taken(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows one by one, executions that one order made together."""
    group: list[Row] = []
    for row in rows:
        together = group and (row.kind, row.ts, row.side) == (Kind.EXECUTE, group[-1].ts, group[-1].side)
        if together and (row.price >= group[-1].price if row.side == 2 else row.price <= group[-1].price):
            group.append(row)
            continue
        if group:
            yield group
        group = [row]
        if row.kind != Kind.EXECUTE:
            yield group
            group = []
    if group:
        yield group


def late(rows: list[Row]) -> dict[int, Row]:
    """Orders that show themselves after later ids did, by id, with the quantity they had to begin with."""
    in_time: set[int] = set()
    found: dict[int, Row] = {}
    announced, highest = set(), 0
    for row in rows:
        if row.kind == Kind.ADD and row.number > highest:
            in_time.add(row.number)
            highest = row.number
        elif row.number not in in_time and row.number not in announced:
            before = found[row.number].quantity if row.number in found else 0
            found[row.number] = row._replace(quantity=before + row.quantity)
            if row.kind == Kind.ADD:
                announced.add(row.number)
    return found


def test_an_hour_of_recorded_executions_is_reproduced(data):
    tape = replay(data(HOUR), format="lobster")
    names = ("kind", "ts_event", "side", "price", "quantity", "order_id")
    events = np.concatenate(list(tape))
    events = events[np.isin(events["kind"], [Kind.ADD, Kind.REDUCE, Kind.DELETE, Kind.EXECUTE])]
    rows = [Row(*row) for row in zip(*(events[name].tolist() for name in names), strict=True)]
    market, waiting = Market(Instruments([{"symbol": "AAPL", "tick": "0.0001"}])), late(rows)
    numbers = sorted(waiting, reverse=True)
    takers = exact = executions = 0
    for group in taken(rows):
        latest = max(row.number for row in group)
        while numbers and numbers[-1] <= latest:
            market.add(waiting[numbers.pop()])
        if group[0].kind == Kind.ADD:
            if group[0].number not in waiting:
                market.add(group[0])
        elif group[0].kind == Kind.EXECUTE:
            takers += 1
            if market.take(group, TAKERS + takers):
                exact += 1
                executions += len(group)
        else:
            market.change(group[0])
    assert market.rejected == 0
    assert (takers, exact, executions) == (
        3_290,
        3_282,
        4_056,
    )  # of 4,067 executions; 8 takers passed over an older order
