// Schwab's streamer: LEVELONE_EQUITIES (only what changed, so the last values are kept) and the montages NYSE_BOOK and
// NASDAQ_BOOK (each message whole). Layout: Schwab Trader API, Streamer Guide.
#include <cstring>
#include <unordered_map>

#include "wire/formats.hpp"
#include "wire/letters.hpp"
#include "wire/tables.hpp"
#include "wire/values.hpp"

namespace tf::wire {

namespace {

// Sizes of LEVELONE are lots by the guide, which does not say whether they became shares with the SIPs' (2025-11-03 in
// New York). They are taken so: a size a hundred times too small does less harm than one too large.
constexpr int64_t SHARES_SINCE = 1'762'146'000 * NANOS;
constexpr int64_t ROUND_LOT = 100;
constexpr size_t VENUES_MAX = size_t{1} << 16;

enum class Service : uint8_t { NONE, LEVEL_ONE, BOOK };

struct KeptSide {
    int64_t price = 0;
    int64_t quantity = 0;   // as it came
    uint64_t letter = 0;    // exchange
    uint64_t code = 0;      // market identifier code
    bool lettered = false;  // a letter, even one of no exchange, was given
};

// What LEVELONE has said of an instrument so far.
struct Kept {
    KeptSide bid, ask;
    int64_t time = 0;
    Status status{};
};

// Where in the output a participant's quote of the side at hand stands.
struct Seen {
    uint32_t side = 0;  // running number of the side it was written for
    uint32_t place = 0;
};

struct SchwabState : FormatState {
    std::unordered_map<uint32_t, Kept> kept;  // by instrument
    std::vector<Seen> seen;                   // by venue, made when the first book comes
    uint32_t side = 0;
};

// Milliseconds as ns; 0 for whatever is no time.
int64_t time_of(const JsonValue& field) {
    Fault fault;
    int64_t time = 0;
    read_whole(field, time, fault);
    return fault.any() ? 0 : unix_ns(time);
}

bool market_code(uint64_t word) {
    for (int i = 0; i < 4; ++i, word >>= 8) {
        const uint64_t letter = word & 0xFF;
        if (!(letter >= 'A' && letter <= 'Z') && !(letter >= '0' && letter <= '9')) return false;
    }
    return word == 0;
}

uint16_t venue_of(const KeptSide& side, unsigned& unknown) {
    if (side.letter < LETTERS_MAX && LETTERS.venues[side.letter] != 0) return LETTERS.venues[side.letter];
    if (market_code(side.code)) {
        char name[5] = {};
        for (int i = 0; i < 4; ++i) name[i] = static_cast<char>(side.code >> 8 * i);
        return venue_number(name);
    }
    unknown += side.lettered;
    return 0;
}

Status status_of(const JsonValue& field) {
    switch (text_word(field)) {
        case json_word("Normal"):
            return Status::TRADING;
        case json_word("Halted"):
            return Status::HALTED;
        case json_word("Closed"):
            return Status::CLOSING_DONE;
        default:
            return Status{};
    }
}

// The fields of a message that are a quote's; a key that comes twice counts as it came last.
struct Changes {
    JsonValue bid, ask, bid_size, ask_size, ask_letter, bid_letter, ask_code, bid_code, time, status;

    explicit Changes(const JsonValue& item) {
        JsonMembers members(item);
        for (JsonValue key, value; members.next(key, value);) {
            if (JsonValue* const field = place(json_word(key))) *field = value;
        }
    }

    JsonValue* place(uint64_t key) {
        switch (key) {
            case json_word("1"):
                return &bid;
            case json_word("2"):
                return &ask;
            case json_word("4"):
                return &bid_size;
            case json_word("5"):
                return &ask_size;
            case json_word("6"):
                return &ask_letter;
            case json_word("7"):
                return &bid_letter;
            case json_word("39"):
                return &ask_code;
            case json_word("40"):
                return &bid_code;
            case json_word("34"):
                return &time;
            case json_word("32"):
                return &status;
            default:
                return nullptr;
        }
    }
};

// Takes over what changed of one side; whether anything was said of it.
bool keep(KeptSide& side, const JsonValue& price, const JsonValue& size, const JsonValue& letter, const JsonValue& code,
          Fault& fault) {
    read_amount(price, side.price, fault);
    read_amount(size, side.quantity, fault);
    if (is_text(letter)) {
        side.letter = text_word(letter);
        side.lettered = letter.size != 0 && side.letter != ' ';
    }
    if (is_text(code)) side.code = text_word(code);
    return !is_absent(price) || !is_absent(size) || !is_absent(letter) || !is_absent(code);
}

QuoteSide side_of(const KeptSide& kept, int64_t time, unsigned& unknown, Fault& fault) {
    QuoteSide side;
    side.venue = venue_of(kept, unknown);
    side.price = kept.price;
    side.quantity = kept.quantity;
    if (time != 0 && time < SHARES_SINCE) {
        fault.inexact |= __builtin_mul_overflow(side.quantity, ROUND_LOT, &side.quantity);
    }
    if (side.price == 0) side.quantity = 0;
    return side;
}

void level_one(Decoding& decoding, SchwabState& state, const JsonValue& item, Message& message) {
    Kept& kept = state.kept[message.instrument];
    Fault fault;
    const Changes changes(item);
    const bool bid_said = keep(kept.bid, changes.bid, changes.bid_size, changes.bid_letter, changes.bid_code, fault);
    const bool ask_said = keep(kept.ask, changes.ask, changes.ask_size, changes.ask_letter, changes.ask_code, fault);
    if (const int64_t time = time_of(changes.time)) kept.time = time;
    if (kept.time != 0) message.ts_event = kept.time;
    const Status status = status_of(changes.status);
    if (status != Status{} && status != kept.status) {
        kept.status = status;
        message.conditions = static_cast<uint32_t>(status);
        push_event(decoding, message, Kind::STATUS, 0, Side::NONE, LAST, 0, 0, 0);
        message.conditions = 0;
    }
    if (!bid_said && !ask_said) return;
    unsigned unknown = 0;
    QuoteSide bid = side_of(kept.bid, message.ts_event, unknown, fault);
    QuoteSide ask = side_of(kept.ask, message.ts_event, unknown, fault);
    if (fault.any()) {  // what was said before is no longer so: no quote until it is said anew
        fault.count(decoding.counts);
        kept.bid.price = kept.bid.quantity = kept.ask.price = kept.ask.quantity = 0;
        bid.price = bid.quantity = ask.price = ask.quantity = 0;
    } else {
        decoding.counts.unknown_venues += unknown;
    }
    push_quote(decoding, message, bid, ask);
}

// One participant's quote: its best price of the side counts, sizes at the same price add up.
void push_participant(Decoding& decoding, SchwabState& state, const Message& message, Side side, uint16_t venue,
                      int64_t price, int64_t quantity, Fault& fault) {
    if (price == 0 || quantity == 0) return;
    Seen& seen = state.seen[venue];
    if (seen.side != state.side) {
        seen = Seen{state.side, static_cast<uint32_t>(decoding.out - decoding.first)};
        return push_event(decoding, message, Kind::QUOTE, venue, side, SNAPSHOT, price, quantity, 0);
    }
    Event& held = decoding.first[seen.place];
    if (price == held.price) {
        fault.inexact |= __builtin_add_overflow(held.quantity, quantity, &held.quantity);
    } else if ((price > held.price) == (side == Side::BID)) {
        held.price = price;
        held.quantity = quantity;
    }
}

void makers(Decoding& decoding, SchwabState& state, const Message& message, Side side, int64_t price,
            const JsonValue& list, Fault& fault) {
    if (is_absent(list)) return;
    fault.invalid |= !is_list(list);
    if (fault.invalid) return;
    JsonElements elements(list);
    for (JsonValue maker; elements.next(maker);) {
        JsonValue key, value, name, size;
        if (is_object(maker)) {
            JsonMembers members(maker);
            while (members.next(key, value)) {
                if (json_word(key) == '0') name = value;
                if (json_word(key) == '1') size = value;
            }
        }
        int64_t quantity = 0;
        fault.invalid |= !is_text(name) || is_absent(size);
        read_amount(size, quantity, fault);
        JsonText text;
        text.size = 0;
        if (is_text(name)) json_text(name, text);
        const uint16_t venue = text.whole() ? participant_venue(text.data, text.size) : 0;
        fault.invalid |= venue == 0;
        if (!fault.any()) push_participant(decoding, state, message, side, venue, price, quantity, fault);
    }
}

void book_side(Decoding& decoding, SchwabState& state, const Message& message, Side side, const JsonValue& list,
               Fault& fault) {
    ++state.side;
    if (is_absent(list)) return;
    fault.invalid |= !is_list(list);
    if (fault.invalid) return;
    JsonElements elements(list);
    for (JsonValue level; elements.next(level);) {
        JsonValue key, value, price, participants;
        if (is_object(level)) {
            JsonMembers members(level);
            while (members.next(key, value)) {
                if (json_word(key) == '0') price = value;
                if (json_word(key) == '3') participants = value;
            }
        }
        int64_t count = 0;
        fault.invalid |= is_absent(price);
        read_amount(price, count, fault);
        makers(decoding, state, message, side, count, participants, fault);
    }
}

void book(Decoding& decoding, SchwabState& state, const JsonValue& item, Message& message) {
    JsonValue key, value, time, bids, asks;
    JsonMembers members(item);
    while (members.next(key, value)) {
        const uint64_t word = json_word(key);
        if (word == '1') time = value;
        if (word == '2') bids = value;
        if (word == '3') asks = value;
    }
    if (const int64_t own = time_of(time)) message.ts_event = own;
    if (state.seen.empty()) state.seen.resize(VENUES_MAX);
    const ptrdiff_t before = decoding.out - decoding.first;
    Fault fault;
    push_event(decoding, message, Kind::CLEAR, 0, Side::NONE, SNAPSHOT, 0, 0, 0);
    book_side(decoding, state, message, Side::BID, bids, fault);
    book_side(decoding, state, message, Side::ASK, asks, fault);
    if (fault.any()) {
        decoding.out = decoding.first + before;
        return fault.count(decoding.counts);
    }
    (decoding.out - 1)->flags |= LAST;
}

void items(Decoding& decoding, Service service, const JsonValue& content, int64_t time) {
    SchwabState& state = static_cast<SchwabState&>(*decoding.state);
    JsonElements elements(content);
    for (JsonValue item; elements.next(item);) {
        Fault fault;
        Message message{};
        message.ts_event = time;
        JsonValue symbol, key, value;
        if (is_object(item)) {
            JsonMembers members(item);
            while (members.next(key, value)) {
                if (json_word(key) == json_word("key")) symbol = value;
            }
        }
        message.instrument = read_symbol(decoding, symbol, fault);
        if (fault.any()) {
            fault.count(decoding.counts);
        } else if (message.instrument == NO_INSTRUMENT) {
            ++decoding.counts.unknown_symbols;
        } else if (service == Service::LEVEL_ONE) {
            level_one(decoding, state, item, message);
        } else {
            book(decoding, state, item, message);
        }
    }
}

bool equals(const JsonValue& string, const char* text) {
    if (!is_text(string)) return false;
    JsonText own;
    json_text(string, own);
    return own.whole() && own.size == std::strlen(text) && std::memcmp(own.data, text, own.size) == 0;
}

// One element of "data"; false if it is of another service.
bool service_data(Decoding& decoding, const JsonValue& element) {
    JsonValue service, timestamp, content, key, value;
    if (!is_object(element)) return false;
    JsonMembers members(element);
    while (members.next(key, value)) {
        if (equals(key, "service")) service = value;
        if (equals(key, "timestamp")) timestamp = value;
        if (equals(key, "content")) content = value;
    }
    const Service kind = equals(service, "LEVELONE_EQUITIES")                             ? Service::LEVEL_ONE
                         : equals(service, "NYSE_BOOK") || equals(service, "NASDAQ_BOOK") ? Service::BOOK
                                                                                          : Service::NONE;
    if (kind == Service::NONE) return false;
    if (is_list(content)) {
        items(decoding, kind, content, time_of(timestamp));
    } else {
        ++decoding.counts.invalid;
    }
    return true;
}

// A frame. It goes whole to other() if anything in it is not of the three services.
void message(Decoding& decoding, const JsonValue& object) {
    JsonValue data, key, value;
    JsonMembers members(object);
    bool ours = true;
    while (members.next(key, value)) {
        const bool is_data = json_word(key) == json_word("data");
        ours &= is_data;
        if (is_data) data = value;
    }
    ours &= is_list(data);
    if (is_list(data)) {
        JsonElements elements(data);
        for (JsonValue element; elements.next(element);) ours &= service_data(decoding, element);
    }
    if (!ours) push_other(decoding, object);
}

}  // namespace

std::unique_ptr<FormatState> schwab_state() { return std::make_unique<SchwabState>(); }

void decode_schwab(Decoding& decoding) { decode_objects(decoding, nullptr, message); }

}  // namespace tf::wire
