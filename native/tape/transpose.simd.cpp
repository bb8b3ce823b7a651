// Rows of 64 bytes to 14 columns and back. Ordinary stores on purpose: the columns go straight to write(2)
// and the events straight to a book, so both should be in cache when this returns.
#include "tape/transpose.hpp"

#if defined(__AVX2__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 sees its own _mm512_undefined_epi32 (bug 105593)
#endif
#include <immintrin.h>
#endif

namespace tf::TF_TARGET {
namespace {

[[maybe_unused]] constexpr size_t BLOCK = 64;  // events: 4 KB stay in the first-level cache while each column passes

template <typename Value, size_t OFFSET>
inline __attribute__((always_inline)) void gather(const unsigned char* rows, size_t count, unsigned char* column) {
    for (size_t i = 0; i < count; ++i) {
        __builtin_memcpy(column + i * sizeof(Value), rows + i * sizeof(Event) + OFFSET, sizeof(Value));
    }
}

template <typename Value, size_t OFFSET>
inline __attribute__((always_inline)) void scatter(const unsigned char* column, size_t count, unsigned char* rows) {
    for (size_t i = 0; i < count; ++i) {
        __builtin_memcpy(rows + i * sizeof(Event) + OFFSET, column + i * sizeof(Value), sizeof(Value));
    }
}

// clang-format off: it does not settle on a layout of this list
#define TF_EACH_COLUMN(DO) \
    DO(0, int64_t, ts_event) \
    DO(1, int64_t, ts_recv) \
    DO(2, int64_t, price) \
    DO(3, int64_t, quantity) \
    DO(4, uint64_t, sequence) \
    DO(5, uint64_t, order_id) \
    DO(6, uint32_t, instrument) \
    DO(7, uint16_t, venue) \
    DO(8, uint8_t, provider) \
    DO(9, uint8_t, kind) \
    DO(10, uint8_t, side) \
    DO(11, uint8_t, flags) \
    DO(12, uint16_t, reserved) \
    DO(13, uint32_t, conditions)
// clang-format on

inline __attribute__((always_inline)) void block_to_columns(const Event* events, size_t at, size_t count,
                                                            unsigned char* const* columns) {
    const unsigned char* rows = reinterpret_cast<const unsigned char*>(events + at);
#define DO(index, type, name) gather<type, offsetof(Event, name)>(rows, count, columns[index] + at * sizeof(type));
    TF_EACH_COLUMN(DO)
#undef DO
}

inline __attribute__((always_inline)) void block_to_events(const unsigned char* const* columns, size_t at, size_t count,
                                                           Event* events) {
    unsigned char* rows = reinterpret_cast<unsigned char*>(events + at);
#define DO(index, type, name) scatter<type, offsetof(Event, name)>(columns[index] + at * sizeof(type), count, rows);
    TF_EACH_COLUMN(DO)
#undef DO
}

#if defined(__AVX512F__)

// Eight events are an 8 x 8 matrix of 64-bit words: rows become columns, and the other way round.
inline __attribute__((always_inline)) void transpose(__m512i m[8]) {
    __m512i t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi64(m[i], m[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi64(m[i], m[i + 1]);
    }
    for (int odd = 0; odd < 2; ++odd) {
        const __m512i a = _mm512_shuffle_i64x2(t[odd], t[2 + odd], 0x44);
        const __m512i b = _mm512_shuffle_i64x2(t[4 + odd], t[6 + odd], 0x44);
        const __m512i c = _mm512_shuffle_i64x2(t[odd], t[2 + odd], 0xEE);
        const __m512i d = _mm512_shuffle_i64x2(t[4 + odd], t[6 + odd], 0xEE);
        m[odd] = _mm512_shuffle_i64x2(a, b, 0x88);
        m[2 + odd] = _mm512_shuffle_i64x2(a, b, 0xDD);
        m[4 + odd] = _mm512_shuffle_i64x2(c, d, 0x88);
        m[6 + odd] = _mm512_shuffle_i64x2(c, d, 0xDD);
    }
}

inline __attribute__((always_inline)) void store_bytes(unsigned char* to, __m512i words) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm512_cvtepi64_epi8(words));
}

inline __attribute__((always_inline)) void eight_to_columns(const Event* events, size_t at,
                                                            unsigned char* const* columns) {
    __m512i m[8];
    for (size_t i = 0; i < 8; ++i) m[i] = _mm512_loadu_si512(events + at + i);
    transpose(m);
    for (int i = 0; i < 6; ++i) _mm512_storeu_si512(columns[i] + at * 8, m[i]);
    // word 6: instrument, venue, provider, kind from the low end up
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(columns[6] + at * 4), _mm512_cvtepi64_epi32(m[6]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(columns[7] + at * 2),
                     _mm512_cvtepi64_epi16(_mm512_srli_epi64(m[6], 32)));
    store_bytes(columns[8] + at, _mm512_srli_epi64(m[6], 48));
    store_bytes(columns[9] + at, _mm512_srli_epi64(m[6], 56));
    // word 7: side, flags, reserved, conditions
    store_bytes(columns[10] + at, m[7]);
    store_bytes(columns[11] + at, _mm512_srli_epi64(m[7], 8));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(columns[12] + at * 2),
                     _mm512_cvtepi64_epi16(_mm512_srli_epi64(m[7], 16)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(columns[13] + at * 4),
                        _mm512_cvtepi64_epi32(_mm512_srli_epi64(m[7], 32)));
}

inline __attribute__((always_inline)) __m512i load_bytes(const unsigned char* from) {
    return _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}

inline __attribute__((always_inline)) __m512i load_pairs(const unsigned char* from) {
    return _mm512_cvtepu16_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

inline __attribute__((always_inline)) __m512i load_quads(const unsigned char* from) {
    return _mm512_cvtepu32_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

inline __attribute__((always_inline)) void eight_to_events(const unsigned char* const* columns, size_t at,
                                                           Event* events) {
    __m512i m[8];
    for (int i = 0; i < 6; ++i) m[i] = _mm512_loadu_si512(columns[i] + at * 8);
    const __m512i provider_kind = _mm512_or_si512(_mm512_slli_epi64(load_bytes(columns[8] + at), 48),
                                                  _mm512_slli_epi64(load_bytes(columns[9] + at), 56));
    m[6] = _mm512_or_si512(_mm512_or_si512(load_quads(columns[6] + at * 4), provider_kind),
                           _mm512_slli_epi64(load_pairs(columns[7] + at * 2), 32));
    m[7] = _mm512_or_si512(
        _mm512_or_si512(load_bytes(columns[10] + at), _mm512_slli_epi64(load_bytes(columns[11] + at), 8)),
        _mm512_or_si512(_mm512_slli_epi64(load_pairs(columns[12] + at * 2), 16),
                        _mm512_slli_epi64(load_quads(columns[13] + at * 4), 32)));
    transpose(m);
    for (size_t i = 0; i < 8; ++i) _mm512_storeu_si512(events + at + i, m[i]);
}

#elif defined(__AVX2__)

constexpr size_t GROUP = 4;  // events: a 4 x 4 matrix of 64-bit words fits four registers

inline __attribute__((always_inline)) void transpose(__m256i m[4]) {
    const __m256i a = _mm256_unpacklo_epi64(m[0], m[1]);
    const __m256i b = _mm256_unpackhi_epi64(m[0], m[1]);
    const __m256i c = _mm256_unpacklo_epi64(m[2], m[3]);
    const __m256i d = _mm256_unpackhi_epi64(m[2], m[3]);
    m[0] = _mm256_permute2x128_si256(a, c, 0x20);
    m[1] = _mm256_permute2x128_si256(b, d, 0x20);
    m[2] = _mm256_permute2x128_si256(a, c, 0x31);
    m[3] = _mm256_permute2x128_si256(b, d, 0x31);
}

inline __attribute__((always_inline)) __m256i load(const unsigned char* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

inline __attribute__((always_inline)) void store(unsigned char* to, __m256i words) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words);
}

// Low halves of four words, then their high halves.
inline __attribute__((always_inline)) __m256i split(__m256i words) {
    return _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
}

inline __attribute__((always_inline)) void four_to_columns(const Event* events, size_t at,
                                                           unsigned char* const* columns) {
    const unsigned char* rows = reinterpret_cast<const unsigned char*>(events + at);
    for (int half = 0; half < 2; ++half) {
        __m256i m[GROUP];
        for (size_t i = 0; i < GROUP; ++i) m[i] = load(rows + i * sizeof(Event) + half * 32);
        transpose(m);
        for (int i = 0; i < (half == 0 ? 4 : 2); ++i) store(columns[4 * half + i] + at * 8, m[i]);
        if (half == 0) continue;
        // instrument x 4, then venue, provider, kind x 4 sorted into venues, providers, kinds
        const __m256i six = split(m[2]);
        const __m128i low = _mm_shuffle_epi8(_mm256_extracti128_si256(six, 1),
                                             _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 6, 10, 14, 3, 7, 11, 15));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(columns[6] + at * 4), _mm256_castsi256_si128(six));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(columns[7] + at * 2), low);
        _mm_storeu_si32(columns[8] + at, _mm_srli_si128(low, 8));
        _mm_storeu_si32(columns[9] + at, _mm_srli_si128(low, 12));
        // side, flags, reserved x 4 sorted into reserved, sides, flags; then conditions x 4
        const __m256i seven = split(m[3]);
        const __m128i high = _mm_shuffle_epi8(_mm256_castsi256_si128(seven),
                                              _mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, 0, 4, 8, 12, 1, 5, 9, 13));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(columns[12] + at * 2), high);
        _mm_storeu_si32(columns[10] + at, _mm_srli_si128(high, 8));
        _mm_storeu_si32(columns[11] + at, _mm_srli_si128(high, 12));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(columns[13] + at * 4), _mm256_extracti128_si256(seven, 1));
    }
}

inline __attribute__((always_inline)) __m128i four_bytes(const unsigned char* from) { return _mm_loadu_si32(from); }

inline __attribute__((always_inline)) __m128i eight_bytes(const unsigned char* from) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
}

inline __attribute__((always_inline)) __m256i quads(const unsigned char* from) {
    return _mm256_cvtepu32_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

inline __attribute__((always_inline)) void four_to_events(const unsigned char* const* columns, size_t at,
                                                          Event* events) {
    unsigned char* rows = reinterpret_cast<unsigned char*>(events + at);
    // three small columns side by side, then their bytes in the order of the record
    const __m128i low = _mm_shuffle_epi8(
        _mm_unpacklo_epi64(eight_bytes(columns[7] + at * 2),
                           _mm_unpacklo_epi32(four_bytes(columns[8] + at), four_bytes(columns[9] + at))),
        _mm_setr_epi8(0, 1, 8, 12, 2, 3, 9, 13, 4, 5, 10, 14, 6, 7, 11, 15));
    const __m128i high = _mm_shuffle_epi8(
        _mm_unpacklo_epi64(eight_bytes(columns[12] + at * 2),
                           _mm_unpacklo_epi32(four_bytes(columns[10] + at), four_bytes(columns[11] + at))),
        _mm_setr_epi8(8, 12, 0, 1, 9, 13, 2, 3, 10, 14, 4, 5, 11, 15, 6, 7));
    for (int half = 0; half < 2; ++half) {
        __m256i m[GROUP];
        for (int i = 0; i < (half == 0 ? 4 : 2); ++i) m[i] = load(columns[4 * half + i] + at * 8);
        if (half == 1) {
            m[2] = _mm256_or_si256(quads(columns[6] + at * 4), _mm256_slli_epi64(_mm256_cvtepu32_epi64(low), 32));
            m[3] = _mm256_or_si256(_mm256_cvtepu32_epi64(high), _mm256_slli_epi64(quads(columns[13] + at * 4), 32));
        }
        transpose(m);
        for (size_t i = 0; i < GROUP; ++i) store(rows + i * sizeof(Event) + half * 32, m[i]);
    }
}

#endif

void to_columns(const Event* events, size_t count, unsigned char* const* columns) {
    size_t at = 0;
#if defined(__AVX512F__)
    for (; at + 8 <= count; at += 8) eight_to_columns(events, at, columns);
#elif defined(__AVX2__)
    for (; at + GROUP <= count; at += GROUP) four_to_columns(events, at, columns);
#else
    for (; at + BLOCK <= count; at += BLOCK) block_to_columns(events, at, BLOCK, columns);
#endif
    block_to_columns(events, at, count - at, columns);
}

void to_events(const unsigned char* const* columns, size_t count, Event* events) {
    size_t at = 0;
#if defined(__AVX512F__)
    for (; at + 8 <= count; at += 8) eight_to_events(columns, at, events);
#elif defined(__AVX2__)
    for (; at + GROUP <= count; at += GROUP) four_to_events(columns, at, events);
#else
    for (; at + BLOCK <= count; at += BLOCK) block_to_events(columns, at, BLOCK, events);
#endif
    block_to_events(columns, at, count - at, events);
}

}  // namespace

extern const TransposeKernel transpose_kernel;
const TransposeKernel transpose_kernel = {&to_columns, &to_events};

}  // namespace tf::TF_TARGET
