"""Live market data: frames to composed books in memory, and the whole way over loopback."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from bench import generate_crypto
from bench.feed_client import Load, run
from bench.frames import START_MS, frame_texts, symbols_of
from bench.generate_crypto import BASES, Message
from bench.groups import Setting
from bench.measure import MEBIBYTES, NS, RATE, Contender, Contest, Row, local
from bench.peers import cryptofeed

OURS = "engine"
COMPOSED = ("polygon", "alpaca-sip", "alpaca-iex", "polygon-2")

MEMORY = """
import resource, sys
from bench.groups.feed import composing_loop

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

step, total = int(sys.argv[1]), int(sys.argv[2])
go = composing_loop(step)
go()
before = resident()
for _ in range(total // step - 1):
    go()
print(max(resident() - before, 0))
"""


def sources(symbols: list[str]) -> tuple[Any, list[int]]:
    """A composer with four lines of quotes, and their sources."""
    from engine import Books, Instruments
    from engine._native.compose import Composer
    from engine._native.wire import FrameDecoder
    from engine.core.venues import provider_id, venue_id

    instruments = Instruments(symbols)
    composer = Composer(instruments, Books(instruments))
    iex = venue_id("IEXG")
    found = []
    for line in COMPOSED:
        provider, top = line.partition("-")[0], line == "alpaca-iex"
        venue = {"venue": "IEXG", "quotes": "top"} if top else {}
        decoder = FrameDecoder(provider, provider=provider, **venue)
        for number, symbol in enumerate(symbols):
            decoder.map(symbol, number)
        role = "top" if top else "nbbo"
        source = composer.add_source(provider_id(provider), role, iex if top else 0, decoder=decoder)
        for number in range(len(symbols)):
            composer.subscribe(source, number)
        found.append(source)
    return composer, found


def prepared(count: int, quotes: int, symbols: list[str]) -> list[list[bytes]]:
    """``count`` quotes over four lines, in frames, each line's own."""
    draw = random.Random(7)
    return [
        [
            text.encode()
            for text in frame_texts(
                line.removesuffix("-2"), symbols, count // quotes // len(COMPOSED), quotes, draw, timeless=True
            )
        ]
        for line in COMPOSED
    ]


def composing_loop(count: int, quotes: int = 1) -> Callable[[], None]:
    """A function that brings ``count`` quotes of four lines, in turns, into composed books, again and again."""
    symbols = symbols_of(250)
    composer, numbers = sources(symbols)
    turns = zip(*prepared(count, quotes, symbols), strict=True)
    frames = [(source, frame) for group in turns for source, frame in zip(numbers, group, strict=True)]
    receive, ts_recv = composer.receive, START_MS * 1_000_000 + 3_600 * 10**9

    def go() -> None:
        for source, frame in frames:
            receive(source, frame, ts_recv)
        composer.take_changes()

    return go


def composing(quotes: int) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        count, passes = setting.count(10_000, 4_000), setting.count(20, 1)
        go = composing_loop(count, quotes)

        def run(_: object) -> None:
            for _ in range(passes):  # over few frames, which lie in the core's cache as those of a socket do
                go()

        note = f"{count:,} quotes of 250 symbols on four lines (Massive twice, Alpaca SIP and IEX), {quotes} a frame"
        return Contest(local(OURS, count * passes, lambda: None, run), (), note)

    return build


def depth_source(composer: Any) -> int:
    """A source of order books of all symbols: Alpaca's, which are Kraken's."""
    from engine._native.wire import FrameDecoder
    from engine.core.venues import provider_id, venue_id

    decoder = FrameDecoder("alpaca-crypto", provider="alpaca", venue="KRKN")
    source = int(composer.add_source(provider_id("alpaca"), "depth", venue_id("KRKN"), decoder=decoder))
    for number, base in enumerate(BASES):
        decoder.map(f"{base}/USD", number)
        composer.subscribe(source, number)
    return source


def crypto_loop(composer: Any, snapshot: Sequence[Message], updates: Sequence[Message]) -> Contender:
    """Every frame into the composed books, then what changed to a function that does nothing."""
    source, ts_recv = depth_source(composer), updates[-1].time + 1_000_000
    before, frames = ([generate_crypto.alpaca(one).encode() for one in part] for part in (snapshot, updates))

    def nothing(_: Any) -> None:
        pass

    def prepare() -> Any:
        composer.reset(source, ts_recv)
        for frame in before:
            composer.receive(source, frame, ts_recv)
        composer.take_changes()
        return nothing

    def run(callback: Callable[[Any], None]) -> None:
        receive, take_changes = composer.receive, composer.take_changes
        for frame in frames:
            receive(source, frame, ts_recv)
            callback(take_changes())

    return local(OURS, sum(len(one.bids) + len(one.asks) for one in updates), prepare, run)


def crypto(per: int) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        from engine import Books, Instruments
        from engine._native.compose import Composer

        count = setting.count(100_000, 2_000)
        stream = generate_crypto.stream(count)
        snapshot = generate_crypto.snapshots(stream.snapshot)
        updates = generate_crypto.messages(stream.updates, per, count // per - len(BASES))
        theirs = updates[: setting.count(30_000, 1_000) // per]
        instruments = Instruments([f"{base}/USD" for base in BASES])
        ours = crypto_loop(Composer(instruments, Books(instruments)), snapshot, updates)
        peers = tuple(cryptofeed.contender(exchange, snapshot, theirs) for exchange in cryptofeed.EXCHANGES)
        return Contest(ours, peers, f"{ours.operations:,} level updates of {len(BASES)} books, {per} a frame; {CRYPTO}")

    return build


def hop(name: str, percentile: str, load: Load, *, busy_poll: bool = False) -> Callable[[Setting], Contest]:
    """A percentile of one hop, of the frames of all lines that users were told of, in a run of its own each round."""

    def build(setting: Setting) -> Contest:
        this = Load(load.lines, load.symbols, setting.count(load.frames, 500), load.rate, load.quotes, load.stamp)

        def one_round() -> int:
            return int(run(this, busy_poll=busy_poll).together[name][percentile])

        note = f"{load.rate:,.0f} frames a second on {len(load.lines)} lines; client and generator on a core each"
        return Contest(Contender(OURS, 1, one_round), (), note)

    return build


def sustained(quotes: int) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        load = Load(frames=setting.count(60_000, 500) // quotes, quotes=quotes)
        messages = load.frames * len(load.lines) * quotes

        def one_round() -> int:
            return int(run(load).seconds * 1e9)

        note = f"four lines x 250 symbols, {quotes} a frame, sent as fast as they are read by a process of its own"
        return Contest(Contender(OURS, messages, one_round), (), note)

    return build


def memory(setting: Setting) -> Contest:
    step, total = ("100000", "10000000") if not setting.smoke else ("1000", "3000")

    def one_round() -> int:
        child = [sys.executable, "-c", MEMORY, step, total]
        return int(subprocess.run(child, check=True, capture_output=True, text=True).stdout)

    return Contest(Contender(OURS, 1, one_round), (), f"growth of resident memory from message {step} to {total}")


CRYPTO = (
    "the same prices and sizes to everybody. Ours: Alpaca's crypto orderbooks through decoder and composer with its "
    "checks, exact integers, sorted at once; what changed is taken and given to an empty function each frame. "
    "cryptofeed: its message handler with Bitstamp's or Kraken's frames (JSON, Decimal, its own book, which sorts when "
    "it is read, and nobody reads), checksums not validated, an empty callback awaited each frame. No sockets"
)
PACED = Load(frames=10_000, rate=10_000)
STAMPED = Load(lines=("alpaca-sip",), frames=15_000, rate=10_000, stamp=True)
_CALL = "200 cycles for the call, 250 bytes read, four 64-byte stores and two levels of one book"
_LEVEL = "80 cycles: 35 bytes, two keys compared, two numbers, a level found and set, a tenth of two calls"

ROWS = [
    Row("compose", "frame to composed book, 4 lines, frames of one", NS, composing(1), 50.0, _CALL),
    Row(
        "compose_10",
        "frame to composed book, 4 lines, frames of ten",
        NS,
        composing(10),
        30.0,
        "the same without the call",
    ),
    Row("crypto", "crypto level updates in JSON frames to books, ten a frame", NS, crypto(10), 20.0, _LEVEL),
    Row(
        "crypto_1",
        "crypto level updates in JSON frames to books, one a frame",
        NS,
        crypto(1),
        75.0,
        "300 cycles: two calls and a callback, 100 bytes, a time read, a level found and set",
    ),
    Row("callback", "frame callback to user callback returned, p50", NS, hop("returned", "p50", PACED)),
    Row("callback_p99", "frame callback to user callback returned, p99", NS, hop("returned", "p99", PACED)),
    Row(
        "stamp",
        "sender's stamp to user callback returned, p50, sleeping",
        NS,
        hop("total", "p50", STAMPED),
        scaled=False,
    ),
    Row("stamp_p99", "the same, p99", NS, hop("total", "p99", STAMPED), scaled=False),
    Row("stamp_busy", "the same, p50, busy-poll", NS, hop("total", "p50", STAMPED, busy_poll=True), scaled=False),
    Row("sustained", "4 lines x 250 symbols over loopback, frames of one", RATE, sustained(1), scaled=False),
    Row("sustained_10", "the same, frames of ten, quotes", RATE, sustained(10), scaled=False),
    Row("memory", "10 million messages: growth of memory", MEBIBYTES, memory, scaled=False),
]
