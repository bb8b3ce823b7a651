"""msgpack byte by byte (github.com/msgpack/msgpack, spec.md), with numbers as the text they mean: twin of
``native/wire/packed.cpp``.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.core.units import NANOS
from tests.reference.frames import DEPTH_MAX, MalformedError, Number


@dataclass(frozen=True)
class Extension:
    """An extension."""

    code: int
    body: bytes

    def time(self) -> int | None:
        """Nanoseconds of a timestamp from 1970 on, None for anything else."""
        match self.code, len(self.body):
            case -1, 4:
                nanos, seconds = 0, int.from_bytes(self.body)
            case -1, 8:
                word = int.from_bytes(self.body)
                nanos, seconds = word >> 34, word & (1 << 34) - 1
            case -1, 12:
                nanos, seconds = struct.unpack(">Iq", self.body)
            case _:
                return None
        time = seconds * NANOS + nanos
        return time if nanos < NANOS and seconds >= 0 and time < 2**63 else None


def shortest(value: Any) -> Any:
    """What a float says: a whole number itself, else the shortest decimal text that reads back as this float of its
    width; infinite and nan are no numbers.
    """
    if not math.isfinite(value):
        return Extension(0, b"")
    if abs(value) < 2**63 and float(value).is_integer():
        return Number(int(value))
    return Number(repr(value.item()) if value.dtype == np.float64 else str(value))


@dataclass
class Packed:
    """A frame read value by value."""

    data: bytes
    at: int = 0

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise MalformedError(self.at)
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def text(self, size: int) -> str:
        return self.take(size).decode("latin-1")  # a character a byte, whatever they are

    def extension(self, size: int) -> Extension:
        code = int.from_bytes(self.take(1), signed=True)
        return Extension(code, self.take(size))

    def head(self) -> tuple[str, Any]:
        """What comes next: "value" and it, or "array" and "map" with their sizes."""
        code = self.number(1)
        if code <= 0x7F:
            return "value", Number(code)
        if code >= 0xE0:
            return "value", Number(code - 0x100)
        if code <= 0x8F:
            return "map", code & 0x0F
        if code <= 0x9F:
            return "array", code & 0x0F
        if code <= 0xBF:
            return "value", self.text(code & 0x1F)
        if code >= 0xDC:
            return ("array", "map")[code >= 0xDE], self.number((2, 4)[code & 1])
        return "value", self.tagged(code)

    def tagged(self, code: int) -> Any:
        match code:
            case 0xC0 | 0xC2 | 0xC3:
                return {0xC0: None, 0xC2: False, 0xC3: True}[code]
            case 0xC4 | 0xC5 | 0xC6:
                return self.take(self.number(1 << code - 0xC4))
            case 0xC7 | 0xC8 | 0xC9:
                return self.extension(self.number(1 << code - 0xC7))
            case 0xCA:
                return shortest(np.float32(struct.unpack(">f", self.take(4))[0]))
            case 0xCB:
                return shortest(np.float64(struct.unpack(">d", self.take(8))[0]))
            case 0xCC | 0xCD | 0xCE | 0xCF:
                return Number(self.number(1 << code - 0xCC))
            case 0xD0 | 0xD1 | 0xD2 | 0xD3:
                return Number(int.from_bytes(self.take(1 << code - 0xD0), signed=True))
            case 0xD4 | 0xD5 | 0xD6 | 0xD7 | 0xD8:
                return self.extension(1 << code - 0xD4)
            case 0xD9 | 0xDA | 0xDB:
                return self.text(self.number(1 << code - 0xD9))
        raise MalformedError(self.at - 1)

    def value(self, deep: int = 0) -> Any:
        kind, value = self.head()
        if kind == "value":
            return value
        if deep == DEPTH_MAX or value * (2 if kind == "map" else 1) > len(self.data) - self.at:
            raise MalformedError(self.at)
        if kind == "array":
            return [self.value(deep + 1) for _ in range(value)]
        pairs = [(self.value(deep + 1), self.value(deep + 1)) for _ in range(value)]
        return {key: value for key, value in pairs if type(key) is str}


def elements(data: bytes) -> Iterator[tuple[Any, bytes]]:
    """Value and bytes of each element of the array that a frame is; a single value is its only element."""
    frame = Packed(data)
    kind, count = frame.head()
    if kind != "array":
        frame.at, count = 0, 1
    for _ in range(count):
        begin = frame.at
        value = frame.value()
        yield value, data[begin : frame.at]
    if frame.at != len(data):
        raise MalformedError(frame.at)


# --- frames to test with ---


def pack(draw: random.Random, value: Any) -> bytes:
    """A value in any of the forms msgpack has for it."""
    match value:
        case None | False | True:
            return bytes([{None: 0xC0, False: 0xC2, True: 0xC3}[value]])
        case bytes():
            return value  # packed already
        case Extension():
            return pack_extension(value)
        case int():
            return pack_integer(draw, value)
        case float():
            single = draw.random() < 0.1 and abs(value) < 1e38
            return struct.pack(">cf" if single else ">cd", b"\xca" if single else b"\xcb", value)
        case str():
            text = value.encode()
            return (
                pack_size(draw, len(text), {0: (0xA0, 32), 1: (0xD9, 2**8), 2: (0xDA, 2**16), 4: (0xDB, 2**32)}) + text
            )
        case list():
            head = pack_size(draw, len(value), {0: (0x90, 16), 2: (0xDC, 2**16), 4: (0xDD, 2**32)})
            return head + b"".join(pack(draw, element) for element in value)
    return pack_map(draw, list(value.items()))


def pack_map(draw: random.Random, pairs: list[tuple[Any, Any]]) -> bytes:
    head = pack_size(draw, len(pairs), {0: (0x80, 16), 2: (0xDE, 2**16), 4: (0xDF, 2**32)})
    return head + b"".join(pack(draw, part) for pair in pairs for part in pair)


def pack_size(draw: random.Random, size: int, forms: dict[int, tuple[int, int]]) -> bytes:
    """One of the heads that can hold the size, mostly the shortest."""
    fitting = [(width, code) for width, (code, limit) in forms.items() if size < limit]
    width, code = draw.choice(fitting) if draw.random() < 0.1 else fitting[0]
    return bytes([code + size]) if width == 0 else bytes([code]) + size.to_bytes(width)


def pack_integer(draw: random.Random, value: int) -> bytes:
    forms = [bytes([value % 256])] if -32 <= value < 128 else []
    for place, size in enumerate((1, 2, 4, 8)):
        if 0 <= value < 2 ** (8 * size):
            forms.append(bytes([0xCC + place]) + value.to_bytes(size))
        if -(2 ** (8 * size - 1)) <= value < 2 ** (8 * size - 1):
            forms.append(bytes([0xD0 + place]) + value.to_bytes(size, signed=True))
    return draw.choice(forms) if draw.random() < 0.2 else forms[0]


def pack_extension(value: Extension) -> bytes:
    size, code = len(value.body), value.code.to_bytes(1, signed=True)
    if size in {1, 2, 4, 8, 16}:
        return bytes([0xD4 + size.bit_length() - 1]) + code + value.body
    return b"\xc7" + size.to_bytes(1) + code + value.body


def timestamp(draw: random.Random, time: int) -> Extension:
    """A time as msgpack's own extension, in any form that can hold it."""
    seconds, nanos = divmod(time, NANOS)
    forms = [Extension(-1, struct.pack(">Iq", nanos, seconds)), Extension(-1, (nanos << 34 | seconds).to_bytes(8))]
    if nanos == 0 and seconds < 2**32:
        forms.append(Extension(-1, seconds.to_bytes(4)))
    return draw.choice(forms) if draw.random() < 0.3 else forms[1]
