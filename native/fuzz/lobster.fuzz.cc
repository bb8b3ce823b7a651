#include "fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    return tf::fuzz::check(tf::decode::Format::LOBSTER, data, size);
}
