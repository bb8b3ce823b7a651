// What every fuzz target of frames does with its bytes: the fast path of each CPU target must give what the general path
// gives, wherever the output lies.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "decode/context.hpp"
#include "targets.hpp"
#include "wire/frames.hpp"

namespace tf::fuzz {

struct FrameOutcome {
    std::vector<Event> events;
    std::vector<wire::Slice> other;
    wire::Problem problem{};
    wire::FrameCounts counts{};
};

inline void require(bool holds) {
    if (!holds) std::abort();
}

// Decodes the frame twice with one decoder, the second time into memory of `room` events.
inline FrameOutcome decode_frame(const wire::FrameOptions& options, const uint8_t* data, size_t size, size_t room) {
    static const char* const symbols[] = {"AAPL",     "MSFT",       "SPY",     "F",   "BRK.B",
                                          "GOOGLABC", "LONGSYMBOL", "BTC/USD", "TSLA"};
    wire::Frames frames(options);
    uint32_t instrument = 10;
    for (const char* symbol : symbols) require(frames.map(symbol, std::strlen(symbol), instrument++));
    const std::unique_ptr<uint8_t[]> own(new uint8_t[size]);  // so that reading past a frame is seen
    std::memcpy(own.get(), data, size);
    frames.receive(own.get(), size, 7);
    std::vector<Event> memory(room);
    const wire::Received received = frames.receive_into(own.get(), size, 7, memory.data(), room);
    FrameOutcome outcome;
    if (received.events <= room) require(received.events == 0 || frames.events() == memory.data());
    outcome.events.assign(frames.events(), frames.events() + received.events);
    outcome.other = frames.other();
    if (frames.problem() != nullptr) outcome.problem = *frames.problem();
    require(received.rest == (!outcome.other.empty() || frames.problem() != nullptr));
    outcome.counts = frames.counts();
    require(outcome.counts.frames == 2 && outcome.counts.bytes == 2 * size);
    for (const wire::Slice& slice : outcome.other) require(slice.offset <= size && slice.size <= size - slice.offset);
    if (outcome.problem.what != nullptr) require(outcome.problem.offset <= size);
    for (const Event& event : outcome.events) require(event.reserved == 0 && event.ts_recv == 7);
    return outcome;
}

// The first byte chooses the kind of quotes and the room for events, the rest is a frame.
inline int check_frame(wire::FrameFormat format, const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    static const char* const best = target_name(target());
    wire::FrameOptions options;
    options.format = format;
    options.origin = decode::origin_word(8, 1);
    options.top = (data[0] & 1) != 0;
    options.general = true;
    const FrameOutcome general = decode_frame(options, data + 1, size - 1, data[0] >> 1);
    options.general = false;
    for (const char* name : {"baseline", "avx2", "avx512"}) {
        if (!choose_target(name)) continue;
        FrameOutcome fast = decode_frame(options, data + 1, size - 1, data[0] >> 1);
        fast.counts.general = general.counts.general;
        require(std::memcmp(&fast.counts, &general.counts, sizeof fast.counts) == 0);
        require(fast.events.size() == general.events.size() && fast.other.size() == general.other.size());
        for (size_t i = 0; i < fast.events.size(); ++i) {
            require(std::memcmp(&fast.events[i], &general.events[i], sizeof(Event)) == 0);
        }
        for (size_t i = 0; i < fast.other.size(); ++i) {
            require(fast.other[i].offset == general.other[i].offset && fast.other[i].size == general.other[i].size);
        }
        require(fast.problem.what == general.problem.what && fast.problem.offset == general.problem.offset);
    }
    choose_target(best);
    return 0;
}

}  // namespace tf::fuzz
