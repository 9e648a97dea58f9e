# The types with which waiter.py is compiled; what it does is in the .py alone.

cimport cython

@cython.final
cdef class Waiter:
    cdef object _hub
    cdef bint _over
    cdef object _parked
    cpdef park(self)
    cpdef park_as(self, caller)
    cpdef wait_as(self, caller)
    cpdef detach(self)
    @cython.locals(me=Waiter)
    cpdef wake(self)
    @cython.locals(me=Waiter)
    cpdef wake_on_hub(self)
    cdef _on_error(self, parked, error)

@cython.locals(waiter=Waiter)
cpdef Waiter waiter_of(hub)
