// Latencies in fixed memory: a log-linear histogram, as in HdrHistogram, and the least delays of a line.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tf {

// Counts of nanoseconds. 0 to 63 have a cell each; above, every power of two is cut into 64 cells of equal width, so a
// cell is at most 1/64 of its lowest value wide and its middle is at most 1/128 off. Least, most, sum and count are
// exact. Negative values (the sender's clock is ahead) are counted, enter least and sum, and stand before all others.
class Histogram {
  public:
    static constexpr uint32_t CELLS_PER_OCTAVE = 64;
    static constexpr uint32_t OCTAVES =
        36;  // above the first 64 cells: to 2^42 ns, 73 minutes; longer ones count there
    static constexpr uint32_t CELLS = CELLS_PER_OCTAVE * (OCTAVES + 1);

    void record(int64_t ns) {
        ++count_;
        sum_ += ns;
        least_ = ns < least_ ? ns : least_;
        most_ = ns > most_ ? ns : most_;
        if (ns < 0) {
            ++negative_;
        } else {
            ++cells_[cell(static_cast<uint64_t>(ns))];
        }
    }
    void record(const int64_t* ns, size_t n);
    void merge(const Histogram& other);
    void clear();

    uint64_t count() const { return count_; }
    uint64_t negative() const { return negative_; }
    int64_t least() const { return least_; }  // INT64_MAX while empty
    int64_t most() const { return most_; }    // INT64_MIN while empty
    double mean() const;                      // 0 while empty
    // The value below or at which `fraction` of all values lie (nearest rank), 1/128 off at most; 0 while empty.
    int64_t quantile(double fraction) const;

    static uint32_t cell(uint64_t ns) {
        if (ns < CELLS_PER_OCTAVE) {
            return static_cast<uint32_t>(ns);
        }
        const uint32_t octave = static_cast<uint32_t>(std::bit_width(ns)) - 7;  // 0: 64 to 127
        if (octave >= OCTAVES) {
            return CELLS - 1;
        }
        return octave * CELLS_PER_OCTAVE + static_cast<uint32_t>(ns >> octave);
    }
    static int64_t middle(uint32_t cell);

  private:
    uint64_t cells_[CELLS] = {};
    uint64_t count_ = 0;
    uint64_t negative_ = 0;
    __int128 sum_ = 0;
    int64_t least_ = INT64_MAX;
    int64_t most_ = INT64_MIN;
};

// The least one-way delay and the least round trip of the last one to two windows, so that drift shows.
class Delays {
  public:
    static constexpr int64_t WINDOW = 60'000'000'000;  // ns
    static constexpr int64_t NONE = INT64_MAX;

    void delay(int64_t ns, int64_t now) {
        turn(now);
        delay_[0] = std::min(delay_[0], ns);
    }
    void round_trip(int64_t ns, int64_t now) {
        turn(now);
        if (ns >= 0) trip_[0] = std::min(trip_[0], ns);
    }
    int64_t least_delay() const { return std::min(delay_[0], delay_[1]); }  // NONE before the first
    int64_t least_trip() const { return std::min(trip_[0], trip_[1]); }

  private:
    void turn(int64_t now) {
        if (now - since_ < WINDOW) return;
        since_ = now;
        for (int64_t* const least : {delay_, trip_}) {
            if (least[0] != NONE) {  // a window without values keeps what the last one knew
                least[1] = least[0];
                least[0] = NONE;
            }
        }
    }

    int64_t since_ = 0;
    int64_t delay_[2] = {NONE, NONE};  // of this window and the one before
    int64_t trip_[2] = {NONE, NONE};
};

}  // namespace tf
