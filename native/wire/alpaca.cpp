// Alpaca stocks (v2) and crypto (v1beta3), JSON and msgpack: every field of the messages that become events, in any
// order. Layout: https://docs.alpaca.markets/docs/real-time-stock-pricing-data and its crypto page.
#include "wire/alpaca.hpp"
#include "wire/formats.hpp"
#include "wire/letters.hpp"
#include "wire/values.hpp"

namespace tf::wire {

namespace {

// A message's fields by key. One letter means other things in other messages, so they are read when `T` is known.
template <class Value>
struct Fields {
    Value T, S, x, p, s, i, c, t, z, tks, bx, bp, bs, ax, ap, as, b, a, r, sc, rc;

    explicit Fields(const Value& object) {
        typename Walk<Value>::Members members(object);
        Value key, value;
        while (members.next(key, value)) {
            if (Value* const field = place(text_word(key))) *field = value;
        }
    }

    Value* place(uint64_t key) {
        struct Place {
            uint64_t key;
            Value Fields::* field;
        };
        static constexpr Place PLACES[] = {
            {json_word("T"), &Fields::T},   {json_word("S"), &Fields::S},   {json_word("bx"), &Fields::bx},
            {json_word("bp"), &Fields::bp}, {json_word("bs"), &Fields::bs}, {json_word("ax"), &Fields::ax},
            {json_word("ap"), &Fields::ap}, {json_word("as"), &Fields::as}, {json_word("c"), &Fields::c},
            {json_word("z"), &Fields::z},   {json_word("t"), &Fields::t},   {json_word("i"), &Fields::i},
            {json_word("x"), &Fields::x},   {json_word("p"), &Fields::p},   {json_word("s"), &Fields::s},
            {json_word("b"), &Fields::b},   {json_word("a"), &Fields::a},   {json_word("r"), &Fields::r},
            {json_word("sc"), &Fields::sc}, {json_word("rc"), &Fields::rc}, {json_word("tks"), &Fields::tks},
        };
        for (const Place& place : PLACES) {
            if (place.key == key) return &(this->*place.field);
        }
        return nullptr;
    }

    Tape tape() const {
        const uint64_t letter = text_word(z);
        return letter == 'A' || letter == 'B' ? CTA : UTP;
    }
};

uint16_t own_venue(const Decoding& decoding) { return static_cast<uint16_t>(decoding.options.origin >> 32); }

// The venue of a participant letter; none and a blank are no venue.
template <class Value>
uint16_t read_exchange(const Value& field, Fault& fault, unsigned& unknown) {
    if (is_absent(field)) return 0;
    fault.invalid |= !is_text(field);
    const uint64_t letter = text_word(field);
    if (field.size == 0 || letter == ' ') return 0;
    const uint16_t venue = letter < LETTERS_MAX ? LETTERS.venues[letter] : 0;
    unknown += venue == 0;
    return venue;
}

// The bits of a list of letters; what is no list or letter says nothing.
template <class Value>
uint32_t conditions(const Fields<Value>& fields, const uint32_t (&table)[2][LETTERS_MAX]) {
    if (!is_list(fields.c)) return 0;
    TapeBits bits;
    typename Walk<Value>::Elements elements(fields.c);
    for (Value element; elements.next(element);) bits.add(table, text_word(element));
    return bits.of[fields.tape()];
}

template <class Value>
void quote(Decoding& decoding, const Fields<Value>& fields, Message& message, Fault& fault) {
    const bool crypto = decoding.options.format >= FrameFormat::ALPACA_CRYPTO;
    QuoteSide bid, ask;
    unsigned unknown = 0;
    if (!decoding.options.top) {
        bid.venue = read_exchange(fields.bx, fault, unknown);
        ask.venue = read_exchange(fields.ax, fault, unknown);
    }
    read_amount(fields.bp, bid.price, fault);
    read_amount(fields.bs, bid.quantity, fault);
    read_amount(fields.ap, ask.price, fault);
    read_amount(fields.as, ask.quantity, fault);
    if (!crypto) {
        message.conditions = conditions(fields, LETTERS.quotes);
        if (message.ts_event != 0 && message.ts_event < ALPACA_SHARES_SINCE) {
            fault.inexact |= __builtin_mul_overflow(bid.quantity, ALPACA_ROUND_LOT, &bid.quantity);
            fault.inexact |= __builtin_mul_overflow(ask.quantity, ALPACA_ROUND_LOT, &ask.quantity);
        }
    }
    if (fault.any()) return fault.count(decoding.counts);
    if (bid.price == 0) bid.quantity = 0;  // no quote on that side
    if (ask.price == 0) ask.quantity = 0;
    decoding.counts.unknown_venues += unknown;
    push_quote(decoding, message, bid, ask);
}

// A print, or one taken back, which needs no price.
template <class Value>
void trade(Decoding& decoding, const Fields<Value>& fields, Message& message, Fault& fault, Kind kind) {
    const bool crypto = decoding.options.format >= FrameFormat::ALPACA_CRYPTO;
    int64_t price = 0;
    int64_t quantity = 0;
    unsigned flags = LAST;
    unsigned unknown = 0;
    fault.invalid |= kind == Kind::TRADE && is_absent(fields.p);
    read_amount(fields.p, price, fault);
    read_amount(fields.s, quantity, fault);
    const uint64_t id = read_trade_id(fields.i, flags, fault);
    const uint16_t venue = crypto ? own_venue(decoding) : read_exchange(fields.x, fault, unknown);
    if (kind == Kind::TRADE && !crypto) message.conditions = conditions(fields, LETTERS.sales);
    if (fault.any()) return fault.count(decoding.counts);
    const uint64_t taker = crypto ? text_word(fields.tks) : 0;
    const Side rested = taker == 'B' ? Side::ASK : taker == 'S' ? Side::BID : Side::NONE;
    decoding.counts.unknown_venues += unknown;
    push_event(decoding, message, kind, venue, rested, flags, price, quantity, id);
}

template <class Value>
void status(Decoding& decoding, const Fields<Value>& fields, Message& message, Fault& fault) {
    if (fault.any()) return fault.count(decoding.counts);
    const uint64_t code = text_word(fields.sc);
    Status state = code < LETTERS_MAX ? LETTERS.statuses[code] : Status{};
    if (code == '2' && text_word(fields.rc) == 'M') state = Status::PAUSED;  // CTA's reason of a volatility pause
    if (state == Status{}) return;
    message.conditions = static_cast<uint32_t>(state);
    push_event(decoding, message, Kind::STATUS, 0, Side::NONE, LAST, 0, 0, 0);
}

// The levels of one side.
template <class Value>
void side_levels(Decoding& decoding, const Message& message, const Value& list, Side side, unsigned flags,
                 Fault& fault) {
    if (is_absent(list)) return;
    if (!is_list(list)) {
        fault.invalid = true;
        return;
    }
    typename Walk<Value>::Elements elements(list);
    for (Value level; elements.next(level);) {
        int64_t price = 0;
        int64_t quantity = 0;
        Value key, value, p, s;
        if (is_object(level)) {
            typename Walk<Value>::Members members(level);
            while (members.next(key, value)) {
                const uint64_t word = text_word(key);
                if (word == 'p') p = value;
                if (word == 's') s = value;
            }
        }
        fault.invalid |= is_absent(p) || is_absent(s);
        read_amount(p, price, fault);
        read_amount(s, quantity, fault);
        push_event(decoding, message, Kind::LEVEL, own_venue(decoding), side, flags, price, quantity, 0);
    }
}

template <class Value>
void levels(Decoding& decoding, const Fields<Value>& fields, const Message& message, Fault& fault) {
    const ptrdiff_t before = decoding.out - decoding.first;
    fault.invalid |= !is_absent(fields.r) && !is_boolean(fields.r);
    const unsigned flags = is_true(fields.r) ? SNAPSHOT : 0;
    if (flags != 0) push_event(decoding, message, Kind::CLEAR, own_venue(decoding), Side::NONE, flags, 0, 0, 0);
    side_levels(decoding, message, fields.b, Side::BID, flags, fault);
    side_levels(decoding, message, fields.a, Side::ASK, flags, fault);
    if (fault.any()) {
        decoding.out = decoding.first + before;
        return fault.count(decoding.counts);
    }
    if (decoding.out != decoding.first + before) (decoding.out - 1)->flags |= LAST;
}

enum class Type : uint8_t { OTHER, QUOTE, TRADE, BREAK, STATUS, LEVELS };

Type type_of(uint64_t word, bool crypto) {
    switch (word) {
        case 'q':
            return Type::QUOTE;
        case 't':
            return Type::TRADE;
        case 'x':
            return crypto ? Type::OTHER : Type::BREAK;
        case 's':
            return crypto ? Type::OTHER : Type::STATUS;
        case 'o':
            return crypto ? Type::LEVELS : Type::OTHER;
        default:
            return Type::OTHER;
    }
}

template <class Value>
void message(Decoding& decoding, const Value& object) {
    const bool crypto = decoding.options.format >= FrameFormat::ALPACA_CRYPTO;
    const Fields<Value> fields(object);
    const Type type = type_of(text_word(fields.T), crypto);
    if (type == Type::OTHER || type == Type::STATUS) push_other(decoding, object);
    if (type == Type::OTHER) return;
    Fault fault;
    Message head{};
    head.instrument = read_symbol(decoding, fields.S, fault);
    if (fault.any()) return fault.count(decoding.counts);
    if (head.instrument == NO_INSTRUMENT) {
        ++decoding.counts.unknown_symbols;
        return;
    }
    // The order book says the same and more.
    if (crypto && type == Type::QUOTE && !decoding.options.top) return;
    read_time(fields.t, head.ts_event, fault);
    switch (type) {
        case Type::QUOTE:
            return quote(decoding, fields, head, fault);
        case Type::TRADE:
            return trade(decoding, fields, head, fault, Kind::TRADE);
        case Type::BREAK:
            return trade(decoding, fields, head, fault, Kind::TRADE_BREAK);
        case Type::STATUS:
            return status(decoding, fields, head, fault);
        default:
            return levels(decoding, fields, head, fault);
    }
}

}  // namespace

std::unique_ptr<FormatState> alpaca_state() { return std::make_unique<AlpacaState>(); }

void decode_alpaca(Decoding& decoding) { decode_objects(decoding, alpaca_kernel().messages, message<JsonValue>); }

void decode_alpaca_packed(Decoding& decoding) { decode_packed(decoding, alpaca_kernel().packed, message<PackedValue>); }

void decode_alpaca_crypto(Decoding& decoding) { decode_objects(decoding, nullptr, message<JsonValue>); }

void decode_alpaca_crypto_packed(Decoding& decoding) { decode_packed(decoding, nullptr, message<PackedValue>); }

}  // namespace tf::wire

TF_DEFINE_TARGETS(wire::AlpacaKernel, alpaca_kernel)
