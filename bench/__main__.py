"""``python -m bench``: runs groups of rows, ours and the peers in turns, and says what came out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench import budgets, environment, report
from bench.alone import measure_alone
from bench.groups import GROUPS, Setting, rows_of
from bench.measure import CLOCKS, LEAST_ROUNDS, Result, Row
from bench.peers import cryptofeed, nautilus

HISTORY = Path(__file__).with_name("HISTORY.md")


def chosen(groups: str, rows: str) -> list[tuple[str, Row]]:
    """The rows asked for, in the order of the suite. Raises click.BadParameter on a name that is none."""
    wanted = [name for name in groups.split(",") if name]
    for name in wanted:
        if name not in GROUPS:
            raise click.BadParameter(f"group is {name!r}; expected {', '.join(GROUPS)}")
    found = [(group, row) for group in GROUPS if not wanted or group in wanted for row in rows_of(group)]
    keys = [name for name in rows.split(",") if name]
    known = {row.key for _, row in found} | {f"{group}.{row.key}" for group, row in found}
    for name in keys:
        if name not in known:
            raise click.BadParameter(f"row is {name!r}; --list shows them")
    return [(group, row) for group, row in found if not keys or row.key in keys or f"{group}.{row.key}" in keys]


def show_list(console: Console) -> None:
    lines = Table("row", "what", "unit", "limit at 4 GHz", "why there")
    for group, row in chosen("", ""):
        limit = "" if row.limit is None else f"{row.limit:g}"
        lines.add_row(f"{group}.{row.key}", row.title, row.unit, limit, row.reason)
    console.print(lines)


def run(selected: list[tuple[str, Row]], setting: Setting, rounds: int, clock: str, console: Console) -> list[Result]:
    results = []
    with console.status("starting") as status:
        for number, (group, row) in enumerate(selected, 1):
            status.update(f"{number} of {len(selected)}: {group}.{row.key}")
            results.append(measure_alone(group, row, setting, rounds, clock))
            if not console.is_terminal:
                console.print(f"{group}.{row.key} done")
    return results


@click.command()
@click.option("--list", "only_list", is_flag=True, help="Show the rows and leave.")
@click.option("--group", "groups", default="", help="Groups to run, with commas; all if not given.")
@click.option("--row", "rows", default="", help="Rows to run, with commas; all of the groups if not given.")
@click.option("--runs", default=9, show_default=True, type=click.IntRange(min=LEAST_ROUNDS), help="Rounds that count.")
@click.option(
    "--clock", default="wall", show_default=True, type=click.Choice(list(CLOCKS)), help="What rounds are timed with."
)
@click.option("--smoke", is_flag=True, help="Short workloads: everything works, figures mean little.")
@click.option("--json", "json_path", is_flag=False, flag_value="-", help="Write the run as JSON to FILE, or to stdout.")
@click.option("--check", is_flag=True, help="Exit with 1 if a floor of bench/budgets.toml is missed or not measured.")
@click.option("--history", is_flag=True, help="Append the run to bench/HISTORY.md.")
@click.option("--install-peers", is_flag=True, help="Make the peers' own virtual environments and leave.")
def main(
    only_list: bool,
    groups: str,
    rows: str,
    runs: int,
    clock: str,
    smoke: bool,
    json_path: str | None,
    check: bool,
    history: bool,
    install_peers: bool,
) -> None:
    """Measures our hot paths and the peers side by side."""
    # without markup: "[bench]" in a reason or a path is text
    console = Console(stderr=json_path == "-", width=None if sys.stdout.isatty() else 180, markup=False, emoji=False)
    if only_list:
        show_list(console)
        return
    if install_peers:
        for peer in (nautilus, cryptofeed):
            console.print(f"installing {peer.NAME} {peer.VERSION} into {peer.ENVIRONMENT.home}")
            peer.install()
        return
    if smoke and (check or history):
        raise click.UsageError("--smoke figures are not for --check or --history")
    selected = chosen(groups, rows)
    facts: dict[str, Any] = {**environment.describe(), "rounds": runs, "clock": clock, "smoke": smoke}
    results = run(selected, Setting(smoke), runs, clock, console)
    facts["load_after"] = environment.load()
    outcomes = [] if smoke else budgets.check(results, budgets.load())
    if rows:  # what was left out on purpose has missed nothing
        outcomes = [outcome for outcome in outcomes if outcome.reason != "the row was not run"]
    console.print(report.table(results, outcomes))
    console.print(
        f"{facts['cpu']}, target {facts['cpu_target']}, clock {facts['clock_ghz']} GHz, "
        f"load {facts['load'][0]} before, {facts['load_after'][0]} after, {runs} rounds by the {clock} clock"
    )
    if json_path is not None:
        text = json.dumps(report.document(facts, results, outcomes), indent=1)
        if json_path == "-":
            click.echo(text)
        else:
            Path(json_path).write_text(text + "\n")
    if history:
        with HISTORY.open("a") as file:
            file.write("\n" + report.diary(facts, results, outcomes))
    if check and not all(outcome.passed for outcome in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
