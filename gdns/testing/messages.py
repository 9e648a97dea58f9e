"""The messages of the test server, as the bytes they are on the wire (RFC 1035, section 4)."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

import dns.rcode
import dns.rdatatype

# The bits of a header's second word (RFC 1035, section 4.1.1; RFC 2535, section 6.1).
QR, OPCODE, AA, TC, RD, RA, CD = 0x8000, 0x7800, 0x0400, 0x0200, 0x0100, 0x0080, 0x0010

UDP_SIZE = 512  # what a client without EDNS takes (RFC 1035, section 2.3.4)
TCP_SIZE = 65535  # what the two length octets can say (RFC 1035, section 4.2.2)
EDNS_SIZE = 1232  # what we say we take: no fragments on any path
COOKIE = 10  # the option's code (RFC 7873, section 4)

_HEADER = struct.Struct("!HHHHHH")
_AFTER_ID = struct.Struct("!HHHHH")
_WORDS = struct.Struct("!HH")
_OPT = struct.Struct("!BHHBBHH")
_OPT_START = b"\0" + dns.rdatatype.OPT.to_bytes(2)
_DO = 0x8000
_PLAIN = re.compile(rb"[-\w]+")


class FormatError(ValueError):
    """A message that has no single readable question."""


class Query(NamedTuple):
    """A query that came in."""

    wire: bytes
    flags: int
    name: bytes
    """The qname in wire form, lower-cased."""
    rdtype: int
    rdclass: int
    question: bytes
    """Qname, type and class, letter for letter as asked."""
    opt: bytes
    """The fixed part of the OPT record (RFC 6891, section 6.1.2), empty without EDNS."""

    @property
    def id(self) -> int:
        return int.from_bytes(self.wire[:2])

    @property
    def payload(self) -> int:
        """Octets that a reply over UDP may have (RFC 6891, section 6.2.3)."""
        return max(UDP_SIZE, int.from_bytes(self.opt[3:5]))

    @property
    def version(self) -> int:
        """The version of EDNS spoken, 0 where there is none."""
        return self.opt[6] if self.opt else 0

    @property
    def cookie(self) -> bytes:
        """What the COOKIE option holds, the client's 8 octets first (RFC 7873); empty where there is none."""
        at = 12 + len(self.question) + len(self.opt)
        end = at + int.from_bytes(self.opt[9:11])
        while self.opt and at + 4 <= end:
            code, size = _WORDS.unpack_from(self.wire.ljust(at + 4, b"\0"), at)
            if code == COOKIE:
                return self.wire[at + 4 : at + 4 + size]
            at += 4 + size
        return b""


class Sections(NamedTuple):
    """What follows the question in a reply; owners that are the qname are written as a pointer to it."""

    rcode: int
    """Twelve bits; the upper eight go into the OPT record."""
    flags: int = RA | AA
    answers: int = 0
    authorities: int = 0
    records: bytes = b""


def read_query(wire: bytes) -> Query | None:
    """Read a query; None for what deserves no answer, because it is cut short or is itself a reply.

    Raises FormatError if it has no question, several, or one that cannot be read.
    """
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    _, flags, questions, answers, authorities, _ = _HEADER.unpack_from(wire)
    if questions != 1:
        raise FormatError(f"{questions} questions")
    try:
        end = 13
        while length := wire[end - 1]:
            if length > 63:
                raise FormatError("a compressed or unknown kind of label in the question")
            end += length + 1
        rdtype, rdclass = _WORDS.unpack_from(wire, end)
    except (IndexError, struct.error):
        raise FormatError("the question is cut short") from None
    if end - 12 > 255:
        raise FormatError("the name is too long")
    opt = b""
    rest = end + 4
    if not (answers or authorities) and wire[rest : rest + 3] == _OPT_START and len(wire) >= rest + 11:
        opt = wire[rest : rest + 11]
    # No octet of a length is a capital letter, so lower() leaves the lengths alone.
    return Query(wire, flags, wire[12:end].lower(), rdtype, rdclass, wire[12:rest], opt)


class Record(NamedTuple):
    """Where a record of a message begins, where its fixed part does after the owner, and where it ends."""

    section: int
    """0 is the answer, 1 authority, 2 additional."""
    start: int
    fixed: int
    end: int


def records_in(wire: bytes) -> list[Record]:
    """The records of a message, as far as they can be told apart; those of a server of ours always can."""
    found: list[Record] = []
    try:
        _, _, questions, *counts = _HEADER.unpack_from(wire)
        at = 12
        for _ in range(questions):
            at = _skip_name(wire, at) + 4
        for section, count in enumerate(counts):
            for _ in range(count):
                fixed = _skip_name(wire, at)
                end = fixed + 10 + int.from_bytes(wire[fixed + 8 : fixed + 10])
                if end > len(wire):
                    return found
                found.append(Record(section, at, fixed, end))
                at = end
    except (IndexError, struct.error):
        pass  # cut short
    return found


def _skip_name(wire: bytes, at: int) -> int:
    while length := wire[at]:
        if length >= 0xC0:
            return at + 2
        at += length + 1
    return at + 1


def compose(query: Query, sections: Sections, limit: int = TCP_SIZE) -> bytes:
    """Write the reply; one longer than `limit` octets becomes an empty one with TC (RFC 2181, section 9)."""
    rcode, flags, answers, authorities, records = sections
    opt = b""
    if query.opt:
        wants_dnssec = query.opt[7] & 0x80
        opt = _OPT.pack(0, dns.rdatatype.OPT, EDNS_SIZE, rcode >> 4, 0, _DO if wants_dnssec else 0, 0)
    flags |= QR | (query.flags & (OPCODE | RD | CD)) | (rcode & 15)
    head = _AFTER_ID.pack(flags, 1, answers, authorities, 1 if opt else 0)
    wire = b"".join((query.wire[:2], head, query.question, records, opt))
    return wire if len(wire) <= limit else truncate(query, sections)


def truncate(query: Query, sections: Sections) -> bytes:
    """Write the reply with TC set and nothing but the question in it."""
    return compose(query, Sections(sections.rcode, sections.flags | TC))


def refuse_unread(wire: bytes) -> bytes:
    """Write the reply to a query that could not be read: a bare header that says FORMERR."""
    flags = QR | RA | dns.rcode.FORMERR | (int.from_bytes(wire[2:4]) & (OPCODE | RD))
    return wire[:2] + _AFTER_ID.pack(flags, 0, 0, 0, 0)


def name_text(name: bytes) -> str:
    """The presentation form of a name in wire form (RFC 1035, section 5.1), with its final dot."""
    labels = []
    at = 0
    while length := name[at]:
        label = name[at + 1 : at + 1 + length]
        labels.append(label.decode() if _PLAIN.fullmatch(label) else "".join(map(_octet_text, label)))
        at += 1 + length
    return ".".join(labels) + "."


def _octet_text(octet: int) -> str:
    if octet in b'"().;\\@$':
        return "\\" + chr(octet)
    return chr(octet) if 0x21 <= octet <= 0x7E else f"\\{octet:03d}"
