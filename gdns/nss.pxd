# The types with which nss.py is compiled; what it does is in the .py alone.

import cython

from gdns.entries cimport Failure, Foreign, HostEntry, Miss
from gdns.hosts cimport HostsFile
from gdns.names cimport is_hostname, is_ordinary, special_use
from gdns.nss_dns cimport Dns
from gdns.nss_modules cimport Step
from gdns.ordering cimport Policy, arranged
from gdns.outcome cimport Outcome
from gdns.ready cimport Results, port_key
from gdns.sources cimport Sources

cdef class Nss:
    cdef public object stub
    cdef public object settings
    cdef public object lifetime
    cdef public bint is_idna2008
    cdef public tuple _steps
    cdef public Dns _dns
    cdef public HostsFile _hosts
    cdef public object overrides
    cdef public object policy
    cdef public object eager
    cdef public object services
    cdef public Sources sources
    cdef bint _has_aliases
    cdef object _local_domain
    cdef Policy _policy
    cdef public object recorder
    cdef public Results results

    cpdef ends_at(self, lifetime=*)
    @cython.locals(step=Step, is_plain=bint, is_checked=bint, misses=tuple)
    cpdef host_addresses(
        self, str name, int family, ends_at=*, int port=*, bint is_canonical=*, bint is_mapped=*, bint wants_all=*
    )
    cpdef ordered(self, HostEntry found)
    cpdef tuple in_order(self, addresses)
    cdef list _verdicts(self, addresses)
    @cython.locals(outcome=Outcome)
    cpdef bint is_lasting(self, HostEntry found) except -1
    @cython.locals(number=long, leases=tuple)
    cpdef keep(
        self, host, port, long long key, str name, int family, HostEntry found, result, bint is_ordered, long octets
    )
    cdef _nothing(self, str name, int family, tuple misses, bint is_plain)
    cdef _find(self, Step step, str name, int family, bint is_checked, ends_at)
    cdef _find_in_files(self, str name, int family)
    @cython.locals(is_ordinary_name=bint)
    cdef _find_elsewhere(self, Step step, str name, int family, bint is_checked, ends_at)

cdef int _SUCCESS
cdef int _UNAVAIL
cdef int _ANY_FAMILY
cdef int _IPV4
cdef int _IPV6

@cython.locals(first=cython.Py_UCS4)
cdef bint _looks_numeric(str name) except -1
