// What can be read off a book. Money is summed in integers; doubles appear in the last step only.
#include "book/book.hpp"
#include "book/orders.hpp"
#include "book/pages.hpp"

namespace tf {
namespace {

constexpr double UNIT = 1e9;

// Calls visit(page, slot, price) for the levels of a side, best first, until it returns false.
template <typename Visit>
void each_level(const Grid& grid, int side, Visit visit) {
    const Ladder& ladder = grid.side[side];
    for (uint32_t i = ladder.page_count; i-- > 0;) {
        const Page* page = ladder.pages[i];
        for (uint64_t bits = page->bits; bits != 0; bits &= bits - 1) {
            const int slot = std::countr_zero(bits);
            if (!visit(page, slot, price_of(grid, side, page->number * 64 + slot))) return;
        }
    }
}

__int128 sum_of(const Grid& grid, int side, size_t levels) {
    __int128 sum = 0;
    if (levels == 0) return 0;
    each_level(grid, side, [&](const Page* page, int slot, int64_t) {
        sum += level_of(grid, page, slot)[0];
        return --levels != 0;
    });
    return sum;
}

}  // namespace

Tops read_tops(const Grid* grid) {
    Tops tops = {__builtin_nan(""), 0.0, __builtin_nan(""), 0.0};
    const Ladder& bid = grid->side[0];
    const Ladder& ask = grid->side[1];
    if (bid.best != NO_KEY) {
        tops.bid = static_cast<double>(price_of(*grid, 0, bid.best)) / UNIT;
        tops.bid_quantity = static_cast<double>(level_of(*grid, bid.near[0], bid.best & 63)[0]) / UNIT;
    }
    if (ask.best != NO_KEY) {
        tops.ask = static_cast<double>(price_of(*grid, 1, ask.best)) / UNIT;
        tops.ask_quantity = static_cast<double>(level_of(*grid, ask.near[0], ask.best & 63)[0]) / UNIT;
    }
    return tops;
}

double read_mid(const Grid* grid) {
    if (grid->side[0].best == NO_KEY || grid->side[1].best == NO_KEY) return __builtin_nan("");
    const __int128 sum =
        static_cast<__int128>(price_of(*grid, 0, grid->side[0].best)) + price_of(*grid, 1, grid->side[1].best);
    return static_cast<double>(sum) / (2 * UNIT);
}

double read_spread(const Grid* grid) {
    if (grid->side[0].best == NO_KEY || grid->side[1].best == NO_KEY) return __builtin_nan("");
    const __int128 spread =
        static_cast<__int128>(price_of(*grid, 1, grid->side[1].best)) - price_of(*grid, 0, grid->side[0].best);
    return static_cast<double>(spread) / UNIT;
}

double read_imbalance(const Grid* grid, size_t levels) {
    const __int128 bid = sum_of(*grid, 0, levels);
    const __int128 ask = sum_of(*grid, 1, levels);
    if (bid + ask == 0) return __builtin_nan("");
    return (static_cast<double>(bid) - static_cast<double>(ask)) /
           (static_cast<double>(bid) + static_cast<double>(ask));
}

double read_total(const Grid* grid, int side, size_t levels) {
    return static_cast<double>(sum_of(*grid, side, levels == 0 ? SIZE_MAX : levels)) / UNIT;
}

WalkResult read_walk(const Grid* grid, int side, int64_t quantity) {
    WalkResult walk = {__builtin_nan(""), __builtin_nan(""), 0, quantity};
    __int128 notional = 0;
    if (quantity <= 0) return walk;
    each_level(*grid, side, [&](const Page* page, int slot, int64_t price) {
        const int64_t there = level_of(*grid, page, slot)[0];
        const int64_t taken = there < walk.remaining ? there : walk.remaining;
        notional += static_cast<__int128>(price) * taken;
        walk.quantity += taken;
        walk.remaining -= taken;
        walk.worst = static_cast<double>(price) / UNIT;
        return walk.remaining != 0;
    });
    if (walk.quantity != 0) walk.price = static_cast<double>(notional) / static_cast<double>(walk.quantity) / UNIT;
    return walk;
}

double read_time_weighted_spread(const Grid* grid) {
    Grid now = *grid;  // the interval that still stands is added to a copy
    accrue_spread(now);
    if (now.spread_duration == 0) return __builtin_nan("");
    return static_cast<double>(now.spread_sum) / static_cast<double>(now.spread_duration) / UNIT;
}

bool read_queue_position(const Grid* grid, uint64_t id, uint64_t* ahead, int64_t* quantity) {
    const Orders& orders = *grid->orders;
    const uint64_t at = order_find(orders, id);
    if (orders.table[at] == 0) return false;
    const Order* order = &orders.pool[orders.table[at] - 1];
    if (page_of(*order)->instrument != grid->instrument) return false;
    *quantity = queue_of(level_of(*grid, page_of(*order), slot_of(*order))).anonymous;
    *ahead = 0;
    while (order->previous != NO_ORDER) {
        order = &orders.pool[order->previous];
        *quantity += order->quantity;
        ++*ahead;
    }
    return true;
}

void read_rows(const Grid* grid, int side, size_t n, double* quantities) {
    const size_t rows = grid->rows;
    for (size_t i = 0; i < n * rows; ++i) quantities[i] = 0.0;
    if (n == 0) return;
    each_level(*grid, side, [&](const Page* page, int slot, int64_t) {
        for (uint32_t row = 0; row < rows; ++row) {
            if (grid->live >> row & 1) {
                quantities[row] = static_cast<double>(level_of(*grid, page, slot)[1 + row]) / UNIT;
            }
        }
        quantities += rows;
        return --n != 0;
    });
}

size_t read_levels(const Grid* grid, int side, size_t n, Standing* out) {
    size_t filled = 0;
    if (n == 0) return 0;
    each_level(*grid, side, [&](const Page* page, int slot, int64_t price) {
        out[filled++] = {price, level_of(*grid, page, slot)[0]};
        return filled != n;
    });
    return filled;
}

void read_row_depth(const Grid* grid, uint32_t row, size_t n, DepthRow* out) {
    for (int side = 0; side < 2; ++side) {
        const Ladder& ladder = grid->side[side];
        size_t filled = 0;
        for (uint32_t i = ladder.page_count; i-- > 0 && filled < n;) {
            const Page* page = ladder.pages[i];
            for (int slot = 0; slot < 64 && filled < n; ++slot) {
                const int64_t quantity = level_of(*grid, page, slot)[1 + row];
                if (quantity == 0) continue;
                out[filled++].side[side] = {
                    static_cast<double>(price_of(*grid, side, page->number * 64 + slot)) / UNIT,
                    static_cast<double>(quantity) / UNIT,
                    0,
                };
            }
        }
        for (; filled < n; ++filled) out[filled].side[side] = NO_LEVEL;
    }
}

}  // namespace tf
