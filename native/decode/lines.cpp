#include "decode/lines.hpp"

namespace tf::decode {

uint64_t Lines::arrive(Counts& counts, LineKey key, uint64_t first, uint64_t count, int64_t time, bool at_start) {
    const auto is = [&](size_t i) { return lines_[i].key.high == key.high && lines_[i].key.low == key.low; };
    if (used_ == 0 || !is(recent_)) {
        size_t i = 0;
        while (i < used_ && !is(i)) ++i;
        if (i == used_) {
            if (used_ < LINES_MAX) {
                ++used_;
            } else {
                i = oldest_;
                oldest_ = (oldest_ + 1) % LINES_MAX;
            }
            lines_[i] = Line{key, first, time};
        }
        recent_ = i;
    }
    Line& line = lines_[recent_];
    if (at_start && first < line.next && time - line.time > RESTART_NS) {
        ++counts.gaps;
        ++counts.restarts;
        line.next = first;
    } else if (first > line.next) {
        ++counts.gaps;
        counts.missing += first - line.next;
        line.next = first;
    }
    if (time > line.time) line.time = time;
    const uint64_t behind = line.next - first;
    const uint64_t seen = behind < count ? behind : count;
    counts.duplicates += seen;
    line.next += count - seen;
    return seen;
}

}  // namespace tf::decode
