"""The addresses this host would speak from, as the kernel tells them."""

import _socket  # the sockets of `socket` may be gevent's, which would look literals up
import os
import struct
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from socket import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    SOCK_CLOEXEC,
    SOCK_RAW,
    if_indextoname,
    inet_ntop,
)
from typing import NamedTuple

from gdns._clock import now_by
from gdns._routes import Routes
from gdns.names import LOOPBACK_IPV4, LOOPBACK_IPV6
from gdns.ordering import Source

_KEEP = 1.0  # seconds an answer is good for
_MEMO = 4096  # destinations remembered in that time

# <linux/netlink.h>, <linux/rtnetlink.h>, <linux/if_addr.h>, <linux/if_arp.h>, <linux/sockios.h>
_DUMP_ADDRESSES = struct.pack("=IHHIIBxxx", 20, 22, 0x301, 1, 0, 0)  # RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP
_RTM_NEWADDR = 20
_NLMSG_DONE = 3
_NLMSG_ERROR = 2
_IFA_ADDRESS = 1
_IFA_F_OPTIMISTIC = 0x04
_IFA_F_HOMEADDRESS = 0x10
_IFA_F_DEPRECATED = 0x20
_SIOCGIFHWADDR = 0x8927
_TUNNELS = frozenset((768, 769, 776))  # ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT


class _Interface(NamedTuple):
    """What is known of one of the host's addresses."""

    number: int
    prefix_length: int
    flags: int


class Sources:
    """Finds source addresses as glibc's getaddrinfo does, for the use of one thread.

    The sockets that are asked for it are kept. Answers are good for a second of the clock; `epoch` is another
    number in the next, and `look_at` is when that begins.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.look_at = float("-inf")
        self.epoch = 0
        self._sources: dict[str, Source | None] = {}
        self._interfaces: dict[str, _Interface] | None = None
        self._described: dict[bytes, Source] = {}
        self._routes = Routes()
        self._netlink: _socket.socket | None = None
        self._forks = _forks

    def source_of(self, destination: str) -> Source | None:
        """Where packets to this address would come from; None if there is no way to it."""
        self.look()
        if destination in self._sources:
            return self._sources[destination]
        if len(self._sources) >= _MEMO:
            self._sources.clear()
        source = self._sources[destination] = self._ask(destination)
        return source

    def families(self) -> tuple[bool, bool]:
        """Whether the host has an address of IPv4, of IPv6, as AI_ADDRCONFIG counts.

        Every address counts, on whatever interface, except 127.0.0.1 and ::1. Both if it cannot be known.
        """
        self.look()
        interfaces = self._load_interfaces()
        if not interfaces:
            return True, True
        return (
            any(":" not in address for address in interfaces if address != LOOPBACK_IPV4),
            any(":" in address for address in interfaces if address != LOOPBACK_IPV6),
        )

    def look(self) -> int:
        """The epoch of now; another than before where what was known then may have changed."""
        now = now_by(self.clock)
        if now >= self.look_at:
            self.look_at = now + _KEEP
            self.epoch += 1
            self._sources.clear()
            self._described.clear()
            self._interfaces = None
        return self.epoch

    def close(self) -> None:
        """Close the sockets; another question would open them again."""
        self._routes.close()
        netlink, self._netlink = self._netlink, None
        if netlink is not None:
            netlink.close()

    def __del__(self) -> None:
        self.close()

    def _ask(self, destination: str) -> Source | None:
        self._forget_parents_sockets()
        packed = self._routes.source_of(destination)
        if packed is None:
            return None
        source = self._described.get(packed)
        if source is None:
            address = inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)
            source = self._described[packed] = self._describe(address)
        return source

    def _describe(self, address: str) -> Source:
        embedded = address.rpartition(":")[2] if "." in address else address
        has_ipv6 = self.families()[1]
        interface = self._load_interfaces().get(embedded) if has_ipv6 else None
        if interface is None:  # without IPv6, glibc throws away what it has learnt of IPv4
            return Source(address, is_native=False)
        return Source(
            address,
            prefix_length=interface.prefix_length,
            is_deprecated=interface.flags & (_IFA_F_DEPRECATED | _IFA_F_OPTIMISTIC) != 0,
            is_home=interface.flags & _IFA_F_HOMEADDRESS != 0,
            is_native=self._is_native(interface.number),
        )

    def _is_native(self, index: int) -> bool:
        """Whether an interface is no tunnel (rule 7)."""
        try:
            request = struct.pack("16s24x", if_indextoname(index).encode())
            assert self._netlink is not None  # it is from there that the interface is known
            answer = ioctl(self._netlink.fileno(), _SIOCGIFHWADDR, request)
        except OSError:
            return False
        return struct.unpack_from("=H", answer, 16)[0] not in _TUNNELS

    def _load_interfaces(self) -> dict[str, _Interface]:
        if self._interfaces is None:
            self._forget_parents_sockets()
            try:
                if self._netlink is None:
                    self._netlink = _socket.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)
                    self._netlink.setblocking(False)  # the kernel answers at once or not at all
                self._interfaces = dict(_interfaces(self._netlink))
            except OSError:
                self._interfaces = {}
                broken, self._netlink = self._netlink, None  # half an answer may be left in it
                if broken is not None:
                    broken.close()
        return self._interfaces

    def _forget_parents_sockets(self) -> None:
        if self._forks != _forks:  # their connections, and what is in them, are the parent's
            self.close()
            self._interfaces = None
            self._described.clear()
            self._forks = _forks


def _note_fork() -> None:
    global _forks
    _forks += 1


_forks = 0  # behind this process, since it loaded this
os.register_at_fork(after_in_child=_note_fork)


def _interfaces(netlink: _socket.socket) -> Iterator[tuple[str, _Interface]]:
    """All addresses of this host with what is known of them. Raises OSError where netlink is refused."""
    netlink.sendto(_DUMP_ADDRESSES, (0, 0))
    while True:
        for kind, body in _records(netlink.recv(1 << 16), _NETLINK_HEADER):
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR:
                raise OSError("the kernel refuses to list addresses")
            if kind == _RTM_NEWADDR:
                family, prefix_length, flags, index = struct.unpack_from("=BBBxI", body)
                for attribute, value in _records(body[8:], _ATTRIBUTE_HEADER):
                    # on a point-to-point link the peer's address, which is what glibc goes by
                    if attribute == _IFA_ADDRESS and family in (AF_INET, AF_INET6):
                        yield inet_ntop(family, value), _Interface(index, prefix_length, flags)


_NETLINK_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_ATTRIBUTE_HEADER = struct.Struct("=HH")  # length, type


def _records(message: bytes, header: struct.Struct) -> Iterator[tuple[int, bytes]]:
    """The types with the bodies of netlink's records, each of which begins with its length and type."""
    position = 0
    while position + header.size <= len(message):
        length, kind = header.unpack_from(message, position)[:2]
        if length < header.size:
            return
        yield kind, message[position + header.size : position + length]
        position += (length + 3) & ~3
