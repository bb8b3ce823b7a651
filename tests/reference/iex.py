"""IEX-TP 1 with TOPS 1.5/1.6, DEEP 1.0 and DEEP+ 1.0, read slowly from the tables of the specifications."""

from __future__ import annotations

import random
import struct
from contextlib import suppress
from typing import Any

from engine.core.events import NO_INSTRUMENT, Condition, Flag, Kind, Side, Status
from engine.core.units import NANOS
from tests.reference.lines import Lines
from tests.reference.wire import INT64_MAX, Malformed, Skip, Twin, fits, price_nanos

#: after the type byte; prices are q, order and trade ids Q, sizes I
LAYOUTS = {
    "S": "cq",
    "D": "Bq8sIqB",
    "H": "cq8s4s",
    "I": "cq8s",
    "O": "cq8s",
    "P": "Bq8sc",
    "E": "cq8s",
    "Q": "Bq8sIqqI",
    "8": "Bq8sIq",
    "5": "Bq8sIq",
    "T": "Bq8sIqQ",
    "B": "Bq8sIqQ",
    "X": "cq8sq",
    "A": "cq8sIqqIcBIqqqq",
    "a": "cq8sQIq",
    "M": "Bq8sQIq",
    "R": "Bq8sQ",
    "L": "Bq8sQIqQ",
    "C": "Bq8s",
}
LENGTHS = {kind: struct.calcsize(f"<c{layout}") for kind, layout in LAYOUTS.items()}
HEADER = "<BBHIIHHQQq"
PROTOCOLS = range(0x8002, 0x8006)
STATUS = {
    "S": {
        b"O": Status.SYSTEM_START_MESSAGES,
        b"S": Status.SYSTEM_START_HOURS,
        b"R": Status.SYSTEM_START_MARKET,
        b"M": Status.SYSTEM_END_MARKET,
        b"E": Status.SYSTEM_END_HOURS,
        b"C": Status.SYSTEM_END_MESSAGES,
    },
    "H": {b"H": Status.HALTED, b"O": Status.QUOTE_ONLY, b"P": Status.PAUSED, b"T": Status.TRADING},
    "O": {b"O": Status.OPERATIONAL_HALTED, b"N": Status.OPERATIONAL_TRADING},
    "P": {0: Status.SHORT_UNRESTRICTED, 1: Status.SHORT_RESTRICTED},
    "E": {b"O": Status.OPENING_DONE, b"C": Status.CLOSING_DONE},
}
#: places of the prices that become records
PRICES = {"Q": (22, 30)} | dict.fromkeys("85TB", (22,)) | dict.fromkeys("aML", (30,))
Stamps = dict[str, Any]


def sale_conditions(flags: int) -> int:
    bits = {
        0x80: Condition.SWEEP,
        0x40: Condition.EXTENDED_HOURS | Condition.NO_LAST | Condition.NO_HIGH_LOW,
        0x20: Condition.ODD_LOT | Condition.NO_LAST | Condition.NO_HIGH_LOW,
        0x10: Condition.TRADE_THROUGH_EXEMPT,
        0x08: Condition.AUCTION,
    }
    conditions = 0
    for bit, condition in bits.items():
        conditions |= condition if flags & bit else 0
    return conditions


class IexTwin(Twin):
    """Decodes ``stream``: segments one after another."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lines = Lines(self.counts)
        self.aside = Flag.LAST  # of what changes no book: it ends no atomic event of DEEP

    def stream(self, data: bytes) -> int:
        """How many bytes at the end are the start of a segment."""
        at = 0
        lost = False
        try:
            while len(data) - at >= 40:
                version, reserved, protocol, _, _, length, *_ = struct.unpack_from(HEADER, data, at)
                if version != 1 or reserved != 0 or protocol not in PROTOCOLS:
                    if not lost:
                        self.malformed(at)
                    lost = True
                    at += 1
                    continue
                if len(data) - at < 40 + length:
                    break
                self.segment(data[at : at + 40 + length], at)
                lost = False
                at += 40 + length
        except Malformed as error:
            self.error = error.offset
        return 0 if lost else len(data) - at

    def segment(self, data: bytes, at: int) -> None:
        _, _, protocol, channel, session, _, count, offset, first, sent = struct.unpack_from(HEADER, data)
        self.counts["segments"] += 1
        self.counts["heartbeats"] += count == 0
        restarts = self.counts["restarts"]
        seen = self.lines.arrive((protocol, channel, session), first, count, sent, offset == 0)
        if seen is None:
            self.malformed(at + 24)
            return
        self.aside = 0 if protocol == 0x8004 else Flag.LAST
        if self.counts["restarts"] != restarts:  # what stood in the venue's books is no more
            self.emit(Kind.CLEAR, ts_event=sent, sequence=first, instrument=NO_INSTRUMENT)
        place = 40
        for index in range(count):
            length = struct.unpack_from("<H", data, place)[0] if len(data) - place >= 3 else 0
            if length == 0 or place + 2 + length > len(data):
                self.malformed(at + place)
                return
            if index >= seen:
                message = data[place + 2 : place + 2 + length]
                self.message(message, at + place + 2, first + index)
            place += 2 + length
        if place != len(data):
            self.malformed(at + place)

    def message(self, m: bytes, at: int, number: int) -> None:
        with suppress(Skip):
            self.translate(m, at, number)

    def translate(self, m: bytes, at: int, number: int) -> None:
        kind = chr(m[0])
        if kind not in LENGTHS:
            self.counts["unknown_types"] += 1
            return
        if len(m) < LENGTHS[kind]:
            self.refuse(at)
        m = m[: LENGTHS[kind]]  # later versions append fields
        _, first, time, *fields = struct.unpack(f"<c{LAYOUTS[kind]}", m)
        stamps = {"ts_event": time, "sequence": number}
        if kind != "S":
            stamps["instrument"] = self.instrument(fields.pop(0), at + 10)
        for place in PRICES.get(kind, ()):
            (price,) = struct.unpack_from("<q", m, place)
            if abs(price) > INT64_MAX // 100_000:
                self.refuse(at + place)
            assert fits(price_nanos(price))
        if kind in STATUS:
            if first not in STATUS[kind]:
                self.refuse(at + 1)
            self.emit(Kind.STATUS, **stamps, conditions=STATUS[kind][first], flags=self.aside)
        elif kind in "DXAI":
            self.side.append((2, m[0], m[1:], stamps.get("instrument", NO_INSTRUMENT)))
        elif kind in "aMRL":
            self.order(kind, first, at, stamps, *fields)
        else:
            self.level_or_trade(kind, first, stamps, *fields)
        self.counts[f"iex.{kind}"] += 1

    def level_or_trade(self, kind: str, flags: int, stamps: Stamps, *fields: int) -> None:
        if kind == "C":
            self.emit(Kind.CLEAR, **stamps)
        elif kind == "Q":
            bid_size, bid, ask, ask_size = fields
            firm = Condition.NON_FIRM if flags & 0x80 else 0
            extended = Condition.EXTENDED_HOURS if flags & 0x40 else 0
            both = {**stamps, "conditions": firm | extended}
            bid_side = {"side": Side.BID, "price": price_nanos(bid), "quantity": bid_size * NANOS, "flags": 0}
            self.emit(Kind.QUOTE, **both, **bid_side)
            self.emit(Kind.QUOTE, **both, side=Side.ASK, price=price_nanos(ask), quantity=ask_size * NANOS)
        elif kind in "85":
            size, price = fields
            side = Side.BID if kind == "8" else Side.ASK
            last = Flag.LAST if flags & 1 else 0
            size *= NANOS
            self.emit(Kind.LEVEL, **stamps, side=side, quantity=size, price=price_nanos(price), flags=last)
        else:
            size, price, trade = fields
            self.emit(
                Kind.TRADE if kind == "T" else Kind.TRADE_BREAK,
                **stamps,
                quantity=size * NANOS,
                price=price_nanos(price),
                order_id=trade,
                conditions=sale_conditions(flags),
                flags=self.aside,
            )

    def order(
        self, kind: str, first: Any, at: int, stamps: Stamps, order: int, size: int = 0, price: int = 0, _: int = 0
    ) -> None:
        fields = {"order_id": order, "quantity": size * NANOS, "price": price_nanos(price)}
        if kind == "a":
            if first not in {b"8", b"5"}:
                self.refuse(at + 1)
            self.emit(Kind.ADD, **stamps, **fields, side=Side.BID if first == b"8" else Side.ASK)
        elif kind == "M":
            keeps = Flag.KEEP_PRIORITY if first & 0x80 else 0
            self.emit(Kind.REPLACE, **stamps, **fields, flags=Flag.LAST | keeps)
        elif kind == "R":
            self.emit(Kind.DELETE, **stamps, **fields)
        else:
            self.emit(Kind.EXECUTE, **stamps, **fields, conditions=sale_conditions(first))


# ---- generated messages


def random_message(draw: random.Random, kind: str, stocks: int = 5) -> bytes:
    """A well-formed message with extreme values now and then."""

    def value(code: str) -> Any:
        if code == "8s":
            return f"S{draw.randrange(stocks)}".ljust(8).encode()
        if code == "4s":
            return b"T1  "
        if code == "c":
            return draw.choice([b" ", b"A", b"N"])
        if code == "q":
            most = INT64_MAX // 100_000
            return draw.choice([draw.randint(1, 10**7), draw.randint(-most, most), most, -most, 0])
        most = 2 ** (8 * struct.calcsize("<" + code)) - 1
        return draw.choice([draw.randint(0, min(most, 1_000)), draw.randint(0, most), most, 0])

    layout = LAYOUTS[kind]
    codes = [part for code in layout.replace("8s", " 8s ").replace("4s", " 4s ").split() for part in
             ([code] if code[0].isdigit() else code)]  # fmt: skip
    fields = [value(code) for code in codes]
    if kind in STATUS:
        fields[0] = draw.choice(list(STATUS[kind]))
    if kind == "a":
        fields[0] = draw.choice([b"8", b"5"])
    return struct.pack(f"<c{layout}", kind.encode(), *fields)


def segment(
    messages: list[bytes], first: int, *, protocol: int = 0x8004, session: int = 9, offset: int = 80, sent: int = 0
) -> bytes:
    """An IEX-TP segment of channel 1."""
    blocks = b"".join(struct.pack("<H", len(message)) + message for message in messages)
    return struct.pack(HEADER, 1, 0, protocol, 1, session, len(blocks), len(messages), offset, first, sent) + blocks


def random_stream(draw: random.Random, count: int) -> bytes:
    """Segments of two protocols and two sessions: gaps, copies, restarts, heartbeats, new types, longer messages."""
    out = []
    numbers = {(protocol, session): 1 for protocol in (0x8003, 0x8004, 0x8005) for session in (7, 8)}
    sent = 10**18
    for _ in range(count):
        protocol, session = key = draw.choice(list(numbers))
        messages = [random_message(draw, draw.choice(list(LAYOUTS))) for _ in range(draw.choice([0, 1, 3, 8]))]
        if messages and draw.random() < 0.1:
            messages[-1] += b"later field"
        if draw.random() < 0.1:
            messages.append(b"z a type of a later version")
        first = max(0, numbers[key] + draw.choice([0, 0, 0, 0, 2, -1, -5]))
        offset = 80
        if draw.random() < 0.05:
            first, offset = 1, 0
            numbers[key] = 1
        sent += draw.choice([1_000, 2_000_000_000])
        numbers[key] = max(numbers[key], first + len(messages))
        out.append(segment(messages, first, protocol=protocol, session=session, offset=offset, sent=sent))
    return b"".join(out)
