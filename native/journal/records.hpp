// Records of a journal: their layout, their checksum, and how whole ones are found in bytes of a file.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tf::journal {

// In front of every payload; little-endian. Zeros up to the next multiple of ALIGNMENT follow the payload.
struct RecordHead {
    uint32_t crc;       // CRC-32C of all that follows in the record, its zeros included, begun with the journal's seed
    uint32_t length;    // of the payload, bytes
    uint64_t sequence;  // one more than the record's before
    int64_t now;        // the caller's time, ns since epoch
    uint32_t place;     // records of the same commit before this one: what comes before those was durable already
    uint8_t kind;       // the caller's
    uint8_t version;    // the caller's, of the payload
    uint16_t reserved;  // 0
};
static_assert(sizeof(RecordHead) == 32);

constexpr size_t ALIGNMENT = 8;
constexpr uint32_t PAYLOAD_MAX = 1U << 24;

// Bytes of a record with a payload of this length.
constexpr size_t record_size(uint32_t length) {
    return (sizeof(RecordHead) + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of data that goes on where `crc` ended; 0 begins.
uint32_t crc32c(uint32_t crc, const uint8_t* data, size_t size);

// Writes a record of `record_size(head.length)` bytes; head.crc is found here.
void encode(uint8_t* out, RecordHead head, const uint8_t* payload, uint32_t seed);

enum class Check : uint8_t {
    WHOLE,   // a record of the journal
    MORE,    // what there is fits, and ends before the record does
    BROKEN,  // no record
};

// What the first bytes are, if the next sequence may be any. Fills `head` unless they are MORE and fewer than a head.
Check check(const uint8_t* data, size_t size, uint32_t seed, RecordHead* head);

// Where, at `from` (a multiple of ALIGNMENT) or after it, the first whole record begins; `size` where there is none.
size_t find(const uint8_t* data, size_t size, size_t from, uint32_t seed, RecordHead* head);

}  // namespace tf::journal
