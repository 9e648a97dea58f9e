"""What can go wrong with an answer, and how such faults are made of smaller ones.

A fault takes the packets that would answer a query to those that do. Each is one small frozen class with
one method; `|` applies one after the other, from left to right. This module holds what all kinds share, and
the faults of delivery: whether, when, how often and from where something is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import ClassVar, Literal, NamedTuple

from gdns.testing.messages import Query, Sections

Transport = Literal["udp", "tcp"]
Source = Literal["server", "port", "address"]
End = Literal["", "close", "reset"]


class Packet(NamedTuple):
    """One message to send."""

    wire: bytes
    after: float = 0.0
    """Seconds to wait before it is sent."""
    source: Source = "server"
    """Over UDP, whence it comes: the server itself, another port of its host, another host."""
    gather: int = 0
    """It waits until so many such messages are there for one socket, and leaves with them."""
    backwards: bool = False
    """Those gathered leave in the opposite order."""
    length: int = -1
    """Over TCP, what the two octets in front of it say; -1 is the truth."""
    piece: int = 0
    """Over TCP, octets written at a time, `pause` seconds apart; 0 is all at once."""
    pause: float = 0.0
    cut: int = -1
    """Over TCP, octets written of it (its length's two included) before the connection ends; -1 is all."""
    end: End = ""
    """Over TCP, how the connection ends after it, if it does."""


class Exchange(NamedTuple):
    """A query with the answer it deserves."""

    query: Query
    sections: Sections
    answer: bytes
    transport: Transport
    nth: int
    """How many times this question met a fault before."""
    random: Random
    """Draws the same numbers whenever a server of that seed is asked this question the nth time."""


@dataclass(frozen=True)
class Fault:
    """Base of the faults; a subclass is a frozen dataclass of JSON values or faults that defines `apply`."""

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


class Each(Fault):
    """Base of the faults that spoil each packet's octets by themselves."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return [packet._replace(wire=self.spoil(packet.wire, exchange)) for packet in packets]

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        """The octets to send in place of `wire`."""
        raise NotImplementedError


# -- which queries


@dataclass(frozen=True)
class Healthy(Fault):
    """Nothing goes wrong: for a name amid others that do, or a turn of `in_turn`."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return packets


@dataclass(frozen=True)
class OverUdp(Fault):
    """The fault befalls only what is asked over UDP."""

    fault: Fault

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return self.fault.apply(packets, exchange) if exchange.transport == "udp" else packets


@dataclass(frozen=True)
class OverTcp(Fault):
    """The fault befalls only what is asked over TCP."""

    fault: Fault

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return self.fault.apply(packets, exchange) if exchange.transport == "tcp" else packets


@dataclass(frozen=True)
class WithEdns(Fault):
    """The fault befalls only what is asked with EDNS (RFC 6891)."""

    fault: Fault

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return self.fault.apply(packets, exchange) if exchange.query.opt else packets


@dataclass(frozen=True)
class Sometimes(Fault):
    """The fault befalls a query with that probability, 0 to 1."""

    probability: float
    fault: Fault

    def __post_init__(self) -> None:
        check_probability(self.probability)

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        is_hit = exchange.random.random() < self.probability
        return self.fault.apply(packets, exchange) if is_hit else packets


@dataclass(frozen=True, init=False)
class InTurn(Fault):
    """The first query for each question meets the first fault, the next the second; the last one stays."""

    faults: tuple[Fault, ...]

    def __init__(self, *faults: Fault) -> None:
        if not faults:
            raise ValueError("in_turn() needs at least one fault")
        object.__setattr__(self, "faults", faults)

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        fault = self.faults[min(exchange.nth, len(self.faults) - 1)]
        return fault.apply(packets, exchange)


# -- whether, when and how often


@dataclass(frozen=True)
class Silent(Fault):
    """Nothing is sent."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return ()


@dataclass(frozen=True)
class Drop(Fault):
    """Each packet gets lost with that probability, 0 to 1."""

    probability: float = 1.0

    def __post_init__(self) -> None:
        check_probability(self.probability)

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return [packet for packet in packets if exchange.random.random() >= self.probability]


@dataclass(frozen=True)
class Duplicate(Fault):
    """Each packet is sent again `times` times, each `gap` seconds after the one before."""

    times: int = 1
    gap: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.times <= 1000:
            raise ValueError(f"a packet is sent again 1 to 1,000 times, not {self.times!r}")
        check_seconds("a gap", self.gap)

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return [
            packet._replace(after=packet.after + copy * self.gap)
            for packet in packets
            for copy in range(self.times + 1)
        ]


@dataclass(frozen=True)
class Delay(Fault):
    """Everything is sent so many seconds later, and up to `jitter` more; others are answered meanwhile."""

    seconds: float
    jitter: float = 0.0

    def __post_init__(self) -> None:
        check_seconds("a delay", self.seconds)
        check_seconds("a jitter", self.jitter)

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return [
            packet._replace(after=packet.after + self.seconds + exchange.random.random() * self.jitter)
            for packet in packets
        ]


@dataclass(frozen=True)
class Gather(Fault):
    """Answers wait until there are `count`, then leave together: over TCP in one segment.

    Over UDP those of all clients wait for one another, over TCP those of one connection.
    """

    count: int
    backwards: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 10_000:
            raise ValueError(f"1 to 10,000 answers can be gathered, not {self.count!r}")

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return [packet._replace(gather=self.count, backwards=self.backwards) for packet in packets]


@dataclass(frozen=True)
class ThenAnswer(Fault):
    """The right answer goes out too, `after` seconds after what the faults before it send."""

    after: float = 0.0

    def __post_init__(self) -> None:
        check_seconds("a delay", self.after)

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        last = max((packet.after for packet in packets), default=0.0)
        return [*packets, Packet(exchange.answer, last + self.after)]


# -- from where


@dataclass(frozen=True)
class FromPort(Fault):
    """The answer comes from another UDP port of the server's address, as a blind spoofer's would."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return [packet._replace(source="port") for packet in packets]


@dataclass(frozen=True)
class FromAddress(Fault):
    """The answer comes from another address and the server's port (on IPv6, from another port of ::1)."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return [packet._replace(source="address") for packet in packets]


@dataclass(frozen=True)
class Junk(Fault):
    """So many messages of random octets arrive first."""

    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 1000:
            raise ValueError(f"1 to 1,000 junk messages can be sent, not {self.count!r}")

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        random = exchange.random
        junk = [
            Packet(random.randbytes(random.choice((0, 1, 11, 12, 13, 40, 512)))) for _ in range(self.count)
        ]
        return [*junk, *packets]


def check_seconds(what: str, seconds: float) -> None:
    """Raise ValueError unless this is a number of seconds to wait."""
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{what} is a number of seconds, not {seconds!r}")


def check_probability(probability: float) -> None:
    """Raise ValueError unless this is a probability."""
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability is between 0 and 1, which {probability!r} is not")


# A test reads as a sentence: server.fault("www.example.", delay(0.3) | rcode("REFUSED")).
healthy = Healthy
over_udp = OverUdp
over_tcp = OverTcp
with_edns = WithEdns
sometimes = Sometimes
in_turn = InTurn
silent = Silent
drop = Drop
duplicate = Duplicate
delay = Delay
gather = Gather
then_answer = ThenAnswer
from_port = FromPort
from_address = FromAddress
junk = Junk

Json = list[tuple[str, dict[str, object]]]


def as_json(fault: Fault) -> Json:
    """The fault in JSON's types: of each part the name of its class and the values of its fields."""
    return [
        (type(part).__name__, {field.name: _encode(getattr(part, field.name)) for field in fields(part)})
        for part in fault.parts
    ]


def _encode(value: object) -> object:
    if isinstance(value, Fault):
        return {"fault": as_json(value)}
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return value


def _decode(value: object) -> object:
    if isinstance(value, dict):
        return from_json(value["fault"])
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    return value


def from_json(parts: Iterable[tuple[str, Mapping[str, object]]]) -> Fault:
    """The fault that `as_json` was given. Raises ValueError for one that is not of this package."""
    links: list[Fault] = []
    for kind, encoded in parts:
        if kind not in Fault.kinds:
            raise ValueError(f"the server's process knows no fault {kind}")
        values = {name: _decode(value) for name, value in encoded.items()}
        several = values.pop("faults", None) or values.pop("lines", None)
        positional = several if isinstance(several, tuple) else ()
        links.append(Fault.kinds[kind](*positional, **values))
    return links[0] if len(links) == 1 else _Chain(tuple(links))
