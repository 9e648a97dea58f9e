"""The public resolver: one engine for each hub it is used on, each method one call down."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from socket import AF_UNSPEC
from typing import TYPE_CHECKING, Unpack, cast
from weakref import WeakSet

from gdns import hubs, netdb
from gdns._ares import AUTHENTIC_DATA, USE_EDNS, USE_TCP
from gdns.arguments import c_int
from gdns.config import ResolvConf, Settings, System
from gdns.errors import ConfigError
from gdns.names import to_labels
from gdns.nss import Nss
from gdns.resolvconf import MAX_NDOTS
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub

if TYPE_CHECKING:
    import dns.name
    import dns.rdataclass
    import dns.rdatatype
    import dns.resolver

    from gdns import records
    from gdns.hubs import Hub

IN = cast("dns.rdataclass.RdataClass", 1)  # dnspython's enumeration is not loaded for its sake

_stubs: WeakSet[Stub] = WeakSet()


class Engine:
    """What a resolver has on one hub: the stub that asks, and the sources of names in front of it."""

    __slots__ = ("hub", "system", "settings", "stub", "nss", "lifetime")

    def __init__(
        self,
        hub: Hub,
        system: Settings,
        settings: Settings,
        servers: Sequence[ServerAddress],
        lifetime: float | None,
    ) -> None:
        resolv_conf = settings.resolv_conf
        wishes = (
            (USE_EDNS if resolv_conf.edns0 else 0)
            | (AUTHENTIC_DATA if resolv_conf.trust_ad else 0)
            | (USE_TCP if resolv_conf.use_vc else 0)
        )
        self.hub = hub
        self.system = system  # the snapshot that this engine was made from
        self.settings = settings
        self.lifetime = lifetime
        self.stub = Stub(
            hub,
            Servers(servers),
            timeout=resolv_conf.timeout,
            attempts=resolv_conf.attempts,
            wishes=wishes,
        )
        self.nss = Nss(self.stub, settings, lifetime)
        _stubs.add(self.stub)


class Resolver:
    """Resolves names on the hub of whoever calls, without stopping it.

    `nameservers` are addresses as text ("192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53", "fe80::1%eth0",
    "tcp://192.0.2.1"), asked in this order. `timeout` (seconds) times `attempts` is what one question may
    take, and its servers share it; `lifetime` (seconds) caps a whole look-up with all the questions that it
    asks. `search` and `ndots` are resolv.conf(5)'s, `edns` its edns0. `hub` is only needed to
    choose one where several could be meant.

    None means: what resolv.conf says, or glibc's default where `nameservers` are given.

    Raises ConfigError for a setting that cannot be used, TypeError for one of the wrong type. A resolver may
    be used from any thread and any greenlet; `close` it, or use it in a `with` statement.
    """

    def __init__(
        self,
        nameservers: Iterable[str] | None = None,
        *,
        timeout: float | None = None,
        attempts: int | None = None,
        lifetime: float | None = None,
        search: Iterable[str] | None = None,
        ndots: int | None = None,
        edns: bool | None = None,
        hub: Hub | None = None,
    ) -> None:
        self._addresses = None if nameservers is None else _parse_servers(nameservers)
        self._overrides: dict[str, object] = {}
        if timeout is not None:
            self._overrides["timeout"] = _positive("timeout", timeout)
        if attempts is not None:
            self._overrides["attempts"] = _whole("attempts", attempts, 1, 1000)
        if ndots is not None:
            self._overrides["ndots"] = _whole("ndots", ndots, 0, MAX_NDOTS)
        if search is not None:
            self._overrides["search"] = _suffixes(search)
        if edns is not None:
            self._overrides["edns0"] = bool(edns)
        self._lifetime = None if lifetime is None else _positive("lifetime", lifetime)
        self._hub = hub
        self._system = System()
        self._is_closed = False
        self._local = threading.local()
        self._engines: WeakSet[Stub] = WeakSet()  # of all threads

    # --- look-ups

    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[netdb.AddrInfo]:
        """As `socket.getaddrinfo` (getaddrinfo(3)), with its results, order and exceptions.

        Raises GaiError, UnicodeError, TypeError, OverflowError and OSError where the system's does.
        """
        return netdb.getaddrinfo(self._engine().nss, host, port, family, type, proto, flags)

    def gethostbyname(self, name: str) -> str:
        """As `socket.gethostbyname`: the first IPv4 address (gethostbyname(3)). Raises GaiError."""
        return netdb.gethostbyname(self._engine().nss, name)

    def gethostbyname_ex(self, name: str) -> tuple[str, list[str], list[str]]:
        """As `socket.gethostbyname_ex`: (canonical name, aliases, IPv4 addresses).

        Raises GaiError or HostError.
        """
        return netdb.gethostbyname_ex(self._engine().nss, name)

    def gethostbyaddr(self, address: str) -> tuple[str, list[str], list[str]]:
        """As `socket.gethostbyaddr`: (name, aliases, addresses) (gethostbyaddr(3)).

        Raises GaiError or HostError.
        """
        return netdb.gethostbyaddr(self._engine().nss, address)

    def getnameinfo(self, sockaddr: netdb.SockAddr, flags: int) -> tuple[str, str]:
        """As `socket.getnameinfo`: (host, service) (getnameinfo(3)). Raises GaiError."""
        if not isinstance(sockaddr, tuple):
            c_int(flags)
            del sockaddr  # the traceback would hold a reference to it, and CPython's own tests count these
            raise TypeError("getnameinfo() argument 1 must be a tuple")
        return netdb.getnameinfo(self._engine().nss, sockaddr, flags)

    def getfqdn(self, name: str = "") -> str:
        """As `socket.getfqdn`: the name with its domain, or `name` where none is found."""
        return netdb.getfqdn(self._engine().nss, name)

    def lookup(self, host: str, family: int = 0, *, lifetime: float | None = None) -> tuple[str, ...]:
        """The addresses of a host from the system's sources, in the order of RFC 6724.

        `family` is AF_UNSPEC, AF_INET or AF_INET6, `lifetime` caps the look-up in seconds. Raises GaiError.
        """
        return netdb.lookup(self._engine().nss, host, family, lifetime)

    def resolve(
        self,
        qname: dns.name.Name | str,
        rdtype: dns.rdatatype.RdataType | str = "A",
        rdclass: dns.rdataclass.RdataClass | str = "IN",
        tcp: bool = False,
        source: str | None = None,
        raise_on_no_answer: bool = True,
        source_port: int = 0,
        lifetime: float | None = None,
        search: bool | None = None,
    ) -> dns.resolver.Answer:
        """The records of a name, as `dns.resolver.Resolver.resolve` gives them.

        Asks DNS alone: neither the hosts file nor a cache of the system's. Raises NXDOMAIN, NoAnswer,
        YXDOMAIN, NoNameservers, LifetimeTimeout of `gdns.records`, which are dnspython's too; dnspython's
        exceptions for names and types that cannot be asked for; ResolverClosed.
        """
        from gdns import records

        return records.resolve(
            self._engine(),
            qname,
            rdtype,
            rdclass,
            tcp,
            source,
            raise_on_no_answer,
            source_port,
            lifetime,
            search,
        )

    def resolve_address(self, ipaddr: str, **options: Unpack[records.Options]) -> dns.resolver.Answer:
        """The PTR records of an address, as `dns.resolver.resolve_address`; else as `resolve`."""
        from gdns import records

        return records.resolve_address(self._engine(), ipaddr, **options)

    def resolve_name(
        self, name: dns.name.Name | str, family: int = AF_UNSPEC, **options: Unpack[records.Options]
    ) -> dns.resolver.HostAnswers:
        """The A and AAAA records of a name, as `dns.resolver.resolve_name`; else as `resolve`."""
        from gdns import records

        return records.resolve_name(self._engine(), name, family, **options)

    def canonical_name(self, name: dns.name.Name | str) -> dns.name.Name:
        """The end of a name's CNAME chain, as `dns.resolver.canonical_name`; else as `resolve`."""
        from gdns import records

        return records.canonical_name(self._engine(), name)

    def zone_for_name(
        self,
        name: dns.name.Name | str,
        rdclass: dns.rdataclass.RdataClass = IN,
        tcp: bool = False,
        lifetime: float | None = None,
    ) -> dns.name.Name:
        """The name of the zone that holds a name, as `dns.resolver.zone_for_name`; else as `resolve`.

        Raises NotAbsolute and NoRootSOA of dnspython, too.
        """
        from gdns import records

        return records.zone_for_name(self._engine(), name, rdclass, tcp, lifetime)

    # --- engines

    def _engine(self) -> Engine:
        """The engine of the calling thread's hub, made anew when the system's settings have changed."""
        hub = hubs.current(self._hub)
        system = self._system.current()
        engine: Engine | None = getattr(self._local, "engine", None)
        if engine is not None and engine.hub is hub and engine.system is system:
            return engine
        return self._renew(engine, hub, system)

    def _renew(self, old: Engine | None, hub: Hub, system: Settings) -> Engine:
        if old is not None:
            if old.hub is hub and self._apply(system) == old.settings:
                old.system = system  # what changed is overridden by our arguments
                return old
            old.stub.retire()
        settings = self._apply(system)
        addresses = self._addresses
        if addresses is None:
            addresses = [ServerAddress.parse(text) for text in settings.resolv_conf.nameservers]
        engine = Engine(hub, system, settings, addresses, self._lifetime)
        if self._is_closed:
            engine.stub.close()
        self._engines.add(engine.stub)
        self._local.engine = engine
        return engine

    def _apply(self, system: Settings) -> Settings:
        """The system's settings with what this resolver was given put over them."""
        base = system.resolv_conf if self._addresses is None else ResolvConf()
        return replace(system, resolv_conf=replace(base, **self._overrides))  # type: ignore[arg-type]

    # --- the end

    def close(self) -> None:
        """End every look-up with ResolverClosed, and give back all sockets; safe to call twice."""
        self._is_closed = True
        for stub in list(self._engines):
            stub.close()

    def __enter__(self) -> Resolver:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "the system's servers" if self._addresses is None else ", ".join(map(str, self._addresses))
        return f"<gdns.Resolver of {where}{' (closed)' if self._is_closed else ''}>"


def _parse_servers(nameservers: Iterable[str]) -> list[ServerAddress]:
    if isinstance(nameservers, (str, bytes)):
        raise ConfigError(f"nameservers: expected a list of addresses, not the single text {nameservers!r}")
    addresses = [ServerAddress.parse(text) for text in nameservers]
    if not addresses:
        raise ConfigError("nameservers: expected at least one address")
    return addresses


def _positive(what: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what}: expected seconds as a number, not {type(value).__name__}")
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{what}: expected a positive number of seconds, not {value!r}")
    return float(value)


def _whole(what: str, value: int, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what}: expected a whole number, not {type(value).__name__}")
    if not least <= value <= most:
        raise ConfigError(f"{what}: expected {least} to {most}, not {value}")
    return value


def _suffixes(search: Iterable[str]) -> tuple[str, ...]:
    if isinstance(search, (str, bytes)):
        raise ConfigError(f"search: expected a list of domains, not the single text {search!r}")
    suffixes = tuple(search)
    for suffix in suffixes:
        if not isinstance(suffix, str):
            raise TypeError(f"search: expected domains as str, not {type(suffix).__name__}")
        if to_labels(suffix) is None:
            raise ConfigError(f"search: {suffix!r} is not a domain name")
    return suffixes


_default: Resolver | None = None


def default_resolver() -> Resolver:
    """The resolver behind the module's functions: the system's settings, on the hub of whoever calls."""
    global _default
    if _default is None:
        _default = Resolver()
    return _default


def _after_fork_in_child() -> None:
    for stub in list(_stubs):
        stub.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
