"""``python -m tests.campaign feeds --runs 10000``: seeded faults in virtual time, for as long as you like.

Exits 1 if a run ended with a book that was wrong and trusted, and prints its seed: make it a regression line of
``tests/campaign/test_feeds.py``.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.campaign.virtual import VirtualRun


def one(seed: int) -> tuple[int, list[str], int, int, list[str]]:
    outcome = VirtualRun(seed).run()
    return seed, outcome.errors + outcome.at_rest, outcome.frames, outcome.checks, [str(f) for f in outcome.faults]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("subject", choices=["feeds"])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each further run has the next one")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    start, frames, checks, wrong = time.monotonic(), 0, 0, []
    try:
        with ProcessPoolExecutor(arguments.jobs) as pool:
            for done, (seed, errors, some, compared, faults) in enumerate(pool.map(one, seeds), 1):
                frames, checks = frames + some, checks + compared
                if errors:
                    wrong.append(seed)
                    print(f"seed {seed}: {'; '.join(faults)}", *errors[:3], sep="\n    ", flush=True)
                if not done % 1_000:
                    print(f"{done} runs, {len(wrong)} wrong", flush=True)
                if sys.stderr.isatty():
                    print(f"\r{done}/{arguments.runs} runs, {len(wrong)} wrong", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    seconds = time.monotonic() - start
    print(f"{arguments.runs} runs, {frames} frames, {checks} comparisons, {seconds:.0f} s; wrong: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
