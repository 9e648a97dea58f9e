# The types with which hosts.py is compiled; what it does is in the .py alone.

import cython

cdef long long _BIT

cdef class _Index:
    cdef bytes _lowered
    cdef Py_ssize_t _end
    cdef Py_ssize_t _indexed_to
    cdef dict _first
    cdef dict _others
    cdef long long _lengths
    cdef bint lacks_length(self, Py_ssize_t length) except -1
    cpdef bint lacks(self, bytes name) except -1

cdef class _Table:
    cdef bytes _content
    cdef _Index _index
    cdef dict _memo
    cdef bint lacks_length(self, Py_ssize_t length) except -1
    cpdef addresses(self, bytes name, int family, bint multi)

cdef class HostsFile:
    cdef public bint multi
    cdef public object clock
    cdef public bint is_missing
    cdef public double look_at
    cdef object _file
    cdef _Table _table
    cpdef look(self)
    @cython.locals(now=double)
    cdef _Table _current(self)
    @cython.locals(table=_Table, text=str, octets=bytes)
    cpdef addresses(self, name, int family=*)
