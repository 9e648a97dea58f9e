"""Faults of TCP connections (RFC 7766); over UDP they do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gdns.testing.faults import Exchange, Fault, Packet, check_seconds


class _Stream(Fault):
    """Base of the faults that only befall what is asked over TCP."""

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return packets if exchange.transport == "udp" else [self.carry(packet) for packet in packets]

    def carry(self, packet: Packet) -> Packet:
        """How the packet is sent instead."""
        raise NotImplementedError


@dataclass(frozen=True)
class Drip(_Stream):
    """The answer comes so many octets at a time, `pause` seconds apart, its length first."""

    octets: int = 1
    pause: float = 0.01

    def __post_init__(self) -> None:
        if not 1 <= self.octets <= 65_537:
            raise ValueError(f"1 to 65,537 octets can drip at a time, not {self.octets!r}")
        check_seconds("a pause", self.pause)

    def carry(self, packet: Packet) -> Packet:
        return packet._replace(piece=self.octets, pause=self.pause)


@dataclass(frozen=True)
class Cut(_Stream):
    """The connection ends after so many octets of the answer, the two of its length included.

    It ends as `close` does, or with a reset.
    """

    octets: int = 0
    resets: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.octets <= 65_537:
            raise ValueError(f"a message can be cut after 0 to 65,537 octets, not {self.octets!r}")

    def carry(self, packet: Packet) -> Packet:
        return packet._replace(cut=self.octets, end="reset" if self.resets else "close")


@dataclass(frozen=True)
class Closing(_Stream):
    """The connection is closed after the answer, or reset."""

    resets: bool = False

    def carry(self, packet: Packet) -> Packet:
        return packet._replace(end="reset" if self.resets else "close")


@dataclass(frozen=True)
class WrongLength(_Stream):
    """The two octets before the answer say that it has that many octets."""

    octets: int

    def __post_init__(self) -> None:
        if not 0 <= self.octets <= 65_535:
            raise ValueError(f"a message's length is between 0 and 65,535, which {self.octets!r} is not")

    def carry(self, packet: Packet) -> Packet:
        return packet._replace(length=self.octets)


drip = Drip
cut = Cut
closing = Closing
wrong_length = WrongLength
