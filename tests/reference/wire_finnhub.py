"""Twin of ``native/wire/finnhub.cpp``: prints, by finnhub.io/docs/api/websocket-trades."""

from __future__ import annotations

import random
from typing import Any

from engine.core.events import Flag, Kind
from tests.reference.codes import SALES_FINNHUB
from tests.reference.frames import Faults, FrameTwin, InexactError, InvalidError, amount, unix_ns, whole
from tests.reference.wire_alpaca import ODD_TEXTS, Raw, condition_bits, is_text, json_object, odd, random_price

TABLE = {str(number): bits for number, bits in SALES_FINNHUB.items()}


class FinnhubTwin(FrameTwin):
    """Frames of one connection; everything but trades goes to ``other``."""

    def message(self, fields: dict[str, Any], raw: bytes) -> None:
        if not is_text(fields.get("type")) or fields["type"] != "trade":
            self.other.append(raw)
            return
        trades = fields.get("data")
        if not isinstance(trades, list | None):
            raise InvalidError(trades)
        for trade in trades or ():
            try:
                self.trade(trade)
            except InvalidError:
                self.counts["invalid"] += 1
            except InexactError:
                self.counts["inexact"] += 1

    def trade(self, fields: Any) -> None:
        if not isinstance(fields, dict):
            raise InvalidError(fields)
        instrument = self.instrument(fields.get("s"))
        if instrument is None:
            return
        faults = Faults()
        time = unix_ns(faults.read(whole, fields.get("t")))
        price = faults.read(amount, "" if fields.get("p") is None else fields["p"])
        quantity = faults.read(amount, fields.get("v"))
        faults.check()
        self.row(
            Kind.TRADE,
            instrument=instrument,
            ts_event=time,
            price=price,
            quantity=quantity,
            conditions=condition_bits(fields.get("c"), TABLE),
            flags=Flag.LAST,
        )


# --- frames to test with ---

SYMBOLS = ("TSLA", "BINANCE:BTCUSDT", "OANDA:EUR_USD", "NOBODY")
MAPPED = {symbol: 10 + number for number, symbol in enumerate(SYMBOLS[:-1])}


def random_frame(draw: random.Random, count: int) -> bytes:
    """Prints, a share of them odd, in a frame that sometimes is no frame of prints."""
    texts = tuple(map(Raw, (*ODD_TEXTS, '["8","08","240","64","\\u0038",8]')))
    trades = []
    for _ in range(count):
        members = {"c": draw.choice([["1", "8"], ["24", "12"], [], None, [str(draw.randrange(45))]])}
        members |= {"p": random_price(draw), "s": draw.choice(SYMBOLS)}
        members |= {"t": draw.choice([1_672_348_887_195, 0, 2**53]), "v": random_price(draw)}
        pairs = odd(draw, members, texts) if draw.random() < 0.2 else list(members.items())
        trades.append(json_object(draw, pairs) if draw.random() < 0.98 else draw.choice(ODD_TEXTS))
    frame = {"data": Raw("[" + ",".join(trades) + "]"), "type": "trade"}
    pairs = odd(draw, frame, texts) if draw.random() < 0.1 else list(frame.items())
    return json_object(draw, pairs).encode()
