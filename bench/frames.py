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


class _Quotes:
    """The quotes of one symbol on one line, one change after the other.

    Each has new sizes; three in ten name another exchange on a side, two in ten move a price by a cent, around a centre
    that all lines share. (Most changes of the real NBBO are of size and exchange.)
    """

    def __init__(self, index: int) -> None:
        self.centre = 2_000 + 37 * index  # cents
        self.bid, self.ask = self.centre, self.centre + 2
        self.exchanges = [index % 5, (index + 2) % 5]

    def change(self, draw: random.Random) -> _Quotes:
        chance = draw.randrange(10)
        if chance < 3:
            self.exchanges[chance % 2] = draw.randrange(5)
        elif chance == 3:
            self.bid = min(max(self.bid + 1 - 2 * draw.randrange(2), self.centre - 3), self.ask - 1)
        elif chance == 4:
            self.ask = max(min(self.ask + 1 - 2 * draw.randrange(2), self.centre + 5), self.bid + 1)
        return self


def frame_texts(
    line: str, symbols: list[str], frames: int, quotes: int, draw: random.Random, *, timeless: bool = False
) -> list[str]:
    """``frames`` frames of ``quotes`` messages each, of symbols drawn at random, one millisecond a frame.

    ``timeless``: all of one time and without numbers, so that they can be sent again and again.
    """
    message = {
        "polygon": _polygon,
        "alpaca-sip": _alpaca,
        "alpaca-iex": _alpaca_iex,
        "alpaca": _alpaca_iex,
        "finnhub": _finnhub,
    }[line]
    sequence = count(1)
    books = [_Quotes(index) for index in range(len(symbols))]
    texts = []
    for frame in range(frames):
        parts = []
        for _ in range(quotes):
            index = draw.randrange(len(symbols))
            quote = books[index].change(draw)
            stamp, number = (START_MS, 0) if timeless else (START_MS + frame, next(sequence))
            parts.append(message(symbols[index], quote, draw, stamp, number))
        if line == "finnhub":
            texts.append('{"data":[' + ",".join(parts) + '],"type":"trade"}')
        else:
            texts.append("[" + ",".join(parts) + "]")
    return texts


def _price(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}".rstrip("0").rstrip(".")


def _polygon(symbol: str, quote: _Quotes, draw: random.Random, ms: int, sequence: int) -> str:
    first, second = quote.exchanges
    bid = f'"bp":{_price(quote.bid)},"bs":{100 * (1 + draw.randrange(30))}'
    return (
        f'{{"ev":"Q","sym":"{symbol}","bx":{NUMBERS[first]},{bid},'
        f'"ax":{NUMBERS[second]},"ap":{_price(quote.ask)},"as":{100 * (1 + draw.randrange(30))},'
        f'"c":0,"i":[604],"t":{ms},"q":{sequence},"z":3}}'
    )


def _alpaca(symbol: str, quote: _Quotes, draw: random.Random, ms: int, sequence: int) -> str:
    return _alpaca_quote(symbol, quote, draw, ms, *(LETTERS[exchange] for exchange in quote.exchanges))


def _alpaca_iex(symbol: str, quote: _Quotes, draw: random.Random, ms: int, sequence: int) -> str:
    return _alpaca_quote(symbol, quote, draw, ms, "V", "V")


def _alpaca_quote(symbol: str, quote: _Quotes, draw: random.Random, ms: int, bid: str, ask: str) -> str:
    stamp = datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return (
        f'{{"T":"q","S":"{symbol}","bx":"{bid}","bp":{_price(quote.bid)},"bs":{100 * (1 + draw.randrange(30))},'
        f'"ax":"{ask}","ap":{_price(quote.ask)},"as":{100 * (1 + draw.randrange(30))},'
        f'"c":["R"],"z":"C","t":"{stamp}777Z"}}'
    )


def _finnhub(symbol: str, quote: _Quotes, draw: random.Random, ms: int, sequence: int) -> str:
    return f'{{"c":["1","12"],"p":{_price(quote.bid)},"s":"{symbol}","t":{ms},"v":{1 + draw.randrange(300)}}}'


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
