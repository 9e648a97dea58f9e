"""The numbers of the record types that gdns knows by name (RFC 1035, section 3.2.2).

dnspython knows all of them; these are for where it is not loaded.
"""

from __future__ import annotations

A = 1
NS = 2
PTR = 12
AAAA = 28

NUMBERS = {
    "A": A,
    "NS": NS,
    "CNAME": 5,
    "SOA": 6,
    "PTR": PTR,
    "MX": 15,
    "TXT": 16,
    "AAAA": AAAA,
    "SRV": 33,
    "NAPTR": 35,
    "DNAME": 39,
    "DS": 43,
    "DNSKEY": 48,
    "SVCB": 64,
    "HTTPS": 65,
    "SPF": 99,
    "CAA": 257,
}
"""Those that are asked for often."""

NAMES = {number: name for name, number in NUMBERS.items()}


def short_text(rdtype: int) -> str:
    """The name of a type that is asked for often, or TYPE with its number (RFC 3597, section 5).

    >>> short_text(28), short_text(300)
    ('AAAA', 'TYPE300')
    """
    return NAMES.get(rdtype, f"TYPE{rdtype}")
