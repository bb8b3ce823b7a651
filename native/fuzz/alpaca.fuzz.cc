#include "fuzz/frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    return tf::fuzz::check_frame(tf::wire::FrameFormat::ALPACA, data, size);
}
