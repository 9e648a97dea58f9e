# The types with which counters.py is compiled; what it does is in the .py alone.

from gdns.outcome cimport Outcome

cdef class Counters:
    cdef public long questions
    cdef public long joined
    cdef public long sent
    cdef public long resent
    cdef public long prefetched
    cdef public long over_tcp
    cdef public long unneeded
    cdef public long in_vain
    cdef public long answers
    cdef dict _others

    cpdef note(self, Outcome outcome, bint was_needed)
    cpdef add(self, Counters other)
