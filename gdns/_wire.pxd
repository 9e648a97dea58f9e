# What gdns' other extension modules may cimport from gdns._wire; types for Python readers are in _wire.pyi.

cdef enum:
    QUERY_ROOM = 282  # octets write_query may fill: header 12, longest question 259, bare OPT 11
    MOST_OPTIONS = 900  # octets of EDNS options in a question; with all else it stays below 1,232 octets

cdef enum:
    RECURSION_DESIRED = 0x0100
    AUTHENTIC_DATA = 0x0020
    CHECKING_DISABLED = 0x0010

# The values of the IntEnum Refusal; 0 from verify means "belongs to the question".
cdef enum:
    REFUSED_SHORT = 1
    REFUSED_NOT_A_REPLY = 2
    REFUSED_OPCODE = 3
    REFUSED_QUESTION = 4
    REFUSED_MALFORMED = 5

cdef class Question:
    cdef readonly str qname
    cdef readonly int rdtype
    cdef readonly int rdclass
    cdef readonly bytes wire
    cdef readonly bytes key
    cdef readonly bytes options
    cdef readonly bytes source
    cdef readonly bint is_plain

    cdef int read(self, qname, int rdtype, int rdclass) except -1
    cpdef Question with_type(self, int rdtype)
    cpdef bytes name_key(self)

cpdef Question new_question(str qname, int rdtype)

cdef class Reply:
    cdef readonly bytes message
    cdef readonly int id
    cdef readonly int flags
    cdef readonly int rcode
    cdef readonly bint edns
    cdef readonly bytes cookie
    cdef readonly tuple ede
    cdef readonly bint answered
    cdef readonly str canonical_name
    cdef readonly tuple aliases
    cdef readonly tuple addresses
    cdef readonly tuple targets
    cdef readonly unsigned int ttl
    cdef Py_ssize_t opt_at  # the OPT record in message; 0 if there is none
    cdef Py_ssize_t opt_end

# Neither needs more than the GIL and `length` readable octets at `data`; `question` must not be None.
cdef int verify(const unsigned char* data, Py_ssize_t length, Question question) noexcept
cdef object read_reply(const unsigned char* data, Py_ssize_t length, Question question)

# Fills `room`, which must hold QUERY_ROOM octets, and says how many it used. `flags` is the header's second
# word; `edns_size` 0 means no OPT.
cdef Py_ssize_t write_query(
    unsigned char* room, Question question, unsigned int id, unsigned int flags, unsigned int edns_size,
    bint dnssec_ok
) noexcept
