"""Twin of ``native/wire/polygon.cpp``: Massive (Polygon) stocks, Q and T."""

from __future__ import annotations

import json
import random
from typing import Any

from engine._native.wire import tables
from engine.core.events import Flag, Kind
from tests.reference.frames import (
    INT64_MAX,
    Faults,
    FrameTwin,
    InexactError,
    amount,
    amount_text,
    trade_id,
    unix_ns,
    whole,
)

TABLES = tables("polygon")
SHARES_SINCE = 1_762_146_000 * 10**9  # 2025-11-03 in New York


def conditions(codes: Any, table: dict[int, int]) -> int:
    bits = 0
    for code in codes if isinstance(codes, list) else [codes]:
        bits |= table.get(whole(code, -1), 0)
    return bits


def lots(quantity: int, time: int) -> int:
    """Shares of what a quote says: round lots of 100 before SHARES_SINCE."""
    if time and time < SHARES_SINCE:
        quantity *= 100
    if quantity > INT64_MAX:
        raise InexactError(quantity)
    return quantity


class PolygonTwin(FrameTwin):
    """Frames of Massive's stocks cluster."""

    def message(self, fields: dict[str, Any], raw: bytes) -> None:
        if fields.get("ev") not in ("Q", "T"):
            self.other.append(raw)
            return
        instrument = self.instrument(fields.get("sym"))
        if instrument is None:
            return
        faults = Faults()
        time = unix_ns(faults.read(whole, fields.get("t")))
        sequence = faults.read(whole, fields.get("q"))
        head = {"instrument": instrument, "ts_event": time, "sequence": sequence}
        (self.nbbo if fields["ev"] == "Q" else self.trade)(fields, faults, head)

    def nbbo(self, fields: dict[str, Any], faults: Faults, head: dict[str, int]) -> None:
        sides, unknown = [], 0
        for side in "ba":
            exchange = faults.read(whole, fields.get(side + "x"))
            venue = TABLES["venues"].get(exchange, 0)
            unknown += exchange != 0 and venue == 0
            price = faults.read(amount, fields.get(side + "p"))
            quantity = faults.read(lots, faults.read(amount, fields.get(side + "s")), head["ts_event"])
            sides.append((venue, price, quantity if price else 0))
        bits = faults.read(conditions, fields.get("c"), TABLES["quote_conditions"])
        faults.check()
        self.counts["unknown_venues"] += unknown
        self.quote(*sides, conditions=bits, **head)

    def trade(self, fields: dict[str, Any], faults: Faults, head: dict[str, int]) -> None:
        exchange, facility = (faults.read(whole, fields.get(name)) for name in ("x", "trfi"))
        venue = TABLES["venues"].get(facility) or TABLES["venues"].get(exchange, 0)
        price = faults.read(amount, "" if fields.get("p") is None else fields["p"])  # "": a trade has a price
        quantity = faults.read(amount, fields.get("s"))
        if fields.get("ds") is not None:
            quantity = faults.read(amount_text, fields["ds"])
        number, flags = faults.read(trade_id, fields.get("i"))
        bits = faults.read(conditions, fields.get("c"), TABLES["trade_conditions"])
        faults.check()
        self.counts["unknown_venues"] += exchange != 0 and venue == 0
        self.row(
            Kind.TRADE,
            venue=venue,
            price=price,
            quantity=quantity,
            order_id=number,
            flags=flags | Flag.LAST,
            conditions=bits,
            **head,
        )


# --- frames to test with ---

SYMBOLS = ("AAPL", "MSFT", "SPY", "F", "BRK.B", "GOOGLABC", "LONGSYMBOL", "NOBODY")
MAPPED = {symbol: 10 + number for number, symbol in enumerate(SYMBOLS[:-1])}


def random_price(draw: random.Random) -> str:
    whole = draw.choice([0, 1, 9, 35, 227, 1_234, 98_765, 700_000])
    return (
        f"{whole}.{draw.randrange(1, 10 ** draw.randrange(1, 5))}".rstrip("0").rstrip(".")
        if draw.random() < 0.8
        else str(whole)
    )


def random_quote(draw: random.Random) -> dict[str, str]:
    """Members of a quote as they are usually written."""
    members = {"ev": '"Q"', "sym": json.dumps(draw.choice(SYMBOLS)), "bx": str(draw.randrange(1, 23))}
    members |= {"bp": random_price(draw), "bs": str(draw.choice([1, 40, 100, 300, 12_345]))}
    members |= {"ax": str(draw.randrange(1, 23)), "ap": random_price(draw), "as": str(draw.randrange(1, 2_000))}
    members |= {"c": str(draw.choice([0, 1, 1, 1, 20, 34]))}
    if draw.random() < 0.5:
        members["i"] = draw.choice(["[604]", "[]", "[1,604]"])
    members["t"] = str(draw.choice([1_536_036_818_784, 1_762_145_999_999, 1_762_146_000_000, 1_790_000_000_123]))
    return members | {"q": str(draw.randrange(1, 90_000_000)), "z": str(draw.randrange(1, 4))}


def random_trade(draw: random.Random) -> dict[str, str]:
    members = {"ev": '"T"', "sym": json.dumps(draw.choice(SYMBOLS)), "x": str(draw.randrange(1, 23))}
    members |= {
        "i": draw.choice(['"12345"', '"52983525029461"', '"1"', '"a-1"', '""']),
        "z": "3",
        "p": random_price(draw),
    }
    members["s"] = str(draw.randrange(0, 1_000))
    if draw.random() < 0.3:
        members["ds"] = f'"{members["s"]}.{draw.randrange(1000)}"'
    if draw.random() < 0.8:
        members["c"] = draw.choice(["[]", "[12]", "[14,41]", "[37,12,53]", "[2]"])
    members |= {"t": "1790000000123", "q": str(draw.randrange(1, 90_000_000))}
    if draw.random() < 0.2:
        members |= {"trfi": str(draw.choice([201, 202, 203])), "trft": "1790000000120"}
    return members


ODD = (
    *(
        "null",
        "true",
        "-1",
        "0",
        "0.0",
        "-0",
        "1e2",
        "12.5E-1",
        "1E400",
        "1e-10",
        "0.0000000001",
        "9223372036.854775807",
    ),
    *(
        "9223372036.854775808",
        "1.000000000000",
        "123456789012345678901",
        '"1.5"',
        '"x"',
        "[]",
        "{}",
        '[{"a":[1]}]',
        "1.",
        "01",
    ),
    *('"\\u0041APL"', '"AAPL "', '"A\\/B"', '"\\ud800"', '"é"', "[0,12]", '["12"]', "NaN", "-", '"\x1f"', '"Q"', '"T"'),
)


def odd(draw: random.Random, members: dict[str, str]) -> list[tuple[str, str]]:
    """The members in other orders, some gone, doubled, unknown or with odd values."""
    pairs = list(members.items())
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(pairs)) if pairs else 0
        match draw.randrange(6):
            case 0:
                draw.shuffle(pairs)
            case 1:
                pairs[at : at + 1] = []
            case 2:
                pairs.insert(at, (draw.choice([*members, "new", "b\\u0070", "\\u0000"]), draw.choice(ODD)))
            case 3 | 4 if pairs:
                pairs[at] = (pairs[at][0], draw.choice(ODD))
            case _:
                pairs.insert(at, ("x" * draw.randrange(12), draw.choice(['"y"', "[[1,2],[3]]", "7"])))
    return pairs


def random_frame(draw: random.Random, count: int) -> bytes:
    """An array of quotes, trades and other messages; about one in four has something odd."""
    messages = []
    for _ in range(count):
        members = (random_quote if draw.random() < 0.7 else random_trade)(draw)
        if draw.random() < 0.1:
            members["ev"] = draw.choice(['"status"', '"AM"', '"A"', '"LULD"'])
        pairs = odd(draw, members) if draw.random() < 0.25 else list(members.items())
        blank = draw.choice(["", "", "", "", " ", "\n"])
        messages.append("{" + f",{blank}".join(f'"{key}":{blank}{value}' for key, value in pairs) + "}")
    separator = draw.choice([",", ",", ",", " , "])
    return f"[{separator.join(messages)}]".encode()
