// The one record: 64 bytes, little-endian, the same layout as engine.EVENT (tests compare offsets).
#pragma once
#include <cstddef>
#include <cstdint>

namespace tf {

inline constexpr int64_t NANOS = 1'000'000'000;  // counts of 1e-9: every price and quantity

enum class Kind : uint8_t {
    NONE = 0,     // a zeroed record is no event; books count it as unknown_kind
    CLEAR,        // the venue's book (side NONE) or one side of it is empty now
    LEVEL,        // absolute quantity at a price, 0 deletes
    NBBO,         // one slot a side for the whole market
    QUOTE,        // the venue's own best on one side: replaces that side
    ADD,          // a new order at the back of its level
    REDUCE,       // quantity is taken off an order
    DELETE,       // the order leaves
    REPLACE,      // the order keeps its id; price and quantity are new and absolute
    EXECUTE,      // quantity of a resting order was executed
    TRADE,        // a print; changes no book
    TRADE_BREAK,  // a print was cancelled; order_id is the trade id
    STATUS,       // conditions holds a Status
};

enum class Side : uint8_t { NONE = 0, BID = 1, ASK = 2 };

enum Flag : uint8_t {
    LAST = 1,            // the venue's atomic event ends
    BATCH_END = 2,       // our batch ends
    SNAPSHOT = 4,        // part of a snapshot
    HIDDEN = 8,          // against non-displayed liquidity
    HASHED_ID = 16,      // order_id is a hash of a non-numeric id
    KEEP_PRIORITY = 32,  // REPLACE: the order keeps its place when the price is unchanged
};

enum Condition : uint32_t {
    NO_LAST = 1,
    NO_HIGH_LOW = 2,
    NO_VOLUME = 4,
    ODD_LOT = 8,
    NON_FIRM = 16,
    AUCTION = 32,
    EXTENDED_HOURS = 64,
    SWEEP = 128,
    TRADE_THROUGH_EXEMPT = 256,
};

// conditions of a STATUS event; SYSTEM_* come with instrument NO_INSTRUMENT
enum class Status : uint32_t {
    TRADING = 1,
    HALTED = 2,
    PAUSED = 3,
    QUOTE_ONLY = 4,
    SHORT_RESTRICTED = 5,
    SHORT_UNRESTRICTED = 6,
    OPENING_DONE = 7,
    CLOSING_DONE = 8,
    SYSTEM_START_MESSAGES = 16,
    SYSTEM_START_HOURS = 17,
    SYSTEM_START_MARKET = 18,
    SYSTEM_END_MARKET = 19,
    SYSTEM_END_HOURS = 20,
    SYSTEM_END_MESSAGES = 21,
    OPERATIONAL_HALTED = 32,
    OPERATIONAL_TRADING = 33,
};

inline constexpr uint32_t NO_INSTRUMENT = 0xFFFFFFFFu;

struct Event {
    int64_t ts_event;   // ns since epoch: the venue's or provider's stamp
    int64_t ts_recv;    // ns since epoch: ours at the frame callback
    int64_t price;      // counts of 1e-9
    int64_t quantity;   // counts of 1e-9
    uint64_t sequence;  // the venue's or provider's, 0 if none
    uint64_t order_id;  // order-by-order feeds; trade id for trades
    uint32_t instrument;
    uint16_t venue;
    uint8_t provider;
    Kind kind;
    Side side;
    uint8_t flags;
    uint16_t reserved;  // 0
    uint32_t conditions;
};
static_assert(sizeof(Event) == 64 && offsetof(Event, instrument) == 48 && offsetof(Event, conditions) == 60);

}  // namespace tf
