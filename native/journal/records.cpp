#include "journal/records.hpp"

#include <array>
#include <cstring>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace tf::journal {

namespace {

uint64_t load64(const uint8_t* at) {
    uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

#if defined(__SSE4_2__)
uint64_t step64(uint64_t crc, uint64_t word) { return _mm_crc32_u64(crc, word); }
uint64_t step8(uint64_t crc, uint8_t byte) { return _mm_crc32_u8(static_cast<uint32_t>(crc), byte); }
#elif defined(__ARM_FEATURE_CRC32)
uint64_t step64(uint64_t crc, uint64_t word) { return __crc32cd(static_cast<uint32_t>(crc), word); }
uint64_t step8(uint64_t crc, uint8_t byte) { return __crc32cb(static_cast<uint32_t>(crc), byte); }
#else
constexpr std::array<uint32_t, 256> table() {
    std::array<uint32_t, 256> made{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
        made[byte] = crc;
    }
    return made;
}
constexpr std::array<uint32_t, 256> TABLE = table();
uint64_t step8(uint64_t crc, uint8_t byte) { return TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8); }
uint64_t step64(uint64_t crc, uint64_t word) {
    for (int byte = 0; byte < 8; ++byte) crc = step8(crc, static_cast<uint8_t>(word >> (8 * byte)));
    return crc;
}
#endif

}  // namespace

uint32_t crc32c(uint32_t crc, const uint8_t* data, size_t size) {
    uint64_t state = ~crc;
    for (; size >= 8; size -= 8, data += 8) state = step64(state, load64(data));
    for (; size > 0; --size, ++data) state = step8(state, *data);
    return ~static_cast<uint32_t>(state);
}

void encode(uint8_t* out, RecordHead head, const uint8_t* payload, uint32_t seed) {
    const size_t size = record_size(head.length);
    std::memset(out + size - ALIGNMENT, 0, ALIGNMENT);
    std::memcpy(out, &head, sizeof head);
    if (head.length != 0) std::memcpy(out + sizeof head, payload, head.length);
    head.crc = crc32c(seed, out + sizeof head.crc, size - sizeof head.crc);
    std::memcpy(out, &head.crc, sizeof head.crc);
}

Check check(const uint8_t* data, size_t size, uint32_t seed, RecordHead* head) {
    if (size < sizeof *head) return Check::MORE;
    std::memcpy(head, data, sizeof *head);
    if (head->reserved != 0 || head->length > PAYLOAD_MAX) return Check::BROKEN;
    const size_t whole = record_size(head->length);
    if (whole > size) return Check::MORE;
    const uint32_t crc = crc32c(seed, data + sizeof head->crc, whole - sizeof head->crc);
    return crc == head->crc ? Check::WHOLE : Check::BROKEN;
}

size_t find(const uint8_t* data, size_t size, size_t from, uint32_t seed, RecordHead* head) {
    for (size_t at = from; at + sizeof *head <= size; at += ALIGNMENT) {
        if (load64(data + at) == 0) continue;  // a checksum of 0 before an empty payload is one of 2^32: not looked at
        if (check(data + at, size - at, seed, head) == Check::WHOLE) return at;
    }
    return size;
}

}  // namespace tf::journal
