# distutils: language = c++
"""The matching venue: orders in, reports out."""

from cpython.long cimport PyLong_Check
from cpython.object cimport PyObject
from cython cimport binding, final
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool

cimport numpy as np

from native_venue cimport *

from operator import index as _index

import numpy as _numpy

from engine._native.book import _lend
from engine.core.events import EVENT as _EVENT
from engine.core.orders import ORDER as _ORDER, REPORT as _REPORT
from engine.core.units import to_nanos as _to_nanos
from engine.core.venues import venue_id as _venue_id

np.import_array()

cdef extern from "numpy_fast.hpp" namespace "tf":
    object fresh_array(PyObject* descr, Py_ssize_t n, size_t item)

cdef object EVENT_TYPE = _EVENT
cdef object ORDER_TYPE = _ORDER
cdef object REPORT_TYPE = _REPORT
cdef object index = _index
cdef tuple TYPES = ("limit", "market")  # by number
cdef tuple TIMES = ("day", "gtc", "ioc", "fok")
cdef size_t BIG = 1024  # orders from which on the GIL is given away


cdef inline size_t address(np.ndarray array):
    return <size_t>np.PyArray_DATA(array)


cdef np.ndarray as_orders(object orders):
    """A contiguous one-dimensional ORDER array."""
    if not isinstance(orders, _numpy.ndarray):
        raise TypeError(f"orders is {type(orders).__name__}; expected numpy.ndarray of engine.ORDER")
    if orders.dtype is not ORDER_TYPE and orders.dtype != ORDER_TYPE:
        raise TypeError(f"orders has dtype {orders.dtype}; expected engine.ORDER")
    if orders.ndim != 1:
        raise ValueError(f"orders has {orders.ndim} dimensions; expected 1")
    orders = _numpy.ascontiguousarray(orders)
    return orders.copy() if address(orders) & 7 else orders


cdef np.ndarray as_room(object out):
    """A REPORT array to write to."""
    if not isinstance(out, _numpy.ndarray) or out.dtype != REPORT_TYPE:
        raise TypeError("out must be a numpy.ndarray of engine.REPORT")
    if out.ndim != 1 or not out.flags.c_contiguous or not out.flags.writeable or address(out) & 7:
        raise ValueError("out must be one-dimensional, contiguous, aligned and writeable")
    return out


cdef inline int64_t whole(object number) except? -1:
    """An integer as it is; anything that is none raises TypeError and is never cut."""
    return number if PyLong_Check(number) else index(number)


cdef inline uint8_t order_side(object side) except 0:
    cdef long number
    if PyLong_Check(side):
        number = side
        if 1 <= number <= 2:
            return <uint8_t>number
    elif side == "buy" or side == "bid":
        return 1
    elif side == "sell" or side == "ask":
        return 2
    raise ValueError(f"side is {side!r}; expected 'buy' or 'sell' ('bid', 'ask', engine.Side)")


cdef inline uint8_t choice(object value, str name, tuple choices) except 255:
    cdef long number
    if PyLong_Check(value):
        number = value
        if 0 <= number < len(choices):
            return <uint8_t>number
    elif value in choices:
        return choices.index(value)
    raise ValueError(f"{name} is {value!r}; expected one of {', '.join(choices)}")


cdef inline object entered(Venue_* venue, OrderRecord* order, Action action, uint64_t facts):
    """Enters an order whose side, type, tif and flags are the bytes of ``facts``; how many reports it led to.

    They are written as one word, because the venue reads them as one: a load of bytes stored one by one waits for them.
    """
    facts = facts << 8 | <uint64_t>action
    memcpy(&order.action, &facts, 8)
    facts = 0
    memcpy(<char*>&order.action + 8, &facts, 8)
    return venue_enter(venue, order[0])


cdef object copied(object descr, const void* first, size_t n, size_t item):
    array = fresh_array(<PyObject*>descr, n, item)
    if n:  # there may be no first
        memcpy(np.PyArray_DATA(<np.ndarray>array), first, n * item)
    return array


@final
cdef class Venue:
    """Matches orders by price, then time, in the books of many instruments.

    A trade happens at the price of the order that rested; orders of one owner trade with each other. What an order may
    ask for stands in ``engine.core.orders``. Prices are positive multiples of the instrument's tick, quantities positive
    multiples of its lot, as they are when the venue first meets the instrument. A reserve order (``display``) shows its
    next part at the back of the queue when the part before is gone. A REPLACE keeps its place when only the quantity
    shrinks; one to no more than was filled cancels the order. Every request is answered, and its last report carries
    ``ReportFlag.LAST``.

    Args:
        instruments: the ``Instruments`` whose ids orders carry.
        venue: its name, as events carry it; "" for none.
        events: whether to make public events, for ``take_events``.
    """

    cdef Venue_* venue
    cdef cbool busy
    cdef object instruments
    cdef dict views
    cdef dict ids

    def __cinit__(self, instruments, *, str venue="", events=False):
        self.instruments = instruments
        self.views = {}
        self.ids = {}
        self.venue = venue_create(bool(events), _venue_id(venue) if venue else 0, 0)
        self.meet()

    def __init__(self, instruments, *, venue="", events=False):
        pass

    def __dealloc__(self):
        venue_destroy(self.venue)

    cdef inline int free(self) except -1:
        if self.busy:
            raise RuntimeError("the venue is matching in another thread")
        return 0

    cdef int meet(self) except -1:
        """Lists the instruments that are new."""
        cdef int64_t tick, lot
        while self.venue.listed < <size_t>len(self.instruments):
            instrument = self.instruments[self.venue.listed]
            tick = _to_nanos(instrument.tick, "tick")
            lot = _to_nanos(instrument.lot, "lot")
            self.ids[instrument.symbol] = instrument.id
            venue_list(self.venue, tick, lot)
        return 0

    cdef inline uint32_t id_of(self, object instrument) except? 0xFFFFFFFF:
        """The id of a symbol or an id. Raises KeyError if it is unknown."""
        cdef long number
        if PyLong_Check(instrument):
            number = instrument
            if 0 <= number < self.venue.listed:
                return <uint32_t>number
        return self.find(instrument)

    cdef uint32_t find(self, object instrument) except? 0xFFFFFFFF:
        known = self.ids.get(instrument)
        if known is None:
            self.meet()
            known = self.instruments[instrument].id
        return known

    @binding(False)
    def apply(self, orders, out=None, /):
        """Applies ORDER records one after the other.

        Args:
            orders: array of ``engine.ORDER``.
            out: array of ``engine.REPORT`` to write to. No report is lost where it is too small: all of them then come
                in an array of their own.

        Returns:
            REPORT array, the answers and fills in the order they happened: the head of ``out`` (with its memory), or a
            fresh array.
        """
        cdef np.ndarray array = as_orders(orders)  # may let other threads run: before the check
        cdef np.ndarray room = None if out is None else as_room(out)
        self.free()
        self.meet()
        cdef size_t n = np.PyArray_DIM(array, 0)
        cdef const OrderRecord* first = <const OrderRecord*>np.PyArray_DATA(array)
        cdef ReportRecord* lent = NULL
        cdef size_t capacity = 0
        cdef Answers answers
        if room is not None:
            lent = <ReportRecord*>np.PyArray_DATA(room)
            capacity = np.PyArray_DIM(room, 0)
        if n < BIG:
            answers = venue_apply(self.venue, first, n, lent, capacity)
        else:
            self.busy = True
            with nogil:
                answers = venue_apply(self.venue, first, n, lent, capacity)
            self.busy = False
        if lent != NULL and answers.first == lent:
            return room[:answers.count]
        return copied(REPORT_TYPE, answers.first, answers.count, sizeof(ReportRecord))

    @binding(False)
    def place(self, instrument, side, price, quantity, order_id, /, ts=0, display=0, owner=0, type=0, tif=0,
              post_only=False):
        """One new order; prices and quantities are counts of 1e-9, as in ``apply``.

        Args:
            instrument: symbol or id.
            side: "buy" or "sell", or an ``engine.Side``.
            type: "limit" or "market"; a market order has price 0.
            tif: "day", "gtc", "ioc" or "fok".

        Returns:
            How many reports it led to; they wait for ``take_reports``.
        """
        cdef OrderRecord order
        order.instrument = self.id_of(instrument)
        order.price = whole(price)
        order.quantity = whole(quantity)
        order.order_id = order_id
        order.ts = ts
        order.display = display
        order.owner = owner
        cdef uint64_t facts = order_side(side)
        facts |= choice(type, "type", TYPES) << 8
        facts |= choice(tif, "tif", TIMES) << 16
        if post_only:
            facts |= 1 << 24
        self.free()
        return entered(self.venue, &order, Action.NEW, facts)

    @binding(False)
    def cancel(self, order_id, /, ts=0, owner=0):
        """One cancel; how many reports it led to, see ``place``."""
        cdef OrderRecord order
        order.price = order.quantity = order.display = order.instrument = 0
        order.order_id = order_id
        order.ts = ts
        order.owner = owner
        self.free()
        return entered(self.venue, &order, Action.CANCEL, 0)

    @binding(False)
    def replace(self, order_id, price, quantity, /, ts=0, display=0, owner=0):
        """One cancel/replace to a new price and whole quantity; how many reports it led to, see ``place``."""
        cdef OrderRecord order
        order.instrument = 0
        order.order_id = order_id
        order.price = whole(price)
        order.quantity = whole(quantity)
        order.ts = ts
        order.display = display
        order.owner = owner
        self.free()
        return entered(self.venue, &order, Action.REPLACE, 0)

    def take_reports(self):
        """REPORT array: what ``place``, ``cancel`` and ``replace`` led to since it was last asked."""
        self.free()
        cdef Answers answers = venue_waiting(self.venue)
        reports = copied(REPORT_TYPE, answers.first, answers.count, sizeof(ReportRecord))
        venue_forget(self.venue)
        return reports

    def take_events(self):
        """EVENT array: what the public saw since it was last asked.

        ADD, REDUCE, DELETE, REPLACE (keeps its id, goes to the back) and EXECUTE of what is displayed, and STATUS. A
        ``Book(by="order")`` that applies them equals the displayed book. A reserve order's next part is an ADD under
        the same id. The last event of a request carries ``Flag.LAST``.
        """
        self.free()
        cdef Events* events = &self.venue.events
        taken = copied(EVENT_TYPE, events.first, events.count, 64)
        events.count = events.ended = 0
        return taken

    def halt(self, instrument, ts):
        """Until ``resume`` nothing matches: orders and replacements are rejected, cancels pass."""
        cdef uint32_t number = self.id_of(instrument)
        cdef int64_t at = whole(ts)
        self.free()
        venue_halt(self.venue, number, True, at)

    def resume(self, instrument, ts):
        """Trading goes on."""
        cdef uint32_t number = self.id_of(instrument)
        cdef int64_t at = whole(ts)
        self.free()
        venue_halt(self.venue, number, False, at)

    def expire(self, ts):
        """The day ends: every DAY order leaves, by instrument, bids first, best price first, oldest first.

        Returns:
            REPORT array, one EXPIRED an order.
        """
        cdef int64_t at = whole(ts)
        self.free()
        cdef Answers answers = venue_expire(self.venue, at)
        return copied(REPORT_TYPE, answers.first, answers.count, sizeof(ReportRecord))

    def __getitem__(self, str symbol):
        """The displayed book of a symbol: a live view with the readings of a book by order."""
        view = self.views.get(symbol)
        if view is None:
            self.free()
            grid = <size_t>venue_book(self.venue, self.id_of(symbol))
            view = self.views[symbol] = _lend(grid, <size_t>&self.busy, self, symbol)
        return view

    def __contains__(self, symbol):
        return symbol in self.instruments

    @property
    def memory(self):
        """Bytes the venue holds."""
        self.free()
        return venue_memory(self.venue)

    @property
    def _address(self):
        """Where the native venue lies, for kernels that trade in it; whoever keeps it keeps this object, too."""
        return <size_t>self.venue
