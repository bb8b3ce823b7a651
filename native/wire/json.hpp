// JSON text (RFC 8259), walked in place: the general path. Grammar, UTF-8 and depth of everything passed over are checked.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tf::wire {

inline constexpr int JSON_DEPTH_MAX = 64;
inline constexpr size_t JSON_TEXT_MAX = 64;  // bytes of a text that json_text copies

enum class JsonType : uint8_t { NONE, NOTHING /*null*/, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT };

struct JsonValue {
    JsonType type = JsonType::NONE;
    bool escaped = false;  // a string with backslashes
    const char* data = nullptr;
    size_t size = 0;  // of a string: what stands between the quotes; of others: the whole text
};

// Where reading stands. What is not null says what was expected at `at`.
struct JsonCursor {
    const uint8_t* at;
    const uint8_t* end;
    const char* what = nullptr;
};

static inline void json_blanks(JsonCursor& cursor) {
    while (cursor.at != cursor.end && *cursor.at <= ' ' &&
           (*cursor.at == ' ' || *cursor.at == '\n' || *cursor.at == '\r' || *cursor.at == '\t')) {
        ++cursor.at;
    }
}

// Passes over one value (no blanks before it) with all inside it; false if it is not well formed.
bool json_value(JsonCursor& cursor, JsonValue& value);

// The members of an object, the elements of an array; both passed over by json_value before.
class JsonMembers {
  public:
    explicit JsonMembers(const JsonValue& object);
    bool next(JsonValue& key, JsonValue& value);

  private:
    JsonCursor cursor_;
};

class JsonElements {
  public:
    explicit JsonElements(const JsonValue& array);
    bool next(JsonValue& value);

  private:
    JsonCursor cursor_;
};

// A string without its escapes.
struct JsonText {
    char data[JSON_TEXT_MAX];
    size_t size;  // of the whole text: more than JSON_TEXT_MAX where it was cut off
    bool whole() const { return size <= JSON_TEXT_MAX; }
};
void json_text(const JsonValue& string, JsonText& text);

// A short text as a number, to switch on: up to 8 bytes, the first one lowest. 0: longer, or with a zero byte in it.
constexpr uint64_t json_word(const char* text, size_t size) {
    uint64_t word = 0;
    if (size > 8) return 0;
    for (size_t i = 0; i < size; ++i) {
        if (text[i] == 0) return 0;
        word |= static_cast<uint64_t>(static_cast<uint8_t>(text[i])) << 8 * i;
    }
    return word;
}
template <size_t N>
constexpr uint64_t json_word(const char (&text)[N]) {
    return json_word(text, N - 1);
}
uint64_t json_word(const JsonValue& string);

}  // namespace tf::wire
