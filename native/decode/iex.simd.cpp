// The walk through a segment, price level updates and trades, compiled once for each CPU target: AVX-512 writes a record with
// one store. Everything else goes to iex_any.
#include "decode/iex.hpp"
#include "decode/emit.hpp"
#include "decode/iex_layout.hpp"
#include "decode/wire.hpp"

namespace tf::TF_TARGET {
namespace {

using decode::Context;
using decode::IEX_PRICE_MAX;
using decode::IEX_PRICE_STEP;
using decode::Outcome;
using decode::Step;

// Level updates and trades share their first fields, so one piece of code serves both: they follow each other at random,
// and a branch on the type would be mispredicted often. Masks of 0 stand for absent fields.
struct Row {
    uint64_t kind;     // in its place of the seventh word
    uint64_t id_mask;  // of the eight bytes at id_at
    int8_t conditions_mask;
    uint8_t least;  // length; 255: not such a type
    uint8_t id_at;
    uint8_t side;
    uint8_t flags;      // that the event has whatever the message says
    uint8_t flag_mask;  // of the second byte, where it says that an atomic event is complete
};

struct Tables {
    Row of[256];
    uint32_t conditions[256];  // of a trade's flags
};

// DEEP's atomic events are of price level updates only: trades come between them and end none.
constexpr Tables tables(bool deep) {
    Tables tables{};
    constexpr uint64_t LEVEL = static_cast<uint64_t>(Kind::LEVEL) << 56;
    constexpr uint64_t TRADE = static_cast<uint64_t>(Kind::TRADE) << 56;
    for (Row& row : tables.of) row.least = 255;
    tables.of['8'] = {LEVEL, 0, 0, 30, 22, static_cast<uint8_t>(Side::BID), 0, LAST};
    tables.of['5'] = {LEVEL, 0, 0, 30, 22, static_cast<uint8_t>(Side::ASK), 0, LAST};
    const uint8_t last = deep ? 0 : LAST;
    tables.of['T'] = {TRADE, ~uint64_t{0}, -1, 38, 30, static_cast<uint8_t>(Side::NONE), last, 0};
    for (unsigned flags = 0; flags < 256; ++flags) tables.conditions[flags] = decode::iex_sale_conditions(flags);
    return tables;
}

alignas(64) constexpr Tables TABLES = tables(false);
alignas(64) constexpr Tables DEEP_TABLES = tables(true);

inline uint32_t instrument_of(Context& context, uint64_t symbol) {
    const SymbolCache& cache = context.cache;
    for (uint64_t slot = symbol * SYMBOL_HASH >> cache.shift;; slot = (slot + 1) & cache.mask) {
        if (__builtin_expect(cache.slots[slot].key == symbol, 1)) return cache.slots[slot].id;
        if (cache.slots[slot].key == 0) return decode::learn_symbol(context, symbol);
    }
}

Step messages(Context& context, const uint8_t* data, size_t size, uint64_t count, uint64_t seen, uint64_t sequence,
              Event* out) {
    const uint8_t* at = data;
    const uint8_t* const end = data + size;
    const Tables& tables = context.iex_aside == 0 ? DEEP_TABLES : TABLES;
    for (uint64_t i = 0; i < count; ++i) {
        if (__builtin_expect(end - at < 3 || end - at < 2 + little16(at) || little16(at) == 0, 0)) {
            const bool go_on = decode::iex_broken(context, at, i, count);
            return Step{0, out, go_on ? Outcome::MORE : Outcome::PROBLEM};
        }
        const size_t length = little16(at);
        const uint8_t* const m = at + 2;
        at = m + length;
        if (__builtin_expect(i < seen, 0)) continue;
        const uint8_t type = m[0];
        const Row& row = tables.of[type];
        if (__builtin_expect(length >= row.least && row.least != 255, 1)) {
            const int64_t price = static_cast<int64_t>(little64(m + 22));
            const uint32_t instrument = instrument_of(context, little64(m + 10));
            if (__builtin_expect(price <= IEX_PRICE_MAX && price >= -IEX_PRICE_MAX && instrument != NO_SYMBOL, 1)) {
                const Stamp stamp{static_cast<int64_t>(little64(m + 2)), context.ts_recv, sequence + i,
                                  context.iex_origin | instrument};
                emit_word(out, stamp, row.kind, price * IEX_PRICE_STEP, static_cast<int64_t>(little32(m + 18)) * NANOS,
                          little64(m + row.id_at) & row.id_mask, static_cast<Side>(row.side),
                          row.flags | (m[1] & row.flag_mask),
                          tables.conditions[m[1]] & static_cast<uint32_t>(row.conditions_mask));
                ++out;
                ++context.counts.iex[type];
                continue;
            }
        }
        Event* const after = decode::iex_any(context, m, length, sequence + i, out);
        if (__builtin_expect(after == nullptr, 0)) return Step{0, out, Outcome::PROBLEM};
        out = after;
    }
    if (__builtin_expect(at != end, 0) && !decode::iex_broken(context, at, count, count)) {
        return Step{0, out, Outcome::PROBLEM};
    }
    return Step{size, out, Outcome::MORE};
}

}  // namespace

extern const decode::IexKernel iex_kernel;
const decode::IexKernel iex_kernel{messages};

}  // namespace tf::TF_TARGET
