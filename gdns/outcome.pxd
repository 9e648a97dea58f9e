# The types with which outcome.py is compiled; what it does is in the .py alone.

cdef class Outcome:
    cdef public object question
    cdef public object status
    cdef public object reply
    cdef public str server
    cdef public int attempts
    cdef public double elapsed
    cdef public str detail
    cdef public str transport
