# distutils: language = c++
# cython: auto_pickle=False
# cython: embedsignature=False
"""One composed book of many sources, by the eight rules of DESIGN.md section 4."""

cimport numpy as cnp
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.math cimport NAN
from libc.stdint cimport int8_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.string cimport string
from libcpp.vector cimport vector

from engine._native.book import Books as _Books
from engine._native.wire import FrameDecoder as _FrameDecoder
from engine.core.events import EVENT as _EVENT, Quote as _Quote

cdef extern from "target.hpp" namespace "tf":
    string target_from_environment()

cdef extern from "records.hpp" namespace "tf":
    object array_copy(object descr, const void* memory, Py_ssize_t n, size_t item)

cdef extern from "event.hpp" namespace "tf":
    cdef cppclass Event:
        int64_t ts_recv
        uint32_t instrument
        uint16_t venue
        uint8_t provider

cdef extern from "book/book.hpp" namespace "tf":
    cdef cppclass BookSet:
        uint16_t* venue

cdef extern from "compose/composer.hpp" namespace "tf::compose":
    cdef enum class Role(uint8_t):
        DEPTH
        TOP
        MONTAGE
        NBBO
        PRINTS
    uint32_t MOST_SOURCES
    cdef cppclass Slot:
        int64_t price
        int64_t quantity
        uint32_t row
    cdef cppclass State:
        int64_t ts_event
        int64_t ts_recv
        cbool has
        uint8_t suspect
    cdef cppclass Board:
        Slot* nbbo
        int8_t* leader
        uint64_t depth_rows
    cdef cppclass Line:
        int64_t last_recv
        int64_t last_event
        uint64_t events
        uint64_t updates
        uint64_t duplicates
        uint64_t reordered
        uint64_t replayed
        uint64_t crossed
        uint64_t scaled
        uint64_t suspect_run
        uint64_t trades
        uint64_t refused
        uint64_t unsubscribed
        uint64_t waiting
        uint64_t disagreements
        uint64_t peer_updates
        int64_t peer_since
        int64_t peer_last
    cdef cppclass Source:
        vector[State*] states
        cbool trusted
        uint32_t rank
        Line line
    cdef cppclass Options:
        cbool record
    cdef cppclass CComposer "tf::compose::Composer":
        CComposer(BookSet*, const Options&) except +
        int add_source(uint8_t, Role, uint16_t)
        cbool subscribe(uint32_t, uint32_t)
        void unsubscribe(uint32_t, uint32_t)
        void apply(uint32_t, const Event*, size_t) nogil
        void trust(uint32_t, cbool, int64_t)
        void reset(uint32_t, int64_t)
        void reset_one "reset"(uint32_t, uint32_t, int64_t)
        void rank(uint32_t, uint32_t, int64_t)
        int leader(uint32_t, Role, uint16_t)
        const State* state(uint32_t, uint32_t)
        const Board* board(uint32_t)
        uint32_t status(uint32_t)
        const vector[Source*]& sources()
        const vector[uint32_t]& changes()
        void took_changes()
        const vector[Event]& trades()
        void took_trades()
        const vector[Event]& events()
        void took_events()
        uint64_t trades_dropped
        uint64_t events_dropped

cdef extern from "wire/frames.hpp" namespace "tf::wire":
    cdef cppclass Slice:
        pass
    cdef cppclass Problem:
        pass
    cdef cppclass Frames:
        size_t receive(const uint8_t*, size_t, int64_t) nogil
        const Event* events() nogil
        const vector[Slice]& other()
        const Problem* problem()

cdef string _error = target_from_environment()
if not _error.empty():
    raise ImportError(_error.decode())

cnp.import_array()

cdef object EVENT_TYPE = _EVENT
cdef object QUOTE = _Quote
DEF RECORD = 64

ROLES = ("depth", "top", "montage", "nbbo", "prints")
SUSPECTS = ("", "crossed", "scale", "replay", "late")


cdef Role role_of(str role) except *:
    if role not in ROLES:
        raise ValueError(f"role is {role!r}; expected one of {', '.join(ROLES)}")
    return <Role><int>ROLES.index(role)


def outline(cnp.ndarray events not None, /):
    """Each (venue, instrument) of one-dimensional ``EVENT`` records, once, sorted."""
    cdef cnp.ndarray rows = cnp.PyArray_GETCONTIGUOUS(events)
    cdef const Event* first = <const Event*>cnp.PyArray_DATA(rows)
    cdef vector[uint64_t] found
    cdef uint64_t key
    cdef Py_ssize_t i
    for i in range(cnp.PyArray_DIM(rows, 0)):
        key = <uint64_t>first[i].venue << 32 | first[i].instrument
        if found.empty() or found.back() != key:
            found.push_back(key)
    return [(key >> 32, key & 0xFFFFFFFF) for key in sorted(set(found))]


def stamped(cnp.ndarray events not None, uint8_t provider, int64_t now, /):
    """A copy of one-dimensional ``EVENT`` records with this provider, and ``now`` where ``ts_recv`` is 0."""
    cdef cnp.ndarray rows = cnp.PyArray_GETCONTIGUOUS(events)
    cdef cnp.ndarray copy = array_copy(EVENT_TYPE, cnp.PyArray_DATA(rows), cnp.PyArray_DIM(rows, 0), RECORD)
    cdef Event* first = <Event*>cnp.PyArray_DATA(copy)
    cdef Py_ssize_t i
    for i in range(cnp.PyArray_DIM(rows, 0)):
        first[i].provider = provider
        if first[i].ts_recv == 0:
            first[i].ts_recv = now
    return copy


cdef class Composer:
    """Composer(instruments, books, *, record=False)
--

    Many sources in, one book an instrument out, applied at once to ``books``.

    A *source* is one provider's channel: of role "depth" (LEVEL, QUOTE, CLEAR of one venue), "top" (QUOTE of one venue),
    "montage" (CLEAR, then a QUOTE a participant and side), "nbbo" (NBBO, one slot a side) or "prints" (trades only).
    TRADE, TRADE_BREAK and STATUS may come from any. An event of a kind the role does not have is counted as refused.

    A *message* is what a source says up to ``Flag.LAST``, to another instrument or to the end of the call; trades and states
    lie within it. It is applied as one: nobody sees half of it.

    Nobody else may write to ``books``. One thread uses a composer; none of its calls waits.

    Args:
        instruments: the ``Instruments`` whose ids events carry.
        books: ``Books`` by price.
        record: keep what was composed for ``take_events``.
    """

    cdef CComposer* native
    cdef BookSet* set
    cdef list decoders
    cdef vector[Frames*] frames  # by source; null where there is no FrameDecoder
    cdef readonly cbool has_other  #: the last frame held messages that are no events, or a problem: ask its decoder
    cdef readonly object instruments
    cdef readonly object books

    def __cinit__(self):
        self.decoders = []

    def __init__(self, instruments, books, *, record=False):
        if self.native != NULL:
            raise RuntimeError("a composer is made once")
        if not isinstance(books, _Books):
            raise TypeError(f"books are {type(books).__name__}; expected engine.Books")
        if books.by != "price":
            raise ValueError(f"books are by {books.by!r}; expected by 'price'")
        self.instruments = instruments
        self.books = books
        self.set = <BookSet*><size_t>books._address
        cdef Options options
        options.record = bool(record)
        self.native = new CComposer(self.set, options)

    def __dealloc__(self):
        del self.native

    cdef int made(self) except -1:
        if self.native == NULL:
            raise TypeError("the composer was not made: call Composer.__init__")
        return 0

    cdef int known(self, Py_ssize_t source) except -1:
        self.made()
        if not 0 <= source < <Py_ssize_t>self.native.sources().size():
            raise ValueError(f"source is {source}; expected one of the {self.native.sources().size()} there are")
        return 0

    @property
    def _address(self):
        """Where the native composer lies, for the pump; valid while this object lives."""
        self.made()
        return <size_t>self.native

    def add_source(self, int provider, str role, int venue=0, *, decoder=None):
        """A new source, trusted, last in rank, subscribed to nothing.

        Args:
            provider: its id, stamped on what it contributes.
            role: see the class.
            venue: id of the one venue of a depth or top source; its events of other venues are refused. Else 0.
            decoder: what ``receive`` decodes with.

        Returns:
            Its number.

        Raises:
            ValueError: a role there is not, a depth or top without venue, ids out of range, or more than 64 sources.
        """
        self.made()
        cdef Role as_role = role_of(role)
        if not 0 <= provider <= 255:
            raise ValueError(f"provider is {provider}; expected 0 to 255")
        if not 0 <= venue <= 65535 or (venue == 0 and role in ("depth", "top")):
            raise ValueError(f"venue is {venue}; expected 1 to 65535 for role {role!r}")
        cdef int source = self.native.add_source(provider, as_role, venue)
        if source < 0:
            raise ValueError(f"a composer has at most {MOST_SOURCES} sources")
        self.decoders.append(decoder)
        self.frames.push_back(<Frames*><size_t>(decoder._address if isinstance(decoder, _FrameDecoder) else 0))
        return source

    def subscribe(self, Py_ssize_t source, uint32_t instrument):
        """The source's events of the instrument count from now on."""
        self.known(source)
        if not self.native.subscribe(source, instrument):
            raise ValueError(f"instrument is {instrument}; it is out of range")

    def unsubscribe(self, Py_ssize_t source, uint32_t instrument):
        """What the source said of the instrument is dropped, and its events count no more."""
        self.known(source)
        self.native.unsubscribe(source, instrument)

    def receive(self, Py_ssize_t source, data, int64_t ts_recv):
        """Decodes a frame with the source's decoder and applies its events; their number.

        A ``FrameDecoder`` is called natively: where ``has_other`` is true then, its ``take_other(data)`` and
        ``take_problem()`` have more. Any other decoder's ``receive_bytes(data, ts_recv)`` is called, and may raise.
        """
        cdef Py_buffer view
        self.known(source)
        cdef Frames* frames = self.frames[source]
        if frames == NULL:
            if self.decoders[source] is None:
                raise ValueError(f"source {source} has no decoder")
            self.has_other = True
            return self.applied(source, self.decoders[source].receive_bytes(data, ts_recv))
        if PyBytes_CheckExact(data):
            return self.received(source, frames, <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), ts_recv)
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self.received(source, frames, <const uint8_t*>view.buf, view.len, ts_recv)
        finally:
            PyBuffer_Release(&view)

    cdef Py_ssize_t received(self, Py_ssize_t source, Frames* frames, const uint8_t* data, size_t size, int64_t ts_recv):
        cdef size_t n = frames.receive(data, size, ts_recv)
        self.has_other = frames.other().size() != 0 or frames.problem() != NULL
        self.native.apply(source, frames.events(), n)
        return n

    def apply(self, Py_ssize_t source, events):
        """Applies ``EVENT`` records that came from the source, in order."""
        self.known(source)
        self.applied(source, events)

    cdef Py_ssize_t applied(self, Py_ssize_t source, object events) except -1:
        if not isinstance(events, cnp.ndarray) or (<cnp.ndarray>events).descr != EVENT_TYPE:
            raise TypeError(f"events is {type(events).__name__}; expected numpy.ndarray of engine.EVENT")
        cdef cnp.ndarray array = <cnp.ndarray>events
        if array.ndim != 1:
            raise ValueError(f"events has {array.ndim} dimensions; expected 1")
        if not cnp.PyArray_IS_C_CONTIGUOUS(array) or <size_t>cnp.PyArray_DATA(array) & 7:
            array = array.copy()
        cdef Py_ssize_t n = cnp.PyArray_DIM(array, 0)
        self.native.apply(source, <const Event*>cnp.PyArray_DATA(array), n)
        return n

    def trust(self, Py_ssize_t source, trusted, int64_t now):
        """Whether the source may lead: the verdict of health. What it says is kept up to date either way."""
        self.known(source)
        self.native.trust(source, bool(trusted), now)

    def reset(self, Py_ssize_t source, int64_t now, instrument=None):
        """What the source said of the instrument, or of all, is lost: a reconnect, a gap.

        It contributes nothing until it speaks again; a depth until a CLEAR of both sides, which begins every snapshot.
        A CLEAR event without an instrument is a reset that needs no snapshot: the venue begins anew.
        """
        self.known(source)
        if instrument is None:
            self.native.reset(source, now)
        else:
            self.native.reset_one(source, <uint32_t>instrument, now)

    def rank(self, Py_ssize_t source, uint32_t rank, int64_t now):
        """The source's place in its group: the lowest that may leads; equal ones in the order of adding."""
        self.known(source)
        self.native.rank(source, rank, now)

    def take_changes(self):
        """uint32 array: ids of instruments whose composed top, NBBO, leaders or market state changed, each once."""
        self.made()
        cdef const vector[uint32_t]* changes = &self.native.changes()
        cdef cnp.npy_intp n = changes.size()
        result = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_UINT32)
        cdef uint32_t* out = <uint32_t*>cnp.PyArray_DATA(<cnp.ndarray>result)
        cdef cnp.npy_intp i
        for i in range(n):
            out[i] = changes[0][i]
        self.native.took_changes()
        return result

    def take_trades(self):
        """``EVENT`` array: prints and their breaks, of the leading print source of each instrument, since the last call."""
        self.made()
        trades = array_copy(EVENT_TYPE, self.native.trades().data(), self.native.trades().size(), RECORD)
        self.native.took_trades()
        return trades

    def take_events(self):
        """``EVENT`` array: all that was composed since the last call, in order (``record=True``).

        LEVEL and CLEAR events lead fresh ``Books`` to the same book. ``provider`` is who contributes the level, or whose
        message took it away; LAST ends what a venue shows at once, BATCH_END all of it. Trades are the leader's, STATUS
        events those that changed ``status``.
        """
        self.made()
        events = array_copy(EVENT_TYPE, self.native.events().data(), self.native.events().size(), RECORD)
        self.native.took_events()
        return events

    def nbbo(self, uint32_t instrument):
        """The leader's slots as a ``Quote``, nan where there is none; its stamps are those of the leader's last message."""
        self.made()
        cdef const Board* board = self.native.board(instrument)
        if board == NULL:
            return QUOTE(NAN, 0.0, NAN, 0.0, 0, 0)
        cdef int leader = self.native.leader(instrument, Role.NBBO, 0)
        cdef const State* state = NULL
        if leader >= 0:
            state = self.native.state(leader, instrument)
        cdef const Slot* bid = &board.nbbo[0]
        cdef const Slot* ask = &board.nbbo[1]
        return QUOTE(
            NAN if bid.price == 0 else <double>bid.price / 1e9, <double>bid.quantity / 1e9,
            NAN if ask.price == 0 else <double>ask.price / 1e9, <double>ask.quantity / 1e9,
            0 if state == NULL else state.ts_event, 0 if state == NULL else state.ts_recv,
        )

    def leader(self, uint32_t instrument, str role, int venue=0):
        """The source that leads a group of the instrument, -1 if none does; ``venue`` for "depth" and "top"."""
        self.made()
        return self.native.leader(instrument, role_of(role), venue)

    def depth_venues(self, uint32_t instrument):
        """Ids of the venues whose depth is known; others show nothing beyond their top."""
        self.made()
        cdef const Board* board = self.native.board(instrument)
        cdef uint64_t rows = 0 if board == NULL else board.depth_rows
        return tuple(self.set.venue[row] for row in range(64) if rows >> row & 1)

    def status(self, uint32_t instrument):
        """The market state (``Status``) a trusted source named last, 0 if none did.

        TRADING, HALTED, PAUSED or QUOTE_ONLY; of ``NO_INSTRUMENT`` the session's SYSTEM_* state.
        """
        self.made()
        return self.native.status(instrument)

    def suspect(self, Py_ssize_t source, uint32_t instrument):
        """Why the source is not believed in what it says of the instrument: "crossed", "scale", "replay", "late", or ""."""
        self.known(source)
        cdef const State* state = self.native.state(source, instrument)
        return "" if state == NULL else SUSPECTS[<int>state.suspect]

    def line(self, Py_ssize_t source):
        """What happened on a source.

        last_recv, last_event (ns; of its last event, and the stamp of its last message), events, updates (messages
        that were judged: applied, or left out for their stamp while another line is good), duplicates, reordered and replayed (messages by number or stamp older than what was applied),
        crossed and scaled (messages judged so), suspect_run (suspect messages since the last good one), trades, refused (events
        its role does not have, or whose numbers are out of range), unsubscribed (events of other instruments), waiting
        (events before the snapshot that a depth waits for), disagreements (messages of the leading NBBO that a venue's round lot
        stood above, as at the message before), peer_updates, peer_since, peer_last (updates by other trusted sources of its group
        for its instruments since its own last event, and the times of the first and last of them), speaks (instruments it says
        something of now), trusted, rank.
        """
        self.known(source)
        cdef const Source* of = self.native.sources()[source]
        cdef size_t instrument, speaks = 0
        for instrument in range(of.states.size()):
            speaks += of.states[instrument] != NULL and of.states[instrument].has
        line = of.line
        return {
            "last_recv": line.last_recv,
            "last_event": line.last_event,
            "events": line.events,
            "updates": line.updates,
            "duplicates": line.duplicates,
            "reordered": line.reordered,
            "replayed": line.replayed,
            "crossed": line.crossed,
            "scaled": line.scaled,
            "suspect_run": line.suspect_run,
            "trades": line.trades,
            "refused": line.refused,
            "unsubscribed": line.unsubscribed,
            "waiting": line.waiting,
            "disagreements": line.disagreements,
            "peer_updates": line.peer_updates,
            "peer_since": line.peer_since,
            "peer_last": line.peer_last,
            "speaks": speaks,
            "trusted": of.trusted,
            "rank": of.rank,
        }

    @property
    def counts(self):
        """trades_dropped and events_dropped: what nobody took in time, beyond 1,048,576 trades and 4,194,304 events."""
        self.made()
        return {"trades_dropped": self.native.trades_dropped, "events_dropped": self.native.events_dropped}
