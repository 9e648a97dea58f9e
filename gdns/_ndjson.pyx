# cython: freethreading_compatible=True
"""Writes outcomes as lines of JSON, in the fields of zdns.

    {"name", "type", "class", "status", "timestamp", "duration",
     "data": {"answers": [...], "authorities": [...], "additionals": [...], "protocol", "resolver", "flags"}}

The records are those of the message, which `_wire` has passed as a whole: they are walked once more, with the same
checks of their bounds, and written into one buffer. No object is made for a record of the types that are
asked for by the million; of all others dnspython gives the text.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.unicode cimport PyUnicode_GET_LENGTH
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, strlen

from gdns._formats cimport A, AAAA, CLASS_IN, CNAME, MAX_NAME, NS, OPT, PTR, SOA, Record, flatten, read_record, u16, u32
from gdns._wire cimport Question, Reply
from gdns.flight cimport Ask
from gdns.many cimport Many
from gdns.outcome cimport Outcome

import json

from gdns.outcome import Status
from gdns.rdtypes import NAMES as _NAMES

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    const unsigned char* PyUnicode_1BYTE_DATA(object text)

cdef extern from "<arpa/inet.h>" nogil:
    const char* inet_ntop(int family, const void* source, char* text, unsigned int room)
    enum:
        AF_INET6

cdef enum:
    HEADER = 12
    MX = 15
    TXT = 16
    SRV = 33
    DNAME = 39
    SPF = 99
    CAA = 257
    ROOM = 1 << 16

cdef object INVALID = Status.INVALID
cdef object UNREACHABLE = Status.UNREACHABLE
cdef object TIMEOUT = Status.TIMEOUT
cdef object CLOSED = Status.CLOSED

cdef dict TYPES = {number: name.encode() for number, name in _NAMES.items()}
cdef dict CLASSES = {1: b"IN", 3: b"CH", 4: b"HS"}
cdef dict RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS", 23: "BADCOOKIE",
}
# the flags of a header by the names of zdns, with their bits (RFC 1035, section 4.1.1; RFC 4035, section 3)
cdef tuple FLAGS = (
    ("response", 0x8000), ("authoritative", 0x0400), ("truncated", 0x0200), ("recursion_desired", 0x0100),
    ("recursion_available", 0x0080), ("authenticated", 0x0020), ("checking_disabled", 0x0010),
)


def rdtype_text(number) -> str:
    """The name of a record type, or TYPE and its number (RFC 3597)."""
    known = TYPES.get(number)
    if known is not None:
        return known.decode()
    import dns.rdatatype

    return dns.rdatatype.to_text(number)


def rdata_text(rdclass, rdtype, message, at, size) -> str:
    """The presentation form of a record's data; generic (RFC 3597) where dnspython cannot read it."""
    import dns.exception
    import dns.rdata

    try:
        return dns.rdata.from_wire(rdclass, rdtype, message, at, size).to_text()
    except (dns.exception.DNSException, ValueError):
        return f"\\# {size} {message[at : at + size].hex()}"


@cython.final
cdef class Writer:
    """Lines that wait to be written; `counts` says how many outcomes had which status."""

    cdef char* data
    cdef Py_ssize_t size
    cdef Py_ssize_t room
    cdef bytes timestamp
    cdef dict flags_text
    cdef readonly dict counts

    def __cinit__(self):
        self.flags_text = {}
        self.counts = {}
        self.timestamp = b""
        self.grow(ROOM)

    def __dealloc__(self):
        PyMem_Free(self.data)

    def __len__(self):
        return self.size

    def take(self) -> bytes:
        """What waits, which is forgotten."""
        lines = PyBytes_FromStringAndSize(self.data, self.size)
        self.size = 0
        return lines

    def drain(self, Many many not None, str timestamp not None) -> int:
        """Write all outcomes that have landed, as of `timestamp`; say how many."""
        cdef Ask ask
        cdef int count = 0
        self.timestamp = timestamp.encode()
        while many.landed:
            ask = many.next()
            if ask.outcome is not None:
                self.add(ask.item, ask.outcome)
                count += 1
        return count

    cdef int add(self, str name, Outcome outcome) except -1:
        cdef Question question = outcome.question
        cdef Reply reply = outcome.reply
        cdef uint64_t microseconds
        cdef bytes known
        cdef str error = ""
        if reply is not None:
            status = RCODES.get(reply.rcode)
            if status is None:
                status = f"RCODE{reply.rcode}"
        elif outcome.status is INVALID:
            status = "ILLEGAL_INPUT"
            error = outcome.detail
        elif outcome.status is TIMEOUT:
            status = "TIMEOUT"
            error = f"no answer in {outcome.elapsed:.3g} s and {outcome.attempts} attempts"
        else:
            status = "ERROR"
            error = outcome.detail or outcome.status.value
        self.counts[status] = self.counts.get(status, 0) + 1
        self.put(b'{"name":', 8)
        self.put_text(name)
        self.put(b',"type":"', 9)
        self.put_bytes(self.type_text(question.rdtype))
        self.put(b'","class":"', 11)
        self.put_bytes(self.class_text(question.rdclass))
        self.put(b'","status":"', 12)
        self.put_ascii(status)
        self.put(b'","timestamp":"', 15)
        self.put_bytes(self.timestamp)
        self.put(b'","duration":', 13)
        microseconds = <uint64_t>(outcome.elapsed * 1e6) if outcome.elapsed > 0 else 0
        self.put_number(microseconds // 1000000)
        self.put_fraction(<uint32_t>(microseconds % 1000000))
        if error:
            self.put(b',"error":', 9)
            self.put_text(error)
        if reply is not None:
            self.put(b',"data":{"answers":[', 20)
            self.put_sections(reply)
            self.put(b',"protocol":"', 13)
            self.put_ascii(outcome.transport)
            self.put(b'","resolver":"', 14)
            self.put_ascii(outcome.server)
            self.put(b'","flags":', 10)
            known = self.flags_text.get(reply.flags)
            if known is None:
                known = self.flags_text[reply.flags] = flags_json(reply.flags)
            self.put_bytes(known)
            self.put(b"}", 1)
        self.put(b"}\n", 2)
        return 0

    # --- records

    cdef int put_sections(self, Reply reply) except -1:
        """The records of a message, from within the brackets of the answers on."""
        cdef const unsigned char* data = <const unsigned char*>PyBytes_AS_STRING(reply.message)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(reply.message), at = HEADER
        cdef unsigned int section, index, count
        cdef Record record
        cdef Record question
        if u16(data + 4):
            at = length if length < HEADER + 5 else after_name(data, length, HEADER) + 4
        for section in range(3):
            count = u16(data + 6 + 2 * section)
            if section == 1 and count:
                self.put(b',"authorities":[', 16)
            elif section == 2 and count:
                self.put(b',"additionals":[', 16)
            for index in range(count):
                at = read_record(data, length, at, &record)
                if at < 0:  # of a truncated message
                    break
                if index:
                    self.put(b",", 1)
                self.put_record(reply.message, data, &record)
            if section == 0 or count:
                self.put(b"]", 1)
            if at < 0:
                break
        return 0

    cdef int put_record(self, bytes message, const unsigned char* data, Record* record) except -1:
        cdef char text[64]
        if record.rdtype == OPT:
            self.put(b'{"type":"EDNS0","flags":"', 25)
            self.put(b"do", 2 if record.ttl & 0x8000 else 0)
            self.put(b'","udpsize":', 12)
            self.put_number(record.rdclass)
            self.put(b',"version":', 11)
            self.put_number(record.ttl >> 16 & 0xFF)
            self.put(b"}", 1)
            return 0
        self.put(b'{"type":"', 9)
        self.put_bytes(self.type_text(record.rdtype))
        self.put(b'","class":"', 11)
        self.put_bytes(self.class_text(record.rdclass))
        self.put(b'","name":"', 10)
        self.put_name(data, record.owner)
        self.put(b'","ttl":', 8)
        self.put_number(record.ttl)
        if record.rdclass != CLASS_IN or record.rdtype not in (A, AAAA, CNAME, NS, PTR, DNAME, MX, TXT, SPF, SOA, SRV, CAA):
            self.put(b',"answer":', 10)
            self.put_text(
                rdata_text(record.rdclass, record.rdtype, message, record.rdata, record.end - record.rdata)
            )
        elif record.rdtype == A:
            self.put(b',"answer":"', 11)
            self.put_ipv4(data + record.rdata)
            self.put(b'"', 1)
        elif record.rdtype == AAAA:
            inet_ntop(AF_INET6, data + record.rdata, text, sizeof(text))
            self.put(b',"answer":"', 11)
            self.put(text, strlen(text))
            self.put(b'"', 1)
        elif record.rdtype == MX:
            self.put_named(b',"answer":"', data, record.rdata + 2)
            self.put_field(b',"preference":', u16(data + record.rdata))
        elif record.rdtype in (TXT, SPF):
            self.put(b',"answer":"', 11)
            self.put_strings(data, record.rdata, record.end)
            self.put(b'"', 1)
        elif record.rdtype == SOA:
            self.put_named(b',"ns":"', data, record.rdata)
            self.put_named(b',"mbox":"', data, after_name(data, record.end, record.rdata))
            self.put_field(b',"serial":', u32(data + record.end - 20))
            self.put_field(b',"refresh":', u32(data + record.end - 16))
            self.put_field(b',"retry":', u32(data + record.end - 12))
            self.put_field(b',"expire":', u32(data + record.end - 8))
            self.put_field(b',"min_ttl":', u32(data + record.end - 4))
        elif record.rdtype == SRV:
            self.put_field(b',"priority":', u16(data + record.rdata))
            self.put_field(b',"weight":', u16(data + record.rdata + 2))
            self.put_field(b',"port":', u16(data + record.rdata + 4))
            self.put_named(b',"target":"', data, record.rdata + 6)
        elif record.rdtype == CAA:
            self.put(b',"tag":"', 8)
            self.put_octets(data + record.rdata + 2, data[record.rdata + 1])
            self.put(b'","value":"', 11)
            self.put_octets(
                data + record.rdata + 2 + data[record.rdata + 1],
                record.end - record.rdata - 2 - data[record.rdata + 1],
            )
            self.put(b'"', 1)
            self.put_field(b',"flag":', data[record.rdata])
        else:
            self.put_named(b',"answer":"', data, record.rdata)
        self.put(b"}", 1)
        return 0

    cdef int put_named(self, bytes field, const unsigned char* data, Py_ssize_t at) except -1:
        """A field that is a name; `field` ends with the opening quote."""
        self.put_bytes(field)
        self.put_name(data, at)
        return self.put(b'"', 1)

    cdef int put_field(self, bytes field, uint32_t number) except -1:
        self.put_bytes(field)
        return self.put_number(number)

    cdef int put_name(self, const unsigned char* data, Py_ssize_t at) except -1:
        """A name in presentation form without its final dot, as zdns has it; the root is "."."""
        cdef unsigned char flat[MAX_NAME]
        cdef unsigned char* label = flat
        flatten(data, at, flat)
        if label[0] == 0:
            return self.put(b".", 1)
        while label[0]:
            self.put_label(label + 1, label[0])
            label += label[0] + 1
            if label[0]:
                self.put(b".", 1)
        return 0

    cdef int put_label(self, const unsigned char* octets, Py_ssize_t size) except -1:
        """A label, escaped for the name and for JSON."""
        cdef Py_ssize_t index
        self.reserve(6 * size)
        for index in range(size):
            if octets[index] in (c".", c"(", c")", c";", c"@", c"$"):
                self.data[self.size] = self.data[self.size + 1] = c"\\"
                self.data[self.size + 2] = octets[index]
                self.size += 3
            else:
                self.put_octet(octets[index])
        return 0

    cdef int put_strings(self, const unsigned char* data, Py_ssize_t at, Py_ssize_t end) except -1:
        """The character strings of TXT, a line for each."""
        cdef bint is_first = True
        while at < end:
            if not is_first:
                self.put(b"\\n", 2)
            is_first = False
            self.put_octets(data + at + 1, data[at])
            at += data[at] + 1
        return 0

    cdef int put_octets(self, const unsigned char* octets, Py_ssize_t size) except -1:
        cdef Py_ssize_t index
        self.reserve(6 * size)
        for index in range(size):
            self.put_octet(octets[index])
        return 0

    cdef inline void put_octet(self, unsigned char octet) noexcept:
        """One octet in presentation form (RFC 1035, section 5.1) inside of JSON; there is room for six."""
        cdef char* at = self.data + self.size
        if octet == c'"':
            memcpy(at, b'\\\\\\"', 4)
            self.size += 4
        elif octet == c"\\":
            memcpy(at, b"\\\\\\\\", 4)
            self.size += 4
        elif 0x20 <= octet < 0x7F:
            at[0] = octet
            self.size += 1
        else:
            at[0] = at[1] = c"\\"
            at[2] = c"0" + octet // 100
            at[3] = c"0" + octet // 10 % 10
            at[4] = c"0" + octet % 10
            self.size += 5

    cdef int put_ipv4(self, const unsigned char* address) except -1:
        cdef int index
        for index in range(4):
            if index:
                self.put(b".", 1)
            self.put_number(address[index])
        return 0

    # --- texts and numbers

    cdef bytes type_text(self, unsigned int rdtype):
        known = TYPES.get(rdtype)
        if known is None:
            known = TYPES[rdtype] = rdtype_text(rdtype).encode()  # there are 65,536 at most
        return known

    cdef bytes class_text(self, unsigned int rdclass):
        known = CLASSES.get(rdclass)
        return f"CLASS{rdclass}".encode() if known is None else known

    cdef int put_text(self, str text) except -1:
        """A text with its quotes, escaped where that is needed."""
        cdef const unsigned char* letters
        cdef Py_ssize_t size, index
        if PyUnicode_IS_ASCII(text):
            letters = PyUnicode_1BYTE_DATA(text)
            size = PyUnicode_GET_LENGTH(text)
            for index in range(size):
                if letters[index] < 0x20 or letters[index] in (c'"', c"\\", 0x7F):
                    break
            else:
                self.put(b'"', 1)
                self.put(<const char*>letters, size)
                return self.put(b'"', 1)
        return self.put_bytes(json.dumps(text).encode())

    cdef int put_ascii(self, str text) except -1:
        """A text of our own, of which it is known that nothing in it has to be escaped."""
        return self.put(<const char*>PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text))

    cdef inline int put_bytes(self, bytes octets) except -1:
        return self.put(PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets))

    cdef int put_number(self, uint64_t number) except -1:
        cdef char digits[20]
        cdef int at = 20
        while True:
            at -= 1
            digits[at] = c"0" + number % 10
            number //= 10
            if not number:
                return self.put(digits + at, 20 - at)

    cdef int put_fraction(self, uint32_t millionths) except -1:
        cdef char digits[7]
        cdef int at
        digits[0] = c"."
        for at in range(6, 0, -1):
            digits[at] = c"0" + millionths % 10
            millionths //= 10
        return self.put(digits, 7)

    cdef inline int put(self, const char* octets, Py_ssize_t size) except -1:
        self.reserve(size)
        memcpy(self.data + self.size, octets, size)
        self.size += size
        return 0

    cdef inline int reserve(self, Py_ssize_t size) except -1:
        if self.size + size > self.room:
            self.grow(2 * (self.size + size))
        return 0

    cdef int grow(self, Py_ssize_t room) except -1:
        cdef char* data = <char*>PyMem_Realloc(self.data, room)
        if data == NULL:
            raise MemoryError
        self.data = data
        self.room = room
        return 0


cdef Py_ssize_t after_name(const unsigned char* data, Py_ssize_t end, Py_ssize_t at) noexcept:
    """Where a name that `_wire` has passed ends; `end` if it does not."""
    while at < end:
        if data[at] == 0:
            return at + 1
        if data[at] >= 0xC0:
            return at + 2
        at += data[at] + 1
    return end


cdef bytes flags_json(int flags):
    """The flags of a header, with opcode and rcode, as zdns writes them."""
    values = {name: bool(flags & bit) for name, bit in FLAGS}
    values["opcode"] = flags >> 11 & 15
    values["error_code"] = flags & 15
    return json.dumps(values, separators=(",", ":")).encode()
