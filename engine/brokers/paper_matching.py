"""Orders matched against what market data shows, under stated assumptions.

1. A marketable order takes what the composed book displays, level by level, at the levels' prices. What it took is gone
   for our other orders until the book shows another quantity at that price. The market itself does not react.
2. A resting order queues behind what its price displays when it comes, never behind more than is displayed later.
   Prints at its price use up the queue, then fill it; a print or a quote through its price fills it at its limit, with
   no more than was printed or is displayed. Hidden liquidity, auctions and price improvement are left out.
3. While a book is not live, orders wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.core.events import EVENT, Condition, Kind, Side
from engine.core.orders import REPORT, Action, OrderFlag, OrderType, Reason, ReportFlag, ReportKind, TimeInForce

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Levels", "PaperMatching"]

Levels = tuple[tuple[int, int], ...]
#: prints that say nothing of what a resting order could have had
_APART: Final = Condition.NO_LAST | Condition.NO_VOLUME | Condition.AUCTION | Condition.EXTENDED_HOURS

_NO_EVENTS: Final = np.zeros(0, EVENT)
_NO_REPORTS: Final = np.zeros(0, REPORT)


@dataclass(slots=True)
class _Order:
    order_id: int
    owner: int
    instrument: int
    side: Side
    price: int
    quantity: int
    leaves: int
    tif: int
    ahead: int = 0

    @property
    def buys(self) -> bool:
        return self.side is Side.BID


class _Book:
    """What is displayed of one instrument, and what of it we took; levels are best first."""

    __slots__ = ("asks", "bids", "live", "taken")

    def __init__(self) -> None:
        self.live = False
        self.bids: Levels = ()
        self.asks: Levels = ()
        self.taken: dict[tuple[bool, int], int] = {}  # of bids?, price -> quantity

    def show(self, bids: Levels, asks: Levels, *, live: bool) -> None:
        before = {key: self.shown(*key) for key in self.taken}
        self.live, self.bids, self.asks = live, bids, asks
        for key, shown in before.items():
            if self.shown(*key) != shown:
                del self.taken[key]

    def shown(self, of_bids: bool, price: int) -> int:
        """What is displayed at a price of bids or of asks."""
        for at, quantity in self.bids if of_bids else self.asks:
            if at == price:
                return quantity
        return 0


class PaperMatching:
    """Matches orders against what market data shows (see `engine.sim.exchange.Matching`)."""

    def __init__(self) -> None:
        self._books: dict[int, _Book] = {}
        self._resting: dict[int, dict[int, _Order]] = {}  # instrument -> order id -> order, in order of arrival
        self._where: dict[int, int] = {}
        self._rows: list[tuple[int, ...]] = []
        self._now = 0
        self._executions = 0
        self._action = Action.NONE

    @property
    def instruments(self) -> frozenset[int]:
        """Those with orders at rest."""
        return frozenset(number for number, orders in self._resting.items() if orders)

    # ---- market data

    def show(self, instrument: int, bids: Levels, asks: Levels, *, live: bool) -> None:
        """The displayed book: (price, quantity), best first."""
        book = self._books.setdefault(instrument, _Book())
        book.show(bids, asks, live=live)
        resting = self._resting.get(instrument)
        if not resting:
            return
        for order in list(resting.values()):
            order.ahead = min(order.ahead, book.shown(order.buys, order.price))
            self._take(order, book, at_limit=True)
            self._settle(order)

    def trades(self, events: NDArray[np.void]) -> None:
        """Prints: TRADE records of EVENT; each fills at most its quantity of ours."""
        if not self._where:  # nothing rests
            return
        chosen = events[(events["kind"] == Kind.TRADE) & (events["conditions"] & int(_APART) == 0)]
        for number, price, quantity in zip(
            chosen["instrument"].tolist(), chosen["price"].tolist(), chosen["quantity"].tolist(), strict=True
        ):
            orders, book = self._resting.get(number), self._books.get(number)
            if not orders or book is None or not book.live:
                continue
            left = quantity
            for order in sorted(orders.values(), key=lambda one: -one.price if one.buys else one.price):
                through = price < order.price if order.buys else price > order.price
                if not through and price != order.price:
                    continue
                if not through:
                    waits = min(order.ahead, left)
                    order.ahead -= waits
                    if order.ahead:
                        continue
                    available = left - waits
                else:
                    available = left
                if filled := min(available, order.leaves):
                    left -= filled
                    self._fill(order, order.price, filled, ReportFlag.MAKER)
                    self._settle(order)

    # ---- orders

    def submit(self, orders: NDArray[np.void]) -> NDArray[np.void]:
        """Applies ORDER records; their REPORT records."""
        for row in orders:
            self._now = int(row["ts"])
            self._action = Action(int(row["action"]))
            if self._action is Action.NEW:
                self._new(row)
            else:
                order = self._resting.get(self._where.get(int(row["order_id"]), -1), {}).get(int(row["order_id"]))
                if order is None:
                    self._reject(row, Reason.UNKNOWN_ORDER)
                elif self._action is Action.CANCEL:
                    self._end(order, ReportKind.CANCELLED)
                else:
                    self._replace(order, int(row["price"]), int(row["quantity"]))
            self._action = Action.NONE
        return self.take_reports()

    def advance(self, until_ns: int) -> NDArray[np.void]:
        """Time alone changes nothing."""
        self._now = until_ns
        return _NO_EVENTS

    def take_reports(self) -> NDArray[np.void]:
        """What happened to orders since the last call."""
        if not self._rows:
            return _NO_REPORTS
        reports = np.zeros(len(self._rows), REPORT)
        columns = np.array(self._rows, object).T
        for name, column in zip(_COLUMNS, columns, strict=True):
            reports[name] = column
        self._rows.clear()
        return reports

    def _new(self, row: Any) -> None:
        side, price, quantity = Side(int(row["side"])), int(row["price"]), int(row["quantity"])
        order = _Order(
            int(row["order_id"]),
            int(row["owner"]),
            int(row["instrument"]),
            side,
            price,
            quantity,
            quantity,
            int(row["tif"]),
        )
        if row["type"] == OrderType.MARKET:
            order.price, order.tif = (1 << 62 if order.buys else 0), TimeInForce.IOC
        book = self._books.setdefault(order.instrument, _Book())
        available = self._available(order, book)
        if row["flags"] & OrderFlag.POST_ONLY and available:
            self._reject(row, Reason.WOULD_CROSS)
            return
        self._say(order, ReportKind.ACCEPTED, price, quantity)
        if order.tif == TimeInForce.FOK and available < quantity:
            self._end(order, ReportKind.CANCELLED)
            return
        self._take(order, book)
        if order.leaves and order.tif in {TimeInForce.IOC, TimeInForce.FOK}:
            self._end(order, ReportKind.CANCELLED)
        elif order.leaves:
            order.ahead = book.shown(order.buys, order.price)
            self._resting.setdefault(order.instrument, {})[order.order_id] = order
            self._where[order.order_id] = order.instrument

    def _replace(self, order: _Order, price: int, quantity: int) -> None:
        done = order.quantity - order.leaves
        if quantity <= done:
            self._end(order, ReportKind.CANCELLED)
            return
        keeps = price == order.price and quantity <= order.quantity
        order.price, order.quantity, order.leaves = price, quantity, quantity - done
        self._say(order, ReportKind.REPLACED, price, quantity)
        if not keeps:
            book = self._books.setdefault(order.instrument, _Book())
            self._take(order, book)
            order.ahead = book.shown(order.buys, price)
            orders = self._resting[order.instrument]
            orders[order.order_id] = orders.pop(order.order_id)
            self._settle(order)

    def _reachable(self, order: _Order, book: _Book) -> list[tuple[int, int, tuple[bool, int]]]:
        """(price, quantity, key) an order could take, best first."""
        if not book.live:
            return []
        buys, limit, found = order.buys, order.price, []
        for price, shown in book.asks if buys else book.bids:
            if price > limit if buys else price < limit:
                break
            key = (not buys, price)
            if (free := shown - book.taken.get(key, 0)) > 0:
                found.append((price, free, key))
        return found

    def _available(self, order: _Order, book: _Book) -> int:
        return sum(free for _, free, _ in self._reachable(order, book))

    def _take(self, order: _Order, book: _Book, *, at_limit: bool = False) -> None:
        for price, free, key in self._reachable(order, book):
            quantity = min(free, order.leaves)
            if not quantity:
                return
            book.taken[key] = book.taken.get(key, 0) + quantity
            flag = ReportFlag.MAKER if at_limit else ReportFlag.TAKER
            self._fill(order, order.price if at_limit else price, quantity, flag)

    def _fill(self, order: _Order, price: int, quantity: int, flag: ReportFlag) -> None:
        order.leaves -= quantity
        self._executions += 1
        self._say(order, ReportKind.FILL, price, quantity, self._executions, flag)

    def _settle(self, order: _Order) -> None:
        """What is filled rests no more."""
        if not order.leaves:
            self._resting[order.instrument].pop(order.order_id, None)
            self._where.pop(order.order_id, None)

    def _end(self, order: _Order, kind: ReportKind) -> None:
        left, order.leaves = order.leaves, 0
        order.quantity -= left
        self._say(order, kind, order.price, left)
        self._resting.get(order.instrument, {}).pop(order.order_id, None)
        self._where.pop(order.order_id, None)

    def _reject(self, row: Any, reason: Reason) -> None:
        self._rows.append(
            (
                self._now,
                int(row["price"]),
                int(row["quantity"]),
                0,
                0,
                int(row["order_id"]),
                0,
                int(row["instrument"]),
                int(row["owner"]),
                ReportKind.REJECTED,
                reason,
                int(row["side"]),
                0,
                self._action,
            )
        )

    def _say(
        self, order: _Order, kind: ReportKind, price: int, quantity: int, execution: int = 0, flag: int = 0
    ) -> None:
        self._rows.append(
            (
                self._now,
                price,
                quantity,
                order.leaves,
                order.quantity - order.leaves,
                order.order_id,
                execution,
                order.instrument,
                order.owner,
                kind,
                Reason.NONE,
                order.side,
                flag,
                self._action,
            )
        )


_COLUMNS: Final = (
    "ts",
    "price",
    "quantity",
    "leaves",
    "cumulative",
    "order_id",
    "execution_id",
    "instrument",
    "owner",
    "kind",
    "reason",
    "side",
    "flags",
    "action",
)
