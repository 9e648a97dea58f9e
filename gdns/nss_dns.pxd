# The types with which nss_dns.py is compiled; what it does is in the .py alone.

import cython

from gdns._wire cimport Question, new_question
from gdns.cache cimport Cache, Entry, Lease
from gdns.entries cimport HostEntry, Miss, host_entry
from gdns.names cimport absolute, is_hostname, special_use
from gdns.outcome cimport Outcome, addresses_in
from gdns.stub cimport Stub

cdef int A
cdef int PTR
cdef int AAAA

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

    @cython.locals(first=Outcome, second=Outcome, one=Question, two=Question)
    cpdef addresses(self, str name, ends_at=*)
    @cython.locals(cache=Cache, entry=Entry, lease=Lease, question=Question, wishes=int, rdtype=int, rdtypes=list)
    cpdef leases(self, str name, int family, Outcome answer, tuple addresses)
    @cython.locals(outcome=Outcome, question=Question, rdtype=int, asked=int)
    cpdef addresses_of_family(self, str name, bint is_ipv6, ends_at=*)
    @cython.locals(outcome=Outcome)
    cdef _miss_of_both(self, Outcome first, Outcome second, search)
    cdef _miss_of(self, Outcome outcome, bint is_type_wanted, search)
    cdef _qnames(self, str name)
    cdef bint _keeps(self, str qname, str name) except -1
