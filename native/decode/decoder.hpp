// One decoder of any format: takes bytes in pieces of any size, gives records. Knows no sockets, files or clocks.
#pragma once
#include <cstdlib>
#include <memory>
#include <vector>

#include "decode/context.hpp"
#include "decode/lines.hpp"
#include "decode/pcap.hpp"

namespace tf::decode {

enum class Format : int { ITCH, MOLD, IEX, PCAP, LOBSTER };

struct Options {
    Format format = Format::ITCH;
    uint64_t itch_origin = 0;  // origin_word
    uint64_t iex_origin = 0;
    uint64_t lobster_origin = 0;
    int64_t midnight = 0;     // ns since epoch; ITCH and LOBSTER count from it
    uint32_t instrument = 0;  // LOBSTER
    bool lenient = false;
};

class Decoder {
  public:
    Decoder(SymbolTable& symbols, const Options& options);

    // Once for each piece of input, before receive: sets the receive time (0 where a capture has its own) and drops
    // what was not taken from an overfull side stream.
    void begin(int64_t ts_recv);

    // Decodes until the bytes or the output end. FULL: call again with the rest of the bytes and a larger output;
    // it never holds more than the caller's `consumed` says. PROBLEM: see problem(); every later call says so too.
    Step receive(const uint8_t* data, size_t size, Event* out, Event* end);

    // The input has ended: gives a last row without newline; a message cut off is a problem.
    Step finish(Event* out, Event* end);

    // Records that `size` bytes are likely to give.
    size_t likely_events(size_t size) const;

    const Problem& problem() const { return context_.problem; }
    const Counts& counts() const { return context_.counts; }
    std::vector<SideRecord>& side() { return context_.side; }

  private:
    struct Free {
        void operator()(Locate* memory) const { std::free(memory); }
    };

    Step step(const uint8_t* data, size_t size, bool last, Event* out, Event* end);
    Step receive_after_carry(const uint8_t* data, size_t size, Event* out, Event* end);

    Options options_;
    Context context_;
    Lines lines_;
    Capture capture_;
    std::unique_ptr<Locate, Free> locates_;  // zeroed by the system, so pages never touched cost nothing
    std::vector<uint8_t> carry_;             // the start of a unit whose rest has not come
    uint64_t offset_ = 0;                    // of carry_[0], or of the next byte
};

}  // namespace tf::decode
