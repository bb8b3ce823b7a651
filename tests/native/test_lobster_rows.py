"""The LOBSTER kernels against their slow twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine._native import lobster
from engine.core.events import EVENT, Kind, Side
from engine.core.units import NANOS
from tests.reference.lobster_rows import NO_ASK, NO_BID, Message, Result, replay

KINDS = {1: Kind.ADD, 2: Kind.REDUCE, 3: Kind.DELETE, 4: Kind.EXECUTE, 5: Kind.TRADE, 7: Kind.STATUS}


def as_events(messages: list[Message]) -> np.ndarray:
    events = np.zeros(len(messages), EVENT)
    events["kind"] = [KINDS[message.kind] for message in messages]
    events["side"] = [Side.BID if message.direction == 1 else Side.ASK for message in messages]
    events["price"] = [message.price * 100_000 for message in messages]
    events["quantity"] = [message.size * NANOS for message in messages]
    return events


def native(
    messages: list[Message],
    start: list[int],
    depth: int,
    *,
    windowed: bool,
    truth: list[list[int]] | None,
    take: bool,
) -> Result:
    kernel = lobster.RowReplay(depth, windowed)
    kernel.start(np.array(start, "<i8"))
    rows = np.zeros((len(messages), 4 * depth), "<i8")
    agree = np.zeros(len(messages), "<i4")
    expected = None if truth is None else np.array(truth, "<i8").reshape(len(messages), 4 * depth)
    half = len(messages) // 2  # in two calls: state lives on
    for part in (slice(0, half), slice(half, None)):
        wanted = None if expected is None else expected[part]
        kernel.run(as_events(messages)[part], wanted, take, rows[part], agree[part])
    counts = kernel.counts
    equal = [] if truth is None else agree.tolist()
    return Result(rows.tolist(), equal, counts["taken"], counts["unknown_levels"], counts["clamped"])


MESSAGES = st.lists(
    st.builds(
        Message, st.sampled_from(sorted(KINDS)), st.integers(1, 4), st.integers(95, 105), st.sampled_from([1, -1])
    ),
    max_size=60,
)


@st.composite
def rows_of(draw: st.DrawFn, depth: int) -> list[int]:
    """A row as files have them: levels in order, absent ones last."""
    asks = sorted(draw(st.sets(st.integers(100, 110), max_size=depth)))
    bids = sorted(draw(st.sets(st.integers(90, 99), max_size=depth)), reverse=True)
    row = []
    for level in range(depth):
        row += [asks[level], draw(st.integers(1, 5))] if level < len(asks) else [NO_ASK, 0]
        row += [bids[level], draw(st.integers(1, 5))] if level < len(bids) else [NO_BID, 0]
    return row


@given(st.data(), MESSAGES, st.integers(1, 4), st.booleans())
def test_free_run_equals_the_twin(data: st.DataObject, messages: list[Message], depth: int, windowed: bool) -> None:
    start = data.draw(rows_of(data.draw(st.integers(1, 5))))
    got = native(messages, start, depth, windowed=windowed, truth=None, take=False)
    assert got == replay(messages, start, depth, windowed=windowed)


@given(st.data(), MESSAGES, st.integers(1, 3), st.booleans())
def test_comparison_with_a_file_equals_the_twin(
    data: st.DataObject, messages: list[Message], depth: int, take: bool
) -> None:
    """The file is the truth of a deeper book, cut to the window, with some rows damaged."""
    start = data.draw(rows_of(6))
    truth = [row[: 4 * depth] for row in replay(messages, start, 6).rows]
    for index in data.draw(st.lists(st.integers(0, 59), max_size=3)):
        if index < len(truth):
            truth[index] = data.draw(rows_of(depth))
    arguments = {"windowed": take, "truth": truth, "take": take}
    got = native(messages, start[: 4 * depth] if take else start, depth, **arguments)
    assert got == replay(messages, start[: 4 * depth] if take else start, depth, **arguments)


@given(st.lists(st.lists(st.integers(-(10**18) + 1, 10**18 - 1), min_size=4, max_size=4)), st.booleans())
def test_rows_are_read_as_written(rows: list[list[int]], windows: bool) -> None:
    newline = "\r\n" if windows else "\n"
    text = "".join(",".join(map(str, row)) + newline for row in rows).encode()
    out = np.zeros((len(rows) + 1, 4), "<i8")
    assert lobster.parse_rows(text, 4, out) == (len(rows), len(text), 0, False)
    assert out[:-1].tolist() == rows
    assert lobster.parse_rows(text + b"1,2,3", 4, out)[:2] == (len(rows), len(text))


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("1,2,3", 2),
        ("1,2,3,4,5", 3),
        ("1,2,x,4", 2),
        ("1,2,,4", 2),
        (" 1,2,3,4", 0),
        ("1,2,3,4 ", 3),
        ("1,-,3,4", 1),
        ("1,2,1234567890123456789,4", 2),
        ("1.5,2,3,4", 0),
    ],
)
def test_wrong_lines_are_named(line: str, field: int) -> None:
    out = np.zeros((9, 4), "<i8")
    text = f"1,2,3,4\n\n{line}\n5,6,7,8\n".encode()
    assert lobster.parse_rows(text, 4, out) == (1, 9, field, True)


def test_no_more_rows_than_there_is_room_for() -> None:
    out = np.zeros((2, 1), "<i8")
    assert lobster.parse_rows(b"1\n2\n3\n", 1, out) == (2, 4, 0, False)
    assert lobster.parse_rows(b"3\n", 1, out) == (1, 2, 0, False)


def test_arguments_that_do_not_fit_are_refused() -> None:
    events = np.zeros(2, EVENT)
    kernel = lobster.RowReplay(2, True)
    with pytest.raises(ValueError, match="depth is 0"):
        lobster.RowReplay(0, True)
    with pytest.raises(ValueError, match="taking levels needs truth of depth 2"):
        kernel.run(events, np.zeros((2, 4), "<i8"), True, None, None)
    with pytest.raises(ValueError, match="rows has 4 items; expected 16"):
        kernel.run(events, None, False, np.zeros(4, "<i8"), None)
    with pytest.raises(ValueError, match="agree has 1 items; expected 2"):
        kernel.run(events, np.zeros((2, 8), "<i8"), False, None, np.zeros(1, "<i4"))
    with pytest.raises(ValueError, match="row is no multiple of 4 columns"):
        kernel.start(np.zeros(3, "<i8"))
    with pytest.raises(ValueError, match="out has 4 items; expected 8"):
        kernel.write_row(np.zeros(4, "<i8"))
