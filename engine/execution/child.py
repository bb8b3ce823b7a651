"""A child order: what a broker told of it, what is proven, and how much of it may still trade.

A broker's word is taken as follows.

* Executions are counted once each, by execution id, whenever they come; a bust takes one back, a correction
  replaces it.
* A total ahead of the executions we know asks for a read. Only after `READS` reads that agree is a fill inferred; the
  real one takes its place when it comes.
* "Cancelled" and "expired" end nothing until a read confirms it (brokers say "cancelled" and fill later); until then,
  and while unknown, everything unfilled counts as live.
* Absence is no answer: only `READS` of them, `SPACING_NS` apart, of an order older than the broker's visibility delay,
  prove that it never arrived. If it appears nevertheless, it counts again and is withdrawn.

Always: ``cumulative + leaves + cancelled == ordered``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.trading import Fill, Intent, OrderState, Report, ReportKind
from engine.execution.states import FINAL, IN_FLIGHT, Event, follow

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.trading import BrokerFacts
    from engine.execution.parent import Parent

__all__ = ["NEVER_ARRIVED", "READS", "SPACING_NS", "Child"]

NEVER_ARRIVED: Final = "never arrived"  #: the reason of a child that no broker ever had

READS: Final = 3  #: reads that must agree before absence, or a total without executions, is believed
SPACING_NS: Final = 500_000_000  #: between two reads that count

_PROVES_REPLACEMENT: Final = {ReportKind.REPLACED, ReportKind.FILL, ReportKind.ACCEPTED}
_ENDS: Final = {
    OrderState.CANCELLED: Event.CANCELLED,
    OrderState.EXPIRED: Event.EXPIRED,
    OrderState.REJECTED: Event.REJECTED,
    OrderState.FILLED: Event.CANCELLED,  # said to be filled, but with less than was ordered: the rest is gone
    OrderState.REPLACED: Event.CANCELLED,
}


class Child:
    """One order at one broker, through all its replacements (each has a client order id of its own).

    Attributes:
        id: the client order id that stands now; ``ids`` has the former ones, too.
        quantity: the total ordered, fills counted.
        over: proven that nothing more can trade; ``over_ts`` is the broker's stamp of it, 0 where it has none.
        stated: the end a broker told that no read has confirmed yet.
        replacement: a cancel/replace under way.
        wanted_gone: it is to be withdrawn, until it is over.
        urgent: what we know is in doubt: read it soon.
        counted, counted_leaves, known_as: what its owner last knew of ``committed``, ``leaves`` and ``id``.
        orphan: known only from a broker, so its total is what the broker told.
    """

    __slots__ = (
        "absent",
        "absent_ts",
        "asked_id",
        "asked_ts",
        "awaiting",
        "broker",
        "contradicted",
        "counted",
        "counted_leaves",
        "cumulative",
        "event_ts",
        "facts",
        "fees",
        "fills",
        "gaps",
        "id",
        "ids",
        "inferred",
        "instrument",
        "intent",
        "known_as",
        "lost",
        "notional",
        "orphan",
        "over",
        "over_ts",
        "parent",
        "price",
        "quantity",
        "reason",
        "replaced_ts",
        "replacement",
        "sent_ts",
        "side",
        "state",
        "stated",
        "symbol",
        "told",
        "undone",
        "urgent",
        "venue_order_id",
        "wanted_gone",
        "withdrawn_ts",
    )

    def __init__(self, parent: Parent, intent: Intent, facts: BrokerFacts, now: int) -> None:
        self.parent = parent
        self.intent = intent
        self.facts = facts
        self.id = intent.client_order_id
        self.ids = [self.id]
        self.broker = intent.broker
        self.instrument = intent.instrument
        self.symbol = intent.symbol
        self.side = intent.side
        self.quantity = intent.quantity
        self.price = intent.price
        self.state = OrderState.PENDING_NEW
        self.reason = ""
        self.venue_order_id = ""
        self.fills: dict[str, Fill] = {}  # by execution id
        self.undone: set[str] = set()  # executions that were busted or corrected under another id
        self.inferred: Fill | None = None
        self.cumulative = self.notional = self.fees = 0
        self.counted = self.counted_leaves = 0
        self.known_as = self.id
        self.over = self.wanted_gone = self.urgent = self.awaiting = self.orphan = False
        self.stated: OrderState | None = None
        self.replacement: Intent | None = None
        self.sent_ts = self.event_ts = now
        self.asked_ts = self.withdrawn_ts = self.replaced_ts = self.over_ts = self.absent_ts = 0
        self.asked_id = ""
        self.absent = self.gaps = self.contradicted = self.told = 0
        self.lost: dict[str, Intent] = {}  # cancel/replaces that were refused or never arrived

    # ---- readings

    @property
    def ordered(self) -> int:
        """The most that was ever promised to trade."""
        ordered = max(self.quantity, self.cumulative)
        return ordered if self.replacement is None or self.over else max(ordered, self.replacement.quantity)

    @property
    def committed(self) -> int:
        """What its parent must hold for it: all of it while it is not proven over, then what was filled."""
        return self.cumulative if self.over else self.ordered

    @property
    def leaves(self) -> int:
        """What may still trade."""
        return 0 if self.over else self.ordered - self.cumulative

    @property
    def cancelled(self) -> int:
        """What is proven never to trade."""
        return self.ordered - self.cumulative if self.over else 0

    @property
    def doubtful(self) -> bool:
        """Whether something about it must be found out."""
        return self.urgent or self.stated is not None or self.state is OrderState.UNKNOWN

    # ---- what we do

    def withdrawn(self, now: int) -> None:
        """A cancel was sent."""
        self.withdrawn_ts = now
        self.state = follow(self.state, Event.WITHDRAWN)

    def replacing(self, intent: Intent, now: int) -> None:
        """A cancel/replace was sent."""
        self.replacement = intent
        self.replaced_ts = now
        self.ids.append(intent.client_order_id)

    def renamed(self, report: Report) -> None:
        """The broker has it under an id that the journal lost: a replacement of ours, which must go."""
        told = report.cumulative + report.leaves if min(report.cumulative, report.leaves) >= 0 else self.quantity
        name = report.client_order_id
        self.ids.append(name)
        self.lost[name] = self.intent._replace(client_order_id=name, replaces=self.id, quantity=told, price=0)

    def superseded(self, other: str) -> None:
        """The broker has it under another id, which stands for all of it."""
        self.reason = f"stands as {other}"
        self._prove(OrderState.CANCELLED)

    def asked(self, client_order_id: str, now: int) -> None:
        """A query for one of its ids was sent."""
        self.asked_id, self.asked_ts, self.awaiting = client_order_id, now, True

    def doubt(self) -> None:
        """What is under way may or may not have passed: the line broke, or the process began anew."""
        if self.over:
            return
        self.awaiting = False
        if self.state in IN_FLIGHT or self.replacement is not None:
            self.state = follow(self.state, Event.DOUBT)
        self.urgent = True

    # ---- what a broker says

    def receive(self, report: Report, now: int) -> list[Fill]:
        """Takes in a report about this order. Returns what it did to the position: fills, taken back ones negative."""
        self.event_ts = now
        if report.venue_order_id and report.client_order_id in {self.id, ""}:
            self.venue_order_id = report.venue_order_id
        if self.orphan and min(report.cumulative, report.leaves) >= 0:
            self._enlarge(report.cumulative + report.leaves)
        kind = report.kind
        if report.client_order_id not in {self.id, ""} and kind in _PROVES_REPLACEMENT:
            self._replaced(report)
        return _HANDLERS[kind](self, report) or []

    def _not_found(self, report: Report) -> None:
        if self.awaiting:
            self.awaiting = False
            self.missing(self.asked_ts)

    def _over_told(self, report: Report) -> None:
        ended = OrderState.CANCELLED if report.kind is ReportKind.CANCELLED else OrderState.EXPIRED
        self._ended(ended, report)

    def _replace_refused(self, report: Report) -> None:
        self._not_replaced(report.client_order_id)

    def _cancel_refused(self, report: Report) -> None:
        self.urgent = True  # most often it has just been filled: read it

    def _outcome_unknown(self, report: Report) -> None:
        if self.state in IN_FLIGHT or self.replacement is not None:
            self.doubt()

    def _busted(self, report: Report) -> list[Fill]:
        return self._bust(report.reference or report.execution_id)

    def _enlarge(self, total: int) -> None:
        if total > self.quantity:
            self.quantity = total
            if self.over:
                self._revive()

    def _accepted(self, report: Report) -> None:
        if self.over and self.state is OrderState.REJECTED:
            self._revive()
        self.state = follow(self.state, Event.ACCEPTED)

    def _rejected(self, report: Report) -> None:
        if report.client_order_id != self.id and report.client_order_id:
            self._not_replaced(report.client_order_id)
        elif self.over:
            return
        elif self.cumulative == 0 and not self.venue_order_id:
            self.reason = report.reason
            self._prove(OrderState.REJECTED)
        else:  # it had been accepted: that is a statement to be confirmed
            self._ended(OrderState.REJECTED, report)

    def _ended(self, ended: OrderState, report: Report) -> None:
        if self.over or report.client_order_id not in {self.id, ""}:
            return
        self.reason = report.reason or self.reason
        if report.cumulative > self.cumulative or self.facts.readable:
            if self.stated is None:
                self.contradicted = 0
            self.stated, self.urgent = ended, True
            self.awaiting = False  # an answer to what was asked before does not confirm this
            self.state = follow(self.state, Event.ENDING)
        else:
            self._prove(ended)

    def _replaced(self, report: Report) -> None:
        """The id of a cancel/replace under way stands now; one that we thought lost must go again."""
        about = report.client_order_id
        if self.replacement is not None and about == self.replacement.client_order_id:
            intent, self.replacement = self.replacement, None
        elif about in self.lost:
            intent = self.lost.pop(about)
            self.wanted_gone = self.urgent = True
        else:
            return
        self.intent, self.stated, self.absent = intent, None, 0  # an end that was told was the former id's
        self.id, self.quantity, self.price = intent.client_order_id, intent.quantity, intent.price
        if report.venue_order_id:
            self.venue_order_id = report.venue_order_id
        self.urgent = self.urgent or self.state is OrderState.UNKNOWN
        if self.over and self.cumulative < self.quantity:
            self._revive()
        self._weigh()

    def _not_replaced(self, client_order_id: str) -> None:
        """A cancel/replace was refused, or never arrived: the order stands as it was, if it stands at all."""
        if self.replacement is not None and client_order_id == self.replacement.client_order_id:
            self.lost[client_order_id] = self.replacement
            self.replacement = None
            self.urgent = True
            self._weigh()

    # ---- executions

    def _fill(self, report: Report) -> list[Fill]:
        if report.cumulative > self.cumulative + report.quantity:
            self.urgent = True  # others must have been lost on the way
        if report.quantity <= 0:
            return []
        execution = report.execution_id or f"@{report.cumulative}/{report.quantity}/{report.price}/{report.ts_event}"
        if execution in self.fills or execution in self.undone:
            return []
        fills = self._count(_fill_of(report, execution))
        if self.over and self.cumulative < self.quantity and self.facts.readable:
            self._revive()
        self._weigh()
        return fills

    def _count(self, fill: Fill) -> list[Fill]:
        """Counts an execution; an inferred one gives way, its rest is inferred again."""
        fills: list[Fill] = []
        guess = self.inferred
        if guess is not None:
            fills.append(self._take_back(guess))
            self.inferred = None
        self.fills[fill.execution_id] = fill
        fills.append(self._add(fill))
        if guess is not None and guess.quantity > fill.quantity:
            fills.append(self._infer(guess.quantity - fill.quantity, guess.price, guess.ts_event))
        return fills

    def _infer(self, quantity: int, price: int, ts_event: int) -> Fill:
        name = f"{self.ids[0]}#{self.cumulative}+{quantity}"
        self.inferred = Fill(quantity, price, 0, name, self.broker, ts_event, inferred=True)
        return self._add(self.inferred)

    def _bust(self, execution: str) -> list[Fill]:
        if not execution or execution in self.undone:
            return []
        self.undone.add(execution)  # even if the execution itself is still to come
        fill = self.fills.pop(execution, None)
        return [] if fill is None else [self._take_back(fill)]

    def _correct(self, report: Report) -> list[Fill]:
        """The execution ``reference`` was otherwise; also where it is still to come, or has another id from now on."""
        execution = report.execution_id or report.reference
        known = self.fills.get(execution)
        if execution in self.undone or (known is not None and known.ts_event > report.ts_event):
            return []
        fill = _fill_of(report, execution)
        if known is not None and (known.quantity, known.price, known.fee) == (fill.quantity, fill.price, fill.fee):
            return []
        fills = [] if known is None else [self._take_back(self.fills.pop(execution))]
        if report.reference != execution:
            fills += self._bust(report.reference)
        if fill.quantity > 0:
            fills += self._count(fill)
        self._weigh()
        return fills

    def _add(self, fill: Fill) -> Fill:
        self.cumulative += fill.quantity
        self.notional += fill.quantity * fill.price
        self.fees += fill.fee
        return fill

    def _take_back(self, fill: Fill) -> Fill:
        return self._add(_negative(fill))

    def _weigh(self) -> None:
        """The state that the quantities lead to."""
        if self.cumulative >= self.quantity and self.replacement is None:
            self.state = follow(self.state, Event.FULL)
            self.over, self.stated, self.urgent = True, None, False
        elif self.cumulative:
            self.state = follow(self.state, Event.PART)

    # ---- reads

    def _read(self, report: Report) -> list[Fill]:
        """A positive answer: what the broker has of this order."""
        answered, self.awaiting = self.awaiting, False
        about = report.client_order_id or self.id
        if self.replacement is not None and about == self.replacement.client_order_id:
            if report.state is OrderState.REJECTED:
                self._not_replaced(about)
                return []
            self._replaced(report)
        elif about in self.lost and report.state not in FINAL:
            self._replaced(report)
        elif about != self.id:
            return []  # a former id: what counts stands under the present one
        elif self.replacement is not None and report.state in FINAL:
            self.urgent = True  # ended, or replaced: what became of the cancel/replace must be known first
            return []
        self.absent = 0
        fills = self._close_gap(report, answered)
        if report.state in FINAL:
            self._read_over(report)
        elif not self.over or (self.cumulative < self.quantity and report.ts_event > self.over_ts):
            self._read_live(answered)
        return fills

    def _close_gap(self, report: Report, answered: bool) -> list[Fill]:
        """Whether the broker's total agrees with the executions we know; in the end its total is believed."""
        gap = report.cumulative - self.cumulative if report.cumulative >= 0 else 0
        if gap == 0:
            self.gaps, self.urgent = 0, False
            return []
        if gap < 0 and self.inferred is not None and report.ts_event >= self.inferred.ts_event:
            return self._guess_less(-gap)  # what was inferred rests on the broker's total alone: it was busted unseen
        self.urgent = True
        if report.cumulative != self.told:
            self.gaps, self.told = 0, report.cumulative
        self.gaps += answered
        if gap < 0 or self.gaps < READS:
            return []  # fewer than we know: the read is old, or a bust is on its way
        self.gaps, self.urgent = 0, False
        known = report.price * report.cumulative - self.notional
        price = max(0, known // gap) if report.price > 0 else self.price
        if self.inferred is not None:
            gap += self.inferred.quantity
            taken = [self._take_back(self.inferred)]
        else:
            taken = []
        fills = [*taken, self._infer(gap, price, report.ts_event)]
        self._weigh()
        return fills

    def _guess_less(self, quantity: int) -> list[Fill]:
        guess, self.inferred = self.inferred, None
        if guess is None:
            return []
        fills = [self._take_back(guess)]
        if guess.quantity > quantity:
            fills.append(self._infer(guess.quantity - quantity, guess.price, guess.ts_event))
        return fills

    def _read_over(self, report: Report) -> None:
        if self.over:
            return
        ended = report.state or OrderState.CANCELLED
        self.reason = report.reason or self.reason
        if self.urgent and self.gaps < READS:  # its executions are still to come
            self.stated = ended
            self.state = follow(self.state, Event.ENDING)
        else:
            self.gaps = 0
            self._prove(ended, report.ts_event)

    def _read_live(self, answered: bool) -> None:
        if self.over:
            self._revive()
        elif self.stated is not None:
            self.contradicted += answered
            self.urgent = True
            if self.contradicted < READS:
                return  # the read may be older than the statement
            self.stated, self.urgent = None, False
        if self.wanted_gone and self.state is OrderState.PENDING_CANCEL:
            return
        self.state = follow(self.state, Event.WORKS_PART if self.cumulative else Event.WORKS)

    def missing(self, asked_ts: int) -> None:
        """A read that began at ``asked_ts``, and would show it if it were there, did not."""
        replacing = self.replacement is not None
        since = self.replaced_ts if replacing else self.sent_ts
        if self.over:
            return
        self.urgent = True
        if asked_ts - since < self.facts.visibility_delay_ns or asked_ts - self.absent_ts < SPACING_NS:
            return
        self.absent += 1
        self.absent_ts = asked_ts
        if self.absent < READS:
            return
        self.absent = 0
        if self.replacement is not None:
            self._not_replaced(self.replacement.client_order_id)
        else:
            self.reason = self.reason or NEVER_ARRIVED
            self._prove(self.stated or OrderState.REJECTED)

    def _prove(self, ended: OrderState, ts_event: int = 0) -> None:
        self.over, self.over_ts = True, ts_event
        self.stated, self.urgent, self.awaiting, self.replacement = None, False, False, None
        self.state = follow(self.state, _ENDS[ended])

    def _revive(self) -> None:
        """It was thought to be over and is not: it counts again, and must go."""
        self.over, self.wanted_gone, self.urgent, self.stated = False, True, True, None
        self.absent = self.contradicted = 0
        self.withdrawn_ts = 0


def _fill_of(report: Report, execution: str) -> Fill:
    return Fill(report.quantity, report.price, report.fee, execution, report.broker, report.ts_event)


def _negative(fill: Fill) -> Fill:
    return Fill(
        -fill.quantity, fill.price, -fill.fee, fill.execution_id, fill.broker, fill.ts_event, inferred=fill.inferred
    )


_HANDLERS: Final[dict[ReportKind, Callable[[Child, Report], list[Fill] | None]]] = {
    ReportKind.ACCEPTED: Child._accepted,
    ReportKind.REJECTED: Child._rejected,
    ReportKind.FILL: Child._fill,
    ReportKind.CANCELLED: Child._over_told,
    ReportKind.EXPIRED: Child._over_told,
    ReportKind.CANCEL_REJECTED: Child._cancel_refused,
    ReportKind.REPLACED: lambda child, report: None,  # done before, for every report that proves it
    ReportKind.REPLACE_REJECTED: Child._replace_refused,
    ReportKind.BUST: Child._busted,
    ReportKind.CORRECTION: Child._correct,
    ReportKind.STATUS: Child._read,
    ReportKind.NOT_FOUND: Child._not_found,
    ReportKind.UNKNOWN_OUTCOME: Child._outcome_unknown,
}
