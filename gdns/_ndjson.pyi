"""Writes outcomes as lines of JSON, in the fields of zdns."""

from typing import final

from gdns.many import Many

@final
class Writer:
    """Lines that wait to be written."""

    def __new__(cls) -> Writer: ...
    @property
    def counts(self) -> dict[str, int]:
        """How many outcomes had which status, in zdns' words."""

    def __len__(self) -> int:
        """How many octets wait."""

    def take(self) -> bytes:
        """What waits, which is forgotten."""

    def drain(self, many: Many, timestamp: str) -> int:
        """Write all outcomes that have landed, as of `timestamp`; say how many.

        The item of each `ask` is the name as it was given, a str.
        """

def rdtype_text(number: int) -> str:
    """The name of a record type, or TYPE and its number (RFC 3597)."""

def rdata_text(rdclass: int, rdtype: int, message: bytes, at: int, size: int) -> str:
    """The presentation form of a record's data; generic (RFC 3597) where dnspython cannot read it."""
