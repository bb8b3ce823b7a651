// What every fuzz target does with its bytes: the decoder must give the same records whole and in pieces, on the best CPU
// target and on the baseline, with an output that is too small at first; and its counts must add up.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "decode/decoder.hpp"
#include "targets.hpp"

namespace tf::fuzz {

struct Outcome {
    std::vector<Event> events;
    std::vector<decode::SideRecord> side;
    decode::Counts counts;
    bool failed;
};

inline void require(bool holds) {
    if (!holds) std::abort();
}

// Takes one step of a decoder, with more room whenever it asks for it.
template <typename Take>
decode::Step with_room(std::vector<Event>& events, size_t& used, Take take) {
    for (;;) {
        const decode::Step step = take(events.data() + used, events.data() + events.size());
        used = static_cast<size_t>(step.out - events.data());
        require(used <= events.size());
        if (step.outcome != decode::Outcome::FULL) return step;
        events.resize(events.size() * 2);
        if (step.consumed != 0) return step;
    }
}

inline Outcome decode_all(decode::Format format, bool lenient, const uint8_t* data, size_t size, size_t piece) {
    SymbolTable symbols;
    decode::Options options;
    options.format = format;
    options.lenient = lenient;
    decode::Decoder decoder(symbols, options);
    Outcome outcome{std::vector<Event>(4), {}, {}, false};
    size_t used = 0;
    decode::Step step{0, nullptr, decode::Outcome::MORE};
    for (size_t at = 0; at < size && step.outcome != decode::Outcome::PROBLEM;) {
        const size_t end = size - at < piece ? size : at + piece;
        const std::vector<uint8_t> own(data + at, data + end);  // so that reading past a piece is seen
        decoder.begin(1);
        for (size_t done = 0; done < own.size() && step.outcome != decode::Outcome::PROBLEM; done += step.consumed) {
            step = with_room(outcome.events, used, [&](Event* out, Event* room) {
                return decoder.receive(own.data() + done, own.size() - done, out, room);
            });
            require(step.consumed <= own.size() - done);
        }
        at = end;
    }
    if (step.outcome != decode::Outcome::PROBLEM) {
        step = with_room(outcome.events, used, [&](Event* out, Event* room) { return decoder.finish(out, room); });
    }
    outcome.failed = step.outcome == decode::Outcome::PROBLEM;
    if (outcome.failed) {
        char text[512];
        require(decode::describe(decoder.problem(), text, sizeof text) < sizeof text);
        require(decoder.problem().offset <= size && !lenient);
    }
    outcome.events.resize(used);
    outcome.side = decoder.side();
    outcome.counts = decoder.counts();
    require(outcome.counts.events == used);
    require(outcome.failed || outcome.counts.bytes == size);
    require(lenient || outcome.failed == (outcome.counts.malformed != 0));
    return outcome;
}

// The first byte chooses strict or lenient and the size of pieces, the rest is input.
inline int check(decode::Format format, const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    static const char* const best = target_name(target());
    const bool lenient = (data[0] & 1) != 0;
    const size_t piece = static_cast<size_t>(data[0] >> 1) * (data[0] & 2 ? 1 : 17) + 1;
    const Outcome whole = decode_all(format, lenient, data + 1, size - 1, size);
    choose_target("baseline");
    Outcome pieces = decode_all(format, lenient, data + 1, size - 1, piece);
    choose_target(best);
    pieces.counts.bytes = whole.counts.bytes;  // a strict decoder leaves more of a larger piece unread
    require(whole.failed == pieces.failed);
    require(std::memcmp(&whole.counts, &pieces.counts, sizeof whole.counts) == 0);
    require(whole.events.size() == pieces.events.size() && whole.side.size() == pieces.side.size());
    require(whole.events.empty() ||
            std::memcmp(whole.events.data(), pieces.events.data(), whole.events.size() * sizeof(Event)) == 0);
    for (size_t i = 0; i < whole.side.size(); ++i) {
        require(std::memcmp(&whole.side[i], &pieces.side[i], sizeof(decode::SideRecord)) == 0);
    }
    return 0;
}

}  // namespace tf::fuzz
