#include "schedule/schedule.hpp"

#include <bit>

TF_DEFINE_TARGETS(TimesKernel, times_kernel)

namespace tf {
namespace {

using Wide = unsigned __int128;

// floor(width x draw / 2^32); the width is at most 2^63.
inline uint64_t part(uint64_t width, uint64_t draw) {
    return (width >> 32) * draw + (((width & 0xFFFFFFFF) * draw) >> 32);
}

// Division by a number that stays: floor(n / divisor) for n < 2^63 is a multiplication (Granlund and Montgomery, PLDI
// 1994): with 2^(s-1) < divisor <= 2^s and m = floor(2^(63+s) / divisor) + 1, the error m x divisor - 2^(63+s) is at
// most 2^s, and n < 2^63 keeps its share below one.
class Divisor {
  public:
    explicit Divisor(uint64_t divisor) : shift_(static_cast<int>(std::bit_width(divisor - 1)) - 1) {
        multiplier_ = static_cast<uint64_t>((Wide{1} << (64 + shift_)) / divisor + 1);
    }
    uint64_t divide(uint64_t n) const { return static_cast<uint64_t>((Wide{n} * multiplier_) >> 64) >> shift_; }

  private:
    int shift_;  // s - 1: the divisor is at least 2
    uint64_t multiplier_;
};

// Quantities of cumulative lots target(k, draw), 0 < k < slices, which keep to least and most by themselves.
template <typename Target>
void place_quantities(const ScheduleRequest& asked, Target target, Slice* out) {
    int64_t before = 0;
    for (int64_t k = 1; k < asked.slices; ++k) {
        const int64_t now = target(k, static_cast<uint64_t>(out[k].quantity));
        out[k - 1].quantity = (now - before) * asked.lot;
        before = now;
    }
    out[asked.slices - 1].quantity = (asked.lots - before) * asked.lot;
}

// The same where each must be brought into what least and most allow.
template <typename Target>
void place_bounded(const ScheduleRequest& asked, Target target, Slice* out) {
    const int64_t lots = asked.lots, slices = asked.slices, least = asked.least, most = asked.most;
    int64_t before = 0;
    int64_t leave = lots - slices * least;                 // what later slices need at least stays for them
    __int128 room = static_cast<__int128>(slices) * most;  // what they can take at most; may be far beyond int64
    for (int64_t k = 1; k < slices; ++k) {
        leave += least;
        room -= most;
        const int64_t low = room < lots - before - least ? static_cast<int64_t>(lots - room) : before + least;
        const int64_t high = most < leave - before ? before + most : leave;
        int64_t now = target(k, static_cast<uint64_t>(out[k].quantity));
        now = now < low ? low : now;
        now = now > high ? high : now;
        out[k - 1].quantity = (now - before) * asked.lot;
        before = now;
    }
    out[slices - 1].quantity = (lots - before) * asked.lot;
}

// Steps of the targets are within width / slices + 1 of an even slice.
bool keeps_bounds(const ScheduleRequest& asked, uint64_t width) {
    const int64_t even = asked.lots / asked.slices, apart = static_cast<int64_t>(width / asked.slices) + 2;
    return asked.least <= even - apart && even < asked.most - apart;
}

}  // namespace

void schedule(const ScheduleRequest& asked, Slice* out) {
    times_kernel().place(asked, out);
    const uint64_t lots = static_cast<uint64_t>(asked.lots), slices = static_cast<uint64_t>(asked.slices);
    const uint64_t width = static_cast<uint64_t>(Wide{lots} * static_cast<uint64_t>(asked.size_jitter) /
                                                 static_cast<uint64_t>(SIZE_JITTER_ONE));
    const uint64_t centre = width / 2;
    if (Wide{2 * slices + 2} * (lots + 1) < Wide{1} << 63) {
        const Divisor by(2 * slices);
        const uint64_t origin = slices - 2 * centre;
        const auto target = [=](uint64_t k, uint64_t draw) {
            return static_cast<int64_t>(by.divide(2 * (k * lots + part(width, draw)) + origin));
        };
        keeps_bounds(asked, width) ? place_quantities(asked, target, out) : place_bounded(asked, target, out);
    } else {
        const auto target = [=](uint64_t k, uint64_t draw) {
            const Wide done = Wide{k} * lots + part(width, draw) - centre;
            return static_cast<int64_t>((2 * done + slices) / (2 * slices));
        };
        place_bounded(asked, target, out);
    }
}

}  // namespace tf
