// How a book lies in memory.
//
// A price is an index on the grid of the book's tick: the greatest common divisor of the prices seen. Bids count
// downwards, so on both sides the best level has the lowest index and one code path serves both. 64 neighbouring
// levels share a page with one bit a level; pages are found by a hash of their number and kept in order in an array
// whose end is the touch. Nothing is configured, nothing is scanned tick by tick, and once the pages around the
// touch exist no call allocates.
#pragma once
#include <cstddef>
#include <cstdint>

#include "event.hpp"

namespace tf {

struct Arena;

enum class Form : uint8_t {
    LEVELS,  // one venue, quantities a price
    VENUES,  // several venues, quantities a price and venue, and their total
    QUEUES,  // one venue, orders in queues a price
};

// What went wrong or was left aside, by kind; names in book.cpp.
enum Count : uint32_t {
    COUNT_RESERVED,
    COUNT_UNKNOWN_KIND,
    COUNT_UNSUPPORTED_KIND,
    COUNT_OTHER,
    COUNT_WRONG_SIDE,
    COUNT_NEGATIVE_QUANTITY,
    COUNT_ZERO_QUANTITY,
    COUNT_UNKNOWN_ORDER,
    COUNT_DUPLICATE_ORDER,
    COUNT_OVER_REDUCED,
    COUNT_QUANTITY_MISMATCH,
    COUNT_UNKNOWN_VENUE,
    COUNT_UNKNOWN_INSTRUMENT,
    COUNT_OUT_OF_RANGE,
    COUNT_OUTSIDE_WINDOW,
    COUNT_CROSSED,
    COUNT_LOCKED,
    COUNTS,
};

inline constexpr int64_t MOST_PRICE = INT64_MAX - 1;  // of either sign; the last index means no level
inline constexpr int64_t NO_KEY = INT64_MAX;          // no level: worse than every index

inline constexpr uint32_t NO_ORDER = 0xFFFFFFFFu;  // end of a queue
inline constexpr uint32_t MOST_VENUES = 64;
inline constexpr uint32_t MOST_INSTRUMENTS = 1 << 22;     // ids are indices: one beyond is a broken record
inline constexpr int64_t HUGE = INT64_MAX / MOST_VENUES;  // sums of quantities up to this cannot overflow
inline constexpr uint32_t MOST_KEPT = 16;                 // levels a side that can be kept readable at every moment

struct Page {
    uint64_t bits;   // levels with a total
    int64_t number;  // the page holds the indices number * 64 ... + 63
    uint64_t side;   // 0 bid, 1 ask
    Page* next_free;
    uint32_t instrument;  // the grid's
    uint32_t pad[7];
    // 64 levels of `words` integers follow: the total, then VENUES: a quantity a row, or QUEUES: a Queue.
    // What an update touches of a level lies on one cache line, or two.
};
static_assert(sizeof(Page) == 64);

struct Queue {
    int64_t anonymous;  // quantity of orders older than the stream; they stand in front
    uint32_t head;
    uint32_t tail;
    uint32_t count;
    uint32_t spare;
};

struct Order {
    uint64_t id;
    int64_t quantity;
    uint64_t place;  // address of the page (aligned to 64) + slot
    uint32_t next;
    uint32_t previous;
};
static_assert(sizeof(Order) == 32);

struct Orders {
    uint32_t* table;  // index + 1 of an order, 0 free; open addressing
    Order* pool;
    uint64_t mask;
    uint32_t shift;       // 64 - log2(mask + 1)
    uint32_t capacity;    // orders there is room for; a quarter of the table
    uint32_t first_free;  // list through `next`
    uint32_t stride;      // places of the pool an order takes: what else its owner knows of it lies behind it
};

// The best levels of one side, readable at every moment: index, and where total and quantities lie. NO_KEY beyond the
// last. A change of quantity needs no work here, and a worse level none at all.
struct alignas(64) Kept {
    int64_t keys[MOST_KEPT];
    const int64_t* levels[MOST_KEPT];
};

// Arrays of a ladder that a rebuild left behind, for the next rebuild.
struct Spare {
    Page** table;
    Page** pages;
    uint32_t capacity;  // of pages, 0 none
};

inline constexpr uint32_t PLACES = 4;  // of a table a page: short chains are guessed right by the processor

struct Ladder {
    int64_t best;    // index of the best level or NO_KEY
    Page* near[2];   // its page, null without a best level, and the page numbered one more, null where there is none
    Page** table;    // by hash of the number, null where free
    Page** pages;    // numbers descending: the touch is at the end
    uint32_t shift;  // of the table's hash
    uint32_t page_count;
    uint32_t page_capacity;
    uint32_t levels;  // levels with a total; counted in books with a window only
    Kept* kept;
};
static_assert(sizeof(Ladder) == 64);

// The first cache line and a ladder are all that most events touch of it.
struct alignas(64) Grid {
    // price -> index: one multiplication by the inverse of the tick's odd part, one rotation, one comparison
    uint64_t inverse;
    int64_t limit;     // of the index, either way; -1 before the first price
    int64_t careful;   // -1: events take the long way, see refresh_careful
    uint64_t pending;  // bit a row: top changed inside an atomic event that has not ended
    int64_t clock;     // latest ts_event
    int64_t ts_event;
    int64_t ts_recv;  // of the last event applied
    uint8_t rotation;
    uint8_t words;  // integers a level
    Form form;
    uint8_t watched;   // levels are counted or kept: every change has more to do
    uint8_t started;   // a timed event was applied
    uint8_t orphaned;  // QUEUES: side + 1 of the order that the event before, a DELETE, removed; 0 none
    uint8_t spare_bytes[2];

    Ladder side[2];  // bid, ask

    // what a change of the top needs besides
    int64_t tick;                  // 0 before the first price
    uint64_t batch;                // last batch in which Books reported this book
    unsigned __int128 spread_sum;  // time-weighted spread: exact sums up to `since`
    uint64_t spread_duration;
    int64_t since;
    uint64_t seen_last;  // bit a row: it marks its atomic events
    uint64_t live;       // VENUES: bit a row that is not stale

    int64_t huge;        // VENUES: INT64_MAX once a quantity was too large for sums without a check
    int64_t* quote;      // VENUES: [rows][2], index of a level
    uint64_t quoted[2];  // VENUES, by side: bit a row: it holds the one level of `quote` at most
    Orders* orders;
    Page* free_pages;
    Arena* arena;  // of the set the book belongs to; null: the heap
    Spare spare[2];
    uint64_t venue;       // of the first event
    uint32_t rows;        // VENUES: quantities a level
    uint32_t window;      // best levels a side that are held, 0 all
    uint32_t kept;        // levels in `Kept`, 0 none
    uint32_t instrument;  // of a venue's books: their orders share one table

    uint64_t counts[COUNTS];
};
static_assert(offsetof(Grid, side) == 64 && offsetof(Grid, tick) == 192 && offsetof(Grid, huge) == 256);

}  // namespace tf
