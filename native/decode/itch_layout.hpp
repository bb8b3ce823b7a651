// Lengths of NASDAQ ITCH 5.0 messages, type byte included. Internal linkage, for files of every CPU target.
#pragma once
#include <cstdint>

namespace tf::decode {

struct ItchLengths {
    uint8_t of[256];
};

static constexpr ItchLengths itch_lengths() {
    ItchLengths lengths{};
    lengths.of['S'] = 12;  // system event
    lengths.of['R'] = 39;  // stock directory
    lengths.of['H'] = 25;  // stock trading action
    lengths.of['Y'] = 20;  // Reg SHO restriction
    lengths.of['L'] = 26;  // market participant position
    lengths.of['V'] = 35;  // market-wide circuit breaker decline levels
    lengths.of['W'] = 12;  // market-wide circuit breaker status
    lengths.of['K'] = 28;  // quoting period of an offering
    lengths.of['J'] = 35;  // auction collar
    lengths.of['h'] = 21;  // operational halt
    lengths.of['A'] = 36;  // add order
    lengths.of['F'] = 40;  // add order with attribution
    lengths.of['E'] = 31;  // order executed
    lengths.of['C'] = 36;  // order executed at a price
    lengths.of['X'] = 23;  // order cancel (in part)
    lengths.of['D'] = 19;  // order delete
    lengths.of['U'] = 35;  // order replace
    lengths.of['P'] = 44;  // trade against a hidden order
    lengths.of['Q'] = 40;  // cross trade
    lengths.of['B'] = 19;  // broken trade
    lengths.of['I'] = 50;  // net order imbalance
    lengths.of['N'] = 20;  // retail interest
    lengths.of['O'] = 48;  // direct listing with capital raise
    return lengths;
}

static constexpr ItchLengths ITCH_LENGTHS = itch_lengths();

}  // namespace tf::decode
