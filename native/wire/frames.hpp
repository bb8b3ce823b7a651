// Frames of a provider's live connection to records: whole WebSocket frames, JSON or msgpack.
//
// How to add a format: one file <format>.cpp with `void decode_<format>(Decoding&)` (what it gets and how it writes events:
// decoding.hpp), its declaration and a line in the table of formats.cpp, its tables in tables.cpp. JSON frames that are
// an array of objects only need two functions for decode_array (objects.hpp); json.hpp scans, numbers.hpp converts.
// A decoder that remembers something between frames keeps it in a FormatState of its own.
//
// Rules for all: quotes, trades and levels become events, every other message is a slice in other(). A message whose
// symbol is not mapped is counted. Decimal text is an exact count of 1e-9, else the message is dropped and counted
// (inexact), as is one with a field of the wrong type or without a field it needs (invalid). Bytes that are not the
// format's grammar end the frame with a problem(); the messages before them stay.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "event.hpp"

namespace tf::wire {

enum class FrameFormat : int {
    POLYGON,
    ALPACA,
    ALPACA_MSGPACK,
    ALPACA_CRYPTO,
    ALPACA_CRYPTO_MSGPACK,
    FINNHUB,
    SCHWAB,
};

inline constexpr size_t FRAME_MAX = size_t{16} << 20;  // bytes; a longer frame is a problem

struct FrameOptions {
    FrameFormat format = FrameFormat::POLYGON;
    uint64_t origin = 0;   // decode::origin_word(venue, provider); events of a venue of their own replace the venue
    bool top = false;      // quotes are QUOTE of the venue of `origin` instead of NBBO
    bool general = false;  // no fast paths: for tests
};

// Part of the last frame.
struct Slice {
    uint32_t offset;
    uint32_t size;
};

// Where the last frame stopped to be what it should.
struct Problem {
    const char* what;
    uint64_t offset;  // bytes from the start of the frame
};

struct FrameCounts {
    uint64_t frames;
    uint64_t bytes;
    uint64_t events;
    uint64_t other;            // messages that are not for EVENT
    uint64_t unknown_symbols;  // messages of a symbol that is not mapped
    uint64_t unknown_venues;   // sides and trades whose exchange is in no table: venue 0
    uint64_t malformed;        // frames with a problem
    uint64_t general;          // messages that took the general path
    uint64_t inexact;          // messages dropped: a number that is no int64 count of 1e-9
    uint64_t invalid;          // messages dropped: a field missing or of the wrong type
};

struct Received {
    size_t events;
    bool rest;  // there is something in other(), or a problem()
};

struct Decoding;

class Frames {
  public:
    explicit Frames(const FrameOptions& options);
    ~Frames();
    Frames(const Frames&) = delete;
    Frames& operator=(const Frames&) = delete;

    // Gives a symbol as the provider writes it an instrument, or another one; NO_INSTRUMENT takes it away. False if it
    // is not 1 to 32 printable ASCII characters without blanks, quotes or backslashes: what frames hold is then compared as
    // it stands.
    bool map(const char* symbol, size_t size, uint32_t instrument);

    // Decodes one whole frame; the number of its events.
    size_t receive(const uint8_t* data, size_t size, int64_t ts_recv);

    // The same into memory of the caller: the events lie at `out` if there are `room` or fewer, else at events().
    Received receive_into(const uint8_t* data, size_t size, int64_t ts_recv, Event* out, size_t room);

    // The events of the last frame, until the next one comes.
    const Event* events() const;

    // The messages of the last frame that are not for EVENT, in order.
    const std::vector<Slice>& other() const;

    // Null if the last frame was well formed.
    const Problem* problem() const;

    // Drops other() and problem(): the caller has them.
    void forget();

    const FrameCounts& counts() const;
    const FrameOptions& options() const;

  private:
    std::unique_ptr<Decoding> decoding_;
};

// Name of the format with this number, null beyond the last; the number, or -1.
const char* format_name(int format);
int format_number(const char* name);

}  // namespace tf::wire
