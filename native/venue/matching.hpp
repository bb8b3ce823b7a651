// An order on its way: through the other side, then to the back of a queue of its own.
#pragma once
#include "book/orders.hpp"
#include "venue/levels.hpp"
#include "venue/records.hpp"

namespace tf {

// An order on its way through a book: what is asked, and how much of it is left.
struct Taking {
    About about;
    int64_t ts;
    int64_t price;
    int64_t total;
    int64_t leaves;
    int64_t key;  // of the price on its own side
    int64_t display;
    TimeInForce tif;
    uint8_t flags;
};

static inline int side_of(const About& about) { return about.side - 1; }

static inline void answer(Venue& venue, const Taking& taking, ReportKind kind, Reason reason, int64_t quantity,
                          int64_t leaves) {
    report(venue, taking.about, taking.ts, kind, reason, taking.price, quantity, leaves, taking.total - taking.leaves);
}

// The best order of a level displays its next part, at the back of the queue. False: the level cannot hold it.
[[gnu::noinline]] static bool refresh(Venue& venue, Queue& queue, int64_t* level, uint32_t index, Page* page,
                                      int slot) {
    Orders& orders = *venue.orders;
    Terms& terms = terms_of(venue, index);
    const int64_t shown = terms.reserve < terms.display ? terms.reserve : terms.display;
    if (level[0] > INT64_MAX - shown) return false;
    level[0] += shown;
    terms.reserve -= shown;
    queue_unlink(orders, queue, orders.pool[index]);
    queue_append(orders, queue, index, page, slot);
    orders.pool[index].quantity = shown;
    return true;
}

// The displayed part of the order in front is gone: it displays more, or leaves.
static inline void exhaust(Venue& venue, Queue& queue, int64_t* level, uint32_t index, const Taking& taking,
                           int64_t price) {
    Orders& orders = *venue.orders;
    Order& order = orders.pool[index];
    const Terms& terms = terms_of(venue, index);
    if (terms.reserve != 0) [[unlikely]] {
        Page* page = page_of(order);
        const About about{order.id, taking.about.instrument, terms.owner, static_cast<uint8_t>(page->side + 1),
                          Action::NONE};
        if (refresh(venue, queue, level, index, page, slot_of(order))) {
            if (venue.publishes)
                publish(venue, Kind::ADD, about.instrument, taking.ts, about.side, order.id, price, order.quantity);
            return;
        }
        report(venue, about, taking.ts, ReportKind::CANCELLED, Reason::LEVEL_FULL, price, terms.reserve, 0,
               terms.total - terms.reserve);
    }
    queue_unlink(orders, queue, order);
    order_forget(orders, order_find(orders, order.id));
}

// Trades with one level until it or the taker is done.
static inline void take_level(Venue& venue, Grid& grid, int side, Taking& taking) {
    int64_t* level = level_of(grid, grid.side[side].near[0], grid.side[side].best & 63);
    Queue& queue = queue_of(level);
    const int64_t price = price_of(grid, side, grid.side[side].best);
    About maker{0, taking.about.instrument, 0, static_cast<uint8_t>(side + 1), Action::NONE};
    do {
        const uint32_t index = queue.head;
        Order& order = venue.orders->pool[index];
        const Terms& terms = terms_of(venue, index);
        const int64_t quantity = taking.leaves < order.quantity ? taking.leaves : order.quantity;
        taking.leaves -= quantity;
        order.quantity -= quantity;
        level[0] -= quantity;
        ++venue.executions;
        maker.order_id = order.id;
        maker.owner = terms.owner;
        const int64_t leaves = order.quantity + terms.reserve;
        report(venue, maker, taking.ts, ReportKind::FILL, Reason::NONE, price, quantity, leaves, terms.total - leaves,
               venue.executions, MAKER);
        report(venue, taking.about, taking.ts, ReportKind::FILL, Reason::NONE, price, quantity, taking.leaves,
               taking.total - taking.leaves, venue.executions, TAKER);
        if (venue.publishes)
            publish(venue, Kind::EXECUTE, maker.instrument, taking.ts, maker.side, order.id, price, quantity);
        if (order.quantity == 0) exhaust(venue, queue, level, index, taking, price);
    } while (taking.leaves != 0 && level[0] != 0);
}

// Trades with all that stands at the key `limit` of the other side or better.
static inline void match(Venue& venue, Grid& grid, Taking& taking, int64_t limit) {
    const int side = 1 - side_of(taking.about);
    Ladder& ladder = grid.side[side];
    while (taking.leaves != 0 && ladder.best <= limit) {
        Page* page = ladder.near[0];
        const int64_t key = ladder.best;
        take_level(venue, grid, side, taking);
        level_shrink(grid, side, page, level_of(grid, page, key & 63), key, 0);
    }
}

// Whether all of it could trade at once, what makers hold in reserve included.
[[gnu::noinline]] static bool fills(const Venue& venue, const Grid& grid, const Taking& taking, int64_t limit) {
    const Ladder& ladder = grid.side[1 - side_of(taking.about)];
    int64_t wanted = taking.leaves;
    for (uint32_t i = ladder.page_count; i-- > 0;) {
        const Page* page = ladder.pages[i];
        for (uint64_t bits = page->bits; bits != 0; bits &= bits - 1) {
            const int slot = std::countr_zero(bits);
            if (page->number * 64 + slot > limit) return false;
            const int64_t* level = level_of(grid, page, slot);
            wanted -= level[0];
            for (uint32_t at = queue_of(level).head; at != NO_ORDER && wanted > 0; at = venue.orders->pool[at].next) {
                wanted -= terms_of(venue, at).reserve;
            }
            if (wanted <= 0) return true;
        }
    }
    return false;
}

// Puts what is left at the back of its level. False: the level cannot hold it.
static inline bool rest(Venue& venue, Grid& grid, const Taking& taking, uint64_t at) {
    Orders& orders = *venue.orders;
    const int side = side_of(taking.about);
    const bool whole = taking.display == 0 || taking.display > taking.leaves;
    const int64_t shown = whole ? taking.leaves : taking.display;
    Page* page = page_open(grid, side, taking.key);
    int64_t* level = level_of(grid, page, taking.key & 63);
    if (level[0] > INT64_MAX - shown) [[unlikely]] {
        return false;
    }
    if (orders.first_free == NO_ORDER) [[unlikely]] {
        orders_grow(orders);
        at = order_find(orders, taking.about.order_id);
    }
    const uint32_t index = order_add(orders, at, taking.about.order_id, shown);
    terms_of(venue, index) = {taking.total, taking.leaves - shown, taking.display, taking.about.owner,
                              taking.tif,   taking.flags};
    queue_append(orders, queue_of(level), index, page, static_cast<int>(taking.key & 63));
    level_grow(grid, side, page, level, taking.key, shown);
    return true;
}

// What is left rests, or ends. `kind` is how the public sees it come; false: it ended.
static inline bool settle(Venue& venue, Grid& grid, const Taking& taking, uint64_t at, bool rests, Kind kind) {
    const About& about = taking.about;
    if (!rests || !rest(venue, grid, taking, at)) {
        const Reason reason = rests ? Reason::LEVEL_FULL : Reason::NO_LIQUIDITY;
        answer(venue, taking, ReportKind::CANCELLED, reason, taking.leaves, 0);
        return false;
    }
    if (venue.publishes) {
        publish(venue, kind, about.instrument, taking.ts, about.side, about.order_id, taking.price,
                taking.display == 0 || taking.display > taking.leaves ? taking.leaves : taking.display);
    }
    return true;
}

// Trades, then rests. `at` is the free place of its id in the table of orders.
static inline void work(Venue& venue, Grid& grid, Taking& taking, int64_t limit, uint64_t at, bool rests) {
    if (grid.side[1 - side_of(taking.about)].best <= limit) {
        match(venue, grid, taking, limit);
        if (taking.leaves == 0) return;
        at = order_find(*venue.orders, taking.about.order_id);
    }
    settle(venue, grid, taking, at, rests, Kind::ADD);
}

}  // namespace tf
