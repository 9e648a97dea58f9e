# The types with which ready.py is compiled; what it does is in the .py alone.

import cython

from gdns._clock cimport now_by
from gdns.cache cimport Cache, Lease
from gdns.hosts cimport HostsFile
from gdns.sources cimport Sources
from gdns.stub cimport Stub

cdef long long _OTHER_FLAGS

cpdef long long hints_key(family, socktype, proto, flags) except? -100
cdef long long _packed(long long family, long long socktype, long long proto, long long flags) except? -100
cpdef long long lookup_key(long long family) except? -100
cpdef long port_key(port) except? -100
@cython.locals(octets=long)
cdef long _octets_of(Ready ready) except -1

cdef class Ready:
    cdef public long port
    cdef public long long key
    cdef public object result
    cdef public tuple leases
    cdef public long epoch
    cdef public long octets
    cdef public Ready next

cdef class Results:
    cdef public object system
    cdef public object upstreams
    cdef public object clock
    cdef Stub _stub
    cdef Cache _cache
    cdef HostsFile _hosts
    cdef Sources _sources
    cdef object _overrides
    cdef object _table
    cdef object _content
    cdef bint _is_missing
    cdef long _epoch
    cdef bint _uses_sources
    cdef double _look_at
    cdef long _most
    cdef dict _young
    cdef dict _old
    cdef long _octets

    @cython.locals(stub=Stub, ready=Ready, leases=tuple, lease=Lease, cache=Cache)
    cpdef find(self, str host, long port, long long key, double now)
    @cython.locals(first=Ready, other=Ready, ready=Ready, others=int, epoch=long)
    cpdef keep(self, str host, long port, long long key, result, tuple leases, bint is_ordered, long octets)
    cpdef clear(self)
    @cython.locals(is_missing=bint)
    cdef _look(self)
    @cython.locals(ready=Ready, octets=long)
    cdef _shed(self)
    cdef _drop(self, str host)
    cdef _give_back(self, long octets)
