"""The books of ``native/book`` as Cython sees them."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.string cimport string

cdef extern from "target.hpp" namespace "tf":
    string target_from_environment()

cdef extern from "numpy_fast.hpp" namespace "tf":
    object fresh_array(PyObject* descr, Py_ssize_t n, size_t item)
    object fresh_tuple(object type, Py_ssize_t n)

cdef extern from "Python.h":
    void PyTuple_SET_ITEM(object t, Py_ssize_t i, object o)

cdef extern from "event.hpp" namespace "tf":
    cdef struct Event:
        pass

cdef extern from "book/book.hpp" namespace "tf":
    cdef enum class Form(uint8_t):
        LEVELS
        VENUES
        QUEUES

    cdef uint32_t COUNTS
    cdef struct Grid:
        int64_t ts_event
        int64_t ts_recv
        uint64_t* counts
        uint32_t rows
        Form form
        uint64_t live

    cdef struct DepthRow:
        pass

    cdef struct BookSet:
        Grid** grids
        uint32_t capacity
        uint32_t venue_count
        uint32_t used
        uint16_t* venue
        uint64_t* counts

    cdef struct BookKernels:
        cbool (*apply)(Grid*, const Event*, size_t, const uint8_t*) nogil
        size_t (*apply_set)(BookSet*, const Event*, size_t, uint32_t*) nogil
        cbool (*set)(Grid*, int, int64_t, int64_t) nogil
        void (*depth)(const Grid*, size_t, DepthRow*) nogil

    cdef struct WalkResult:
        double price
        double worst
        int64_t quantity
        int64_t remaining

    cdef struct Tops:
        double bid
        double bid_quantity
        double ask
        double ask_quantity

    cdef struct Standing:
        int64_t price
        int64_t quantity

    const BookKernels& book_kernels()
    BookSet* set_create(Form, uint32_t)
    void set_destroy(BookSet*)
    Grid* set_open(BookSet*, uint32_t)
    uint32_t set_row(BookSet*, uint16_t)
    const char* count_name(uint32_t)
    Tops read_tops(const Grid*)
    double read_mid(const Grid*)
    double read_spread(const Grid*)
    double read_imbalance(const Grid*, size_t)
    double read_total(const Grid*, int, size_t)
    WalkResult read_walk(const Grid*, int, int64_t)
    double read_time_weighted_spread(const Grid*)
    cbool read_queue_position(const Grid*, uint64_t, uint64_t*, int64_t*)
    void read_rows(const Grid*, int, size_t, double*)
    size_t read_levels(const Grid*, int, size_t, Standing*)
    void read_row_depth(const Grid*, uint32_t, size_t, DepthRow*)

cdef extern from "book/pages.hpp" namespace "tf":
    Grid* grid_create(Form, uint32_t, uint32_t, uint32_t)
    void grid_destroy(Grid*)
    void grid_clear(Grid*)
    void grid_grow_rows(Grid*, uint32_t)
    size_t grid_memory(const Grid*)
    void row_set_live(Grid*, uint32_t, cbool)
