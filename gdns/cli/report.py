"""Says what a lookup brought: as bare data, as JSON, in one sentence; `digform` does in dig's form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from gdns import outcome as status
from gdns.cli.paint import Paint, printable

if TYPE_CHECKING:
    from dns.message import Message
    from dns.rrset import RRset

    from gdns.cli.grammar import Request
    from gdns.outcome import Outcome

# RFC 1035 section 4.1.1, RFC 4035 section 3, in the order of dig
FLAGS = {0x8000: "qr", 0x400: "aa", 0x200: "tc", 0x100: "rd", 0x80: "ra", 0x20: "ad", 0x10: "cd"}


@dataclass(frozen=True, slots=True)
class Report:
    """A request with its outcome; `message` is the reply as dnspython reads it, None where there is none.

    `words` are those of the command line.
    """

    request: Request
    outcome: Outcome
    message: Message | None
    words: Sequence[str] = ()


Record = TypedDict("Record", {"name": str, "ttl": int, "class": str, "type": str, "data": str})
"""A record as JSON has it; `ttl` is in seconds, `data` in presentation form."""


def flag_names(bits: int) -> list[str]:
    """Those of the flags in a header that are set."""
    return [name for bit, name in FLAGS.items() if bits & bit]


def as_short(report: Report, paint: Paint | None = None) -> str:
    """The data of the answer's records, one per line, aliases before what they lead to."""
    outcome, paint = report.outcome, paint or Paint()
    said_by = ""
    if report.request.shown.identify and outcome.server:
        host = outcome.server.rpartition(":")[0].strip("[]")
        said_by = f" from server {host} in {outcome.elapsed * 1000:.0f} ms."
    records = _records(report.message.answer if report.message else ())
    return "\n".join(paint("data", record["data"]) + said_by for record in records)


def as_json(report: Report, paint: Paint | None = None) -> str:
    """One object. Its members are always the same; those about the reply are null or empty without one."""
    outcome, message = report.outcome, report.message
    reply = outcome.reply
    return json.dumps(
        {
            "name": outcome.question.qname,
            "type": report.request.rdtype,
            "class": report.request.rdclass,
            "status": message.rcode().name if message else outcome.status.name,
            "flags": flag_names(reply.flags) if reply else [],
            "answers": list(_records(message.answer if message else ())),
            "authority": list(_records(message.authority if message else ())),
            "additional": list(_records(message.additional if message else ())),
            "server": outcome.server or None,
            "transport": outcome.transport or None,
            "elapsed": round(outcome.elapsed, 6),
            "attempts": outcome.attempts,
            "size": len(reply.message) if reply else None,
            "ede": [{"code": code, "text": text} for code, text in outcome.ede],
        }
    )


def failure(report: Report, servers: Sequence[str]) -> str:
    """Why there is no answer, in one sentence, and what to do next; `servers` are all that could be asked."""
    request, outcome = report.request, report.outcome
    name = printable(request.name)
    if outcome.status is status.NXDOMAIN and name.endswith((".in-addr.arpa.", ".ip6.arpa.")):
        return f"{name}: no such name (NXDOMAIN); the hosts file may know the address: see `getent hosts`"
    if outcome.status is status.NXDOMAIN:
        return f"{name}: no such name (NXDOMAIN); `gdns explain` shows what else the system would try"
    if outcome.status is status.NODATA:
        return f"{name}: no {request.rdtype} records; ask for another type with -t"
    everyone = ", ".join(servers)
    times = "1 attempt" if outcome.attempts == 1 else f"{outcome.attempts} attempts"
    if outcome.status is status.TIMEOUT:
        said = f"{everyone} did not answer within {outcome.elapsed:.1f} s ({times})"
        todo = "try --tcp or another @server; `gdns doctor` shows who answers"
    elif outcome.status is status.UNREACHABLE:
        said = f"{everyone} cannot be reached ({outcome.detail}; {times})"
        todo = "check address and port; `gdns doctor` shows who answers"
    else:
        rcode = report.message.rcode().name if report.message else outcome.status.name
        said = f"{outcome.server} said {' '.join([rcode, *_extended_errors(outcome)])} ({times})"
        todo = "ask another @server; `gdns doctor` shows how each is doing"
    return f"no answer for {name} {request.rdtype}: {said}; {todo}"


def _extended_errors(outcome: Outcome) -> Iterator[str]:
    for code, text in outcome.ede:
        yield f"(EDE {code}: {printable(text)})" if text else f"(EDE {code})"


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
