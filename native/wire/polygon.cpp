// Massive (Polygon) stocks: every field of the messages that become events, in any order. Layout: https://massive.com/docs/websocket
#include "wire/polygon.hpp"

#include "wire/formats.hpp"
#include "wire/numbers.hpp"
#include "wire/objects.hpp"
#include "wire/tables.hpp"

namespace tf::wire {

namespace {

// A message's fields by key. One letter means other things in other messages, so they are read when `ev` is known.
struct Fields {
    JsonValue ev, sym, x, p, s, ds, i, c, t, q, trfi, bx, bp, bs, ax, ap, as;

    explicit Fields(const JsonValue& object) {
        JsonMembers members(object);
        JsonValue key, value;
        while (members.next(key, value)) {
            if (JsonValue* const field = place(json_word(key))) *field = value;
        }
    }

    JsonValue* place(uint64_t key) {
        switch (key) {
            case json_word("ev"):
                return &ev;
            case json_word("sym"):
                return &sym;
            case json_word("x"):
                return &x;
            case json_word("p"):
                return &p;
            case json_word("s"):
                return &s;
            case json_word("ds"):
                return &ds;
            case json_word("i"):
                return &i;
            case json_word("c"):
                return &c;
            case json_word("t"):
                return &t;
            case json_word("q"):
                return &q;
            case json_word("trfi"):
                return &trfi;
            case json_word("bx"):
                return &bx;
            case json_word("bp"):
                return &bp;
            case json_word("bs"):
                return &bs;
            case json_word("ax"):
                return &ax;
            case json_word("ap"):
                return &ap;
            case json_word("as"):
                return &as;
            default:
                return nullptr;
        }
    }
};

// Condition bits of a number or an array of numbers.
uint32_t read_conditions(const JsonValue& field, uint32_t (*bits_of)(int64_t), Fault& fault) {
    int64_t code = -1;
    if (field.type != JsonType::ARRAY) {
        read_whole(field, code, fault);
        return bits_of(code);
    }
    uint32_t bits = 0;
    JsonElements elements(field);
    for (JsonValue element; elements.next(element);) {
        code = -1;
        read_whole(element, code, fault);
        bits |= bits_of(code);
    }
    return bits;
}

// The venue of an exchange id; no id is no venue.
uint16_t read_venue(const JsonValue& field, Fault& fault, bool& unknown) {
    int64_t exchange = 0;
    read_whole(field, exchange, fault);
    const uint16_t venue = polygon_venue(exchange);
    unknown |= venue == 0 && exchange != 0;
    return venue;
}

void quote(Decoding& decoding, const Fields& fields, Message& message, Fault& fault) {
    QuoteSide bid, ask;
    bool bid_unknown = false;
    bool ask_unknown = false;
    bid.venue = read_venue(fields.bx, fault, bid_unknown);
    ask.venue = read_venue(fields.ax, fault, ask_unknown);
    read_amount(fields.bp, bid.price, fault);
    read_amount(fields.bs, bid.quantity, fault);
    read_amount(fields.ap, ask.price, fault);
    read_amount(fields.as, ask.quantity, fault);
    message.conditions = read_conditions(fields.c, polygon_quote_condition, fault);
    if (message.ts_event != 0 && message.ts_event < SHARES_SINCE) {
        fault.inexact |= __builtin_mul_overflow(bid.quantity, ROUND_LOT, &bid.quantity);
        fault.inexact |= __builtin_mul_overflow(ask.quantity, ROUND_LOT, &ask.quantity);
    }
    if (fault.any()) return fault.count(decoding.counts);
    if (bid.price == 0) bid.quantity = 0;  // no quote on that side
    if (ask.price == 0) ask.quantity = 0;
    decoding.counts.unknown_venues += bid_unknown + ask_unknown;
    push_quote(decoding, message, bid, ask);
}

void trade(Decoding& decoding, const Fields& fields, Message& message, Fault& fault) {
    int64_t price = 0;
    int64_t quantity = 0;
    unsigned flags = 0;
    bool unknown = false;
    uint16_t venue = read_venue(fields.x, fault, unknown);
    bool ignored = false;
    if (const uint16_t facility = read_venue(fields.trfi, fault, ignored)) {  // a report names its facility
        venue = facility;
        unknown = false;
    }
    fault.invalid |= fields.p.type != JsonType::NUMBER;
    read_amount(fields.p, price, fault);
    read_amount(fields.s, quantity, fault);
    read_amount_text(fields.ds, quantity, fault);
    const uint64_t id = read_trade_id(fields.i, flags, fault);
    message.conditions = read_conditions(fields.c, polygon_trade_condition, fault);
    if (fault.any()) return fault.count(decoding.counts);
    decoding.counts.unknown_venues += unknown;
    push_trade(decoding, message, venue, Side::NONE, price, quantity, id, flags);
}

void message(Decoding& decoding, const JsonValue& object) {
    const Fields fields(object);
    const uint64_t event = fields.ev.type == JsonType::STRING ? json_word(fields.ev) : 0;
    if (event != json_word("Q") && event != json_word("T")) {
        const uint8_t* const begin = reinterpret_cast<const uint8_t*>(object.data);
        return push_other(decoding, begin, begin + object.size);
    }
    Fault fault;
    Message head{};
    head.instrument = read_symbol(decoding, fields.sym, fault);
    if (fault.any()) return fault.count(decoding.counts);
    if (head.instrument == NO_INSTRUMENT) {
        ++decoding.counts.unknown_symbols;
        return;
    }
    int64_t sequence = 0;
    read_whole(fields.t, head.ts_event, fault);
    head.ts_event = unix_ns(head.ts_event);
    read_whole(fields.q, sequence, fault);
    head.sequence = static_cast<uint64_t>(sequence);
    event == json_word("Q") ? quote(decoding, fields, head, fault) : trade(decoding, fields, head, fault);
}

}  // namespace

void decode_polygon(Decoding& decoding) { decode_objects(decoding, polygon_kernel().messages, message); }

}  // namespace tf::wire

TF_DEFINE_TARGETS(wire::PolygonKernel, polygon_kernel)
