// What every decoder shares: where it stands in its stream, what it counts, what it found wrong.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "event.hpp"
#include "symbols.hpp"

namespace tf::decode {

enum class Protocol : uint8_t { NONE = 0, ITCH = 1, IEX = 2, LOBSTER = 3, MOLD = 4, PCAP = 5 };

// Something wrong in the input. `what` is a format for `seen` and `expected`.
struct Problem {
    uint64_t offset;  // bytes from the start of the stream
    uint64_t line;    // from 1; 0 for binary formats
    Protocol protocol;
    uint8_t type;  // message type, 0 if there is none
    const char* what;
    int64_t seen;
    int64_t expected;
};

struct Counts {
    uint64_t itch[256];     // messages by type
    uint64_t iex[256];      // messages by type
    uint64_t lobster[256];  // rows by type digit
    uint64_t bytes;
    uint64_t events;
    uint64_t packets;          // in captures
    uint64_t packets_ignored;  // in captures: neither IEX-TP nor MoldUDP64
    uint64_t segments;         // IEX-TP segments and MoldUDP64 packets
    uint64_t heartbeats;
    uint64_t session_ends;
    uint64_t gaps;
    uint64_t restarts;    // of these, a line that numbers from the start again
    uint64_t missing;     // messages lost in gaps, as far as their number is known
    uint64_t duplicates;  // messages seen before, left out
    uint64_t malformed;
    uint64_t unknown_types;
    uint64_t unknown_locates;  // ITCH messages whose locate code no message has named
    uint64_t side_dropped;
};

// One message of the side stream: what does not fit Event. Layout equals engine.core.side.SIDE.
struct SideRecord {
    int64_t ts_event;
    int64_t ts_recv;
    uint64_t sequence;
    uint32_t instrument;
    uint16_t venue;
    uint8_t provider;
    Protocol protocol;
    uint8_t type;
    uint8_t length;  // of the body, the type byte not counted
    uint8_t body[94];
};
static_assert(sizeof(SideRecord) == 128);

inline constexpr size_t SIDE_MAX = 65'536;  // records kept for a caller who does not take them; the oldest go first

class Lines;

struct Locate {
    uint64_t symbol;    // 0: not named yet
    uint32_t inverted;  // ~id: fresh zeroed memory reads as NO_INSTRUMENT
    uint32_t unused;
};

// Where liquidity rests and who sold the bytes, placed as in the seventh word of Event.
inline constexpr uint64_t origin_word(uint16_t venue, uint8_t provider) {
    return static_cast<uint64_t>(venue) << 32 | static_cast<uint64_t>(provider) << 48;
}

struct Context {
    explicit Context(SymbolTable& symbols) : table(&symbols), cache(symbols) {}

    SymbolTable* table;
    SymbolCache cache;
    Counts counts{};
    std::vector<SideRecord> side;
    Locate* locates = nullptr;  // 65,536 of them
    uint64_t itch_origin = 0;   // origin_word of MoldUDP64 and ITCH, of IEX-TP, of LOBSTER
    uint64_t iex_origin = 0;
    uint64_t lobster_origin = 0;
    int64_t midnight = 0;
    int64_t ts_recv = 0;
    uint8_t iex_aside =
        0;  // flags of IEX events that change no book: LAST, but none where atomic events go on around them
    Lines* lines = nullptr;
    uint64_t sequence = 0;          // messages or rows so far, where the format does not number them
    const uint8_t* data = nullptr;  // the bytes being decoded; data[0] stands at `base` of the stream
    uint64_t base = 0;
    uint64_t line = 0;
    bool lenient = false;
    bool resyncing = false;  // lenient: passing over bytes in search of something that looks right
    bool failed = false;     // strict: `problem` ended the stream
    Problem problem{};
};

// Records something wrong at `at`; true if decoding goes on (lenient).
bool report(Context& context, Protocol protocol, const uint8_t* at, uint8_t type, const char* what, int64_t seen = 0,
            int64_t expected = 0);

// The instrument of a blank-padded symbol of 8 bytes, NO_SYMBOL if it is not valid or the table is full. Takes a lock on
// first sight.
uint32_t learn_symbol(Context& context, uint64_t symbol);

// Reports the symbol of 8 bytes at `at` that learn_symbol gave no instrument, as `report` does.
bool report_symbol(Context& context, Protocol protocol, const uint8_t* at, uint8_t type);

// Adds a message to the side stream.
void push_side(Context& context, Protocol protocol, uint64_t origin, const uint8_t* message, size_t length,
               int64_t ts_event, uint64_t sequence, uint32_t instrument);

// Writes the problem as text: "itch: byte 12: message 'A': length is 35; expected 36".
size_t describe(const Problem& problem, char* text, size_t size);

enum class Outcome : uint8_t {
    MORE,     // everything whole is decoded; the rest waits for more bytes
    FULL,     // the output is too small for the next unit
    PROBLEM,  // strict: the stream ends here
};

// How far a step came.
struct Step {
    size_t consumed;
    Event* out;
    Outcome outcome;
};

}  // namespace tf::decode
