from gdns cimport _wire
from gdns._libcares cimport ares_channel_t, ares_dns_record_t
from gdns._links cimport Link, Links
from gdns._sockets cimport Sockets

# Why a message was dropped.
cdef enum:
    TAKEN = -1
    DROPPED_SHORT = 0
    DROPPED_UNKNOWN_ID
    DROPPED_DUPLICATE
    DROPPED_NOT_OURS
    DROPPED_MALFORMED
    DROPPED_CASE
    DROPPED_COOKIE
    DROPPED_NO_MEMORY
    DROPPED_KINDS

cdef enum:
    RECORD_KINDS = 64  # what c-ares can be asked to send: every sum of the wishes below USE_0X20

# How a connection ended under a try, if it did so after it had been made.
cdef enum:
    _CUT_FIRST = 1  # before any reply, and this was the question that had waited longest
    _CUT_BESIDE = 2  # before any reply to one that had waited longer
    _CUT_AFTER_REPLIES = 3

cdef class Try
cdef class Ledger
cdef class Channel(Links)
cdef class AresLane


cdef class Try:
    cdef readonly object server
    cdef readonly _wire.Question question
    cdef readonly int wishes
    cdef readonly double sent_at
    cdef readonly bint ended
    cdef public object flight
    cdef public int portion  # whoever asks keeps here which of a server's portions it belongs to
    cdef readonly _wire.Reply reply  # the server's, once it has ended with one
    cdef _wire.Reply arrived  # kept while c-ares looks at its digest
    cdef Channel channel
    cdef Link link  # the socket it was last written to; only what comes in there can be its reply
    cdef object id  # None until it is known
    cdef int status
    cdef int system_error
    cdef readonly int cut  # how a connection ended under it: one of the three below, or 0
    cdef bint unopened  # there was no socket to be had for it
    cdef bint withdrawn  # it ends without a reply, whatever c-ares says
    cdef bint disowned  # `ask` raised, so nobody will take it
    cdef bytes scrambled  # the question as it left over UDP, in random case (0x20); None: as it is
    cdef bytes message  # that is to be sent again should the server not keep that case
    cdef bytes client_cookie  # in the message as it left last (RFC 7873)
    cdef unsigned int digested_in  # the turn in which c-ares was last given a digest for it
    cdef Try next_ended


cdef class Ledger:
    cdef Channel first_ready  # of those with something to flush
    cdef Try first_ended
    cdef Try last_ended
    cdef unsigned int turn
    cdef unsigned long long drops[DROPPED_KINDS]

    cdef void add_ready(self, Channel channel) noexcept
    cdef Channel take_ready(self)
    cdef void add_ended(self, Try attempt) noexcept
    cdef Try take_ended(self)


cdef class Channel(Links):
    cdef ares_channel_t* raw
    cdef ares_dns_record_t* records[RECORD_KINDS]  # what to send, by wishes
    cdef Ledger ledger
    cdef dict by_id  # id to Try: every query that c-ares has, or whose message it still holds
    cdef bint shares_sockets
    cdef Try submitting
    cdef Link first_ready  # of those with something to flush
    cdef Channel next_ready
    cdef bint is_ready  # it is among those of its ledger
    cdef bytes server_cookie  # the last that came (RFC 7873)
    cdef int folded  # replies in a row that did not keep the case of the question
    cdef double edns_since  # when the first EDNS question left that is still unanswered; 0: none
    cdef bint knows_edns  # the server has answered one

    cdef int open(self, bint use_tcp, int queries_per_socket) except -1
    cdef void destroy(self) noexcept
    cdef void abandon(self) noexcept
    cdef int submit(self, Try attempt) except -1
    cdef int agreed_wishes(self, int wishes, double now) noexcept
    cdef ares_dns_record_t* record_for(self, int wishes) except NULL
    cdef void withdraw(self, Try attempt) noexcept
    cdef int leave_stalled(self, Try attempt) except -1
    cdef void end_on(self, Link link, Try attempt) noexcept
    cdef void drop_ready(self) noexcept
    cdef int examine(self, Link link, unsigned char* data, Py_ssize_t length) except -2
    cdef int ask_as_it_is(self, Link link, Try attempt) except -1
    cdef int flush(self) except -1


cdef class AresLane:
    cdef readonly Sockets sockets
    cdef dict channels
    cdef Ledger ledger
    cdef bint is_closed

    cdef int close_idle_bound(self) except -1
    cpdef Try ask(self, object server, _wire.Question question, int wishes=*)
    cdef int submit(self, Try attempt) except -1
    cpdef object cancel(self, Try attempt)
    cpdef bint needs_flush(self)
    cpdef object flush(self)
    cpdef Try take_ended(self)
