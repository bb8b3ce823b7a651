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

// The same where each must be brought into what least and most allow.
void part_bounded(const ScheduleRequest& asked, Slice* out) {
    const int64_t lots = asked.lots, slices = asked.slices, least = asked.least;
    const int64_t most = asked.most < lots ? asked.most : lots;
    int64_t before = 0;
    int64_t leave = lots - slices * least;                 // what later slices need at least stays for them
    __int128 room = static_cast<__int128>(slices) * most;  // what they can take at most
    for (int64_t k = 1; k < slices; ++k) {
        leave += least;
        room -= most;
        const int64_t low = room < lots - before - least ? static_cast<int64_t>(lots - room) : before + least;
        const int64_t high = most < leave - before ? before + most : leave;
        int64_t now = out[k].quantity;
        now = now < low ? low : now;
        now = now > high ? high : now;
        out[k - 1].quantity = (now - before) * asked.lot;
        before = now;
    }
    out[slices - 1].quantity = (lots - before) * asked.lot;
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
    if (!small) aim(asked, width, out);
    keeps_bounds(asked, width) ? part_free(asked, out) : part_bounded(asked, out);
}

}  // namespace tf

TF_DEFINE_TARGETS(PlaceKernel, place_kernel)
