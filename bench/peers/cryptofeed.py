"""cryptofeed: frames of an exchange through its own message handler into the books it keeps, in an environment apart.

Two of its exchanges take part under names of their own, since neither is its best everywhere. Measured with four:
Bitstamp is the fastest at ten updates a frame (Binance its equal), Kraken at one; Coinbase is slower at ten.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import measure
from bench.generate_crypto import BASES, FORMATS, Message
from bench.measure import Absent, Contender
from bench.peers.apart import Environment, Worker, WorkerError

NAME = "cryptofeed"
EXCHANGES = ("bitstamp", "kraken")
VERSION = "2.4.1"
ENVIRONMENT = Environment(NAME, VERSION)


def install() -> None:
    ENVIRONMENT.install()


@functools.cache
def version() -> str | None:
    """The version installed, or None."""
    return ENVIRONMENT.version()


@functools.cache
def worker(exchange: str) -> Worker:
    """One process for each exchange, so that two of one row stay apart."""
    return ENVIRONMENT.start("cryptofeed_worker.py")


def name_of(exchange: str) -> str:
    return f"{NAME}, {exchange.capitalize()}"


def contender(exchange: str, snapshot: Sequence[Message], updates: Sequence[Message]) -> Contender | Absent:
    """One level update is one operation. The worker of an exchange holds one contender."""
    write = FORMATS[exchange]
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "frames.json"
            path.write_text(json.dumps({"snapshot": [*map(write, snapshot)], "updates": [*map(write, updates)]}))
            worker(exchange).ask({"do": "load", "exchange": exchange, "bases": BASES, "path": str(path)})
    except WorkerError as error:
        return Absent(name_of(exchange), str(error))
    return Contender(
        name_of(exchange),
        sum(len(one.bids) + len(one.asks) for one in updates),
        lambda: int(worker(exchange).ask({"do": "round", "clock": measure.clock_name()})["ns"]),
    )
