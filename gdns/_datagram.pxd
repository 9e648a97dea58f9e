from gdns cimport _wire
from gdns._ares cimport AresLane, Ledger, Try
from gdns._sockets cimport Owner, Socket, Sockets

cdef enum:
    IDS_AT_ONCE = 128  # drawn from the kernel: no signal interrupts the reading of 256 octets (getrandom(2))

cdef class PlainTry(Try):
    cdef Port port  # that it waits on; None once it has ended or is c-ares' to carry
    cdef bint is_sent
    cdef PlainTry next_truncated


cdef class Port(Socket):
    cdef object server
    cdef dict by_id  # id to PlainTry, of those that wait for a reply
    cdef list outbox  # those of them that are not sent yet, and others that have left meanwhile
    cdef Py_ssize_t at  # where in the outbox the next to be sent is
    cdef bint is_queued  # it is among the unsent
    cdef bint is_blocked  # the kernel has no room; it will say when it has
    cdef Port next_unsent
    cdef int room  # for how many more questions
    cdef bint is_shared  # by look-ups that have nothing to do with each other


cdef class Ports(Owner):
    cdef Sockets sockets
    cdef Ledger ledger
    cdef dict shared  # server to its shared ports; the last one takes the next question
    cdef object latest_server  # who was asked last over a shared port,
    cdef Port latest  # and by which
    cdef bint has_no_socket  # there was none to be had for the last port
    cdef Port fresh  # for one look-up, and nothing sent from it yet
    cdef Port unsent  # the first of the ports with something to send
    cdef PlainTry truncated  # the first of the tries that have to be made over TCP
    cdef unsigned short ids[IDS_AT_ONCE]
    cdef int ids_left

    cdef int submit(self, PlainTry attempt) except -1
    cdef Port port_for(self, server, _wire.Question question)
    cdef Port shared_port_for(self, server, int room)
    cdef Port open_port(self, server, int room)
    cdef bint connect_port(self, Port port, server, int room) except -1
    cdef object next_id(self, Port port)
    cdef void queue(self, Port port) noexcept
    cdef int send_all(self) except -1
    cdef int send(self, Port port) except -1
    cdef PlainTry put_batch(self, Port port)
    cdef Py_ssize_t arrange(self, Port port) noexcept
    cdef Py_ssize_t refuse_sent(self, Port port) except -1
    cdef int receive(self, Port port) except -1
    cdef int take(self, Port port, const unsigned char* data, Py_ssize_t length) except -1
    cdef int examine(self, Port port, const unsigned char* data, Py_ssize_t length) except -2
    cdef void end(self, PlainTry attempt, int status, int number) noexcept
    cdef int leave(self, PlainTry attempt) except -1
    cdef int give_back(self, Port port) except -1
    cdef int fail(self, Port port, int number) except -1
    cdef int close_port(self, Port port) except -1
    cdef int cancel_all(self) except -1
    cdef PlainTry take_truncated(self)
    cdef void drop_all(self) noexcept


cdef class DatagramLane(AresLane):
    cdef Ports ports

    cdef int to_stream(self, PlainTry attempt) except -1
