// engine._native.tape: events to columns and back, one call a record batch.
#include <pybind11/pybind11.h>

#include <array>

#include "bytes.hpp"
#include "tape/transpose.hpp"
#include "target.hpp"

namespace py = pybind11;

namespace {

constexpr size_t ALIGNMENT = 8;  // of each column in an Arrow message's body

size_t padded(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

size_t body_size(size_t rows) {
    size_t size = 0;
    for (const uint8_t width : tf::COLUMN_WIDTH) size += padded(rows * width);
    return size;
}

// Writes the body of the record batch; bytes written.
size_t to_columns(const py::handle events, const py::handle out) {
    const tf::Bytes source(events);
    const tf::Bytes target(out, true);
    const auto* rows = source.items<const tf::Event>("events");
    const size_t count = source.count<tf::Event>();
    const size_t size = body_size(count);
    if (target.size() < size) {
        throw py::value_error("out has " + std::to_string(target.size()) + " bytes; expected " + std::to_string(size));
    }
    std::array<unsigned char*, tf::COLUMNS> columns;
    unsigned char* at = target.data();
    for (size_t i = 0; i < columns.size(); ++i) {
        columns[i] = at;
        const size_t bytes = count * tf::COLUMN_WIDTH[i];
        at += padded(bytes);
        for (unsigned char* pad = columns[i] + bytes; pad < at; ++pad) *pad = 0;
    }
    py::gil_scoped_release release;
    tf::transpose_kernel().to_columns(rows, count, columns.data());
    return size;
}

// Reads columns that start at `offsets` of the body at `body` of `data` into all of `events`.
void to_events(const py::handle data, size_t body, const py::sequence& offsets, const py::handle events) {
    const tf::Bytes source(data);
    const tf::Bytes target(events, true);
    auto* rows = target.items<tf::Event>("events");
    const size_t count = target.count<tf::Event>();
    if (offsets.size() != tf::COLUMNS) {
        throw py::value_error(std::to_string(offsets.size()) + " offsets; expected " + std::to_string(tf::COLUMNS));
    }
    std::array<const unsigned char*, tf::COLUMNS> columns;
    for (size_t i = 0; i < columns.size(); ++i) {
        const size_t offset = body + offsets[i].cast<size_t>();
        if (offset > source.size() || source.size() - offset < count * tf::COLUMN_WIDTH[i]) {
            throw py::value_error("column " + std::to_string(i) + " at byte " + std::to_string(offset) +
                                  " reaches past the end of data");
        }
        columns[i] = source.data() + offset;
    }
    py::gil_scoped_release release;
    tf::transpose_kernel().to_events(columns.data(), count, rows);
}

bool all_known(const py::handle values, const py::handle known) {
    const tf::Bytes source(values);
    const tf::Bytes table(known);
    if (source.size() % sizeof(uint16_t) != 0 || table.size() != 1 << 16) {
        throw py::value_error("expected 16-bit values and 65536 bytes of known ones");
    }
    return tf::all_known(source.data(), source.size() / sizeof(uint16_t), table.data());
}

}  // namespace

PYBIND11_MODULE(tape, m) {
    m.doc() = "Events to columns and back, for Arrow record batches.";
    if (const std::string error = tf::target_from_environment(); !error.empty()) throw py::import_error(error);
    m.def("body_size", &body_size, py::arg("rows"), "Bytes of the body of a record batch: columns, each padded to 8.");
    m.def("to_columns", &to_columns, py::arg("events"), py::arg("out"),
          "Write the columns of contiguous events one after the other into out; bytes written.");
    m.def("all_known", &all_known, py::arg("values"), py::arg("known"),
          "Whether the byte at each 16-bit value's place in known is not 0.");
    m.def("to_events", &to_events, py::arg("data"), py::arg("body"), py::arg("offsets"), py::arg("events"),
          "Fill events from the columns that start at these offsets of the body, which starts at a byte of data.");
}
