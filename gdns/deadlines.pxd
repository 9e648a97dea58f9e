# The types with which deadlines.py is compiled; what it does is in the .py alone.

import cython

cdef class Deadlines:
    cdef dict _slots
    cdef list _heap
    @cython.locals(tick=long)
    cpdef dict put(self, object item, double due_at)
    cpdef double next_at(self)
    cpdef list pop(self, double now)
