// A small mutation driver for compilers without libFuzzer: the same targets, no coverage guidance.
//     TARGET SECONDS SEED FILE...
// Runs every file, then files damaged at random until the time is over. The input at hand is in ./crash-input, so a
// crash leaves it there.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t SIZE_MAX_INPUT = 4'096;
constexpr unsigned BATCH = 64;  // runs between two looks at the clock

using Bytes = std::vector<uint8_t>;

struct Random {  // xorshift64*
    uint64_t state;

    uint64_t below(uint64_t limit) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return (state * 0x2545F4914F6CDD1Du >> 11) % limit;
    }
};

Bytes read(const char* path) {
    Bytes bytes;
    std::FILE* const file = std::fopen(path, "rb");
    if (file == nullptr) {
        std::fprintf(stderr, "%s cannot be read\n", path);
        std::exit(2);
    }
    for (int byte = std::fgetc(file); byte != EOF; byte = std::fgetc(file)) bytes.push_back(static_cast<uint8_t>(byte));
    std::fclose(file);
    return bytes;
}

void run(const Bytes& bytes) {
    if (std::FILE* const file = std::fopen("crash-input", "wb")) {
        std::fwrite(bytes.data(), 1, bytes.size(), file);
        std::fclose(file);
    }
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

void damage(Bytes& bytes, const std::vector<Bytes>& corpus, Random& random) {
    if (bytes.empty()) bytes.push_back(0);
    const size_t at = random.below(bytes.size());
    const size_t length = 1 + random.below(40);
    const size_t end = at + length < bytes.size() ? at + length : bytes.size();
    const auto place = [&](size_t i) { return bytes.begin() + static_cast<std::ptrdiff_t>(i); };
    switch (random.below(6)) {
        case 0:
            bytes[at] ^= static_cast<uint8_t>(1u << random.below(8));
            break;
        case 1:
            bytes[at] = static_cast<uint8_t>(random.below(256));
            break;
        case 2:
            bytes[at] = random.below(2) == 0 ? 0x00 : 0xFF;
            break;
        case 3:
            bytes.erase(place(at), place(end));
            break;
        case 4: {
            const Bytes again(place(at), place(end));
            bytes.insert(place(at), again.begin(), again.end());
            break;
        }
        default: {
            const Bytes& other = corpus[random.below(corpus.size())];
            if (other.empty()) break;
            const size_t from = random.below(other.size());
            bytes.resize(at);
            bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
        }
    }
    if (bytes.size() > SIZE_MAX_INPUT) bytes.resize(SIZE_MAX_INPUT);
}

}  // namespace

int main(int count, char** values) {
    if (count < 4) {
        std::fprintf(stderr, "usage: %s SECONDS SEED FILE...\n", values[0]);
        return 2;
    }
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + std::chrono::milliseconds(std::atoll(values[1]) * 1'000);
    Random random{static_cast<uint64_t>(std::atoll(values[2])) * 2 + 1};
    std::vector<Bytes> corpus;
    for (int i = 3; i < count; ++i) corpus.push_back(read(values[i]));
    uint64_t runs = 0;
    for (const Bytes& bytes : corpus) run(bytes), ++runs;
    while (Clock::now() < end) {
        for (unsigned i = 0; i < BATCH; ++i, ++runs) {
            Bytes bytes = corpus[random.below(corpus.size())];
            for (uint64_t j = 1 + random.below(5); j > 0; --j) damage(bytes, corpus, random);
            run(bytes);
        }
    }
    std::remove("crash-input");
    std::printf("%llu runs\n", static_cast<unsigned long long>(runs));
    return 0;
}
