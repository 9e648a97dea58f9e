# The types with which outcome.py is compiled; what it does is in the .py alone.

cimport cython

from gdns._wire cimport Question, Reply

@cython.final
@cython.freelist(64)
cdef class Outcome:
    cdef public Question question
    cdef public object status
    cdef public Reply reply
    cdef public str server
    cdef public int attempts
    cdef public double elapsed
    cdef public str detail
    cdef public str transport
    cdef public double rtt
    cdef public tuple failures
    cdef public bint from_cache
    cdef public double age
    cdef public bint is_stale
    cdef public double kept_for
    cdef public bint is_counted

    @cython.locals(same=Outcome)
    cpdef Outcome for_asker(self, Question question)
    @cython.locals(same=Outcome)
    cpdef Outcome recalled(self, Question question, double age, bint is_stale=*)

@cython.locals(outcome=Outcome)
cpdef Outcome ended(
    Question question, Reply reply, str server, int attempts, double elapsed, double rtt, str detail, str transport
)
@cython.locals(reply=Reply)
cpdef tuple addresses_in(Outcome outcome)
cpdef object status_of(Reply reply)
