"""What a test server sends for each query."""

from __future__ import annotations

import math
from collections.abc import Sequence

import dns.rcode
import dns.rdataclass

from gdns.testing.faults import Exchange, Fault, Packet, Transport
from gdns.testing.log import Log
from gdns.testing.masterfile import read_type
from gdns.testing.messages import (
    OPCODE,
    RA,
    TCP_SIZE,
    FormatError,
    Query,
    Sections,
    compose,
    read_query,
    refuse_unread,
)
from gdns.testing.zones import Zones, name_key

_IN = int(dns.rdataclass.IN)
_NOT_IMPLEMENTED = Sections(dns.rcode.NOTIMP, RA)
_BAD_VERSION = Sections(dns.rcode.BADVERS, RA)
_REFUSED = Sections(dns.rcode.REFUSED, RA)


class Responder:
    """Answers from its zones, spoilt by the faults that were set, once the log has noted the query."""

    def __init__(self) -> None:
        self.zones = Zones()
        self.log = Log()
        self._faults: dict[tuple[bytes | None, int | None], tuple[Fault, float]] = {}

    def clear(self) -> None:
        """Forget the log and the faults."""
        self.log.clear()
        self._faults.clear()

    def respond(self, wire: bytes, transport: Transport, port: int) -> Sequence[Packet]:
        """The packets for a client at that port."""
        try:
            query = read_query(wire)
        except FormatError:
            return (Packet(refuse_unread(wire)),)
        if query is None:
            return ()
        self.log.append(query, transport, port)
        sections = self._sections(query)
        answer = compose(query, sections, query.payload if transport == "udp" else TCP_SIZE)
        packets = (Packet(answer),)
        fault = self._take_fault(query) if self._faults else None
        return fault.apply(packets, Exchange(query, sections, answer, transport)) if fault else packets

    def set_fault(self, name: str | None, rdtype: str | None, fault: Fault, times: int | None) -> None:
        """Let a fault befall a name (None: all) and type (None: all) so many times (None: always)."""
        key = (None if name is None else name_key(name), None if rdtype is None else read_type(rdtype))
        self._faults[key] = (fault, math.inf if times is None else times)

    def heal(self, name: str | None) -> None:
        """Lift the faults set for that name; None: all there are."""
        healed = None if name is None else name_key(name)
        for key in list(self._faults):
            if name is None or key[0] == healed:
                del self._faults[key]

    def _sections(self, query: Query) -> Sections:
        if query.flags & OPCODE:
            return _NOT_IMPLEMENTED
        if query.version:
            return _BAD_VERSION
        if query.rdclass != _IN:
            return _REFUSED
        return self.zones.find(query.name, query.rdtype)

    def _take_fault(self, query: Query) -> Fault | None:
        """The fault set for this question most narrowly; it may be its last time."""
        for name, rdtype in (
            (query.name, query.rdtype),
            (query.name, None),
            (None, query.rdtype),
            (None, None),
        ):
            if (name, rdtype) in self._faults:
                fault, times = self._faults[name, rdtype]
                if times == 1:
                    del self._faults[name, rdtype]
                else:
                    self._faults[name, rdtype] = (fault, times - 1)
                return fault
        return None
