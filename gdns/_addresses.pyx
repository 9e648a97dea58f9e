"""Reads IP addresses into numbers that can be compared."""


cdef extern from "arpa/inet.h" nogil:
    int inet_pton(int family, const char* text, void* packed)
    int AF_INET, AF_INET6

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef extern from *:
    """
    static int gdns_width(uint64_t number) { return number ? 64 - __builtin_clzll(number) : 0; }
    """
    int gdns_width(uint64_t number) noexcept nogil

cdef enum:
    LONGEST = 45  # letters of an address, as INET6_ADDRSTRLEN counts them without the NUL


cdef uint64_t read64(const unsigned char* octets) noexcept nogil:
    cdef uint64_t number = 0
    cdef int index
    for index in range(8):
        number = number << 8 | octets[index]
    return number


cdef bint pack(str text, Packed* packed) except -1:
    """The octets of an address, with the scope behind its `%` if that is a number. False for no address."""
    cdef Py_ssize_t size = 0, length
    cdef const char* letters = PyUnicode_AsUTF8AndSize(text, &size)
    cdef char spelt[LONGEST + 1]
    packed.is_ipv6 = False
    packed.scope_id = 0
    for length in range(size):
        if letters[length] == c":":
            packed.is_ipv6 = True
        elif letters[length] == c"%" and packed.is_ipv6:
            scope = text.partition("%")[2]
            if scope.isdigit() and scope.isascii() and int(scope) <= 0xFFFFFFFF:
                packed.scope_id = int(scope)
            break
        elif letters[length] == 0 or length == LONGEST:
            return False
        spelt[length] = letters[length]
    else:
        length = size
    if length > LONGEST:
        return False
    spelt[length] = 0
    return inet_pton(AF_INET6 if packed.is_ipv6 else AF_INET, spelt, packed.octets) == 1


cdef class Address:
    """An address as two numbers of 64 bits; IPv4 is mapped into IPv6."""

    def __repr__(self):
        return f"<Address {self.high:#x} {self.low:#x}>"


cpdef Address parse(str text):
    """Read an address as inet_pton(3) does; what is behind a `%` is left out.

    Raises OSError for another text.
    """
    cdef Packed packed
    cdef Address address
    if not pack(text, &packed):
        raise OSError(f"illegal IP address: {text!r}")
    address = Address.__new__(Address)
    address.is_ipv6 = packed.is_ipv6
    if packed.is_ipv6:
        address.high = read64(packed.octets)
        address.low = read64(packed.octets + 8)
    else:
        address.low = (
            <uint64_t>0xFFFF << 32
            | <uint64_t>packed.octets[0] << 24
            | <uint64_t>packed.octets[1] << 16
            | <uint64_t>packed.octets[2] << 8
            | packed.octets[3]
        )
    return address


cpdef int distance(Address first, Address second) except -1:
    """How many bits of two addresses follow their common prefix."""
    if first.high != second.high:
        return 64 + gdns_width(first.high ^ second.high)
    return gdns_width(first.low ^ second.low)
