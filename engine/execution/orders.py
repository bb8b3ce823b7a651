"""The order manager: every child at every broker, what to ask of them and when, and what brokers say of them.

Pure: it gets reports, line states and times, and gives commands. Every child that is not proven over has one time at
which it is looked at again (`Orders.attend`), so each doubt ends in a read, and each wish to withdraw in a cancel that
is sent until the child is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.trading import (
    Approved,
    Command,
    Fill,
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
from engine.execution.child import SPACING_NS, Child
from engine.execution.line import Line
from engine.execution.states import FINAL
from engine.execution.timers import NEVER, Timers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    from engine.core.trading import BrokerFacts
    from engine.execution.parent import Parent

    class Owner(Protocol):
        """Who is told, and asked, by the order manager."""

        def changed(self, child: Child, before: OrderState, fills: list[Fill], now: int) -> None:
            """A report, a doubt or a command changed ``child``, which was in ``before``."""

        def found(self, parent: int, report: Report, now: int) -> Parent:
            """The parent of an order that a broker has and we do not know though it bears our name."""

        def opened(self, line: Line, snapshot: Snapshot, now: int) -> None:
            """A broker's first positions, or its readiness after a snapshot."""


__all__ = ["AUDIT_NS", "Orders", "parse_id"]

AUDIT_NS: Final = 2_000_000_000  #: a working child of which nothing was heard for this long is read
ANSWER_NS: Final = 1_500_000_000  #: a read that was not answered within this is asked for again
WITHDRAW_NS: Final = 1_000_000_000  #: a cancel that did not end the order within this is sent again
SNAPSHOT_NS: Final = 3_000_000_000  #: a snapshot that did not come within this is asked for again
RECONCILE_NS: Final = 15_000_000_000  #: between snapshots while all is well
OVERLAP_NS: Final = 60_000_000_000  #: how far before the last agreement executions are asked for again
_STRANGERS: Final = 1_000  #: ids of ours that could not be read, asked for once each


def parse_id(client_order_id: str, prefix: str) -> tuple[int, int] | None:
    """Parent and child number of an id that we made; None for others'."""
    if not client_order_id.startswith(prefix):
        return None
    parent, _, child = client_order_id[len(prefix) :].partition("-")
    return (int(parent), int(child)) if parent.isdecimal() and child.isdecimal() else None


class Orders:
    """All children of one trader.

    Args:
        prefix: what every client order id of ours begins with.
        brokers: their facts.
        timers: where children and lines wait for their time.
        owner: who is told.
    """

    def __init__(
        self, prefix: str, brokers: Iterable[BrokerFacts], timers: Timers[Child | Line | Parent], owner: Owner
    ) -> None:
        self.prefix = prefix
        self.lines = {facts.name: Line(facts) for facts in brokers}
        self.children: dict[str, Child] = {}  # by every id they ever had
        self.settle_ns = 0  #: how long after a restart's first line up a broker is ready at the earliest
        self.commands: list[Command] = []
        self._by_venue: dict[tuple[str, str], Child] = {}
        self._timers = timers
        self._owner = owner
        self._strangers: dict[str, None] = {}

    def set_up(self, brokers: Sequence[BrokerFacts]) -> None:
        """Other brokers, or other facts of the known ones; one that is not named any more takes no new orders."""
        known = self.lines
        named = {facts.name: known.get(facts.name) or Line(facts) for facts in brokers}
        for facts in brokers:
            named[facts.name].facts = facts
        gone = {name: line for name, line in known.items() if name not in named}
        self.lines = {**named, **gone}

    @property
    def settled(self) -> bool:
        """Whether every broker was read since the process began, late enough to have shown what a journal lost."""
        return all(line.agreed_ts >= line.ready_from for line in self.lines.values())

    # ---- what we want

    def place(self, parent: Parent, order: Approved, now: int) -> Child:
        """Sends a new child."""
        intent = order.intent
        line = self.lines[intent.broker]
        child = Child(parent, intent, line.facts, now)
        self.children[child.id] = child
        line.open[child.id] = child
        line.spend()
        self.commands.append(Place(order))
        self._timers.set(child, now + AUDIT_NS)
        return child

    def replace(self, child: Child, order: Approved, now: int) -> None:
        """Sends a cancel/replace of a child."""
        self.children[order.intent.client_order_id] = child
        child.replacing(order.intent, now)
        self.lines[child.broker].spend()
        self.commands.append(Replace(order, child.venue_order_id))
        self._timers.set(child, now + AUDIT_NS)

    def withdraw(self, child: Child, now: int) -> None:
        """A child is to go; cancels are sent until it is over."""
        if child.over:
            return
        child.wanted_gone = True
        self.attend(child, now)

    def attend(self, child: Child, now: int) -> None:
        """Does what a child needs now, and sets the time for the next look."""
        line = self.lines[child.broker]
        if child.over:
            self._timers.cancel(child)
            return
        if line.state == "down":
            self._timers.cancel(child)  # looked at again when the line is up
            return
        when = self._cancel(child, line, now) if child.wanted_gone and child.stated is None else NEVER
        if child.facts.readable:
            when = min(when, self._read(child, line, now))
        self._timers.set(child, when)

    def _cancel(self, child: Child, line: Line, now: int) -> int:
        """Sends a cancel if it is time; returns when it is time again."""
        if not (child.facts.client_order_ids or child.venue_order_id):
            return NEVER  # cannot be named yet; the report that names it brings us here again
        due = child.withdrawn_ts + WITHDRAW_NS if child.withdrawn_ts else now
        if due > now:
            return due
        before = child.state
        child.withdrawn(now)
        line.spend()
        self.commands.append(Withdraw(child.broker, child.id, child.venue_order_id, child.symbol))
        if child.state is not before:
            self._owner.changed(child, before, [], now)
        return now + WITHDRAW_NS

    def _read(self, child: Child, line: Line, now: int) -> int:
        """Sends a query if it is time and the budget allows; returns when it is time again."""
        if child.awaiting:
            due = child.asked_ts + ANSWER_NS
        elif child.doubtful:
            due = child.asked_ts + SPACING_NS if child.asked_ts else now
        else:
            due = max(child.event_ts, child.asked_ts) + AUDIT_NS
        if due > now:
            return due
        if not line.has_tokens(now, part=5):
            return now + SPACING_NS
        about = child.id if child.replacement is None else child.replacement.client_order_id
        child.asked(about, now)
        line.spend()
        venue = child.venue_order_id if about == child.id else ""
        self.commands.append(Query(child.broker, about, venue, child.symbol))
        return now + ANSWER_NS

    # ---- what brokers say

    def receive(self, report: Report, now: int) -> None:
        """A report of any order at a broker."""
        child = self._take(report, now)
        if child is not None:
            self.attend(child, now)

    def _take(self, report: Report, now: int) -> Child | None:
        """Books a report; returns the child it is about."""
        child = self._find(report)
        line = self.lines.get(report.broker)
        if line is None:
            return None
        if child is None:
            return self._unknown(report, line, now)
        if child.broker != report.broker:
            return None
        other = self._by_venue.get((report.broker, report.venue_order_id))
        if other is not None and other is not child and other.orphan and not child.fills:
            return self._merge(child, other, line, report, now)
        before = child.state
        fills = child.receive(report, now)
        self._after(child, line, before, fills, now)
        return child

    def _merge(self, child: Child, other: Child, line: Line, report: Report, now: int) -> Child | None:
        """Two of ours are one order there: the journal lost the replacement, which was found before."""
        before = child.state
        child.superseded(other.id)
        self._after(child, line, before, [], now)
        self._timers.cancel(child)
        for name in child.ids:
            self.children[name] = other
        other.ids += child.ids
        return self._take(report, now)

    def _find(self, report: Report) -> Child | None:
        if report.client_order_id:
            return self.children.get(report.client_order_id)
        return self._by_venue.get((report.broker, report.venue_order_id)) if report.venue_order_id else None

    def _after(self, child: Child, line: Line, before: OrderState, fills: list[Fill], now: int) -> None:
        if child.venue_order_id:
            self._by_venue[child.broker, child.venue_order_id] = child
        if child.over:
            line.open.pop(child.ids[0], None)
        else:
            line.open[child.ids[0]] = child
        if fills:
            sign = 1 if child.side == "buy" else -1
            line.moved(child.symbol, sign * sum(fill.quantity for fill in fills))
        if child.cumulative > child.quantity and child.replacement is None and not child.orphan:
            line.broken[child.symbol] = f"order {child.id} traded more than was ordered"
        if child.gaps:  # the broker's total is ahead: its executions are missing here
            self._hurry(line, now)
        self._owner.changed(child, before, fills, now)

    def _unknown(self, report: Report, line: Line, now: int) -> Child | None:
        """An order that we do not know: ours, from a journal that lost its tail, or somebody else's."""
        numbers = parse_id(report.client_order_id, self.prefix)
        if report.kind is ReportKind.NOT_FOUND or report.state is OrderState.REJECTED:
            return None
        if numbers is None:
            if report.symbol and report.state not in FINAL:
                line.stranger(report.symbol, report.client_order_id or report.venue_order_id)
            return None
        chain = self.children.get(report.reference) or self._by_venue.get((line.name, report.venue_order_id))
        if chain is not None and chain.broker == line.name:
            chain.renamed(report)
            self.children[report.client_order_id] = chain
            chain.parent.made = max(chain.parent.made, numbers[1])
            return self._take(report, now)
        if not report.symbol or report.side is None:
            if report.client_order_id not in self._strangers and len(self._strangers) < _STRANGERS:
                self._strangers[report.client_order_id] = None
                self.commands.append(Query(line.name, report.client_order_id, report.venue_order_id, report.symbol))
            return None
        return self._adopt(report, line, *numbers, now)

    def _adopt(self, report: Report, line: Line, number: int, made: int, now: int) -> Child:
        """Takes an order of ours that the journal does not have: what it filled counts, and it must go."""
        parent = self._owner.found(number, report, now)
        parent.made = max(parent.made, made)
        told = report.cumulative + report.leaves if min(report.cumulative, report.leaves) >= 0 else report.quantity
        intent = Intent(
            number,
            report.client_order_id,
            parent.traded.index,
            report.symbol,
            report.side or "buy",
            max(told, report.quantity, 1),
            0,
            line.name,
        )
        child = Child(parent, intent, line.facts, now)
        child.state = OrderState.UNKNOWN
        child.orphan = child.wanted_gone = child.urgent = True
        child.reason = "found at the broker, not in the journal"
        self.children[child.id] = child
        line.open[child.id] = child
        if parent.orphan:
            parent.quantity += child.quantity
        parent.children.append(child)
        fills = child.receive(report, now)
        self._after(child, line, OrderState.PENDING_NEW, fills, now)
        return child

    # ---- lines

    def line_state(self, change: LineState, now: int) -> None:
        """A broker's line came up, went down, or cannot be trusted."""
        line = self.lines.get(change.name)
        if line is None or line.state == change.state:
            return
        line.state, line.reason = change.state, change.reason
        if change.state == "down":
            line.ready = False
            self._timers.cancel(line)
            self._doubt(line, now)
        elif change.state == "up":
            line.ready = False
            if line.ready_from == NEVER:  # the first time since the process began
                line.ready_from = now + self.settle_ns
            self._reconcile(line, now)
            for child in list(line.open.values()):
                self.attend(child, now)

    def restart(self, now: int) -> None:
        """The process began anew: all lines are down, whatever was under way may have passed."""
        for line in self.lines.values():
            line.state, line.reason, line.ready = "down", "the process began anew", False
            line.ready_from = NEVER
            self._timers.cancel(line)
            self._doubt(line, now)

    def _doubt(self, line: Line, now: int) -> None:
        line.awaiting = False
        for child in list(line.open.values()):
            before = child.state
            child.doubt()
            child.withdrawn_ts = 0  # whether that cancel passed is not known either
            self._timers.cancel(child)
            if child.state is not before:
                self._owner.changed(child, before, [], now)

    # ---- snapshots

    def due(self, line: Line, now: int) -> None:
        """A line's time has come."""
        if line.state != "down":
            self._reconcile(line, now)

    def _hurry(self, line: Line, now: int) -> None:
        """Asks for a snapshot soon, unless one is on its way."""
        if line.state == "up" and not line.awaiting:
            if now - line.asked_ts >= SPACING_NS:
                self._reconcile(line, now)
            else:
                self._timers.set(line, line.asked_ts + SPACING_NS)

    def _reconcile(self, line: Line, now: int) -> None:
        oldest = next(iter(line.open.values())).sent_ts if line.open else now
        agreed = line.first_ts if line.doubts else line.agreed_ts  # what does not agree may be an old bust
        since = min(oldest, agreed or now)
        line.asks(now)
        line.spend()
        self.commands.append(Reconcile(line.name, max(0, since - OVERLAP_NS)))
        self._timers.set(line, now + SNAPSHOT_NS)

    def snapshot(self, snapshot: Snapshot, now: int) -> None:
        """All a broker has of us: executions first, then orders, then who is missing, then positions."""
        line = self.lines.get(snapshot.broker)
        if line is None:
            return
        touched: dict[Child, None] = {}
        foreign: dict[str, str] = {}
        adopted = [report for report in snapshot.orders if self._find(report) is None]  # before their executions
        for report in (*adopted, *snapshot.executions, *snapshot.orders):
            child = self._find(report)
            awaiting = child.awaiting if child is not None else False
            child = self._take(report, now)
            if child is not None:
                child.awaiting = awaiting and not child.over  # an answer to a query is still to come
                touched[child] = None
            elif report.kind is ReportKind.STATUS and report.state not in FINAL and report.symbol:
                foreign[report.symbol] = report.client_order_id or report.venue_order_id
        if snapshot.complete and line.awaiting and line.state == "up":
            self._complete(line, snapshot, foreign, now)
            touched.update(dict.fromkeys(line.open.values()))
        elif line.state != "down":
            self._timers.set(line, now + SPACING_NS)
        for child in touched:
            self.attend(child, now)

    def _complete(self, line: Line, snapshot: Snapshot, foreign: dict[str, str], now: int) -> None:
        line.awaiting = False
        present = {report.client_order_id for report in snapshot.orders}
        venues = {report.venue_order_id for report in snapshot.orders if not report.client_order_id}
        for child in list(line.open.values()):
            about = child.id if child.replacement is None else child.replacement.client_order_id
            if about not in present and (not child.venue_order_id or child.venue_order_id not in venues):
                before = child.state
                child.missing(line.asked_ts)
                self._after(child, line, before, [], now)
        line.strangers(foreign)
        again = line.compare(snapshot.positions)
        line.ready, line.agreed_ts = line.asked_ts >= line.ready_from, line.asked_ts
        line.first_ts = line.first_ts or line.asked_ts
        wait = SPACING_NS if again else RECONCILE_NS
        self._timers.set(line, now + wait if line.ready else max(now + SPACING_NS, line.ready_from))
        self._owner.opened(line, snapshot, now)
