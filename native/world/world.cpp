#include "world/world.hpp"

#include <utility>

#include "book/orders.hpp"
#include "book/pages.hpp"

namespace tf::world {

World::World(const Settings& settings)
    : settings_(settings), venue_(venue_create(true, settings.venue, settings.provider)), now_(settings.start) {
    for (uint32_t index = 0; index < settings.symbols; ++index) {
        venue_list(venue_, TICK, NANOS);
        flows_.push_back(std::make_unique<Flow>(
            Flow::Settings{settings.seed, index, settings.start, settings.open, settings.rate}, venue_, reports_));
    }
}

World::~World() { venue_destroy(venue_); }

void World::open() {
    opened_ = true;
    for (uint32_t index = 0; index < flows_.size(); ++index) {
        flows_[index]->open();
        queue_.push_back(index);
    }
    for (size_t place = queue_.size() / 2; place-- > 0;) sink(place);
}

int64_t World::next_time() const {
    if (venue_->events.count != 0) return now_;
    if (!opened_) return settings_.start;
    const int64_t next = queue_.empty() ? NEVER : flows_[queue_[0]]->ts();
    return next < settings_.end ? next : NEVER;
}

void World::advance(int64_t until) {
    const int64_t stop = until < settings_.end ? until : settings_.end;
    if (!opened_ && stop > settings_.start) open();
    while (!queue_.empty()) {
        Flow& flow = *flows_[queue_[0]];
        if (flow.ts() >= stop) break;
        flow.step();
        sink(0);
    }
    if (until > now_) now_ = until;
}

const Events& World::tell() {
    Events& told = venue_->events;
    for (size_t i = 0; i < told.count; ++i) told.first[i].ts_recv = now_;
    if (told.count != 0) told.first[told.count - 1].flags |= BATCH_END;
    return told;
}

void World::submit(const OrderRecord* orders, size_t n) {
    if (!opened_) open();
    for (size_t i = 0; i < n; ++i) {
        OrderRecord order = orders[i];
        order.ts = now_;
        const uint32_t index = instrument_of(order);
        flows_[index]->enter(order);
    }
}

// Whose flow a request belongs to: a new order names it, of others the venue knows. Requests that it will refuse go
// through any flow.
uint32_t World::instrument_of(const OrderRecord& request) const {
    uint32_t index = request.instrument;
    const Orders& orders = *venue_->orders;
    const uint32_t found = orders.table[order_find(orders, request.order_id)];
    if (request.action != Action::NEW && found != 0) index = page_of(orders.pool[found - 1])->instrument;
    return index < flows_.size() ? index : 0;
}

// Restores the heap below a place whose flow acts later than it did.
void World::sink(size_t place) {
    const auto sooner = [this](uint32_t one, uint32_t two) {
        const int64_t first = flows_[one]->ts(), second = flows_[two]->ts();
        return first != second ? first < second : one < two;
    };
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= queue_.size()) return;
        if (child + 1 < queue_.size() && sooner(queue_[child + 1], queue_[child])) ++child;
        if (!sooner(queue_[child], queue_[place])) return;
        std::swap(queue_[child], queue_[place]);
        place = child;
    }
}

void World::show(uint32_t instrument, std::vector<Event>& out) const {
    const Grid& grid = *venue_book(venue_, instrument);
    for (int side = 0; side < 2; ++side) {
        const Ladder& ladder = grid.side[side];
        for (uint32_t i = ladder.page_count; i-- > 0;) {
            const Page* const page = ladder.pages[i];
            for (uint64_t bits = page->bits; bits != 0; bits &= bits - 1) {
                const int slot = __builtin_ctzll(bits);
                const int64_t price = price_of(grid, side, page->number * 64 + slot);
                uint32_t at = queue_of(level_of(grid, page, slot)).head;
                for (; at != NO_ORDER; at = venue_->orders->pool[at].next) {
                    const Order& order = venue_->orders->pool[at];
                    out.push_back({now_, now_, price, order.quantity, 0, order.id, instrument, settings_.venue,
                                   settings_.provider, Kind::ADD, static_cast<Side>(side + 1), SNAPSHOT, 0, 0});
                }
            }
        }
    }
}

}  // namespace tf::world
