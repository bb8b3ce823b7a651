// Stock quotes of Alpaca in their usual order, JSON and msgpack, compiled once for each CPU target. JSON: commas show where
// the numbers end, every key is compared, the four numbers are converted together where there is AVX-512.
#include "wire/alpaca.hpp"
#include "wire/fast_json.hpp"
#include "wire/letters.hpp"
#include "wire/times.hpp"

namespace tf::TF_TARGET {
namespace {

using wire::Decoding;

constexpr size_t LEAST = 96;         // bytes of the shortest JSON quote, about
constexpr size_t TAIL = 40;          // those of them behind the numbers
constexpr size_t SYMBOL_AT = 14;     // behind {"T":"q","S":"
constexpr size_t MINUTE_SIZE = 16;   // 2023-04-06T11:54
constexpr size_t SECONDS_SIZE = 16;  // what a load of SS.fffffffffZ"} takes
constexpr uint64_t MINUTE = 60'000'000'000;

enum Number : int { BP, AP, BS, AS, NUMBERS };

struct Quote {
    uint32_t instrument = NO_INSTRUMENT;
    uint32_t conditions = 0;
    uint16_t bid_venue = 0;
    uint16_t ask_venue = 0;
    int64_t time = 0;
    int64_t count[NUMBERS] = {};
};

inline bool capital(uint8_t letter) { return static_cast<uint8_t>(letter - 'A') < 26; }

// Exchange, condition and tape as letters; false if one of them is not for kernels.
inline bool take_letters(Quote& quote, uint8_t bid, uint8_t ask, uint8_t condition, uint8_t tape) {
    if (((bid | ask) & 0x80) != 0 || !capital(condition) || !capital(tape)) return false;
    quote.bid_venue = wire::LETTERS.venues[bid];
    quote.ask_venue = wire::LETTERS.venues[ask];
    quote.conditions = wire::LETTERS.quotes[tape == 'A' || tape == 'B' ? wire::CTA : wire::UTP][condition];
    return quote.bid_venue != 0 && quote.ask_venue != 0;
}

// Round lots as shares, and the two events. False if a size does not fit.
inline bool push(Decoding& decoding, Quote& quote) {
    if (__builtin_expect(quote.time < wire::ALPACA_SHARES_SINCE && quote.time != 0, 0)) {
        bool over = __builtin_mul_overflow(quote.count[BS], wire::ALPACA_ROUND_LOT, &quote.count[BS]);
        over |= __builtin_mul_overflow(quote.count[AS], wire::ALPACA_ROUND_LOT, &quote.count[AS]);
        if (over) return false;
    }
    if (__builtin_expect(quote.instrument == NO_INSTRUMENT, 0)) {
        ++decoding.counts.unknown_symbols;
        return true;
    }
    using Word = uint64_t __attribute__((may_alias));
    constexpr uint64_t VENUE = uint64_t{0xFFFF} << 32;
    const uint64_t origin = decoding.options.origin;
    const bool top = decoding.options.top;
    const uint64_t kind = static_cast<uint64_t>(top ? Kind::QUOTE : Kind::NBBO) << 56 | quote.instrument;
    const uint64_t conditions = static_cast<uint64_t>(quote.conditions) << 32;
    Word* words = reinterpret_cast<Word*>(wire::reserve(decoding, 2));
    const auto put = [&](uint64_t venue, int64_t price, int64_t quantity, uint64_t rest) {
        words[0] = static_cast<uint64_t>(quote.time);
        words[1] = static_cast<uint64_t>(decoding.ts_recv);
        words[2] = static_cast<uint64_t>(price);
        words[3] = static_cast<uint64_t>(price == 0 ? 0 : quantity);
        words[4] = 0;
        words[5] = 0;
        words[6] = (top ? origin : (origin & ~VENUE) | venue << 32) | kind;
        words[7] = conditions | rest;
        words += sizeof(Event) / sizeof(Word);
    };
    put(quote.bid_venue, quote.count[BP], quote.count[BS], static_cast<uint64_t>(Side::BID));
    put(quote.ask_venue, quote.count[AP], quote.count[AS], static_cast<uint64_t>(Side::ASK) | uint64_t{LAST} << 8);
    decoding.out += 2;
    return true;
}

// ---- JSON

struct Places {
    const uint8_t* end[NUMBERS];
    size_t size[NUMBERS];
};

// A count of 1e-9; false if it does not fit.
inline bool scaled(uint64_t value, unsigned fraction, int64_t& count) {
    return fraction <= 9 && !__builtin_mul_overflow(value, TEN_TO[9 - fraction], &count);
}

#if defined(__AVX512BW__) && defined(__AVX512DQ__)

inline bool convert_all(const Places& places, int64_t (&count)[NUMBERS]) {
    constexpr uint64_t LASTS = 0x8000'8000'8000'8000u;
    constexpr __mmask8 ALL = 0xFF;  // GCC 12 warns of its own unmasked forms
    const size_t* size = places.size;
    if (((size[BP] - 1) | (size[AP] - 1) | (size[BS] - 1) | (size[AS] - 1)) >= 16) return false;
    const auto load = [&](Number number) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(places.end[number] - 16));
    };
    const auto kept = [&](Number number) { return (uint64_t{0xFFFF'0000u} >> size[number] & 0xFFFF) << 16 * number; };
    const uint64_t keep = kept(BP) | kept(AP) | kept(BS) | kept(AS);
    __m512i text = _mm512_inserti32x4(_mm512_castsi128_si512(load(BP)), load(AP), 1);
    text = _mm512_inserti32x4(_mm512_inserti32x4(text, load(BS), 2), load(AS), 3);
    __m512i digits = _mm512_maskz_sub_epi8(keep, text, _mm512_set1_epi8('0'));
    const uint64_t odd = _mm512_cmpgt_epu8_mask(digits, _mm512_set1_epi8(9));
    const uint64_t points = _mm512_cmpeq_epi8_mask(digits, _mm512_set1_epi8('.' - '0'));
    const uint64_t zeros = _mm512_mask_testn_epi8_mask(keep, digits, digits);
    const uint64_t first = keep & ~(keep << 1 & ~(LASTS << 1));
    uint64_t wrong = (odd ^ points) | (points & (first | LASTS)) | ((first & zeros & ~LASTS) << 1 & ~points);
    const uint64_t bid = points & 0xFFFF;
    const uint64_t ask = points >> 16;  // a point behind the ask's lane is no price's
    wrong |= ask >> 16 | (bid & (bid - 1)) | (ask & (ask - 1));
    if (__builtin_expect(wrong != 0, 0)) return false;
    const uint64_t before = ((bid << 1) - (bid != 0)) | ((ask << 1) - (ask != 0)) << 16;  // up to each point
    digits = _mm512_mask_mov_epi8(digits, before, _mm512_bslli_epi128(digits, 1));
    const __m512i fours =
        _mm512_madd_epi16(_mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010A)), _mm512_set1_epi32(0x00010064));
    const __m512i eights = _mm512_madd_epi16(_mm512_packus_epi32(fours, fours), _mm512_set1_epi32(0x00012710));
    const __m512i whole = _mm512_add_epi64(_mm512_maskz_mul_epu32(ALL, eights, _mm512_set1_epi64(100'000'000)),
                                           _mm512_maskz_srli_epi64(ALL, eights, 32));
    alignas(64) uint64_t value[8];  // each number twice
    _mm512_store_si512(value, whole);
    const unsigned bid_fraction = bid == 0 ? 0 : 15 - static_cast<unsigned>(__builtin_ctzll(bid));
    const unsigned ask_fraction = ask == 0 ? 0 : 15 - static_cast<unsigned>(__builtin_ctzll(ask));
    bool good = scaled(value[0], bid_fraction, count[BP]) & scaled(value[2], ask_fraction, count[AP]);
    good &= scaled(value[4], 0, count[BS]) & scaled(value[6], 0, count[AS]);
    return good;
}

#else

inline bool convert_all(const Places& places, int64_t (&count)[NUMBERS]) {
    bool good = true;
    for (int number = 0; number < NUMBERS; ++number) {
        Decimal decimal{};
        good &= convert(places.end[number], places.size[number], decimal);
        good &= scaled(decimal.value, decimal.fraction, count[number]);
    }
    return good;
}

#endif

// Nanoseconds within the minute of SS.fffffffffZ" (no point without digits, up to nine of them); `at` moves behind the
// quotation mark. False if it is something else.
inline bool seconds(const uint8_t*& at, const uint8_t* end, uint64_t& nanos) {
    uint8_t tail[SECONDS_SIZE] = {};
    const uint8_t* text = at;
    if (__builtin_expect(static_cast<size_t>(end - at) < SECONDS_SIZE, 0)) {
        std::memcpy(tail, at, static_cast<size_t>(end - at));
        text = tail;
    }
#if defined(__SSE4_1__)
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text));
    const auto zs = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('Z'))));
    const auto marks = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'))));
    const __m128i digits = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i good = _mm_cmpeq_epi8(_mm_max_epu8(digits, _mm_set1_epi8(9)), _mm_set1_epi8(9));
    const unsigned odd = static_cast<unsigned>(_mm_movemask_epi8(good)) ^ 0xFFFFu;
    const unsigned z = zs == 0 ? 15 : static_cast<unsigned>(__builtin_ctz(zs));
    const unsigned before = (1u << z) - 1;
    // what is no digit before the Z: nothing, or a point behind the seconds
    const bool fraction = z > 3 && z < 13 && (odd & before) == 4 && text[2] == '.';
    if ((!fraction && (z != 2 || (odd & before) != 0)) || (marks >> (z + 1) & 1) == 0) return false;
    alignas(16) static constexpr int8_t FROM[16] = {-1, -1, -1, -1, -1, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    alignas(16) static constexpr int8_t PLACE[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const __m128i kept =
        _mm_cmplt_epi8(_mm_load_si128(reinterpret_cast<const __m128i*>(PLACE)), _mm_set1_epi8(static_cast<char>(z)));
    const __m128i number =
        _mm_shuffle_epi8(_mm_and_si128(digits, kept), _mm_load_si128(reinterpret_cast<const __m128i*>(FROM)));
    const __m128i fours = _mm_madd_epi16(_mm_maddubs_epi16(number, _mm_set1_epi16(0x010A)), _mm_set1_epi32(0x00010064));
    const __m128i packed = _mm_packus_epi32(fours, fours);
    const auto eights = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_madd_epi16(packed, _mm_set1_epi32(0x00012710))));
    nanos = (eights & 0xFFFF'FFFFu) * 100'000'000 + (eights >> 32);
#else
    const auto digit = [&](unsigned place) { return static_cast<uint8_t>(text[place] - '0'); };
    if (digit(0) > 9 || digit(1) > 9) return false;
    nanos = (digit(0) * 10u + digit(1)) * uint64_t{1'000'000'000};
    unsigned z = 2;
    if (text[2] == '.') {
        uint64_t unit = 100'000'000;
        for (z = 3; z < 12 && digit(z) < 10; ++z, unit /= 10) nanos += digit(z) * unit;
        if (z == 3) return false;
    }
    if (text[z] != 'Z' || text[z + 1] != '"') return false;
#endif
    at += z + 2;
    return nanos < MINUTE;
}

// The time at `at`, which moves behind its quotation mark.
inline bool take_time(Decoding& decoding, const uint8_t*& at, const uint8_t* end, int64_t& time) {
    wire::AlpacaState& state = static_cast<wire::AlpacaState&>(*decoding.state);
    if (end - at < static_cast<int64_t>(MINUTE_SIZE + 5)) return false;
    const uint64_t text[2] = {little64(at), little64(at + 8)};
    if (__builtin_expect(text[0] != state.text[0] || text[1] != state.text[1], 0)) {
        char whole[] = "yyyy-mm-ddThh:mm:00Z";
        std::memcpy(whole, at, MINUTE_SIZE);
        int64_t minute = 0;
        if (whole[10] != 'T' || !wire::rfc3339_ns(whole, sizeof whole - 1, minute) ||
            minute > INT64_MAX - static_cast<int64_t>(MINUTE)) {
            return false;
        }
        state.text[0] = text[0];
        state.text[1] = text[1];
        state.minute = minute;
    }
    uint64_t nanos = 0;
    if (at[MINUTE_SIZE] != ':') return false;
    at += MINUTE_SIZE + 1;
    if (!seconds(at, end, nanos)) return false;
    time = state.minute + static_cast<int64_t>(nanos);
    return true;
}

// What stands behind the numbers: conditions, tape and time, the time last or first; TAIL bytes can be read. The byte
// behind the quote.
inline const uint8_t* take_tail(Decoding& decoding, const uint8_t* at, const uint8_t* end, uint8_t bid, uint8_t ask,
                                Quote& quote) {
    constexpr size_t CODES = 17;  // ,"c":["R"],"z":"C
    const uint8_t* codes = at;
    const bool time_first = at[2] == 't';
    if (time_first) {
        if ((differs(at, ",\"t\":\"")) != 0) return nullptr;
        codes += 6;
        if (!take_time(decoding, codes, end, quote.time) || end - codes < static_cast<int64_t>(CODES + 2)) {
            return nullptr;
        }
    }
    const uint64_t wrong = differs(codes, ",\"c\":[\"") | differs(codes + 8, "\"],\"z\":\"");
    if (wrong != 0 || !take_letters(quote, bid, ask, codes[7], codes[16])) return nullptr;
    at = codes + CODES;
    if (!time_first) {
        if (differs(at, "\",\"t\":\"") != 0) return nullptr;
        at += 7;
        if (!take_time(decoding, at, end, quote.time) || at == end) return nullptr;
        return *at == '}' ? at + 1 : nullptr;
    }
    return at[0] == '"' && at[1] == '}' ? at + 2 : nullptr;
}

// The quote at `at`; the byte behind it, null if it is for the general path.
inline const uint8_t* take_quote(Decoding& decoding, const uint8_t* at, const uint8_t* end) {
    const uint8_t* const symbol = at + SYMBOL_AT;
    const uint64_t quotes = little64(symbol) ^ 0x2222'2222'2222'2222u;
    const uint64_t found = (quotes - 0x0101'0101'0101'0101u) & ~quotes & 0x8080'8080'8080'8080u;
    const size_t size = found == 0 ? 8 : static_cast<size_t>(__builtin_ctzll(found)) / 8;
    const uint8_t* const head = symbol + size;  // ","bx":"K","bp":
    const uint8_t* const numbers = head + 16;
    uint64_t commas = equal_bytes(numbers, end, ',');
    const unsigned bp = take_bit(commas), bs = take_bit(commas), ax = take_bit(commas), ap = take_bit(commas),
                   as = take_bit(commas);
    if (__builtin_expect(as == 64 || ax != bs + 9 || static_cast<size_t>(end - numbers) < as + TAIL, 0)) return nullptr;
    uint64_t wrong = differs(head, "\",\"bx\":\"") | differs(head + 9, "\",\"bp\":");
    wrong |= differs(numbers + bp, ",\"bs\":") | differs(numbers + bs, ",\"ax\":\"");
    wrong |= differs(numbers + bs + 8, "\",\"ap\":") | differs(numbers + ap, ",\"as\":");
    if (__builtin_expect(wrong != 0, 0)) return nullptr;
    Quote quote;
    const uint8_t* const behind = take_tail(decoding, numbers + as, end, head[8], numbers[bs + 7], quote);
    if (behind == nullptr || !find_symbol(decoding.symbols, symbol, size, quote.instrument)) return nullptr;
    const Places places{{numbers + bp, numbers + ap, numbers + bs, numbers + as},
                        {bp, ap - bs - 15, bs - bp - 6, as - ap - 6}};
    return convert_all(places, quote.count) && push(decoding, quote) ? behind : nullptr;
}

const uint8_t* messages(Decoding& decoding, const uint8_t* at, const uint8_t* end) {
    const uint8_t* done = at;
    while (static_cast<size_t>(end - at) >= LEAST &&
           (differs(at, "{\"T\":\"q\"") | differs(at + 8, ",\"S\":\"")) == 0) {
        const uint8_t* const behind = take_quote(decoding, at, end);
        if (behind == nullptr) break;
        done = behind;
        if (end - behind < 2 || behind[0] != ',') break;
        at = behind + 1;
    }
    return done;
}

// ---- msgpack

// The fewest bytes of a quote, and of what is left of it behind each of these numbers: what is shorter is not whole, and
// nothing is read that lies further on.
constexpr int64_t PACKED_LEAST = 56;
constexpr int64_t BEHIND_BP = 38;
constexpr int64_t BEHIND_AP = 25;
constexpr int64_t BEHIND_AS = 21;
constexpr double SURE_BELOW = 1e6;  // see exact_double

// A number at `at`, which moves behind it, as a count of 1e-9; false if it is for the general path.
inline bool take_number(const uint8_t*& at, int64_t& count) {
    const uint8_t code = *at++;
    if (code == 0xCB) {
        const double number = __builtin_bit_cast(double, big64(at));
        at += 8;
        if (!(number >= 0 && number < SURE_BELOW)) return false;
        count = static_cast<int64_t>(number * 1e9 + 0.5);
        return static_cast<double>(count) / 1e9 == number;
    }
    uint64_t whole = code;
    if (code == 0xCC) {
        whole = *at++;
    } else if (code == 0xCD) {
        whole = big16(at);
        at += 2;
    } else if (code == 0xCE) {
        whole = big32(at);
        at += 4;
    } else if (code >= 0x80) {
        return false;
    }
    count = static_cast<int64_t>(whole) * NANOS;
    return true;
}

// Not 0 where the bytes at `at` are not `text`; moves behind them. (a, b and c are written \x61 to \x63 in such texts,
// because behind an escape they would belong to it.)
template <size_t N>
inline uint64_t passes(const uint8_t*& at, const char (&text)[N]) {
    static_assert(N - 1 == 3 || N - 1 == 4);
    const uint32_t mask = N - 1 == 4 ? ~0u : 0xFF'FFFFu;
    const uint64_t wrong = (little32(at) ^ static_cast<uint32_t>(bytes_of(text))) & mask;
    at += N - 1;
    return wrong;
}

// The quote at `at`; the byte behind it, null if it is for the general path.
inline const uint8_t* take_packed(Decoding& decoding, const uint8_t* at, const uint8_t* end, Quote& quote) {
    if (end - at < PACKED_LEAST || differs(at, "\x8B\xA1T\xA1q\xA1S") != 0) return nullptr;
    const size_t size = at[7] - size_t{0xA0};
    const uint8_t* const symbol = at + 8;
    if (size - 1 >= 8) return nullptr;
    at = symbol + size;
    uint64_t wrong = passes(at, "\xA2\x62x\xA1");
    const uint8_t bid = *at++;
    wrong |= passes(at, "\xA2\x62p");
    if (wrong != 0 || !take_number(at, quote.count[BP]) || end - at < BEHIND_BP) return nullptr;
    wrong = passes(at, "\xA2\x62s");
    if (wrong != 0 || !take_number(at, quote.count[BS])) return nullptr;
    wrong = passes(at, "\xA2\x61x\xA1");
    const uint8_t ask = *at++;
    wrong |= passes(at, "\xA2\x61p");
    if (wrong != 0 || !take_number(at, quote.count[AP]) || end - at < BEHIND_AP) return nullptr;
    wrong = passes(at, "\xA2\x61s");
    if (wrong != 0 || !take_number(at, quote.count[AS]) || end - at < BEHIND_AS) return nullptr;
    wrong = passes(at, "\xA1\x63\x91\xA1");
    const uint8_t condition = *at++;
    wrong |= passes(at, "\xA1z\xA1");
    const uint8_t tape = *at++;
    wrong |= passes(at, "\xA1t\xD7\xFF");
    const uint64_t stamp = big64(at);  // nanoseconds in 30 bits, seconds in 34
    const uint64_t nanos = stamp >> 34;
    const uint64_t second = stamp & ((uint64_t{1} << 34) - 1);
    const bool over = nanos >= static_cast<uint64_t>(NANOS) || second > static_cast<uint64_t>(INT64_MAX / NANOS - 1);
    if (wrong != 0 || over || !take_letters(quote, bid, ask, condition, tape)) return nullptr;
    quote.time = static_cast<int64_t>(second * static_cast<uint64_t>(NANOS) + nanos);
    return find_symbol(decoding.symbols, symbol, size, quote.instrument) ? at + 8 : nullptr;
}

const uint8_t* packed(Decoding& decoding, const uint8_t* at, const uint8_t* end, uint64_t& left) {
    while (left != 0) {
        Quote quote;
        const uint8_t* const behind = take_packed(decoding, at, end, quote);
        if (behind == nullptr || !push(decoding, quote)) break;
        at = behind;
        --left;
    }
    return at;
}

}  // namespace

extern const wire::AlpacaKernel alpaca_kernel;
const wire::AlpacaKernel alpaca_kernel{messages, packed};

}  // namespace tf::TF_TARGET
