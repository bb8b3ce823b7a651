// Flags of IEX trade reports. Internal linkage, for files of every CPU target.
#pragma once
#include <cstdint>

#include "event.hpp"

namespace tf::decode {

// What the sale condition flags of a trade or execution say, in our bits.
static constexpr uint32_t iex_sale_conditions(unsigned flags) {
    constexpr unsigned INTERMARKET_SWEEP = 0x80;
    constexpr unsigned EXTENDED = 0x40;
    constexpr unsigned ODD = 0x20;
    constexpr unsigned THROUGH_EXEMPT = 0x10;
    constexpr unsigned SINGLE_PRICE_CROSS = 0x08;
    uint32_t conditions = 0;
    if (flags & INTERMARKET_SWEEP) conditions |= SWEEP;
    if (flags & EXTENDED) conditions |= EXTENDED_HOURS;
    if (flags & ODD) conditions |= ODD_LOT;
    if (flags & THROUGH_EXEMPT) conditions |= TRADE_THROUGH_EXEMPT;
    if (flags & SINGLE_PRICE_CROSS) conditions |= AUCTION;
    if (flags & (EXTENDED | ODD)) conditions |= NO_LAST | NO_HIGH_LOW;
    return conditions;
}

}  // namespace tf::decode
