from libc.stdint cimport uint32_t

from gdns cimport _wire
from gdns._libcares cimport ares_channel_t, ares_dns_record_t, ares_fd_events_t
from gdns._sockets cimport Owner, Socket, Sockets, sockaddr, socklen_t

cdef enum:
    DROPPED_SHORT
    DROPPED_UNKNOWN_ID
    DROPPED_DUPLICATE
    DROPPED_NOT_OURS
    DROPPED_MALFORMED
    DROPPED_KINDS

cdef class Try
cdef class Link(Socket)
cdef class Channel(Owner)
cdef class AresLane


cdef class Try:
    cdef readonly object server
    cdef readonly _wire.Question question
    cdef readonly int wishes
    cdef readonly double sent_at
    cdef readonly bint ended
    cdef public object flight
    cdef _wire.Reply arrived  # kept while c-ares looks at its digest
    cdef Channel channel
    cdef Link link  # the socket it was last written to; only what comes in there can be its reply
    cdef int id
    cdef int status
    cdef int system_error
    cdef bint cancelled
    cdef unsigned int digested_in  # the lane's turn in which c-ares was last given a digest for it
    cdef Try next_ended


cdef class Link(Socket):
    cdef list inbox  # digests
    cdef int failure  # errno of a call that failed, told to c-ares at its next read
    cdef bint at_end
    cdef bint is_connected
    cdef bytearray received
    cdef bytearray unsent
    cdef unsigned int pending  # ARES_FD_EVENT_* that c-ares has not been told of


cdef class Channel(Owner):
    cdef ares_channel_t* raw
    cdef ares_dns_record_t* records[64]  # what to send, by wishes
    cdef AresLane lane
    cdef Sockets sockets
    cdef dict by_id  # every query that c-ares has: id to Try
    cdef object server
    cdef bytes address
    cdef int family
    cdef bint uses_edns
    cdef Try submitting
    cdef Link stream
    cdef list ready
    cdef ares_fd_events_t* events
    cdef size_t events_space

    cdef int open(self, bint use_tcp, int queries_per_socket) except -1
    cdef void destroy(self) noexcept
    cdef void abandon(self) noexcept
    cdef int submit(self, Try attempt) except -1
    cdef ares_dns_record_t* record_for(self, int wishes) except NULL
    cdef int cancel(self, Try attempt) except -1
    cdef int on_writable(self, Link link) except -1
    cdef int read_datagrams(self, Link link) except -1
    cdef int read_stream(self, Link link) except -1
    cdef int take(self, Link link, const unsigned char* data, Py_ssize_t length) except -1
    cdef int put_digest(self, Link link, Try attempt, _wire.Reply reply) except -1
    cdef int fail(self, Link link, int number) except -1
    cdef int note(self, Link link, unsigned int event) except -1
    cdef int flush(self) except -1
    cdef int open_link(self, int kind) except -2
    cdef int connect_link(self, int handle) except -2
    cdef int close_link(self, int handle) except -2
    cdef ssize_t receive(self, int handle, unsigned char* buffer, size_t space) except -2
    cdef ssize_t transmit(self, int handle, const unsigned char* data, size_t length) except -2
    cdef Py_ssize_t put_question(
        self, Link link, const unsigned char* data, size_t length, unsigned char* message
    ) except -2
    cdef ssize_t transmit_stream(self, Link link, const unsigned char* data, size_t length) except -2
    cdef int write_stream(self, Link link) except -1
    cdef int local_address(self, int handle, sockaddr* address, socklen_t* length) except -2


cdef class AresLane:
    cdef readonly Sockets sockets
    cdef dict channels
    cdef list ready  # channels with something to flush
    cdef Try first_ended
    cdef Try last_ended
    cdef unsigned int turn
    cdef unsigned long long drops[DROPPED_KINDS]
    cdef bint is_closed

    cpdef Try ask(self, object server, _wire.Question question, int wishes=*)
    cpdef object cancel(self, Try attempt)
    cpdef object flush(self)
    cpdef Try take_ended(self)
    cdef void add_ended(self, Try attempt) noexcept
    cdef int drop(self, int kind) except -1
