#include "book/pages.hpp"

#include <cstring>
#include <numeric>

#include "book/arena.hpp"
#include "book/orders.hpp"

namespace tf {
namespace {

constexpr uint32_t FIRST_PAGES = 4;  // a side

template <typename T>
T* take(Arena* arena, size_t count) {
    return static_cast<T*>(arena_take(arena, count * sizeof(T)));
}

template <typename T>
void give(Arena* arena, T* block, size_t count) {
    arena_give(arena, block, count * sizeof(T));
}

uint32_t words_of(Form form, uint32_t rows) {
    if (form == Form::QUEUES) return 1 + sizeof(Queue) / sizeof(int64_t);
    return 1 + rows;
}

size_t bytes_of_page(uint32_t words) { return sizeof(Page) + 64 * sizeof(int64_t) * words; }

Page* page_new(Arena* arena, uint32_t words) { return static_cast<Page*>(arena_take(arena, bytes_of_page(words))); }

void page_drop(const Grid* grid, Page* page) { arena_give(grid->arena, page, bytes_of_page(grid->words)); }

void table_put(Ladder& ladder, Page* page) {
    uint32_t i = page_hash(ladder, page->number);
    while (ladder.table[i] != nullptr) i = (i + 1) & last_place(ladder);
    ladder.table[i] = page;
}

void table_drop(Ladder& ladder, int64_t number) {
    uint32_t hole = page_hash(ladder, number);
    while (ladder.table[hole]->number != number) hole = (hole + 1) & last_place(ladder);
    for (uint32_t i = hole;;) {
        i = (i + 1) & last_place(ladder);
        if (ladder.table[i] == nullptr) break;
        const uint32_t home = page_hash(ladder, ladder.table[i]->number);
        if (((i - home) & last_place(ladder)) >= ((i - hole) & last_place(ladder))) {
            ladder.table[hole] = ladder.table[i];
            hole = i;
        }
    }
    ladder.table[hole] = nullptr;
}

void ladder_empty(Ladder& ladder) {
    std::memset(ladder.table, 0, (size_t{last_place(ladder)} + 1) * sizeof(Page*));
    ladder.page_count = 0;
    ladder.levels = 0;
    set_no_best(ladder);
}

void ladder_open(Arena* arena, Ladder& ladder, uint32_t capacity) {
    const uint32_t places = capacity * PLACES;
    ladder.table = take<Page*>(arena, places);
    ladder.shift = 64 - static_cast<uint32_t>(std::countr_zero(places));
    ladder.pages = take<Page*>(arena, capacity);
    ladder.page_capacity = capacity;
    ladder_empty(ladder);
}

void places_drop(Arena* arena, Page** table, Page** pages, uint32_t capacity) {
    give(arena, table, capacity * PLACES);
    give(arena, pages, capacity);
}

void ladder_grow(Arena* arena, Ladder& ladder) {
    const Ladder old = ladder;
    ladder_open(arena, ladder, old.page_capacity * 2);
    ladder.best = old.best;
    ladder.near[0] = old.near[0];
    ladder.near[1] = old.near[1];
    ladder.levels = old.levels;
    ladder.page_count = old.page_count;
    std::memcpy(ladder.pages, old.pages, old.page_count * sizeof(Page*));
    for (uint32_t i = 0; i < ladder.page_count; ++i) table_put(ladder, ladder.pages[i]);
    places_drop(arena, old.table, old.pages, old.page_capacity);
}

void give_back(Grid* grid, Page* page) {
    page->next_free = grid->free_pages;
    grid->free_pages = page;
}

void page_forget(Grid* grid, Ladder& ladder, Page* page) {
    if (ladder.near[1] == page) ladder.near[1] = nullptr;
    table_drop(ladder, page->number);
    give_back(grid, page);
}

// Pages without a level are kept where they lie until room is needed: prices come back.
void sweep(Grid* grid, Ladder& ladder) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ladder.page_count; ++i) {
        Page* page = ladder.pages[i];
        if (page_is_empty(*grid, page)) {
            page_forget(grid, ladder, page);
        } else {
            ladder.pages[kept++] = page;
        }
    }
    ladder.page_count = kept;
}

// Place of the first page with a number not above the given one (numbers descend).
uint32_t position(const Ladder& ladder, int64_t number) {
    uint32_t low = 0;
    uint32_t high = ladder.page_count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (ladder.pages[middle]->number > number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void set_tick(Grid* grid, int64_t tick) {
    grid->tick = tick;
    grid->rotation = static_cast<uint8_t>(std::countr_zero(static_cast<uint64_t>(tick)));
    const uint64_t odd = static_cast<uint64_t>(tick) >> grid->rotation;
    uint64_t inverse = odd;  // Newton: each step doubles the number of right bits, three at the start
    for (int i = 0; i < 5; ++i) inverse *= 2 - odd * inverse;
    grid->inverse = inverse;
    grid->limit = MOST_PRICE / tick;
}

// No price passes until the first one has set the tick.
void forget_tick(Grid* grid) {
    grid->tick = 0;
    grid->limit = -1;
    grid->inverse = 0;
    grid->rotation = 0;
}

void refresh_best(Ladder& ladder) {
    set_no_best(ladder);
    for (uint32_t i = ladder.page_count; i-- > 0;) {
        Page* page = ladder.pages[i];
        if (page->bits == 0) continue;
        set_best(ladder, page->number * 64 + std::countr_zero(page->bits), page);
        return;
    }
}

// Adds to a total that no window counts and no touch follows.
void add_total(Page* page, int64_t* level, int slot, int64_t quantity) {
    const uint64_t bit = uint64_t{1} << slot;
    level[0] += quantity;
    page->bits = (page->bits & ~bit) | (level[0] != 0 ? bit : 0);
}

// Moves level `slot` of an old page to its place on the finer grid.
void move_level(Grid* grid, int side, const Page* old, int slot, int64_t factor) {
    const int64_t key = ((((old->number * 64 + slot) ^ mirror(side)) * factor) ^ mirror(side));
    Page* page = page_find(grid->side[side], key >> 6);
    if (page == nullptr) page = page_insert(grid, side, key >> 6);
    const int to = static_cast<int>(key & 63);
    const int64_t* from = level_of(*grid, old, slot);
    int64_t* level = level_of(*grid, page, to);
    std::memcpy(level, from, grid->words * sizeof(int64_t));
    if (level[0] != 0) {
        page->bits |= uint64_t{1} << to;
        ++grid->side[side].levels;
        if (key < grid->side[side].best) set_best(grid->side[side], key, page);
    }
    if (grid->form == Form::VENUES) {
        for (uint32_t row = 0; row < grid->rows; ++row) {
            int64_t& quote = grid->quote[row * 2 + static_cast<uint32_t>(side)];
            if (level[1 + row] != 0 && (grid->quoted[side] >> row & 1) != 0) quote = key;
        }
    }
    if (grid->form == Form::QUEUES) {
        orders_move(*grid->orders, queue_of(level), page, to);
    }
}

// An empty ladder of the same size, made of what the last rebuild left behind.
void ladder_renew(Arena* arena, Ladder& ladder, Spare& spare) {
    if (spare.capacity != ladder.page_capacity) {
        places_drop(arena, spare.table, spare.pages, spare.capacity);
        ladder_open(arena, ladder, ladder.page_capacity);
    } else {
        ladder.table = spare.table;
        ladder.pages = spare.pages;
        ladder_empty(ladder);
    }
}

void rebuild(Grid* grid, int64_t factor) {
    for (int side = 0; side < 2; ++side) {
        const Ladder old = grid->side[side];
        ladder_renew(grid->arena, grid->side[side], grid->spare[side]);
        for (uint32_t i = old.page_count; i-- > 0;) {
            Page* page = old.pages[i];
            for (int slot = 0; slot < 64; ++slot) {
                const int64_t* level = level_of(*grid, page, slot);
                bool lives = level[0] != 0;
                for (uint32_t row = 0; !lives && row < grid->rows; ++row) lives = level[1 + row] != 0;
                if (lives) move_level(grid, side, page, slot, factor);
            }
            std::memset(page, 0, bytes_of_page(grid->words));
            give_back(grid, page);
        }
        grid->spare[side] = {old.table, old.pages, old.page_capacity};
        kept_rebuild(grid, side);
    }
}

}  // namespace

Grid* grid_create(Form form, uint32_t rows, uint32_t window, uint32_t kept, Arena* arena) {
    Grid* grid = take<Grid>(arena, 1);
    grid->arena = arena;
    grid->form = form;
    grid->window = window;
    grid->kept = kept;
    grid->rows = rows;
    grid->live = ~uint64_t{0};
    grid->careful = -1;
    forget_tick(grid);
    grid->words = static_cast<uint8_t>(words_of(form, rows));
    if (form == Form::VENUES) grid->quote = take<int64_t>(arena, size_t{2} * rows);
    grid->watched = window != 0 || kept != 0;
    if (form == Form::QUEUES) grid->orders = orders_create();
    for (Ladder& ladder : grid->side) {
        ladder_open(arena, ladder, FIRST_PAGES);
        if (kept != 0) ladder.kept = take<Kept>(arena, 1);
    }
    kept_rebuild(grid, 0);
    kept_rebuild(grid, 1);
    return grid;
}

static void free_pages(Grid* grid) {
    while (Page* page = grid->free_pages) {
        grid->free_pages = page->next_free;
        page_drop(grid, page);
    }
}

void grid_destroy(Grid* grid) {
    if (grid == nullptr) return;
    for (Ladder& ladder : grid->side) {
        for (uint32_t i = 0; i < ladder.page_count; ++i) page_drop(grid, ladder.pages[i]);
        places_drop(grid->arena, ladder.table, ladder.pages, ladder.page_capacity);
        give(grid->arena, ladder.kept, 1);
    }
    for (Spare& spare : grid->spare) places_drop(grid->arena, spare.table, spare.pages, spare.capacity);
    free_pages(grid);
    orders_destroy(grid->orders);
    give(grid->arena, grid->quote, size_t{2} * grid->rows);
    give(grid->arena, grid, 1);
}

void grid_clear_side(Grid* grid, int side) {
    accrue_spread(*grid);
    Ladder& ladder = grid->side[side];
    for (uint32_t i = 0; i < ladder.page_count; ++i) {
        Page* page = ladder.pages[i];
        if (grid->form == Form::QUEUES) {
            for (uint64_t bits = page->bits; bits != 0; bits &= bits - 1) {
                orders_drop(*grid->orders, queue_of(level_of(*grid, page, std::countr_zero(bits))));
            }
        }
        const int64_t number = page->number;
        std::memset(page, 0, bytes_of_page(grid->words));
        page->number = number;
        page->side = static_cast<uint64_t>(side);
    }
    grid->quoted[side] = 0;
    ladder.levels = 0;
    set_no_best(ladder);
    sweep(grid, ladder);
    if (grid->side[1 - side].levels == 0 && grid->side[1 - side].page_count == 0) {
        forget_tick(grid);  // learnt anew: one odd price does not cost for ever
    }
    kept_rebuild(grid, side);
}

void grid_clear(Grid* grid) {
    grid_clear_side(grid, 0);
    grid_clear_side(grid, 1);
    grid->started = 0;
    grid->clock = 0;
    grid->since = 0;
    grid->ts_event = 0;
    grid->ts_recv = 0;
    grid->orphaned = 0;
    grid->spread_sum = 0;
    grid->spread_duration = 0;
    grid->seen_last = 0;
    grid->careful = -1;
    grid->pending = 0;
}

bool grid_refine(Grid* grid, int64_t price) {
    if (out_of_bounds(price)) return false;
    const int64_t size = price < 0 ? -price : price;
    const int64_t old = grid->tick;
    if (old == 0) {
        set_tick(grid, size == 0 ? NANOS : size);
        return true;
    }
    const int64_t tick = std::gcd(old, size);
    if (tick != old) {
        set_tick(grid, tick);
        rebuild(grid, old / tick);
    }
    return true;
}

void grid_grow_rows(Grid* grid, uint32_t rows) {
    const uint32_t words = words_of(grid->form, rows);
    free_pages(grid);
    for (Ladder& ladder : grid->side) {
        for (uint32_t i = 0; i < ladder.page_count; ++i) {
            Page* old = ladder.pages[i];
            Page* page = page_new(grid->arena, words);
            std::memcpy(page, old, sizeof(Page));
            for (int slot = 0; slot < 64; ++slot) {
                int64_t* level = reinterpret_cast<int64_t*>(page + 1) + static_cast<uint32_t>(slot) * words;
                std::memcpy(level, level_of(*grid, old, slot), grid->words * sizeof(int64_t));
            }
            ladder.pages[i] = page;
            uint32_t entry = page_hash(ladder, page->number);
            while (ladder.table[entry]->number != page->number) entry = (entry + 1) & last_place(ladder);
            ladder.table[entry] = page;
            for (Page*& near : ladder.near) near = near == old ? page : near;
            page_drop(grid, old);
        }
    }
    auto* wider = take<int64_t>(grid->arena, size_t{2} * rows);
    std::memcpy(wider, grid->quote, 2 * grid->rows * sizeof(int64_t));
    give(grid->arena, grid->quote, size_t{2} * grid->rows);
    grid->quote = wider;
    grid->rows = rows;
    grid->words = static_cast<uint8_t>(words);
    grid->careful = -1;
    kept_rebuild(grid, 0);
    kept_rebuild(grid, 1);
}

Page* page_insert(Grid* grid, int side, int64_t number) {
    Ladder& ladder = grid->side[side];
    if (ladder.page_count == ladder.page_capacity) {
        sweep(grid, ladder);
        if (ladder.page_count * 4 > ladder.page_capacity * 3) ladder_grow(grid->arena, ladder);
    }
    Page* page = grid->free_pages;
    if (page != nullptr) {
        grid->free_pages = page->next_free;  // a page given back holds zeros
    } else {
        page = page_new(grid->arena, grid->words);
    }
    page->number = number;
    page->side = static_cast<uint64_t>(side);
    page->instrument = grid->instrument;
    const uint32_t at = position(ladder, number);
    std::memmove(ladder.pages + at + 1, ladder.pages + at, (ladder.page_count - at) * sizeof(Page*));
    ladder.pages[at] = page;
    ++ladder.page_count;
    table_put(ladder, page);
    if (ladder.near[0] != nullptr && ladder.near[0]->number + 1 == number) ladder.near[1] = page;
    return page;
}

void page_remove(Grid* grid, Ladder& ladder, Page* page) {
    const uint32_t at = position(ladder, page->number);
    std::memmove(ladder.pages + at, ladder.pages + at + 1, (ladder.page_count - at - 1) * sizeof(Page*));
    --ladder.page_count;
    page_forget(grid, ladder, page);
}

size_t grid_memory(const Grid* grid) {
    size_t bytes = sizeof(Grid) + 2 * grid->rows * sizeof(int64_t) + orders_memory(grid->orders);
    for (const Page* page = grid->free_pages; page != nullptr; page = page->next_free)
        bytes += bytes_of_page(grid->words);
    for (const Spare& spare : grid->spare) bytes += spare.capacity * (1 + PLACES) * sizeof(Page*);
    for (const Ladder& ladder : grid->side) {
        bytes += ladder.page_count * bytes_of_page(grid->words) + (ladder.kept != nullptr ? sizeof(Kept) : 0);
        bytes += ladder.page_capacity * sizeof(Page*) + (last_place(ladder) + 1) * sizeof(Page*);
    }
    return bytes;
}

int64_t next_level(const Grid& grid, const Ladder& ladder, int64_t key, const int64_t** level) {
    const int64_t number = key >> 6;
    uint32_t at = position(ladder, number);
    if (at < ladder.page_count && ladder.pages[at]->number == number) {
        const Page* page = ladder.pages[at];
        const uint64_t above = (key & 63) == 63 ? 0 : page->bits >> ((key & 63) + 1) << ((key & 63) + 1);
        if (above != 0) {
            const int slot = std::countr_zero(above);
            *level = level_of(grid, page, slot);
            return number * 64 + slot;
        }
    }
    while (at-- > 0) {
        const Page* page = ladder.pages[at];
        if (page->bits != 0) {
            const int slot = std::countr_zero(page->bits);
            *level = level_of(grid, page, slot);
            return page->number * 64 + slot;
        }
    }
    return NO_KEY;
}

void evict_worst(Grid* grid, int side) {
    Ladder& ladder = grid->side[side];
    uint32_t at = 0;
    while (ladder.pages[at]->bits == 0) ++at;
    Page* page = ladder.pages[at];
    const int slot = 63 - std::countl_zero(page->bits);
    int64_t* level = level_of(*grid, page, slot);
    if (grid->form == Form::QUEUES) orders_drop(*grid->orders, queue_of(level));
    level[0] = 0;
    page->bits &= ~(uint64_t{1} << slot);
    --ladder.levels;
    if (page->bits == 0) page_remove(grid, ladder, page);
}

void row_clear(Grid* grid, int side, uint32_t row) {
    accrue_spread(*grid);
    Ladder& ladder = grid->side[side];
    const bool live = grid->live >> row & 1;
    for (uint32_t i = 0; i < ladder.page_count; ++i) {
        Page* page = ladder.pages[i];
        for (int slot = 0; slot < 64; ++slot) {
            int64_t* level = level_of(*grid, page, slot);
            if (live && level[1 + row] != 0) add_total(page, level, slot, -level[1 + row]);
            level[1 + row] = 0;
        }
    }
    grid->quoted[side] &= ~(uint64_t{1} << row);
    refresh_best(ladder);
    kept_rebuild(grid, side);
}

bool row_fits(const Grid* grid, const Page* page, int slot, uint32_t row, int64_t quantity) {
    const int64_t* level = level_of(*grid, page, slot);
    __int128 sum = quantity;
    for (uint32_t i = 0; i < grid->rows; ++i) sum += i == row ? 0 : level[1 + i];
    return sum <= INT64_MAX;
}

// Adds the venue's quantities of one side to the totals, or takes them off.
static void contribute(Grid* grid, int side, uint32_t row, bool live) {
    Ladder& ladder = grid->side[side];
    for (uint32_t i = 0; i < ladder.page_count; ++i) {
        Page* page = ladder.pages[i];
        for (int slot = 0; slot < 64; ++slot) {
            int64_t* level = level_of(*grid, page, slot);
            if (level[1 + row] != 0) add_total(page, level, slot, live ? level[1 + row] : -level[1 + row]);
        }
    }
    refresh_best(ladder);
    kept_rebuild(grid, side);
}

void row_set_live(Grid* grid, uint32_t row, bool live) {
    const uint64_t bit = uint64_t{1} << row;
    if (((grid->live & bit) != 0) == live) return;
    accrue_spread(*grid);
    grid->live ^= bit;
    grid->careful = -1;
    contribute(grid, 0, row, live);
    contribute(grid, 1, row, live);
}

void kept_rebuild(Grid* grid, int side) {
    Ladder& ladder = grid->side[side];
    if (ladder.kept == nullptr) return;
    Kept& kept = *ladder.kept;
    int64_t key = ladder.best;
    const int64_t* level = key == NO_KEY ? nullptr : level_of(*grid, ladder.near[0], key & 63);
    for (uint32_t i = 0; i < MOST_KEPT; ++i) {
        kept.keys[i] = i < grid->kept ? key : NO_KEY;
        kept.levels[i] = level;
        if (key != NO_KEY) key = next_level(*grid, ladder, key, &level);
    }
}

}  // namespace tf
