// Orders by id, and the queues they stand in.
#pragma once
#include <bit>

#include "book/layout.hpp"

namespace tf {

// --- cold, in orders.cpp ---
Orders* orders_create(uint32_t stride = 1);
void orders_destroy(Orders* orders);
void orders_grow(Orders& orders);
size_t orders_memory(const Orders* orders);
void orders_drop(Orders& orders, Queue& queue);                              // forgets a level's orders and quantity
void orders_move(Orders& orders, const Queue& queue, Page* page, int slot);  // the level lies elsewhere now

// --- hot ---
static inline uint64_t order_hash(const Orders& orders, uint64_t id) {
    return (id * 0x9E3779B97F4A7C15u) >> orders.shift;
}

// Place in the table of an id, or of the free place where it belongs.
static inline uint64_t order_find(const Orders& orders, uint64_t id) {
    uint64_t i = order_hash(orders, id);
    while (orders.table[i] != 0 && orders.pool[orders.table[i] - 1].id != id) i = (i + 1) & orders.mask;
    return i;
}

// Two looks ahead at the order of a later event: its place in the table, and then the order itself.
static inline void prefetch_place(const Orders& orders, uint64_t id) {
    __builtin_prefetch(orders.table + order_hash(orders, id));
}
static inline void prefetch_order(const Orders& orders, uint64_t id) {
    const uint32_t index = orders.table[order_hash(orders, id)];
    if (index != 0) __builtin_prefetch(orders.pool + (index - 1));
}

static inline void order_forget(Orders& orders, uint64_t hole) {
    const uint32_t index = orders.table[hole] - 1;
    orders.pool[index].next = orders.first_free;
    orders.first_free = index;
    for (uint64_t i = hole;;) {
        i = (i + 1) & orders.mask;
        if (orders.table[i] == 0) break;
        const uint64_t home = order_hash(orders, orders.pool[orders.table[i] - 1].id);
        if (((i - home) & orders.mask) >= ((i - hole) & orders.mask)) {
            orders.table[hole] = orders.table[i];
            hole = i;
        }
    }
    orders.table[hole] = 0;
}

static inline uint32_t order_add(Orders& orders, uint64_t at, uint64_t id, int64_t quantity) {
    const uint32_t index = orders.first_free;
    Order& order = orders.pool[index];
    orders.first_free = order.next;
    order.id = id;
    order.quantity = quantity;
    orders.table[at] = index + 1;
    return index;
}

static inline Page* page_of(const Order& order) { return reinterpret_cast<Page*>(order.place & ~uint64_t{63}); }
static inline int slot_of(const Order& order) { return static_cast<int>(order.place & 63); }

static inline void queue_append(Orders& orders, Queue& queue, uint32_t index, Page* page, int slot) {
    Order& order = orders.pool[index];
    order.place = reinterpret_cast<uint64_t>(page) | static_cast<uint64_t>(slot);
    order.next = NO_ORDER;
    if (queue.count == 0) {
        order.previous = NO_ORDER;
        queue.head = index;
    } else {
        order.previous = queue.tail;
        orders.pool[queue.tail].next = index;
    }
    queue.tail = index;
    ++queue.count;
}

static inline void queue_unlink(Orders& orders, Queue& queue, const Order& order) {
    if (order.previous == NO_ORDER) {
        queue.head = order.next;
    } else {
        orders.pool[order.previous].next = order.next;
    }
    if (order.next == NO_ORDER) {
        queue.tail = order.previous;
    } else {
        orders.pool[order.next].previous = order.previous;
    }
    --queue.count;
}

}  // namespace tf
