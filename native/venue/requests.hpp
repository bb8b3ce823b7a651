// Any request: what is wrong with it, and what it does. The rules are those of tests/reference/venue.py.
#pragma once
#include "venue/matching.hpp"

namespace tf {

[[gnu::cold, gnu::noinline]] static void reject(Venue& venue, const OrderRecord& order, Reason reason,
                                                int64_t leaves = 0, int64_t cumulative = 0) {
    const About about{order.order_id, order.instrument, order.owner, order.side, order.action};
    report(venue, about, order.ts, ReportKind::REJECTED, reason, order.price, order.quantity, leaves, cumulative);
}

// What is wrong with the numbers of a limit order or its replacement.
static inline Reason judge(const Listing& listing, const Grid& grid, int64_t price, int64_t quantity, int64_t display) {
    if (price <= 0 || grid_value(grid, price) > grid_bound(grid)) return Reason::BAD_PRICE;
    if (quantity < 0 || !is_lots(listing, quantity)) return Reason::BAD_QUANTITY;
    if (display != 0 && (display < 0 || !is_lots(listing, display) || quantity / display > MOST_REFRESHES)) {
        return Reason::BAD_DISPLAY;
    }
    return Reason::NONE;
}

// What is wrong with a new order, whatever the state of the book.
static inline Reason judge_new(const Listing& listing, const Grid& grid, const OrderRecord& order) {
    const bool market = order.type == OrderType::MARKET;
    const bool rests = !market && order.tif <= TimeInForce::GTC;
    if (order.side - 1u > 1u) return Reason::BAD_SIDE;
    if (order.type > OrderType::MARKET || order.tif > TimeInForce::FOK) return Reason::BAD_TYPE;
    if (order.flags > POST_ONLY || (order.flags != 0 && !rests)) return Reason::BAD_FLAGS;
    if (market && order.price != 0) return Reason::BAD_PRICE;
    const Reason reason = judge(listing, grid, market ? listing.tick : order.price, order.quantity, order.display);
    if (reason != Reason::NONE) return reason;
    if (order.quantity == 0) return Reason::BAD_QUANTITY;
    return order.display != 0 && !rests ? Reason::BAD_DISPLAY : Reason::NONE;
}

[[gnu::noinline]] static void enter(Venue& venue, const OrderRecord& order) {
    if (order.instrument >= venue.listed) [[unlikely]] {
        return reject(venue, order, Reason::UNKNOWN_INSTRUMENT);
    }
    const Listing& listing = venue.listings[order.instrument];
    Grid& grid = listing.grid != nullptr ? *listing.grid : *venue_book(&venue, order.instrument);
    Reason reason = judge_new(listing, grid, order);
    if (reason == Reason::NONE && listing.halted) reason = Reason::HALTED;
    const uint64_t at = order_find(*venue.orders, order.order_id);
    if (reason == Reason::NONE && venue.orders->table[at] != 0) reason = Reason::DUPLICATE_ID;
    const int side = order.side - 1;
    const bool market = order.type == OrderType::MARKET;
    const int64_t key = market ? 0 : key_of(grid, side, order.price);
    const int64_t limit = market ? NO_KEY - 1 : ~key;
    if (reason == Reason::NONE && order.flags != 0 && grid.side[1 - side].best <= limit) reason = Reason::WOULD_CROSS;
    if (reason != Reason::NONE) [[unlikely]] {
        return reject(venue, order, reason);
    }
    move_clock(grid, order.ts);
    Taking taking{{order.order_id, order.instrument, order.owner, order.side, Action::NEW},
                  order.ts,
                  order.price,
                  order.quantity,
                  order.quantity,
                  key,
                  order.display,
                  order.tif,
                  order.flags};
    answer(venue, taking, ReportKind::ACCEPTED, Reason::NONE, order.quantity, order.quantity);
    if (order.tif == TimeInForce::FOK && !fills(venue, grid, taking, limit)) {
        return answer(venue, taking, ReportKind::CANCELLED, Reason::NO_LIQUIDITY, taking.leaves, 0);
    }
    work(venue, grid, taking, limit, at, !market && order.tif <= TimeInForce::GTC);
}

// Takes an order off its level and out of the table.
static inline void leave(Venue& venue, Grid& grid, uint64_t at) {
    Orders& orders = *venue.orders;
    const Order& order = orders.pool[orders.table[at] - 1];
    Page* page = page_of(order);
    const int slot = slot_of(order);
    int64_t* level = level_of(grid, page, slot);
    queue_unlink(orders, queue_of(level), order);
    level_shrink(grid, static_cast<int>(page->side), page, level, page->number * 64 + slot, order.quantity);
    order_forget(orders, at);
}

struct Found {
    uint64_t at;
    uint32_t index;
    const Page* page;
    int64_t key;
};

// The live order that the owner of a request means; false: there is none.
static inline bool find(const Venue& venue, const OrderRecord& request, Found& found) {
    const Orders& orders = *venue.orders;
    found.at = order_find(orders, request.order_id);
    found.index = orders.table[found.at] - 1;
    if (found.index == UINT32_MAX || terms_of(venue, found.index).owner != request.owner) return false;
    found.page = page_of(orders.pool[found.index]);
    found.key = found.page->number * 64 + slot_of(orders.pool[found.index]);
    return true;
}

// Ends a live order without a trade.
static inline void end(Venue& venue, const Found& found, ReportKind kind, Action action, int64_t ts) {
    const Page& page = *found.page;
    Grid& grid = *venue.listings[page.instrument].grid;
    const Order& order = venue.orders->pool[found.index];
    const Terms& terms = terms_of(venue, found.index);
    const About about{order.id, page.instrument, terms.owner, static_cast<uint8_t>(page.side + 1), action};
    const int64_t leaves = order.quantity + terms.reserve;
    const int64_t price = price_of(grid, side_of(about), found.key);
    move_clock(grid, ts);
    report(venue, about, ts, kind, Reason::NONE, price, leaves, 0, terms.total - leaves);
    if (venue.publishes)
        publish(venue, Kind::DELETE, about.instrument, ts, about.side, order.id, price, order.quantity);
    leave(venue, grid, found.at);
}

// Less of the same keeps its place; what is hidden goes first.
static void shrink(Venue& venue, Grid& grid, const Found& found, const Taking& taking) {
    Order& order = venue.orders->pool[found.index];
    Terms& terms = terms_of(venue, found.index);
    const int64_t shown = order.quantity < taking.leaves ? order.quantity : taking.leaves;
    const int64_t gone = order.quantity - shown;
    terms.total = taking.total;
    terms.reserve = taking.leaves - shown;
    order.quantity = shown;
    Page* page = page_of(order);
    level_of(grid, page, slot_of(order))[0] -= gone;
    if (venue.publishes && gone != 0)
        publish(venue, Kind::REDUCE, taking.about.instrument, taking.ts, taking.about.side, order.id, taking.price,
                gone);
}

// To the back of the queue at its price, which it may trade through.
static void relocate(Venue& venue, Grid& grid, const Found& found, Taking& taking) {
    const About& about = taking.about;
    const int64_t price = price_of(grid, side_of(about), found.key);
    const int64_t shown = venue.orders->pool[found.index].quantity;
    const bool crosses = grid.side[1 - side_of(about)].best <= ~taking.key;
    if (venue.publishes && crosses)
        publish(venue, Kind::DELETE, about.instrument, taking.ts, about.side, about.order_id, price, shown);
    leave(venue, grid, found.at);
    const uint64_t at = order_find(*venue.orders, about.order_id);
    if (crosses) return work(venue, grid, taking, ~taking.key, at, true);
    if (!settle(venue, grid, taking, at, true, Kind::REPLACE) && venue.publishes)
        publish(venue, Kind::DELETE, about.instrument, taking.ts, about.side, about.order_id, price, shown);
}

static void replace(Venue& venue, const OrderRecord& request) {
    Found found;
    if (!find(venue, request, found)) return reject(venue, request, Reason::UNKNOWN_ORDER);
    const Page& page = *found.page;
    const Listing& listing = venue.listings[page.instrument];
    Grid& grid = *listing.grid;
    const Terms terms = terms_of(venue, found.index);
    const int64_t leaves = venue.orders->pool[found.index].quantity + terms.reserve;
    const int64_t filled = terms.total - leaves;
    Reason reason = judge(listing, grid, request.price, request.quantity, request.display);
    if (reason == Reason::NONE && listing.halted) reason = Reason::HALTED;
    if (reason != Reason::NONE) return reject(venue, request, reason, leaves, filled);
    if (request.quantity <= filled) return end(venue, found, ReportKind::CANCELLED, Action::REPLACE, request.ts);
    const auto side = static_cast<int>(page.side);
    const int64_t key = key_of(grid, side, request.price);
    if (terms.flags != 0 && grid.side[1 - side].best <= ~key) {
        return reject(venue, request, Reason::WOULD_CROSS, leaves, filled);
    }
    move_clock(grid, request.ts);
    Taking taking{{request.order_id, page.instrument, terms.owner, static_cast<uint8_t>(side + 1), Action::REPLACE},
                  request.ts,
                  request.price,
                  request.quantity,
                  request.quantity - filled,
                  key,
                  request.display,
                  terms.tif,
                  terms.flags};
    answer(venue, taking, ReportKind::REPLACED, Reason::NONE, taking.total, taking.leaves);
    if (key == found.key && request.quantity < terms.total && request.display == terms.display) {
        return shrink(venue, grid, found, taking);
    }
    relocate(venue, grid, found, taking);
}

}  // namespace tf
