// engine._native.batch: calls that do a batch of work, and what the build knows about itself.
#include <pybind11/pybind11.h>

#include "cycles.hpp"
#include "event.hpp"
#include "order.hpp"
#include "target.hpp"

namespace py = pybind11;

namespace {

#define TF_FIELD(Record, name) layout[#name] = py::make_tuple(offsetof(tf::Record, name), sizeof(tf::Record::name))

py::dict event_layout() {
    py::dict layout;
    TF_FIELD(Event, ts_event);
    TF_FIELD(Event, ts_recv);
    TF_FIELD(Event, price);
    TF_FIELD(Event, quantity);
    TF_FIELD(Event, sequence);
    TF_FIELD(Event, order_id);
    TF_FIELD(Event, instrument);
    TF_FIELD(Event, venue);
    TF_FIELD(Event, provider);
    TF_FIELD(Event, kind);
    TF_FIELD(Event, side);
    TF_FIELD(Event, flags);
    TF_FIELD(Event, reserved);
    TF_FIELD(Event, conditions);
    return layout;
}

py::dict order_layout() {
    py::dict layout;
    TF_FIELD(OrderRecord, ts);
    TF_FIELD(OrderRecord, price);
    TF_FIELD(OrderRecord, quantity);
    TF_FIELD(OrderRecord, display);
    TF_FIELD(OrderRecord, order_id);
    TF_FIELD(OrderRecord, instrument);
    TF_FIELD(OrderRecord, owner);
    TF_FIELD(OrderRecord, action);
    TF_FIELD(OrderRecord, side);
    TF_FIELD(OrderRecord, type);
    TF_FIELD(OrderRecord, tif);
    TF_FIELD(OrderRecord, flags);
    TF_FIELD(OrderRecord, reserved);
    return layout;
}

py::dict report_layout() {
    py::dict layout;
    TF_FIELD(ReportRecord, ts);
    TF_FIELD(ReportRecord, price);
    TF_FIELD(ReportRecord, quantity);
    TF_FIELD(ReportRecord, leaves);
    TF_FIELD(ReportRecord, cumulative);
    TF_FIELD(ReportRecord, order_id);
    TF_FIELD(ReportRecord, execution_id);
    TF_FIELD(ReportRecord, instrument);
    TF_FIELD(ReportRecord, owner);
    TF_FIELD(ReportRecord, kind);
    TF_FIELD(ReportRecord, reason);
    TF_FIELD(ReportRecord, side);
    TF_FIELD(ReportRecord, flags);
    TF_FIELD(ReportRecord, action);
    TF_FIELD(ReportRecord, reserved);
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
    m.def("order_layout", &order_layout, "Field -> (offset, size) of struct OrderRecord.");
    m.def("report_layout", &report_layout, "Field -> (offset, size) of struct ReportRecord.");
    m.def("supported_targets", &supported_targets, "CPU targets this build has and this CPU can run.");
    m.def("target", [] { return tf::target_name(tf::target()); }, "The CPU target in use.");
}
