"""The gate: nothing becomes an order without passing it. Pure but for what it remembers, all of it from its inputs.

Limits stand in `engine.risk.limits`. Cancels never come here: they always pass.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.core.trading import Approved, Intent, Refusal
from engine.core.units import NANOS, from_nanos

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from engine.core.trading import TopChange
    from engine.risk.limits import Limits

__all__ = ["Gate", "GateFacts"]

MONEY: Final = NANOS * NANOS  #: counts of money in one unit: price x quantity
MEMORY: Final = 100_000  #: client order ids remembered, the newest
_OPTION: Final = re.compile(r"(O:)?[A-Z]{1,6} *\d{6}[CP]\d{8}")  # OCC's 21 characters, padded or not
_BPS: Final = 10_000 * NANOS


class GateFacts(NamedTuple):
    """What the gate must know beside the intent. Quantities and prices in 1e-9, money in 1e-18; 0: not known.

    ``buying`` and ``selling`` are what live orders of the instrument may still trade, the replaced one's included;
    ``gross``, ``long`` and ``short`` are `engine.risk.positions.Positions`' totals before the intent.
    """

    tick: int
    lot: int
    top: TopChange | None = None
    mark: int = 0  #: the price the instrument's exposure is valued at
    position: int = 0
    buying: int = 0
    selling: int = 0
    gross: int = 0
    long: int = 0
    short: int = 0
    profit: int = 0  #: of the day, unrealised and fees included
    average_daily_volume: int = 0
    open: int = 0  #: of the session that counts; 0: no calendar
    close: int = 0
    replaced_price: int = 0


class Gate:
    """Holds every intent to the limits; the only maker of ``Approved``.

    Args:
        limits: what is allowed.
        check: the user's own, asked last about every parent and child. One that raises, or answers anything but a
            ``Refusal`` or None, refuses.
    """

    def __init__(self, limits: Limits, check: Callable[[Intent], Refusal | None] | None = None) -> None:
        self.limits = limits
        self.user_check = check  #: the trader puts a recorder, or a journal's answers, in its place
        self.halted = ""  #: why nothing new may leave; empty while trading
        self._bounds = _Bounds(limits)
        self._permitted: set[str] = set()
        self._ids: dict[str, None] = {}
        self._alike: Counter[tuple[object, ...]] = Counter()
        self._recent: deque[tuple[int, tuple[object, ...]]] = deque()
        self._buckets = [
            _Bucket(count, period, name)
            for count, period, name in (
                (limits.orders_per_second, NANOS, "orders_per_second"),
                (limits.orders_per_minute, 60 * NANOS, "orders_per_minute"),
            )
            if count is not None
        ]

    def halt(self, reason: str) -> None:
        """From now on no new order and nothing that increases one passes, until ``release``."""
        self.halted = reason or "halted"

    def release(self) -> None:
        """Lets the kill switch go."""
        self.halted = ""

    def check(self, intent: Intent, facts: GateFacts, now: int) -> Approved | Refusal:
        """Approves an intent, or says which limit it hit.

        A parent (no client order id) is held to what concerns its whole quantity; its children to everything.
        """
        refusal = (
            self._permission(intent, facts)
            or self._form(intent, facts)
            or self._size(intent, facts)
            or self._growth(intent, facts)
            or (self._market(intent, facts, now) if intent.client_order_id else self._volume(intent, facts))
            or self._pace(intent, now)
            or self._ask(intent)
        )
        if refusal is not None:
            return refusal
        self._remember(intent, now)
        return Approved(intent, now)

    def _permission(self, intent: Intent, facts: GateFacts) -> Refusal | None:
        """Kill switch, and what may be traded at all."""
        if self.halted and not _decreases(intent, facts):
            return Refusal("halt", self.halted, "no new order and no increase until released")
        if intent.symbol in self._permitted:
            return None
        if _OPTION.fullmatch(intent.symbol):
            return Refusal("instrument", intent.symbol, "equities; option orders are not supported yet")
        if intent.symbol in self.limits.restricted:
            return Refusal("restricted", intent.symbol, "not on the restricted list")
        self._permitted.add(intent.symbol)  # as many as there are instruments
        return None

    def _form(self, intent: Intent, facts: GateFacts) -> Refusal | None:
        if intent.quantity <= 0 or intent.quantity % facts.lot:
            return Refusal("quantity", _text(intent.quantity), f"a positive multiple of the lot {_text(facts.lot)}")
        if intent.price % facts.tick or intent.price < 0 or (intent.client_order_id and intent.price == 0):
            return Refusal("price", _text(intent.price), f"a positive multiple of the tick {_text(facts.tick)}")
        if intent.client_order_id and intent.client_order_id in self._ids:
            return Refusal("client_order_id", intent.client_order_id, "an id that was never approved before")
        return None

    def _size(self, intent: Intent, facts: GateFacts) -> Refusal | None:
        bounds = self._bounds
        if bounds.order_quantity is not None and intent.quantity > bounds.order_quantity:
            return Refusal("order_quantity", _text(intent.quantity), _text(bounds.order_quantity))
        if bounds.order_notional is not None:
            if not (price := intent.price or _reference(intent, facts)):
                return None if not intent.client_order_id else _no_reference("order_notional")
            if (notional := intent.quantity * price) > bounds.order_notional:
                return Refusal("order_notional", _money(notional), _money(bounds.order_notional))
        return None

    def _growth(self, intent: Intent, facts: GateFacts) -> Refusal | None:
        """Positions and exposures once this and every open order had filled; what adds nothing passes."""
        added = intent.increase if intent.replaces else intent.quantity
        if added <= 0:
            return None
        bounds = self._bounds
        sides = facts.position + facts.buying, facts.selling - facts.position  # worst long, worst short
        worst = sides[intent.side != "buy"] + added
        price = facts.mark or intent.price or _reference(intent, facts)
        if bounds.position_quantity is not None and worst > bounds.position_quantity:
            return Refusal("position_quantity", _text(worst), _text(bounds.position_quantity))
        if bounds.position_notional is not None and worst * price > bounds.position_notional:
            return Refusal("position_notional", _money(worst * price), _money(bounds.position_notional))
        if bounds.daily_loss is not None and facts.profit <= -bounds.daily_loss and worst > 0:
            return Refusal("daily_loss", _money(-facts.profit), _money(bounds.daily_loss))
        growth = (max(worst, *sides) - max(sides)) * price
        return self._exposure(intent, facts, growth, added * price)

    def _exposure(self, intent: Intent, facts: GateFacts, growth: int, notional: int) -> Refusal | None:
        """Over all instruments: ``growth`` is what the worst side of this one gains."""
        bounds = self._bounds
        if bounds.gross_exposure is not None and growth > 0 and facts.gross + growth > bounds.gross_exposure:
            return Refusal("gross_exposure", _money(facts.gross + growth), _money(bounds.gross_exposure))
        net = (facts.long if intent.side == "buy" else facts.short) + notional
        if bounds.net_exposure is not None and net > bounds.net_exposure:
            return Refusal("net_exposure", _money(net), _money(bounds.net_exposure))
        return None

    def _volume(self, intent: Intent, facts: GateFacts) -> Refusal | None:
        """A parent's part of the average day."""
        fraction, volume = self._bounds.adv_fraction, facts.average_daily_volume
        if fraction is None:
            return None
        if volume <= 0:
            return Refusal("adv_fraction", "no average daily volume is known", _text(fraction))
        if intent.quantity * NANOS > fraction * volume:
            return Refusal("adv_fraction", _text(intent.quantity * NANOS // volume), _text(fraction))
        return None

    def _market(self, intent: Intent, facts: GateFacts, now: int) -> Refusal | None:
        """Trustworthy data, an open session, and a price near the market."""
        bounds, top = self._bounds, facts.top
        if bounds.data_age is not None:
            if top is None or top.state != "live":
                return Refusal("data_age", "no book" if top is None else f"a book that is {top.state}", "a live book")
            if (age := now - top.ts_recv) > bounds.data_age:
                return Refusal("data_age", f"{age} ns", f"{bounds.data_age} ns")
        if self.limits.session and facts.close and not facts.open <= now < facts.close:
            return Refusal("session", str(now), f"{facts.open} to {facts.close}")
        if bounds.collar is not None:
            if not (best := _reference(intent, facts)):
                return _no_reference("collar_bps")
            buys = intent.side == "buy"
            # exact: price > best x (1 + collar), everything times 10,000e9
            if (intent.price - best if buys else best - intent.price) * _BPS > best * bounds.collar:
                apart = abs(intent.price - best) * 10_000 * NANOS // best
                return Refusal("collar_bps", f"{_text(apart)} from {_text(best)}", _text(bounds.collar))
        return None

    def _pace(self, intent: Intent, now: int) -> Refusal | None:
        """Duplicates and the rate; nothing is used up here."""
        limit = self.limits.duplicates
        if limit is not None and not intent.replaces:
            while self._recent and now - self._recent[0][0] >= self._bounds.duplicate_window:
                key = self._recent.popleft()[1]
                self._alike[key] -= 1
                if not self._alike[key]:
                    del self._alike[key]
            if (count := self._alike.get(_likeness(intent), 0)) >= limit:
                return Refusal("duplicates", str(count + 1), f"{limit} in {self._bounds.duplicate_window} ns")
        if intent.client_order_id:
            for bucket in self._buckets:
                if not bucket.has_one(now):
                    return Refusal(bucket.name, f"{bucket.count + 1}", f"{bucket.count}")
        return None

    def _ask(self, intent: Intent) -> Refusal | None:
        if self.user_check is None:
            return None
        try:
            answer = self.user_check(intent)
        except Exception as error:  # a user's mistake refuses; it does not stop the step
            return Refusal("check", f"{type(error).__name__}: {error}", "a check that does not raise")
        if answer is None or isinstance(answer, Refusal):
            return answer
        return Refusal("check", f"{type(answer).__name__}", "Refusal or None")

    def _remember(self, intent: Intent, now: int) -> None:
        if self.limits.duplicates is not None and not intent.replaces:
            key = _likeness(intent)
            self._alike[key] += 1
            self._recent.append((now, key))
        if intent.client_order_id:
            for bucket in self._buckets:
                bucket.take()
            self._ids[intent.client_order_id] = None
            if len(self._ids) > MEMORY:
                del self._ids[next(iter(self._ids))]


class _Bounds:
    """The limits as integers: quantities in 1e-9, money in 1e-18, bps in 1e-9, durations in ns."""

    __slots__ = (
        "adv_fraction",
        "collar",
        "daily_loss",
        "data_age",
        "duplicate_window",
        "gross_exposure",
        "net_exposure",
        "order_notional",
        "order_quantity",
        "position_notional",
        "position_quantity",
    )

    def __init__(self, limits: Limits) -> None:
        def money(name: str) -> int | None:
            count = limits.nanos(name)
            return None if count is None else count * NANOS

        self.order_quantity = limits.nanos("order_quantity")
        self.order_notional = money("order_notional")
        self.position_quantity = limits.nanos("position_quantity")
        self.position_notional = money("position_notional")
        self.gross_exposure = money("gross_exposure")
        self.net_exposure = money("net_exposure")
        self.daily_loss = money("daily_loss")
        self.collar = limits.nanos("collar_bps")
        self.adv_fraction = limits.nanos("adv_fraction")
        self.data_age = limits.nanos("data_age")
        self.duplicate_window: int = limits.nanos("duplicate_window") or NANOS


class _Bucket:
    """A token bucket in whole numbers: a token is ``period`` counts, ``count`` come back each ns."""

    __slots__ = ("_level", "_seen", "count", "name", "period")

    def __init__(self, count: int, period: int, name: str) -> None:
        self.count, self.period, self.name = count, period, name
        self._level = count * period
        self._seen = 0

    def has_one(self, now: int) -> bool:
        if now > self._seen:
            self._level = min(self.count * self.period, self._level + (now - self._seen) * self.count)
            self._seen = now
        return self._level >= self.period

    def take(self) -> None:
        self._level -= self.period


def _decreases(intent: Intent, facts: GateFacts) -> bool:
    """A replacement that asks for less at the same price: the only thing that passes a halt."""
    return bool(intent.replaces) and intent.increase < 0 and intent.price == facts.replaced_price


def _reference(intent: Intent, facts: GateFacts) -> int:
    """The far side of the national best, else the last print; 0 where there is neither."""
    top = facts.top
    if top is None:
        return 0
    return (top.nbbo_ask if intent.side == "buy" else top.nbbo_bid) or top.last


def _no_reference(limit: str) -> Refusal:
    return Refusal(limit, "no market price is known", "a best price or a last print")


def _likeness(intent: Intent) -> tuple[object, ...]:
    return intent.instrument, intent.side, intent.quantity, intent.price, not intent.client_order_id


def _text(count: int) -> str:
    return _short(from_nanos(count))


def _money(count: int) -> str:
    return _short(from_nanos(count // NANOS))


def _short(value: Decimal) -> str:
    return f"{value.normalize():f}"
