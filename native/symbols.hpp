// Symbol -> instrument id: ids are contiguous, given on first use, never reused. Shared by decoders of several threads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace tf {

inline constexpr size_t SYMBOL_MAX = 32;  // bytes
// Beyond it no id is given: garbage cannot eat the memory. Books count ids from here on as unknown, and have no more
// (MOST_INSTRUMENTS in book/layout.hpp).
inline constexpr uint32_t SYMBOLS_MAX = 1u << 22;
inline constexpr uint32_t NO_SYMBOL = 0xFFFFFFFFu;  // = NO_INSTRUMENT

// Whether these bytes may name an instrument: 1 to 32 printable ASCII characters, no blanks.
bool symbol_valid(const char* name, size_t length);

// The same for a field of 8 bytes padded with blanks, given as its little-endian integer.
bool symbol8_valid(uint64_t padded);

class SymbolTable {
  public:
    SymbolTable();
    SymbolTable(const SymbolTable&) = delete;
    SymbolTable& operator=(const SymbolTable&) = delete;

    // The id of the symbol, a new one on first use; NO_SYMBOL if the name is not valid or the table is full.
    uint32_t add(const char* name, size_t length);

    // The same for a field of 8 bytes padded with blanks.
    uint32_t add8(uint64_t padded);

    // The id, or NO_SYMBOL.
    uint32_t find(const char* name, size_t length) const;

    uint32_t size() const;

    // Copies the name to `out`; its length, 0 if there is no such id.
    size_t name(uint32_t id, char out[SYMBOL_MAX]) const;

  private:
    struct Name {
        char text[SYMBOL_MAX];
        uint8_t length;
    };

    size_t slot_of(const char* name, size_t length) const;
    void grow();

    mutable std::mutex mutex_;
    std::vector<Name> names_;
    std::vector<uint32_t> slots_;  // id + 1, 0 is empty; a power of two of them, at most half full
};

// A decoder's own memory of 8-byte symbols: no lock where the symbol is known already.
class SymbolCache {
  public:
    struct Slot {
        uint64_t key = 0;         // 0 is empty
        uint32_t id = NO_SYMBOL;  // an empty slot has none: eight zero bytes are nobody's symbol
        uint32_t unused = 0;
    };

    explicit SymbolCache(SymbolTable& table);

    // Asks the table and remembers; NO_SYMBOL if the name is not valid.
    uint32_t learn(uint64_t key);

    // What kernels read: probe from slot key * SYMBOL_HASH >> shift, modulo mask + 1, to the key or an empty slot.
    const Slot* slots;
    uint64_t mask;
    uint32_t shift;

  private:
    void put(uint64_t key, uint32_t id);

    SymbolTable* table_;
    std::vector<Slot> memory_;
    size_t used_ = 0;
};

inline constexpr uint64_t SYMBOL_HASH = 0x9E3779B97F4A7C15u;  // Fibonacci hashing

}  // namespace tf
