// The agents of one symbol of a seeded market. Prices are parts of a tick unless a name says ticks; quantities shares.
#pragma once
#include <cstdint>
#include <vector>

#include "event.hpp"
#include "order.hpp"
#include "venue/venue.hpp"
#include "world/draws.hpp"
#include "world/pool.hpp"

namespace tf::world {

inline constexpr int64_t TICK = NANOS / 100;  // one cent

struct Place {
    int64_t price;      // counts of 1e-9; 0: the side is empty
    int64_t quantity;   // displayed there
    uint64_t order_id;  // of the order in front
};

// The best price of a side; sides: 0 bid, 1 ask.
Place best_of(Venue* venue, uint32_t instrument, int side);

class Flow {
  public:
    struct Settings {
        uint64_t seed;
        uint32_t index;
        int64_t start, open;  // ns since epoch: when the flow begins; the opening of a trading day
        int64_t rate;
    };

    // Reports to others than the agents are added to `outside`.
    Flow(const Settings& settings, Venue* venue, std::vector<ReportRecord>& outside);

    int64_t ts() const { return ts_; }  // of the next act
    void open();
    void step();
    // A request of somebody else.
    void enter(const OrderRecord& order);

  private:
    static constexpr int PARTS_OF_IMPACT = 4;

    void wait();
    void hear();
    void decay(int64_t ts);
    void act(int64_t bid, int64_t ask);
    void traded(int64_t shares);
    int64_t value() const;
    int64_t target() const { return 350 - 25 * volatility_; }
    int64_t touch(int side) const;

    int64_t quote(int side);
    int64_t size();
    void make(int side);
    void move(uint64_t order_id);
    void reduce();
    uint64_t leave();
    void take(int side, bool noise);
    int noise_side();
    void correct(int side);
    void hidden();

    OrderRecord request(Action action, uint64_t order_id) const;
    // Carries out a request; the shares it took, above 0 where it bought.
    int64_t send(const OrderRecord& order);
    void follow(const ReportRecord& report);

    Venue* venue_;
    std::vector<ReportRecord>& outside_;
    uint32_t index_;
    int64_t rate_, open_, ts_;
    Draws news_, draws_;
    int64_t unit_, permanent_, kicks_[PARTS_OF_IMPACT];
    int64_t fair_, transient_[PARTS_OF_IMPACT] = {}, grid_, volatility_ = 2;
    uint64_t orders_ = 0;
    Pool pool_;
    std::vector<ReportRecord> room_;
};

}  // namespace tf::world
