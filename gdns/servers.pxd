# The types with which servers.py is compiled; what it does is in the .py alone.

import cython

from gdns._wire cimport Question

cdef class Server:
    cdef readonly object address
    cdef readonly int family
    cdef readonly bytes sockaddr
    cdef readonly str name
    cdef readonly int queries_per_socket
    cdef readonly bint is_tcp
    cdef public int window
    cdef public int in_flight
    cdef public object queue
    cdef public double failed_at
    cdef public double probed_at
    cdef public bint is_probed
    cdef readonly list groups
    cdef public double rtt

    cdef public int burst
    cdef public int unheard
    cdef public int unheard_before
    cdef public double turned_at
    cdef public double shrunk_at
    cdef public object refill
    cdef readonly double pause
    cdef readonly bint is_near
    cdef public int portion
    cdef public double portion_at
    cdef public int in_portion
    cdef public bint is_portion_read

    @cython.locals(buffered_for=double)
    cpdef bint has_room(self, double now) except -1
    @cython.locals(read_within=double, portion=int)
    cdef bint _has_portion(self, double now) except -1
    @cython.locals(room=int)
    cpdef int room(self) except -1
    cpdef int note_sent(self) except -1
    cpdef note_cut(self, double now, double sent_at)
    cpdef note_silence(self, double now, double sent_at)
    @cython.locals(rtt=double, buffered_for=double)
    cpdef note_reply(self, double now, double sent_at, int portion)
    cpdef note_failure(self, double now)
    cdef _arrange(self)

cdef class Group:
    cdef readonly tuple all
    cdef public tuple order
    cdef readonly int healthy
    cdef readonly bint has_failing
    cdef readonly bint rotates
    cdef int _turn

    cpdef double patience(self, double timeout) except -1
    cpdef tuple plan(self)
    cpdef arrange(self)

cdef class Servers:
    cdef dict _known
    cdef readonly Group default
    cdef readonly dict domains
    cdef readonly object all

    cdef Server _server(self, address)
    @cython.locals(name=bytes, at=Py_ssize_t)
    cpdef Group group_of(self, Question question)
