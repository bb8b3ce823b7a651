"""TWAP: even slices over a window, with seeded chance in time and size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from engine.core.instants import instant_ns
from engine.core.instruments import NEW_YORK
from engine.core.units import duration_ns, to_nanos
from engine.execution.algos import arguments
from engine.execution.algos.twap_planner import TwapPlanner, TwapRules
from engine.execution.schedule import plan_slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.core.instants import Instant
    from engine.core.units import Duration, Number

__all__ = ["TWAP"]

_SLICES_MOST = 100_000


@dataclass(frozen=True, slots=True)
class TWAP:
    """Time-weighted: one slice in each even part of the window.

    A slice rests at the near touch and follows it, and takes with a marketable limit when its part of the window ends.
    What is missing is carried on and taken in the same way; at the end of the window what is left is cancelled.

    Args:
        start: when to begin; None begins at once. Before the session it waits for the opening.
        end: when all should be done, or ``duration``; not after the session's close.
        duration: how long, from the start.
        slices: how many; fewer where they would be smaller than a lot or ``min_slice``.
        jitter: a slice's time is drawn this far around the middle of its part, and never leaves it.
        size_jitter: share of an even slice by which the drawn path of the cumulative size leaves the straight line, to
            both sides together.
        band: share of a slice by which it may be bigger in a good market (tight, deep) and smaller in a bad one.
        limit: worst price for all children.
        min_slice, max_slice: a child's quantity; the last one may be smaller.
        style: "passive" rests first, "cross" takes at once.
        collar_bps: how far from the far touch an order that takes may reach.

    Raises:
        ValueError: a wrong value, both end and duration, or a min_slice above max_slice.
    """

    name: ClassVar[str] = "twap"
    levels: ClassVar[int] = 5
    start: Instant | None = None
    end: Instant | None = None
    duration: Duration | None = None
    slices: int = 10
    jitter: Duration = "10s"
    size_jitter: Number = "0.1"
    band: Number = "0.25"
    limit: Number | None = None
    min_slice: Number | None = None
    max_slice: Number | None = None
    style: Literal["passive", "cross"] = "passive"
    collar_bps: Number = 20

    def __post_init__(self) -> None:
        put = object.__setattr__
        for name in ("start", "end"):
            put(self, name, _plain_instant(getattr(self, name), name))
        if self.end is not None and self.duration is not None:
            raise ValueError(f"end is {self.end!r} and duration {self.duration!r}; expected one of them")
        for name in ("duration", "jitter"):
            if name == "jitter" or self.duration is not None:
                put(self, name, arguments.span(getattr(self, name), name))
        if self.duration == "0ns":
            raise ValueError("duration is 0; expected more")
        arguments.count(self.slices, "slices", _SLICES_MOST)
        for name in ("size_jitter", "band"):
            put(self, name, arguments.fraction(getattr(self, name), name))
        for name in ("limit", "min_slice", "max_slice"):
            if (value := getattr(self, name)) is not None:
                put(self, name, arguments.number(value, name))
        put(self, "collar_bps", arguments.number(self.collar_bps, "collar_bps"))
        arguments.choice(self.style, "style", ("passive", "cross"))
        if self.max_slice is not None and arguments.nanos(self.min_slice) > to_nanos(self.max_slice):
            raise ValueError(f"min_slice is {self.min_slice}; expected at most max_slice, {self.max_slice}")

    @property
    def limit_nanos(self) -> int:
        """The worst price as a count of 1e-9; 0 without one."""
        return arguments.nanos(self.limit)

    def to_dict(self) -> dict[str, Any]:
        """The plain form; times of day stay text until ``resolve``."""
        return arguments.plain(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """From the plain form."""
        return arguments.from_plain(cls, plain)

    def resolve(self, now: int, time_zone: str = NEW_YORK) -> Self:
        """The same with times of day turned into instants.

        Raises:
            ValueError: neither end nor duration, or an end that is not after ``now`` and the start.
        """
        if self.end is None and self.duration is None:
            raise ValueError("TWAP has neither end nor duration; expected one of them")
        start = None if self.start is None else instant_ns(self.start, now=now, time_zone=time_zone, name="start")
        if self.end is None:
            return replace(self, start=start)
        end = instant_ns(self.end, now=now, time_zone=time_zone, name="end")
        if end <= max(now, start or now):
            raise ValueError(
                f"end is {self.end!r}, {end} ns; expected after start and now, {max(now, start or now)} ns"
            )
        return replace(self, start=start, end=end)

    def check(self, quantity: int, lot: int, tick: int) -> None:
        """Whether quantity, limit and slices are on their steps, and the slices can make the quantity.

        Raises:
            ValueError: they cannot.
        """
        arguments.multiple(quantity, lot, "quantity", "lot")
        arguments.multiple(self.limit_nanos, tick, "limit", "tick")
        arguments.multiple(arguments.nanos(self.min_slice), lot, "min_slice", "lot")
        arguments.multiple(arguments.nanos(self.max_slice), lot, "max_slice", "lot")
        if self.max_slice is not None and self.slices * to_nanos(self.max_slice) < quantity:
            raise ValueError(
                f"max_slice is {self.max_slice} and slices {self.slices}; expected more slices or bigger ones for "
                f"{Decimal(quantity).scaleb(-9).normalize():f}"
            )

    def window(self, now: int, open: int, close: int) -> tuple[int, int]:
        """From the start, now and the session's opening, whichever is last, to the end, not after the close."""
        start = max(now, open, self.start if isinstance(self.start, int) else now)
        end = self.end if isinstance(self.end, int) else start + duration_ns(self.duration or "0s")
        return start, min(end, close) if close else end

    def planner(self, quantity: int, lot: int, tick: int, start: int, end: int, seed: int) -> TwapPlanner:
        """The slices at work."""
        rules = TwapRules(
            slices=self.slices,
            jitter=duration_ns(self.jitter),
            size_jitter=to_nanos(self.size_jitter),
            band=to_nanos(self.band),
            least=arguments.nanos(self.min_slice),
            most=arguments.nanos(self.max_slice),
            passive=self.style == "passive",
            collar=to_nanos(self.collar_bps),
        )
        return TwapPlanner(rules, quantity, lot, start, end, seed)

    def plan(
        self, quantity: Number, start: Instant, end: Instant, seed: int = 1, *, lot: Number = 1, now: int = 0
    ) -> NDArray[Any]:
        """When and how much, were every slice to trade in full at its time: array of (ts, quantity).

        Args:
            quantity: the whole; the array has counts of 1e-9 of it.
            start: of the window; a time of day means that of the day of ``now``, in New York.
            end: of the window, likewise.
            seed: of the draws.
            lot: smallest quantity step.
            now: ns since the epoch.

        Raises:
            ValueError: a quantity off the lot, or a window that is empty or too short.
        """
        whole, step = to_nanos(quantity, "quantity"), to_nanos(lot, "lot")
        self.check(whole, step, 1)
        window = instant_ns(start, now=now, name="start"), instant_ns(end, now=now, name="end")
        return plan_slices(
            whole,
            step,
            window,
            self.slices,
            least=arguments.nanos(self.min_slice),
            most=arguments.nanos(self.max_slice),
            jitter=duration_ns(self.jitter),
            size_jitter=to_nanos(self.size_jitter),
            seed=seed,
        )


def _plain_instant(value: Instant | None, name: str) -> int | str | None:
    """An instant as ns, a time of day as text.

    Raises:
        ValueError: a naive datetime, or text that is no time.
    """
    if value is None:
        return None
    instant = instant_ns(value, now=0, name=name)
    if isinstance(value, time) and not isinstance(value, datetime):
        if value.tzinfo is not None:
            raise ValueError(f"{name} is {value!r}; expected a time of day without a zone, or an instant")
        return value.isoformat()
    return value if isinstance(value, str) else instant
