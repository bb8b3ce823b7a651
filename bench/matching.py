"""What matching is measured on: 50 % passive orders, 40 % cancels of live ones, 10 % marketable orders.

The touch stays at 99.99 and 100.01; passive orders lie behind it by a number of ticks that is exponentially distributed
with mean 10, 50 at most: books are densest near the touch (Bouchaud, Mezard, Potters: Statistical properties of
stock order books, 2002). A marketable order takes 1 to 100 shares, as passive ones offer, so the book keeps its size.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.core.orders import ORDER, Action
from engine.core.units import NANOS

CENT: Final = NANOS // 100
FAR: Final = 50  #: ticks behind the touch at most


class Request(NamedTuple):
    """``side`` is 1 for buys; ``price`` is in ticks, ``quantity`` in shares; a cancel has neither. Ids count from 1."""

    action: Action
    number: int
    side: int
    price: int
    quantity: int


@dataclass(frozen=True)
class Flow:
    """``resting`` fills the book before the clock starts, ``requests`` is what is timed; ``traded`` shares in all."""

    resting: list[Request]
    requests: list[Request]
    traded: int


class _Market:
    """A book that knows which orders live, so that cancels name live ones."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.sides: list[dict[int, OrderedDict[int, int]]] = [{}, {}]  # price -> order -> shares left
        self.where: dict[int, tuple[int, int]] = {}
        self.live: list[int] = []
        self.place: dict[int, int] = {}  # in `live`
        self.orders = 0
        self.traded = 0

    def passive(self) -> Request:
        side, self.orders = self.draw.randrange(2), self.orders + 1
        behind = min(int(self.draw.expovariate(0.1)), FAR)
        price, shares = (9_999 - behind, 10_001 + behind)[side], self.draw.randint(1, 100)
        self.sides[side].setdefault(price, OrderedDict())[self.orders] = shares
        self.where[self.orders] = side, price
        self.place[self.orders] = len(self.live)
        self.live.append(self.orders)
        return Request(Action.NEW, self.orders, side + 1, price, shares)

    def cancel(self) -> Request:
        number = self.live[self.draw.randrange(len(self.live))]
        self._leave(number)
        return Request(Action.CANCEL, number, 0, 0, 0)

    def marketable(self) -> Request:
        side, self.orders, shares = self.draw.randrange(2), self.orders + 1, self.draw.randint(1, 100)
        levels, left = self.sides[1 - side], shares
        while left:
            price = min(levels) if side == 0 else max(levels)
            number, offered = next(iter(levels[price].items()))
            taken = min(left, offered)
            levels[price][number] -= taken
            left -= taken
            if taken == offered:
                self._leave(number)
        self.traded += shares
        return Request(Action.NEW, self.orders, side + 1, (10_001 + FAR, 9_999 - FAR)[side], shares)

    def _leave(self, number: int) -> None:
        side, price = self.where.pop(number)
        del self.sides[side][price][number]
        if not self.sides[side][price]:
            del self.sides[side][price]
        at, last = self.place.pop(number), self.live.pop()
        if last != number:
            self.live[at], self.place[last] = last, at


@cache
def flow(count: int, resting: int = 1_000, seed: int = 1) -> Flow:
    """``count`` requests to a book of about ``resting`` orders."""
    market = _Market(seed)
    first = [market.passive() for _ in range(resting)]
    requests = []
    for _ in range(count):
        share = market.draw.random()
        act = market.passive if share < 0.5 else market.cancel if share < 0.9 else market.marketable
        requests.append(act() if len(market.live) > resting // 2 else market.passive())
    return Flow(first, requests, market.traded)


def records(requests: list[Request]) -> npt.NDArray[Any]:
    """The same as ORDER records of instrument 0."""
    orders = np.zeros(len(requests), ORDER)
    columns = np.array(requests, np.int64).reshape(-1, len(Request._fields)).T
    for name, column, scale in zip(
        ("action", "order_id", "side", "price", "quantity"), columns, (1, 1, 1, CENT, NANOS), strict=True
    ):
        orders[name] = column * scale
    return orders
