// Where the books of a set lie: close together, on few memory pages, instead of among the holes of a used heap.
#pragma once
#include <cstddef>

namespace tf {

struct Arena {
    static constexpr size_t LINE = 64;
    static constexpr size_t LARGEST = 40 * 1024;  // a page of 64 venues is smaller; what is larger comes from the heap
    void* free[LARGEST / LINE + 1];               // blocks given back, by size
    char* at;                                     // of the chunk in use
    char* end;
    char* chunks;  // each begins with the address of the one before
    size_t chunk;  // size of the newest
};

// Zeros, aligned to a cache line. Without an arena they come from the heap; without memory it aborts.
void* arena_take(Arena* arena, size_t bytes);
void arena_give(Arena* arena, void* block, size_t bytes);  // as many bytes as were taken
void arena_close(Arena* arena);

}  // namespace tf
