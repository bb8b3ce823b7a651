# What every book of book.pyx can be asked. Included there.

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

    @binding(False)
    def ladder(self, Py_ssize_t n):
        """The best ``n`` levels of bids and of asks as tuples of (price, quantity), best first, in counts of 1e-9.

        Args:
            n: number of levels, 0 to 128.
        """
        self.free()
        if not 0 <= n <= 128:
            raise ValueError(f"n is {n}; expected 0 to 128")
        return self.standing(0, n), self.standing(1, n)

    cdef tuple standing(self, int side, size_t n):
        cdef Standing found[128]
        cdef size_t count = read_levels(self.grid, side, n, found)
        cdef size_t i
        return tuple([(found[i].price, found[i].quantity) for i in range(count)])

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


cdef class VenueBook(Readings):
    """The displayed book of an instrument of a ``Venue``, live."""

    cdef object owner
    cdef const cbool* owner_busy
    cdef readonly str symbol

    cdef int free(self) except -1:
        if self.owner is None:
            raise TypeError("views come from Venue[symbol]")
        if self.owner_busy[0]:
            raise RuntimeError("the venue is matching in another thread")
        return 0

    def queue_position(self, uint64_t order_id):
        """(orders ahead, quantity ahead) of an order at its level; None if none of this id is displayed here."""
        return self.position(order_id)


def _lend(size_t grid, size_t busy, object owner, str symbol):
    """A view of a book that lives as long as ``owner``, and must not be read while the flag at ``busy`` is set."""
    cdef VenueBook view = VenueBook.__new__(VenueBook)
    view.grid = <Grid*>grid
    view.owner_busy = <const cbool*>busy
    view.owner = owner
    view.symbol = symbol
    return view
