// The books as bindings see them: one kernel table a CPU target, readings, and the set of books of many instruments.
#pragma once
#include "book/arena.hpp"
#include "book/layout.hpp"
#include "targets.hpp"

namespace tf {

// One row of engine.DEPTH.
struct DepthLevel {
    double price, quantity;
    int64_t count;
};
struct DepthRow {
    DepthLevel side[2];  // bid, ask
};
inline constexpr DepthLevel NO_LEVEL = {__builtin_nan(""), 0.0, 0};

// Books of many instruments, made when the first event of an instrument arrives.
struct BookSet {
    Grid** grids;  // by instrument
    uint32_t capacity;
    Form form;  // VENUES or QUEUES
    uint32_t venue_count;
    uint32_t used;  // books that were made
    Arena arena;    // where they lie
    uint64_t batch;
    uint8_t row[65536];           // venue id -> row + 1, 0 not seen yet
    uint16_t venue[MOST_VENUES];  // row -> venue id
    uint64_t counts[COUNTS];      // events that reached no book
};

struct BookKernels {
    // Applies n events; whether the top changed, as far as atomic events have ended. VENUES: `row` maps venue ids.
    bool (*apply)(Grid* grid, const Event* events, size_t n, const uint8_t* row);
    // Applies n events; ids of the books whose top changed go to `changed` (room for every book); their number.
    size_t (*apply_set)(BookSet* set, const Event* events, size_t n, uint32_t* changed);
    // One level of a LEVELS book; price and quantity in counts of 1e-9.
    bool (*set)(Grid* grid, int side, int64_t price, int64_t quantity);
    // The best n levels of both sides.
    void (*depth)(const Grid* grid, size_t n, DepthRow* out);
};

BookSet* set_create(Form form, uint32_t capacity);
void set_destroy(BookSet* set);
Grid* set_open(BookSet* set, uint32_t instrument);  // makes the book of an instrument
uint32_t set_row(BookSet* set, uint16_t venue);     // given on first use; MOST_VENUES when there is no room
const char* count_name(uint32_t count);

struct WalkResult {
    double price, worst;
    int64_t quantity, remaining;
};

struct Tops {
    double bid, bid_quantity, ask, ask_quantity;
};

struct Standing {
    int64_t price, quantity;  // counts of 1e-9
};

// Readings; sides: 0 bid, 1 ask. Formulas and their sources stand in bindings/book.pyx.
Tops read_tops(const Grid* grid);
double read_mid(const Grid* grid);
double read_spread(const Grid* grid);
double read_imbalance(const Grid* grid, size_t levels);
double read_total(const Grid* grid, int side, size_t levels);  // levels 0: all
WalkResult read_walk(const Grid* grid, int side, int64_t quantity);
double read_time_weighted_spread(const Grid* grid);
bool read_queue_position(const Grid* grid, uint64_t id, uint64_t* ahead, int64_t* quantity);
// quantities[level * rows + row] of the best n levels of a side
void read_rows(const Grid* grid, int side, size_t n, double* quantities);
// The best n levels of a side, best first; how many there are.
size_t read_levels(const Grid* grid, int side, size_t n, Standing* out);
void read_row_depth(const Grid* grid, uint32_t row, size_t n, DepthRow* out);

}  // namespace tf

TF_DECLARE_TARGETS(BookKernels, book_kernels)
