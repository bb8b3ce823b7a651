# distutils: language = c++
# cython: auto_pickle=False
"""A seeded market that can be traded in."""

from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.string cimport string
from libcpp.vector cimport vector

cimport numpy as np

import numpy as _numpy

from engine.core.events import EVENT as _EVENT
from engine.core.orders import ORDER as _ORDER, REPORT as _REPORT

cdef extern from "target.hpp" namespace "tf":
    string target_from_environment()

cdef extern from "records.hpp" namespace "tf":
    object array_copy(object descr, const void* memory, Py_ssize_t n, size_t item)

cdef extern from "event.hpp" namespace "tf":
    cdef cppclass Event:
        pass

cdef extern from "order.hpp" namespace "tf":
    cdef cppclass OrderRecord:
        uint64_t order_id
        uint32_t owner
    cdef cppclass ReportRecord:
        pass

cdef extern from "venue/venue.hpp" namespace "tf":
    cdef cppclass Events:
        Event* first
        size_t count

cdef extern from "world/world.hpp" namespace "tf::world":
    uint64_t OUTSIDE
    cdef cppclass Settings:
        uint64_t seed
        int64_t start
        int64_t end
        int64_t open
        int64_t rate
        uint32_t symbols
        uint16_t venue
        uint8_t provider
    cdef cppclass CWorld "tf::world::World":
        CWorld(const Settings&)
        int64_t now()
        int64_t next_time()
        void advance(int64_t) nogil
        void submit(const OrderRecord*, size_t) nogil
        const Events& tell()
        const vector[ReportRecord]& reports() nogil
        void forget_events()
        void forget_reports(size_t)
        void show(uint32_t, vector[Event]&)

cdef extern from "world/levels.hpp" namespace "tf::world":
    cdef cppclass CLevelFeed "tf::world::LevelFeed":
        CLevelFeed(uint16_t, uint8_t)
        const vector[Event]& convert(const Event*, size_t)

cdef string _error = target_from_environment()
if not _error.empty():
    raise ImportError(_error.decode())

np.import_array()

cdef object EVENT_TYPE = _EVENT
cdef object ORDER_TYPE = _ORDER
cdef object REPORT_TYPE = _REPORT


cdef class World:
    """Agents of ``symbols`` instruments on one venue, from a seed; the arguments are not checked here.

    The specification is ``tests/reference/world.py``. Times are ns since epoch; ``opening`` is that of a trading day.
    """

    cdef CWorld* world
    cdef uint32_t symbols
    cdef cbool busy

    def __cinit__(
        self, uint32_t symbols, uint64_t seed, int64_t start, int64_t end, int64_t opening, int64_t rate,
        uint16_t venue, uint8_t provider,
    ):
        cdef Settings settings
        settings.seed, settings.start, settings.end, settings.open = seed, start, end, opening
        settings.rate, settings.symbols, settings.venue, settings.provider = rate, symbols, venue, provider
        self.symbols = symbols
        self.world = new CWorld(settings)

    def __init__(self, symbols, seed, start, end, opening, rate, venue, provider):
        pass

    def __dealloc__(self):
        del self.world

    cdef int enter(self) except -1:
        if self.busy:
            raise RuntimeError("the world is at work in another thread")
        self.busy = True
        return 0

    @property
    def now(self):
        """What time it is in it."""
        return self.world.now()

    @property
    def next_time(self):
        """When something happens next by itself, 2**63 - 1 after the end; now while events wait to be taken."""
        return self.world.next_time()

    def advance(self, int64_t until, /):
        """Lets everything before ``until`` happen, then it is ``until``; the events since the last call."""
        if until < self.world.now():
            raise ValueError(f"until is {until}; expected {self.world.now()} or later")
        self.enter()
        with nogil:
            self.world.advance(until)
        self.busy = False
        cdef const Events* told = &self.world.tell()
        events = array_copy(EVENT_TYPE, told.first, told.count, 64)
        self.world.forget_events()
        return events

    def submit(self, orders, int64_t at, /):
        """Requests of others at a time, whatever their ``ts``; the reports they caused at once to others than agents.

        Raises:
            TypeError: not an array of ORDER.
            ValueError: a time that is past, owner 0, or an order id without the highest bit: those are the agents'.
        """
        if not isinstance(orders, _numpy.ndarray) or orders.dtype != ORDER_TYPE or orders.ndim != 1:
            raise TypeError("orders must be a one-dimensional numpy.ndarray of engine.ORDER")
        cdef np.ndarray rows = _numpy.ascontiguousarray(orders)
        cdef const OrderRecord* first = <const OrderRecord*>np.PyArray_DATA(rows)
        cdef size_t n = <size_t>rows.shape[0]
        cdef size_t row
        for row in range(n):
            if first[row].owner == 0:
                raise ValueError(f"orders[{row}] has owner 0, that of the agents; expected 1 or more")
            if first[row].order_id < OUTSIDE:
                raise ValueError(f"orders[{row}] has order_id {first[row].order_id}; expected {OUTSIDE} or more")
        if at < self.world.now():
            raise ValueError(f"at is {at}; expected {self.world.now()} or later")
        self.enter()
        cdef size_t before
        with nogil:
            self.world.advance(at)
            before = self.world.reports().size()
            self.world.submit(first, n)
        self.busy = False
        return self.taken(before)

    def take_reports(self):
        """What happened to orders of others than agents while time went on."""
        return self.taken(0)

    def show(self, uint32_t instrument, /):
        """What is displayed now as ADD events by priority: bids, then asks, best price first."""
        cdef vector[Event] found
        if instrument >= self.symbols:
            raise ValueError(f"instrument is {instrument}; expected 0 to {self.symbols - 1}")
        self.world.show(instrument, found)
        return array_copy(EVENT_TYPE, found.data(), found.size(), 64)

    cdef object taken(self, size_t before):
        cdef const ReportRecord* first = self.world.reports().data() + before
        reports = array_copy(REPORT_TYPE, first, self.world.reports().size() - before, 72)
        self.world.forget_reports(before)
        return reports


cdef class LevelFeed:
    """Turns ADD, REDUCE, DELETE, REPLACE and EXECUTE into LEVEL and TRADE; STATUS and TRADE pass.

    Args:
        venue: of the events that come out.
        provider: of the events that come out.
    """

    cdef CLevelFeed* feed

    def __cinit__(self, uint16_t venue, uint8_t provider=0):
        self.feed = new CLevelFeed(venue, provider)

    def __init__(self, venue, provider=0):
        pass

    def __dealloc__(self):
        del self.feed

    def convert(self, events, /):
        """The events of a batch, in order; one LEVEL for each level it changed, at the end of its atomic event.

        Raises:
            TypeError: not an array of EVENT.
        """
        if not isinstance(events, _numpy.ndarray) or events.dtype != EVENT_TYPE or events.ndim != 1:
            raise TypeError("events must be a one-dimensional numpy.ndarray of engine.EVENT")
        cdef np.ndarray rows = _numpy.ascontiguousarray(events)
        cdef const vector[Event]* made = &self.feed.convert(<const Event*>np.PyArray_DATA(rows), <size_t>rows.shape[0])
        return array_copy(EVENT_TYPE, made.data(), made.size(), 64)
