from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import engine
from engine.core.events import EVENT, Kind
from engine.core.instruments import Instruments
from engine.errors import StorageError
from engine.storage import session as session_module
from engine.storage.raw import InputKind
from engine.storage.session import RAW, TAPE, SessionWriter, first_difference, open_raw


def events(instrument: int) -> np.ndarray:
    array = np.zeros(1, EVENT)
    array["kind"], array["instrument"] = Kind.TRADE, instrument
    return array


def test_a_session_is_a_tape_and_a_log_cut_at_the_same_places(tmp_path: Path) -> None:
    instruments = Instruments(["AAPL"])
    session = SessionWriter(tmp_path / "day", instruments, ["polygon"], {"seed": 1})
    session.log("start", -1, 1)
    session.drain(np.empty(0, EVENT), [], 2)  # nothing: no batch
    instruments.add("BTC-USD", tick="0.01", lot="1e-8", venues=["OURX"])
    session.log("frame", 0, 3, b"x")
    session.drain(events(1), [{"type": "X", "instrument": 0}], 4)
    session.define(5)
    session.close(6)
    log = open_raw(tmp_path / "day")
    records = list(log)
    assert [record.kind.name for record in records] == ["HEAD", "START", "FRAME", "DEFINE", "DRAIN", "END"]
    assert log.facts["instruments"] == [instruments["AAPL"].to_dict()]
    assert next(record.facts for record in records if record.kind is InputKind.DEFINE) == [
        instruments["BTC-USD"].to_dict()
    ]
    tape = engine.replay(tmp_path / "day" / TAPE)
    assert [len(batch) for batch in tape] == [1]
    assert not tape.torn
    assert tape.instruments["BTC-USD"] == instruments["BTC-USD"]
    assert list(open_raw(tmp_path / "day" / RAW)) == records


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    SessionWriter(tmp_path, Instruments(), [], {}).close()
    with pytest.raises(StorageError, match="there is a recording already; give another folder"):
        SessionWriter(tmp_path, Instruments(), [], {})
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be made"):
        SessionWriter(tmp_path / "file" / "x", Instruments(), [], {})
    with pytest.raises(StorageError, match="cannot be read"):
        open_raw(tmp_path / "absent")


def test_an_unfinished_session_has_no_end_marks(tmp_path: Path) -> None:
    session = SessionWriter(tmp_path, Instruments(["A"]), [], {})
    session.drain(events(0), [], 1)
    session.close(complete=False)
    log = open_raw(tmp_path)
    list(log)
    assert log.torn
    assert engine.replay(tmp_path / TAPE).torn


def test_files_are_compared_to_their_first_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_PIECE", 4)
    one, two = tmp_path / "one", tmp_path / "two"
    for left, right, expected in (
        (b"", b"", None),
        (b"abcdefgh", b"abcdefgh", None),
        (b"abcdefgh", b"abcdeXgh", 5),
        (b"abcdef", b"abcdefgh", 6),
        (b"abcd", b"abcdefgh", 4),
        (b"x", b"", 0),
    ):
        one.write_bytes(left)
        two.write_bytes(right)
        assert first_difference(str(one), str(two)) == first_difference(str(two), str(one)) == expected
    with pytest.raises(StorageError, match="absent: cannot be read"):
        first_difference(str(one), str(tmp_path / "absent"))
