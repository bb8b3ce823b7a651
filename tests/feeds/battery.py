"""The standard battery: what every adapter must stand, whatever its provider.

An adapter's test makes a ``Rig``: how to make the line, the frames of a whole conversation in order, what means
nothing. The battery then cuts, repeats, shuffles, spoils and invents frames. Nothing may raise, nothing
wrong may pass without a count or a notice, the events before a fault stay, the next whole frame is as good as ever, and
no secret is told.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from engine.feeds.protocol import FeedProtocol, Notice, Ready, Refused, Unexpected

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND


@dataclass
class Rig:
    """How the battery drives one adapter.

    ``frames`` are a conversation from the welcome to data and rare messages; ``unknown`` frames that are well formed
    and mean nothing; ``hostile`` frames of absurd sizes, well formed or not; ``wanted`` what is subscribed before.
    """

    make: Callable[[], FeedProtocol]
    frames: Sequence[bytes]
    unknown: Sequence[bytes]
    hostile: Sequence[bytes] = ()
    wanted: Sequence[str] = ("AAPL", "MSFT")
    secrets: Sequence[str] = ()
    datagrams: bool = False
    _lines: list[FeedProtocol] = field(default_factory=list)

    def line(self, *, opened: bool = True) -> FeedProtocol:
        """A new line that wants symbols."""
        line = self.make()
        line.subscribe(self.wanted)
        if opened:
            line.opened(START)
        return line

    def ready(self) -> FeedProtocol:
        """A line that has had its whole conversation."""
        line = self.line()
        for frame in self.frames:
            pump(line, frame)
        return line


@dataclass(frozen=True)
class Pumped:
    """What a frame led to."""

    events: np.ndarray
    problem: str | None
    notices: list[Notice]
    outgoing: list[bytes | str]
    counted: bool


def totals(line: FeedProtocol) -> dict[str, int]:
    """Every count of a line, without those of any frame at all."""
    of_decoder = {key: value for key, value in line.decoder.counts.items() if key not in {"frames", "bytes"}}
    return {**of_decoder, **{f"line.{key}": value for key, value in line.counts.items()}}


def pump(line: FeedProtocol, frame: bytes, now: int = START) -> Pumped:
    """A frame through decoder and adapter, as a pump does it."""
    before = totals(line)
    events = line.decoder.receive_bytes(frame, now)
    problem = line.decoder.take_problem()
    line.receive_other(line.decoder.take_other(), now)
    line.timer(now)
    return Pumped(events, problem, line.take_notices(), line.take_outgoing(), totals(line) != before)


def noticed(pumped: Pumped) -> bool:
    """A frame had an effect that somebody can see."""
    return bool(len(pumped.events) or pumped.problem or pumped.notices or pumped.counted)


def plain(line: FeedProtocol) -> None:
    """Nothing a line tells or shows has a secret in it, and nothing is long."""
    for notice in line.take_notices():
        assert len(repr(notice)) < 20_000
    assert len(repr(line)) < 300


class Battery:
    """Derive, give ``rig``, and pytest finds the rest."""

    rig: Rig

    def test_the_conversation_makes_the_line_ready(self):
        line = self.rig.line()
        notices = line.take_notices()
        for frame in self.rig.frames:
            pumped = pump(line, frame)
            assert pumped.problem is None
            assert noticed(pumped)
            notices += pumped.notices
        assert Ready() in notices
        assert not [notice for notice in notices if isinstance(notice, Refused)]
        assert line.subscribed == frozenset(self.rig.wanted)

    def test_frames_cut_at_every_byte(self):
        line = self.rig.ready()
        for frame in self.rig.frames:
            whole = pump(line, frame).events.tobytes()
            for cut in range(len(frame)):
                pumped = pump(line, frame[:cut])
                assert whole.startswith(pumped.events.tobytes())
                assert pumped.problem is not None, frame[:cut]
            assert pump(line, frame).events.tobytes() == whole

    def test_events_before_a_fault_stay_and_the_next_frame_is_good(self):
        line = self.rig.ready()
        for frame in self.rig.frames:
            whole = pump(line, frame).events
            if len(whole) and not self.rig.datagrams:
                pumped = pump(line, frame + b"\x00\x00")
                assert pumped.problem is not None
                assert len(pumped.events) == len(whole)

    def test_frames_twice(self):
        line = self.rig.line()
        for frame in self.rig.frames:
            pump(line, frame)
            pumped = pump(line, frame)
            assert pumped.problem is None
            assert noticed(pumped)
        assert line.subscribed == frozenset(self.rig.wanted)

    @pytest.mark.parametrize("seed", range(20))
    def test_frames_in_any_order(self, seed):
        chance = random.Random(seed)
        frames = list(self.rig.frames) * 2
        chance.shuffle(frames)
        line = self.rig.line()
        for frame in frames:
            assert noticed(pump(line, frame))
        plain(line)
        # a new connection is as good as ever
        line.closed(None, "", START)
        line.opened(START)
        line.take_outgoing()
        for frame in self.rig.frames:
            pump(line, frame)
        assert line.subscribed == frozenset(self.rig.wanted)

    @pytest.mark.parametrize("seed", range(20))
    def test_garbage(self, seed):
        chance = random.Random(seed)
        line = self.rig.ready()
        for _ in range(40):
            pumped = pump(line, chance.randbytes(chance.randrange(1, 200)))
            assert noticed(pumped)
        for frame in self.rig.frames:
            for _ in range(20):
                spoiled = bytearray(frame)
                for _ in range(chance.randrange(1, 4)):
                    spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
                pump(line, bytes(spoiled))
        line.take_notices()
        line.closed(None, "", START)
        line.opened(START)
        for frame in self.rig.frames:
            assert pump(line, frame).problem is None
        assert line.subscribed == frozenset(self.rig.wanted)

    def test_unknown_messages_are_counted(self):
        line = self.rig.ready()
        for frame in self.rig.unknown:
            before = totals(line)
            pumped = pump(line, frame)
            assert len(pumped.events) == 0
            assert noticed(pumped), frame
            assert totals(line) != before
            assert not [notice for notice in pumped.notices if isinstance(notice, Refused) and notice.close]
        assert line.subscribed == frozenset(self.rig.wanted)

    def test_hostile_sizes(self):
        line = self.rig.ready()
        for frame in self.rig.hostile:
            pumped = pump(line, frame)
            assert noticed(pumped), frame[:100]
            strange = [notice for notice in pumped.notices if isinstance(notice, Unexpected)]
            assert len(strange) <= 16
            assert all(len(notice.text) <= 200 for notice in strange)
        assert pump(line, self.rig.frames[-1]).problem is None

    def test_frames_in_any_state(self):
        for frame in self.rig.frames:
            for line in (self.rig.line(opened=False), self.rig.line(), self.rig.ready()):
                assert noticed(pump(line, frame))
                for code, reason in [
                    (None, ""),
                    (1000, "bye"),
                    (1006, ""),
                    (1008, "x" * 1_000),
                    (401, "no"),
                    (503, ""),
                ]:
                    line.closed(code, reason, START)
                    assert line.subscribed == frozenset()
                    pump(line, frame)

    def test_timers_in_any_state(self):
        line = self.rig.line(opened=False)
        for now in (0, START, START + SECOND, START + 3_600 * SECOND):
            assert line.timer(now) > now
        line.opened(START)
        for step in range(50):
            due = line.timer(START + step * SECOND)
            assert due > START + step * SECOND

    def test_subscriptions_while_running(self):
        line = self.rig.ready()
        line.subscribe(["AAPL", "IBM", "BRK.B", "IBM"])
        line.unsubscribe(["MSFT", "ZZZ", "MSFT"])
        line.unsubscribe([])
        line.subscribe([])
        assert "MSFT" not in line.subscribed
        line.closed(1006, "", START)
        line.unsubscribe(["AAPL"])
        line.opened(START)
        for frame in self.rig.frames:
            pump(line, frame)
        assert line.subscribed <= {"IBM", "BRK.B"}

    def test_secrets_are_not_told(self):
        line = self.rig.ready()
        told: list[Any] = [repr(line), line.shown_url, line.facts, line.take_notices()]
        for secret in self.rig.secrets:
            told += [pump(line, frame).notices for frame in self.rig.frames]
            line.closed(1008, f"bad key {secret}", START)
            told.append(line.take_notices())
            assert secret not in repr(told)
