# cython: freethreading_compatible=True
"""Writes a question as the octets of a DNS message, reads the reply to it.

This is the only code of gdns that looks at a stranger's octets. A message is walked once from end to end,
every count and length checked against what is there, before anything in it is believed (RFC 1035, section 4;
RFC 9267 lists what goes wrong otherwise). Work is linear in the message's length: a name costs at most 255
octets and 16 pointers, a CNAME chain at most 32 passes over an index of the answer section.

What is accepted here, dnspython accepts too. Known rdata is held to its format as dnspython holds it; types
that `rdata_format` does not know, and EDNS options other than COOKIE and EDE, are opaque.
"""

import os
from enum import IntEnum

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DecodeASCII, PyUnicode_DecodeUTF8, PyUnicode_GET_LENGTH
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from gdns._formats cimport (
    A, AAAA, ANY, CLASS_IN, CNAME, COOKIE, EDE, MAX_LABEL, MAX_NAME, NS, OPT, PTR, SOA, TSIG,
    Record, are_options, first_label, flatten, is_rdata, lower, read_record, u16, u32
)

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    const unsigned char* PyUnicode_1BYTE_DATA(object text)
    long PyLong_AsLongAndOverflow(object number, int* overflow) except? -1

cdef enum:
    HEADER = 12
    MAX_LINKS = 32  # in one CNAME chain
    MAX_PRESENTED = 4 * MAX_NAME  # every octet as \DDD
    SMALLEST_RECORD = 11  # root owner, no rdata
    IPV4_TEXT = 16  # letters of the longest, and one
    IPV6_TEXT = 46  # likewise
    FEW_RECORDS = 32  # of an answer section, indexed on the stack

    QR = 0x8000
    OPCODE_MASK = 0x7800
    TC = 0x0200
    AD = 0x0020
    FORMERR = 1
    NOTIMP = 4

# One record of the answer section that may matter to the question.
cdef struct Candidate:
    Py_ssize_t owner  # of its first label, with pointers in front of it followed
    Py_ssize_t rdata
    uint64_t digest  # of the owner; 0 until needed
    uint32_t ttl
    uint16_t rdtype

# A name in wire form, uncompressed, lower case.
cdef struct Name:
    Py_ssize_t at  # of its first label in the message
    uint64_t digest  # 0 until needed
    int length
    unsigned char octets[MAX_NAME]

# What one walk over a message finds.
cdef struct Contents:
    Candidate* answers
    Py_ssize_t answer_count
    Py_ssize_t authority  # offset of the section
    unsigned int authority_count
    Py_ssize_t opt
    Record opt_record

# Odd, and unknown to who would build names that collide.
cdef uint64_t SEED = int.from_bytes(os.urandom(8), "little") | 1


class BadName(ValueError):
    """A name that cannot be asked for; `reason` says why in one of six fixed words."""

    def __init__(self, message, reason):
        super().__init__(message, reason)

    def __str__(self):
        return self.args[0]

    @property
    def reason(self):
        return self.args[1]


class Refusal(IntEnum):
    """Why a message is not the reply to a question."""

    SHORT = REFUSED_SHORT
    NOT_A_REPLY = REFUSED_NOT_A_REPLY
    OPCODE = REFUSED_OPCODE
    QUESTION = REFUSED_QUESTION
    MALFORMED = REFUSED_MALFORMED


cdef tuple REFUSALS = (None, *Refusal)


# --- numbers -----------------------------------------------------------------------------------------------


cdef inline unsigned char* put16(unsigned char* data, unsigned int number) noexcept nogil:
    data[0] = number >> 8
    data[1] = number & 0xFF
    return data + 2


cdef inline uint32_t lifetime(uint32_t ttl) noexcept nogil:
    """A TTL with its top bit set counts 0 (RFC 2181, section 8)."""
    return 0 if ttl & 0x80000000u else ttl


cdef int sixteen_bits(object number, int least, str what) except -1:
    cdef int overflow = 0
    cdef long checked = PyLong_AsLongAndOverflow(number, &overflow)
    if overflow or not least <= checked <= 0xFFFF:
        raise ValueError(f"{what} is {number}, not a number from {least} to 65535")
    return <int>checked


# --- names -------------------------------------------------------------------------------------------------


cdef inline bint is_plain(unsigned char octet) noexcept nogil:
    """Whether the octet stands for itself in presentation form; the others are those dnspython escapes."""
    return 0x20 < octet < 0x7F and octet not in (c'"', c"(", c")", c".", c";", c"\\", c"@", c"$")


cdef bad_name(str problem, object text, Py_ssize_t at, str reason):
    shown = repr(text) if len(text) <= 80 else repr(text[:80]) + "..."
    return BadName(f"The name {shown} {problem} at character {at + 1}.", reason)


# What is in the letters of a name.
cdef enum:
    SPECIAL = 1  # such as are escaped by who writes them
    UPPER_CASE = 2
    ESCAPED = 4
    DOT = 8

cdef unsigned char IN_LETTER[256]

cdef int _octet
for _octet in range(256):
    IN_LETTER[_octet] = 0 if is_plain(_octet) else SPECIAL
    if c"A" <= _octet <= c"Z":
        IN_LETTER[_octet] |= UPPER_CASE
IN_LETTER[c"."] = DOT
IN_LETTER[c"\\"] = ESCAPED


cdef int write_name(object text, unsigned char* room, int* found) except -1:
    """Write presentation text as a wire name; say how many octets, at most 255, and what is in its letters."""
    if not PyUnicode_IS_ASCII(text):
        stranger = next(at for at, letter in enumerate(text) if ord(letter) > 127)
        raise bad_name("has a letter outside ASCII", text, stranger, "not ascii")
    cdef const unsigned char* letters = PyUnicode_1BYTE_DATA(text)
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text), at = 0, start
    cdef int label = 0  # where the present label's length goes
    cdef int used = 1
    cdef unsigned int octet
    cdef int kind
    if size == 0:
        raise bad_name("is empty, and so has an empty label", text, 0, "empty label")
    if size == 1 and letters[0] == c".":
        room[0] = 0
        return 1
    while at < size:
        start = at
        octet = letters[at]
        at += 1
        kind = IN_LETTER[octet]
        if kind == DOT:
            if used == label + 1:
                raise bad_name("has an empty label", text, start, "empty label")
            room[label] = used - label - 1
            label = used
            used += 1
            continue
        if kind:
            if octet == 0:
                raise bad_name("has a NUL", text, start, "NUL")
            if kind == ESCAPED:
                octet = unescaped(text, letters, size, &at)
                kind |= IN_LETTER[octet] & UPPER_CASE
            found[0] |= kind
        if used - label > MAX_LABEL:
            raise bad_name("has a label longer than 63 octets", text, start, "label too long")
        if used >= MAX_NAME - 1:
            raise bad_name("is longer than 255 octets", text, start, "name too long")
        room[used] = octet
        used += 1
    if used > label + 1:
        room[label] = used - label - 1
        label = used
    room[label] = 0
    return label + 1


cdef int unescaped(object text, const unsigned char* letters, Py_ssize_t size, Py_ssize_t* at) except -1:
    """The octet meant by the three digits or the letter behind a backslash (RFC 1035, section 5.1)."""
    cdef Py_ssize_t backslash = at[0] - 1
    cdef unsigned int octet = 0, digit
    if at[0] == size:
        raise bad_name("ends in a bare backslash", text, backslash, "bad escape")
    if letters[at[0]] == 0:
        raise bad_name("has a NUL", text, at[0], "NUL")
    if not c"0" <= letters[at[0]] <= c"9":
        octet = letters[at[0]]
        at[0] += 1
        return octet
    for digit in range(3):
        if at[0] == size or not c"0" <= letters[at[0]] <= c"9":
            raise bad_name("has a backslash without its three digits", text, backslash, "bad escape")
        octet = 10 * octet + letters[at[0]] - c"0"
        at[0] += 1
    if octet > 255:
        raise bad_name("has an escape above 255", text, backslash, "bad escape")
    return octet


cdef str presented(const unsigned char* flat):
    """The text of an uncompressed name, escaped as dnspython does, with the final dot."""
    cdef char text[MAX_PRESENTED]
    cdef int used = 0, rest
    cdef unsigned int octet
    if flat[0] == 0:
        return "."
    while flat[0]:
        rest = flat[0]
        flat += 1
        while rest:
            octet = flat[0]
            if is_plain(octet):
                text[used] = octet
                used += 1
            elif 0x20 < octet < 0x7F:
                text[used] = c"\\"
                text[used + 1] = octet
                used += 2
            else:
                text[used] = c"\\"
                text[used + 1] = c"0" + octet // 100
                text[used + 2] = c"0" + octet // 10 % 10
                text[used + 3] = c"0" + octet % 10
                used += 4
            flat += 1
            rest -= 1
        text[used] = c"."
        used += 1
    return PyUnicode_DecodeASCII(text, used, NULL)


cdef str presented_at(const unsigned char* data, Py_ssize_t at):
    cdef unsigned char flat[MAX_NAME]
    flatten(data, at, flat)
    return presented(flat)


cdef void fold(const unsigned char* data, Py_ssize_t at, Name* name) noexcept nogil:
    """Make `name` of a name that `name_end` has passed."""
    cdef int index
    name.length = flatten(data, at, name.octets)
    for index in range(name.length):  # a length octet is below "A"
        name.octets[index] = lower(name.octets[index])
    name.at = first_label(data, at)
    name.digest = 0


cdef inline bint is_same(Name* name, Name* other) noexcept nogil:
    return name.length == other.length and memcmp(name.octets, other.octets, name.length) == 0


cdef uint64_t digest_of(const unsigned char* octets, int length) noexcept nogil:
    """A keyed digest, never 0. It spares comparing names, so that 32 links over 5,000 records stay cheap."""
    cdef uint64_t digest = SEED
    cdef int index
    for index in range(length):
        digest = (digest ^ octets[index]) * 0x9E3779B97F4A7C15u
        digest ^= digest >> 29
    return digest | 1


cdef bint is_owner(const unsigned char* data, Candidate* candidate, Name* name) noexcept nogil:
    """Whether the candidate belongs to the name (RFC 4343)."""
    cdef Name owner
    if candidate.owner == name.at:
        return True
    if name.digest == 0:
        name.digest = digest_of(name.octets, name.length)
    if candidate.digest == 0:
        fold(data, candidate.owner, &owner)
        candidate.digest = digest_of(owner.octets, owner.length)
    if candidate.digest != name.digest:
        return False
    fold(data, candidate.owner, &owner)
    return is_same(&owner, name)


cdef bint is_within(Name* name, Name* zone) noexcept nogil:
    """Whether the name is the zone's or below it."""
    cdef int at = 0
    while name.length - at > zone.length:
        at += name.octets[at] + 1
    return name.length - at == zone.length and memcmp(name.octets + at, zone.octets, zone.length) == 0


# --- questions ---------------------------------------------------------------------------------------------


cdef bytes typed(bytes question, int rdtype):
    """A question in wire form with another type."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(question)
    cdef bytes other = PyBytes_FromStringAndSize(PyBytes_AS_STRING(question), size)
    put16(<unsigned char*>PyBytes_AS_STRING(other) + size - 4, rdtype)
    return other


cdef bytes NO_QUESTION = bytes([0, 0, 0, 0, 0])  # of the root, with a type and a class that are none


@cython.final
@cython.no_gc
@cython.freelist(64)
@cython.auto_pickle(False)
cdef class Question:
    """What is asked: an absolute name, a type, a class. Equal where RFC 4343 says the names are equal.

    `options` (EDNS) and `source` (an address to send from) are part of what is asked.
    """

    def __cinit__(self):
        self.qname = "."  # until it is read: whatever calls of Python's make of one, it is a question
        self.wire = self.key = NO_QUESTION
        self.options = self.source = b""

    def __init__(self, qname, rdtype, rdclass=1, bytes options not None=b"", bytes source not None=b""):
        if self.wire is not NO_QUESTION:
            raise TypeError("a Question is not changed once it is made")
        if not isinstance(qname, str):
            raise TypeError(f"qname must be a str, not {type(qname).__name__}")
        cdef int type_ = sixteen_bits(rdtype, 1, "rdtype")
        cdef int class_ = sixteen_bits(rdclass, 1, "rdclass")
        if PyBytes_GET_SIZE(options) > MOST_OPTIONS:
            raise ValueError(f"options: {len(options)} octets of EDNS options are more than {MOST_OPTIONS}")
        self.read(qname, type_, class_)
        self.options = options
        self.source = source
        self.is_plain = not options and not source

    cdef int read(self, qname, int rdtype, int rdclass) except -1:
        """Become the question for a name."""
        cdef unsigned char room[MAX_NAME + 4]
        cdef int found = 0, index
        cdef int length = write_name(qname, room, &found)
        self.rdtype = rdtype
        self.rdclass = rdclass
        self.is_plain = True
        put16(put16(room + length, rdtype), rdclass)
        if found & (ESCAPED | SPECIAL) or type(qname) is not str:
            self.qname = presented(room)
        elif PyUnicode_1BYTE_DATA(qname)[PyUnicode_GET_LENGTH(qname) - 1] == c".":
            self.qname = qname
        else:
            self.qname = qname + "."
        self.wire = self.key = PyBytes_FromStringAndSize(<char*>room, length + 4)
        if found & UPPER_CASE:
            for index in range(length):
                room[index] = lower(room[index])  # a length octet is below "A"
            self.key = PyBytes_FromStringAndSize(<char*>room, length + 4)
        return 0

    cpdef Question with_type(self, int rdtype):
        """The same with another type. The name is not read again: of most, two types are asked for."""
        cdef Question other = Question.__new__(Question)
        other.rdtype = sixteen_bits(rdtype, 1, "rdtype")
        other.rdclass = self.rdclass
        other.qname = self.qname
        other.options = self.options
        other.source = self.source
        other.is_plain = self.is_plain
        other.wire = other.key = typed(self.wire, rdtype)
        if self.key is not self.wire:
            other.key = typed(self.key, rdtype)
        return other

    cpdef bytes name_key(self):
        """`key` with the type 0, which nobody can ask for: the key of what is true of all types of the name."""
        return typed(self.key, 0)

    def __reduce__(self):
        return Question, (self.qname, self.rdtype, self.rdclass, self.options, self.source)

    def __eq__(self, other):
        if type(other) is not Question:
            return NotImplemented
        return (
            self.key == (<Question>other).key
            and self.options == (<Question>other).options
            and self.source == (<Question>other).source
        )

    def __hash__(self):
        return hash(self.key)

    def __repr__(self):
        rdclass = "" if self.rdclass == CLASS_IN else f", {self.rdclass}"
        return f"Question({self.qname!r}, {self.rdtype}{rdclass})"


cpdef Question new_question(str qname, int rdtype):
    """As `Question(qname, rdtype)`, for less: no look-up is without one."""
    cdef Question question = Question.__new__(Question)
    if qname is None:
        raise TypeError("qname must be a str, not NoneType")
    question.read(qname, sixteen_bits(rdtype, 1, "rdtype"), CLASS_IN)
    return question


cdef Py_ssize_t write_query(
    unsigned char* room, Question question, unsigned int id, unsigned int flags, unsigned int edns_size,
    bint dnssec_ok
) noexcept:
    """Fill `room` (QUERY_ROOM octets) with a query; say how many it took (RFC 1035, section 4; RFC 6891)."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(question.wire)
    cdef unsigned char* at = put16(put16(put16(room, id), flags), 1)
    at = put16(put16(put16(at, 0), 0), 1 if edns_size else 0)
    memcpy(at, PyBytes_AS_STRING(question.wire), size)
    at += size
    if edns_size:
        at[0] = 0
        at = put16(put16(at + 1, OPT), edns_size)
        at = put16(put16(put16(at, 0), 0x8000 if dnssec_ok else 0), 0)
    return at - room


def build_query(
    Question question not None, id, bint recursion_desired=True, bint checking_disabled=False,
    bint authentic_data=False, edns_size=0, bint dnssec_ok=False
):
    """Write the message that asks `question`: `write_query` for Python, so that tests see what lanes write."""
    cdef unsigned char room[QUERY_ROOM]
    cdef unsigned int flags = 0
    cdef unsigned int size = sixteen_bits(edns_size, 0, "edns_size")
    if 0 < size < 512:
        raise ValueError(f"edns_size is {size}, neither 0 nor at least 512")
    if dnssec_ok and not size:
        raise ValueError("dnssec_ok needs an edns_size")
    if recursion_desired:
        flags |= RECURSION_DESIRED
    if checking_disabled:
        flags |= CHECKING_DISABLED
    if authentic_data:
        flags |= AUTHENTIC_DATA
    return PyBytes_FromStringAndSize(
        <char*>room, write_query(room, question, sixteen_bits(id, 0, "id"), flags, size, dnssec_ok)
    )


# --- messages ----------------------------------------------------------------------------------------------


cdef bint is_incomprehension(const unsigned char* data, Py_ssize_t length) noexcept nogil:
    """Whether a message without a question section is FORMERR or NOTIMP, with nothing but an OPT.

    So some old servers answer what they do not understand, EDNS above all. It is taken for a reply, as the
    caller has matched id, address and port; with any other rcode nothing says what it is about.
    """
    cdef unsigned int rcode = data[3] & 0xF
    if rcode != FORMERR and rcode != NOTIMP or u32(data + 6):
        return False
    if u16(data + 10) == 0:
        return True
    if u16(data + 10) > 1 or length < HEADER + SMALLEST_RECORD:
        return False
    return data[HEADER] == 0 and u16(data + HEADER + 1) == OPT


cdef int verify(const unsigned char* data, Py_ssize_t length, Question question) noexcept:
    """Whether a message belongs to the question: 0, or a Refusal's value. The caller has compared the id."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(question.wire), index
    cdef const unsigned char* key = <const unsigned char*>PyBytes_AS_STRING(question.key)
    cdef unsigned int flags
    if length < HEADER:
        return REFUSED_SHORT
    flags = u16(data + 2)
    if not flags & QR:
        return REFUSED_NOT_A_REPLY
    if flags & OPCODE_MASK:
        return REFUSED_OPCODE
    if u16(data + 4) == 0:
        return 0 if is_incomprehension(data, length) else REFUSED_QUESTION
    if u16(data + 4) != 1 or length < HEADER + size:
        return REFUSED_QUESTION
    if memcmp(data + HEADER, PyBytes_AS_STRING(question.wire), size) == 0:
        return 0
    for index in range(size - 4):  # a length octet is below "A"; a type or class octet need not be
        if lower(data[HEADER + index]) != key[index]:
            return REFUSED_QUESTION
    return 0 if memcmp(data + HEADER + size - 4, key + size - 4, 4) == 0 else REFUSED_QUESTION


cdef bint walk(
    const unsigned char* data, Py_ssize_t length, Py_ssize_t at, Question question, Contents* contents
) noexcept:
    """Pass over all records from `at` on, and note what matters to the question; False if something is wrong.

    `contents.answers` has room for every record the answer section can hold.
    """
    cdef unsigned int section, index, count
    cdef Record record
    cdef Candidate* answer
    for section in range(3):
        count = u16(data + 6 + 2 * section)
        if section == 1:
            contents.authority = at
            contents.authority_count = count
        for index in range(count):
            at = read_record(data, length, at, &record)
            if at < 0 or record.rdtype == TSIG:
                return False
            if record.rdtype == OPT:
                if section != 2 or contents.opt or data[record.owner]:
                    return False
                if not are_options(data, record.rdata, at):
                    return False
                contents.opt = record.owner
                contents.opt_record = record
                continue
            if not is_rdata(data, &record):
                return False
            if section == 0 and record.rdclass == question.rdclass and (
                record.rdtype == question.rdtype or record.rdtype == CNAME or question.rdtype == ANY
            ):
                answer = &contents.answers[contents.answer_count]
                contents.answer_count += 1
                answer.owner = first_label(data, record.owner)
                answer.rdata = record.rdata
                answer.digest = 0
                answer.ttl = lifetime(record.ttl)
                answer.rdtype = record.rdtype
    return at == length


# --- replies -----------------------------------------------------------------------------------------------


@cython.final
@cython.no_gc
@cython.freelist(64)
@cython.auto_pickle(False)
cdef class Reply:
    """What a message says about the question it was read for."""

    def __init__(self):
        raise TypeError("a Reply is made by gdns._wire.read")

    @property
    def truncated(self):
        return (self.flags & TC) != 0

    @property
    def authenticated(self):
        return (self.flags & AD) != 0

    @property
    def opt(self):
        return self.message[self.opt_at : self.opt_end]

    def __repr__(self):
        state = "truncated" if self.flags & TC else "answered" if self.answered else "not answered"
        return f"<Reply {self.id}: {self.canonical_name} {state}, rcode {self.rcode}>"


def read(bytes message not None, Question question not None):
    """Read `message` as the reply to `question`, or say with a Refusal why it is none."""
    return read_checked(
        <const unsigned char*>PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message), question, message
    )


cdef object read_reply(const unsigned char* data, Py_ssize_t length, Question question):
    """As `read`, for octets that lie elsewhere: a reply's are copied. Raises nothing but MemoryError."""
    return read_checked(data, length, question, None)


cdef object read_checked(const unsigned char* data, Py_ssize_t length, Question question, bytes message):
    cdef Candidate few[FEW_RECORDS]
    cdef Contents contents
    cdef Py_ssize_t capacity
    cdef int refusal = verify(data, length, question)
    if refusal:
        return REFUSALS[refusal]
    contents.answers = few
    capacity = min(<Py_ssize_t>u16(data + 6), (length - HEADER) // SMALLEST_RECORD)
    if capacity <= FEW_RECORDS:
        return read_contents(data, length, question, message, &contents)
    contents.answers = <Candidate*>PyMem_Malloc(capacity * sizeof(Candidate))
    if contents.answers == NULL:
        raise MemoryError
    try:
        return read_contents(data, length, question, message, &contents)
    finally:
        PyMem_Free(contents.answers)


cdef object read_contents(
    const unsigned char* data, Py_ssize_t length, Question question, bytes message, Contents* contents
):
    """Make a Reply of a message `verify` has passed; `contents.answers` is room for its answer section."""
    cdef Py_ssize_t records = HEADER
    cdef Reply reply = Reply.__new__(Reply)
    cdef bint is_whole
    if u16(data + 4):
        records += PyBytes_GET_SIZE(question.wire)
    contents.answer_count = contents.authority_count = 0
    contents.authority = contents.opt = 0
    reply.id = u16(data)
    reply.flags = u16(data + 2)
    reply.rcode = reply.flags & 0xF
    reply.ede = reply.aliases = reply.addresses = reply.targets = ()
    reply.canonical_name = question.qname
    is_whole = walk(data, length, records, question, contents) and (
        contents.opt == 0 or read_opt(reply, data, &contents.opt_record)
    )
    if not is_whole and not reply.flags & TC:  # servers cut a truncated message anywhere
        return REFUSALS[REFUSED_MALFORMED]
    reply.message = PyBytes_FromStringAndSize(<const char*>data, length) if message is None else message
    if not reply.flags & TC:
        read_answer(reply, data, length, question, contents)
    return reply


cdef bint read_opt(Reply reply, const unsigned char* data, Record* record) except -1:
    """Note what OPT says (RFC 6891, section 6.1.3); False if an EDE's text is not UTF-8 (RFC 8914)."""
    cdef Py_ssize_t at = record.rdata, size
    cdef unsigned int code
    cdef list errors = []
    cdef bytes cookie = None
    while at < record.end:
        code = u16(data + at)
        size = u16(data + at + 2)
        at += 4
        if code == COOKIE and cookie is None:
            cookie = PyBytes_FromStringAndSize(<const char*>data + at, size)
        elif code == EDE:
            try:
                text = PyUnicode_DecodeUTF8(<const char*>data + at + 2, size - 2, NULL)
            except UnicodeDecodeError:
                return False
            errors.append((u16(data + at), text.removesuffix("\0")))
        at += size
    reply.edns = True
    reply.rcode |= record.ttl >> 24 << 4
    reply.opt_at = record.owner
    reply.opt_end = record.end
    reply.cookie = cookie
    if errors:
        reply.ede = tuple(errors)
    return True


cdef int read_answer(
    Reply reply, const unsigned char* data, Py_ssize_t length, Question question, Contents* contents
) except -1:
    """Follow the CNAME chain through the answer section, and note what stands at its end (RFC 1034, section
    3.6.2).

    Records may stand in any order. Of several CNAMEs of one name the last counts, as in dnspython. A chain
    that comes back to one of its names, or has more than 32 links, ends there, without an answer.
    """
    cdef Name chain[MAX_LINKS + 1]
    cdef Name* name = chain
    cdef Candidate* candidate
    cdef Candidate* alias
    cdef Py_ssize_t index, found
    cdef int links = 0
    cdef uint32_t ttl = 0xFFFFFFFFu, rrset_ttl, alias_ttl
    name.length = PyBytes_GET_SIZE(question.key) - 4
    memcpy(name.octets, PyBytes_AS_STRING(question.key), name.length)
    name.at = HEADER
    name.digest = 0
    while True:
        alias = NULL
        found = 0
        rrset_ttl = alias_ttl = 0xFFFFFFFFu
        for index in range(contents.answer_count):
            candidate = &contents.answers[index]
            if not is_owner(data, candidate, name):
                continue
            if candidate.rdtype == question.rdtype or question.rdtype == ANY:
                found += 1
                rrset_ttl = min(rrset_ttl, candidate.ttl)
            else:
                alias = candidate
                alias_ttl = min(alias_ttl, candidate.ttl)
        if found:
            reply.answered = True
            ttl = min(ttl, rrset_ttl)
            read_rrset(reply, data, question, contents, name)
            break
        if alias == NULL:
            break
        ttl = min(ttl, alias_ttl)
        if links == MAX_LINKS:
            break
        fold(data, alias.rdata, &chain[links + 1])
        if is_among(&chain[links + 1], chain, links + 1):
            break
        links += 1
        name = &chain[links]
    if links:
        reply.canonical_name = presented_at(data, name.at)
        reply.aliases = (question.qname, *[presented_at(data, chain[index].at) for index in range(1, links)])
    reply.ttl = ttl if found else min(ttl, negative_ttl(data, length, question, contents, name))
    return 0


cdef bint is_among(Name* name, Name* others, int count) noexcept nogil:
    cdef int index
    for index in range(count):
        if is_same(name, &others[index]):
            return True
    return False


cdef int read_rrset(
    Reply reply, const unsigned char* data, Question question, Contents* contents, Name* owner
) except -1:
    """Note the addresses or names of the records asked for."""
    cdef bint is_address = question.rdclass == CLASS_IN and question.rdtype in (A, AAAA)
    cdef Candidate* candidate
    cdef Py_ssize_t index
    cdef list found
    if not is_address and question.rdtype not in (NS, CNAME, PTR):
        return 0
    if is_address and contents.answer_count == 1:  # nearly always: without a list
        candidate = contents.answers
        if question.rdtype == A:
            reply.addresses = (ipv4_text(data + candidate.rdata),)
        else:
            reply.addresses = (ipv6_text(data + candidate.rdata),)
        return 0
    found = []
    for index in range(contents.answer_count):
        candidate = &contents.answers[index]
        if candidate.rdtype != question.rdtype or not is_owner(data, candidate, owner):
            continue
        if question.rdtype == A:
            found.append(ipv4_text(data + candidate.rdata))
        elif question.rdtype == AAAA:
            found.append(ipv6_text(data + candidate.rdata))
        else:
            found.append(presented_at(data, candidate.rdata))
    if is_address:
        reply.addresses = tuple(found)
    else:
        reply.targets = tuple(found)
    return 0


cdef uint32_t negative_ttl(
    const unsigned char* data, Py_ssize_t length, Question question, Contents* contents, Name* name
) noexcept nogil:
    """What the nearest SOA at or above the name grants (RFC 2308, section 5); 0 if there is none."""
    cdef Py_ssize_t at = contents.authority
    cdef Record record
    cdef Name zone
    cdef int nearest = 0
    cdef unsigned int index
    cdef uint32_t ttl = 0, granted
    for index in range(contents.authority_count):
        at = read_record(data, length, at, &record)
        if at < 0:  # cannot be after walk; kept so that a mistake there does not read beyond the message
            return 0
        if record.rdtype != SOA or record.rdclass != question.rdclass:
            continue
        fold(data, record.owner, &zone)
        if zone.length < nearest or not is_within(name, &zone):
            continue
        granted = min(lifetime(record.ttl), lifetime(u32(data + record.end - 4)))
        ttl = granted if zone.length > nearest else min(ttl, granted)
        nearest = zone.length
    return ttl


cdef int put_ipv4(char* text, const unsigned char* address) noexcept nogil:
    """Write the four numbers; how many letters they take, at most 15. One more is written to."""
    cdef int used = 0, index
    cdef unsigned int octet
    for index in range(4):
        octet = address[index]
        if octet >= 100:
            text[used] = c"0" + octet // 100
            used += 1
        if octet >= 10:
            text[used] = c"0" + octet // 10 % 10
            used += 1
        text[used] = c"0" + octet % 10
        text[used + 1] = c"."
        used += 2
    return used - 1


cdef str ipv4_text(const unsigned char* address):
    cdef char text[IPV4_TEXT]
    return PyUnicode_DecodeASCII(text, put_ipv4(text, address), NULL)


cdef str ipv6_text(const unsigned char* address):
    """As inet_ntop(3) of glibc writes it, which has printf(3) write each group."""
    cdef const char* hexadecimal = b"0123456789abcdef"
    cdef char text[IPV6_TEXT]
    cdef int used = 0, group, zeros = 0, run = 0, gap = -1, digits
    cdef unsigned int number
    for group in range(8):
        run = 0 if u16(address + 2 * group) else run + 1
        if run > zeros:
            zeros = run
            gap = group + 1 - run
    if zeros < 2:
        gap = -1
    group = 0
    while group < 8:
        if group == gap:
            text[used] = c":"
            used += 1
            group += zeros
            if group == 8:
                text[used] = c":"
                used += 1
            continue
        if group:
            text[used] = c":"
            used += 1
        if group == 6 and gap == 0 and (zeros == 6 or (zeros == 5 and u16(address + 10) == 0xFFFF)):
            used += put_ipv4(text + used, address + 12)  # it stands for an IPv4 address
            break
        number = u16(address + 2 * group)
        digits = 1 + (number > 0xF) + (number > 0xFF) + (number > 0xFFF)
        while digits:
            digits -= 1
            text[used] = hexadecimal[(number >> 4 * digits) & 0xF]
            used += 1
        group += 1
    return PyUnicode_DecodeASCII(text, used, NULL)
