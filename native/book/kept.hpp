// Keeps the best levels at hand: called when a level among them appears or vanishes.
#pragma once
#include "book/pages.hpp"

namespace tf {

static inline void kept_insert(Kept& kept, uint32_t limit, int64_t key, const int64_t* level) {
    uint32_t i = limit - 1;
    for (; i > 0 && kept.keys[i - 1] > key; --i) {
        kept.keys[i] = kept.keys[i - 1];
        kept.levels[i] = kept.levels[i - 1];
    }
    kept.keys[i] = key;
    kept.levels[i] = level;
}

static inline void kept_remove(const Grid& grid, const Ladder& ladder, Kept& kept, uint32_t limit, int64_t key) {
    const int64_t last = kept.keys[limit - 1];
    uint32_t i = 0;
    while (kept.keys[i] != key) ++i;
    for (; i + 1 < limit; ++i) {
        kept.keys[i] = kept.keys[i + 1];
        kept.levels[i] = kept.levels[i + 1];
    }
    kept.keys[i] = last == NO_KEY ? NO_KEY : next_level(grid, ladder, last, &kept.levels[i]);
}

// The total of a level went from `before` to `now`.
static inline void kept_update(const Grid& grid, Ladder& ladder, int64_t key, const int64_t* level, int64_t before,
                               int64_t now) {
    Kept& kept = *ladder.kept;
    if (key > kept.keys[grid.kept - 1] || (before != 0) == (now != 0)) return;
    if (now != 0) {
        kept_insert(kept, grid.kept, key, level);
    } else {
        kept_remove(grid, ladder, kept, grid.kept, key);
    }
}

}  // namespace tf
