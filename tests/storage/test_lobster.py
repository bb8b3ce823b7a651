"""Orderbook files and the rows a replay writes, on pairs made here; the recorded pairs are in tests/cli."""

from __future__ import annotations

import lzma
import random
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine._native.decode import Decoder
from engine.errors import ConfigError, ProtocolError, StorageError
from engine.storage.lobster import RowFile, RowWriter, file_facts, replay_rows, row_columns
from tests.reference.lobster_rows import Message, replay


def text(rows: list[list[int]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


class Pair:
    """A message file and its orderbook file of depth 3, from a book 8 deep."""

    def __init__(self, folder: Path, count: int = 400) -> None:
        draw = random.Random(7)
        start = [value for level in range(8) for value in (101 + level, 5, 99 - level, 5)]
        messages = [
            Message(draw.choice([1, 1, 2, 3, 3, 4, 5]), draw.randint(1, 5), 0, draw.choice([1, -1]))
            for _ in range(count)
        ]
        self.messages = [message._replace(price=100 - message.direction * draw.randint(1, 8)) for message in messages]
        deep = [start, *replay(self.messages, start, 8).rows]
        self.rows = [row[:12] for row in deep]
        self.start = folder / "start.csv"
        self.start.write_text(text(deep[:1]))
        self.orderbook = folder / "orderbook.csv.xz"
        self.orderbook.write_bytes(lzma.compress(text(self.rows).encode()))

    def batches(self, size: int = 37) -> list[np.ndarray]:
        first = Message(1, 5, 101, -1)  # contained in the first row
        lines = [
            f"{34200 + index * 1e-3:.9f},{kind},{index},{size_},{price},{direction}\n"
            for index, (kind, size_, price, direction) in enumerate([first, *self.messages])
        ]
        decoder = Decoder("lobster", symbol="TEST")
        events = decoder.receive_bytes("".join(lines).encode())
        return [events[at : at + size] for at in range(0, len(events), size)]


def test_names_tell_symbol_and_date() -> None:
    name = "/some/where/AAPL_2012-06-21_34200000_37800000_message_50.csv.xz"
    assert file_facts(name) == {"symbol": "AAPL", "date": "2012-06-21"}
    assert file_facts(Path("BRK.B_2012-06-21_34200000_57600000_orderbook_10.csv"))["symbol"] == "BRK.B"
    assert file_facts("messages.csv") == {}


def test_columns_are_lobsters() -> None:
    assert row_columns(2) == [
        *("ask_price_1", "ask_size_1", "bid_price_1", "bid_size_1"),
        *("ask_price_2", "ask_size_2", "bid_price_2", "bid_size_2"),
    ]


def test_rows_are_read_in_any_portions(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    for portions in ([401], [1, 400], [7] * 60):
        file = RowFile(pair.orderbook)
        assert file.depth == 3
        assert [row for count in portions for row in file.take(count).tolist()] == pair.rows
        assert len(file.take(1)) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: nothing; expected 4 integers a level"),
        ("1,2,3\n", "line 1: 3 columns; expected 4 integers a level"),
        ("1,2,3,4\n\n5,6,7\n", "line 3: field 3 is wrong; expected 4 integers"),
        ("1,2,3,4\n1,2,x,4", "line 2: field 3 is wrong"),
    ],
)
def test_malformed_rows_are_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(ProtocolError, match=f"rows.csv: {message}"):
        RowFile(tmp_path / "rows.csv").take(9)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"1," * 3_000_000)
    with pytest.raises(ProtocolError, match="a line of more than"):
        RowFile(tmp_path / "rows.csv").take(9)


def test_every_row_matches_when_unknown_levels_are_taken(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    report = replay_rows(pair.batches(), orderbook=pair.orderbook, take=True, out=tmp_path / "rows.parquet")
    expected = replay(pair.messages, pair.rows[0], 3, windowed=True, truth=pair.rows[1:], take=True)
    assert (report.rows, report.compared, report.matched, report.first_mismatch) == (401, 400, 400, None)
    assert report.taken_from_file == expected.taken > 0
    assert report.unknown_levels == expected.unknown
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.column_names == row_columns(3)
    assert np.column_stack([column.to_numpy() for column in table.columns]).tolist() == pair.rows


def test_a_damaged_row_is_one_mismatch(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    rows = [list(row) for row in pair.rows]
    rows[100][1] += 1000
    (tmp_path / "damaged.csv").write_text(text(rows))
    report = replay_rows(pair.batches(), orderbook=tmp_path / "damaged.csv", take=True)
    assert report.first_mismatch == 100
    assert report.compared - report.matched <= 2  # the row itself, and the next one from it
    assert report.matched_by_level[0] == report.matched


def test_free_runs_equal_the_twin(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    whole = replay_rows(pair.batches(), orderbook=pair.orderbook, start=pair.start, out=tmp_path / "rows.parquet")
    assert (whole.matched, whole.taken_from_file, whole.first_mismatch) == (400, 0, None)
    free = replay_rows(pair.batches(), orderbook=pair.orderbook)
    equal = replay(pair.messages, pair.rows[0], 3, truth=pair.rows[1:]).equal
    assert free.matched_by_level == [sum(levels > level for levels in equal) for level in range(3)]
    wrong = [[index + 1 for index, levels in enumerate(equal) if levels <= level] for level in range(3)]
    assert free.first_mismatch_by_level == [rows[0] if rows else None for rows in wrong]
    assert 0 < free.matched < 400
    best = replay_rows(pair.batches(), orderbook=pair.orderbook, depth=1)
    assert best.matched == free.matched_by_level[0]
    assert best.to_dict()["depth"] == 1


def test_without_files_the_book_starts_empty(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    report = replay_rows(pair.batches(), depth=2, out=tmp_path / "rows.parquet")
    first = Message(1, 5, 101, -1)
    expected = replay([first, *pair.messages], [], 2).rows
    columns = pq.read_table(tmp_path / "rows.parquet").columns
    assert np.column_stack([column.to_numpy() for column in columns]).tolist() == expected
    assert (report.rows, report.compared, report.matched, report.first_mismatch) == (401, 0, 0, None)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    with pytest.raises(ConfigError, match=r"depth is 4; .*orderbook.csv.xz has 3"):
        replay_rows(pair.batches(), orderbook=pair.orderbook, depth=4)
    with pytest.raises(ConfigError, match="needs an orderbook file"):
        replay_rows(pair.batches(), start=pair.start, take=True)
    (tmp_path / "short.csv").write_text(text(pair.rows[:100]))
    with pytest.raises(ProtocolError, match=r"short.csv: ends after 100 rows; expected one for each message"):
        replay_rows(pair.batches(), orderbook=tmp_path / "short.csv", take=True)
    with pytest.raises(StorageError, match="cannot be written"), RowWriter(tmp_path / "absent" / "rows.parquet", 1):
        pass


@pytest.mark.parametrize("rows", [slice(0, 100), slice(0, None)])
def test_a_replay_that_fails_leaves_no_rows(tmp_path: Path, rows: slice) -> None:
    pair = Pair(tmp_path)
    (tmp_path / "other.csv").write_text(text(pair.rows[rows]) + ("" if rows.stop else text(pair.rows[-1:])))
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ProtocolError, match="expected one for each message"):
        replay_rows(pair.batches(), orderbook=tmp_path / "other.csv", take=True, out=tmp_path / "rows.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
