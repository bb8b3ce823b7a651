# distutils: language = c++
# cython: auto_pickle=False
"""Latency histograms and least delays: fixed memory, one call a value."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

import numpy as _numpy

cdef extern from "latency.hpp" namespace "tf":
    cdef cppclass CHistogram "tf::Histogram":
        void record(int64_t) noexcept nogil
        void record(const int64_t*, size_t) noexcept nogil
        void merge(const CHistogram&) noexcept nogil
        void clear() noexcept nogil
        uint64_t count() noexcept nogil
        uint64_t negative() noexcept nogil
        int64_t least() noexcept nogil
        int64_t most() noexcept nogil
        double mean() noexcept nogil
        int64_t quantile(double) noexcept nogil
    cdef cppclass CDelays "tf::Delays":
        void delay(int64_t, int64_t) noexcept nogil
        void round_trip(int64_t, int64_t) noexcept nogil
        int64_t least_delay() noexcept nogil
        int64_t least_trip() noexcept nogil
    const int64_t NO_DELAY "tf::Delays::NONE"


cdef class Histogram:
    """Durations in whole ns, in 19 KB, whatever their number.

    ``count``, ``mean``, ``min`` and ``max`` are exact; quantiles are at most ``RELATIVE_ERROR`` off. Negative values (the
    sender's clock is ahead of ours) count, and are also counted apart. Values over 73 minutes share a cell.
    """

    cdef CHistogram native

    RELATIVE_ERROR = 0.015625  # 1/64

    def record(self, int64_t ns, /):
        """Counts one duration."""
        self.native.record(ns)

    def record_many(self, values, /):
        """Counts an array of durations.

        Raises:
            TypeError: not an array of integers.
        """
        array = _numpy.asarray(values)
        if array.dtype.kind not in "iu":
            raise TypeError(f"values has dtype {array.dtype}; expected integers of nanoseconds")
        cdef const int64_t[::1] flat = _numpy.ascontiguousarray(array, _numpy.int64).reshape(-1)
        if flat.shape[0]:
            self.native.record(&flat[0], <size_t>flat.shape[0])

    def merge(self, Histogram other not None, /):
        """Adds all values of another histogram."""
        self.native.merge(other.native)

    def clear(self):
        """Forgets all values."""
        self.native.clear()

    def quantile(self, double fraction, /):
        """The duration at or below which this fraction of all lie, by nearest rank, in ns; 0 while empty.

        Raises:
            ValueError: not between 0 and 1.
        """
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(f"fraction is {fraction!r}; expected 0 to 1")
        return self.native.quantile(fraction)

    @property
    def _address(self):
        """Where the native histogram lies, for kernels that record into it; valid while this object lives."""
        return <size_t>&self.native

    @property
    def count(self):
        """How many durations there are."""
        return self.native.count()

    @property
    def negative(self):
        """How many of them are below 0."""
        return self.native.negative()

    @property
    def mean(self):
        """Their mean in ns; 0.0 while empty."""
        return self.native.mean()

    @property
    def min(self):
        """The shortest in ns; 0 while empty."""
        return self.native.least() if self.native.count() else 0

    @property
    def max(self):
        """The longest in ns; 0 while empty."""
        return self.native.most() if self.native.count() else 0


cdef class Delays:
    """The least one-way delay and the least round trip of the last one to two minutes, in ns."""

    cdef CDelays native

    def delay(self, int64_t ns, int64_t now, /):
        """A message's receipt less its stamp, and when that was."""
        self.native.delay(ns, now)

    def round_trip(self, int64_t ns, int64_t now, /):
        """A ping's way there and back; one below 0 is none."""
        self.native.round_trip(ns, now)

    @property
    def _address(self):
        """Where the native object lies, for kernels that record into it; valid while this object lives."""
        return <size_t>&self.native

    @property
    def least_delay(self):
        """The fastest message's receipt less its stamp; None before the first."""
        least = self.native.least_delay()
        return None if least == NO_DELAY else least

    @property
    def least_trip(self):
        """The fastest round trip; None before the first."""
        least = self.native.least_trip()
        return None if least == NO_DELAY else least
