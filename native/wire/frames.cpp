#include "wire/frames.hpp"

#include <algorithm>

#include "wire/decoding.hpp"
#include "wire/formats.hpp"

namespace tf::wire {

namespace {

constexpr size_t FIRST_EVENTS = 256;
constexpr uint32_t PROVIDER_SHIFT = 48;
constexpr uint32_t VENUE_SHIFT = 32;

}  // namespace

Frames::Frames(const FrameOptions& options) : decoding_(new Decoding) {
    decoding_->options = options;
    const FormatEntry& entry = format_entry(options.format);
    decoding_->decode = entry.decode;
    if (entry.state != nullptr) decoding_->state = entry.state();
    decoding_->memory.resize(FIRST_EVENTS);
    decoding_->first = decoding_->out = decoding_->memory.data();
}

Frames::~Frames() = default;

bool Frames::map(const char* symbol, size_t size, uint32_t instrument) {
    return decoding_->symbols.map(symbol, size, instrument);
}

size_t Frames::receive(const uint8_t* data, size_t size, int64_t ts_recv) {
    Decoding& decoding = *decoding_;
    return receive_into(data, size, ts_recv, decoding.memory.data(), decoding.memory.size()).events;
}

Received Frames::receive_into(const uint8_t* data, size_t size, int64_t ts_recv, Event* out, size_t room) {
    Decoding& decoding = *decoding_;
    const bool own = out == decoding.memory.data();
    decoding.data = data;
    decoding.size = size;
    decoding.ts_recv = ts_recv;
    decoding.first = decoding.out = out;
    decoding.end = out + room;
    decoding.other.clear();
    decoding.problem.what = nullptr;
    ++decoding.counts.frames;
    decoding.counts.bytes += size;
    if (size <= FRAME_MAX) {
        decoding.decode(decoding);
    } else {
        report(decoding, data, "the frame is longer than 16 MiB");
    }
    const size_t count = static_cast<size_t>(decoding.out - decoding.first);
    if (!own && count <= room && decoding.first != out) {  // it grew for a message that was dropped in the end
        std::copy(decoding.first, decoding.out, out);
        decoding.first = out;
        decoding.out = out + count;
        decoding.end = out + room;
    }
    decoding.counts.events += count;
    return Received{count, !decoding.other.empty() || decoding.problem.what != nullptr};
}

const Event* Frames::events() const { return decoding_->first; }
const std::vector<Slice>& Frames::other() const { return decoding_->other; }
const Problem* Frames::problem() const { return decoding_->problem.what == nullptr ? nullptr : &decoding_->problem; }
void Frames::forget() {
    decoding_->other.clear();
    decoding_->problem.what = nullptr;
}
const FrameCounts& Frames::counts() const { return decoding_->counts; }
const FrameOptions& Frames::options() const { return decoding_->options; }

void grow(Decoding& decoding, size_t more) {
    const size_t used = static_cast<size_t>(decoding.out - decoding.first);
    const size_t wanted = std::max(used + more, used * 2);
    const bool own = decoding.first == decoding.memory.data();
    if (decoding.memory.size() < wanted) decoding.memory.resize(wanted);
    if (!own) std::copy(decoding.first, decoding.out, decoding.memory.data());
    decoding.first = decoding.memory.data();
    decoding.out = decoding.first + used;
    decoding.end = decoding.first + decoding.memory.size();
}

void report(Decoding& decoding, const uint8_t* at, const char* what) {
    decoding.problem = Problem{what, static_cast<uint64_t>(at - decoding.data)};
    ++decoding.counts.malformed;
}

void push_other(Decoding& decoding, const uint8_t* begin, const uint8_t* end) {
    ++decoding.counts.other;
    decoding.other.push_back(Slice{static_cast<uint32_t>(begin - decoding.data), static_cast<uint32_t>(end - begin)});
}

void push_event(Decoding& decoding, const Message& message, Kind kind, uint16_t venue, Side side, unsigned flags,
                int64_t price, int64_t quantity, uint64_t id) {
    Event& event = *reserve(decoding, 1);
    event = Event{};
    event.ts_event = message.ts_event;
    event.ts_recv = decoding.ts_recv;
    event.price = price;
    event.quantity = quantity;
    event.sequence = message.sequence;
    event.order_id = id;
    event.instrument = message.instrument;
    event.venue = venue;
    event.provider = static_cast<uint8_t>(decoding.options.origin >> PROVIDER_SHIFT);
    event.kind = kind;
    event.side = side;
    event.flags = static_cast<uint8_t>(flags);
    event.conditions = message.conditions;
    ++decoding.out;
}

void push_quote(Decoding& decoding, const Message& message, const QuoteSide& bid, const QuoteSide& ask) {
    const bool top = decoding.options.top;
    const Kind kind = top ? Kind::QUOTE : Kind::NBBO;
    const uint16_t own = static_cast<uint16_t>(decoding.options.origin >> VENUE_SHIFT);
    reserve(decoding, 2);
    push_event(decoding, message, kind, top ? own : bid.venue, Side::BID, 0, bid.price, bid.quantity, 0);
    push_event(decoding, message, kind, top ? own : ask.venue, Side::ASK, LAST, ask.price, ask.quantity, 0);
}

void push_trade(Decoding& decoding, const Message& message, uint16_t venue, Side side, int64_t price, int64_t quantity,
                uint64_t id, unsigned flags) {
    push_event(decoding, message, Kind::TRADE, venue, side, flags | LAST, price, quantity, id);
}

uint64_t trade_id(const char* text, size_t size, unsigned& flags) {
    uint64_t number = 0;
    bool numeric = size > 0 && (text[0] != '0' || size == 1);
    for (size_t i = 0; i < size && numeric; ++i) {
        const uint64_t digit = static_cast<uint8_t>(text[i]) - uint64_t{'0'};
        numeric = digit < 10 && !__builtin_mul_overflow(number, uint64_t{10}, &number) &&
                  !__builtin_add_overflow(number, digit, &number);
    }
    if (numeric) return number;
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < size; ++i) hash = (hash ^ static_cast<uint8_t>(text[i])) * 0x100000001B3u;
    flags |= HASHED_ID;
    return hash;
}

}  // namespace tf::wire
