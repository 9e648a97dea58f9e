from gdns cimport _wire
from gdns._ares cimport AresLane, Ledger, Try
from gdns._sockets cimport Owner, Socket, Sockets

cdef enum:
    IDS_AT_ONCE = 256  # drawn from the kernel

cdef class PlainTry(Try):
    cdef Port port  # that it waits on; None once it has ended or is c-ares' to carry


cdef class Port(Socket):
    cdef object server
    cdef dict by_id  # id to PlainTry, of those that wait for a reply
    cdef list outbox  # those of them that are not sent yet
    cdef int room  # for how many more questions
    cdef bint is_shared  # by look-ups that have nothing to do with each other


cdef class Ports(Owner):
    cdef Sockets sockets
    cdef Ledger ledger
    cdef dict shared  # server to its shared ports; the last one takes the next question
    cdef Port fresh  # for one look-up, and nothing sent from it yet
    cdef list unsent  # ports with something in their outbox
    cdef list truncated  # tries that have to be made over TCP
    cdef unsigned short ids[IDS_AT_ONCE]
    cdef int ids_left

    cdef int submit(self, PlainTry attempt) except -1
    cdef Port port_for(self, server, _wire.Question question)
    cdef Port open_port(self, server, int room)
    cdef int next_id(self, Port port) except -1
    cdef int send(self, Port port) except -1
    cdef int receive(self, Port port) except -1
    cdef int take(self, Port port, const unsigned char* data, Py_ssize_t length) except -1
    cdef int examine(self, Port port, const unsigned char* data, Py_ssize_t length) except -2
    cdef void end(self, PlainTry attempt, int status, int number) noexcept
    cdef int leave(self, PlainTry attempt) except -1
    cdef int fail(self, Port port, int number) except -1
    cdef int close_port(self, Port port) except -1
    cdef int close(self) except -1


cdef class DatagramLane(AresLane):
    cdef Ports ports

    cdef int to_stream(self, PlainTry attempt) except -1
