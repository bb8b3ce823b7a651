// Any bytes as a journal: reading stays inside them, and a record that is found is one. What a writer makes of the input
// is read back, and with one bit turned it is read up to that bit.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "journal/writer.hpp"

namespace {

using namespace tf::journal;

constexpr uint32_t SEED = 7;

void require(bool holds) {
    if (!holds) std::abort();
}

// Bytes of the whole records that data begins with.
size_t walk(const std::vector<uint8_t>& data, std::vector<RecordHead>& heads) {
    size_t at = 0;
    RecordHead head;
    while (check(data.data() + at, data.size() - at, SEED, &head) == Check::WHOLE) {
        std::vector<uint8_t> again(record_size(head.length));
        encode(again.data(), head, data.data() + at + sizeof head, SEED);
        require(std::memcmp(again.data(), data.data() + at, again.size()) == 0);
        heads.push_back(head);
        at += again.size();
        require(at <= data.size());
    }
    return at;
}

void read_any(const std::vector<uint8_t>& data) {
    std::vector<RecordHead> heads;
    walk(data, heads);
    RecordHead head;
    for (size_t at = 0; (at = find(data.data(), data.size(), at, SEED, &head)) < data.size(); at += ALIGNMENT) {
        require(check(data.data() + at, data.size() - at, SEED, &head) == Check::WHOLE);
    }
}

void write_and_read(const uint8_t* data, size_t size) {
    Writer writer(SEED, 0);
    std::vector<uint8_t> made;
    const auto gather = [&] {
        const Writer::Group group = writer.take();
        made.insert(made.end(), group.data, group.data + group.size);
    };
    uint64_t count = 0;
    for (size_t at = 0; at < size; ++count) {
        const size_t length = data[at] % 64 < size - at ? data[at] % 64 : size - at - 1;
        require(writer.append(data[at], 1, static_cast<int64_t>(at), data + at + 1, static_cast<uint32_t>(length)) ==
                count + 1);
        if (data[at] > 160) gather();
        at += 1 + length;
    }
    gather();
    std::vector<RecordHead> heads;
    require(walk(made, heads) == made.size() && heads.size() == count);
    read_any(made);
    const size_t turned = (data[0] * 257U + data[size / 2]) % made.size();
    made[turned] ^= static_cast<uint8_t>(1U << (data[size - 1] % 8));
    std::vector<RecordHead> left;
    const size_t end = walk(made, left);
    require(end <= turned);
    require(left.empty() || std::memcmp(left.data(), heads.data(), left.size() * sizeof(RecordHead)) == 0);
    require(left.size() == count || end + record_size(heads[left.size()].length) > turned);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    read_any({data + 1, data + size});
    write_and_read(data, size);
    return 0;
}
