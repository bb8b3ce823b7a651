#include "wire/symbol_map.hpp"

namespace tf::wire {

namespace {

constexpr uint32_t FIRST_BITS = 10;
constexpr size_t WORDS = SYMBOL_MAX / 8;

struct Words {
    uint64_t of[WORDS] = {};

    Words(const char* symbol, size_t size) { std::memcpy(of, symbol, size); }
};

}  // namespace

SymbolMap::SymbolMap() : shift(64 - FIRST_BITS), memory_(size_t{1} << FIRST_BITS, Slot{}) {
    slots = memory_.data();
    mask = memory_.size() - 1;
}

size_t SymbolMap::place(const uint64_t* words) const {
    size_t slot = words[0] * SYMBOL_HASH >> shift;
    while (memory_[slot].words[0] != 0 && std::memcmp(memory_[slot].words, words, SYMBOL_MAX) != 0) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

void SymbolMap::grow() {
    std::vector<Slot> old(memory_.size() * 2, Slot{});
    old.swap(memory_);
    slots = memory_.data();
    mask = memory_.size() - 1;
    --shift;
    for (const Slot& slot : old) {
        if (slot.words[0] != 0) memory_[place(slot.words)] = slot;
    }
}

bool SymbolMap::map(const char* symbol, size_t size, uint32_t instrument) {
    if (!symbol_valid(symbol, size)) return false;
    for (size_t i = 0; i < size; ++i) {
        if (symbol[i] == '"' || symbol[i] == '\\') return false;
    }
    const Words words(symbol, size);
    size_t slot = place(words.of);
    if (memory_[slot].words[0] == 0) {
        if (instrument == NO_INSTRUMENT) return true;
        if (++used_ * 4 > memory_.size()) {  // a quarter full at most: probes are short
            grow();
            slot = place(words.of);
        }
        std::memcpy(memory_[slot].words, words.of, SYMBOL_MAX);
    }
    memory_[slot].instrument = instrument;
    return true;
}

uint32_t SymbolMap::find(const char* symbol, size_t size) const {
    if (!symbol_valid(symbol, size)) return NO_INSTRUMENT;
    const Words words(symbol, size);
    const Slot& slot = memory_[place(words.of)];
    return slot.words[0] == 0 ? NO_INSTRUMENT : slot.instrument;
}

}  // namespace tf::wire
