// MoldUDP64: session, number of the first message, count, then the messages behind big-endian u16 lengths.
#include "decode/itch.hpp"
#include "decode/lines.hpp"
#include "decode/wire.hpp"

namespace tf::decode {

size_t mold_packet_length(const uint8_t* data, size_t size) {
    if (size < MOLD_HEADER) return 0;
    const uint16_t count = big16(data + 18);
    size_t at = MOLD_HEADER;
    if (count == MOLD_END_OF_SESSION) return at;
    for (uint16_t i = 0; i < count; ++i) {
        if (size - at < 2) return 0;
        const size_t length = big16(data + at);
        if (length == 0 || at + 2 + length > PACKET_MAX) return PACKET_BROKEN;
        if (size - at < 2 + length) return 0;
        at += 2 + length;
    }
    return at;
}

Step mold_packet(Context& context, const uint8_t* data, size_t size, Event* out, Event* end) {
    const uint64_t sequence = big64(data + 10);
    const uint16_t wire_count = big16(data + 18);
    const uint64_t count = wire_count == MOLD_END_OF_SESSION ? 0 : wire_count;
    if (static_cast<uint64_t>(end - out) < count * 2) return Step{0, out, Outcome::FULL};
    ++context.counts.segments;
    context.counts.heartbeats += wire_count == 0;
    context.counts.session_ends += wire_count == MOLD_END_OF_SESSION;
    uint64_t seen = 0;
    if (sequence != 0) {  // numbers start at 1: 0 is a packet whose numbering was removed
        const LineKey key{little64(data), static_cast<uint64_t>(Protocol::MOLD) << 32 | little16(data + 8)};
        seen = context.lines->arrive(context.counts, key, sequence, count);
        if (seen == NOT_OF_LINE) {
            const bool go_on = report_number(context, Protocol::MOLD, data + 10, sequence);
            return Step{size, out, go_on ? Outcome::MORE : Outcome::PROBLEM};
        }
    }
    size_t at = MOLD_HEADER;
    for (uint64_t i = 0; i < seen; ++i) at += 2u + big16(data + at);
    const uint64_t first = sequence == 0 ? 0 : sequence + seen;
    const Step step = itch_kernel().blocks(context, data + at, size - at, count - seen, first, out);
    return Step{size, step.out, step.outcome};
}

Step mold_stream(Context& context, const uint8_t* data, size_t size, Event* out, Event* end) {
    size_t at = 0;
    while (true) {
        const size_t length = mold_packet_length(data + at, size - at);
        if (length == 0) return Step{at, out, Outcome::MORE};
        if (length == PACKET_BROKEN) {
            const bool silent = context.resyncing;  // one count for a whole stretch of bytes that make no sense
            context.resyncing = true;
            if (!silent && !report(context, Protocol::MOLD, data + at, 0, "message blocks do not fit a packet")) {
                return Step{at, out, Outcome::PROBLEM};
            }
            ++at;
            continue;
        }
        const Step step = mold_packet(context, data + at, length, out, end);
        out = step.out;
        if (step.outcome != Outcome::MORE) return Step{at, out, step.outcome};
        context.resyncing = false;
        at += length;
    }
}

}  // namespace tf::decode
