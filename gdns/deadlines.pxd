# The types with which deadlines.py is compiled; what it does is in the .py alone.

import cython

cdef class Deadlines:
    cdef dict _slots
    cdef list _heap
    cdef double _tick
    cdef double _ticks
    cdef dict _slot
    cdef object _moment
    @cython.locals(tick=double)
    cpdef dict put(self, object item, double due_at)
    @cython.locals(slot=dict)
    cdef _take_slot(self, double tick)
    cpdef double next_at(self)
    cpdef list pop(self, double now)
