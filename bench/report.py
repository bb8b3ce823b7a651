"""What a run says: a table for people, a document for programs, rows for the diary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from bench.budgets import Budget, Outcome
from bench.measure import REFERENCE_GHZ, Measured, Result

STYLES = {"goal": "green", "floor": "yellow", "missed": "bold red", "not measured": "red"}


def figure(value: float) -> str:
    """Three digits that count."""
    if math.isnan(value):
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def reached(outcome: Outcome) -> str:
    """Value, floor, goal and verdict of one budget."""
    budget = outcome.budget
    value = "-" if outcome.value is None else figure(outcome.value)
    return f"{value} (floor {budget.floor:g}, goal {budget.goal:g}): {outcome.verdict}"


def table(results: Sequence[Result], outcomes: Sequence[Outcome]) -> Table:
    """A line for each row, and one below it for each peer."""
    lines = Table(title="median (best) of the rounds", title_justify="left")
    for name, where in (
        ("row", "left"),
        ("who", "left"),
        ("median (best)", "right"),
        (f"at {REFERENCE_GHZ:g} GHz", "right"),
        ("x limit", "right"),
        ("ours is faster (best)", "right"),
        ("p50 / p99 / p99.9 ns", "right"),
        ("floor, goal", "left"),
    ):
        lines.add_column(name, justify=where)  # type: ignore[arg-type]
    for result in results:
        key = f"{result.group}.{result.row.key}"
        mine = [outcome for outcome in outcomes if outcome.budget.row == key]
        for one in [result.ours, *result.peers]:
            ours = one is result.ours
            budget = [outcome for outcome in mine if outcome.budget.peer == (None if ours else one.name)]
            lines.add_row(
                Text(result.row.title if ours else ""),
                Text(one.name),
                *map(Text, _values(result, one, ours=ours)),  # a reason may hold "[bench]", which is no markup
                Text("\n").join(Text(reached(outcome), STYLES[outcome.verdict]) for outcome in budget),
                end_section=one is [result.ours, *result.peers][-1],
            )
    return lines


def _values(result: Result, one: Measured, *, ours: bool) -> list[str]:
    if one.absent is not None:
        return [f"absent: {one.absent}", "", "", "", ""]
    if not one.values:
        return ["not run", "", "", "", ""]
    unit = result.row.unit
    limit = result.times_limit() if ours else None
    return [
        f"{figure(one.median)} ({figure(one.best(unit))}) {unit}",
        figure(result.at_reference_clock(one.median)) if result.row.scaled else "",
        "" if limit is None else figure(limit),
        ""
        if ours or result.ours.absent
        else f"{figure(result.times_faster(one))}x ({figure(result.times_faster_at_best(one))}x)",
        "" if one.latencies is None else " / ".join(figure(value) for value in one.latencies.values()),
    ]


def document(environment: dict[str, Any], results: Sequence[Result], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The run as JSON has it."""
    return {
        "environment": environment,
        "reference_ghz": REFERENCE_GHZ,
        "rows": [_row(result) for result in results],
        "budgets": [
            {**_budget(outcome.budget), "value": outcome.value, "verdict": outcome.verdict, "reason": outcome.reason}
            for outcome in outcomes
        ],
        "passed": all(outcome.passed for outcome in outcomes) if outcomes else None,
    }


def _budget(budget: Budget) -> dict[str, Any]:
    return {
        "row": budget.row,
        "peer": budget.peer,
        "measure": budget.measure,
        "floor": budget.floor,
        "goal": budget.goal,
    }


def _row(result: Result) -> dict[str, Any]:
    row, ours = result.row, result.ours
    peers = []
    for peer in result.peers:
        entry = _measured(peer, row.unit)
        if peer.values and ours.values:
            entry["ours_is_times_faster"] = result.times_faster(peer)
            entry["ours_is_times_faster_at_best"] = result.times_faster_at_best(peer)
        peers.append(entry)
    return {
        "row": f"{result.group}.{row.key}",
        "title": row.title,
        "unit": row.unit,
        "note": result.note,
        "clock_ghz": None if math.isnan(result.clock_ghz) else result.clock_ghz,
        "ours": _measured(ours, row.unit),
        "ours_at_reference_clock": result.at_reference_clock(ours.median) if ours.values and row.scaled else None,
        "peers": peers,
        "limit": row.limit,
        "limit_reason": row.reason,
        "ours_times_limit": result.times_limit(),
    }


def _measured(one: Measured, unit: str) -> dict[str, Any]:
    if not one.values:
        return {"name": one.name, "absent": one.absent or "not run"}
    return {
        "name": one.name,
        "median": one.median,
        "best": one.best(unit),
        "rounds": one.values,
        **({"latency_ns": one.latencies} if one.latencies is not None else {}),
    }


def diary(environment: dict[str, Any], results: Sequence[Result], outcomes: Sequence[Outcome]) -> str:
    """A section of HISTORY.md."""
    versions = ", ".join(f"{name} {version or 'absent'}" for name, version in environment["versions"].items())
    lines = [
        f"## {environment['date'][:10]}, {environment['commit']}",
        "",
        f"{environment['cpu']}, {environment['cores']} cores at {environment['clock_ghz']} GHz, target "
        f"{environment['cpu_target']}, Python {environment['python']}; load {environment['load'][0]} before and "
        f"{environment['load_after'][0]} after; medians of {environment['rounds']} rounds by the "
        f"{environment['clock']} clock. {versions}.",
        "",
        f"| row | ours | best | at {REFERENCE_GHZ:g} GHz | x limit | peers | floors |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        key, unit = f"{result.group}.{result.row.key}", result.row.unit
        mine = "; ".join(
            f"{outcome.budget.peer + ' ' if outcome.budget.peer else ''}{reached(outcome)}"
            for outcome in outcomes
            if outcome.budget.row == key
        )
        peers = "; ".join(
            f"{peer.name} absent ({peer.absent})"
            if peer.absent
            else f"{peer.name} {figure(peer.median)} = {figure(result.times_faster(peer))}x"
            for peer in result.peers
            if peer.absent or result.ours.values
        )
        if not result.ours.values:
            lines.append(f"| {key} | absent: {result.ours.absent} | | | | {peers} | {mine} |")
            continue
        scaled = figure(result.at_reference_clock(result.ours.median)) if result.row.scaled else ""
        limit = result.times_limit()
        latencies = ""
        if result.ours.latencies is not None:
            latencies = (
                f"; {' / '.join(result.ours.latencies)} {' / '.join(map(figure, result.ours.latencies.values()))}"
            )
        lines.append(
            f"| {key} | {figure(result.ours.median)} {unit}{latencies} | {figure(result.ours.best(unit))} | {scaled} | "
            f"{'' if limit is None else figure(limit)} | {peers} | {mine} |"
        )
    return "\n".join([*lines, ""])
