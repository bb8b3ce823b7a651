"""Captures: packets put into pcap and pcapng, and taken out of them again, slowly."""

from __future__ import annotations

import struct

MAGIC = {"us": 0xA1B2C3D4, "ns": 0xA1B23C4D}


def ethernet(payload: bytes, *, tags: int = 0, options: int = 0, padding: int = 0) -> bytes:
    """A UDP datagram over IPv4 (``options`` words of them) in an Ethernet frame with VLAN tags and padding."""
    udp = struct.pack(">HHHH", 32_001, 32_001, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBHII", 0x45 + options, 0, 20 + 4 * options + len(udp), 1, 0x4000, 1, 17, 0, 1, 2)
    tag = b"".join(struct.pack(">HH", 0x8100, 141) for _ in range(tags))
    return bytes(12) + tag + b"\x08\x00" + ip + bytes(4 * options) + udp + bytes(padding)


def classic(frames: list[tuple[int, bytes]], *, order: str = "<", unit: str = "us") -> bytes:
    """A pcap file of (ns since epoch, frame)."""
    out = [struct.pack(order + "IHHiIII", MAGIC[unit], 2, 4, 0, 0, 65_535, 1)]
    for time, frame in frames:
        fraction = time % 10**9 // (1_000 if unit == "us" else 1)
        out.append(struct.pack(order + "IIII", time // 10**9, fraction, len(frame), len(frame)) + frame)
    return b"".join(out)


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str = "<", link: int = 1, resolution: int | None = 9, offset: int = 0) -> bytes:
    """An interface description; resolution None leaves the option out (microseconds)."""
    options = b""
    if resolution is not None:
        options += struct.pack(order + "HHB3x", 9, 1, resolution)
    if offset:
        options += struct.pack(order + "HHq", 14, 8, offset)
    return block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options + struct.pack(order + "HH", 0, 0))


def enhanced(ticks: int, frame: bytes, order: str = "<", number: int = 0) -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(order, 6, head + frame)


def next_generation(frames: list[tuple[int, bytes]], order: str = "<") -> bytes:
    """A pcapng file with nanosecond stamps."""
    return section(order) + interface(order) + b"".join(enhanced(time, frame, order) for time, frame in frames)


def payloads(data: bytes) -> list[tuple[int, bytes]]:
    """(ns since epoch, UDP payload) of every packet of a little-endian classic capture."""
    (magic,) = struct.unpack_from("<I", data)
    unit = {number: 1_000 if name == "us" else 1 for name, number in MAGIC.items()}[magic]
    out, at = [], 24
    while at < len(data):
        seconds, fraction, captured, _ = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16 : at + 16 + captured]
        ip = 14
        while frame[ip - 2 : ip] == b"\x81\x00":
            ip += 4
        udp = ip + (frame[ip] & 15) * 4
        (length,) = struct.unpack_from(">H", frame, udp + 4)
        out.append((seconds * 10**9 + fraction * unit, frame[udp + 8 : udp + length]))
        at += 16 + captured
    return out
