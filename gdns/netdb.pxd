# The types with which netdb.py is compiled; what it does is in the .py alone.

cimport cython

from gdns._rows cimport rows
from gdns.arguments cimport text_of
from gdns.entries cimport Failure, Foreign, HostEntry, Miss
from gdns.forward cimport find, first_address
from gdns.nss cimport Nss
from gdns.ready cimport hints_key, lookup_key, port_key

cdef int _AI_ADDRCONFIG
cdef int _AI_CANONNAME
cdef int _AI_NUMERICSERV
cdef int _AI_PASSIVE

cdef class _Wish:
    cdef long long key
    cdef long port
    cdef object hints
    cdef int family
    cdef int flags
    cdef object ends

cdef _Wish _latest

@cython.locals(number=long, latest=_Wish)
cdef _Wish _known_wish(port, long long key)
@cython.locals(number=long, wish=_Wish)
cdef _Wish _read_wish(port, long long key, hints, services)
@cython.locals(key=longlong, wish=_Wish, asked_for=int)
cpdef getaddrinfo(Nss nss, object host, object port, object family=*, object type=*, object proto=*, object flags=*)
cdef list _rows_of(Nss nss, object host, object port, object name, int asked_for, _Wish wish, object ends_at, found)
cpdef lookup(Nss nss, object host, object family=*, object lifetime=*)
cdef tuple _addresses_of(Nss nss, object host, object name, object family, object ends_at, found)
cpdef gethostbyname(Nss nss, object host)
