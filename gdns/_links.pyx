"""The sockets of one c-ares channel, as c-ares is made to see them.

c-ares opens, connects, reads, writes and closes through the functions at the end of this file. It sees
handles for descriptors and digests for replies; every datagram that it sends is taken from it at once, and
waits here if the kernel has no room. What a message means is not decided here: `take` and `put_question`
are the channel's.
"""

from libc cimport errno as c_errno
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

from gdns._libcares cimport ARES_FD_EVENT_READ, ARES_FD_EVENT_WRITE, ARES_SOCKFUNC_FLAG_NONBLOCKING
from gdns._sockets cimport BATCH

cdef extern from *:
    """
    #include <sys/socket.h>
    #include <netinet/in.h>
    """
    int AF_INET, SOCK_STREAM
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        unsigned short sin_family
        unsigned short sin_port
        in_addr sin_addr
    uint32_t htonl(uint32_t) noexcept
    unsigned short htons(unsigned short) noexcept

cdef extern from "sys/epoll.h" nogil:
    uint32_t EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP


cdef class Link(Socket):
    """A socket of a channel, with what has been read from it but not yet given to c-ares."""

    def __cinit__(self):
        self.inbox = []
        self.outbox = []


cdef class Links(Owner):
    """Every socket of one channel."""

    # --- what the channel decides

    cdef int take(self, Link link, unsigned char* data, Py_ssize_t length) except -1:
        """Keep a message that has come in, if it is a reply to what this socket asked."""
        raise NotImplementedError

    cdef Py_ssize_t put_question(
        self, Link link, const unsigned char* data, size_t length, bint is_newest, unsigned char* message
    ) except -2:
        """Write into `message` what is to be sent for what c-ares wrote.

        Its size; 0 if nobody waits for it any longer, -1 if it is nothing we asked c-ares to send. Only the
        newest message of a write can be that of the query which c-ares is being given right now.
        """
        raise NotImplementedError

    cdef bint excuse(self, Link link, const unsigned char* data, int number) except -1:
        """Whether a failed send ends only the query whose message it was; it is then on its way to end."""
        raise NotImplementedError

    cdef void note(self, Link link, unsigned int event) noexcept:
        """Remember an event for the next flush, which needs no memory."""

    cdef void blame(self, int number, bint unopened=False) noexcept:
        """The query that c-ares is being given will end for this errno, of opening its socket or of another call."""

    # --- the hub's side

    cdef int on_ready(self, Socket sock, uint32_t events) except -1:
        cdef Link link = <Link>sock
        if events & (EPOLLIN | EPOLLERR | EPOLLHUP):
            if link.is_stream:
                self.read_stream(link)
            else:
                self.read_datagrams(link)
        if events & EPOLLOUT and not link.failure:
            self.on_writable(link)
        return 0

    cdef int on_writable(self, Link link) except -1:
        if not link.is_stream:
            return self.empty_outbox(link)
        if not link.is_connected:
            link.is_connected = True
            self.note(link, ARES_FD_EVENT_WRITE)  # c-ares writes what it has kept for this moment
        return self.write_stream(link)

    cdef int read_datagrams(self, Link link) except -1:
        cdef int count, index
        cdef Py_ssize_t length
        cdef unsigned char* data
        while self.sockets.budget > 0:
            count = self.sockets.receive_batch(link, BATCH)
            if count < 0:
                if c_errno.errno != c_errno.EAGAIN:
                    self.fail(link, c_errno.errno)
                return 0
            for index in range(count):
                data = self.sockets.datagram(index, &length)
                self.take(link, data, length)
            if count < BATCH:
                return 0
        return 0

    cdef int read_stream(self, Link link) except -1:
        """Read what there is and cut it into messages (RFC 1035, section 4.2.2)."""
        cdef ssize_t count = self.sockets.receive_stream(link)
        cdef Py_ssize_t at = 0, size, end
        cdef unsigned char* data
        if count < 0:
            if c_errno.errno != c_errno.EAGAIN:
                self.fail(link, c_errno.errno)
            return 0
        if count == 0:
            link.at_end = True
            self.note(link, ARES_FD_EVENT_READ)
            return 0
        try:
            if link.received is None:
                link.received = bytearray()
            link.received += self.sockets.arena[:count]
        except MemoryError:
            return self.fail(link, c_errno.ENOMEM)  # with a piece missing the rest is no messages
        data = link.received
        end = len(link.received)
        while end - at >= 2:
            size = (data[at] << 8) | data[at + 1]
            if end - at - 2 < size:
                break
            self.take(link, data + at + 2, size)
            at += 2 + size
        if at:
            del link.received[:at]
        return 0

    cdef int fail(self, Link link, int number) noexcept:
        """End every query of a socket at the next flush, which needs no memory."""
        link.failure = number
        self.sockets.watch(link, 0)  # it would be ready for ever
        self.note(link, ARES_FD_EVENT_READ)
        return 0

    cdef int send_datagram(self, Link link, const unsigned char* message, Py_ssize_t size) except -2:
        """Send, or keep until there is room; -1 with errno set on failure. None overtakes another."""
        if not link.outbox:
            if self.sockets.send(link, message, size) >= 0:
                return 0
            if c_errno.errno != c_errno.EAGAIN:
                return -1
            if self.sockets.watch(link, EPOLLIN | EPOLLOUT) < 0:
                return -1
        link.outbox.append(message[:size])
        return 0

    cdef int empty_outbox(self, Link link) except -1:
        cdef bytes message
        while link.outbox:
            message = link.outbox[0]
            if self.sockets.send(link, <const unsigned char*>message, len(message)) < 0:
                if c_errno.errno == c_errno.EAGAIN:
                    return 0
                if not self.excuse(link, message, c_errno.errno):
                    return self.fail(link, c_errno.errno)
            del link.outbox[0]
        self.sockets.watch(link, EPOLLIN)
        return 0

    cdef int write_stream(self, Link link) except -1:
        cdef ssize_t sent
        if link.is_connected and link.unsent:
            sent = self.sockets.send(link, <char*>link.unsent, len(link.unsent))
            if sent > 0:
                del link.unsent[:sent]
            elif sent < 0 and c_errno.errno != c_errno.EAGAIN:
                return self.fail(link, c_errno.errno)
        if self.sockets.watch(link, EPOLLIN if link.is_connected and not link.unsent else EPOLLIN | EPOLLOUT) < 0:
            return self.fail(link, c_errno.errno)
        return 0

    # --- c-ares' side

    cdef int open_link(self, int kind) except -2:
        cdef Link link = Link.__new__(Link)
        if self.sockets.open(link, self, self.family, kind, True) < 0:
            self.blame(c_errno.errno, True)
            return -1
        if self.source and self.sockets.bind(link, <const sockaddr*><char*>self.source, len(self.source)) < 0:
            link.failure = c_errno.errno
            self.blame(link.failure)
            self.sockets.close_socket(link)
            c_errno.errno = link.failure
            return -1
        if kind == SOCK_STREAM:
            self.stream = link
        return link.handle

    cdef int connect_link(self, int handle) except -2:
        cdef Link link = <Link>self.sockets.find(handle)
        if link is None:
            c_errno.errno = c_errno.EBADF
            return -1
        if self.sockets.connect(link, <const sockaddr*><char*>self.address, len(self.address)) < 0:
            link.failure = c_errno.errno
            self.blame(link.failure)
            c_errno.errno = c_errno.ECONNREFUSED  # whatever it was: c-ares would wait for an EAGAIN to connect
            return -1
        return 0

    cdef int close_link(self, Link link) except -1:
        if link is self.stream:
            self.stream = None
        self.sockets.close_socket(link)
        return 0

    cdef ssize_t receive(self, int handle, unsigned char* buffer, size_t space) except -2:
        """Give c-ares the next digest, or over TCP all that fit; then what went wrong, if anything did."""
        cdef Link link = <Link>self.sockets.find(handle)
        cdef bytes digest
        cdef size_t size, filled = 0
        if link is None:
            c_errno.errno = c_errno.EBADF
            return -1
        while link.taken < len(link.inbox):
            digest = link.inbox[link.taken]
            size = len(digest)
            if not link.is_stream:
                link.taken += 1
                memcpy(buffer, <const unsigned char*>digest, size)
                return size
            if filled + 2 + size > space:
                break
            link.taken += 1
            buffer[filled] = size >> 8
            buffer[filled + 1] = size & 0xFF
            memcpy(buffer + filled + 2, <const unsigned char*>digest, size)
            filled += 2 + size
        if filled:
            return filled
        link.inbox.clear()  # as a whole: taking out the first moves all others, and may need memory
        link.taken = 0
        if link.at_end:
            return 0
        c_errno.errno = link.failure or c_errno.EAGAIN
        return -1

    cdef ssize_t transmit(self, int handle, const unsigned char* data, size_t length) except -2:
        cdef Link link = <Link>self.sockets.find(handle)
        if link is None:
            c_errno.errno = c_errno.EBADF
            return -1
        if link.is_stream:
            return self.transmit_stream(link, data, length)
        return self.transmit_datagram(link, data, length)

    cdef ssize_t transmit_datagram(self, Link link, const unsigned char* data, size_t length) except -2:
        """Take one message from c-ares, whether or not the kernel has room for it now."""
        cdef unsigned char message[MOST_MESSAGE]
        cdef Py_ssize_t size = self.put_question(link, data, length, True, message)
        cdef int number
        if size < 0:
            c_errno.errno = c_errno.EINVAL
            return -1
        if size > 0 and self.send_datagram(link, message, size) < 0:
            number = c_errno.errno
            if not self.excuse(link, message, number):
                link.failure = c_errno.errno = number
                return -1
        return length

    cdef ssize_t transmit_stream(self, Link link, const unsigned char* data, size_t length) except -2:
        """Take whole messages from c-ares, whatever the kernel takes from us."""
        cdef unsigned char message[MOST_MESSAGE]
        cdef size_t at = 0, after
        cdef Py_ssize_t size
        if link.unsent is None:
            link.unsent = bytearray()
        while at + 2 <= length:
            after = at + 2 + ((data[at] << 8) | data[at + 1])
            size = -1
            if after <= length:
                size = self.put_question(link, data + at + 2, after - at - 2, after == length, message)
            if size < 0:
                c_errno.errno = c_errno.EINVAL
                return -1
            if size > 0:
                link.unsent.append(size >> 8)
                link.unsent.append(size & 0xFF)
                link.unsent += message[:size]
            at = after
        self.write_stream(link)
        if link.failure:
            c_errno.errno = link.failure
            return -1
        return length

    cdef int local_address(self, int handle, sockaddr* address, socklen_t* length) except -2:
        """Where a socket sends from: it binds a DNS cookie (RFC 7873), so is asked for only under EDNS."""
        cdef Link link = <Link>self.sockets.find(handle)
        if link is None:
            c_errno.errno = c_errno.EBADF
            return -1
        if not self.shows_address:
            put_placeholder(address, length)
            return 0
        if self.sockets.local_address(link, address, length) < 0:
            self.blame(c_errno.errno)
            return -1
        return 0


cdef void put_placeholder(sockaddr* address, socklen_t* length) noexcept:
    """The address that c-ares believes its server has."""
    cdef sockaddr_in* place = <sockaddr_in*>address
    if address == NULL or length[0] < sizeof(sockaddr_in):
        return
    memset(place, 0, sizeof(sockaddr_in))
    place.sin_family = AF_INET
    place.sin_port = htons(53)
    place.sin_addr.s_addr = htonl(0x7F000001)
    length[0] = sizeof(sockaddr_in)


# c-ares calls these only from inside our own calls into it, so the GIL is held. An exception (there
# is no memory) becomes an errno: nothing raises into C.

cdef int c_asocket(int domain, int kind, int protocol, void* user_data) noexcept:
    cdef Links links = <Links>user_data
    try:
        return links.open_link(kind)
    except BaseException:
        links.blame(c_errno.ENOMEM)
        c_errno.errno = c_errno.ENOMEM
        return -1


cdef int c_aclose(int handle, void* user_data) noexcept:
    cdef Links links = <Links>user_data
    cdef Socket link
    try:
        link = links.sockets.find(handle)
        if link is not None:
            links.close_link(<Link>link)
    except BaseException:
        pass  # cannot happen: closing needs no memory
    return 0


cdef int c_asetsockopt(int handle, int option, const void* value, socklen_t size, void* user_data) noexcept:
    c_errno.errno = c_errno.ENOSYS  # no TCP fast open, buffers are set already: c-ares goes on without
    return -1


cdef int c_aconnect(int handle, const sockaddr* address, socklen_t length, unsigned int flags, void* user_data) noexcept:
    cdef Links links = <Links>user_data
    try:
        return links.connect_link(handle)
    except BaseException:
        links.blame(c_errno.ENOMEM)
        c_errno.errno = c_errno.ENOMEM
        return -1


cdef ssize_t c_arecvfrom(
    int handle, void* buffer, size_t length, int flags, sockaddr* address, socklen_t* address_length, void* user_data
) noexcept:
    cdef Links links = <Links>user_data
    try:
        if address != NULL:
            put_placeholder(address, address_length)
        return links.receive(handle, <unsigned char*>buffer, length)
    except BaseException:
        c_errno.errno = c_errno.ENOMEM
        return -1


cdef ssize_t c_asendto(
    int handle, const void* buffer, size_t length, int flags, const sockaddr* address, socklen_t address_length,
    void* user_data
) noexcept:
    cdef Links links = <Links>user_data
    try:
        return links.transmit(handle, <const unsigned char*>buffer, length)
    except BaseException:
        links.blame(c_errno.ENOMEM)
        c_errno.errno = c_errno.ENOMEM
        return -1


cdef int c_agetsockname(int handle, sockaddr* address, socklen_t* length, void* user_data) noexcept:
    cdef Links links = <Links>user_data
    try:
        return links.local_address(handle, address, length)
    except BaseException:
        links.blame(c_errno.ENOMEM)
        c_errno.errno = c_errno.ENOMEM
        return -1


memset(&socket_functions, 0, sizeof(socket_functions))
socket_functions.version = 1
socket_functions.flags = ARES_SOCKFUNC_FLAG_NONBLOCKING
socket_functions.asocket = c_asocket
socket_functions.aclose = c_aclose
socket_functions.asetsockopt = c_asetsockopt
socket_functions.aconnect = c_aconnect
socket_functions.arecvfrom = c_arecvfrom
socket_functions.asendto = c_asendto
socket_functions.agetsockname = c_agetsockname
