// What the composed book shows: the target of every venue, and the levels that lead there from what it shows now.
#include <algorithm>
#include <bit>

#include "book/pages.hpp"
#include "compose/composer.hpp"

namespace tf::compose {
namespace {

constexpr Slot NO_SLOT = {0, 0, NOWHERE};

bool better(int side, int64_t price, int64_t than) { return side == 0 ? price > than : price < than; }

uint64_t bit_of(uint32_t row) { return row < NOWHERE ? uint64_t{1} << row : 0; }

// Calls `see(price, quantity)` for every level of a side, best first; a row's own quantity, or the total.
template <typename See>
void each_level(const Grid& grid, int side, uint32_t word, See see) {
    const Ladder& ladder = grid.side[side];
    for (uint32_t i = ladder.page_count; i-- > 0;) {
        const Page* page = ladder.pages[i];
        for (uint64_t bits = page->bits; bits != 0; bits &= bits - 1) {
            const int slot = std::countr_zero(bits);
            const int64_t quantity = level_of(grid, page, slot)[word];
            if (quantity != 0) see(price_of(grid, side, page->number * 64 + slot), quantity);
        }
    }
}

}  // namespace

void Composer::begin(const Source& source, uint32_t instrument, int64_t ts_event, int64_t ts_recv, uint64_t sequence) {
    blank_.ts_event = ts_event;
    blank_.ts_recv = ts_recv;
    blank_.sequence = sequence;
    blank_.instrument = instrument;
    blank_.provider = source.provider;
    blank_.kind = Kind::LEVEL;
}

void Composer::show_level(uint32_t row, int side, int64_t price, int64_t quantity, uint8_t provider) {
    Event& event = out_.emplace_back(blank_);
    event.price = price;
    event.quantity = quantity;
    event.venue = books_->venue[row];
    event.provider = provider;
    event.side = side == 0 ? Side::BID : Side::ASK;
}

// Rules 3 to 5 for a venue that no depth leads.
Shown Composer::target(const Board& board, uint32_t row, int side) const {
    Shown shown = {NO_SLOT, NO_SLOT};
    if ((board.top_rows >> row & 1) != 0) {
        shown.base = sources_[static_cast<uint32_t>(board.top[row])]->states[board.instrument]->slot[side];
        return shown;
    }
    const Slot& nbbo = board.nbbo[side];
    if (nbbo.row == row) shown.slot = nbbo;
    const int8_t montage = board.leader[static_cast<int>(Role::MONTAGE)];
    if (montage < 0) return shown;
    shown.base = sources_[static_cast<uint32_t>(montage)]->states[board.instrument]->montage->quote[side][row];
    const bool masked = board.masking && nbbo.price != 0 && better(side, shown.base.price, nbbo.price);
    const bool replaced = shown.slot.price != 0 && !better(side, nbbo.price, shown.base.price);
    if (shown.base.price == 0 || masked || replaced) shown.base = NO_SLOT;
    return shown;
}

void Composer::show_slots(Board& board, uint32_t row, int side) {
    Shown& before = board.shown[row][side];
    const Shown now = target(board, row, side);
    const Slot* const olds[2] = {&before.slot, &before.base};
    const Slot* const news[2] = {&now.slot, &now.base};
    for (const Slot* old : olds) {
        if (old->price != 0 && old->price != now.slot.price && old->price != now.base.price) {
            show_level(row, side, old->price, 0, blank_.provider);
        }
    }
    for (const Slot* slot : news) {
        if (slot->price == 0) continue;
        const bool stood = (before.slot.price == slot->price && before.slot.quantity == slot->quantity) ||
                           (before.base.price == slot->price && before.base.quantity == slot->quantity);
        if (stood) continue;
        const bool is_slot = slot == &now.slot;
        const int8_t from = is_slot                            ? board.leader[static_cast<int>(Role::NBBO)]
                            : (board.top_rows >> row & 1) != 0 ? board.top[row]
                                                               : board.leader[static_cast<int>(Role::MONTAGE)];
        show_level(row, side, slot->price, slot->quantity, sources_[static_cast<uint32_t>(from)]->provider);
    }
    before = now;
    const Shown* both = board.shown[row];
    const bool any = (both[0].slot.price | both[0].base.price | both[1].slot.price | both[1].base.price) != 0;
    board.shown_rows = any ? board.shown_rows | bit_of(row) : board.shown_rows & ~bit_of(row);
}

// From the levels in before_ to those in after_, both best first.
void Composer::show_difference(uint32_t row, int side, uint8_t provider) {
    size_t old = 0;
    for (const Level& level : after_) {
        for (; old < before_.size() && better(side, before_[old].price, level.price); ++old) {
            show_level(row, side, before_[old].price, 0, blank_.provider);
        }
        const bool stood = old < before_.size() && before_[old].price == level.price;
        if (!stood || before_[old].quantity != level.quantity) {
            show_level(row, side, level.price, level.quantity, provider);
        }
        old += stood;
    }
    for (; old < before_.size(); ++old) show_level(row, side, before_[old].price, 0, blank_.provider);
}

// A row from whatever it shows to its target. `anew`: another depth leads there, or its depth has changed meanwhile.
void Composer::show_row(Board& board, uint32_t row, bool anew) {
    const bool was_full = (board.full >> row & 1) != 0;
    const bool is_full = (board.depth_rows >> row & 1) != 0;
    if (!was_full && !is_full) {
        show_slots(board, row, 0);
        show_slots(board, row, 1);
        return;
    }
    if (was_full && is_full && !anew) return;
    for (int side = 0; side < 2; ++side) {
        before_.clear();
        after_.clear();
        if (row < board.grid->rows) {
            each_level(*board.grid, side, 1 + row, [this](int64_t p, int64_t q) { before_.push_back({p, q}); });
        }
        board.shown[row][side] = {NO_SLOT, NO_SLOT};
        uint8_t provider = blank_.provider;
        if (is_full) {
            const Source& source = *sources_[static_cast<uint32_t>(board.depth[row])];
            provider = source.provider;
            each_level(*source.states[board.instrument]->book, side, 0,
                       [this](int64_t p, int64_t q) { after_.push_back({p, q}); });
        }
        show_difference(row, side, provider);
        if (!is_full) show_slots(board, row, side);  // after the depth's levels have left
    }
    board.full = is_full ? board.full | bit_of(row) : board.full & ~bit_of(row);
    if (is_full) board.shown_rows &= ~bit_of(row);
}

// The leader's slots become those of the board; rows by side that may show others now.
void Composer::take_nbbo(Board& board, uint64_t* rows) {
    const int8_t leader = board.leader[static_cast<int>(Role::NBBO)];
    const int8_t montage = board.leader[static_cast<int>(Role::MONTAGE)];
    const State* state = leader < 0 ? nullptr : sources_[static_cast<uint32_t>(leader)]->states[board.instrument];
    for (int side = 0; side < 2; ++side) {
        Slot& old = board.nbbo[side];
        const Slot& now = state == nullptr ? NO_SLOT : state->slot[side];
        rows[side] = 0;
        if (old.price == now.price && old.quantity == now.quantity && old.row == now.row) continue;
        rows[side] = bit_of(old.row) | bit_of(now.row);
        if (old.price != now.price || old.quantity != now.quantity) note(board);
        old = now;
    }
    board.masking = false;
    if (montage < 0) return;
    const State& other = *sources_[static_cast<uint32_t>(montage)]->states[board.instrument];
    board.masking = state != nullptr && state->arrived > other.arrived;
    for (int side = 0; side < 2; ++side) rows[side] |= other.montage->rows | board.shown_rows;
}

void Composer::show_nbbo(Board& board) {
    uint64_t rows[2];
    take_nbbo(board, rows);
    for (int side = 0; side < 2; ++side) {
        for (uint64_t left = rows[side] & ~board.depth_rows; left != 0; left &= left - 1) {
            show_slots(board, static_cast<uint32_t>(std::countr_zero(left)), side);
        }
    }
}

void Composer::show_all(Board& board, uint64_t anew) {
    uint64_t rows[2];
    take_nbbo(board, rows);
    uint64_t left = rows[0] | rows[1] | board.shown_rows | board.full | board.depth_rows | board.top_rows;
    left |= bit_of(board.nbbo[0].row) | bit_of(board.nbbo[1].row);
    for (; left != 0; left &= left - 1) {
        const auto row = static_cast<uint32_t>(std::countr_zero(left));
        show_row(board, row, (anew >> row & 1) != 0);
    }
}

// Applies what the message has to show. LAST stands on the last event of each venue, BATCH_END on the last of all.
void Composer::finish(Board& board) {
    const size_t n = out_.size() - mark_;
    if (n == 0) return;
    Event* events = out_.data() + mark_;
    events[n - 1].flags |= BATCH_END;
    uint64_t seen = 0;
    uint32_t highest = 0;
    for (size_t i = n; i-- > 0;) {
        const uint32_t row = books_->row[events[i].venue] - 1u;
        if ((seen >> row & 1) == 0) events[i].flags |= LAST;
        seen |= uint64_t{1} << row;
        highest = row > highest ? row : highest;
    }
    // by all venues known: growing moves every page, so a book should do it once, and not at each new venue
    if (highest >= board.grid->rows) grid_grow_rows(board.grid, std::max(highest + 1, books_->venue_count));
    kernels_->apply(board.grid, events, n, books_->row);
    for (int side = 0; side < 2; ++side) {
        const Ladder& ladder = board.grid->side[side];
        const bool stands = ladder.best != NO_KEY;
        const int64_t price = stands ? price_of(*board.grid, side, ladder.best) : 0;
        const int64_t quantity = stands ? level_of(*board.grid, ladder.near[0], ladder.best & 63)[0] : 0;
        if (price == board.best.side[side] && quantity == board.best_quantity.side[side]) continue;
        board.best.side[side] = price;
        board.best_quantity.side[side] = quantity;
        note(board);
    }
    if (!record_) {
        out_.clear();
    } else if (out_.size() > MOST_EVENTS) {
        events_dropped += n;
        out_.resize(mark_);
    } else {
        mark_ = out_.size();
    }
}

void Composer::note(Board& board) {
    if (board.changed) return;
    board.changed = true;
    changes_.push_back(board.instrument);
}

// Keeps an event that changes no book, before those of the message that is being read.
void Composer::record(const Event& event) {
    if (!record_) return;
    if (mark_ >= MOST_EVENTS) {
        ++events_dropped;
        return;
    }
    out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(mark_), event);
    ++mark_;
}

}  // namespace tf::compose
