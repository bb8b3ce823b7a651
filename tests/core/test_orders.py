"""The order-entry records: one layout in NumPy and C++, the same numbers in Python and C++ enumerations."""

import re
from enum import IntEnum

import numpy as np
import pytest

from engine._native import batch
from engine.core import orders
from tests.checkout import ROOT

HEADER = re.sub(r"//[^\n]*", "", (ROOT / "native" / "order.hpp").read_text())
ENUMERATIONS = [
    *(orders.Action, orders.OrderType, orders.TimeInForce, orders.OrderFlag),
    *(orders.ReportKind, orders.Reason, orders.ReportFlag),
]


@pytest.mark.parametrize(
    ("record", "native", "size"),
    [(orders.ORDER, batch.order_layout(), 64), (orders.REPORT, batch.report_layout(), 72)],
    ids=["order", "report"],
)
def test_numpy_and_native_layouts_agree_offset_by_offset(record: np.dtype, native: dict, size: int):
    assert record.names is not None
    assert record.fields is not None
    ours = {name: (record.fields[name][1], record.fields[name][0].itemsize) for name in record.names}
    assert ours == native
    assert list(ours) == list(native)
    assert record.itemsize == size == sum(width for _, width in ours.values())


@pytest.mark.parametrize("enumeration", ENUMERATIONS)
def test_enumerations_agree_with_native(enumeration: type[IntEnum]):
    found = re.search(rf"enum (?:class )?{enumeration.__name__}\b[^{{]*{{([^}}]*)}}", HEADER)
    assert found is not None
    values: dict[str, int] = {}
    for enumerator in filter(None, (text.strip() for text in found[1].split(","))):
        label, _, value = enumerator.partition("=")
        values[label.strip()] = int(value, 0) if value.strip() else max(values.values(), default=-1) + 1
    assert {member.name: member.value for member in enumeration} == values


def test_zeroed_records_ask_and_say_nothing():
    assert np.zeros(1, orders.ORDER)[0]["action"] == orders.Action.NONE
    assert np.zeros(1, orders.REPORT)[0]["kind"] == orders.ReportKind.NONE
