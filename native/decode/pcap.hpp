// Captures: classic libpcap (microseconds or nanoseconds, either byte order) and pcapng, as streams of packets.
#pragma once
#include "decode/context.hpp"

namespace tf::decode {

inline constexpr size_t INTERFACES_MAX = 64;            // of a pcapng section
inline constexpr uint32_t CAPTURE_BLOCK_MAX = 1 << 18;  // bytes of one packet or pcapng block

struct Interface {
    uint16_t link;
    bool binary;       // ticks are powers of two
    uint8_t exponent;  // ticks a second: 10 or 2 to this power
    int64_t offset;    // seconds
};

// What a capture's headers said so far.
struct Capture {
    enum class Form : uint8_t { UNKNOWN, CLASSIC, NEXT_GENERATION };

    Form form = Form::UNKNOWN;
    bool swapped = false;  // big-endian
    bool nanoseconds = false;
    bool silent = false;  // lenient and lost for good: the rest is passed over
    uint32_t link = 0;
    uint32_t last_seconds = 0;  // of the last good packet, to tell headers from garbage
    size_t interfaces = 0;
    Interface interface[INTERFACES_MAX] = {};
    int64_t ts_recv = 0;  // given by the caller; 0: the packet's own capture time
};

Step capture_stream(Context& context, Capture& capture, const uint8_t* data, size_t size, Event* out, Event* end);

}  // namespace tf::decode
