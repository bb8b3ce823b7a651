// Arrays of records for Python: small ones with memory of their own, large ones on memory that is used again.
#pragma once
#include <Python.h>
#include <numpy/arrayobject.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "numpy_fast.hpp"

namespace tf {

inline constexpr size_t HUGE_PAGE = size_t{2} << 20;

static inline size_t records_rounded(size_t size) {
    const size_t unit = size >= HUGE_PAGE ? HUGE_PAGE : 64;
    return (size + unit - 1) / unit * unit;
}

// Memory on cache lines, on huge pages where the kernel allows it: page faults cost more than decoding.
static inline void* records_allocate(size_t size) {
    const size_t rounded = records_rounded(size);
    void* const memory = std::aligned_alloc(size >= HUGE_PAGE ? HUGE_PAGE : 64, rounded == 0 ? 64 : rounded);
#ifdef MADV_HUGEPAGE
    if (memory != nullptr && size >= HUGE_PAGE) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    return memory;
}

static inline void records_free(void* memory, size_t) { std::free(memory); }

// A one-dimensional array on foreign memory that `owner` keeps alive.
static inline PyObject* array_of(PyObject* descr, void* memory, Py_ssize_t n, PyObject* owner) {
    npy_intp shape = n;
    Py_INCREF(descr);
    PyObject* const array = PyArray_NewFromDescr(&PyArray_Type, reinterpret_cast<PyArray_Descr*>(descr), 1, &shape,
                                                 nullptr, memory, NPY_ARRAY_CARRAY, nullptr);
    if (array == nullptr) return nullptr;
    Py_INCREF(owner);
    if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array), owner) < 0) {
        Py_DECREF(array);
        return nullptr;
    }
    return array;
}

// A one-dimensional array that owns a copy.
static inline PyObject* array_copy(PyObject* descr, const void* records, Py_ssize_t n, size_t item) {
    PyObject* const array = fresh_array(descr, n, item);
    if (array != nullptr && n != 0) {
        std::memcpy(PyArray_DATA(reinterpret_cast<PyArrayObject*>(array)), records, static_cast<size_t>(n) * item);
    }
    return array;
}

}  // namespace tf
