#include "decode/itch.hpp"

#include <cstring>

#include "decode/itch_layout.hpp"
#include "decode/wire.hpp"

namespace tf::decode {

namespace {

constexpr int64_t PRICE_STEP = NANOS / 10'000;
constexpr int64_t SHARES_MAX = INT64_MAX / NANOS;

bool letter(uint8_t byte) { return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'; }

Event blank(const Context& context, const uint8_t* m, uint64_t sequence, Kind kind, uint32_t instrument) {
    Event event{};
    event.ts_event = context.midnight + static_cast<int64_t>(static_cast<uint64_t>(big16(m + 5)) << 32 | big32(m + 7));
    event.ts_recv = context.ts_recv;
    event.sequence = sequence;
    event.instrument = instrument;
    event.venue = static_cast<uint16_t>(context.itch_origin >> 32);
    event.provider = static_cast<uint8_t>(context.itch_origin >> 48);
    event.kind = kind;
    event.flags = LAST;
    return event;
}

// Status of a code letter, 0 if the code is none of the protocol's.
uint32_t system_status(uint8_t code) {
    switch (code) {
        case 'O':
            return static_cast<uint32_t>(Status::SYSTEM_START_MESSAGES);
        case 'S':
            return static_cast<uint32_t>(Status::SYSTEM_START_HOURS);
        case 'Q':
            return static_cast<uint32_t>(Status::SYSTEM_START_MARKET);
        case 'M':
            return static_cast<uint32_t>(Status::SYSTEM_END_MARKET);
        case 'E':
            return static_cast<uint32_t>(Status::SYSTEM_END_HOURS);
        case 'C':
            return static_cast<uint32_t>(Status::SYSTEM_END_MESSAGES);
        default:
            return 0;
    }
}

uint32_t trading_status(uint8_t code) {
    switch (code) {
        case 'H':
            return static_cast<uint32_t>(Status::HALTED);
        case 'P':
            return static_cast<uint32_t>(Status::PAUSED);
        case 'Q':
            return static_cast<uint32_t>(Status::QUOTE_ONLY);
        case 'T':
            return static_cast<uint32_t>(Status::TRADING);
        default:
            return 0;
    }
}

uint32_t short_sale_status(uint8_t code) {
    switch (code) {
        case '0':
            return static_cast<uint32_t>(Status::SHORT_UNRESTRICTED);
        case '1':
        case '2':
            return static_cast<uint32_t>(Status::SHORT_RESTRICTED);
        default:
            return 0;
    }
}

uint32_t operational_status(uint8_t code) {
    switch (code) {
        case 'H':
            return static_cast<uint32_t>(Status::OPERATIONAL_HALTED);
        case 'T':
            return static_cast<uint32_t>(Status::OPERATIONAL_TRADING);
        default:
            return 0;
    }
}

// Where the symbol stands in a message, 0 if it has none.
size_t symbol_place(uint8_t type) {
    switch (type) {
        case 'A':
        case 'F':
        case 'P':
            return 24;
        case 'R':
        case 'H':
        case 'Y':
        case 'K':
        case 'J':
        case 'h':
        case 'N':
        case 'O':
            return 11;
        case 'L':
            return 15;
        case 'Q':
            return 19;
        case 'I':
            return 28;
        default:
            return 0;
    }
}

// A message to the side stream, or a STATUS event.
struct Rare {
    uint8_t code_at;              // place of the status letter
    uint32_t (*status)(uint8_t);  // null: side stream
};

Rare rare_kind(uint8_t type) {
    switch (type) {
        case 'S':
            return {11, system_status};
        case 'H':
            return {19, trading_status};
        case 'Y':
            return {19, short_sale_status};
        case 'h':
            return {20, operational_status};
        default:
            return {0, nullptr};
    }
}

Event* add_order(Context& context, const uint8_t* m, uint64_t sequence, uint32_t instrument, Event* out) {
    if (m[19] != 'B' && m[19] != 'S') {
        return report(context, Protocol::ITCH, m + 19, m[0], "side is %lld; expected 66 (B) or 83 (S)", m[19])
                   ? out
                   : nullptr;
    }
    const bool trade = m[0] == 'P';
    *out = blank(context, m, sequence, trade ? Kind::TRADE : Kind::ADD, instrument);
    out->price = big32(m + 32) * PRICE_STEP;
    out->quantity = big32(m + 20) * NANOS;
    out->order_id = big64(trade ? m + 36 : m + 11);
    out->side = m[19] == 'B' ? Side::BID : Side::ASK;
    out->flags = trade ? LAST | HIDDEN : LAST;
    ++context.counts.itch[m[0]];
    return out + 1;
}

// E, C, X, D, U and B: messages that name an order or trade and no stock.
Event* change_order(Context& context, const uint8_t* m, uint64_t sequence, uint32_t instrument, Event* out) {
    Event event = blank(context, m, sequence, Kind::DELETE, instrument);
    event.order_id = big64(m + 11);
    switch (m[0]) {
        case 'B':
            event.kind = Kind::TRADE_BREAK;
            break;
        case 'X':
            event.kind = Kind::REDUCE;
            event.quantity = big32(m + 19) * NANOS;
            break;
        case 'C':
            event.price = big32(m + 32) * PRICE_STEP;
            event.conditions = m[31] == 'N' ? NO_LAST | NO_VOLUME : 0;
            [[fallthrough]];
        case 'E':
            event.kind = Kind::EXECUTE;
            event.quantity = big32(m + 19) * NANOS;
            break;
        case 'U':
            event.flags = 0;
            *out++ = event;
            event.kind = Kind::ADD;
            event.flags = LAST;
            event.order_id = big64(m + 19);
            event.quantity = big32(m + 27) * NANOS;
            event.price = big32(m + 31) * PRICE_STEP;
            break;
        default:
            break;
    }
    *out++ = event;
    ++context.counts.itch[m[0]];
    return out;
}

Event* cross_trade(Context& context, const uint8_t* m, uint64_t sequence, uint32_t instrument, Event* out) {
    const uint64_t shares = big64(m + 11);
    if (shares > static_cast<uint64_t>(SHARES_MAX)) {
        return report(context, Protocol::ITCH, m + 11, 'Q', "shares are %lld; expected at most %lld",
                      static_cast<int64_t>(shares), SHARES_MAX)
                   ? out
                   : nullptr;
    }
    *out = blank(context, m, sequence, Kind::TRADE, instrument);
    out->price = big32(m + 27) * PRICE_STEP;
    out->quantity = static_cast<int64_t>(shares) * NANOS;
    out->order_id = big64(m + 31);
    out->conditions = AUCTION;
    ++context.counts.itch['Q'];
    return out + 1;
}

}  // namespace

bool itch_lost(Context& context, const uint8_t* at) {
    const bool prefixed = at[0] == 0;
    const uint8_t type = prefixed ? at[2] : at[0];
    context.resyncing = true;
    return report(context, Protocol::ITCH, at, type, "expected a message type of ITCH 5.0");
}

bool itch_name(Context& context, uint16_t code, uint64_t symbol) {
    Locate& locate = context.locates[code];
    if (locate.symbol == symbol && symbol != 0) return true;
    const uint32_t id = learn_symbol(context, symbol);
    if (id == NO_SYMBOL) return false;
    locate.symbol = symbol;
    locate.inverted = ~id;
    return true;
}

Event* itch_any(Context& context, const uint8_t* m, size_t length, uint64_t sequence, Event* out) {
    const uint8_t type = length == 0 ? 0 : m[0];
    const uint8_t expected = ITCH_LENGTHS.of[type];
    if (expected == 0 && letter(type)) {  // a type added to the protocol since: pass over it
        ++context.counts.unknown_types;
        return out;
    }
    if (expected == 0) {
        const bool go_on = report(context, Protocol::ITCH, m, type, "expected a message type of ITCH 5.0");
        return go_on ? out : nullptr;
    }
    if (length != expected) {
        const bool go_on = report(context, Protocol::ITCH, m, type, "length is %lld; expected %lld",
                                  static_cast<int64_t>(length), expected);
        return go_on ? out : nullptr;
    }
    const uint16_t code = big16(m + 1);
    const size_t place = symbol_place(type);
    if (place != 0 && !itch_name(context, code, little64(m + place))) {
        return report_symbol(context, Protocol::ITCH, m + place, type) ? out : nullptr;
    }
    const uint32_t instrument = ~context.locates[code].inverted;
    if (type == 'A' || type == 'F' || type == 'P') return add_order(context, m, sequence, instrument, out);
    if (type == 'Q') return cross_trade(context, m, sequence, instrument, out);
    if (place == 0 && type != 'S' && type != 'V' && type != 'W') {
        context.counts.unknown_locates += context.locates[code].symbol == 0;
        return change_order(context, m, sequence, instrument, out);
    }
    const Rare rare = rare_kind(type);
    if (rare.status != nullptr) {
        const uint32_t status = rare.status(m[rare.code_at]);
        if (status == 0) {
            const bool go_on = report(context, Protocol::ITCH, m + rare.code_at, type,
                                      "code is %lld; expected one of the protocol's letters", m[rare.code_at]);
            return go_on ? out : nullptr;
        }
        *out = blank(context, m, sequence, Kind::STATUS, type == 'S' ? NO_INSTRUMENT : instrument);
        out->conditions = status;
        ++context.counts.itch[type];
        return out + 1;
    }
    const bool market_wide = type == 'V' || type == 'W';
    const int64_t time = static_cast<int64_t>(static_cast<uint64_t>(big16(m + 5)) << 32 | big32(m + 7));
    push_side(context, Protocol::ITCH, context.itch_origin, m, length, context.midnight + time, sequence,
              market_wide ? NO_INSTRUMENT : instrument);
    ++context.counts.itch[type];
    return out;
}

}  // namespace tf::decode

TF_DEFINE_TARGETS(decode::ItchKernel, itch_kernel)
