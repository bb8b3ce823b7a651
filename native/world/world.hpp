// A seeded market that can be traded in: agents act through a venue, and others may. The rules, and the source of each
// number, are those of tests/reference/world.py.
#pragma once
#include <memory>
#include <vector>

#include "event.hpp"
#include "order.hpp"
#include "venue/venue.hpp"
#include "world/flow.hpp"

namespace tf::world {

inline constexpr int64_t NEVER = INT64_MAX;
inline constexpr uint64_t OUTSIDE = uint64_t{1} << 63;  // order ids of others than the agents have this bit

struct Settings {
    uint64_t seed;
    int64_t start, end;  // ns since epoch; no agent acts at or after the end
    int64_t open;        // of the first trading day
    int64_t rate;        // acts a second and symbol
    uint32_t symbols;
    uint16_t venue;  // of events
    uint8_t provider;
};

class World {
  public:
    explicit World(const Settings& settings);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    int64_t now() const { return now_; }
    // When something happens next by itself; NEVER after the end. What `submit` left to tell has happened now.
    int64_t next_time() const;
    // Everything before `until`, then it is `until`.
    void advance(int64_t until);
    // Requests of others, carried out now.
    void submit(const OrderRecord* orders, size_t n);

    // What happened since they were forgotten, in the order of time: events, as one batch received now, and reports to
    // others than the agents.
    const Events& tell();
    const std::vector<ReportRecord>& reports() const { return reports_; }
    void forget_events() { venue_->events.count = venue_->events.ended = 0; }
    void forget_reports(size_t kept) { reports_.resize(kept); }

    // What is displayed now as ADD events in the order of priority: bids, then asks, best price first.
    void show(uint32_t instrument, std::vector<Event>& out) const;

  private:
    void open();
    void sink(size_t place);
    uint32_t instrument_of(const OrderRecord& request) const;

    Settings settings_;
    Venue* venue_;
    int64_t now_;
    bool opened_ = false;
    std::vector<std::unique_ptr<Flow>> flows_;
    std::vector<uint32_t> queue_;  // flows that will act, a heap by (time, index)
    std::vector<ReportRecord> reports_;
};

}  // namespace tf::world
