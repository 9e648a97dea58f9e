"""Hosts that are addresses already, as glibc's getaddrinfo reads them."""

import enum
from collections.abc import Callable
from socket import AF_INET, AF_INET6, AF_UNSPEC, if_nametoindex, inet_aton, inet_ntop, inet_pton
from typing import NamedTuple

BROADCAST = ("255.255.255.255", "<broadcast>")  # of all hosts, in the words of `gethostbyname` as well

_WHITESPACE = frozenset(" \t\n\v\f\r")  # inet_aton(3) would take it, with anything after it
_MAPPED = bytes(10) + b"\xff\xff"


class Literal(NamedTuple):
    """A host that is an address already."""

    family: int
    packed: bytes
    scope_id: int = 0

    @property
    def address(self) -> str:
        """The address as inet_ntop(3) writes it, without the scope."""
        return inet_ntop(self.family, self.packed)


class LiteralError(enum.Enum):
    """Why a numeric host is of no use; getaddrinfo fails with it and asks nobody."""

    FAMILY = "address of the other family"  # EAI_ADDRFAMILY
    SCOPE = "no such scope"  # EAI_NONAME


def is_address(host: str) -> bool:
    """Whether a host is an address as inet_pton(3) reads it: without a scope, and IPv4 in four numbers."""
    try:
        inet_pton(AF_INET6 if ":" in host else AF_INET, host)
    except (OSError, ValueError):  # ValueError: non-ASCII, or a NUL
        return False
    return True


def parse_literal(
    host: str,
    family: int = AF_UNSPEC,
    mapped: bool = False,
    interface_index: Callable[[str], int] = if_nametoindex,
) -> Literal | LiteralError | None:
    """Read a numeric host as glibc's getaddrinfo does; None if it is a name.

    IPv4 in every form of inet_aton(3) (`127.1`, `0x7f.1`, `0177.0.0.1`, `1`), nothing after it; IPv6 as
    inet_pton(3) with an optional `%scope`: a number, or an interface's name if the address is link-local or
    multicast within the link. `mapped` is AI_V4MAPPED: IPv4 asked for as AF_INET6 is mapped. A mapped address
    asked for as AF_INET is unmapped without being asked.
    """
    if ":" in host:
        return _parse_ipv6(host, family, interface_index)
    if not ("0" <= host[:1] <= "9") or not host.isascii() or not _WHITESPACE.isdisjoint(host):
        return None
    try:
        packed = inet_aton(host)
    except OSError:
        return None
    if family != AF_INET6:
        return Literal(AF_INET, packed)
    return Literal(AF_INET6, _MAPPED + packed) if mapped else LiteralError.FAMILY


def _parse_ipv6(
    host: str, family: int, interface_index: Callable[[str], int]
) -> Literal | LiteralError | None:
    address, has_scope, scope = host.partition("%")
    try:
        packed = inet_pton(AF_INET6, address)
    except (OSError, ValueError):  # ValueError: non-ASCII, or a NUL
        return None
    if family == AF_INET:
        if packed[:12] != _MAPPED:
            return LiteralError.FAMILY
        literal = Literal(AF_INET, packed[12:])
    else:
        literal = Literal(AF_INET6, packed)
    if not has_scope:
        return literal
    scope_id = _scope_id(literal.packed, scope, interface_index)
    if scope_id is None:
        return LiteralError.SCOPE
    return Literal(literal.family, literal.packed, scope_id)


def _scope_id(packed: bytes, scope: str, interface_index: Callable[[str], int]) -> int | None:
    is_link_local = packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
    is_local_multicast = packed[0] == 0xFF and packed[1] & 0x0F in (1, 2)
    if is_link_local or is_local_multicast:
        try:
            return interface_index(scope)
        except (OSError, ValueError):
            pass  # it may still be a number
    if scope.isascii() and scope.isdigit() and len(scope.lstrip("0")) <= 10 and int(scope) <= 0xFFFFFFFF:
        return int(scope)
    return None
