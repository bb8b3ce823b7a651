// engine._native.batch: calls that do a batch of work, and what the build knows about itself.
#include <pybind11/pybind11.h>

#include "cycles.hpp"
#include "event.hpp"
#include "target.hpp"

namespace py = pybind11;

namespace {

py::dict event_layout() {
    py::dict layout;
#define FIELD(name) layout[#name] = py::make_tuple(offsetof(tf::Event, name), sizeof(tf::Event::name))
    FIELD(ts_event);
    FIELD(ts_recv);
    FIELD(price);
    FIELD(quantity);
    FIELD(sequence);
    FIELD(order_id);
    FIELD(instrument);
    FIELD(venue);
    FIELD(provider);
    FIELD(kind);
    FIELD(side);
    FIELD(flags);
    FIELD(reserved);
    FIELD(conditions);
#undef FIELD
    return layout;
}

py::list supported_targets() {
    py::list names;
    for (int i = 0; i < tf::TARGETS; ++i) {
        if (tf::target_supported(static_cast<tf::Target>(i))) names.append(tf::target_name(static_cast<tf::Target>(i)));
    }
    return names;
}

}  // namespace

PYBIND11_MODULE(batch, m) {
    m.doc() = "Kernels that do a batch of work in one call.";
    if (const std::string error = tf::target_from_environment(); !error.empty()) throw py::import_error(error);
    m.def("dependent_additions", &tf::dependent_additions, py::arg("count"),
          "Work of `count` cycles: additions of which each waits for the one before.");
    m.def("event_layout", &event_layout, "Field -> (offset, size) of struct Event.");
    m.def("supported_targets", &supported_targets, "CPU targets this build has and this CPU can run.");
    m.def("target", [] { return tf::target_name(tf::target()); }, "The CPU target in use.");
}
