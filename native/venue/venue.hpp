// A matching venue: price-time priority over the orders of many instruments.
//
// What is displayed lies in books of native/book, so every reading of a book works on it. All instruments share one
// table of orders, for an id names one live order of the venue; what a book does not know of an order, its `Terms`, lies
// behind it on the same cache line. The rules are those of tests/reference/venue.py.
#pragma once
#include <cstddef>
#include <cstdint>

#include "book/arena.hpp"
#include "book/layout.hpp"
#include "event.hpp"
#include "order.hpp"

namespace tf {

inline constexpr int64_t MOST_REFRESHES = 4096;  // of a reserve order: a display is no smaller part of its quantity

struct Terms {
    int64_t total;    // ordered
    int64_t reserve;  // left and not displayed; what is displayed is the order's quantity
    int64_t display;  // 0: all of it
    uint32_t owner;
    TimeInForce tif;
    uint8_t flags;
};
static_assert(sizeof(Terms) == sizeof(Order));

struct Listing {
    Grid* grid;  // null until the first order
    int64_t tick;
    uint64_t lot_inverse;  // a quantity is a multiple of the lot as a price is one of the tick
    uint64_t lot_limit;    // lots in the largest quantity
    uint8_t lot_rotation;
    bool halted;
};

// Where reports go: memory of the caller while it has room, else the venue's own.
struct Reports {
    ReportRecord* at;
    ReportRecord* end;
    ReportRecord* lent;  // the caller's, null when the venue's own is written
    ReportRecord* own;
    size_t capacity;  // of the venue's own
    size_t kept;      // in it from before: of single requests, not taken yet
};

struct Events {
    Event* first;
    size_t count;
    size_t capacity;
    size_t ended;  // up to where atomic events are marked
};

struct Venue {
    Listing* listings;  // by instrument
    uint32_t listed;
    uint32_t room;
    Orders* orders;
    uint64_t executions;
    uint64_t sequence;  // of the last event
    Reports reports;
    Events events;
    Arena arena;
    uint16_t id;  // `venue` and `provider` of events
    uint8_t provider;
    bool publishes;  // whether events are made
};

struct Answers {
    const ReportRecord* first;
    size_t count;
};

Venue* venue_create(bool publishes, uint16_t id, uint8_t provider);
void venue_destroy(Venue* venue);
// Lists the next instrument; tick and lot are counts of 1e-9 above 0.
void venue_list(Venue* venue, int64_t tick, int64_t lot);
Grid* venue_book(Venue* venue, uint32_t instrument);  // of a listed instrument

// Applies requests in order. The reports lie in `room` if they fit, else all of them in the venue's own memory until
// the next call.
Answers venue_apply(Venue* venue, const OrderRecord* orders, size_t n, ReportRecord* room, size_t capacity);
// Applies one request; its reports join those that wait to be taken. How many there are of it.
size_t venue_enter(Venue* venue, const OrderRecord& order);
Answers venue_waiting(const Venue* venue);  // reports of single requests
void venue_forget(Venue* venue);            // they were taken
// Nothing matches and nothing new comes in until trading resumes; cancels pass.
void venue_halt(Venue* venue, uint32_t instrument, bool halted, int64_t ts);
// Day orders end: by instrument, bids before asks, best price first, oldest first.
Answers venue_expire(Venue* venue, int64_t ts);
size_t venue_memory(const Venue* venue);

static inline Terms& terms_of(const Venue& venue, uint32_t index) {
    return *reinterpret_cast<Terms*>(venue.orders->pool + index + 1);
}

// --- of the venue's own files ---
void reports_grow(Venue& venue);
void events_grow(Venue& venue);

}  // namespace tf
