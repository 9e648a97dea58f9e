"""Reads records and names as master files write them (RFC 1035, section 5)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
import dns.tokenizer
import dns.ttl
import dns.zone

from gdns.testing.sources import DEFAULT_TTL, EXAMPLE


class Record(NamedTuple):
    """A resource record of class IN."""

    name: dns.name.Name
    ttl: int
    rdata: dns.rdata.Rdata


def read_file(path: Path) -> tuple[dns.name.Name, list[Record]]:
    """The origin of a zone file, with its records.

    The first $ORIGIN says what the origin is, or else the file's name: `example.zone` is that of `example.`.
    Raises ValueError with dnspython's text, which names the line; OSError.
    """
    try:
        try:
            zone = dns.zone.from_file(str(path), relativize=False, check_origin=False)
        except dns.zone.UnknownOrigin:
            origin = path.name.removesuffix(".zone")
            zone = dns.zone.from_file(str(path), origin, relativize=False, check_origin=False)
    except (dns.exception.DNSException, ValueError) as error:
        text = str(error)
        raise ValueError(text if str(path) in text else f"{path}: {text}") from None
    assert zone.origin is not None
    return zone.origin, [Record(*record) for record in zone.iterate_rdatas()]


def read_line(line: str, origin: dns.name.Name = dns.name.root) -> Record | None:
    """A record: owner, TTL (else 300 seconds) and class in any order or not at all, type, data.

    Names without a final dot lie below `origin`, which `@` stands for. None for an empty line or a
    comment. Raises ValueError with the line, which part of it is wrong, and dnspython's text.
    """
    tokens = dns.tokenizer.Tokenizer(line)
    word, part = line, "name"
    try:
        owner = tokens.get()
        if owner.is_eol_or_eof():
            return None
        name = tokens.as_name(owner, origin)
        ttl = DEFAULT_TTL
        part = "TTL"
        while (word := tokens.get().value)[:1].isdigit() or word.upper() == "IN":
            if word[:1].isdigit():
                ttl = dns.ttl.from_text(word)
        part = "type"
        rdtype = dns.rdatatype.from_text(word)
        part = f"data for the type {word}"
        return Record(name, ttl, dns.rdata.from_text("IN", rdtype, tokens, origin, relativize=False))
    except (dns.exception.DNSException, ValueError) as error:
        what = f"the {part} is wrong ({str(error).rstrip('.')})" if word.strip() else "there is no type"
        raise ValueError(f"{line!r}: {what}; write it like {EXAMPLE!r}") from None


def read_name(text: str) -> dns.name.Name:
    """A name, absolute with or without the final dot. Raises ValueError if it is none."""
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{text!r} is no name: {error}") from None


def read_type(text: str) -> int:
    """The number of a type such as "AAAA" or "TYPE65280". Raises ValueError if there is none."""
    try:
        return int(dns.rdatatype.RdataType.make(text))
    except (dns.exception.DNSException, ValueError, TypeError) as error:
        raise ValueError(f"{text!r} is no record type: {error}") from None
