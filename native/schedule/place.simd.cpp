// Philox4x32-10, times and sizes, several slices at once. A 32-bit number lives in the low half of a 64-bit lane, because
// the product of two is what is needed; multiplications ignore the high halves.
#include "schedule/schedule.hpp"

#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 sees its own _mm512_undefined_epi32 (bug 105593)
#endif
#include <immintrin.h>
#endif

namespace tf::TF_TARGET {
namespace {

constexpr uint32_t MULTIPLIER_0 = 0xD2511F53, MULTIPLIER_1 = 0xCD9E8D57;
constexpr uint32_t WEYL_0 = 0x9E3779B9, WEYL_1 = 0xBB67AE85;
constexpr int ROUNDS = 10;
// The bits of 2^52: with a whole number below it they are the double 2^52 + number. floor(a / b) of such numbers is the
// floor of the doubles' quotient: the next whole number is at least 1 / b away from the true one, and rounding moves it
// by less than 2^52 / b x 2^-53.
[[maybe_unused]] constexpr uint64_t EXPONENT = 0x4330000000000000;

#if defined(__AVX512F__)
constexpr size_t LANES = 8;
using Lanes = __m512i;
inline Lanes fill(uint64_t value) { return _mm512_set1_epi64(static_cast<long long>(value)); }
inline Lanes load(const uint64_t* from) { return _mm512_loadu_si512(from); }
inline Lanes multiply(Lanes a, Lanes b) { return _mm512_mul_epu32(a, b); }
inline Lanes high(Lanes a) { return _mm512_srli_epi64(a, 32); }
inline Lanes raise(Lanes a) { return _mm512_slli_epi64(a, 32); }
inline Lanes differ(Lanes a, Lanes b) { return _mm512_xor_si512(a, b); }
inline Lanes both(Lanes a, Lanes b) { return _mm512_and_si512(a, b); }
inline Lanes add(Lanes a, Lanes b) { return _mm512_add_epi64(a, b); }
inline Lanes subtract(Lanes a, Lanes b) { return _mm512_sub_epi64(a, b); }
inline Lanes sign(Lanes a) { return _mm512_srai_epi64(a, 63); }
// a0 b0 a1 b1 ... in two halves
inline void weave(Lanes a, Lanes b, Lanes& first, Lanes& second) {
    first = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b);
    second = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b);
}
inline __m512d real(Lanes a) {  // of a whole number below 2^52
    return _mm512_sub_pd(_mm512_castsi512_pd(_mm512_xor_si512(a, fill(EXPONENT))), _mm512_set1_pd(0x1p52));
}
inline Lanes quotient(Lanes a, Lanes divisor) {
    const __m512d whole =
        _mm512_roundscale_pd(_mm512_div_pd(real(a), real(divisor)), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    return _mm512_xor_si512(_mm512_castpd_si512(_mm512_add_pd(whole, _mm512_set1_pd(0x1p52))), fill(EXPONENT));
}
#elif defined(__AVX2__)
constexpr size_t LANES = 4;
using Lanes = __m256i;
inline Lanes fill(uint64_t value) { return _mm256_set1_epi64x(static_cast<long long>(value)); }
inline Lanes load(const uint64_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
inline Lanes multiply(Lanes a, Lanes b) { return _mm256_mul_epu32(a, b); }
inline Lanes high(Lanes a) { return _mm256_srli_epi64(a, 32); }
inline Lanes raise(Lanes a) { return _mm256_slli_epi64(a, 32); }
inline Lanes differ(Lanes a, Lanes b) { return _mm256_xor_si256(a, b); }
inline Lanes both(Lanes a, Lanes b) { return _mm256_and_si256(a, b); }
inline Lanes add(Lanes a, Lanes b) { return _mm256_add_epi64(a, b); }
inline Lanes subtract(Lanes a, Lanes b) { return _mm256_sub_epi64(a, b); }
inline Lanes sign(Lanes a) { return _mm256_cmpgt_epi64(_mm256_setzero_si256(), a); }
inline void weave(Lanes a, Lanes b, Lanes& first, Lanes& second) {
    const Lanes even = _mm256_unpacklo_epi64(a, b), odd = _mm256_unpackhi_epi64(a, b);
    first = _mm256_permute2x128_si256(even, odd, 0x20);
    second = _mm256_permute2x128_si256(even, odd, 0x31);
}
inline __m256d real(Lanes a) {  // of a whole number below 2^52
    return _mm256_sub_pd(_mm256_castsi256_pd(_mm256_xor_si256(a, fill(EXPONENT))), _mm256_set1_pd(0x1p52));
}
inline Lanes quotient(Lanes a, Lanes divisor) {
    const __m256d whole = _mm256_floor_pd(_mm256_div_pd(real(a), real(divisor)));
    return _mm256_xor_si256(_mm256_castpd_si256(_mm256_add_pd(whole, _mm256_set1_pd(0x1p52))), fill(EXPONENT));
}
#elif defined(__x86_64__)
constexpr size_t LANES = 2;
using Lanes = __m128i;
inline Lanes fill(uint64_t value) { return _mm_set1_epi64x(static_cast<long long>(value)); }
inline Lanes load(const uint64_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
inline Lanes multiply(Lanes a, Lanes b) { return _mm_mul_epu32(a, b); }
inline Lanes high(Lanes a) { return _mm_srli_epi64(a, 32); }
inline Lanes raise(Lanes a) { return _mm_slli_epi64(a, 32); }
inline Lanes differ(Lanes a, Lanes b) { return _mm_xor_si128(a, b); }
inline Lanes both(Lanes a, Lanes b) { return _mm_and_si128(a, b); }
inline Lanes add(Lanes a, Lanes b) { return _mm_add_epi64(a, b); }
inline Lanes subtract(Lanes a, Lanes b) { return _mm_sub_epi64(a, b); }
inline Lanes sign(Lanes a) { return _mm_cmpgt_epi64(_mm_setzero_si128(), a); }
inline void weave(Lanes a, Lanes b, Lanes& first, Lanes& second) {
    first = _mm_unpacklo_epi64(a, b);
    second = _mm_unpackhi_epi64(a, b);
}
inline __m128d real(Lanes a) {  // of a whole number below 2^52
    return _mm_sub_pd(_mm_castsi128_pd(_mm_xor_si128(a, fill(EXPONENT))), _mm_set1_pd(0x1p52));
}
inline Lanes quotient(Lanes a, Lanes divisor) {
    const __m128d whole = _mm_floor_pd(_mm_div_pd(real(a), real(divisor)));
    return _mm_xor_si128(_mm_castpd_si128(_mm_add_pd(whole, _mm_set1_pd(0x1p52))), fill(EXPONENT));
}
#else
constexpr size_t LANES = 1;
using Lanes = uint64_t;
inline Lanes fill(uint64_t value) { return value; }
inline Lanes load(const uint64_t* from) { return *from; }
inline Lanes multiply(Lanes a, Lanes b) { return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF); }
inline Lanes high(Lanes a) { return a >> 32; }
inline Lanes raise(Lanes a) { return a << 32; }
inline Lanes differ(Lanes a, Lanes b) { return a ^ b; }
inline Lanes both(Lanes a, Lanes b) { return a & b; }
inline Lanes add(Lanes a, Lanes b) { return a + b; }
inline Lanes subtract(Lanes a, Lanes b) { return a - b; }
inline Lanes sign(Lanes a) { return a >> 63 ? ~uint64_t{0} : 0; }
inline void weave(Lanes a, Lanes b, Lanes& first, Lanes& second) {
    first = a;
    second = b;
}
inline Lanes quotient(Lanes a, Lanes divisor) { return a / divisor; }
#endif

constexpr size_t PARTS = 4;  // chains side by side: a multiplication takes five cycles, and one can start each
constexpr size_t BLOCKS = PARTS * LANES;
static_assert(SLICE_GROUP % (2 * BLOCKS) == 0);

struct Keys {
    uint32_t rounds[ROUNDS][2];
};

// Blocks first, first + 1, ...: pairs[2 i] holds words 0 and 1 of part i's blocks, pairs[2 i + 1] words 2 and 3.
inline void draw(const Keys& keys, Lanes stream, Lanes first, Lanes (&pairs)[2 * PARTS]) {
    Lanes c0[PARTS], c1[PARTS], c2[PARTS], c3[PARTS];
    for (size_t i = 0; i < PARTS; ++i) {
        c0[i] = add(first, fill(i * LANES));
        c1[i] = stream;
        c2[i] = c3[i] = fill(0);
    }
    const Lanes m0 = fill(MULTIPLIER_0), m1 = fill(MULTIPLIER_1);
    for (const uint32_t (&key)[2] : keys.rounds) {
        const Lanes k0 = fill(key[0]), k1 = fill(key[1]);
        for (size_t i = 0; i < PARTS; ++i) {
            const Lanes p0 = multiply(c0[i], m0), p1 = multiply(c2[i], m1);
            c0[i] = differ(differ(high(p1), c1[i]), k0);
            c1[i] = p1;
            c2[i] = differ(differ(high(p0), c3[i]), k1);
            c3[i] = p0;
        }
    }
    const Lanes low = fill(0xFFFFFFFF);
    for (size_t i = 0; i < PARTS; ++i) {
        pairs[2 * i] = add(both(c0[i], low), raise(c1[i]));
        pairs[2 * i + 1] = add(both(c2[i], low), raise(c3[i]));
    }
}

// Where each of LANES slices' range of times begins: begin = start + floor(window k / slices) + half - reach, kept with
// carry = (window mod slices) k mod slices while k grows by LANES.
struct Ranges {
    Lanes begin, carry, step, rest, slices;

    Ranges(const ScheduleRequest& asked, uint64_t reach) {
        const uint64_t window = static_cast<uint64_t>(asked.end) - static_cast<uint64_t>(asked.start);
        const uint64_t count = static_cast<uint64_t>(asked.slices);
        const uint64_t bucket = window / count, over = window % count;
        uint64_t begins[LANES], carries[LANES];
        for (size_t k = 0; k < LANES; ++k) {
            begins[k] = static_cast<uint64_t>(asked.start) + bucket * k + over * k / count + bucket / 2 - reach;
            carries[k] = over * k % count;
        }
        begin = load(begins);
        carry = load(carries);
        step = fill(bucket * LANES + over * LANES / count);
        rest = fill(over * LANES % count);
        slices = fill(count);
    }
    void advance() {
        const Lanes ahead = subtract(add(carry, rest), slices);
        const Lanes below = sign(ahead);  // all ones where the carry does not reach a whole
        carry = add(ahead, both(below, slices));
        begin = add(begin, add(add(step, fill(1)), below));
    }
};

// floor(width x draw / 2^32) for a draw in the low half.
struct Scale {
    Lanes wide, narrow;
    explicit Scale(uint64_t width) : wide(fill(width >> 32)), narrow(fill(width)) {}
    Lanes of(Lanes draw) const { return add(multiply(wide, draw), high(multiply(narrow, draw))); }
};

Keys keys_of(uint64_t seed) {
    Keys keys;
    keys.rounds[0][0] = static_cast<uint32_t>(seed);
    keys.rounds[0][1] = static_cast<uint32_t>(seed >> 32);
    for (int i = 1; i < ROUNDS; ++i) {
        keys.rounds[i][0] = keys.rounds[i - 1][0] + WEYL_0;
        keys.rounds[i][1] = keys.rounds[i - 1][1] + WEYL_1;
    }
    return keys;
}

template <bool TARGETS>
void place_as(const ScheduleRequest& asked, uint64_t width, Slice* out) {
    const Keys keys = keys_of(asked.seed);
    const uint64_t window = static_cast<uint64_t>(asked.end) - static_cast<uint64_t>(asked.start);
    const uint64_t lots = static_cast<uint64_t>(asked.lots), slices = static_cast<uint64_t>(asked.slices);
    const uint64_t half = window / slices / 2;
    const uint64_t reach = static_cast<uint64_t>(asked.jitter) < half ? static_cast<uint64_t>(asked.jitter) : half;
    const Scale time(2 * reach), size(width);
    const Lanes stream = fill(asked.stream), divisor = fill(2 * slices), step = fill(2 * lots * LANES);
    Ranges ranges(asked, reach);
    uint64_t counters[LANES], lines[LANES];  // lines: 2 (k lots - floor(W / 2)) + slices
    for (size_t i = 0; i < LANES; ++i) {
        counters[i] = i;
        lines[i] = 2 * (i * lots - width / 2) + slices;
    }
    Lanes block = load(counters), line = load(lines);
    for (size_t k = 0; k < slices; k += 2 * BLOCKS) {
        Lanes pairs[2 * PARTS];
        draw(keys, stream, block, pairs);
        block = add(block, fill(BLOCKS));
        for (size_t i = 0; i < PARTS; ++i) {
            Lanes words[2];
            weave(pairs[2 * i], pairs[2 * i + 1], words[0], words[1]);
            for (size_t side = 0; side < 2; ++side) {
                Lanes shown = high(words[side]);
                if constexpr (TARGETS) {
                    const Lanes part = size.of(shown);
                    shown = quotient(add(line, add(part, part)), divisor);
                    line = add(line, step);
                }
                Lanes rows[2];
                weave(add(ranges.begin, time.of(words[side])), shown, rows[0], rows[1]);
                __builtin_memcpy(out + k + (2 * i + side) * LANES, rows, sizeof(rows));
                ranges.advance();
            }
        }
    }
}

void place(const ScheduleRequest& asked, uint64_t width, bool targets, Slice* out) {
    targets ? place_as<true>(asked, width, out) : place_as<false>(asked, width, out);
}

}  // namespace

extern const PlaceKernel place_kernel;
const PlaceKernel place_kernel = {place};

}  // namespace tf::TF_TARGET
