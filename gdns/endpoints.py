"""Socket types, protocols and ports for a service, as getaddrinfo fans them out."""

from __future__ import annotations

import _socket
import re
from contextlib import suppress
from functools import lru_cache
from socket import (
    AF_INET,
    AI_NUMERICHOST,
    AI_NUMERICSERV,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    gaierror,
)
from typing import TYPE_CHECKING, NamedTuple

from gdns.errors import EAI_NONAME, EAI_SERVICE, EAI_SOCKTYPE

if TYPE_CHECKING:
    from gdns.services import Services

SOCK_DCCP = 6  # linux/net.h; the socket module has no name for it
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_DCCP = 33
IPPROTO_SCTP = 132
IPPROTO_UDPLITE = 136

Endpoint = tuple[int, int, int]  # socket type (a SocketKind where Python has one), protocol, port


class _Kind(NamedTuple):
    type: int
    proto: int
    name: str
    is_default: bool = False
    is_raw: bool = False  # any protocol, no service


_KINDS = (  # glibc's table, in its order
    _Kind(SOCK_STREAM, IPPROTO_TCP, "tcp", is_default=True),
    _Kind(SOCK_DGRAM, IPPROTO_UDP, "udp", is_default=True),
    _Kind(SOCK_DCCP, IPPROTO_DCCP, "dccp"),
    _Kind(SOCK_DGRAM, IPPROTO_UDPLITE, "udplite"),
    _Kind(SOCK_STREAM, IPPROTO_SCTP, "sctp"),
    _Kind(SOCK_SEQPACKET, IPPROTO_SCTP, "sctp"),
    _Kind(SOCK_RAW, 0, "raw", is_default=True, is_raw=True),
)

_NUMBER = rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)"


def endpoints(
    port: str | bytes | int | None, type: int, proto: int, is_numeric: bool, services: Services
) -> tuple[Endpoint, ...] | int:
    """The endpoints of a service in glibc's order, or the EAI_* number that says why there are none.

    `type` and `proto` are the caller's hints, 0 for any; `is_numeric` is AI_NUMERICSERV. The number of a port
    is read as strtoul(3) reads it and cut to 16 bits. Raises what `socket.getaddrinfo` raises for ports of
    other types: OSError, OverflowError, UnicodeEncodeError.
    """
    if port.__class__ is int and 0 <= port <= 65535:
        return numbered(port, type, proto)
    service = service_text(port)
    if not service:
        return numbered(None, type, proto)
    number = _read_number(service)
    if number is None and is_numeric:
        return EAI_NONAME
    if number is not None and number >= 0:
        return numbered(number & 0xFFFF, type, proto)
    return _named(service.decode("utf-8", "surrogateescape"), type, proto, services)


def _check_that_python_takes(port: int) -> None:
    """Raise OverflowError where the interpreter does, for so big a port; newer ones do not."""
    with suppress(gaierror):  # an address and a number: nothing is looked up
        _socket.getaddrinfo("127.0.0.1", port, AF_INET, SOCK_STREAM, 0, AI_NUMERICHOST | AI_NUMERICSERV)


def service_text(port: object) -> bytes | None:
    """A port as the C function gets it; None where it sees none, as in "*"."""
    if port is None:
        return None
    if port.__class__ is int:
        if not -(1 << 63) <= port < 1 << 63:
            _check_that_python_takes(port)
        return b"%d" % port
    if isinstance(port, str):
        text = port.encode("utf-8")
    elif isinstance(port, bytes):
        text = port
    else:
        raise OSError("Int or String expected")
    text = text.partition(b"\0")[0]
    return None if text == b"*" else text


def _read_number(service: bytes) -> int | None:
    """What strtoul(3) reads, cut to an int; None if anything but a number is there."""
    found = re.fullmatch(_NUMBER, service)
    if found is None:
        return None
    sign, digits = found.groups()
    digits = digits.lstrip(b"0")
    magnitude = int(digits or b"0") if len(digits) <= 20 else 1 << 64
    if magnitude >= 1 << 64:
        return -1  # ULONG_MAX
    if sign == b"-":
        magnitude = -magnitude
    return (magnitude + (1 << 31)) % (1 << 32) - (1 << 31)


@lru_cache(maxsize=512)
def numbered(port: int | None, type: int, proto: int) -> tuple[Endpoint, ...] | int:
    """The endpoints of a port by number, None for no port at all; else as `endpoints`."""
    kinds = _fitting(type, proto)
    if isinstance(kinds, int):
        return kinds
    if port is not None and kinds[0].is_raw:
        return EAI_SERVICE
    if not type and not proto:
        return tuple((kind.type, kind.proto, port or 0) for kind in kinds if kind.is_default)
    first = kinds[0]
    return ((first.type, proto if first.is_raw else first.proto, port or 0),)


def _named(name: str, type: int, proto: int, services: Services) -> tuple[Endpoint, ...] | int:
    kinds = _fitting(type, proto)
    if isinstance(kinds, int):
        return kinds
    if type or proto:
        kinds = kinds[:1]
    found = []
    for kind in kinds:
        if not kind.is_raw:
            port = services.port(name, kind.name)
            if port is not None:
                found.append((kind.type, kind.proto, port))
    return tuple(found) or EAI_SERVICE


def _fitting(type: int, proto: int) -> tuple[_Kind, ...] | int:
    """What the hints allow; where they say anything, only the first of these counts."""
    kinds = tuple(
        kind for kind in _KINDS if type in (0, kind.type) and (kind.is_raw or proto in (0, kind.proto))
    )
    if kinds:
        return kinds
    return EAI_SOCKTYPE if type else EAI_SERVICE
