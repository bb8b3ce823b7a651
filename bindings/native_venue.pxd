"""The venue of ``native/venue`` as Cython sees it."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

cdef extern from "event.hpp" namespace "tf":
    cdef struct Event:
        pass

cdef extern from "order.hpp" namespace "tf":
    cdef enum class Action(uint8_t):
        NEW
        CANCEL
        REPLACE

    cdef enum class OrderType(uint8_t):
        LIMIT

    cdef enum class TimeInForce(uint8_t):
        DAY

    cdef struct OrderRecord:
        int64_t ts
        int64_t price
        int64_t quantity
        int64_t display
        uint64_t order_id
        uint32_t instrument
        uint32_t owner
        Action action
        uint8_t side
        OrderType type
        TimeInForce tif
        uint8_t flags

    cdef struct ReportRecord:
        pass

cdef extern from "venue/venue.hpp" namespace "tf":
    cdef struct Grid:
        pass

    cdef struct Events:
        Event* first
        size_t count
        size_t ended

    cdef struct Venue_ "tf::Venue":
        uint32_t listed
        Events events

    cdef struct Answers:
        const ReportRecord* first
        size_t count

    Venue_* venue_create(cbool, uint16_t, uint8_t)
    void venue_destroy(Venue_*)
    void venue_list(Venue_*, int64_t, int64_t)
    Grid* venue_book(Venue_*, uint32_t)
    Answers venue_apply(Venue_*, const OrderRecord*, size_t, ReportRecord*, size_t) nogil
    size_t venue_enter(Venue_*, const OrderRecord&)
    Answers venue_waiting(const Venue_*)
    void venue_forget(Venue_*)
    void venue_halt(Venue_*, uint32_t, cbool, int64_t)
    Answers venue_expire(Venue_*, int64_t) nogil
    size_t venue_memory(const Venue_*)
