"""Answers with the system's own resolver alone, without c-ares and without gdns' extension modules.

It is the backend "libc": what is asked for is left to libc's pool of threads, the calling greenlet waits, and
the hub goes on. Nothing here needs more than Python and greenlet, so that it serves where the extensions
cannot be imported. DNS records cannot be asked for.
"""

from __future__ import annotations

import _socket
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from socket import (
    AF_INET,
    AF_INET6,
    AI_ALL,
    AI_CANONNAME,
    AI_NUMERICHOST,
    AI_NUMERICSERV,
    AI_V4MAPPED,
    SOCK_STREAM,
    AddressFamily,
    SocketKind,
)
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from weakref import WeakSet

from gdns import hubs, libc
from gdns.approval import AddressPolicy, approved, approved_infos
from gdns.arguments import fqdn_of, text_of
from gdns.bell import Bell
from gdns.beside import Lookup, Service
from gdns.entries import Failure, HostEntry
from gdns.errors import ConfigError, GaiError
from gdns.literals import BROADCAST
from gdns.names import LOOPBACK_IPV4
from gdns.overrides import Addresses, Host, Override, Overrides
from gdns.threads import local_base, members_of

if TYPE_CHECKING:
    from gdns.hubs import Hub

T = TypeVar("T")

BACKENDS = ("auto", "native", "libc")
SWITCH = "GDNS_DISABLE"  # in the environment: everything goes to the system's own resolver

_ThreadLocal: Any = local_base()


def is_disabled() -> bool:
    """Whether the environment says that everything is to go to the system's own resolver (GDNS_DISABLE=1)."""
    return os.environ.get(SWITCH, "") not in ("", "0")


def wants_libc(backend: str) -> bool:
    """Whether a `backend` means the system's own resolver; "auto" leaves it to the environment.

    Raises ConfigError for an unknown one.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"backend: expected one of {', '.join(map(repr, BACKENDS))}, not {backend!r}")
    return backend == "libc" or (backend == "auto" and is_disabled())


class LibcFunctions:
    """The look-ups of a resolver, each a call of the system's in a thread; errors are gdns' own.

    Overrides come before them, and the policy is asked about what they bring.
    """

    _why: str
    _hub: Hub | None
    _lifetime: float | None
    _policy: AddressPolicy | None
    _given: Overrides

    def _begin(self, why: str, policy: AddressPolicy | None, given: Overrides) -> None:
        """Say why it is this backend that serves, and be open."""
        self._why = why
        self._policy = policy
        self._given = given
        self._own_bells: WeakSet[Bell] = WeakSet()  # of all threads
        self._bell_of_thread = _ThreadLocal()
        self._has_ended = False

    def _bell(self) -> Bell:
        hub = hubs.current(self._hub)
        bell: Bell | None = getattr(self._bell_of_thread, "bell", None)
        if bell is None or bell.hub is not hub:
            if bell is not None:
                bell.close()
            bell = self._bell_of_thread.bell = Bell(hub)
            self._own_bells.add(bell)
            if self._has_ended:
                bell.close()
        return bell

    def _read(self, function: str, host: bytes | str | None) -> tuple[str, bytes | str | None]:
        """A host as overrides and policies know it, with what to ask the system for.

        Raises TypeError for a NUL, at which the system would end it, and UnicodeError for what is no host.
        """
        if host is None and function == "getaddrinfo":
            return "", None
        name = text_of(function, host, self._given.is_idna2008)
        return name, name if isinstance(host, str) else host

    def _ask(self, lifetime: float | None, function: Callable[..., T], *arguments: object) -> T:
        return libc.ask(self._bell(), lifetime, function, *arguments)

    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """As `socket.getaddrinfo` (getaddrinfo(3)). Raises GaiError and what else the system's raises."""
        rows = self._infos(host, port, family, type, proto, flags)
        if self._policy is not None:
            name, _ = self._read("getaddrinfo", host)
            rows = approved_infos(self._policy, name, rows)
        return rows

    def _infos(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """What no policy has seen yet."""
        name, asked = self._read("getaddrinfo", host)
        rows = None
        if self._given.table and host is not None and not flags & AI_NUMERICHOST:
            rows = self._given_infos(name, port, family, type, proto, flags)
        if rows is None:
            rows = self._ask(self._lifetime, _socket.getaddrinfo, asked, port, family, type, proto, flags)
        return [(_named(AddressFamily, row[0]), _named(SocketKind, row[1]), *row[2:]) for row in rows]

    def _given_infos(
        self,
        name: str,
        port: bytes | str | int | None,
        family: int,
        type: int,
        proto: int,
        flags: int,
    ) -> list[Any] | None:
        """The tuples of an overridden host; None if it is not. The system only reads numbers for it."""
        number = 0
        if port is not None:
            service = (type, proto, flags & AI_NUMERICSERV)
            try:
                number = int(_socket.getaddrinfo(LOOPBACK_IPV4, port, 0, *service)[0][4][1])
            except socket.gaierror:
                return None  # the system will say so, too
        given = self._find(
            name,
            number,
            family,
            family == AF_INET6 and flags & AI_V4MAPPED != 0,
            flags & AI_ALL != 0,
        )
        if given is None:
            return None
        kept = flags & (AI_NUMERICSERV | AI_V4MAPPED) | AI_NUMERICHOST
        rows: list[Any] = []
        for address in given.addresses:
            rows += _socket.getaddrinfo(address, port, 0, type, proto, kept)
        if flags & AI_CANONNAME:
            rows[0] = (*rows[0][:3], given.names()[0], rows[0][4])
        return rows

    def _find(
        self, name: str, port: int, family: int, is_mapped: bool = False, wants_all: bool = False
    ) -> HostEntry | None:
        """What is given in the place of a look-up, None if nothing is. Raises GaiError."""
        if not self._given.table:
            return None
        found = self._given.find(name, port, family, is_mapped, wants_all)
        if isinstance(found, Failure):
            raise GaiError(found.eai)
        return found

    def _judged(self, name: str, addresses: Sequence[str]) -> Sequence[str]:
        """Those that the policy approves. Raises AddressRefused."""
        return addresses if self._policy is None else approved(self._policy, name, addresses)

    def gethostbyname(self, name: str) -> str:
        """As `socket.gethostbyname`. Raises GaiError."""
        host, asked = self._read("gethostbyname", name)
        given = self._find(host, 0, AF_INET)
        if given is not None:
            return self._judged(host, given.addresses)[0]
        if self._policy is None:
            return self._ask(self._lifetime, _socket.gethostbyname, asked)
        if not host or host in BROADCAST:
            return self._judged(host, (_socket.gethostbyname(host),))[0]
        rows = self._ask(self._lifetime, _socket.getaddrinfo, asked, None, AF_INET, SOCK_STREAM)
        return self._judged(host, [str(row[4][0]) for row in rows])[0]

    def gethostbyname_ex(self, name: str) -> tuple[str, list[str], list[str]]:
        """As `socket.gethostbyname_ex`. Raises GaiError or HostError."""
        host, asked = self._read("gethostbyname_ex", name)
        given = self._find(host, 0, AF_INET)
        if given is not None:
            return given.names()[0], [], [*self._judged(host, given.addresses)]
        known, aliases, addresses = self._ask(self._lifetime, _socket.gethostbyname_ex, asked)
        return known, aliases, [*self._judged(host, addresses)]

    def gethostbyaddr(self, address: str) -> tuple[str, list[str], list[str]]:
        """As `socket.gethostbyaddr`. Raises GaiError or HostError."""
        return self._host_by_addr(address, is_judged=True)

    def _host_by_addr(self, address: str, is_judged: bool) -> tuple[str, list[str], list[str]]:
        host, asked = self._read("gethostbyaddr", address)
        if self._given.table or (is_judged and self._policy is not None):
            given = self._find(host, 0, 0)
            if given is not None:
                addresses: Sequence[str] = given.addresses
            elif not host:
                return self._ask(self._lifetime, _socket.gethostbyaddr, asked)  # an error
            else:
                rows = self._ask(self._lifetime, _socket.getaddrinfo, asked, None, 0, SOCK_STREAM)
                addresses = [str(row[4][0]) for row in rows]
            asked = (self._judged(host, addresses) if is_judged else addresses)[0].partition("%")[0]
        return self._ask(self._lifetime, _socket.gethostbyaddr, asked)

    def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As `socket.getnameinfo`. Raises GaiError."""
        return self._ask(self._lifetime, _socket.getnameinfo, sockaddr, flags)

    def getfqdn(self, name: str = "") -> str:
        """As `socket.getfqdn`: the name with its domain, or `name` where none is found."""
        # no address is handed out
        return fqdn_of(name, lambda host: self._host_by_addr(host, is_judged=False))

    def lookup(self, host: str, family: int = 0, *, lifetime: float | None = None) -> tuple[str, ...]:
        """The addresses of a host in the system's order. `lifetime` is in seconds. Raises GaiError."""
        name, _ = self._read("lookup", host)
        return tuple(self._judged(name, self._addresses(name, family, lifetime)))

    def _addresses(self, name: str, family: int, lifetime: float | None) -> tuple[str, ...]:
        given = self._find(name, 0, family)
        if given is not None:
            return given.addresses
        lifetime = self._lifetime if lifetime is None else lifetime
        rows = self._ask(lifetime, _socket.getaddrinfo, name, None, family, SOCK_STREAM)
        return tuple(dict.fromkeys(str(row[4][0]) for row in rows))

    def override(self, addresses: Mapping[Host, Addresses]) -> Override:
        """Give hosts other addresses, as `gdns.override` does, in this resolver alone."""
        return self._given.add(addresses)

    def _finder(self) -> SystemFinder:
        return SystemFinder(self)

    def _cannot(self, function: str) -> NotImplementedError:
        return NotImplementedError(
            f"{function}() asks DNS through gdns' own engine, which does not serve here: {self._why}. "
            "The system's own resolver gives addresses and names, but no DNS records."
        )

    def resolve(self, *arguments: Any, **options: Any) -> NoReturn:
        """Raises NotImplementedError, which says why gdns' own engine does not serve."""
        raise self._cannot("resolve")

    def resolve_address(self, *arguments: Any, **options: Any) -> NoReturn:
        """As `resolve`."""
        raise self._cannot("resolve_address")

    def resolve_name(self, *arguments: Any, **options: Any) -> NoReturn:
        """As `resolve`."""
        raise self._cannot("resolve_name")

    def resolve_many(self, *arguments: Any, **options: Any) -> NoReturn:
        """As `resolve`."""
        raise self._cannot("resolve_many")

    def canonical_name(self, *arguments: Any, **options: Any) -> NoReturn:
        """As `resolve`."""
        raise self._cannot("canonical_name")

    def zone_for_name(self, *arguments: Any, **options: Any) -> NoReturn:
        """As `resolve`."""
        raise self._cannot("zone_for_name")

    def explain(self, *arguments: Any, **options: Any) -> NoReturn:
        """As `resolve`."""
        raise self._cannot("explain")

    def close(self) -> None:
        """End every look-up with ResolverClosed; safe to call twice."""
        self._has_ended = True
        for bell in members_of(self._own_bells):
            bell.close()


class SystemFinder:
    """Where those who connect have the addresses from (`gdns.beside.Finder`)."""

    def __init__(self, functions: LibcFunctions) -> None:
        self._functions = functions
        self.hub = hubs.current(functions._hub)
        self.policy = functions._policy

    def begin(self, host: bytes | str | None, port: Service, on_news: Callable[[], object]) -> Lookup:
        return Lookup(self.hub, lambda: self._functions._infos(host, port, 0, SOCK_STREAM), on_news)

    def addresses(self, host: str, lifetime: float | None) -> tuple[str, ...]:
        return self._functions._addresses(host, 0, lifetime)

    def in_order(self, addresses: Sequence[str]) -> Sequence[str]:
        return addresses  # the system has sorted them


def _named(kinds: Any, number: int) -> Any:
    """A number as the socket module shows it: with a name where it has one."""
    try:
        return kinds(number)
    except ValueError:
        return number
