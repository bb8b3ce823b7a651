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

constexpr uint8_t MAKER = static_cast<uint8_t>(ReportFlag::MAKER);
constexpr uint8_t TAKER = static_cast<uint8_t>(ReportFlag::TAKER);
constexpr uint8_t LAST_REPORT = static_cast<uint8_t>(ReportFlag::LAST);

// The last eight bytes of a report in one store.
static inline uint64_t facts_of(ReportKind kind, Reason reason, uint8_t side, uint8_t flags, Action action) {
    return static_cast<uint64_t>(kind) | static_cast<uint64_t>(reason) << 8 | static_cast<uint64_t>(side) << 16 |
           static_cast<uint64_t>(flags) << 24 | static_cast<uint64_t>(action) << 32;
}
static_assert(offsetof(ReportRecord, reason) == 65 && offsetof(ReportRecord, side) == 66 &&
              offsetof(ReportRecord, flags) == 67 && offsetof(ReportRecord, action) == 68);

static inline void report(Venue& venue, const About& about, int64_t ts, ReportKind kind, Reason reason, int64_t price,
                          int64_t quantity, int64_t leaves, int64_t cumulative, uint64_t execution = 0,
                          uint8_t flags = 0) {
    if (venue.reports.at == venue.reports.end) [[unlikely]] {
        reports_grow(venue);
    }
    ReportRecord& written = *venue.reports.at++;
    written.ts = ts;
    written.price = price;
    written.quantity = quantity;
    written.leaves = leaves;
    written.cumulative = cumulative;
    written.order_id = about.order_id;
    written.execution_id = execution;
    written.instrument = about.instrument;
    written.owner = about.owner;
    const uint64_t facts = facts_of(kind, reason, about.side, flags, about.action);
    __builtin_memcpy(&written.kind, &facts, sizeof facts);
}

// Every request is answered, so its last report is the one written last.
static inline void end_reports(Venue& venue) { venue.reports.at[-1].flags |= LAST_REPORT; }

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
