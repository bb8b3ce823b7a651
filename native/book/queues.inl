// Order by order: part of apply.simd.cpp.

// Takes an order out of its queue and off its level's total.
static inline bool order_remove(Grid& grid, uint64_t at) {
    Orders& orders = *grid.orders;
    const Order order = orders.pool[orders.table[at] - 1];
    Page* page = page_of(order);
    const int slot = slot_of(order);
    const auto side = static_cast<int>(page->side);
    int64_t* level = level_of(grid, page, slot);
    queue_unlink(orders, queue_of(level), order);
    order_forget(orders, at);
    return settle<Form::QUEUES>(grid, side, page, level, page->number * 64 + slot, level[0] - order.quantity);
}

// Puts an order at the back of a level; the level's new total was checked.
static inline bool order_place(Grid& grid, int side, Page* page, int64_t key, uint64_t id, int64_t quantity) {
    Orders& orders = *grid.orders;
    if (orders.first_free == NO_ORDER) [[unlikely]] {
        orders_grow(orders);
    }
    const uint32_t index = order_add(orders, order_find(orders, id), id, quantity);
    const int slot = static_cast<int>(key & 63);
    int64_t* level = level_of(grid, page, slot);
    queue_append(orders, queue_of(level), index, page, slot);
    return settle<Form::QUEUES>(grid, side, page, level, key, level[0] + quantity);
}

static inline bool out_of_range(Grid& grid) {
    ++grid.counts[COUNT_OUT_OF_RANGE];
    return false;
}

// An ADD without a side stands right behind the DELETE of the order it replaces (ITCH U) and takes that order's side.
static inline bool apply_add(Grid& grid, const Event& event, uint8_t orphaned) {
    const uint32_t side = (event.side != Side::NONE ? static_cast<uint32_t>(event.side) : orphaned) - 1u;
    if (side > 1) [[unlikely]] {
        ++grid.counts[COUNT_WRONG_SIDE];
        return false;
    }
    if (out_of_bounds(event.price)) [[unlikely]] {
        return out_of_range(grid);
    }
    if (event.quantity == 0) [[unlikely]] {
        ++grid.counts[COUNT_ZERO_QUANTITY];
        return false;
    }
    if (grid.orders->table[order_find(*grid.orders, event.order_id)] != 0) [[unlikely]] {
        ++grid.counts[COUNT_DUPLICATE_ORDER];
        return false;
    }
    const Where at = where(grid, static_cast<int>(side), event.price);
    if (!at.valid) [[unlikely]] {
        return false;
    }
    Page* page = page_find(grid.side[side], at.key >> 6);
    int64_t total = 0;
    if (page == nullptr) [[unlikely]] {
        page = page_insert(&grid, static_cast<int>(side), at.key >> 6);
    } else if (__builtin_add_overflow(level_of(grid, page, at.key & 63)[0], event.quantity, &total)) [[unlikely]] {
        return out_of_range(grid);
    }
    return order_place(grid, static_cast<int>(side), page, at.key, event.order_id, event.quantity);
}

// An order nobody announced: it is older than the stream, so the level's anonymous quantity pays.
static bool reduce_anonymous(Grid& grid, const Event& event) {
    ++grid.counts[COUNT_UNKNOWN_ORDER];
    const uint32_t side = static_cast<uint32_t>(event.side) - 1;
    if (side > 1) return false;
    const uint64_t value = grid_value(grid, event.price);
    if (value > grid_bound(grid)) return false;
    const int64_t key =
        static_cast<int64_t>(value - static_cast<uint64_t>(grid.limit)) ^ mirror(static_cast<int>(side));
    Page* page = page_find(grid.side[side], key >> 6);
    if (page == nullptr) return false;
    int64_t* level = level_of(grid, page, key & 63);
    Queue& queue = queue_of(level);
    const int64_t taken = event.quantity < queue.anonymous ? event.quantity : queue.anonymous;
    queue.anonymous -= taken;
    return settle<Form::QUEUES>(grid, static_cast<int>(side), page, level, key, level[0] - taken);
}

// The id tells which order is meant; a side that contradicts it is counted.
static inline void check_side(Grid& grid, const Event& event, const Order& order) {
    const bool other = event.side != Side::NONE && static_cast<uint64_t>(event.side) != page_of(order)->side + 1;
    grid.counts[COUNT_WRONG_SIDE] += other;
}

static inline bool apply_reduce(Grid& grid, const Event& event) {
    Orders& orders = *grid.orders;
    const uint64_t at = order_find(orders, event.order_id);
    if (orders.table[at] == 0) [[unlikely]] {
        return reduce_anonymous(grid, event);
    }
    Order& order = orders.pool[orders.table[at] - 1];
    check_side(grid, event, order);
    if (event.quantity >= order.quantity) {
        grid.counts[COUNT_OVER_REDUCED] += event.quantity > order.quantity;
        return order_remove(grid, at);
    }
    order.quantity -= event.quantity;
    Page* page = page_of(order);
    const int slot = slot_of(order);
    int64_t* level = level_of(grid, page, slot);
    return settle<Form::QUEUES>(grid, static_cast<int>(page->side), page, level, page->number * 64 + slot,
                                level[0] - event.quantity);
}

static inline bool apply_delete(Grid& grid, const Event& event) {
    Orders& orders = *grid.orders;
    const uint64_t at = order_find(orders, event.order_id);
    if (orders.table[at] == 0) [[unlikely]] {
        return reduce_anonymous(grid, event);
    }
    const Order& order = orders.pool[orders.table[at] - 1];
    const int64_t quantity = order.quantity;
    check_side(grid, event, order);
    grid.orphaned = static_cast<uint8_t>(page_of(order)->side + 1);
    grid.counts[COUNT_QUANTITY_MISMATCH] += event.quantity > 0 && event.quantity != quantity;
    return order_remove(grid, at);
}

static bool apply_replace(Grid& grid, const Event& event) {
    Orders& orders = *grid.orders;
    if (out_of_bounds(event.price)) return out_of_range(grid);
    const uint64_t at = order_find(orders, event.order_id);
    if (orders.table[at] == 0) {
        ++grid.counts[COUNT_UNKNOWN_ORDER];
        return false;
    }
    const uint32_t index = orders.table[at] - 1;
    check_side(grid, event, orders.pool[index]);
    if (event.quantity == 0) return order_remove(grid, at);
    const auto side = static_cast<int>(page_of(orders.pool[index])->side);
    const Where to = where(grid, side, event.price);
    if (!to.valid) return false;
    Order& order = orders.pool[index];  // refining the tick may have moved its level
    Page* page = page_of(order);
    const int slot = slot_of(order);
    int64_t total = 0;
    if (page->number * 64 + slot == to.key) {
        int64_t* level = level_of(grid, page, slot);
        if (__builtin_add_overflow(level[0] - order.quantity, event.quantity, &total)) return out_of_range(grid);
        order.quantity = event.quantity;
        if ((event.flags & KEEP_PRIORITY) == 0) {
            queue_unlink(orders, queue_of(level), order);
            queue_append(orders, queue_of(level), index, page, slot);
        }
        return settle<Form::QUEUES>(grid, side, page, level, to.key, total);
    }
    Page* target = page_find(grid.side[side], to.key >> 6);
    if (target != nullptr && __builtin_add_overflow(level_of(grid, target, to.key & 63)[0], event.quantity, &total)) {
        return out_of_range(grid);
    }
    bool changed = order_remove(grid, at);
    target = page_find(grid.side[side], to.key >> 6);  // removing may have given an empty page back
    if (target == nullptr) target = page_insert(&grid, side, to.key >> 6);
    changed |= order_place(grid, side, target, to.key, event.order_id, event.quantity);
    return changed;
}

static bool set_anonymous(Grid& grid, const Event& event) {
    const uint32_t side = static_cast<uint32_t>(event.side) - 1;
    if (side > 1) {
        ++grid.counts[COUNT_WRONG_SIDE];
        return false;
    }
    const Where at = where(grid, static_cast<int>(side), event.price);
    if (!at.valid) return false;
    Page* page = page_find(grid.side[side], at.key >> 6);
    if (page == nullptr) {
        if (event.quantity == 0) return false;
        page = page_insert(&grid, static_cast<int>(side), at.key >> 6);
    }
    int64_t* level = level_of(grid, page, at.key & 63);
    Queue& queue = queue_of(level);
    int64_t now = 0;
    if (__builtin_add_overflow(level[0] - queue.anonymous, event.quantity, &now)) return out_of_range(grid);
    queue.anonymous = event.quantity;
    return settle<Form::QUEUES>(grid, static_cast<int>(side), page, level, at.key, now);
}

static inline bool apply_order(Grid& grid, const Event& event) {
    const uint8_t orphaned = grid.orphaned;
    grid.orphaned = 0;
    if (event.reserved != 0) [[unlikely]] {
        return apply_other(grid, event, 0);
    }
    switch (event.kind) {
        case Kind::ADD:
        case Kind::REDUCE:
        case Kind::EXECUTE:
        case Kind::DELETE:
        case Kind::REPLACE:
        case Kind::LEVEL:
            break;
        default:
            return apply_other(grid, event, 0);
    }
    if (event.quantity < 0) [[unlikely]] {
        ++grid.counts[COUNT_NEGATIVE_QUANTITY];
        return false;
    }
    switch (event.kind) {
        case Kind::ADD:
            return apply_add(grid, event, orphaned);
        case Kind::REDUCE:
        case Kind::EXECUTE:
            return apply_reduce(grid, event);
        case Kind::DELETE:
            return apply_delete(grid, event);
        case Kind::REPLACE:
            return apply_replace(grid, event);
        default:
            return set_anonymous(grid, event);
    }
}
