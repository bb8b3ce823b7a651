// Frames that are a JSON array of objects, each a message.
#pragma once
#include "wire/decoding.hpp"
#include "wire/json.hpp"

namespace tf::wire {

// Decodes as many messages as it can, each with all its bytes verified, from the one that begins at `at`: messages
// separated by commas without blanks. Returns the byte behind the last one it decoded, `at` if there is none.
using FastMessages = const uint8_t* (*)(Decoding& decoding, const uint8_t* at, const uint8_t* end);

// Decodes one object, which is well formed JSON.
using GeneralMessage = void (*)(Decoding& decoding, const JsonValue& object);

// Walks a frame that is an array of messages or one message. What is no object goes to other(). `fast` may be null.
void decode_objects(Decoding& decoding, FastMessages fast, GeneralMessage general);

// Fields of a message: missing and null leave `value` as it is. What is wrong lands in `fault`; the first thing that is
// invalid outweighs everything inexact.
struct Fault {
    bool invalid = false;
    bool inexact = false;

    bool any() const { return invalid || inexact; }
    void count(FrameCounts& counts) const { ++(invalid ? counts.invalid : counts.inexact); }
};

// A price or quantity: a number, not negative, as a count of 1e-9.
void read_amount(const JsonValue& field, int64_t& value, Fault& fault);

// The same, also written as a string of up to JSON_TEXT_MAX bytes.
void read_amount_text(const JsonValue& field, int64_t& value, Fault& fault);

// A whole number, 0 or more.
void read_whole(const JsonValue& field, int64_t& value, Fault& fault);

// The instrument of a string; NO_INSTRUMENT if it is not mapped. Anything but a string is invalid.
uint32_t read_symbol(const Decoding& decoding, const JsonValue& field, Fault& fault);

// A trade's id: text of up to JSON_TEXT_MAX bytes or a whole number. Sets HASHED_ID in `flags` for text that is no number.
uint64_t read_trade_id(const JsonValue& field, unsigned& flags, Fault& fault);

}  // namespace tf::wire
