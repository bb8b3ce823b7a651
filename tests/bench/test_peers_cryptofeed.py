"""cryptofeed ends with the books that we end with, and its absence is told."""

import sys

import pytest

from bench import generate_crypto
from bench.generate_crypto import BASES
from bench.groups import feed
from bench.measure import Absent
from bench.peers import apart, cryptofeed
from engine import Books, Instruments
from engine._native.compose import Composer
from engine.core.units import NANOS

STREAM = generate_crypto.stream(2_000)
SNAPSHOTS = generate_crypto.snapshots(STREAM.snapshot)
LEVELS = 5


def expected(updates):
    """[bids, asks] of every symbol, the best levels as (price, quantity) in counts of 1e-9."""
    books = [({}, {}) for _ in BASES]
    for one in [*SNAPSHOTS, *updates]:
        for side, levels in zip(books[one.symbol], (one.bids, one.asks), strict=True):
            side.update(levels)
            for price in [price for price, quantity in side.items() if not quantity]:
                del side[price]
    return [[sorted(bids.items(), reverse=True)[:LEVELS], sorted(asks.items())[:LEVELS]] for bids, asks in books]


@pytest.mark.parametrize("per", [1, 10])
@pytest.mark.parametrize("exchange", cryptofeed.EXCHANGES)
def test_cryptofeed_ends_with_the_books_round_after_round(exchange, per):
    if not cryptofeed.ENVIRONMENT.python.exists():
        pytest.skip("the peer is not installed: python -m bench --install-peers")
    updates = generate_crypto.messages(STREAM.updates, per, 1_000 // per)
    contender = cryptofeed.contender(exchange, SNAPSHOTS, updates)
    assert contender.operations == 1_000
    for _ in range(2):
        assert contender.round() > 0
        tops = cryptofeed.worker(exchange).ask({"do": "tops", "levels": LEVELS})["tops"]
        assert [[[*map(counts, side)] for side in book] for book in tops] == expected(updates)


def counts(level):
    return tuple(nanos(text) for text in level)


def nanos(text):
    whole, _, fraction = text.partition(".")
    return int(whole) * NANOS + int(fraction.ljust(9, "0"))


@pytest.mark.parametrize("per", [1, 10])
def test_ours_ends_with_the_books_round_after_round(per):
    updates = generate_crypto.messages(STREAM.updates, per, 1_000 // per)
    instruments = Instruments([f"{base}/USD" for base in BASES])
    books = Books(instruments)
    composer = Composer(instruments, books)
    contender = feed.crypto_loop(composer, SNAPSHOTS, updates)
    assert contender.operations == 1_000
    for turn in range(2):
        assert contender.round() > 0
        for base, sides in zip(BASES, expected(updates), strict=True):
            depth = books[f"{base}/USD"].venue_depth("KRKN", LEVELS)
            for name, levels in zip(("bid", "ask"), sides, strict=True):
                found = zip(depth[f"{name}_price"].tolist(), depth[f"{name}_quantity"].tolist(), strict=True)
                assert list(found) == [(price / NANOS, quantity / NANOS) for price, quantity in levels]
        line = composer.line(0)
        assert line["updates"] == (turn + 1) * (len(updates) + len(SNAPSHOTS))
        assert not any(line[name] for name in ("duplicates", "reordered", "replayed", "crossed", "waiting", "refused"))


def test_where_it_is_not_installed_the_reason_says_how(monkeypatch, tmp_path):
    monkeypatch.setenv("TICKFORGE_BENCH_PEERS", str(tmp_path))
    for cached in (cryptofeed.worker, cryptofeed.version):
        cached.cache_clear()
    found = cryptofeed.contender("kraken", SNAPSHOTS, generate_crypto.messages(STREAM.updates, 1, 10))
    assert found == Absent("cryptofeed, Kraken", "not installed: python -m bench --install-peers")
    assert cryptofeed.version() is None
    cryptofeed.version.cache_clear()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; sys.exit(3)", "the worker (ended with code 3|is gone)"),
        ("""input(); print('{"error": "no such exchange"}')""", "no such exchange"),
    ],
)
def test_a_worker_that_fails_says_what_it_said(tmp_path, script, message):
    path = tmp_path / "script.py"
    path.write_text(script)
    worker = apart.Worker(sys.executable, path)
    with pytest.raises(apart.WorkerError, match=message):
        worker.ask({"do": "round"})
    worker.close()
