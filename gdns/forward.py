"""A host's addresses, whether it is named or is an address itself."""

from __future__ import annotations

import _socket
import errno
import os
from socket import AF_INET6, AF_UNSPEC, AI_ALL, AI_CANONNAME, AI_NUMERICHOST, AI_V4MAPPED

from gdns.approval import AddressPolicy, approved
from gdns.entries import Failure, Foreign, HostEntry
from gdns.errors import EAI_ADDRFAMILY, EAI_NONAME, EAI_SYSTEM, GaiError, ResolverClosed
from gdns.literals import BROADCAST, Literal, LiteralError, parse_literal
from gdns.nss import Nss
from gdns.outcome import CLOSED
from gdns.overrides import Overridden
from gdns.ready import ADDRESS_OCTETS, GETHOSTBYNAME

AI_IDN = 0x40  # netdb.h; the socket module has no names for these
AI_CANONIDN = 0x80


def find(
    nss: Nss, name: str, family: int, flags: int, ends_at: float | None, port: int = 0
) -> HostEntry | Failure | Foreign:
    """The addresses of a host in the order of their source; if it is an address, that one.

    No policy has seen them yet.
    """
    # what lies on the stack while a greenlet waits is copied twice: all else is in functions of its own
    if flags:
        return _find_as_told(nss, name, family, flags, ends_at, port)
    itself = _address_itself(name, family, 0)
    return nss.host_addresses(name, family, ends_at, port) if itself is None else itself


def _address_itself(name: str, family: int, flags: int) -> HostEntry | Failure | None:
    """The address that a host is; None for a name."""
    if ":" not in name and not "0" <= name[:1] <= "9":
        return None
    literal = parse_literal(name, family, flags & AI_V4MAPPED != 0)
    if isinstance(literal, Literal):
        scope = f"%{literal.scope_id}" if literal.scope_id else ""
        return HostEntry((literal.address + scope,), name)
    if literal is not None:
        return Failure(EAI_ADDRFAMILY if literal is LiteralError.FAMILY else EAI_NONAME)
    return None


def _find_as_told(
    nss: Nss, name: str, family: int, flags: int, ends_at: float | None, port: int
) -> HostEntry | Failure | Foreign:
    """As `find`, with flags of getaddrinfo(3)."""
    if flags & AI_IDN and not name.isascii():
        return Foreign(f"AI_IDN encodes {name!r} as the locale says")
    itself = _address_itself(name, family, flags)
    if itself is not None:
        return itself
    if flags & AI_NUMERICHOST:
        return Failure(EAI_NONAME)
    found = nss.host_addresses(
        name,
        family,
        ends_at,
        port,
        is_canonical=flags & AI_CANONNAME != 0,
        is_mapped=family == AF_INET6 and flags & AI_V4MAPPED != 0,
        wants_all=flags & AI_ALL != 0,
    )
    if (
        flags & AI_CANONIDN
        and flags & AI_CANONNAME
        and isinstance(found, HostEntry)
        and not isinstance(found.origin, Overridden)
        and "xn--" in found.names()[0].lower()
    ):
        return Foreign("AI_CANONIDN decodes A-labels as the locale says")
    return found


def gai_error(failure: Failure) -> OSError:
    outcome = failure.outcome
    if failure.eai == EAI_SYSTEM:  # a module of nsswitch.conf that is not installed
        return OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    if outcome is not None and outcome.status is CLOSED:
        return ResolverClosed(outcome)
    return GaiError(failure.eai, None, outcome)


def first_address(
    nss: Nss,
    name: str,
    family: int,
    ends_at: float | None,
    policy: AddressPolicy | None,
    kept_for: object = None,
) -> str:
    """The address that CPython's gethostby* functions take a host for, of those that the policy approves.

    It is kept for who calls `gethostbyname` with `kept_for` again.
    """
    if not name:
        if family == AF_UNSPEC:
            raise OSError("wildcard resolved to multiple address")
        addresses: tuple[str, ...] = ("0.0.0.0",)
    elif name in BROADCAST:
        addresses = ("255.255.255.255",)
    else:
        found = find(nss, name, family, 0, ends_at)
        return _first_of(nss, name, family, ends_at, policy, kept_for, found)
    return addresses[0] if policy is None else approved(policy, name, addresses)[0]


def _first_of(
    nss: Nss,
    name: str,
    family: int,
    ends_at: float | None,
    policy: AddressPolicy | None,
    kept_for: object,
    found: HostEntry | Failure | Foreign,
) -> str:
    """As `first_address`, of what was found."""
    if isinstance(found, Failure):
        raise gai_error(found)
    if isinstance(found, Foreign):
        infos = nss.ask_system(ends_at, _socket.getaddrinfo, os.fsencode(name), None, family)
        addresses = tuple([str(info[4][0]) for info in infos])
        return addresses[0] if policy is None else approved(policy, name, addresses)[0]
    if policy is not None:
        found = approved_entry(policy, name, found)
    address = nss.ordered(found)[0]
    if kept_for is not None and nss.is_lasting(found):
        is_ordered = len(found.addresses) > 1
        nss.keep(kept_for, None, GETHOSTBYNAME, name, family, found, address, is_ordered, ADDRESS_OCTETS)
    return address


def approved_entry(policy: AddressPolicy, host: str | None, found: HostEntry) -> HostEntry:
    """What is left of a host's addresses; raises as `approved`."""
    return HostEntry(approved(policy, host, found.addresses), found.origin)
