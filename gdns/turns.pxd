# The types with which turns.py is compiled; what it does is in the .py alone.

import cython

from gdns._ares cimport AresLane, Try
from gdns._clock cimport monotonic
from gdns._sockets cimport Sockets
from gdns.deadlines cimport Deadlines
from gdns.flight cimport Alarm, Flight
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
    cdef object _waking
    cdef object _told
    cdef object _left
    cdef bint _is_delivering
    cdef bint _is_due_soon
    cdef bint _is_retired
    cdef Flight _stranded
    cdef bint _is_unarmed
    cdef object __weakref__
    cdef public Sockets _sockets
    cdef public AresLane _lane
    cdef object _watch
    cdef bint _is_watching

    cdef _open(self)
    cdef bint _is_busy(self) except -1
    cdef _on_end(self, Try attempt, double now)
    cdef _on_mishap(self, asker, error)
    cdef _strand(self, Flight flight)
    @cython.locals(flight=Flight)
    cdef _wake_stranded(self)
    cdef _report(self, error)
    cdef _fall_due(self, item, double now)
    cdef _forget(self, crowd)
    cdef _catch_up(self)
    cdef bint _end(self) except -1
    cpdef close(self)
    cpdef _let_go(self)
    cdef bint _is_in_own_thread(self) except -1
    @cython.locals(lane=AresLane, attempt=Try, woken=Waiter, now=double, ends_at=double, is_on_hub=bint)
    cdef _deliver(self)
    cdef dict _put_due(self, item, double due_at)
    @cython.locals(alarm=Alarm)
    cdef Alarm _alarm(self, Waiter waiter, double seconds)
    @cython.locals(next_at=double)
    cdef _arm(self)
    cdef _start(self)
    cdef _rest(self)
    cdef _soon(self)
    cdef _call_hook(self)
