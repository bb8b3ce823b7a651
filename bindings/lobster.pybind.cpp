// engine._native.lobster: the rows of LOBSTER orderbook files, read and rebuilt.
#include <pybind11/pybind11.h>

#include <optional>

#include "bytes.hpp"
#include "lobster/rows.hpp"
#include "target.hpp"

namespace py = pybind11;
using tf::lobster::RowReplay;

namespace {

void expect_size(const char* name, size_t size, size_t expected) {
    if (size != expected) {
        throw py::value_error(std::string(name) + " has " + std::to_string(size) + " items; expected " +
                              std::to_string(expected));
    }
}

// (rows, bytes, field, failed)
py::tuple parse_rows(const py::handle data, size_t columns, const py::handle out) {
    if (columns == 0) throw py::value_error("columns is 0; expected at least 1");
    const tf::Bytes source(data);
    const tf::Bytes target(out, true);
    auto* values = target.items<int64_t>("out");
    const size_t capacity = target.count<int64_t>() / columns;
    tf::lobster::ParsedRows parsed;
    {
        py::gil_scoped_release release;
        parsed = tf::lobster::parse_rows(reinterpret_cast<const char*>(source.data()), source.size(), columns, values,
                                         capacity);
    }
    return py::make_tuple(parsed.rows, parsed.bytes, parsed.field, parsed.failed);
}

RowReplay make_replay(size_t depth, bool windowed) {
    if (depth == 0 || depth > 1'000'000) {
        throw py::value_error("depth is " + std::to_string(depth) + "; expected 1 to 1000000");
    }
    return {depth, windowed};
}

void start(RowReplay& replay, const py::handle row) {
    const tf::Bytes bytes(row);
    const auto* values = bytes.items<const int64_t>("row");
    if (bytes.count<int64_t>() % 4 != 0) throw py::value_error("row is no multiple of 4 columns");
    replay.start(values, bytes.count<int64_t>() / 4);
}

void write_row(const RowReplay& replay, const py::handle out) {
    const tf::Bytes bytes(out, true);
    auto* values = bytes.items<int64_t>("out");
    expect_size("out", bytes.count<int64_t>(), 4 * replay.depth());
    replay.write_row(values);
}

void run(RowReplay& replay, const py::handle events, const py::handle truth, bool take, const py::handle rows,
         const py::handle agree) {
    const tf::Bytes source(events);
    const auto* first = source.items<const tf::Event>("events");
    const size_t count = source.count<tf::Event>();
    std::optional<tf::Bytes> expected, output, equal;
    const int64_t* truth_values = nullptr;
    size_t levels = 0;
    if (!truth.is_none()) {
        expected.emplace(truth);
        truth_values = expected->items<const int64_t>("truth");
        levels = count == 0 ? replay.depth() : expected->count<int64_t>() / (4 * count);
        expect_size("truth", expected->count<int64_t>(), 4 * count * levels);
    }
    if (take && (truth.is_none() || levels != replay.depth())) {
        throw py::value_error("taking levels needs truth of depth " + std::to_string(replay.depth()));
    }
    int64_t* row_values = nullptr;
    if (!rows.is_none()) {
        output.emplace(rows, true);
        row_values = output->items<int64_t>("rows");
        expect_size("rows", output->count<int64_t>(), 4 * count * replay.depth());
    }
    int32_t* equal_values = nullptr;
    if (!agree.is_none()) {
        equal.emplace(agree, true);
        equal_values = equal->items<int32_t>("agree");
        expect_size("agree", equal->count<int32_t>(), count);
    }
    py::gil_scoped_release release;
    replay.run(first, count, truth_values, levels, take, row_values, equal_values);
}

py::dict counts(const RowReplay& replay) {
    py::dict result;
    result["taken"] = replay.counts().taken;
    result["unknown_levels"] = replay.counts().unknown_levels;
    result["clamped"] = replay.counts().clamped;
    return result;
}

}  // namespace

PYBIND11_MODULE(lobster, m) {
    m.doc() = "LOBSTER orderbook rows, read and rebuilt.";
    if (const std::string error = tf::target_from_environment(); !error.empty()) throw py::import_error(error);
    m.attr("NO_ASK") = tf::lobster::NO_ASK;
    m.attr("NO_BID") = tf::lobster::NO_BID;
    m.def(
        "parse_rows", &parse_rows, py::arg("data"), py::arg("columns"), py::arg("out"),
        "Read complete lines of integers into out; (rows, bytes, fields of the line after them, that line is wrong).");
    const py::metaclass plain(reinterpret_cast<PyObject*>(&PyType_Type));  // so that the stub tells the truth
    py::class_<RowReplay>(m, "RowReplay", plain,
                          "The book of one instrument by level arithmetic, one row after each event.")
        .def(py::init(&make_replay), py::arg("depth"), py::arg("windowed"))
        .def("start", &start, py::arg("row"), "The book is this row now.")
        .def("write_row", &write_row, py::arg("out"), "Write the book as a row of 4 x depth.")
        .def("run", &run, py::arg("events"), py::arg("truth"), py::arg("take"), py::arg("rows"), py::arg("agree"),
             "Apply events; rows after each into rows, levels that equal truth into agree.")
        .def_property_readonly("counts", &counts);
}
