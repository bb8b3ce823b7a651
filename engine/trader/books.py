"""The trader's books: parents and how they end, positions, instruments, and the news of all of it.

The order manager (`engine.execution.orders`) tells what became of children; here it becomes sums of parents, positions
and updates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.trading import Fill, Listing, OrderState, Report, Snapshot, Submit, TopChange, Update
from engine.execution.child import NEVER_ARRIVED, Child
from engine.execution.orders import Orders
from engine.execution.parent import REJECTS, Parent, Traded
from engine.execution.states import FINAL, LIVE, move_parent
from engine.execution.timers import Timers
from engine.risk.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.trading import OrderSide
    from engine.execution.line import Line
    from engine.execution.planner import ChildEnd
    from engine.trader.setup import TraderSetup

__all__ = ["Books"]

EPOCH: Final = 1_000  #: child numbers of a parent, at most, that one process gives before another's begin
_ENDS: Final[dict[OrderState, ChildEnd]] = {
    OrderState.FILLED: "filled",
    OrderState.CANCELLED: "cancelled",
    OrderState.EXPIRED: "expired",
    OrderState.REJECTED: "rejected",
}
_NO_VERDICTS: Final = ("throttled", "not sent")  #: how reasons of rejects begin that say nothing of the order


class Books:
    """What the trader keeps; see `engine.trader.step.Trader`.

    Attributes:
        parents: all there ever were, by number; ``open``: those that are not in a final state.
        keys: numbers of parents that were given a key.
        positions: by ``Traded.index``.
        traded: instruments by symbol.
        next_parent: a number that no parent ever had.
        touched: parents to be planned in this step.
    """

    def __init__(self, setup: TraderSetup) -> None:
        self.setup = setup
        self.prefix = setup.uid[:8] + "-"
        self.parents: dict[int, Parent] = {}
        self.open: dict[int, Parent] = {}
        self.keys: dict[str, int] = {}
        self.positions = Positions()
        self.traded: dict[str, Traded] = {}
        self.by_id: dict[int, Traded] = {}
        self.next_parent = 1
        self.touched: dict[int, Parent] = {}
        self.updates: list[Update] = []
        self.timers: Timers[Child | Line | Parent] = Timers()
        self.orders = Orders(self.prefix, setup.brokers, self.timers, self)
        self.orders.settle_ns = setup.settle_ns
        self.sequence = 0
        self._processes = 0  # how often the process began
        self._first_child = 0
        self._watched: dict[int, int] | None = None
        self._begun: set[str] = set()  # brokers whose first positions are known
        self._starts: dict[int, tuple[int, int]] = {}

    # ---- instruments

    @property
    def watched(self) -> dict[int, int]:
        """Instruments whose top changes matter, with the levels wanted; the same object until it changes."""
        if self._watched is None:
            found: dict[int, int] = {}
            for traded in self.traded.values():
                if traded.id >= 0 and (traded.parents or self.positions[traded.index].quantity):
                    found[traded.id] = max((one.levels for one in traded.parents.values()), default=0)
            self._watched = found
        return self._watched

    def listing(self, listing: Listing, now: int) -> None:
        """An instrument may be traded, under the market's number."""
        traded = self.instrument(listing.symbol)
        if self.by_id.get(traded.id) is traded:
            del self.by_id[traded.id]
        traded.id, traded.tick, traded.lot = listing.instrument, listing.tick, listing.lot
        traded.multiplier, traded.zone = listing.multiplier, listing.time_zone
        traded.daily_volume = listing.average_daily_volume
        self.by_id[traded.id] = traded
        self._watched = None
        self.touched.update(traded.parents)

    def instrument(self, symbol: str) -> Traded:
        """An instrument by symbol, also one that only a broker has named."""
        traded = self.traded.get(symbol)
        if traded is None:
            traded = self.traded[symbol] = Traded(symbol, len(self.traded))
        return traded

    def top(self, top: TopChange, now: int) -> None:
        """A book's best changed."""
        traded = self.by_id.get(top.instrument)
        if traded is None:
            return
        traded.top = top
        mark = (top.bid + top.ask) // 2 if top.bid and top.ask else top.last
        self.positions.mark(traded.index, mark)
        for parent in traded.parents.values():
            if parent.watch:
                self.touched[parent.number] = parent

    def begin_process(self) -> None:
        """The process began anew: numbers and tops of instruments mean nothing any more.

        Children are numbered from another thousand on: ids that a lost tail of the journal had given are not given
        again.
        """
        self._first_child = self._processes * EPOCH
        self._processes += 1
        for parent in self.open.values():
            parent.made = max(parent.made, self._first_child)
        self.by_id.clear()
        for traded in self.traded.values():
            traded.id, traded.top = -1, None
        self._watched = None

    # ---- the order manager's owner

    def placed(self, child: Child, now: int) -> None:
        """A new child was sent; its parent's algorithm knows."""
        parent, quantity = child.parent, child.quantity
        parent.children.append(child)
        parent.live[child.id] = child
        parent.working = None
        parent.committed += quantity
        child.counted = child.counted_leaves = quantity
        self.positions.work(parent.traded.index, child.side, quantity)
        self.tell(parent.number, child.id, child.state, None, "", now)

    def changed(self, child: Child, before: OrderState, fills: Sequence[Fill], now: int) -> None:
        """A child changed: sums, positions, news, and its parent's algorithm is to be asked."""
        parent = child.parent
        traded = parent.traded
        parent.working = None
        committed, leaves = child.committed, child.leaves
        parent.committed += committed - child.counted
        if leaves != child.counted_leaves:
            self.positions.work(traded.index, child.side, leaves - child.counted_leaves)
        child.counted, child.counted_leaves = committed, leaves
        if child.id != child.known_as:
            self.tell(parent.number, child.known_as, OrderState.REPLACED, None, "", now)
            child.known_as = child.id
            before = OrderState.PENDING_NEW
        for fill in fills:
            self._book(child, fill)
            self.tell(parent.number, child.id, child.state, fill, child.reason, now)
        if child.state is not before and not fills:
            self.tell(parent.number, child.id, child.state, None, child.reason, now)
        if child.over:
            if parent.live.pop(child.ids[0], None) is not None:
                self._ended(parent, child, now)
        else:
            parent.live[child.ids[0]] = child
        if child.state in LIVE and before not in LIVE:
            parent.rejects = parent.refusals = 0
        if fills:
            self._weigh(parent, now)
        self.touch(parent)

    def _book(self, child: Child, fill: Fill) -> None:
        """A fill, or one that is taken back, into parent and positions."""
        parent = child.parent
        parent.cumulative += fill.quantity
        parent.notional += fill.quantity * fill.price
        parent.fees += fill.fee
        key = f"{child.ids[0]}/{fill.execution_id}"
        index = parent.traded.index
        self._watched = None
        if fill.quantity > 0:
            self.positions.fill(index, key, child.side, fill.quantity, fill.price, fill.fee)
        else:
            self.positions.bust(index, key)

    def _ended(self, parent: Parent, child: Child, now: int) -> None:
        """A child is proven over: how, for the algorithm; after a reject, it waits a while."""
        end = _ENDS.get(child.state, "cancelled")
        if end == "rejected" and child.reason.startswith((NEVER_ARRIVED, *_NO_VERDICTS)):
            end = "lost"
            if child.reason != NEVER_ARRIVED:
                parent.refusals += 1
                parent.hold(parent.refusals - 1, now)
        elif end == "rejected":
            parent.rejects += 1
            parent.hold(parent.rejects - 1, now)
            if parent.rejects >= REJECTS and parent.ending is None:
                rejected = OrderState.REJECTED if parent.cumulative == 0 else OrderState.CANCELLED
                self.end(parent, rejected, child.reason, now)
        elif end == "cancelled" and child.wanted_gone:
            end = "withdrawn"
        parent.ended, parent.ended_reason = end, child.reason

    def _weigh(self, parent: Parent, now: int) -> None:
        """The state a parent's fills lead to, while it goes on."""
        if parent.state in {OrderState.NEW, OrderState.PARTIALLY_FILLED}:
            self.move(parent, OrderState.PARTIALLY_FILLED if parent.cumulative else OrderState.NEW, now)

    def found(self, number: int, report: Report, now: int) -> Parent:
        """The parent of an order of ours that is only at a broker: the journal lost it."""
        parent = self.parents.get(number)
        if parent is None:
            asked = Submit(number, -1, report.symbol, report.side or "buy", 0, {})
            parent = self.parents[number] = Parent(asked, self.instrument(report.symbol), now)
            parent.orphan, parent.ending = True, OrderState.CANCELLED
            parent.reason = "found at the broker, not in the journal"
            parent.state = OrderState.PENDING_CANCEL
            self.next_parent = max(self.next_parent, number + 1)
        return parent

    def opened(self, line: Line, snapshot: Snapshot, now: int) -> None:
        """A broker's snapshot is digested: orders may go there; its first positions are what we begin with."""
        if line.name not in self._begun:
            self._begun.add(line.name)
            for holding in snapshot.positions:
                self._begin(line, holding.symbol, holding.quantity, holding.average_price)
        self.touch_all()

    def _begin(self, line: Line, symbol: str, quantity: int, price: int) -> None:
        index = self.instrument(symbol).index
        quantity -= line.net.get(symbol, 0)
        if not self.positions[index].executions:
            held, cost = self._starts.get(index, (0, 0))
            held, cost = held + quantity, cost + quantity * price
            self._starts[index] = held, cost
            self.positions.begin(index, held, cost // held if held else 0)
        elif quantity:
            side: OrderSide = "buy" if quantity > 0 else "sell"
            self.positions.fill(index, f"{line.name} at the start", side, abs(quantity), price)
        self._watched = None

    # ---- the life of a parent

    def enlist(self, parent: Parent, now: int) -> None:
        """A parent passed the gate."""
        parent.made = max(parent.made, self._first_child)
        self.open[parent.number] = parent.traded.parents[parent.number] = parent
        self._watched = None
        self.move(parent, OrderState.NEW, now)
        self.touch(parent)

    def end(self, parent: Parent, ending: OrderState, reason: str, now: int) -> None:
        """No new child from now on, and every live one is to go."""
        parent.ending, parent.reason = ending, reason or parent.reason
        self.move(parent, OrderState.PENDING_CANCEL, now)
        self.withdraw_all(parent, now)
        self.touch(parent)

    def withdraw_all(self, parent: Parent, now: int) -> None:
        """Every live child is to go."""
        for child in list(parent.live.values()):
            self.orders.withdraw(child, now)

    def finish(self, parent: Parent, now: int) -> bool:
        """Whether a parent is over, or came to be so now."""
        if parent.state in FINAL:
            return True
        filled = parent.cumulative >= parent.quantity
        if filled and parent.live and parent.ending is None:
            self.end(parent, OrderState.CANCELLED, "", now)
        if parent.live or not (filled or parent.ending is not None):
            return False
        self.move(parent, OrderState.FILLED if filled else parent.ending or OrderState.CANCELLED, now)
        self.timers.cancel(parent)
        self.open.pop(parent.number, None)
        parent.traded.parents.pop(parent.number, None)
        self._watched = None
        return True

    def touch(self, parent: Parent) -> None:
        """A parent is to be planned in this step."""
        self.touched[parent.number] = parent

    def touch_all(self) -> None:
        """Every open parent is to be planned in this step."""
        self.touched.update(self.open)

    def move(self, parent: Parent, state: OrderState, now: int) -> None:
        """A parent comes to another state."""
        if parent.state is not state:
            parent.state = move_parent(parent.state, state)
            self.tell(parent.number, "", state, None, parent.reason, now)

    def tell(self, parent: int, order: str, state: OrderState, fill: Fill | None, reason: str, now: int) -> None:
        """News for users."""
        self.sequence += 1
        self.updates.append(Update(self.sequence, parent, order, state, fill, reason, now))
