"""What a function that answers for a test server may say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import dns.rdatatype

from gdns.testing.contents import Records
from gdns.testing.faults import Exchange, Fault, Packet
from gdns.testing.log import LoggedQuery
from gdns.testing.masterfile import read_type
from gdns.testing.sources import Values, data_of, record_lines

Word = Fault | bytes | str | Iterable[str] | Mapping[str, Values] | None
"""What comes in place of the zones' answer.

None is that answer; a `Fault` spoils it; bytes are the whole message, the id included, as it is sent. A dict
such as {"A": "192.0.2.7"} holds the records of the name asked for, of which those of the type asked for are
sent, or its CNAME; a type that is not in it is NODATA. A line, or lines, are records as in a master file, `@`
being the name asked for; no lines at all are NODATA.
"""

Handler = Callable[[LoggedQuery], Word]


@dataclass(frozen=True)
class _Message(Fault):
    """These very octets are sent."""

    wire: bytes

    def apply(self, packets: Sequence[Packet], exchange: Exchange) -> Sequence[Packet]:
        return [Packet(self.wire)]


NO_DATA = Records()  # no records of that type, but the SOA


def as_fault(word: Word, rdtype: int) -> Fault | None:
    """What a handler said of a question of that type, as something to do to the zones' answer.

    Raises TypeError or ValueError for what it cannot mean.
    """
    if word is None or isinstance(word, Fault):
        return word
    if isinstance(word, (bytes, bytearray)):
        return _Message(bytes(word))
    if isinstance(word, Mapping):
        return Records(*_lines_of(word, rdtype))
    if isinstance(word, str):
        return Records(word)
    if isinstance(word, Iterable):
        return Records(*record_lines(word))
    raise TypeError(f"a handler returns records, a fault, bytes or None, not {word!r}")


def _lines_of(rrsets: Mapping[str, Values], rdtype: int) -> list[str]:
    given = {read_type(text): values for text, values in rrsets.items()}
    if rdtype == dns.rdatatype.ANY:
        chosen = list(given)
    else:
        chosen = [kind for kind in (rdtype, int(dns.rdatatype.CNAME)) if kind in given][:1]
    return [
        f"@ {ttl} IN {dns.rdatatype.to_text(dns.rdatatype.RdataType.make(kind))} {value}"
        for kind in chosen
        for ttl, values in [data_of(given[kind])]
        for value in values
    ]
