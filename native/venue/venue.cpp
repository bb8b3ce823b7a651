#include "venue/venue.hpp"

#include <bit>
#include <cstdlib>
#include <cstring>

#include "book/orders.hpp"
#include "book/pages.hpp"
#include "venue/records.hpp"

namespace tf {
namespace {

constexpr size_t FIRST_REPORTS = 256;
constexpr size_t FIRST_EVENTS = 256;

template <typename T>
T* resized(T* block, size_t count) {
    T* const grown = static_cast<T*>(std::realloc(block, count * sizeof(T)));
    if (grown == nullptr) std::abort();  // a venue that lost a report must not go on
    return grown;
}

}  // namespace

Venue* venue_create(bool publishes, uint16_t id, uint8_t provider) {
    auto* venue = static_cast<Venue*>(std::calloc(1, sizeof(Venue)));
    if (venue == nullptr) std::abort();
    venue->publishes = publishes;
    venue->id = id;
    venue->provider = provider;
    venue->orders = orders_create(2);  // an order and its terms
    venue->reports.capacity = FIRST_REPORTS;
    venue->reports.at = venue->reports.own = resized<ReportRecord>(nullptr, FIRST_REPORTS);
    venue->reports.end = venue->reports.own + FIRST_REPORTS;
    return venue;
}

void venue_destroy(Venue* venue) {
    if (venue == nullptr) return;
    for (uint32_t i = 0; i < venue->listed; ++i) {
        if (venue->listings[i].grid == nullptr) continue;
        venue->listings[i].grid->orders = nullptr;  // all books share it
        grid_destroy(venue->listings[i].grid);
    }
    arena_close(&venue->arena);
    orders_destroy(venue->orders);
    std::free(venue->listings);
    std::free(venue->reports.own);
    std::free(venue->events.first);
    std::free(venue);
}

void venue_list(Venue* venue, int64_t tick, int64_t lot) {
    if (venue->listed == venue->room) {
        venue->room = venue->room == 0 ? 16 : venue->room * 2;
        venue->listings = resized(venue->listings, venue->room);
    }
    Listing& listing = venue->listings[venue->listed++];
    listing = {};
    listing.tick = tick;
    listing.lot_rotation = static_cast<uint8_t>(std::countr_zero(static_cast<uint64_t>(lot)));
    const uint64_t odd = static_cast<uint64_t>(lot) >> listing.lot_rotation;
    listing.lot_inverse = odd;  // Newton: each step doubles the number of right bits, three at the start
    for (int i = 0; i < 5; ++i) listing.lot_inverse *= 2 - odd * listing.lot_inverse;
    listing.lot_limit = static_cast<uint64_t>(INT64_MAX / lot);
}

Grid* venue_book(Venue* venue, uint32_t instrument) {
    Listing& listing = venue->listings[instrument];
    if (listing.grid == nullptr) {
        listing.grid = grid_create(Form::QUEUES, 0, 0, 0, &venue->arena);
        orders_destroy(listing.grid->orders);
        listing.grid->orders = venue->orders;
        listing.grid->instrument = instrument;
        listing.grid->venue = venue->id;
        grid_refine(listing.grid, listing.tick);
    }
    return listing.grid;
}

Answers venue_waiting(const Venue* venue) { return {venue->reports.own, venue->reports.kept}; }

void venue_forget(Venue* venue) {
    venue->reports.kept = 0;
    venue->reports.at = venue->reports.own;
}

void venue_halt(Venue* venue, uint32_t instrument, bool halted, int64_t ts) {
    Listing& listing = venue->listings[instrument];
    if (listing.halted == halted) return;
    listing.halted = halted;
    if (!venue->publishes) return;
    const Status status = halted ? Status::HALTED : Status::TRADING;
    publish(*venue, Kind::STATUS, instrument, ts, 0, 0, 0, 0, static_cast<uint32_t>(status));
    end_events(*venue);
}

size_t venue_memory(const Venue* venue) {
    size_t bytes = sizeof(Venue) + venue->room * sizeof(Listing) + venue->reports.capacity * sizeof(ReportRecord);
    bytes += venue->events.capacity * sizeof(Event) + orders_memory(venue->orders);
    for (uint32_t i = 0; i < venue->listed; ++i) {
        const Grid* grid = venue->listings[i].grid;
        if (grid != nullptr) bytes += grid_memory(grid) - orders_memory(venue->orders);
    }
    return bytes;
}

void reports_grow(Venue& venue) {
    Reports& reports = venue.reports;
    ReportRecord* const from = reports.lent != nullptr ? reports.lent : reports.own + reports.kept;
    const auto written = static_cast<size_t>(reports.at - from);
    const size_t wanted = 2 * (reports.kept + written) + FIRST_REPORTS;
    if (wanted > reports.capacity) {
        reports.own = resized(reports.own, wanted);
        reports.capacity = wanted;
    }
    if (reports.lent != nullptr) std::memcpy(reports.own + reports.kept, reports.lent, written * sizeof(ReportRecord));
    reports.lent = nullptr;
    reports.at = reports.own + reports.kept + written;
    reports.end = reports.own + reports.capacity;
}

void events_grow(Venue& venue) {
    const size_t wanted = 2 * venue.events.capacity + FIRST_EVENTS;
    venue.events.first = resized(venue.events.first, wanted);
    venue.events.capacity = wanted;
}

}  // namespace tf
