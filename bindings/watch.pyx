# distutils: language = c++
# cython: auto_pickle=False
# cython: embedsignature=False
"""Who wants to hear of changes is called, without Python in between."""

from cpython.contextvars cimport PyContext_Enter, PyContext_Exit
from libc.stdint cimport uint64_t

import contextvars as _contextvars
import logging as _logging

import numpy as _numpy

cdef object LOG = _logging.getLogger("engine.market")


cdef class Handle:
    """Handle(callback, numbers, forget)
--

    A registered callback.

    Attributes:
        numbers: the instruments it hears of; None for all.
        calls: how often it was called.
        error: the exception that stopped it, None while there is none.
        active: whether it will be called again.
    """

    cdef readonly object numbers
    cdef readonly uint64_t calls
    cdef readonly object error
    cdef public bint active
    cdef object call, forget, context

    def __init__(self, callback, numbers, forget):
        if not callable(callback):
            raise TypeError(f"callback is {callback!r}; expected a function")
        self.call, self.numbers, self.forget = callback, numbers, forget
        self.context = _contextvars.copy_context()
        self.active = True

    def cancel(self):
        """Calls it no more; again and again has no further effect."""
        self.active = False
        self.forget(self)

    def run(self, argument):
        """Calls it in the context it was registered in; False if it failed, which stops it and nothing else."""
        return self.invoke(argument)

    cdef bint invoke(self, object argument) except -1:
        if not self.active:
            return True
        self.calls += 1
        try:
            PyContext_Enter(self.context)
            try:
                self.call(argument)
            finally:
                PyContext_Exit(self.context)
        except Exception as error:
            self.error = error
            self.cancel()
            LOG.exception("a callback for market data failed and is called no more: %r", self.call)
            return False
        return True


cdef class Watchers:
    """Watchers(views)
--

    Everyone who wants to hear: of changed books, and of prints.

    Args:
        views: the live book of an instrument; asked once for each.

    Attributes:
        readers: streams and others who wait; their ``offer(numbers)`` is called behind the callbacks.
        builders: of bars; their ``update(trades)`` is called behind the callbacks.
        failures: callbacks that failed.
    """

    cdef readonly list readers
    cdef readonly dict builders
    cdef public uint64_t failures
    cdef tuple handles  # replaced as a whole: who is called may cancel others and register new ones
    cdef tuple printed  # the same of those who hear of prints
    cdef object views
    cdef list known  # by instrument; None where it was not asked for yet

    def __init__(self, views):
        self.views = views
        self.handles, self.printed = (), ()
        self.readers, self.builders, self.known = [], {}, []

    def on_change(self, callback, numbers):
        """Registers for changes of these instruments, of all if None."""
        handle = Handle(callback, numbers, self.forget)
        self.handles += (handle,)
        return handle

    def on_trade(self, callback, numbers):
        """Registers for prints of these instruments, of all if None."""
        handle = Handle(callback, numbers, self.forget)
        self.printed += (handle,)
        return handle

    def forget(self, handle):
        """Its callback is called no more."""
        self.handles = tuple([one for one in self.handles if one is not handle])
        self.printed = tuple([one for one in self.printed if one is not handle])

    def drained(self, list numbers not None, trades):
        """What a drain brought: changed books, and an array of prints."""
        if numbers:
            self.changed(numbers)
        if len(trades):
            self.traded(trades)

    cpdef traded(self, trades):
        """Tells who wants to know of these prints, an ``EVENT`` array."""
        cdef Handle handle
        for handle in self.printed:
            ours = trades
            if handle.numbers is not None:
                ours = trades[_numpy.isin(trades["instrument"], list(handle.numbers))]
            if len(ours) and not handle.invoke(ours):
                self.failures += 1
        if self.builders:
            for builder in tuple(self.builders.values()):
                builder.update(trades)

    cpdef changed(self, list numbers):
        """Tells who wants to know of these instruments, each once."""
        cdef list everything = None, books
        cdef Handle handle
        for handle in self.handles:
            if handle.numbers is None:
                if everything is None:
                    everything = [self.view(number) for number in numbers]
                books = everything
            else:
                books = [self.view(number) for number in numbers if number in handle.numbers]
            if books and not handle.invoke(books):
                self.failures += 1
        if self.readers:
            for reader in tuple(self.readers):  # a stream that nobody holds any more may leave at any time
                reader.offer(numbers)

    cdef object view(self, Py_ssize_t number):
        if number < len(self.known):
            view = self.known[number]
            if view is not None:
                return view
        self.known.extend([None] * (number + 1 - len(self.known)))
        self.known[number] = view = self.views(number)
        return view
