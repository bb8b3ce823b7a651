#include "wire/times.hpp"

namespace tf::wire {

namespace {

constexpr unsigned NO_NUMBER = ~0u;

// The number that `count` digits write, NO_NUMBER if one is none.
unsigned digits(const char* at, int count) {
    unsigned value = 0;
    for (int i = 0; i < count; ++i) {
        const auto digit = static_cast<unsigned>(static_cast<unsigned char>(at[i])) - '0';
        if (digit > 9) return NO_NUMBER;
        value = value * 10 + digit;
    }
    return value;
}

unsigned days_in(unsigned year, unsigned month) {
    if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// Seconds east of Greenwich of "Z" or "+hh:mm"; false if it is neither.
bool offset(const char* at, const char* end, int64_t& seconds) {
    seconds = 0;
    if (end - at == 1) return *at == 'Z' || *at == 'z';
    if (end - at != 6 || (*at != '+' && *at != '-') || at[3] != ':') return false;
    const unsigned hours = digits(at + 1, 2);
    const unsigned minutes = digits(at + 4, 2);
    if (hours > 23 || minutes > 59) return false;
    seconds = static_cast<int64_t>(hours) * 3600 + minutes * 60;
    if (*at == '-') seconds = -seconds;
    return true;
}

}  // namespace

bool rfc3339_ns(const char* text, size_t size, int64_t& time) {
    if (size < 20) return false;
    const char* const end = text + size;
    const unsigned year = digits(text, 4);
    const unsigned month = digits(text + 5, 2);
    const unsigned day = digits(text + 8, 2);
    const unsigned hour = digits(text + 11, 2);
    const unsigned minute = digits(text + 14, 2);
    const unsigned second = digits(text + 17, 2);
    const bool marks = text[4] == '-' && text[7] == '-' && text[13] == ':' && text[16] == ':' &&
                       (text[10] == 'T' || text[10] == 't' || text[10] == ' ');
    if (!marks || year > 9999 || month - 1 > 11 || day - 1 >= days_in(year, month)) return false;
    if (hour > 23 || minute > 59 || second > 59) return false;
    const char* at = text + 19;
    int64_t nanos = 0;
    if (*at == '.') {
        const char* const first = ++at;
        for (int64_t unit = 100'000'000; at != end && *at >= '0' && *at <= '9'; ++at, unit /= 10) {
            nanos += (*at - '0') * unit;
        }
        if (at == first) return false;
    }
    int64_t east = 0;
    if (!offset(at, end, east)) return false;
    const int64_t seconds = days_of(year, month, day) * 86'400 + hour * 3600 + minute * 60 + second - east;
    return seconds >= 0 && !__builtin_mul_overflow(seconds, int64_t{1'000'000'000}, &time) &&
           !__builtin_add_overflow(time, nanos, &time);
}

}  // namespace tf::wire
