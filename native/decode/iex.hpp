// IEX-TP 1 segments with TOPS 1.5, TOPS 1.6, DEEP 1.0 or DEEP+ 1.0.
#pragma once
#include "decode/context.hpp"
#include "targets.hpp"

namespace tf::decode {

inline constexpr size_t IEX_HEADER = 40;
inline constexpr uint16_t IEX_PROTOCOL_FIRST = 0x8002;  // TOPS 1.5, then TOPS 1.6, DEEP 1.0, DEEP+ 1.0
inline constexpr uint16_t IEX_PROTOCOL_LAST = 0x8005;
inline constexpr uint16_t IEX_DEEP = 0x8004;
inline constexpr int64_t IEX_PRICE_STEP = NANOS / 10'000;  // prices are counts of 1e-4
inline constexpr int64_t IEX_PRICE_MAX = INT64_MAX / IEX_PRICE_STEP;

struct IexKernel {
    // The messages of one segment: `count` blocks in `size` bytes, the first `seen` of them to be passed over, the
    // first numbered `sequence`. Needs room for two events a message. PROBLEM if a strict decoder stopped.
    Step (*messages)(Context&, const uint8_t* data, size_t size, uint64_t count, uint64_t seen, uint64_t sequence,
                     Event* out);
};

// Any message, good or bad; kernels ask for what is not frequent. As itch_any.
Event* iex_any(Context& context, const uint8_t* message, size_t length, uint64_t sequence, Event* out);

// A segment whose blocks do not fill it; true if decoding goes on.
bool iex_broken(Context& context, const uint8_t* at, uint64_t block, uint64_t count);

// Whether these bytes start like a segment of a protocol we know; needs four.
bool iex_looks_like(const uint8_t* data);

// One whole segment, header included; FULL leaves everything as it was.
Step iex_segment(Context& context, const uint8_t* data, size_t size, Event* out, Event* end);

// Segments one after another.
Step iex_stream(Context& context, const uint8_t* data, size_t size, Event* out, Event* end);

}  // namespace tf::decode

TF_DECLARE_TARGETS(decode::IexKernel, iex_kernel)
