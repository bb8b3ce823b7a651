#include "latency.hpp"

#include <algorithm>

namespace tf {

void Histogram::record(const int64_t* ns, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        record(ns[i]);
    }
}

void Histogram::merge(const Histogram& other) {
    for (uint32_t i = 0; i < CELLS; ++i) {
        cells_[i] += other.cells_[i];
    }
    count_ += other.count_;
    negative_ += other.negative_;
    sum_ += other.sum_;
    least_ = std::min(least_, other.least_);
    most_ = std::max(most_, other.most_);
}

void Histogram::clear() { *this = Histogram(); }

double Histogram::mean() const { return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_); }

int64_t Histogram::middle(uint32_t cell) {
    if (cell < 2 * CELLS_PER_OCTAVE) {
        return cell;
    }
    const uint32_t octave = cell / CELLS_PER_OCTAVE - 1;
    const int64_t lowest = static_cast<int64_t>(cell - octave * CELLS_PER_OCTAVE) << octave;
    return lowest + (int64_t{1} << octave) / 2;
}

int64_t Histogram::quantile(double fraction) const {
    if (count_ == 0) {
        return 0;
    }
    const double exact = fraction * static_cast<double>(count_);
    uint64_t rank = exact <= 1.0 ? 1 : static_cast<uint64_t>(exact);
    rank += static_cast<double>(rank) < exact;
    rank = std::min(rank, count_);
    if (rank <= negative_) {
        return least_;
    }
    uint64_t seen = negative_;
    for (uint32_t i = 0; i < CELLS; ++i) {
        seen += cells_[i];
        if (seen >= rank) {
            return i == CELLS - 1 ? most_ : std::clamp(middle(i), least_, most_);
        }
    }
    return most_;
}

}  // namespace tf
