#include "cycles.hpp"

namespace tf {

uint64_t dependent_additions(uint64_t count) {
    uint64_t sum = count;
    // The barrier makes the compiler keep every addition; sixteen a turn hide the loop's own instructions.
#define TF_ADD    \
    sum += count; \
    asm volatile("" : "+r"(sum));
#define TF_FOUR TF_ADD TF_ADD TF_ADD TF_ADD
    uint64_t left = count;
    for (; left >= 16; left -= 16) {
        TF_FOUR TF_FOUR TF_FOUR TF_FOUR
    }
    while (left-- != 0) {
        TF_ADD
    }
#undef TF_FOUR
#undef TF_ADD
    return sum;
}

}  // namespace tf
