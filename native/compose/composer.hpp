// One composed book of many sources, by the eight rules of DESIGN.md section 4. Slow twin: tests/reference/composer.py.
//
// A source is one provider's channel, of one role. What it says of an instrument is kept in a State of its own, whoever
// leads. A Board is what is composed of an instrument: who leads what, and what its book shows. A message is what a
// source says up to Flag LAST, to another instrument, or to the end of the call; each is judged, may elect, and is shown
// at once.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "book/book.hpp"
#include "event.hpp"

namespace tf::compose {

enum class Role : uint8_t { DEPTH, TOP, MONTAGE, NBBO, PRINTS };
inline constexpr uint32_t ROLES = 5;

inline constexpr uint32_t MOST_SOURCES = 64;
inline constexpr uint32_t NOWHERE = MOST_VENUES;        // row of a venue that no book has room for
inline constexpr int64_t REPLAY_NS = 1'000'000'000;     // a stamp this much older is no reordering
inline constexpr int64_t LATE_NS = 50'000'000;          // so much of it is usual of a feed
inline constexpr int64_t FRESH_NS = 1'000'000'000;      // so long a print says what a price is
inline constexpr int64_t DENIED_NS = 10'000'000'000;    // so long it counts that somebody said the contrary
inline constexpr int64_t ANCHOR_NS = 60'000'000'000;    // after so long what stands is usual
inline constexpr uint32_t QUIET_PRINTS = 5;             // by others: who gave none of them is quiet
inline constexpr int64_t QUIET_NS = 500'000'000;        // if they took so long
inline constexpr int64_t ROUND_LOT = 100 * NANOS;       // an odd lot better than the NBBO is no disagreement
inline constexpr size_t MOST_TRADES = size_t{1} << 20;  // waiting to be taken; newer ones are dropped and counted
inline constexpr size_t MOST_EVENTS = size_t{1} << 22;  // the same of recorded events

inline constexpr uint32_t LATE_RUN =
    4;  // late messages in their own order from which on it is the clock that went back
inline constexpr size_t PRINTS_KEPT = 8;  // ids of prints a source and instrument, by which repeated ones are known

// Why a source is not believed in what it says of an instrument.
enum class Suspect : uint8_t { NO, CROSSED, SCALE, REPLAY, LATE };

struct Slot {
    int64_t price;     // 0 none
    int64_t quantity;  // 0 none
    uint32_t row;      // of its venue in the books; NOWHERE none
};

struct Price {
    int64_t side[2];  // best bid and ask, 0 none
};

// The best of each participant.
struct Montage {
    Slot quote[2][MOST_VENUES];
    uint64_t rows;  // bit a row: it quotes
};

// What a source says of an instrument.
struct State {
    Slot slot[2];       // NBBO, TOP
    Price top;          // PRINTS: the last price, twice
    Price was;          // the last whole top
    uint64_t since;     // number of the message from which on it says about what it says
    int64_t denied_at;  // when somebody last said the contrary who had heard it; 0: nobody
    int64_t latest;     // newest stamp, never later than its receipt
    int64_t ts_event, ts_recv;
    int64_t late;  // stamp of the last late message
    uint32_t late_run;
    uint32_t print_count;
    uint64_t print_ids[PRINTS_KEPT];
    uint64_t sequence;
    uint64_t arrived;  // number of its last message among all messages
    bool has;          // it says something since it was subscribed or reset
    bool waits;        // DEPTH after a reset: for a snapshot
    bool prints;       // it has given a print
    bool quiet;        // it gave none where others gave several
    uint8_t status;    // market state it told last, 0 none
    uint64_t status_at;
    uint32_t print_gap, print_run;  // prints of others since its last; of its own that were not far apart
    int64_t print_gap_since;
    bool better[2];  // NBBO: a depth or top of a venue stood above it at its last message
    Suspect suspect;
    Grid* book;        // DEPTH
    Montage* montage;  // MONTAGE
};

// What a row of the composed book shows on one side where no depth leads.
struct Shown {
    Slot slot, base;
};

inline bool halted(uint8_t status) {
    return status == static_cast<uint8_t>(Status::HALTED) || status == static_cast<uint8_t>(Status::PAUSED);
}

// ns from `then` to `now`, as far as they can be told.
inline int64_t elapsed(int64_t now, int64_t then) {
    int64_t span = 0;
    return __builtin_sub_overflow(now, then, &span) ? INT64_MAX : span;
}

// What is composed of an instrument.
struct Board {
    uint32_t instrument;
    Grid* grid;
    uint64_t subscribed[ROLES];  // bit a source
    uint64_t good;               // bit a source: trusted, with a book, not suspect
    uint64_t disputed;           // likewise, but contradicted
    Price anchor;                // the last top that was believed
    int64_t anchor_at;
    uint64_t depth_rows, top_rows;  // bit a row: a source leads there
    uint64_t full;                  // bit a row: it shows a depth
    uint64_t shown_rows;            // bit a row: it shows slots
    Price best;                     // of the composed book, as it was last reported
    Price best_quantity;
    Slot nbbo[2];  // likewise; its row is where it is shown
    bool masking;  // the NBBO came after the montage
    bool changed;
    uint8_t status;
    int8_t leader[ROLES];  // NBBO, MONTAGE, PRINTS; -1 none
    int8_t depth[MOST_VENUES], top[MOST_VENUES];
    Shown shown[MOST_VENUES][2];
};

// What happened on a source.
struct Line {
    int64_t last_recv, last_event;
    uint64_t events;
    uint64_t updates;  // messages that were judged: applied, or left out as late or replayed
    uint64_t duplicates, reordered, replayed;
    uint64_t crossed, scaled;  // messages judged so
    uint64_t suspect_run;      // suspect messages since the last good one
    uint64_t trades;
    uint64_t refused;       // events its role does not have, or whose numbers are out of range
    uint64_t unsubscribed;  // events of instruments that are not subscribed
    uint64_t waiting;       // events of a depth that waits for its snapshot
    uint64_t disagreements;
    uint64_t peer_updates;  // by other trusted sources of its group since its own last event
    int64_t peer_since, peer_last;
};

struct Source {
    Role role;
    uint8_t provider;
    uint16_t venue;  // DEPTH, TOP
    uint32_t row;
    bool trusted;
    uint32_t rank;
    uint32_t session;  // SYSTEM_* it told last, 0 none
    uint64_t session_at;
    std::vector<State*> states;  // by instrument; null where not subscribed
    Line line;
};

struct Options {
    bool record;
};

class Composer {
  public:
    Composer(BookSet* books, const Options& options);
    ~Composer();
    Composer(const Composer&) = delete;
    Composer& operator=(const Composer&) = delete;

    int add_source(uint8_t provider, Role role, uint16_t venue);  // its index; -1: there is no room for another
    bool subscribe(uint32_t source, uint32_t instrument);         // false: no such instrument can be
    void unsubscribe(uint32_t source, uint32_t instrument);
    void apply(uint32_t source, const Event* events, size_t n);
    void trust(uint32_t source, bool trusted, int64_t now);
    void reset(uint32_t source, int64_t now);
    void reset(uint32_t source, uint32_t instrument, int64_t now);
    void rank(uint32_t source, uint32_t rank, int64_t now);

    int leader(uint32_t instrument, Role role, uint16_t venue) const;  // -1 none
    const State* state(uint32_t source, uint32_t instrument) const;    // null: not subscribed
    const Board* board(uint32_t instrument) const;                     // null: never subscribed
    uint32_t status(uint32_t instrument) const;  // 0 none; NO_INSTRUMENT: the last SYSTEM_* of the session
    const std::vector<Source*>& sources() const { return sources_; }
    const std::vector<uint32_t>& changes() const { return changes_; }  // whoever copies them calls took_changes()
    void took_changes();
    const std::vector<Event>& trades() const { return trades_; }
    void took_trades() { trades_.clear(); }
    const std::vector<Event>& events() const { return out_; }  // recorded ones
    void took_events();
    uint64_t trades_dropped = 0, events_dropped = 0;

  private:
    struct Level {
        int64_t price, quantity;
    };

    // what a source says: apply.cpp
    void open(Source& source, State& state, const Event& event);
    bool refuse_old(Source& source, State& state, const Event& event);
    void close();
    bool shows(const Source& source, Board& board);
    void change(Source& source, State& state, const Event& event);
    bool change_depth(Source& source, State& state, const Event& event);
    bool change_top(Source& source, State& state, const Event& event);
    bool change_nbbo(State& state, const Event& event);
    bool change_montage(State& state, const Event& event);
    bool seen(Source& source, State& state, const Event& event);
    void trade(Source& source, const Event& event);
    void take_status(Source& source, const Event& event);
    void count_peers(const Source& source, Role role, uint32_t instrument, int64_t now);
    void hear_print(const Source& source, State& state, const Event& event);
    uint32_t row_of(uint16_t venue);

    // who is contradicted: judge.cpp
    uint64_t voters(const Board& board, int64_t now) const;
    bool contradicts(uint32_t one, uint32_t other, uint32_t instrument) const;
    bool agrees(uint32_t one, uint32_t other, uint32_t instrument) const;
    int camp(uint32_t source, uint32_t instrument, uint64_t voters) const;
    bool judge(int64_t now);
    void lay_anchor(int64_t now);
    bool calm(uint64_t others) const;
    bool settle(uint64_t others, int64_t now);
    void weigh_print(Source& source, State& state, const Event& event);

    // states of the market: elect.cpp
    void settle_status(uint32_t instrument, const Event& cause);
    void settle_session();

    // who leads: elect.cpp
    bool may_lead(uint32_t source, uint32_t instrument, bool prints) const;
    bool before(uint32_t source, int other) const;
    int elect(uint64_t candidates, uint32_t instrument, bool prints) const;
    void elect_prints(uint32_t instrument);
    uint64_t elect_venues(uint32_t instrument, Role role, int8_t* leaders, uint64_t* rows);
    uint64_t elect_all(uint32_t instrument);  // rows whose depth leader is another one now
    void recompose(uint32_t source, uint32_t instrument, int64_t ts_event, int64_t now);
    void recompose_all(uint32_t source, int64_t now);

    // what the book shows: show.cpp
    void begin(const Source& source, uint32_t instrument, int64_t ts_event, int64_t ts_recv, uint64_t sequence);
    void show_level(uint32_t row, int side, int64_t price, int64_t quantity, uint8_t provider);
    Shown target(const Board& board, uint32_t row, int side) const;
    void show_slots(Board& board, uint32_t row, int side);
    void show_row(Board& board, uint32_t row, bool anew);
    void show_difference(uint32_t row, int side, uint8_t provider);
    void take_nbbo(Board& board, uint64_t* rows);
    void show_nbbo(Board& board);
    void show_all(Board& board, uint64_t anew);
    void finish(Board& board);
    void note(Board& board);
    void record(const Event& event);

    BookSet* books_;
    const BookKernels* kernels_;
    bool record_;
    uint32_t session_ = 0;
    uint64_t arrivals_ = 0;
    std::vector<Source*> sources_;
    std::vector<Board*> boards_;  // by instrument
    Arena arena_{};               // where boards, states and depths lie
    std::vector<uint32_t> changes_;
    std::vector<Event> trades_;
    std::vector<Event> out_;  // composed events; those from mark_ on are not applied yet
    size_t mark_ = 0;
    Event blank_{};  // what the events of this message share
    std::vector<Level> before_, after_;

    // the message that is being read
    Source* source_ = nullptr;
    uint32_t index_ = 0;
    uint32_t instrument_ = 0;
    State* open_ = nullptr;
    bool taken_ = false;         // it changed the state
    bool had_ = false;           // there was a state before
    bool skips_ = false;         // its events are not applied
    Suspect old_ = Suspect::NO;  // because of its stamp
    bool leads_ = false;         // a depth that led when it began: its events are shown as they come
    uint64_t first_sequence_ = 0;
    int64_t ts_event_ = 0, ts_recv_ = 0;
};

}  // namespace tf::compose
