"""Readings on small books worked out by hand; native and twin give the same, and the same as the formula."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine._native.batch import supported_targets
from engine._native.book import Book
from engine.core.events import EVENT, Kind, Quote, Side, Walk
from engine.core.units import NANOS
from tests.reference.book import Book as Twin
from tests.streams import CENT, INT64_MAX, ORDER_KINDS, PRICE_KINDS, REGIMES, ask, plain, questions, random_stream

SHARES = NANOS
BIDS = {10_000: 300, 9_998: 500, 9_990: 1_000}  # cents: shares
ASKS = {10_002: 100, 10_003: 200, 10_010: 700}


@pytest.fixture(params=[Book, Twin], ids=["native", "twin"])
def book(request: pytest.FixtureRequest) -> Any:
    made = request.param(by="price")
    for side, held in ("bid", BIDS), ("ask", ASKS):
        for cents, shares in held.items():
            made.set(side, cents * CENT, shares * SHARES)
    return made


@pytest.fixture(params=[Book, Twin], ids=["native", "twin"])
def empty(request: pytest.FixtureRequest) -> Any:
    return request.param(by="price")


def test_the_top(book: Any) -> None:
    assert book.bbo() == Quote(100.0, 300.0, 100.02, 100.0, 0, 0)
    assert isinstance(book.bbo(), Quote)
    assert book.mid() == 100.01
    assert book.spread() == 0.02
    assert book.spread_bps() == 0.02 / 100.01 * 1e4
    assert book.microprice() == (100.0 * 100.0 + 100.02 * 300.0) / 400.0
    assert book.imbalance() == 0.5
    assert book.imbalance(2) == (800 - 300) / (800 + 300)
    assert book.imbalance(levels=9) == (1_800 - 1_000) / 2_800


def test_levels_and_totals(book: Any) -> None:
    depth = book.depth(4)
    assert depth["bid_price"].tolist()[:3] == [100.0, 99.98, 99.9]
    assert math.isnan(depth["ask_price"][3])
    assert depth["ask_quantity"].tolist() == [100.0, 200.0, 700.0, 0.0]
    assert depth["bid_count"].tolist() == [0, 0, 0, 0]
    assert (book.total("bid"), book.total(Side.ASK), book.total("buy", 2), book.total("sell", levels=1)) == (
        1_800.0,
        1_000.0,
        800.0,
        100.0,
    )


def test_walking_the_visible_book(book: Any) -> None:
    walk = book.walk("buy", 250)
    assert isinstance(walk, Walk)
    assert walk == Walk((100 * 100.02 + 150 * 100.03) / 250, 100.03, 250.0, 0.0)
    assert book.walk("sell", "300") == Walk(100.0, 100.0, 300.0, 0.0)
    assert book.walk("sell", Decimal("300.5")).worst == 99.98
    thin = book.walk("buy", 1_500)
    assert (thin.worst, thin.quantity, thin.remaining) == (100.1, 1_000.0, 500.0)
    assert book.fill_price("buy", 100) == 100.02
    assert math.isnan(book.fill_price("buy", 1_001))
    assert plain(book.walk("buy", 0)) == ["nan", "nan", 0.0, 0.0]
    with pytest.raises(ValueError, match="quantity"):
        book.walk("buy", -1)


def test_impact_inside_and_beyond_the_book(book: Any) -> None:
    assert book.impact_bps("buy", 100) == (100.02 / 100.01 - 1) * 1e4
    assert book.impact_bps("sell", 300) == (1 - 100.0 / 100.01) * 1e4
    shown = book.impact_bps("buy", 1_000)
    assert book.impact_bps("buy", 4_000) == shown * 2.0  # the square root of four times what is shown
    law = 0.5 * 0.02 * math.sqrt(4_000 / 1e6) * 1e4
    assert book.impact_bps("buy", 4_000, volume=1e6, volatility=0.02, coefficient=0.5) == max(shown, law)
    assert book.impact_bps("buy", 4_000, volume=1e12, volatility=0.02) == shown  # never below what is visible
    with pytest.raises(ValueError, match="vol"):
        book.impact_bps("buy", 4_000, volume=1e6)


def test_an_empty_book_reads_nan_and_nothing(empty: Any) -> None:
    quote = empty.bbo()
    assert math.isnan(quote.bid)
    assert math.isnan(quote.ask)
    assert quote[1::2] == (0.0, 0.0, 0)
    for name in ("mid", "spread", "spread_bps", "microprice", "imbalance", "time_weighted_spread"):
        assert math.isnan(getattr(empty, name)()), name
    assert empty.total("bid") == 0.0
    assert empty.walk("buy", 5).remaining == 5.0
    assert math.isnan(empty.impact_bps("buy", 5))
    assert empty.counts.get("crossed", 0) == 0


def test_one_side_alone(empty: Any) -> None:
    empty.set("bid", 10_000 * CENT, 5)
    assert empty.imbalance() == 1.0
    assert empty.bbo().bid == 100.0
    assert math.isnan(empty.mid())
    assert math.isnan(empty.impact_bps("sell", 1))


def test_the_ends_of_int64_do_not_overflow(empty: Any) -> None:
    far = INT64_MAX - 1
    empty.set("bid", -far, INT64_MAX)
    empty.set("bid", -far + 1, INT64_MAX)
    empty.set("ask", far, INT64_MAX)
    assert empty.spread() == float(2 * far - 1) / 1e9
    assert empty.total("bid") == float(2 * INT64_MAX) / 1e9
    assert empty.imbalance(2) == 1 / 3
    walk = empty.walk("sell", Decimal(INT64_MAX).scaleb(-9))
    assert walk == Walk((-far + 1) / 1e9, (-far + 1) / 1e9, INT64_MAX / 1e9, 0.0)


@pytest.mark.parametrize("price", [INT64_MAX, -INT64_MAX, -INT64_MAX - 1])
def test_a_price_beyond_the_ends_is_counted(empty: Any, price: int) -> None:
    assert not empty.set("ask", price, 5)
    assert empty.counts["out_of_range"] == 1
    assert empty.bbo().ask_quantity == 0.0


def test_spread_is_weighted_by_the_time_it_stood(empty: Any) -> None:
    """2 cents for 10 ns, one-sided for 5, 4 cents for 30, crossed for 7, time that runs backwards."""
    steps = [
        (100, Side.BID, 10_000, 5),
        (100, Side.ASK, 10_002, 5),
        (110, Side.ASK, 10_002, 0),
        (115, Side.ASK, 10_004, 5),
        (145, Side.ASK, 9_999, 5),
        (152, Side.ASK, 9_999, 0),
        (150, Side.BID, 10_000, 5),
    ]
    events = np.zeros(len(steps), EVENT)
    events["kind"] = Kind.LEVEL
    events["ts_event"], events["side"], events["price"], events["quantity"] = zip(*steps, strict=True)
    events["price"] *= CENT
    empty.apply(events)
    assert empty.time_weighted_spread() == (2 * 10 + 4 * 30) * CENT / 40 / 1e9
    assert empty.bbo().ts_event == 150


def digest(kind: str) -> str:
    """Of every reading, again and again along streams of every regime."""
    total = hashlib.sha256()
    for regime in REGIMES:
        native, twin = Book(by=kind), Twin(by=kind)  # type: ignore[arg-type]
        events = random_stream(21, 1_200, PRICE_KINDS if kind == "price" else ORDER_KINDS, regime, huge=0.005)
        for part in np.split(events, 8):
            native.apply(part)
            twin.apply(part)
            for name, arguments, options in questions(twin):
                total.update(repr(ask(native, name, *arguments, **options)).encode())
    return total.hexdigest()


@pytest.mark.parametrize("kind", ["price", "order"])
def test_every_cpu_target_reads_the_same(kind: str, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    imports = "import sys; sys.path.append(sys.argv[1]); from tests.native.test_book_readings import digest"
    code = f"{imports}; print(digest(sys.argv[2]))"
    found = {}
    for target in supported_targets():
        environment = {**os.environ, "TICKFORGE_CPU": target}
        command = [sys.executable, "-c", code, str(root), kind]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        found[target] = done.stdout.strip()
    assert set(found.values()) == {digest(kind)}
    assert len(found) >= 1
