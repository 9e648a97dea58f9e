"""Faults of servers that get EDNS (RFC 6891) or DNS cookies (RFC 7873) wrong; cookies done right, too."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import dns.rcode

from gdns.testing.faults import Exchange, Fault, Packet
from gdns.testing.messages import COOKIE, RA, TCP_SIZE, Query, Sections, compose

Breakage = Literal[
    "FORMERR", "NOTIMP", "SERVFAIL", "REFUSED", "BADVERS", "silent", "strip", "duplicate", "garbage"
]
CookieManners = Literal["required", "offered", "badcookie", "missing", "foreign", "short", "long"]

_OPT = 11  # octets of a bare OPT record


@dataclass(frozen=True)
class BrokenEdns(Fault):
    """What an old server or a middlebox does to queries with EDNS; others are answered as they should be.

    An rcode such as "FORMERR" comes bare, without an OPT record ("BADVERS", which cannot, with one); "silent"
    drops the query; "strip" answers as if there had been no OPT; "duplicate" answers with two OPT records,
    "garbage" with one whose option runs past its end, both of which are format errors.
    """

    how: Breakage = "FORMERR"

    def __post_init__(self) -> None:
        if self.how not in get_args(Breakage):
            raise ValueError(f"no such way to break EDNS: {self.how!r}")

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        query, sections = exchange.query, exchange.sections
        if not query.opt or self.how == "silent":
            return () if query.opt else packets
        limit = query.payload if exchange.transport == "udp" else TCP_SIZE
        if self.how == "strip":
            wire = compose(query._replace(opt=b""), sections, limit)
        elif self.how == "duplicate":
            wire = compose(query, sections, limit)
            wire = wire[:10] + b"\x00\x02" + wire[12:] + wire[-_OPT:]
        elif self.how == "garbage":
            wire = _with_option(query, sections, COOKIE, b"", claims=40)
        elif self.how == "BADVERS":
            wire = compose(query, Sections(dns.rcode.BADVERS, RA))
        else:
            wire = compose(query._replace(opt=b""), Sections(dns.rcode.from_text(self.how), RA))
        return [packet._replace(wire=wire) for packet in packets]


@dataclass(frozen=True)
class Cookies(Fault):
    """How a server deals with the cookies of those who send one; others are answered as they should be.

    "required": BADCOOKIE with a server cookie until that one comes back (RFC 7873, section 5.2.3);
    "offered": always answered, with a server cookie; "badcookie": BADCOOKIE, whatever comes;
    "missing": answered without one; "foreign": with one for another client, as a spoofer would;
    "short", "long": with one that is too short, or too long, to be valid.
    """

    manners: CookieManners = "required"

    def __post_init__(self) -> None:
        if self.manners not in get_args(CookieManners):
            raise ValueError(f"no such way to treat cookies: {self.manners!r}")

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        query, sections = exchange.query, exchange.sections
        sent = query.cookie
        if not sent or self.manners == "missing":
            return packets
        client = sent[:8]
        cookie = client + _server_cookie(client)
        if self.manners == "badcookie" or (self.manners == "required" and sent != cookie):
            sections = Sections(dns.rcode.BADCOOKIE, RA)
        elif self.manners == "foreign":
            cookie = bytes(octet ^ 0xFF for octet in client) + cookie[8:]
        elif self.manners == "short":
            cookie = client[:4]
        elif self.manners == "long":
            cookie += bytes(32)
        wire = _with_option(query, sections, COOKIE, cookie)
        return [packet._replace(wire=wire) for packet in packets]


def _server_cookie(client: bytes) -> bytes:
    """What only we can have given to this client; all are on loopback, so no address goes in."""
    return hashlib.blake2s(client, key=b"gdns.testing", digest_size=16).digest()


def _with_option(query: Query, sections: Sections, code: int, data: bytes, claims: int = -1) -> bytes:
    """The reply with an option in its OPT record, which is its last."""
    option = code.to_bytes(2) + (len(data) if claims < 0 else claims).to_bytes(2) + data
    wire = compose(query, sections)
    return wire[:-2] + len(option).to_bytes(2) + option


broken_edns = BrokenEdns
cookies = Cookies
