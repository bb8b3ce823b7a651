// What sources say: the hot path. One message is opened, changes its source's state, and is closed.
#include <algorithm>
#include <bit>

#include "book/pages.hpp"
#include "compose/composer.hpp"

namespace tf::compose {
namespace {

bool sound(const Event& event) {
    const auto side = static_cast<uint8_t>(event.side);
    return side - 1u < 2u && event.reserved == 0 && event.quantity >= 0 && event.quantity <= HUGE && event.price >= 0 &&
           event.price <= MOST_PRICE;
}

bool empties(const Event& event) { return event.reserved == 0 && static_cast<uint8_t>(event.side) <= 2; }

bool touches(const Event& event, int side) {
    return event.side == Side::NONE || static_cast<int>(event.side) - 1 == side;
}

int64_t best_price(const Grid& grid, int side) {
    return grid.side[side].best == NO_KEY ? 0 : price_of(grid, side, grid.side[side].best);
}

Price top_of(const Source& source, const State& state) {
    Price top{};
    switch (source.role) {
        case Role::DEPTH:
            return {best_price(*state.book, 0), best_price(*state.book, 1)};
        case Role::MONTAGE:
            for (uint64_t rows = state.montage->rows; rows != 0; rows &= rows - 1) {
                const int row = std::countr_zero(rows);
                const int64_t bid = state.montage->quote[0][row].price;
                const int64_t ask = state.montage->quote[1][row].price;
                top.side[0] = std::max(top.side[0], bid);
                if (ask != 0 && (top.side[1] == 0 || ask < top.side[1])) top.side[1] = ask;
            }
            return top;
        default:
            return {state.slot[0].price, state.slot[1].price};
    }
}

// Counts a message of the NBBO's leader that finds a round lot of some venue's depth or top above its slot, as the
// message before did.
void compare(Line& line, State& state, const Board& board) {
    bool persists = false;
    for (int side = 0; side < 2; ++side) {
        const int64_t best = board.best.side[side];
        const int64_t price = board.nbbo[side].price;
        const bool stands = best != 0 && price != 0 && board.best_quantity.side[side] >= ROUND_LOT;
        const bool better = stands && (side == 0 ? best > price : best < price);
        persists |= better && state.better[side];
        state.better[side] = better;
    }
    line.disagreements += persists;
}

}  // namespace

uint32_t Composer::row_of(uint16_t venue) {
    const uint32_t row = books_->row[venue];
    return row != 0 ? row - 1 : set_row(books_, venue);
}

void Composer::apply(uint32_t source, const Event* events, size_t n) {
    if (n == 0) return;
    source_ = sources_[source];
    index_ = source;
    Line& line = source_->line;
    line.events += n;
    line.last_recv = events[n - 1].ts_recv;
    line.peer_updates = 0;
    for (size_t i = 0; i < n; ++i) {
        const Event& event = events[i];
        if (event.instrument == NO_INSTRUMENT) [[unlikely]] {
            close();
            if (event.kind == Kind::CLEAR && empties(event)) {
                reset(source, event.ts_recv);
                for (State* state : source_->states) {
                    if (state != nullptr) state->waits = false;
                }
            } else if (event.kind == Kind::STATUS) {
                source_->session = event.conditions;
                source_->session_at = ++arrivals_;
                settle_session();
            } else {
                ++line.refused;
            }
            continue;
        }
        State* state = event.instrument < source_->states.size() ? source_->states[event.instrument] : nullptr;
        if (state == nullptr) [[unlikely]] {
            ++line.unsubscribed;
        } else if (event.kind == Kind::TRADE || event.kind == Kind::TRADE_BREAK) {
            trade(*source_, event);
        } else if (event.kind == Kind::STATUS) {
            close();
            take_status(*source_, event);
        } else {
            if (state != open_) {
                close();
                instrument_ = event.instrument;
                open(*source_, *state, event);
            }
            if (!skips_) change(*source_, *state, event);
            if ((event.flags & LAST) != 0) close();
        }
    }
    close();
}

void Composer::open(Source& source, State& state, const Event& event) {
    open_ = &state;
    taken_ = false;
    old_ = Suspect::NO;
    had_ = state.has;
    skips_ = refuse_old(source, state, event);
    first_sequence_ = event.sequence;
    leads_ = source.role == Role::DEPTH && source.row < NOWHERE &&
             boards_[instrument_]->depth[source.row] == static_cast<int8_t>(index_);
    begin(source, instrument_, event.ts_event, event.ts_recv, event.sequence);
}

// Whether a message is not to be applied: it is a duplicate, or its number or stamp says that it is older than what was
// applied. Depths are applied as they come: a number is one of their provider's stream, and a lost delta would stay.
bool Composer::refuse_old(Source& source, State& state, const Event& event) {
    const bool overwrites = source.role != Role::DEPTH;
    const bool numbered = overwrites && event.sequence != 0 && state.sequence != 0;
    // a stream whose numbers go on is no replay, whatever its clock says
    if (state.sequence != 0 && event.sequence > state.sequence) {
        state.late_run = 0;
        return false;
    }
    if (numbered && event.sequence == state.sequence) {
        ++source.line.duplicates;
        return true;
    }
    int64_t back = 0;
    if (state.latest != 0 && __builtin_sub_overflow(state.latest, event.ts_event, &back)) back = INT64_MAX;
    if (numbered && back < 0) return false;  // the numbering began anew
    if (!numbered && back <= 0) {
        state.late_run = 0;
        return false;
    }
    const bool alone = (boards_[instrument_]->good & ~(uint64_t{1} << index_)) == 0;
    if (back > REPLAY_NS) {
        ++source.line.replayed;
        if (!alone) old_ = Suspect::REPLAY;
        if (!alone && !overwrites && event.sequence == 0) {  // what is left out is missing in its book
            const int64_t latest = state.latest;
            reset(index_, instrument_, event.ts_recv);
            state.latest = latest;
        }
        return numbered || !alone;
    }
    ++source.line.reordered;
    if (numbered || !overwrites) return numbered;
    if (!alone) {
        old_ = Suspect::LATE;
        return true;
    }
    state.late_run = event.ts_event > state.late ? state.late_run + 1 : 1;
    state.late = event.ts_event;
    const bool refused = state.late_run < LATE_RUN;
    if (refused && back > LATE_NS) old_ = Suspect::LATE;  // it may be the clock, and then the book is behind
    return refused;
}

void Composer::change(Source& source, State& state, const Event& event) {
    bool taken = false;
    switch (source.role) {
        case Role::DEPTH:
            taken = change_depth(source, state, event);
            break;
        case Role::TOP:
            taken = change_top(source, state, event);
            break;
        case Role::MONTAGE:
            taken = change_montage(state, event);
            break;
        case Role::NBBO:
            taken = change_nbbo(state, event);
            break;
        case Role::PRINTS:
            break;
    }
    if (!taken) {
        ++source.line.refused;
        return;
    }
    if (state.waits) return;
    state.has = taken_ = true;
    ts_event_ = event.ts_event;
    ts_recv_ = event.ts_recv;
}

bool Composer::change_depth(Source& source, State& state, const Event& event) {
    const bool clears = event.kind == Kind::CLEAR && empties(event);
    const bool levels = (event.kind == Kind::LEVEL || event.kind == Kind::QUOTE) && sound(event) && event.price > 0;
    if ((!clears && !levels) || event.venue != source.venue) return false;
    if (state.waits) {
        if (!clears || event.side != Side::NONE) {
            ++source.line.waiting;
            return true;
        }
        state.waits = false;
    }
    if (clears || event.kind == Kind::QUOTE) {
        for (int side = 0; side < 2; ++side) {
            if (touches(event, side)) grid_clear_side(state.book, side);
        }
        if (leads_) {
            Event cleared = blank_;
            cleared.kind = Kind::CLEAR;
            cleared.venue = source.venue;
            cleared.side = event.side;
            cleared.flags = event.flags & SNAPSHOT;
            out_.push_back(cleared);
        }
        if (clears) return true;
    }
    const int side = static_cast<int>(event.side) - 1;
    kernels_->set(state.book, side, event.price, event.quantity);
    if (leads_) show_level(source.row, side, event.price, event.quantity, source.provider);
    return true;
}

bool Composer::change_top(Source& source, State& state, const Event& event) {
    if (event.venue != source.venue) return false;
    if (event.kind == Kind::CLEAR && empties(event)) {
        for (int side = 0; side < 2; ++side) {
            if (touches(event, side)) state.slot[side] = {0, 0, NOWHERE};
        }
        return true;
    }
    if (event.kind != Kind::QUOTE || !sound(event)) return false;
    const bool stands = event.price != 0 && event.quantity != 0;
    state.slot[static_cast<int>(event.side) - 1] =
        stands ? Slot{event.price, event.quantity, source.row} : Slot{0, 0, NOWHERE};
    return true;
}

bool Composer::change_nbbo(State& state, const Event& event) {
    if (event.kind == Kind::CLEAR && empties(event)) {
        for (int side = 0; side < 2; ++side) {
            if (touches(event, side)) state.slot[side] = {0, 0, NOWHERE};
        }
        return true;
    }
    if (event.kind != Kind::NBBO || !sound(event)) return false;
    const bool stands = event.price != 0 && event.quantity != 0 && (event.conditions & NON_FIRM) == 0 &&
                        !halted(boards_[instrument_]->status);
    state.slot[static_cast<int>(event.side) - 1] =
        stands ? Slot{event.price, event.quantity, row_of(event.venue)} : Slot{0, 0, NOWHERE};
    return true;
}

bool Composer::change_montage(State& state, const Event& event) {
    Montage& montage = *state.montage;
    if (event.kind == Kind::CLEAR && empties(event)) {  // whatever the venue: a snapshot has them all
        for (int side = 0; side < 2; ++side) {
            if (!touches(event, side)) continue;
            for (uint64_t rows = montage.rows; rows != 0; rows &= rows - 1) {
                montage.quote[side][std::countr_zero(rows)] = {0, 0, NOWHERE};
            }
        }
        if (event.side == Side::NONE) montage.rows = 0;
        return true;
    }
    if (event.kind != Kind::QUOTE || !sound(event)) return false;
    const uint32_t row = row_of(event.venue);
    if (row == NOWHERE) return false;
    const bool stands = event.price != 0 && event.quantity != 0;
    montage.quote[static_cast<int>(event.side) - 1][row] =
        stands ? Slot{event.price, event.quantity, row} : Slot{0, 0, NOWHERE};
    montage.rows |= uint64_t{1} << row;
    return true;
}

// Counts an update for the other sources of a group that are subscribed to the instrument: who is mute while others speak.
void Composer::count_peers(const Source& source, Role role, uint32_t instrument, int64_t now) {
    uint64_t peers = boards_[instrument]->subscribed[static_cast<uint32_t>(role)] & ~(uint64_t{1} << index_);
    for (; peers != 0; peers &= peers - 1) {
        Source& peer = *sources_[std::countr_zero(peers)];
        if (peer.venue != source.venue && role != Role::PRINTS) continue;
        // a plan may leave symbols out without a word
        if (role == Role::PRINTS && peer.line.trades != 0 && !peer.states[instrument]->prints) continue;
        if (peer.line.peer_updates++ == 0) peer.line.peer_since = now;
        peer.line.peer_last = now;
    }
}

// The message ends: it is judged, may change who leads, and is shown.
void Composer::close() {
    if (open_ == nullptr) return;
    State& state = *open_;
    Source& source = *source_;
    open_ = nullptr;
    Line& line = source.line;
    Board& board = *boards_[instrument_];
    const Suspect before = state.suspect;
    bool others = false;  // are judged otherwise than before
    if (skips_) {
        if (old_ == Suspect::NO) return;
        state.suspect = old_;
        ++line.updates;
        line.last_event = blank_.ts_event;  // how far behind the line is, is health's to say
    } else {
        if (!taken_) return;
        ++line.updates;
        state.arrived = ++arrivals_;
        state.ts_event = line.last_event = ts_event_;
        state.ts_recv = ts_recv_;
        state.latest = std::max(state.latest, ts_recv_ > 0 ? std::min(ts_event_, ts_recv_) : ts_event_);
        state.sequence = first_sequence_;
        state.top = top_of(source, state);
        if (!had_) state.since = arrivals_;
        if (source.trusted) count_peers(source, source.role, instrument_, ts_recv_);
        others = judge(ts_recv_);
    }
    if (state.suspect == Suspect::NO) {
        line.suspect_run = 0;
    } else {
        ++line.suspect_run;
        const bool others_good = (board.good & ~(uint64_t{1} << index_)) != 0;  // else the market itself may be crossed
        line.crossed += state.suspect == Suspect::CROSSED && (others_good || !source.trusted);
        line.scaled += state.suspect == Suspect::SCALE && state.denied_at != 0;
    }
    const uint64_t bit = uint64_t{1} << index_;
    const bool speaks = source.trusted && state.has;
    const bool good = speaks && state.suspect == Suspect::NO;
    const bool changed = others || state.suspect != before || had_ != state.has;
    if (good != ((board.good & bit) != 0) || changed) [[unlikely]] {
        out_.resize(mark_);
        recompose(index_, instrument_, ts_event_, ts_recv_);
    } else if (!skips_ && shows(source, board)) {
        finish(board);
    } else {
        return;
    }
    const bool leads = board.leader[static_cast<int>(Role::NBBO)] == static_cast<int8_t>(index_);
    if (leads && source.role == Role::NBBO && !skips_) compare(line, state, board);
}

// What a message of a line that was and is good changes in the book; whether it can.
bool Composer::shows(const Source& source, Board& board) {
    const auto me = static_cast<int8_t>(index_);
    switch (source.role) {
        case Role::DEPTH:
            return leads_;
        case Role::TOP:
            if (source.row == NOWHERE || board.top[source.row] != me) return false;
            if ((board.depth_rows >> source.row & 1) != 0) return false;
            show_slots(board, source.row, 0);
            show_slots(board, source.row, 1);
            return true;
        case Role::NBBO:
        case Role::MONTAGE:
            if (board.leader[static_cast<int>(source.role)] != me) return false;
            show_nbbo(board);
            return true;
        case Role::PRINTS:
            break;
    }
    return false;
}

// Whether a print is one of the last few again. Those without an id are never.
bool Composer::seen(Source& source, State& state, const Event& event) {
    if (event.kind != Kind::TRADE || event.order_id == 0) return false;
    const uint64_t id = event.order_id ^ static_cast<uint64_t>(event.venue) << 48;
    for (const uint64_t other : state.print_ids) {
        if (other != id) continue;
        ++source.line.duplicates;
        return true;
    }
    state.print_ids[state.print_count++ % PRINTS_KEPT] = id;
    return false;
}

void Composer::trade(Source& source, const Event& event) {
    State& state = *source.states[event.instrument];
    Board& board = *boards_[event.instrument];
    if (seen(source, state, event)) return;
    ++source.line.trades;
    if (!state.prints) {
        state.prints = true;
        elect_prints(event.instrument);
    }
    if (source.trusted) count_peers(source, Role::PRINTS, event.instrument, event.ts_recv);
    hear_print(source, state, event);
    if (source.role == Role::PRINTS) weigh_print(source, state, event);
    if (board.leader[static_cast<int>(Role::PRINTS)] != static_cast<int8_t>(index_)) return;
    if (trades_.size() < MOST_TRADES) {
        trades_.push_back(event);
    } else {
        ++trades_dropped;
    }
    record(event);
}

// Who is quiet while others give prints: their channel of trades may be silent though quotes go on, or they see only the
// trades of one venue.
void Composer::hear_print(const Source& source, State& state, const Event& event) {
    const Board& board = *boards_[event.instrument];
    bool news = false;
    state.print_run = state.print_gap < QUIET_PRINTS ? state.print_run + 1 : 0;
    if (state.quiet && state.print_run >= QUIET_PRINTS) {
        state.quiet = false;
        news = true;
    }
    state.print_gap = 0;
    uint64_t all = 0;
    for (const uint64_t some : board.subscribed) all |= some;
    for (all &= source.trusted ? ~(uint64_t{1} << index_) : 0; all != 0; all &= all - 1) {
        State& other = *sources_[static_cast<uint32_t>(std::countr_zero(all))]->states[event.instrument];
        if (!other.prints) continue;
        if (other.print_gap++ == 0) other.print_gap_since = event.ts_recv;
        if (other.quiet || other.print_gap < QUIET_PRINTS || elapsed(event.ts_recv, other.print_gap_since) < QUIET_NS) {
            continue;
        }
        other.quiet = true;
        other.print_run = 0;
        news = true;
    }
    if (news) elect_prints(event.instrument);
}

// A market state that holds for all venues; those of one venue, and short sale restrictions, gate nothing.
void Composer::take_status(Source& source, const Event& event) {
    const auto code = event.conditions;
    if (code < static_cast<uint32_t>(Status::TRADING) || code > static_cast<uint32_t>(Status::QUOTE_ONLY)) return;
    State& state = *source.states[event.instrument];
    state.status = static_cast<uint8_t>(code);
    state.status_at = ++arrivals_;
    settle_status(event.instrument, event);
}

}  // namespace tf::compose
