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

Who holds whom: a lane holds its channels, a channel the tries that c-ares has pointers to, and a try its
channel. Nothing below a lane holds the lane, and the garbage collector sees all of it. So a lane that is
dropped with tries under way ends them, and takes its channels and sockets along.
"""

cimport cython
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc cimport errno as c_errno
from libc.string cimport memcmp, memcpy, memset

from gdns cimport _wire
from gdns._clock cimport monotonic
from gdns._libcares cimport *
from gdns._links cimport HEADER, MOST_OPT, MOST_QUESTION, STAND_IN, Link, Links, socket_functions
from gdns._sockets cimport Sockets

from gdns import _libcares as library

cdef extern from "Python.h":
    int PyGC_Disable() noexcept
    int PyGC_Enable() noexcept

cdef extern from "errno.h":
    int ECANCELED, EAFNOSUPPORT, EPROTONOSUPPORT

cdef extern from "sys/random.h":
    ssize_t getrandom(void* data, size_t length, unsigned int flags) noexcept

cdef enum:
    HOUR_MS = 3_600_000  # c-ares' own timeout: never reached, deadlines are kept by who asks
    EVENTS = 64  # of which c-ares is told at once
    UNUSED_RCODE = 10  # NOTZONE: c-ares neither acts on it nor caches it
    TRUNCATED = 0x0200  # the TC bit in the flags of a header
    FORMERR = 1
    SERVFAIL = 2
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16
    BADCOOKIE = 23
    OPT_TYPE = 41
    OPT_SIZE = 11  # octets of an OPT record without options; the last two are the size of these
    PORT_ALONE = 4  # octets of an address for bind(2) that has but a port
    COOKIE_OPTION = 10
    CLIENT_COOKIE = 8  # octets of a DNS cookie that are the client's, the rest is the server's (RFC 7873)
    EDNS_SIZE = 1232  # octets, the size that no path fragments (DNS Flag Day 2020)
    RANDOM_OCTETS = 33  # a bit for each octet of a question
    MOST_FOLDED = 3  # replies in a row that did not keep the question's case: then 0x20 is for nothing

cdef double STALLED = 0.2  # seconds of silence after which a connection that somebody gave up on is closed
cdef double EDNS_PATIENCE = 0.2  # seconds until a server that never answered EDNS is also asked without
cdef double EDNS_RETRY = 60.0  # seconds until it is offered EDNS again

# How a connection ended under a try (`Try.cut`)
CUT_FIRST = 1
CUT_BESIDE = 2
CUT_AFTER_REPLIES = 3

# How a question is to be asked: bits of `wishes`.
USE_TCP = 1
USE_EDNS = 2
DNSSEC_OK = 4
AUTHENTIC_DATA = 8
CHECKING_DISABLED = 16
NO_RECURSION = 32
USE_0X20 = 64

cdef enum:
    _USE_TCP = 1
    _USE_EDNS = 2
    _DNSSEC_OK = 4
    _AUTHENTIC_DATA = 8
    _CHECKING_DISABLED = 16
    _NO_RECURSION = 32
    _USE_0X20 = 64
    ALL_WISHES = 128

# --- tries ------------------------------------------------------------------------------------------

cdef class Try:
    """One question on its way to one server.

    It has ended once `ended` is true: with `reply` (what the server said), or without one and then
    `error` says why. `flight` belongs to whoever asked, who also takes ended tries from the lane.
    """

    @property
    def error(self) -> str:
        """Why it ended without a reply: the system's words where a call failed, else c-ares'; else ""."""
        if not self.ended or self.reply is not None:
            return ""
        if self.system_error:
            import os
            return os.strerror(self.system_error)
        if self.withdrawn:
            return "cancelled"
        return ares.strerror(self.status).decode()

    @property
    def errno(self) -> int:
        """The errno(3) of the system call that ended it, or 0."""
        return self.system_error

    @property
    def is_wanting(self) -> bool:
        """Whether it ended for want of something on this host: a descriptor, memory, a permission.

        That says nothing about the server, and any other server would meet it, too.
        """
        cdef int number = self.system_error
        if self.unopened and number not in (EAFNOSUPPORT, EPROTONOSUPPORT):  # which are for want of a family
            return True
        return number in (c_errno.EMFILE, c_errno.ENFILE, c_errno.ENOBUFS, c_errno.ENOMEM)

    @property
    def transport(self) -> str:
        """"udp" or "tcp": what carried it last."""
        return "tcp" if self.link is not None and self.link.is_stream else "udp"


cdef class Ledger:
    """What the channels of a lane write down for it.

    They hold this, not the lane, so that a lane can go while c-ares still has their tries.
    """

    def __cinit__(self):
        self.turn = 1

    cdef void add_ready(self, Channel channel) noexcept:
        if not channel.is_ready:
            channel.is_ready = True
            channel.next_ready = self.first_ready
            self.first_ready = channel

    cdef Channel take_ready(self):
        cdef Channel channel = self.first_ready
        if channel is not None:
            self.first_ready = channel.next_ready
            channel.next_ready = None
            channel.is_ready = False
        return channel

    cdef void add_ended(self, Try attempt) noexcept:
        if attempt.status == ARES_SUCCESS and not attempt.withdrawn:
            attempt.reply = attempt.arrived
        # linked, not listed: ending a try must not need memory
        if self.last_ended is None:
            self.first_ended = attempt
        else:
            self.last_ended.next_ended = attempt
        self.last_ended = attempt

    cdef Try take_ended(self):
        cdef Try attempt = self.first_ended
        while attempt is not None:
            self.first_ended = attempt.next_ended
            attempt.next_ended = None
            if self.first_ended is None:
                self.last_ended = None
            if not attempt.disowned:
                return attempt
            attempt = self.first_ended
        return None


cdef void on_end(void* arg, int status, size_t timeouts, const ares_dns_record_t* record) noexcept:
    """c-ares says that a query has ended; it may say so inside the call that sends it, or another."""
    cdef Try attempt = <Try>arg
    cdef Channel channel = attempt.channel
    cdef Link link = attempt.link
    if link is None and attempt.wishes & _USE_TCP:
        link = channel.stream  # which was never connected
    if attempt.ended:  # it was told of when there was no memory for it
        Py_DECREF(attempt)  # the reference taken in Channel.submit
        return
    attempt.status = status
    attempt.ended = True
    if status != ARES_SUCCESS and link is not None and not attempt.withdrawn:
        if link.failure:
            attempt.system_error = link.failure
        if link.is_stream and link.is_connected:
            if link.has_answered:
                attempt.cut = _CUT_AFTER_REPLIES
            else:
                attempt.cut = _CUT_BESIDE if link.is_blamed else _CUT_FIRST
                link.is_blamed = True
    channel.ledger.add_ended(attempt)  # which holds it from here on
    channel.by_id.pop(attempt.id, None)
    if attempt.disowned:
        Py_DECREF(attempt)  # the reference taken in Channel.submit


# --- channels -----------------------------------------------------------------------------------------

@cython.no_gc_clear  # ares_destroy calls back into this object, which then must be whole
cdef class Channel(Links):
    """One c-ares channel to one server; `use_tcp` as ARES_FLAG_USEVC means it.

    `source` is what its sockets are bound to, as in `Question`; empty for nothing.
    """

    def __cinit__(self, Sockets sockets, Ledger ledger, server, bint use_tcp, bytes source):
        self.sockets = sockets
        self.ledger = ledger
        self.by_id = {}
        self.address = server.sockaddr
        self.family = server.family
        self.source = source
        if len(source) == PORT_ALONE:
            self.source = (<char*>&self.family)[:2] + source[2:] + bytes(len(self.address) - PORT_ALONE)
        has_own_port = len(source) >= PORT_ALONE and source[2:PORT_ALONE] != b"\0\0"
        # one socket for all where the port is given (0: no limit): two would take each other's replies
        queries_per_socket = 0 if has_own_port else server.queries_per_socket
        self.shares_sockets = queries_per_socket != 1
        self.open(use_tcp, queries_per_socket)

    def __del__(self):
        self.destroy()  # while all that c-ares points to is there: the collector clears dicts, if not us

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
            status = ares.set_socket_functions_ex(self.raw, &socket_functions, <void*><Links>self)
        if status != ARES_SUCCESS:
            raise MemoryError
        memset(&taken, 0, sizeof(taken))
        status = ares.save_options(self.raw, &taken, &mask)
        if status != ARES_SUCCESS:
            ares.destroy_options(&taken)
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
        cdef int wishes
        self.raw = NULL  # first: a second call finds nothing to do
        if raw != NULL:
            collecting = PyGC_Disable()
            ares.destroy(raw)
            if collecting:
                PyGC_Enable()
        self.drop_ready()
        for wishes in range(RECORD_KINDS):
            if self.records[wishes] != NULL:
                ares.dns_record_destroy(self.records[wishes])
                self.records[wishes] = NULL

    cdef void abandon(self) noexcept:
        """Forget c-ares' channel without a call into it: after a fork it is the parent's."""
        self.raw = NULL
        self.drop_ready()
        self.by_id.clear()

    # --- asking

    cdef int submit(self, Try attempt) except -1:
        """Hand a try to c-ares. It may already have ended when this returns."""
        cdef unsigned short id = 0
        cdef bint collecting
        cdef double now = attempt.sent_at
        attempt.wishes = self.agreed_wishes(attempt.wishes, now)
        cdef ares_dns_record_t* record = self.record_for(attempt.wishes & (RECORD_KINDS - 1))
        if attempt.wishes & _USE_0X20:
            attempt.scrambled = in_random_case(attempt.question.wire)
        if attempt.wishes & _USE_EDNS and not self.edns_since:
            self.edns_since = now
        self.submitting = attempt  # and `by_id` from then on hold what c-ares is lent, until on_end
        collecting = PyGC_Disable()
        attempt.status = ares.send_dnsrec(self.raw, record, on_end, <void*>attempt, &id)
        if collecting:
            PyGC_Enable()
        self.submitting = None
        if not attempt.ended and attempt.id is None:  # over TCP it may not have been written yet
            try:
                attempt.id = id
                self.by_id[attempt.id] = attempt
            except MemoryError:
                attempt.disowned = True  # nothing can be a reply to it; it ends with its socket
                Py_INCREF(attempt)  # given back in on_end, which runs exactly once
                if self.stream is not None:
                    self.fail(self.stream, c_errno.ENOMEM)
                raise
        return 0

    cdef int agreed_wishes(self, int wishes, double now) noexcept:
        """The wishes without those that this server has shown not to cope with.

        A server that never answered a question with EDNS is also asked without (its firewall may drop them).
        """
        if wishes & _USE_0X20 and (wishes & _USE_TCP or self.folded >= MOST_FOLDED):
            wishes &= ~_USE_0X20
        if wishes & _USE_EDNS and not self.knows_edns and self.edns_since and now - self.edns_since > EDNS_PATIENCE:
            if now - self.edns_since > EDNS_RETRY:
                self.edns_since = 0.0
            else:
                wishes &= ~(_USE_EDNS | _DNSSEC_OK)
        return wishes

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
            self.shows_address = True
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

    cdef Py_ssize_t put_question(
        self, Link link, const unsigned char* data, size_t length, bint is_newest, unsigned char* message
    ) except -2:
        """Write into `message` what c-ares wrote, with the real question in the stand-in's place.

        The question's own EDNS options are added to the OPT record, if c-ares wrote one: it is the last.
        """
        cdef Try attempt
        cdef bytes question, options
        cdef unsigned char* opt
        cdef Py_ssize_t size, rest = <Py_ssize_t>length - HEADER - STAND_IN
        if rest < 0 or rest > MOST_OPT:
            return -1
        id = (data[0] << 8) | data[1]
        if is_newest and self.submitting is not None and self.submitting.id is None:
            attempt = self.submitting
            self.by_id[id] = attempt
            attempt.id = id
        else:
            attempt = self.by_id.get(id)
            if attempt is None:  # it ended while c-ares kept its message for a stream to be connected
                return 0
        attempt.link = link
        if link.is_stream and not link.heard_at:
            link.heard_at = monotonic()
        question = attempt.question.wire
        if attempt.scrambled is not None and not link.is_stream:
            question = attempt.scrambled
        size = len(question)
        memcpy(message, data, HEADER)
        memcpy(message + HEADER, <const unsigned char*>question, size)
        memcpy(message + HEADER + size, data + HEADER + STAND_IN, rest)
        if rest >= OPT_SIZE + 4 + CLIENT_COOKIE:  # the only option that c-ares writes of its own
            attempt.client_cookie = message[HEADER + size + OPT_SIZE + 4 : HEADER + size + OPT_SIZE + 4 + CLIENT_COOKIE]
        else:
            attempt.client_cookie = None
        options = attempt.question.options
        if options and rest >= OPT_SIZE:
            opt = message + HEADER + size
            memcpy(opt + rest, <const unsigned char*>options, len(options))
            rest += len(options)
            opt[OPT_SIZE - 2] = (rest - OPT_SIZE) >> 8
            opt[OPT_SIZE - 1] = (rest - OPT_SIZE) & 0xFF
        size += HEADER + rest
        if attempt.scrambled is not None:
            attempt.message = message[:size]
        return size

    # --- ending a try ourselves

    cdef void withdraw(self, Try attempt) noexcept:
        """End a try without a reply at the next flush. That needs no memory: it must not fail."""
        cdef Link link = attempt.link
        attempt.withdrawn = True
        if link is not None and link.fd >= 0:
            if not self.shares_sockets and not link.is_stream:
                self.fail(link, ECANCELED)  # the socket is its own
                return
            self.end_on(link, attempt)
        if self.stream is not None and self.stream is not link:  # it may have been moved to TCP, still connecting
            self.end_on(self.stream, attempt)

    cdef void end_on(self, Link link, Try attempt) noexcept:
        """Have c-ares told on a socket that a query has ended; without memory, that all on it have."""
        self.note(link, ARES_FD_EVENT_READ)
        try:
            link.inbox.append(digest_of(attempt, None, None))
            if link is attempt.link and attempt.client_cookie is not None and self.server_cookie is not None:
                # Once c-ares has seen a server's cookie it drops what comes without. It will be glad of one of
                # the two; the other is then for no query that it knows.
                link.inbox.append(digest_of(attempt, None, attempt.client_cookie + self.server_cookie))
        except MemoryError:
            self.fail(link, c_errno.ENOMEM)

    cdef int leave_stalled(self, Try attempt) except -1:
        """Close the connection that a try waited on in vain, if it has been silent for longer than others wait.

        c-ares sends whatever else is asked over the same connection. One that hangs, or whose framing is lost,
        would be kept busy by new questions, and answer none of them for ever.
        """
        cdef Link stream = self.stream
        cdef bint is_on_stream = attempt.wishes & _USE_TCP or attempt.link is stream
        if attempt.arrived is not None and attempt.arrived.flags & TRUNCATED:
            is_on_stream = True
        if stream is None or not is_on_stream or stream.failure:
            return 0
        if monotonic() - max(attempt.sent_at, stream.heard_at) >= STALLED:
            self.fail(stream, c_errno.ETIMEDOUT)
        return 0

    cdef bint excuse(self, Link link, const unsigned char* data, int number) except -1:
        cdef Try attempt
        if number not in (c_errno.ENOBUFS, c_errno.ENOMEM, c_errno.EPERM):
            return False  # what the next message would meet, too
        attempt = self.by_id.get((data[0] << 8) | data[1])
        if attempt is not None:
            attempt.system_error = number
            self.withdraw(attempt)
        return True

    cdef void blame(self, int number, bint unopened=False) noexcept:
        if self.submitting is not None:
            self.submitting.system_error = number
            self.submitting.unopened = unopened

    # --- the gate

    cdef int take(self, Link link, unsigned char* data, Py_ssize_t length) except -1:
        cdef int fault
        try:
            fault = self.examine(link, data, length)
        except MemoryError:
            fault = DROPPED_NO_MEMORY  # as if the network had lost it
        if fault != TAKEN:
            self.ledger.drops[fault] += 1
        return 0

    cdef int examine(self, Link link, unsigned char* data, Py_ssize_t length) except -2:
        """Why a message is no reply to what this socket asked; TAKEN if it is one, and c-ares will hear of it."""
        cdef Try attempt
        cdef _wire.Reply reply
        cdef bint has_case
        if length < HEADER:
            return DROPPED_SHORT
        attempt = self.by_id.get((data[0] << 8) | data[1])
        if attempt is None or attempt.link is not link:
            return DROPPED_UNKNOWN_ID
        if attempt.digested_in == self.ledger.turn:
            return DROPPED_DUPLICATE
        has_case = restore_case(attempt, data, length)
        found = _wire.read_reply(data, length, attempt.question)
        if type(found) is not _wire.Reply:
            return DROPPED_MALFORMED if found == _wire.REFUSED_MALFORMED else DROPPED_NOT_OURS
        reply = <_wire.Reply>found
        if link.is_stream and reply.flags & TRUNCATED:
            return DROPPED_MALFORMED  # nothing is too long for TCP
        if not has_case:
            self.ask_as_it_is(link, attempt)
            return DROPPED_CASE
        if reply.cookie is not None and attempt.client_cookie is not None:
            if not reply.cookie.startswith(attempt.client_cookie):
                return DROPPED_COOKIE
            if len(reply.cookie) > CLIENT_COOKIE:
                self.server_cookie = reply.cookie[CLIENT_COOKIE:]
        if attempt.wishes & _USE_EDNS:
            self.knows_edns = True
        self.note(link, ARES_FD_EVENT_READ)
        link.inbox.append(digest_of(attempt, reply, reply.cookie))
        attempt.arrived = reply
        attempt.digested_in = self.ledger.turn
        if link.is_stream:
            link.heard_at = monotonic()
            link.has_answered = True
        return TAKEN

    cdef int ask_as_it_is(self, Link link, Try attempt) except -1:
        """Repeat a question that left in random case, for a server that does not keep it (0x20)."""
        cdef bytes question = attempt.question.wire
        cdef bytes message = attempt.message[:HEADER] + question + attempt.message[HEADER + len(question):]
        attempt.scrambled = attempt.message = None
        self.folded += 1
        if self.send_datagram(link, message, len(message)) < 0 and not self.excuse(link, message, c_errno.errno):
            return self.fail(link, c_errno.errno)
        return 0

    # --- telling c-ares

    cdef void note(self, Link link, unsigned int event) noexcept:
        # linked, not listed, as what has ended
        if not link.pending:
            link.next_ready = self.first_ready
            self.first_ready = link
        link.pending |= event
        self.ledger.add_ready(self)

    cdef void drop_ready(self) noexcept:
        cdef Link link = self.first_ready
        while link is not None:  # one by one: a chain would go one inside the other
            self.first_ready = link.next_ready
            link.next_ready = None
            link.pending = 0
            link = self.first_ready

    cdef int flush(self) except -1:
        """Tell c-ares of all that was noted."""
        cdef ares_fd_events_t events[EVENTS]
        cdef size_t count
        cdef int flags
        cdef Link link
        cdef bint collecting
        if self.raw == NULL:
            self.drop_ready()
        while self.first_ready is not None:
            count = 0
            while self.first_ready is not None and count < EVENTS:
                link = self.first_ready
                self.first_ready = link.next_ready
                link.next_ready = None
                events[count].fd = link.handle
                events[count].events = link.pending
                link.pending = 0
                count += 1
            # the last round also closes sockets that have become idle, which needs a look at them all
            flags = ARES_PROCESS_FLAG_NONE if self.first_ready is None else ARES_PROCESS_FLAG_SKIP_NON_FD
            collecting = PyGC_Disable()
            ares.process_fds(self.raw, events, count, flags)
            if collecting:
                PyGC_Enable()
        return 0


cdef bytes digest_of(Try attempt, _wire.Reply reply, bytes cookie):
    """What c-ares has to know of a reply; without one, just enough to end the query."""
    cdef unsigned char digest[HEADER + STAND_IN + MOST_OPT]
    cdef unsigned char* opt = digest + HEADER + STAND_IN
    cdef Py_ssize_t size = HEADER + STAND_IN, cookie_size = 0
    cdef int id = attempt.id, rcode = UNUSED_RCODE
    memset(digest, 0, sizeof(digest))
    if reply is not None:
        rcode = rcode_for_c_ares(attempt, reply)
        if reply.flags & TRUNCATED:
            digest[2] = 0x02
    digest[0] = id >> 8
    digest[1] = id & 0xFF
    digest[2] |= 0x80
    digest[3] = rcode & 0x0F
    digest[5] = 1
    digest[HEADER + 2] = digest[HEADER + 4] = 1  # the stand-in
    if cookie is not None or (reply is not None and reply.edns and reply.rcode != BADVERS):
        digest[11] = 1
        opt[2] = OPT_TYPE
        opt[3] = EDNS_SIZE >> 8
        opt[4] = EDNS_SIZE & 0xFF
        opt[5] = rcode >> 4
        size += OPT_SIZE
        if cookie is not None:
            cookie_size = len(cookie)
            opt[10] = 4 + cookie_size
            opt[12] = COOKIE_OPTION
            opt[14] = cookie_size
            memcpy(opt + 15, <const unsigned char*>cookie, cookie_size)
            size += 4 + cookie_size
    return digest[:size]


cdef int rcode_for_c_ares(Try attempt, _wire.Reply reply) noexcept:
    """The rcode where c-ares acts on it: it asks again without EDNS, or with the cookie that came.

    A reply without an OPT record is of a server that does not know EDNS (RFC 6891, section 7), whatever rcode
    it chose to say so; c-ares knows but one of them. With an OPT record the server's word counts, but
    BADVERS: we speak the lowest version there is.
    """
    cdef int rcode = reply.rcode
    if attempt.wishes & _USE_EDNS:
        if rcode == BADCOOKIE or rcode == FORMERR:
            return rcode
        if rcode == BADVERS or (not reply.edns and (rcode == NOTIMP or rcode == SERVFAIL or rcode == REFUSED)):
            return FORMERR
    return UNUSED_RCODE


# --- 0x20: the case of letters as a secret between the question and its reply --------------------------

cdef bytes in_random_case(bytes question):
    """A question in wire form with each letter of its name in a case of its own (draft-vixie-dnsext-dns0x20)."""
    cdef unsigned char room[MOST_QUESTION]
    cdef unsigned char bits[RANDOM_OCTETS]
    cdef Py_ssize_t size = len(question), at
    if getrandom(bits, sizeof(bits), 0) != sizeof(bits):
        raise OSError(c_errno.errno, "the system gave no random octets")
    memcpy(room, <const unsigned char*>question, size)
    for at in range(size - 4):  # the lengths of labels are no letters: at most 63
        if c"a" <= room[at] | 0x20 <= c"z" and (bits[at >> 3] >> (at & 7)) & 1:
            room[at] ^= 0x20
    return room[:size]


cdef bint restore_case(Try attempt, unsigned char* data, Py_ssize_t length) noexcept:
    """Whether a message has its question just as it left; it then gets it as it was asked for.

    True also where that cannot be told: over TCP, and of an error that comes without a question.
    """
    cdef Py_ssize_t size
    if attempt.scrambled is None or attempt.link.is_stream or not data[4] | data[5]:
        return True
    size = len(attempt.scrambled)
    if length < HEADER + size or memcmp(data + HEADER, <const unsigned char*>attempt.scrambled, size):
        return False
    memcpy(data + HEADER, <const unsigned char*>attempt.question.wire, size)
    attempt.channel.folded = 0
    return True


# --- the lane -----------------------------------------------------------------------------------------

@cython.no_gc_clear  # `close` is called while everything is still there
cdef class AresLane:
    """Carries tries to servers, each over its own c-ares channel, on the sockets of one hub.

    `ask` and `cancel` may end tries at once; ended ones wait in the lane until `take_ended`.
    """

    def __cinit__(self, Sockets sockets not None):
        self.sockets = sockets
        self.ledger = Ledger()
        self.channels = {}  # last: see `__del__`

    def __del__(self):
        if self.channels is not None:  # else it was never whole, and there was no memory for it
            self.close()
            while self.ledger.take_ended() is not None:
                pass  # one by one: as a chain they would go one inside the other, deeper than any stack

    cpdef Try ask(self, object server, _wire.Question question, int wishes=0):
        """Send `question` to `server` once. The try may already have ended when this returns.

        `wishes` is a sum of USE_TCP, USE_EDNS, DNSSEC_OK, AUTHENTIC_DATA, CHECKING_DISABLED, NO_RECURSION and
        USE_0X20. Raises OSError when no channel can be made, RuntimeError after `close()`.
        """
        cdef Try attempt
        if question is None:
            raise TypeError("question: expected a Question, not None")
        if not 0 <= wishes < ALL_WISHES:
            raise ValueError(f"wishes: {wishes} is no sum of what can be wished for")
        attempt = Try.__new__(Try)
        attempt.server = server
        attempt.question = question
        attempt.wishes = wishes
        attempt.sent_at = monotonic()
        self.submit(attempt)
        return attempt

    cdef int submit(self, Try attempt) except -1:
        """Give a try to the channel that carries it. It may already have ended when this returns."""
        cdef Channel channel, made
        cdef bint use_tcp = attempt.wishes & _USE_TCP
        cdef bytes source = attempt.question.source
        key = (attempt.server, True) if use_tcp else attempt.server
        if source:
            key = (attempt.server, use_tcp, source)
        channel = self.channels.get(key)
        if channel is None:
            if self.is_closed:
                raise RuntimeError("the lane is closed")
            if source:
                self.close_idle_bound()
            made = Channel(self.sockets, self.ledger, attempt.server, use_tcp, source)
            # a finalizer may have run meanwhile, and have asked the same server, or have closed us
            channel = self.channels.get(key)
            if self.is_closed:
                made.destroy()
                raise RuntimeError("the lane is closed")
            if channel is None:
                channel = self.channels[key] = made
            else:
                made.destroy()
        attempt.channel = channel
        channel.submit(attempt)
        return 0

    cdef int close_idle_bound(self) except -1:
        """Close bound channels that have nothing to do: there may be one for each address and port."""
        cdef Channel channel
        for key, channel in tuple(self.channels.items()):
            if channel.source and not ares.queue_active_queries(channel.raw):
                del self.channels[key]
                channel.destroy()
        return 0

    cpdef object cancel(self, Try attempt):
        """Let a try that nobody waits for end without a reply at the next flush. Safe when it has ended."""
        cdef Channel channel = attempt.channel  # held, for a try that ends lets go of it
        if not attempt.ended and channel is not None:
            channel.withdraw(attempt)
            channel.leave_stalled(attempt)

    cpdef bint needs_flush(self):
        """Whether something arrived, or was cancelled, since the last flush."""
        return self.ledger.first_ready is not None

    cpdef object flush(self):
        """Let c-ares deal with all that arrived, or was cancelled, since the last flush."""
        cdef Channel channel
        while self.ledger.first_ready is not None:
            channel = self.ledger.take_ready()
            channel.flush()
        self.ledger.turn += 1

    cpdef Try take_ended(self):
        """The try that ended first and was not taken yet, or None."""
        return self.ledger.take_ended()

    def close(self) -> None:
        """End every try and close every channel; safe to call twice."""
        cdef PyObject* value = NULL
        cdef Py_ssize_t at = 0
        self.is_closed = True
        while PyDict_Next(self.channels, &at, NULL, &value):  # which needs no memory
            (<Channel>value).destroy()
        while self.ledger.take_ready() is not None:
            pass
        self.channels.clear()

    def abandon(self) -> None:
        """Drop everything without a word to c-ares or the servers: what a child does after a fork."""
        cdef Channel channel
        self.is_closed = True
        for channel in self.channels.values():
            channel.abandon()
        while self.ledger.take_ready() is not None:
            pass
        self.channels.clear()

    @property
    def dropped(self) -> dict:
        """How many messages were dropped, by reason; none of them ended a try."""
        return {
            "short": self.ledger.drops[DROPPED_SHORT],
            "unknown id": self.ledger.drops[DROPPED_UNKNOWN_ID],
            "duplicate": self.ledger.drops[DROPPED_DUPLICATE],
            "not what was asked": self.ledger.drops[DROPPED_NOT_OURS],
            "malformed": self.ledger.drops[DROPPED_MALFORMED],
            "case not kept": self.ledger.drops[DROPPED_CASE],
            "another's cookie": self.ledger.drops[DROPPED_COOKIE],
            "no memory": self.ledger.drops[DROPPED_NO_MEMORY],
        }

    @property
    def pending(self) -> int:
        """How many queries c-ares is busy with."""
        cdef Channel channel
        total = 0
        for channel in self.channels.values():
            total += ares.queue_active_queries(channel.raw)
        return total
