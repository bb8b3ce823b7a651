"""Random event streams for books, and the comparison of a native book with its slow twin.

Streams are made whole from a seed with NumPy, or by hypothesis in small pieces that shrink. Prices come from
*regimes*: sets that are hard on one design or another (fine ticks after coarse ones, sparse, extreme).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from engine.core.events import EVENT, Flag, Kind, Side
from engine.core.units import NANOS, from_nanos

CENT = NANOS // 100
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)

PRICE_KINDS = {
    Kind.LEVEL: 80,
    Kind.QUOTE: 5,
    Kind.CLEAR: 1,
    Kind.TRADE: 5,
    Kind.ADD: 1,
    Kind.NBBO: 1,
    Kind.NONE: 1,
    200: 1,
}
ORDER_KINDS = {
    Kind.ADD: 40,
    Kind.REDUCE: 12,
    Kind.DELETE: 16,
    Kind.REPLACE: 12,
    Kind.EXECUTE: 12,
    Kind.LEVEL: 3,
    Kind.CLEAR: 0.2,
    Kind.TRADE: 2,
    Kind.QUOTE: 0.5,
    Kind.STATUS: 1,
}


# prices by regime: (generator, how many, side as 1 or 2) -> counts of 1e-9


def touch(rng: np.random.Generator, side: np.ndarray) -> np.ndarray:
    """Cents within 20 of a mid that drifts; crosses now and then."""
    mid = 10_000 + np.cumsum(rng.integers(-1, 2, side.size) * (rng.random(side.size) < 0.05))
    away = rng.geometric(0.25, side.size) - 2 * (rng.random(side.size) < 0.02)
    return np.where(side == Side.BID, mid - away, mid + away) * CENT


def sparse(rng: np.random.Generator, side: np.ndarray) -> np.ndarray:
    """Cents from 0.05 to 700,000 dollars."""
    return np.exp(rng.uniform(math.log(5), math.log(70_000_000), side.size)).astype(np.int64) * CENT


def finer(rng: np.random.Generator, side: np.ndarray) -> np.ndarray:
    """Cents at first, then tenths of cents, then single counts, so the common tick falls again and again."""
    steps = np.array([CENT, CENT // 10, CENT // 1000, 7, 1])
    step = steps[np.minimum(np.arange(side.size) * 5 // max(1, side.size), 4)]
    return touch(rng, side) + rng.integers(-3, 4, side.size) * step


def alternating(rng: np.random.Generator, side: np.ndarray) -> np.ndarray:
    """Ticks that have little in common, one after another."""
    step = rng.choice([CENT, 3, 25 * CENT, NANOS, 1_000 * NANOS, 12_345_678_901], side.size)
    return rng.integers(-20, 21, side.size) * step


def extreme(rng: np.random.Generator, side: np.ndarray) -> np.ndarray:
    """The ends of int64, zero, and what lies next to them."""
    ends = [INT64_MAX, INT64_MAX - 1, -INT64_MAX, -INT64_MAX + 1, INT64_MIN, 0, 1, -1, CENT, 2**62, -(2**62)]
    return rng.choice(np.array(ends, np.int64), side.size)


def anywhere(rng: np.random.Generator, side: np.ndarray) -> np.ndarray:
    """Any int64; almost no price is hit twice."""
    return rng.integers(-INT64_MAX, INT64_MAX, side.size)


def deep(rng: np.random.Generator, side: np.ndarray) -> np.ndarray:
    """Thousands of levels of one cent."""
    away = rng.integers(0, 5_000, side.size)
    return np.where(side == Side.BID, 1_000_000 - away, 1_000_001 + away) * CENT


REGIMES: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    regime.__name__: regime for regime in (touch, sparse, finer, alternating, extreme, anywhere, deep)
}


def random_stream(
    seed: int,
    n: int,
    kinds: Mapping[int, float],
    regime: str = "touch",
    *,
    last: float | None = None,
    ids: int = 200,
    venues: Sequence[int] = (0,),
    instruments: Sequence[int] = (0,),
    huge: float = 0.0,
) -> np.ndarray:
    """``n`` events; ``last`` is the share with Flag.LAST, ``huge`` that of quantities near the end of int64."""
    rng = np.random.default_rng(seed)
    events = np.zeros(n, EVENT)
    weights = np.array(list(kinds.values()))
    events["kind"] = rng.choice(np.array(list(kinds), np.uint8), n, p=weights / weights.sum())
    events["side"] = rng.integers(1, 3, n)
    events["price"] = REGIMES[regime](rng, events["side"])
    odd = rng.random(n) < 0.01
    events["side"][odd] = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), int(odd.sum()))
    events["quantity"] = rng.integers(0, 6, n) * rng.choice([NANOS, 100 * NANOS, 1], n)
    events["quantity"][rng.random(n) < 0.005] = -1
    large = rng.random(n) < huge
    events["quantity"][large] = rng.choice(np.array([INT64_MAX, INT64_MAX - 1, 2**62]), int(large.sum()))
    events["order_id"] = rng.integers(0, ids, n)
    events["order_id"][rng.random(n) < 0.01] = 2**64 - 1
    events["ts_event"] = 1_700_000_000 * NANOS + np.cumsum(rng.integers(-2, 1_000, n))
    events["ts_recv"] = events["ts_event"] + rng.integers(0, 5_000, n)
    events["venue"] = rng.choice(np.array(venues, np.uint16), n)
    events["instrument"] = rng.choice(np.array(instruments, np.uint32), n)
    events["flags"] = np.where(rng.random(n) < 0.3, Flag.KEEP_PRIORITY, 0)
    if last is not None:
        events["flags"] |= np.where(rng.random(n) < last, Flag.LAST, 0).astype(np.uint8)
    return events


# hypothesis: few distinct values, so that events meet

TIMES = st.integers(0, 20) | st.sampled_from([INT64_MIN, INT64_MAX, -1])
PRICES = (
    st.integers(9_990, 10_010).map(lambda cents: cents * CENT)
    | st.integers(-3, 3)
    | st.sampled_from([INT64_MAX, -INT64_MAX, INT64_MIN, 10_000 * CENT + 1, 10_000 * CENT + CENT // 2, 700_000 * NANOS])
)
QUANTITIES = (
    st.integers(0, 3).map(lambda lots: lots * 100 * NANOS)
    | st.integers(0, 2)
    | st.sampled_from([INT64_MAX, INT64_MAX - 1, 2**62, -1, INT64_MIN])
)
SIDES = st.sampled_from([Side.BID, Side.ASK]) | st.sampled_from([Side.BID, Side.ASK, Side.NONE, 3, 255])
FLAGS = st.sampled_from([0, Flag.LAST, Flag.KEEP_PRIORITY, Flag.LAST | Flag.KEEP_PRIORITY, Flag.SNAPSHOT])
IDS = st.integers(0, 8) | st.sampled_from([2**64 - 1, 2**63, 2**32])


def event_arrays(
    kinds: Sequence[int], *, venues: Sequence[int] = (0,), instruments: Sequence[int] = (0,), most: int = 40
) -> st.SearchStrategy[np.ndarray]:
    """Arrays of up to ``most`` events; the kinds named come most of the time, all others now and then."""
    wanted = st.sampled_from(list(kinds))
    kind = st.one_of(wanted, wanted, wanted, st.sampled_from([*Kind, 13, 255]))
    names = ["ts_event", "price", "quantity", "order_id", "instrument", "venue", "kind", "side", "flags"]
    row = st.tuples(
        TIMES, PRICES, QUANTITIES, IDS, st.sampled_from(instruments), st.sampled_from(venues), kind, SIDES, FLAGS
    )

    def build(rows: list[tuple[int, ...]]) -> np.ndarray:
        events = np.zeros(len(rows), EVENT)
        for event, values in zip(events, rows, strict=True):
            for name, value in zip(names, values, strict=True):
                event[name] = value
        events["ts_recv"] = np.arange(len(rows))
        return events

    return st.lists(row, max_size=most).map(build)


# comparison


def plain(result: Any) -> Any:
    """A result as something that compares: nan equal to nan, arrays as lists."""
    if isinstance(result, np.ndarray):
        return [plain(row) for row in result.tolist()]
    if isinstance(result, tuple | list):
        return [plain(item) for item in result]
    if isinstance(result, float) and math.isnan(result):
        return "nan"
    return result


def ask(book: Any, name: str, *arguments: Any, **options: Any) -> Any:
    """One reading of one book, or the name of what it raised."""
    try:
        return plain(getattr(book, name)(*arguments, **options))
    except ValueError:
        return "ValueError"


def questions(twin: Any) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Every reading of a book, with amounts that end inside, at the end of and beyond what it shows."""
    asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        (name, (), {})
        for name in ("bbo", "mid", "spread", "spread_bps", "microprice", "imbalance", "time_weighted_spread")
    ]
    asked += [("depth", (n,), {}) for n in (0, 1, 3, 10, 11, 20)]
    asked += [("ladder", (n,), {}) for n in (0, 1, 10, 128, 129)]
    asked += [("imbalance", (n,), {}) for n in (0, 2, 5, 1_000)]
    asked += [("total", (side,), {}) for side in ("bid", "sell", Side.ASK)]
    asked += [
        ("total", ("bid", 2), {}),
        ("total", (Side.ASK, 3), {}),
        ("total", ("neither",), {}),
        ("total", ("bid", 0), {}),
    ]
    for way, side in ("buy", Side.ASK), ("sell", Side.BID):
        rows = twin.levels(side)
        shown = min(sum(row.quantity for row in rows), INT64_MAX - 1)
        first = rows[0].quantity if rows else 1
        for amount in dict.fromkeys((0, 1, first, shown // 2, shown, shown + 1, INT64_MAX)):
            quantity = from_nanos(amount)
            asked += [(name, (way, quantity), {}) for name in ("walk", "fill_price", "impact_bps")]
            asked.append(("impact_bps", (way, quantity), {"volume": 5e10, "volatility": 0.02, "coefficient": 0.7}))
    asked += [
        ("walk", ("buy", 250), {}),
        ("walk", ("sell", 0.5), {}),
        ("walk", ("buy", -1), {}),
        ("walk", ("up", 1), {}),
    ]
    return asked


def assert_agree(native: Any, twin: Any) -> None:
    """Every reading of the two is the same, bit for bit."""
    for name, arguments, options in questions(twin):
        ours, theirs = ask(native, name, *arguments, **options), ask(twin, name, *arguments, **options)
        assert ours == theirs, f"{name}{arguments}{options}: native {ours}, twin {theirs}"
    assert counted(native) == counted(twin)


def counted(book: Any) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: count for name, count in book.counts.items() if count}


def pieces(events: np.ndarray, seed: int, longest: int) -> list[np.ndarray]:
    """The stream cut at random into arrays of up to ``longest`` events, empty ones among them."""
    rng = np.random.default_rng(seed)
    cuts = np.cumsum(rng.integers(0, longest + 1, 2 * events.size // longest + 2))
    return np.split(events, cuts[cuts < events.size])
