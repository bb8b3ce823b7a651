"""Frames as providers send them, made from a seed: for the load generator and for rows that decode from memory."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from itertools import count
from typing import Final

LETTERS: Final = "QNPZK"  # Alpaca's names of XNAS XNYS ARCX BATS EDGX
NUMBERS: Final = (12, 10, 11, 19, 7)  # Massive's of the same
START_MS: Final = 1_767_623_400_000  #: 2026-01-05 09:30 in New York


def symbols_of(number: int) -> list[str]:
    """Made-up symbols: AAAA, AAAB, ..."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [
        "A" + letters[index // 676 % 26] + letters[index // 26 % 26] + letters[index % 26] for index in range(number)
    ]


def frame_texts(line: str, symbols: list[str], frames: int, quotes: int, draw: random.Random) -> list[str]:
    """``frames`` frames of ``quotes`` messages each; all lines quote near the same prices, one millisecond a frame."""
    message = {
        "polygon": _polygon,
        "alpaca-sip": _alpaca,
        "alpaca-iex": _alpaca_iex,
        "alpaca": _alpaca_iex,
        "finnhub": _finnhub,
    }[line]
    sequence = count(1)
    texts = []
    for frame in range(frames):
        parts = []
        for _ in range(quotes):
            index = draw.randrange(len(symbols))
            bid = 2_000 + 37 * index + draw.randrange(4)  # cents
            parts.append(message(symbols[index], bid, draw, START_MS + frame, next(sequence)))
        if line == "finnhub":
            texts.append('{"data":[' + ",".join(parts) + '],"type":"trade"}')
        else:
            texts.append("[" + ",".join(parts) + "]")
    return texts


def _price(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}".rstrip("0").rstrip(".")


def _polygon(symbol: str, bid: int, draw: random.Random, ms: int, sequence: int) -> str:
    first, second = draw.randrange(5), draw.randrange(5)
    return (
        f'{{"ev":"Q","sym":"{symbol}","bx":{NUMBERS[first]},"bp":{_price(bid)},"bs":{100 * (1 + draw.randrange(30))},'
        f'"ax":{NUMBERS[second]},"ap":{_price(bid + 1 + draw.randrange(3))},"as":{100 * (1 + draw.randrange(30))},'
        f'"c":0,"i":[604],"t":{ms},"q":{sequence},"z":3}}'
    )


def _alpaca(symbol: str, bid: int, draw: random.Random, ms: int, sequence: int) -> str:
    return _alpaca_quote(symbol, bid, draw, ms, LETTERS[draw.randrange(5)], LETTERS[draw.randrange(5)])


def _alpaca_iex(symbol: str, bid: int, draw: random.Random, ms: int, sequence: int) -> str:
    return _alpaca_quote(symbol, bid, draw, ms, "V", "V")


def _alpaca_quote(symbol: str, bid: int, draw: random.Random, ms: int, bid_letter: str, ask_letter: str) -> str:
    stamp = datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return (
        f'{{"T":"q","S":"{symbol}","bx":"{bid_letter}","bp":{_price(bid)},"bs":{100 * (1 + draw.randrange(30))},'
        f'"ax":"{ask_letter}","ap":{_price(bid + 1 + draw.randrange(3))},"as":{100 * (1 + draw.randrange(30))},'
        f'"c":["R"],"z":"C","t":"{stamp}{draw.randrange(1000):03d}Z"}}'
    )


def _finnhub(symbol: str, bid: int, draw: random.Random, ms: int, sequence: int) -> str:
    return f'{{"c":["1","12"],"p":{_price(bid)},"s":"{symbol}","t":{ms},"v":{1 + draw.randrange(300)}}}'


def encoded(text: str) -> bytes:
    """One unmasked WebSocket text frame (RFC 6455 section 5.2), as servers send it."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        head = bytes([0x81, size])
    elif size < 1 << 16:
        head = bytes([0x81, 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x81, 127]) + size.to_bytes(8, "big")
    return head + payload


def stamped(frame: bytes) -> bytes:
    """An Alpaca frame of one quote whose time is now. The time is its last field, 30 characters before `"}]`."""
    now = time.time_ns()
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9))
    return frame[:-33] + b"%s.%09dZ" % (text.encode(), now % 10**9) + frame[-3:]
