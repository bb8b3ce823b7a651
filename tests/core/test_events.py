"""The record: one layout in NumPy and C++, the same numbers in Python and C++ enumerations."""

import re
from enum import IntEnum

import numpy as np
import pytest

from engine._native import batch
from engine.core import events
from engine.core.events import DEPTH, EVENT
from tests.checkout import ROOT

HEADER = re.sub(r"//[^\n]*", "", (ROOT / "native" / "event.hpp").read_text())


def test_numpy_and_native_layouts_agree_offset_by_offset():
    assert EVENT.names is not None
    assert EVENT.fields is not None
    ours = {name: (EVENT.fields[name][1], EVENT.fields[name][0].itemsize) for name in EVENT.names}
    assert ours == batch.event_layout()
    assert list(ours) == list(batch.event_layout())


def test_a_record_is_one_cache_line_without_holes():
    assert EVENT.itemsize == 64
    assert sum(EVENT[name].itemsize for name in EVENT.names or ()) == 64
    assert all(EVENT[name].newbyteorder("<") == EVENT[name] for name in EVENT.names or ())


def test_depth_rows_have_three_columns_a_side():
    assert DEPTH.names == ("bid_price", "bid_quantity", "bid_count", "ask_price", "ask_quantity", "ask_count")
    assert DEPTH.itemsize == 48


def native_enumeration(name: str) -> dict[str, int]:
    """Enumerator -> value as native/event.hpp has them."""
    found = re.search(rf"enum (?:class )?{name}\b[^{{]*{{([^}}]*)}}", HEADER)
    assert found is not None
    values: dict[str, int] = {}
    for enumerator in filter(None, (text.strip() for text in found[1].split(","))):
        label, _, value = enumerator.partition("=")
        values[label.strip()] = int(value, 0) if value.strip() else max(values.values(), default=-1) + 1
    return values


@pytest.mark.parametrize("enumeration", [events.Kind, events.Side, events.Flag, events.Condition, events.Status])
def test_enumerations_agree_with_native(enumeration: type[IntEnum]):
    assert {member.name: member.value for member in enumeration} == native_enumeration(enumeration.__name__)


def test_constants_agree_with_native():
    assert re.search(r"NO_INSTRUMENT = (0x[0-9A-F]+)u;", HEADER)[1] == f"0x{events.NO_INSTRUMENT:X}"
    assert re.search(r"NANOS = ([\d']+);", HEADER)[1].replace("'", "") == "1000000000"


def test_a_zeroed_record_is_no_event():
    record = np.zeros(1, EVENT)[0]
    assert record["kind"] == events.Kind.NONE
    assert record["side"] == events.Side.NONE


def test_flags_and_conditions_are_single_bits_that_fit_their_fields():
    for enumeration, field in ((events.Flag, "flags"), (events.Condition, "conditions")):
        bits = [member.value for member in enumeration]
        assert all(bit & (bit - 1) == 0 for bit in bits)
        assert max(bits) < 2 ** (8 * EVENT[field].itemsize)
