"""Floors and goals: what a run is held against."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from bench.measure import RATE, Result

PATH: Final = Path(__file__).with_name("budgets.toml")
MEASURES: Final = ("times_faster", "times_cost", "at_4_ghz")

Verdict = Literal["goal", "floor", "missed", "not measured"]


@dataclass(frozen=True)
class Budget:
    row: str
    measure: str
    floor: float
    goal: float
    peer: str | None = None


@dataclass(frozen=True)
class Outcome:
    """``verdict`` is what was reached: the goal, the floor, neither; or nothing, for the ``reason`` given."""

    budget: Budget
    value: float | None
    verdict: Verdict
    reason: str = ""

    @property
    def passed(self) -> bool:
        return self.verdict in {"goal", "floor"}


def load(path: Path = PATH) -> list[Budget]:
    """The budgets of a file.

    Raises:
        ValueError: an entry with other keys, an unknown measure, or a comparison without a peer.
    """
    with path.open("rb") as file:
        document = tomllib.load(file)
    return [_budget(entry, path.name) for entry in document.get("budget", [])]


def _budget(entry: dict[str, Any], name: str) -> Budget:
    try:
        budget = Budget(**entry)
    except TypeError as error:
        raise ValueError(f"{name}: {entry!r}: {error}") from None
    if budget.measure not in MEASURES:
        raise ValueError(f"{name}: measure is {budget.measure!r}; expected one of {', '.join(MEASURES)}")
    if (budget.peer is None) != (budget.measure == "at_4_ghz"):
        raise ValueError(
            f"{name}: {budget.row}: {budget.measure} {'needs a' if budget.peer is None else 'takes no'} peer"
        )
    return budget


def check(results: Iterable[Result], budgets: Iterable[Budget]) -> list[Outcome]:
    """An outcome for each budget whose group was run; a row that was not measured has missed it."""
    by_key = {f"{result.group}.{result.row.key}": result for result in results}
    groups = {key.partition(".")[0] for key in by_key}
    return [_outcome(budget, by_key.get(budget.row)) for budget in budgets if budget.row.partition(".")[0] in groups]


def _outcome(budget: Budget, result: Result | None) -> Outcome:
    if result is None:
        return Outcome(budget, None, "not measured", "the row was not run")
    if result.ours.absent is not None:
        return Outcome(budget, None, "not measured", result.ours.absent)
    if budget.peer is None:
        value = result.at_reference_clock(result.ours.median)
        return Outcome(budget, value, _verdict(value, budget, more_is_better=result.row.unit == RATE))
    peer = next((peer for peer in result.peers if peer.name == budget.peer), None)
    if peer is None or peer.absent is not None:
        return Outcome(budget, None, "not measured", "no such peer" if peer is None else str(peer.absent))
    value = result.times_faster(peer)
    if budget.measure == "times_cost":
        return Outcome(budget, 1 / value, _verdict(1 / value, budget, more_is_better=False))
    return Outcome(budget, value, _verdict(value, budget, more_is_better=True))


def _verdict(value: float, budget: Budget, *, more_is_better: bool) -> Verdict:
    sign = 1 if more_is_better else -1
    if sign * value >= sign * budget.goal:
        return "goal"
    return "floor" if sign * value >= sign * budget.floor else "missed"
