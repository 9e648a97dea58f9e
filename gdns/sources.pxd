# The types with which sources.py is compiled; what it does is in the .py alone.

import cython

from gdns._clock cimport now_by
from gdns._routes cimport Routes

cdef long _forks

cdef class Sources:
    cdef public object clock
    cdef public double look_at
    cdef public long epoch
    cdef dict _sources
    cdef dict _interfaces
    cdef dict _described
    cdef Routes _routes
    cdef object _netlink
    cdef long _forks

    cpdef source_of(self, str destination)
    @cython.locals(now=double)
    cpdef long look(self) except? -1
    cpdef close(self)
    @cython.locals(packed=bytes)
    cdef _ask(self, str destination)
    cdef _forget_parents_sockets(self)
