// The hot part of a venue: requests one after the other, and where their reports go.
#include "book/orders.hpp"
#include "book/pages.hpp"
#include "venue/plain.hpp"
#include "venue/requests.hpp"

namespace tf {
namespace {

// Any request that took no short way.
[[gnu::noinline]] void apply_any(Venue& venue, const OrderRecord& order, bool clean) {
    if (!clean) {
        reject(venue, order, Reason::BAD_FLAGS);
    } else if (order.action == Action::NEW) {
        enter(venue, order);
    } else if (order.action == Action::CANCEL) {
        reject(venue, order, Reason::UNKNOWN_ORDER);  // the short way would have found it
    } else if (order.action == Action::REPLACE) {
        replace(venue, order);
    } else {
        reject(venue, order, Reason::BAD_ACTION);
    }
    end_reports(venue);
    end_events(venue);
}

template <bool publishes>
inline void apply_one(Venue& venue, const OrderRecord& order) {
    uint64_t tail;
    __builtin_memcpy(&tail, order.reserved + 3, sizeof tail);
    const uint64_t facts = facts_of(order);
    const bool clean = (tail | facts >> 40) == 0;
    const bool plain = clean && (order.action == Action::CANCEL ? cancel_plain<publishes>(venue, order)
                                                                : enter_plain<publishes>(venue, order, facts));
    if (!plain) apply_any(venue, order, clean);
}

constexpr size_t PLACE_AHEAD = 8;
constexpr size_t ORDER_AHEAD = 5;

// Looks ahead at the order a later request names. Where there is none another serves: a guess costs less
// than a branch that cannot be guessed.
inline void prefetch_named(const Venue& venue, uint64_t id) {
    const uint32_t entry = venue.orders->table[order_hash(*venue.orders, id)];
    const uint32_t index = entry - (entry != 0);
    __builtin_prefetch(venue.orders->pool + index);
}

template <bool publishes>
void apply_all(Venue& venue, const OrderRecord* orders, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        if (i + PLACE_AHEAD < n) {
            prefetch_place(*venue.orders, orders[i + PLACE_AHEAD].order_id);
            prefetch_named(venue, orders[i + ORDER_AHEAD].order_id);
        }
        apply_one<publishes>(venue, orders[i]);
    }
}

// What was written since `lend`; the venue's own memory is written again from where it was.
Answers give(Reports& reports) {
    ReportRecord* const first = reports.lent != nullptr ? reports.lent : reports.own + reports.kept;
    const Answers answers{first, static_cast<size_t>(reports.at - first)};
    reports.lent = nullptr;
    reports.at = reports.own + reports.kept;
    reports.end = reports.own + reports.capacity;
    return answers;
}

void lend(Reports& reports, ReportRecord* room, size_t capacity) {
    if (room == nullptr) return;
    reports.lent = reports.at = room;
    reports.end = room + capacity;
}

void expire_level(Venue& venue, const Grid& grid, const Page* page, int slot, int64_t ts) {
    const Orders& orders = *venue.orders;
    for (uint32_t next, index = queue_of(level_of(grid, page, slot)).head; index != NO_ORDER; index = next) {
        next = orders.pool[index].next;
        if (terms_of(venue, index).tif != TimeInForce::DAY) continue;
        const Found found{order_find(orders, orders.pool[index].id), index, page, page->number * 64 + slot};
        end(venue, found, ReportKind::EXPIRED, Action::NONE, ts);
        end_reports(venue);
        end_events(venue);
    }
}

}  // namespace

Answers venue_apply(Venue* venue, const OrderRecord* orders, size_t n, ReportRecord* room, size_t capacity) {
    lend(venue->reports, room, capacity);
    if (venue->publishes) {
        apply_all<true>(*venue, orders, n);
    } else {
        apply_all<false>(*venue, orders, n);
    }
    return give(venue->reports);
}

size_t venue_enter(Venue* venue, const OrderRecord& order) {
    Reports& reports = venue->reports;
    if (venue->publishes) {
        apply_one<true>(*venue, order);
    } else {
        apply_one<false>(*venue, order);
    }
    const auto now = static_cast<size_t>(reports.at - reports.own);
    const size_t count = now - reports.kept;
    reports.kept = now;
    return count;
}

Answers venue_expire(Venue* venue, int64_t ts) {
    for (uint32_t instrument = 0; instrument < venue->listed; ++instrument) {
        const Grid* grid = venue->listings[instrument].grid;
        for (int side = 0; grid != nullptr && side < 2; ++side) {
            const Ladder& ladder = grid->side[side];
            // emptied pages at the end of the array are given back on the way
            for (uint32_t i = ladder.page_count; i-- > 0;) {
                if (i >= ladder.page_count) continue;
                const Page* page = ladder.pages[i];
                for (uint64_t bits = page->bits; bits != 0; bits &= bits - 1) {
                    expire_level(*venue, *grid, page, std::countr_zero(bits), ts);
                }
            }
        }
    }
    return give(venue->reports);
}

}  // namespace tf
