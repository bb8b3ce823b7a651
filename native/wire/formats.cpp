#include "wire/formats.hpp"

#include <cstring>

namespace tf::wire {

namespace {

constexpr FormatEntry FORMATS[] = {
    {"polygon", decode_polygon, nullptr},
    {"alpaca", decode_alpaca, alpaca_state},
    {"alpaca-msgpack", decode_alpaca_packed, nullptr},
    {"alpaca-crypto", decode_alpaca_crypto, nullptr},
    {"alpaca-crypto-msgpack", decode_alpaca_crypto_packed, nullptr},
    {"finnhub", decode_finnhub, nullptr},
    {"schwab", decode_schwab, schwab_state},
};
constexpr int COUNT = static_cast<int>(sizeof FORMATS / sizeof FORMATS[0]);

}  // namespace

const FormatEntry& format_entry(FrameFormat format) { return FORMATS[static_cast<int>(format)]; }

const char* format_name(int format) { return format >= 0 && format < COUNT ? FORMATS[format].name : nullptr; }

int format_number(const char* name) {
    for (int i = 0; i < COUNT; ++i) {
        if (std::strcmp(FORMATS[i].name, name) == 0) return i;
    }
    return -1;
}

}  // namespace tf::wire
