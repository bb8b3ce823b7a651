"""``engine replay`` on recorded files: the figures that stand in the data's README."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import engine
from engine.cli import main

HOUR = "AAPL_2012-06-21_34200000_37800000"
AMZN = ("AMZN_2012-06-21_34200000_57600000_message_1", "AMZN_2012-06-21_34200000_57600000_orderbook_1")
AAPL_10 = tuple(f"AAPL_2012-06-21_34200000_57600000_{kind}_10_first999" for kind in ("message", "orderbook"))
AAPL_50 = (f"{HOUR}_message_50_first672", f"{HOUR}_orderbook_50_first672")
AAPL_TOP = (f"{HOUR}_message_50", f"{HOUR}_orderbook_50_top1")
Data = Callable[[str], Path]


def replay(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["replay", *(str(argument) for argument in arguments), "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def lobster(data: Data, pair: tuple[str, ...], *options: object) -> dict[str, Any]:
    message, orderbook = (data(f"lobster/{name}.csv.xz") for name in pair)
    return replay("lobster", message, "--orderbook", orderbook, *options)


@pytest.mark.parametrize(
    ("pair", "rows", "taken", "unknown_orders"),
    [
        (AMZN, 57_515, 13_953, 7_467),
        (AAPL_10, 999, 318, None),
        (AAPL_50, 672, 108, None),
        (AAPL_TOP, 91_997, 7_224, 84),
    ],
)
def test_every_row_of_every_pair_matches(
    data: Data, tmp_path: Path, pair: tuple[str, ...], rows: int, taken: int, unknown_orders: int | None
) -> None:
    found = lobster(data, pair, "--verify", "--out", tmp_path / "rows.parquet")
    assert (found["rows"], found["matched"], found["first_mismatch"]) == (rows, rows - 1, None)
    assert found["taken_from_file"] == taken
    if unknown_orders is not None:
        assert found["unknown_orders"] == unknown_orders
    written = pq.read_table(tmp_path / "rows.parquet")
    lines = lzma.decompress(data(f"lobster/{pair[1]}.csv.xz").read_bytes()).split()
    expected = np.array([line.split(b",") for line in lines], np.int64)
    assert (np.column_stack([column.to_numpy() for column in written.columns]) == expected).all()


@pytest.mark.parametrize(
    ("pair", "options", "matched", "first"),
    [
        (AMZN, (), 52, 2),
        (AAPL_10, ("--depth", 1), 954, 440),
        (AAPL_50, ("--depth", 20), 671, None),
        (AAPL_50, (), 663, 506),
    ],
)
def test_free_runs_drift_as_stated(
    data: Data, pair: tuple[str, ...], options: tuple[object, ...], matched: int, first: int | None
) -> None:
    found = lobster(data, pair, *options)
    assert (found["matched"], found["first_mismatch"], found["taken_from_file"]) == (matched, first, 0)


def test_the_hour_from_fifty_levels(data: Data) -> None:
    found = lobster(data, AAPL_TOP, "--start", data(f"lobster/{AAPL_50[1]}.csv.xz"))
    assert (found["compared"], found["matched"], found["first_mismatch"]) == (91_996, 91_906, 54_606)


@pytest.mark.parametrize(
    ("path", "messages", "gaps", "packets", "heartbeats"),
    [
        (
            "iex/DEEP10.part1.pcap.gz",
            {"5": 10425, "8": 9947, "B": 44, "E": 59, "H": 93638, "O": 93638, "P": 93636, "S": 43, "T": 41398},
            11,
            72_788,
            7_857,
        ),
        (
            "iex/TOPS16.part1.pcap.gz",
            {"A": 490, "B": 2, "D": 10, "H": 7803, "O": 7800, "P": 7800, "Q": 17739, "S": 3, "T": 3942},
            0,
            7_813,
            None,
        ),
    ],
)
def test_iex_captures(
    data: Data, path: str, messages: dict[str, int], gaps: int, packets: int, heartbeats: int | None
) -> None:
    found = replay("iex", data(path))
    assert (found["messages"], found["gaps"], found["decoder"]["packets"]) == (messages, gaps, packets)
    assert found["messages_total"] == sum(messages.values())
    if heartbeats is not None:
        assert found["decoder"]["heartbeats"] == heartbeats


def test_the_itch_file(data: Data) -> None:
    found = replay("itch", data("itch/ex20101224.TEST_ITCH_50.gz"))
    kinds = {"A": 4997, "D": 1745, "E": 198, "F": 3, "H": 3, "P": 5000, "R": 3, "S": 6, "U": 12, "X": 45}
    assert (found["messages"], found["messages_total"]) == (kinds, 12_012)
    assert (found["unknown_orders"], found["gaps"], found["malformed"]) == (117, 0, 0)


@pytest.mark.parametrize(
    "path",
    [
        "iex/TOPS16.part1.pcap.gz",
        "iex/DEEP10.part1.pcap.gz",
        "itch/ex20101224.TEST_ITCH_50.gz",
        f"lobster/{AAPL_TOP[0]}.csv.xz",
    ],
)
def test_recorded_replays_give_the_same_events(data: Data, tmp_path: Path, path: str) -> None:
    source = engine.replay(data(path))
    source.record(tmp_path / "a.tape")
    tape = engine.replay(tmp_path / "a.tape")
    assert np.concatenate(list(tape)).tobytes() == np.concatenate(list(source)).tobytes()
    assert tape.side() == source.side()
    tape.record(tmp_path / "b.tape")
    assert (tmp_path / "a.tape").read_bytes() == (tmp_path / "b.tape").read_bytes()
    assert replay("tape", tmp_path / "a.tape")["kinds"] == source.kinds
