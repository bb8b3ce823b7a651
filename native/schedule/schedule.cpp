#include "schedule/schedule.hpp"

namespace tf {
namespace {

using Wide = unsigned __int128;

// Cumulative lots to quantities; each keeps to least and most by itself.
void part_free(const ScheduleRequest& asked, Slice* out) {
    int64_t before = 0;
    for (int64_t k = 1; k < asked.slices; ++k) {
        const int64_t now = out[k].quantity;
        out[k - 1].quantity = (now - before) * asked.lot;
        before = now;
    }
    out[asked.slices - 1].quantity = (asked.lots - before) * asked.lot;
}

// The same where each must be brought into what least and most allow. What is left for later slices does not depend on
// the one before, so only two comparisons wait for it. `Count` holds slices x lots.
template <typename Count>
void part_bounded(const ScheduleRequest& asked, Slice* out) {
    const int64_t slices = asked.slices, least = asked.least;
    const Count lots = asked.lots, most = asked.most < asked.lots ? asked.most : asked.lots;
    Count low = lots - slices * most, high = lots - slices * Count{least};
    int64_t before = 0;
    for (int64_t k = 1; k < slices; ++k) {
        low += most;    // later slices can take no more than the rest
        high += least;  // nor less
        Count now = out[k].quantity;
        now = now < low ? low : now;
        now = now > high ? high : now;
        now = now < Count{before} + least ? Count{before} + least : now;
        now = now > before + most ? before + most : now;
        out[k - 1].quantity = (static_cast<int64_t>(now) - before) * asked.lot;
        before = static_cast<int64_t>(now);
    }
    out[slices - 1].quantity = (asked.lots - before) * asked.lot;
}

// Steps of the cumulative lots are within width / slices + 1 of an even slice.
bool keeps_bounds(const ScheduleRequest& asked, uint64_t width) {
    const int64_t even = asked.lots / asked.slices;
    const int64_t apart = static_cast<int64_t>(width / static_cast<uint64_t>(asked.slices)) + 2;
    return asked.least <= even - apart && even < asked.most - apart;
}

// Draws to cumulative lots, for numbers beyond what the kernel divides.
void aim(const ScheduleRequest& asked, uint64_t width, Slice* out) {
    const uint64_t slices = static_cast<uint64_t>(asked.slices);
    const Wide lots = static_cast<uint64_t>(asked.lots);
    for (uint64_t k = 1; k < slices; ++k) {
        const Wide part = (Wide{width} * static_cast<uint64_t>(out[k].quantity)) >> 32;
        const Wide line = 2 * (k * lots + part - width / 2) + slices;
        out[k].quantity = static_cast<int64_t>(line / (2 * slices));
    }
}

}  // namespace

void schedule(const ScheduleRequest& asked, Slice* out) {
    const Wide lots = static_cast<uint64_t>(asked.lots);
    const uint64_t slices = static_cast<uint64_t>(asked.slices);
    const auto width =
        static_cast<uint64_t>(lots * static_cast<uint64_t>(asked.size_jitter) / static_cast<uint64_t>(SIZE_JITTER_ONE));
    const bool small = 2 * (slices * lots + width) + slices < PLACED_BELOW;
    place_kernel().place(asked, width, small, out);
    if (!small) {
        aim(asked, width, out);
        part_bounded<__int128>(asked, out);
    } else if (keeps_bounds(asked, width)) {
        part_free(asked, out);
    } else {
        part_bounded<int64_t>(asked, out);
    }
}

}  // namespace tf

TF_DEFINE_TARGETS(PlaceKernel, place_kernel)
