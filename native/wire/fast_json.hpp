// Parts of kernels that know what JSON they expect. Internal linkage and per target: included by files compiled for one CPU
// target. A kernel gives up whatever is not as expected to the general path, which finds out what it is.
#pragma once
#include <cstdint>
#include <cstring>

#include "decode/wire.hpp"
#include "wire/symbol_map.hpp"

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

namespace tf::TF_TARGET {
namespace {

inline constexpr uint64_t TEN_TO[] = {
    1u,         10u,         100u,         1'000u,         10'000u,         100'000u,
    1'000'000u, 10'000'000u, 100'000'000u, 1'000'000'000u, 10'000'000'000u, 100'000'000'000u};

// The first bytes of a text as the little-endian integer they load as.
template <size_t N>
constexpr uint64_t bytes_of(const char (&text)[N]) {
    static_assert(N - 1 <= 8);
    uint64_t word = 0;
    for (size_t i = 0; i + 1 < N; ++i) word |= static_cast<uint64_t>(static_cast<uint8_t>(text[i])) << 8 * i;
    return word;
}

constexpr uint64_t first_bytes(size_t count) { return count >= 8 ? ~uint64_t{0} : (uint64_t{1} << 8 * count) - 1; }

// Not 0 where the bytes at `at` are not `text`; loads 8.
template <size_t N>
inline uint64_t differs(const uint8_t* at, const char (&text)[N]) {
    return (little64(at) ^ bytes_of(text)) & first_bytes(N - 1);
}

// Which of the 64 bytes at `at` are `wanted`, of those before `end`; in `second_found`, which are `second`.
inline uint64_t equal_bytes(const uint8_t* at, const uint8_t* end, char wanted, char second, uint64_t& second_found) {
#if defined(__AVX512BW__)
    const uint64_t there = __builtin_expect(end - at >= 64, 1) ? ~uint64_t{0} : (uint64_t{1} << (end - at)) - 1;
    const __m512i bytes = _mm512_maskz_loadu_epi8(there, at);
    second_found = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(second));
    return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(wanted));
#else
    uint8_t tail[64] = {};
    if (end - at < 64) {
        std::memcpy(tail, at, static_cast<size_t>(end - at));
        at = tail;
    }
    uint64_t found = 0;
    second_found = 0;
#if defined(__AVX2__)
    for (int i = 0; i < 64; i += 32) {
        const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + i));
        const auto equal = [&](char byte) {
            const __m256i same = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte));
            return static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(same))) << i;
        };
        found |= equal(wanted);
        second_found |= equal(second);
    }
#elif defined(__SSE4_1__)
    for (int i = 0; i < 64; i += 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i));
        const auto equal = [&](char byte) {
            const __m128i same = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte));
            return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(same))) << i;
        };
        found |= equal(wanted);
        second_found |= equal(second);
    }
#else
    for (int i = 0; i < 64; ++i) {
        found |= static_cast<uint64_t>(at[i] == static_cast<uint8_t>(wanted)) << i;
        second_found |= static_cast<uint64_t>(at[i] == static_cast<uint8_t>(second)) << i;
    }
#endif
    return found;
#endif
}

inline uint64_t equal_bytes(const uint8_t* at, const uint8_t* end, char wanted) {
    uint64_t ignored = 0;
    return equal_bytes(at, end, wanted, wanted, ignored);
}

// Takes the lowest bit: its place, 64 if there is none.
inline unsigned take_bit(uint64_t& bits) {
    const unsigned place = bits == 0 ? 64 : static_cast<unsigned>(__builtin_ctzll(bits));
    bits &= bits - 1;
    return place;
}

// A number as digits with at most one point: value / 10^fraction.
struct Decimal {
    uint64_t value;
    unsigned fraction;
};

// Converts the `size` bytes before `end`; false if they are no JSON number of 1 to 16 characters without sign and
// exponent. Reads 16 bytes before `end`.
#if defined(__SSE4_1__)
inline bool convert(const uint8_t* end, size_t size, Decimal& out) {
    alignas(16) static constexpr uint8_t KEEP[32] = {0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
                                                     0,    0,    0,    0,    0,    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                                     0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    alignas(16) static constexpr uint8_t PLACE[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    if (size - 1 >= 16) return false;
    const __m128i keep = _mm_loadu_si128(reinterpret_cast<const __m128i*>(KEEP + size));
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(end - 16));
    __m128i digits = _mm_and_si128(_mm_sub_epi8(text, _mm_set1_epi8('0')), keep);
    const __m128i good = _mm_cmpeq_epi8(_mm_max_epu8(digits, _mm_set1_epi8(9)), _mm_set1_epi8(9));
    const uint32_t odd = static_cast<uint32_t>(_mm_movemask_epi8(good)) ^ 0xFFFFu;
    const size_t start = 16 - size;
    unsigned point = 15;
    if (odd != 0) {  // one point, with digits on both sides
        point = static_cast<unsigned>(__builtin_ctz(odd));
        if ((odd & (odd - 1)) != 0 || (end - 16)[point] != '.' || point == 15 || point == start) return false;
        const __m128i before = _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(point + 1)),
                                              _mm_load_si128(reinterpret_cast<const __m128i*>(PLACE)));
        digits = _mm_blendv_epi8(digits, _mm_slli_si128(digits, 1), before);
    }
    if (end[-static_cast<int64_t>(size)] == '0' && size > 1 && (odd == 0 || point != start + 1)) return false;
    const __m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010A));
    const __m128i fours = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00010064));
    const __m128i packed = _mm_packus_epi32(fours, fours);
    const uint64_t eights =
        static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_madd_epi16(packed, _mm_set1_epi32(0x00012710))));
    out.value = (eights & 0xFFFFFFFFu) * 100'000'000u + (eights >> 32);
    out.fraction = 15 - point;
    return true;
}
#else
inline bool convert(const uint8_t* end, size_t size, Decimal& out) {
    if (size - 1 >= 16) return false;
    const uint8_t* const begin = end - size;
    const uint8_t* point = end;
    uint64_t value = 0;
    for (const uint8_t* at = begin; at != end; ++at) {
        if (*at == '.' && point == end && at != begin && at + 1 != end) {
            point = at;
        } else if (static_cast<uint8_t>(*at - '0') < 10) {
            value = value * 10 + static_cast<uint64_t>(*at - '0');
        } else {
            return false;
        }
    }
    if (*begin == '0' && size > 1 && point != begin + 1) return false;
    out.value = value;
    out.fraction = point == end ? 0 : static_cast<unsigned>(end - point - 1);
    return true;
}
#endif

// Walks through text whose keys come in a known order. Whoever gets `false` gives up.
struct Walk {
    const uint8_t* at;
    const uint8_t* end;

    // Passes over `text`, if that is what comes.
    template <size_t N>
    bool passes(const char (&text)[N]) {
        if (end - at < 8 || differs(at, text) != 0) return false;
        at += N - 1;
        return true;
    }

    bool passes(char byte) {
        if (at == end || *at != static_cast<uint8_t>(byte)) return false;
        ++at;
        return true;
    }

    // Needs 16 bytes of the frame before `at`.
    bool number(Decimal& out) {
        const uint8_t* const begin = at;
#if defined(__SSE4_1__)
        if (end - at >= 16) {
            // '.', '/' and digits: '/' is no number's, convert says so
            const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
            const __m128i above = _mm_sub_epi8(text, _mm_set1_epi8('.'));
            const __m128i inside = _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8('9' - '.')), above);
            at += __builtin_ctz(~static_cast<uint32_t>(_mm_movemask_epi8(inside)));
            return convert(at, static_cast<size_t>(at - begin), out);
        }
#endif
        while (at != end && static_cast<uint8_t>(*at - '.') <= '9' - '.') ++at;
        return convert(at, static_cast<size_t>(at - begin), out);
    }

    bool whole(uint64_t& out) {
        Decimal decimal{};
        const bool good = number(decimal) && decimal.fraction == 0;
        out = decimal.value;
        return good;
    }
};

// The instrument of the `size` bytes at `text` (8 can be loaded), which stand in a string: NO_INSTRUMENT if they are not
// mapped. False if they are not for kernels: long, empty, or not plain printable ASCII.
inline bool find_symbol(const wire::SymbolMap& symbols, const uint8_t* text, size_t size, uint32_t& instrument) {
    if (size - 1 >= 8) return false;
    const uint64_t word = little64(text) & first_bytes(size);
    if (__builtin_expect(text[size - 1] == 0, 0)) return false;  // zeros are not what pads a short symbol
    for (uint64_t slot = word * SYMBOL_HASH >> symbols.shift;; slot = (slot + 1) & symbols.mask) {
        const wire::SymbolMap::Slot& entry = symbols.slots[slot];
        if (__builtin_expect(entry.words[0] == word && entry.words[1] == 0, 1)) {
            instrument = entry.instrument;
            return true;
        }
        if (entry.words[0] == 0) break;
    }
    instrument = NO_INSTRUMENT;
    for (size_t i = 0; i < size; ++i) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\') return false;
    }
    return true;
}

}  // namespace
}  // namespace tf::TF_TARGET
