#include "book/book.hpp"

#include <cstdlib>
#include <cstring>

#include "book/pages.hpp"

namespace tf {

BookSet* set_create(Form form, uint32_t capacity) {
    auto* set = static_cast<BookSet*>(std::calloc(1, sizeof(BookSet)));
    if (set == nullptr) std::abort();
    set->form = form;
    set->capacity = capacity == 0 ? 1 : capacity;
    set->grids = static_cast<Grid**>(std::calloc(set->capacity, sizeof(Grid*)));
    if (set->grids == nullptr) std::abort();
    return set;
}

void set_destroy(BookSet* set) {
    if (set == nullptr) return;
    for (uint32_t i = 0; i < set->capacity; ++i) grid_destroy(set->grids[i]);
    arena_close(&set->arena);
    std::free(set->grids);
    std::free(set);
}

Grid* set_open(BookSet* set, uint32_t instrument) {
    if (instrument >= set->capacity) {
        uint64_t capacity = set->capacity;
        while (capacity <= instrument) capacity *= 2;
        auto** wider = static_cast<Grid**>(std::realloc(set->grids, capacity * sizeof(Grid*)));
        if (wider == nullptr) std::abort();
        std::memset(wider + set->capacity, 0, (capacity - set->capacity) * sizeof(Grid*));
        set->grids = wider;
        set->capacity = static_cast<uint32_t>(capacity);
    }
    if (set->grids[instrument] == nullptr) {
        set->grids[instrument] = grid_create(set->form, 0, 0, 0, &set->arena);
        ++set->used;
    }
    return set->grids[instrument];
}

uint32_t set_row(BookSet* set, uint16_t venue) {
    if (set->row[venue] != 0) return set->row[venue] - 1u;
    if (set->venue_count == MOST_VENUES) return MOST_VENUES;
    set->venue[set->venue_count] = venue;
    set->row[venue] = static_cast<uint8_t>(++set->venue_count);
    return set->venue_count - 1;
}

const char* count_name(uint32_t count) {
    static constexpr const char* NAMES[COUNTS] = {
        "reserved",          "unknown_kind",  "unsupported_kind",   "other",           "wrong_side",
        "negative_quantity", "zero_quantity", "unknown_order",      "duplicate_order", "over_reduced",
        "quantity_mismatch", "unknown_venue", "unknown_instrument", "out_of_range",    "outside_window",
        "crossed",           "locked",
    };
    return NAMES[count];
}

}  // namespace tf

TF_DEFINE_TARGETS(BookKernels, book_kernels)
