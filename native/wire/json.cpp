#include "wire/json.hpp"

#include <cstring>

namespace tf::wire {

namespace {

bool fail(JsonCursor& cursor, const char* what) {
    cursor.what = what;
    return false;
}

inline bool is_digit(uint8_t byte) { return static_cast<uint8_t>(byte - '0') < 10; }

int hex(uint8_t byte) {
    if (is_digit(byte)) return byte - '0';
    const uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The four digits at `at`, or -1.
int hex4(const uint8_t* at, const uint8_t* end) {
    if (end - at < 4) return -1;
    int value = 0;
    for (int i = 0; i < 4; ++i) {
        const int nibble = hex(at[i]);
        if (nibble < 0) return -1;
        value = value * 16 + nibble;
    }
    return value;
}

// Bytes of the UTF-8 sequence at `at`, whose first byte is 0x80 or more; 0 if it is not well formed (Unicode table 3-7).
size_t sequence(const uint8_t* at, const uint8_t* end) {
    const auto next = [&](int i, uint8_t low, uint8_t high) { return end - at > i && at[i] >= low && at[i] <= high; };
    const uint8_t first = at[0];
    if (first >= 0xC2 && first <= 0xDF) return next(1, 0x80, 0xBF) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const uint8_t low = first == 0xE0 ? 0xA0 : 0x80;
        const uint8_t high = first == 0xED ? 0x9F : 0xBF;
        return next(1, low, high) && next(2, 0x80, 0xBF) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const uint8_t low = first == 0xF0 ? 0x90 : 0x80;
        const uint8_t high = first == 0xF4 ? 0x8F : 0xBF;
        return next(1, low, high) && next(2, 0x80, 0xBF) && next(3, 0x80, 0xBF) ? 4 : 0;
    }
    return 0;
}

bool string(JsonCursor& cursor, JsonValue& value) {
    const uint8_t* at = cursor.at + 1;
    bool escaped = false;
    for (; at != cursor.end && *at != '"';) {
        if (*at == '\\') {
            escaped = true;
            const uint8_t letter = cursor.end - at > 1 ? at[1] : 0;
            const bool plain = letter != 0 && std::strchr("\"\\/bfnrt", letter) != nullptr;
            if (!plain && (letter != 'u' || hex4(at + 2, cursor.end) < 0)) {
                cursor.at = at;
                return fail(cursor, "expected an escape of JSON");
            }
            at += plain ? 2 : 6;
        } else if (*at >= 0x80) {
            const size_t bytes = sequence(at, cursor.end);
            if (bytes == 0) {
                cursor.at = at;
                return fail(cursor, "expected UTF-8");
            }
            at += bytes;
        } else if (*at < 0x20) {
            cursor.at = at;
            return fail(cursor, "control character in a string");
        } else {
            ++at;
        }
    }
    const char* const data = reinterpret_cast<const char*>(cursor.at) + 1;
    value = {JsonType::STRING, escaped, data, static_cast<size_t>(reinterpret_cast<const char*>(at) - data)};
    cursor.at = at;
    if (at == cursor.end) return fail(cursor, "the frame ends inside a string");
    ++cursor.at;
    return true;
}

bool digits(JsonCursor& cursor) {
    if (cursor.at == cursor.end || !is_digit(*cursor.at)) return fail(cursor, "expected a digit");
    while (cursor.at != cursor.end && is_digit(*cursor.at)) ++cursor.at;
    return true;
}

bool number(JsonCursor& cursor) {
    if (*cursor.at == '-') ++cursor.at;
    if (cursor.at != cursor.end && *cursor.at == '0') {
        ++cursor.at;
    } else if (!digits(cursor)) {
        return false;
    }
    if (cursor.at != cursor.end && *cursor.at == '.') {
        ++cursor.at;
        if (!digits(cursor)) return false;
    }
    if (cursor.at != cursor.end && (*cursor.at | 0x20) == 'e') {
        ++cursor.at;
        if (cursor.at != cursor.end && (*cursor.at == '+' || *cursor.at == '-')) ++cursor.at;
        return digits(cursor);
    }
    return true;
}

bool word(JsonCursor& cursor, const char* text, size_t size) {
    if (static_cast<size_t>(cursor.end - cursor.at) < size || std::memcmp(cursor.at, text, size) != 0) {
        return fail(cursor, "expected a value");
    }
    cursor.at += size;
    return true;
}

bool any(JsonCursor& cursor, JsonValue& value, int depth);

// What stands between the brackets of an array or object: `close` ends it.
bool inside(JsonCursor& cursor, uint8_t close, int depth) {
    if (depth == 0) return fail(cursor, "nested too deep");
    JsonValue ignored;
    ++cursor.at;
    json_blanks(cursor);
    if (cursor.at != cursor.end && *cursor.at == close) return ++cursor.at, true;
    for (;;) {
        if (close == '}') {
            if (cursor.at == cursor.end || *cursor.at != '"') return fail(cursor, "expected a key");
            if (!string(cursor, ignored)) return false;
            json_blanks(cursor);
            if (cursor.at == cursor.end || *cursor.at != ':') return fail(cursor, "expected ':'");
            ++cursor.at;
            json_blanks(cursor);
        }
        if (!any(cursor, ignored, depth - 1)) return false;
        json_blanks(cursor);
        if (cursor.at == cursor.end || (*cursor.at != ',' && *cursor.at != close)) {
            return fail(cursor, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
        }
        if (*cursor.at++ == close) return true;
        json_blanks(cursor);
    }
}

bool any(JsonCursor& cursor, JsonValue& value, int depth) {
    if (cursor.at == cursor.end) return fail(cursor, "expected a value");
    const uint8_t* const begin = cursor.at;
    JsonType type = JsonType::NUMBER;
    bool good = false;
    switch (*begin) {
        case '"':
            return string(cursor, value);
        case '{':
            type = JsonType::OBJECT;
            good = inside(cursor, '}', depth);
            break;
        case '[':
            type = JsonType::ARRAY;
            good = inside(cursor, ']', depth);
            break;
        case 't':
            type = JsonType::BOOLEAN;
            good = word(cursor, "true", 4);
            break;
        case 'f':
            type = JsonType::BOOLEAN;
            good = word(cursor, "false", 5);
            break;
        case 'n':
            type = JsonType::NOTHING;
            good = word(cursor, "null", 4);
            break;
        default:
            good = *begin == '-' || is_digit(*begin) ? number(cursor) : fail(cursor, "expected a value");
    }
    const char* const data = reinterpret_cast<const char*>(begin);
    value = {type, false, data, static_cast<size_t>(cursor.at - begin)};
    return good;
}

// UTF-8 of a code point; also of half a surrogate pair, which JSON can write and UTF-8 should not.
size_t encode(uint32_t point, char out[4]) {
    const auto tail = [&](int shift) { return static_cast<char>(0x80 | (point >> shift & 0x3F)); };
    if (point < 0x80) return out[0] = static_cast<char>(point), 1;
    if (point < 0x800) return out[0] = static_cast<char>(0xC0 | point >> 6), out[1] = tail(0), 2;
    if (point < 0x10000) {
        return out[0] = static_cast<char>(0xE0 | point >> 12), out[1] = tail(6), out[2] = tail(0), 3;
    }
    return out[0] = static_cast<char>(0xF0 | point >> 18), out[1] = tail(12), out[2] = tail(6), out[3] = tail(0), 4;
}

// The code point of the escape at `at` (behind the backslash), which moves on.
uint32_t escape(const uint8_t*& at, const uint8_t* end) {
    static const char names[] = "bfnrt";
    static const char values[] = "\b\f\n\r\t";
    const uint8_t letter = *at++;
    if (letter != 'u') {
        const char* const name = std::strchr(names, letter);
        return name == nullptr ? letter : static_cast<uint8_t>(values[name - names]);
    }
    const uint32_t point = static_cast<uint32_t>(hex4(at, end));
    at += 4;
    if (point >= 0xD800 && point < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        const int low = hex4(at + 2, end);
        if (low >= 0xDC00 && low < 0xE000) {
            at += 6;
            return 0x10000 + ((point - 0xD800) << 10) + static_cast<uint32_t>(low - 0xDC00);
        }
    }
    return point;
}

}  // namespace

bool json_value(JsonCursor& cursor, JsonValue& value) { return any(cursor, value, JSON_DEPTH_MAX); }

JsonMembers::JsonMembers(const JsonValue& object)
    : cursor_{reinterpret_cast<const uint8_t*>(object.data) + 1,
              reinterpret_cast<const uint8_t*>(object.data) + object.size} {}

bool JsonMembers::next(JsonValue& key, JsonValue& value) {
    json_blanks(cursor_);
    if (*cursor_.at == '}') return false;
    if (*cursor_.at == ',') {
        ++cursor_.at;
        json_blanks(cursor_);
    }
    if (!string(cursor_, key)) return false;
    json_blanks(cursor_);
    ++cursor_.at;
    json_blanks(cursor_);
    return json_value(cursor_, value);
}

JsonElements::JsonElements(const JsonValue& array)
    : cursor_{reinterpret_cast<const uint8_t*>(array.data) + 1,
              reinterpret_cast<const uint8_t*>(array.data) + array.size} {}

bool JsonElements::next(JsonValue& value) {
    json_blanks(cursor_);
    if (*cursor_.at == ']') return false;
    if (*cursor_.at == ',') {
        ++cursor_.at;
        json_blanks(cursor_);
    }
    return json_value(cursor_, value);
}

void json_text(const JsonValue& string, JsonText& text) {
    text.size = 0;
    const uint8_t* at = reinterpret_cast<const uint8_t*>(string.data);
    const uint8_t* const end = at + string.size;
    while (at != end) {
        char bytes[4] = {static_cast<char>(*at)};
        size_t count = 1;
        if (*at++ == '\\') count = encode(escape(at, end), bytes);
        for (size_t i = 0; i < count; ++i, ++text.size) {
            if (text.size < JSON_TEXT_MAX) text.data[text.size] = bytes[i];
        }
    }
}

uint64_t json_word(const JsonValue& string) {
    if (!string.escaped) return json_word(string.data, string.size);
    JsonText text;
    json_text(string, text);
    return json_word(text.data, text.size);
}

}  // namespace tf::wire
