"""TWAP at work: what is due, what rests, and what must be taken."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.core.units import NANOS
from engine.execution.algos.children import TOO_SMALL, is_settled, placeable
from engine.execution.algos.pricing import far_side, join_price, take_price
from engine.execution.planner import Change, Plan, Want
from engine.execution.schedule import plan_slices

if TYPE_CHECKING:
    from engine.execution.planner import View, Working

__all__ = ["TwapPlanner", "TwapRules"]

OVER: Final = "the window is over"
GUARD: Final = 5 * NANOS  #: how long before the end of its part a resting slice is given up to be taken, at most
GUARD_SHARE: Final = 4  #: and at most this part of it
FOLLOW: Final = 5 * NANOS  #: how often a resting child follows the touch, at most
FOLLOW_SHARE: Final = 8  #: and at most this often in a slice's part
RETRY: Final = NANOS  #: after an order that took too little; doubles up to `RETRY_MOST`, but not in the last part
RETRY_MOST: Final = 30 * NANOS
SLICES_MOST: Final = 100_000  #: of a quantity that was amended far up; a child's most holds all the same
WIDE: Final = 2  #: a spread this many times the mean of those seen is a bad market
DEEP: Final = 4  #: the far touch showing this many times the slice, and no more than the mean spread, is a good one


class TwapRules(NamedTuple):
    """The user's choices; quantities in 1e-9, times in ns, shares and bps times 1e9."""

    slices: int
    jitter: int
    size_jitter: int
    band: int
    least: int
    most: int
    passive: bool
    collar: int


class TwapPlanner:
    """Keeps the cumulative quantity, filled and at work, at the schedule's; what is late is taken.

    The schedule says when a slice is due (`_times`), what must then be filled or at work in all (`_goals`), and until
    when it may rest (`_limits`).
    """

    def __init__(self, rules: TwapRules, quantity: int, lot: int, start: int, end: int, seed: int) -> None:
        self._rules, self._lot, self._start, self._end, self._seed = rules, lot, start, end, seed
        self._part = max((end - start) // rules.slices, 1)
        self._revision = 0
        self._spreads = 0  # sum of those seen
        self._seen = 0
        self._follow = 0  # when the resting child may follow the touch
        self._retry = 0  # when another order may take
        self._pause = RETRY
        self._late = 0
        self._plan_rest(quantity, 0, start)

    def _plan_rest(self, quantity: int, cumulative: int, now: int) -> None:
        """Schedules what is not filled for the rest of the window."""
        rules, start = self._rules, max(now, self._start)
        self._due = self._over = 0  # slices whose time has come; those that may not rest any more
        self._times: list[int] = []
        self._goals: list[int] = []
        self._limits: list[int] = []
        rest = quantity - cumulative
        if rest < self._lot or start >= self._end:
            return
        window = self._end - start
        count = min(max((window + self._part // 2) // self._part, 1), rules.slices, window)
        made = plan_slices(
            rest,
            self._lot,
            (start, self._end),
            count,
            least=rules.least,
            most=max(rules.most, -(-rest // min(window, SLICES_MOST))) if rules.most else 0,
            jitter=rules.jitter,
            size_jitter=rules.size_jitter,
            seed=self._seed,
            stream=self._revision,
        )
        self._times = made["ts"].tolist()
        self._goals = [cumulative + done for done in accumulate(made["quantity"].tolist())]
        count = len(self._times)
        last = self._end - min(window // GUARD_SHARE, GUARD)  # leaves time to withdraw and take
        self._times = [min(ts, last) for ts in self._times]
        if rules.passive:
            guard = min(window // count // GUARD_SHARE, GUARD)
            self._limits = [min(start + window * (k + 1) // count - guard, last) for k in range(count)]
        else:
            self._limits = self._times

    def plan(self, view: View, now: int) -> Plan:
        """What should rest, what should take, and when to ask again."""
        rest = view.quantity - view.cumulative
        if rest < self._lot or now >= self._end:
            return Plan(done=True, reason="" if rest <= 0 else TOO_SMALL if rest < self._lot else OVER)
        if view.revision != self._revision:
            self._revision = view.revision
            self._plan_rest(view.quantity, view.cumulative, now)
        self._advance(view, now)
        resting = tuple(child for child in view.working if is_settled(child) and child.tif != "ioc")
        at_work = sum(child.leaves for child in view.working)
        if resting and at_work > rest:  # amended down
            return Plan(withdraw=tuple(child.child for child in resting), wake=self._next())
        if self._due == 0 or not far_side(view):
            return Plan(wake=self._next(), watch=self._due > 0)
        return self._work(view, now, at_work, resting)

    def _work(self, view: View, now: int, at_work: int, resting: tuple[Working, ...]) -> Plan:
        """Takes what is late, where the limit allows it; else rests with what is due."""
        wanted = self._goals[self._due - 1] - view.cumulative - at_work
        if self._over:
            in_between = at_work - sum(child.leaves for child in resting)
            late = self._goals[self._over - 1] - view.cumulative - in_between
            if late > 0 and (price := self._crossing(view, late)):
                return self._take(view, now, late if late <= wanted else 0, price, resting)
        return self._rest(view, now, wanted, resting)

    def _advance(self, view: View, now: int) -> None:
        """Counts the slices that are due and those that are late."""
        while self._due < len(self._times) and self._times[self._due] <= now:
            self._lean(view, self._due)
            self._due += 1
        while self._over < self._due and self._limits[self._over] <= now:
            self._over += 1
            self._pause = RETRY
            self._retry = 0

    def _lean(self, view: View, slice: int) -> None:
        """Moves a slice's goal within the band by what the market is like when it becomes due; the last stays."""
        top, goals = view.top, self._goals
        if not (self._rules.band and top and top.state == "live" and top.bid and top.ask) or slice + 1 == len(goals):
            return
        spread, seen, spreads = max(top.ask - top.bid, 0), self._seen, self._spreads
        self._spreads += spread
        self._seen += 1
        before = goals[slice - 1] if slice else min(view.cumulative, goals[0])
        size = goals[slice] - before
        shown = top.ask_quantity if view.side == "buy" else top.bid_quantity
        rules = self._rules
        step = size * rules.band // NANOS // self._lot * self._lot
        if spread * seen > WIDE * spreads or shown < size:
            goals[slice] -= min(step, max(size - rules.least, 0))
        elif spread * seen <= spreads and shown >= DEEP * size:
            step = min(step, max(rules.most - size, 0)) if rules.most else step
            goals[slice] = min(goals[slice] + step, goals[slice + 1])

    def _crossing(self, view: View, late: int) -> int:
        """The price that takes; 0 where the parent's limit forbids it."""
        price, far = take_price(view, late, self._rules.collar), far_side(view)
        return price if (price >= far if view.side == "buy" else price <= far) else 0

    def _take(self, view: View, now: int, late: int, price: int, resting: tuple[Working, ...]) -> Plan:
        """Takes what is late; where what rests stands in its way (``late`` is 0), ends that first."""
        if late == 0:
            return Plan(withdraw=tuple(child.child for child in resting), wake=self._next())
        if now < self._retry:
            return Plan(wake=min(self._retry, self._next()))
        if (quantity := self._sized(view, late)) <= 0:
            return Plan(wake=self._next())
        last = now >= self._limits[-1]
        self._retry = now + (RETRY if last else self._pause)
        self._pause = min(2 * self._pause, RETRY_MOST)
        return Plan(place=(Want(quantity, price, "ioc"),), wake=min(self._retry, self._next()))

    def _rest(self, view: View, now: int, wanted: int, resting: tuple[Working, ...]) -> Plan:
        """Joins the near touch with what is due and not at work, and follows it."""
        price = join_price(view)
        if price > 0 and (quantity := self._sized(view, wanted)) > 0:
            self._follow = max(self._follow, now + self._patience())
            return Plan(place=(Want(quantity, price),), wake=self._next())
        if not resting:
            return Plan(wake=self._next())
        if now < self._follow:
            return Plan(wake=min(self._follow, self._next()))
        self._follow = now + self._patience()
        behind = tuple(child for child in resting if _is_behind(child, price, view.side))
        changes = tuple(Change(child.child, child.quantity, price) for child in behind)
        return Plan(replace=changes, wake=min(self._follow, self._next()))

    def _sized(self, view: View, wanted: int) -> int:
        """Whole lots, at most a slice's most; nothing where it would be less than the least and is not the last."""
        quantity = min(placeable(view), max(wanted, 0) // self._lot * self._lot)
        if self._rules.most:
            quantity = min(quantity, max(self._rules.most // self._lot * self._lot, self._lot))
        rest = view.quantity - view.cumulative
        return quantity if quantity >= min(self._rules.least, rest // self._lot * self._lot) else 0

    def _patience(self) -> int:
        return max(FOLLOW, self._part // FOLLOW_SHARE)

    def _next(self) -> int:
        """When the next slice is due, the next may not rest any more, or the window ends."""
        due = self._times[self._due] if self._due < len(self._times) else self._end
        over = self._limits[self._over] if self._over < self._due else self._end
        return min(due, over, self._end)


def _is_behind(child: Working, price: int, side: str) -> bool:
    """Whether the touch went away from a resting child."""
    return price > 0 and (child.price < price if side == "buy" else child.price > price)
