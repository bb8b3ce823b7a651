// The table of formats.
#pragma once
#include "wire/decoding.hpp"

namespace tf::wire {

struct FormatEntry {
    const char* name;
    void (*decode)(Decoding& decoding);
    std::unique_ptr<FormatState> (*state)();  // null: the format remembers nothing
};

// By FrameFormat, those there are.
const FormatEntry& format_entry(FrameFormat format);

void decode_polygon(Decoding& decoding);
void decode_alpaca(Decoding& decoding);
void decode_alpaca_packed(Decoding& decoding);
void decode_alpaca_crypto(Decoding& decoding);
void decode_alpaca_crypto_packed(Decoding& decoding);
std::unique_ptr<FormatState> alpaca_state();
void decode_finnhub(Decoding& decoding);
void decode_schwab(Decoding& decoding);
std::unique_ptr<FormatState> schwab_state();

}  // namespace tf::wire
