// Decimal text to exact integers.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tf::wire {

enum class Exact : uint8_t {
    OK,
    INEXACT,  // a number, but no count of this scale in int64
    INVALID,  // no number
};

// The count of 10^-scale in the text of a JSON number; scale 9 for prices and quantities, 0 for whole numbers. Any
// number of digits, any exponent; zeros behind the last digit that counts do not matter. The most is INT64_MAX, the least
// -INT64_MAX.
Exact decimal(const char* text, size_t size, int scale, int64_t& count);

// Nanoseconds of a time since the epoch given in ms, microseconds or ns, whichever it must be by its size (ms to the
// year 2262; then microseconds of 1970-04 and later, ns of later times).
static inline int64_t unix_ns(int64_t time) {
    if (time <= INT64_MAX / 1'000'000) return time * 1'000'000;
    if (time <= INT64_MAX / 1'000) return time * 1'000;
    return time;
}

}  // namespace tf::wire
