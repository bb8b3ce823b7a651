// Who is contradicted, and who is believed: rules in tests/reference/composer.py.
#include <algorithm>
#include <bit>

#include "compose/composer.hpp"

namespace tf::compose {
namespace {

// Whether the quotes a and b lie far apart: what one bids is more than a part above what the other asks. Wide quotes
// overlap, so a thin book is never far from a tight one.
bool above(int64_t bid, int64_t ask, int64_t part) { return bid != 0 && ask != 0 && bid - ask > ask / part; }
bool below(int64_t ask, int64_t bid, int64_t part) { return bid != 0 && ask != 0 && bid - ask > bid / part; }
bool overlap(const Price& a, const Price& b) { return a.side[0] <= b.side[1] && b.side[0] <= a.side[1]; }
bool apart(const Price& a, const Price& b, int64_t part) {
    if (overlap(a, b)) [[likely]]
        return false;
    return above(a.side[0], b.side[1], part) || below(a.side[1], b.side[0], part);
}
bool near(int64_t a, int64_t b) { return a != 0 && b != 0 && std::max(a, b) - std::min(a, b) <= std::min(a, b) / 10; }
bool whole(const Price& top) { return top.side[0] != 0 && top.side[1] != 0; }
bool narrow(const Price& top) { return whole(top) && top.side[1] - top.side[0] <= top.side[0] / 10; }

constexpr int64_t PART = 10;       // quotes that lie a tenth apart contradict each other
constexpr int64_t PRINT_PART = 2;  // a print and quotes: in thin markets trades lie farther from what is asked next

}  // namespace

// Bits of the sources that have a say: trusted, with quotes that are neither crossed nor late, or with a fresh print.
uint64_t Composer::voters(const Board& board, int64_t now) const {
    uint64_t all = board.good | board.disputed;
    for (uint64_t left = board.subscribed[static_cast<int>(Role::PRINTS)]; left != 0; left &= left - 1) {
        const auto source = static_cast<uint32_t>(std::countr_zero(left));
        const State& state = *sources_[source]->states[board.instrument];
        const bool says = state.top.side[0] != 0 && elapsed(now, state.ts_recv) <= FRESH_NS;
        all |= uint64_t{says && sources_[source]->trusted} << source;
    }
    return all;
}

bool Composer::contradicts(uint32_t one, uint32_t other, uint32_t instrument) const {
    const bool print = sources_[one]->role == Role::PRINTS || sources_[other]->role == Role::PRINTS;
    return apart(sources_[one]->states[instrument]->top, sources_[other]->states[instrument]->top,
                 print ? PRINT_PART : PART);
}

bool Composer::agrees(uint32_t one, uint32_t other, uint32_t instrument) const {
    if (contradicts(one, other, instrument)) return false;
    const Price& a = sources_[one]->states[instrument]->top;
    const Price& b = sources_[other]->states[instrument]->top;
    return near(a.side[0], b.side[0]) || near(a.side[1], b.side[1]);
}

// How many say about the same, the source itself included.
int Composer::camp(uint32_t source, uint32_t instrument, uint64_t voters) const {
    int count = 1;
    for (uint64_t left = voters & ~(uint64_t{1} << source); left != 0; left &= left - 1) {
        count += agrees(source, static_cast<uint32_t>(std::countr_zero(left)), instrument);
    }
    return count;
}

// Whether nobody is contradicted, or was. `others` have a say.
inline bool Composer::calm(uint64_t others) const {
    const State& mine = *source_->states[instrument_];
    if (mine.denied_at != 0 || (boards_[instrument_]->disputed & ~(uint64_t{1} << index_)) != 0) return false;
    for (; others != 0; others &= others - 1) {
        const auto other = static_cast<uint32_t>(std::countr_zero(others));
        if (overlap(mine.top, sources_[other]->states[instrument_]->top)) [[likely]]
            continue;
        if (contradicts(index_, other, instrument_)) return false;
    }
    return true;
}

// Judges the source that has just spoken; where it is contradicted or somebody was, the others as well. Whether one of
// those is judged otherwise now.
bool Composer::judge(int64_t now) {
    Source& source = *source_;
    State& state = *source.states[instrument_];
    const Board& board = *boards_[instrument_];
    const Price& top = state.top;
    if (whole(top)) {
        if (apart(top, state.was, PART)) state.since = arrivals_;
        state.was = top;
        if (source.role != Role::MONTAGE && top.side[0] > top.side[1]) {
            const bool revealed = (board.good & ~(uint64_t{1} << index_)) != 0;
            const bool forgotten = !revealed && state.denied_at != 0 && elapsed(now, state.denied_at) > DENIED_NS;
            state.denied_at = revealed ? now : forgotten ? 0 : state.denied_at;
            state.suspect = Suspect::CROSSED;
            return forgotten;
        }
    }
    state.suspect = Suspect::NO;
    const uint64_t others = voters(board, now) & ~(uint64_t{1} << index_);
    const bool changed = !calm(others) && settle(others, now);
    if (state.suspect == Suspect::NO && source.trusted) lay_anchor(now);
    return changed;
}

// Judges all; whether others are judged otherwise than before. `others` have a say.
bool Composer::settle(uint64_t others, int64_t now) {
    Board& board = *boards_[instrument_];
    const uint64_t me = uint64_t{1} << index_;
    const uint64_t all = source_->trusted ? others | me : others;
    const uint64_t quoting = (board.good | board.disputed) & ~me;
    struct Verdict {
        bool suspect, denied;
    } verdicts[MOST_SOURCES];
    const uint64_t judged = me | (source_->trusted ? quoting : 0);
    for (uint64_t left = judged; left != 0; left &= left - 1) {
        const auto one = static_cast<uint32_t>(std::countr_zero(left));
        const State& state = *sources_[one]->states[instrument_];
        const uint64_t rest = all & ~(uint64_t{1} << one);
        const int members = camp(one, instrument_, rest);
        const bool off = apart(state.top, board.anchor, PART);
        Verdict verdict{false, false};
        bool contrary = false;
        for (uint64_t their = rest; their != 0; their &= their - 1) {
            const auto other = static_cast<uint32_t>(std::countr_zero(their));
            if (!contradicts(one, other, instrument_)) continue;
            contrary = true;
            const State& theirs = *sources_[other]->states[instrument_];
            const int opposed = camp(other, instrument_, all);
            const bool off_too = apart(theirs.top, board.anchor, PART);
            const bool worse = off != off_too ? off : state.since > theirs.since;
            if (opposed < members || (opposed == members && !worse)) continue;
            verdict.suspect = true;
            verdict.denied = verdict.denied || theirs.arrived > state.since;
        }
        if (!contrary && state.denied_at != 0) {  // who said so may have left
            verdict.suspect = elapsed(now, state.denied_at) <= DENIED_NS && off && members == 1;
        }
        verdicts[one] = verdict;
    }
    bool changed = false;
    for (uint64_t left = judged; left != 0; left &= left - 1) {
        const auto one = static_cast<uint32_t>(std::countr_zero(left));
        const uint64_t bit = uint64_t{1} << one;
        State& state = *sources_[one]->states[instrument_];
        state.suspect = verdicts[one].suspect ? Suspect::SCALE : Suspect::NO;
        state.denied_at = !verdicts[one].suspect ? 0 : verdicts[one].denied ? now : state.denied_at;
        if (one == index_ || ((board.disputed & bit) != 0) == verdicts[one].suspect) continue;
        board.good ^= bit;
        board.disputed ^= bit;
        changed = true;
    }
    return changed;
}

// What is believed is what later words are measured by. What lies far from it has to be confirmed, or to last.
void Composer::lay_anchor(int64_t now) {
    Board& board = *boards_[instrument_];
    const Price& top = source_->states[instrument_]->top;
    if (!narrow(top)) return;
    const bool confirmed = !apart(top, board.anchor, PART) || elapsed(now, board.anchor_at) > ANCHOR_NS ||
                           camp(index_, instrument_, voters(board, now)) > 1;
    if (!confirmed) return;
    board.anchor = top;
    board.anchor_at = now;
}

// A line of prints alone says a price for a while, and is judged by it.
void Composer::weigh_print(Source& source, State& state, const Event& event) {
    const bool regular = (event.conditions & (NO_LAST | NO_HIGH_LOW)) == 0 || (event.conditions & ODD_LOT) != 0;
    if (event.kind != Kind::TRADE || !regular || event.price <= 0 || event.price > MOST_PRICE) return;
    instrument_ = event.instrument;
    const Price price = {event.price, event.price};
    const Suspect before = state.suspect;
    state.arrived = ++arrivals_;
    state.ts_event = event.ts_event;
    state.ts_recv = event.ts_recv;
    state.top = price;
    if (state.was.side[0] == 0 || apart(price, state.was, PRINT_PART)) state.since = arrivals_;
    state.was = price;
    state.suspect = Suspect::NO;
    const uint64_t others = voters(*boards_[instrument_], event.ts_recv) & ~(uint64_t{1} << index_);
    const bool changed = !calm(others) && settle(others, event.ts_recv);
    source.line.scaled += state.suspect == Suspect::SCALE && state.denied_at != 0;
    if (changed) {
        recompose(index_, instrument_, event.ts_event, event.ts_recv);
    } else if (state.suspect != before) {
        elect_prints(instrument_);
    }
}

}  // namespace tf::compose
