// Finnhub: prints. Layout: https://finnhub.io/docs/api/websocket-trades
#include "wire/formats.hpp"
#include "wire/letters.hpp"
#include "wire/values.hpp"

namespace tf::wire {

namespace {

struct Print {
    JsonValue c, p, s, t, v;

    explicit Print(const JsonValue& object) {
        JsonMembers members(object);
        JsonValue key, value;
        while (members.next(key, value)) {
            switch (json_word(key)) {
                case 'c':
                    c = value;
                    break;
                case 'p':
                    p = value;
                    break;
                case 's':
                    s = value;
                    break;
                case 't':
                    t = value;
                    break;
                case 'v':
                    v = value;
                    break;
                default:
                    break;
            }
        }
    }
};

// The bits of a list of numbers written as text.
uint32_t conditions(const JsonValue& list) {
    uint32_t bits = 0;
    if (!is_list(list)) return bits;
    JsonElements elements(list);
    for (JsonValue element; elements.next(element);) {
        const uint64_t word = text_word(element);
        const uint64_t first = (word & 0xFF) - '0';
        const uint64_t second = (word >> 8) - '0';
        const bool one = first - 1 < 9 && word <= 0xFF;
        const bool two = first - 1 < 9 && second < 10;
        const uint64_t code = one ? first : two ? first * 10 + second : 0;
        bits |= code < FINNHUB_MAX ? LETTERS.finnhub[code] : 0;
    }
    return bits;
}

void trade(Decoding& decoding, const JsonValue& object) {
    Fault fault;
    Message message{};
    int64_t price = 0;
    int64_t quantity = 0;
    fault.invalid |= !is_object(object);
    if (fault.any()) return fault.count(decoding.counts);
    const Print print(object);
    message.instrument = read_symbol(decoding, print.s, fault);
    if (!fault.any() && message.instrument == NO_INSTRUMENT) {
        ++decoding.counts.unknown_symbols;
        return;
    }
    read_whole(print.t, message.ts_event, fault);
    message.ts_event = unix_ns(message.ts_event);
    fault.invalid |= is_absent(print.p);
    read_amount(print.p, price, fault);
    read_amount(print.v, quantity, fault);
    if (fault.any()) return fault.count(decoding.counts);
    message.conditions = conditions(print.c);
    push_trade(decoding, message, 0, Side::NONE, price, quantity, 0, 0);
}

void message(Decoding& decoding, const JsonValue& object) {
    JsonValue type, data, key, value;
    JsonMembers members(object);
    while (members.next(key, value)) {
        const uint64_t word = json_word(key);
        if (word == json_word("type")) type = value;
        if (word == json_word("data")) data = value;
    }
    if (text_word(type) != json_word("trade")) return push_other(decoding, object);
    if (is_absent(data)) return;
    if (!is_list(data)) {
        ++decoding.counts.invalid;
        return;
    }
    JsonElements elements(data);
    for (JsonValue element; elements.next(element);) trade(decoding, element);
}

}  // namespace

void decode_finnhub(Decoding& decoding) { decode_objects(decoding, nullptr, message); }

}  // namespace tf::wire
