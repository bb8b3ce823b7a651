#include "decode/pcap.hpp"

#include "decode/packet.hpp"
#include "decode/wire.hpp"

namespace tf::decode {

namespace {

constexpr uint32_t MAGIC_MICROSECONDS = 0xA1B2C3D4;
constexpr uint32_t MAGIC_NANOSECONDS = 0xA1B23C4D;
constexpr uint32_t SECTION_HEADER = 0x0A0D0D0A;  // reads the same in both byte orders
constexpr uint32_t BYTE_ORDER_MAGIC = 0x1A2B3C4D;
constexpr uint32_t INTERFACE_DESCRIPTION = 1;
constexpr uint32_t PACKET_OBSOLETE = 2;
constexpr uint32_t PACKET_SIMPLE = 3;
constexpr uint32_t PACKET_ENHANCED = 6;
constexpr uint16_t OPTION_END = 0;
constexpr uint16_t OPTION_RESOLUTION = 9;
constexpr uint16_t OPTION_OFFSET = 14;
constexpr uint32_t LINK_ETHERNET = 1;
constexpr size_t FILE_HEADER = 24;
constexpr size_t RECORD_HEADER = 16;
constexpr uint32_t RESYNC_SECONDS = 86'400;  // a header found after garbage is this near to the last good one

uint16_t load16(const Capture& capture, const uint8_t* at) { return capture.swapped ? big16(at) : little16(at); }
uint32_t load32(const Capture& capture, const uint8_t* at) { return capture.swapped ? big32(at) : little32(at); }

// Something that makes the rest of a capture unreadable: lenient decoders pass over all of it.
Step lost(Context& context, Capture& capture, const uint8_t* at, size_t done, size_t size, Event* out, const char* what,
          int64_t seen, int64_t expected) {
    if (!report(context, Protocol::PCAP, at, 0, what, seen, expected)) return Step{done, out, Outcome::PROBLEM};
    capture.silent = true;
    return Step{size, out, Outcome::MORE};
}

bool record_plausible(const Context& context, const Capture& capture, const uint8_t* at) {
    const uint32_t seconds = load32(capture, at);
    const uint32_t limit = capture.nanoseconds ? 1'000'000'000 : 1'000'000;
    const uint32_t captured = load32(capture, at + 8);
    if (load32(capture, at + 4) >= limit || captured > CAPTURE_BLOCK_MAX || captured > load32(capture, at + 12)) {
        return false;
    }
    if (!context.resyncing) return true;
    const uint32_t apart =
        seconds > capture.last_seconds ? seconds - capture.last_seconds : capture.last_seconds - seconds;
    return captured != 0 && apart <= RESYNC_SECONDS;
}

Step classic_stream(Context& context, Capture& capture, const uint8_t* data, size_t size, Event* out, Event* end) {
    size_t at = 0;
    while (size - at >= RECORD_HEADER) {
        const uint8_t* const header = data + at;
        if (!record_plausible(context, capture, header)) {
            const bool silent = context.resyncing;
            context.resyncing = true;
            if (!silent &&
                !report(context, Protocol::PCAP, header, 0,
                        "packet header with %lld captured bytes; expected at most %lld and the original length",
                        load32(capture, header + 8), CAPTURE_BLOCK_MAX)) {
                return Step{at, out, Outcome::PROBLEM};
            }
            ++at;
            continue;
        }
        const size_t captured = load32(capture, header + 8);
        if (size - at - RECORD_HEADER < captured) break;
        context.resyncing = false;
        const int64_t fraction = static_cast<int64_t>(load32(capture, header + 4)) * (capture.nanoseconds ? 1 : 1'000);
        capture.last_seconds = load32(capture, header);
        const int64_t stamp = static_cast<int64_t>(capture.last_seconds) * NANOS + fraction;
        context.ts_recv = capture.ts_recv != 0 ? capture.ts_recv : stamp;
        const Step step = decode_frame(context, header + RECORD_HEADER, captured, out, end);
        out = step.out;
        if (step.outcome != Outcome::MORE) return Step{at, out, step.outcome};
        at += RECORD_HEADER + captured;
    }
    return Step{at, out, Outcome::MORE};
}

int64_t nanoseconds_of(const Interface& interface, uint64_t ticks) {
    unsigned __int128 scaled = static_cast<unsigned __int128>(ticks) * static_cast<uint64_t>(NANOS);
    if (interface.binary) {
        scaled >>= interface.exponent;
    } else {
        for (uint8_t i = 0; i < interface.exponent; ++i) scaled /= 10;
    }
    return static_cast<int64_t>(static_cast<uint64_t>(scaled) + static_cast<uint64_t>(interface.offset) * NANOS);
}

void read_interface(Capture& capture, const uint8_t* body, size_t size) {
    Interface interface{load16(capture, body), false, 6, 0};
    for (size_t at = 8; size - at >= 4;) {
        const uint16_t code = load16(capture, body + at);
        const uint16_t length = load16(capture, body + at + 2);
        at += 4;
        if (code == OPTION_END || length > size - at) break;
        if (code == OPTION_RESOLUTION && length >= 1) {
            interface.binary = (body[at] & 0x80) != 0;
            interface.exponent = body[at] & 0x7F;
        } else if (code == OPTION_OFFSET && length >= 8) {
            const uint64_t seconds = capture.swapped ? big64(body + at) : little64(body + at);
            interface.offset = static_cast<int64_t>(seconds);
        }
        const size_t padded = (length + 3u) & ~size_t{3};
        at = padded > size - at ? size : at + padded;
    }
    capture.interface[capture.interfaces++] = interface;
}

// A packet block: where its frame is. `at` null for blocks that hold none.
struct Framed {
    const uint8_t* at;
    size_t size;
    size_t interface;
    uint64_t ticks;
    bool stamped;
};

Framed packet_in(const Capture& capture, uint32_t type, const uint8_t* body, size_t size) {
    if (type == PACKET_SIMPLE && size >= 4) {
        const size_t original = load32(capture, body);
        return {body + 4, original < size - 4 ? original : size - 4, 0, 0, false};
    }
    if ((type != PACKET_ENHANCED && type != PACKET_OBSOLETE) || size < 20) return {nullptr, 0, 0, 0, false};
    const uint64_t ticks = static_cast<uint64_t>(load32(capture, body + 4)) << 32 | load32(capture, body + 8);
    const size_t interface = type == PACKET_ENHANCED ? load32(capture, body) : load16(capture, body);
    const size_t captured = load32(capture, body + 12);
    return {body + 20, captured, interface, ticks, true};
}

Step packet_block(Context& context, Capture& capture, uint32_t type, const uint8_t* body, size_t size, Event* out,
                  Event* end) {
    const Framed framed = packet_in(capture, type, body, size);
    if (framed.at == nullptr) return Step{size, out, Outcome::MORE};
    const size_t room = size - static_cast<size_t>(framed.at - body);
    if (framed.size > room || framed.interface >= capture.interfaces) {
        const bool go_on = report(context, Protocol::PCAP, body, 0, "packet block of %lld bytes on interface %lld",
                                  static_cast<int64_t>(framed.size), static_cast<int64_t>(framed.interface));
        return Step{size, out, go_on ? Outcome::MORE : Outcome::PROBLEM};
    }
    const Interface& interface = capture.interface[framed.interface];
    if (interface.link != LINK_ETHERNET) {
        ++context.counts.packets;
        ++context.counts.packets_ignored;
        return Step{size, out, Outcome::MORE};
    }
    context.ts_recv = capture.ts_recv;
    if (capture.ts_recv == 0 && framed.stamped) context.ts_recv = nanoseconds_of(interface, framed.ticks);
    return decode_frame(context, framed.at, framed.size, out, end);
}

Step next_generation_stream(Context& context, Capture& capture, const uint8_t* data, size_t size, Event* out,
                            Event* end) {
    size_t at = 0;
    while (size - at >= 12) {
        const uint8_t* const block = data + at;
        const uint32_t type = load32(capture, block);
        if (type == SECTION_HEADER) {
            const uint32_t magic = little32(block + 8);
            if (magic != BYTE_ORDER_MAGIC && magic != __builtin_bswap32(BYTE_ORDER_MAGIC)) {
                return lost(context, capture, block + 8, at, size, out, "byte-order magic is %lld; expected %lld",
                            magic, BYTE_ORDER_MAGIC);
            }
            capture.swapped = magic != BYTE_ORDER_MAGIC;
        }
        const uint32_t length = load32(capture, block + 4);
        if (length < 12 || length % 4 != 0 || length > CAPTURE_BLOCK_MAX) {
            return lost(context, capture, block, at, size, out, "block length is %lld; expected 12 to %lld in fours",
                        length, CAPTURE_BLOCK_MAX);
        }
        if (length > size - at) break;
        if (load32(capture, block + length - 4) != length) {
            return lost(context, capture, block, at, size, out, "block ends with length %lld; expected %lld",
                        load32(capture, block + length - 4), length);
        }
        if (type == SECTION_HEADER) capture.interfaces = 0;
        if (type == INTERFACE_DESCRIPTION) {
            if (length < 20 || capture.interfaces == INTERFACES_MAX) {
                return lost(context, capture, block, at, size, out, "interface %lld; expected at most %lld, whole",
                            static_cast<int64_t>(capture.interfaces), INTERFACES_MAX);
            }
            read_interface(capture, block + 8, length - 12);
        }
        const Step step = packet_block(context, capture, type, block + 8, length - 12, out, end);
        out = step.out;
        if (step.outcome != Outcome::MORE) return Step{at, out, step.outcome};
        at += length;
    }
    return Step{at, out, Outcome::MORE};
}

}  // namespace

Step capture_stream(Context& context, Capture& capture, const uint8_t* data, size_t size, Event* out, Event* end) {
    if (capture.silent) return Step{size, out, Outcome::MORE};
    size_t header = 0;
    if (capture.form == Capture::Form::UNKNOWN) {
        if (size < FILE_HEADER) return Step{0, out, Outcome::MORE};
        const uint32_t magic = little32(data);
        const uint32_t turned = __builtin_bswap32(magic);
        if (magic == SECTION_HEADER) {
            capture.form = Capture::Form::NEXT_GENERATION;
        } else if (magic == MAGIC_MICROSECONDS || magic == MAGIC_NANOSECONDS || turned == MAGIC_MICROSECONDS ||
                   turned == MAGIC_NANOSECONDS) {
            capture.form = Capture::Form::CLASSIC;
            capture.swapped = turned == MAGIC_MICROSECONDS || turned == MAGIC_NANOSECONDS;
            capture.nanoseconds = magic == MAGIC_NANOSECONDS || turned == MAGIC_NANOSECONDS;
            capture.link = load32(capture, data + 20) & 0x0FFFFFFF;  // the rest tells of frame check sequences
            header = FILE_HEADER;
            if (capture.link != LINK_ETHERNET) {
                return lost(context, capture, data + 20, 0, size, out, "link type is %lld; expected %lld (Ethernet)",
                            capture.link, LINK_ETHERNET);
            }
        } else {
            return lost(context, capture, data, 0, size, out,
                        "capture starts with %lld; expected a pcap or pcapng magic", magic, 0);
        }
    }
    const auto stream = capture.form == Capture::Form::CLASSIC ? classic_stream : next_generation_stream;
    const Step step = stream(context, capture, data + header, size - header, out, end);
    return Step{header + step.consumed, step.out, step.outcome};
}

}  // namespace tf::decode
