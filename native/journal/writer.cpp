#include "journal/writer.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tf::journal {

namespace {

std::atomic<unsigned> forks{0};  // how many forks lie between the first process and this one

void count_fork() { forks.fetch_add(1, std::memory_order_relaxed); }

uint8_t ZEROS[1 << 16];  // never written: takes no room in the program

class Locked {
  public:
    explicit Locked(pthread_mutex_t& lock) : lock_(lock) { pthread_mutex_lock(&lock_); }
    ~Locked() { pthread_mutex_unlock(&lock_); }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

  private:
    pthread_mutex_t& lock_;
};

}  // namespace

Buffer::~Buffer() { std::free(data_); }

uint8_t* Buffer::extend(size_t size) {
    if (size_ + size > room_) {
        const size_t room = std::max(size_ + size, std::max(room_ * 2, size_t{1} << 16));
        auto* const grown = static_cast<uint8_t*>(std::realloc(data_, room));
        if (grown == nullptr) return nullptr;
        data_ = grown;
        room_ = room;
    }
    uint8_t* const at = data_ + size_;
    size_ += size;
    return at;
}

void Buffer::swap(Buffer& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
}

Writer::Writer(uint32_t seed, uint64_t last_sequence)
    : seed_(seed), last_(last_sequence), first_(last_sequence + 1), durable_(last_sequence) {
    static const int registered = pthread_atfork(nullptr, nullptr, count_fork);
    static_cast<void>(registered);
    forks_ = forks.load(std::memory_order_relaxed);
    wanted_ = taken_ = last_sequence;
}

Writer::~Writer() { stop(); }

bool Writer::orphaned() const { return forks_ != forks.load(std::memory_order_relaxed); }

uint64_t Writer::append(uint8_t kind, uint8_t version, int64_t now, const uint8_t* payload, uint32_t length) {
    const Locked hold(lock_);
    const size_t size = record_size(length);
    if (gathering_.size() + size > WAITING_MAX) return 0;
    uint8_t* const out = gathering_.extend(size);
    if (out == nullptr) return 0;
    const uint64_t sequence = last_ + 1;
    encode(out, {0, length, sequence, now, static_cast<uint32_t>(sequence - first_), kind, version, 0}, payload, seed_);
    last_ = sequence;
    return sequence;
}

Writer::Group Writer::take() {
    flight_.clear();
    flight_.swap(gathering_);
    first_ = last_ + 1;
    return {flight_.data(), flight_.size(), last_};
}

int Writer::start(int descriptor, int notify, uint64_t end, uint64_t size) {
    descriptor_ = descriptor;
    notify_ = notify;
    size_ = size;
    zeroed_ = end;
    end_.store(end, std::memory_order_relaxed);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for threads that know what to do with them
    const int error = pthread_create(&thread_, nullptr, &Writer::main, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    running_ = error == 0;
    return error;
}

void Writer::submit() {
    const Locked hold(lock_);
    if (wanted_ == last_) return;
    wanted_ = last_;
    pthread_cond_signal(&work_);
}

bool Writer::wait(uint64_t sequence) {
    const Locked hold(lock_);
    while (durable() < sequence && !ended_) pthread_cond_wait(&done_, &lock_);
    return durable() >= sequence;
}

void Writer::stop() {
    if (!running_ || orphaned()) return;
    {
        const Locked hold(lock_);
        stopping_ = true;
        pthread_cond_signal(&work_);
    }
    pthread_join(thread_, nullptr);
    running_ = false;
}

void* Writer::main(void* self) {
    static_cast<Writer*>(self)->run();
    return nullptr;
}

void Writer::run() {
    pthread_mutex_lock(&lock_);
    bool well = true;
    while (well) {
        if (wanted_ > taken_) {
            const Group group = take();
            taken_ = group.last;
            pthread_mutex_unlock(&lock_);
            well = write_group();
            pthread_mutex_lock(&lock_);
            if (well) durable_.store(group.last, std::memory_order_release);
            pthread_cond_broadcast(&done_);
            tell();
        } else if (stopping_) {
            break;
        } else if (ahead_is_short()) {  // while nobody waits
            pthread_mutex_unlock(&lock_);
            well = prepare_ahead();
            pthread_mutex_lock(&lock_);
            if (!well) tell();
        } else {
            pthread_cond_wait(&work_, &lock_);
        }
    }
    ended_ = true;
    pthread_cond_broadcast(&done_);
    pthread_mutex_unlock(&lock_);
}

bool Writer::write_group() {
    const uint64_t end = end_.load(std::memory_order_relaxed);
    if (!write_all(flight_.data(), flight_.size(), end) || !sync()) return false;
    end_.store(end + flight_.size(), std::memory_order_release);
    zeroed_ = std::max(zeroed_, end + flight_.size());
    size_ = std::max(size_, zeroed_);
    return true;
}

// Writing over what was written before changes no metadata, so that its sync is one write of the disk.
bool Writer::prepare_ahead() {
    if (zeroed_ + CHUNK > size_) {
        const auto grown = static_cast<off_t>(std::max(size_, zeroed_) + STEP);
        if (posix_fallocate(descriptor_, 0, grown) != 0) {
            ahead_ = false;  // a full disk is a failure when a record does not fit, not before
            return true;
        }
        size_ = static_cast<uint64_t>(grown);
    }
    for (uint64_t done = 0; done < CHUNK; done += sizeof ZEROS) {
        if (!write_all(ZEROS, sizeof ZEROS, zeroed_ + done)) return false;
    }
    zeroed_ += CHUNK;
    return sync();
}

bool Writer::write_all(const uint8_t* data, size_t size, uint64_t at) {
    while (size > 0) {
        const ssize_t written = pwrite(descriptor_, data, size, static_cast<off_t>(at));
        if (written < 0) {
            if (errno == EINTR) continue;
            return fail(Stage::WRITE, errno);
        }
        data += written;
        size -= static_cast<size_t>(written);
        at += static_cast<uint64_t>(written);
    }
    return true;
}

bool Writer::sync() { return fdatasync(descriptor_) == 0 || fail(Stage::SYNC, errno); }

bool Writer::fail(Stage stage, int error) {
    stage_ = stage;
    error_.store(error, std::memory_order_release);
    return false;
}

void Writer::tell() {
    const uint64_t one = 1;
    while (write(notify_, &one, sizeof one) < 0 && errno == EINTR) {}
}

}  // namespace tf::journal
