#include "decode/lines.hpp"

namespace tf::decode {

bool report_number(Context& context, Protocol protocol, const uint8_t* at, uint64_t number) {
    return report(context, protocol, at, 0, "first message number is %llu; expected one within %lld of the line's",
                  static_cast<int64_t>(number), static_cast<int64_t>(JUMP_MAX));
}

// Whether a time lies so far behind another that a numbering may begin anew; times of garbage are anything.
static bool later(int64_t time, int64_t than) {
    return time > than && static_cast<uint64_t>(time) - static_cast<uint64_t>(than) > uint64_t{RESTART_NS};
}

uint64_t Lines::arrive(Counts& counts, LineKey key, uint64_t first, uint64_t count, int64_t time, bool at_start) {
    if (count > UINT64_MAX - first) return NOT_OF_LINE;
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
            lines_[i] = Line{key, first, time, 0};
        }
        recent_ = i;
    }
    Line& line = lines_[recent_];
    if (at_start && first < line.next && later(time, line.time)) {
        ++counts.gaps;
        ++counts.restarts;
        line.next = first;
    } else if ((first > line.next ? first - line.next : line.next - first) > JUMP_MAX) {
        if (first != line.other || count == 0) {
            line.other = first + count;
            return NOT_OF_LINE;
        }
        ++counts.gaps;
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
