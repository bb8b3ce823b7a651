// Many books in one stream of events: looking ahead, delivery, and whose top changed. Part of apply.simd.cpp.

constexpr size_t BOOK_AHEAD = 8;
constexpr size_t ORDERS_AHEAD = 12;
constexpr size_t LEVEL_AHEAD = 4;
constexpr uint32_t MANY_BOOKS = 8;

static inline const Grid* book_of(const BookSet& set, const Event& event) {
    return event.instrument < set.capacity ? set.grids[event.instrument] : nullptr;
}

// Two looks ahead hide the cache misses of many books: first a book's own lines, then the level it will change.
static inline void prefetch_book(const BookSet& set, const Event& event) {
    const Grid* grid = book_of(set, event);
    if (grid == nullptr) return;
    __builtin_prefetch(grid);
    __builtin_prefetch(&grid->side[event.side == Side::ASK]);
}

static inline void prefetch_level(const BookSet& set, const Event& event) {
    const Grid* grid = book_of(set, event);
    if (grid == nullptr) return;
    const int side = event.side == Side::ASK;
    const int64_t key = key_of(*grid, side, grid_value(*grid, event.price));
    const Page* page = page_near(grid->side[side], key);  // where most levels are: no look at the table is needed
    if (page == nullptr) return;
    __builtin_prefetch(level_of(*grid, page, key & 63));
}

static inline void prefetch_orders(const BookSet& set, const Event* events, size_t i, size_t n) {
    const Grid* grid = i + ORDERS_AHEAD < n ? book_of(set, events[i + ORDERS_AHEAD]) : nullptr;
    if (grid != nullptr) __builtin_prefetch(grid->orders);
    grid = i + PLACE_AHEAD < n ? book_of(set, events[i + PLACE_AHEAD]) : nullptr;
    if (grid != nullptr) prefetch_place(*grid->orders, events[i + PLACE_AHEAD].order_id);
    grid = i + ORDER_AHEAD < n ? book_of(set, events[i + ORDER_AHEAD]) : nullptr;
    if (grid != nullptr) prefetch_order(*grid->orders, events[i + ORDER_AHEAD].order_id);
}

// Looks ahead of event i; before the first one, at what the looks ahead of earlier events would have shown.
template <Form form>
static inline void look_ahead(const BookSet& set, const Event* events, size_t i, size_t n) {
    if (i + BOOK_AHEAD < n) prefetch_book(set, events[i + BOOK_AHEAD]);
    if constexpr (form == Form::VENUES) {
        if (i + LEVEL_AHEAD < n) prefetch_level(set, events[i + LEVEL_AHEAD]);
    } else {
        prefetch_orders(set, events, i, n);
    }
}

template <Form form>
static void look_at_first(const BookSet& set, const Event* events, size_t n) {
    for (size_t i = 0; i < BOOK_AHEAD && i < n; ++i) prefetch_book(set, events[i]);
    if constexpr (form == Form::VENUES) {
        for (size_t i = 0; i < LEVEL_AHEAD && i < n; ++i) prefetch_level(set, events[i]);
    }
}

struct Changed {
    uint32_t* ids;
    size_t count;
};

// Applies an event to one book of a set; its id is told once a batch if its top changed.
template <Form form>
static inline void deliver(const BookSet& set, Grid& grid, uint32_t id, const Event& event, uint32_t row,
                           Changed& changed) {
    const bool top = apply_any<form>(grid, event, row);
    grid.ts_event = event.ts_event;
    grid.ts_recv = event.ts_recv;
    if (top && grid.batch != set.batch) {
        grid.batch = set.batch;
        changed.ids[changed.count++] = id;
    }
}

// CLEAR without an instrument: the venue begins anew, so every book loses what stands there.
template <Form form>
TF_COLD static void clear_everywhere(BookSet& set, const Event& event, Changed& changed) {
    const uint32_t row = form == Form::VENUES ? set.row[event.venue] - 1u : 0;
    if (row == UINT32_MAX) return;
    for (uint32_t id = 0; id < set.capacity; ++id) {
        Grid* grid = set.grids[id];
        if (grid == nullptr || grid->started == 0) continue;
        if (form == Form::QUEUES && grid->venue != event.venue) continue;
        deliver<form>(set, *grid, id, event, row, changed);
    }
}

template <Form form>
static size_t apply_many(BookSet& set, const Event* events, size_t n, uint32_t* ids) {
    const bool many = set.used > MANY_BOOKS;
    Changed changed = {ids, 0};
    ++set.batch;
    if (many) look_at_first<form>(set, events, n);
    for (size_t i = 0; i < n; ++i) {
        if (many) look_ahead<form>(set, events, i, n);
        const Event& event = events[i];
        Grid* grid = event.instrument < set.capacity ? set.grids[event.instrument] : nullptr;
        if (grid == nullptr) [[unlikely]] {
            if (event.instrument == NO_INSTRUMENT && event.kind == Kind::CLEAR) {
                clear_everywhere<form>(set, event, changed);
                continue;
            }
            if (event.instrument >= MOST_INSTRUMENTS) {
                ++set.counts[event.instrument == NO_INSTRUMENT ? COUNT_OTHER : COUNT_UNKNOWN_INSTRUMENT];
                continue;
            }
            grid = set_open(&set, event.instrument);
        }
        uint32_t row = 0;
        if constexpr (form == Form::VENUES) {
            row = set.row[event.venue] - 1u;
            if (row >= grid->words - 1u) [[unlikely]] {  // a venue not seen here, or not at all
                if (row == UINT32_MAX) row = set_row(&set, event.venue);
                if (row == MOST_VENUES) {
                    ++grid->counts[COUNT_UNKNOWN_VENUE];
                    continue;
                }
                if (row >= grid->rows) grid_grow_rows(grid, row + 1);
            }
        }
        deliver<form>(set, *grid, event.instrument, event, row, changed);
    }
    return changed.count;
}

static size_t apply_set(BookSet* set, const Event* events, size_t n, uint32_t* changed) {
    return set->form == Form::VENUES ? apply_many<Form::VENUES>(*set, events, n, changed)
                                     : apply_many<Form::QUEUES>(*set, events, n, changed);
}
