"""Level updates of crypto books made from a seed, in the text frames of three venues' streams.

The books are those of `workloads.touch`, one venue of 20 symbols: most updates near the touch, never crossed, and no
update deletes a level that is not there. Prices begin at 60,100 dollars and have two decimals, sizes have eight.
Everybody gets the same prices and sizes in the same messages:

- Alpaca, crypto v1beta3 ``orderbooks``: https://docs.alpaca.markets/docs/real-time-crypto-pricing-data
- Bitstamp, ``diff_order_book``: https://www.bitstamp.net/websocket/v2/
- Kraken v1, ``book``: https://docs.kraken.com/api/docs/websocket-v1/book, its checksum a constant that nobody checks
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from bench.generate_alpaca import rfc3339
from bench.workloads import EPOCH, VENUES, Events, Stream, touch
from engine.core.events import Side
from engine.core.units import NANOS

_COINS: Final = "BTC ETH SOL XRP DOGE ADA AVAX LINK DOT LTC BCH UNI AAVE XLM ATOM FIL ALGO MKR CRV GRT"
BASES: Final = (
    *("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK", "DOT", "LTC"),
    *("BCH", "UNI", "AAVE", "XLM", "ATOM", "FIL", "ALGO", "MKR", "CRV", "GRT"),
)
STEP_NS: Final = 1_000_000
_DOLLARS: Final = 60_000 * NANOS
_SIDES: Final = (Side.BID, Side.ASK)

Levels = list[tuple[int, int]]


@dataclass(frozen=True)
class Message:
    """Levels of one book, all if ``snapshot``: (price, quantity) in counts of 1e-9, in the order they changed."""

    symbol: int
    time: int
    bids: Levels
    asks: Levels
    snapshot: bool = False


@cache
def stream(count: int, seed: int = 7) -> Stream:
    """At least ``count`` updates of one venue, and the snapshots before them."""
    both = touch(len(VENUES) * count * 11 // 10, len(BASES))
    draw = random.Random(seed)

    def prepared(events: Events) -> Events:
        events = events[events["venue"] == 1].copy()
        events["price"] += _DOLLARS
        sizes = np.array([10 * draw.randrange(1, 2 * 10**8) for _ in events], np.int64)
        events["quantity"] = np.where(events["quantity"] > 0, sizes, 0)
        return events

    return Stream(prepared(both.snapshot), prepared(both.updates))


def messages(events: Events, per: int, count: int) -> list[Message]:
    """The first ``count`` messages of ``per`` updates of one book, in the order in which they fill up."""
    waiting: dict[int, list[tuple[int, int, int]]] = {}
    made: list[Message] = []
    columns = (events[name].tolist() for name in ("instrument", "side", "price", "quantity"))
    for symbol, *level in zip(*columns, strict=True):
        levels = waiting.setdefault(symbol, [])
        levels.append((level[0], level[1], level[2]))
        if len(levels) == per:
            made.append(message(symbol, EPOCH + len(made) * STEP_NS, waiting.pop(symbol)))
    if len(made) < count:
        raise ValueError(f"{len(events)} updates give {len(made)} messages of {per}; expected {count}")
    return made[:count]


def snapshots(events: Events) -> list[Message]:
    """The whole book of each symbol."""
    found = []
    for symbol in range(len(BASES)):
        own = events[events["instrument"] == symbol]
        levels = list(zip(*(own[name].tolist() for name in ("side", "price", "quantity")), strict=True))
        found.append(message(symbol, EPOCH - STEP_NS, levels, snapshot=True))
    return found


def message(symbol: int, time: int, levels: Sequence[Any], *, snapshot: bool = False) -> Message:
    bids, asks = ([(price, size) for at, price, size in levels if at == side] for side in _SIDES)
    return Message(symbol, time, bids, asks, snapshot)


def decimal(count: int, places: int) -> str:
    """A count of 1e-9 with that many decimals."""
    return f"{count // NANOS}.{count % NANOS:09}"[: places - 9 or None]


def number(count: int) -> str:
    """A count of 1e-9 as a JSON number, without zeros at its end."""
    return decimal(count, 9).rstrip("0").rstrip(".")


def alpaca(one: Message) -> str:
    bids, asks = (
        ",".join(f'{{"p":{number(price)},"s":{number(size)}}}' for price, size in side) for side in (one.bids, one.asks)
    )
    whole = ',"r":true' if one.snapshot else ""
    return f'[{{"T":"o","S":"{BASES[one.symbol]}/USD","t":"{rfc3339(one.time)}","b":[{bids}],"a":[{asks}]{whole}}}]'


def bitstamp(one: Message) -> str:
    """Also for a snapshot, which Bitstamp gives by REST: what the message handler of a client does not see."""
    bids, asks = (
        ",".join(f'["{decimal(price, 2)}","{decimal(size, 8)}"]' for price, size in side)
        for side in (one.bids, one.asks)
    )
    times = f'"timestamp":"{one.time // NANOS}","microtimestamp":"{one.time // 1_000}"'
    channel = f"diff_order_book_{BASES[one.symbol].lower()}usd"
    return f'{{"data":{{{times},"bids":[{bids}],"asks":[{asks}]}},"channel":"{channel}","event":"data"}}'


def kraken(one: Message) -> str:
    """A side without updates is left out; two sides are two objects. A snapshot has both in one, under other names."""
    time = decimal(one.time, 6)
    sides = {
        name: ",".join(f'["{decimal(price, 5)}","{decimal(size, 8)}","{time}"]' for price, size in levels)
        for name, levels in (("a", one.asks), ("b", one.bids))
        if levels or one.snapshot
    }
    if one.snapshot:
        parts = f'{{"as":[{sides["a"]}],"bs":[{sides["b"]}]}}'
    else:
        parts = ",".join(f'{{"{name}":[{levels}]}}' for name, levels in sides.items())[:-1] + ',"c":"974942666"}'
    return f'[{336 + one.symbol},{parts},"book-1000","{BASES[one.symbol]}/USD"]'


FORMATS: Final[dict[str, Callable[[Message], str]]] = {"alpaca": alpaca, "bitstamp": bitstamp, "kraken": kraken}
