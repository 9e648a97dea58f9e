"""Makes the rows of getaddrinfo(3)."""

from socket import AF_INET, AF_INET6

cdef extern from "Python.h":
    void PyObject_GC_UnTrack(void* container)

cdef object IPV4 = AF_INET
cdef object IPV6 = AF_INET6


cdef inline tuple untracked(tuple row):
    """A tuple that the garbage collector need not look at: nothing in it can ever lead back to it.

    It finds that out by itself of a tuple of strings and numbers, but not of one with members of an
    enumeration. Programs that keep thousands of results have it go through all of them time and again.
    """
    PyObject_GC_UnTrack(<void*>row)
    return row


cpdef list rows(tuple addresses, tuple ends):
    """The rows for these addresses, each with all endpoints: (socket type, protocol, port).

    What is behind the `%` of an IPv6 address is the number of an interface.
    """
    cdef list made = []
    cdef tuple end, where
    cdef str address
    cdef object port, scope_id
    cdef bint is_ipv6
    for address in addresses:
        is_ipv6 = ":" in address
        scope_id = 0
        if is_ipv6 and "%" in address:
            address, _, scope = address.partition("%")
            scope_id = int(scope)
        where = None
        for end in ends:
            if where is None or end[2] is not port:
                port = end[2]
                where = untracked((address, port, 0, scope_id) if is_ipv6 else (address, port))
            made.append(untracked((IPV6 if is_ipv6 else IPV4, end[0], end[1], "", where)))
    return made
