// A piece of work whose cycles are known, to measure the clock of a core with.
#pragma once
#include <cstdint>

namespace tf {

// `count` additions of which each waits for the one before: one cycle each on every core we know of.
uint64_t dependent_additions(uint64_t count);

}  // namespace tf
