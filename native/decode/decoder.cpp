#include "decode/decoder.hpp"

#include <algorithm>

#include "decode/iex.hpp"
#include "decode/itch.hpp"
#include "decode/lobster.hpp"

namespace tf::decode {

namespace {

constexpr size_t LOCATES = 65'536;
constexpr size_t FIRST_BYTES = 256;  // added to a carry at first, then twice as many

}  // namespace

Decoder::Decoder(SymbolTable& symbols, const Options& options) : options_(options), context_(symbols) {
    locates_.reset(static_cast<Locate*>(std::calloc(LOCATES, sizeof(Locate))));
    if (locates_ == nullptr) std::abort();
    context_.locates = locates_.get();
    context_.lines = &lines_;
    context_.itch_origin = options.itch_origin;
    context_.iex_origin = options.iex_origin;
    context_.lobster_origin = options.lobster_origin;
    context_.midnight = options.midnight;
    context_.lenient = options.lenient;
}

void Decoder::begin(int64_t ts_recv) {
    context_.ts_recv = ts_recv;
    capture_.ts_recv = ts_recv;
    std::vector<SideRecord>& side = context_.side;
    if (side.size() > SIDE_MAX) {
        const size_t dropped = side.size() - SIDE_MAX;
        context_.counts.side_dropped += dropped;
        side.erase(side.begin(), side.begin() + static_cast<std::ptrdiff_t>(dropped));
    }
}

size_t Decoder::likely_events(size_t size) const {
    return options_.format == Format::ITCH ? size / 22 + 16 : size / 28 + 16;
}

Step Decoder::step(const uint8_t* data, size_t size, bool last, Event* out, Event* end) {
    context_.data = data;
    context_.base = offset_;
    Event* const first = out;
    Step step{0, out, Outcome::MORE};
    switch (options_.format) {
        case Format::ITCH:
            step = itch_kernel().stream(context_, data, size, out, end);
            break;
        case Format::MOLD:
            step = mold_stream(context_, data, size, out, end);
            break;
        case Format::IEX:
            step = iex_stream(context_, data, size, out, end);
            break;
        case Format::PCAP:
            step = capture_stream(context_, capture_, data, size, out, end);
            break;
        case Format::LOBSTER:
            step = lobster_stream(context_, options_.instrument, data, size, last, out, end);
            break;
    }
    offset_ += step.consumed;
    context_.counts.events += static_cast<uint64_t>(step.out - first);
    return step;
}

Step Decoder::receive(const uint8_t* data, size_t size, Event* out, Event* end) {
    if (context_.failed) return Step{0, out, Outcome::PROBLEM};
    Step done{0, out, Outcome::MORE};
    if (!carry_.empty()) {
        done = receive_after_carry(data, size, out, end);
        if (done.outcome != Outcome::MORE || !carry_.empty()) {
            context_.counts.bytes += done.consumed;
            return done;
        }
    }
    const Step rest = step(data + done.consumed, size - done.consumed, false, done.out, end);
    done = Step{done.consumed + rest.consumed, rest.out, rest.outcome};
    if (done.outcome == Outcome::MORE) {
        carry_.assign(data + done.consumed, data + size);
        done.consumed = size;
    }
    context_.counts.bytes += done.consumed;
    return done;
}

// Completes the unit in the carry with as few of the new bytes as it takes. An empty carry afterwards: go on in
// `data` at `consumed`.
Step Decoder::receive_after_carry(const uint8_t* data, size_t size, Event* out, Event* end) {
    size_t held = carry_.size();  // bytes of earlier calls
    size_t added = 0;
    for (size_t more = FIRST_BYTES;; more *= 2) {
        const size_t count = std::min(more, size - added);
        carry_.insert(carry_.end(), data + added, data + added + count);
        added += count;
        const Step done = step(carry_.data(), carry_.size(), false, out, end);
        out = done.out;
        if (done.outcome == Outcome::PROBLEM) return Step{added, out, Outcome::PROBLEM};
        if (done.consumed >= held) {
            carry_.clear();
            return Step{done.consumed - held, out, Outcome::MORE};
        }
        carry_.erase(carry_.begin(), carry_.begin() + static_cast<std::ptrdiff_t>(done.consumed));
        held -= done.consumed;
        if (done.outcome == Outcome::FULL) {
            carry_.resize(held);
            return Step{0, out, Outcome::FULL};
        }
        if (added == size) return Step{size, out, Outcome::MORE};
    }
}

Step Decoder::finish(Event* out, Event* end) {
    if (context_.failed) return Step{0, out, Outcome::PROBLEM};
    if (carry_.empty()) return Step{0, out, Outcome::MORE};
    if (options_.format == Format::LOBSTER) {
        const Step done = step(carry_.data(), carry_.size(), true, out, end);
        if (done.outcome == Outcome::MORE) carry_.clear();
        return done;
    }
    static constexpr Protocol protocols[] = {Protocol::ITCH, Protocol::MOLD, Protocol::IEX, Protocol::PCAP};
    context_.data = carry_.data();
    context_.base = offset_;
    const bool go_on = context_.resyncing ||
                       report(context_, protocols[static_cast<int>(options_.format)], carry_.data(), 0,
                              "input ends inside a message, %lld bytes into it", static_cast<int64_t>(carry_.size()));
    carry_.clear();
    return Step{0, out, go_on ? Outcome::MORE : Outcome::PROBLEM};
}

}  // namespace tf::decode
