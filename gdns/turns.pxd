# The types with which turns.py is compiled; what it does is in the .py alone.

import cython

from gdns._ares cimport AresLane, Try
from gdns._clock cimport monotonic
from gdns._sockets cimport Sockets
from gdns.deadlines cimport Deadlines
from gdns.flight cimport Alarm
from gdns.hubs.waiter cimport Waiter

cdef class Tie:
    cdef object _turns
    cdef public object held

cdef class Turns:
    cdef public object hub
    cdef public bint is_closed
    cdef bint _is_over
    cdef Tie _tie
    cdef set _guests
    cdef Deadlines _due
    cdef object _timer
    cdef double _timer_at
    cdef list _waking
    cdef Py_ssize_t _woken
    cdef object _told
    cdef bint _is_delivering
    cdef bint _is_due_soon
    cdef bint _is_retired
    cdef object __weakref__
    cdef public Sockets _sockets
    cdef public AresLane _lane
    cdef object _watch
    cdef bint _is_watching

    cdef _open(self)
    cdef bint _is_busy(self) except -1
    cdef _on_end(self, Try attempt, double now)
    cdef _on_mishap(self, Try attempt, error)
    cdef _fall_due(self, item, double now)
    cdef _end(self)
    cpdef close(self)
    cpdef _let_go(self)
    cdef bint _is_in_own_thread(self) except -1
    @cython.locals(lane=AresLane, attempt=Try, woken=Waiter, now=double, ends_at=double, is_on_hub=bint)
    cdef _deliver(self)
    cdef bint _is_waking(self) except -1
    @cython.locals(waking=list, waiter=Waiter, woken=Py_ssize_t)
    cdef Waiter _next_waking(self)
    cdef dict _put_due(self, item, double due_at)
    @cython.locals(next_at=double)
    cdef _arm(self)
    cdef _start(self)
    cdef _rest(self)
    cdef _soon(self)
    cdef _call_hook(self)
