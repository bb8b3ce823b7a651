// The hot loops of every book. Compiled once a CPU target; everything here is static but the table at the end.
#include "book/book.hpp"
#include "book/kept.hpp"
#include "book/orders.hpp"
#include "book/pages.hpp"

namespace tf::TF_TARGET {

#define TF_COLD [[gnu::cold, gnu::noinline]]

struct Where {
    int64_t key;
    bool valid;
};

static inline int64_t key_of(const Grid& grid, int side, uint64_t value) {
    return static_cast<int64_t>(value - static_cast<uint64_t>(grid.limit)) ^ mirror(side);
}

// Index of a price on the grid. The tick is refined on the way if it must be; a price out of range is counted.
static Where where(Grid& grid, int side, int64_t price) {
    if (grid_value(grid, price) > grid_bound(grid) && !grid_refine(&grid, price)) {
        ++grid.counts[COUNT_OUT_OF_RANGE];
        return {0, false};
    }
    return {key_of(grid, side, grid_value(grid, price)), true};
}

// A level at the touch or better changed.
[[gnu::noinline]] static void settle_best(Grid& grid, Ladder& ladder, Page* page, int64_t key, int64_t now) {
    if (key != ladder.best) {
        accrue_spread(grid);
        set_best(ladder, key, page);
    } else if (now == 0) {
        accrue_spread(grid);
        find_best(grid, ladder);
    }
}

[[gnu::noinline]] static void settle_watched(Grid& grid, int side, const int64_t* level, int64_t key, int64_t before,
                                             int64_t now) {
    Ladder& ladder = grid.side[side];
    if (ladder.kept != nullptr) kept_update(grid, ladder, key, level, before, now);
    if (grid.window == 0) return;
    ladder.levels += static_cast<uint32_t>(now != 0) - static_cast<uint32_t>(before != 0);
    if (ladder.levels > grid.window) {
        evict_worst(&grid, side);
        ++grid.counts[COUNT_OUTSIDE_WINDOW];
    }
}

// The total of a level becomes `now`: bit, touch, what else is watched. Whether the top changed.
template <Form form>
static inline bool settle(Grid& grid, int side, Page* page, int64_t* level, int64_t key, int64_t now) {
    Ladder& ladder = grid.side[side];
    const uint64_t bit = uint64_t{1} << (key & 63);
    const int64_t before = level[0];
    level[0] = now;
    if constexpr (form == Form::VENUES) {  // among many books the page's own line is better left alone
        if ((before == 0) != (now == 0)) page->bits ^= bit;
    } else {
        page->bits = (page->bits & ~bit) | (static_cast<uint64_t>(now != 0) << (key & 63));
    }
    bool changed = false;
    if (key <= ladder.best && before != now) {
        settle_best(grid, ladder, page, key, now);
        changed = true;
    }
    if (grid.watched != 0) settle_watched(grid, side, level, key, before, now);
    return changed;
}

static void count_crossed(Grid& grid) {
    if (grid.side[0].best == NO_KEY || grid.side[1].best == NO_KEY) return;
    const int64_t bid = ~grid.side[0].best;
    if (bid == grid.side[1].best) ++grid.counts[COUNT_LOCKED];
    if (bid > grid.side[1].best) ++grid.counts[COUNT_CROSSED];
}

// The page of a price on the grid where the first look finds it, else null.
static inline Page* page_at_once(const Grid& grid, int side, uint64_t value, int64_t key) {
    const Ladder& ladder = grid.side[side];
    Page* page = ladder.table[page_hash(ladder, key >> 6)];
    return value <= grid_bound(grid) && page != nullptr && page->number == key >> 6 ? page : nullptr;
}

// The page of an index where the touch is, or the next one; else null.
static inline Page* page_near(const Ladder& ladder, int64_t key) {
    const uint64_t distance = static_cast<uint64_t>(key >> 6) - static_cast<uint64_t>(ladder.best >> 6);
    return distance < 2 ? ladder.near[distance] : nullptr;
}

static inline Page* page_open(Grid& grid, int side, int64_t key) {
    Page* page = page_find(grid.side[side], key >> 6);
    return page != nullptr ? page : page_insert(&grid, side, key >> 6);
}

TF_COLD static bool set_level_anew(Grid& grid, int side, int64_t price, int64_t quantity) {
    const Where at = where(grid, side, price);
    if (!at.valid || (quantity == 0 && page_find(grid.side[side], at.key >> 6) == nullptr)) return false;
    Page* page = page_open(grid, side, at.key);
    return settle<Form::LEVELS>(grid, side, page, level_of(grid, page, at.key & 63), at.key, quantity);
}

static inline bool set_level(Grid& grid, int side, int64_t price, int64_t quantity) {
    const uint64_t value = grid_value(grid, price);
    const int64_t key = key_of(grid, side, value);
    Page* page = page_at_once(grid, side, value, key);
    if (page == nullptr) [[unlikely]] {
        return set_level_anew(grid, side, price, quantity);
    }
    return settle<Form::LEVELS>(grid, side, page, level_of(grid, page, key & 63), key, quantity);
}

// Whether a level's quantities of all venues still add up in 64 bits, this one's being new. Counted if not.
TF_COLD static bool summable(Grid& grid, const Page* page, int64_t key, int64_t quantity, uint32_t row) {
    grid.huge = INT64_MAX;
    if (page == nullptr || row_fits(&grid, page, static_cast<int>(key & 63), row, quantity)) return true;
    ++grid.counts[COUNT_OUT_OF_RANGE];
    return false;
}

static inline bool settle_row(Grid& grid, int side, Page* page, int64_t key, int64_t quantity, uint32_t row) {
    if ((quantity | grid.huge) > HUGE && !summable(grid, page, key, quantity, row)) [[unlikely]] {
        return false;
    }
    int64_t* level = level_of(grid, page, key & 63);
    const int64_t now = level[0] - level[1 + row] + quantity;
    level[1 + row] = quantity;
    if ((grid.live >> row & 1) == 0) [[unlikely]] {
        return false;
    }
    return settle<Form::VENUES>(grid, side, page, level, key, now);
}

TF_COLD static bool set_row_anew(Grid& grid, int side, int64_t price, int64_t quantity, uint32_t row) {
    const Where at = where(grid, side, price);
    if (!at.valid || (quantity == 0 && page_find(grid.side[side], at.key >> 6) == nullptr)) return false;
    return settle_row(grid, side, page_open(grid, side, at.key), at.key, quantity, row);
}

static inline bool set_row(Grid& grid, int side, int64_t price, int64_t quantity, uint32_t row) {
    const uint64_t value = grid_value(grid, price);
    const int64_t key = key_of(grid, side, value);
    Page* page = page_at_once(grid, side, value, key);
    if (page == nullptr) [[unlikely]] {
        return set_row_anew(grid, side, price, quantity, row);
    }
    return settle_row(grid, side, page, key, quantity, row);
}

static inline int64_t best_total(const Grid& grid, const Ladder& ladder) {
    return ladder.best == NO_KEY ? 0 : level_of(grid, ladder.near[0], ladder.best & 63)[0];
}

// The venue's side becomes this one level.
static bool set_quote(Grid& grid, int side, int64_t price, int64_t quantity, uint32_t row) {
    Ladder& ladder = grid.side[side];
    const bool was_empty = ladder.best == NO_KEY;
    const int64_t best_price = was_empty ? 0 : price_of(grid, side, ladder.best);
    const int64_t best = best_total(grid, ladder);
    const Where at = where(grid, side, price);
    if (!at.valid) [[unlikely]] {
        return false;
    }
    if (grid.form == Form::LEVELS) {
        const int64_t* second = nullptr;
        if (ladder.best != NO_KEY && next_level(grid, ladder, ladder.best, &second) != NO_KEY) {
            grid_clear_side(&grid, side);
        } else if (ladder.best != NO_KEY && ladder.best != at.key) {
            settle<Form::LEVELS>(grid, side, ladder.near[0], level_of(grid, ladder.near[0], ladder.best & 63),
                                 ladder.best, 0);
        }
        set_level(grid, side, price, quantity);
    } else {
        if ((quantity | grid.huge) > HUGE && !summable(grid, page_find(ladder, at.key >> 6), at.key, quantity, row)) {
            return false;
        }
        int64_t& quote = grid.quote[row * 2 + static_cast<uint32_t>(side)];
        if ((grid.quoted[side] >> row & 1) == 0) {
            row_clear(&grid, side, row);
        } else if (quote != at.key) {
            set_row(grid, side, price_of(grid, side, quote), 0, row);
        }
        set_row(grid, side, price, quantity, row);
        quote = at.key;
        grid.quoted[side] |= uint64_t{1} << row;
    }
    if (was_empty || ladder.best == NO_KEY) return was_empty != (ladder.best == NO_KEY);
    return price_of(grid, side, ladder.best) != best_price || best_total(grid, ladder) != best;
}

static bool clear(Grid& grid, Side side, uint32_t row) {
    bool changed = false;
    for (int i = 0; i < 2; ++i) {
        if (side != Side::NONE && static_cast<int>(side) - 1 != i) continue;
        const int64_t key = grid.side[i].best;
        const int64_t total = best_total(grid, grid.side[i]);
        if (grid.form == Form::VENUES) {
            if (row < grid.rows) row_clear(&grid, i, row);
        } else {
            grid_clear_side(&grid, i);
        }
        changed |= grid.side[i].best != key || best_total(grid, grid.side[i]) != total;
    }
    return changed;
}

static bool apply_other(Grid& grid, const Event& event, uint32_t row);

#include "book/queues.inl"

// What is common to all kinds and forms; whether the top changed.
[[gnu::noinline]] static bool apply_other(Grid& grid, const Event& event, uint32_t row) {
    const auto side = static_cast<uint8_t>(event.side);
    if (event.reserved != 0) {
        ++grid.counts[COUNT_RESERVED];
        return false;
    }
    switch (event.kind) {
        case Kind::CLEAR:
            if (side > 2) break;
            return clear(grid, event.side, row);
        case Kind::LEVEL:
            if (event.quantity >= 0) break;
            ++grid.counts[COUNT_NEGATIVE_QUANTITY];
            return false;
        case Kind::QUOTE:
            if (grid.form == Form::QUEUES) {
                ++grid.counts[COUNT_UNSUPPORTED_KIND];
                return false;
            }
            if (event.quantity < 0) {
                ++grid.counts[COUNT_NEGATIVE_QUANTITY];
                return false;
            }
            if (side - 1u > 1u) break;
            return set_quote(grid, side - 1, event.price, event.quantity, row);
        case Kind::TRADE:
        case Kind::TRADE_BREAK:
        case Kind::STATUS:
            ++grid.counts[COUNT_OTHER];
            return false;
        case Kind::NONE:
            ++grid.counts[COUNT_UNKNOWN_KIND];
            return false;
        default:
            ++grid.counts[event.kind > Kind::STATUS ? COUNT_UNKNOWN_KIND : COUNT_UNSUPPORTED_KIND];
            return false;
    }
    ++grid.counts[COUNT_WRONG_SIDE];
    return false;
}

// The eight bytes from `venue` on: all that tells whether an event is a plain LEVEL in one comparison.
static inline uint64_t facts_of(const Event& event) {
    uint64_t facts;
    __builtin_memcpy(&facts, &event.venue, sizeof facts);
    return facts;
}
static_assert(offsetof(Event, kind) == offsetof(Event, venue) + 3 &&
              offsetof(Event, side) == offsetof(Event, venue) + 4 &&
              offsetof(Event, flags) == offsetof(Event, venue) + 5 &&
              offsetof(Event, reserved) == offsetof(Event, venue) + 6);
constexpr uint64_t KIND_SIDE_RESERVED = 0xFFFF'00FF'FF00'0000;
constexpr uint64_t LEVEL_BID = uint64_t{2} << 24 | uint64_t{1} << 32;
constexpr uint64_t LEVEL_ASK_MORE = uint64_t{1} << 32;
static_assert(static_cast<int>(Kind::LEVEL) == 2 && static_cast<int>(Side::BID) == 1 &&
              static_cast<int>(Side::ASK) == 2);

template <Form form>
static inline bool apply_one(Grid& grid, const Event& event, uint32_t row) {
    if (event.ts_event > grid.clock) grid.clock = event.ts_event;
    bool changed;
    if constexpr (form == Form::QUEUES) {
        changed = apply_order(grid, event);
    } else {
        const uint64_t level = (facts_of(event) & KIND_SIDE_RESERVED) - LEVEL_BID;
        if ((level & ~LEVEL_ASK_MORE) == 0 && event.quantity >= 0) [[likely]] {
            const int side = static_cast<int>(level >> 32);
            if constexpr (form == Form::LEVELS) {
                changed = set_level(grid, side, event.price, event.quantity);
            } else {
                if (grid.quoted[side] != 0) [[unlikely]]
                    grid.quoted[side] &= ~(uint64_t{1} << row);
                changed = set_row(grid, side, event.price, event.quantity, row);
            }
        } else {
            changed = apply_other(grid, event, row);
        }
    }
    if (changed) count_crossed(grid);
    return changed;
}

// Holds a change back until the venue's atomic event has ended; whether one is to be reported now.
TF_COLD static bool complete_later(Grid& grid, const Event& event, uint32_t row, bool changed) {
    const uint64_t bit = uint64_t{1} << row;
    if ((event.flags & LAST) != 0) grid.seen_last |= bit;
    grid.pending |= changed ? bit : 0;
    const bool prints = event.kind >= Kind::TRADE && event.kind <= Kind::STATUS;  // they end nothing: they lie within
    const bool ends = (grid.seen_last & bit) == 0 || ((event.flags & LAST) != 0 && !prints);
    const uint64_t report = ends ? grid.pending & bit : 0;
    grid.pending &= ~report;
    return report != 0;
}

static inline bool complete(Grid& grid, const Event& event, uint32_t row, bool changed) {
    if ((event.flags & LAST) == 0 || grid.pending != 0) return complete_later(grid, event, row, changed);
    grid.seen_last |= uint64_t{1} << row;
    return changed;
}

TF_COLD static void start(Grid& grid, const Event& event) {
    grid.started = 1;
    grid.venue = event.venue;
    grid.clock = event.ts_event;
    grid.since = event.ts_event;
}

// The short way is open while nothing asks for more: no venue is stale, none quotes its own best, every one has marked
// the end of an atomic event, and no sum can overflow.
TF_COLD static void refresh_careful(Grid& grid) {
    const uint64_t rows = grid.form == Form::VENUES && grid.rows < 64 ? (uint64_t{1} << grid.rows) - 1 : ~uint64_t{0};
    const uint64_t all = grid.form == Form::VENUES ? rows : 1;
    const bool plain = grid.huge == 0 && (grid.quoted[0] | grid.quoted[1]) == 0 && (grid.live & all) == all &&
                       (grid.seen_last & all) == all;
    grid.careful = plain ? 0 : -1;
}

// As `complete`, after a change at the top or before the end of an atomic event, where the ends are marked.
static inline bool complete_marked(Grid& grid, const Event& event, uint32_t row, bool changed) {
    if (changed) count_crossed(grid);
    const uint64_t bit = uint64_t{1} << row;
    grid.pending |= changed ? bit : 0;
    const uint64_t report = (event.flags & LAST) != 0 ? grid.pending & bit : 0;
    grid.pending &= ~report;
    return report != 0;
}

static inline void take_time(Grid& grid, const Event& event) {
    if (event.ts_event > grid.clock) grid.clock = event.ts_event;
}

[[gnu::noinline]] static Page* page_beyond(const Ladder& ladder, int64_t number) { return page_find(ladder, number); }

// The short way: a LEVEL at a price on the grid, on a page there is. False if it is not that; else `changed` says whether
// a change of the top is to be reported.
template <Form form>
static inline bool apply_short(Grid& grid, const Event& event, uint32_t row, bool& changed) {
    constexpr uint64_t MOST = form == Form::LEVELS ? INT64_MAX : HUGE;  // a negative quantity is larger, too
    const uint64_t level = (facts_of(event) & KIND_SIDE_RESERVED) - LEVEL_BID;
    const int64_t quantity = event.quantity;
    if ((level & ~LEVEL_ASK_MORE) != 0 || static_cast<uint64_t>(quantity | grid.careful) > MOST) return false;
    const int side = static_cast<int>(level >> 32);
    const uint64_t value = grid_value(grid, event.price);
    const int64_t key = key_of(grid, side, value);
    // most levels are near the touch: no look at the table, nor at the page itself
    Page* page = page_near(grid.side[side], key);
    if (page == nullptr || value > grid_bound(grid)) page = page_at_once(grid, side, value, key);
    if (page == nullptr) [[unlikely]] {
        if (value > grid_bound(grid)) return false;
        page = page_beyond(grid.side[side], key >> 6);
        if (page == nullptr) {
            if (quantity != 0) return false;
            take_time(grid, event);  // taking away what is not there changes nothing
            changed = grid.pending != 0 && complete_marked(grid, event, row, false);
            return true;
        }
    }
    take_time(grid, event);
    if constexpr (form == Form::LEVELS) {
        int64_t* at = reinterpret_cast<int64_t*>(page + 1) + (key & 63);
        changed = settle<form>(grid, side, page, at, key, quantity);
    } else {
        int64_t* at = level_of(grid, page, key & 63);
        const int64_t now = at[0] - at[1 + row] + quantity;
        at[1 + row] = quantity;
        changed = settle<form>(grid, side, page, at, key, now);
    }
    if (changed || grid.pending != 0) changed = complete_marked(grid, event, row, changed);
    return true;
}

// Any event, with all that may come with it.
template <Form form>
[[gnu::noinline]] static bool apply_long(Grid& grid, const Event& event, uint32_t row) {
    if (grid.started == 0) start(grid, event);
    const bool report = complete(grid, event, row, apply_one<form>(grid, event, row));
    refresh_careful(grid);
    return report;
}

template <Form form>
static inline bool apply_any(Grid& grid, const Event& event, uint32_t row) {
    if constexpr (form == Form::QUEUES) {
        if (grid.started == 0) [[unlikely]] {
            start(grid, event);
        }
        return complete(grid, event, row, apply_one<form>(grid, event, row));
    } else {
        bool changed;
        return apply_short<form>(grid, event, row, changed) ? changed : apply_long<form>(grid, event, row);
    }
}

constexpr size_t PLACE_AHEAD = 8;
constexpr size_t ORDER_AHEAD = 4;
constexpr uint32_t MANY_ORDERS = 4096;  // fewer stay in the nearer caches

template <Form form>
static bool apply_form(Grid& grid, const Event* events, size_t n, const uint8_t* row) {
    bool reported = false;
    const Event* latest = nullptr;
    for (size_t i = 0; i < n; ++i) {
        if constexpr (form == Form::QUEUES) {
            if (grid.orders->capacity > MANY_ORDERS && i + PLACE_AHEAD < n) {
                prefetch_place(*grid.orders, events[i + PLACE_AHEAD].order_id);
                prefetch_order(*grid.orders, events[i + ORDER_AHEAD].order_id);
            }
        }
        const Event& event = events[i];
        uint32_t at = 0;
        if constexpr (form == Form::VENUES) {
            at = row[event.venue] - 1u;
            if (at == UINT32_MAX) [[unlikely]] {
                ++grid.counts[COUNT_UNKNOWN_VENUE];
                continue;
            }
        }
        reported |= apply_any<form>(grid, event, at);
        latest = &event;
    }
    if (latest == nullptr) return false;
    grid.ts_event = latest->ts_event;
    grid.ts_recv = latest->ts_recv;
    return reported;
}

static bool apply(Grid* grid, const Event* events, size_t n, const uint8_t* row) {
    if (n == 0) return false;
    switch (grid->form) {
        case Form::LEVELS:
            return apply_form<Form::LEVELS>(*grid, events, n, row);
        case Form::VENUES:
            return apply_form<Form::VENUES>(*grid, events, n, row);
        default:
            return apply_form<Form::QUEUES>(*grid, events, n, row);
    }
}

#include "book/sets.inl"

static bool set_one(Grid* grid, int side, int64_t price, int64_t quantity) {
    if (quantity < 0) {
        ++grid->counts[COUNT_NEGATIVE_QUANTITY];
        return false;
    }
    const bool changed = set_level(*grid, side, price, quantity);
    if (changed) count_crossed(*grid);
    return changed;
}

static inline int64_t count_at(const Grid& grid, const int64_t* level) {
    if (grid.form == Form::LEVELS) return 0;
    if (grid.form == Form::QUEUES) return queue_of(level).count;
    int64_t venues = 0;
    for (uint32_t row = 0; row < grid.rows; ++row) venues += (grid.live >> row & 1) != 0 && level[1 + row] != 0;
    return venues;
}

static inline DepthLevel depth_level(const Grid& grid, int side, int64_t key, const int64_t* level) {
    return {static_cast<double>(price_of(grid, side, key)) / 1e9, static_cast<double>(level[0]) / 1e9,
            count_at(grid, level)};
}

// Writes the levels that are at hand; how many.
static inline size_t depth_kept(const Grid& grid, int side, size_t n, DepthRow* out) {
    const Kept& kept = *grid.side[side].kept;
    size_t filled = 0;
    for (; filled < n && kept.keys[filled] != NO_KEY; ++filled) {
        out[filled].side[side] = depth_level(grid, side, kept.keys[filled], kept.levels[filled]);
    }
    return filled;
}

static inline size_t depth_pages(const Grid& grid, int side, size_t n, DepthRow* out) {
    const Ladder& ladder = grid.side[side];
    size_t filled = 0;
    for (uint32_t i = ladder.page_count; i-- > 0 && filled < n;) {
        const Page* page = ladder.pages[i];
        for (uint64_t bits = page->bits; bits != 0 && filled < n; bits &= bits - 1) {
            const int slot = std::countr_zero(bits);
            out[filled++].side[side] = depth_level(grid, side, page->number * 64 + slot, level_of(grid, page, slot));
        }
    }
    return filled;
}

static void depth(const Grid* grid, size_t n, DepthRow* out) {
    for (int side = 0; side < 2; ++side) {
        const bool at_hand = grid->side[side].kept != nullptr && n <= grid->kept;
        size_t filled = at_hand ? depth_kept(*grid, side, n, out) : depth_pages(*grid, side, n, out);
        for (; filled < n; ++filled) out[filled].side[side] = NO_LEVEL;
    }
}

extern const BookKernels book_kernels;
const BookKernels book_kernels = {apply, apply_set, set_one, depth};

}  // namespace tf::TF_TARGET
