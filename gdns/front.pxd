# The types with which front.py is compiled; what it does is in the .py alone.

import cython

from gdns cimport netdb
from gdns._clock cimport now_by
from gdns.config cimport System
from gdns.engines cimport Engine, Here, Shared
from gdns.hubs.choice cimport current
from gdns.ready cimport Results, hints_key, lookup_key, port_key

cdef class Front:
    cdef object _local
    cdef Shared _shared
    cdef public System system
    cdef object _hub

    @cython.locals(here=Here, now=double, key=longlong, number=long, rows=list, engine=Engine)
    cpdef getaddrinfo(self, host, port, family, socktype, proto, flags)
    @cython.locals(here=Here, now=double, engine=Engine)
    cpdef gethostbyname(self, host)
    @cython.locals(here=Here, now=double, engine=Engine)
    cpdef lookup(self, host, family, lifetime)
    @cython.locals(results=Results, system=System)
    cdef _ready(self, Here here, double now, host, long port, long long key)
    @cython.locals(engine=Engine, system=System)
    cpdef Engine engine(self, Here here, double now)
