#include "world/levels.hpp"

#include "book/orders.hpp"
#include "book/pages.hpp"

namespace tf::world {

LevelFeed::LevelFeed(uint16_t venue, uint8_t provider)
    : books_(set_create(Form::QUEUES, 1)), venue_(venue), provider_(provider) {}

LevelFeed::~LevelFeed() { set_destroy(books_); }

const std::vector<Event>& LevelFeed::convert(const Event* events, size_t n) {
    out_.clear();
    for (size_t i = 0; i < n; ++i) {
        const Event& event = events[i];
        if (event.kind == Kind::STATUS) {
            Event& told = tell(event, Kind::STATUS);
            told.flags = LAST;
            told.conditions = event.conditions;
            continue;
        }
        if (event.kind == Kind::EXECUTE || event.kind == Kind::TRADE) {
            Event& told = tell(event, Kind::TRADE);
            told.price = event.price;
            told.quantity = event.quantity;
            told.order_id = ++trades_;
            told.side = event.side;
            if (event.kind == Kind::TRADE) told.conditions = event.conditions;
        }
        apply(event);
        if ((event.flags & LAST) != 0) end(event);
    }
    return out_;
}

Event& LevelFeed::tell(const Event& cause, Kind kind) {
    Event& told = out_.emplace_back();
    told.ts_event = cause.ts_event;
    told.ts_recv = cause.ts_recv;
    told.instrument = cause.instrument;
    told.venue = venue_;
    told.provider = provider_;
    told.kind = kind;
    return told;
}

void LevelFeed::apply(const Event& event) {
    if (event.kind < Kind::ADD || event.kind > Kind::EXECUTE || event.instrument >= MOST_INSTRUMENTS) return;
    Grid* const grid = set_open(books_, event.instrument);
    if (event.kind == Kind::ADD) {
        note({event.instrument, static_cast<uint8_t>(event.side), event.price});
    } else {
        const uint32_t found = grid->orders->table[order_find(*grid->orders, event.order_id)];
        if (found == 0) return;
        const Order& order = grid->orders->pool[found - 1];
        const auto side = static_cast<int>(page_of(order)->side);
        const int64_t key = page_of(order)->number * 64 + slot_of(order);
        note({event.instrument, static_cast<uint8_t>(side + 1), price_of(*grid, side, key)});
        if (event.kind == Kind::REPLACE) note({event.instrument, static_cast<uint8_t>(side + 1), event.price});
    }
    book_kernels().apply(grid, &event, 1, nullptr);
}

void LevelFeed::note(const Place& place) {
    for (const Place& known : changed_) {
        if (known.price == place.price && known.side == place.side && known.instrument == place.instrument) return;
    }
    changed_.push_back(place);
}

int64_t LevelFeed::standing(const Place& place) const {
    const Grid& grid = *books_->grids[place.instrument];
    const int side = place.side - 1;
    const uint64_t value = grid_value(grid, place.price);
    if (grid.limit < 0 || side < 0 || side > 1 || value > grid_bound(grid)) return 0;
    const int64_t key = static_cast<int64_t>(value - static_cast<uint64_t>(grid.limit)) ^ mirror(side);
    const Page* const page = page_find(grid.side[side], key >> 6);
    return page == nullptr ? 0 : level_of(grid, page, key & 63)[0];
}

// The atomic event ends: what it changed, as it stands now.
void LevelFeed::end(const Event& cause) {
    for (const Place& place : changed_) {
        Event& told = tell(cause, Kind::LEVEL);
        told.instrument = place.instrument;
        told.side = static_cast<Side>(place.side);
        told.price = place.price;
        told.quantity = standing(place);
    }
    changed_.clear();
    if (!out_.empty()) out_.back().flags = LAST;
}

}  // namespace tf::world
