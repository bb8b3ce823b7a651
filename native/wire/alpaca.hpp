// What both paths of Alpaca frames share.
#pragma once
#include "targets.hpp"
#include "wire/decoding.hpp"

namespace tf::wire {

// SIP quote sizes are shares since this instant (2025-11-03 in New York), round lots before it.
inline constexpr int64_t ALPACA_SHARES_SINCE = 1'762'146'000 * NANOS;
inline constexpr int64_t ALPACA_ROUND_LOT = 100;

// The minute that the last quote's time began with: nearly always the next one's as well.
struct AlpacaState : FormatState {
    uint64_t text[2] = {};  // "2023-04-06T11:54" as it stands in memory
    int64_t minute = 0;     // ns since epoch
};

// FastMessages (objects.hpp) and FastPacked (packed.hpp) for stock quotes whose fields come in their usual order.
struct AlpacaKernel {
    const uint8_t* (*messages)(Decoding& decoding, const uint8_t* at, const uint8_t* end);
    const uint8_t* (*packed)(Decoding& decoding, const uint8_t* at, const uint8_t* end, uint64_t& left);
};

}  // namespace tf::wire

TF_DECLARE_TARGETS(wire::AlpacaKernel, alpaca_kernel)
