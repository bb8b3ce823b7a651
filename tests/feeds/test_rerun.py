"""A recorded session, run again, composes the same tape byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.config import Provider
from engine.core.events import EVENT, Flag, Kind, Side
from engine.core.instruments import Instruments
from engine.core.venues import venue_id
from engine.errors import ConfigError, StorageError
from engine.feeds.machine import session_facts, side_rows
from engine.feeds.rerun import Rerun
from engine.storage.session import RAW, TAPE, SessionWriter, open_raw
from tests.feeds.virtual import MS, PROVIDERS, Pump

FAULTS = (
    "disconnect polygon at=1s; mute alpaca-sip at=2s for=1s; wrong_scale polygon at=3s for=500ms; "
    "truncate alpaca-sip at=4s for=200ms; reorder iex at=2500ms for=300ms"
)


def recorded(folder: Path, lines: tuple[str, ...], faults: str = "") -> Pump:
    """Six seconds, a drain every 100 ms, somebody who pushes in between."""
    instruments = Instruments(["SPY"])
    pump = Pump(lines, faults, instruments=instruments)
    session = SessionWriter(folder, instruments, lines, session_facts(pump.providers, 7))
    pump.record = session.log
    pump.give("start")
    session.define(pump.now)
    pump.give("subscribe", -1, ("AAPL",))
    side: list[Any] = []
    for step in range(60):
        pump.run(100 * MS)
        side += side_rows(pump.notices)
        pump.notices.clear()
        if step == 20:
            instruments.add("BTC-USD", tick="0.01", lot="1e-8", venues=["OURX"])
            session.log("name", len(lines), pump.now, {"name": "ours", "role": "depth"})
        if step >= 20:
            session.define(pump.now)
            push(pump, session, len(lines), step)
        if step == 30:
            pump.give("subscribe", -1, ("MSFT",))
        if step == 50:
            pump.give("unsubscribe", -1, ("AAPL",))
        session.drain(pump.machine.composer.take_events(), side, pump.now)
        side = []
    pump.give("stop")
    session.drain(pump.machine.composer.take_events(), side, pump.now)
    session.close(pump.now)
    return pump


def push(pump: Pump, session: SessionWriter, line: int, step: int) -> None:
    events = np.zeros(2, EVENT)
    events["kind"], events["flags"] = [Kind.CLEAR, Kind.LEVEL] if step == 20 else [Kind.LEVEL, Kind.LEVEL], Flag.LAST
    events["side"], events["price"], events["quantity"] = [0, Side.BID] if step == 20 else Side.ASK, 10**9 * step, 10**9
    events["instrument"], events["venue"] = pump.instruments["BTC-USD"].id, venue_id("OURX")
    events["ts_event"] = events["ts_recv"] = pump.now
    session.log("push", line, pump.now, events)
    pump.machine.push("ours", events, pump.now, "depth")


def write_again(folder: Path, out: Path) -> Rerun:
    rerun = Rerun(open_raw(folder))
    rerun.record(str(out))
    return rerun


@pytest.mark.parametrize("lines", [("polygon",), ("polygon", "alpaca-sip", "iex", "finnhub", "alpaca-json")])
def test_the_tape_is_the_same_byte_for_byte(tmp_path: Path, lines: tuple[str, ...]) -> None:
    faults = FAULTS if len(lines) > 1 else "disconnect polygon at=1s"
    pump = recorded(tmp_path / "day", lines, faults)
    rerun = write_again(tmp_path / "day", tmp_path / "again.arrow")
    tape = (tmp_path / "day" / TAPE).read_bytes()
    assert len(tape) > 10_000
    assert (tmp_path / "again.arrow").read_bytes() == tape
    assert rerun.instruments.symbols == pump.instruments.symbols == ["SPY", "AAPL", "BTC-USD", "MSFT"]
    assert rerun.inputs > 300
    for symbol in ("MSFT", "BTC-USD"):
        ours, theirs = rerun.machine.books[symbol], pump.machine.books[symbol]
        assert ours.depth(10).tobytes() == theirs.depth(10).tobytes()
    assert rerun.machine.lines.health(pump.now) == pump.machine.lines.health(pump.now)
    first = [batch.events.tobytes() for batch in rerun]
    assert [batch.events.tobytes() for batch in rerun] == first  # again and again


def test_a_log_cut_off_gives_the_start_of_the_tape(tmp_path: Path) -> None:
    recorded(tmp_path, ("polygon",))
    raw, tape = tmp_path / RAW, (tmp_path / TAPE).read_bytes()
    data = raw.read_bytes()
    raw.write_bytes(data[: len(data) // 2])
    rerun = write_again(raw, tmp_path / "again.arrow")
    again = (tmp_path / "again.arrow").read_bytes()
    assert len(again) > 5_000
    assert tape.startswith(again)
    assert rerun.log.torn


def test_secrets_stay_out_of_the_log(tmp_path: Path) -> None:
    providers = [Provider("alpaca", url="wss://me:pw@host/v2/sip?token=hush", key="hush", secret="hush", feed="sip")]
    facts = session_facts(providers, 1)
    SessionWriter(tmp_path, Instruments(), ["alpaca-sip"], facts).close()
    data = (tmp_path / RAW).read_bytes()
    assert b"hush" not in data
    assert b"pw" not in data
    assert Rerun(open_raw(tmp_path)).machine.lines.names == ("alpaca-sip",)


def test_own_feeds_have_to_be_given_again(tmp_path: Path) -> None:
    class Ours:
        name, url, role = "ours", "udp://here:1", "nbbo"

        def receive_bytes(self, data: Any, ts_recv: int = 0) -> np.ndarray:
            return np.zeros(len(data), EVENT)

        def take_bytes(self) -> bytes:
            return b""

    SessionWriter(tmp_path, Instruments(), ["ours"], session_facts([Ours(), PROVIDERS["polygon"]], 1)).close()
    with pytest.raises(ConfigError, match="'ours' was a feed of your own; give it again"):
        Rerun(open_raw(tmp_path))
    assert Rerun(open_raw(tmp_path), {"ours": Ours()}).machine.lines.names == ("ours", "polygon")


def test_a_head_that_says_too_little_is_damage(tmp_path: Path) -> None:
    SessionWriter(tmp_path, Instruments(), [], {"seed": 1}).close()
    with pytest.raises(StorageError, match="what the log says of its lines is damaged"):
        Rerun(open_raw(tmp_path))


@pytest.mark.parametrize(
    ("kind", "line", "payload", "message"),
    [
        ("subscribe", -1, b"[", r"record 2 \(SUBSCRIBE\) is damaged: JSONDecodeError"),
        ("subscribe", -1, b"7", "SUBSCRIBE.*TypeError"),
        ("define", -1, b'[{"symbol": "A"}]', "DEFINE.*KeyError"),
        ("define", -1, b'[{"symbol": "A B", "venues": []}]', "DEFINE.*ValueError"),
        ("name", 1, b"{}", "NAME.*KeyError"),
        ("push", 1, b"", "PUSH.*KeyError"),
        ("frame", 1, b"[]", "FRAME.*line is 1; expected less than 1"),
        ("opened", -1, b"", "OPENED.*line is -1"),
    ],
)
def test_a_forged_record_is_damage(tmp_path: Path, kind: str, line: int, payload: bytes, message: str) -> None:
    session = SessionWriter(tmp_path, Instruments(), ["polygon"], session_facts([PROVIDERS["polygon"]], 1))
    session.log(kind, line, 1, payload)
    session.close()
    with pytest.raises(StorageError, match=message):
        list(Rerun(open_raw(tmp_path)))
