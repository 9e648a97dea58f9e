"""The queries a test server has seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

import dns.rdatatype

from gdns.testing.faults import Transport
from gdns.testing.messages import Query, name_text, read_query

KEPT = 1_000_000  # of the latest queries, some 200 octets each


@cache
def _type_text(rdtype: int) -> str:
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rdtype))


class LoggedQuery(NamedTuple):
    """A query as it came."""

    name: str
    """Absolute, in lower case."""
    rdtype: str
    transport: Transport
    port: int
    """The client's."""
    id: int
    edns: bool
    flags: int
    """The second word of the header (RFC 1035, section 4.1.1)."""
    qname: str
    """The name in the case it was asked in."""


def as_logged(query: Query, transport: Transport, port: int) -> LoggedQuery:
    """A query from that port, as it is shown to people."""
    qname = name_text(query.question)
    return LoggedQuery(
        name=qname.lower(),
        rdtype=_type_text(query.rdtype),
        transport=transport,
        port=port,
        id=query.id,
        edns=bool(query.opt),
        flags=query.flags,
        qname=qname,
    )


class Log:
    """Keeps queries as bytes, which costs next to nothing, and reads them when asked about them."""

    def __init__(self) -> None:
        self._kept: deque[tuple[bytes, Transport, int]] = deque(maxlen=KEPT)
        self.count = 0

    def append(self, query: Query, transport: Transport, port: int) -> None:
        """Note a query from that port."""
        self._kept.append((query.wire, transport, port))
        self.count += 1

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self.count = 0

    def count_of(self, name: bytes | None) -> int:
        """How many queries came (None), or how many are kept that ask for a name in lower-cased wire form."""
        if name is None:
            return self.count
        return sum(wire[12 : 12 + len(name)].lower() == name for wire, _, _ in self._kept)

    def __iter__(self) -> Iterator[LoggedQuery]:
        return iter(self.after(0))

    def after(self, seen: int) -> list[LoggedQuery]:
        """Those that are kept and came after so many had come."""
        forgotten = self.count - len(self._kept)
        found = []
        for wire, transport, port in islice(self._kept, max(0, seen - forgotten), None):
            query = read_query(wire)
            assert query is not None
            found.append(as_logged(query, transport, port))
        return found
