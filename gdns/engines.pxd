# The types with which engines.py is compiled; what it does is in the .py alone.

from gdns.nss cimport Nss
from gdns.ready cimport Results
from gdns.stub cimport Stub

cdef class Shared:
    cdef public object cache
    cdef public bint prefetches
    cdef public object tally
    cdef public object hooks
    cdef public object lock
    cdef public object upstreams
    cdef public object asked
    cdef public bint is_idna2008
    cdef public object overrides
    cdef public object policy
    cdef public bint use_0x20
    cdef object __weakref__

cdef class Engine:
    cdef public object hub
    cdef public object system
    cdef public object settings
    cdef public Stub stub
    cdef public Nss nss
    cdef public object lifetime
    cdef public object upstreams
    cdef public bint is_idna2008

cdef class Here:
    cdef public Engine engine
    cdef public Results results
    cdef public object token
    cdef public object counters
