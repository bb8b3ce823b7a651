// When and how much: a parent's quantity cut into slices, by whole numbers only.
#pragma once
#include <cstddef>
#include <cstdint>

#include "targets.hpp"

namespace tf {

// 16 bytes, as engine._native.schedule.SLICE.
struct Slice {
    int64_t ts;
    int64_t quantity;
};
static_assert(sizeof(Slice) == 16);

inline constexpr int64_t SLICES_MOST = 1'000'000;
inline constexpr int64_t SIZE_JITTER_ONE = 1'000'000'000;  // a size jitter of 1

// What is asked for. The caller has checked: 1 <= slices <= SLICES_MOST, slices <= end - start,
// 0 <= least <= most, slices x least <= lots <= slices x most, 0 <= jitter, 0 <= size_jitter <= SIZE_JITTER_ONE,
// and that lots x lot fits int64.
struct ScheduleRequest {
    int64_t lots;         // the whole quantity, in lots
    int64_t lot;          // counts of 1e-9
    int64_t least, most;  // lots a slice
    int64_t start, end;   // ns
    int64_t slices;
    int64_t jitter;       // ns to either side of the middle of a slice's bucket
    int64_t size_jitter;  // of SIZE_JITTER_ONE
    uint64_t seed;
    uint32_t stream;  // another one: other draws of the same seed
};

// Two draws a slice, u in [0, 2^32), for time and for size: words 2 (k mod 2) and the next of Philox4x32-10 (Salmon,
// Moraes, Dror, Shaw, SC11) with key = seed and counter = (k / 2, stream, 0, 0).
//
// With U = floor((end - start) / slices), half = floor(U / 2), a = min(jitter, half):
//     ts_k = start + floor((end - start) k / slices) + half - a + floor(2 a u / 2^32)
// With W = floor(lots x size_jitter / SIZE_JITTER_ONE), cumulative lots C_0 = 0, C_slices = lots and between them
//     C_k = floor((2 (k lots + floor(W u / 2^32) - floor(W / 2)) + slices) / (2 slices)),
// brought into what the least and most a slice allow after C_(k-1) and before the end. So C_k is within
// size_jitter / 2 of an even slice, and half a lot, of the straight line where least and most do not bind.
//
// The quantities sum to lots x lot exactly; the times ascend strictly and lie in [start, end).
// `out` has room for `scratch_slices(slices)`; what is behind the slices means nothing.
void schedule(const ScheduleRequest& request, Slice* out);

inline constexpr size_t SLICE_GROUP = 64;  // what the kernel writes at once
inline constexpr size_t scratch_slices(size_t slices) { return (slices + SLICE_GROUP - 1) / SLICE_GROUP * SLICE_GROUP; }

// Writes the times, and where the quantities will be: C_k before it is bounded, or, where 2 (k lots + W) + slices does
// not stay below PLACED_BELOW, the draw for the size. `width` is W. The first slice's is without meaning.
inline constexpr uint64_t PLACED_BELOW = uint64_t{1} << 52;  // whole numbers that doubles divide without error
struct PlaceKernel {
    void (*place)(const ScheduleRequest& request, uint64_t width, bool targets, Slice* out);
};

}  // namespace tf

TF_DECLARE_TARGETS(PlaceKernel, place_kernel)
