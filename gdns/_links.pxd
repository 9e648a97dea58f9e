from libc.stdint cimport uint32_t

from gdns cimport _wire
from gdns._libcares cimport ares_socket_functions_ex
from gdns._sockets cimport Owner, Socket, Sockets, sockaddr, socklen_t

cdef enum:
    HEADER = 12  # octets
    STAND_IN = 5  # octets of c-ares' own question: the root, A, IN
    MOST_QUESTION = 259  # octets: name, type, class
    MOST_OPT = 11 + 4 + 40  # octets: the record, and in it the option header and a DNS cookie
    MOST_MESSAGE = HEADER + MOST_QUESTION + MOST_OPT + _wire.MOST_OPTIONS


cdef class Link(Socket):
    cdef list inbox  # digests
    cdef Py_ssize_t taken  # how many of them c-ares has
    cdef list outbox  # datagrams that the kernel had no room for
    cdef int failure  # errno of a call that failed, told to c-ares at its next read
    cdef bint at_end
    cdef bint is_connected
    cdef bint has_answered  # it has brought a reply
    cdef bint is_blamed  # somebody's question has been blamed for its end
    cdef double heard_at  # of a stream: when it was first written to, or last brought a reply
    cdef bytearray received
    cdef bytearray unsent
    cdef unsigned int pending  # ARES_FD_EVENT_* that c-ares has not been told of
    cdef Link next_ready  # whose channel has something to flush


cdef class Links(Owner):
    cdef Sockets sockets
    cdef bytes address
    cdef bytes source  # what its sockets are bound to; empty: to nothing
    cdef unsigned short family
    cdef bint shows_address  # whether c-ares needs to know where its sockets send from
    cdef Link stream

    cdef int take(self, Link link, unsigned char* data, Py_ssize_t length) except -1
    cdef Py_ssize_t put_question(
        self, Link link, const unsigned char* data, size_t length, bint is_newest, unsigned char* message
    ) except -2
    cdef bint excuse(self, Link link, const unsigned char* data, int number) except -1
    cdef void note(self, Link link, unsigned int event) noexcept
    cdef void blame(self, int number, bint unopened=*) noexcept

    cdef int on_writable(self, Link link) except -1
    cdef int read_datagrams(self, Link link) except -1
    cdef int read_stream(self, Link link) except -1
    cdef int fail(self, Link link, int number) noexcept
    cdef int send_datagram(self, Link link, const unsigned char* message, Py_ssize_t size) except -2
    cdef int empty_outbox(self, Link link) except -1
    cdef int write_stream(self, Link link) except -1

    cdef int open_link(self, int kind) except -2
    cdef int connect_link(self, int handle) except -2
    cdef int close_link(self, Link link) except -1
    cdef ssize_t receive(self, int handle, unsigned char* buffer, size_t space) except -2
    cdef ssize_t transmit(self, int handle, const unsigned char* data, size_t length) except -2
    cdef ssize_t transmit_datagram(self, Link link, const unsigned char* data, size_t length) except -2
    cdef ssize_t transmit_stream(self, Link link, const unsigned char* data, size_t length) except -2
    cdef int local_address(self, int handle, sockaddr* address, socklen_t* length) except -2


# What a channel is given, with its Links as their user data.
cdef ares_socket_functions_ex socket_functions
