// The grid's own operations: cold ones in pages.cpp, hot ones here.
// Functions in headers are static: a shared inline function compiled for AVX-512 could replace the baseline's.
#pragma once
#include <bit>

#include "book/layout.hpp"

namespace tf {

// --- cold, in pages.cpp. Without memory they abort: a book that lost a level must not go on. ---
Grid* grid_create(Form form, uint32_t rows, uint32_t window, uint32_t kept, Arena* arena = nullptr);
void grid_destroy(Grid* grid);
void grid_clear(Grid* grid);                     // everything but the counts
void grid_clear_side(Grid* grid, int side);      // all venues
bool grid_refine(Grid* grid, int64_t price);     // makes the price a multiple of the tick; false: out of range
void grid_grow_rows(Grid* grid, uint32_t rows);  // more venues
Page* page_insert(Grid* grid, int side, int64_t number);
void page_remove(Grid* grid, Ladder& ladder, Page* page);  // an empty one
size_t grid_memory(const Grid* grid);                      // bytes
int64_t next_level(const Grid& grid, const Ladder& ladder, int64_t key,
                   const int64_t** level);  // the next worse index or NO_KEY
void evict_worst(Grid* grid, int side);     // the worst level, its orders with it
void kept_rebuild(Grid* grid, int side);
void row_clear(Grid* grid, int side, uint32_t row);                                           // one venue's levels
bool row_fits(const Grid* grid, const Page* page, int slot, uint32_t row, int64_t quantity);  // in int64, all venues
void row_set_live(Grid* grid, uint32_t row, bool live);  // stale venues contribute nothing to the totals

// --- hot ---
static inline bool out_of_bounds(int64_t price) { return price > MOST_PRICE || price < -MOST_PRICE; }

static inline int64_t mirror(int side) { return static_cast<int64_t>(side) - 1; }

// The index of a price before mirroring is value - limit when value <= grid_bound; else the tick must be refined.
static inline uint64_t grid_value(const Grid& grid, int64_t price) {
    const uint64_t offset = static_cast<uint64_t>(grid.limit) << grid.rotation;
    return std::rotr(static_cast<uint64_t>(price) * grid.inverse + offset, static_cast<int>(grid.rotation));
}

static inline uint64_t grid_bound(const Grid& grid) { return 2 * static_cast<uint64_t>(grid.limit); }

static inline int64_t price_of(const Grid& grid, int side, int64_t key) { return (key ^ mirror(side)) * grid.tick; }

static inline uint32_t page_hash(const Ladder& ladder, int64_t number) {
    return static_cast<uint32_t>((static_cast<uint64_t>(number) * 0x9E3779B97F4A7C15u) >> ladder.shift);
}

static inline uint32_t last_place(const Ladder& ladder) { return ladder.page_capacity * PLACES - 1; }

static inline Page* page_find(const Ladder& ladder, int64_t number) {
    uint32_t i = page_hash(ladder, number);
    while (ladder.table[i] != nullptr && ladder.table[i]->number != number) i = (i + 1) & last_place(ladder);
    return ladder.table[i];
}

static inline void set_best(Ladder& ladder, int64_t key, Page* page) {
    ladder.best = key;
    if (page == ladder.near[0]) return;
    ladder.near[0] = page;
    ladder.near[1] = page_find(ladder, page->number + 1);
}

static inline void set_no_best(Ladder& ladder) {
    ladder.best = NO_KEY;
    ladder.near[0] = ladder.near[1] = nullptr;
}

// A level: its total, then what makes it up.
static inline int64_t* level_of(const Grid& grid, Page* page, int64_t slot) {
    return reinterpret_cast<int64_t*>(page + 1) + static_cast<uint64_t>(slot) * grid.words;
}
static inline const int64_t* level_of(const Grid& grid, const Page* page, int64_t slot) {
    return reinterpret_cast<const int64_t*>(page + 1) + static_cast<uint64_t>(slot) * grid.words;
}
static inline Queue& queue_of(int64_t* level) { return *reinterpret_cast<Queue*>(level + 1); }
static inline const Queue& queue_of(const int64_t* level) { return *reinterpret_cast<const Queue*>(level + 1); }

// Whether nothing stands on a page. What stale venues hold is in no total.
static inline bool page_is_empty(const Grid& grid, const Page* page) {
    if (page->bits != 0) return false;
    for (uint32_t row = 0; row < grid.rows; ++row) {
        if (grid.live >> row & 1) continue;
        for (int slot = 0; slot < 64; ++slot) {
            if (level_of(grid, page, slot)[1 + row] != 0) return false;
        }
    }
    return true;
}

// After the best level lost its total: the next one. Empty pages before it are given back.
static inline void find_best(Grid& grid, Ladder& ladder) {
    if (ladder.near[0]->bits != 0) {
        ladder.best = (ladder.best >> 6) * 64 + std::countr_zero(ladder.near[0]->bits);
        return;
    }
    for (uint32_t i = ladder.page_count; i-- > 0;) {
        Page* page = ladder.pages[i];
        if (page->bits != 0) {
            set_best(ladder, page->number * 64 + std::countr_zero(page->bits), page);
            return;
        }
        if (page_is_empty(grid, page)) page_remove(&grid, ladder, page);
    }
    set_no_best(ladder);
}

// Adds the standing spread up to now; to be called before a best price changes.
static inline void accrue_spread(Grid& grid) {
    const uint64_t duration = static_cast<uint64_t>(grid.clock) - static_cast<uint64_t>(grid.since);
    grid.since = grid.clock;
    if (duration == 0 || grid.side[0].best == NO_KEY || grid.side[1].best == NO_KEY) return;
    const __int128 steps = static_cast<__int128>(grid.side[1].best) - ~grid.side[0].best;
    if (steps < 0) return;
    grid.spread_sum += static_cast<unsigned __int128>(steps * grid.tick) * duration;
    grid.spread_duration += duration;
}

}  // namespace tf
