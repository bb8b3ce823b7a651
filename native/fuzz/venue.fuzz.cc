// Requests of eight bytes each to a venue: the reports must be the same whole, in pieces and into memory that is too
// small; quantity is conserved; the books stay sound and uncrossed; and the public events make the displayed books.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "book/book.hpp"
#include "book/orders.hpp"
#include "book/pages.hpp"
#include "venue/venue.hpp"

namespace {

using namespace tf;

constexpr int64_t TICK = NANOS / 100;
constexpr uint32_t INSTRUMENTS = 2;
constexpr int64_t SPECIAL[] = {0, 1, -1, INT64_MAX, INT64_MAX - 1, INT64_MAX / NANOS * NANOS, INT64_MIN, NANOS + 1};

void require(bool holds) {
    if (!holds) std::abort();
}

OrderRecord decode(const uint8_t* bytes, int64_t ts) {
    OrderRecord order{};
    order.ts = ts;
    order.action = static_cast<Action>(bytes[0] & 3);
    order.side = static_cast<uint8_t>((bytes[0] >> 2 & 1) + 1);
    order.instrument = bytes[0] >> 3 & 1;
    order.tif = static_cast<TimeInForce>(bytes[1] & 3);
    order.flags = bytes[1] >> 2 & 1;
    order.type = static_cast<OrderType>((bytes[1] & 0x38) == 0x38);
    order.owner = bytes[1] >> 7;
    order.order_id = bytes[2] & 31;
    order.price = order.type == OrderType::MARKET ? 0 : (10'000 + static_cast<int8_t>(bytes[3]) / 16) * TICK;
    order.quantity = bytes[4] * NANOS;
    order.display = bytes[5] / 16 * NANOS;
    if (bytes[6] == 1) order.price = SPECIAL[bytes[7] & 7];
    if (bytes[6] == 2) order.quantity = SPECIAL[bytes[7] & 7];
    if (bytes[6] == 3) order.display = SPECIAL[bytes[7] & 7];
    if (bytes[6] == 4) std::memcpy(&order.side, bytes, 5);
    if (bytes[6] == 5) order.reserved[bytes[7] % sizeof order.reserved] = bytes[5];
    if (bytes[6] == 6) order.instrument = bytes[7];
    return order;
}

struct Owned {
    Venue* venue;
    explicit Owned(bool publishes) : venue(venue_create(publishes, 1, 8)) {
        for (uint32_t i = 0; i < INSTRUMENTS; ++i) venue_list(venue, TICK, NANOS);
    }
    ~Owned() { venue_destroy(venue); }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
};

using Told = std::vector<ReportRecord>;

void append(Told& reports, const Answers& answers) {
    reports.insert(reports.end(), answers.first, answers.first + answers.count);
}

// Between the requests of a piece: what no ORDER can ask for.
void interrupt(Venue* venue, uint8_t how, Told& reports) {
    if (how % 8 == 0) append(reports, venue_expire(venue, how));
    if (how % 8 == 1) venue_halt(venue, how >> 3 & 1, (how >> 4 & 1) != 0, how);
}

// cumulative + leaves + what ended = ordered, at every step of every order.
void check_conserved(const Told& reports) {
    struct Life {
        int64_t total, filled;
    };
    std::map<uint64_t, Life> live;
    std::map<uint64_t, int64_t> trades;
    for (const ReportRecord& report : reports) {
        if (report.kind == ReportKind::REJECTED) continue;
        if (report.kind == ReportKind::ACCEPTED)
            require(live.emplace(report.order_id, Life{report.quantity, 0}).second);
        require(live.count(report.order_id) == 1);
        Life& life = live[report.order_id];
        if (report.kind == ReportKind::REPLACED) life.total = report.quantity;
        if (report.kind == ReportKind::FILL) {
            life.filled += report.quantity;
            int64_t& sum = trades[report.execution_id];
            sum += report.side == 1 ? report.quantity : -report.quantity;
        }
        const bool ended = report.kind == ReportKind::CANCELLED || report.kind == ReportKind::EXPIRED;
        require(report.leaves >= 0 && report.cumulative == life.filled);
        require(report.cumulative + report.leaves + (ended ? report.quantity : 0) == life.total);
        if (report.leaves == 0) live.erase(report.order_id);
    }
    for (const auto& [execution, sum] : trades) require(execution != 0 && sum == 0);
}

// Totals are the sums of their queues, bits tell where there is one, and the touch is the best of them.
void check_sound(const Venue& venue) {
    uint32_t live = 0;
    for (uint32_t i = 0; i < venue.listed; ++i) {
        const Grid* grid = venue.listings[i].grid;
        if (grid == nullptr) continue;
        require(grid->side[0].best == NO_KEY || grid->side[1].best == NO_KEY ||
                ~grid->side[0].best < grid->side[1].best);
        for (const Ladder& ladder : grid->side) {
            int64_t best = NO_KEY;
            for (uint32_t at = ladder.page_count; at-- > 0;) {
                const Page* page = ladder.pages[at];
                for (int slot = 0; slot < 64; ++slot) {
                    const int64_t* level = level_of(*grid, page, slot);
                    require((level[0] != 0) == ((page->bits >> slot & 1) != 0) && level[0] >= 0);
                    if (level[0] == 0) continue;
                    if (best == NO_KEY) best = page->number * 64 + slot;
                    int64_t sum = 0;
                    uint32_t count = 0;
                    for (uint32_t index = queue_of(level).head; index != NO_ORDER;
                         index = venue.orders->pool[index].next, ++count) {
                        sum += venue.orders->pool[index].quantity;
                        require(venue.orders->pool[index].quantity > 0 && terms_of(venue, index).reserve >= 0);
                    }
                    require(sum == level[0] && count == queue_of(level).count);
                    live += count;
                }
            }
            require(best == ladder.best);
        }
    }
    for (uint64_t at = 0; at <= venue.orders->mask; ++at) live -= venue.orders->table[at] != 0;
    require(live == 0);
}

// The books that the public events make are the displayed ones.
void check_public(const Venue& venue) {
    BookSet* books = set_create(Form::QUEUES, INSTRUMENTS);
    std::vector<uint32_t> changed(venue.events.count + INSTRUMENTS);
    book_kernels().apply_set(books, venue.events.first, venue.events.count, changed.data());
    for (uint32_t i = 0; i < INSTRUMENTS; ++i) {
        DepthRow ours[40], theirs[40];
        const Grid* grid = venue.listings[i].grid;
        if (grid == nullptr) continue;
        book_kernels().depth(grid, 40, ours);
        book_kernels().depth(set_open(books, i), 40, theirs);
        require(std::memcmp(ours, theirs, sizeof ours) == 0);
    }
    set_destroy(books);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const size_t piece = data[0] % 32 + 1;
    const uint8_t how = data[1];
    std::vector<OrderRecord> orders;
    for (size_t at = 2; at + 8 <= size; at += 8) orders.push_back(decode(data + at, static_cast<int64_t>(at)));
    Owned whole(false), pieces(true);
    Told expected, found;
    for (size_t at = 0; at < orders.size(); at += piece) {
        const size_t count = orders.size() - at < piece ? orders.size() - at : piece;
        interrupt(whole.venue, static_cast<uint8_t>(how + at), expected);
        interrupt(pieces.venue, static_cast<uint8_t>(how + at), found);
        append(expected, venue_apply(whole.venue, orders.data() + at, count, nullptr, 0));
        Told room(how % 5);
        if (how % 3 == 0) {
            append(found, venue_apply(pieces.venue, orders.data() + at, count, room.data(), room.size()));
        } else {
            for (size_t i = at; i < at + count; ++i) venue_enter(pieces.venue, orders[i]);
            append(found, venue_waiting(pieces.venue));
            venue_forget(pieces.venue);
        }
    }
    require(expected.size() == found.size());
    require(expected.empty() || std::memcmp(expected.data(), found.data(), found.size() * sizeof(ReportRecord)) == 0);
    check_conserved(expected);
    check_sound(*whole.venue);
    check_sound(*pieces.venue);
    check_public(*pieces.venue);
    return 0;
}
