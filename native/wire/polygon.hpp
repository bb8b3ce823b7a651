// What both paths of Massive (Polygon) frames share.
#pragma once
#include "targets.hpp"
#include "wire/decoding.hpp"

namespace tf::wire {

// SIP quote sizes are shares since this instant (2025-11-03 in New York), round lots before it.
inline constexpr int64_t SHARES_SINCE = 1'762'146'000 * NANOS;
inline constexpr int64_t ROUND_LOT = 100;

// FastMessages (objects.hpp) for quotes and trades whose fields come in their usual order.
struct PolygonKernel {
    const uint8_t* (*messages)(Decoding& decoding, const uint8_t* at, const uint8_t* end);
};

}  // namespace tf::wire

TF_DECLARE_TARGETS(wire::PolygonKernel, polygon_kernel)
