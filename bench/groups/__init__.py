"""The groups: each a list of rows. A row builds its contenders when its turn comes."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final

from bench.measure import Row

GROUPS: Final = ("book", "decode", "wire", "feed", "tape", "matching", "schedule", "journal", "step")


@dataclass(frozen=True)
class Setting:
    """``smoke`` runs are short: they show that everything works, not how fast it is."""

    smoke: bool = False

    def count(self, full: int, smoke: int) -> int:
        return smoke if self.smoke else full


def rows_of(group: str) -> list[Row]:
    return list(importlib.import_module(f"bench.groups.{group}").ROWS)
