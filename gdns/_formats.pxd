"""Checks octets against the formats of the DNS.

Nothing here touches a Python object. `data` is always the start of a message; offsets count from it, `end` is
the first octet that may not be read, and what is checked lies before it or is refused. The rules are those of
the RFCs named beside them, read as strictly as dnspython reads them, so that what passes here dnspython takes
too.
"""

from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy

cdef enum:
    MAX_NAME = 255  # RFC 1035, section 2.3.4, the root label included
    MAX_LABEL = 63
    MAX_POINTERS = 16  # in one name; dnspython's bound

    CLASS_IN = 1
    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    AAAA = 28
    OPT = 41
    TSIG = 250
    ANY = 255

    COOKIE = 10
    EDE = 15

cdef struct Record:
    Py_ssize_t owner
    Py_ssize_t rdata
    Py_ssize_t end
    uint16_t rdtype
    uint16_t rdclass
    uint32_t ttl


cdef inline unsigned int u16(const unsigned char* data) noexcept nogil:
    return (<unsigned int>data[0] << 8) | data[1]


cdef inline uint32_t u32(const unsigned char* data) noexcept nogil:
    return (<uint32_t>u16(data) << 16) | u16(data + 2)


cdef inline unsigned char lower(unsigned char octet) noexcept nogil:
    return octet | 0x20 if c"A" <= octet <= c"Z" else octet


cdef inline Py_ssize_t name_end(
    const unsigned char* data, Py_ssize_t end, Py_ssize_t at, bint may_point
) noexcept nogil:
    """Where the name at `at` ends, or -1 if it is none.

    A pointer leads to before the piece of name it ends, and the piece it leads to ends there at the latest:
    so each octet is passed once (RFC 9267, section 2).
    """
    cdef Py_ssize_t start = at, target, after = -1
    cdef int total = 0, pointers = 0
    cdef unsigned int octet
    while at < end:
        octet = data[at]
        if octet == 0:
            return at + 1 if after < 0 else after
        if octet <= MAX_LABEL:
            total += octet + 1
            if total > MAX_NAME - 1:
                return -1
            at += octet + 1
        elif octet >= 0xC0 and may_point and at + 1 < end:
            target = u16(data + at) & 0x3FFF
            pointers += 1
            if target >= start or pointers > MAX_POINTERS:
                return -1
            if after < 0:
                after = at + 2
            end = start
            start = at = target
        else:
            return -1
    return -1


cdef inline Py_ssize_t first_label(const unsigned char* data, Py_ssize_t at) noexcept nogil:
    """Where the first label of a name that `name_end` has passed stands."""
    while data[at] >= 0xC0:
        at = u16(data + at) & 0x3FFF
    return at


cdef inline int flatten(const unsigned char* data, Py_ssize_t at, unsigned char* room) noexcept nogil:
    """Copy a name that `name_end` has passed without its pointers; say how many octets (at most 255)."""
    cdef int used = 0
    cdef unsigned int octet
    while True:
        at = first_label(data, at)
        octet = data[at]
        memcpy(room + used, data + at, octet + 1)
        used += octet + 1
        if octet == 0:
            return used
        at += octet + 1


cdef inline Py_ssize_t read_record(
    const unsigned char* data, Py_ssize_t length, Py_ssize_t at, Record* record
) noexcept nogil:
    """Read the record at `at`; say where it ends, or -1 if it is none."""
    record.owner = at
    at = name_end(data, length, at, True)
    if at < 0 or length - at < 10:
        return -1
    record.rdtype = u16(data + at)
    record.rdclass = u16(data + at + 2)
    record.ttl = u32(data + at + 4)
    record.rdata = at + 10
    record.end = record.rdata + u16(data + at + 8)
    return record.end if record.end <= length else -1


cdef inline const char* rdata_format(unsigned int rdtype, unsigned int rdclass) noexcept nogil:
    """What rdata of the type is made of, one letter for each part; NULL for types gdns knows nothing of.

    1 2 4 A Q: so many octets (A is 4, Q is 16); n: name; N: name without pointers; s: character-string. The
    others take all that is left: S: character-strings, at least one; T: CAA's tag and value; D F M: digest
    type and digest of DS, SSHFP and TLSA; B: type bitmap; P: SvcParams; *: anything.
    """
    if rdclass == CLASS_IN:
        if rdtype == A:
            return b"A"
        if rdtype == AAAA:
            return b"Q"
        if rdtype == 33:  # SRV, RFC 2782
            return b"222n"
        if rdtype == 35:  # NAPTR, RFC 3403
            return b"22sssn"
        if rdtype == 64 or rdtype == 65:  # SVCB and HTTPS, RFC 9460
            return b"2NP"
    if rdtype == NS or rdtype == CNAME or rdtype == PTR:
        return b"n"
    if rdtype == SOA:
        return b"nn44444"
    if rdtype == 13:  # HINFO, RFC 1035
        return b"ss"
    if rdtype == 15 or rdtype == 18:  # MX, RFC 1035; AFSDB, RFC 1183
        return b"2n"
    if rdtype == 16:  # TXT, RFC 1035
        return b"S"
    if rdtype == 17:  # RP, RFC 1183
        return b"nn"
    if rdtype == 39:  # DNAME, RFC 6672
        return b"N"
    if rdtype == 43:  # DS, RFC 4034
        return b"21D"
    if rdtype == 44:  # SSHFP, RFC 4255
        return b"1F"
    if rdtype == 46:  # RRSIG, RFC 4034
        return b"2114442N*"
    if rdtype == 47:  # NSEC, RFC 4034
        return b"NB"
    if rdtype == 48:  # DNSKEY, RFC 4034
        return b"211*"
    if rdtype == 52:  # TLSA, RFC 6698
        return b"11M"
    if rdtype == 257:  # CAA, RFC 8659
        return b"1T"
    return NULL


cdef inline bint is_rdata(const unsigned char* data, Record* record) noexcept nogil:
    """Whether the rdata is what its type's format says, to the last octet."""
    cdef const char* parts = rdata_format(record.rdtype, record.rdclass)
    cdef Py_ssize_t at = record.rdata, end = record.end
    cdef char part
    if parts == NULL:
        return True
    while parts[0]:
        part = parts[0]
        parts += 1
        if part == c"n" or part == c"N":
            at = name_end(data, end, at, part == c"n")
            if at < 0:
                return False
            continue
        if part == c"1" or part == c"2" or part == c"4":
            at += part - c"0"
        elif part == c"A":
            at += 4
        elif part == c"Q":
            at += 16
        elif part == c"s":
            at += 1 + data[at] if at < end else 1
        elif part == c"*":
            return True
        elif part == c"S":
            return are_strings(data, at, end)
        elif part == c"T":
            return is_property(data, at, end)
        elif part == c"B":
            return is_bitmap(data, at, end)
        elif part == c"P":
            return are_params(data, at, end, u16(data + record.rdata))
        else:
            return is_digest(data, at, end, part)
        if at > end:
            return False
    return at == end


cdef inline bint are_strings(const unsigned char* data, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """One or more character-strings (RFC 1035, section 3.3)."""
    if at == end:
        return False
    while at < end:
        at += 1 + data[at]
    return at == end


cdef inline bint is_property(const unsigned char* data, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """A tag of letters and digits, then any value (RFC 8659, section 4.1)."""
    cdef Py_ssize_t after
    if at == end or data[at] == 0 or at + 1 + data[at] > end:
        return False
    after = at + 1 + data[at]
    for at in range(at + 1, after):
        if not (c"0" <= data[at] <= c"9" or c"a" <= lower(data[at]) <= c"z"):
            return False
    return True


cdef inline bint is_bitmap(const unsigned char* data, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Windows in rising order, 1 to 32 octets each, the last of them not 0 (RFC 4034, section 4.1.2)."""
    cdef int last_window = -1
    while at < end:
        if end - at < 3 or data[at] <= last_window or not 1 <= data[at + 1] <= 32:
            return False
        last_window = data[at]
        at += 2 + data[at + 1]
        if at > end or data[at - 1] == 0:
            return False
    return True


cdef inline bint is_digest(
    const unsigned char* data, Py_ssize_t at, Py_ssize_t end, char part
) noexcept nogil:
    """A digest type and a digest as long as the type's are (RFC 4034, 4509, 6605; 4255, 6594; 6698)."""
    cdef Py_ssize_t length = end - at - 1
    if length < 0:
        return False
    if part == c"D":
        if data[at] == 0:
            return False
        if data[at] == 1:
            return length == 20
        if data[at] == 2 or data[at] == 3:
            return length == 32
        if data[at] == 4:
            return length == 48
    elif part == c"F":
        if data[at] == 1:
            return length == 20
        if data[at] == 2:
            return length == 32
    else:
        if data[at] == 1:
            return length == 32
        if data[at] == 2:
            return length == 64
    return True


cdef inline bint are_params(
    const unsigned char* data, Py_ssize_t at, Py_ssize_t end, unsigned int priority
) noexcept nogil:
    """SvcParams in rising order of keys; none in AliasMode (RFC 9460, sections 2.2 and 2.4.2)."""
    cdef Py_ssize_t value, mandatory = 0, mandatory_end = 0
    cdef int key, last_key = -1
    cdef bint has_alpn = False, needs_alpn = False
    if priority == 0:
        return at == end
    while at < end:
        if end - at < 4:
            return False
        key = u16(data + at)
        value = at + 4
        at = value + u16(data + at + 2)
        if key <= last_key or at > end or not is_param(data, value, at, key):
            return False
        last_key = key
        if key == 0:
            mandatory = value
            mandatory_end = at
        elif mandatory < mandatory_end and key >= <int>u16(data + mandatory):
            if key > <int>u16(data + mandatory):
                return False
            mandatory += 2
        has_alpn = has_alpn or key == 1
        needs_alpn = needs_alpn or key == 2
    return mandatory == mandatory_end and (has_alpn or not needs_alpn)


cdef inline bint is_param(const unsigned char* data, Py_ssize_t at, Py_ssize_t end, int key) noexcept nogil:
    """Whether the value fits the key (RFC 9460, sections 7 and 8; RFC 9540; RFC 9953)."""
    cdef Py_ssize_t length = end - at
    cdef int last_key = 0
    if key == 0:  # mandatory: other keys, rising
        if length == 0 or length % 2:
            return False
        while at < end:
            if <int>u16(data + at) <= last_key:
                return False
            last_key = u16(data + at)
            at += 2
        return True
    if key == 1 or key == 10:  # alpn, docpath: strings, none empty
        if length == 0:
            return key == 10
        while at < end:
            if data[at] == 0:
                return False
            at += 1 + data[at]
        return at == end
    if key == 2 or key == 8:  # no-default-alpn, ohttp
        return length == 0
    if key == 3:  # port
        return length == 2
    if key == 4:  # ipv4hint
        return length > 0 and length % 4 == 0
    if key == 5:  # ech
        return length >= 6 and u16(data + at) == length - 2
    if key == 6:  # ipv6hint
        return length > 0 and length % 16 == 0
    return True


cdef inline bint are_options(const unsigned char* data, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Whether OPT's rdata is whole options (RFC 6891, section 6.1.2), with cookies of RFC 7873's lengths."""
    cdef unsigned int code, size
    while at < end:
        if end - at < 4:
            return False
        code = u16(data + at)
        size = u16(data + at + 2)
        at += 4 + size
        if at > end:
            return False
        if code == COOKIE and not (size == 8 or 16 <= size <= 40):
            return False
        if code == EDE and size < 2:
            return False
    return True
