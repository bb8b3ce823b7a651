"""The groups: each a list of rows. A row builds its contenders when its turn comes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """``smoke`` runs are short: they show that everything works, not how fast it is."""

    smoke: bool = False

    def count(self, full: int, smoke: int) -> int:
        return smoke if self.smoke else full
