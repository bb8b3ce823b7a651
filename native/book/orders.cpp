#include "book/orders.hpp"

#include <cstdlib>
#include <cstring>

namespace tf {
namespace {

constexpr uint32_t FIRST_ORDERS = 64;

// A quarter of the table's places at most are taken: short chains are guessed right by the processor.
void open_table(Orders& orders, uint32_t capacity) {
    const uint64_t places = uint64_t{capacity} * 4;
    orders.table = static_cast<uint32_t*>(std::calloc(places, sizeof(uint32_t)));
    const size_t stride = orders.stride;
    auto* pool = static_cast<Order*>(std::aligned_alloc(64, capacity * stride * sizeof(Order)));
    if (orders.table == nullptr || pool == nullptr) std::abort();
    if (orders.pool != nullptr) std::memcpy(pool, orders.pool, orders.capacity * stride * sizeof(Order));
    std::free(orders.pool);
    orders.pool = pool;
    orders.mask = places - 1;
    orders.shift = 64 - static_cast<uint32_t>(std::countr_zero(places));
    for (uint32_t i = orders.capacity; i < capacity; ++i) {
        pool[i * stride].next = i + 1 < capacity ? static_cast<uint32_t>((i + 1) * stride) : NO_ORDER;
    }
    orders.first_free = static_cast<uint32_t>(orders.capacity * stride);
    orders.capacity = capacity;
}

}  // namespace

Orders* orders_create(uint32_t stride) {
    auto* orders = static_cast<Orders*>(std::calloc(1, sizeof(Orders)));
    if (orders == nullptr) std::abort();
    orders->stride = stride;
    open_table(*orders, FIRST_ORDERS);
    return orders;
}

void orders_destroy(Orders* orders) {
    if (orders == nullptr) return;
    std::free(orders->table);
    std::free(orders->pool);
    std::free(orders);
}

void orders_grow(Orders& orders) {
    uint32_t* const old = orders.table;
    const uint64_t places = orders.mask + 1;
    open_table(orders, orders.capacity * 2);
    for (uint64_t i = 0; i < places; ++i) {
        if (old[i] == 0) continue;
        uint64_t to = order_hash(orders, orders.pool[old[i] - 1].id);
        while (orders.table[to] != 0) to = (to + 1) & orders.mask;
        orders.table[to] = old[i];
    }
    std::free(old);
}

size_t orders_memory(const Orders* orders) {
    if (orders == nullptr) return 0;
    return sizeof(Orders) + (orders->mask + 1) * sizeof(uint32_t) + orders->capacity * orders->stride * sizeof(Order);
}

void orders_drop(Orders& orders, Queue& queue) {
    for (uint32_t index = queue.count == 0 ? NO_ORDER : queue.head; index != NO_ORDER;) {
        const uint32_t next = orders.pool[index].next;
        order_forget(orders, order_find(orders, orders.pool[index].id));
        index = next;
    }
    queue = {};
}

void orders_move(Orders& orders, const Queue& queue, Page* page, int slot) {
    for (uint32_t index = queue.count == 0 ? NO_ORDER : queue.head; index != NO_ORDER;) {
        orders.pool[index].place = reinterpret_cast<uint64_t>(page) | static_cast<uint64_t>(slot);
        index = orders.pool[index].next;
    }
}

}  // namespace tf
