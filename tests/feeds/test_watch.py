"""Callbacks stop alone, streams conflate and count, bars are kept in order."""

from __future__ import annotations

import contextvars
import logging
from typing import Any

import numpy as np
import pytest

from engine.core.events import EVENT, Kind, Quote
from engine.core.units import NANOS
from engine.feeds import watch
from engine.feeds.watch import BarBuilder, BarReader, ChangeReader, Watchers


class View:
    def __init__(self, number: int) -> None:
        self.id = number

    def bbo(self) -> Quote:
        return Quote(self.id, 1.0, self.id + 1, 1.0, 0, 0)


VIEWS = [View(number) for number in range(4)]


def watchers() -> Watchers:
    return Watchers(VIEWS.__getitem__)  # type: ignore[arg-type]


def ids(*numbers: int) -> list[int]:
    return list(numbers)


def trades(*numbers: int, ts: int = 0) -> np.ndarray:
    array = np.zeros(len(numbers), EVENT)
    array["instrument"], array["kind"], array["price"], array["quantity"] = numbers, Kind.TRADE, NANOS, NANOS
    array["ts_event"] = ts
    return array


def test_callbacks_get_everything_that_came_at_once() -> None:
    found: list[Any] = []
    many = watchers()
    handle = many.on_change(lambda books: found.append([book.id for book in books]), None)
    some = many.on_change(lambda books: found.append(("some", [book.id for book in books])), frozenset({1, 3}))
    many.changed(ids(2, 3, 0))
    many.changed(ids(2))
    assert found == [[2, 3, 0], ("some", [3]), [2]]
    handle.cancel()
    handle.cancel()
    many.changed(ids(1))
    assert found[3:] == [("some", [1])]
    assert (handle.calls, handle.active, some.calls, some.active) == (2, False, 2, True)


def test_prints_are_filtered() -> None:
    found: list[Any] = []
    many = watchers()
    many.on_trade(lambda array: found.append(array["instrument"].tolist()), None)
    many.on_trade(lambda array: found.append(array["instrument"].tolist()), frozenset({1}))
    many.traded(trades(0, 1, 1))
    many.traded(trades(2))
    assert found == [[0, 1, 1], [1, 1], [2]]


def test_an_exception_stops_its_callback_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    found: list[Any] = []
    many = watchers()

    def wrong(books: Any) -> None:
        raise ZeroDivisionError("mine")

    handle = many.on_change(wrong, None)
    many.on_change(found.append, None)
    with caplog.at_level(logging.ERROR, "engine.market"):
        many.changed(ids(0))
        many.changed(ids(0))
    assert len(found) == 2
    assert (handle.calls, handle.active, many.failures) == (1, False, 1)
    assert isinstance(handle.error, ZeroDivisionError)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    with pytest.raises(TypeError, match="callback is 3; expected a function"):
        many.on_change(3, None)  # type: ignore[arg-type]


def test_who_is_called_may_cancel_and_register() -> None:
    found: list[str] = []
    many = watchers()

    def first(books: Any) -> None:
        second.cancel()
        many.on_change(lambda books: found.append("third"), None)

    many.on_change(first, None)
    second = many.on_change(lambda books: found.append("second"), None)
    many.changed(ids(0))
    assert found == []
    many.changed(ids(0))
    assert found == ["third"]


def test_callbacks_run_in_the_context_they_were_registered_in() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("then")
    found: list[str] = []
    many = watchers()
    many.on_change(lambda books: found.append(variable.get()), None)
    variable.set("now")
    many.changed(ids(0))
    assert found == ["then"]


def test_streams_conflate_and_count() -> None:
    woken: list[int] = []
    reader = ChangeReader(frozenset({1, 2}), lambda: woken.append(1))
    reader.offer([0])
    assert woken == []
    for numbers in ([2], [1, 2], [2]):
        reader.offer(numbers)
    changes = [reader.take(VIEWS.__getitem__), reader.take(VIEWS.__getitem__), reader.take(VIEWS.__getitem__)]  # type: ignore[arg-type]
    assert [change and (change.book.id, change.quote.bid, change.missed) for change in changes] == [
        (2, 2, 2),
        (1, 1, 0),
        None,
    ]
    assert len(woken) == 3


def test_bars_reach_every_reader_of_their_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BARS", 2)
    many = watchers()
    builder = many.builders[10, 5] = BarBuilder("10ns", "5ns")
    one, all_of_them = BarReader(frozenset({1}), lambda: None), BarReader(frozenset({0, 1}), lambda: None)
    builder.readers += [one, all_of_them]
    many.traded(trades(0, 1, ts=3))
    assert builder.next_close(5) == 15
    assert builder.next_close(15) == 25
    builder.close(14)
    assert one.take() is None
    builder.close(15)
    bar = one.take()
    assert bar is not None
    assert (bar.ts, bar.instrument, bar.volume) == (0, 1, 1.0)
    assert one.take() is None
    many.traded(trades(0, ts=13))
    builder.close(25)
    assert [bar.instrument for bar in iter(all_of_them.take, None)] == [1, 0]
    assert all_of_them.dropped == 1
