// The book messages of NASDAQ ITCH 5.0, compiled once for each CPU target: AVX-512 writes a record with one store,
// targets with MOVBE load big-endian numbers in one step. Other messages and errors go to itch_any.
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

// Where the fields of a type with one event stand, so that one piece of code serves all of them: types follow each other
// at random, and a branch on them would be mispredicted every other time. Steps and masks of 0 stand for absent fields.
struct Row {
    uint64_t kind;         // in its place of the seventh word
    uint64_t symbol_mask;  // of the eight bytes at 24
    uint32_t price_step;
    uint32_t shares_step;
    uint32_t unprinted;  // conditions if the byte at 31 is N
    uint8_t length;      // 0: not such a type
    uint8_t id_at;
    uint8_t shares_at;
    uint8_t price_at;
    uint8_t side_mask;
    uint8_t flags;
    uint16_t unused;
};

struct Rows {
    Row of[256];
};

constexpr uint32_t SHARES_STEP = static_cast<uint32_t>(NANOS);
constexpr uint32_t PRICE_STEP = static_cast<uint32_t>(NANOS / 10'000);  // prices are counts of 1e-4
constexpr size_t READABLE = 48;  // bytes from a message on that its row may read, more than a short message has

constexpr uint64_t kind_word(Kind kind) { return static_cast<uint64_t>(kind) << 56; }

constexpr Rows rows() {
    constexpr uint64_t ALL = ~uint64_t{0};
    Rows rows{};
    rows.of['A'] = {kind_word(Kind::ADD), ALL, PRICE_STEP, SHARES_STEP, 0, 36, 11, 20, 32, 3, LAST, 0};
    rows.of['F'] = {kind_word(Kind::ADD), ALL, PRICE_STEP, SHARES_STEP, 0, 40, 11, 20, 32, 3, LAST, 0};
    rows.of['P'] = {kind_word(Kind::TRADE), ALL, PRICE_STEP, SHARES_STEP, 0, 44, 36, 20, 32, 3, LAST | HIDDEN, 0};
    rows.of['D'] = {kind_word(Kind::DELETE), 0, 0, 0, 0, 19, 11, 19, 32, 0, LAST, 0};
    rows.of['E'] = {kind_word(Kind::EXECUTE), 0, 0, SHARES_STEP, 0, 31, 11, 19, 32, 0, LAST, 0};
    rows.of['C'] = {
        kind_word(Kind::EXECUTE), 0, PRICE_STEP, SHARES_STEP, NO_LAST | NO_VOLUME, 36, 11, 19, 32, 0, LAST, 0};
    rows.of['X'] = {kind_word(Kind::REDUCE), 0, 0, SHARES_STEP, 0, 23, 11, 19, 32, 0, LAST, 0};
    return rows;
}

alignas(64) constexpr Rows ROWS = rows();

inline Stamp stamp_of(const Context& context, const Locate& locate, const uint8_t* m, uint64_t sequence) {
    const uint64_t time = big64(m + 3) & 0xFFFF'FFFF'FFFF;  // six bytes at 5
    return Stamp{context.midnight + static_cast<int64_t>(time), context.ts_recv, sequence,
                 context.itch_origin | static_cast<uint32_t>(~locate.inverted)};
}

// An order replaced: the old id leaves, the new one joins; both are one event of the venue.
inline Event* replace(Context& context, const Stamp& stamp, const uint8_t* m, Event* out) {
    emit(out, stamp, Kind::DELETE, 0, 0, big64(m + 11), Side::NONE, 0, 0);
    emit(out + 1, stamp, Kind::ADD, static_cast<int64_t>(uint64_t{big32(m + 31)} * PRICE_STEP),
         static_cast<int64_t>(uint64_t{big32(m + 27)} * SHARES_STEP), big64(m + 19), Side::NONE, LAST, 0);
    ++context.counts.itch['U'];
    return out + 2;
}

// One message, `readable` bytes from its start on may be read; nullptr if a strict decoder stops.
inline Event* translate(Context& context, const uint8_t* m, size_t length, size_t readable, uint64_t sequence,
                        Event* out) {
    const uint8_t type = m[0];
    const Row& row = ROWS.of[type];
    if (__builtin_expect(readable < READABLE, 0)) return itch_any(context, m, length, sequence, out);
    const Locate& locate = context.locates[big16(m + 1)];
    if (__builtin_expect(type == 'U' && length == ITCH_LENGTHS.of['U'] && locate.symbol != 0, 0)) {
        return replace(context, stamp_of(context, locate, m, sequence), m, out);
    }
    const uint8_t side = m[19];
    const unsigned side_wrong = static_cast<unsigned>(side != 'B') & static_cast<unsigned>(side != 'S') & row.side_mask;
    const uint64_t other_symbol = (little64(m + 24) ^ locate.symbol) & row.symbol_mask;
    const bool other = (length != row.length) | (locate.symbol == 0) | (side_wrong != 0) | (other_symbol != 0);
    if (__builtin_expect(other, 0)) {
        return itch_any(context, m, length, sequence, out);
    }
    const auto price = static_cast<int64_t>(uint64_t{big32(m + row.price_at)} * row.price_step);
    const auto shares = static_cast<int64_t>(uint64_t{big32(m + row.shares_at)} * row.shares_step);
    const auto book_side = static_cast<Side>(((side & 1) + 1) & row.side_mask);  // B is even, S odd
    const uint32_t conditions = row.unprinted & (0u - static_cast<uint32_t>(m[31] == 'N'));
    emit_word(out, stamp_of(context, locate, m, sequence), row.kind, price, shares, big64(m + row.id_at), book_side,
              row.flags, conditions);
    ++context.counts.itch[type];
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
        Event* const after =
            translate(context, message, length, size - static_cast<size_t>(message - data), ++sequence, out);
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

Step blocks(Context& context, const uint8_t* data, size_t size, size_t count, uint64_t sequence, Event* out) {
    const uint8_t* at = data;
    const uint64_t step = sequence != 0;
    for (size_t i = 0; i < count; ++i, sequence += step) {
        const size_t length = big16(at);
        Event* const after =
            translate(context, at + 2, length, size - static_cast<size_t>(at + 2 - data), sequence, out);
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
