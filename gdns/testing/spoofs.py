"""Faults of identity: messages that are not the reply to what was asked (RFC 5452, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from gdns.testing.faults import Each, Exchange
from gdns.testing.messages import OPCODE, QR, records_in


@dataclass(frozen=True)
class WrongId(Each):
    """The answer goes out under another id, as a spoofer who guesses would send it."""

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        return (exchange.query.id ^ 0x5555).to_bytes(2) + wire[2:]


@dataclass(frozen=True)
class NotAReply(Each):
    """The QR bit is 0: it looks like a query."""

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        return with_flags(wire, int.from_bytes(wire[2:4]) & ~QR)


@dataclass(frozen=True)
class Opcode(Each):
    """The opcode is another than that of the query; 4 is NOTIFY (RFC 1996)."""

    number: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.number <= 15:
            raise ValueError(f"an opcode is between 0 and 15, which {self.number!r} is not")

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        return with_flags(wire, int.from_bytes(wire[2:4]) & ~OPCODE | self.number << 11)


@dataclass(frozen=True)
class WrongQuestion(Each):
    """The question is for another name of the same length; records that point to it follow it there."""

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        if wire[12] == 0:  # the root has no letters
            return wire[:12] + b"\x01x\x00" + wire[13:]
        return wire[:13] + bytes([wire[13] ^ 1]) + wire[14:]


@dataclass(frozen=True)
class WrongType(Each):
    """The question is for another type, TXT."""

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        end = 12 + len(exchange.query.question)
        return wire[: end - 4] + b"\x00\x10" + wire[end - 2 :]


@dataclass(frozen=True)
class NoQuestion(Each):
    """The reply has no question section; it may still be about the id."""

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        return wire[:4] + b"\0\0" + wire[6:12] + wire[12 + len(exchange.query.question) :]


@dataclass(frozen=True)
class OtherCase(Each):
    """The question comes back with the case of its letters swapped, which is the same name (RFC 4343)."""

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        end = 12 + len(exchange.query.name)
        return wire[:12] + wire[12:end].swapcase() + wire[end:]


@dataclass(frozen=True)
class OtherClass(Each):
    """Question and records are of class CH (3)."""

    def spoil(self, wire: bytes, exchange: Exchange) -> bytes:
        end = 12 + len(exchange.query.question)
        return with_class(wire[: end - 2] + b"\x00\x03" + wire[end:], 3)


def with_flags(wire: bytes, flags: int) -> bytes:
    """The message with another second word."""
    return wire[:2] + flags.to_bytes(2) + wire[4:]


def with_class(wire: bytes, rdclass: int) -> bytes:
    """The message with its records, OPT aside, of another class."""
    spoilt = bytearray(wire)
    for record in records_in(wire):
        if wire[record.fixed : record.fixed + 2] != b"\0\x29":
            spoilt[record.fixed + 2 : record.fixed + 4] = rdclass.to_bytes(2)
    return bytes(spoilt)


wrong_id = WrongId
not_a_reply = NotAReply
opcode = Opcode
wrong_question = WrongQuestion
wrong_type = WrongType
no_question = NoQuestion
other_case = OtherCase
other_class = OtherClass
