# The types with which stub.py is compiled; what it does is in the .py alone.

import cython

from gdns._ares cimport AresLane, Try
from gdns._sockets cimport Sockets
from gdns._wire cimport Question, Reply
from gdns.deadlines cimport Deadlines
from gdns.flight cimport Alarm, Both, Flight, Probe
from gdns.hubs.waiter cimport Waiter
from gdns.outcome cimport Outcome
from gdns.servers cimport Server

cdef class Stub:
    cdef public object hub
    cdef public object servers
    cdef public double timeout
    cdef public int attempts
    cdef public int wishes
    cdef public bint is_closed
    cdef public dict _flights
    cdef set _guests
    cdef Deadlines _due
    cdef object _timer
    cdef double _timer_at
    cdef object _waking
    cdef bint _is_delivering
    cdef bint _is_retired
    cdef object __weakref__
    cdef public Sockets _sockets
    cdef public AresLane _lane
    cdef object _watch
    cdef bint _is_watching
    cdef double _patience
    cdef double _budget

    @cython.locals(flight=Flight, waiter=Waiter)
    cpdef query(self, Question question, int wishes=*, lifetime=*)
    @cython.locals(one=Flight, two=Flight, waiter=Waiter)
    cpdef query_both(self, Question first, Question second, int wishes=*, lifetime=*)
    cdef _open(self)
    @cython.locals(flight=Flight)
    cdef _wait(self, Waiter waiter, wakes, lifetime, tuple flights)
    cdef _impatient(self, Flight flight)
    @cython.locals(flight=Flight, now=double)
    cdef Flight _join(self, Question question, int wishes)
    @cython.locals(server=Server)
    cdef _ask_next(self, Flight flight, double now)
    @cython.locals(attempt=Try)
    cdef _send(self, Flight flight, Server server, double now)
    cdef _set_due(self, Flight flight, double due_at)
    @cython.locals(server=Server, flight=Flight, reply=Reply, outcome=Outcome)
    cdef _on_end(self, Try attempt, double now)
    cdef _on_due(self, Flight flight, double now)
    cdef _fail(self, Flight flight, double now)
    @cython.locals(attempt=Try, wakes=object)
    cdef _land(self, Flight flight, Outcome outcome)
    cdef _give_up(self, Try attempt)
    @cython.locals(flight=Flight)
    cdef _pump(self, Server server, double now)
    cdef _probe(self, double now)
    cdef _fall_due(self, item, double now)
    cdef _end_probe(self, Probe probe, Try attempt)
    @cython.locals(lane=AresLane, attempt=Try, now=double, ends_at=double)
    cdef _deliver(self)
    cdef dict _put_due(self, item, double due_at)
    @cython.locals(next_at=double)
    cdef _arm(self)
    cdef _start(self)
    cdef _rest(self)
