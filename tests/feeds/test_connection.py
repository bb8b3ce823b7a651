"""What a connection holds, and the commands about it."""

from __future__ import annotations

from engine.core.backoff import Backoff, BackoffPolicy
from engine.core.instruments import Instruments
from engine.feeds.connection import Connection, Open, Send
from engine.feeds.polygon import PolygonFeed
from engine.feeds.protocol import NEVER


def test_commands_do_not_show_what_may_be_secret() -> None:
    shown = repr(Open(1, "wss://host/?token=hush", {"key": "hush"})) + repr(Send(1, "hush"))
    assert shown == "Open(line=1)Send(line=1)"


def test_a_new_connection_waits_for_nothing() -> None:
    connection = Connection(PolygonFeed("key", Instruments()), Backoff(BackoffPolicy(), 1, 0))
    assert (connection.phase, connection.open, connection.frames) == ("idle", False, 0)
    assert (connection.deadline, connection.due_feed, connection.datagrams) == (NEVER, NEVER, False)
