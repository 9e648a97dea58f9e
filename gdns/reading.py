"""Reads replies into dnspython's messages without stopping the hub.

dnspython takes 20 to 50 us for a record, so up to 200 ms for the 4,000 that 64 KiB hold, in one piece. A big
message is therefore read record by record, as `dns.message.from_wire` does it and with the same result, and
the greenlet lets others run in between. Reading it in a thread would not help, because of the GIL; reading
it later, when somebody looks at the records, would only move the stop elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import cast

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset
import dns.wire
from dns.message import QueryMessage
from dns.name import Name
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

HEADER = 12  # octets
BIG = 64  # records; fewer are read in some 3 ms
SLICE = 0.004  # seconds of reading, after which others get their turn
RECORDS_PER_LOOK = 8  # at the clock
LONGEST_TTL = 0x7FFFFFFF  # seconds; what is beyond counts as 0 (RFC 2181, section 8)


def read_message(wire: bytes, pause: Callable[[], object] | None = None) -> QueryMessage:
    """What `dns.message.from_wire` makes of a reply to a query, and the exceptions that it raises.

    `pause` is called every few milliseconds while a big message is read; what it raises comes out.
    """
    if pause is None or sum(_counts(wire)) < BIG:
        return cast(QueryMessage, dns.message.from_wire(wire))
    message = cast(QueryMessage, dns.message.from_wire(wire, question_only=True))
    parser = dns.wire.Parser(wire)
    parser.seek(HEADER)
    for _ in message.question:
        _read_name(parser)
        parser.get_bytes(4)
    ends_at = monotonic() + SLICE
    sections = (message.answer, message.authority, message.additional)
    for section, count in zip(sections, _counts(wire), strict=True):
        for index in range(count):
            _read_record(message, section, parser, index == count - 1)
            if index % RECORDS_PER_LOOK == 0 and monotonic() > ends_at:
                pause()
                ends_at = monotonic() + SLICE
    if parser.remaining():
        raise dns.message.TrailingJunk
    return message


def respell(wire: bytes, qname: Name) -> bytes:
    """The message with the name in its question spelt as `qname`, where it is the same name.

    Records that point to that name, which is what servers do with the name asked for, follow.
    """
    spelling = qname.to_wire() or b""
    end = HEADER + len(spelling)
    spelt = wire[HEADER:end]
    if spelt == spelling or spelt.lower() != spelling.lower():
        return wire
    return wire[:HEADER] + spelling + wire[end:]


def question_name(wire: bytes) -> Name:
    """The name in a message's question, as it is spelt there."""
    return dns.name.from_wire(wire, HEADER)[0]


def respell_records(message: QueryMessage, spelt: Name | None, qname: Name) -> None:
    """Give `qname`'s spelling to its records where a server has written it out, instead of pointing to it.

    Only to those spelt as `spelt`, the name as another caller asked for it; None: however they are spelt, for
    the question went out in random case (0x20), which is nobody's.
    """
    if spelt is not None and spelt.labels == qname.labels:
        return
    for section in (message.answer, message.authority, message.additional):
        for rrset in section:
            if rrset.name == qname and (spelt is None or rrset.name.labels == spelt.labels):
                rrset.name = qname


def _counts(wire: bytes) -> tuple[int, int, int]:
    """How many records the header promises for each section (RFC 1035, section 4.1.1)."""
    return (
        int.from_bytes(wire[6:8], "big"),
        int.from_bytes(wire[8:10], "big"),
        int.from_bytes(wire[10:12], "big"),
    )


def _read_name(parser: dns.wire.Parser) -> Name:
    name, used = dns.name.from_wire(parser.wire, parser.current)
    parser.seek(parser.current + used)
    return name


def _read_record(
    message: QueryMessage, section: list[dns.rrset.RRset], parser: dns.wire.Parser, is_last: bool
) -> None:
    name = _read_name(parser)
    rdtype, rdclass, ttl, size = parser.get_struct("!HHIH")
    if rdtype == RdataType.OPT and (
        section is not message.additional or message.opt is not None or name != dns.name.root
    ):
        raise dns.message.BadEDNS
    if rdtype == RdataType.TSIG and (
        section is not message.additional or rdclass != RdataClass.ANY or not is_last
    ):
        raise dns.message.BadTSIG
    with parser.restrict_to(size):
        rdata = dns.rdata.from_wire_parser(rdclass, rdtype, parser)
    if rdtype == RdataType.TSIG:
        raise dns.message.UnknownTSIGKey("got signed message without keyring")  # type: ignore[no-untyped-call]
    if rdtype == RdataType.OPT:
        message.opt = dns.rrset.from_rdata(name, ttl, rdata)
        return
    rdtype, rdclass = RdataType.make(rdtype), RdataClass.make(rdclass)
    rrset = message.find_rrset(section, name, rdclass, rdtype, rdata.covers(), None, True)
    rrset.add(rdata, 0 if ttl > LONGEST_TTL else ttl)
