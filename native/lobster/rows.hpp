// LOBSTER orderbook files: their integers, and the arithmetic that rebuilds their rows from messages.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "event.hpp"

namespace tf::lobster {

inline constexpr int64_t NO_ASK = 9'999'999'999;  // price of an absent level; its size is 0
inline constexpr int64_t NO_BID = -9'999'999'999;
inline constexpr int64_t PRICE_UNIT = NANOS / 10'000;  // prices are dollars times 10000
inline constexpr int64_t SIZE_UNIT = NANOS;            // sizes are shares

struct ParsedRows {
    size_t rows;   // complete lines read
    size_t bytes;  // of those lines
    size_t field;  // where reading stopped: fields read of the line after them, from 0
    bool failed;   // that line is wrong: a character, a number beyond 64 bits, or the count of fields
};

// Reads lines of `columns` integers with commas between them; at most `capacity` rows into `out`. Reads only lines that
// end with a newline; empty lines are skipped.
ParsedRows parse_rows(const char* data, size_t size, size_t columns, int64_t* out, size_t capacity);

// The levels of one side, best last: the touch is where most changes are.
class Side {
  public:
    explicit Side(int64_t sign) : sign_(sign) { levels_.reserve(1024); }  // sign: 1 bids, -1 asks

    void clear() { levels_.clear(); }
    size_t size() const { return levels_.size(); }
    void add(int64_t price, int64_t size, size_t window);
    // Found: whether the level is known. Emptied: whether it is gone now.
    struct Subtracted {
        bool found, emptied, clamped;
    };
    Subtracted subtract(int64_t price, int64_t size);
    // Puts a level behind all others; false, and nothing changes, where it is not worse than they are.
    bool append_worst(int64_t price, int64_t size);
    // Price and size of the best `depth` levels at out[0], out[1], out[4], out[5], ...
    void write(int64_t* out, size_t depth, int64_t absent) const;

  private:
    struct Level {
        int64_t key, size;  // key: price times sign, so that more is better
    };
    size_t place(int64_t key) const;  // of the first level not worse than key

    int64_t sign_;
    std::vector<Level> levels_;
};

struct Counts {
    uint64_t taken = 0;           // levels taken from the orderbook file
    uint64_t unknown_levels = 0;  // reductions at a level that is not known: behind the window, or before the start
    uint64_t clamped = 0;         // reductions of more than the level held
};

// The book of one instrument by the rules of LOBSTER's output: additions and subtractions at (side, price).
class RowReplay {
  public:
    // windowed: a side keeps its best `depth` levels. Otherwise it keeps all, and `depth` is only what rows show.
    RowReplay(size_t depth, bool windowed) : depth_(depth), window_(windowed ? depth : SIZE_MAX), row_(4 * depth) {}

    size_t depth() const { return depth_; }
    const Counts& counts() const { return counts_; }
    // The book is this row of `levels` levels now.
    void start(const int64_t* row, size_t levels);
    void write_row(int64_t* out) const;
    // Applies events, one row each. truth: count rows of `truth_levels` levels, or null. take: take levels that nobody
    // can know from truth (depth == truth_levels), and go on from truth's row where ours differs. agree: for each row
    // how many levels from the best on equal truth, up to the smaller of both depths. rows, agree: null if not wanted.
    void run(const Event* events, size_t count, const int64_t* truth, size_t truth_levels, bool take, int64_t* rows,
             int32_t* agree);

  private:
    void apply(const Event& event, const int64_t* truth);
    int32_t levels_equal(const int64_t* truth, size_t truth_levels) const;

    size_t depth_;
    size_t window_;
    Side bids_{1};
    Side asks_{-1};
    std::vector<int64_t> row_;
    Counts counts_;
};

}  // namespace tf::lobster
