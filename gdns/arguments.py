"""The arguments of the socket module's functions as the C library gets them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from operator import index
from socket import gethostname
from typing import NamedTuple

from gdns.names import encode_idna


class Hints(NamedTuple):
    """The hints of getaddrinfo(3) as plain integers."""

    family: int
    type: int
    proto: int
    flags: int


@lru_cache(maxsize=256, typed=True)
def _known_hints(family: int, type: int, proto: int, flags: int) -> Hints:
    return Hints(c_int(family), c_int(type), c_int(proto), c_int(flags))


def hints_of(family: int, type: int, proto: int, flags: int) -> Hints:
    """The hints as C gets them. Raises TypeError and OverflowError with the interpreter's texts."""
    try:
        return _known_hints(family, type, proto, flags)
    except TypeError:  # it may be one about being no key for a cache
        return Hints(c_int(family), c_int(type), c_int(proto), c_int(flags))


def c_int(value: int) -> int:
    """An integer as C gets it; raises as `hints_of`."""
    number = index(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise OverflowError("Python int too large to convert to C long")
    if number > 0x7FFFFFFF:
        raise OverflowError("signed integer is greater than maximum")
    if number < -0x80000000:
        raise OverflowError("signed integer is less than minimum")
    return number


def text_of(function: str, host: object, is_idna2008: bool = False) -> str:
    """A host as the C function gets it: A-labels (IDNA 2003 or 2008), or the octets as `os.fsdecode` does.

    Raises UnicodeError with the texts of the "idna" codec, TypeError for a NUL or another type.
    """
    if isinstance(host, str):
        text = host
        if "\0" not in text:
            return encode_idna(text, is_idna2008)
    elif isinstance(host, (bytes, bytearray)) and not (
        function == "getaddrinfo" and isinstance(host, bytearray)
    ):
        text = os.fsdecode(bytes(host))
        if "\0" not in text:
            return text
    elif function == "getaddrinfo":
        raise TypeError("getaddrinfo() argument 1 must be string or None")
    else:
        kind = "None" if host is None else type(host).__name__
        raise TypeError(f"{function}() argument 1 must be str, bytes or bytearray, not {kind}")
    raise TypeError(
        f"{function}() argument 1 must be encoded string without null bytes, not {type(host).__name__}"
    )


def fqdn_of(name: str, host_by_addr: Callable[[str], tuple[str, list[str], list[str]]]) -> str:
    """What `socket.getfqdn` makes of a name: the first one with a dot that `host_by_addr` knows for it.

    An empty name, and an address that is none, mean this host; a name that is not found is left as it is.
    """
    name = name.strip()
    if not name or name in ("0.0.0.0", "::"):
        name = gethostname()
    try:
        canonical_name, aliases, _ = host_by_addr(name)
    except OSError:
        return name
    return next((known for known in (canonical_name, *aliases) if "." in known), canonical_name)
