# The types with which ordering.py is compiled; what it does is in the .py alone.

cimport cython

from gdns._addresses cimport Address, distance, parse

cdef long long _UNREACHABLE
cdef long long _OTHER_SCOPE
cdef long long _DEPRECATED
cdef long long _NOT_HOME
cdef long long _OTHER_LABEL
cdef long long _HIGHEST
cdef long long _PRECEDENCE
cdef long long _TUNNEL

cdef class _Traits:
    cdef long label
    cdef long precedence
    cdef long scope

cdef class _Origin:
    cdef object source
    cdef Address address
    cdef _Traits traits
    cdef long long flags
    cdef int prefix_length

@cython.freelist(16)
cdef class Verdict:
    cdef bint is_ipv6
    cdef long long rank
    cdef long scope
    cdef int distance

@cython.locals(verdict=Verdict)
cdef Verdict _verdict(bint is_ipv6, long long rank, long scope, int distance)

cdef class Policy:
    cdef list _labels
    cdef list _precedences
    cdef list _scopes
    cdef dict _networks
    cdef set _mixed
    cdef bint _mixed_ipv4
    cdef dict _origins

    @cython.locals(there=Address, traits=_Traits, here=_Traits, origin=_Origin, rank=longlong, bits=int)
    cpdef Verdict judge(self, str destination, source)
    @cython.locals(origin=_Origin, address=Address)
    cdef _Origin _origin(self, source)
    @cython.locals(traits=_Traits, is_mixed=bint)
    cdef _Traits _traits(self, Address address)
    cdef _Traits _look_up(self, Address address)

cpdef tuple deciding_rule(Verdict one, Verdict two)
cpdef list order(destinations, source_of, Policy policy)
@cython.locals(verdict=Verdict, ipv6=int)
cpdef list arranged(destinations, list verdicts)
cdef bint _precedes(Verdict later, Verdict earlier) except -1
