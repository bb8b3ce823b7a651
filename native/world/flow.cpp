#include "world/flow.hpp"

#include "book/orders.hpp"
#include "book/pages.hpp"
#include "venue/records.hpp"

namespace tf::world {
namespace {

constexpr int64_t PARTS = int64_t{1} << 26;
constexpr int64_t SESSION = 23'400 * NANOS;
constexpr int64_t DAY = 86'400 * NANOS;
constexpr uint64_t AGENTS = uint64_t{1} << 42;  // streams of what agents draw
constexpr int64_t SHARES_PER_ACT = 15;
constexpr int64_t LEAST = 200 * PARTS, MOST = (int64_t{1} << 20) * PARTS;
constexpr int64_t MOST_TICKS = int64_t{1} << 30;
constexpr int64_t GRID = NANOS / 8;
constexpr int64_t DECAY[8] = {4294967296, 3938502376, 3611622603, 3311872529,
                              3037000500, 2784941738, 2553802834, 2341847524};  // 2^(32 - k/8)
constexpr int64_t WEIGHTS[4] = {1'024, 362, 128, 45};
constexpr size_t ROOM = 512;

int64_t floor_over(int64_t value, int64_t divisor) {  // divisor > 0
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

int64_t ceiling_over(int64_t value, int64_t divisor) { return -floor_over(-value, divisor); }

int64_t clamped(int64_t value, int64_t low, int64_t high) { return value < low ? low : value > high ? high : value; }

int64_t root_of(int64_t value) {  // the largest integer whose square is not above it
    int64_t root = 0;
    for (int64_t bit = int64_t{1} << 31; bit != 0; bit >>= 1) {
        if ((root + bit) <= value / (root + bit)) root += bit;
    }
    return root;
}

}  // namespace

Place best_of(Venue* venue, uint32_t instrument, int side) {
    const Grid& grid = *venue_book(venue, instrument);
    const Ladder& ladder = grid.side[side];
    if (ladder.best == NO_KEY) return {0, 0, 0};
    const int64_t* const level = level_of(grid, ladder.near[0], ladder.best & 63);
    return {price_of(grid, side, ladder.best), level[0], venue->orders->pool[queue_of(level).head].id};
}

Flow::Flow(const Settings& settings, Venue* venue, std::vector<ReportRecord>& outside)
    : venue_(venue),
      outside_(outside),
      index_(settings.index),
      rate_(settings.rate),
      open_(settings.open),
      ts_(settings.start),
      news_(settings.seed, settings.index),
      draws_(settings.seed, AGENTS | settings.index),
      grid_(floor_over(settings.start, GRID)),
      room_(ROOM) {
    const int64_t price = 2'000 + news_.below(48'000);
    const int64_t acts = rate_ * 23'400;
    unit_ = price * PARTS * 15 / 1'000 / root_of(acts);
    unit_ = clamped(unit_, PARTS / 256, PARTS / 8);
    const int64_t day = unit_ * root_of(acts), volume = acts * SHARES_PER_ACT;
    permanent_ = day / volume;
    for (int i = 0; i < PARTS_OF_IMPACT; ++i) {
        kicks_[i] = static_cast<int64_t>(static_cast<__int128>(168) * day * WEIGHTS[i] / 1'024 / volume);
    }
    fair_ = price * PARTS;
}

void Flow::open() {
    publish(*venue_, Kind::STATUS, index_, ts_, 0, 0, 0, 0, static_cast<uint32_t>(Status::TRADING));
    end_events(*venue_);
    for (int i = 0; i < 150; ++i) {
        make(0);
        make(1);
    }
    wait();
}

void Flow::wait() {
    int64_t since = (ts_ - open_) % DAY;
    if (since < 0) since += DAY;
    const int64_t x = (since < SESSION ? since : SESSION) * 2'000 / SESSION - 1'000;
    ts_ += news_.waiting(NANOS / rate_) * 1'000'000 / (500'000 + 3 * x * x / 2);
}

void Flow::step() {
    decay(ts_);
    hear();
    const int64_t bid = touch(0), ask = touch(1), worth = value();
    const int64_t low = floor_over(worth + PARTS / 5 - 1, PARTS), high = ceiling_over(worth - PARTS / 5 + 1, PARTS);
    if (bid != 0 && ask != 0 && !(bid <= low && high <= ask) && draws_.below(3) != 0) {
        correct(worth >= ask * PARTS ? 1 : 0);
    } else {
        act(bid, ask);
    }
    wait();
}

void Flow::act(int64_t bid, int64_t ask) {
    const int64_t act = draws_.below(1'000);
    if (act < 30) {
        take(noise_side(), true);
    } else if (act < 40) {
        if (bid != 0 && ask != 0) hidden();
    } else if (act < 80) {
        reduce();
    } else if (act < 160) {
        if (const uint64_t order_id = leave()) move(order_id);
    } else if (draws_.below(2 * target()) < static_cast<int64_t>(pool_.size())) {
        if (const uint64_t order_id = leave()) send(request(Action::CANCEL, order_id));
    } else {
        make(draws_.below(2) != 0 ? 0 : 1);
    }
}

void Flow::hear() {
    const uint64_t word = news_.word();
    const int64_t half = unit_ * 433 / 1'000 * volatility_;
    int64_t drawn = 0;
    for (int i = 0; i < 4; ++i) drawn += static_cast<int64_t>(word >> 16 * i & 0xFFFF) * (2 * half + 1) >> 16;
    fair_ = clamped(fair_ + drawn - 4 * half, LEAST, MOST);
    if (news_.below(4 * rate_) == 0) {
        const bool up = news_.below(8) < (volatility_ < 2 ? 5 : 3);
        volatility_ = clamped(volatility_ + (up ? 1 : -1), 1, 8);
    }
}

void Flow::decay(int64_t ts) {
    const int64_t grid = floor_over(ts, GRID);
    if (grid == grid_) return;
    for (int i = 0; i < PARTS_OF_IMPACT; ++i) {
        const int64_t steps = (grid >> 3 * i) - (grid_ >> 3 * i);
        const auto left = static_cast<int64_t>(static_cast<__int128>(transient_[i]) * DECAY[steps & 7] >> 32);
        transient_[i] = left >> (steps >> 3 < 63 ? steps >> 3 : 63);
    }
    grid_ = grid;
}

void Flow::traded(int64_t shares) {
    fair_ = clamped(fair_ + permanent_ * shares, LEAST, MOST);
    for (int i = 0; i < PARTS_OF_IMPACT; ++i) transient_[i] = clamped(transient_[i] + kicks_[i] * shares, -MOST, MOST);
}

int64_t Flow::value() const {
    return clamped(fair_ + transient_[0] + transient_[1] + transient_[2] + transient_[3], LEAST, MOST);
}

int64_t Flow::touch(int side) const {
    const int64_t ticks = best_of(venue_, index_, side).price / TICK;
    return ticks < MOST_TICKS ? ticks : MOST_TICKS;
}

int64_t Flow::quote(int side) {
    const int64_t missing = target() - static_cast<int64_t>(pool_.size());
    const int64_t half = 3 * PARTS / 10 + volatility_ * unit_ * 3 / 2 + (missing > 0 ? missing : 0) * PARTS / 250;
    int64_t distance = draws_.geometric();
    distance += draws_.below(4) == 0 ? draws_.below(24) : draws_.below(5);
    const int64_t other = touch(1 - side);
    if (side == 0) {
        const int64_t price = floor_over(value() - half, PARTS) - distance;
        return other != 0 && other - 1 < price ? other - 1 : price;
    }
    const int64_t price = ceiling_over(value() + half, PARTS) + distance;
    return other + 1 > price ? other + 1 : price;
}

int64_t Flow::size() { return draws_.below(4) == 0 ? 1 + draws_.below(99) : 100 * (1 + draws_.geometric()); }

void Flow::make(int side) {
    const int64_t price = quote(side), shares = size();
    if (price <= 0) return;
    OrderRecord order = request(Action::NEW, uint64_t{index_} << 40 | ++orders_);
    order.side = static_cast<uint8_t>(side + 1);
    order.price = price * TICK;
    order.quantity = shares * NANOS;
    order.tif = TimeInForce::GTC;
    send(order);
}

void Flow::move(uint64_t order_id) {
    const Resting resting = *pool_.find(order_id);
    const int64_t price = quote(resting.side - 1), shares = size();
    if (price <= 0) return;
    OrderRecord order = request(Action::REPLACE, order_id);
    order.price = price * TICK;
    order.quantity = resting.cumulative + shares * NANOS;
    send(order);
}

void Flow::reduce() {
    const uint64_t order_id = leave();
    if (order_id == 0) return;
    const Resting resting = *pool_.find(order_id);
    const int64_t shares = resting.leaves / NANOS;
    if (shares <= 1) return;
    OrderRecord order = request(Action::REPLACE, order_id);
    order.price = resting.price;
    order.quantity = resting.cumulative + (1 + draws_.below(shares - 1)) * NANOS;
    send(order);
}

uint64_t Flow::leave() {
    if (pool_.size() == 0) return 0;
    const auto count = static_cast<int64_t>(pool_.size());
    const int64_t worth = value();
    const Resting& one = pool_[static_cast<size_t>(draws_.below(count))];
    const Resting& two = pool_[static_cast<size_t>(draws_.below(count))];
    const int64_t first = one.price / TICK * PARTS - worth, second = two.price / TICK * PARTS - worth;
    return (first < 0 ? -first : first) >= (second < 0 ? -second : second) ? one.order_id : two.order_id;
}

void Flow::take(int side, bool noise) {
    const int64_t shares = size() * (1 + draws_.geometric());
    const int64_t best = best_of(venue_, index_, side).price;
    if (best == 0 || best > MOST_TICKS * TICK) return;
    const int64_t price = side == 1 ? best + 2 * TICK : best - 2 * TICK;
    if (price <= 0) return;
    OrderRecord order = request(Action::NEW, uint64_t{index_} << 40 | ++orders_);
    order.side = static_cast<uint8_t>(2 - side);
    order.price = price;
    order.quantity = shares * NANOS;
    order.tif = TimeInForce::IOC;
    const int64_t taken = send(order);
    if (noise) traded(taken);
}

int Flow::noise_side() {
    const int64_t bid = best_of(venue_, index_, 0).quantity / NANOS, ask = best_of(venue_, index_, 1).quantity / NANOS;
    const int64_t buys = bid + ask != 0 ? 250 + 500 * bid / (bid + ask) : 500;
    return draws_.below(1'000) < buys ? 1 : 0;
}

void Flow::correct(int side) {
    const uint64_t front = best_of(venue_, index_, side).order_id;
    if (pool_.find(front) != nullptr && draws_.below(2) == 0) {
        move(front);
    } else {
        take(side, false);
    }
}

void Flow::hidden() {
    const int64_t bid = best_of(venue_, index_, 0).price, ask = best_of(venue_, index_, 1).price;
    const auto side = static_cast<uint8_t>(draws_.below(2) != 0 ? Side::BID : Side::ASK);
    publish(*venue_, Kind::TRADE, index_, ts_, side, 0, bid + (ask - bid) / 2, size() * NANOS);
    venue_->events.first[venue_->events.count - 1].flags |= HIDDEN;
    end_events(*venue_);
}

OrderRecord Flow::request(Action action, uint64_t order_id) const {
    OrderRecord order{};
    order.ts = ts_;
    order.order_id = order_id;
    order.instrument = index_;
    order.action = action;
    return order;
}

int64_t Flow::send(const OrderRecord& order) {
    const Answers answers = venue_apply(venue_, &order, 1, room_.data(), room_.size());
    int64_t bought = 0;
    for (size_t i = 0; i < answers.count; ++i) {
        const ReportRecord& report = answers.first[i];
        if (report.owner != 0) {
            outside_.push_back(report);
        } else {
            follow(report);
        }
        if (report.kind == ReportKind::FILL && (report.flags & static_cast<uint8_t>(ReportFlag::TAKER)) != 0) {
            bought += report.side == 1 ? report.quantity : -report.quantity;
        }
    }
    return bought / NANOS;
}

void Flow::enter(const OrderRecord& order) {
    decay(order.ts);
    traded(send(order));
}

// An order that comes at once and goes at once is never in the pool between two requests, so nobody draws it.
void Flow::follow(const ReportRecord& report) {
    if (report.kind == ReportKind::REJECTED) return;
    Resting* const resting = pool_.find(report.order_id);
    if (report.leaves == 0) {
        if (resting != nullptr) pool_.remove(report.order_id);
        return;
    }
    if (resting == nullptr) {
        pool_.add({report.order_id, report.price, report.leaves, report.cumulative, report.side});
        return;
    }
    if (report.kind == ReportKind::REPLACED) resting->price = report.price;
    resting->leaves = report.leaves;
    resting->cumulative = report.cumulative;
}

}  // namespace tf::world
