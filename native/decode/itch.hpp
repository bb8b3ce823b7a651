// NASDAQ TotalView-ITCH 5.0: messages as records, from a file or stream of messages, or out of MoldUDP64 packets.
#pragma once
#include "decode/context.hpp"
#include "targets.hpp"

namespace tf::decode {

inline constexpr size_t ITCH_LENGTH_MAX = 50;
inline constexpr size_t MOLD_HEADER = 20;  // session 10, sequence 8, count 2
inline constexpr uint16_t MOLD_END_OF_SESSION = 0xFFFF;
inline constexpr size_t PACKET_MAX = 65'536;  // bytes of a UDP payload, rounded up

struct ItchKernel {
    // Messages one after another, each behind a big-endian u16 length, behind two zero bytes, or bare.
    Step (*stream)(Context&, const uint8_t* data, size_t size, Event* out, Event* end);
    // The blocks of one MoldUDP64 packet, which the caller has walked: `count` of them in `size` bytes, from number
    // `sequence` (0: not numbered). Needs room for two events a message. consumed is 0 if a strict decoder stopped.
    Step (*blocks)(Context&, const uint8_t* data, size_t size, size_t count, uint64_t sequence, Event* out);
};

// Any message, good or bad; kernels ask for what is not frequent. `out` is where the next event goes; returns where the one
// after goes, or nullptr if a strict decoder stops. `length` is the real one.
Event* itch_any(Context& context, const uint8_t* message, size_t length, uint64_t sequence, Event* out);

// Bytes at `at` that cannot be a message; true if a lenient decoder looks for the next one.
bool itch_lost(Context& context, const uint8_t* at);

// Names a locate code; false if the symbol is not valid.
bool itch_name(Context& context, uint16_t locate, uint64_t symbol);

// Bytes of a packet from its header on: 0 if more are needed to tell, PACKET_BROKEN if its blocks cannot be walked.
inline constexpr size_t PACKET_BROKEN = static_cast<size_t>(-1);
size_t mold_packet_length(const uint8_t* data, size_t size);

// One whole packet; FULL leaves everything as it was.
Step mold_packet(Context& context, const uint8_t* data, size_t size, Event* out, Event* end);

// Packets one after another.
Step mold_stream(Context& context, const uint8_t* data, size_t size, Event* out, Event* end);

}  // namespace tf::decode

TF_DECLARE_TARGETS(decode::ItchKernel, itch_kernel)
