// The walk through a segment and price level updates, compiled once for each CPU target: AVX-512 writes a record with
// one store. Everything else goes to iex_rare.
#include "decode/iex.hpp"
#include "decode/emit.hpp"
#include "decode/wire.hpp"

namespace tf::TF_TARGET {
namespace {

using decode::Context;
using decode::IEX_PRICE_MAX;
using decode::IEX_PRICE_STEP;
using decode::Outcome;
using decode::Step;

constexpr size_t LEVEL_LENGTH = 30;

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
        if (__builtin_expect((type == '8' || type == '5') && length >= LEVEL_LENGTH, 1)) {
            const int64_t price = static_cast<int64_t>(little64(m + 22));
            const uint32_t instrument = instrument_of(context, little64(m + 10));
            if (__builtin_expect(price <= IEX_PRICE_MAX && price >= -IEX_PRICE_MAX && instrument != NO_SYMBOL, 1)) {
                const Stamp stamp{static_cast<int64_t>(little64(m + 2)), context.ts_recv, sequence + i,
                                  context.iex_origin | instrument};
                emit(out, stamp, Kind::LEVEL, price * IEX_PRICE_STEP, static_cast<int64_t>(little32(m + 18)) * NANOS, 0,
                     type == '8' ? Side::BID : Side::ASK, m[1] & 1 ? LAST : 0, 0);
                ++out;
                ++context.counts.iex[type];
                continue;
            }
        }
        Event* const after = decode::iex_rare(context, m, length, sequence + i, out);
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
