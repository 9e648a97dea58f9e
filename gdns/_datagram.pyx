"""The plain lane: asks simple questions over UDP itself, and leaves everything else to c-ares.

    ask      a question gets a port and an id, and waits for the flush
    flush    what waits is sent, many messages in one system call
    on_ready what arrives is read, many messages in one system call, and checked as in the c-ares lane

A question is plain if it goes out over UDP without EDNS. Nearly all are, and c-ares has nothing to add to
them but its own costs. A reply that is truncated makes the try c-ares' own, over TCP; so does any wish that
is not plain from the beginning. Tries, ledger, drops and rules are those of the c-ares lane: whoever asks
cannot tell which lane an answer came by.

Servers on loopback share ports: nobody can spoof from outside, and each holds as many questions as its
buffer holds replies. To all others a port is for one look-up, its A and AAAA, and given back to the system with
it; so each question has an id and a source port that nobody can foretell (RFC 5452). While others are under way
its socket is kept for the next one: connected anew, it gets another port, for a third of what a socket costs.

Two things can happen wherever memory is asked for: there is none, or the garbage collector runs a finalizer,
which may cancel tries or close the lane. So what has been begun is taken back when it cannot be finished,
what ends tries asks for no memory, and who has asked for some looks again whether its try still waits.
"""

cimport cython
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject
from cpython.sequence cimport PySequence_Fast_ITEMS
from libc cimport errno as c_errno
from libc.stdint cimport uint32_t
from libc.string cimport memcmp

from gdns cimport _wire
from gdns._ares cimport (
    DROPPED_MALFORMED, DROPPED_NO_MEMORY, DROPPED_NOT_OURS, DROPPED_SHORT, DROPPED_UNKNOWN_ID, TAKEN,
    AresLane, Ledger, Try,
)
from gdns._clock cimport monotonic
from gdns._libcares cimport ARES_SUCCESS
from gdns._sockets cimport BATCH, Socket, Sockets, sockaddr

cdef extern from "<sys/socket.h>":
    int SOCK_DGRAM

cdef extern from "sys/epoll.h" nogil:
    uint32_t EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP

cdef extern from "errno.h":
    int ECANCELED

cdef extern from "sys/random.h":
    ssize_t getrandom(void* data, size_t length, unsigned int flags) noexcept

cdef enum:
    HEADER = 12  # octets
    TYPE_AND_CLASS = 4  # octets
    TRUNCATED = 0x0200  # the TC bit in the flags of a header
    QUESTIONS_OF_A_LOOKUP = 2  # A and AAAA
    ARRANGED = 128  # questions that are sorted by length at a time
    CONNECTION_REFUSED = 11  # ARES_ECONNREFUSED: the words for a try that a system call ended

    USE_TCP = 1
    _AUTHENTIC_DATA = 8
    _CHECKING_DISABLED = 16
    _NO_RECURSION = 32
    PLAIN_WISHES = _AUTHENTIC_DATA | _CHECKING_DISABLED | _NO_RECURSION


cdef class PlainTry(Try):
    """A try that this lane makes; its `transport` is UDP for as long as it does."""


cdef class Port(Socket):
    """A UDP socket that is connected to one server, with the tries that wait on it."""

    def __cinit__(self):
        self.by_id = {}
        self.outbox = []


@cython.no_gc_clear  # sockets close themselves
cdef class Ports(Owner):
    """All ports of a lane. They hold this, not the lane, so that a lane can go while they wait."""

    def __cinit__(self, Sockets sockets, Ledger ledger):
        self.sockets = sockets
        self.ledger = ledger
        self.shared = {}

    # --- asking

    cdef int submit(self, PlainTry attempt) except -1:
        """Give a try its port and its id. It has ended when this returns if there is no port to be had."""
        cdef Port port = self.port_for(attempt.server, attempt.question)
        if port is None:
            attempt.unopened = self.has_no_socket
            self.end(attempt, CONNECTION_REFUSED, c_errno.errno)
            return 0
        try:
            attempt.id = self.next_id(port)
            port.outbox.append(attempt)
            port.by_id[attempt.id] = attempt
        except:
            if not port.is_shared and not port.by_id:
                self.close_port(port)  # nobody would ever leave it
            raise
        attempt.port = port
        port.room -= 1
        self.queue(port)
        return 0

    cdef Port port_for(self, server, _wire.Question question):
        """The port that a question leaves by; None with errno set if none can be opened."""
        cdef Port port
        cdef PlainTry first
        cdef Py_ssize_t size
        cdef int room
        if server is self.latest_server and self.latest.room > 0 and self.latest.fd >= 0:
            return self.latest
        room = server.queries_per_socket
        if room == 1:
            port = self.fresh
            if port is not None and port.server is server and port.room == QUESTIONS_OF_A_LOOKUP - 1 and port.outbox:
                first = port.outbox[0]
                size = len(question.wire) - TYPE_AND_CLASS
                if len(first.question.wire) == size + TYPE_AND_CLASS and not memcmp(
                    <const unsigned char*>first.question.wire, <const unsigned char*>question.wire, size
                ):
                    return port
            self.fresh = self.open_port(server, QUESTIONS_OF_A_LOOKUP)
            return self.fresh
        port = self.shared_port_for(server, room)
        self.latest = port
        self.latest_server = None if port is None else server
        return port

    cdef Port shared_port_for(self, server, int room):
        cdef Port port, other
        ports = self.shared.get(server)
        if ports is None:
            ports = self.shared[server] = []
        elif ports:
            port = ports[-1]
            if port.room > 0:
                return port
            for other in ports:
                if other.room > port.room:
                    port = other
            if port.room > 0:
                ports.remove(port)
                ports.append(port)
                return port
        port = self.open_port(server, room)
        if port is not None:
            port.is_shared = True
            try:
                ports.append(port)
            except MemoryError:
                self.close_port(port)
                raise
        return port

    cdef Port open_port(self, server, int room):
        cdef int family = server.family
        cdef Port port = self.sockets.take_spare(family) if room == QUESTIONS_OF_A_LOOKUP else None
        self.has_no_socket = False
        if port is not None and self.connect_port(port, server, room):
            return port
        port = Port.__new__(Port)
        self.has_no_socket = self.sockets.open(port, self, family, SOCK_DGRAM, room > QUESTIONS_OF_A_LOOKUP) < 0
        if self.has_no_socket or not self.connect_port(port, server, room):
            return None
        return port

    cdef bint connect_port(self, Port port, server, int room) except -1:
        """Connect a port to its server; closed, and False with errno set, if that cannot be done."""
        cdef bytes address = server.sockaddr
        cdef int number
        port.owner = self
        port.server = server
        port.room = room
        if self.sockets.connect(port, <const sockaddr*><char*>address, len(address)) == 0:
            return True
        number = c_errno.errno
        self.sockets.close_socket(port)
        c_errno.errno = number
        return False

    cdef object next_id(self, Port port):
        """An id that nobody can foretell, and that nothing on this port waits for."""
        while True:
            if not self.ids_left:
                if getrandom(self.ids, sizeof(self.ids), 0) != sizeof(self.ids):
                    raise OSError(c_errno.errno, "the system gave no random octets")
                self.ids_left = IDS_AT_ONCE
            self.ids_left -= 1
            id = <int>self.ids[self.ids_left]
            if id not in port.by_id:
                return id

    cdef void queue(self, Port port) noexcept:
        """Have a port's outbox sent at the next flush."""
        if not port.is_queued and not port.is_blocked:
            port.is_queued = True
            port.next_unsent = self.unsent
            self.unsent = port

    cdef int send_all(self) except -1:
        cdef Port port
        while self.unsent is not None:
            port = self.unsent
            self.unsent = port.next_unsent
            port.next_unsent = None
            port.is_queued = False
            self.send(port)
        return 0

    cdef int send(self, Port port) except -1:
        """Send what waits in a port's outbox; what the kernel has no room for stays there."""
        cdef PlainTry attempt, first
        cdef Py_ssize_t arranged = 0
        cdef int sent, number
        while port.fd >= 0:
            if port.joins and port.at >= arranged:
                arranged = self.arrange(port)
            first = self.put_batch(port)
            if first is None:
                port.outbox.clear()
                port.at = 0
                return 0
            sent = self.sockets.send_batch(port)
            number = c_errno.errno
            while sent > 0:
                attempt = <PlainTry>port.outbox[port.at]
                port.at += 1
                if attempt.port is port:
                    attempt.is_sent = True
                    sent -= 1
            if sent == 0:
                continue
            if number == c_errno.EAGAIN:
                port.is_blocked = True
                if self.sockets.watch(port, EPOLLIN | EPOLLOUT) < 0:
                    self.fail(port, number)
                return 0
            if number in (c_errno.ENOBUFS, c_errno.ENOMEM, c_errno.EPERM):
                self.leave(first)  # what the next message would not meet
                self.end(first, CONNECTION_REFUSED, number)
            elif number != c_errno.ECONNREFUSED or not self.refuse_sent(port) and first.port is port:
                return self.fail(port, number)
        return 0

    cdef PlainTry put_batch(self, Port port):
        """Write the next messages that wait in an outbox; the try of the first, or None."""
        cdef PlainTry attempt, first = None
        cdef Py_ssize_t size, at = port.at
        cdef int count = 0
        cdef unsigned int flags
        self.sockets.begin_batch()
        while count < BATCH and at < len(port.outbox):
            attempt = <PlainTry>port.outbox[at]
            at += 1
            if attempt.port is not port:
                continue  # it was cancelled before it was sent
            if first is None:
                first = attempt
            flags = 0 if attempt.wishes & _NO_RECURSION else _wire.RECURSION_DESIRED
            if attempt.wishes & _AUTHENTIC_DATA:
                flags |= _wire.AUTHENTIC_DATA
            if attempt.wishes & _CHECKING_DISABLED:
                flags |= _wire.CHECKING_DISABLED
            size = _wire.write_query(self.sockets.room(), attempt.question, attempt.id, flags, 0, False)
            self.sockets.put_message(port, size)
            count += 1
        return first

    cdef Py_ssize_t arrange(self, Port port) noexcept:
        """Put questions of a length next to each other, so that they share letters; up to where that was done."""
        cdef Py_ssize_t sizes[ARRANGED]
        cdef PyObject** tries = PySequence_Fast_ITEMS(port.outbox) + port.at
        cdef PyObject* attempt
        cdef Py_ssize_t count = min(<Py_ssize_t>ARRANGED, len(port.outbox) - port.at)
        cdef Py_ssize_t index, place, size
        for index in range(count):
            attempt = tries[index]
            size = len((<PlainTry>attempt).question.wire)
            place = index
            while place > 0 and sizes[place - 1] > size:
                sizes[place] = sizes[place - 1]
                tries[place] = tries[place - 1]
                place -= 1
            sizes[place] = size
            tries[place] = attempt
        return port.at + count

    cdef Py_ssize_t refuse_sent(self, Port port) except -1:
        """End what was sent before a message that met a refusal: it was theirs (udp(7)). How many that were.

        The message itself has not been sent, and the server may be back.
        """
        cdef PlainTry attempt
        cdef list refused
        try:
            refused = [attempt for attempt in port.by_id.values() if (<PlainTry>attempt).is_sent]
        except MemoryError:
            return 0
        for attempt in refused:
            if attempt.port is port:
                self.leave(attempt)
                self.end(attempt, CONNECTION_REFUSED, c_errno.ECONNREFUSED)
        return len(refused)

    # --- what arrives

    cdef int on_ready(self, Socket sock, uint32_t events) except -1:
        cdef Port port = <Port>sock
        if port.is_spare:
            return self.close_port(port)  # somebody sends to a port that nobody has
        if events & (EPOLLIN | EPOLLERR | EPOLLHUP):
            self.receive(port)
        if events & EPOLLOUT and port.fd >= 0:
            if self.sockets.watch(port, EPOLLIN) < 0:
                return self.fail(port, c_errno.errno)
            port.is_blocked = False
            self.queue(port)
        return 0

    cdef int receive(self, Port port) except -1:
        cdef int count, index, most
        cdef Py_ssize_t length
        cdef unsigned char* data
        while self.sockets.budget > 0 and port.fd >= 0:
            # of a port for one look-up no more is expected: each search in vain would cost the kernel as much
            most = BATCH if port.is_shared else max(1, <int>len(port.by_id))
            count = self.sockets.receive_batch(port, most)
            if count < 0:
                if c_errno.errno != c_errno.EAGAIN:
                    self.fail(port, c_errno.errno)
                return 0
            for index in range(count):
                data = self.sockets.datagram(index, &length)
                self.take(port, data, length)
            if count < most or not (port.is_shared or port.by_id):
                return 0
        return 0

    cdef int take(self, Port port, const unsigned char* data, Py_ssize_t length) except -1:
        cdef int fault
        try:
            fault = self.examine(port, data, length)
        except MemoryError:
            fault = DROPPED_NO_MEMORY  # as if the network had lost it
        if fault != TAKEN:
            self.ledger.drops[fault] += 1
        return 0

    cdef int examine(self, Port port, const unsigned char* data, Py_ssize_t length) except -2:
        """Why a message is no reply to what this port asked; TAKEN if it is one, and its try has ended."""
        cdef PlainTry attempt
        cdef _wire.Reply reply
        if length < HEADER:
            return DROPPED_SHORT
        attempt = port.by_id.get((data[0] << 8) | data[1])
        if attempt is None or not attempt.is_sent:  # the latter: a finalizer has put it in an ended one's place
            return DROPPED_UNKNOWN_ID
        found = _wire.read_reply(data, length, attempt.question)
        if type(found) is not _wire.Reply:
            return DROPPED_MALFORMED if found == _wire.REFUSED_MALFORMED else DROPPED_NOT_OURS
        reply = <_wire.Reply>found
        if attempt.port is not port:
            return DROPPED_UNKNOWN_ID  # a finalizer has ended it just now
        if reply.flags & TRUNCATED:
            attempt.next_truncated = self.truncated
            self.truncated = attempt
            self.leave(attempt)
            return TAKEN
        self.leave(attempt)
        attempt.arrived = reply
        self.end(attempt, ARES_SUCCESS, 0)
        return TAKEN

    # --- ending

    cdef void end(self, PlainTry attempt, int status, int number) noexcept:
        attempt.status = status
        attempt.system_error = number
        attempt.ended = True
        self.ledger.add_ended(attempt)

    cdef int leave(self, PlainTry attempt) except -1:
        """A try waits on its port no longer; a port that was opened for it alone goes, too."""
        cdef Port port = attempt.port
        attempt.port = None
        port.by_id.pop(attempt.id, None)
        port.room += 1
        if not port.is_shared and not port.by_id:
            self.give_back(port)
        return 0

    cdef int give_back(self, Port port) except -1:
        """Nobody waits on a port any longer: the system gets it back, and the socket serves another look-up."""
        if port is self.fresh:
            self.fresh = None
        port.outbox.clear()
        port.at = 0
        if port.is_queued or port.is_blocked or not self.sockets.keep(port):
            return self.close_port(port)
        return 0

    cdef int fail(self, Port port, int number) except -1:
        """A system call on a port has failed: its tries end, for none of them would fare better."""
        cdef PlainTry attempt
        cdef PyObject* value = NULL
        cdef Py_ssize_t at = 0
        while PyDict_Next(port.by_id, &at, NULL, &value):
            attempt = <PlainTry>value
            attempt.port = None
            self.end(attempt, CONNECTION_REFUSED, number)
        return self.close_port(port)

    cdef int close_port(self, Port port) except -1:
        ports = self.shared.get(port.server) if port.is_shared else None
        if ports is not None and port in ports:
            ports.remove(port)
        if port is self.fresh:
            self.fresh = None
        if port is self.latest:
            self.latest = self.latest_server = None
        port.by_id.clear()
        port.outbox.clear()
        port.at = 0
        port.is_blocked = False
        self.sockets.close_socket(port)
        return 0

    cdef int cancel_all(self) except -1:
        """End without a reply all that waits, and close the ports."""
        cdef PlainTry attempt
        cdef Socket sock
        cdef PyObject* value
        cdef Py_ssize_t at
        attempt = self.truncated
        while attempt is not None:
            if not attempt.ended:
                self.end(attempt, CONNECTION_REFUSED, ECANCELED)
            attempt = attempt.next_truncated
        self.sockets.drop_spares()
        try:
            for sock in list(self.sockets.by_handle.values()):
                if sock.owner is self:
                    self.fail(<Port>sock, ECANCELED)
            return 0
        except MemoryError:
            pass  # then without a list: slower, for it begins anew after each
        at = 0
        while PyDict_Next(self.sockets.by_handle, &at, NULL, &value):
            sock = <Socket>value
            if sock.owner is self:
                self.fail(<Port>sock, ECANCELED)
                at = 0
        return 0

    cdef PlainTry take_truncated(self):
        cdef PlainTry attempt = self.truncated
        if attempt is not None:
            self.truncated = attempt.next_truncated
            attempt.next_truncated = None
        return attempt

    cdef void drop_all(self) noexcept:
        cdef Port port
        while self.unsent is not None:  # one by one: a chain would go one inside the other
            port = self.unsent
            self.unsent = port.next_unsent
            port.next_unsent = None
            port.is_queued = False
        while self.truncated is not None:
            self.take_truncated()
        self.shared.clear()
        self.fresh = self.latest = self.latest_server = None


@cython.no_gc_clear  # `close` is called while everything is still there
cdef class DatagramLane(AresLane):
    """Carries plain questions over UDP itself, and all others over c-ares, as `AresLane` does."""

    def __cinit__(self, Sockets sockets not None):
        self.ports = Ports(sockets, self.ledger)

    cpdef Try ask(self, object server, _wire.Question question, int wishes=0):
        """As `AresLane.ask`; a plain question is not sent before the next flush."""
        cdef PlainTry attempt
        if question is None:
            raise TypeError("question: expected a Question, not None")
        if wishes & ~PLAIN_WISHES or not question.is_plain or self.is_closed:
            return AresLane.ask(self, server, question, wishes)
        attempt = PlainTry.__new__(PlainTry)
        attempt.server = server
        attempt.question = question
        attempt.wishes = wishes
        attempt.sent_at = monotonic()
        self.ports.submit(attempt)
        if self.is_closed:  # by a finalizer, while a port was made
            self.ports.cancel_all()
        return attempt

    cpdef object cancel(self, Try attempt):
        """As `AresLane.cancel`, but that a try of this lane ends at once."""
        cdef PlainTry plain
        if attempt.ended:
            return
        if attempt.channel is not None:
            AresLane.cancel(self, attempt)
            return
        plain = <PlainTry?>attempt
        if plain.port is not None:
            self.ports.leave(plain)
        plain.withdrawn = True
        self.ports.end(plain, CONNECTION_REFUSED, 0)

    cpdef bint needs_flush(self):
        """Whether something is to be sent, arrived, or was cancelled, since the last flush."""
        return (
            self.ports.unsent is not None
            or self.ports.truncated is not None
            or self.ledger.first_ready is not None
        )

    cpdef object flush(self):
        """Send what waits to be sent, and let c-ares deal with what is its own."""
        cdef PlainTry attempt
        self.ports.fresh = None
        self.ports.send_all()
        while self.ports.truncated is not None:
            attempt = self.ports.take_truncated()
            if not attempt.ended:
                self.to_stream(attempt)
        AresLane.flush(self)

    cdef int to_stream(self, PlainTry attempt) except -1:
        """Let c-ares ask again over TCP for what did not fit into a datagram."""
        attempt.wishes |= USE_TCP
        attempt.id = None  # c-ares gives it another
        try:
            self.submit(attempt)
        except OSError as error:
            self.ports.end(attempt, CONNECTION_REFUSED, error.errno or c_errno.ECONNREFUSED)
        except (MemoryError, RuntimeError):  # the latter: the lane is closed
            if not attempt.ended:
                attempt.disowned = False  # there is somebody who wants to hear of it, now
                self.ports.end(attempt, CONNECTION_REFUSED, c_errno.ENOMEM)
        return 0

    def close(self) -> None:
        """End every try, and close every port and channel; safe to call twice."""
        self.is_closed = True
        if self.ports is not None:  # else there was no memory for them, and this is `__del__`
            self.ports.cancel_all()
            self.ports.drop_all()
        AresLane.close(self)

    def abandon(self) -> None:
        """Drop everything without a word to the servers: what a child does after a fork."""
        self.ports.drop_all()
        AresLane.abandon(self)

    @property
    def pending(self) -> int:
        """How many tries are under way."""
        cdef Socket sock
        cdef PlainTry attempt = self.ports.truncated
        total = AresLane.pending.__get__(self)
        while attempt is not None:
            total += 1
            attempt = attempt.next_truncated
        for sock in self.sockets.by_handle.values():
            if sock.owner is self.ports:
                total += len((<Port>sock).by_id)
        return total
