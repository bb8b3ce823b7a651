#include "decode/iex.hpp"

#include "decode/iex_layout.hpp"
#include "decode/lines.hpp"
#include "decode/wire.hpp"

namespace tf::decode {

namespace {

constexpr uint8_t QUOTE_NOT_AVAILABLE = 0x80;
constexpr uint8_t QUOTE_EXTENDED = 0x40;
constexpr uint8_t MODIFY_PRIORITY = 0x80;

// Least length of a message, type byte included; later versions may append fields.
size_t least_length(uint8_t type) {
    switch (type) {
        case 'S':
            return 10;
        case 'D':
            return 31;
        case 'H':
            return 22;
        case 'I':
        case 'O':
        case 'E':
        case 'C':
            return 18;
        case 'P':
            return 19;
        case 'Q':
            return 42;
        case '8':
        case '5':
            return 30;
        case 'T':
        case 'B':
        case 'a':
        case 'M':
            return 38;
        case 'X':
        case 'R':
            return 26;
        case 'A':
            return 80;
        case 'L':
            return 46;
        default:
            return 0;
    }
}

// The Status of a code, 0 if it is none of the protocol's.
Status status_of(uint8_t type, uint8_t code) {
    switch (type << 8 | code) {
        case 'S' << 8 | 'O':
            return Status::SYSTEM_START_MESSAGES;
        case 'S' << 8 | 'S':
            return Status::SYSTEM_START_HOURS;
        case 'S' << 8 | 'R':
            return Status::SYSTEM_START_MARKET;
        case 'S' << 8 | 'M':
            return Status::SYSTEM_END_MARKET;
        case 'S' << 8 | 'E':
            return Status::SYSTEM_END_HOURS;
        case 'S' << 8 | 'C':
            return Status::SYSTEM_END_MESSAGES;
        case 'H' << 8 | 'H':
            return Status::HALTED;
        case 'H' << 8 | 'O':
            return Status::QUOTE_ONLY;  // orders are accepted before the auction
        case 'H' << 8 | 'P':
            return Status::PAUSED;
        case 'H' << 8 | 'T':
            return Status::TRADING;
        case 'O' << 8 | 'O':
            return Status::OPERATIONAL_HALTED;
        case 'O' << 8 | 'N':
            return Status::OPERATIONAL_TRADING;
        case 'P' << 8 | 0:
            return Status::SHORT_UNRESTRICTED;
        case 'P' << 8 | 1:
            return Status::SHORT_RESTRICTED;
        case 'E' << 8 | 'O':
            return Status::OPENING_DONE;
        case 'E' << 8 | 'C':
            return Status::CLOSING_DONE;
        default:
            return Status{};
    }
}

// A message that passed the checks of length, symbol and price, on its way to records.
struct Message {
    Context& context;
    const uint8_t* at;
    size_t length;
    uint64_t sequence;
    uint32_t instrument;

    Event blank(Kind kind) const {
        Event event{};
        event.ts_event = static_cast<int64_t>(little64(at + 2));
        event.ts_recv = context.ts_recv;
        event.sequence = sequence;
        event.instrument = instrument;
        event.venue = static_cast<uint16_t>(context.iex_origin >> 32);
        event.provider = static_cast<uint8_t>(context.iex_origin >> 48);
        event.kind = kind;
        event.flags = LAST;
        return event;
    }

    int64_t price(size_t place) const { return static_cast<int64_t>(little64(at + place)) * IEX_PRICE_STEP; }
    int64_t shares(size_t place) const { return little32(at + place) * NANOS; }
};

Event* quote(const Message& m, Event* out) {
    Event side = m.blank(Kind::QUOTE);
    if (m.at[1] & QUOTE_NOT_AVAILABLE) side.conditions |= NON_FIRM;
    if (m.at[1] & QUOTE_EXTENDED) side.conditions |= EXTENDED_HOURS;
    side.side = Side::BID;
    side.quantity = m.shares(18);
    side.price = m.price(22);
    side.flags = 0;
    *out++ = side;
    side.side = Side::ASK;
    side.price = m.price(30);
    side.quantity = m.shares(38);
    side.flags = LAST;
    *out++ = side;
    return out;
}

Event* trade(const Message& m, Event* out) {
    Event event = m.blank(m.at[0] == 'T' ? Kind::TRADE : Kind::TRADE_BREAK);
    event.flags = m.context.iex_aside;
    event.quantity = m.shares(18);
    event.price = m.price(22);
    event.order_id = little64(m.at + 30);
    event.conditions = iex_sale_conditions(m.at[1]);
    *out++ = event;
    return out;
}

// Messages about one order, DEEP+ only.
Event* order(const Message& m, Event* out) {
    Event event = m.blank(Kind::DELETE);
    event.order_id = little64(m.at + 18);
    if (m.at[0] != 'R') {
        event.quantity = m.shares(26);
        event.price = m.price(30);
    }
    switch (m.at[0]) {
        case 'a':
            event.kind = Kind::ADD;
            event.side = m.at[1] == '8' ? Side::BID : Side::ASK;
            break;
        case 'M':
            event.kind = Kind::REPLACE;
            if (m.at[1] & MODIFY_PRIORITY) event.flags |= KEEP_PRIORITY;
            break;
        case 'L':
            event.kind = Kind::EXECUTE;
            event.conditions = iex_sale_conditions(m.at[1]);
            break;
        default:
            break;
    }
    *out++ = event;
    return out;
}

Event* translate(const Message& m, Event* out) {
    switch (m.at[0]) {
        case 'Q':
            return quote(m, out);
        case 'T':
        case 'B':
            return trade(m, out);
        case 'a':
        case 'M':
        case 'R':
        case 'L':
            return order(m, out);
        case '8':
        case '5': {
            *out = m.blank(Kind::LEVEL);
            out->side = m.at[0] == '8' ? Side::BID : Side::ASK;
            out->quantity = m.shares(18);
            out->price = m.price(22);
            out->flags = m.at[1] & 1 ? LAST : 0;
            return out + 1;
        }
        case 'C':
            *out = m.blank(Kind::CLEAR);
            return out + 1;
        case 'D':
        case 'X':
        case 'A':
        case 'I':
            push_side(m.context, Protocol::IEX, m.context.iex_origin, m.at, least_length(m.at[0]),
                      static_cast<int64_t>(little64(m.at + 2)), m.sequence, m.instrument);
            return out;
        default:
            *out = m.blank(Kind::STATUS);
            out->flags = m.context.iex_aside;
            out->conditions = static_cast<uint32_t>(status_of(m.at[0], m.at[1]));
            return out + 1;
    }
}

// Places of the prices that become Event prices, 0 for none.
struct Prices {
    size_t first;
    size_t second;
};

Prices prices_of(uint8_t type) {
    switch (type) {
        case 'Q':
            return {22, 30};
        case '8':
        case '5':
        case 'T':
        case 'B':
            return {22, 0};
        case 'a':
        case 'M':
        case 'L':
            return {30, 0};
        default:
            return {0, 0};
    }
}

// What is wrong with a message of sufficient length; true if nothing is, or a lenient decoder leaves it out.
enum class Verdict : uint8_t { GOOD, SKIP, STOP };

Verdict wrong(Context& context, const uint8_t* at, uint8_t type, const char* what, int64_t seen, int64_t expected) {
    return report(context, Protocol::IEX, at, type, what, seen, expected) ? Verdict::SKIP : Verdict::STOP;
}

Verdict check(Context& context, const uint8_t* m, uint32_t instrument) {
    const uint8_t type = m[0];
    if (instrument == NO_SYMBOL && type != 'S') {
        return report_symbol(context, Protocol::IEX, m + 10, type) ? Verdict::SKIP : Verdict::STOP;
    }
    const Prices prices = prices_of(type);
    for (const size_t place : {prices.first, prices.second}) {
        const int64_t price = place == 0 ? 0 : static_cast<int64_t>(little64(m + place));
        if (price > IEX_PRICE_MAX || price < -IEX_PRICE_MAX) {
            return wrong(context, m + place, type, "price is %lld of 1e-4; expected within %lld", price, IEX_PRICE_MAX);
        }
    }
    const bool status = type == 'S' || type == 'H' || type == 'O' || type == 'P' || type == 'E';
    if (status && status_of(type, m[1]) == Status{}) {
        return wrong(context, m + 1, type, "code is %lld; expected one of the protocol's", m[1], 0);
    }
    if (type == 'a' && m[1] != '8' && m[1] != '5') {
        return wrong(context, m + 1, type, "side is %lld; expected 56 (8) or 53 (5)", m[1], 0);
    }
    return Verdict::GOOD;
}

}  // namespace

Event* iex_any(Context& context, const uint8_t* m, size_t length, uint64_t sequence, Event* out) {
    const uint8_t type = m[0];
    const size_t least = least_length(type);
    if (least == 0) {  // the protocol asks readers to pass over types they do not know
        ++context.counts.unknown_types;
        return out;
    }
    if (length < least) {
        const bool go_on = report(context, Protocol::IEX, m, type, "length is %lld; expected at least %lld",
                                  static_cast<int64_t>(length), static_cast<int64_t>(least));
        return go_on ? out : nullptr;
    }
    const uint32_t instrument = type == 'S' ? NO_INSTRUMENT : learn_symbol(context, little64(m + 10));
    const Verdict verdict = check(context, m, instrument);
    if (verdict != Verdict::GOOD) return verdict == Verdict::SKIP ? out : nullptr;
    ++context.counts.iex[type];
    return translate(Message{context, m, length, sequence, instrument}, out);
}

bool iex_broken(Context& context, const uint8_t* at, uint64_t block, uint64_t count) {
    return report(context, Protocol::IEX, at, 0, "segment: blocks end or go on at %lld; expected exactly %lld in it",
                  static_cast<int64_t>(block), static_cast<int64_t>(count));
}

// The venue numbers from the start again: what stood in its books is no more.
static Event* clear_venue(const Context& context, int64_t time, uint64_t sequence, Event* out) {
    Event event{};
    event.ts_event = time;
    event.ts_recv = context.ts_recv;
    event.sequence = sequence;
    event.instrument = NO_INSTRUMENT;
    event.venue = static_cast<uint16_t>(context.iex_origin >> 32);
    event.provider = static_cast<uint8_t>(context.iex_origin >> 48);
    event.kind = Kind::CLEAR;
    event.flags = LAST;
    *out = event;
    return out + 1;
}

bool iex_looks_like(const uint8_t* data) {
    const uint16_t protocol = little16(data + 2);
    return data[0] == 1 && data[1] == 0 && protocol >= IEX_PROTOCOL_FIRST && protocol <= IEX_PROTOCOL_LAST;
}

Step iex_segment(Context& context, const uint8_t* data, size_t size, Event* out, Event* end) {
    const uint64_t count = little16(data + 14);
    const uint64_t sequence = little64(data + 24);
    if (static_cast<uint64_t>(end - out) < count * 2 + 1) return Step{0, out, Outcome::FULL};
    ++context.counts.segments;
    context.counts.heartbeats += count == 0;
    const LineKey key{little64(data + 4), static_cast<uint64_t>(Protocol::IEX) << 32 | little16(data + 2)};
    // DEEP's atomic events are of price level updates only; trades and statuses come between them and end none.
    context.iex_aside = little16(data + 2) == IEX_DEEP ? 0 : LAST;
    const bool at_start = little64(data + 16) == 0;  // stream offset
    const int64_t time = static_cast<int64_t>(little64(data + 32));
    const uint64_t restarts = context.counts.restarts;
    const uint64_t seen = context.lines->arrive(context.counts, key, sequence, count, time, at_start);
    if (seen == NOT_OF_LINE) {
        const bool go_on = report_number(context, Protocol::IEX, data + 24, sequence);
        return Step{size, out, go_on ? Outcome::MORE : Outcome::PROBLEM};
    }
    if (context.counts.restarts != restarts) out = clear_venue(context, time, sequence, out);
    const Step step = iex_kernel().messages(context, data + IEX_HEADER, size - IEX_HEADER, count, seen, sequence, out);
    return Step{size, step.out, step.outcome};
}

Step iex_stream(Context& context, const uint8_t* data, size_t size, Event* out, Event* end) {
    size_t at = 0;
    while (size - at >= IEX_HEADER) {
        if (!iex_looks_like(data + at)) {
            const bool silent = context.resyncing;
            context.resyncing = true;
            if (!silent && !report(context, Protocol::IEX, data + at, 0,
                                   "segment starts with version and protocol %lld; expected 1 and 0x8002 to 0x8005",
                                   little32(data + at))) {
                return Step{at, out, Outcome::PROBLEM};
            }
            ++at;
            continue;
        }
        const size_t length = IEX_HEADER + little16(data + at + 12);
        if (length > size - at) break;
        const Step step = iex_segment(context, data + at, length, out, end);
        out = step.out;
        if (step.outcome != Outcome::MORE) return Step{at, out, step.outcome};
        context.resyncing = false;
        at += length;
    }
    return Step{at, out, Outcome::MORE};
}

}  // namespace tf::decode

TF_DEFINE_TARGETS(decode::IexKernel, iex_kernel)
