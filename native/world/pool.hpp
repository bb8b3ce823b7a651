// The live orders of the agents of one symbol: drawn from by place, found by id.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tf::world {

struct Resting {
    uint64_t order_id;
    int64_t price;  // counts of 1e-9, as all of these
    int64_t leaves;
    int64_t cumulative;
    uint8_t side;
};

class Pool {
  public:
    size_t size() const { return orders_.size(); }
    const Resting& operator[](size_t place) const { return orders_[place]; }

    // Null where there is none; valid until the pool changes.
    Resting* find(uint64_t order_id) {
        const uint32_t place = table_[seek(order_id)];
        return place == 0 ? nullptr : &orders_[place - 1];
    }

    void add(const Resting& order) {
        if ((orders_.size() + 1) * 4 > table_.size()) grow();
        orders_.push_back(order);
        table_[seek(order.order_id)] = static_cast<uint32_t>(orders_.size());
    }

    // The last order takes the place of the one that leaves.
    void remove(uint64_t order_id) {
        const size_t hole = seek(order_id);
        const uint32_t place = table_[hole];
        if (place == 0) return;
        table_[seek(orders_.back().order_id)] = place;
        orders_[place - 1] = orders_.back();
        close(hole);
        orders_.pop_back();
    }

  private:
    // Where the table names the order, or where it could.
    size_t seek(uint64_t order_id) const {
        size_t at = home(order_id);
        while (table_[at] != 0 && orders_[table_[at] - 1].order_id != order_id) at = (at + 1) & (table_.size() - 1);
        return at;
    }

    size_t home(uint64_t order_id) const {
        return static_cast<size_t>(order_id * 0x9E3779B97F4A7C15u >> 32) & (table_.size() - 1);
    }

    void close(size_t hole) {
        table_[hole] = 0;
        const size_t mask = table_.size() - 1;
        for (size_t at = (hole + 1) & mask; table_[at] != 0; at = (at + 1) & mask) {
            const size_t wanted = home(orders_[table_[at] - 1].order_id);
            if (((at - wanted) & mask) < ((at - hole) & mask)) continue;
            table_[hole] = table_[at];
            table_[at] = 0;
            hole = at;
        }
    }

    void grow() {
        table_.assign(table_.size() * 2, 0);
        for (size_t place = 0; place < orders_.size(); ++place) {
            table_[seek(orders_[place].order_id)] = static_cast<uint32_t>(place + 1);
        }
    }

    std::vector<Resting> orders_;
    std::vector<uint32_t> table_ = std::vector<uint32_t>(4'096);  // place + 1, 0 free
};

}  // namespace tf::world
