"""Prints a reply in the form of dig(1), to the letter."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from gdns._version import __version__
from gdns.cli.paint import Paint, printable
from gdns.cli.report import Report, flag_names

if TYPE_CHECKING:
    from dns.message import Message
    from dns.rdata import Rdata
    from dns.rrset import RRset

    from gdns.cli.grammar import Shown
    from gdns.outcome import Outcome

SECTIONS = ("QUERY", "ANSWER", "AUTHORITY", "ADDITIONAL")
TAB = 8
UNITS = (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))  # as zone files write TTLs
_SOA = 6
_SOA_TIMES = ("refresh", "retry", "expire", "minimum")


def as_dig(report: Report, paint: Paint | None = None) -> str:
    """The reply in the form of dig(1), empty where there is none."""
    message, outcome, shown = report.message, report.outcome, report.request.shown
    if message is None or outcome.reply is None:
        return ""
    paint = paint or Paint()
    text = ""
    if shown.cmd:
        words = printable(" ".join(report.words))
        text += "\n" + paint("comment", f"; <<>> gdns {__version__} <<>> {words}".rstrip()) + "\n"
    if shown.comments:
        text += _header(message, outcome.reply.message, paint) + "\n"
        if message.edns >= 0:
            opt = [";; OPT PSEUDOSECTION:", *_opt(message)]
            text += "".join(f"{paint('comment', line)}\n" for line in opt)
    if shown.question:
        questions = [_question(rrset, shown, paint) for rrset in message.question]
        text += _section("QUESTION", questions, shown, paint)
    for title, rrsets in zip(SECTIONS[1:], message.sections[1:], strict=True):
        if rrsets and getattr(shown, title.lower()):
            lines = [_record(rrset, rdata, shown, paint) for rrset in rrsets for rdata in rrset]
            text += _section(title, lines, shown, paint)
    if shown.stats:
        lines = _statistics(outcome, len(outcome.reply.message))
        text += "".join(f"{paint('comment', line)}\n" for line in lines)
        text += "\n" if shown.comments else ""
    return text.removesuffix("\n")


def _section(title: str, lines: Sequence[str], shown: Shown, paint: Paint) -> str:
    body = "".join(f"{line}\n" for line in lines)
    return paint("comment", f";; {title} SECTION:") + f"\n{body}\n" if shown.comments else body


def _header(message: Message, wire: bytes, paint: Paint) -> str:
    counts = zip(SECTIONS, struct.unpack_from("!4H", wire, 4), strict=True)
    sections = ", ".join(f"{name}: {count}" for name, count in counts)
    rcode = message.rcode().name
    flags = " ".join(["", *flag_names(message.flags)])
    lines = [
        paint("comment", ";; Got answer:"),
        paint("comment", f";; ->>HEADER<<- opcode: {message.opcode().name}, status: ")
        + paint("good" if rcode == "NOERROR" else "bad", rcode)
        + paint("comment", f", id: {message.id}"),
        paint("comment", f";; flags:{flags}; {sections}"),
    ]
    return "\n".join(lines) + "\n"


def _opt(message: Message) -> Iterator[str]:
    from dns.edns import GenericOption

    do = " do" if message.ednsflags & 0x8000 else ""
    yield f"; EDNS: version: {message.edns}, flags:{do}; udp: {message.payload}"
    for option in message.options:
        wire = option.to_wire() or b""
        match int(option.otype):
            case 3:  # RFC 5001
                yield f"; NSID{_octets(wire)}"
            case 8:  # RFC 7871
                words = option.to_text().split()
                yield f"; CLIENT-SUBNET: {words[1]}/{words[2].removeprefix('scope/')}"
            case 10:  # RFC 7873; the lane has compared it with ours
                yield f"; COOKIE: {wire.hex()} (good)"
            case 15:  # RFC 8914
                code, text = int.from_bytes(wire[:2]), wire[2:].decode("utf-8", "replace").rstrip("\0")
                yield f"; EDE: {code}{_ede_name(code)}{f': ({printable(text)})' if text else ''}"
            case number if type(option) is GenericOption:
                yield f"; OPT={number}{_octets(wire)}"
            case _:
                yield f"; {printable(option.to_text())}"


def _octets(wire: bytes) -> str:
    """Octets as dig shows those of an option: as numbers, and as letters where they are any."""
    letters = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in wire)
    return f': {wire.hex(" ")} ("{letters}")' if wire else ""


def _ede_name(code: int) -> str:
    from dns.edns import EDECode

    name = EDECode(code).name  # its number where dnspython knows none
    return "" if name.isdigit() else f" ({name.replace('_', ' ').title().replace('Dnssec', 'DNSSEC')})"


# Where the columns begin, as dig has them: TTL, class, type, data
def _columns(shown: Shown) -> tuple[int, int, int, int]:
    if shown.multiline or not (shown.ttl or shown.rdclass):
        return 24, 24, 24, 32
    if not (shown.ttl and shown.rdclass):
        return 24, 24, 32, 40
    return 24, 32, 40, 48


def _line(cells: Iterable[tuple[int, str, str]], paint: Paint) -> str:
    """Cells, each with the column it begins in and its kind, with tabs and blanks between them."""
    line, at = "", 0
    for column, kind, cell in cells:
        if line:
            column = max(column, at + 1)
            tabs = column // TAB - at // TAB
            line += "\t" * tabs + " " * (column % TAB if tabs else column - at)
            at = column
        line += paint(kind, cell)
        at += len(cell)
    return line


def _question(rrset: RRset, shown: Shown, paint: Paint) -> str:
    _, class_column, type_column, _ = _columns(shown)
    cells = [(0, "name", rrset.name.to_text()), (class_column, "comment", rrset.rdclass.name)]
    return paint("name", ";") + _line([*cells, (type_column, "type", rrset.rdtype.name)], paint)


def _record(rrset: RRset, rdata: Rdata, shown: Shown, paint: Paint) -> str:
    ttl_column, class_column, type_column, data_column = _columns(shown)
    if not shown.rdclass or not shown.ttl:
        class_column = 24
    cells = [(0, "name", rrset.name.to_text())]
    if shown.ttl:
        ttl = int(rrset.ttl)
        cells.append((ttl_column, "comment", ttl_in_units(ttl) if shown.ttl_units else str(ttl)))
    if shown.rdclass:
        cells.append((class_column, "comment", rrset.rdclass.name))
    cells.append((type_column, "type", rrset.rdtype.name))
    is_tall = shown.multiline and int(rrset.rdtype) == _SOA
    cells.append((data_column, "data", _tall_soa(rdata) if is_tall else rdata.to_text()))
    return _line(cells, paint)


def ttl_in_units(seconds: int) -> str:
    """Seconds as a zone file may write them.

    >>> ttl_in_units(5400), ttl_in_units(0)
    ('1h30m', '0s')
    """
    text = ""
    for unit, size in UNITS:
        if seconds >= size:
            text += f"{seconds // size}{unit}"
            seconds %= size
    return text or "0s"


def _spelt_out(seconds: int) -> str:
    names = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}
    parts = []
    for unit, size in UNITS:
        if seconds >= size:
            number = seconds // size
            parts.append(f"{number} {names[unit]}{'s' if number > 1 else ''}")
            seconds %= size
    return " ".join(parts) or "0 seconds"


def _tall_soa(rdata: Rdata) -> str:
    mname, rname, serial, *times = rdata.to_text().split()
    indent = "\t" * 4
    lines = [f"{mname} {rname} (", f"{indent}{serial:<10} ; serial"]
    for name, seconds in zip(_SOA_TIMES, times, strict=True):
        lines.append(f"{indent}{seconds:<10} ; {name} ({_spelt_out(int(seconds))})")
    return "\n".join([*lines, f"{indent})"])


def _statistics(outcome: Outcome, size: int) -> list[str]:
    if not outcome.server:
        return [";; SERVER: none, as special-use names (RFC 6761) are answered on this host"]
    host, _, port = outcome.server.rpartition(":")
    host = host.strip("[]")
    return [
        f";; Query time: {outcome.elapsed * 1000:.0f} msec",
        f";; SERVER: {host}#{port}({host}) ({outcome.transport.upper()})",
        f";; WHEN: {time.strftime('%a %b %d %H:%M:%S %Z %Y')}",
        f";; MSG SIZE  rcvd: {size}",
    ]
