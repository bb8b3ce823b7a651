// Numbered lines: what message comes next, per key. Gaps, and messages seen before.
#pragma once
#include <cstddef>
#include <cstdint>

#include "decode/context.hpp"

namespace tf::decode {

inline constexpr int64_t RESTART_NS = 1'000'000'000;  // copies on other lines are sent well within it
inline constexpr size_t LINES_MAX = 64;               // beyond it the line named longest ago is forgotten

struct LineKey {
    uint64_t high;
    uint64_t low;
};

// The next message number of each line, by (protocol, channel, session) of IEX-TP or session of MoldUDP64.
class Lines {
  public:
    // Takes note of messages first, first + 1, ... `count` of them, and counts gaps. Returns how many at the front
    // have been seen before. The first packet of a line opens it at any number.
    // `time` is the sender's. A packet `at_start` of its stream that was sent RESTART_NS after the newest one is no late
    // copy: the venue numbers from the start again, which is a gap of unknown size.
    uint64_t arrive(Counts& counts, LineKey key, uint64_t first, uint64_t count, int64_t time = 0,
                    bool at_start = false);

  private:
    struct Line {
        LineKey key;
        uint64_t next;
        int64_t time;  // the newest packet's
    };

    Line lines_[LINES_MAX] = {};
    size_t used_ = 0;
    size_t oldest_ = 0;
    size_t recent_ = 0;
};

}  // namespace tf::decode
