// Quotes and trades of Massive (Polygon) in their usual order, compiled once for each CPU target. Colons show where the
// fields of a quote lie; every key is compared; AVX-512 converts all numbers of a quote in two registers.
#include "wire/polygon.hpp"
#include "wire/fast_json.hpp"
#include "wire/tables.hpp"

namespace tf::TF_TARGET {
namespace {

using wire::Decoding;

constexpr size_t LEAST = 72;        // bytes that a kernel wants to see of a message before it looks
constexpr size_t SYMBOL_AT = 17;    // behind {"ev":"Q","sym":"
constexpr uint64_t MS = 1'000'000;  // in ns
constexpr uint64_t TIME_MAX = INT64_MAX / MS;

// Where a quote's values end and how long they are. I is the one indicator of most quotes; Z again where there is none, or
// where there are more and they were looked at already.
enum Field : int { BP, AP, BS, AS, T, Q, BX, AX, C, Z, I, FIELDS };
struct Places {
    const uint8_t* end[FIELDS];
    size_t size[FIELDS];
    size_t symbol_size;
};

struct Numbers {
    uint64_t value[FIELDS];
    unsigned bid_fraction;
    unsigned ask_fraction;
};

#if defined(__AVX512BW__) && defined(__AVX512DQ__)

inline __m512i lanes(const uint8_t* a, const uint8_t* b, const uint8_t* c, const uint8_t* d) {
    const auto load = [](const uint8_t* end) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(end - 16)); };
    const __m512i low = _mm512_inserti32x4(_mm512_castsi128_si512(load(a)), load(b), 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(low, load(c), 2), load(d), 3);
}

// Bits of the last `size` of 16 bytes in lane `lane`.
inline uint64_t kept(size_t size, int lane) { return (uint64_t{0xFFFF'0000u} >> size & 0xFFFF) << 16 * lane; }

inline bool convert_all(const Places& places, Numbers& numbers) {
    const uint8_t* const* end = places.end;
    const size_t* size = places.size;
    // 1 to 16 characters each, the small ones 1 to 4
    const size_t longest =
        (size[BP] - 1) | (size[AP] - 1) | (size[BS] - 1) | (size[AS] - 1) | (size[T] - 1) | (size[Q] - 1);
    const size_t longest_small = (size[BX] - 1) | (size[AX] - 1) | (size[C] - 1) | (size[Z] - 1) | (size[I] - 1);
    if (longest >= 16 || longest_small >= 4) return false;
    const __m128i small =
        _mm_set_epi32(static_cast<int>(little32(end[Z] - 4)), static_cast<int>(little32(end[C] - 4)),
                      static_cast<int>(little32(end[AX] - 4)), static_cast<int>(little32(end[BX] - 4)));
    const auto few = [&](Field field, int group) { return (uint64_t{0xF0} >> size[field] & 0xF) << (32 + 4 * group); };
    const uint64_t keep1 = kept(size[BP], 0) | kept(size[AP], 1) | kept(size[BS], 2) | kept(size[AS], 3);
    const uint64_t keep2 =
        kept(size[T], 0) | kept(size[Q], 1) | few(BX, 0) | few(AX, 1) | few(C, 2) | few(Z, 3) | few(I, 4);
    const __m512i zero = _mm512_set1_epi8('0');
    const __m512i nine = _mm512_set1_epi8(9);
    __m512i digits1 = _mm512_maskz_sub_epi8(keep1, lanes(end[BP], end[AP], end[BS], end[AS]), zero);
    __m512i text2 = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(end[T] - 16)));
    text2 = _mm512_inserti32x4(text2, _mm_loadu_si128(reinterpret_cast<const __m128i*>(end[Q] - 16)), 1);
    text2 = _mm512_inserti32x4(text2, small, 2);
    text2 = _mm512_inserti32x4(text2, _mm_cvtsi32_si128(static_cast<int>(little32(end[I] - 4))), 3);
    const __m512i digits2 = _mm512_maskz_sub_epi8(keep2, text2, zero);
    const uint64_t odd1 = _mm512_cmpgt_epu8_mask(digits1, nine);
    const uint64_t odd2 = _mm512_cmpgt_epu8_mask(digits2, nine);
    const uint64_t points = _mm512_cmpeq_epi8_mask(digits1, _mm512_set1_epi8('.' - '0'));
    const uint64_t zeros1 = _mm512_mask_testn_epi8_mask(keep1, digits1, digits1);
    const uint64_t zeros2 = _mm512_mask_testn_epi8_mask(keep2, digits2, digits2);
    // first characters of numbers, and last ones
    constexpr uint64_t LAST1 = 0x8000'8000'8000'8000u;
    constexpr uint64_t LAST2 = 0x0008'8888'8000'8000u;
    const uint64_t first1 = keep1 & ~(keep1 << 1 & ~(LAST1 << 1));
    const uint64_t first2 = keep2 & ~(keep2 << 1 & ~(LAST2 << 1));
    const uint64_t bid = points & 0xFFFF;
    const uint64_t ask = points >> 16;  // a point behind the ask's lane is no price's
    uint64_t wrong = (odd1 ^ points) | odd2 | (points & (first1 | LAST1)) | ask >> 16;
    wrong |= (bid & (bid - 1)) | (ask & (ask - 1));
    wrong |= ((first1 & zeros1 & ~LAST1) << 1 & ~points) | (first2 & zeros2 & ~LAST2);  // a zero in front
    if (__builtin_expect(wrong != 0, 0)) return false;
    const uint64_t before = ((bid << 1) - (bid != 0)) | ((ask << 1) - (ask != 0))
                                                            << 16;  // up to each point, it included
    digits1 = _mm512_mask_mov_epi8(digits1, before, _mm512_bslli_epi128(digits1, 1));
    constexpr __mmask8 ALL = 0xFF;  // GCC 12 warns of its own unmasked forms
    const __m512i tens = _mm512_set1_epi16(0x010A);
    const __m512i hundreds = _mm512_set1_epi32(0x00010064);
    const __m512i fours1 = _mm512_madd_epi16(_mm512_maddubs_epi16(digits1, tens), hundreds);
    const __m512i fours2 = _mm512_madd_epi16(_mm512_maddubs_epi16(digits2, tens), hundreds);
    const __m512i eights = _mm512_madd_epi16(_mm512_packus_epi32(fours1, fours2), _mm512_set1_epi32(0x00012710));
    const __m512i whole = _mm512_add_epi64(_mm512_maskz_mul_epu32(ALL, eights, _mm512_set1_epi64(100'000'000)),
                                           _mm512_maskz_srli_epi64(ALL, eights, 32));
    alignas(64) uint64_t out[8];  // BP T AP Q BS - AS -
    _mm512_store_si512(out, whole);
    alignas(16) uint32_t little[4];
    _mm_store_si128(reinterpret_cast<__m128i*>(little), _mm512_maskz_extracti32x4_epi32(ALL, fours2, 2));
    numbers = {{out[0], out[2], out[4], out[6], out[1], out[3], little[0], little[1], little[2], little[3], 0},
               bid == 0 ? 0 : 15 - static_cast<unsigned>(__builtin_ctzll(bid)),
               ask == 0 ? 0 : 15 - static_cast<unsigned>(__builtin_ctzll(ask))};
    return true;
}

#else

inline bool convert_all(const Places& places, Numbers& numbers) {
    bool good = true;
    for (int field = 0; field < FIELDS; ++field) {
        Decimal decimal{};
        good &= convert(places.end[field], places.size[field], decimal);
        numbers.value[field] = decimal.value;
        if (field == BP) {
            numbers.bid_fraction = decimal.fraction;
        } else if (field == AP) {
            numbers.ask_fraction = decimal.fraction;
        } else {
            good &= decimal.fraction == 0;
        }
    }
    return good;
}

#endif

// An array of whole numbers of up to 4 digits at `at`: the byte behind it, null if it is none.
inline const uint8_t* skip_indicators(const uint8_t* at, const uint8_t* end) {
    if (end - at < 2) return nullptr;
    if (at[1] == ']') return at + 2;
    do {
        const uint8_t* const begin = ++at;
        while (at != end && static_cast<uint8_t>(*at - '0') < 10) ++at;
        if (at == end || at - begin > 4 || at == begin || (*begin == '0' && at - begin > 1)) return nullptr;
    } while (*at == ',');
    return *at == ']' ? at + 1 : nullptr;
}

// Not 0 where the four bytes before the colon at `colon` are not `text`.
inline uint32_t key_differs(const uint8_t* colon, const char (&text)[5]) {
    return little32(colon - 4) ^ static_cast<uint32_t>(bytes_of(text));
}

// The colons of a quote's fields. `i` may be null.
struct Colons {
    const uint8_t *bx, *bp, *bs, *ax, *ap, *as, *c, *i, *t, *q, *z;
};

// The first six, from the symbol on; false if they are not there. Nothing is in `wrong` if commas come before their keys.
inline bool find_sides(const uint8_t* at, const uint8_t* end, Colons& colons, uint64_t& wrong) {
    uint64_t commas = 0;
    uint64_t left = equal_bytes(at, end, ':', ',', commas);
    const uint64_t all = left;
    colons.bx = at + take_bit(left);
    colons.bp = at + take_bit(left);
    colons.bs = at + take_bit(left);
    colons.ax = at + take_bit(left);
    colons.ap = at + take_bit(left);
    unsigned sixth = take_bit(left);
    colons.as = at + sixth;
    wrong = ((all ^ left) >> 5) & ~commas;
    if (__builtin_expect(sixth != 64, 1)) return true;
    if (__builtin_popcountll(all) < 3) return false;  // else long numbers: the other three are in a window of their own
    left = equal_bytes(colons.bs, end, ':');
    left &= left - 1;
    colons.ax = colons.bs + take_bit(left);
    colons.ap = colons.bs + take_bit(left);
    sixth = take_bit(left);
    if (sixth == 64) return false;
    colons.as = colons.bs + sixth;
    wrong |= static_cast<uint64_t>((colons.ax[-5] ^ ',') | (colons.ap[-5] ^ ',') | (colons.as[-5] ^ ','));
    return true;
}

// The others; false if they are not there.
inline bool find_rest(const uint8_t* end, Colons& colons) {
    const uint8_t* const at = colons.as + 1;
    uint64_t left = equal_bytes(at, end, ':');
    colons.c = at + take_bit(left);
    const unsigned second = take_bit(left);
    const unsigned third = take_bit(left);
    const unsigned fourth = take_bit(left);
    const unsigned fifth = take_bit(left);
    if (__builtin_expect(second == 64, 0)) return false;
    const bool indicators = (at + second)[-2] != 't';  // without them the fifth is of the next quote
    colons.i = indicators ? at + second : nullptr;
    const unsigned time = indicators ? third : second;
    unsigned last = indicators ? fifth : fourth;
    colons.t = at + time;
    colons.q = at + (indicators ? fourth : third);
    colons.z = at + last;
    if (__builtin_expect(last != 64, 1)) return end - colons.z >= 3;
    if (time == 64) return false;
    left = equal_bytes(colons.t, end, ':');
    left &= left - 1;
    colons.q = colons.t + take_bit(left);
    last = take_bit(left);
    colons.z = colons.t + last;
    return last != 64 && end - colons.z >= 3;
}

// Finds the fields of the quote whose symbol is at `at`; the byte behind the quote, null if it is not as usual.
inline const uint8_t* locate(const uint8_t* at, const uint8_t* end, Places& places) {
    Colons colons;
    uint64_t wrong = 0;
    if (!find_sides(at, end, colons, wrong) || !find_rest(end, colons)) return nullptr;
    // all colons are there, so what is loaded around them lies in the frame
    const auto [bx, bp, bs, ax, ap, as, c, i, t, q, z] = colons;
    wrong |= key_differs(bx, "\"bx\"") | key_differs(bp, "\"bp\"") | key_differs(bs, "\"bs\"") |
             key_differs(ax, "\"ax\"") | key_differs(ap, "\"ap\"") | key_differs(as, "\"as\"") |
             key_differs(c, ",\"c\"") | key_differs(t, ",\"t\"") | key_differs(q, ",\"q\"") | key_differs(z, ",\"z\"") |
             static_cast<uint32_t>(bx[-6] ^ '"');
    if (__builtin_expect(wrong != 0, 0)) return nullptr;
    const uint8_t* z_end = z + 2;
    if (__builtin_expect(*z_end != '}', 0)) {
        if (end - z < 4 || *++z_end != '}') return nullptr;
    }
    const auto put = [&](Field field, const uint8_t* colon, const uint8_t* stop) {
        places.end[field] = stop;
        places.size[field] = static_cast<size_t>(stop - colon - 1);
    };
    put(I, z, z_end);
    if (i != nullptr) {
        if (key_differs(i, ",\"i\"") != 0 || i[1] != '[' || t[-5] != ']') return nullptr;
        if (static_cast<size_t>(t - i - 8) < 4) {  // one of 1 to 4 characters
            put(I, i + 1, t - 5);
        } else if (skip_indicators(i + 1, end) != t - 4) {
            return nullptr;
        }
    }
    places.symbol_size = static_cast<size_t>(bx - at) - 6;
    put(BX, bx, bp - 5);
    put(BP, bp, bs - 5);
    put(BS, bs, ax - 5);
    put(AX, ax, ap - 5);
    put(AP, ap, as - 5);
    put(AS, as, c - 4);
    put(C, c, (i != nullptr ? i : t) - 4);
    put(T, t, q - 4);
    put(Q, q, z - 4);
    put(Z, z, z_end);
    return z_end + 1;
}

// A count of 1e-9; false if it does not fit.
inline bool scaled(uint64_t value, unsigned fraction, int64_t& count) {
    return fraction <= 9 && !__builtin_mul_overflow(value, TEN_TO[9 - fraction], &count);
}

inline void put_side(const Decoding& decoding, Event* out, const Numbers& numbers, Field exchange, uint32_t instrument,
                     int64_t ts_event, int64_t price, int64_t quantity, uint64_t rest) {
    using Word = uint64_t __attribute__((may_alias));
    constexpr uint64_t VENUE = uint64_t{0xFFFF} << 32;
    const uint64_t venue = static_cast<uint64_t>(wire::polygon_venue(static_cast<int64_t>(numbers.value[exchange])))
                           << 32;
    const uint64_t origin = decoding.options.origin;
    const bool top = decoding.options.top;
    const uint64_t kind = static_cast<uint64_t>(top ? Kind::QUOTE : Kind::NBBO) << 56;
    Word* const words = reinterpret_cast<Word*>(out);
    words[0] = static_cast<uint64_t>(ts_event);
    words[1] = static_cast<uint64_t>(decoding.ts_recv);
    words[2] = static_cast<uint64_t>(price);
    words[3] = static_cast<uint64_t>(price == 0 ? 0 : quantity);
    words[4] = numbers.value[Q];
    words[5] = 0;
    words[6] = (top ? origin : (origin & ~VENUE) | venue) | kind | instrument;
    words[7] = rest;
}

// The quote at `at`; the byte behind it, null if it is for the general path.
inline const uint8_t* quote(Decoding& decoding, const uint8_t* at, const uint8_t* end) {
    const uint8_t* const symbol = at + SYMBOL_AT;
    Places places;
    const uint8_t* const behind = locate(symbol, end, places);
    uint32_t instrument = NO_INSTRUMENT;
    if (behind == nullptr || !find_symbol(decoding.symbols, symbol, places.symbol_size, instrument)) return nullptr;
    Numbers numbers;
    if (!convert_all(places, numbers)) return nullptr;
    int64_t bid = 0, ask = 0, bid_quantity = 0, ask_quantity = 0;
    if (numbers.value[T] > TIME_MAX) return nullptr;
    const int64_t ts_event = static_cast<int64_t>(numbers.value[T] * MS);
    const uint64_t unit = ts_event < wire::SHARES_SINCE && ts_event != 0 ? wire::ROUND_LOT * NANOS : NANOS;
    bool good = scaled(numbers.value[BP], numbers.bid_fraction, bid);
    good &= scaled(numbers.value[AP], numbers.ask_fraction, ask);
    good &= !__builtin_mul_overflow(numbers.value[BS], unit, &bid_quantity);
    good &= !__builtin_mul_overflow(numbers.value[AS], unit, &ask_quantity);
    if (__builtin_expect(!good, 0)) return nullptr;
    if (__builtin_expect(instrument == NO_INSTRUMENT, 0)) {
        ++decoding.counts.unknown_symbols;
        return behind;
    }
    Event* const out = wire::reserve(decoding, 2);
    const uint64_t conditions =
        static_cast<uint64_t>(wire::polygon_quote_condition(static_cast<int64_t>(numbers.value[C]))) << 32;
    put_side(decoding, out, numbers, BX, instrument, ts_event, bid, bid_quantity,
             conditions | static_cast<uint64_t>(Side::BID));
    put_side(decoding, out + 1, numbers, AX, instrument, ts_event, ask, ask_quantity,
             conditions | static_cast<uint64_t>(Side::ASK) | LAST << 8);
    decoding.out = out + 2;
    const auto unknown = [&](Field field) {
        return numbers.value[field] != 0 && wire::polygon_venue(static_cast<int64_t>(numbers.value[field])) == 0;
    };
    decoding.counts.unknown_venues += unknown(BX) + unknown(AX);
    return behind;
}

struct Trade {
    uint64_t time = 0, sequence = 0, exchange = 0, facility = 0, ignored = 0;
    Decimal price{}, size{};
    uint64_t id = 0;
    unsigned flags = LAST;
    uint32_t conditions = 0;
};

// The text of an id up to its quote.
inline bool read_id(Walk& walk, Trade& trade) {
    constexpr size_t ID_MAX = 64;  // JSON_TEXT_MAX
    const uint8_t* const begin = walk.at;
    while (walk.at != walk.end && *walk.at != '"') {
        if (*walk.at < ' ' || *walk.at > '~' || *walk.at == '\\') return false;
        ++walk.at;
    }
    const size_t size = static_cast<size_t>(walk.at - begin);
    if (size > ID_MAX) return false;
    trade.id = wire::trade_id(reinterpret_cast<const char*>(begin), size, trade.flags);
    return walk.passes('"');
}

// What stands between the brackets, the closing one included.
inline bool read_conditions(Walk& walk, Trade& trade) {
    if (walk.passes(']')) return true;
    do {
        uint64_t code = 0;
        if (!walk.whole(code)) return false;
        trade.conditions |= wire::polygon_trade_condition(static_cast<int64_t>(code));
    } while (walk.passes(','));
    return walk.passes(']');
}

// The fields behind the symbol's quote. Those of a line may be missing.
inline bool read_trade(Walk& walk, Trade& trade) {
    if (!walk.passes("\",\"x\":") || !walk.whole(trade.exchange)) return false;
    if (walk.passes(",\"i\":\"") && !read_id(walk, trade)) return false;
    if (walk.passes(",\"z\":") && !walk.whole(trade.ignored)) return false;
    if (!walk.passes(",\"p\":") || !walk.number(trade.price)) return false;
    if (!walk.passes(",\"s\":") || !walk.number(trade.size)) return false;
    if (walk.passes(",\"ds\":\"") && !(walk.number(trade.size) && walk.passes('"'))) return false;
    if (walk.passes(",\"c\":[") && !read_conditions(walk, trade)) return false;
    if (!walk.passes(",\"t\":") || !walk.whole(trade.time) || trade.time > TIME_MAX) return false;
    if (!walk.passes(",\"q\":") || !walk.whole(trade.sequence)) return false;
    if (walk.passes(",\"trfi\"") && !(walk.passes(':') && walk.whole(trade.facility))) return false;
    if (walk.passes(",\"trft\"") && !(walk.passes(':') && walk.whole(trade.ignored))) return false;
    return walk.passes('}');
}

// The trade at `at`; the byte behind it, null if it is for the general path.
inline const uint8_t* trade(Decoding& decoding, const uint8_t* at, const uint8_t* end) {
    const uint8_t* const symbol = at + SYMBOL_AT;
    const uint64_t quotes = little64(symbol) ^ 0x2222'2222'2222'2222u;
    const uint64_t found = (quotes - 0x0101'0101'0101'0101u) & ~quotes & 0x8080'8080'8080'8080u;
    const size_t size = found == 0 ? 8 : static_cast<size_t>(__builtin_ctzll(found)) / 8;
    Walk walk{symbol + size, end};
    Trade seen;
    uint32_t instrument = NO_INSTRUMENT;
    int64_t price = 0, quantity = 0;
    if (!read_trade(walk, seen) || !find_symbol(decoding.symbols, symbol, size, instrument) ||
        !scaled(seen.price.value, seen.price.fraction, price) ||
        !scaled(seen.size.value, seen.size.fraction, quantity)) {
        return nullptr;
    }
    if (instrument == NO_INSTRUMENT) {
        ++decoding.counts.unknown_symbols;
        return walk.at;
    }
    uint16_t venue = wire::polygon_venue(static_cast<int64_t>(seen.facility));
    if (venue == 0) {
        venue = wire::polygon_venue(static_cast<int64_t>(seen.exchange));
        decoding.counts.unknown_venues += venue == 0 && seen.exchange != 0;
    }
    wire::push_event(decoding, {static_cast<int64_t>(seen.time * MS), seen.sequence, instrument, seen.conditions},
                     Kind::TRADE, venue, Side::NONE, seen.flags, price, quantity, seen.id);
    return walk.at;
}

// Which message begins at `at`: 'Q', 'T' or 0.
inline uint8_t kind_of(const uint8_t* at, const uint8_t* end) {
    if (static_cast<size_t>(end - at) < LEAST || differs(at, "{\"ev\":\"") != 0) return 0;
    if ((differs(at + 8, "\",\"sym\":") | (at[16] ^ '"')) != 0) return 0;
    return at[7];
}

const uint8_t* messages(Decoding& decoding, const uint8_t* at, const uint8_t* end) {
    const uint8_t* done = at;
    for (;;) {
        const uint8_t kind = kind_of(at, end);
        const uint8_t* behind = nullptr;
        if (__builtin_expect(kind == 'Q', 1)) {
            behind = quote(decoding, at, end);
        } else if (kind == 'T') {
            behind = trade(decoding, at, end);
        }
        if (behind == nullptr) break;
        done = behind;
        if (end - behind < 2 || behind[0] != ',') break;
        at = behind + 1;
    }
    return done;
}

}  // namespace

extern const wire::PolygonKernel polygon_kernel;
const wire::PolygonKernel polygon_kernel{messages};

}  // namespace tf::TF_TARGET
