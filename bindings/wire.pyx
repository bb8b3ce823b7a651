# distutils: language = c++
# cython: auto_pickle=False
# cython: embedsignature=False
"""Frames of live connections to records."""

cimport numpy as cnp
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libcpp cimport bool as cbool
from libcpp.string cimport string
from libcpp.vector cimport vector

from engine.core.events import EVENT as _RECORD

cdef extern from "target.hpp" namespace "tf":
    string target_from_environment()

cdef extern from "event.hpp" namespace "tf":
    cdef cppclass Event:
        pass

cdef extern from "decode/context.hpp" namespace "tf::decode":
    uint64_t origin_word(uint16_t, uint8_t)

cdef extern from "wire/frames.hpp" namespace "tf::wire":
    cdef enum class FrameFormat(int):
        POLYGON
    cdef struct FrameOptions:
        FrameFormat format
        uint64_t origin
        cbool top
        cbool general
    cdef struct Slice:
        uint32_t offset
        uint32_t size
    cdef struct Problem:
        const char* what
        uint64_t offset
    cdef struct FrameCounts:
        uint64_t frames
        uint64_t bytes
        uint64_t events
        uint64_t other
        uint64_t unknown_symbols
        uint64_t unknown_venues
        uint64_t malformed
        uint64_t general
        uint64_t inexact
        uint64_t invalid
    cdef struct Received:
        size_t events
        cbool rest
    cdef cppclass CFrames "tf::wire::Frames":
        CFrames(const FrameOptions&) except +
        cbool map(const char*, size_t, uint32_t) nogil
        size_t receive(const uint8_t*, size_t, int64_t) nogil
        Received receive_into(const uint8_t*, size_t, int64_t, Event*, size_t) nogil
        const Event* events() nogil
        const vector[Slice]& other() nogil
        const Problem* problem() nogil
        void forget() nogil
        const FrameCounts& counts() nogil
    const char* format_name(int)
    int format_number(const char*)

cdef extern from "wire/tables.hpp" namespace "tf::wire":
    uint16_t venue_number(const char*)
    cdef struct PolygonTables:
        uint16_t venues[256]
        uint32_t trade_conditions[128]
        uint32_t quote_conditions[128]
    const PolygonTables POLYGON

cdef extern from "wire/letters.hpp" namespace "tf::wire":
    cdef struct LetterTables:
        uint16_t venues[128]
    const LetterTables LETTERS
    uint32_t letter_status "tf::wire::letter_status" (int)

cdef extern from "records.hpp" namespace "tf":
    object array_copy(object descr, const void* memory, Py_ssize_t n, size_t item)

cnp.import_array()

cdef string _target_error = target_from_environment()
if not _target_error.empty():
    raise ImportError(_target_error.decode())

DEF RECORD = 64
OTHER_MAX = 65_536  # messages kept for a caller who does not take them; the oldest go first

cdef list _names = []
while format_name(<int>len(_names)) != NULL:
    _names.append(format_name(<int>len(_names)).decode())
FORMATS = tuple(_names)

cdef cnp.dtype _EVENT = _RECORD


cdef class FrameDecoder:
    """FrameDecoder(format, *, provider, venue="", quotes="nbbo", general=False)
--

    Whole frames of one live connection in, records out; it opens nothing and waits for nothing.

    Args:
        format: what the frames are: one of ``FORMATS``.
        provider: name or number of the provider in the records.
        venue: name of the venue whose own quotes these are, for ``quotes="top"``.
        quotes: "nbbo": a quote is two NBBO events, each with the venue that holds the side; "top": two QUOTE events of
            ``venue``.
        general: leaves the fast paths out. The results are the same; for tests.

    A quote is a bid and an ask, LAST on the ask; price 0 where a side is missing. Bytes that are no frame of the format
    raise nothing: what is before them is decoded, and ``take_problem`` says what was wrong.
    """

    cdef CFrames* native
    cdef readonly str format
    cdef list kept  # other messages not taken yet
    cdef uint64_t dropped
    cdef str problem  # not taken yet

    def __init__(self, str format not None, *, provider, str venue not None="", str quotes not None="nbbo",
                 general=False):
        from engine.core.venues import provider_id, venue_id

        if self.native != NULL:
            raise RuntimeError("a decoder is made once")
        cdef FrameOptions options
        cdef bytes name = format.encode("utf-8")
        cdef int number = format_number(name)
        if number < 0:
            raise ValueError(f"format is {format!r}; expected one of {', '.join(FORMATS)}")
        if quotes not in ("nbbo", "top"):
            raise ValueError(f"quotes are {quotes!r}; expected 'nbbo' or 'top'")
        if quotes == "top" and not venue:
            raise ValueError("venue is ''; expected the venue whose quotes these are")
        options.format = <FrameFormat>number
        options.origin = origin_word(<uint16_t>(venue_id(venue) if venue else 0), <uint8_t>provider_id(provider))
        options.top = quotes == "top"
        options.general = bool(general)
        self.native = new CFrames(options)
        self.format = format
        self.kept = []

    def __dealloc__(self):
        del self.native

    def __repr__(self):
        if self.native == NULL:
            return "FrameDecoder(not made)"
        cdef const FrameCounts* counts = &self.native.counts()
        return (f"FrameDecoder({self.format!r}, {counts.frames} frames, {counts.events} events, {counts.other} other, "
                f"{counts.malformed} malformed)")

    def map(self, str symbol not None, uint32_t instrument):
        """From now on messages of ``symbol``, as the provider writes it, are of ``instrument``; ``NO_INSTRUMENT`` takes
        the symbol away.

        Raises:
            ValueError: not 1 to 32 printable ASCII characters without blanks, quotes and backslashes.
        """
        self._check_made()
        cdef bytes text = symbol.encode("utf-8")
        if not self.native.map(text, len(text), instrument):
            raise ValueError(f"symbol is {symbol!r}; expected 1 to 32 printable ASCII characters without blanks, quotes "
                             "and backslashes")

    def receive_bytes(self, data, int64_t ts_recv=0, out=None):
        """Decodes one whole frame.

        Args:
            data: any contiguous buffer; not kept.
            ts_recv: when it came, ns since epoch, for every event.
            out: an array of ``engine.EVENT`` to write to.

        Returns:
            A structured array of ``engine.EVENT`` with memory of its own; with ``out`` the number of events at its start.

        Raises:
            TypeError: no buffer. ValueError: ``out`` is no writable contiguous array of EVENT, or too small for this
            frame; give the frame again with one large enough.
        """
        cdef Py_buffer view
        if self.native == NULL:
            self._check_made()
        if PyBytes_CheckExact(data):
            return self._receive(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), ts_recv, out)
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self._receive(<const uint8_t*>view.buf, view.len, ts_recv, out)
        finally:
            PyBuffer_Release(&view)

    def take_other(self, frame=None):
        """The messages that are not for EVENT since the last call, as they came, in order.

        At most 65,536 are kept, the newest; ``counts["other_dropped"]`` says how many were lost.

        Args:
            frame: the frame that a Composer has just decoded with this decoder, unchanged; the decoder has no copy of
                it. None where ``receive_bytes`` got the frame itself.
        """
        cdef Py_buffer view
        self._check_made()
        if frame is not None and self.native.other().size() != 0:
            PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE)
            try:
                self._keep(<const uint8_t*>view.buf)
            finally:
                PyBuffer_Release(&view)
        kept, self.kept = self.kept, []
        return kept

    def take_problem(self):
        """What was wrong with the newest malformed frame since the last call: what and at which byte; None if nothing."""
        self._check_made()
        self._keep_problem()
        problem, self.problem = self.problem, None
        return problem

    @property
    def counts(self):
        """What was seen so far: frames, bytes, events, other (messages that are not for EVENT), unknown_symbols,
        unknown_venues, malformed (frames), general (messages decoded without the fast path), inexact and invalid
        (messages dropped: a number that is no count of 1e-9; a field that is missing or of the wrong type), other_dropped.
        """
        self._check_made()
        cdef const FrameCounts* counts = &self.native.counts()
        return {
            "frames": counts.frames,
            "bytes": counts.bytes,
            "events": counts.events,
            "other": counts.other,
            "unknown_symbols": counts.unknown_symbols,
            "unknown_venues": counts.unknown_venues,
            "malformed": counts.malformed,
            "general": counts.general,
            "inexact": counts.inexact,
            "invalid": counts.invalid,
            "other_dropped": self.dropped,
        }

    @property
    def _address(self):
        """Where the native decoder is, for a Composer, which keeps this object alive."""
        self._check_made()
        return <uintptr_t>self.native

    cdef int _check_made(self) except -1:
        if self.native == NULL:
            raise TypeError("the decoder was not made: call FrameDecoder.__init__")
        return 0

    cdef object _receive(self, const uint8_t* data, Py_ssize_t size, int64_t ts_recv, object out):
        cdef Received received
        cdef Py_ssize_t room
        if out is None:
            received.events = self.native.receive(data, size, ts_recv)
            if self.native.other().size() != 0 or self.native.problem() != NULL:
                self._keep(data)
            return array_copy(_EVENT, self.native.events(), received.events, RECORD)
        _check_out(out)
        room = cnp.PyArray_DIM(<cnp.ndarray>out, 0)
        received = self.native.receive_into(data, size, ts_recv, <Event*>cnp.PyArray_DATA(<cnp.ndarray>out), room)
        if received.rest:
            self._keep(data)
        if <Py_ssize_t>received.events > room:
            raise ValueError(f"out has room for {room} events; this frame has {received.events}")
        return <Py_ssize_t>received.events

    cdef int _keep(self, const uint8_t* data) except -1:
        """Copies what is not for EVENT out of a frame that is about to go."""
        cdef const vector[Slice]* other = &self.native.other()
        cdef size_t i
        self._keep_problem()
        for i in range(other.size()):
            self.kept.append(PyBytes_FromStringAndSize(<const char*>data + other.at(i).offset, other.at(i).size))
        if len(self.kept) > OTHER_MAX:
            self.dropped += len(self.kept) - OTHER_MAX
            del self.kept[:len(self.kept) - OTHER_MAX]
        self.native.forget()
        return 0

    cdef int _keep_problem(self) except -1:
        cdef const Problem* problem = self.native.problem()
        if problem != NULL:
            self.problem = f"{self.format}: byte {problem.offset}: {problem.what.decode()}"
        return 0


cdef int _check_out(object out) except -1:
    if (type(out) is not cnp.ndarray or not cnp.PyArray_ISCARRAY(<cnp.ndarray>out) or (<cnp.ndarray>out).ndim != 1
            or ((<cnp.ndarray>out).descr is not _EVENT and (<cnp.ndarray>out).dtype != _EVENT)):
        raise ValueError("out is no writable contiguous one-dimensional array of EVENT")
    return 0


def venue_number_of(str name not None):
    """The number native tables have for a venue name; equal to ``engine.core.venues.venue_id``."""
    cdef bytes text = name.encode("ascii")
    return venue_number(text)


def tables(str format not None):
    """What a provider's codes mean, by table: {"venues": {code: venue number}, "trade_conditions": {code: bits},
    "quote_conditions": {code: bits}}; for alpaca by ASCII code {"venues": ..., "statuses": {code: Status}}. Codes that
    mean nothing are left out.

    Raises:
        ValueError: a format without tables.
    """
    cdef int i
    if format == "alpaca":
        return {
            "venues": {i: LETTERS.venues[i] for i in range(128) if LETTERS.venues[i]},
            "statuses": {i: letter_status(i) for i in range(128) if letter_status(i)},
        }
    if format != "polygon":
        raise ValueError(f"format is {format!r}; expected one with tables: polygon, alpaca")
    return {
        "venues": {i: POLYGON.venues[i] for i in range(256) if POLYGON.venues[i]},
        "trade_conditions": {i: POLYGON.trade_conditions[i] for i in range(128) if POLYGON.trade_conditions[i]},
        "quote_conditions": {i: POLYGON.quote_conditions[i] for i in range(128) if POLYGON.quote_conditions[i]},
    }
