// The levels kept readable at every moment: patched when one of them changes, left alone when a worse one does.
#pragma once
#include "book/pages.hpp"

namespace tf {

static inline void kept_update(const Grid& grid, Ladder& ladder, int64_t key, int64_t before, int64_t now) {
    Kept& kept = *ladder.kept;
    const uint32_t limit = grid.kept;
    if (key > kept.keys[limit - 1] || before == now) return;
    uint32_t at = 0;
    for (uint32_t i = 0; i < MOST_KEPT; ++i) at += kept.keys[i] < key;
    if (before != 0 && now != 0) {
        kept.totals[at] = now;
    } else if (now != 0) {
        for (uint32_t i = limit - 1; i > at; --i) {
            kept.keys[i] = kept.keys[i - 1];
            kept.totals[i] = kept.totals[i - 1];
        }
        kept.keys[at] = key;
        kept.totals[at] = now;
    } else {
        const int64_t last = kept.keys[limit - 1];
        for (uint32_t i = at; i + 1 < limit; ++i) {
            kept.keys[i] = kept.keys[i + 1];
            kept.totals[i] = kept.totals[i + 1];
        }
        kept.keys[limit - 1] = NO_KEY;
        kept.totals[limit - 1] = 0;
        if (last != NO_KEY) kept.keys[limit - 1] = next_level(ladder, last, &kept.totals[limit - 1]);
    }
}

}  // namespace tf
