// One set of names for values of JSON and of msgpack, so that a format is written once for both.
#pragma once
#include "wire/json.hpp"
#include "wire/objects.hpp"
#include "wire/packed.hpp"
#include "wire/times.hpp"

namespace tf::wire {

template <class Value>
struct Walk;
template <>
struct Walk<JsonValue> {
    using Members = JsonMembers;
    using Elements = JsonElements;
};
template <>
struct Walk<PackedValue> {
    using Members = PackedMembers;
    using Elements = PackedElements;
};

inline bool is_absent(const JsonValue& value) { return value.type <= JsonType::NOTHING; }
inline bool is_absent(const PackedValue& value) { return value.type <= PackedType::NOTHING; }
inline bool is_text(const JsonValue& value) { return value.type == JsonType::STRING; }
inline bool is_text(const PackedValue& value) { return value.type == PackedType::STRING; }
inline bool is_list(const JsonValue& value) { return value.type == JsonType::ARRAY; }
inline bool is_list(const PackedValue& value) { return value.type == PackedType::ARRAY; }
inline bool is_object(const JsonValue& value) { return value.type == JsonType::OBJECT; }
inline bool is_object(const PackedValue& value) { return value.type == PackedType::MAP; }
inline bool is_boolean(const JsonValue& value) { return value.type == JsonType::BOOLEAN; }
inline bool is_boolean(const PackedValue& value) { return value.type == PackedType::BOOLEAN; }
inline bool is_true(const JsonValue& value) { return is_boolean(value) && *value.data == 't'; }
inline bool is_true(const PackedValue& value) { return is_boolean(value) && value.number != 0; }

// A text of up to 8 bytes to switch on (json_word); 0 for anything else.
inline uint64_t text_word(const JsonValue& value) { return is_text(value) ? json_word(value) : 0; }
inline uint64_t text_word(const PackedValue& value) { return packed_word(value); }

// The object a message is, as it came.
inline void push_other(Decoding& decoding, const JsonValue& object) {
    const auto* const begin = reinterpret_cast<const uint8_t*>(object.data);
    push_other(decoding, begin, begin + object.size);
}
inline void push_other(Decoding& decoding, const PackedValue& map) {
    push_other(decoding, map.begin, reinterpret_cast<const uint8_t*>(map.data) + map.size);
}

// A time in ns: RFC 3339, or of msgpack its own timestamp too; missing and null leave `time` as it is.
inline void read_time(const JsonValue& field, int64_t& time, Fault& fault) {
    if (is_absent(field)) return;
    JsonText text;
    if (!is_text(field)) {
        fault.invalid = true;
    } else if (!field.escaped) {
        fault.invalid |= !rfc3339_ns(field.data, field.size, time);
    } else {
        json_text(field, text);
        fault.invalid |= !text.whole() || !rfc3339_ns(text.data, text.size, time);
    }
}
inline void read_time(const PackedValue& field, int64_t& time, Fault& fault) {
    if (is_absent(field)) return;
    fault.invalid |= is_text(field) ? !rfc3339_ns(field.data, field.size, time) : !packed_time(field, time);
}

}  // namespace tf::wire
