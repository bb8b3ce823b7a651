# distutils: language = c++
# cython: auto_pickle=False
# cython: embedsignature=False
"""Wire formats to records: the symbol table and the decoders."""

cimport numpy as cnp
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.number cimport PyNumber_Index
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from libcpp.string cimport string
from libcpp.vector cimport vector

cdef extern from "Python.h":
    PyObject* PyList_GET_ITEM(object, Py_ssize_t)

cdef extern from "target.hpp" namespace "tf":
    string target_from_environment()

cdef extern from "symbols.hpp" namespace "tf":
    uint32_t NO_SYMBOL
    uint32_t SYMBOLS_MAX
    cdef cppclass CSymbolTable "tf::SymbolTable":
        CSymbolTable() except +
        uint32_t add(const char*, size_t) nogil
        uint32_t find(const char*, size_t) nogil
        uint32_t size() nogil
        size_t name(uint32_t, char*) nogil

cdef string _target_error = target_from_environment()
if not _target_error.empty():
    raise ImportError(_target_error.decode())


cdef class SymbolTable:
    """Symbols by id: contiguous from 0, given on first use, never reused. Shared by decoders, from any thread."""

    cdef CSymbolTable* native

    def __cinit__(self):
        self.native = new CSymbolTable()

    def __dealloc__(self):
        del self.native

    def add(self, str symbol not None):
        """The id of a symbol, a new one on first use.

        Raises:
            ValueError: not 1 to 32 printable ASCII characters without blanks, or the table is full.
        """
        cdef bytes text = symbol.encode("utf-8")
        cdef uint32_t number = self.native.add(text, len(text))
        if number == NO_SYMBOL:
            if self.native.size() >= SYMBOLS_MAX:
                raise ValueError(f"symbol {symbol!r} is one too many; {SYMBOLS_MAX} is the maximum")
            raise ValueError(f"symbol is {symbol!r}; expected 1 to 32 printable ASCII characters without blanks")
        return number

    def find(self, str symbol not None):
        """The id of a symbol, -1 if it is unknown."""
        cdef bytes text = symbol.encode("utf-8")
        cdef uint32_t number = self.native.find(text, len(text))
        return -1 if number == NO_SYMBOL else number

    def symbol(self, uint32_t number):
        """The symbol of an id.

        Raises:
            KeyError: no symbol has it.
        """
        cdef char text[32]
        cdef size_t length = self.native.name(number, text)
        if length == 0:
            raise KeyError(number)
        return text[:length].decode("ascii")

    def symbols(self, uint32_t start=0):
        """Every symbol from id ``start`` on, by id."""
        return [self.symbol(number) for number in range(start, self.native.size())]

    def __len__(self):
        return self.native.size()


# --- decoders ---

cdef extern from "event.hpp" namespace "tf":
    cdef cppclass Event:
        pass
    uint32_t NO_INSTRUMENT

cdef extern from "decode/decoder.hpp" namespace "tf::decode":
    cdef enum class Outcome(unsigned char):
        MORE
        FULL
        PROBLEM
    cdef enum class Format(int):
        ITCH
        MOLD
        IEX
        PCAP
        LOBSTER
    cdef struct Step:
        size_t consumed
        Event* out
        Outcome outcome
    cdef struct Problem:
        pass
    cdef struct SideRecord:
        pass
    cdef struct Options:
        Format format
        uint64_t itch_origin
        uint64_t iex_origin
        uint64_t lobster_origin
        int64_t midnight
        uint32_t instrument
        bint lenient
    cdef struct Counts:
        uint64_t itch[256]
        uint64_t iex[256]
        uint64_t lobster[256]
        uint64_t bytes
        uint64_t events
        uint64_t packets
        uint64_t packets_ignored
        uint64_t segments
        uint64_t heartbeats
        uint64_t session_ends
        uint64_t gaps
        uint64_t restarts
        uint64_t missing
        uint64_t duplicates
        uint64_t malformed
        uint64_t unknown_types
        uint64_t unknown_locates
        uint64_t side_dropped
    uint64_t origin_word(uint16_t, uint8_t)
    size_t describe(const Problem&, char*, size_t)
    cdef cppclass CDecoder "tf::decode::Decoder":
        CDecoder(CSymbolTable&, const Options&) except +
        void begin(int64_t) nogil
        Step receive(const uint8_t*, size_t, Event*, Event*) nogil
        Step finish(Event*, Event*) nogil
        size_t likely_events(size_t)
        const Problem& problem()
        const Counts& counts()
        vector[SideRecord]& side()

cdef extern from "records.hpp" namespace "tf":
    object array_of(object descr, void* memory, Py_ssize_t n, object owner)
    object array_copy(object descr, const void* memory, Py_ssize_t n, size_t item)
    void* records_allocate(size_t size) nogil
    void records_free(void* memory, size_t size) nogil

cnp.import_array()

DEF RECORD = 64
DEF KEPT = 3          # record memories that wait for their arrays to die
DEF COPY_BELOW = 1024  # records: fewer are copied to an array of their own
DEF GIL_BELOW = 8192  # bytes: more are decoded without the GIL

FORMATS = ("itch", "moldudp64", "iex", "pcap", "lobster")


cdef class _Memory:
    """Memory of records; arrays made from it keep it alive, and it is used again when they are gone."""

    cdef Event* data
    cdef size_t capacity

    def __dealloc__(self):
        records_free(self.data, self.capacity * RECORD)

    cdef int reserve(self, size_t capacity, size_t keep) except -1:
        """Room for `capacity` records; the first `keep` stay."""
        cdef void* memory
        if capacity <= self.capacity:
            return 0
        memory = records_allocate(capacity * RECORD)
        if memory == NULL:
            raise MemoryError(capacity * RECORD)
        if keep:
            memcpy(memory, self.data, keep * RECORD)
        records_free(self.data, self.capacity * RECORD)
        self.data = <Event*>memory
        self.capacity = capacity
        return 0


cdef class Decoder:
    """Decoder(format, instruments=None, *, symbol=None, date=None, lenient=False, venue=None, provider=None)
--

    Bytes of one feed or file in, records out; it opens nothing and waits for nothing.

    Args:
        format: "itch" (NASDAQ TotalView-ITCH 5.0 messages behind big-endian u16 lengths, behind two zero bytes, or
            bare), "moldudp64" (packets of those), "iex" (IEX-TP segments of TOPS 1.5/1.6, DEEP 1.0 or DEEP+ 1.0), "pcap"
            (captures, classic or pcapng, of either over Ethernet, IPv4 and UDP) or "lobster" (message files).
        instruments: an ``Instruments``, shared with other decoders if you like; a new one by default.
        symbol: the one instrument of a LOBSTER file, required there.
        date: day (``date`` or "YYYY-MM-DD") whose midnight in New York ITCH and LOBSTER times count from; without it
            ``ts_event`` is nanoseconds since midnight.
        lenient: count malformed input and go on after it, instead of raising ProtocolError.
        venue, provider: names or provider number to put in the records; by default those of the format.

    A decoder that met malformed input hands out every event before it first; the call that has nothing before it to
    hand out raises ``ProtocolError``, and so does every call after. So a loop over ``receive_bytes`` that ends with
    ``close`` loses nothing and misses no error.
    """

    cdef CDecoder* native
    cdef list memories
    cdef object descr
    cdef object error
    cdef bint busy
    cdef bint closed
    cdef readonly str format
    cdef readonly object instruments
    cdef SymbolTable table  # the one of `instruments` that `native` writes to: it must not die before

    def __cinit__(self):
        self.memories = []

    def __init__(self, str format not None, instruments=None, *, symbol=None, date=None, lenient=False, venue=None,
                 provider=None):
        from engine.core.events import EVENT
        from engine.core.instruments import Instruments, midnight_ns
        from engine.core.venues import provider_id, venue_id

        if self.native != NULL:
            raise RuntimeError("a decoder is made once")
        if format not in FORMATS:
            raise ValueError(f"format is {format!r}; expected one of {', '.join(FORMATS)}")
        if (symbol is None) == (format == "lobster"):
            raise ValueError(f"symbol is {symbol!r}; expected one for lobster and none for other formats")
        cdef Options options
        options.format = <Format><int>FORMATS.index(format)
        options.itch_origin = _origin(venue_id(venue or "XNAS"), provider_id("nasdaq" if provider is None else provider))
        options.iex_origin = _origin(venue_id(venue or "IEXG"), provider_id("iex" if provider is None else provider))
        options.lobster_origin = _origin(venue_id(venue or "XNAS"), provider_id("lobster" if provider is None else provider))
        options.midnight = midnight_ns(date)
        options.lenient = bool(lenient)
        if instruments is not None and not isinstance(instruments, Instruments):
            raise TypeError(f"instruments are {instruments!r}; expected an Instruments")
        self.instruments = Instruments() if instruments is None else instruments
        self.table = self.instruments.table
        options.instrument = self.table.add(symbol) if symbol is not None else NO_INSTRUMENT
        self.native = new CDecoder(self.table.native[0], options)
        self.format = format
        self.descr = EVENT

    def __dealloc__(self):
        del self.native

    def __repr__(self):
        if self.native == NULL:
            return "Decoder(not made)"
        cdef const Counts* counts = &self.native.counts()
        return (f"Decoder({self.format!r}, {self.table.native.size()} instruments, {counts.bytes} bytes, "
                f"{counts.events} events, {counts.gaps} gaps, {counts.malformed} malformed)")

    def receive_bytes(self, data, ts_recv=0):
        """The events of the next piece of input, cut anywhere.

        Args:
            data: any contiguous buffer (bytes, bytearray, memoryview, mmap, array of bytes); not kept.
            ts_recv: when it came, ns since epoch, for every event. 0: captures use the time in them.

        Returns:
            A structured array of ``engine.EVENT`` whose memory is its own: it stays as it is as long as you hold it.

        Raises:
            ProtocolError: malformed input (see the class); the message names byte or line, type and what was expected.
            TypeError: no buffer, or a time that is not a whole number. ValueError: a time that does not fit 64 bits.
        """
        cdef Py_buffer view
        cdef int64_t received = _nanoseconds(ts_recv)
        self._check_open()
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        self.busy = True
        try:
            return self._decode(<const uint8_t*>view.buf, <size_t>view.len, received, False)
        finally:
            self.busy = False
            PyBuffer_Release(&view)

    def close(self):
        """The events of a last LOBSTER row without newline (else none). Call it at the end of a file or session.

        Raises:
            ProtocolError: malformed input that has not been raised yet, or input that ends inside a message.
        """
        if self.closed:
            return self._empty()
        self._check_open()
        self.busy = True
        try:
            events = self._decode(NULL, 0, 0, True)
            if self.error is not None:
                raise self.error
            self.closed = True
            return events
        finally:
            self.busy = False

    def take_bytes(self):
        """Bytes to send to the other side: none, these formats are one-way."""
        return b""

    def take_side(self):
        """What does not fit ``EVENT`` since the last call, as a list of the dataclasses of ``engine.core.side``.

        All that the last ``receive_bytes`` met is there. Of what earlier calls left, each ``receive_bytes`` keeps the newest
        65,536 only, and counts the rest as side_dropped: a caller who never asks does not fill the memory.
        """
        from engine.core.side import side_messages

        return side_messages(self.take_side_records(), self.instruments)

    def take_side_records(self):
        """The same as a structured array of ``engine.core.side.SIDE``: the messages as they came, to be stored."""
        from engine.core.side import SIDE

        self._check_free()
        cdef vector[SideRecord]* side = &self.native.side()
        records = array_copy(SIDE, side.data(), side.size(), sizeof(SideRecord))
        side.clear()
        return records

    def _tally(self):
        """(malformed, gaps, missing, heartbeats, restarts, side messages not taken): for a live line, each datagram."""
        self._check_made()
        cdef const Counts* counts = &self.native.counts()
        return counts.malformed, counts.gaps, counts.missing, counts.heartbeats, counts.restarts, self.native.side().size()

    @property
    def counts(self):
        """What was seen so far: messages by protocol and type ("itch.A", "iex.Q", "lobster.4"), only types that
        occurred; and bytes, events, packets, packets_ignored, segments, heartbeats, session_ends, gaps, restarts, missing,
        duplicates, malformed, unknown_types, unknown_locates, side_dropped.
        """
        self._check_made()
        cdef const Counts* counts = &self.native.counts()
        cdef int i
        result = {}
        for i in range(256):
            if counts.itch[i]:
                result["itch." + chr(i)] = counts.itch[i]
        for i in range(256):
            if counts.iex[i]:
                result["iex." + chr(i)] = counts.iex[i]
        for i in range(256):
            if counts.lobster[i]:
                result["lobster." + chr(i)] = counts.lobster[i]
        result["bytes"] = counts.bytes
        result["events"] = counts.events
        result["packets"] = counts.packets
        result["packets_ignored"] = counts.packets_ignored
        result["segments"] = counts.segments
        result["heartbeats"] = counts.heartbeats
        result["session_ends"] = counts.session_ends
        result["gaps"] = counts.gaps
        result["restarts"] = counts.restarts
        result["missing"] = counts.missing
        result["duplicates"] = counts.duplicates
        result["malformed"] = counts.malformed
        result["unknown_types"] = counts.unknown_types
        result["unknown_locates"] = counts.unknown_locates
        result["side_dropped"] = counts.side_dropped
        return result

    cdef int _check_made(self) except -1:
        if self.native == NULL:
            raise TypeError("the decoder was not made: call Decoder.__init__")
        return 0

    cdef int _check_free(self) except -1:
        self._check_made()
        if self.busy:
            raise RuntimeError("the decoder is at work in another thread")
        return 0

    cdef int _check_open(self) except -1:
        self._check_free()
        if self.error is not None:
            raise self.error
        if self.closed:
            raise ValueError("the decoder is closed")
        return 0

    cdef object _empty(self):
        return array_copy(self.descr, NULL, 0, RECORD)

    cdef _Memory _memory(self):
        """Record memory no array uses."""
        cdef PyObject* kept
        for i in range(len(self.memories)):
            kept = PyList_GET_ITEM(self.memories, i)
            if kept.ob_refcnt == 1:
                return <_Memory>kept
        memory = _Memory()
        if len(self.memories) == KEPT:
            self.memories.pop(0)
        self.memories.append(memory)
        return memory

    cdef object _decode(self, const uint8_t* data, size_t size, int64_t ts_recv, bint last):
        cdef _Memory memory = self._memory()
        cdef size_t done = 0
        cdef size_t count = 0
        cdef Step step
        memory.reserve(self.native.likely_events(size), 0)
        if not last:  # a row that only the end completes came with the bytes before
            self.native.begin(ts_recv)
        while True:
            if last:
                step = self.native.finish(memory.data + count, memory.data + memory.capacity)
            elif size < GIL_BELOW:
                step = self.native.receive(data + done, size - done, memory.data + count, memory.data + memory.capacity)
            else:
                with nogil:
                    step = self.native.receive(data + done, size - done, memory.data + count,
                                               memory.data + memory.capacity)
            count = step.out - memory.data
            done += step.consumed
            if step.outcome != Outcome.FULL:
                break
            memory.reserve(memory.capacity * 2, count)
        if step.outcome == Outcome.PROBLEM:
            self.error = _protocol_error(self.native.problem())
            if count == 0:
                raise self.error
        if count < COPY_BELOW:
            return array_copy(self.descr, memory.data, count, RECORD)
        return array_of(self.descr, memory.data, count, memory)


cdef int64_t _nanoseconds(object ts_recv) except? -1:
    try:
        return PyNumber_Index(ts_recv)
    except TypeError:
        raise TypeError(f"ts_recv is {ts_recv!r}; expected whole nanoseconds") from None
    except OverflowError:
        raise ValueError(f"ts_recv is {ts_recv!r}; expected nanoseconds that fit 64 bits") from None


cdef uint64_t _origin(int venue, int provider):
    return origin_word(<uint16_t>venue, <uint8_t>provider)


cdef object _protocol_error(const Problem& problem):
    from engine.errors import ProtocolError

    cdef char text[512]
    cdef size_t length = describe(problem, text, sizeof(text))
    return ProtocolError(text[:length].decode("ascii"))
