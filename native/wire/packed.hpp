// msgpack (github.com/msgpack/msgpack/blob/master/spec.md), walked in place: the general path. Structure and depth of
// everything passed over are checked.
#pragma once
#include <cstddef>
#include <cstdint>

#include "wire/decoding.hpp"
#include "wire/numbers.hpp"
#include "wire/objects.hpp"

namespace tf::wire {

inline constexpr int PACKED_DEPTH_MAX = 64;

enum class PackedType : uint8_t {
    NONE,
    NOTHING,
    BOOLEAN,
    UNSIGNED,
    NEGATIVE,  // `number` is the int64
    DOUBLE,    // `number` holds the bits
    SINGLE,    // `number` holds the bits
    STRING,
    BINARY,
    EXTENSION,
    ARRAY,
    MAP,
};

struct PackedValue {
    PackedType type = PackedType::NONE;
    int8_t extension = 0;        // its type
    uint64_t number = 0;         // numbers and booleans; of arrays and maps how many elements and pairs
    const char* data = nullptr;  // what is inside: text, bytes, elements
    size_t size = 0;
    const uint8_t* begin = nullptr;  // with its head
};

// Where reading stands. What is not null says what was expected at `at`.
struct PackedCursor {
    const uint8_t* at;
    const uint8_t* end;
    const char* what = nullptr;
};

// Passes over one value with all inside it; false if it is not well formed.
bool packed_value(PackedCursor& cursor, PackedValue& value);

// The pairs of a map, the elements of an array; both passed over by packed_value before.
class PackedMembers {
  public:
    explicit PackedMembers(const PackedValue& map);
    bool next(PackedValue& key, PackedValue& value);

  private:
    PackedCursor cursor_;
    uint64_t left_;
};

class PackedElements {
  public:
    explicit PackedElements(const PackedValue& array);
    bool next(PackedValue& value);

  private:
    PackedCursor cursor_;
    uint64_t left_;
};

// See json_word; 0 for what is no string.
uint64_t packed_word(const PackedValue& string);

// The count of 1e-9 in a double: of a whole number its own, of any other the one its shortest decimal text writes (the
// fewest digits that read back as the same double), so 87.66 is 87.66 although no double is. Floats of 4 bytes have such
// texts of their own, with fewer digits.
Exact exact_double(double number, int64_t& count);

// Nanoseconds of a timestamp extension (type -1 of 4, 8 or 12 bytes); false if it is none, before 1970 or beyond int64.
bool packed_time(const PackedValue& value, int64_t& time);

// What objects.hpp has for JSON.
using FastPacked = const uint8_t* (*)(Decoding& decoding, const uint8_t* at, const uint8_t* end, uint64_t& left);
using GeneralPacked = void (*)(Decoding& decoding, const PackedValue& map);

// Walks a frame that is an array of maps or one map. `fast` takes from `left` what it decoded; it may be null.
void decode_packed(Decoding& decoding, FastPacked fast, GeneralPacked general);

void read_amount(const PackedValue& field, int64_t& value, Fault& fault);
uint32_t read_symbol(const Decoding& decoding, const PackedValue& field, Fault& fault);
uint64_t read_trade_id(const PackedValue& field, unsigned& flags, Fault& fault);

}  // namespace tf::wire
