# The types with which many.py is compiled; what it does is in the .py alone.

import cython

from gdns._wire cimport Question
from gdns.flight cimport Ask, Crowd
from gdns.hubs.waiter cimport Waiter
from gdns.outcome cimport Outcome
from gdns.pace cimport Pace
from gdns.stub cimport Stub

cdef class Many(Crowd):
    cdef readonly object landed
    cdef readonly Py_ssize_t in_flight
    cdef object _engine
    cdef Py_ssize_t _concurrency
    cdef Pace _pace
    cdef bint _is_idna2008
    cdef object _hub
    cdef Stub _stub
    cdef list _stubs
    cdef Waiter _waiter
    cdef bint _is_held
    cdef object _questions
    cdef bint _is_exhausted
    cdef object _problem
    cdef Py_ssize_t _refill
    cdef Py_ssize_t _handed_out

    cpdef renew(self)
    @cython.locals(room=Py_ssize_t)
    cpdef Py_ssize_t room(self) except? -1
    @cython.locals(question=Question, ask=Ask)
    cpdef bint put(self, item, str name, int rdtype) except -1
    @cython.locals(ask=Ask)
    cpdef refuse(self, item, int rdtype, str detail)
    cpdef send(self)
    @cython.locals(pace=Pace)
    cpdef double pause(self) except? -1
    @cython.locals(waiter=Waiter)
    cpdef wait(self, double seconds=*)
    @cython.locals(waiter=Waiter)
    cpdef take(self, Ask ask, Outcome outcome)
    @cython.locals(ask=Ask, outcome=Outcome, stale=Outcome)
    cpdef Ask next(self)
    @cython.locals(stub=Stub)
    cpdef close(self)
    @cython.locals(rdtype=int)
    cdef _put_other(self, item)
    cdef bint _is_to_fill(self) except -1
    @cython.locals(room=Py_ssize_t)
    cdef _fill(self)
