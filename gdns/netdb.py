"""The functions of netdb.h as the socket module has them: socket arguments in, socket tuples out."""

from __future__ import annotations

import _socket
import errno
import os
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    AI_ADDRCONFIG,
    AI_CANONNAME,
    AI_NUMERICSERV,
    AI_PASSIVE,
    NI_DGRAM,
    NI_NAMEREQD,
    NI_NOFQDN,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    SOCK_STREAM,
    SocketKind,
    inet_pton,
)
from sys import audit
from typing import Final

from gdns._rows import rows
from gdns.approval import AddressPolicy, approved, approved_infos
from gdns.arguments import Hints, c_int, fqdn_of, hints_of, text_of
from gdns.endpoints import Endpoint, endpoints, service_text
from gdns.entries import Failure, Foreign, HostEntry, Miss
from gdns.errors import (
    EAI_AGAIN,
    EAI_BADFLAGS,
    EAI_FAMILY,
    EAI_NONAME,
    EAI_SYSTEM,
    NETDB_INTERNAL,
    NO_RECOVERY,
    TRY_AGAIN,
    GaiError,
    HostError,
    ResolverClosed,
)
from gdns.forward import approved_entry, find, first_address, gai_error
from gdns.literals import BROADCAST
from gdns.names import LOOPBACK
from gdns.nss import Nss
from gdns.outcome import CLOSED, Outcome
from gdns.ready import ADDRESS_OCTETS, NO_PORT, NOT_KEPT, ROW_OCTETS, hints_key, lookup_key, port_key
from gdns.services import Services

# as plain integers: the socket module's enumerations take a hundred times longer to combine
_AI_ADDRCONFIG: Final = int(AI_ADDRCONFIG)
_AI_CANONNAME: Final = int(AI_CANONNAME)
_AI_NUMERICSERV: Final = int(AI_NUMERICSERV)
_AI_PASSIVE: Final = int(AI_PASSIVE)
_AI_FLAGS: Final = 0x7FF  # all of netdb.h's, with two that are no longer looked at
_NI_FLAGS: Final = 0xFF
_NI_IDN: Final = 0x20  # the socket module has no name for it
_FAMILIES: Final = {0: AF_UNSPEC, 2: AF_INET, 10: AF_INET6}
_TYPES: Final = {int(kind): kind for kind in SocketKind}
_ANY: Final = {0: ("::", "0.0.0.0"), 2: ("0.0.0.0",), 10: ("::",)}

SockAddr = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
AddrInfo = tuple[int, int, int, str, SockAddr]


# --- getaddrinfo


class _Wish:
    """What a caller of getaddrinfo(3) wants of a host, read once: few programs have many wishes."""

    __slots__ = ("key", "port", "hints", "family", "flags", "ends")

    def __init__(self, key: int, port: int, hints: Hints, ends: tuple[Endpoint, ...] | int) -> None:
        self.key = key  # of the hints
        self.port = port  # NO_PORT for None
        self.hints = hints
        self.family = hints.family
        self.flags = hints.flags
        self.ends = ends


_wishes: dict[tuple[int, int], _Wish] = {}
_MOST_WISHES = 512
_latest: _Wish | None = None


def _known_wish(port: object, key: int) -> _Wish | None:
    """The same as was read before; None for what has to be read (again)."""
    global _latest
    number = port_key(port)
    if key == NOT_KEPT or number < NO_PORT:
        return None
    latest = _latest
    if latest is None or latest.key != key or latest.port != number:
        latest = _wishes.get((key, number))
        if latest is not None:
            _latest = latest
    return latest


def _read_wish(port: bytes | str | int | None, key: int, hints: Hints, services: Services) -> _Wish:
    ends = endpoints(port, hints.type, hints.proto, hints.flags & _AI_NUMERICSERV != 0, services)
    number = port_key(port)
    wish = _Wish(key, number, hints, ends)
    if key != NOT_KEPT and number >= NO_PORT:
        if len(_wishes) >= _MOST_WISHES:
            _wishes.clear()
        _wishes[key, number] = wish
    return wish


def getaddrinfo(
    nss: Nss,
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[AddrInfo]:
    """As `socket.getaddrinfo`: its results with the socket module's enumerations, its order, its exceptions.

    Raises GaiError, and as there TypeError, OverflowError, UnicodeError and OSError; TypeError, too, for a
    host with a NUL, at which the system would cut it off.
    """
    key = hints_key(family, type, proto, flags)
    wish = _known_wish(port, key)
    if wish is None:
        hints = hints_of(family, type, proto, flags)
    name = None if host is None else text_of("getaddrinfo", host, nss.is_idna2008)
    if wish is None:
        wish = _read_wish(port, key, hints, nss.services)
    ends = wish.ends
    asked_for = wish.family
    audit("socket.getaddrinfo", host, port, family, type, proto)
    ends_at = nss.ends_at()
    if name is None or name == "*":
        name = None
        if service_text(port) is None:
            raise GaiError(EAI_NONAME)
    if wish.flags or asked_for not in _FAMILIES:
        asked_for = _checked(nss, wish.hints, name)
    if isinstance(ends, int):
        raise GaiError(ends)
    if name is None:
        found: HostEntry | Failure | Foreign = _this_host(asked_for, wish.flags)
    else:
        found = find(nss, name, asked_for, wish.flags, ends_at, ends[0][2])
    return _rows_of(nss, host, port, name, asked_for, wish, ends_at, found)


def _rows_of(
    nss: Nss,
    host: bytes | str | None,
    port: bytes | str | int | None,
    name: str | None,
    asked_for: int,
    wish: _Wish,
    ends_at: float | None,
    found: HostEntry | Failure | Foreign,
) -> list[AddrInfo]:
    """As `getaddrinfo`, of what was found."""
    if isinstance(found, Foreign):
        hints = wish.hints._replace(family=asked_for)
        infos = nss.ask_system(ends_at, _socket.getaddrinfo, host, port, *hints)
        if nss.policy is not None:
            infos = approved_infos(nss.policy, name, infos)
        return [(_FAMILIES[info[0]], _TYPES.get(info[1], info[1]), *info[2:]) for info in infos]
    if isinstance(found, Failure):
        raise gai_error(found)
    if nss.policy is not None:
        found = approved_entry(nss.policy, name, found)
    addresses = found.addresses
    if len(addresses) != 1:
        if not addresses:
            raise GaiError(EAI_NONAME)
        addresses = nss.ordered(found)
    assert isinstance(wish.ends, tuple)
    infos = rows(addresses, wish.ends)
    if wish.flags & _AI_CANONNAME:
        canonical_name = _as_utf8(found.names()[0])
        infos[0] = (*infos[0][:3], canonical_name, infos[0][4])
    if name is not None and nss.is_lasting(found):
        nss.keep(
            host,
            port,
            wish.key,
            name,
            asked_for,
            found,
            infos[:],
            len(addresses) > 1 or wish.flags & _AI_ADDRCONFIG != 0,
            ROW_OCTETS * len(infos),
        )
    return infos


def lookup(nss: Nss, host: str, family: int = 0, lifetime: float | None = None) -> tuple[str, ...]:
    """The addresses of a host, in the order of RFC 6724, from the system's sources.

    `family` is AF_UNSPEC, AF_INET or AF_INET6; `lifetime` caps the look-up, in seconds. An address is looked
    up as itself, an interface's scope as its number. Raises GaiError; UnicodeError or TypeError for what is
    no host.
    """
    name = text_of("lookup", host, nss.is_idna2008)
    if family not in _FAMILIES:
        raise GaiError(EAI_FAMILY)
    ends_at = nss.ends_at(lifetime)
    found = find(nss, name, family, 0, ends_at)
    return _addresses_of(nss, host, name, family, ends_at, found)


def _addresses_of(
    nss: Nss,
    host: str,
    name: str,
    family: int,
    ends_at: float | None,
    found: HostEntry | Failure | Foreign,
) -> tuple[str, ...]:
    """As `lookup`, of what was found."""
    if isinstance(found, HostEntry):
        if nss.policy is not None:
            found = approved_entry(nss.policy, name, found)
        addresses = nss.ordered(found)
        if nss.is_lasting(found):
            octets = ADDRESS_OCTETS * len(addresses)
            key = lookup_key(family)
            nss.keep(host, None, key, name, family, found, addresses, len(addresses) > 1, octets)
        return addresses
    if isinstance(found, Failure):
        raise gai_error(found)
    infos = nss.ask_system(ends_at, _socket.getaddrinfo, host, None, family, SOCK_STREAM)
    addresses = tuple([str(info[4][0]) for info in infos])
    return addresses if nss.policy is None else approved(nss.policy, name, addresses)


def _checked(nss: Nss, hints: Hints, name: str | None) -> int:
    """The family, narrowed down by AI_ADDRCONFIG. Raises GaiError for what getaddrinfo(3) refuses."""
    if hints.flags & ~_AI_FLAGS or (hints.flags & _AI_CANONNAME and name is None):
        raise GaiError(EAI_BADFLAGS)
    if hints.family not in _FAMILIES:
        raise GaiError(EAI_FAMILY)
    if hints.flags & _AI_ADDRCONFIG:
        has_ipv4, has_ipv6 = nss.sources.families()
        if hints.family == AF_UNSPEC:
            if has_ipv4 != has_ipv6:
                return AF_INET if has_ipv4 else AF_INET6
        elif not (has_ipv4 if hints.family == AF_INET else has_ipv6):
            raise GaiError(EAI_NONAME)
    return hints.family


def _this_host(family: int, flags: int) -> HostEntry:
    """The addresses to connect to, or with AI_PASSIVE to listen at, where no host is named."""
    addresses = _ANY if flags & _AI_PASSIVE else LOOPBACK
    return HostEntry(addresses[family], "")


def _as_utf8(name: str) -> str:
    """A name from the hosts file as CPython decodes it. Raises UnicodeDecodeError."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8")


# --- gethostby*


def gethostbyname(nss: Nss, host: bytes | bytearray | str) -> str:
    """As `socket.gethostbyname`: the first IPv4 address. Raises GaiError, TypeError, UnicodeError."""
    name = text_of("gethostbyname", host, nss.is_idna2008)
    audit("socket.gethostbyname", host)
    return first_address(nss, name, AF_INET, nss.ends_at(), nss.policy, host)


def gethostbyname_ex(nss: Nss, host: bytes | bytearray | str) -> tuple[str, list[str], list[str]]:
    """As `socket.gethostbyname_ex`: canonical name, aliases, IPv4 addresses.

    Raises GaiError; HostError for the few hosts that `gethostbyname` alone takes; TypeError, UnicodeError.
    """
    name = text_of("gethostbyname_ex", host, nss.is_idna2008)
    audit("socket.gethostbyname", host)
    ends_at = nss.ends_at()
    is_special = not name or name in BROADCAST or ":" in name or "0" <= name[:1] <= "9"
    if is_special:
        address = first_address(nss, name, AF_INET, ends_at, nss.policy)
        if name and not name.strip("0123456789."):
            return name, [], [address]
    found = nss.host_addresses(name, AF_INET, ends_at)
    if isinstance(found, Foreign):
        name_of_system, aliases, addresses = nss.ask_system(ends_at, _socket.gethostbyname_ex, host)
        if nss.policy is not None:
            addresses = list(approved(nss.policy, name, addresses))
        return name_of_system, aliases, addresses
    if isinstance(found, Failure):
        raise HostError(found.h_errno, found.outcome) if is_special else gai_error(found)
    if nss.policy is not None:
        found = approved_entry(nss.policy, name, found)
    canonical_name, aliases = found.names()
    return _as_utf8(canonical_name), [_as_utf8(alias) for alias in aliases], list(found.addresses)


def gethostbyaddr(nss: Nss, host: bytes | bytearray | str) -> tuple[str, list[str], list[str]]:
    """As `socket.gethostbyaddr`: the name of an address or of a host's first address, aliases, the address.

    Raises GaiError if the host has no address, HostError if that has no name; TypeError, UnicodeError.
    """
    return _host_by_addr(nss, host, nss.policy)


def _host_by_addr(
    nss: Nss, host: bytes | bytearray | str, policy: AddressPolicy | None
) -> tuple[str, list[str], list[str]]:
    name = text_of("gethostbyaddr", host, nss.is_idna2008)
    audit("socket.gethostbyaddr", host)
    ends_at = nss.ends_at()
    address = first_address(nss, name, AF_UNSPEC, ends_at, policy).partition("%")[0]
    found = _names_of(nss, address, ends_at)
    if isinstance(found, Foreign):
        return nss.ask_system(ends_at, _socket.gethostbyaddr, address)
    if isinstance(found, Miss):
        if found.outcome is not None and found.outcome.status is CLOSED:
            raise ResolverClosed(found.outcome)
        raise HostError(NO_RECOVERY if found.h_errno == NETDB_INTERNAL else found.h_errno, found.outcome)
    origin = found.origin
    if ":" in address and isinstance(origin, Outcome) and origin.question.qname.endswith("in-addr.arpa."):
        # glibc has asked about the IPv4 address inside, and CPython does not take that for an answer
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    canonical_name, aliases = found.names()
    return _as_utf8(canonical_name), [_as_utf8(alias) for alias in aliases], list(found.addresses)


def getfqdn(nss: Nss, name: str = "") -> str:
    """As `socket.getfqdn`: the first name with a dot among those of `name`, which is this host's if empty."""
    return fqdn_of(name, lambda host: _host_by_addr(nss, host, None))  # no address is handed out


def _names_of(nss: Nss, address: str, ends_at: float | None) -> HostEntry | Miss | Foreign:
    packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    return nss.address_names(address, packed, ends_at)


# --- getnameinfo


def getnameinfo(nss: Nss, sockaddr: SockAddr, flags: int) -> tuple[str, str]:
    """As `socket.getnameinfo`: host and service of a socket's address.

    Raises GaiError, and as there TypeError, ValueError, OverflowError and OSError.
    """
    flags = c_int(flags)
    # no names are looked up for this: it checks the address, and writes it as the system does
    host, port = _socket.getnameinfo(sockaddr, NI_NUMERICHOST | NI_NUMERICSERV)
    if flags & ~_NI_FLAGS:
        raise GaiError(EAI_BADFLAGS)
    if not flags & NI_NUMERICHOST:
        ends_at = nss.ends_at()
        found = _names_of(nss, host.partition("%")[0], ends_at)
        if isinstance(found, HostEntry):
            name = _as_utf8(found.names()[0])
            if flags & _NI_IDN and "xn--" in name.lower():
                found = Foreign("NI_IDN decodes A-labels as the locale says")
            host = _without_domain(name, nss.local_domain()) if flags & NI_NOFQDN else name
        elif isinstance(found, Miss):
            _check_miss(found, flags)
        if isinstance(found, Foreign):
            return nss.ask_system(ends_at, _socket.getnameinfo, sockaddr, flags)
    elif flags & NI_NAMEREQD:
        raise GaiError(EAI_NONAME)
    if not flags & NI_NUMERICSERV:
        port = nss.services.name(int(port), "udp" if flags & NI_DGRAM else "tcp") or port
    return host, port


def _check_miss(miss: Miss, flags: int) -> None:
    """Raise GaiError unless the address may be shown instead of its name."""
    if miss.outcome is not None and miss.outcome.status is CLOSED:
        raise ResolverClosed(miss.outcome)
    if miss.herrno == NETDB_INTERNAL:
        raise gai_error(Failure(EAI_SYSTEM))
    if miss.herrno == TRY_AGAIN:
        raise GaiError(EAI_AGAIN, None, miss.outcome)
    if flags & NI_NAMEREQD:
        raise GaiError(EAI_NONAME, None, miss.outcome)


def _without_domain(name: str, domain: str) -> str:
    """What NI_NOFQDN leaves of a name: what is before the first `domain` in it, wherever that is."""
    position = name.find(domain) if domain else -1
    return name[: position - 1] if position > 1 and name[position - 1] == "." else name
