#include "symbols.hpp"

#include <cstring>

namespace tf {

namespace {

constexpr size_t FIRST_SLOTS = 1024;
constexpr uint32_t FIRST_CACHE_BITS = 12;

uint64_t hash_of(const char* name, size_t length) {
    uint64_t hash = 0xCBF29CE484222325u;  // FNV-1a
    for (size_t i = 0; i < length; ++i) hash = (hash ^ static_cast<uint8_t>(name[i])) * 0x100000001B3u;
    return hash ^ (hash >> 29);
}

// A field of 8 bytes without the blanks behind.
struct Unpadded {
    char text[8];
    size_t length = sizeof text;

    explicit Unpadded(uint64_t padded) {
        std::memcpy(text, &padded, sizeof text);
        while (length > 0 && text[length - 1] == ' ') --length;
    }
};

}  // namespace

bool symbol_valid(const char* name, size_t length) {
    if (length == 0 || length > SYMBOL_MAX) return false;
    for (size_t i = 0; i < length; ++i) {
        if (name[i] <= ' ' || name[i] > '~') return false;
    }
    return true;
}

bool symbol8_valid(uint64_t padded) {
    const Unpadded name(padded);
    return symbol_valid(name.text, name.length);
}

SymbolTable::SymbolTable() : slots_(FIRST_SLOTS, 0) {}

size_t SymbolTable::slot_of(const char* name, size_t length) const {
    const size_t mask = slots_.size() - 1;
    size_t slot = hash_of(name, length) & mask;
    while (slots_[slot] != 0) {
        const Name& entry = names_[slots_[slot] - 1];
        if (entry.length == length && std::memcmp(entry.text, name, length) == 0) break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

void SymbolTable::grow() {
    slots_.assign(slots_.size() * 2, 0);
    for (uint32_t id = 0; id < names_.size(); ++id) slots_[slot_of(names_[id].text, names_[id].length)] = id + 1;
}

uint32_t SymbolTable::add(const char* name, size_t length) {
    if (!symbol_valid(name, length)) return NO_SYMBOL;
    const std::lock_guard<std::mutex> lock(mutex_);
    size_t slot = slot_of(name, length);
    if (slots_[slot] != 0) return slots_[slot] - 1;
    if (names_.size() >= SYMBOLS_MAX) return NO_SYMBOL;
    if ((names_.size() + 1) * 2 > slots_.size()) {
        grow();
        slot = slot_of(name, length);
    }
    Name entry{};
    std::memcpy(entry.text, name, length);
    entry.length = static_cast<uint8_t>(length);
    names_.push_back(entry);
    slots_[slot] = static_cast<uint32_t>(names_.size());
    return slots_[slot] - 1;
}

uint32_t SymbolTable::add8(uint64_t padded) {
    const Unpadded name(padded);
    return add(name.text, name.length);
}

uint32_t SymbolTable::find(const char* name, size_t length) const {
    if (length == 0 || length > SYMBOL_MAX) return NO_SYMBOL;
    const std::lock_guard<std::mutex> lock(mutex_);
    return slots_[slot_of(name, length)] - 1;  // an empty slot gives 0 - 1 = NO_SYMBOL
}

uint32_t SymbolTable::size() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return static_cast<uint32_t>(names_.size());
}

size_t SymbolTable::name(uint32_t id, char out[SYMBOL_MAX]) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (id >= names_.size()) return 0;
    std::memcpy(out, names_[id].text, names_[id].length);
    return names_[id].length;
}

SymbolCache::SymbolCache(SymbolTable& table)
    : shift(64 - FIRST_CACHE_BITS), table_(&table), memory_(size_t{1} << FIRST_CACHE_BITS, Slot{}) {
    slots = memory_.data();
    mask = memory_.size() - 1;
}

void SymbolCache::put(uint64_t key, uint32_t id) {
    size_t slot = key * SYMBOL_HASH >> shift;
    while (memory_[slot].key != 0) slot = (slot + 1) & mask;
    memory_[slot] = Slot{key, id, 0};
}

uint32_t SymbolCache::learn(uint64_t key) {
    size_t slot = key * SYMBOL_HASH >> shift;
    for (; memory_[slot].key != 0; slot = (slot + 1) & mask) {
        if (memory_[slot].key == key) return memory_[slot].id;
    }
    const uint32_t id = table_->add8(key);
    if (id == NO_SYMBOL) return NO_SYMBOL;
    if (++used_ * 4 > memory_.size()) {  // a quarter full at most: a miss ends the probe at once
        std::vector<Slot> old(memory_.size() * 2, Slot{});
        old.swap(memory_);
        slots = memory_.data();
        mask = memory_.size() - 1;
        --shift;
        for (const Slot& entry : old) {
            if (entry.key != 0) put(entry.key, entry.id);
        }
    }
    put(key, id);
    return id;
}

}  // namespace tf
