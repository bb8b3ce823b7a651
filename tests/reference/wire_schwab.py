"""Twin of ``native/wire/schwab.cpp``: LEVELONE_EQUITIES, NYSE_BOOK and NASDAQ_BOOK of Schwab's streamer, by the Trader
API Streamer Guide.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from engine.core.events import Flag, Kind, Side
from engine.core.venues import venue_id
from tests.reference.codes import EXCHANGES, PARTICIPANTS, SECURITY_STATUSES
from tests.reference.frames import INT64_MAX, Faults, FrameTwin, InexactError, InvalidError, amount, unix_ns, whole
from tests.reference.wire_alpaca import ODD_TEXTS, Raw, is_text, json_object, odd, random_price, text_of
from tests.reference.wire_polygon import lots

Fields = dict[str, Any]
#: prices and sizes of both sides, what has to be a number; places of exchange letters and codes
AMOUNTS = {"1": ("bid", 0), "4": ("bid", 1), "2": ("ask", 0), "5": ("ask", 1)}
LETTERS = {"7": "bid", "6": "ask"}
CODES = {"40": "bid", "39": "ask"}
STREAMS = ("LEVELONE_EQUITIES", "NYSE_BOOK", "NASDAQ_BOOK")


def time_ns(value: Any) -> int:
    """A time in ms; 0 for whatever is none."""
    try:
        return unix_ns(whole(value))
    except InvalidError:
        return 0


@dataclass
class Kept:
    """What LEVELONE has said of a symbol so far."""

    sides: dict[str, list[int]] = field(default_factory=lambda: {"bid": [0, 0], "ask": [0, 0]})
    letters: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    time: int = 0
    status: int = 0


@dataclass
class SchwabTwin(FrameTwin):
    """Frames of one connection. A frame goes whole to ``other`` if anything in it is not of these three services."""

    kept: dict[int, Kept] = field(default_factory=lambda: defaultdict(Kept))

    def message(self, fields: Fields, raw: bytes) -> None:
        services = fields.get("data")
        other = fields.keys() != {"data"} or not isinstance(services, list)
        for service in services if isinstance(services, list) else ():
            name = text_of(service.get("service")) if isinstance(service, dict) else ""
            if name not in STREAMS:
                other = True
                continue
            items = service.get("content")
            if not isinstance(items, list):
                self.counts["invalid"] += 1
                continue
            time = time_ns(service.get("timestamp"))
            for item in items:
                self.item(self.level_one if name == STREAMS[0] else self.book, item, time)
        if other:
            self.other.append(raw)

    def item(self, translate: Any, item: Any, time: int) -> None:
        try:
            if not isinstance(item, dict):
                raise InvalidError(item)
            instrument = self.instrument(item.get("key"))
            if instrument is not None:
                translate(item, instrument, time)
        except InvalidError:
            self.counts["invalid"] += 1
        except InexactError:
            self.counts["inexact"] += 1

    # ---- changes

    def level_one(self, item: Fields, instrument: int, time: int) -> None:
        kept = self.kept[instrument]
        faults = Faults()
        quoted = any(item.get(name) is not None for name in (*AMOUNTS, *LETTERS, *CODES))
        for name, (side, place) in AMOUNTS.items():
            if item.get(name) is not None:
                kept.sides[side][place] = faults.read(amount, item[name])
        for places, texts in ((LETTERS, kept.letters), (CODES, kept.codes)):
            for name, side in places.items():
                if is_text(item.get(name)):
                    texts[side] = item[name]
        kept.time = time_ns(item.get("34")) or kept.time
        head = {"instrument": instrument, "ts_event": kept.time or time}
        status = SECURITY_STATUSES.get(text_of(item.get("32")), 0)
        if status and status != kept.status:
            kept.status = status
            self.row(Kind.STATUS, conditions=status, flags=Flag.LAST, **head)
        if not quoted:
            return
        sides, unknown = [], 0
        for side, (price, size) in kept.sides.items():
            venue, strange = self.venue_of(kept.letters.get(side, ""), kept.codes.get(side, ""))
            unknown += strange
            quantity = faults.read(lots, size, head["ts_event"])
            sides.append((venue, price, quantity if price else 0))
        try:
            faults.check()
        except (InvalidError, InexactError):  # what was said before is no longer so: no quote until it is said anew
            kept.sides = {"bid": [0, 0], "ask": [0, 0]}
            self.quote(*((venue, 0, 0) for venue, _, _ in sides), **head)
            raise
        self.counts["unknown_venues"] += unknown
        self.quote(*sides, **head)

    @staticmethod
    def venue_of(letter: str, code: str) -> tuple[int, bool]:
        if letter in EXCHANGES:
            return venue_id(EXCHANGES[letter]), False
        if re.fullmatch("[A-Z0-9]{4}", code):
            return venue_id(code), False
        return 0, letter not in {"", " "}

    # ---- books

    def book(self, item: Fields, instrument: int, time: int) -> None:
        faults = Faults()
        head = {"instrument": instrument, "ts_event": time_ns(item.get("1")) or time}
        rows = []
        for side, name in ((Side.BID, "2"), (Side.ASK, "3")):
            best: dict[int, tuple[int, int]] = {}
            for venue, price, quantity in self.quotes_of(item.get(name), faults):
                if not price or not quantity:
                    continue
                held, size = best.get(venue, (price, 0))
                if price == held:
                    best[venue] = price, size + quantity
                elif (price > held) == (side == Side.BID):
                    best[venue] = price, quantity
            faults.read(within, max((size for _, size in best.values()), default=0))
            rows += [(side, venue, price, quantity) for venue, (price, quantity) in best.items()]
        faults.check()
        last = 0 if rows else Flag.LAST
        self.row(Kind.CLEAR, flags=Flag.SNAPSHOT | last, **head)
        for place, (side, venue, price, quantity) in enumerate(rows):
            last = Flag.LAST if place == len(rows) - 1 else 0
            values = {"venue": venue, "price": price, "quantity": quantity}
            self.row(Kind.QUOTE, side=side, flags=Flag.SNAPSHOT | last, **values, **head)

    def quotes_of(self, levels: Any, faults: Faults) -> Iterator[tuple[int, int, int]]:
        """(venue, price, quantity) of each participant at each level."""
        for element in as_list(levels):
            level = element if isinstance(element, dict) else {}
            price = faults.read(amount, "" if level.get("0") is None else level["0"])
            for inner in as_list(level.get("3")):
                maker = inner if isinstance(inner, dict) else {}
                quantity = faults.read(amount, "" if maker.get("1") is None else maker["1"])
                yield participant(maker.get("0")), price, quantity


def within(count: int) -> None:
    if count > INT64_MAX:
        raise InexactError(count)


def as_list(value: Any) -> list[Any]:
    if not isinstance(value, list | None):
        raise InvalidError(value)
    return value or []


def participant(name: Any) -> int:
    """The venue of a participant's id: an exchange, or one of its own."""
    text = text_of(name)
    known = PARTICIPANTS.get("".join(letter.lower() if letter.isascii() else letter for letter in text))
    if known:
        return venue_id(known)
    text = "".join(letter.upper() if letter.isascii() else letter for letter in text)
    if not re.fullmatch("[A-Z0-9]{1,8}", text):
        raise InvalidError(name)
    return venue_id(text)


# --- frames to test with ---

SYMBOLS = ("AAPL", "MSFT", "BRK/B", "NOBODY")
MAPPED = {symbol: 10 + number for number, symbol in enumerate(SYMBOLS[:-1])}
IDS = ("NSDQ", "arcx", "edgx", "batx", "NITE", "cdrg", "MEMX", "x1")


def random_levels(draw: random.Random) -> list[Fields]:
    def makers() -> list[Fields]:
        return [{"0": draw.choice(IDS), "1": draw.randrange(300), "2": 62782324} for _ in range(draw.randrange(1, 4))]

    prices = sorted({draw.choice([0, 9.5, 9.75, 10, 10.25, 11]) for _ in range(draw.randrange(5))}, reverse=True)
    return [{"0": price, "1": 100, "2": 1, "3": makers()} for price in prices]


def random_item(draw: random.Random, service: str) -> Fields:
    item = {"key": draw.choice(SYMBOLS)}
    if "BOOK" in service:
        return item | {"1": 1_590_532_442_608, "2": random_levels(draw), "3": random_levels(draw)}
    values = {
        "1": random_price(draw),
        "2": random_price(draw),
        "4": draw.randrange(50),
        "5": draw.randrange(50),
        "6": draw.choice(["Q", "P", " ", "?", ""]),
        "7": draw.choice(["K", "Z", "O"]),
        "8": 56_049_058,
        "32": draw.choice(["Normal", "Halted", "Closed", "?"]),
        "34": draw.choice([1_668_715_930_570, 1_790_000_000_000]),
        "39": draw.choice(["XNAS", "XADF", "x", "ABCDE"]),
        "40": "ARCX",
        "delayed": False,
    }
    return item | {name: value for name, value in values.items() if draw.random() < 0.5}


def random_frame(draw: random.Random, count: int) -> bytes:
    """Data of the services, a share of it odd, sometimes beside something else."""
    texts = tuple(map(Raw, ODD_TEXTS))

    def written(members: Fields, strange: float) -> Raw:
        pairs = odd(draw, members, texts) if draw.random() < strange else list(members.items())
        return Raw(json_object(draw, pairs))

    services = []
    for _ in range(count):
        name = draw.choice([*STREAMS, *STREAMS, "CHART_EQUITY"])
        items = [written(random_item(draw, name), 0.2) for _ in range(draw.randrange(4))]
        service = {"service": name, "timestamp": 1_668_715_930_585, "command": "SUBS", "content": items}
        services.append(written(service, 0.05))
    frame = (
        {"data": services} if draw.random() < 0.9 else {"notify": [{"heartbeat": "1668715930582"}], "data": services}
    )
    return written(frame, 0.05).text.encode()
