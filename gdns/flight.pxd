# The types with which flight.py is compiled; what it does is in the .py alone.

cimport cython

from gdns._ares cimport Try
from gdns._wire cimport Question
from gdns.hubs.waiter cimport Waiter
from gdns.outcome cimport Outcome
from gdns.servers cimport Server

@cython.final
cdef class Flight:
    cdef public Question question
    cdef public int wishes
    cdef public object key
    cdef public list waiters
    cdef public Outcome outcome
    cdef public tuple plan
    cdef public int step
    cdef public int steps
    cdef public Try attempt
    cdef public list earlier
    cdef public Server queued_at
    cdef public int attempts
    cdef public double started_at
    cdef public double ends_at
    cdef public dict slot
    cdef public Outcome last_failure
    cdef public list failures
    cdef public double patience
    cdef public bint is_wanted
    cdef public int spared
    cdef public bint was_cut
    cdef public bint is_passing
    cdef public Flight next_stranded

    cpdef note(self, str server, str reason, double seconds)

cdef class Ask

cdef class Crowd:
    cdef public bint is_closed
    cpdef take(self, Ask ask, Outcome outcome)

cdef class Ask:
    cdef public Crowd crowd
    cdef public object item
    cdef public Question question
    cdef public object key
    cdef public tuple plan
    cdef public Try attempt
    cdef public double began
    cdef public bint has_joined
    cdef public Outcome outcome

@cython.locals(flight=Flight)
cpdef Flight new_flight(
    Question question, int wishes, key, tuple plan, int steps, double started_at, double ends_at
)

@cython.final
cdef class Both:
    cdef public Waiter waiter
    cdef public int missing

@cython.final
cdef class Alarm:
    cdef public Waiter waiter
    cdef public dict slot
    cpdef cancel(self)

@cython.final
cdef class Refill:
    cdef public Server server

cdef class Queued:
    pass

@cython.final
cdef class Probe:
    cdef public Server server
    cdef public Try attempt
    cdef public dict slot
