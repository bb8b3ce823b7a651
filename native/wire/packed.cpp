#include "wire/packed.hpp"

#include <bit>
#include <charconv>
#include <cmath>

#include "wire/json.hpp"

namespace tf::wire {

namespace {

constexpr const char* SHORT = "the frame ends inside a value";
constexpr float WHOLE_BELOW = 0x1p63f;  // fits int64
constexpr double SURE_BELOW = 1e6;      // times 1e9: 15 digits, of which no two numbers are the same double

uint64_t big(const uint8_t* at, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | at[i];
    return value;
}

// A number of `bytes` at the cursor; false if they are not there.
bool take(PackedCursor& cursor, size_t bytes, uint64_t& value) {
    if (static_cast<size_t>(cursor.end - cursor.at) < bytes) {
        cursor.what = SHORT;
        return false;
    }
    value = big(cursor.at, bytes);
    cursor.at += bytes;
    return true;
}

bool take_number(PackedCursor& cursor, PackedValue& value, PackedType type, size_t bytes) {
    value.type = type;
    return take(cursor, bytes, value.number);
}

bool take_signed(PackedCursor& cursor, PackedValue& value, size_t bytes) {
    if (!take_number(cursor, value, PackedType::UNSIGNED, bytes)) return false;
    const unsigned shift = 64 - 8 * static_cast<unsigned>(bytes);
    const int64_t number = static_cast<int64_t>(value.number << shift) >> shift;
    if (number < 0) value.type = PackedType::NEGATIVE;
    value.number = static_cast<uint64_t>(number);
    return true;
}

// What has a size of bytes: text, bytes, extensions.
bool take_body(PackedCursor& cursor, PackedValue& value, PackedType type, uint64_t size) {
    value.type = type;
    uint64_t code = 0;
    if (type == PackedType::EXTENSION && !take(cursor, 1, code)) return false;
    value.extension = static_cast<int8_t>(code);
    if (static_cast<uint64_t>(cursor.end - cursor.at) < size) {
        cursor.what = SHORT;
        return false;
    }
    value.data = reinterpret_cast<const char*>(cursor.at);
    value.size = size;
    cursor.at += size;
    return true;
}

bool take_sized(PackedCursor& cursor, PackedValue& value, PackedType type, size_t bytes) {
    uint64_t size = 0;
    return take(cursor, bytes, size) && take_body(cursor, value, type, size);
}

bool take_count(PackedCursor& cursor, PackedValue& value, PackedType type, size_t bytes) {
    if (!take_number(cursor, value, type, bytes)) return false;
    value.data = reinterpret_cast<const char*>(cursor.at);
    return true;
}

bool tagged(PackedCursor& cursor, PackedValue& value, unsigned code) {
    switch (code) {
        case 0xC0:
            value.type = PackedType::NOTHING;
            return true;
        case 0xC2:
        case 0xC3:
            value.type = PackedType::BOOLEAN;
            value.number = code & 1;
            return true;
        case 0xC4:
        case 0xC5:
        case 0xC6:
            return take_sized(cursor, value, PackedType::BINARY, size_t{1} << (code - 0xC4));
        case 0xC7:
        case 0xC8:
        case 0xC9:
            return take_sized(cursor, value, PackedType::EXTENSION, size_t{1} << (code - 0xC7));
        case 0xCA:
            return take_number(cursor, value, PackedType::SINGLE, 4);
        case 0xCB:
            return take_number(cursor, value, PackedType::DOUBLE, 8);
        case 0xCC:
        case 0xCD:
        case 0xCE:
        case 0xCF:
            return take_number(cursor, value, PackedType::UNSIGNED, size_t{1} << (code - 0xCC));
        case 0xD0:
        case 0xD1:
        case 0xD2:
        case 0xD3:
            return take_signed(cursor, value, size_t{1} << (code - 0xD0));
        case 0xD4:
        case 0xD5:
        case 0xD6:
        case 0xD7:
        case 0xD8:
            return take_body(cursor, value, PackedType::EXTENSION, uint64_t{1} << (code - 0xD4));
        case 0xD9:
        case 0xDA:
        case 0xDB:
            return take_sized(cursor, value, PackedType::STRING, size_t{1} << (code - 0xD9));
        case 0xDC:
        case 0xDD:
            return take_count(cursor, value, PackedType::ARRAY, size_t{2} << (code - 0xDC));
        case 0xDE:
        case 0xDF:
            return take_count(cursor, value, PackedType::MAP, size_t{2} << (code - 0xDE));
        default:
            --cursor.at;
            cursor.what = "byte C1 begins no value";
            return false;
    }
}

// One value; of arrays and maps the head only.
bool head(PackedCursor& cursor, PackedValue& value) {
    value = PackedValue{};
    value.begin = cursor.at;
    uint64_t code = 0;
    if (!take(cursor, 1, code)) return false;
    if (code >= 0xC0 && code < 0xE0) return tagged(cursor, value, static_cast<unsigned>(code));
    if (code < 0x80) {
        value.type = PackedType::UNSIGNED;
        value.number = code;
    } else if (code >= 0xE0) {
        value.type = PackedType::NEGATIVE;
        value.number = static_cast<uint64_t>(static_cast<int64_t>(code) - 0x100);
    } else if (code >= 0xA0) {
        return take_body(cursor, value, PackedType::STRING, code & 0x1F);
    } else {
        value.type = code < 0x90 ? PackedType::MAP : PackedType::ARRAY;
        value.number = code & 0x0F;
        value.data = reinterpret_cast<const char*>(cursor.at);
    }
    return true;
}

bool holds_values(PackedType type) { return type == PackedType::ARRAY || type == PackedType::MAP; }

// How many values an array or map has; false if the frame cannot hold them.
bool values_in(PackedCursor& cursor, const PackedValue& value, uint64_t& count) {
    count = value.type == PackedType::MAP ? 2 * value.number : value.number;
    if (count <= static_cast<uint64_t>(cursor.end - cursor.at)) return true;
    cursor.what = SHORT;
    return false;
}

bool present(const PackedValue& field) { return field.type != PackedType::NONE && field.type != PackedType::NOTHING; }

// A number as the text that decimal() reads.
template <class Number>
Exact by_text(Number number, int scale, int64_t& count) {
    char text[64];
    const std::to_chars_result written = std::to_chars(text, text + sizeof text, number);
    return decimal(text, static_cast<size_t>(written.ptr - text), scale, count);
}

// A float: whole numbers are what they are, of any other the shortest text counts.
template <class Number>
Exact by_float(Number number, int scale, int64_t& count) {
    if (std::fabs(number) < WHOLE_BELOW && std::trunc(number) == number) {
        return by_text(static_cast<int64_t>(number), scale, count);
    }
    return by_text(number, scale, count);
}

Exact exact_number(const PackedValue& field, int scale, int64_t& count) {
    switch (field.type) {
        case PackedType::UNSIGNED:
            return by_text(field.number, scale, count);
        case PackedType::NEGATIVE:
            return by_text(static_cast<int64_t>(field.number), scale, count);
        case PackedType::DOUBLE:
            return by_float(std::bit_cast<double>(field.number), scale, count);
        case PackedType::SINGLE:
            return by_float(std::bit_cast<float>(static_cast<uint32_t>(field.number)), scale, count);
        default:
            return Exact::INVALID;
    }
}

// One element at the cursor: a map is a message, all else is not for us.
bool element(Decoding& decoding, PackedCursor& cursor, GeneralPacked general) {
    PackedValue value;
    if (!packed_value(cursor, value)) return false;
    if (value.type == PackedType::MAP) {
        ++decoding.counts.general;
        general(decoding, value);
    } else {
        push_other(decoding, value.begin, cursor.at);
    }
    return true;
}

bool elements(Decoding& decoding, PackedCursor& cursor, uint64_t left, FastPacked fast, GeneralPacked general) {
    while (left != 0) {
        const uint8_t* const begin = cursor.at;
        if (fast != nullptr) cursor.at = fast(decoding, begin, cursor.end, left);
        if (cursor.at != begin) continue;
        if (!element(decoding, cursor, general)) return false;
        --left;
    }
    return true;
}

}  // namespace

bool packed_value(PackedCursor& cursor, PackedValue& value) {
    if (!head(cursor, value)) return false;
    if (!holds_values(value.type)) return true;
    uint64_t left[PACKED_DEPTH_MAX];
    int depth = 0;
    if (!values_in(cursor, value, left[0])) return false;
    while (depth >= 0) {
        if (left[depth] == 0) {
            --depth;
            continue;
        }
        --left[depth];
        PackedValue inner;
        if (!head(cursor, inner)) return false;
        if (!holds_values(inner.type)) continue;
        if (++depth == PACKED_DEPTH_MAX) {
            cursor.what = "nested too deep";
            return false;
        }
        if (!values_in(cursor, inner, left[depth])) return false;
    }
    value.size = static_cast<size_t>(reinterpret_cast<const char*>(cursor.at) - value.data);
    return true;
}

PackedMembers::PackedMembers(const PackedValue& map)
    : cursor_{reinterpret_cast<const uint8_t*>(map.data), reinterpret_cast<const uint8_t*>(map.data) + map.size},
      left_(map.number) {}

bool PackedMembers::next(PackedValue& key, PackedValue& value) {
    if (left_ == 0) return false;
    --left_;
    return packed_value(cursor_, key) && packed_value(cursor_, value);
}

PackedElements::PackedElements(const PackedValue& array)
    : cursor_{reinterpret_cast<const uint8_t*>(array.data), reinterpret_cast<const uint8_t*>(array.data) + array.size},
      left_(array.number) {}

bool PackedElements::next(PackedValue& value) {
    if (left_ == 0) return false;
    --left_;
    return packed_value(cursor_, value);
}

uint64_t packed_word(const PackedValue& string) {
    return string.type == PackedType::STRING ? json_word(string.data, string.size) : 0;
}

Exact exact_double(double number, int64_t& count) {
    if (number >= 0 && number < SURE_BELOW) {
        const auto nearest = static_cast<int64_t>(number * 1e9 + 0.5);
        if (static_cast<double>(nearest) / 1e9 == number) {
            count = nearest;
            return Exact::OK;
        }
    }
    return by_float(number, 9, count);
}

bool packed_time(const PackedValue& value, int64_t& time) {
    if (value.type != PackedType::EXTENSION || value.extension != -1) return false;
    const auto* const at = reinterpret_cast<const uint8_t*>(value.data);
    uint64_t nanos = 0;
    int64_t seconds = 0;
    if (value.size == 4) {
        seconds = static_cast<int64_t>(big(at, 4));
    } else if (value.size == 8) {
        const uint64_t word = big(at, 8);
        nanos = word >> 34;
        seconds = static_cast<int64_t>(word & ((uint64_t{1} << 34) - 1));
    } else if (value.size == 12) {
        nanos = big(at, 4);
        seconds = static_cast<int64_t>(big(at + 4, 8));
    } else {
        return false;
    }
    return nanos < static_cast<uint64_t>(NANOS) && seconds >= 0 && !__builtin_mul_overflow(seconds, NANOS, &time) &&
           !__builtin_add_overflow(time, static_cast<int64_t>(nanos), &time);
}

void decode_packed(Decoding& decoding, FastPacked fast, GeneralPacked general) {
    PackedCursor cursor{decoding.data, decoding.data + decoding.size};
    if (decoding.options.general) fast = nullptr;
    PackedValue frame;
    const uint8_t* const begin = cursor.at;
    bool good = head(cursor, frame);
    if (good && frame.type == PackedType::ARRAY) {
        good = elements(decoding, cursor, frame.number, fast, general);
    } else if (good) {
        cursor.at = begin;
        good = element(decoding, cursor, general);
    }
    if (good && cursor.at != cursor.end) cursor.what = "expected the end of the frame";
    if (cursor.what != nullptr) report(decoding, cursor.at, cursor.what);
}

void read_amount(const PackedValue& field, int64_t& value, Fault& fault) {
    if (!present(field)) return;
    int64_t count = 0;
    const Exact exact = exact_number(field, 9, count);
    fault.invalid |= exact == Exact::INVALID || count < 0;
    fault.inexact |= exact == Exact::INEXACT;
    value = count;
}

uint32_t read_symbol(const Decoding& decoding, const PackedValue& field, Fault& fault) {
    if (field.type == PackedType::STRING) return decoding.symbols.find(field.data, field.size);
    fault.invalid = true;
    return NO_INSTRUMENT;
}

uint64_t read_trade_id(const PackedValue& field, unsigned& flags, Fault& fault) {
    if (!present(field)) return 0;
    if (field.type == PackedType::STRING) return trade_id(field.data, field.size, flags);
    int64_t number = 0;
    fault.invalid |= exact_number(field, 0, number) != Exact::OK || number < 0;
    return static_cast<uint64_t>(number);
}

}  // namespace tf::wire
