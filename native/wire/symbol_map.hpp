// A connection's own names of instruments: what the provider writes -> id.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "event.hpp"
#include "symbols.hpp"

namespace tf::wire {

// Open addressing on the first eight bytes, zero behind the end; longer symbols share a chain of slots with the same word.
class SymbolMap {
  public:
    struct Slot {
        uint64_t words[SYMBOL_MAX / 8];  // words[0] 0: empty
        uint32_t instrument;
        uint32_t unused[7];
    };

    SymbolMap();

    // See Frames::map.
    bool map(const char* symbol, size_t size, uint32_t instrument);

    // NO_INSTRUMENT if it is not mapped.
    uint32_t find(const char* symbol, size_t size) const;

    // What kernels read for a symbol of 8 bytes or less: probe from slot words[0] * SYMBOL_HASH >> shift, modulo
    // mask + 1, to the slot with this word and no other, or an empty one.
    const Slot* slots;
    uint64_t mask;
    uint32_t shift;

  private:
    size_t place(const uint64_t* words) const;
    void grow();

    std::vector<Slot> memory_;
    size_t used_ = 0;
};

}  // namespace tf::wire
