"""What stood behind frames."""

import json

from engine.core.events import Side
from engine.sim.market import NO_TOP, Slot, Top
from engine.sim.providers.protocol import Change
from engine.sim.truth_log import Frame, LineTruth, TruthFile, TruthLog


def frame(number, *changes, connection=1):
    return Frame("iex", connection, number, 10 * number, b"bytes", changes, "", market=True)


def top(price):
    return Top(Slot(1, price, 5), Slot(1, price + 1, 5))


def test_a_client_should_show_the_last_it_was_told():
    truth = LineTruth()
    assert truth.top("A") == NO_TOP
    truth.receive(frame(1, Change("A", 1, top=top(10)), Change("A", 3, prints=2)))
    truth.receive(frame(2, Change("A", 4, top=top(12))))
    truth.receive(frame(3, Change("A", 3, top=top(11))))  # late
    assert truth.tops == {"A": top(12)}
    assert truth.prints == 2
    truth.reset()
    assert truth.tops == {}


def test_levels_are_absolute_and_a_clear_voids_them():
    truth = LineTruth()
    truth.receive(frame(1, Change("A", 1, 8, levels=((Side.BID, 10, 5), (Side.BID, 9, 4), (Side.ASK, 11, 1)))))
    truth.receive(frame(2, Change("A", 2, 8, levels=((Side.BID, 10, 0), (Side.BID, 9, 6)))))
    truth.receive(frame(3, Change("A", 1, 8, levels=((Side.BID, 9, 4),))))  # late
    assert truth.levels == {"A": {Side.BID: {9: 6}, Side.ASK: {11: 1}}}
    truth.receive(frame(4, Change("", 5, clear=True), Change("B", 5, 8, levels=((Side.ASK, 7, 7),))))
    assert truth.levels == {"B": {Side.BID: {}, Side.ASK: {7: 7}}}


def test_a_log_keeps_frames_by_connection_without_bytes_and_says_when_it_was_full():
    log = TruthLog(limit=2)
    log.opened("iex", 1)
    log.opened("iex", 4)
    log.sent(frame(1))
    log.sent(frame(1, connection=4))
    assert log.complete
    log.sent(frame(2))
    assert not log.complete
    assert log.connections("iex") == (1, 4)
    assert log.connections("polygon") == ()
    assert [(each.number, each.data) for each in log.frames(1)] == [(1, b"")]
    assert log.frames(9) == []


def test_a_file_has_a_line_a_frame(tmp_path):
    file = TruthFile(tmp_path / "truth")
    log = TruthLog(0, file.write)
    log.opened("iex", 1)
    level = Change("A", 1, 8, levels=((Side.BID, 10, 5),))
    log.sent(frame(1, Change("A", 2, top=top(10)), level, Change("", 3, clear=True), Change("A", 4, prints=1)))
    file.close()
    (row,) = map(json.loads, (tmp_path / "truth").read_text().splitlines())
    assert row == {
        "line": "iex",
        "connection": 1,
        "number": 1,
        "time": 10,
        "fault": "",
        "changes": [
            {"symbol": "A", "sequence": 2, "bid": [1, 10, 5], "ask": [1, 11, 5]},
            {"symbol": "A", "sequence": 1, "venue": 8, "levels": [[1, 10, 5]]},
            {"symbol": "", "sequence": 3, "clear": True},
            {"symbol": "A", "sequence": 4, "prints": 1},
        ],
    }
    assert log.frames(1) == []
