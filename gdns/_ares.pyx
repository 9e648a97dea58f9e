"""The c-ares lane: carries one try to one server over a c-ares channel of its own.

    ask      a question goes to c-ares, which writes it to one of our sockets
    on_ready what arrives is read here; what is no reply to what that socket asked is dropped
    flush    c-ares is given a digest of each reply, and says which queries have ended
    ended    the tries that ended, for whoever asked

c-ares' own code never sees a stranger's byte. A reply is checked and kept as it came; c-ares gets a
digest that we wrote: the header, its own question, the truncation bit, and an OPT record. That is
all it needs for what it does here: connections, framing and pipelining over TCP, EDNS fallback, cookies.

Nor does it see a name. It is always asked to ask for the root, a stand-in; the real question is put in
its place as the message leaves. That saves c-ares the reading and writing of names, which was a fifth of
its work, and lets names be asked for that c-ares refuses because they are no host names.

Callbacks record, they never act. No Python code runs while c-ares is on the stack: everything the
callbacks below call is written in Cython, and the garbage collector, which could run finalizers, is
held off meanwhile. So nothing can switch greenlets, close the channel or ask again under c-ares.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc cimport errno as c_errno
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy, memset

from gdns cimport _wire
from gdns._libcares cimport *
from gdns._sockets cimport BATCH, Owner, Socket, Sockets, sockaddr, socklen_t

from gdns import _libcares as library

cdef extern from "Python.h":
    int PyGC_Disable() noexcept
    int PyGC_Enable() noexcept

cdef extern from *:
    """
    #include <time.h>
    #include <sys/socket.h>
    #include <netinet/in.h>
    static double gdns_monotonic(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    """
    double gdns_monotonic() noexcept
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

cdef enum:
    HOUR_MS = 3_600_000  # c-ares' own timeout: never reached, deadlines are kept by who asks
    UNUSED_RCODE = 10  # NOTZONE: c-ares neither acts on it nor caches it
    TRUNCATED = 0x0200  # the TC bit in the flags of a header
    FORMERR = 1
    BADCOOKIE = 23
    OPT_TYPE = 41
    COOKIE_OPTION = 10
    EDNS_SIZE = 1232  # octets, the size that no path fragments (DNS Flag Day 2020)
    HEADER = 12  # octets
    STAND_IN = 5  # octets of c-ares' own question: the root, A, IN
    MOST_QUESTION = 259  # octets: name, type, class
    MOST_OPT = 11 + 4 + 40  # octets: the record, and in it the option header and a DNS cookie
    ALL_WISHES = 64

# How a question is to be asked: bits of `wishes`.
USE_TCP = 1
USE_EDNS = 2
DNSSEC_OK = 4
AUTHENTIC_DATA = 8
CHECKING_DISABLED = 16
NO_RECURSION = 32

cdef enum:
    _USE_TCP = 1
    _USE_EDNS = 2
    _DNSSEC_OK = 4
    _AUTHENTIC_DATA = 8
    _CHECKING_DISABLED = 16
    _NO_RECURSION = 32

# --- tries ------------------------------------------------------------------------------------------

cdef class Try:
    """One question on its way to one server.

    It has ended once `ended` is true: with `reply` (what the server said), or without one and then
    `error` says why. `flight` belongs to whoever asked, who also takes ended tries from the lane.
    """

    @property
    def reply(self):
        """The server's reply, or None."""
        return self.arrived if self.ended and self.status == ARES_SUCCESS and not self.cancelled else None

    @property
    def error(self) -> str:
        """Why it ended without a reply: c-ares' words, with the system's where a call failed; else ""."""
        if not self.ended or self.reply is not None:
            return ""
        if self.cancelled:
            return "cancelled"
        if self.system_error:
            import os
            return os.strerror(self.system_error)
        return ares.strerror(self.status).decode()

    @property
    def errno(self) -> int:
        """The errno(3) of the system call that ended it, or 0."""
        return self.system_error

    @property
    def transport(self) -> str:
        """"udp" or "tcp": what carried it last."""
        return "tcp" if self.link is not None and self.link.is_stream else "udp"


cdef void on_end(void* arg, int status, size_t timeouts, const ares_dns_record_t* record) noexcept:
    """c-ares says that a query has ended; it may say so inside the call that sends it, or another."""
    cdef Try attempt = <Try>arg
    cdef Channel channel = attempt.channel
    attempt.status = status
    attempt.ended = True
    if attempt.id >= 0 and channel.by_id.get(attempt.id) is attempt:
        del channel.by_id[attempt.id]
    cdef Link link = attempt.link if attempt.link is not None else channel.stream  # the latter: never connected
    if status != ARES_SUCCESS and link is not None and link.failure:
        attempt.system_error = link.failure
    channel.lane.add_ended(attempt)
    Py_DECREF(attempt)  # the reference lent in Channel.submit


# --- channels and their sockets -----------------------------------------------------------------------

cdef class Link(Socket):
    """A socket of a channel, with what has been read from it but not yet given to c-ares."""

    def __cinit__(self):
        self.inbox = []


@cython.no_gc_clear  # ares_destroy calls back into this object, which then must be whole
cdef class Channel(Owner):
    """One c-ares channel to one server; `use_tcp` as ARES_FLAG_USEVC means it."""

    def __cinit__(self, AresLane lane, server, bint use_tcp):
        self.lane = lane
        self.sockets = lane.sockets
        self.by_id = {}
        self.ready = []
        self.server = server
        self.address = server.sockaddr
        self.family = server.family
        self.open(use_tcp, server.queries_per_socket)

    def __dealloc__(self):
        self.destroy()

    cdef int open(self, bint use_tcp, int queries_per_socket) except -1:
        cdef ares_options options
        cdef ares_options taken
        cdef int mask = (
            ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF
            | ARES_OPT_HOSTS_FILE | ARES_OPT_UDP_MAX_QUERIES | ARES_OPT_MAXTIMEOUTMS | ARES_OPT_QUERY_CACHE
            | ARES_OPT_NOROTATE | ARES_OPT_SERVER_FAILOVER
        )
        memset(&options, 0, sizeof(options))
        options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP
        if use_tcp:
            options.flags |= ARES_FLAG_USEVC
        options.timeout = options.maxtimeout = HOUR_MS
        options.tries = 1
        options.lookups = b"b"
        options.resolvconf_path = options.hosts_path = b"/dev/null"  # the system's files are read by gdns
        options.udp_max_queries = queries_per_socket
        status = ares.init_options(&self.raw, &options, mask)
        if status != ARES_SUCCESS:
            self.raw = NULL
            raise MemoryError if status == ARES_ENOMEM else OSError(
                f"c-ares could not make a channel: {ares.strerror(status).decode()}"
            )
        # a placeholder: it is our `connect_link` that connects, to the address gdns parsed
        status = ares.set_servers_ports_csv(self.raw, b"127.0.0.1:53")
        if status == ARES_SUCCESS:
            status = ares.set_socket_functions_ex(self.raw, &socket_functions, <void*>self)
        if status != ARES_SUCCESS:
            raise MemoryError
        memset(&taken, 0, sizeof(taken))
        status = ares.save_options(self.raw, &taken, &mask)
        if status != ARES_SUCCESS:
            raise MemoryError
        as_asked = (
            taken.flags == options.flags and taken.tries == 1 and taken.timeout == HOUR_MS
            and taken.udp_max_queries == queries_per_socket
        )
        ares.destroy_options(&taken)
        if not as_asked:
            raise OSError(f"c-ares {library.version()} did not take the options it was given")
        return 0

    cdef void destroy(self) noexcept:
        """ares_destroy: every query ends, every socket closes. Only ever with c-ares off the stack."""
        cdef ares_channel_t* raw = self.raw
        cdef bint collecting
        self.raw = NULL  # first: a second call finds nothing to do
        if raw != NULL:
            collecting = PyGC_Disable()
            ares.destroy(raw)
            if collecting:
                PyGC_Enable()
        for wishes in range(ALL_WISHES):
            if self.records[wishes] != NULL:
                ares.dns_record_destroy(self.records[wishes])
                self.records[wishes] = NULL
        PyMem_Free(self.events)
        self.events = NULL
        self.events_space = 0

    cdef void abandon(self) noexcept:
        """Forget c-ares' channel without a call into it: after a fork it is the parent's."""
        self.raw = NULL
        for attempt in self.by_id.values():
            Py_DECREF(attempt)  # the reference lent in submit, which on_end will not give back now
        self.by_id.clear()

    # --- asking

    cdef int submit(self, Try attempt) except -1:
        """Hand a try to c-ares. It may already have ended when this returns."""
        cdef unsigned short id = 0
        cdef bint collecting
        cdef ares_dns_record_t* record = self.record_for(attempt.wishes)
        Py_INCREF(attempt)  # lent to c-ares until on_end, which runs exactly once
        self.submitting = attempt
        collecting = PyGC_Disable()
        attempt.status = ares.send_dnsrec(self.raw, record, on_end, <void*>attempt, &id)
        if collecting:
            PyGC_Enable()
        self.submitting = None
        if not attempt.ended:
            attempt.id = id  # over TCP it may not have been written yet
            self.by_id[attempt.id] = attempt
        return 0

    cdef ares_dns_record_t* record_for(self, int wishes) except NULL:
        """What c-ares is asked to send: the stand-in, with the flags and the OPT record that were wished for."""
        cdef ares_dns_record_t* record = self.records[wishes]
        cdef ares_dns_rr_t* opt = NULL
        cdef unsigned short flags = 0 if wishes & _NO_RECURSION else ARES_FLAG_RD
        if record != NULL:
            return record
        if wishes & _AUTHENTIC_DATA:
            flags |= ARES_FLAG_AD
        if wishes & _CHECKING_DISABLED:
            flags |= ARES_FLAG_CD
        cdef int status = ares.dns_record_create(&record, 0, flags, 0, 0)
        if status == ARES_SUCCESS:
            status = ares.dns_record_query_add(record, b".", 1, ARES_CLASS_IN)
        if status == ARES_SUCCESS and wishes & _USE_EDNS:
            self.uses_edns = True
            status = ares.dns_record_rr_add(
                &opt, record, ARES_SECTION_ADDITIONAL, b"", ARES_REC_TYPE_OPT, ARES_CLASS_IN, 0
            )
            if status == ARES_SUCCESS:
                status = ares.dns_rr_set_u16(opt, ARES_RR_OPT_UDP_SIZE, EDNS_SIZE)
            if status == ARES_SUCCESS:
                status = ares.dns_rr_set_u8(opt, ARES_RR_OPT_VERSION, 0)
            if status == ARES_SUCCESS:
                status = ares.dns_rr_set_u16(opt, ARES_RR_OPT_FLAGS, 0x8000 if wishes & _DNSSEC_OK else 0)
        if status != ARES_SUCCESS:
            ares.dns_record_destroy(record)
            raise MemoryError
        self.records[wishes] = record
        return record

    cdef int cancel(self, Try attempt) except -1:
        """End a try without a reply at the next flush, by a digest of our own for it.

        A query with a DNS cookie that c-ares has not seen confirmed may survive that; it then ends with
        its socket, and counts for nothing meanwhile.
        """
        attempt.cancelled = True
        if attempt.link is not None and attempt.link.fd >= 0:
            self.put_digest(attempt.link, attempt, None)
            self.note(attempt.link, ARES_FD_EVENT_READ)
        if self.stream is not None and self.stream is not attempt.link:
            self.put_digest(self.stream, attempt, None)  # it may have been moved to TCP, still connecting
            self.note(self.stream, ARES_FD_EVENT_READ)
        return 0

    # --- reading

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
            self.sockets.watch(link, EPOLLIN)
            self.note(link, ARES_FD_EVENT_WRITE)
            return 0
        if not link.is_connected:
            link.is_connected = True
            self.note(link, ARES_FD_EVENT_WRITE)  # c-ares writes what it has kept for this moment
        self.write_stream(link)
        return 0

    cdef int read_datagrams(self, Link link) except -1:
        cdef int count, index
        cdef Py_ssize_t length
        cdef unsigned char* data
        while self.sockets.budget > 0:
            count = self.sockets.receive_batch(link)
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
        if link.received is None:
            link.received = bytearray()
        link.received += self.sockets.arena[:count]
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

    cdef int take(self, Link link, const unsigned char* data, Py_ssize_t length) except -1:
        """Keep a message if it is a reply to what this socket asked; count it as dropped if not."""
        cdef Try attempt
        if length < HEADER:
            return self.lane.drop(DROPPED_SHORT)
        attempt = self.by_id.get((data[0] << 8) | data[1])
        if attempt is None or attempt.link is not link:
            return self.lane.drop(DROPPED_UNKNOWN_ID)
        if attempt.digested_in == self.lane.turn:
            return self.lane.drop(DROPPED_DUPLICATE)
        reply = _wire.read_reply(data, length, attempt.question)
        if type(reply) is not _wire.Reply:
            is_ours = reply == _wire.REFUSED_MALFORMED
            return self.lane.drop(DROPPED_MALFORMED if is_ours else DROPPED_NOT_OURS)
        if (<_wire.Reply>reply).flags & TRUNCATED and link.is_stream:
            return self.lane.drop(DROPPED_MALFORMED)  # nothing is too long for TCP
        attempt.arrived = reply
        attempt.digested_in = self.lane.turn
        self.put_digest(link, attempt, <_wire.Reply>reply)
        return self.note(link, ARES_FD_EVENT_READ)

    cdef int put_digest(self, Link link, Try attempt, _wire.Reply reply) except -1:
        """What c-ares has to know of a reply; for None, just enough to end the query."""
        cdef unsigned char digest[HEADER + STAND_IN + MOST_OPT]
        cdef Py_ssize_t at = HEADER + STAND_IN
        cdef bytes cookie = reply.cookie if reply is not None else None
        cdef int rcode = UNUSED_RCODE
        cdef Py_ssize_t cookie_size = 0
        if reply is not None and attempt.wishes & _USE_EDNS and reply.rcode in (FORMERR, BADCOOKIE):
            rcode = reply.rcode
        memset(digest, 0, HEADER + STAND_IN)
        digest[0] = attempt.id >> 8
        digest[1] = attempt.id & 0xFF
        digest[2] = 0x80 | (0x02 if reply is not None and reply.flags & TRUNCATED else 0)
        digest[3] = rcode & 0x0F
        digest[5] = 1
        digest[HEADER + 2] = digest[HEADER + 4] = 1  # the stand-in
        if reply is not None and reply.edns:
            if cookie is not None:
                cookie_size = len(cookie)
                if cookie_size > 40:
                    return self.lane.drop(DROPPED_MALFORMED)  # RFC 7873, section 4
            digest[11] = 1
            memset(digest + at, 0, 11)
            digest[at + 2] = OPT_TYPE
            digest[at + 3] = EDNS_SIZE >> 8
            digest[at + 4] = EDNS_SIZE & 0xFF
            digest[at + 5] = rcode >> 4
            if cookie is not None:
                digest[at + 10] = 4 + cookie_size
                digest[at + 12] = COOKIE_OPTION
                digest[at + 11] = digest[at + 13] = 0
                digest[at + 14] = cookie_size
                memcpy(digest + at + 15, <const unsigned char*>cookie, cookie_size)
                at += 4 + cookie_size
            at += 11
        link.inbox.append(digest[:at])
        return 0

    cdef int fail(self, Link link, int number) except -1:
        link.failure = number
        self.sockets.watch(link, 0)  # it would be ready for ever
        return self.note(link, ARES_FD_EVENT_READ)

    # --- telling c-ares

    cdef int note(self, Link link, unsigned int event) except -1:
        """Remember an event for the next flush."""
        if not link.pending:
            if not self.ready:
                self.lane.ready.append(self)
            self.ready.append(link)
        link.pending |= event
        return 0

    cdef int flush(self) except -1:
        """Tell c-ares of all that was noted, in one pass."""
        cdef size_t count = len(self.ready)
        cdef size_t index
        cdef Link link
        cdef bint collecting
        if self.raw == NULL:
            self.ready = []
            return 0
        if count > self.events_space:
            grown = PyMem_Realloc(self.events, count * 2 * sizeof(ares_fd_events_t))
            if grown == NULL:
                raise MemoryError
            self.events = <ares_fd_events_t*>grown
            self.events_space = count * 2
        for index in range(count):
            link = self.ready[index]
            self.events[index].fd = link.handle
            self.events[index].events = link.pending
            link.pending = 0
        self.ready = []
        collecting = PyGC_Disable()
        ares.process_fds(self.raw, self.events, count, ARES_PROCESS_FLAG_NONE)  # which also closes idle sockets
        if collecting:
            PyGC_Enable()
        return 0

    # --- what c-ares asks of a socket

    cdef int open_link(self, int kind) except -2:
        cdef Link link = Link.__new__(Link)
        if self.sockets.open(link, self, self.family, kind) < 0:
            if self.submitting is not None:
                self.submitting.system_error = c_errno.errno
            return -1
        if kind == SOCK_STREAM:
            self.stream = link
        return link.handle

    cdef int connect_link(self, int handle) except -2:
        cdef Link link = self.sockets.by_handle.get(handle)
        if link is None:
            c_errno.errno = c_errno.EBADF
            return -1
        if self.sockets.connect(link, <const sockaddr*><char*>self.address, len(self.address)) < 0:
            link.failure = c_errno.errno
            if self.submitting is not None:
                self.submitting.system_error = link.failure
            c_errno.errno = link.failure
            return -1
        return 0

    cdef int close_link(self, int handle) except -2:
        cdef Link link = self.sockets.by_handle.get(handle)
        if link is None:
            return 0
        if link is self.stream:
            self.stream = None
        self.sockets.close_socket(link)
        return 0

    cdef ssize_t receive(self, int handle, unsigned char* buffer, size_t space) except -2:
        """Give c-ares the next digest, or over TCP all that fit; then what went wrong, if anything did."""
        cdef Link link = self.sockets.by_handle.get(handle)
        cdef bytes digest
        cdef size_t size, filled = 0
        if link is None:
            c_errno.errno = c_errno.EBADF
            return -1
        while link.inbox:
            digest = link.inbox[0]
            size = len(digest)
            if not link.is_stream:
                del link.inbox[0]
                memcpy(buffer, <const unsigned char*>digest, size)
                return size
            if filled + 2 + size > space:
                break
            del link.inbox[0]
            buffer[filled] = size >> 8
            buffer[filled + 1] = size & 0xFF
            memcpy(buffer + filled + 2, <const unsigned char*>digest, size)
            filled += 2 + size
        if filled:
            return filled
        if link.at_end:
            return 0
        c_errno.errno = link.failure or c_errno.EAGAIN
        return -1

    cdef ssize_t transmit(self, int handle, const unsigned char* data, size_t length) except -2:
        cdef unsigned char message[HEADER + MOST_QUESTION + MOST_OPT]
        cdef Link link = self.sockets.by_handle.get(handle)
        cdef Py_ssize_t size
        if link is None:
            c_errno.errno = c_errno.EBADF
            return -1
        if link.is_stream:
            return self.transmit_stream(link, data, length)
        size = self.put_question(link, data, length, message)
        if size < 0:
            c_errno.errno = c_errno.EINVAL
            return -1
        if self.sockets.send(link, message, size) >= 0:
            return length
        if c_errno.errno == c_errno.EAGAIN:
            self.sockets.watch(link, EPOLLIN | EPOLLOUT)
            c_errno.errno = c_errno.EAGAIN
        else:
            link.failure = c_errno.errno
        return -1

    cdef Py_ssize_t put_question(
        self, Link link, const unsigned char* data, size_t length, unsigned char* message
    ) except -2:
        """Write into `message` what c-ares wrote, with the real question in the stand-in's place; its size.

        Finds the try by its id: one that c-ares has already, or the one being submitted. -1 if there is none.
        """
        cdef Try attempt
        cdef bytes question
        cdef Py_ssize_t size, rest = <Py_ssize_t>length - HEADER - STAND_IN
        if rest < 0 or rest > MOST_OPT:
            return -1
        id = (data[0] << 8) | data[1]
        attempt = self.by_id.get(id)
        if attempt is None:
            attempt = self.submitting
            if attempt is None:
                return -1
            attempt.id = id
            self.by_id[id] = attempt
        attempt.link = link
        question = attempt.question.wire
        size = len(question)
        memcpy(message, data, HEADER)
        memcpy(message + HEADER, <const unsigned char*>question, size)
        memcpy(message + HEADER + size, data + HEADER + STAND_IN, rest)
        return HEADER + size + rest

    cdef ssize_t transmit_stream(self, Link link, const unsigned char* data, size_t length) except -2:
        """Take whole messages from c-ares, whatever the kernel takes from us."""
        cdef unsigned char message[HEADER + MOST_QUESTION + MOST_OPT]
        cdef size_t at = 0, framed
        cdef Py_ssize_t size
        if link.unsent is None:
            link.unsent = bytearray()
        while at + 2 <= length:
            framed = (data[at] << 8) | data[at + 1]
            size = self.put_question(link, data + at + 2, framed, message) if at + 2 + framed <= length else -1
            if size < 0:
                c_errno.errno = c_errno.EINVAL
                return -1
            link.unsent.append(size >> 8)
            link.unsent.append(size & 0xFF)
            link.unsent += message[:size]
            at += 2 + framed
        self.write_stream(link)
        if link.failure:
            c_errno.errno = link.failure
            return -1
        return length

    cdef int write_stream(self, Link link) except -1:
        cdef ssize_t sent
        if link.is_connected and link.unsent:
            sent = self.sockets.send(link, <char*>link.unsent, len(link.unsent))
            if sent > 0:
                del link.unsent[:sent]
            elif sent < 0 and c_errno.errno != c_errno.EAGAIN:
                return self.fail(link, c_errno.errno)
        self.sockets.watch(link, EPOLLIN if link.is_connected and not link.unsent else EPOLLIN | EPOLLOUT)
        return 0

    cdef int local_address(self, int handle, sockaddr* address, socklen_t* length) except -2:
        """Where a socket sends from: it binds a DNS cookie (RFC 7873), so is asked for only under EDNS."""
        cdef Link link = self.sockets.by_handle.get(handle)
        if link is None:
            c_errno.errno = c_errno.EBADF
            return -1
        if self.uses_edns:
            return self.sockets.local_address(link, address, length)
        put_placeholder(address, length)
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
    try:
        return (<Channel>user_data).open_link(kind)
    except BaseException:
        c_errno.errno = c_errno.ENOMEM
        return -1


cdef int c_aclose(int handle, void* user_data) noexcept:
    try:
        return (<Channel>user_data).close_link(handle)
    except BaseException:
        return 0


cdef int c_asetsockopt(int handle, int option, const void* value, socklen_t size, void* user_data) noexcept:
    c_errno.errno = c_errno.ENOSYS  # no TCP fast open, buffers are set already: c-ares goes on without
    return -1


cdef int c_aconnect(int handle, const sockaddr* address, socklen_t length, unsigned int flags, void* user_data) noexcept:
    try:
        return (<Channel>user_data).connect_link(handle)
    except BaseException:
        c_errno.errno = c_errno.ENOMEM
        return -1


cdef ssize_t c_arecvfrom(
    int handle, void* buffer, size_t length, int flags, sockaddr* address, socklen_t* address_length, void* user_data
) noexcept:
    try:
        if address != NULL:
            put_placeholder(address, address_length)
        return (<Channel>user_data).receive(handle, <unsigned char*>buffer, length)
    except BaseException:
        c_errno.errno = c_errno.ENOMEM
        return -1


cdef ssize_t c_asendto(
    int handle, const void* buffer, size_t length, int flags, const sockaddr* address, socklen_t address_length,
    void* user_data
) noexcept:
    try:
        return (<Channel>user_data).transmit(handle, <const unsigned char*>buffer, length)
    except BaseException:
        c_errno.errno = c_errno.ENOMEM
        return -1


cdef int c_agetsockname(int handle, sockaddr* address, socklen_t* length, void* user_data) noexcept:
    try:
        return (<Channel>user_data).local_address(handle, address, length)
    except BaseException:
        c_errno.errno = c_errno.ENOMEM
        return -1


cdef ares_socket_functions_ex socket_functions
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


# --- the lane -----------------------------------------------------------------------------------------

cdef class AresLane:
    """Carries tries to servers, each over its own c-ares channel, on the sockets of one hub.

    `ask` and `cancel` may end tries at once; ended ones wait in the lane until `take_ended`.
    """

    def __cinit__(self, Sockets sockets not None):
        self.sockets = sockets
        self.channels = {}
        self.ready = []
        self.turn = 1

    cpdef Try ask(self, object server, _wire.Question question, int wishes=0):
        """Send `question` to `server` once. The try may already have ended when this returns.

        `wishes` is a sum of USE_TCP, USE_EDNS, DNSSEC_OK, AUTHENTIC_DATA, CHECKING_DISABLED and NO_RECURSION.
        Raises OSError when no channel can be made, RuntimeError after `close()`.
        """
        cdef Try attempt
        cdef Channel channel
        if not 0 <= wishes < ALL_WISHES:
            raise ValueError(f"wishes: {wishes} is no sum of what can be wished for")
        attempt = Try.__new__(Try)
        attempt.id = -1
        attempt.server = server
        attempt.question = question
        attempt.wishes = wishes
        key = (server, True) if wishes & _USE_TCP else server
        channel = self.channels.get(key)
        if channel is None:
            if self.is_closed:
                raise RuntimeError("the lane is closed")
            channel = self.channels[key] = Channel(self, server, wishes & _USE_TCP != 0)
        attempt.channel = channel
        attempt.sent_at = gdns_monotonic()
        channel.submit(attempt)
        return attempt

    cpdef object cancel(self, Try attempt):
        """Let a try that nobody waits for end without a reply at the next flush. Safe when it has ended."""
        if not attempt.ended:
            attempt.channel.cancel(attempt)

    @property
    def needs_flush(self) -> bool:
        """Whether something arrived, or was cancelled, since the last flush."""
        return bool(self.ready)

    cpdef object flush(self):
        """Let c-ares deal with all that arrived, or was cancelled, since the last flush."""
        cdef Channel channel
        ready, self.ready = self.ready, []
        for channel in ready:
            channel.flush()
        self.turn += 1

    cdef void add_ended(self, Try attempt) noexcept:
        # linked, not listed: ending a try must not need memory
        if self.last_ended is None:
            self.first_ended = attempt
        else:
            self.last_ended.next_ended = attempt
        self.last_ended = attempt

    cpdef Try take_ended(self):
        """The try that ended first and was not taken yet, or None."""
        cdef Try attempt = self.first_ended
        if attempt is None:
            return None
        self.first_ended = attempt.next_ended
        attempt.next_ended = None
        if self.first_ended is None:
            self.last_ended = None
        return attempt

    def forget(self, server) -> None:
        """Close the channels to `server`; tries under way end without a reply."""
        cdef Channel channel
        for key in (server, (server, True)):
            channel = self.channels.pop(key, None)
            if channel is not None:
                channel.destroy()

    def close(self) -> None:
        """End every try and close every channel; safe to call twice."""
        cdef Channel channel
        self.is_closed = True
        while self.channels:
            _, channel = self.channels.popitem()
            channel.destroy()

    def abandon(self) -> None:
        """Drop everything without a word to c-ares or the servers: what a child does after a fork."""
        cdef Channel channel
        self.is_closed = True
        for channel in self.channels.values():
            channel.abandon()
        self.channels = {}
        self.ready = []

    cdef int drop(self, int kind) except -1:
        self.drops[kind] += 1
        return 0

    @property
    def dropped(self) -> dict:
        """How many messages were dropped, by reason; none of them ended a try."""
        return {
            "short": self.drops[DROPPED_SHORT],
            "unknown id": self.drops[DROPPED_UNKNOWN_ID],
            "duplicate": self.drops[DROPPED_DUPLICATE],
            "not what was asked": self.drops[DROPPED_NOT_OURS],
            "malformed": self.drops[DROPPED_MALFORMED],
        }

    @property
    def pending(self) -> int:
        """How many queries c-ares is busy with."""
        cdef Channel channel
        total = 0
        for channel in self.channels.values():
            total += ares.queue_active_queries(channel.raw)
        return total
