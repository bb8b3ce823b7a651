// One packet: Ethernet (VLAN tags allowed), IPv4, UDP, and in it an IEX-TP segment or a MoldUDP64 packet.
#pragma once
#include "decode/context.hpp"

namespace tf::decode {

struct Payload {
    const uint8_t* at;  // null: not UDP over IPv4 in one piece
    size_t size;
    bool cut;  // UDP, but the datagram's length does not fit what was captured
};

Payload udp_payload(const uint8_t* frame, size_t size);

// FULL leaves everything as it was. Packets of other protocols are counted and passed over.
Step decode_frame(Context& context, const uint8_t* frame, size_t size, Event* out, Event* end);

}  // namespace tf::decode
