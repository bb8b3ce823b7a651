// Numbered lines: what message comes next, per key. Gaps, and messages seen before.
#pragma once
#include <cstddef>
#include <cstdint>

#include "decode/context.hpp"

namespace tf::decode {

inline constexpr int64_t RESTART_NS = 1'000'000'000;     // copies on other lines are sent well within it
inline constexpr size_t LINES_MAX = 64;                  // beyond it the line named longest ago is forgotten
inline constexpr uint64_t JUMP_MAX = uint64_t{1} << 32;  // messages; a number farther away is damaged
inline constexpr uint64_t NOT_OF_LINE = UINT64_MAX;

struct LineKey {
    uint64_t high;
    uint64_t low;
};

// Reports the number at `at`, which was NOT_OF_LINE, as `report` does.
bool report_number(Context& context, Protocol protocol, const uint8_t* at, uint64_t number);

// The next message number of each line, by (protocol, channel, session) of IEX-TP or session of MoldUDP64.
class Lines {
  public:
    // Takes note of messages first, first + 1, ... `count` of them, and counts gaps. Returns how many at the front
    // have been seen before. The first packet of a line opens it at any number.
    // NOT_OF_LINE: the number is damaged, for it is more than JUMP_MAX from the line's, or the last message's does not fit
    // 64 bits. The line stays where it is, unless the next packet goes on from that very number: then it was the line
    // that was wrong, opened by a damaged packet, and what lies between is a gap.
    // `time` is the sender's. A packet `at_start` of its stream that was sent RESTART_NS after the newest one is no late
    // copy: the venue numbers from the start again, which is a gap of unknown size.
    uint64_t arrive(Counts& counts, LineKey key, uint64_t first, uint64_t count, int64_t time = 0,
                    bool at_start = false);

  private:
    struct Line {
        LineKey key;
        uint64_t next;
        int64_t time;    // the newest packet's
        uint64_t other;  // what comes next by the last packet that was NOT_OF_LINE; 0 if none was
    };

    Line lines_[LINES_MAX] = {};
    size_t used_ = 0;
    size_t oldest_ = 0;
    size_t recent_ = 0;
};

}  // namespace tf::decode
