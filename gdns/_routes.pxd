# What gdns' other extension modules may cimport from gdns._routes; types for readers are in _routes.pyi.

cdef class Routes:
    cdef int ipv4
    cdef int ipv6

    cpdef bytes source_of(self, str destination)
    cpdef close(self)
