# distutils: language = c++
# cython: auto_pickle=False
"""Records of journals: their bytes, and the thread that makes them durable."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

import os as _os

from engine.errors import StorageError as _StorageError

cdef extern from "journal/records.hpp" namespace "tf::journal":
    cdef struct RecordHead:
        uint32_t crc
        uint32_t length
        uint64_t sequence
        int64_t now
        uint32_t place
        uint8_t kind
        uint8_t version
    cdef enum class Check(uint8_t):
        WHOLE
        MORE
        BROKEN
    cdef size_t RECORD_HEAD "sizeof(tf::journal::RecordHead)"
    cdef uint32_t CPAYLOAD_MAX "tf::journal::PAYLOAD_MAX"
    uint32_t c_crc32c "tf::journal::crc32c"(uint32_t, const uint8_t*, size_t) nogil
    size_t record_size(uint32_t) nogil
    Check check(const uint8_t*, size_t, uint32_t, RecordHead*) nogil
    size_t find(const uint8_t*, size_t, size_t, uint32_t, RecordHead*) nogil

cdef extern from "journal/writer.hpp" namespace "tf::journal":
    cdef enum class Stage(uint8_t):
        NONE
        WRITE
        SYNC
    cdef struct Group "tf::journal::Writer::Group":
        const uint8_t* data
        size_t size
        uint64_t last
    cdef size_t WAITING_MAX "tf::journal::Writer::WAITING_MAX"
    cdef cppclass CWriter "tf::journal::Writer":
        CWriter(uint32_t, uint64_t) except +
        uint64_t append(uint8_t, uint8_t, int64_t, const uint8_t*, uint32_t) nogil
        Group take() nogil
        int start(int, int, uint64_t, uint64_t) nogil
        void submit() nogil
        cbool wait(uint64_t) nogil
        void stop() nogil
        uint64_t last() nogil
        uint64_t durable() nogil
        int error() nogil
        Stage stage() nogil
        uint64_t end() nogil
        cbool orphaned() nogil

PAYLOAD_MAX = CPAYLOAD_MAX


def crc32c(const uint8_t[::1] data not None, uint32_t crc=0, /):
    """CRC-32C (RFC 3720, B.4) of data that goes on where ``crc`` ended."""
    return c_crc32c(crc, &data[0], data.shape[0]) if data.shape[0] else crc


def read_records(const uint8_t[::1] data not None, uint32_t seed, uint64_t sequence, /):
    """The whole records that data begins with, as (sequence, now, kind, version, place, payload); ``sequence`` is the
    first one's. Then the bytes they take, and whether what follows may be the beginning of another.
    """
    cdef size_t at = 0, size = data.shape[0]
    cdef RecordHead head
    cdef Check found = Check.MORE
    cdef const uint8_t* start = &data[0] if size else NULL
    records = []
    while True:
        found = check(start + at, size - at, seed, &head)
        if found != Check.WHOLE or head.sequence != sequence:
            return records, at, found == Check.MORE
        payload = PyBytes_FromStringAndSize(<const char*>(start + at + RECORD_HEAD), head.length)
        records.append((head.sequence, head.now, head.kind, head.version, head.place, payload))
        at += record_size(head.length)
        sequence += 1


def find_record(const uint8_t[::1] data not None, size_t start, uint32_t seed, /):
    """(offset, sequence, place) of the first whole record at or after ``start``, a multiple of 8; None without."""
    cdef RecordHead head
    cdef size_t size = data.shape[0], at = size
    if start < size:
        with nogil:
            at = find(&data[0], size, start, seed, &head)
    return None if at == size else (at, head.sequence, head.place)


cdef class Writer:
    """Gathers records of one journal. Not for use by several threads.

    Args:
        name: of the journal, for messages.
        seed: of its checksums.
        last: the sequence of the last record there is.
    """

    cdef CWriter* native
    cdef str name
    cdef str failure

    def __cinit__(self, str name not None, uint32_t seed, uint64_t last, /):
        self.native = new CWriter(seed, last)
        self.name = name
        self.failure = None

    def __init__(self, str name not None, uint32_t seed, uint64_t last, /):
        pass

    def __dealloc__(self):
        with nogil:
            self.native.stop()
        del self.native

    def append(self, uint8_t kind, uint8_t version, int64_t now, payload, /):
        """One record; its sequence. The payload is bytes or a contiguous buffer.

        Raises:
            StorageError: the journal has failed, or too much waits for the disk.
            ValueError: the payload is too long.
        """
        cdef Py_buffer view
        self._check()
        if PyBytes_CheckExact(payload):
            return self._append(kind, version, now, <const uint8_t*>PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))
        PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
        try:
            return self._append(kind, version, now, <const uint8_t*>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    cdef _append(self, uint8_t kind, uint8_t version, int64_t now, const uint8_t* payload, Py_ssize_t length):
        if length > CPAYLOAD_MAX:
            raise ValueError(f"payload has {length} bytes; expected at most {CPAYLOAD_MAX}")
        cdef uint64_t sequence = self.native.append(kind, version, now, payload, <uint32_t>length)
        if sequence == 0:
            raise _StorageError(f"{self.name}: the disk is behind; expected at most {WAITING_MAX} bytes to wait for it")
        return sequence

    cdef _check(self):
        if self.native.orphaned():
            raise RuntimeError(f"{self.name}: a journal cannot be used after a fork")
        if self.failure is not None or self.native.error():
            raise _StorageError(f"{self.name}: {self.failed}")

    def take(self):
        """(what was appended since the last call, the sequence of its last record), where no thread was started."""
        self._check()
        cdef Group group = self.native.take()
        return PyBytes_FromStringAndSize(<const char*>group.data, group.size), group.last

    def start(self, int descriptor, int notify, uint64_t end, uint64_t size, /):
        """Starts the thread: records go to ``end`` of a file of ``size`` bytes; news are told to the eventfd ``notify``.

        Raises:
            OSError: there can be no further thread.
        """
        cdef int error = self.native.start(descriptor, notify, end, size)
        if error:
            raise OSError(error, _os.strerror(error))

    def submit(self):
        """What was appended is to become durable; returns at once."""
        if self.native.orphaned():
            self._check()
        self.native.submit()

    def commit(self):
        """Waits until everything appended is durable.

        Raises:
            StorageError: the journal has failed.
        """
        self._check()
        cdef uint64_t last = self.native.last()
        cdef cbool well
        self.native.submit()
        with nogil:
            well = self.native.wait(last)
        if not well:
            self._check()

    def stop(self):
        """Ends the thread after what was submitted."""
        with nogil:
            self.native.stop()

    def fail(self, str reason not None, /):
        """Nothing more can be appended. The first reason stays."""
        if self.failure is None:
            self.failure = reason

    @property
    def failed(self):
        """Why nothing more can be appended; None while all is well."""
        cdef int error = self.native.error()
        if error and self.failure is None:
            verb = "synced" if self.native.stage() == Stage.SYNC else "written"
            return f"cannot be {verb}: {_os.strerror(error)}"
        return self.failure

    @property
    def last(self):
        """The sequence of the last record appended."""
        return self.native.last()

    @property
    def durable(self):
        """With a thread: the sequence up to which all records are durable."""
        return self.native.durable()

    @property
    def end(self):
        """With a thread: bytes of the file up to the end of what is durable."""
        return self.native.end()
