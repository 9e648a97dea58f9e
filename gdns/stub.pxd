# The types with which stub.py is compiled; what it does is in the .py alone.

import cython

from gdns._ares cimport AresLane, Try
from gdns._clock cimport monotonic
from gdns._wire cimport Question, Reply
from gdns.cache cimport Cache, Entry
from gdns.counters cimport Counters
from gdns.flight cimport Alarm, Ask, Both, Crowd, Flight, Probe, Queued, new_flight
from gdns.hooks cimport Hooks
from gdns.hubs.waiter cimport Waiter, waiter_of
from gdns.outcome cimport Outcome, ended
from gdns.servers cimport Group, Server, Servers
from gdns.turns cimport Turns

cdef class Stub(Turns):
    cdef public Servers servers
    cdef public double timeout
    cdef public int attempts
    cdef public int wishes
    cdef public Cache cache
    cdef public bint prefetches
    cdef public Counters counters
    cdef public Hooks hooks
    cdef public dict _flights
    cdef object _asks
    cdef Py_ssize_t _asking
    cdef Queued _queued
    cdef long _era
    cdef double _patience
    cdef double _budget
    cdef public double longest

    @cython.locals(known=Outcome)
    cpdef query(self, Question question, int wishes=*, lifetime=*)
    @cython.locals(one=Outcome, two=Outcome)
    cpdef query_both(self, Question first, Question second, int wishes=*, lifetime=*)
    @cython.locals(entry=Entry, outcome=Outcome, cache=Cache)
    cdef Outcome _recall(self, Question question, int wishes)
    @cython.locals(flight=Flight, waiter=Waiter, stale=Outcome, began=double, is_on_hub=bint)
    cdef Outcome _ask(self, Question question, int wishes, lifetime)
    @cython.locals(one=Flight, two=Flight, waits_for=Flight, waiter=Waiter)
    @cython.locals(stale=Outcome, other_stale=Outcome, began=double, is_on_hub=bint)
    cdef tuple _ask_both(self, Question first, Question second, int wishes, lifetime)
    cdef _cap(self, Flight flight, Outcome stale, double began, lifetime)
    @cython.locals(outcome=Outcome, remaining=double)
    cdef Outcome _settle(self, Question question, Flight flight, Outcome stale, double began, lifetime)
    @cython.locals(flight=Flight)
    cdef _refresh(self, Question question, int wishes)
    @cython.locals(alarm=Alarm)
    cdef _wait(self, Waiter waiter, wakes, caller, bint is_on_hub, lifetime, Flight one, Flight two)
    cdef _impatient(self, Flight flight)
    @cython.locals(known=Outcome, flight=Flight, group=Group, server=Server, plan=tuple, now=double)
    cpdef put(self, Ask ask)
    @cython.locals(server=Server)
    cpdef int room(self) except -1
    @cython.locals(attempt=Try)
    cdef bint _put_first(self, Ask ask, Server server, int wishes, double now) except -1
    @cython.locals(lane=AresLane)
    cpdef flush(self)
    cpdef wake_soon(self, Waiter waiter)
    cpdef stale(self, Question question)
    @cython.locals(server=Server, reply=Reply, outcome=Outcome)
    cdef _land_ask(self, Ask ask, Try attempt, double now)
    cdef _forget_ask(self, Ask ask)
    @cython.locals(outcome=Outcome)
    cdef _close_ask(self, Ask ask)
    @cython.locals(ask=Ask, attempt=Try, flight=Flight)
    cdef Flight _board(self, pending)
    @cython.locals(ask=Ask, flight=Flight, due_at=double)
    cdef _on_queued(self, double now)
    cpdef leave(self, Crowd crowd)
    cdef _forget(self, crowd)
    @cython.locals(flight=Flight)
    cdef Flight _join(self, Question question, int wishes, double now, bint is_on_hub)
    @cython.locals(flight=Flight, group=Group)
    cdef Flight _begin(self, Question question, int wishes, double now)
    @cython.locals(server=Server)
    cdef _ask_next(self, Flight flight, double now)
    @cython.locals(attempt=Try)
    cdef _send(self, Flight flight, Server server, double now)
    cdef _on_want(self, Flight flight, Server server, str detail, double now)
    cdef _set_due(self, Flight flight, double due_at)
    @cython.locals(server=Server, flight=Flight, reply=Reply)
    cdef _on_end(self, Try attempt, double now)
    @cython.locals(server=Server, reply=Reply, outcome=Outcome, is_spared=bint)
    cdef _end_try(self, Flight flight, Try attempt, double now)
    cdef _go_on(self, Flight flight, bint was_reached, double now)
    cdef bint _is_spared(self, Flight flight, int cut)
    @cython.locals(server=Server)
    cdef _on_due(self, Flight flight, double now)
    cdef _fail(self, Flight flight, double now)
    @cython.locals(attempt=Try)
    cdef _land(self, Flight flight, Outcome outcome)
    cdef _on_mishap(self, asker, error)
    cdef _wake_waiters(self, Flight flight)
    @cython.locals(flight=Flight, outcome=Outcome)
    cdef _land_all(self)
    cpdef _wake_all(self)
    cdef _give_up(self, Try attempt)
    @cython.locals(flight=Flight)
    cdef _pump(self, Server server, double now)
    cdef _probe(self, double now)
    cdef bint _is_busy(self) except -1
    cdef _fall_due(self, item, double now)
    cdef _end_probe(self, Probe probe, Try attempt)

cdef object _flight_key(Question question, int wishes)
