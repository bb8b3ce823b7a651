"""The words of trading: what goes into the trader's step and what comes out of it.

Every price and quantity is a count of 1e-9, every time ns since the epoch. All of it is immutable and made of plain
values, so that the journal can keep it and a replay can give it again. What every report or order is made of are named
tuples, made in a tenth of a data class's time.

::

    inputs    TopChange, Submit, Amend, Cancel, CancelAll, Pause, Resume, Halt, Release, Report, Snapshot, LineState,
              Session, Listing, Restart, Timer
    between   Intent -> (gate) -> Approved | Refusal
    commands  Place, Replace, Withdraw, Query, Reconcile
    news      Update
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple

__all__ = [
    "Amend",
    "Approved",
    "BrokerFacts",
    "Cancel",
    "CancelAll",
    "Command",
    "Fill",
    "Halt",
    "Holding",
    "Input",
    "Intent",
    "LineState",
    "Listing",
    "OrderSide",
    "OrderState",
    "Pause",
    "Place",
    "Query",
    "Reconcile",
    "Refusal",
    "Release",
    "Replace",
    "Report",
    "ReportKind",
    "Restart",
    "Resume",
    "Session",
    "Snapshot",
    "Submit",
    "TimeInForce",
    "Timer",
    "TopChange",
    "Update",
    "Withdraw",
]

OrderSide = Literal["buy", "sell"]
TimeInForce = Literal["day", "gtc", "ioc", "fok"]
BookState = Literal["empty", "live", "stale", "halted"]


class OrderState(StrEnum):
    """Where an order stands; which state may follow which says ``engine.execution.states``."""

    PENDING_NEW = "pending-new"
    NEW = "new"
    PARTIALLY_FILLED = "partially-filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending-cancel"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class ReportKind(StrEnum):
    """What a broker says of an order, or what we know of a request to it."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FILL = "fill"
    CANCELLED = "cancelled"
    CANCEL_REJECTED = "cancel-rejected"
    REPLACED = "replaced"
    REPLACE_REJECTED = "replace-rejected"
    EXPIRED = "expired"
    BUST = "bust"  #: the execution ``reference`` did not happen
    CORRECTION = "correction"  #: the execution ``reference`` had this quantity and price
    STATUS = "status"  #: a positive answer to a query: ``state``, ``cumulative``, ``leaves``
    NOT_FOUND = "not-found"  #: a query's answer: no such order; not yet proof (see the visibility delay)
    UNKNOWN_OUTCOME = "unknown-outcome"  #: time ran out, or the line broke: the request may have passed


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What the trader must know of a broker.

    Args:
        name: what people call it, and what commands name.
        client_order_ids: the broker keeps our ids, and a second new order with the same id is refused or is the first
            one; without, an order whose outcome is unknown is never sent again.
        readable: single orders can be read, closed ones too.
        native_replace: cancel/replace is one request.
        display: reserve orders are native.
        times_in_force: what it takes.
        visibility_delay_ns: an order younger than this may be missing in what is read.
        answer_ns: a request is answered within this, or its outcome is unknown.
        heartbeat_ns: the line says something at least this often; two missed, and it is suspect.
        requests_per_minute: of every kind together.
    """

    name: str
    client_order_ids: bool = True
    readable: bool = True
    native_replace: bool = True
    display: bool = False
    times_in_force: tuple[TimeInForce, ...] = ("day", "gtc", "ioc", "fok")
    visibility_delay_ns: int = 1_000_000_000
    answer_ns: int = 1_200_000_000
    heartbeat_ns: int = 1_000_000_000
    requests_per_minute: int = 6_000


# ---- inputs


class TopChange(NamedTuple):
    """The best of an instrument after something changed; 0 where a side is empty.

    ``nbbo_bid`` and ``nbbo_ask`` are the national best where a provider tells it, else the composed top. ``volume`` is
    what others traded since the session began, as far as it was seen; ``last`` the last print's price. ``bids`` and
    ``asks`` are (price, quantity), best first, as many levels as the trader asked for.
    """

    instrument: int
    bid: int
    bid_quantity: int
    ask: int
    ask_quantity: int
    nbbo_bid: int
    nbbo_ask: int
    state: BookState
    ts_event: int
    ts_recv: int
    last: int = 0
    volume: int = 0
    bids: tuple[tuple[int, int], ...] = ()
    asks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Submit:
    """A new parent order. ``parent`` is its number, given by who asks; ``algo`` an algorithm's plain form."""

    parent: int
    instrument: int
    symbol: str
    side: OrderSide
    quantity: int
    algo: dict[str, Any]
    key: str | None = None
    tag: str | None = None
    brokers: tuple[str, ...] = ()
    decision_price: int = 0


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ends a parent: no new child, and every live one is withdrawn."""

    parent: int


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Ends every open parent, or those of a tag."""

    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Amend:
    """Another limit price or total quantity for a parent; None leaves it."""

    parent: int
    price: int | None = None
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """No new child of this parent until it resumes; live ones are withdrawn."""

    parent: int


@dataclass(frozen=True, slots=True)
class Resume:
    """A paused parent goes on."""

    parent: int


@dataclass(frozen=True, slots=True)
class Halt:
    """The kill switch: nothing that could increase what is at work leaves any more. Survives a restart."""

    reason: str
    source: str = "user"


@dataclass(frozen=True, slots=True)
class Release:
    """The kill switch is let go."""

    source: str = "user"


class Report(NamedTuple):
    """What a broker said of one order. Ids are "" and numbers 0 where it did not say.

    ``quantity`` and ``price`` are a fill's or a correction's; ``cumulative`` and ``leaves`` the order's, -1 where not
    told. ``fee`` is positive when we pay. ``reference`` is the execution that a bust or correction is about. A reject
    whose reason begins with "throttled" or "not sent" says nothing of the order: another may follow after a while.
    """

    broker: str
    kind: ReportKind
    client_order_id: str
    venue_order_id: str = ""
    execution_id: str = ""
    reference: str = ""
    quantity: int = 0
    price: int = 0
    cumulative: int = -1
    leaves: int = -1
    fee: int = 0
    state: OrderState | None = None
    reason: str = ""
    symbol: str = ""
    side: OrderSide | None = None
    ts_event: int = 0
    ts_recv: int = 0


@dataclass(frozen=True, slots=True)
class Holding:
    """A position as a broker states it: signed quantity and average price."""

    symbol: str
    quantity: int
    average_price: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All a broker has of us: every order live, or closed since ``since``, their executions, and the positions.

    ``complete`` is False where a part could not be read; then absence of an order says nothing.
    """

    broker: str
    since: int
    orders: tuple[Report, ...] = ()
    executions: tuple[Report, ...] = ()
    positions: tuple[Holding, ...] = ()
    cash: int | None = None  #: counts of 1e-9 of the account's currency
    complete: bool = True
    ts_recv: int = 0


@dataclass(frozen=True, slots=True)
class LineState:
    """A broker's or provider's line came up, went down, or cannot be trusted."""

    kind: Literal["broker", "feed"]
    name: str
    state: Literal["up", "down", "suspect"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """The regular trading hours that count from now on."""

    open: int
    close: int


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument may be traded from now on, under this number; also after a restart, when numbers may differ."""

    instrument: int
    symbol: str
    tick: int
    lot: int
    multiplier: int = 1_000_000_000
    time_zone: str = "America/New_York"
    average_daily_volume: int = 0  #: 0 where nobody knows


@dataclass(frozen=True, slots=True)
class Restart:
    """The process began anew: what was under way may or may not have reached the brokers."""


@dataclass(frozen=True, slots=True)
class Timer:
    """The time the trader asked for has come."""


# ---- between the algorithms and the brokers


class Intent(NamedTuple):
    """A child order somebody wants, or a parent (``client_order_id`` is "") before it may begin.

    ``price`` is the limit; 0 asks for a market order, which only brokers' own simulations know. ``replaces`` names the
    child whose place it takes: then ``quantity`` is the new total, fills of the old one counted.
    """

    parent: int
    client_order_id: str
    instrument: int
    symbol: str
    side: OrderSide
    quantity: int
    price: int
    broker: str = ""
    tif: TimeInForce = "day"
    post_only: bool = False
    display: int = 0
    replaces: str = ""
    increase: int = 0  #: by how much more could trade than before


class Approved(NamedTuple):
    """An intent that passed the gate, its only maker (a house test looks). Encoders of new orders take nothing else."""

    intent: Intent
    now: int


class Refusal(NamedTuple):
    """Which limit an intent hit: its name, the value seen and the bound."""

    limit: str
    value: str
    bound: str


# ---- commands


class Place(NamedTuple):
    """Send a new child order."""

    order: Approved


class Replace(NamedTuple):
    """Send a cancel/replace of the child ``order.intent.replaces``."""

    order: Approved
    venue_order_id: str


class Withdraw(NamedTuple):
    """Send a cancel of a child order."""

    broker: str
    client_order_id: str
    venue_order_id: str
    symbol: str


class Query(NamedTuple):
    """Ask what became of an order."""

    broker: str
    client_order_id: str
    venue_order_id: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Ask for a `Snapshot`; closed orders and executions from ``since`` on."""

    broker: str
    since: int


# ---- news for users


class Fill(NamedTuple):
    """Our execution; a bust has a negative quantity."""

    quantity: int
    price: int
    fee: int
    execution_id: str
    broker: str
    ts_event: int
    inferred: bool = False  #: told by a cumulative quantity only; the real one takes its place when it comes


class Update(NamedTuple):
    """Something happened to an order: a parent (``order`` is "") or one of its children (its client order id)."""

    sequence: int
    parent: int
    order: str
    state: OrderState
    fill: Fill | None
    reason: str
    ts_recv: int


Input = (
    TopChange
    | Submit
    | Cancel
    | CancelAll
    | Amend
    | Pause
    | Resume
    | Halt
    | Release
    | Report
    | Snapshot
    | LineState
    | Session
    | Listing
    | Restart
    | Timer
)
Command = Place | Replace | Withdraw | Query | Reconcile
