// Loads from wire bytes. Everything here has internal linkage: files compiled for one CPU target may include it.
#pragma once
#include <cstdint>
#include <cstring>

namespace tf {

static inline uint16_t little16(const uint8_t* at) {
    uint16_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t little32(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t little64(const uint8_t* at) {
    uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

static inline uint16_t big16(const uint8_t* at) { return __builtin_bswap16(little16(at)); }
static inline uint32_t big32(const uint8_t* at) { return __builtin_bswap32(little32(at)); }
static inline uint64_t big64(const uint8_t* at) { return __builtin_bswap64(little64(at)); }

}  // namespace tf
