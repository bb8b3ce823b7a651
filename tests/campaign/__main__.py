"""``python -m tests.campaign feeds|orders --runs 10000``: seeded faults in virtual time, for as long as you like.

feeds: exits 1 if a run ended with a book that was wrong and trusted. orders: exits 1 if an order was lost or doubled,
is not resolved, or positions are not the brokers' own. The seeds are printed: make them regression lines of
``tests/campaign/test_feeds.py`` and ``test_orders.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import TYPE_CHECKING

from tests.campaign import orders
from tests.campaign.virtual import VirtualRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def one_of_feeds(seed: int) -> tuple[int, list[str], dict[str, int]]:
    outcome = VirtualRun(seed).run()
    texts = [*outcome.errors, *outcome.at_rest]
    faults = "; ".join(str(fault) for fault in outcome.faults)
    return seed, [faults, *texts] if texts else [], {"frames": outcome.frames, "comparisons": outcome.checks}


def one_of_orders(seed: int, cut: int | None = None) -> tuple[int, list[str], dict[str, int]]:
    outcome = orders.run(seed, cut)
    counts = dict.fromkeys(("lost", "doubled", "unresolved", "position_errors", "other"), 0)
    counts |= dict.fromkeys(outcome.kinds(), 1)
    return seed if cut is None else cut, outcome.problems, counts | {"kills": outcome.kills, "bytes": outcome.bytes}


def every_byte(seed: int) -> range:
    """The bytes of a session's journal at which its process may die."""
    return range(4_096, orders.run(seed).bytes)


def results(
    arguments: argparse.Namespace, pool: ProcessPoolExecutor
) -> Iterator[tuple[int, list[str], dict[str, int]]]:
    seeds: Iterable[int] = range(arguments.seed, arguments.seed + arguments.runs)
    if arguments.subject == "feeds":
        return pool.map(one_of_feeds, seeds)
    if arguments.every_byte:
        cuts = every_byte(arguments.seed)
        arguments.runs = len(cuts)
        return pool.map(one_of_orders, repeat(arguments.seed), cuts, chunksize=16)
    return pool.map(one_of_orders, seeds, chunksize=4)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("subject", choices=["feeds", "orders"])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each further run has the next one")
    parser.add_argument("--every-byte", action="store_true", help="of orders: one session, killed at each journal byte")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    arguments = parser.parse_args()
    start, sums, wrong = time.monotonic(), {}, []
    shown = sys.stderr if arguments.json else sys.stdout
    try:
        with ProcessPoolExecutor(arguments.jobs) as pool:
            for done, (seed, texts, counts) in enumerate(results(arguments, pool), 1):
                sums = {name: sums.get(name, 0) + count for name, count in counts.items()}
                if texts:
                    wrong.append(seed)
                    print(f"{seed}: {texts[0]}", *texts[1:4], sep="\n    ", file=shown, flush=True)
                if not done % 1_000:
                    print(f"{done} runs, {len(wrong)} wrong", file=shown, flush=True)
                if sys.stderr.isatty():
                    print(f"\r{done}/{arguments.runs} runs, {len(wrong)} wrong", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    seconds = round(time.monotonic() - start)
    if arguments.json:
        print(json.dumps({"runs": arguments.runs, **sums, "wrong": wrong, "seconds": seconds}))
    else:
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sums.items())
        print(f"{arguments.runs} runs, {told}, {seconds} s; wrong: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
