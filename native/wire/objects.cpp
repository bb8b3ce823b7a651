#include "wire/objects.hpp"

#include "wire/numbers.hpp"

namespace tf::wire {

namespace {

bool present(const JsonValue& field) { return field.type != JsonType::NONE && field.type != JsonType::NOTHING; }

void read_number(const char* text, size_t size, int scale, int64_t& value, Fault& fault) {
    int64_t count = 0;
    const Exact exact = decimal(text, size, scale, count);
    fault.invalid |= exact == Exact::INVALID || count < 0;
    fault.inexact |= exact == Exact::INEXACT;
    value = count;
}

// One element at the cursor: an object is a message, all else is not for us.
bool element(Decoding& decoding, JsonCursor& cursor, GeneralMessage general) {
    const uint8_t* const begin = cursor.at;
    JsonValue value;
    if (!json_value(cursor, value)) return false;
    if (value.type == JsonType::OBJECT) {
        ++decoding.counts.general;
        general(decoding, value);
    } else {
        push_other(decoding, begin, cursor.at);
    }
    return true;
}

bool elements(Decoding& decoding, JsonCursor& cursor, FastMessages fast, GeneralMessage general) {
    ++cursor.at;
    json_blanks(cursor);
    if (cursor.at != cursor.end && *cursor.at == ']') return ++cursor.at, true;
    for (;;) {
        const uint8_t* const begin = cursor.at;
        if (fast != nullptr) cursor.at = fast(decoding, begin, cursor.end);
        if (cursor.at == begin && !element(decoding, cursor, general)) return false;
        json_blanks(cursor);
        if (cursor.at == cursor.end || (*cursor.at != ',' && *cursor.at != ']')) {
            cursor.what = "expected ',' or ']'";
            return false;
        }
        if (*cursor.at++ == ']') return true;
        json_blanks(cursor);
    }
}

}  // namespace

void decode_objects(Decoding& decoding, FastMessages fast, GeneralMessage general) {
    JsonCursor cursor{decoding.data, decoding.data + decoding.size};
    if (decoding.options.general) fast = nullptr;
    json_blanks(cursor);
    const bool array = cursor.at != cursor.end && *cursor.at == '[';
    if (array ? elements(decoding, cursor, fast, general) : element(decoding, cursor, general)) {
        json_blanks(cursor);
        if (cursor.at != cursor.end) cursor.what = "expected the end of the frame";
    }
    if (cursor.what != nullptr) report(decoding, cursor.at, cursor.what);
}

void read_amount(const JsonValue& field, int64_t& value, Fault& fault) {
    if (field.type == JsonType::NUMBER) return read_number(field.data, field.size, 9, value, fault);
    fault.invalid |= present(field);
}

void read_amount_text(const JsonValue& field, int64_t& value, Fault& fault) {
    if (field.type != JsonType::STRING) return read_amount(field, value, fault);
    JsonText text;
    json_text(field, text);
    fault.invalid |= !text.whole();
    if (text.whole()) read_number(text.data, text.size, 9, value, fault);
}

void read_whole(const JsonValue& field, int64_t& value, Fault& fault) {
    Fault own;
    if (field.type == JsonType::NUMBER) {
        read_number(field.data, field.size, 0, value, own);
    } else {
        own.invalid = present(field);
    }
    fault.invalid |= own.any();  // a fraction is not what such a field can be
}

uint32_t read_symbol(const Decoding& decoding, const JsonValue& field, Fault& fault) {
    if (field.type != JsonType::STRING) {
        fault.invalid = true;
        return NO_INSTRUMENT;
    }
    if (!field.escaped) return decoding.symbols.find(field.data, field.size);
    JsonText text;
    json_text(field, text);
    return text.whole() ? decoding.symbols.find(text.data, text.size) : NO_INSTRUMENT;
}

uint64_t read_trade_id(const JsonValue& field, unsigned& flags, Fault& fault) {
    if (!present(field)) return 0;
    if (field.type == JsonType::NUMBER) {
        int64_t number = 0;
        read_whole(field, number, fault);
        return static_cast<uint64_t>(number);
    }
    if (field.type != JsonType::STRING) {
        fault.invalid = true;
        return 0;
    }
    JsonText text;
    json_text(field, text);
    fault.invalid |= !text.whole();
    return text.whole() ? trade_id(text.data, text.size, flags) : 0;
}

}  // namespace tf::wire
