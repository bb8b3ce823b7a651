// The hot part of a venue: requests, matching, resting.
#include "book/orders.hpp"
#include "book/pages.hpp"
#include "venue/records.hpp"

namespace tf {
namespace {

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

inline int side_of(const About& about) { return about.side - 1; }

inline void answer(Venue& venue, const Taking& taking, ReportKind kind, Reason reason, int64_t quantity,
                   int64_t leaves) {
    report(venue, taking.about, taking.ts, kind, reason, taking.price, quantity, leaves, taking.total - taking.leaves);
}

[[gnu::cold, gnu::noinline]] void reject(Venue& venue, const OrderRecord& order, Reason reason, int64_t leaves = 0,
                                         int64_t cumulative = 0) {
    const About about{order.order_id, order.instrument, order.owner, order.side, order.action};
    report(venue, about, order.ts, ReportKind::REJECTED, reason, order.price, order.quantity, leaves, cumulative);
}

inline void move_clock(Grid& grid, int64_t ts) {
    if (!grid.started) [[unlikely]] {
        grid.started = 1;
        grid.clock = grid.since = ts;
    }
    if (ts > grid.clock) grid.clock = ts;
    grid.ts_event = grid.ts_recv = ts;
}

inline bool is_lots(const Listing& listing, int64_t quantity) {
    return std::rotr(static_cast<uint64_t>(quantity) * listing.lot_inverse, listing.lot_rotation) <= listing.lot_limit;
}

// What is wrong with the numbers of a limit order or its replacement.
inline Reason judge(const Listing& listing, const Grid& grid, int64_t price, int64_t quantity, int64_t display) {
    if (price <= 0 || grid_value(grid, price) > grid_bound(grid)) return Reason::BAD_PRICE;
    if (quantity < 0 || !is_lots(listing, quantity)) return Reason::BAD_QUANTITY;
    if (display != 0 && (display < 0 || !is_lots(listing, display) || quantity / display > MOST_REFRESHES)) {
        return Reason::BAD_DISPLAY;
    }
    return Reason::NONE;
}

// What is wrong with a new order, whatever the state of the book.
inline Reason judge_new(const Listing& listing, const Grid& grid, const OrderRecord& order) {
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

inline int64_t key_of(const Grid& grid, int side, int64_t price) {
    return static_cast<int64_t>(grid_value(grid, price) - static_cast<uint64_t>(grid.limit)) ^ mirror(side);
}

// --- levels ---

// The page of an index near the touch, or where the first look finds it; else null.
inline Page* page_near(const Ladder& ladder, int64_t key) {
    const uint64_t distance = static_cast<uint64_t>(key >> 6) - static_cast<uint64_t>(ladder.best >> 6);
    Page* page = distance < 2 ? ladder.near[distance] : nullptr;
    if (page != nullptr) return page;
    page = ladder.table[page_hash(ladder, key >> 6)];
    return page != nullptr && page->number == key >> 6 ? page : nullptr;
}

inline Page* page_open(Grid& grid, int side, int64_t key) {
    Page* page = page_find(grid.side[side], key >> 6);
    return page != nullptr ? page : page_insert(&grid, side, key >> 6);
}

inline void level_grow(Grid& grid, int side, Page* page, int64_t* level, int64_t key, int64_t quantity) {
    level[0] += quantity;
    page->bits |= uint64_t{1} << (key & 63);
    if (key < grid.side[side].best) {
        accrue_spread(grid);
        set_best(grid.side[side], key, page);
    }
}

inline void level_shrink(Grid& grid, int side, Page* page, int64_t* level, int64_t key, int64_t quantity) {
    level[0] -= quantity;
    if (level[0] != 0) return;
    page->bits &= ~(uint64_t{1} << (key & 63));
    if (key == grid.side[side].best) {
        accrue_spread(grid);
        find_best(grid, grid.side[side]);
    }
}

// --- matching ---

// The best order of a level displays its next part, at the back of the queue. False: the level cannot hold it.
[[gnu::noinline]] bool refresh(Venue& venue, Queue& queue, int64_t* level, uint32_t index, Page* page, int slot) {
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
inline void exhaust(Venue& venue, Queue& queue, int64_t* level, uint32_t index, const Taking& taking, int64_t price) {
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
inline void take_level(Venue& venue, Grid& grid, int side, Taking& taking) {
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
inline void match(Venue& venue, Grid& grid, Taking& taking, int64_t limit) {
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
[[gnu::noinline]] bool fills(const Venue& venue, const Grid& grid, const Taking& taking, int64_t limit) {
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
inline bool rest(Venue& venue, Grid& grid, const Taking& taking, uint64_t at) {
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
inline bool settle(Venue& venue, Grid& grid, const Taking& taking, uint64_t at, bool rests, Kind kind) {
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
inline void work(Venue& venue, Grid& grid, Taking& taking, int64_t limit, uint64_t at, bool rests) {
    if (grid.side[1 - side_of(taking.about)].best <= limit) {
        match(venue, grid, taking, limit);
        if (taking.leaves == 0) return;
        at = order_find(*venue.orders, taking.about.order_id);
    }
    settle(venue, grid, taking, at, rests, Kind::ADD);
}

// --- requests ---

// The first eight bytes from `action` on: whether a request is a plain one, told in one comparison.
inline uint64_t facts_of(const OrderRecord& order) {
    uint64_t facts;
    __builtin_memcpy(&facts, &order.action, sizeof facts);
    return facts;
}
constexpr uint64_t PLAIN_BID = static_cast<uint64_t>(Action::NEW) | 1 << 8;
constexpr uint64_t PLAIN_ASK_MORE = 1 << 8;
constexpr uint64_t PLAIN_GTC_MORE = 1 << 24;
static_assert(offsetof(OrderRecord, action) == 48 && offsetof(OrderRecord, side) == 49 &&
              offsetof(OrderRecord, tif) == 51);

// The short way: a limit order that shows all of itself and rests at once, on a page there is. False: it is not that, and
// nothing was done.
template <bool publishes>
inline bool enter_plain(Venue& venue, const OrderRecord& order, uint64_t facts) {
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

[[gnu::noinline]] void enter(Venue& venue, const OrderRecord& order) {
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
inline void leave(Venue& venue, Grid& grid, uint64_t at) {
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
inline bool find(const Venue& venue, const OrderRecord& request, Found& found) {
    const Orders& orders = *venue.orders;
    found.at = order_find(orders, request.order_id);
    found.index = orders.table[found.at] - 1;
    if (found.index == UINT32_MAX || terms_of(venue, found.index).owner != request.owner) return false;
    found.page = page_of(orders.pool[found.index]);
    found.key = found.page->number * 64 + slot_of(orders.pool[found.index]);
    return true;
}

// Ends a live order without a trade.
inline void end(Venue& venue, const Found& found, ReportKind kind, Action action, int64_t ts) {
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

inline void cancel(Venue& venue, const OrderRecord& request) {
    Found found;
    if (!find(venue, request, found)) [[unlikely]] {
        return reject(venue, request, Reason::UNKNOWN_ORDER);
    }
    end(venue, found, ReportKind::CANCELLED, Action::CANCEL, request.ts);
}

// The short way. False: it is not that, and nothing was done.
template <bool publishes>
inline bool cancel_plain(Venue& venue, const OrderRecord& request) {
    Orders& orders = *venue.orders;
    const uint64_t at = order_find(orders, request.order_id);
    const uint32_t entry = orders.table[at];
    if (entry == 0 || venue.reports.at == venue.reports.end) return false;
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

// Less of the same keeps its place; what is hidden goes first.
void shrink(Venue& venue, Grid& grid, const Found& found, const Taking& taking) {
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
void relocate(Venue& venue, Grid& grid, const Found& found, Taking& taking) {
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

void replace(Venue& venue, const OrderRecord& request) {
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

// Any request.
[[gnu::noinline]] void apply_any(Venue& venue, const OrderRecord& order, bool clean) {
    if (!clean) {
        reject(venue, order, Reason::BAD_FLAGS);
    } else if (order.action == Action::NEW) {
        enter(venue, order);
    } else if (order.action == Action::CANCEL) {
        cancel(venue, order);
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
