// From an Ethernet frame to the segment or packet in it.
#include "decode/packet.hpp"

#include "decode/iex.hpp"
#include "decode/itch.hpp"
#include "decode/wire.hpp"

namespace tf::decode {

namespace {

constexpr size_t ETHERNET_HEADER = 14;
constexpr size_t VLAN_TAG = 4;
constexpr size_t IPV4_HEADER_MIN = 20;
constexpr size_t UDP_HEADER = 8;
constexpr uint8_t UDP_PROTOCOL = 17;
constexpr uint16_t FRAGMENT_MASK = 0x3FFF;  // more fragments, offset

bool vlan(uint16_t ether_type) { return ether_type == 0x8100 || ether_type == 0x88A8; }

}  // namespace

Payload udp_payload(const uint8_t* frame, size_t size) {
    size_t at = ETHERNET_HEADER;
    if (size < at) return {nullptr, 0, false};
    uint16_t ether_type = big16(frame + 12);
    for (; vlan(ether_type) && size >= at + VLAN_TAG; at += VLAN_TAG) ether_type = big16(frame + at + 2);
    if (ether_type != 0x0800 || size < at + IPV4_HEADER_MIN) return {nullptr, 0, false};
    const uint8_t* const ip = frame + at;
    const size_t ip_header = static_cast<size_t>(ip[0] & 15) * 4;
    if (ip[0] >> 4 != 4 || ip_header < IPV4_HEADER_MIN || ip[9] != UDP_PROTOCOL) return {nullptr, 0, false};
    if ((big16(ip + 6) & FRAGMENT_MASK) != 0) return {nullptr, 0, false};
    at += ip_header;
    if (size < at + UDP_HEADER) return {nullptr, 0, true};
    const size_t length = big16(frame + at + 4);
    if (length < UDP_HEADER || length > size - at) return {frame + at, 0, true};
    return {frame + at + UDP_HEADER, length - UDP_HEADER, false};  // what follows is Ethernet padding
}

Step decode_frame(Context& context, const uint8_t* frame, size_t size, Event* out, Event* end) {
    const Payload payload = udp_payload(frame, size);
    const auto ignore = [&] {
        ++context.counts.packets;
        ++context.counts.packets_ignored;
        return Step{size, out, Outcome::MORE};
    };
    if (payload.cut) {
        ++context.counts.packets;
        const bool go_on =
            report(context, Protocol::PCAP, frame, 0, "UDP datagram does not fit its packet of %lld captured bytes",
                   static_cast<int64_t>(size));
        return Step{size, out, go_on ? Outcome::MORE : Outcome::PROBLEM};
    }
    if (payload.at == nullptr || payload.size < MOLD_HEADER) return ignore();
    Step step{size, out, Outcome::MORE};
    if (payload.size >= IEX_HEADER && iex_looks_like(payload.at)) {
        const size_t expected = IEX_HEADER + little16(payload.at + 12);
        if (expected != payload.size) {
            ++context.counts.packets;
            const bool go_on =
                report(context, Protocol::IEX, payload.at, 0, "segment in a datagram of %lld bytes; expected %lld",
                       static_cast<int64_t>(payload.size), static_cast<int64_t>(expected));
            return Step{size, out, go_on ? Outcome::MORE : Outcome::PROBLEM};
        }
        step = iex_segment(context, payload.at, payload.size, out, end);
    } else if (mold_packet_length(payload.at, payload.size) == payload.size) {
        step = mold_packet(context, payload.at, payload.size, out, end);
    } else {
        return ignore();
    }
    if (step.outcome != Outcome::FULL) ++context.counts.packets;
    return Step{size, step.out, step.outcome};
}

}  // namespace tf::decode
