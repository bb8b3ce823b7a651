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


cdef class Readings:
    """What can be read off any book; not made by itself."""

    cdef Grid* grid
    cdef cbool busy

    def __init__(self):
        raise TypeError("make a Book, a ConsolidatedBook or Books")

    cdef int free(self) except -1:
        """Refuses while another thread applies events, and where no constructor has made a book."""
        if self.grid == NULL:
            raise TypeError("make a Book, a ConsolidatedBook or Books")
        if self.busy:
            raise RuntimeError("the book is being applied to in another thread")
        return 0

    cdef object applied(self, events, start, stop, const uint8_t* rows):
        """Applies ``events[start:stop]``; VENUES: ``rows`` tells the row of a venue. Whether a change is reported."""
        cdef np.ndarray array = as_events(events)  # may let other threads run: before the check
        cdef Py_ssize_t total = np.PyArray_DIM(array, 0)
        cdef Py_ssize_t begin = clipped(start, total)
        cdef Py_ssize_t end = total if stop is None else clipped(stop, total)
        self.free()
        cdef size_t n = max(end - begin, 0)
        cdef const Event* first = <const Event*>np.PyArray_DATA(array) + begin
        cdef cbool changed
        if n < BIG:
            return KERNELS.apply(self.grid, first, n, rows)
        self.busy = True
        with nogil:
            changed = KERNELS.apply(self.grid, first, n, rows)
        self.busy = False
        return changed

    cdef object position(self, uint64_t order_id):
        """(orders ahead, quantity ahead) of an order of a book by order, or None."""
        cdef uint64_t ahead = 0
        cdef int64_t quantity = 0
        self.free()
        if not read_queue_position(self.grid, order_id, &ahead, &quantity):
            return None
        return ahead, <double>quantity / 1e9

    @property
    def counts(self):
        """Events that were not applied as they stand, by kind, since the book was made.

        reserved (a field that must be 0), unknown_kind, unsupported_kind (a kind this book does not hold), other (trades
        and states), wrong_side, negative_quantity, zero_quantity, unknown_order, duplicate_order, over_reduced, quantity_mismatch,
        unknown_venue, unknown_instrument, out_of_range, outside_window (levels forgotten), and the changes that
        left the book crossed or locked.
        """
        self.free()
        return named_counts(self.grid.counts)

    @property
    def memory(self):
        """Bytes the book holds."""
        self.free()
        return grid_memory(self.grid)

    @binding(False)
    def bbo(self):
        """Best bid and ask as a ``Quote``; the stamps are those of the last event applied."""
        self.free()
        cdef Tops tops = read_tops(self.grid)
        quote = fresh_tuple(QUOTE, 6)
        put(quote, 0, tops.bid)
        put(quote, 1, tops.bid_quantity)
        put(quote, 2, tops.ask)
        put(quote, 3, tops.ask_quantity)
        put(quote, 4, self.grid.ts_event)
        put(quote, 5, self.grid.ts_recv)
        return quote

    @binding(False)
    def depth(self, Py_ssize_t n, out=None):
        """The best ``n`` levels of both sides, best first.

        Args:
            n: number of levels, at least 0.
            out: array of ``engine.core.events.DEPTH`` with room for n rows to fill; a fresh one if None.

        Returns:
            Structured array (n,): bid_price, bid_quantity, bid_count, ask_price, ask_quantity, ask_count. Prices are
            nan and quantities 0 where there is no level. Counts are orders (order by order), live venues
            (consolidated) or 0 (by price).
        """
        self.free()
        if n < 0:
            raise ValueError(f"n is {n}; expected at least 0")
        if out is None:
            out = fresh_array(<PyObject*>DEPTH_TYPE, n, 48)
        elif (type(out) is not np.ndarray or (<np.ndarray>out).descr is not DEPTH_TYPE
              or not np.PyArray_ISCARRAY(<np.ndarray>out) or (<np.ndarray>out).ndim != 1
              or np.PyArray_DIM(<np.ndarray>out, 0) < n or address(out) & 7):
            out = checked_out(out, n)
        KERNELS.depth(self.grid, n, <DepthRow*>np.PyArray_DATA(<np.ndarray>out))
        return out

    @property
    def crossed(self):
        """Whether the best bid stands above the best ask."""
        self.free()
        cdef Tops tops = read_tops(self.grid)
        return tops.bid > tops.ask

    @property
    def locked(self):
        """Whether the best bid equals the best ask."""
        self.free()
        cdef Tops tops = read_tops(self.grid)
        return tops.bid == tops.ask

    def mid(self):
        """(bid + ask) / 2; nan unless both sides stand (Hasbrouck: Empirical Market Microstructure, 2007, ch. 2)."""
        self.free()
        return read_mid(self.grid)

    def spread(self):
        """ask - bid, negative when crossed; nan unless both sides stand."""
        self.free()
        return read_spread(self.grid)

    def spread_bps(self):
        """Quoted spread / mid in basis points (Foucault, Pagano, Roell: Market Liquidity, ch. 2)."""
        self.free()
        return read_spread(self.grid) / read_mid(self.grid) * 1e4

    def microprice(self):
        """(bid x ask quantity + ask x bid quantity) / (sum of both): the mid weighted by the opposite quantities.

        Gatheral, Oomen: Zero-intelligence realized variance estimation, 2010; Stoikov 2018 calls it the weighted mid.
        """
        self.free()
        cdef Tops tops = read_tops(self.grid)
        return (tops.bid * tops.ask_quantity + tops.ask * tops.bid_quantity) / (tops.bid_quantity + tops.ask_quantity)

    def imbalance(self, levels=1):
        """(B - A) / (B + A) over the best ``levels`` of each side, B and A being quantities (Cartea et al. 2015)."""
        cdef size_t best = level_count(levels)
        self.free()
        return read_imbalance(self.grid, best)

    def total(self, side, levels=None):
        """Quantity of the best ``levels`` of a side, or of all of them: the plain sum."""
        cdef size_t best = 0 if levels is None else level_count(levels)
        cdef int at = book_side(side)
        self.free()
        return read_total(self.grid, at, best)

    cdef WalkResult walked(self, side, quantity) except *:
        cdef int64_t wanted = to_nanos(quantity, "quantity")
        if wanted < 0:
            raise ValueError(f"quantity is {quantity!r}; expected at least 0")
        cdef int taken = taken_side(side)
        self.free()
        return read_walk(self.grid, taken, wanted)

    def walk(self, side, quantity):
        """What taking ``quantity`` now would give: ``Walk(price, worst, quantity, remaining)``.

        "buy" takes asks, "sell" takes bids. ``price`` averages what the visible book fills (nan if nothing):
        sum of price x taken over sum of taken, level by level (the depth-weighted price of Foucault, Pagano, Roell:
        Market Liquidity, 2013, ch. 2).
        """
        cdef WalkResult walk = self.walked(side, quantity)
        return WALK(walk.price, walk.worst, <double>walk.quantity / 1e9, <double>walk.remaining / 1e9)

    def fill_price(self, side, quantity):
        """Average price of taking ``quantity``, as in ``walk``; nan if the visible book is too thin."""
        cdef WalkResult walk = self.walked(side, quantity)
        return walk.price if walk.remaining == 0 else NAN

    def impact_bps(self, side, quantity, *, volume=None, volatility=None, coefficient=1.0):
        """Cost of taking ``quantity`` against the mid in basis points, positive when bad for us.

        As far as the visible book goes it is walked. Beyond it the square-root law holds: with the visible
        quantity v at cost I, the cost of q is I x sqrt(q / v); given the daily ``volume`` and the daily
        ``volatility`` (a fraction: 0.02), the larger of I and coefficient x volatility x sqrt(q / volume) x 1e4.
        (Almgren et al.: Direct estimation of equity market impact, 2005; Toth et al.: Anomalous price impact, 2011.)
        nan unless both sides stand.
        """
        if (volume is None) != (volatility is None):
            raise ValueError("volume and volatility are given together or not at all")
        cdef double daily_volume = 0.0 if volume is None else bounded(volume, "volume", 1e-9)
        cdef double daily_volatility = 0.0 if volatility is None else bounded(volatility, "volatility", 0.0)
        cdef double factor = bounded(coefficient, "coefficient", 0.0)
        cdef WalkResult walk = self.walked(side, quantity)
        cdef double mid = read_mid(self.grid)
        cdef double impact = (walk.price / mid - 1.0) * 1e4 if side == "buy" else (1.0 - walk.price / mid) * 1e4
        if walk.remaining == 0 or isnan(impact):
            return impact
        cdef double wanted = <double>(walk.quantity + walk.remaining)
        if volume is None:
            return impact * sqrt(wanted / <double>walk.quantity)
        cdef double law = factor * daily_volatility * sqrt(wanted / 1e9 / daily_volume) * 1e4
        return impact if impact > law else law

    def time_weighted_spread(self):
        """Spread averaged over the time (of ``ts_event``) it stood while both sides stood uncrossed; nan before.

        (Hasbrouck: Empirical Market Microstructure, 2007.)
        """
        self.free()
        return read_time_weighted_spread(self.grid)


cdef np.ndarray checked_out(object out, Py_ssize_t n):
    if not isinstance(out, _numpy.ndarray) or out.dtype != DEPTH_TYPE:
        raise TypeError("out must be a numpy.ndarray of engine.core.events.DEPTH")
    if out.ndim != 1 or len(out) < n:
        raise ValueError(f"out has shape {out.shape}; expected room for {n} rows")
    if not out.flags.c_contiguous or not out.flags.writeable or address(out) & 7:
        raise ValueError("out must be contiguous, aligned and writeable")
    return out


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
