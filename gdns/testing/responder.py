"""What a test server sends for each query."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random

import dns.rcode
import dns.rdataclass
from greenlet import GreenletExit

from gdns.testing.contents import Rcode
from gdns.testing.faults import Exchange, Fault, Packet, Transport
from gdns.testing.handlers import NO_DATA, Handler, as_fault
from gdns.testing.log import Log, as_logged
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
        self.seed = 1
        self.handler: Handler | None = None
        self.handler_error: BaseException | None = None
        self._faults: dict[tuple[bytes | None, int | None], tuple[Fault, float]] = {}
        self._met: dict[tuple[bytes, int], int] = {}  # how often a question met a fault
        self._has_wildcards = False

    def clear(self) -> None:
        """Forget the log and the faults."""
        self.log.clear()
        self._faults.clear()
        self._met.clear()
        self.handler_error = None

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
        packets: Sequence[Packet] = (Packet(answer),)
        if self.handler is not None:
            packets, sections = self._ask_handler(self.handler, packets, query, sections, transport, port)
        fault = self._take_fault(query) if self._faults else None
        return self._spoil(fault, packets, query, sections, transport) if fault else packets

    def _ask_handler(
        self,
        handler: Handler,
        packets: Sequence[Packet],
        query: Query,
        sections: Sections,
        transport: Transport,
        port: int,
    ) -> tuple[Sequence[Packet], Sections]:
        """What the handler says is sent; SERVFAIL where it raises something, the first of which is kept."""
        try:
            word = handler(as_logged(query, transport, port))
            fault = as_fault(word, query.rdtype)
        except (GreenletExit, KeyboardInterrupt):  # meant for the hub, on whose stack we are
            raise
        except BaseException as error:  # `pytest.fail` is no Exception
            self.handler_error = self.handler_error or error
            fault = Rcode("SERVFAIL")
        if fault is None:
            return packets, sections
        if fault == NO_DATA:
            sections = self.zones.deny(dns.rcode.NOERROR, query.name)
            limit = query.payload if transport == "udp" else TCP_SIZE
            return (Packet(compose(query, sections, limit)),), sections
        return self._spoil(fault, packets, query, sections, transport), sections

    def _spoil(
        self,
        fault: Fault,
        packets: Sequence[Packet],
        query: Query,
        sections: Sections,
        transport: Transport,
    ) -> Sequence[Packet]:
        question = (query.name, query.rdtype)
        nth = self._met[question] = self._met.get(question, -1) + 1
        # of the question alone, so that chance is the same in whatever order questions come
        random = Random(b"%d/%d/%d/%b" % (self.seed, nth, query.rdtype, query.name))
        return fault.apply(packets, Exchange(query, sections, packets[0].wire, transport, nth, random))

    def set_fault(self, name: str | None, rdtype: str | None, fault: Fault, times: int | None) -> None:
        """Let a fault befall a name (None: all) and type (None: all) so many times (None: always).

        A name that begins with `*.` stands for all below the rest of it.
        """
        key = (None if name is None else name_key(name), None if rdtype is None else read_type(rdtype))
        self._faults[key] = (fault, math.inf if times is None else times)
        self._has_wildcards = any(key[0] is not None and key[0][:2] == b"\x01*" for key in self._faults)

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
        for name in self._scopes(query.name):
            for rdtype in (query.rdtype, None):
                if (name, rdtype) in self._faults:
                    fault, times = self._faults[name, rdtype]
                    if times == 1:
                        del self._faults[name, rdtype]
                    else:
                        self._faults[name, rdtype] = (fault, times - 1)
                    return fault
        return None

    def _scopes(self, name: bytes) -> Iterator[bytes | None]:
        """What faults for a name can be set for, most narrowly first."""
        yield name
        while self._has_wildcards and name != b"\0":
            name = name[name[0] + 1 :]
            yield b"\x01*" + name
        yield None
