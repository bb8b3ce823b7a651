"""The slow twin of native/journal/records: what a record is, bit by bit."""

from __future__ import annotations

import random
import struct
from typing import NamedTuple

HEAD = struct.Struct("<IIQqIBBH")
PAYLOAD_MAX = 1 << 24


class Entry(NamedTuple):
    sequence: int
    now: int
    kind: int
    version: int
    place: int
    payload: bytes


def crc32c(data: bytes, crc: int = 0) -> int:
    """CRC-32C with the reflected polynomial 0x82F63B78 (RFC 3720, appendix B.4), a bit at a time."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def encode(entry: Entry, seed: int) -> bytes:
    """A record's bytes."""
    head = HEAD.pack(0, len(entry.payload), entry.sequence, entry.now, entry.place, entry.kind, entry.version, 0)
    rest = head[4:] + entry.payload + bytes(-len(entry.payload) % 8)
    return struct.pack("<I", crc32c(rest, seed)) + rest


def decode(data: bytes, seed: int) -> tuple[Entry | None, int, bool]:
    """(the record data begins with, its bytes, whether data may only be too short for one)."""
    if len(data) < HEAD.size:
        return None, 0, True
    crc, length, sequence, now, place, kind, version, reserved = HEAD.unpack_from(data)
    if reserved or length > PAYLOAD_MAX:
        return None, 0, False
    size = HEAD.size + length + -length % 8
    if size > len(data):
        return None, 0, True
    if crc != crc32c(data[4:size], seed):
        return None, 0, False
    return Entry(sequence, now, kind, version, place, data[HEAD.size : HEAD.size + length]), size, False


def read_records(data: bytes, seed: int, sequence: int) -> tuple[list[Entry], int, bool]:
    """The records data begins with, one sequence after the other; the bytes of them; whether another may begin."""
    entries: list[Entry] = []
    at = 0
    while True:
        entry, size, more = decode(data[at:], seed)
        if entry is None or entry.sequence != sequence + len(entries):
            return entries, at, more
        entries.append(entry)
        at += size


def find_record(data: bytes, start: int, seed: int) -> tuple[int, int, int] | None:
    """(offset, sequence, place) of the first record at a multiple of 8 from ``start`` on."""
    for at in range(start, len(data), 8):
        entry, _, _ = decode(data[at:], seed)
        if entry is not None and data[at : at + 8] != bytes(8):
            return at, entry.sequence, entry.place
    return None


def random_records(draw: random.Random, count: int) -> bytes:
    """Records of a few commits."""
    entries, place = [], 0
    for sequence in range(1, count + 1):
        payload = draw.randbytes(draw.randrange(40))
        entries.append(Entry(sequence, draw.getrandbits(40), draw.randrange(256), 1, place, payload))
        place = draw.choice([0, place + 1])
    return b"".join(encode(entry, 7) for entry in entries)
