// Levels of a venue's books, as its own loops need them: one form, a tick that stays.
#pragma once
#include "book/pages.hpp"
#include "venue/venue.hpp"

namespace tf {

static inline void move_clock(Grid& grid, int64_t ts) {
    if (!grid.started) [[unlikely]] {
        grid.started = 1;
        grid.clock = grid.since = ts;
    }
    if (ts > grid.clock) grid.clock = ts;
    grid.ts_event = grid.ts_recv = ts;
}

static inline int64_t key_of(const Grid& grid, int side, int64_t price) {
    return static_cast<int64_t>(grid_value(grid, price) - static_cast<uint64_t>(grid.limit)) ^ mirror(side);
}

// The page of an index near the touch, or where the first look finds it; else null.
static inline Page* page_near(const Ladder& ladder, int64_t key) {
    const uint64_t distance = static_cast<uint64_t>(key >> 6) - static_cast<uint64_t>(ladder.best >> 6);
    Page* page = distance < 2 ? ladder.near[distance] : nullptr;
    if (page != nullptr) return page;
    page = ladder.table[page_hash(ladder, key >> 6)];
    return page != nullptr && page->number == key >> 6 ? page : nullptr;
}

static inline Page* page_open(Grid& grid, int side, int64_t key) {
    Page* page = page_find(grid.side[side], key >> 6);
    return page != nullptr ? page : page_insert(&grid, side, key >> 6);
}

static inline void level_grow(Grid& grid, int side, Page* page, int64_t* level, int64_t key, int64_t quantity) {
    level[0] += quantity;
    page->bits |= uint64_t{1} << (key & 63);
    if (key < grid.side[side].best) {
        accrue_spread(grid);
        set_best(grid.side[side], key, page);
    }
}

static inline void level_shrink(Grid& grid, int side, Page* page, int64_t* level, int64_t key, int64_t quantity) {
    level[0] -= quantity;
    if (level[0] != 0) return;
    page->bits &= ~(uint64_t{1} << (key & 63));
    if (key == grid.side[side].best) {
        accrue_spread(grid);
        find_best(grid, grid.side[side]);
    }
}

static inline bool is_lots(const Listing& listing, int64_t quantity) {
    return std::rotr(static_cast<uint64_t>(quantity) * listing.lot_inverse, listing.lot_rotation) <= listing.lot_limit;
}

}  // namespace tf
