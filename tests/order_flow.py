"""Random requests to a venue, for the property tests and the fuzzer."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from engine.core.events import Side
from engine.core.orders import ORDER, Action, OrderFlag, OrderType, TimeInForce
from engine.core.units import NANOS

TICK = NANOS // 100
START = 10**18
LONGEST = 2**63 - 1


def random_request(draw: random.Random, number: int, ids: int, instruments: int, *, garbage: bool) -> np.ndarray:
    """One request: half new ones near 100.00 on a few ticks, so that orders meet, and ids are used again."""
    record = np.zeros(1, ORDER)
    row = record[0]
    row["ts"] = START + number * 1_000
    row["order_id"] = draw.randrange(ids)
    row["owner"] = draw.choice([0, 0, 0, 0, 1])
    row["instrument"] = draw.randrange(instruments)
    row["price"] = (10_000 + draw.randint(-4, 4)) * TICK
    row["quantity"] = draw.choice([1, 2, 3, 5, 10, 40]) * NANOS
    row["display"] = draw.choice([0, 0, 0, 1, 3]) * NANOS
    row["action"] = draw.choice([Action.NEW, Action.NEW, Action.NEW, Action.CANCEL, Action.REPLACE])
    row["side"] = draw.choice([Side.BID, Side.ASK])
    row["tif"] = draw.choice([TimeInForce.DAY, TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
    if draw.random() < 0.1:
        row["type"], row["price"] = OrderType.MARKET, 0
    if row["tif"] >= TimeInForce.IOC or row["type"] == OrderType.MARKET:
        row["display"] = 0
    elif draw.random() < 0.2:
        row["flags"] = OrderFlag.POST_ONLY
    if garbage and draw.random() < 0.15:
        spoil(draw, row)
    return record


def spoil(draw: random.Random, row: Any) -> None:
    """Something is wrong with one field."""
    name = draw.choice([name for name in ORDER.names or () if name not in {"ts", "order_id"}])
    if name == "reserved":
        row["reserved"][draw.randrange(11)] = draw.randrange(256)
    elif name in {"price", "quantity", "display"}:
        row[name] = draw.choice([0, 1, -1, NANOS, TICK, LONGEST, LONGEST - 1, LONGEST // NANOS * NANOS, -LONGEST - 1])
    else:
        row[name] = draw.choice([0, 1, 2, 3, 4, 255])


def random_orders(draw: random.Random, count: int, *, instruments: int = 2, garbage: bool = True) -> np.ndarray:
    ids = draw.choice([5, 20, 100])
    made = [random_request(draw, number, ids, instruments, garbage=garbage) for number in range(count)]
    return np.concatenate([np.zeros(0, ORDER), *made])
