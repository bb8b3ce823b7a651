// What goes to a venue and what it answers, the same layouts as engine.core.orders (tests compare offsets).
#pragma once
#include <cstddef>
#include <cstdint>

namespace tf {

enum class Action : uint8_t { NONE = 0, NEW, CANCEL, REPLACE };
enum class OrderType : uint8_t { LIMIT = 0, MARKET };
enum class TimeInForce : uint8_t { DAY = 0, GTC, IOC, FOK };
enum OrderFlag : uint8_t { POST_ONLY = 1 };

enum class ReportKind : uint8_t { NONE = 0, ACCEPTED, FILL, CANCELLED, REPLACED, REJECTED, EXPIRED };

enum class Reason : uint8_t {
    NONE = 0,
    UNKNOWN_ORDER,
    DUPLICATE_ID,
    WOULD_CROSS,
    NO_LIQUIDITY,
    HALTED,
    UNKNOWN_INSTRUMENT,
    BAD_ACTION,
    BAD_SIDE,
    BAD_TYPE,
    BAD_PRICE,
    BAD_QUANTITY,
    BAD_DISPLAY,
    BAD_FLAGS,
    LEVEL_FULL,
};

enum class ReportFlag : uint8_t { MAKER = 1, TAKER = 2, LAST = 4 };

struct OrderRecord {
    int64_t ts;         // ns since epoch
    int64_t price;      // counts of 1e-9; 0 for MARKET
    int64_t quantity;   // counts of 1e-9; REPLACE: the new whole quantity
    int64_t display;    // shown at a time; 0: all of it
    uint64_t order_id;  // the sender's, unique among live orders of the venue
    uint32_t instrument;
    uint32_t owner;
    Action action;
    uint8_t side;  // Side::BID buys
    OrderType type;
    TimeInForce tif;
    uint8_t flags;
    uint8_t reserved[11];  // 0
};
static_assert(sizeof(OrderRecord) == 64 && offsetof(OrderRecord, action) == 48);

struct ReportRecord {
    int64_t ts;
    int64_t price;
    int64_t quantity;
    int64_t leaves;
    int64_t cumulative;
    uint64_t order_id;
    uint64_t execution_id;  // the same on both sides of a trade; 0 for what is no fill
    uint32_t instrument;
    uint32_t owner;
    ReportKind kind;
    Reason reason;
    uint8_t side;
    uint8_t flags;
    Action action;
    uint8_t reserved[3];
};
static_assert(sizeof(ReportRecord) == 72 && offsetof(ReportRecord, kind) == 64);

}  // namespace tf
