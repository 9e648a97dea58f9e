"""Reads IP addresses into numbers that can be compared."""

from typing import final

@final
class Address:
    """An address as two numbers of 64 bits; IPv4 is mapped into IPv6."""

    @property
    def is_ipv6(self) -> bool: ...
    @property
    def high(self) -> int: ...
    @property
    def low(self) -> int: ...

def parse(text: str) -> Address:
    """Read an address as inet_pton(3) does; what is behind a `%` is left out.

    Raises OSError for another text.
    """

def distance(first: Address, second: Address) -> int:
    """How many bits of two addresses follow their common prefix."""
