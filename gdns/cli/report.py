"""Says what a lookup brought: in dig's form, as bare data, as JSON, in one sentence."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from gdns import outcome as status

if TYPE_CHECKING:
    from dns.message import Message
    from dns.rrset import RRset

    from gdns.cli.grammar import Request
    from gdns.outcome import Outcome

# RFC 1035 section 4.1.1, RFC 4035 section 3, in the order of dig
FLAGS = {0x8000: "qr", 0x400: "aa", 0x200: "tc", 0x100: "rd", 0x80: "ra", 0x20: "ad", 0x10: "cd"}
SECTIONS = ("QUERY", "ANSWER", "AUTHORITY", "ADDITIONAL")


@dataclass(frozen=True, slots=True)
class Report:
    """A request with its outcome; `message` is the reply as dnspython reads it, None where there is none."""

    request: Request
    outcome: Outcome
    message: Message | None


Record = TypedDict("Record", {"name": str, "ttl": int, "class": str, "type": str, "data": str})
"""A record as JSON has it; `ttl` is in seconds, `data` in presentation form."""


def as_dig(report: Report) -> str:
    """The reply in the form of dig(1), empty where there is none."""
    message, outcome = report.message, report.outcome
    if message is None or outcome.reply is None:
        return ""
    blocks = [_header(message, outcome.reply.message)]
    if message.edns >= 0:
        blocks.append([";; OPT PSEUDOSECTION:", *_opt(message)])
    blocks.append([";; QUESTION SECTION:", *(f";{rrset.to_text()}" for rrset in message.question)])
    for title, rrsets in zip(SECTIONS[1:], message.sections[1:], strict=True):
        if rrsets:
            blocks.append([f";; {title} SECTION:", *(rrset.to_text() for rrset in rrsets)])
    blocks.append(_statistics(outcome, len(outcome.reply.message)))
    return "\n\n".join("\n".join(block) for block in blocks)


def as_short(report: Report) -> str:
    """The data of the answer's records, one per line, aliases before what they lead to."""
    return "\n".join(record["data"] for record in _records(report.message.answer if report.message else ()))


def as_json(report: Report) -> str:
    """One object. Its members are always the same; those about the reply are null or empty without one."""
    outcome, message = report.outcome, report.message
    reply = outcome.reply
    return json.dumps(
        {
            "name": outcome.question.qname,
            "type": report.request.rdtype,
            "class": report.request.rdclass,
            "status": message.rcode().name if message else outcome.status.name,
            "flags": _flags(reply.flags) if reply else [],
            "answers": list(_records(message.answer if message else ())),
            "authority": list(_records(message.authority if message else ())),
            "server": outcome.server or None,
            "transport": outcome.transport or None,
            "elapsed": round(outcome.elapsed, 6),
            "attempts": outcome.attempts,
            "size": len(reply.message) if reply else None,
            "ede": [{"code": code, "text": text} for code, text in outcome.ede],
        }
    )


def failure(report: Report, servers: Sequence[str]) -> str:
    """Why there are no records, in one sentence; `servers` are all that could be asked."""
    request, outcome = report.request, report.outcome
    if outcome.status is status.NXDOMAIN:
        return f"{request.name}: no such name (NXDOMAIN)"
    if outcome.status is status.NODATA:
        return f"{request.name}: no {request.rdtype} records"
    everyone = ", ".join(servers)
    times = "1 attempt" if outcome.attempts == 1 else f"{outcome.attempts} attempts"
    if outcome.status is status.TIMEOUT:
        said = f"{everyone} did not answer within {outcome.elapsed:.1f} s ({times})"
    elif outcome.status is status.UNREACHABLE:
        said = f"{everyone} cannot be reached ({outcome.detail}; {times})"
    else:
        rcode = report.message.rcode().name if report.message else outcome.status.name
        said = f"{outcome.server} said {' '.join([rcode, *_extended_errors(outcome)])} ({times})"
    return f"no answer for {request.name} {request.rdtype}: {said}"


def _header(message: Message, wire: bytes) -> list[str]:
    counts = zip(SECTIONS, struct.unpack_from("!4H", wire, 4), strict=True)
    sections = ", ".join(f"{name}: {count}" for name, count in counts)
    return [
        f";; ->>HEADER<<- opcode: {message.opcode().name}, status: {message.rcode().name}, id: {message.id}",
        f";; flags: {' '.join(_flags(message.flags))}; {sections}",
    ]


def _flags(bits: int) -> list[str]:
    return [name for bit, name in FLAGS.items() if bits & bit]


def _opt(message: Message) -> Iterator[str]:
    do = " do" if message.ednsflags & 0x8000 else ""
    yield f"; EDNS: version: {message.edns}, flags:{do}; udp: {message.payload}"
    for option in message.options:
        yield f"; {option.to_text()}"


def _statistics(outcome: Outcome, size: int) -> list[str]:
    if not outcome.server:
        return [";; SERVER: none, as special-use names (RFC 6761) are answered on this host"]
    host, _, port = outcome.server.rpartition(":")
    host = host.strip("[]")
    return [
        f";; Query time: {outcome.elapsed * 1000:.0f} msec",
        f";; SERVER: {host}#{port}({host}) ({outcome.transport.upper()})",
        f";; MSG SIZE  rcvd: {size}",
    ]


def _extended_errors(outcome: Outcome) -> Iterator[str]:
    for code, text in outcome.ede:
        yield f"(EDE {code}: {text})" if text else f"(EDE {code})"


def _records(rrsets: Iterable[RRset]) -> Iterator[Record]:
    for rrset in rrsets:
        for rdata in rrset:
            yield {
                "name": rrset.name.to_text(),
                "ttl": rrset.ttl,
                "class": rrset.rdclass.name,
                "type": rrset.rdtype.name,
                "data": rdata.to_text(),
            }
