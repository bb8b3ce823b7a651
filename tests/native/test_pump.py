import gc
import itertools
import weakref

import numpy as np
import pytest

from engine._native.book import Books
from engine._native.compose import Composer
from engine._native.pump import Gate, Intake, Pump
from engine._native.wire import FrameDecoder
from engine.core.instruments import Instruments
from engine.feeds.aggregator import Aggregator
from engine.feeds.latency import LineLatency
from engine.feeds.lines import Lines
from tests.feeds.scripted import ScriptedComposer, ScriptedFeed
from tests.feeds.virtual import Pump as Virtual

MS = 1_000_000
S = 1_000_000_000
NOW = 1_767_623_400_000 * MS
QUOTE = b'[{"ev":"Q","sym":"AAPL","bx":4,"bp":100.01,"bs":100,"ax":7,"ap":100.02,"as":100,"t":1767623399990,"q":1}]'
STATUS = b'[{"ev":"status","status":"success","message":"x"}]'


class Hand(Pump):
    """A pump whose loop is the test."""

    def __init__(self, lines, **keywords):
        super().__init__(lines, **({"clock": lambda: NOW, "elapsed": itertools.count(0, 100).__next__} | keywords))
        self.running = True
        self.told = []

    def _later(self):
        self.told.append("later")

    def _obey(self):
        self.lines.stirred = False
        self.told.append("obey")

    def _broken(self, line):
        self.errors += 1
        self.told.append(("broken", line))

    def _failed(self):
        self.errors += 1
        self.told.append("failed")


def scripted(**keywords):
    lines = Lines([ScriptedFeed("a")], Aggregator(Instruments(), ScriptedComposer()))
    lines.start(NOW)
    lines.opened(0, NOW)
    return Hand(lines, **keywords)


# ---- the same as the pure core


class Pumped(Virtual):
    """Frames come through a pump, in batches; all else as always."""

    def __init__(self, *arguments, drains=(True,), **keywords):
        super().__init__(*arguments, **keywords)
        self.drains = itertools.cycle(drains)
        self.hand = Hand(self.machine.lines, clock=lambda: self.now, on_drain=self.drained, record=self.record)
        self.hand._obey = self.obey

    def drained(self, changes, _trades):
        self.changes += changes

    def give(self, kind, line=-1, payload=None):
        if kind == "frame":
            self.hand.tap(line)(payload, next(self.drains))
            self.obey()
        else:
            super().give(kind, line, payload)


FAULTS = (
    "lag polygon at=1s for=500ms; truncate alpaca-sip at=1500ms for=20ms; duplicate polygon at=2s for=300ms; "
    "disconnect alpaca-sip at=1s"
)


@pytest.mark.parametrize(("drains", "seed"), [([True], 1), ([False], 2), ([False, True, False], 3)])
def test_pumped_frames_do_what_received_ones_do(drains, seed):
    found = []
    for kind, more in ((Virtual, {}), (Pumped, {"drains": drains})):
        inputs = []
        pump = kind(
            ("polygon", "alpaca-sip", "iex"), FAULTS, seed=seed, record=lambda *one, to=inputs: to.append(one), **more
        )
        pump.give("start")
        pump.give("subscribe", payload=("AAPL", "MSFT"))
        pump.run(3 * S)
        found.append((inputs, pump.machine.composer.take_events().tobytes(), pump.machine.health(pump.now)))
        books = [pump.machine.books[symbol].bbo() for symbol in ("AAPL", "MSFT")]
        found[-1] += (repr(books), [str(notice) for notice in pump.notices], sorted(set(pump.changes)))
    assert found[0] == found[1]
    assert len(found[0][1]) > 64 * 500


# ---- one line's intake


def native(elapsed=None):
    instruments = Instruments(["AAPL"])
    composer = Composer(instruments, Books(instruments))
    decoder = FrameDecoder("polygon", provider="polygon")
    decoder.map("AAPL", 0)
    source = composer.add_source(1, "nbbo")
    composer.subscribe(source, 0)
    intake, latency = Intake(), LineLatency()
    intake.attach(composer, source, decoder, latency, elapsed)
    return intake, latency, composer


@pytest.mark.parametrize("data", [QUOTE, bytearray(QUOTE), memoryview(QUOTE), np.frombuffer(QUOTE, np.uint8)])
def test_an_intake_decodes_applies_counts_and_times(data):
    intake, latency, composer = native(itertools.count(0, 100).__next__)
    assert intake.native
    assert intake.receive(data, NOW) == 2
    assert (intake.frames, intake.last_recv, intake.stamp, intake.rest) == (1, NOW, NOW - 10 * MS, False)
    assert composer.nbbo(0)[:4] == (100.01, 100, 100.02, 100)
    assert [getattr(latency, hop).max for hop in ("received", "decoded", "applied")] == [10 * MS, 100, 100]
    assert latency.clock.least_delay == 10 * MS


def test_an_intake_tells_of_a_rest():
    intake, latency, _ = native()
    assert intake.receive(STATUS, NOW) == 0
    assert intake.rest
    assert intake.receive(QUOTE[:-1], NOW) == 2
    assert intake.rest
    assert intake.receive(QUOTE, NOW) == 2
    assert not intake.rest
    assert latency.decoded.count == latency.applied.count == 0
    assert latency.received.count == 2


def test_an_intake_keeps_what_it_points_to_alive():
    intake, latency, composer = native()
    weak = weakref.ref(latency.clock) if hasattr(latency.clock, "__weakref__") else None
    del latency, composer
    gc.collect()
    assert weak is None or weak() is not None
    assert intake.receive(QUOTE, NOW) == 2


def test_what_is_not_ours_is_left_to_others():
    intake = Intake()
    with pytest.raises(RuntimeError, match="not decoded natively"):
        intake.receive(QUOTE, NOW)
    for composer, source, decoder in ((object(), 0, FrameDecoder("polygon", provider="polygon")), (None, -1, None)):
        intake.attach(composer, source, decoder, LineLatency())
        assert not intake.native


# ---- drains


def test_frames_are_told_behind_the_last_one_of_a_socket():
    drained = []
    pump = scripted(on_drain=lambda *found: drained.append(found))
    pump.lines.aggregator.composer.take_changes = lambda: np.array([3, 1], np.uint32)
    frame = pump.tap(0)
    frame(b"u")
    frame(b"u")
    assert pump.told == ["later"]
    assert pump.due
    assert not drained
    frame(b"u", True)
    assert pump.told == ["later", "obey"]
    assert [(changes, len(trades)) for changes, trades in drained] == [([3, 1], 0)]
    assert (pump.frames, pump.drains, pump.batch_max, pump.errors, pump.due) == (3, 1, 3, 0, False)
    latency = pump.lines.latency(0)
    assert latency.returned.count == latency.total.count == 3
    assert latency.returned.max > latency.returned.min >= 200
    assert latency.total.max == latency.returned.max + 5 * MS


def test_frames_wait_for_those_behind_them_as_long_as_callbacks_are_slow():
    ticks, slow, drained = itertools.count(0, 1_000), [0], []

    def on_drain(_changes, _trades):
        drained.append(pump.frames)
        for _ in range(slow[0]):
            next(ticks)

    pump = scripted(on_drain=on_drain, elapsed=ticks.__next__)
    pump.lines.aggregator.composer.take_changes = lambda: np.array([0], np.uint32)

    def batches(count):
        before = pump.drains
        for _ in range(count):
            pump.tap(0)(b"u")
        return pump.drains - before

    assert batches(30) == 30 // 4  # two readings of the clock a frame: the fourth one sees more than 5 us
    slow[0] = 100
    pump.tap(0)(b"u", True)
    assert batches(400) <= 2
    slow[0] = 0
    pump.tap(0)(b"u", True)
    assert batches(30) == 30 // 4
    assert drained


def test_what_is_told_to_nobody_has_no_latency():
    pump = scripted(on_drain=lambda *_: None)
    pump.tap(0)(b"u", True)
    assert pump.drains == 1
    assert pump.lines.latency(0).returned.count == 0


def test_a_pump_that_does_not_run_tells_nothing():
    drained = []
    pump = scripted(on_drain=lambda *found: drained.append(found))
    pump.running = False
    pump.tap(0)(b"u", True)
    assert not drained
    assert pump.drains == 0


def test_errors_are_counted_and_stop_nothing():
    def broken(_changes, _trades):
        raise ValueError("mine")

    pump = scripted(on_drain=broken)
    pump.lines.aggregator.composer.take_changes = lambda: np.array([0], np.uint32)
    pump.tap(0)(b"u", True)
    assert pump.told == ["obey", "failed"]
    pump.lines.received = broken
    pump.tap(0)(b"u", True)
    assert pump.told == ["obey", "failed", ("broken", 0), "failed"]
    assert pump.errors == 3


def test_frames_are_recorded_as_bytes_before_they_are_given():
    told = []
    pump = scripted(record=lambda *entry: told.append((entry, pump.lines.intake(0).frames)))
    pump.tap(0)(memoryview(b"u"), True)
    assert told == [(("frame", 0, NOW, b"u"), 0)]
    assert type(told[0][0][3]) is bytes


def test_wrong_lines_are_refused():
    pump = scripted()
    for line in (-1, 1):
        with pytest.raises(ValueError, match="expected one of the 1 there are"):
            pump.tap(line)


def test_a_pump_of_no_loop_says_so():
    pump = Pump(scripted().lines, clock=lambda: NOW, elapsed=lambda: 0)
    for hook in (pump._later, pump._obey, pump._failed, lambda: pump._broken(0)):
        with pytest.raises(NotImplementedError):
            hook()


# ---- the gate


class Message:
    """A frame as picows gives it."""

    def __init__(self, kind, payload=b"u", fin=True, last=True):
        self.msg_type, self.payload, self.fin, self.last_in_buffer = kind, payload, fin, last
        self.payload_size = len(payload)

    def get_payload_as_bytes(self):
        return self.payload

    def get_payload_as_memoryview(self):
        return memoryview(self.payload)


TEXT, BINARY, PING = object(), object(), object()


@pytest.mark.parametrize("tapped", [False, True])
def test_whole_messages_go_straight_and_all_else_to_the_listener(tapped):
    heard, rest = [], []
    pump = scripted(record=lambda _kind, _line, _now, data: heard.append(data))
    frame = pump.tap(0) if tapped else lambda data, last: heard.append(bytes(data))
    gate = Gate(frame, lambda _, message: rest.append(message), (TEXT, BINARY), 10_000)
    large = b"u;" * 4_000 + b"u"
    gate.on_ws_frame(None, Message(TEXT))
    gate.on_ws_frame(None, Message(BINARY, large))
    assert heard == [b"u", large]
    gate.on_ws_frame(None, Message(None, b"[1]"))  # whatever it is: its kind is not asked for
    assert heard.pop() == b"[1]"
    others = [Message(PING), Message(PING, b""), Message(TEXT, fin=False), Message(BINARY, b"u" * 10_001)]
    for message in others:
        gate.on_ws_frame(None, message)
    gate.straight = False
    others.append(Message(TEXT))
    gate.on_ws_frame(None, others[-1])
    assert rest == others
    assert len(heard) == 2
