// What providers' codes mean: exchanges as venue numbers of engine/core/venues.py, conditions as bits of Condition.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tf::wire {

// The number of a venue name as engine/core/venues.py gives it: fixed, or computed from its letters.
constexpr uint16_t venue_number(const char* name);

// Polygon: numbers.
inline constexpr size_t POLYGON_EXCHANGES = 256;
inline constexpr size_t POLYGON_CONDITIONS = 128;
struct PolygonTables {
    uint16_t venues[POLYGON_EXCHANGES];             // 0: unknown
    uint32_t trade_conditions[POLYGON_CONDITIONS];  // bits of Condition
    uint32_t quote_conditions[POLYGON_CONDITIONS];  // the same
};
extern const PolygonTables POLYGON;

// For whatever number stands in a message.
static inline uint16_t polygon_venue(int64_t exchange) {
    return static_cast<uint64_t>(exchange) < POLYGON_EXCHANGES ? POLYGON.venues[exchange] : 0;
}
static inline uint32_t polygon_trade_condition(int64_t code) {
    return static_cast<uint64_t>(code) < POLYGON_CONDITIONS ? POLYGON.trade_conditions[code] : 0;
}
static inline uint32_t polygon_quote_condition(int64_t code) {
    return static_cast<uint64_t>(code) < POLYGON_CONDITIONS ? POLYGON.quote_conditions[code] : 0;
}

}  // namespace tf::wire

// --- the numbers of venues, usable where tables are made ---

namespace tf::wire {

struct NamedVenue {
    const char* name;
    uint16_t number;
};

// Equal to VENUES of engine/core/venues.py (a test compares).
inline constexpr NamedVenue NAMED_VENUES[] = {
    {"XNAS", 1},  {"XNYS", 2},  {"ARCX", 3},  {"BATS", 4},  {"BATY", 5},  {"EDGA", 6},  {"EDGX", 7},
    {"IEXG", 8},  {"MEMX", 9},  {"EPRL", 10}, {"XBOS", 11}, {"XPSX", 12}, {"XCHI", 13}, {"XASE", 14},
    {"XCIS", 15}, {"LTSE", 16}, {"FINN", 17}, {"FINY", 18}, {"FINC", 19}, {"OTCM", 20}, {"XCBO", 21},
    {"XCME", 22}, {"BNCE", 23}, {"CBSE", 24}, {"KRKN", 25}, {"BSTP", 26},
};

constexpr uint16_t venue_number(const char* name) {
    for (const NamedVenue& venue : NAMED_VENUES) {
        size_t i = 0;
        while (name[i] != 0 && name[i] == venue.name[i]) ++i;
        if (name[i] == venue.name[i]) return venue.number;
    }
    uint32_t hash = 0x811C9DC5u;  // FNV-1a, folded to 15 bits
    for (size_t i = 0; name[i] != 0; ++i) hash = (hash ^ static_cast<uint8_t>(name[i])) * 0x01000193u;
    return static_cast<uint16_t>(0x8000u | ((hash ^ hash >> 15 ^ hash >> 30) & 0x7FFFu));
}

}  // namespace tf::wire
