// The book messages of NASDAQ ITCH 5.0, compiled once for each CPU target: AVX-512 writes a record with one store,
// targets with MOVBE load big-endian numbers in one step. Other messages and errors go to itch_rare.
#include "decode/itch.hpp"
#include "decode/emit.hpp"
#include "decode/itch_layout.hpp"
#include "decode/wire.hpp"

namespace tf::TF_TARGET {
namespace {

using decode::Context;
using decode::ITCH_LENGTHS;
using decode::Locate;
using decode::Outcome;
using decode::Step;

constexpr int64_t PRICE_STEP = NANOS / 10'000;  // prices are counts of 1e-4

inline int64_t nanoseconds(const uint8_t* message) {
    return static_cast<int64_t>(static_cast<uint64_t>(big16(message + 5)) << 32 | big32(message + 7));
}

inline int64_t price_of(uint32_t wire) { return static_cast<int64_t>(wire) * PRICE_STEP; }
inline int64_t shares_of(uint32_t wire) { return static_cast<int64_t>(wire) * NANOS; }

// One message of a correct length; nullptr if a strict decoder stops.
inline Event* translate(Context& context, const uint8_t* m, size_t length, uint64_t sequence, Event* out) {
    const uint8_t type = m[0];
    if (__builtin_expect(length != ITCH_LENGTHS.of[type], 0)) {
        return itch_rare(context, m, length, sequence, out);
    }
    const uint16_t code = big16(m + 1);
    const Locate& locate = context.locates[code];
    const Stamp stamp{context.midnight + nanoseconds(m), context.ts_recv, sequence,
                      context.itch_origin | locate.instrument};
    switch (type) {
        case 'A':
        case 'F':
        case 'P': {
            const uint64_t symbol = little64(m + 24);
            const uint8_t side = m[19];
            const bool named = symbol == locate.symbol && symbol != 0;
            if (__builtin_expect(!named || (side != 'B' && side != 'S'), 0)) {
                return itch_rare(context, m, length, sequence, out);
            }
            const bool trade = type == 'P';
            const Kind kind = trade ? Kind::TRADE : Kind::ADD;
            const uint64_t id = big64(trade ? m + 36 : m + 11);
            emit(out, stamp, kind, price_of(big32(m + 32)), shares_of(big32(m + 20)), id,
                 side == 'B' ? Side::BID : Side::ASK, trade ? LAST | HIDDEN : LAST, 0);
            ++context.counts.itch[type];
            return out + 1;
        }
        case 'D':
            emit(out, stamp, Kind::DELETE, 0, 0, big64(m + 11), Side::NONE, LAST, 0);
            break;
        case 'E':
            emit(out, stamp, Kind::EXECUTE, 0, shares_of(big32(m + 19)), big64(m + 11), Side::NONE, LAST, 0);
            break;
        case 'C': {
            const uint32_t conditions = m[31] == 'N' ? NO_LAST | NO_VOLUME : 0;
            emit(out, stamp, Kind::EXECUTE, price_of(big32(m + 32)), shares_of(big32(m + 19)), big64(m + 11),
                 Side::NONE, LAST, conditions);
            break;
        }
        case 'X':
            emit(out, stamp, Kind::REDUCE, 0, shares_of(big32(m + 19)), big64(m + 11), Side::NONE, LAST, 0);
            break;
        case 'U':
            emit(out, stamp, Kind::DELETE, 0, 0, big64(m + 11), Side::NONE, 0, 0);
            emit(out + 1, stamp, Kind::ADD, price_of(big32(m + 31)), shares_of(big32(m + 27)), big64(m + 19),
                 Side::NONE, LAST, 0);
            ++out;
            break;
        default:
            return itch_rare(context, m, length, sequence, out);
    }
    ++context.counts.itch[type];
    context.counts.unknown_locates += locate.symbol == 0;
    return out + 1;
}

// Whether a message may start here: used when bytes before it made no sense. Needs three bytes.
inline bool plausible(const uint8_t* at) {
    const uint8_t length = ITCH_LENGTHS.of[at[2]];
    return at[0] == 0 && length != 0 && (at[1] == 0 || at[1] == length);
}

Step stream(Context& context, const uint8_t* data, size_t size, Event* out, Event* end) {
    size_t at = 0;
    uint64_t sequence = context.sequence;
    Outcome outcome = Outcome::MORE;
    while (size - at >= 3) {
        if (__builtin_expect(end - out < 2, 0)) {
            outcome = Outcome::FULL;
            break;
        }
        const uint8_t* message = data + at;
        if (__builtin_expect(context.resyncing, 0)) {
            if (!plausible(message)) {
                ++at;
                continue;
            }
            context.resyncing = false;
        }
        size_t length;
        if (__builtin_expect(message[0] == 0, 1)) {
            length = message[1];
            message += 2;
            if (length == 0) length = ITCH_LENGTHS.of[message[0]];
        } else {
            length = ITCH_LENGTHS.of[message[0]];  // bare
        }
        if (__builtin_expect(length == 0, 0)) {
            if (!itch_lost(context, data + at)) {
                outcome = Outcome::PROBLEM;
                break;
            }
            ++at;
            continue;
        }
        const size_t next = static_cast<size_t>(message - data) + length;
        if (next > size) break;
        Event* const after = translate(context, message, length, ++sequence, out);
        if (__builtin_expect(after == nullptr, 0)) {
            outcome = Outcome::PROBLEM;
            break;
        }
        out = after;
        at = next;
    }
    context.sequence = sequence;
    return Step{at, out, outcome};
}

Step blocks(Context& context, const uint8_t* data, size_t count, uint64_t sequence, Event* out) {
    const uint8_t* at = data;
    const uint64_t step = sequence != 0;
    for (size_t i = 0; i < count; ++i, sequence += step) {
        const size_t length = big16(at);
        Event* const after = translate(context, at + 2, length, sequence, out);
        if (__builtin_expect(after == nullptr, 0)) return Step{0, out, Outcome::PROBLEM};
        out = after;
        at += 2 + length;
    }
    return Step{static_cast<size_t>(at - data), out, Outcome::MORE};
}

}  // namespace

extern const decode::ItchKernel itch_kernel;
const decode::ItchKernel itch_kernel{stream, blocks};

}  // namespace tf::TF_TARGET
