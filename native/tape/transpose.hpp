// Turns arrays of events into columns and back, for the tape.
#pragma once
#include <cstddef>
#include <cstdint>

#include "event.hpp"
#include "targets.hpp"

namespace tf {

inline constexpr int COLUMNS = 14;
// Bytes a value of each column, in the order of struct Event.
inline constexpr uint8_t COLUMN_WIDTH[COLUMNS] = {8, 8, 8, 8, 8, 8, 4, 2, 1, 1, 1, 1, 2, 4};

// Columns need no alignment. Exact on every target; the sum of the widths is sizeof(Event).
struct TransposeKernel {
    void (*to_columns)(const Event* events, size_t count, unsigned char* const* columns);
    void (*to_events)(const unsigned char* const* columns, size_t count, Event* events);
};

// Whether known[value] is not 0 for every value; values need no alignment, known has 65536 entries.
bool all_known(const unsigned char* values, size_t count, const unsigned char* known);

}  // namespace tf

TF_DECLARE_TARGETS(TransposeKernel, transpose_kernel)
