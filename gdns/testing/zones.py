"""The records of the test server, found the way an authoritative server finds them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import dns.name
import dns.rcode
import dns.rdata
import dns.rdataset
import dns.rdatatype

from gdns.testing.masterfile import Record, read_file, read_line, read_name, read_type
from gdns.testing.messages import RA, Sections
from gdns.testing.sources import DEFAULT_TTL

MAX_CHAIN = 16  # CNAMEs followed from one question

_ANY, _CNAME, _SOA = int(dns.rdatatype.ANY), int(dns.rdatatype.CNAME), int(dns.rdatatype.SOA)
_ROOT = b"\0"
_WILDCARD = b"\x01*"
_QNAME = b"\xc0\x0c"  # a pointer to the question, which follows the header in every reply
_OUTSIDE = Sections(dns.rcode.REFUSED, RA)


class Zones:
    """Zones by name; those given as bytes are in wire form, lower-cased. A zone is what lies below an SOA."""

    def __init__(self) -> None:
        self._nodes: dict[bytes, dict[int, dns.rdataset.Rdataset]] = {}
        self._changed()

    def clear(self) -> None:
        """Forget all zones."""
        self._nodes.clear()
        self._changed()

    def load(self, path: Path) -> None:
        """Add the zone in a file. Raises ValueError or OSError as `read_file` does."""
        origin, records = read_file(path)
        for record in records:
            self._merge(record)
        self.found(str(origin))

    def add(self, lines: Iterable[str]) -> None:
        """Add records written as in a master file: owner, TTL (or 300 seconds), type, data.

        A record in no zone founds one at its top label: `www.example. A 192.0.2.1` also says that no other
        name in `example.` exists. Raises ValueError with the line at fault, before anything is added.
        """
        records = [record for line in lines if (record := read_line(line))]
        for record in sorted(records, key=lambda record: record.rdata.rdtype != _SOA):
            self._merge(record)
            if self._apex(_key(record.name)) is None:
                self.found(str(record.name.split(min(2, len(record.name)))[1]))

    def found(self, origin: str) -> None:
        """Make a zone if there is none yet, holding just an SOA."""
        name = read_name(origin)
        if _SOA not in self._nodes.get(_key(name), {}):
            text = f"{name} hostmaster.{'' if name == dns.name.root else name} 1 3600 600 86400 60"
            self._merge(Record(name, DEFAULT_TTL, dns.rdata.from_text("IN", "SOA", text)))

    def remove(self, name: str, rdtype: str | None = None) -> None:
        """Take out a name's records, or those of one type; ValueError if there are none."""
        key = name_key(name)
        node = self._nodes.get(key, {})
        doomed = None if rdtype is None else read_type(rdtype)
        kept = {kind: rdataset for kind, rdataset in node.items() if doomed not in (None, kind)}
        if len(kept) == len(node):
            raise ValueError(f"{name} has no record" + (f" of type {rdtype}" if rdtype else ""))
        if kept:
            self._nodes[key] = kept
        else:
            del self._nodes[key]
        self._changed()

    def rrsets(self) -> list[tuple[str, str, int]]:
        """Name, type and size of all record sets, in order; a wildcard's name begins with `*`."""
        return sorted(
            (dns.name.from_wire(key, 0)[0].to_text(), dns.rdatatype.to_text(rdataset.rdtype), len(rdataset))
            for key, node in self._nodes.items()
            for rdataset in node.values()
        )

    def find(self, qname: bytes, rdtype: int) -> Sections:
        """The answer to a question of class IN; its bytes are kept for the next who asks."""
        source = self._source(qname)
        if source is None:
            return self.deny(dns.rcode.NXDOMAIN, qname)
        sections = self._rendered.get((source, rdtype))
        if sections is None:
            sections = self._rendered[source, rdtype] = self._render(_QNAME, source, rdtype, ())
        return sections

    def _merge(self, record: Record) -> None:
        name, ttl, rdata = record
        node = self._nodes.setdefault(_key(name), {})
        if rdata.rdtype not in node:
            node[rdata.rdtype] = dns.rdataset.Rdataset(rdata.rdclass, rdata.rdtype)
        node[rdata.rdtype].add(rdata, ttl)
        self._changed()

    def _changed(self) -> None:
        """Drop what was worked out from the records."""
        self._names: set[bytes] | None = None
        self._rendered: dict[tuple[bytes, int], Sections] = {}
        self._denials: dict[tuple[bytes, int], Sections] = {}

    def _source(self, qname: bytes) -> bytes | None:
        """Whose records answer for a name: its own, a wildcard's (RFC 4592, section 3.3.1) or nobody's."""
        if self._names is None:
            self._names = self._existing()
        encloser = qname
        while encloser not in self._names:
            if encloser == _ROOT:
                return None
            encloser = _parent(encloser)
        if encloser == qname:
            return qname
        wildcard = _WILDCARD + encloser
        return wildcard if wildcard in self._nodes else None

    def _existing(self) -> set[bytes]:
        """The names that exist: owners of records, with the empty ones between them and their apex."""
        names: set[bytes] = set()
        for name in self._nodes:
            apex = self._apex(name)
            while apex is not None and name not in names:
                names.add(name)
                if name != apex:
                    name = _parent(name)
        return names

    def _apex(self, name: bytes) -> bytes | None:
        while _SOA not in self._nodes.get(name, ()):
            if name == _ROOT:
                return None
            name = _parent(name)
        return name

    def _render(self, owner: bytes, source: bytes, rdtype: int, passed: tuple[bytes, ...]) -> Sections:
        """The records that `source` has for `owner`, with those at the end of its CNAMEs, `passed` so far."""
        node = self._nodes.get(source, {})
        if _CNAME in node and rdtype not in (_CNAME, _ANY):
            cname = node[_CNAME]
            rest = self._follow(cname[0].target, rdtype, passed)
            records = b"".join([*_records(owner, cname, cname.ttl), rest.records])
            return rest._replace(answers=rest.answers + 1, records=records)
        rdatasets = node.values() if rdtype == _ANY else [node[rdtype]] if rdtype in node else []
        found = [record for rdataset in rdatasets for record in _records(owner, rdataset, rdataset.ttl)]
        if not found:
            return self.deny(dns.rcode.NOERROR, source)
        return Sections(dns.rcode.NOERROR, answers=len(found), records=b"".join(found))

    def _follow(self, target: dns.name.Name, rdtype: int, passed: tuple[bytes, ...]) -> Sections:
        """What a CNAME's target adds: nothing if it leads back, too far or out of our zones."""
        name = _key(target)
        if self._apex(name) is None or name in passed or len(passed) == MAX_CHAIN:
            return Sections(dns.rcode.NOERROR)
        source = self._source(name)
        if source is None:
            return self.deny(dns.rcode.NXDOMAIN, name)  # the rcode is that of the last name (RFC 6604)
        owner = target.to_wire()  # in the case it is written in
        assert owner is not None
        return self._render(owner, source, rdtype, (*passed, name))

    def deny(self, rcode: int, name: bytes) -> Sections:
        """A negative answer with the SOA of the zone that `name` is in (RFC 2308, section 3), if any."""
        apex = self._apex(name)
        if apex is None:
            return _OUTSIDE
        sections = self._denials.get((apex, rcode))
        if sections is None:
            soa = self._nodes[apex][_SOA]
            records = _records(apex, soa, min(soa.ttl, soa[0].minimum))
            sections = Sections(rcode, authorities=1, records=b"".join(records))
            self._denials[apex, rcode] = sections
        return sections


def name_key(text: str) -> bytes:
    """A name as `Zones.find` takes it, from its presentation form; ValueError if it is none."""
    return _key(read_name(text))


def _key(name: dns.name.Name) -> bytes:
    return name.to_digestable()


def _parent(name: bytes) -> bytes:
    return name[name[0] + 1 :]


def _records(owner: bytes, rdataset: dns.rdataset.Rdataset, ttl: int) -> list[bytes]:
    """The records in wire form (RFC 1035, section 4.1.3), no name in their data compressed."""
    head = owner + struct.pack("!HHI", rdataset.rdtype, rdataset.rdclass, ttl)
    return [head + len(wire).to_bytes(2) + wire for wire in (rdata.to_wire() for rdata in rdataset)]
