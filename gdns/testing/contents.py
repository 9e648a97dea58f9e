"""Faults of content: well-formed replies that say something else than the zone does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import dns.exception
import dns.name
import dns.rcode

from gdns.testing.faults import Each, Exchange, Fault, Packet
from gdns.testing.masterfile import read_line
from gdns.testing.messages import RA, TCP_SIZE, Sections, compose, records_in
from gdns.testing.spoofs import with_class

Section = Literal["answer", "authority", "additional"]


@dataclass(frozen=True)
class Rcode(Fault):
    """An empty answer with that rcode; the upper bits of one above 15 reach only those who ask with EDNS."""

    name: str

    def __post_init__(self) -> None:
        rcode_of(self.name)

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        wire = compose(exchange.query, Sections(rcode_of(self.name)))
        return [packet._replace(wire=wire) for packet in packets]


@dataclass(frozen=True, init=False)
class Records(Fault):
    """These records come in place of the answer, each a line as in a master file whose origin is the qname.

    `@` is the qname; a name without a final dot lies below it. `section` is where they stand, `rdclass` the
    number of their class, `rcode` that of the reply. An answer too long for UDP is truncated.
    """

    lines: tuple[str, ...]
    section: Section
    rdclass: int
    rcode: str

    def __init__(
        self, *lines: str, section: Section = "answer", rdclass: int = 1, rcode: str = "NOERROR"
    ) -> None:
        if section not in _COUNTS:
            raise ValueError(f"a section is one of {', '.join(_COUNTS)}, which {section!r} is not")
        rcode_of(rcode)
        for line in lines:
            read_line(line)
        object.__setattr__(self, "lines", lines)
        object.__setattr__(self, "section", section)
        object.__setattr__(self, "rdclass", rdclass)
        object.__setattr__(self, "rcode", rcode)

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        origin = dns.name.from_wire(exchange.query.question, 0)[0]
        wires = [line_wire(line, origin, self.rdclass) for line in self.lines]
        return _replaced(packets, exchange, rcode_of(self.rcode), wires, self.section)


@dataclass(frozen=True)
class Chain(Fault):
    """A CNAME chain of that many links stands before an address, 192.0.2.7 or 2001:db8::7.

    `order` is that of the records: as the chain runs, its "reverse", or "shuffled". With `loops`, the last
    CNAME leads back to the qname, and there is no address.
    """

    links: int
    order: Literal["forward", "reverse", "shuffled"] = "forward"
    loops: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.links <= 1000:
            raise ValueError(f"a chain has 1 to 1,000 links, not {self.links!r}")
        if self.order not in ("forward", "reverse", "shuffled"):
            raise ValueError(f"no such order: {self.order!r}")

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        origin = dns.name.from_wire(exchange.query.question, 0)[0]
        names = ["@", *[f"c{link}" for link in range(1, self.links)], "@" if self.loops else "end"]
        lines = [f"{names[link]} 60 CNAME {names[link + 1]}" for link in range(self.links)]
        if not self.loops:
            lines.append("end 60 AAAA 2001:db8::7" if exchange.query.rdtype == 28 else "end 60 A 192.0.2.7")
        if self.order == "reverse":
            lines.reverse()
        elif self.order == "shuffled":
            exchange.random.shuffle(lines)
        wires = [line_wire(line, origin) for line in lines]
        return _replaced(packets, exchange, dns.rcode.NOERROR, wires, "answer")


@dataclass(frozen=True)
class Ttl(Each):
    """Every record, OPT aside, has this TTL: 0 to 2**32 - 1, so that the top bit may be set."""

    seconds: int

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < 1 << 32:
            raise ValueError(f"a TTL has 32 bits, which {self.seconds!r} has not")

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        spoilt = bytearray(wire)
        for record in records_in(wire):
            if wire[record.fixed : record.fixed + 2] != b"\0\x29":
                spoilt[record.fixed + 4 : record.fixed + 8] = self.seconds.to_bytes(4)
        return bytes(spoilt)


@dataclass(frozen=True)
class WrongClass(Each):
    """The records are of that class, though the question is of IN; 3 is CH."""

    number: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.number < 1 << 16:
            raise ValueError(f"a class has 16 bits, which {self.number!r} has not")

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        return with_class(wire, self.number)


@dataclass(frozen=True)
class Shuffled(Each):
    """The records of the answer section stand in a random order."""

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        answer = [record for record in records_in(wire) if record.section == 0]
        if not answer:
            return wire
        records = [wire[record.start : record.end] for record in answer]
        exchange.random.shuffle(records)
        return wire[: answer[0].start] + b"".join(records) + wire[answer[-1].end :]


@dataclass(frozen=True)
class Padded(Fault):
    """The reply is filled up to that many octets with an additional record nobody asked for.

    Over UDP that may take it past what the client can hold, and it is truncated.
    """

    octets: int = TCP_SIZE

    def __post_init__(self) -> None:
        if not 100 <= self.octets <= TCP_SIZE:
            raise ValueError(f"a reply can be padded to 100 to 65,535 octets, not {self.octets!r}")

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        query, sections = exchange.query, exchange.sections
        if exchange.transport == "udp" and self.octets > query.payload:
            return [packet._replace(wire=compose(query, sections, 0)) for packet in packets]
        wire = compose(query._replace(opt=b""), sections)
        room = self.octets - len(wire) - 11
        if room >= 0:  # of a type for private use (RFC 6895)
            filler = b"\0\xff\x00\x00\x01\x00\x00\x00\x3c" + room.to_bytes(2) + bytes(room)
            additional = int.from_bytes(wire[10:12]) + 1
            wire = wire[:10] + additional.to_bytes(2) + wire[12:] + filler
        return [packet._replace(wire=wire) for packet in packets]


_COUNTS: dict[str, int] = {"answer": 0, "authority": 1, "additional": 2}


def rcode_of(name: str) -> int:
    """The number of an rcode such as "SERVFAIL". Raises ValueError if there is none."""
    try:
        return int(dns.rcode.from_text(name))
    except (dns.exception.DNSException, ValueError, AttributeError):
        raise ValueError(f"no such rcode: {name!r}") from None


def line_wire(line: str, origin: dns.name.Name, rdclass: int = 1) -> bytes:
    """A record in wire form, uncompressed; empty for an empty line. Raises ValueError as `read_line` does."""
    record = read_line(line, origin)
    if record is None:
        return b""
    owner, rdata = record.name.to_wire(), record.rdata.to_wire()
    assert owner is not None
    assert rdata is not None
    fixed = int(record.rdata.rdtype).to_bytes(2) + rdclass.to_bytes(2) + record.ttl.to_bytes(4)
    return owner + fixed + len(rdata).to_bytes(2) + rdata


def _replaced(
    packets: Sequence[Packet], exchange: Exchange, rcode: int, wires: Sequence[bytes], section: Section
) -> Sequence[Packet]:
    """The packets with these records in them instead."""
    counts = [0, 0, 0]
    counts[_COUNTS[section]] = len(wires)
    query = exchange.query._replace(opt=b"") if counts[2] else exchange.query
    limit = exchange.query.payload if exchange.transport == "udp" else TCP_SIZE
    sections = Sections(rcode, RA, counts[0], counts[1], b"".join(wires))
    wire = compose(query, sections, limit)
    if counts[2]:
        wire = wire[:10] + counts[2].to_bytes(2) + wire[12:]
    return [packet._replace(wire=wire) for packet in packets]


rcode = Rcode
records = Records
chain = Chain
ttl = Ttl
wrong_class = WrongClass
shuffled = Shuffled
padded = Padded
