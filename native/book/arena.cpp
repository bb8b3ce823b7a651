#include "book/arena.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace tf {
namespace {

constexpr size_t FIRST_CHUNK = 64 * 1024;       // enough for a few books
constexpr size_t LAST_CHUNK = 2 * 1024 * 1024;  // one large page of the memory management unit: fewer look-ups

size_t lines(size_t bytes) { return (bytes + Arena::LINE - 1) / Arena::LINE; }

void* from_heap(size_t bytes, size_t alignment) {
    void* memory = std::aligned_alloc(alignment, bytes);
    if (memory == nullptr) std::abort();
    return memory;
}

void open_chunk(Arena* arena) {
    arena->chunk = arena->chunk == 0 ? FIRST_CHUNK : LAST_CHUNK;
    auto* chunk = static_cast<char*>(from_heap(arena->chunk, arena->chunk));
#ifdef MADV_HUGEPAGE
    if (arena->chunk == LAST_CHUNK) madvise(chunk, LAST_CHUNK, MADV_HUGEPAGE);  // a hint; without it all works
#endif
#ifdef MADV_POPULATE_WRITE
    madvise(chunk, arena->chunk,
            MADV_POPULATE_WRITE);  // likewise; else the first messages of each book wait for memory
#endif
    std::memcpy(chunk, &arena->chunks, sizeof(char*));
    arena->chunks = chunk;
    arena->at = chunk + Arena::LINE;
    arena->end = chunk + arena->chunk;
}

}  // namespace

void* arena_take(Arena* arena, size_t bytes) {
    const size_t size = lines(bytes) * Arena::LINE;
    void* block;
    if (arena == nullptr || size > Arena::LARGEST) {
        block = from_heap(size, Arena::LINE);
    } else if (void*& free = arena->free[lines(bytes)]; free != nullptr) {
        block = free;
        std::memcpy(&free, block, sizeof(void*));
    } else {
        if (static_cast<size_t>(arena->end - arena->at) < size) open_chunk(arena);
        block = arena->at;
        arena->at += size;
    }
    std::memset(block, 0, size);
    return block;
}

void arena_give(Arena* arena, void* block, size_t bytes) {
    if (block == nullptr) return;
    if (arena == nullptr || lines(bytes) * Arena::LINE > Arena::LARGEST) {
        std::free(block);
        return;
    }
    void*& free = arena->free[lines(bytes)];
    std::memcpy(block, &free, sizeof(void*));
    free = block;
}

void arena_close(Arena* arena) {
    while (arena->chunks != nullptr) {
        char* chunk = arena->chunks;
        std::memcpy(&arena->chunks, chunk, sizeof(char*));
        std::free(chunk);
    }
}

}  // namespace tf
