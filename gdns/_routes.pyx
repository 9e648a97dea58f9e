"""Asks the kernel from which address it would speak to another."""

from libc.string cimport memcpy, memset
from posix.unistd cimport close

from gdns._addresses cimport Packed, pack

cdef extern from "netinet/in.h" nogil:
    ctypedef unsigned int socklen_t
    struct sockaddr:
        pass
    struct in_addr:
        pass
    struct in6_addr:
        pass
    struct sockaddr_in:
        unsigned short sin_family
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_family
        in6_addr sin6_addr
        unsigned int sin6_scope_id
    int socket(int domain, int kind, int protocol)
    int connect(int fd, const sockaddr* address, socklen_t length)
    int getsockname(int fd, sockaddr* address, socklen_t* length)
    int AF_INET, AF_INET6, AF_UNSPEC, SOCK_DGRAM, SOCK_CLOEXEC


cdef class Routes:
    """Finds source addresses as glibc's getaddrinfo does, for the use of one thread.

    A UDP socket is connected to the destination and asked for its name: nothing is sent. One socket a family
    is kept, whose connection is dissolved before the next question: else its address would stick.
    """


    def __cinit__(self):
        self.ipv4 = self.ipv6 = -1

    def __dealloc__(self):
        self.close()

    cpdef bytes source_of(self, str destination):
        """The octets of the address that packets to this one come from; None if there is no way to it.

        None, too, for what is no address, and where there is no descriptor to be had.
        """
        cdef Packed packed
        cdef sockaddr_in there4, here4
        cdef sockaddr_in6 there6, here6
        cdef socklen_t length
        if not pack(destination, &packed):
            return None
        if packed.is_ipv6:
            if self.ipv6 < 0:
                self.ipv6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)
                if self.ipv6 < 0:
                    return None
            memset(&there6, 0, sizeof(there6))
            there6.sin6_family = AF_UNSPEC
            connect(self.ipv6, <const sockaddr*>&there6, sizeof(there6))
            there6.sin6_family = AF_INET6
            there6.sin6_scope_id = packed.scope_id
            memcpy(&there6.sin6_addr, packed.octets, 16)
            if connect(self.ipv6, <const sockaddr*>&there6, sizeof(there6)) < 0:
                return None
            length = sizeof(here6)
            if getsockname(self.ipv6, <sockaddr*>&here6, &length) < 0:
                return None
            return (<unsigned char*>&here6.sin6_addr)[:16]
        if self.ipv4 < 0:
            self.ipv4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
            if self.ipv4 < 0:
                return None
        memset(&there4, 0, sizeof(there4))
        there4.sin_family = AF_UNSPEC
        connect(self.ipv4, <const sockaddr*>&there4, sizeof(there4))
        there4.sin_family = AF_INET
        memcpy(&there4.sin_addr, packed.octets, 4)
        if connect(self.ipv4, <const sockaddr*>&there4, sizeof(there4)) < 0:
            return None
        length = sizeof(here4)
        if getsockname(self.ipv4, <sockaddr*>&here4, &length) < 0:
            return None
        return (<unsigned char*>&here4.sin_addr)[:4]

    cpdef close(self):
        """Close the sockets; another question would open them again."""
        if self.ipv4 >= 0:
            close(self.ipv4)
        if self.ipv6 >= 0:
            close(self.ipv6)
        self.ipv4 = self.ipv6 = -1
