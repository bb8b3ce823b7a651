#include "wire/numbers.hpp"

namespace tf::wire {

namespace {

constexpr int DIGITS_MAX = 19;                      // that fit uint64 whatever they are
constexpr int64_t EXPONENT_MAX = int64_t{1} << 40;  // beyond any number of digits a frame can have
constexpr int POWERS = 19;
constexpr uint64_t POWER[POWERS + 1] = {1u,
                                        10u,
                                        100u,
                                        1'000u,
                                        10'000u,
                                        100'000u,
                                        1'000'000u,
                                        10'000'000u,
                                        100'000'000u,
                                        1'000'000'000u,
                                        10'000'000'000u,
                                        100'000'000'000u,
                                        1'000'000'000'000u,
                                        10'000'000'000'000u,
                                        100'000'000'000'000u,
                                        1'000'000'000'000'000u,
                                        10'000'000'000'000'000u,
                                        100'000'000'000'000'000u,
                                        1'000'000'000'000'000'000u,
                                        10'000'000'000'000'000'000u};

inline bool digit(char letter) { return letter >= '0' && letter <= '9'; }

// The digits that count, without zeros in front or behind.
struct Digits {
    uint64_t value = 0;
    int count = 0;
    int64_t zeros = 0;  // behind `value`, not in it
    bool many = false;  // more than DIGITS_MAX

    void add(char letter) {
        if (letter == '0') {
            zeros += value != 0;
            return;
        }
        if (many || count + zeros + 1 > DIGITS_MAX) {
            many = true;
            return;
        }
        value = value * POWER[zeros + 1] + static_cast<uint64_t>(letter - '0');
        count += static_cast<int>(zeros) + 1;
        zeros = 0;
    }
};

// The exponent behind an "e" at `at`; false if there is none.
bool exponent(const char*& at, const char* end, int64_t& value) {
    ++at;
    bool negative = false;
    if (at != end && (*at == '+' || *at == '-')) negative = *at++ == '-';
    if (at == end) return false;
    value = 0;
    for (; at != end && digit(*at); ++at) {
        if (value < EXPONENT_MAX) value = value * 10 + (*at - '0');
    }
    if (negative) value = -value;
    return at == end;
}

}  // namespace

Exact decimal(const char* text, size_t size, int scale, int64_t& count) {
    const char* at = text;
    const char* const end = text + size;
    const bool negative = at != end && *at == '-';
    at += negative;
    if (at == end || !digit(*at)) return Exact::INVALID;
    Digits digits;
    if (*at == '0') {
        ++at;
    } else {
        for (; at != end && digit(*at); ++at) digits.add(*at);
    }
    int64_t power = scale;
    if (at != end && *at == '.') {
        const char* const point = ++at;
        for (; at != end && digit(*at); ++at) digits.add(*at);
        if (at == point) return Exact::INVALID;
        power -= at - point;
    }
    int64_t written = 0;
    if (at != end && ((*at | 0x20) != 'e' || !exponent(at, end, written))) return Exact::INVALID;
    power += written + digits.zeros;
    count = 0;
    if (digits.value == 0) return Exact::OK;
    if (digits.many || power < 0 || power > POWERS) return Exact::INEXACT;
    const unsigned __int128 product = static_cast<unsigned __int128>(digits.value) * POWER[power];
    if (product > static_cast<uint64_t>(INT64_MAX)) return Exact::INEXACT;
    count = negative ? -static_cast<int64_t>(product) : static_cast<int64_t>(product);
    return Exact::OK;
}

}  // namespace tf::wire
