// What the letters of the two consolidated tapes mean, for providers that pass them on; and Finnhub's numbers of the same
// sale conditions. Sources stand at the tables.
#pragma once
#include <cstddef>
#include <cstdint>

#include "event.hpp"

namespace tf::wire {

enum Tape : int { CTA = 0, UTP = 1 };  // tapes A and B; tape C and anything else

inline constexpr size_t LETTERS_MAX = 128;
inline constexpr size_t FINNHUB_MAX = 64;

struct LetterTables {
    uint16_t venues[LETTERS_MAX];     // 0: no such exchange
    uint32_t sales[2][LETTERS_MAX];   // bits of Condition, by Tape
    uint32_t quotes[2][LETTERS_MAX];  // the same
    uint32_t finnhub[FINNHUB_MAX];    // the same, by Finnhub's number
    Status statuses[LETTERS_MAX];     // Alpaca's status codes; 0: no state
};
extern const LetterTables LETTERS;

// The Status of one of Alpaca's codes as a number, 0 if it is no state.
static inline uint32_t letter_status(int letter) { return static_cast<uint32_t>(LETTERS.statuses[letter]); }

// Bits of both tapes: which one it is may be said later in the message.
struct TapeBits {
    uint32_t of[2] = {};

    void add(const uint32_t (&table)[2][LETTERS_MAX], uint64_t letter) {
        if (letter >= LETTERS_MAX) return;
        of[CTA] |= table[CTA][letter];
        of[UTP] |= table[UTP][letter];
    }
};

// The venue of a participant in Schwab's books: an exchange under any of its names there, or one of its own, numbered by
// its letters. 0 if it is not 1 to 8 letters and digits.
uint16_t participant_venue(const char* name, size_t size);

}  // namespace tf::wire
