// The write side of a journal: records gather in a buffer, and a thread of its own brings them to the disk in groups.
#pragma once
#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "journal/records.hpp"

namespace tf::journal {

// Bytes that grow and never shrink.
class Buffer {
  public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer();
    uint8_t* extend(size_t size);  // room for so much more; null where there is no memory
    void clear() { size_ = 0; }
    void swap(Buffer& other);
    const uint8_t* data() const { return data_; }
    size_t size() const { return size_; }

  private:
    uint8_t* data_ = nullptr;
    size_t size_ = 0;
    size_t room_ = 0;
};

enum class Stage : uint8_t { NONE, WRITE, SYNC };  // where a failure came from

// One thread appends; where `start` was called another one writes and syncs. A failure is for good: a sync that failed
// once is never tried again, since the kernel may have dropped what it could not write and call the next one a success.
class Writer {
  public:
    static constexpr size_t WAITING_MAX = size_t{1} << 26;  // bytes that may wait for the disk
    static constexpr uint64_t STEP = uint64_t{1} << 24;     // the file grows by so much at a time
    static constexpr uint64_t LEAD = uint64_t{1} << 19;   // bytes before the end that were written with zeros, at least
    static constexpr uint64_t CHUNK = uint64_t{1} << 18;  // bytes of zeros at a time

    struct Group {
        const uint8_t* data;
        size_t size;
        uint64_t last;  // sequence of the last record in it
    };

    Writer(uint32_t seed, uint64_t last_sequence);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // The sequence of the new record; 0 where WAITING_MAX bytes wait already, or memory is short. The payload is at
    // most PAYLOAD_MAX long.
    uint64_t append(uint8_t kind, uint8_t version, int64_t now, const uint8_t* payload, uint32_t length);

    // Without a thread: what was appended since, valid until the next call; the caller writes it.
    Group take();

    // Starts the thread on a descriptor: records go to `end`, the file has `size` bytes. Each group that is durable,
    // and a failure, adds 1 to the eventfd `notify`. Returns an errno, 0 where all is well.
    int start(int descriptor, int notify, uint64_t end, uint64_t size);
    void submit();                 // what was appended is to become durable; returns at once
    bool wait(uint64_t sequence);  // until it is durable, or nothing will be any more: false
    void stop();                   // ends the thread after what was submitted

    uint64_t last() const { return last_; }  // sequence of the last record appended
    uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
    int error() const { return error_.load(std::memory_order_acquire); }  // errno of the failure, 0 while there is none
    Stage stage() const { return stage_; }                                // of that failure
    uint64_t end() const { return end_.load(std::memory_order_acquire); }  // of what is durable, bytes from the start
    bool orphaned() const;  // this is a child process that came by fork: the thread is not here, nothing may be called

  private:
    static void* main(void* self);
    void run();
    bool write_group();
    bool prepare_ahead();
    bool write_all(const uint8_t* data, size_t size, uint64_t at);
    bool sync();
    bool fail(Stage stage, int error);
    bool ahead_is_short() const { return ahead_ && zeroed_ < end_.load(std::memory_order_relaxed) + LEAD; }
    void tell();

    const uint32_t seed_;
    uint64_t last_;
    uint64_t first_;  // sequence of the first record of the group that gathers
    Buffer gathering_, flight_;

    pthread_mutex_t lock_ =
        PTHREAD_MUTEX_INITIALIZER;  // guards the buffer that gathers and what stands between it and here
    pthread_cond_t work_ = PTHREAD_COND_INITIALIZER;
    pthread_cond_t done_ = PTHREAD_COND_INITIALIZER;
    pthread_t thread_{};
    bool running_ = false;
    bool stopping_ = false;
    bool ended_ = false;
    uint64_t wanted_ = 0;  // sequences submitted
    uint64_t taken_ = 0;   // sequences the thread has taken up

    int descriptor_ = -1;
    int notify_ = -1;
    uint64_t size_ = 0;    // of the file
    uint64_t zeroed_ = 0;  // bytes from the start that have been written at least once
    bool ahead_ = true;    // whether the file can be prepared ahead
    unsigned forks_;
    Stage stage_ = Stage::NONE;
    std::atomic<uint64_t> end_{0};
    std::atomic<uint64_t> durable_;
    std::atomic<int> error_{0};
};

}  // namespace tf::journal
