"""The slow twin of native/lobster: the rows of a LOBSTER orderbook file from its messages, with dictionaries.

The rules are those of the recorded data's README ("Replay rules, checked on every row").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

NO_ASK = 9_999_999_999
NO_BID = -9_999_999_999


class Message(NamedTuple):
    """One line of a message file; ``direction`` is 1 for the bid's side, -1 for the ask's."""

    kind: int
    size: int
    price: int
    direction: int


class Result(NamedTuple):
    rows: list[list[int]]
    equal: list[int]  # levels that equal the file's, from the best on; empty without a file
    taken: int
    unknown: int
    clamped: int


class Rows:
    """The levels of both sides: price -> size."""

    def __init__(self, depth: int, *, windowed: bool) -> None:
        self.depth = depth
        self.windowed = windowed
        self.sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.taken = self.unknown = self.clamped = 0

    def start(self, row: Sequence[int]) -> None:
        self.sides = {1: {}, -1: {}}
        for at in range(0, len(row), 4):
            ask, ask_size, bid, bid_size = row[at : at + 4]
            if ask_size > 0:
                self.sides[-1][ask] = ask_size
            if bid_size > 0:
                self.sides[1][bid] = bid_size
        self._cut()

    def best_first(self, direction: int) -> list[int]:
        return sorted(self.sides[direction], reverse=direction == 1)

    def _cut(self) -> None:
        for direction, side in self.sides.items():
            for price in self.best_first(direction)[self.depth :] if self.windowed else []:
                del side[price]

    def row(self) -> list[int]:
        asks, bids = self.best_first(-1), self.best_first(1)
        row = []
        for level in range(self.depth):
            ask = asks[level] if level < len(asks) else NO_ASK
            bid = bids[level] if level < len(bids) else NO_BID
            row += [ask, self.sides[-1].get(ask, 0), bid, self.sides[1].get(bid, 0)]
        return row

    def apply(self, message: Message, truth: Sequence[int] | None) -> None:
        side = self.sides[message.direction]
        if message.kind == 1:
            side[message.price] = side.get(message.price, 0) + message.size
            self._cut()
        elif message.kind in {2, 3, 4}:
            self._subtract(message, side, truth)

    def _subtract(self, message: Message, side: dict[int, int], truth: Sequence[int] | None) -> None:
        if message.price not in side:
            self.unknown += 1
            return
        full = len(side) == self.depth
        side[message.price] -= message.size
        if side[message.price] > 0:
            return
        self.clamped += side[message.price] < 0
        del side[message.price]
        if truth is None or not full:
            return
        price, size = truth[-2:] if message.direction == 1 else truth[-4:-2]
        if size > 0 and all(message.direction * price < message.direction * known for known in side):
            side[price] = size
            self.taken += 1


def replay(
    messages: Iterable[Message],
    start: Sequence[int],
    depth: int,
    *,
    windowed: bool = False,
    truth: Sequence[Sequence[int]] | None = None,
    take: bool = False,
) -> Result:
    """The row after each message (``start`` is the row before them); with ``take``, unknown levels come from ``truth``,
    and a row that differs is followed from the file's.
    """
    book = Rows(depth, windowed=windowed)
    book.start(start)
    rows, equal = [], []
    for index, message in enumerate(messages):
        expected = truth[index] if truth is not None else None
        book.apply(message, expected if take else None)
        rows.append(book.row())
        if expected is None:
            continue
        levels = min(len(expected), 4 * depth) // 4
        same = [expected[4 * level : 4 * level + 4] == rows[-1][4 * level : 4 * level + 4] for level in range(levels)]
        equal.append([*same, False].index(False))
        if take and not all(same):
            book.start(expected)
    return Result(rows, equal, book.taken, book.unknown, book.clamped)
