"""A parent order: what was asked for, what of it is done, and what its algorithm may still place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.core.trading import OrderState
from engine.execution.planner import ChildEnd, View, Working
from engine.execution.states import FINAL

if TYPE_CHECKING:
    from engine.core.trading import Submit, TopChange
    from engine.execution.child import Child
    from engine.execution.planner import Planner

__all__ = ["REJECTS", "Parent", "Traded"]

REJECTS: Final = 5  #: children rejected in a row before the parent gives up
_HOLD_NS: Final = 250_000_000  #: after the first reject or refusal; doubled each time
_HOLD_NS_MAX: Final = 10_000_000_000


class Traded:
    """An instrument as the trader knows it. Its ``id`` is the market's, and may be another one after a restart."""

    __slots__ = ("daily_volume", "id", "index", "lot", "multiplier", "parents", "symbol", "tick", "top", "zone")

    def __init__(self, symbol: str, index: int) -> None:
        self.symbol = symbol
        self.index = index  #: in the order of first mention, for good
        self.id = -1
        self.tick = self.lot = 1
        self.multiplier = 1_000_000_000
        self.zone = ""
        self.daily_volume = 0
        self.top: TopChange | None = None
        self.parents: dict[int, Parent] = {}  #: the open ones


class Parent:
    """One parent order.

    Attributes:
        committed: what its children hold: fills, and everything that is not proven over.
        live: children that are not proven over, by first id.
        made: how many children got a number.
        ending: the state it comes to when nothing is at work any more; None while it goes on.
        orphan: it is known only from a broker.
    """

    __slots__ = (
        "asked",
        "children",
        "committed",
        "cumulative",
        "end",
        "ended",
        "ended_reason",
        "ending",
        "fees",
        "hold_until",
        "levels",
        "live",
        "made",
        "notional",
        "number",
        "orphan",
        "paused",
        "planner",
        "price",
        "quantity",
        "reason",
        "refusals",
        "rejects",
        "revision",
        "side",
        "start",
        "state",
        "traded",
        "ts",
        "watch",
        "working",
    )

    def __init__(self, asked: Submit, traded: Traded, now: int) -> None:
        self.asked = asked
        self.number = asked.parent
        self.traded = traded
        self.side = asked.side
        self.quantity = asked.quantity
        self.price = 0
        self.planner: Planner | None = None
        self.state = OrderState.PENDING_NEW
        self.reason = ""
        self.cumulative = self.notional = self.fees = self.committed = 0
        self.children: list[Child] = []
        self.live: dict[str, Child] = {}
        self.made = self.levels = 0
        self.paused = self.orphan = self.watch = False
        self.ending: OrderState | None = None
        self.start = self.end = 0
        self.ts = now
        self.hold_until = 0
        self.rejects = self.refusals = self.revision = 0
        self.ended: ChildEnd = ""
        self.ended_reason = ""
        self.working: tuple[Working, ...] | None = None  # made anew after a child changed

    @property
    def is_open(self) -> bool:
        """Whether it is not in a final state."""
        return self.state not in FINAL

    @property
    def free(self) -> int:
        """What is provably free; negative where brokers hold more than was asked for."""
        return self.quantity - self.committed

    @property
    def leaves(self) -> int:
        """What is not filled yet; 0 once it is over."""
        return max(0, self.quantity - self.cumulative) if self.is_open else 0

    def hold(self, tries: int, now: int) -> None:
        """Nothing more for a while, longer each time."""
        self.hold_until = now + min(_HOLD_NS << min(tries, 10), _HOLD_NS_MAX)

    def view(self, free: int, open_: int, close: int) -> View:
        """What its algorithm sees."""
        working = self.working
        if working is None:
            working = self.working = tuple(
                Working(one.id, one.price, one.quantity, one.leaves, one.state, one.intent.tif, one.sent_ts)
                for one in self.live.values()
            )
        traded = self.traded
        return View(
            self.side,
            self.quantity,
            self.cumulative,
            free,
            self.price,
            traded.top,
            working,
            traded.tick,
            traded.lot,
            open_,
            close,
            self.ended,
            self.ended_reason,
            self.revision,
        )

    def to_dict(self) -> dict[str, Any]:
        """For people and for the state's digest: counts of 1e-9."""
        return {
            "parent": self.number,
            "symbol": self.traded.symbol,
            "side": self.side,
            "quantity": self.quantity,
            "cumulative": self.cumulative,
            "notional": self.notional,
            "fees": self.fees,
            "state": str(self.state),
            "reason": self.reason,
            "key": self.asked.key,
            "tag": self.asked.tag,
            "children": [child.id for child in self.children],
        }
