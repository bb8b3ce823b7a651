#include "decode/context.hpp"

#include <cstdio>
#include <cstring>

#include "decode/wire.hpp"

namespace tf::decode {

bool report(Context& context, Protocol protocol, const uint8_t* at, uint8_t type, const char* what, int64_t seen,
            int64_t expected) {
    ++context.counts.malformed;
    if (context.lenient) return true;
    context.failed = true;
    context.problem = Problem{
        context.base + static_cast<uint64_t>(at - context.data), context.line, protocol, type, what, seen, expected};
    return false;
}

uint32_t learn_symbol(Context& context, uint64_t symbol) { return context.cache.learn(symbol); }

bool report_symbol(Context& context, Protocol protocol, const uint8_t* at, uint8_t type) {
    if (symbol8_valid(little64(at))) {
        return report(context, protocol, at, type, "symbol is one too many; %lld in one table are the maximum",
                      SYMBOLS_MAX);
    }
    return report(context, protocol, at, type, "expected a symbol of printable ASCII padded with blanks");
}

void push_side(Context& context, Protocol protocol, uint64_t origin, const uint8_t* message, size_t length,
               int64_t ts_event, uint64_t sequence, uint32_t instrument) {
    SideRecord record{};
    record.ts_event = ts_event;
    record.ts_recv = context.ts_recv;
    record.sequence = sequence;
    record.instrument = instrument;
    record.venue = static_cast<uint16_t>(origin >> 32);
    record.provider = static_cast<uint8_t>(origin >> 48);
    record.protocol = protocol;
    record.type = message[0];
    const size_t body = length - 1 < sizeof record.body ? length - 1 : sizeof record.body;
    record.length = static_cast<uint8_t>(body);
    std::memcpy(record.body, message + 1, body);
    context.side.push_back(record);
}

size_t describe(const Problem& problem, char* text, size_t size) {
    static const char* const names[] = {"?", "itch", "iex", "lobster", "moldudp64", "pcap"};
    size_t used = 0;
    const auto add = [&](const char* format, auto... values) {
        if (used < size) {
            const int count = std::snprintf(text + used, size - used, format, values...);
            if (count > 0) used += static_cast<size_t>(count);
        }
    };
    add("%s: ", names[static_cast<size_t>(problem.protocol)]);
    if (problem.line != 0) add("line %llu, ", static_cast<unsigned long long>(problem.line));
    add("byte %llu: ", static_cast<unsigned long long>(problem.offset));
    if (problem.type > ' ' && problem.type <= '~') {
        add("message '%c': ", static_cast<char>(problem.type));
    } else if (problem.type != 0) {
        add("message 0x%02x: ", static_cast<unsigned>(problem.type));
    }
    add(problem.what, static_cast<long long>(problem.seen), static_cast<long long>(problem.expected));
    return used < size ? used : size - 1;
}

}  // namespace tf::decode
