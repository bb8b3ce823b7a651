// Writes reports and events.
#pragma once
#include "venue/venue.hpp"

namespace tf {

// What a report says of the request or the order it is about.
struct About {
    uint64_t order_id;
    uint32_t instrument;
    uint32_t owner;
    uint8_t side;
    Action action;
};

static inline void report(Venue& venue, const About& about, int64_t ts, ReportKind kind, Reason reason, int64_t price,
                          int64_t quantity, int64_t leaves, int64_t cumulative, uint64_t execution = 0,
                          uint8_t flags = 0) {
    if (venue.reports.at == venue.reports.end) [[unlikely]] {
        reports_grow(venue);
    }
    *venue.reports.at++ = {
        ts,          price, quantity, leaves,     cumulative, about.order_id, execution, about.instrument,
        about.owner, kind,  reason,   about.side, flags,      about.action,   {}};
}

// Every request is answered, so its last report is the one written last.
static inline void end_reports(Venue& venue) { venue.reports.at[-1].flags |= static_cast<uint8_t>(ReportFlag::LAST); }

[[gnu::noinline]] static void publish(Venue& venue, Kind kind, uint32_t instrument, int64_t ts, uint8_t side,
                                      uint64_t order_id, int64_t price, int64_t quantity, uint32_t conditions = 0) {
    if (venue.events.count == venue.events.capacity) events_grow(venue);
    venue.events.first[venue.events.count++] = {
        ts,         ts,        price,          quantity, ++venue.sequence,        order_id,
        instrument, venue.id,  venue.provider, kind,     static_cast<Side>(side), 0,
        0,          conditions};
}

static inline void end_events(Venue& venue) {
    if (venue.events.count == venue.events.ended) return;
    venue.events.first[venue.events.count - 1].flags |= LAST;
    venue.events.ended = venue.events.count;
}

}  // namespace tf
