"""What adapters have in common: a line that asks for nothing, and what ends of connections mean."""

from __future__ import annotations

import pytest

from engine.core.instruments import Instruments
from engine.errors import ConfigError, Throttled
from engine.feeds.conversation import closings
from engine.feeds.protocol import NEVER, Connected, Ready, Subscribed, Unsubscribed
from engine.feeds.schwab import SchwabFeed


def test_what_is_wanted_comes_while_the_transport_is_up() -> None:
    line = SchwabFeed(Instruments())
    line.subscribe(["AAPL"])
    assert (line.take_notices(), line.subscribed, line.timer(1)) == ([], frozenset(), NEVER)
    line.opened(1)
    assert line.take_notices() == [Connected(), Ready(), Subscribed(("AAPL",), confirmed=False)]
    line.subscribe(["MSFT", "AAPL"])
    line.unsubscribe(["AAPL", "TSLA"])
    assert line.take_notices() == [
        Subscribed(("MSFT",), confirmed=False),
        Unsubscribed(("AAPL",), confirmed=False),
    ]
    assert line.subscribed == {"MSFT"}
    line.closed(None, "", 2)
    assert line.subscribed == frozenset()
    line.opened(3)
    assert line.take_notices()[-1] == Subscribed(("MSFT",), confirmed=False)


@pytest.mark.parametrize(
    ("code", "error", "retry", "after"),
    [(401, ConfigError, "never", 0), (403, ConfigError, "never", 0), (429, Throttled, "slow", 7)],
)
def test_refused_handshakes_mean_something(code: int, error: type[Exception], retry: str, after: int) -> None:
    line = SchwabFeed(Instruments())
    line.ended(closings(7), code, "no")
    line.ended(closings(7), code, "again")  # once told is enough
    (told,) = line.take_notices()
    assert isinstance(told.error, error)  # type: ignore[union-attr]
    assert str(told.error).startswith(f"schwab: closed with {code} no")  # type: ignore[union-attr]
    assert (told.retry, told.after, told.close) == (retry, after, True)  # type: ignore[union-attr]
    line.ended(closings(7), 1006, "")
    assert line.take_notices() == []
