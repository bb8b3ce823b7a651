// Borrowed memory of a Python object (bytes, mmap, contiguous array) for the length of a call.
#pragma once
#include <pybind11/pybind11.h>

#include <cstddef>
#include <string>

namespace tf {

class Bytes {
  public:
    explicit Bytes(pybind11::handle object, bool writable = false) {
        if (PyObject_GetBuffer(object.ptr(), &view_, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE) != 0) {
            throw pybind11::error_already_set();
        }
    }
    ~Bytes() { PyBuffer_Release(&view_); }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;

    unsigned char* data() const { return static_cast<unsigned char*>(view_.buf); }
    size_t size() const { return static_cast<size_t>(view_.len); }

    // The memory as whole items; a ValueError that names the argument if its size is no multiple of theirs.
    template <typename Item>
    Item* items(const char* name) const {
        if (size() % sizeof(Item) != 0) {
            throw pybind11::value_error(std::string(name) + " has " + std::to_string(size()) +
                                        " bytes; expected a multiple of " + std::to_string(sizeof(Item)));
        }
        return reinterpret_cast<Item*>(view_.buf);
    }
    template <typename Item>
    size_t count() const {
        return size() / sizeof(Item);
    }

  private:
    Py_buffer view_{};
};

}  // namespace tf
