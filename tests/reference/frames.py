"""Twin of ``native/wire``'s general path: frames of JSON through ``json`` and ``Decimal``, one message at a time.

What all formats share stands here; ``wire_polygon.py`` and its like map the messages.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

import numpy as np

from engine.core.events import EVENT, Flag, Kind, Side

DEPTH_MAX = 64
TEXT_MAX = 64
INT64_MAX = 2**63 - 1
SYMBOL = re.compile(r"[!-~]{1,32}")
NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
UNFINISHED = re.compile(r"-?[0-9]+(?:\.(?![0-9])|(?:\.[0-9]+)?[eE](?![+-]?[0-9]))")
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
COUNTS = (
    *("frames", "bytes", "events", "other", "unknown_symbols", "unknown_venues", "malformed", "inexact", "invalid"),
    "other_dropped",
)


class Number(str):
    """A JSON number as it is written."""


class InvalidError(Exception):
    """A field is missing or of the wrong type: the message is dropped."""


class MalformedError(Exception):
    """The bytes are no JSON."""


class InexactError(Exception):
    """A number that is no int64 count: the message is dropped, if nothing in it is invalid."""


def refuse(text: str) -> Any:
    raise ValueError(text)


DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=refuse)


def exact(text: str, scale: int) -> int:
    """The count of 10**-scale in the text of a number.

    Raises:
        InvalidError: no number of JSON, or a negative one. InexactError: no such count, or not in int64.
    """
    match = NUMBER.fullmatch(text)
    if match is None:
        raise InvalidError(text)
    sign, whole, fraction, exponent = match.groups()
    digits = (whole + (fraction or "")).strip("0")
    if not digits:
        return 0
    behind = len((whole + (fraction or "")).rstrip("0")) - len(whole + (fraction or ""))
    power = ten_to(exponent or "0") - len(fraction or "") - behind + scale
    if power < 0 or len(digits) + power > 19:
        raise InexactError(text)
    count = int(Decimal(digits).scaleb(power, EXACT))
    if count > INT64_MAX:
        raise InexactError(text)
    if sign:
        raise InvalidError(text)
    return count


def ten_to(exponent: str) -> int:
    """The exponent; one of more digits than any frame can make up for is cut."""
    digits = exponent.lstrip("+-").lstrip("0")[:18] or "0"
    return -int(digits) if exponent[0] == "-" else int(digits)


def amount(value: Any) -> int:
    """A price or quantity; missing or null is 0."""
    if value is None:
        return 0
    if not isinstance(value, Number):
        raise InvalidError(value)
    return exact(value, 9)


def amount_text(value: Any) -> int:
    """The same, which may be a string."""
    if isinstance(value, str) and not isinstance(value, Number):
        if len(value.encode("utf-8", "surrogatepass")) > TEXT_MAX:
            raise InvalidError(value)
        return exact(value, 9)
    return amount(value)


def whole(value: Any, absent: int = 0) -> int:
    """A whole number, 0 or more."""
    if value is None:
        return absent
    if not isinstance(value, Number):
        raise InvalidError(value)
    try:
        return exact(value, 0)
    except InexactError:
        raise InvalidError(value) from None


def unix_ns(time: int) -> int:
    """A time in ns, of ms, microseconds or ns: the first that fits."""
    for unit in (1_000_000, 1_000):
        if time <= INT64_MAX // unit:
            return time * unit
    return time


def trade_id(value: Any) -> tuple[int, int]:
    """(order_id, flags)."""
    if value is None:
        return 0, 0
    if isinstance(value, Number):
        return whole(value), 0
    if not isinstance(value, str):
        raise InvalidError(value)
    text = value.encode("utf-8", "surrogatepass")
    if len(text) > TEXT_MAX:
        raise InvalidError(value)
    if re.fullmatch(rb"0|[1-9][0-9]*", text) and int(text) < 2**64:
        return int(text), 0
    result = 0xCBF29CE484222325
    for byte in text:
        result = (result ^ byte) * 0x100000001B3 % 2**64
    return result, Flag.HASHED_ID


class Faults:
    """Reads every field of a message, so that what is invalid outweighs what is inexact."""

    def __init__(self) -> None:
        self.worst: type[Exception] | None = None

    def read(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (InvalidError, InexactError) as error:
            self.worst = InvalidError if InvalidError in {self.worst, type(error)} else InexactError
            return trade_id(None) if function is trade_id else 0

    def check(self) -> None:
        if self.worst is not None:
            raise self.worst


@dataclass
class FrameTwin:
    """A decoder of one connection. ``message`` of a subclass turns one JSON object into rows."""

    provider: int
    venue: int = 0
    quotes: str = "nbbo"
    symbols: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(COUNTS, 0)))
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    other: list[bytes] = field(default_factory=list)
    ts_recv: int = 0
    problem: bool = False

    def message(self, fields: dict[str, Any], raw: bytes) -> None:
        raise NotImplementedError

    def receive_bytes(self, data: bytes, ts_recv: int = 0) -> np.ndarray:
        self.rows, self.other, self.ts_recv = [], [], ts_recv
        try:
            text, broken = data.decode("utf-8"), False
        except UnicodeDecodeError as error:
            text, broken = data[: error.start].decode("utf-8"), True
        try:
            end = self.frame(text)
            self.problem = broken or end != len(text)
        except MalformedError:
            self.problem = True
        self.counts.update(frames=1, bytes=len(data), events=len(self.rows), other=len(self.other))
        self.counts["malformed"] += self.problem
        return np.array(self.rows, EVENT)

    def frame(self, text: str) -> int:
        """Walks the text; where it ended."""
        at = blanks(text, 0)
        if text[at : at + 1] != "[":
            return blanks(text, self.element(text, at))
        at = blanks(text, at + 1)
        if text[at : at + 1] == "]":
            return blanks(text, at + 1)
        while True:
            at = blanks(text, self.element(text, at))
            if text[at : at + 1] == "]":
                return blanks(text, at + 1)
            if text[at : at + 1] != ",":
                raise MalformedError(at)
            at = blanks(text, at + 1)

    def element(self, text: str, at: int) -> int:
        try:
            value, end = DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise MalformedError(at) from None
        if depth(value) > DEPTH_MAX:
            raise MalformedError(at)
        if isinstance(value, Number) and UNFINISHED.match(text, at):
            raise MalformedError(end)  # json stops before a point or exponent without digits
        raw = text[at:end].encode()
        if not isinstance(value, dict):
            self.other.append(raw)
            return end
        try:
            self.message(value, raw)
        except InvalidError:
            self.counts["invalid"] += 1
        except InexactError:
            self.counts["inexact"] += 1
        return end

    def instrument(self, symbol: Any) -> int | None:
        """None if it is not mapped."""
        if not isinstance(symbol, str) or isinstance(symbol, Number):
            raise InvalidError(symbol)
        found = self.symbols.get(symbol) if SYMBOL.fullmatch(symbol) else None
        self.counts["unknown_symbols"] += found is None
        return found

    def row(self, kind: Kind, **fields: int) -> None:
        values = {"ts_recv": self.ts_recv, "provider": self.provider, "kind": kind, **fields}
        self.rows.append(tuple(values.get(name, 0) for name in EVENT.names))

    def quote(self, bid: tuple[int, int, int], ask: tuple[int, int, int], **fields: int) -> None:
        """(venue, price, quantity) of both sides."""
        for side, flags, (venue, price, quantity) in ((Side.BID, 0, bid), (Side.ASK, Flag.LAST, ask)):
            kind = Kind.QUOTE if self.quotes == "top" else Kind.NBBO
            own = self.venue if self.quotes == "top" else venue
            self.row(kind, venue=own, side=side, flags=flags, price=price, quantity=quantity, **fields)


def blanks(text: str, at: int) -> int:
    while text[at : at + 1] in {" ", "\t", "\n", "\r"}:
        at += 1
    return at


def depth(value: Any) -> int:
    """Brackets within brackets."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(depth, inside), default=0)
