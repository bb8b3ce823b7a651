// LOBSTER message files: "time,type,order id,size,price,direction", one instrument, rows ended by a newline.
#pragma once
#include "decode/context.hpp"

namespace tf::decode {

inline constexpr size_t LOBSTER_ROW_MAX = 1024;  // bytes

// `last`: the input ends here, so the row without newline is whole.
Step lobster_stream(Context& context, uint32_t instrument, const uint8_t* data, size_t size, bool last, Event* out,
                    Event* end);

}  // namespace tf::decode
