# The types with which pace.py is compiled; what it does is in the .py alone.

cdef class Pace:
    cdef public double interval
    cdef public double next_at

    cpdef double wait(self, double now) except -1
    cpdef take(self, double now)
