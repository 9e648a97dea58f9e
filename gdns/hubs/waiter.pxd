# The types with which waiter.py is compiled; what it does is in the .py alone.

cdef class Waiter:
    cdef object _hub
    cdef bint _over
    cdef object _parked
    cpdef park(self)
    cpdef wake(self)
