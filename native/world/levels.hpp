// From order-by-order events to what a price-level feed tells: levels, and prints of executions.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "book/book.hpp"
#include "event.hpp"

namespace tf::world {

class LevelFeed {
  public:
    // `venue` and `provider` are those of the events that come out.
    LevelFeed(uint16_t venue, uint8_t provider);
    ~LevelFeed();
    LevelFeed(const LevelFeed&) = delete;
    LevelFeed& operator=(const LevelFeed&) = delete;

    // One LEVEL for each level that an atomic event changed, at its end; the result holds until the next call.
    const std::vector<Event>& convert(const Event* events, size_t n);

  private:
    struct Place {
        uint32_t instrument;
        uint8_t side;  // as in events
        int64_t price;
    };

    Event& tell(const Event& cause, Kind kind);
    void apply(const Event& event);
    void note(const Place& place);
    int64_t standing(const Place& place) const;
    void end(const Event& cause);

    BookSet* books_;
    uint16_t venue_;
    uint8_t provider_;
    uint64_t trades_ = 0;
    std::vector<Place> changed_;
    std::vector<Event> out_;
};

}  // namespace tf::world
