"""Positions: worked examples, and random histories with busts and corrections against the slow twin."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InternalError
from engine.risk.positions import Position, Positions
from tests.reference import positions as twin

UNIT = 10**9
MONEY = 10**18


def test_average_cost_realised_and_unrealised():
    books = Positions()
    books.fill(0, "a", "buy", 100 * UNIT, 10 * UNIT, fee=UNIT)
    books.fill(0, "b", "buy", 300 * UNIT, 12 * UNIT, fee=UNIT)
    row = books[0]
    assert row.average_cost == 11_500_000_000
    books.fill(0, "c", "sell", 200 * UNIT, 13 * UNIT)
    assert (row.quantity, row.average_cost) == (200 * UNIT, 11_500_000_000)
    assert row.realised == 300 * MONEY
    assert row.fees == 2 * MONEY
    assert row.cash == (-1000 - 3600 + 2600 - 2) * MONEY
    books.mark(0, 14 * UNIT)
    assert row.unrealised == 500 * MONEY
    assert books.profit == 798 * MONEY


def test_a_sale_through_flat_opens_a_short_at_its_price():
    books = Positions()
    books.fill(0, "a", "buy", 100 * UNIT, 10 * UNIT)
    books.fill(0, "b", "sell", 150 * UNIT, 9 * UNIT)
    row = books[0]
    assert (row.quantity, row.average_cost, row.realised) == (-50 * UNIT, 9 * UNIT, -100 * MONEY)
    books.mark(0, 8 * UNIT)
    assert row.unrealised == 50 * MONEY


def test_a_bust_leaves_no_trace():
    books, other = Positions(), Positions()
    for book in (books, other):
        book.fill(0, "a", "buy", 7 * UNIT, 10 * UNIT + 1)
        if book is books:
            book.fill(0, "b", "sell", 9 * UNIT, 11 * UNIT, fee=3)
        book.fill(0, "c", "sell", 3 * UNIT, 12 * UNIT)
        book.mark(0, 13 * UNIT)
    books.bust(0, "b")
    assert state(books[0]) == state(other[0])
    assert (books.gross, books.long, books.short, books.profit) == (other.gross, other.long, other.short, other.profit)


def state(row: Position) -> tuple[int, ...]:
    return row.quantity, row.cost, row.realised, row.fees, row.mark, row.cash


def test_what_was_held_before_counts_from_the_first_market_price():
    books = Positions()
    books.begin(0, 100 * UNIT, 10 * UNIT)
    assert (books.profit, books[0].average_cost, books.gross) == (0, 10 * UNIT, 1000 * MONEY)
    books.mark(0, 15 * UNIT)
    assert (books.profit, books[0].unrealised) == (0, 500 * MONEY)
    books.mark(0, 14 * UNIT)
    assert books.profit == -100 * MONEY
    books.fill(0, "a", "sell", 100 * UNIT, 14 * UNIT)
    assert (books.profit, books[0].realised, books[0].cash) == (-100 * MONEY, 400 * MONEY, 1400 * MONEY)
    books.begin_day()
    assert books.profit == 0


def test_the_first_fill_is_a_market_price_too():
    books = Positions()
    books.begin(0, -100 * UNIT, 0)  # average not told
    books.fill(0, "a", "buy", 100 * UNIT, 14 * UNIT)
    assert books.profit == 0


def test_what_cannot_be_is_an_internal_error():
    books = Positions()
    books.fill(0, "a", "buy", UNIT, UNIT)
    for wrong in (
        lambda: books.fill(0, "a", "buy", UNIT, UNIT),
        lambda: books.fill(0, "b", "buy", 0, UNIT),
        lambda: books.bust(0, "x"),
        lambda: books.correct(0, "x", UNIT, UNIT),
        lambda: books.correct(0, "a", 0, UNIT),
        lambda: books.begin(0, UNIT, UNIT),
        lambda: books.work(0, "sell", -1),
    ):
        with pytest.raises(InternalError):
            wrong()


def test_reading_an_unknown_instrument_adds_none():
    books = Positions()
    assert books[7].quantity == 0
    books.mark(7, UNIT)
    assert list(books) == []
    assert 7 not in books


amounts = st.integers(1, 10**15)
prices = st.integers(1, 10**13)
fees = st.integers(-(10**9), 10**10)
actions = st.one_of(
    st.tuples(st.just("fill"), st.sampled_from(["buy", "sell"]), amounts, prices, fees),
    st.tuples(st.just("bust"), st.integers(0, 20)),
    st.tuples(st.just("correct"), st.integers(0, 20), amounts, prices, st.none() | fees),
    st.tuples(st.just("mark"), prices),
    st.tuples(st.just("work"), st.sampled_from(["buy", "sell"]), st.integers(-(10**12), 10**15)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), actions), max_size=25), st.tuples(st.integers(-(10**15), 10**15), prices))
def test_random_histories_equal_the_slow_twin(history, start):
    books = Positions()
    books.begin(0, *start)
    told = {0: {}, 1: {}}
    for number, (instrument, (action, *rest)) in enumerate(history):
        fills = told[instrument]
        if action == "fill":
            side, quantity, price, fee = rest
            books.fill(instrument, str(number), side, quantity, price, fee)
            fills[str(number)] = (quantity if side == "buy" else -quantity, price, fee)
        elif action == "mark":
            books.mark(instrument, rest[0])
        elif action == "work":
            held = books[instrument].buying if rest[0] == "buy" else books[instrument].selling
            books.work(instrument, rest[0], max(rest[1], -held))
        elif fills:
            key = list(fills)[rest[0] % len(fills)]
            if action == "bust":
                books.bust(instrument, key)
                del fills[key]
            else:
                _, quantity, price, fee = rest
                books.correct(instrument, key, quantity, price, fee)
                before = fills[key]
                fills[key] = (quantity if before[0] > 0 else -quantity, price, before[2] if fee is None else fee)
        for one in (0, 1):
            compare(books[one], twin.account(told[one].values(), start if one == 0 else (0, 0)), len(told[one]))
        rows = [(row.quantity, row.buying, row.selling, row.mark) for row in (books[0], books[1])]
        assert (books.gross, books.long, books.short) == twin.worst(rows)


def compare(row, expected, roundings):
    """Quantity, fees and cash to the last count; cost and gain too, but for a count a division."""
    quantity, cost, realised, fees, cash = expected
    assert (row.quantity, row.fees, row.cash) == (quantity, fees, cash)
    assert abs(row.cost - cost) <= roundings
    assert abs(row.realised - realised) <= roundings
    assert quantity or row.cost == 0
