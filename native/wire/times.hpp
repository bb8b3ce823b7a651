// Times as text.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tf::wire {

// Days from 1970-01-01 to a day of the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level date
// algorithms", days_from_civil).
constexpr int64_t days_of(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    const int64_t era = (year >= 0 ? year : year - 399) / 400;
    const auto year_of_era = static_cast<unsigned>(year - era * 400);
    const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + static_cast<int64_t>(day_of_era) - 719'468;
}

// Nanoseconds since the epoch of a time as RFC 3339 writes it, any offset; digits beyond the ninth are cut off. False if
// it is none, or before 1970 or beyond int64.
bool rfc3339_ns(const char* text, size_t size, int64_t& time);

}  // namespace tf::wire
