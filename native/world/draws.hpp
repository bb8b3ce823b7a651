// Chance from a seed: the same integers as engine/sim/draws.py, bit for bit.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

#include "philox.hpp"

namespace tf::world {

class Draws {
  public:
    Draws(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

    // Uniform in [0, 2^64).
    uint64_t word() {
        if (left_ == 0) fill();
        return words_[--left_];  // a block is used from its end, as a Python list is popped
    }

    // Uniform in [0, bound).
    int64_t below(int64_t bound) {
        return static_cast<int64_t>(static_cast<unsigned __int128>(word()) * static_cast<uint64_t>(bound) >> 64);
    }

    // 0, 1, 2, ... with probabilities 1/2, 1/4, 1/8, ...
    int64_t geometric() { return std::countl_zero(word() | 1); }

    // A waiting time with mean `mean` > 0, exponential but for log2 being taken as linear between powers of two.
    int64_t waiting(int64_t mean) {
        const uint64_t drawn = word() | 1;
        const int zeros = std::countl_zero(drawn);
        const uint64_t fraction = (drawn << zeros & 0x7FFF'FFFF'FFFF'FFFFu) >> 31;
        const uint64_t length = (static_cast<uint64_t>(zeros) << 32) + (uint64_t{1} << 32) - fraction;
        return static_cast<int64_t>(
            static_cast<uint64_t>(static_cast<unsigned __int128>(length) * static_cast<uint64_t>(mean) >> 31) / 3 + 1);
    }

  private:
    static constexpr size_t BLOCK = 1'024;

    void fill() {
        for (size_t place = 0; place < BLOCK; place += 4) {
            const PhiloxBlock made = philox({++counter_, 0, 0, 0}, seed_, stream_);
            for (size_t word = 0; word < 4; ++word) words_[place + word] = made.word[word];
        }
        left_ = BLOCK;
    }

    uint64_t seed_, stream_;
    uint64_t counter_ = 0;
    size_t left_ = 0;
    uint64_t words_[BLOCK];
};

}  // namespace tf::world
