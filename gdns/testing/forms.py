"""Faults of form: messages that cannot be read, or not to their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import dns.rcode

from gdns.testing.faults import Each, Exchange, Fault, Packet
from gdns.testing.messages import Query, Record, Sections, compose, records_in, truncate


@dataclass(frozen=True)
class Truncated(Fault):
    """Over UDP an empty answer with TC set; over TCP the answer in full."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        if exchange.transport == "tcp":
            return packets
        short = truncate(exchange.query, exchange.sections)
        return [packet._replace(wire=short) for packet in packets]


@dataclass(frozen=True)
class MarkedTruncated(Each):
    """The whole answer with TC set, over TCP too, where that makes no sense."""

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        return wire[:2] + bytes([wire[2] | 2]) + wire[3:]


@dataclass(frozen=True)
class CutAt(Each):
    """The message ends after so many octets; a negative number counts from its end."""

    octets: int

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        return wire[: self.octets]


@dataclass(frozen=True)
class Trailing(Each):
    """So many octets of garbage follow the message."""

    octets: int = 7

    def __post_init__(self) -> None:
        if not 1 <= self.octets <= 60_000:
            raise ValueError(f"1 to 60,000 octets of garbage can follow, not {self.octets!r}")

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        return wire + exchange.random.randbytes(self.octets)


def _message(query: Query, answers: int, records: bytes) -> bytes:
    return compose(query._replace(opt=b""), Sections(dns.rcode.NOERROR, answers=answers, records=records))


_A = b"\x00\x01\x00\x01\x00\x00\x00\x3c"  # type, class, TTL
_GOOD = b"\xc0\x0c" + _A + b"\x00\x04\xcb\x00\x71\x42"  # 203.0.113.66, which nobody should believe


def _self_pointer(query: Query) -> bytes:
    at = 12 + len(query.question)
    return _message(query, 1, (0xC000 | at).to_bytes(2) + _GOOD[2:])


def _pointer_loop(query: Query) -> bytes:
    at = 12 + len(query.question)
    loop = b"\x01a" + (0xC000 | at).to_bytes(2)
    return _message(query, 1, loop + _GOOD[2:])


def _pointer_ahead(query: Query) -> bytes:
    at = 12 + len(query.question)
    return _message(query, 1, (0xC000 | at + 16).to_bytes(2) + _GOOD[2:] + query.name)


def _pointer_outside(query: Query) -> bytes:
    return _message(query, 1, b"\xff\xff" + _GOOD[2:])


_MALFORMED: dict[str, Callable[[Query], bytes]] = {
    "rdlength": lambda query: _message(query, 1, b"\xc0\x0c" + _A + b"\xff\xff\xc0"),
    "short rdata": lambda query: _message(query, 1, b"\xc0\x0c" + _A + b"\x00\x03\xcb\x00\x71"),
    "long rdata": lambda query: _message(query, 1, b"\xc0\x0c" + _A + b"\x00\x05\xcb\x00\x71\x42\x00"),
    "no rdata": lambda query: _message(query, 1, b"\xc0\x0c" + _A + b"\x00\x00"),
    "pointer to itself": _self_pointer,
    "pointer loop": _pointer_loop,
    "pointer ahead": _pointer_ahead,
    "pointer outside": _pointer_outside,
    "pointer into the header": lambda query: _message(query, 1, b"\xc0\x03" + _GOOD[2:]),
    "label of 64": lambda query: _message(query, 1, b"\x40" + b"x" * 64 + b"\0" + _GOOD[2:]),
    "reserved label": lambda query: _message(query, 1, b"\x80x\0" + _GOOD[2:]),
    "name too long": lambda query: _message(query, 1, (b"\x3f" + b"x" * 63) * 4 + b"\0" + _GOOD[2:]),
    "counts that lie": lambda query: _message(query, 9, _GOOD),
    "counts of 65,535": lambda query: _message(query, 65_535, _GOOD),
    "record without end": lambda query: _message(query, 2, _GOOD + b"\xc0\x0c\x00"),
    "cname without name": lambda query: _message(
        query, 1, b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x00"
    ),
    "cname beyond rdata": lambda query: _message(
        query, 1, b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\x3fx"
    ),
}
MALFORMED = tuple(_MALFORMED)
"""The kinds that `malformed` knows."""


@dataclass(frozen=True)
class Malformed(Fault):
    """The answer has the right id and question, but what follows cannot be read; `kind` is of `MALFORMED`.

    By default its one record runs past the end of the message. What can be read in it says 203.0.113.66.
    """

    kind: str = "rdlength"

    def __post_init__(self) -> None:
        if self.kind not in _MALFORMED:
            raise ValueError(f"no such kind of malformed: {self.kind!r}; there are {', '.join(MALFORMED)}")

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        wire = _MALFORMED[self.kind](exchange.query)
        return [packet._replace(wire=wire) for packet in packets]


@dataclass(frozen=True)
class Mutated(Each):
    """Up to `most` random changes: bits, octets, words, spans lost, repeated, moved, the end cut off.

    The id stays, and most times the question too, so that the rest gets read; so do the addresses in A and
    AAAA records, so that whoever believes the reply can be held to those. The same server seed, name and
    type bring the same changes.
    """

    most: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.most <= 100:
            raise ValueError(f"1 to 100 changes can be made, not {self.most!r}")

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        random = exchange.random
        start = 12 + len(exchange.query.question) if random.random() < 0.8 else 2
        spoilt = bytearray(wire)
        for _ in range(random.randint(1, self.most)):
            if start >= len(spoilt):
                break
            # header words are worth as much as all the rest; those that say what it is, less
            at = (
                random.choice((3, 5, 6, 7, 9, 11))
                if random.random() < 0.15
                else random.randrange(start, len(spoilt))
            )
            _mutate(spoilt, at, random)
        addresses = {_address(wire, record) for record in records_in(wire)}
        return (
            bytes(spoilt) if _says_only(bytes(spoilt), addresses) else wire[: random.randrange(2, len(wire))]
        )


def _mutate(wire: bytearray, at: int, random: Random) -> None:
    """One change at or near an octet."""
    size = random.choice((1, 1, 2, 4, 11))
    match random.randrange(8):
        case 0:
            wire[at : at + 1] = bytes([wire[at] ^ 1 << random.randrange(8)]) if at < len(wire) else b""
        case 1:
            wire[at : at + 1] = bytes([random.choice((0, 1, 63, 64, 0x7F, 0x80, 0xC0, 0xFF))])
        case 2:
            wire[at : at + 2] = random.choice((0, 1, 5, 12, 41, 0x7FFF, 0xC00C, 0xFFFF)).to_bytes(2)
        case 3:
            wire[at : at + 1] = random.randbytes(1)
        case 4:
            del wire[at : at + size]
        case 5:
            wire[at:at] = random.randbytes(size)
        case 6:
            wire[at:at] = wire[at : at + size]
        case _:
            del wire[max(at, 2) :]


def _says_only(wire: bytes, addresses: set[bytes]) -> bool:
    """Whether a message has no other addresses than these."""
    return {b"", *addresses}.issuperset(_address(wire, record) for record in records_in(wire))


def _address(wire: bytes, record: Record) -> bytes:
    """The data of a record of type A or AAAA, empty for all others."""
    is_address = wire[record.fixed : record.fixed + 2] in (b"\0\x01", b"\0\x1c")
    return wire[record.fixed + 10 : record.end] if is_address else b""


truncated = Truncated
marked_truncated = MarkedTruncated
cut_at = CutAt
trailing = Trailing
malformed = Malformed
mutated = Mutated
