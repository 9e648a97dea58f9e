# The types with which nss_dns.py is compiled; what it does is in the .py alone.

import cython

from gdns._wire cimport Question
from gdns.cache cimport Cache, Entry, Lease
from gdns.entries cimport HostEntry, Miss
from gdns.names cimport absolute, is_hostname, special_use
from gdns.outcome cimport Outcome
from gdns.stub cimport Stub

cdef class Dns:
    cdef object _stub
    cdef Stub _own
    cdef tuple _search
    cdef int _ndots
    cdef bint _no_tld_query
    cdef object _sortlist
    cdef bint _no_aaaa
    cdef bint _is_stream
    cdef bint _one_by_one
    cdef bint _search_is_special

    @cython.locals(first=Outcome, second=Outcome, own=Stub)
    cpdef addresses(self, str name, ends_at=*)
    @cython.locals(cache=Cache, entry=Entry, lease=Lease, question=Question, wishes=int, rdtype=int)
    cpdef leases(self, str name, int family, Outcome answer, tuple addresses)
    cpdef addresses_of_family(self, str name, bint is_ipv6, ends_at=*)
    @cython.locals(outcome=Outcome, own=Stub, question=Question)
    cpdef _addresses_of_type(self, str name, int rdtype, int asked, ends_at)
    cdef _qnames(self, str name)
    cdef bint _keeps(self, str qname, str name) except -1
