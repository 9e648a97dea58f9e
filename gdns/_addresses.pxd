# What gdns' other extension modules may cimport from gdns._addresses; types for readers are in _addresses.pyi.

cimport cython
from libc.stdint cimport uint32_t, uint64_t

cdef struct Packed:
    bint is_ipv6
    uint32_t scope_id
    unsigned char octets[16]

cdef bint pack(str text, Packed* packed) except -1

@cython.final
@cython.freelist(16)
cdef class Address:
    cdef readonly bint is_ipv6
    cdef readonly uint64_t high
    cdef readonly uint64_t low

cpdef Address parse(str text)
cpdef int distance(Address first, Address second) except -1
