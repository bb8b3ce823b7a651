#include "lobster/rows.hpp"

#include <algorithm>
#include <cstring>

namespace tf::lobster {
namespace {

// One integer; null where there is none or it needs more than 64 bits.
const char* parse_integer(const char* at, const char* end, int64_t& value) {
    const bool negative = at < end && *at == '-';
    if (negative) ++at;
    const char* first = at;
    uint64_t number = 0;
    while (at < end && static_cast<unsigned>(*at - '0') < 10) {
        number = number * 10 + static_cast<unsigned>(*at - '0');
        ++at;
    }
    if (at == first || at - first > 18) return nullptr;  // 18 digits always fit
    value = negative ? -static_cast<int64_t>(number) : static_cast<int64_t>(number);
    return at;
}

// One line without its newline; the number of fields read well, `columns` if the line is good.
size_t parse_line(const char* at, const char* end, size_t columns, int64_t* out) {
    if (end > at && end[-1] == '\r') --end;
    for (size_t field = 0; field < columns; ++field) {
        at = parse_integer(at, end, out[field]);
        if (at == nullptr) return field;
        const bool last = field + 1 == columns;
        if (last ? at != end : (at == end || *at++ != ',')) return field;
    }
    return columns;
}

}  // namespace

ParsedRows parse_rows(const char* data, size_t size, size_t columns, int64_t* out, size_t capacity) {
    ParsedRows parsed{0, 0, 0, false};
    while (parsed.rows < capacity && parsed.bytes < size) {
        const char* line = data + parsed.bytes;
        const void* newline = std::memchr(line, '\n', size - parsed.bytes);
        if (newline == nullptr) break;
        const char* end = static_cast<const char*>(newline);
        const bool empty = end == line || (end == line + 1 && *line == '\r');
        if (!empty) {
            parsed.field = parse_line(line, end, columns, out + parsed.rows * columns);
            if (parsed.field != columns) {
                parsed.failed = true;
                return parsed;
            }
            ++parsed.rows;
        }
        parsed.bytes = static_cast<size_t>(end - data) + 1;
    }
    parsed.field = 0;
    return parsed;
}

size_t Side::place(int64_t key) const {
    const auto worse = [](const Level& level, int64_t wanted) { return level.key < wanted; };
    return static_cast<size_t>(std::lower_bound(levels_.begin(), levels_.end(), key, worse) - levels_.begin());
}

void Side::add(int64_t price, int64_t size, size_t window) {
    const int64_t key = price * sign_;
    const size_t at = place(key);
    if (at < levels_.size() && levels_[at].key == key) {
        levels_[at].size += size;
        return;
    }
    if (levels_.size() < window) {
        levels_.insert(levels_.begin() + static_cast<std::ptrdiff_t>(at), Level{key, size});
    } else if (at > 0) {  // the worst is pushed out
        std::move(levels_.begin() + 1, levels_.begin() + static_cast<std::ptrdiff_t>(at), levels_.begin());
        levels_[at - 1] = Level{key, size};
    }
}

Side::Subtracted Side::subtract(int64_t price, int64_t size) {
    const int64_t key = price * sign_;
    const size_t at = place(key);
    if (at == levels_.size() || levels_[at].key != key) return {false, false, false};
    levels_[at].size -= size;
    if (levels_[at].size > 0) return {true, false, false};
    const bool clamped = levels_[at].size < 0;
    levels_.erase(levels_.begin() + static_cast<std::ptrdiff_t>(at));
    return {true, true, clamped};
}

bool Side::append_worst(int64_t price, int64_t size) {
    const int64_t key = price * sign_;
    if (!levels_.empty() && key >= levels_.front().key) return false;
    levels_.insert(levels_.begin(), Level{key, size});
    return true;
}

void Side::write(int64_t* out, size_t depth, int64_t absent) const {
    const size_t known = std::min(depth, levels_.size());
    for (size_t i = 0; i < known; ++i) {
        const Level& level = levels_[levels_.size() - 1 - i];
        out[4 * i] = level.key * sign_;
        out[4 * i + 1] = level.size;
    }
    for (size_t i = known; i < depth; ++i) {
        out[4 * i] = absent;
        out[4 * i + 1] = 0;
    }
}

void RowReplay::start(const int64_t* row, size_t levels) {
    bids_.clear();
    asks_.clear();
    for (size_t i = 0; i < levels; ++i) {
        const int64_t* level = row + 4 * i;
        if (level[1] > 0) asks_.add(level[0], level[1], window_);
        if (level[3] > 0) bids_.add(level[2], level[3], window_);
    }
}

void RowReplay::write_row(int64_t* out) const {
    asks_.write(out, depth_, NO_ASK);
    bids_.write(out + 2, depth_, NO_BID);
}

void RowReplay::apply(const Event& event, const int64_t* truth) {
    const bool bid = event.side == tf::Side::BID;
    Side& side = bid ? bids_ : asks_;
    const int64_t price = event.price / PRICE_UNIT;
    const int64_t size = event.quantity / SIZE_UNIT;
    if (event.kind == Kind::ADD) return side.add(price, size, window_);
    if (event.kind != Kind::REDUCE && event.kind != Kind::DELETE && event.kind != Kind::EXECUTE) return;
    const bool full = side.size() == depth_;
    const Side::Subtracted done = side.subtract(price, size);
    counts_.unknown_levels += !done.found;
    counts_.clamped += done.clamped;
    if (truth == nullptr || !done.emptied || !full) return;
    const int64_t* worst = truth + 4 * (depth_ - 1) + (bid ? 2 : 0);
    if (worst[1] > 0) counts_.taken += side.append_worst(worst[0], worst[1]);
}

int32_t RowReplay::levels_equal(const int64_t* truth, size_t truth_levels) const {
    const size_t levels = std::min(depth_, truth_levels);
    if (std::memcmp(truth, row_.data(), levels * 4 * sizeof(int64_t)) == 0) return static_cast<int32_t>(levels);
    int32_t equal = 0;
    while (std::memcmp(truth + 4 * equal, row_.data() + 4 * equal, 4 * sizeof(int64_t)) == 0) ++equal;
    return equal;
}

void RowReplay::run(const Event* events, size_t count, const int64_t* truth, size_t truth_levels, bool take,
                    int64_t* rows, int32_t* agree) {
    for (size_t i = 0; i < count; ++i) {
        const int64_t* expected = truth == nullptr ? nullptr : truth + 4 * truth_levels * i;
        apply(events[i], take ? expected : nullptr);
        write_row(row_.data());
        if (rows != nullptr) std::memcpy(rows + 4 * depth_ * i, row_.data(), row_.size() * sizeof(int64_t));
        if (expected == nullptr) continue;
        const int32_t equal = levels_equal(expected, truth_levels);
        if (agree != nullptr) agree[i] = equal;
        if (take && static_cast<size_t>(equal) < depth_) start(expected, truth_levels);
    }
}

}  // namespace tf::lobster
