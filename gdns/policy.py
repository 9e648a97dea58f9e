"""Policies: which addresses of a host a program may be sent to.

A policy is a function of the host, as it was asked for, and of one of its addresses, as inet_ntop(3) writes
it (for a literal perhaps with `%` and the number of an interface); it says True or False. A
`Resolver(policy=...)` asks it about every address that its functions would give, wherever they have it from:
literals, the hosts file, overrides, DNS, the system's own resolver. What is refused is left out; where
nothing is left, `gdns.AddressRefused` is raised. The policy runs in the greenlet of the caller, may wait
there, and what it raises comes out. `resolve` gives records, not addresses to connect to, and asks none.

`public_only` is one; `allow` and `deny` make others out of networks, `all_of` and `any_of` out of policies::

    Resolver(policy=policy.public_only)
    Resolver(policy=policy.any_of(policy.public_only, policy.allow(["10.20.0.0/16"])))
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_pton

from gdns.approval import AddressPolicy, check_policy, is_approved
from gdns.errors import ConfigError

__all__ = ["AddressPolicy", "all_of", "allow", "any_of", "deny", "public_only"]


class _Networks:
    """Networks of both families."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._rows: dict[int, list[tuple[int, int]]] = {32: [], 128: []}
        for text in networks:
            network = ip_network(text)
            shift = network.max_prefixlen - network.prefixlen
            self._rows[network.max_prefixlen].append((int(network.network_address) >> shift, shift))

    def have(self, number: int, width: int) -> bool:
        return any(number >> shift == prefix for prefix, shift in self._rows[width])


# IANA's special-purpose registries (RFC 6890 and the RFCs named), where they say "not globally reachable".
# What else has no host of the public Internet behind it is listed with its reason.
_NOT_PUBLIC = _Networks(
    (
        "0.0.0.0/8",  # this network, unspecified: RFC 791, section 3.2; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",  # private: RFC 1918
        "100.64.0.0/10",  # shared by carriers' NATs: RFC 6598; Alibaba Cloud's metadata
        "127.0.0.0/8",  # loopback: RFC 1122, section 3.2.1.3
        "168.63.129.16/32",  # Azure's metadata ("WireServer"), a public address by its looks
        "169.254.0.0/16",  # link-local: RFC 3927; most clouds' metadata
        "172.16.0.0/12",  # private: RFC 1918
        "192.0.0.0/24",  # protocol assignments: RFC 6890; the anycast ones in it reach one's own router
        "192.0.2.0/24",  # documentation: RFC 5737
        "192.88.99.0/24",  # 6to4 relays, deprecated: RFC 7526
        "192.168.0.0/16",  # private: RFC 1918
        "198.18.0.0/15",  # benchmarking: RFC 2544
        "198.51.100.0/24",  # documentation: RFC 5737
        "203.0.113.0/24",  # documentation: RFC 5737
        "224.0.0.0/4",  # multicast: RFC 5771
        "240.0.0.0/4",  # reserved: RFC 1112, section 4; limited broadcast: RFC 8190
        "2001::/23",  # protocol assignments: RFC 2928; but see below
        "2001:db8::/32",  # documentation: RFC 3849
        "3fff::/20",  # documentation: RFC 9637
    )
)
_PUBLIC_ALL_THE_SAME = _Networks(
    (
        "2001::/32",  # Teredo: judged by what it carries
        "2001:3::/32",  # AMT: RFC 7450
        "2001:4:112::/48",  # AS112: RFC 7535
        "2001:20::/28",  # ORCHIDv2: RFC 7343
        "2001:30::/28",  # drones' remote ids: RFC 9374
    )
)
_UNICAST = _Networks(
    (
        "2000::/3",  # global unicast: RFC 4291, section 2.4. All else is local, multicast or reserved
        "64:ff9b::/96",  # NAT64: RFC 6052; judged by what it carries
    )
)


def public_only(host: str, address: str) -> bool:
    """Approve addresses of the public Internet alone: against requests forged to reach what is inside (SSRF).

    Refused are private, loopback, link-local, shared (CGNAT), unspecified, multicast, reserved, documentation
    and benchmarking addresses (IANA's IPv4 and IPv6 special-purpose registries, RFC 6890), the addresses of
    the clouds' metadata services, and everything outside 2000::/3; and what carries such an IPv4 address:
    IPv4-mapped (RFC 4291), NAT64 at 64:ff9b::/96 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380, server and
    client), ISATAP (RFC 5214, in any network). All of IPv4-compatible (RFC 4291), IPv4-translated (RFC 2765)
    and of the NAT64 for local use, 64:ff9b:1::/48 (RFC 8215), is refused.

    It differs from the registries in that 192.0.0.9, 192.0.0.10 and 2001:1::1 to 2001:1::3 are refused: these
    anycast addresses are globally reachable by name, yet answered by the nearest router. A NAT64 with a
    prefix of the operator's own cannot be told from other addresses: `deny` it.
    """
    return _is_public(address)


def allow(networks: Iterable[str]) -> AddressPolicy:
    """Approve the addresses in these networks alone ("192.0.2.0/24", "2001:db8::/32", "192.0.2.7").

    An IPv4-mapped address counts as the IPv4 address it stands for. Raises ConfigError, TypeError.
    """
    allowed = _parse("allow", networks)

    def is_allowed(host: str, address: str) -> bool:
        number, width = _parse_address(address)
        if width == 128 and number >> 32 == 0xFFFF:
            return allowed.have(number, 128) or allowed.have(number & 0xFFFFFFFF, 32)
        return allowed.have(number, width)

    return is_allowed


def deny(networks: Iterable[str]) -> AddressPolicy:
    """Refuse the addresses in these networks, and what carries one of their IPv4 addresses; approve others.

    It sees through the wrappings that `public_only` knows, and through those it refuses. Raises ConfigError,
    TypeError.
    """
    denied = _parse("deny", networks)

    def is_not_denied(host: str, address: str) -> bool:
        number, width = _parse_address(address)
        if denied.have(number, width):
            return False
        return width == 32 or not any(denied.have(ipv4, 32) for ipv4 in _carried(number))

    return is_not_denied


def all_of(*policies: AddressPolicy) -> AddressPolicy:
    """Approve what every one of these policies approves; they are asked in turn, until one refuses."""
    _check(policies)
    return lambda host, address: all(is_approved(policy, host, address) for policy in policies)


def any_of(*policies: AddressPolicy) -> AddressPolicy:
    """Approve what one of these policies approves; they are asked in turn, until one does."""
    _check(policies)
    return lambda host, address: any(is_approved(policy, host, address) for policy in policies)


def _check(policies: tuple[AddressPolicy, ...]) -> None:
    if not policies:
        raise TypeError("policy: expected at least one policy")
    for policy in policies:
        if check_policy(policy) is None:
            raise TypeError("policy: expected a function of a host and an address, not NoneType")


def _parse(function: str, networks: Iterable[str]) -> _Networks:
    if isinstance(networks, (str, bytes)):
        raise TypeError(f"{function}: expected a list of networks, not the single text {networks!r}")
    texts = tuple(networks)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{function}: expected networks as str, not {type(text).__name__}")
        try:
            ip_network(text)
        except ValueError as error:
            raise ConfigError(f"{function}: {text!r} is not a network: {error}") from None
    return _Networks(texts)


def _parse_address(address: str) -> tuple[int, int]:
    """An address as a number, with how many bits it has."""
    if ":" in address:
        return int.from_bytes(inet_pton(AF_INET6, address.partition("%")[0]), "big"), 128
    return int.from_bytes(inet_pton(AF_INET, address), "big"), 32


@lru_cache(maxsize=4096)
def _is_public(address: str) -> bool:
    number, width = _parse_address(address)
    if width == 32:
        return not _NOT_PUBLIC.have(number, 32)
    if number >> 32 == 0xFFFF:
        return not _NOT_PUBLIC.have(number & 0xFFFFFFFF, 32)
    if not _UNICAST.have(number, 128):
        return False
    if _NOT_PUBLIC.have(number, 128) and not _PUBLIC_ALL_THE_SAME.have(number, 128):
        return False
    return not any(_NOT_PUBLIC.have(ipv4, 32) for ipv4 in _carried(number))


def _carried(number: int) -> list[int]:
    """The IPv4 addresses that an IPv6 address carries, by any of the formats that carry some."""
    low = number & 0xFFFFFFFF
    found = []
    if number >> 32 in (
        0,  # IPv4-compatible: RFC 4291, section 2.5.5.1
        0xFFFF,  # IPv4-mapped: section 2.5.5.2
        0xFFFF_0000,  # IPv4-translated: RFC 2765, section 2.1
        0x0064_FF9B_0000_0000_0000_0000,  # NAT64: RFC 6052, section 2.1
    ):
        found.append(low)
    if number >> 80 == 0x0064_FF9B_0001:  # NAT64 for local use: RFC 8215
        # RFC 6052, section 2.2: prefixes of 48, 56, 64 and 96 bits; the octet at bit 64 is not used
        found.append((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)
        found.append((number >> 64 & 0xFF) << 24 | number >> 32 & 0xFFFFFF)
        found.append(number >> 24 & 0xFFFFFFFF)
        found.append(low)
    if number >> 112 == 0x2002:  # 6to4: RFC 3056, section 2
        found.append(number >> 80 & 0xFFFFFFFF)
    if number >> 96 == 0x2001_0000:  # Teredo: RFC 4380, section 4
        found.append(number >> 64 & 0xFFFFFFFF)
        found.append(low ^ 0xFFFFFFFF)
    if number >> 32 & 0xFFFFFFFF in (0x0000_5EFE, 0x0200_5EFE):  # ISATAP: RFC 5214, section 6.1
        found.append(low)
    return found
