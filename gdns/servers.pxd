# The types with which servers.py is compiled; what it does is in the .py alone.

cdef class Server:
    cdef readonly object address
    cdef readonly int family
    cdef readonly bytes sockaddr
    cdef readonly str name
    cdef readonly int queries_per_socket
    cdef readonly bint is_tcp
    cdef public int window
    cdef public int in_flight
    cdef public object queue
    cdef public double failed_at
    cdef public double probed_at
    cdef public bint is_probed
