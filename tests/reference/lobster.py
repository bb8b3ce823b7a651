"""LOBSTER message files, read slowly: one row at a time, numbers as ``Decimal``."""

from __future__ import annotations

import random
import re
from decimal import ROUND_HALF_UP, Decimal

from engine.core.events import Condition, Flag, Kind, Side, Status
from engine.core.units import NANOS
from tests.reference.wire import INT64_MAX, Malformed, Skip, Twin, fits

KINDS = {
    1: Kind.ADD,
    2: Kind.REDUCE,
    3: Kind.DELETE,
    4: Kind.EXECUTE,
    5: Kind.TRADE,
    6: Kind.TRADE,
    7: Kind.STATUS,
}
HALTS = {-1: Status.HALTED, 0: Status.QUOTE_ONLY, 1: Status.TRADING}
ROW = re.compile(rb"(\d{1,9}(?:\.\d+)?),(\d),(-?\d{1,20}),(\d{1,18}),(-?\d{1,18}),(-?\d{1,18})(,[^\n]*)?")
ROW_MAX = 1024


class LobsterTwin(Twin):
    """Decodes a whole file of the instrument with id 0; problems stand at their row's number."""

    def stream(self, data: bytes, instrument: int = 0) -> None:
        rows = data.split(b"\n")
        if rows[-1] == b"":
            rows.pop()
        number = 0
        try:
            for number, raw in enumerate(rows, 1):
                row = raw.removesuffix(b"\r")
                try:
                    if len(raw) >= ROW_MAX:
                        self.refuse(number)
                    if row:
                        self.row(row, number, instrument)
                except Skip:
                    continue
        except Malformed:
            self.error = number

    def row(self, row: bytes, number: int, instrument: int) -> None:
        if not (match := ROW.fullmatch(row)):
            self.refuse(number)
        time = Decimal(match[1].decode())
        kind, order, size, price, direction = (int(match[place]) for place in range(2, 7))
        ts_event = self.midnight + int((time * NANOS).quantize(Decimal(1), ROUND_HALF_UP))
        stamps = {"ts_event": ts_event, "sequence": number, "instrument": instrument}
        if kind not in KINDS or abs(order) >= 2**64:
            self.refuse(number)
        if kind == 7:
            if price not in HALTS:
                self.refuse(number)
            self.emit(Kind.STATUS, **stamps, conditions=HALTS[price])
        else:
            if (match[3].startswith(b"-") and kind != 6) or direction not in {1, -1}:
                self.refuse(number)
            if not fits(price * 100_000) or size * NANOS > INT64_MAX:
                self.refuse(number)
            self.emit(
                KINDS[kind],
                **stamps,
                order_id=0 if match[3].startswith(b"-") else order,
                side=Side.BID if direction == 1 else Side.ASK,
                price=price * 100_000,
                quantity=size * NANOS,
                flags=Flag.LAST | (Flag.HIDDEN if kind == 5 else 0),
                conditions=Condition.AUCTION if kind == 6 else 0,
            )
        self.counts[f"lobster.{kind}"] += 1


def random_rows(draw: random.Random, count: int, end: bytes = b"\n") -> bytes:
    """Well-formed rows of every type."""
    rows = []
    for _ in range(count):
        kind = draw.randint(1, 7)
        digits = draw.choice([0, 1, 8, 9, 12])
        time = str(draw.randint(34_200, 57_600)) + (
            "." + "".join(draw.choices("0123456789", k=digits)) if digits else ""
        )
        order = -1 if kind == 6 else draw.choice([0, draw.randint(1, 10**8), 2**64 - 1])
        size = draw.choice([draw.randint(1, 5_000), INT64_MAX // NANOS])
        price = (
            draw.choice([-1, 0, 1]) if kind == 7 else draw.choice([draw.randint(1, 10**8), INT64_MAX // 100_000, -5])
        )
        direction = -1 if kind == 7 else draw.choice([1, -1])
        more = draw.choice(["", "", "", ",null"])
        rows.append(f"{time},{kind},{order},{size},{price},{direction}{more}".encode() + end)
    return b"".join(rows)
