#include "decode/lobster.hpp"

#include <cstring>

namespace tf::decode {

namespace {

constexpr int64_t PRICE_STEP = NANOS / 10'000;
constexpr int DIGITS_MAX = 18;  // every such number fits 64 bits

// Reads a row field by field; `wrong` names the first field that is not as expected.
struct Reader {
    const uint8_t* at;
    const uint8_t* end;
    const char* wrong = nullptr;

    int64_t digits(const char* expected, int most = DIGITS_MAX) {
        const uint8_t* const start = at;
        int64_t value = 0;
        while (at != end && static_cast<uint8_t>(*at - '0') < 10 && at - start < most)
            value = value * 10 + (*at++ - '0');
        if (at == start && wrong == nullptr) wrong = expected;
        return value;
    }

    int64_t number(const char* expected) {
        const bool negative = at != end && *at == '-';
        at += negative;
        const int64_t value = digits(expected);
        return negative ? -value : value;
    }

    uint64_t identity(const char* expected) {  // up to 2^64 - 1, in 20 digits
        const uint64_t head = static_cast<uint64_t>(digits(expected));
        uint64_t value = head;
        for (int i = 0; i < 2 && at != end && static_cast<uint8_t>(*at - '0') < 10; ++i) {
            if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
                __builtin_add_overflow(value, static_cast<uint64_t>(*at++ - '0'), &value)) {
                if (wrong == nullptr) wrong = expected;
            }
        }
        return value;
    }

    void comma(const char* expected) {
        if (at != end && *at == ',') {
            ++at;
        } else if (wrong == nullptr) {
            wrong = expected;
        }
    }

    // Seconds in nanoseconds. Files made with floating point have digits beyond the ninth: rounded to the nearest.
    int64_t time() {
        const int64_t seconds = digits("expected a time in seconds", 9) * NANOS;
        if (at == end || *at != '.') return seconds;
        ++at;
        const uint8_t* const start = at;
        int64_t fraction = digits("expected digits after the point", 9);
        for (auto i = at - start; i < 9; ++i) fraction *= 10;
        if (at != end && *at >= '5' && *at <= '9') ++fraction;
        while (at != end && static_cast<uint8_t>(*at - '0') < 10) ++at;
        return seconds + fraction;
    }
};

constexpr const char* SIZE_WRONG = "expected a size in shares that fits 64 bits of 1e-9";
constexpr const char* PRICE_WRONG = "expected a price x 10000 that fits 64 bits of 1e-9";
constexpr const char* DIRECTION_WRONG = "expected direction 1 or -1";

Kind kind_of(int64_t type) {
    static constexpr Kind kinds[] = {Kind::NONE,    Kind::ADD,   Kind::REDUCE, Kind::DELETE,
                                     Kind::EXECUTE, Kind::TRADE, Kind::TRADE,  Kind::STATUS};
    return type >= 0 && type <= 7 ? kinds[type] : Kind::NONE;
}

// What a halt row says in its price column.
Status status_of(int64_t price) {
    switch (price) {
        case -1:
            return Status::HALTED;
        case 0:
            return Status::QUOTE_ONLY;
        case 1:
            return Status::TRADING;
        default:
            return Status{};
    }
}

// Null if the row became `event`, else what was expected.
const char* read_row(Reader& row, int64_t& type, Event& event) {
    event.ts_event += row.time();
    row.comma("expected time, then a comma");
    type = row.digits("expected a type of one digit", 1);
    row.comma("expected a type of one digit");
    const bool negative_id = row.at != row.end && *row.at == '-';
    row.at += negative_id;
    event.order_id = row.identity("expected an order id");
    row.comma("expected an order id");
    const int64_t size = row.digits(SIZE_WRONG);
    row.comma(SIZE_WRONG);
    const int64_t price = row.number(PRICE_WRONG);
    row.comma("expected six columns");
    const int64_t direction = row.number(DIRECTION_WRONG);
    if (row.wrong != nullptr) return row.wrong;
    if (row.at != row.end && *row.at != ',') return "expected the end of the row or a comma after six columns";
    event.kind = kind_of(type);
    if (event.kind == Kind::NONE) return "type is %lld; expected 1 to 7";
    if (event.kind == Kind::STATUS) {
        event.order_id = 0;
        event.conditions = static_cast<uint32_t>(status_of(price));
        return event.conditions == 0 ? "expected -1 (halt), 0 (quoting) or 1 (trading) as the price of a halt"
                                     : nullptr;
    }
    if (negative_id) {
        if (type != 6) return "expected an order id that is not negative";
        event.order_id = 0;  // crosses carry -1
    }
    if (direction != 1 && direction != -1) return DIRECTION_WRONG;
    event.side = direction == 1 ? Side::BID : Side::ASK;
    if (__builtin_mul_overflow(price, PRICE_STEP, &event.price)) return PRICE_WRONG;
    if (__builtin_mul_overflow(size, NANOS, &event.quantity)) return SIZE_WRONG;
    if (type == 5) event.flags |= HIDDEN;
    if (type == 6) event.conditions = AUCTION;
    return nullptr;
}

}  // namespace

Step lobster_stream(Context& context, uint32_t instrument, const uint8_t* data, size_t size, bool last, Event* out,
                    Event* end) {
    size_t at = 0;
    while (at < size) {
        const size_t room = size - at;
        const size_t sought = room < LOBSTER_ROW_MAX ? room : LOBSTER_ROW_MAX;
        const void* const found = std::memchr(data + at, '\n', sought);
        size_t length = found == nullptr ? room : static_cast<size_t>(static_cast<const uint8_t*>(found) - (data + at));
        if (found == nullptr && room < LOBSTER_ROW_MAX && !last) break;
        if (found == nullptr && room >= LOBSTER_ROW_MAX) length = LOBSTER_ROW_MAX;
        const size_t next = at + length + (found != nullptr ? 1 : 0);
        if (context.resyncing) {  // inside a row that was too long
            context.resyncing = found == nullptr;
            at = next;
            continue;
        }
        if (out == end) return Step{at, out, Outcome::FULL};
        ++context.line;
        if (found == nullptr && room >= LOBSTER_ROW_MAX) {
            if (!report(context, Protocol::LOBSTER, data + at, 0, "row is longer than %lld bytes", LOBSTER_ROW_MAX)) {
                return Step{at, out, Outcome::PROBLEM};
            }
            context.resyncing = true;
            at = next;
            continue;
        }
        Reader row{data + at, data + at + length};
        if (length != 0 && row.end[-1] == '\r') --row.end;
        if (row.at != row.end) {
            Event event{};
            event.ts_event = context.midnight;
            event.ts_recv = context.ts_recv;
            event.sequence = context.line;
            event.instrument = instrument;
            event.venue = static_cast<uint16_t>(context.lobster_origin >> 32);
            event.provider = static_cast<uint8_t>(context.lobster_origin >> 48);
            event.flags = LAST;
            int64_t type = 0;
            const char* const wrong = read_row(row, type, event);
            if (wrong == nullptr) {
                *out++ = event;
                ++context.counts.lobster['0' + type];
            } else if (!report(context, Protocol::LOBSTER, data + at, static_cast<uint8_t>(type == 0 ? 0 : '0' + type),
                               wrong, type)) {
                return Step{at, out, Outcome::PROBLEM};
            }
        }
        at = next;
    }
    return Step{at, out, Outcome::MORE};
}

}  // namespace tf::decode
