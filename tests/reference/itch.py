"""NASDAQ TotalView-ITCH 5.0 and MoldUDP64, read slowly from the text of the two specifications."""

from __future__ import annotations

import random
import struct
from contextlib import suppress
from typing import Any

from engine.core.events import NO_INSTRUMENT, Condition, Flag, Kind, Status
from engine.core.units import NANOS
from tests.reference.lines import Lines
from tests.reference.wire import INT64_MAX, Malformed, Skip, Twin, price_nanos, side_of

#: after the type byte: stock locate, tracking number, nanoseconds since midnight, then
LAYOUTS = {
    "S": "c",
    "R": "8sccIcc2scccccIc",
    "H": "8scc4s",
    "Y": "8sc",
    "L": "4s8sccc",
    "V": "QQQ",
    "W": "c",
    "K": "8sIcI",
    "J": "8sIIII",
    "h": "8scc",
    "A": "QcI8sI",
    "F": "QcI8sI4s",
    "E": "QIQ",
    "C": "QIQcI",
    "X": "QI",
    "D": "Q",
    "U": "QQII",
    "P": "QcI8sIQ",
    "Q": "Q8sIQc",
    "B": "Q",
    "I": "QQc8sIIIcc",
    "N": "8sc",
    "O": "8scIIIQII",
}
LENGTHS = {kind: struct.calcsize(f">cHH6s{layout}") for kind, layout in LAYOUTS.items()}
#: which field is the stock, and its place in the message
STOCK = {"L": (1, 15), "Q": (1, 19), "I": (3, 28)} | dict.fromkeys("AFP", (3, 24)) | dict.fromkeys("RHYKJhNO", (0, 11))
SYSTEM = {
    b"O": Status.SYSTEM_START_MESSAGES,
    b"S": Status.SYSTEM_START_HOURS,
    b"Q": Status.SYSTEM_START_MARKET,
    b"M": Status.SYSTEM_END_MARKET,
    b"E": Status.SYSTEM_END_HOURS,
    b"C": Status.SYSTEM_END_MESSAGES,
}
TRADING = {b"H": Status.HALTED, b"P": Status.PAUSED, b"Q": Status.QUOTE_ONLY, b"T": Status.TRADING}
SHORT_SALE = {b"0": Status.SHORT_UNRESTRICTED, b"1": Status.SHORT_RESTRICTED, b"2": Status.SHORT_RESTRICTED}
OPERATIONAL = {b"H": Status.OPERATIONAL_HALTED, b"T": Status.OPERATIONAL_TRADING}
#: field that holds the code of a STATUS message, and its place in the message
STATUS = {"S": (0, 11, SYSTEM), "H": (1, 19, TRADING), "Y": (1, 19, SHORT_SALE), "h": (2, 20, OPERATIONAL)}
END_OF_SESSION = 0xFFFF
Stamps = dict[str, Any]


class ItchTwin(Twin):
    """Decodes ``stream`` (messages one after another) or ``packets`` (MoldUDP64)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.locates: dict[int, int] = {}
        self.lines = Lines(self.counts)

    def stream(self, data: bytes) -> int:
        """How many bytes at the end are the start of a message."""
        at = number = 0
        lost = False
        try:
            while len(data) - at >= 3:
                kind = chr(data[at + 2])
                if lost and not (data[at] == 0 and kind in LENGTHS and data[at + 1] in {0, LENGTHS[kind]}):
                    at += 1
                    continue
                lost = False
                length, start = self.frame(data, at)
                if length == 0:
                    lost = True
                    self.malformed(at)
                    at += 1
                    continue
                if start + length > len(data):
                    break
                number += 1
                self.message(data[start : start + length], start, number)
                at = start + length
        except Malformed as error:
            self.error = error.offset
        return 0 if lost else len(data) - at

    @staticmethod
    def frame(data: bytes, at: int) -> tuple[int, int]:
        """Length and start of the message at a place; length 0 if it cannot be told."""
        if data[at] != 0:
            return LENGTHS.get(chr(data[at]), 0), at
        return data[at + 1] or LENGTHS.get(chr(data[at + 2]), 0), at + 2

    def message(self, m: bytes, at: int, number: int) -> None:
        with suppress(Skip):
            self.translate(m, at, number)

    def translate(self, m: bytes, at: int, number: int) -> None:
        kind = chr(m[0])
        if kind not in LENGTHS:
            if m[:1].isalpha():
                self.counts["unknown_types"] += 1
            else:
                self.malformed(at)
            return
        if len(m) != LENGTHS[kind]:
            self.refuse(at)
        _, locate, _, time, *fields = struct.unpack(f">cHH6s{LAYOUTS[kind]}", m)
        if kind in STOCK:
            field, place = STOCK[kind]
            self.locates[locate] = self.instrument(fields[field], at + place)
        stamps = {
            "ts_event": self.midnight + int.from_bytes(time, "big"),
            "sequence": number,
            "instrument": self.locates.get(locate, NO_INSTRUMENT),
        }
        if kind in STATUS:
            field, place, codes = STATUS[kind]
            if fields[field] not in codes:
                self.refuse(at + place)
            where = {"instrument": NO_INSTRUMENT} if kind == "S" else {}
            self.emit(Kind.STATUS, conditions=codes[fields[field]], **stamps | where)
        elif kind in "RLVWKJINO":
            self.side.append((1, m[0], m[1:], NO_INSTRUMENT if kind in "VW" else stamps["instrument"]))
        else:
            getattr(self, f"_{kind}")(at, stamps, *fields)
            if kind not in STOCK and locate not in self.locates:
                self.counts["unknown_locates"] += 1
        self.counts[f"itch.{kind}"] += 1

    # the messages about orders and trades; arguments are the fields of their layout

    def _A(  # noqa: N802
        self, at: int, stamps: Stamps, order: int, side: bytes, shares: int, _: bytes, price: int, *_mpid: Any
    ) -> None:
        if (book_side := side_of(side[0], "B", "S")) is None:
            self.refuse(at + 19)
        self.emit(Kind.ADD, **stamps, order_id=order, side=book_side, quantity=shares * NANOS, price=price_nanos(price))

    _F = _A

    def _P(self, at: int, stamps: Stamps, _: int, side: bytes, shares: int, _s: bytes, price: int, match: int) -> None:  # noqa: N802
        self._A(at, stamps, match, side, shares, b"", price)
        self.events[-1] |= {"kind": Kind.TRADE, "flags": Flag.LAST | Flag.HIDDEN}

    def _E(self, at: int, stamps: Stamps, order: int, shares: int, _: int) -> None:  # noqa: N802
        self.emit(Kind.EXECUTE, **stamps, order_id=order, quantity=shares * NANOS)

    def _C(self, at: int, stamps: Stamps, order: int, shares: int, match: int, printable: bytes, price: int) -> None:  # noqa: N802
        self._E(at, stamps, order, shares, match)
        hidden = Condition.NO_LAST | Condition.NO_VOLUME if printable == b"N" else 0
        self.events[-1] |= {"price": price_nanos(price), "conditions": hidden}

    def _X(self, at: int, stamps: Stamps, order: int, shares: int) -> None:  # noqa: N802
        self.emit(Kind.REDUCE, **stamps, order_id=order, quantity=shares * NANOS)

    def _D(self, at: int, stamps: Stamps, order: int) -> None:  # noqa: N802
        self.emit(Kind.DELETE, **stamps, order_id=order)

    def _U(self, at: int, stamps: Stamps, order: int, new: int, shares: int, price: int) -> None:  # noqa: N802
        self.emit(Kind.DELETE, **stamps, order_id=order, flags=0)
        self.emit(Kind.ADD, **stamps, order_id=new, quantity=shares * NANOS, price=price_nanos(price))

    def _Q(self, at: int, stamps: Stamps, shares: int, _: bytes, price: int, match: int, _t: bytes) -> None:  # noqa: N802
        if shares * NANOS > INT64_MAX:
            self.refuse(at + 11)
        fields = {"order_id": match, "quantity": shares * NANOS, "price": price_nanos(price)}
        self.emit(Kind.TRADE, **stamps, **fields, conditions=Condition.AUCTION)

    def _B(self, at: int, stamps: Stamps, match: int) -> None:  # noqa: N802
        self.emit(Kind.TRADE_BREAK, **stamps, order_id=match)

    # MoldUDP64

    def packets(self, data: bytes) -> int:
        """How many bytes at the end are the start of a packet."""
        at = 0
        lost = False
        try:
            while (length := self.packet_length(data[at : at + 65_536])) is not None:
                if length < 0:
                    if not lost:
                        self.malformed(at)
                    lost = True
                    at += 1
                else:
                    self.packet(data[at : at + length], at)
                    lost = False
                    at += length
        except Malformed as error:
            self.error = error.offset
        return 0 if lost else len(data) - at

    @staticmethod
    def packet_length(data: bytes) -> int | None:
        """None: more bytes are needed; -1: the blocks cannot be walked."""
        if len(data) < 20:
            return None
        (count,) = struct.unpack_from(">H", data, 18)
        at = 20
        for _ in range(0 if count == END_OF_SESSION else count):
            if len(data) - at < 2:
                return None if len(data) < 65_536 else -1
            (length,) = struct.unpack_from(">H", data, at)
            if length == 0 or at + 2 + length > 65_536:
                return -1
            if len(data) < at + 2 + length:
                return None
            at += 2 + length
        return at

    def packet(self, data: bytes, at: int) -> None:
        session, first, count = struct.unpack_from(">10sQH", data)
        self.counts["segments"] += 1
        self.counts["heartbeats"] += count == 0
        self.counts["session_ends"] += count == END_OF_SESSION
        count = 0 if count == END_OF_SESSION else count
        seen = self.lines.arrive(("mold", session), first, count) if first else 0
        if seen is None:
            self.malformed(at + 10)
            return
        place = 20
        for index in range(count):
            (length,) = struct.unpack_from(">H", data, place)
            if index >= seen:
                self.message(data[place + 2 : place + 2 + length], at + place + 2, first + index if first else 0)
            place += 2 + length


# ---- generated messages


def random_message(draw: random.Random, kind: str, stocks: int = 5) -> bytes:
    """A well-formed message with extreme values now and then."""
    locate = draw.randrange(stocks)
    stock = f"S{locate}".ljust(8).encode()

    def value(code: str) -> Any:
        if code == "8s":
            return stock
        if code.endswith("s"):
            return bytes(draw.choice(b"ABCD ") for _ in range(int(code[:-1])))
        if code == "c":
            return draw.choice([b"Y", b"N", b"1"])
        most = 2 ** (8 * struct.calcsize(">" + code)) - 1
        return draw.choice([draw.randint(0, 1000), draw.randint(0, most), most, 0])

    layout = LAYOUTS[kind]
    codes = layout.replace("8s", " 8s ").replace("4s", " 4s ").replace("2s", " 2s ").split()
    fields = [value(part) for code in codes for part in ([code] if code[0].isdigit() else code)]
    if kind in STATUS:
        fields[STATUS[kind][0]] = draw.choice(list(STATUS[kind][2]))
    if kind in "AFP":
        fields[1] = draw.choice([b"B", b"S"])
    if kind == "Q":
        fields[0] = draw.choice([0, 100, INT64_MAX // NANOS])
    time = draw.randrange(86_400 * NANOS).to_bytes(6, "big")
    return struct.pack(f">cHH6s{layout}", kind.encode(), locate, draw.randrange(65_536), time, *fields)


def random_stream(draw: random.Random, count: int) -> bytes:
    """Messages of all types, each framed in one of the three ways."""
    out = []
    for _ in range(count):
        message = random_message(draw, draw.choice(list(LAYOUTS)))
        out.append(draw.choice([struct.pack(">H", len(message)), b"\0\0", b""]) + message)
    return b"".join(out)


def random_packets(draw: random.Random, count: int) -> bytes:
    """MoldUDP64 packets of two sessions with gaps, copies, heartbeats and ends."""
    out = []
    numbers = {b"000000001A": 1, b"000000002B": 5}
    for _ in range(count):
        session = draw.choice(list(numbers))
        messages = [random_message(draw, draw.choice(list(LAYOUTS))) for _ in range(draw.choice([0, 1, 2, 7]))]
        first = max(1, numbers[session] + draw.choice([0, 0, 0, 0, 3, -1, -4]))
        header_count = draw.choice([0, END_OF_SESSION]) if not messages else len(messages)
        if draw.random() < 0.05:
            first = 0
        else:
            numbers[session] = max(numbers[session], first + len(messages))
        blocks = b"".join(struct.pack(">H", len(message)) + message for message in messages)
        out.append(struct.pack(">10sQH", session, first, header_count) + blocks)
    return b"".join(out)
