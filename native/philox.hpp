// Philox4x64-10: random words by counter (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3, 2011).
#pragma once
#include <cstdint>

namespace tf {

struct PhiloxBlock {
    uint64_t word[4];
};

// The four words of a counter under a key; the same words as numpy.random.Philox.
inline PhiloxBlock philox(PhiloxBlock counter, uint64_t key0, uint64_t key1) {
    for (int round = 0; round < 10; ++round) {
        const auto first = static_cast<unsigned __int128>(0xD2E7470EE14C6C93u) * counter.word[0];
        const auto second = static_cast<unsigned __int128>(0xCA5A826395121157u) * counter.word[2];
        counter = {static_cast<uint64_t>(second >> 64) ^ counter.word[1] ^ key0, static_cast<uint64_t>(second),
                   static_cast<uint64_t>(first >> 64) ^ counter.word[3] ^ key1, static_cast<uint64_t>(first)};
        key0 += 0x9E3779B97F4A7C15u;
        key1 += 0xBB67AE8584CAA73Bu;
    }
    return counter;
}

}  // namespace tf
