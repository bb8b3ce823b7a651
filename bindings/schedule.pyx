# distutils: language = c++
# cython: auto_pickle=False
"""Schedules: a quantity cut into slices in time, the same on every machine."""

cimport numpy as cnp
from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp.string cimport string

import numpy as _numpy

cnp.import_array()

cdef extern from "target.hpp" namespace "tf":
    string target_from_environment()

cdef extern from "numpy_fast.hpp" namespace "tf":
    object fresh_array(PyObject*, cnp.npy_intp, size_t)
    void shorten(object, cnp.npy_intp)

cdef extern from "schedule/schedule.hpp" namespace "tf":
    const int64_t SLICES_MOST
    const int64_t SIZE_JITTER_ONE
    cdef struct CSlice "tf::Slice":
        int64_t ts
        int64_t quantity
    cdef struct ScheduleRequest:
        int64_t lots
        int64_t lot
        int64_t least
        int64_t most
        int64_t start
        int64_t end
        int64_t slices
        int64_t jitter
        int64_t size_jitter
        uint64_t seed
        uint32_t stream
    size_t scratch_slices(size_t) nogil
    void schedule(const ScheduleRequest&, CSlice*) noexcept nogil

cdef string _error = target_from_environment()
if not _error.empty():
    raise ImportError(_error.decode())

SLICE = _numpy.dtype([("ts", "<i8"), ("quantity", "<i8")])  # ns since the epoch; count of 1e-9
SLICES_LIMIT = SLICES_MOST
cdef object _SLICE = SLICE
cdef int64_t _MOST = 2**63 - 1


cdef _check(const ScheduleRequest& asked):
    """What the kernel takes for granted; the reason in words."""
    if asked.lot <= 0 or asked.lots <= 0 or asked.lots > _MOST // asked.lot:
        raise ValueError(f"quantity is {asked.lots} lots of {asked.lot}; expected at least 1, and at most {_MOST} in all")
    if not 1 <= asked.slices <= SLICES_MOST:
        raise ValueError(f"slices is {asked.slices}; expected 1 to {SLICES_MOST}")
    if asked.end <= asked.start or <uint64_t>asked.end - <uint64_t>asked.start < <uint64_t>asked.slices:
        raise ValueError(f"start is {asked.start} and end {asked.end}; expected at least 1 ns for each of {asked.slices} slices")
    if asked.least < 0 or asked.most < asked.least or asked.least > asked.lots // asked.slices:
        raise ValueError(f"least is {asked.least} and most {asked.most} lots; expected {asked.slices} slices to make {asked.lots}")
    if asked.most < asked.lots // asked.slices + (asked.lots % asked.slices != 0):
        raise ValueError(f"most is {asked.most} lots; expected at least an even share of {asked.lots} in {asked.slices} slices")
    if asked.jitter < 0:
        raise ValueError(f"jitter is {asked.jitter}; expected 0 ns or more")
    if not 0 <= asked.size_jitter <= SIZE_JITTER_ONE:
        raise ValueError(f"size_jitter is {asked.size_jitter}; expected 0 to {SIZE_JITTER_ONE}")


def slices(int64_t lots, int64_t lot, int64_t start, int64_t end, int64_t slices, int64_t least, int64_t most,
           int64_t jitter, int64_t size_jitter, uint64_t seed, uint32_t stream=0, /):
    """Array of SLICE: when and how much.

    The quantities sum to ``lots`` x ``lot`` exactly, each between ``least`` and ``most`` lots; the times ascend strictly
    within [start, end), each at most ``jitter`` ns from the middle of its even part of the window and within it. The
    rule, to the last bit, stands in native/schedule/schedule.hpp and tests/reference/schedule.py.

    Args:
        lots: the whole quantity.
        lot: counts of 1e-9 a lot has.
        start, end: ns since the epoch.
        slices: how many, 1 to 1,000,000.
        least, most: lots a slice.
        jitter: ns.
        size_jitter: share of an even slice by which the size may differ, times 1e9.
        seed: any; the same gives the same.
        stream: another one gives other draws of the same seed.

    Raises:
        ValueError: what cannot be.
    """
    cdef ScheduleRequest asked
    asked.lots, asked.lot, asked.least, asked.most = lots, lot, least, most
    asked.start, asked.end, asked.slices = start, end, slices
    asked.jitter, asked.size_jitter, asked.seed, asked.stream = jitter, size_jitter, seed, stream
    _check(asked)
    # the kernel writes whole groups: an array with room for them, shown without
    out = fresh_array(<PyObject*>_SLICE, <cnp.npy_intp>scratch_slices(slices), sizeof(CSlice))
    cdef CSlice* to = <CSlice*>cnp.PyArray_DATA(out)
    with nogil:
        schedule(asked, to)
    shorten(out, slices)
    return out
