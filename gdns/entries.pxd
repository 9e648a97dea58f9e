# The types with which entries.py is compiled; what it does is in the .py alone.

cimport cython

cdef class HostEntry:
    cdef public tuple addresses
    cdef public object origin

@cython.locals(entry=HostEntry)
cpdef HostEntry host_entry(tuple addresses, origin)

cdef class Miss:
    cdef public object status
    cdef public int herrno
    cdef public object outcome
    cdef public bint is_certain
    cdef public int h_errno

cdef class Failure:
    cdef public int eai
    cdef public int h_errno
    cdef public object outcome

cdef class Foreign:
    cdef public str reason
