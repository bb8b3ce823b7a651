# distutils: language = c++
"""Wire formats to records: the symbol table and the decoders."""

from libc.stdint cimport uint32_t
from libcpp.string cimport string

cdef extern from "target.hpp" namespace "tf":
    string target_from_environment()

cdef extern from "symbols.hpp" namespace "tf":
    uint32_t NO_SYMBOL
    uint32_t SYMBOLS_MAX
    cdef cppclass CSymbolTable "tf::SymbolTable":
        CSymbolTable() except +
        uint32_t add(const char*, size_t) nogil
        uint32_t find(const char*, size_t) nogil
        uint32_t size() nogil
        size_t name(uint32_t, char*) nogil

cdef string _target_error = target_from_environment()
if not _target_error.empty():
    raise ImportError(_target_error.decode())


cdef class SymbolTable:
    """Symbols by id: contiguous from 0, given on first use, never reused. Shared by decoders, from any thread."""

    cdef CSymbolTable* native

    def __cinit__(self):
        self.native = new CSymbolTable()

    def __dealloc__(self):
        del self.native

    def add(self, str symbol not None):
        """The id of a symbol, a new one on first use.

        Raises:
            ValueError: not 1 to 32 printable ASCII characters without blanks, or the table is full.
        """
        cdef bytes text = symbol.encode("utf-8")
        cdef uint32_t number = self.native.add(text, len(text))
        if number == NO_SYMBOL:
            if self.native.size() >= SYMBOLS_MAX:
                raise ValueError(f"symbol {symbol!r} is one too many; {SYMBOLS_MAX} is the maximum")
            raise ValueError(f"symbol is {symbol!r}; expected 1 to 32 printable ASCII characters without blanks")
        return number

    def find(self, str symbol not None):
        """The id of a symbol, -1 if it is unknown."""
        cdef bytes text = symbol.encode("utf-8")
        cdef uint32_t number = self.native.find(text, len(text))
        return -1 if number == NO_SYMBOL else number

    def symbol(self, uint32_t number):
        """The symbol of an id.

        Raises:
            KeyError: no symbol has it.
        """
        cdef char text[32]
        cdef size_t length = self.native.name(number, text)
        if length == 0:
            raise KeyError(number)
        return text[:length].decode("ascii")

    def symbols(self, uint32_t start=0):
        """Every symbol from id ``start`` on, by id."""
        return [self.symbol(number) for number in range(start, self.native.size())]

    def __len__(self):
        return self.native.size()
