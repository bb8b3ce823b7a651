"""What it costs to have the engine at all: time to import, memory of many books. Each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from bench.groups import Setting
from bench.measure import MEBIBYTES, MILLISECONDS, Contender, Contest, Row

IMPORT = "import time; start = time.perf_counter_ns(); import {}; print(time.perf_counter_ns() - start)"

MEMORY = """
import resource, sys
import numpy as np
from engine.core.events import EVENT, Flag, Kind
from engine.core.instruments import Instruments
from engine import Books

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

instruments, venues, levels = int(sys.argv[1]), 16, 10
names = Instruments([f"S{number}" for number in range(instruments)])
before = resident()
books = Books(names)
batch = np.zeros(venues * levels * 2, EVENT)
batch["kind"], batch["flags"], batch["quantity"] = Kind.LEVEL, Flag.LAST, 100 * 10**9
batch["venue"] = np.repeat(np.arange(1, venues + 1), levels * 2)
batch["side"] = np.tile(np.repeat([1, 2], levels), venues)
distance = np.tile(np.arange(levels), venues * 2)
for number in range(instruments):
    batch["instrument"] = number
    batch["price"] = ((5_000 + number) + np.where(batch["side"] == 1, -distance, distance + 1)) * 10**7
    books.apply(batch)
print(resident() - before)
"""


def child(*arguments: str) -> int:
    """The number a Python process prints."""
    return int(subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout)


def import_time(_: Setting) -> Contest:
    ours = Contender("engine", 1, lambda: child("-c", IMPORT.format("engine")))
    return Contest(
        ours, (Contender("numpy", 1, lambda: child("-c", IMPORT.format("numpy"))),), "a fresh interpreter each"
    )


def memory(setting: Setting) -> Contest:
    instruments = str(setting.count(10_000, 200))
    ours = Contender("engine", 1, lambda: child("-c", MEMORY, instruments))
    return Contest(
        ours, (), f"{instruments} instruments, 16 venues, 10 levels a side and venue; growth of resident memory"
    )


ROWS = [
    Row("import", "import engine", MILLISECONDS, import_time, scaled=False),
    Row("memory", "10,000 instruments on 16 venues", MEBIBYTES, memory, scaled=False),
]
