# The types with which outcome.py is compiled; what it does is in the .py alone.

import cython

from gdns._wire cimport Reply

cdef class Outcome:
    cdef public object question
    cdef public object status
    cdef public object reply
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

    cpdef Outcome for_asker(self, question)
    cpdef Outcome recalled(self, question, double age, bint is_stale=*)

@cython.locals(outcome=Outcome)
cpdef Outcome first_answer(question, Reply reply, str server, double elapsed, str transport)
cpdef status_of(Reply reply)
