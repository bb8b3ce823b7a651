# distutils: language = c++
"""Native books: one venue, several venues of one instrument, and many instruments.

All readings are floats in units (not counts of 1e-9), nan where undefined; quantities are 0.0 where nothing stands.
"""

from cpython.long cimport PyLong_Check
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cython cimport binding
from libc.math cimport INFINITY, NAN, isnan, sqrt
from libc.string cimport memcpy
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.string cimport string

cimport numpy as np

from native_book cimport *

from operator import index as _index

import numpy as _numpy

from engine.core.events import DEPTH as _DEPTH, EVENT as _EVENT, Quote as _Quote, Walk as _Walk
from engine.core.units import to_nanos as _to_nanos

np.import_array()

cdef string _error = target_from_environment()
if not _error.empty():
    raise ImportError(_error.decode())

cdef const BookKernels* KERNELS = &book_kernels()
cdef object EVENT_TYPE = _EVENT
cdef object DEPTH_TYPE = _DEPTH
cdef object QUOTE = _Quote
cdef object WALK = _Walk
cdef object to_nanos = _to_nanos
cdef object index = _index
cdef size_t BIG = 4096  # events from which on the GIL is given away


cdef inline size_t address(np.ndarray array):
    return <size_t>np.PyArray_DATA(array)


cdef np.ndarray checked_events(object events):
    """A contiguous one-dimensional EVENT array."""
    if not isinstance(events, _numpy.ndarray):
        raise TypeError(f"events is {type(events).__name__}; expected numpy.ndarray of engine.EVENT")
    if events.dtype is not EVENT_TYPE and events.dtype != EVENT_TYPE:
        raise TypeError(f"events has dtype {events.dtype}; expected engine.EVENT")
    if events.ndim != 1:
        raise ValueError(f"events has {events.ndim} dimensions; expected 1")
    events = _numpy.ascontiguousarray(events)
    return events.copy() if address(events) & 7 else events


cdef inline np.ndarray as_events(object events):
    if type(events) is np.ndarray and (<np.ndarray>events).descr is EVENT_TYPE:
        if ((<np.ndarray>events).ndim == 1 and np.PyArray_IS_C_CONTIGUOUS(<np.ndarray>events)
                and not address(events) & 7):
            return <np.ndarray>events
    return checked_events(events)


cdef inline int book_side(object side) except -1:
    cdef long number
    if PyLong_Check(side):
        number = side
        if number == 1:
            return 0
        if number == 2:
            return 1
    elif side == "bid" or side == "buy":
        return 0
    elif side == "ask" or side == "sell":
        return 1
    elif isinstance(side, _numpy.integer):
        return book_side(int(side))
    raise ValueError(f"side is {side!r}; expected 'bid' or 'ask' ('buy', 'sell', engine.Side)")


cdef inline Py_ssize_t clipped(object bound, Py_ssize_t n) except -1:
    """A bound as slices take it: negative ones count from the end, none lies outside."""
    cdef Py_ssize_t at = index(bound) if not PyLong_Check(bound) else bound
    if at < 0:
        at += n
    return 0 if at < 0 else n if at > n else at


cdef inline int64_t whole(object number) except? -1:
    """An integer as it is; anything that is none raises TypeError and is never cut."""
    return number if PyLong_Check(number) else index(number)


cdef size_t level_count(object levels) except 0:
    if index(levels) < 1:
        raise ValueError(f"levels is {levels!r}; expected at least 1")
    return index(levels)


cdef double bounded(object value, str name, double least) except? -1:
    """A finite float of at least ``least``."""
    number = float(value)
    if not least <= number < INFINITY:
        raise ValueError(f"{name} is {value!r}; expected a finite number of at least {least:g}")
    return number


cdef int taken_side(object side) except -1:
    """The side of the book that an order of ours takes from."""
    if side == "buy":
        return 1
    if side == "sell":
        return 0
    raise ValueError(f"side is {side!r}; expected 'buy' or 'sell'")


cdef inline void put(object t, Py_ssize_t i, object item):
    Py_INCREF(item)
    PyTuple_SET_ITEM(t, i, item)


cdef dict named_counts(const uint64_t* counts):
    return {count_name(i).decode(): counts[i] for i in range(COUNTS)}


include "readings.pxi"


cdef class Book(Readings):
    """The book of one venue, by price level or order by order.

    ``instrument`` and ``venue`` of events are not looked at.

    Args:
        by: "price" (LEVEL, QUOTE, CLEAR) or "order" (ADD, REDUCE, DELETE, REPLACE, EXECUTE, CLEAR; LEVEL sets the
            quantity of orders that are older than the stream).
        levels: how many of the best levels a side are held; None for all.
    """

    cdef readonly str by

    def __cinit__(self, by="price", *, levels=None):
        if by not in ("price", "order"):
            raise ValueError(f"by is {by!r}; expected 'price' or 'order'")
        if levels is not None and index(levels) < 1:
            raise ValueError(f"levels is {levels!r}; expected at least 1 or None")
        self.by = by
        self.grid = grid_create(Form.QUEUES if by == "order" else Form.LEVELS, 0, 0 if levels is None else levels, 0)

    def __init__(self, by="price", *, levels=None):
        pass

    def __dealloc__(self):
        grid_destroy(self.grid)

    @binding(False)
    def apply(self, events, start=0, stop=None, /):
        """Applies EVENT records in order; whether the best price or quantity of a side changed.

        ``apply(events, start, stop)`` takes ``events[start:stop]`` without the price of a slice.
        A book that has seen ``Flag.LAST`` reports a change only when the atomic event it belongs to has ended.
        Events that cannot be applied are counted in ``counts``; none raises.
        """
        return self.applied(events, start, stop, NULL)

    @binding(False)  # a plain method: 10 ns less a call
    def set(self, side, price, quantity, /):
        """Sets one level: counts of 1e-9, quantity 0 removes it. Whether the top changed. By price only.

        As a LEVEL event without stamps; a negative quantity is counted, not applied.
        """
        if self.busy or self.grid.form != Form.LEVELS:
            self.free()
            raise TypeError("set is for books by price")
        cdef int at = book_side(side)
        return KERNELS.set(self.grid, at, whole(price), whole(quantity))

    def clear(self):
        """Empties the book; ``counts`` stay."""
        self.free()
        grid_clear(self.grid)

    def queue_position(self, uint64_t order_id):
        """(orders ahead, quantity ahead) of an order at its level; None if the id is unknown.

        Orders older than the stream stand in front: they count in the quantity, not in the number.
        """
        self.free()
        if self.by != "order":
            raise TypeError("queue_position is for books by order")
        return self.position(order_id)


cdef class MergedReadings(Readings):
    """Readings of a book that several venues make up."""

    cdef uint16_t venue_ids(self, uint32_t row):
        return 0

    cdef list names(self):
        from engine.core.venues import venue_name
        names = []
        for row in range(self.grid.rows):
            try:
                names.append(venue_name(self.venue_ids(row)))
            except KeyError:  # a number nobody named is only a number
                names.append(str(self.venue_ids(row)))
        return names

    cdef int row(self, str venue) except -1:
        names = self.names()
        if venue not in names:
            raise KeyError(f"venue is {venue!r}; expected one of {', '.join(names)}")
        return names.index(venue)

    @property
    def venue_names(self):
        """The venues, in the order of the columns of ``venues``."""
        self.free()
        return tuple(self.names())

    @property
    def stale(self):
        """Names of the venues marked stale."""
        self.free()
        return frozenset(name for row, name in enumerate(self.names()) if not self.grid.live >> row & 1)

    def venues(self, Py_ssize_t n):
        """Who stands at the best ``n`` levels.

        Returns:
            Structured array (n,) with fields bid and ask, each of shape (V,): quantities by venue in the order of
            ``venue_names``, row i being level i of ``depth(n)``; stale venues show 0.
        """
        self.free()
        if n < 0:
            raise ValueError(f"n is {n}; expected at least 0")
        cdef Py_ssize_t rows = self.grid.rows
        result = _numpy.zeros(n, [("bid", "<f8", (rows,)), ("ask", "<f8", (rows,))])
        cdef np.ndarray quantities = _numpy.zeros((n, rows))
        for side, name in enumerate(("bid", "ask")):
            read_rows(self.grid, side, n, <double*>np.PyArray_DATA(quantities))
            result[name] = quantities
        return result

    def venue_depth(self, str venue, Py_ssize_t n):
        """``depth(n)`` of one venue alone, stale or not; counts are 0."""
        self.free()
        if n < 0:
            raise ValueError(f"n is {n}; expected at least 0")
        out = _numpy.zeros(n, DEPTH_TYPE)
        read_row_depth(self.grid, self.row(venue), n, <DepthRow*>np.PyArray_DATA(<np.ndarray>out))
        return out

    def mark_stale(self, str venue):
        """The venue contributes nothing until it is marked live; its events are still applied underneath."""
        self.free()
        row_set_live(self.grid, self.row(venue), False)

    def mark_live(self, str venue):
        """The venue contributes again."""
        self.free()
        row_set_live(self.grid, self.row(venue), True)


cdef class ConsolidatedBook(MergedReadings):
    """One instrument on several venues: levels are sums over the venues that are not stale.

    The best ten levels of both sides are kept up to date with every event.

    Args:
        venues: names of at most 64 venues; events of others are counted as unknown_venue.
    """

    cdef np.ndarray rows_of  # venue id -> row + 1
    cdef tuple _names

    def __cinit__(self, venues):
        from engine.core.venues import venue_id
        if isinstance(venues, str):
            raise TypeError(f"venues is {venues!r}; expected a list of names")
        self._names = tuple(venues)
        if not 1 <= len(self._names) <= 64 or len(set(self._names)) != len(self._names):
            raise ValueError(f"venues is {venues!r}; expected 1 to 64 different names")
        self.rows_of = _numpy.zeros(65536, _numpy.uint8)
        for row, name in enumerate(self._names):
            self.rows_of[venue_id(name)] = row + 1
        self.grid = grid_create(Form.VENUES, len(self._names), 0, 10)

    def __init__(self, venues):
        pass

    def __dealloc__(self):
        grid_destroy(self.grid)

    cdef list names(self):
        return list(self._names)

    @binding(False)
    def apply(self, events, start=0, stop=None, /):
        """Applies LEVEL, QUOTE and CLEAR to the venue each event names; whether the composed top changed.

        ``Flag.LAST`` holds for each venue, start and stop are as in ``Book.apply``.
        """
        return self.applied(events, start, stop, <const uint8_t*>np.PyArray_DATA(self.rows_of))

    def clear(self):
        """Empties the book; ``counts`` and stale marks stay."""
        self.free()
        grid_clear(self.grid)


cdef class BookView(MergedReadings):
    """One instrument's book inside ``Books``, live."""

    cdef Books owner
    cdef readonly str symbol

    cdef int free(self) except -1:
        if self.owner is None:
            raise TypeError("views come from Books[symbol]")
        if self.owner.busy:
            raise RuntimeError("the books are being applied to in another thread")
        return 0

    cdef uint16_t venue_ids(self, uint32_t row):
        return self.owner.books.venue[row]

    cdef int row(self, str venue) except -1:
        """A venue has its row before its first event, so that one that is down at the open can be marked stale."""
        from engine.core.venues import venue_id
        cdef uint32_t row = set_row(self.owner.books, venue_id(venue))
        if row >= 64:
            raise KeyError(f"venue is {venue!r}; expected one of the 64 there are")
        if row >= self.grid.rows:
            grid_grow_rows(self.grid, row + 1)
        return row

    def queue_position(self, uint64_t order_id):
        """As ``Book.queue_position``; for Books by order."""
        self.free()
        if self.owner.by != "order":
            raise TypeError("queue_position is for books by order")
        return self.position(order_id)


cdef class Books:
    """The books of many instruments, made when their first event arrives.

    Args:
        instruments: the ``Instruments`` whose ids events carry.
        by: "price" (levels a venue, merged) or "order" (order by order, one venue an instrument).
    """

    cdef BookSet* books
    cdef cbool busy
    cdef object instruments
    cdef dict views
    cdef np.ndarray changed
    cdef readonly str by

    def __cinit__(self, instruments, by="price"):
        if by not in ("price", "order"):
            raise ValueError(f"by is {by!r}; expected 'price' or 'order'")
        self.by = by
        self.instruments = instruments
        self.views = {}
        self.changed = _numpy.empty(1024, _numpy.uint32)
        self.books = set_create(Form.QUEUES if by == "order" else Form.VENUES, max(len(instruments), 16))

    def __init__(self, instruments, by="price"):
        pass

    cdef int free(self) except -1:
        if self.busy:
            raise RuntimeError("the books are being applied to in another thread")
        return 0

    def __dealloc__(self):
        set_destroy(self.books)

    @binding(False)
    def apply(self, events, start=0, stop=None, /):
        """Applies EVENT records in order to the books of their instruments and venues.

        ``start`` and ``stop`` are as in ``Book.apply``.

        Returns:
            uint32 array: ids of the instruments whose top changed, each once, in the order of their first change.
        """
        cdef np.ndarray array = as_events(events)  # may let other threads run: before the check
        cdef Py_ssize_t total = np.PyArray_DIM(array, 0)
        cdef Py_ssize_t begin = clipped(start, total)
        cdef Py_ssize_t end = total if stop is None else clipped(stop, total)
        self.free()
        cdef size_t n = max(end - begin, 0)
        cdef const Event* first = <const Event*>np.PyArray_DATA(array) + begin
        cdef size_t most = n + self.books.used  # a CLEAR without an instrument may change every book
        if most > <size_t>np.PyArray_DIM(self.changed, 0):
            self.changed = _numpy.empty(2 * most, _numpy.uint32)
        cdef uint32_t* changed = <uint32_t*>np.PyArray_DATA(self.changed)
        cdef size_t count
        if n < BIG:
            count = KERNELS.apply_set(self.books, first, n, changed)
        else:
            self.busy = True
            with nogil:
                count = KERNELS.apply_set(self.books, first, n, changed)
            self.busy = False
        cdef np.npy_intp room = count
        result = np.PyArray_SimpleNew(1, &room, np.NPY_UINT32)
        memcpy(np.PyArray_DATA(<np.ndarray>result), changed, count * sizeof(uint32_t))
        return result

    @property
    def counts(self):
        """Totals over all books; see ``Readings.counts``."""
        self.free()
        totals = named_counts(self.books.counts)
        for i in range(self.books.capacity):
            if self.books.grids[i] != NULL:
                for name, count in named_counts(self.books.grids[i].counts).items():
                    totals[name] += count
        return totals

    @property
    def _address(self):
        """Where the native books lie, for kernels that apply to them; whoever keeps it keeps this object, too."""
        return <size_t>self.books

    @property
    def memory(self):
        """Bytes all books hold."""
        self.free()
        cdef size_t total = 65536
        for i in range(self.books.capacity):
            if self.books.grids[i] != NULL:
                total += grid_memory(self.books.grids[i])
        return total

    def __getitem__(self, str symbol):
        view = self.views.get(symbol)
        if view is None:
            view = self.open(symbol)
        return view

    cdef BookView open(self, str symbol):
        self.free()
        cdef BookView view = BookView.__new__(BookView)
        view.owner = self
        view.symbol = symbol
        view.grid = set_open(self.books, self.instruments[symbol].id)
        self.views[symbol] = view
        return view

    def __contains__(self, symbol):
        return symbol in self.instruments

    def clear(self):
        """Empties every book; ``counts`` stay."""
        self.free()
        for i in range(self.books.capacity):
            if self.books.grids[i] != NULL:
                grid_clear(self.books.grids[i])
