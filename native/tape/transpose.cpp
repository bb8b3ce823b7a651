#include "tape/transpose.hpp"

#include <cstring>

TF_DEFINE_TARGETS(TransposeKernel, transpose_kernel)

namespace tf {

bool all_known(const unsigned char* values, size_t count, const unsigned char* known) {
    unsigned unknown = 0;
    for (size_t i = 0; i < count; ++i) {
        uint16_t value;
        std::memcpy(&value, values + i * sizeof(value), sizeof(value));
        unknown |= known[value] == 0;
    }
    return unknown == 0;
}

}  // namespace tf
