// What a format's decoder works on: the frame, the symbols, the output.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "wire/frames.hpp"
#include "wire/symbol_map.hpp"

namespace tf::wire {

// What a decoder remembers between frames.
struct FormatState {
    virtual ~FormatState() = default;
};

struct Decoding {
    FrameOptions options;
    void (*decode)(Decoding& decoding) = nullptr;  // of the format
    SymbolMap symbols;
    FrameCounts counts{};
    std::unique_ptr<FormatState> state;

    const uint8_t* data = nullptr;  // the frame
    size_t size = 0;
    int64_t ts_recv = 0;

    Event* first = nullptr;  // of the frame
    Event* out = nullptr;    // the next one goes here
    Event* end = nullptr;
    std::vector<Slice> other;
    Problem problem{};  // what is null: none

    std::vector<Event> memory;
};

// Moves the events so far to memory of our own with room for `more`.
void grow(Decoding& decoding, size_t more);

// Where to write the next `count` events; add what was written to `out`.
static inline Event* reserve(Decoding& decoding, size_t count) {
    if (__builtin_expect(static_cast<size_t>(decoding.end - decoding.out) < count, 0)) grow(decoding, count);
    return decoding.out;
}

// Notes what is wrong and where. The decoder returns after it.
void report(Decoding& decoding, const uint8_t* at, const char* what);

// A message for other().
void push_other(Decoding& decoding, const uint8_t* begin, const uint8_t* end);

// What the events of one message have in common.
struct Message {
    int64_t ts_event;
    uint64_t sequence;
    uint32_t instrument;
    uint32_t conditions;
};

struct QuoteSide {
    uint16_t venue = 0;
    int64_t price = 0;
    int64_t quantity = 0;
};

// Two events, bid then ask with LAST: NBBO with the venue of each side, or QUOTE of the line's venue (options.top).
void push_quote(Decoding& decoding, const Message& message, const QuoteSide& bid, const QuoteSide& ask);

// One event with LAST. `id` is the trade's, see trade_id.
void push_trade(Decoding& decoding, const Message& message, uint16_t venue, Side side, int64_t price, int64_t quantity,
                uint64_t id, unsigned flags);

// Any other event; what is not in it (ts_recv, provider) is filled in.
void push_event(Decoding& decoding, const Message& message, Kind kind, uint16_t venue, Side side, unsigned flags,
                int64_t price, int64_t quantity, uint64_t id);

// The number a trade id is, or a hash (64-bit FNV-1a) of any other text, and then HASHED_ID in `flags`.
uint64_t trade_id(const char* text, size_t size, unsigned& flags);

}  // namespace tf::wire
