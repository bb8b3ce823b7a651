"""What is read from a book, as slow clear Python: the specification of the native readings, bit for bit.

Every reading is a function of the levels best first, held as integers. Integers stay integers (of any size) up to the
one division that makes a float of them; a native reading must round at the same places.

Open points settled here:
* A division by zero has its IEEE result (a mid of 0 makes ``spread_bps`` infinite), no special case.
* Walking for 0 fills nothing: every price is nan. A negative quantity, or sums over less than one level, are errors.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine.core.events import DEPTH, Quote, Side, Walk
from engine.core.units import to_nanos

if TYPE_CHECKING:
    from collections.abc import Collection

NAN = math.nan
Number = int | float | str | Decimal


class Row(NamedTuple):
    """One level: counts of 1e-9, and how many stand there (orders or venues; 0 if the feed does not tell)."""

    price: int
    quantity: int
    count: int


class Top(NamedTuple):
    """Best level of each side, None where a side is empty."""

    bid: Row | None
    ask: Row | None

    @property
    def best(self) -> tuple[object, ...]:
        """What must differ for the top to have changed: prices and quantities, not counts."""
        return tuple(row and (row.price, row.quantity) for row in self)


def value(count: int) -> float:
    """Float of a count of 1e-9."""
    return float(count) / 1e9


def divide(numerator: float, denominator: float) -> float:
    """IEEE division, where Python would raise."""
    with np.errstate(all="ignore"):
        return float(np.float64(numerator) / np.float64(denominator))


def as_side(side: Side | str) -> Side:
    """A side of the book under any of its names: bid = buy, ask = sell."""
    names = {
        "bid": Side.BID,
        "buy": Side.BID,
        "ask": Side.ASK,
        "sell": Side.ASK,
        Side.BID: Side.BID,
        Side.ASK: Side.ASK,
    }
    if side not in names:
        raise ValueError(f"side is {side!r}; expected bid, ask, buy or sell")
    return names[side]


def at_least_one(levels: int | None) -> None:
    if levels is not None and levels < 1:
        raise ValueError(f"levels is {levels!r}; expected at least 1")


class Readings:
    """All that can be read from ``prices`` and ``row``; a book derives from it and keeps the attributes below."""

    ts_event: int
    ts_recv: int
    spread_time: int  # sum of spread x duration, counts of 1e-9 x ns
    duration: int  # ns with a two-sided, not crossed top

    def prices(self, side: Side) -> Collection[int]:
        """Prices of the levels of a side, in any order."""
        raise NotImplementedError

    def row(self, side: Side, price: int) -> Row:
        """The level at one of ``prices``."""
        raise NotImplementedError

    def levels(self, side: Side) -> list[Row]:
        """All levels of a side, best first."""
        return [self.row(side, price) for price in sorted(self.prices(side), reverse=side == Side.BID)]

    def top(self) -> Top:
        bids, asks = self.prices(Side.BID), self.prices(Side.ASK)
        bid = self.row(Side.BID, max(bids)) if bids else None
        ask = self.row(Side.ASK, min(asks)) if asks else None
        return Top(bid, ask)

    def bbo(self) -> Quote:
        bid, ask = ((value(row.price), value(row.quantity)) if row else (NAN, 0.0) for row in self.top())
        return Quote(*bid, *ask, self.ts_event, self.ts_recv)

    def depth(self, n: int) -> np.ndarray:
        out = np.zeros(n, DEPTH)
        for name, side in ("bid", Side.BID), ("ask", Side.ASK):
            out[f"{name}_price"] = NAN
            for i, row in enumerate(self.levels(side)[:n]):
                out[f"{name}_price"][i] = value(row.price)
                out[f"{name}_quantity"][i] = value(row.quantity)
                out[f"{name}_count"][i] = row.count
        return out

    def ladder(self, n: int) -> tuple[tuple[tuple[int, int], ...], ...]:
        if not 0 <= n <= 128:
            raise ValueError(f"n is {n}; expected 0 to 128")
        return tuple(tuple((row.price, row.quantity) for row in self.levels(side)[:n]) for side in (Side.BID, Side.ASK))

    def mid(self) -> float:
        bid, ask = self.top()
        return float(bid.price + ask.price) / 2e9 if bid and ask else NAN

    def spread(self) -> float:
        bid, ask = self.top()
        return value(ask.price - bid.price) if bid and ask else NAN

    def spread_bps(self) -> float:
        return divide(self.spread(), self.mid()) * 1e4

    def microprice(self) -> float:
        """Gatheral and Oomen 2010; Stoikov 2018 calls it the weighted mid."""
        bid, ask = self.top()
        if not bid or not ask:
            return NAN
        bid_quantity, ask_quantity = value(bid.quantity), value(ask.quantity)
        weighted = value(bid.price) * ask_quantity + value(ask.price) * bid_quantity
        return divide(weighted, bid_quantity + ask_quantity)

    def imbalance(self, levels: int = 1) -> float:
        """(B - A) / (B + A) of the quantities of the best levels; nan if both sides are empty."""
        at_least_one(levels)
        bids, asks = (float(sum(row.quantity for row in self.levels(side)[:levels])) for side in (Side.BID, Side.ASK))
        return divide(bids - asks, bids + asks)

    def total(self, side: Side | str, levels: int | None = None) -> float:
        at_least_one(levels)
        return value(sum(row.quantity for row in self.levels(as_side(side))[:levels]))

    def walk(self, side: str, quantity: Number) -> Walk:
        wanted = to_nanos(quantity, "quantity")
        if wanted < 0:
            raise ValueError(f"quantity is {quantity!r}; expected at least 0")
        filled, notional, worst = self._walk(side, wanted)
        if not filled:
            return Walk(NAN, NAN, 0.0, value(wanted))
        return Walk(float(notional) / float(filled) / 1e9, value(worst), value(filled), value(wanted - filled))

    def _walk(self, side: str, wanted: int) -> tuple[int, int, int]:
        """(filled, notional in units of 1e-18, worst price) of taking ``wanted`` from the visible book."""
        if side not in {"buy", "sell"}:
            raise ValueError(f"side is {side!r}; expected buy or sell")
        filled = notional = worst = 0
        for row in self.levels(Side.ASK if side == "buy" else Side.BID):
            if filled == wanted:
                break
            taken = min(row.quantity, wanted - filled)
            filled += taken
            notional += row.price * taken
            worst = row.price
        return filled, notional, worst

    def fill_price(self, side: str, quantity: Number) -> float:
        walk = self.walk(side, quantity)
        return walk.price if walk.remaining == 0 else NAN

    def impact_bps(
        self,
        side: str,
        quantity: Number,
        *,
        volume: float | None = None,
        volatility: float | None = None,
        coefficient: float = 1.0,
    ) -> float:
        """Cost against the mid, positive = bad for us: the walk of the visible book; beyond it the square-root law
        (Almgren et al. 2005; Toth et al. 2011), anchored at what is visible or given by daily volume and volatility.
        """
        if (volume is None) != (volatility is None):
            raise ValueError("volume and volatility are given together or not at all")
        walk, mid = self.walk(side, quantity), self.mid()
        ratio = divide(walk.price, mid)
        visible = ((ratio - 1.0) if side == "buy" else (1.0 - ratio)) * 1e4
        if walk.remaining == 0 or math.isnan(mid):
            return visible
        if volume is None or volatility is None:
            wanted = to_nanos(quantity)
            filled, _, _ = self._walk(side, wanted)
            return visible * math.sqrt(float(wanted) / float(filled))
        root = math.sqrt(divide(value(to_nanos(quantity)), volume))
        law = coefficient * volatility * root * 1e4
        return max(visible, law)

    def time_weighted_spread(self) -> float:
        return float(self.spread_time) / float(self.duration) / 1e9 if self.duration else NAN
