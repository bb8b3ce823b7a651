// Writing records. Internal linkage and per target: included by files compiled for one CPU target.
#pragma once
#include <cstdint>

#include "event.hpp"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace tf::TF_TARGET {
namespace {

// What all events of one message share. `origin` is the record's seventh word without the kind.
struct Stamp {
    int64_t ts_event;
    int64_t ts_recv;
    uint64_t sequence;
    uint64_t origin;
};

// `kind` stands in its place of the seventh word.
inline void emit_word(Event* out, const Stamp& stamp, uint64_t kind, int64_t price, int64_t quantity, uint64_t order_id,
                      Side side, unsigned flags, uint32_t conditions) {
    const uint64_t origin = stamp.origin | kind;
    const uint64_t rest =
        static_cast<uint64_t>(side) | static_cast<uint64_t>(flags) << 8 | static_cast<uint64_t>(conditions) << 32;
#if defined(__AVX512F__)
    const __m512i record =
        _mm512_set_epi64(static_cast<int64_t>(rest), static_cast<int64_t>(origin), static_cast<int64_t>(order_id),
                         static_cast<int64_t>(stamp.sequence), quantity, price, stamp.ts_recv, stamp.ts_event);
    _mm512_storeu_si512(out, record);
#else
    // Straight to the place: gathered on the stack first, the vector copy would wait for eight small stores.
    using Word = uint64_t __attribute__((may_alias));
    Word* const words = reinterpret_cast<Word*>(out);
    words[0] = static_cast<uint64_t>(stamp.ts_event);
    words[1] = static_cast<uint64_t>(stamp.ts_recv);
    words[2] = static_cast<uint64_t>(price);
    words[3] = static_cast<uint64_t>(quantity);
    words[4] = stamp.sequence;
    words[5] = order_id;
    words[6] = origin;
    words[7] = rest;
#endif
}

inline void emit(Event* out, const Stamp& stamp, Kind kind, int64_t price, int64_t quantity, uint64_t order_id,
                 Side side, unsigned flags, uint32_t conditions) {
    emit_word(out, stamp, static_cast<uint64_t>(kind) << 56, price, quantity, order_id, side, flags, conditions);
}

}  // namespace
}  // namespace tf::TF_TARGET
