# distutils: language = c++
# cython: auto_pickle=False
# cython: embedsignature=False
"""The hot path of live market data: a frame's way from a socket's buffer to the callback of whoever wants to hear."""

cimport numpy as cnp
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.string cimport string
from libcpp.vector cimport vector
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

import time as _time

from engine._native.compose import Composer as _Composer
from engine._native.wire import FrameDecoder as _FrameDecoder
from engine.core.events import EVENT as _EVENT

cdef extern from "target.hpp" namespace "tf":
    string target_from_environment()

cdef extern from "records.hpp" namespace "tf":
    object array_copy(object descr, const void* memory, Py_ssize_t n, size_t item)

cdef extern from "event.hpp" namespace "tf":
    cdef cppclass Event:
        int64_t ts_event

cdef extern from "latency.hpp" namespace "tf":
    cdef cppclass Histogram:
        void record(int64_t) noexcept nogil
    cdef cppclass Delays:
        void delay(int64_t, int64_t) noexcept nogil

cdef extern from "compose/composer.hpp" namespace "tf::compose":
    cdef cppclass Composer:
        void apply(uint32_t, const Event*, size_t) noexcept nogil
        const vector[uint32_t]& changes() noexcept nogil
        void took_changes() noexcept nogil
        const vector[Event]& trades() noexcept nogil
        void took_trades() noexcept nogil

cdef extern from "wire/frames.hpp" namespace "tf::wire":
    cdef cppclass Slice:
        pass
    cdef cppclass Problem:
        pass
    cdef cppclass Frames:
        size_t receive(const uint8_t*, size_t, int64_t) noexcept nogil
        const Event* events() noexcept nogil
        const vector[Slice]& other() noexcept nogil
        const Problem* problem() noexcept nogil

cdef string _error = target_from_environment()
if not _error.empty():
    raise ImportError(_error.decode())

cnp.import_array()

DEF RECORD = 64
DEF COPIED = 4096  # bytes: a smaller payload is copied faster than a view of it is made
DEF CONTROL = 125  # bytes at most of a control frame, RFC 6455 section 5.5
DEF PATIENCE = 5_000  # ns that a frame waits for those behind it, before it is told of
DEF SHARE = 4  # times as long as the last callback took they wait: under a flood callbacks have a fifth of the time
DEF TIMED = 65_536  # most frames of one drain whose latency is taken

cdef object EVENT_TYPE = _EVENT
cdef object NO_TRADES = array_copy(EVENT_TYPE, NULL, 0, RECORD)
NO_TRADES.flags.writeable = False


cdef class _Clock:
    """A clock of the caller; the system's two are read without Python."""

    cdef object call
    cdef int number

    def __init__(self, call):
        self.call = call
        self.number = {_time.time_ns: CLOCK_REALTIME, _time.perf_counter_ns: CLOCK_MONOTONIC}.get(call, -1)

    cdef int64_t read(self) except? -1:
        cdef timespec now
        if self.number >= 0:
            clock_gettime(self.number, &now)
            return <int64_t>now.tv_sec * 1_000_000_000 + now.tv_nsec
        return self.call()


cdef class Intake:
    """Where the frames of one line enter: to its decoder and into the composer, counted and timed.

    Attributes:
        open: whether frames count.
        frames: how many did.
        last_recv: when the last one came, ns.
        native: whether ``receive`` may be called; who has another decoder or composer does its work.
        rest: the last frame held messages that are no events, or a problem: ask its decoder.
        stamp: the provider's, of the last event of the last frame, ns; 0 where there was none.
    """

    cdef public bint open
    cdef public uint64_t frames
    cdef public int64_t last_recv
    cdef public int64_t stamp
    cdef readonly bint native
    cdef readonly bint rest
    cdef Frames* decoding
    cdef Composer* composing
    cdef uint32_t source
    cdef Histogram* received
    cdef Histogram* decoded
    cdef Histogram* applied
    cdef Histogram* returned
    cdef Histogram* total
    cdef Delays* delays
    cdef _Clock elapsed
    cdef object alive  # whose memory is pointed to

    def attach(self, composer, Py_ssize_t source, decoder, latency, elapsed=None):
        """Sets the way.

        Args:
            composer: an ``engine._native.compose.Composer``, or anything: then ``native`` stays False.
            source: its number there; below 0 it has none.
            decoder: a ``FrameDecoder``, or anything.
            latency: histograms ``received``, ``decoded``, ``applied``, ``returned``, ``total``, and ``clock``.
            elapsed: a monotonic clock in ns, that of the pump, for decoded and applied; without it they are not timed.
        """
        self.alive = (composer, decoder, latency)
        self.received = <Histogram*><size_t>latency.received._address
        self.decoded = <Histogram*><size_t>latency.decoded._address
        self.applied = <Histogram*><size_t>latency.applied._address
        self.returned = <Histogram*><size_t>latency.returned._address
        self.total = <Histogram*><size_t>latency.total._address
        self.delays = <Delays*><size_t>latency.clock._address
        self.elapsed = None if elapsed is None else _Clock(elapsed)
        self.native = source >= 0 and isinstance(composer, _Composer) and isinstance(decoder, _FrameDecoder)
        if self.native:
            self.source = <uint32_t>source
            self.composing = <Composer*><size_t>composer._address
            self.decoding = <Frames*><size_t>decoder._address

    def receive(self, data, int64_t ts_recv):
        """One whole frame of an open line: decodes and applies it; the number of its events.

        Raises:
            RuntimeError: the way is not ``native``.
        """
        if not self.native:
            raise RuntimeError("this line's frames are not decoded natively")
        return self.take(data, ts_recv, 0 if self.elapsed is None else self.elapsed.read())

    cdef Py_ssize_t take(self, object data, int64_t ts_recv, int64_t begun) except -1:
        cdef Py_buffer view
        if PyBytes_CheckExact(data):
            return self.bring(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), ts_recv, begun)
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self.bring(<const uint8_t*>view.buf, view.len, ts_recv, begun)
        finally:
            PyBuffer_Release(&view)

    cdef Py_ssize_t bring(self, const uint8_t* data, size_t size, int64_t ts_recv, int64_t begun) except -1:
        cdef int64_t decoded
        cdef const Event* events
        self.frames += 1
        self.last_recv = ts_recv
        self.stamp = 0
        cdef size_t n = self.decoding.receive(data, size, ts_recv)
        self.rest = self.decoding.other().size() != 0 or self.decoding.problem() != NULL
        if n == 0:
            return 0
        events = self.decoding.events()
        if self.elapsed is not None:
            decoded = self.elapsed.read()
            self.composing.apply(self.source, events, n)
            self.decoded.record(decoded - begun)
            self.applied.record(self.elapsed.read() - decoded)
        else:
            self.composing.apply(self.source, events, n)
        self.stamped(events[n - 1].ts_event)
        return n

    cdef void stamped(self, int64_t stamp) noexcept:
        if stamp > 0:
            self.stamp = stamp
            self.received.record(self.last_recv - stamp)
            self.delays.delay(self.last_recv - stamp, self.last_recv)


cdef struct Entered:
    int64_t begun  # by the monotonic clock
    int64_t ts_recv
    int64_t stamp  # 0: none
    Py_ssize_t line


cdef class Pump:
    """Frames in, what changed out: once for all frames that a socket gave at once.

    Each frame is applied where it arrives. Behind the last one of a socket's, when the first has waited some microseconds,
    or when the loop comes to it (see ``_later``), a drain calls ``on_drain``. The slower that is, the longer frames wait:
    when Python falls behind, every frame is still applied, and callbacks see the newest state. It knows no loop and no socket; who derives from it does, and has the methods with an underscore.

    Args:
        lines: the ``Lines`` all frames are for.
        on_drain: called with what changed: a list of instruments and an ``EVENT`` array of prints. An exception in it is
            counted, and never stops the feed.
        clock: wall time in ns.
        elapsed: monotonic time in ns.
        record: called with ("frame", line, now, bytes) before a frame is given.

    Attributes:
        running: drains happen.
        due: a drain is scheduled.
        frames, drains, errors, batch_max, callback_ns_max: counters (see ``Runner.report``).
    """

    cdef readonly object lines
    cdef public object on_drain
    cdef public bint running
    cdef public bint due
    cdef public uint64_t frames
    cdef public uint64_t drains
    cdef public uint64_t errors
    cdef public uint64_t batch_max
    cdef public int64_t callback_ns_max
    cdef list intakes
    cdef object composer
    cdef Composer* composing  # null where it is not ours
    cdef _Clock clock
    cdef _Clock elapsed
    cdef object record
    cdef int64_t patience  # ns
    cdef uint64_t batch  # frames since the last drain
    cdef vector[Entered] entered  # of those

    def __init__(self, lines, *, on_drain=None, clock, elapsed, record=None):
        self.lines = lines
        self.on_drain = on_drain
        self.intakes = [lines.intake(line) for line in range(len(lines.names))]
        for intake in self.intakes:
            if not isinstance(intake, Intake):
                raise TypeError(f"a line's intake is {type(intake).__name__}; expected Intake")
        self.composer = lines.aggregator.composer
        if isinstance(self.composer, _Composer):
            self.composing = <Composer*><size_t>self.composer._address
        self.clock, self.elapsed = _Clock(clock), _Clock(elapsed)
        self.record = record
        self.patience = PATIENCE

    def tap(self, Py_ssize_t line):
        """The callback for frames of a line: ``frame(data, last=False)``.

        ``last``: it is the last one of what its socket gave, so the drain follows at once, without a turn of the loop.
        """
        if not 0 <= line < len(self.intakes):
            raise ValueError(f"line is {line}; expected one of the {len(self.intakes)} there are")
        cdef Tap tap = Tap.__new__(Tap)
        tap.pump, tap.line = self, line
        return tap

    cdef int take(self, Py_ssize_t line, object data, bint last, int64_t begun) except -1:
        cdef Intake intake = <Intake>self.intakes[line]
        cdef int64_t now = self.clock.read()
        cdef Entered entered
        if self.record is not None:
            if type(data) is not bytes:
                data = bytes(data)
            self.record("frame", line, now, data)
        try:
            if not intake.native:
                self.lines.received(line, data, now)
            elif intake.open:
                intake.take(data, now, begun)
                if intake.rest:
                    self.lines.attend(line, data, now)
        except Exception:
            self._broken(line)
        self.batch += 1
        if self.entered.size() < TIMED:
            entered.begun, entered.ts_recv, entered.stamp, entered.line = begun, now, intake.stamp, line
            self.entered.push_back(entered)
        if last or self.elapsed.read() - self.entered[0].begun > self.patience:
            self.drain()
        elif not self.due:
            self.due = True
            self._later()
        return 0

    cpdef drain(self):
        """What was decided is carried out, and what changed since the last drain told."""
        cdef list changes
        self.due = False
        if not self.running:
            return
        if self.lines.stirred:
            self._obey()
        if self.on_drain is not None:
            if self.composing == NULL:
                changes, trades = self.composer.take_changes().tolist(), self.composer.take_trades()
            else:
                changes, trades = self.changed(), self.traded()
            if changes or cnp.PyArray_DIM(<cnp.ndarray>trades, 0):
                self.tell(changes, trades)
        if self.batch:
            self.drains += 1
            self.frames += self.batch
            self.batch_max = max(self.batch_max, self.batch)
            self.batch = 0
            self.entered.clear()

    cdef list changed(self):
        cdef const vector[uint32_t]* found = &self.composing.changes()
        cdef list changes = []
        cdef size_t i
        for i in range(found.size()):
            changes.append(found[0][i])
        self.composing.took_changes()
        return changes

    cdef object traded(self):
        cdef const vector[Event]* found = &self.composing.trades()
        if found.size() == 0:
            return NO_TRADES
        trades = array_copy(EVENT_TYPE, found.data(), found.size(), RECORD)
        self.composing.took_trades()
        return trades

    cdef int tell(self, list changes, object trades) except -1:
        """The user's code, timed: how long it took, and how long since each frame came."""
        cdef int64_t begun = self.elapsed.read(), ended
        cdef Intake intake
        cdef Entered entered
        cdef size_t i
        try:
            self.on_drain(changes, trades)
        except Exception:
            self._failed()
        ended = self.elapsed.read()
        self.callback_ns_max = max(self.callback_ns_max, ended - begun)
        self.patience = max(PATIENCE, SHARE * (ended - begun))
        for i in range(self.entered.size()):
            entered = self.entered[i]
            intake = <Intake>self.intakes[entered.line]
            intake.returned.record(ended - entered.begun)
            if entered.stamp:
                intake.total.record(entered.ts_recv - entered.stamp + ended - entered.begun)
        return 0

    # ---- what a derived class does

    def _later(self):
        """Has ``drain`` called in this turn of the loop."""
        raise NotImplementedError

    def _obey(self):
        """Carries out what the lines decided, and sets ``lines.stirred`` back."""
        raise NotImplementedError

    def _broken(self, line):
        """Our own code failed on a frame: tells it, and starts the line anew. Called in an ``except`` block."""
        raise NotImplementedError

    def _failed(self):
        """``on_drain`` failed: counts and tells it. Called in an ``except`` block."""
        raise NotImplementedError


cdef class Tap:
    """The callback for frames of one line (see ``Pump.tap``)."""

    cdef Pump pump
    cdef Py_ssize_t line

    def __call__(self, data, last=False):
        self.pump.take(self.line, data, last, self.pump.elapsed.read())


cdef class Gate:
    """Stands before a picows listener: whole messages go straight to ``frame``, all else to ``general``.

    ``on_ws_frame(transport, frame)`` is picows' callback. It is here for the latency of a frame to begin where picows
    calls, and for what follows to need no Python.

    Args:
        frame: called with (payload, whether it is the last one of the buffer); best a ``Tap``.
        general: called with (transport, frame) for control frames, fragments and frames over the limit.
        kinds: the message types of data.
        most: bytes of the largest payload that goes the straight way.

    Attributes:
        straight: whether anything goes the straight way.
    """

    cdef public bint straight
    cdef object frame, general, text, binary
    cdef Tap tap
    cdef Py_ssize_t most

    def __init__(self, frame, general, kinds, Py_ssize_t most):
        self.frame, self.general = frame, general
        self.text, self.binary = kinds
        self.tap = frame if isinstance(frame, Tap) else None
        self.most = most
        self.straight = True

    def on_ws_frame(self, transport, frame):
        """One WebSocket frame."""
        cdef int64_t begun = 0 if self.tap is None else self.tap.pump.elapsed.read()
        cdef Py_ssize_t size
        if not self.straight:
            self.general(transport, frame)
            return
        size = frame.payload_size
        if not frame.fin or size > self.most:
            self.general(transport, frame)
            return
        payload = frame.get_payload_as_bytes() if size <= COPIED else frame.get_payload_as_memoryview()
        # picows takes its time to tell the kind. No control frame is larger, and a pong that looks like JSON may be heard
        # as a message: who sends it could as well send that.
        if size <= CONTROL and not (size and PyBytes_AS_STRING(payload)[0] in (b'[', b'{')):
            kind = frame.msg_type
            if not (kind is self.text or kind is self.binary):
                self.general(transport, frame)
                return
        if self.tap is None:
            self.frame(payload, frame.last_in_buffer)
        else:
            self.tap.pump.take(self.tap.line, payload, frame.last_in_buffer, begun)
