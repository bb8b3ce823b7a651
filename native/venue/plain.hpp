// The short ways of most requests: an order that rests at once, a cancel.
#pragma once
#include "book/orders.hpp"
#include "venue/levels.hpp"
#include "venue/records.hpp"

namespace tf {

// The first eight bytes from `action` on: whether a request is a plain one, told in one comparison.
static inline uint64_t facts_of(const OrderRecord& order) {
    uint64_t facts;
    __builtin_memcpy(&facts, &order.action, sizeof facts);
    return facts;
}
inline constexpr uint64_t PLAIN_BID = static_cast<uint64_t>(Action::NEW) | 1 << 8;
inline constexpr uint64_t PLAIN_ASK_MORE = 1 << 8;
inline constexpr uint64_t PLAIN_GTC_MORE = 1 << 24;
static_assert(offsetof(OrderRecord, action) == 48 && offsetof(OrderRecord, side) == 49 &&
              offsetof(OrderRecord, tif) == 51);

// A limit order that shows all of itself and rests at once, on a page there is. False: it is not that, and nothing was
// done.
template <bool publishes>
static inline bool enter_plain(Venue& venue, const OrderRecord& order, uint64_t facts) {
    if (((facts - PLAIN_BID) & ~(PLAIN_ASK_MORE | PLAIN_GTC_MORE)) != 0) return false;
    if (order.instrument >= venue.listed || order.display != 0 || order.price <= 0 || order.quantity <= 0) return false;
    const Listing& listing = venue.listings[order.instrument];
    if (listing.grid == nullptr || listing.halted || !is_lots(listing, order.quantity)) return false;
    Grid& grid = *listing.grid;
    const int side = static_cast<int>(facts >> 8 & 3) - 1;
    const uint64_t value = grid_value(grid, order.price);
    const int64_t key = static_cast<int64_t>(value - static_cast<uint64_t>(grid.limit)) ^ mirror(side);
    if (value > grid_bound(grid) || grid.side[1 - side].best <= ~key) return false;
    Orders& orders = *venue.orders;
    const uint64_t at = order_find(orders, order.order_id);
    Page* page = page_near(grid.side[side], key);
    if (orders.table[at] != 0 || page == nullptr || orders.first_free == NO_ORDER) return false;
    int64_t* level = level_of(grid, page, key & 63);
    if (level[0] > INT64_MAX - order.quantity) return false;
    move_clock(grid, order.ts);
    const uint32_t index = order_add(orders, at, order.order_id, order.quantity);
    terms_of(venue, index) = {order.quantity, 0, 0, order.owner, order.tif, 0};
    queue_append(orders, queue_of(level), index, page, static_cast<int>(key & 63));
    level_grow(grid, side, page, level, key, order.quantity);
    report(venue, {order.order_id, order.instrument, order.owner, order.side, Action::NEW}, order.ts,
           ReportKind::ACCEPTED, Reason::NONE, order.price, order.quantity, order.quantity, 0, 0, LAST_REPORT);
    if constexpr (publishes) {
        publish(venue, Kind::ADD, order.instrument, order.ts, order.side, order.order_id, order.price, order.quantity);
        end_events(venue);
    }
    return true;
}

// A cancel. False: its owner has no such order.
template <bool publishes>
static inline bool cancel_plain(Venue& venue, const OrderRecord& request) {
    Orders& orders = *venue.orders;
    const uint64_t at = order_find(orders, request.order_id);
    const uint32_t entry = orders.table[at];
    if (entry == 0) return false;
    const Order& order = orders.pool[entry - 1];
    const Terms& terms = terms_of(venue, entry - 1);
    if (terms.owner != request.owner) return false;
    Page* page = page_of(order);
    const int slot = slot_of(order);
    const int side = static_cast<int>(page->side);
    const int64_t key = page->number * 64 + slot;
    Grid& grid = *venue.listings[page->instrument].grid;
    const int64_t leaves = order.quantity + terms.reserve;
    const int64_t price = price_of(grid, side, key);
    report(venue, {order.id, page->instrument, terms.owner, static_cast<uint8_t>(side + 1), Action::CANCEL}, request.ts,
           ReportKind::CANCELLED, Reason::NONE, price, leaves, 0, terms.total - leaves, 0, LAST_REPORT);
    if constexpr (publishes) {
        publish(venue, Kind::DELETE, page->instrument, request.ts, static_cast<uint8_t>(side + 1), order.id, price,
                order.quantity);
        end_events(venue);
    }
    move_clock(grid, request.ts);
    int64_t* level = level_of(grid, page, slot);
    queue_unlink(orders, queue_of(level), order);
    level_shrink(grid, side, page, level, key, order.quantity);
    order_forget(orders, at);
    return true;
}

}  // namespace tf
