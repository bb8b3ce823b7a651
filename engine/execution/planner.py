"""What an algorithm is to the trader: a pure planner that sees its parent order and says what should be at work.

::

    algo (a user's frozen value) --planner(...)--> Planner --plan(View, now)--> Plan --trader, gate--> child orders

Prices and quantities are counts of 1e-9, times ns since the epoch; 0 means none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from engine.core.trading import OrderSide, OrderState, TimeInForce, TopChange

__all__ = ["IDLE", "Algo", "Change", "ChildEnd", "Plan", "Planner", "View", "Want", "Working"]

#: How the child that ended last came to its end. "withdrawn": we asked for it; "cancelled": we did not; "refused": the
#: gate; "rejected": a broker; "lost": proven never to have arrived.
ChildEnd = Literal["", "filled", "withdrawn", "cancelled", "expired", "rejected", "refused", "lost"]


class Working(NamedTuple):
    """A child that is not proven over. Only those in NEW or PARTIALLY_FILLED can be withdrawn or changed."""

    child: str
    price: int
    quantity: int
    leaves: int
    state: OrderState
    tif: TimeInForce
    ts: int  #: when it was sent


class View(NamedTuple):
    """What a planner sees of its parent. Immutable; made anew for each call."""

    side: OrderSide
    quantity: int  #: the parent's, as amended
    cumulative: int  #: filled
    free: int  #: what may be placed now: never more than what is provably free; 0 while the trader holds back
    price: int  #: the parent's limit, as amended
    top: TopChange | None
    working: tuple[Working, ...]
    tick: int
    lot: int
    open: int  #: of the session that counts; 0: no calendar
    close: int
    ended: ChildEnd = ""
    reason: str = ""  #: why it ended so
    revision: int = 0  #: grows with every amendment and resumption: the rest is to be planned anew


class Want(NamedTuple):
    """A child to be placed. ``price`` is never 0; ``display`` 0 shows all."""

    quantity: int
    price: int
    tif: TimeInForce = "day"
    post_only: bool = False
    display: int = 0


class Change(NamedTuple):
    """Another price or total quantity for a child. Where a broker cannot, the trader withdraws it instead."""

    child: str
    quantity: int
    price: int


class Plan(NamedTuple):
    """What a planner wants done. The trader may do less (gate, brokers), never more.

    ``done`` says that the algorithm will never place again: the trader withdraws whatever still works, and the parent
    ends when no child does.
    """

    place: tuple[Want, ...] = ()
    withdraw: tuple[str, ...] = ()
    replace: tuple[Change, ...] = ()
    wake: int = 0  #: when to ask again at the latest
    watch: bool = False  #: whether to ask again when the top changes
    done: bool = False
    reason: str = ""


IDLE = Plan()  #: nothing to do until something happens to the parent


class Planner(Protocol):
    """One parent's algorithm at work. May remember; draws chance only from its seed.

    The trader asks when the parent was accepted or amended, resumed, when a child's state changed, at ``wake``, and,
    where the last plan said ``watch``, when the top changed. It does not ask a parent that is paused or cancelled.
    """

    def plan(self, view: View, now: int) -> Plan:
        """What should be done now. Asks for no more than ``view.free`` in all of ``place``; never raises."""
        ...


class Algo(Protocol):
    """What a user chose for a parent; a frozen value."""

    name: ClassVar[str]

    @property
    def limit_nanos(self) -> int:
        """The limit price the parent begins with; 0 none."""
        ...

    @property
    def levels(self) -> int:
        """How many levels of the book the planner reads from ``View.top``."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The plain form in ``Submit.algo``: text, whole numbers, booleans and None."""
        ...

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """From the plain form.

        Raises:
            ValueError: a name or value that is not one of this algorithm.
        """
        ...

    def resolve(self, now: int, time_zone: str) -> Self:
        """The same with times of day turned into instants: what the rim submits.

        Raises:
            ValueError: a window that is over, or ends before it begins.
        """
        ...

    def check(self, quantity: int, lot: int, tick: int) -> None:
        """Whether the instrument's rules and the parent's quantity allow it.

        Raises:
            ValueError: off the tick or the lot, or an impossible slice size.
        """
        ...

    def window(self, now: int, open: int, close: int) -> tuple[int, int]:
        """Start and end of a parent accepted ``now``, within the session; an end of 0 means open-ended."""
        ...

    def planner(self, quantity: int, lot: int, tick: int, start: int, end: int, seed: int) -> Planner:
        """The algorithm at work for one parent, in the window ``window`` gave."""
        ...
