"""What can go wrong with an answer.

A fault takes the packets that would answer a query to those that do. Each is one small frozen class with
one method; `|` applies one after the other, from left to right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal, NamedTuple

import dns.exception
import dns.rcode

from gdns.testing.messages import Query, Sections, compose, truncate

Transport = Literal["udp", "tcp"]


class Packet(NamedTuple):
    """One message to send."""

    wire: bytes
    after: float = 0.0
    """Seconds to wait before it is sent."""


class Exchange(NamedTuple):
    """A query with the answer it deserves."""

    query: Query
    sections: Sections
    answer: bytes
    transport: Transport


@dataclass(frozen=True)
class Fault:
    """Base of the faults; a subclass is a frozen dataclass of JSON values that defines `apply`."""

    kinds: ClassVar[dict[str, Callable[..., Fault]]] = {}

    def __init_subclass__(cls) -> None:
        Fault.kinds[cls.__name__] = cls

    @property
    def parts(self) -> tuple[Fault, ...]:
        """The single faults it is made of, in order."""
        return (self,)

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        """The packets to send in place of `packets`."""
        raise NotImplementedError

    def __or__(self, other: Fault) -> Fault:
        if not isinstance(other, Fault):
            return NotImplemented
        return _Chain(self.parts + other.parts)


@dataclass(frozen=True)
class _Chain(Fault):
    links: tuple[Fault, ...]

    @property
    def parts(self) -> tuple[Fault, ...]:
        return self.links

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        for link in self.links:
            packets = link.apply(packets, exchange)
        return packets


@dataclass(frozen=True)
class Silent(Fault):
    """Nothing is sent."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return ()


@dataclass(frozen=True)
class Delay(Fault):
    """Everything is sent so many seconds later; other queries are answered meanwhile."""

    seconds: float

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < float("inf"):
            raise ValueError(f"a delay is a number of seconds, not {self.seconds!r}")

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return [packet._replace(after=packet.after + self.seconds) for packet in packets]


@dataclass(frozen=True)
class Truncated(Fault):
    """Over UDP an empty answer with TC set; over TCP the answer in full."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        if exchange.transport == "tcp":
            return packets
        short = truncate(exchange.query, exchange.sections)
        return [packet._replace(wire=short) for packet in packets]


@dataclass(frozen=True)
class Rcode(Fault):
    """An empty answer with that rcode; the upper bits of one above 15 reach only those who ask with EDNS."""

    name: str

    def __post_init__(self) -> None:
        try:
            dns.rcode.from_text(self.name)
        except (dns.exception.DNSException, ValueError, AttributeError):
            raise ValueError(f"no such rcode: {self.name!r}") from None

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        wire = compose(exchange.query, Sections(dns.rcode.from_text(self.name)))
        return [packet._replace(wire=wire) for packet in packets]


@dataclass(frozen=True)
class WrongId(Fault):
    """The answer goes out under another id, as a spoofer who guesses would send it."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        other = (exchange.query.id ^ 0x5555).to_bytes(2)
        return [packet._replace(wire=other + packet.wire[2:]) for packet in packets]


@dataclass(frozen=True)
class Malformed(Fault):
    """The answer has the right id and question, but its one record runs past the end of the message."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\xff\xff\xc0"  # RDLENGTH 65,535, one octet there
        wire = compose(
            exchange.query._replace(opt=b""), Sections(dns.rcode.NOERROR, answers=1, records=record)
        )
        return [packet._replace(wire=wire) for packet in packets]


@dataclass(frozen=True)
class ThenAnswer(Fault):
    """The right answer goes out too, right after what the faults before it send."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        last = max((packet.after for packet in packets), default=0.0)
        return [*packets, Packet(exchange.answer, last)]


# A test reads as a sentence: server.fault("www.example.", delay(0.3) | rcode("REFUSED")).
silent = Silent
delay = Delay
truncated = Truncated
rcode = Rcode
wrong_id = WrongId
malformed = Malformed
then_answer = ThenAnswer


def as_json(fault: Fault) -> list[tuple[str, dict[str, object]]]:
    """The fault in JSON's types: of each part the name of its class and the values of its fields."""
    return [(type(part).__name__, asdict(part)) for part in fault.parts]


def from_json(parts: Iterable[tuple[str, Mapping[str, object]]]) -> Fault:
    """The fault that `as_json` was given. Raises ValueError for one that is not of this module."""
    links = []
    for kind, fields in parts:
        if kind not in Fault.kinds:
            raise ValueError(f"the server's process knows no fault {kind}")
        links.append(Fault.kinds[kind](**fields))
    return _Chain(tuple(links))
