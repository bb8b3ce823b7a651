"""A user's feed as a line: what it must have, and that nothing it does stops the pump."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from engine.core.events import EVENT, Kind
from engine.core.instruments import Instruments
from engine.core.venues import venue_id
from engine.errors import ConfigError
from engine.feeds.own import Feed, OwnFeed
from engine.feeds.protocol import NEVER, Accepted, Ready, Subscribed, Unsubscribed


class Ours:
    name, url, role, venue = "ours", "wss://me:pw@here/?token=x", "depth", "XNAS"
    headers: ClassVar = {"X": "y"}

    def __init__(self) -> None:
        self.outgoing: list[bytes] = []

    def receive_bytes(self, data: Any, ts_recv: int = 0) -> np.ndarray:
        if bytes(data) == b"bad":
            raise ValueError("no such message")
        if bytes(data) == b"odd":
            return np.zeros(2)
        events = np.zeros(len(data), EVENT)
        events["kind"] = Kind.TRADE
        return events

    def take_bytes(self) -> bytes:
        return self.outgoing.pop(0) if self.outgoing else b""

    def subscribe(self, symbols: list[str]) -> None:
        self.outgoing.append(",".join(symbols).encode())


def test_it_is_a_feed_and_becomes_a_line() -> None:
    ours = Ours()
    assert isinstance(ours, Feed)
    assert not isinstance(object(), Feed)
    line = OwnFeed(ours, Instruments(), "own-130")
    assert (line.name, line.provider, line.facts.role, line.facts.venue) == (
        "ours",
        "own-130",
        "depth",
        venue_id("XNAS"),
    )
    assert (line.shown_url, dict(line.headers)) == ("wss://***@here/?token=***", {"X": "y"})
    line.subscribe(["AAPL", "AAPL"])
    assert (line.take_outgoing(), line.take_notices(), line.subscribed) == ([], [], frozenset())
    line.opened(1)
    assert line.take_notices() == [Accepted(), Ready(), Subscribed(("AAPL",), confirmed=False)]
    assert line.take_outgoing() == [b"AAPL"]
    line.subscribe(["MSFT", "AAPL"])
    line.unsubscribe(["AAPL", "SPY"])
    assert line.take_notices() == [
        Subscribed(("MSFT",), confirmed=False),
        Unsubscribed(("AAPL",), confirmed=False),
    ]
    assert line.subscribed == {"MSFT"}
    line.closed(None, "", 2)
    assert line.timer(3) == NEVER
    line.opened(4)
    assert Subscribed(("MSFT",), confirmed=False) in line.take_notices()  # again, by itself


def test_what_it_raises_is_a_malformed_frame() -> None:
    line = OwnFeed(Ours(), Instruments())
    assert len(line.decoder.receive_bytes(b"xyz", 1)) == 3
    assert line.decoder.take_problem() is None
    for data, problem in ((b"bad", "ValueError: no such message"), (b"odd", "TypeError: events are float64")):
        assert len(line.decoder.receive_bytes(data)) == 0
        text = line.decoder.take_problem()
        assert text is not None
        assert text.startswith(problem)
    assert line.decoder.take_problem() is None
    assert line.decoder.counts == {"frames": 3, "bytes": 9, "events": 3, "malformed": 2}
    assert line.decoder.take_other() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "http://me:pw@here"}, r"feed ours: url is 'http://\*\*\*@here'; expected wss://"),
        ({"url": None}, "url is None; expected wss://"),
        ({"role": "books"}, "role is 'books'; expected one of depth, top, montage, nbbo, prints"),
        ({"venue": "nasdaq!"}, "venue is 'nasdaq!'; expected the name of its one venue"),
        ({"venue": None}, "venue is None"),
        ({"instruments": Instruments()}, "its instruments are another table"),
    ],
)
def test_what_is_missing_is_told(change: dict[str, Any], message: str) -> None:
    ours = Ours()
    for name, value in change.items():
        setattr(ours, name, value)
    with pytest.raises(ConfigError, match=message):
        OwnFeed(ours, Instruments())


def test_what_its_other_methods_raise_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ours = Ours()
    line = OwnFeed(ours, Instruments())
    line.opened(1)
    ours.subscribe = lambda symbols: 1 / 0  # type: ignore[assignment]
    line.subscribe(["AAPL"])
    ours.take_bytes = lambda: 1 / 0  # type: ignore[assignment, return-value]
    assert line.take_outgoing() == []
    assert line.counts == {"failed": 2}
    assert caplog.text.count("ZeroDivisionError") == 2
    ours.take_bytes = lambda: "text"  # type: ignore[assignment, return-value]
    assert line.take_outgoing() == ["text"] * 1000


def test_events_get_the_time_of_their_receipt() -> None:
    events = OwnFeed(Ours(), Instruments()).decoder.receive_bytes(b"abc", 17)
    assert events["ts_recv"].tolist() == [17, 17, 17]


@pytest.mark.parametrize("wrong", [5, {"a": 1}, "\ud800", [1, 2]])
def test_what_it_cannot_mean_to_send_is_logged(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    ours = Ours()
    line = OwnFeed(ours, Instruments())
    line.opened(1)
    ours.outgoing = [b"a", wrong, b"b"]
    assert line.take_outgoing() == [b"a"]
    assert line.take_outgoing() == [b"b"]
    assert line.counts["failed"] == 1
    assert "_taken failed" in caplog.text
