"""The public resolver: one engine for each hub it is used on, each method one call down."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from socket import _GLOBAL_DEFAULT_TIMEOUT, AF_UNSPEC  # type: ignore[attr-defined]
from sys import modules as _modules
from typing import TYPE_CHECKING, Any, Self, Unpack, cast
from weakref import WeakSet

from gdns import hubs, netdb
from gdns._clock import now_by
from gdns._wire import Question
from gdns.approval import AddressPolicy, check_policy
from gdns.arguments import c_int
from gdns.cache import Cache, Dumped
from gdns.config import ResolvConf, Settings, System
from gdns.counters import collect
from gdns.engines import Engine, Here, OfThread, Shared, Upstreams, all_shared, all_stubs
from gdns.errors import ConfigError
from gdns.front import Front
from gdns.hooks import Hook, OnOutcome, OnQuery
from gdns.names import encode_idna, need_idna2008
from gdns.overrides import Addresses, Host, Override
from gdns.parameters import domains_of, positive_seconds, seconds, servers_of, suffixes_of, whole
from gdns.rdtypes import A
from gdns.resolvconf import MAX_NDOTS
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub
from gdns.system import SWITCH, LibcFunctions, wants_libc
from gdns.threads import QuietLock, members_of

if TYPE_CHECKING:
    import socket

    import dns.edns
    import dns.name
    import dns.rdataclass
    import dns.rdatatype
    import dns.resolver

    from gdns import records
    from gdns.beside import Finder
    from gdns.hubs import Hub
    from gdns.many import Item, Result
    from gdns.trace import Trace

CONCURRENCY = 100  # questions that `resolve_many` has under way where it is not told
PIECES = ("dns.name", "dns.rdata", "dns.rrset", "dns.renderer", "dns.message", "dns.query", "dns.resolver")
IN = cast("dns.rdataclass.RdataClass", 1)  # dnspython's enumeration is not loaded for its sake


class Resolver:
    """Resolves names on the hub of whoever calls, without stopping it.

    `nameservers` are addresses as text ("192.0.2.1", "192.0.2.1:5300", "[2001:db8::1]:53", "fe80::1%eth0",
    "tcp://192.0.2.1"), asked in this order; `domains` maps a domain to the servers of all names in it, as in
    {"corp.example": ["192.0.2.53"]}. `timeout` (seconds) times `attempts` is what one question may
    take, and its servers share it; `lifetime` (seconds) caps a whole look-up with all the questions that it
    asks. `search` and `ndots` are resolv.conf(5)'s, `edns` its edns0. `use_0x20` sends names in random case,
    which a forger would have to guess (draft-vixie-dnsext-dns0x20). `hub` is only needed to
    choose one where several could be meant. None means: what resolv.conf says, or glibc's default where
    `nameservers` are given.

    `cache` says whether answers are kept for as long as their TTL allows, `cache_entries` and `cache_bytes`
    how many at most, `min_ttl` and `max_ttl` (seconds) what a TTL is raised or cut to; a TTL of 0 keeps
    nothing. With `serve_stale`, an answer may be used for so many seconds after its time, where no server
    gives a newer one within 1.8 s (RFC 8767). `prefetch` asks again for what is often asked for, just before
    it expires.

    `idna` is 2003 for the A-labels that CPython's own functions make of names beyond ASCII, or 2008 for those
    of RFC 5891 with the mappings of UTS 46 (the extra "idna").

    `policy` is asked about every address before the functions that give addresses hand it out: a function of
    the host and the address that says True or False (`gdns.policy`). `override` gives hosts other addresses,
    as `gdns.override` does, for this resolver alone.

    `backend` "libc" leaves everything to the system's own resolver, in threads, and so does "auto" where the
    environment says GDNS_DISABLE=1; the settings of servers and cache are then of no effect, overrides count
    and the policy is asked all the same, and `resolve` and its relatives raise NotImplementedError. "native"
    does not look at the environment.

    Raises ConfigError for a setting that cannot be used, TypeError for one of the wrong type. A resolver may
    be used from any thread and any greenlet; `close` it, or use it in a `with` statement.
    """

    def __new__(cls, *arguments: object, backend: str = "auto", **settings: object) -> Resolver:
        return object.__new__(LibcResolver if cls is Resolver and wants_libc(backend) else cls)

    def __init__(
        self,
        nameservers: Iterable[str] | None = None,
        *,
        domains: Mapping[str, Iterable[str]] | None = None,
        timeout: float | None = None,
        attempts: int | None = None,
        lifetime: float | None = None,
        search: Iterable[str] | None = None,
        ndots: int | None = None,
        edns: bool | None = None,
        use_0x20: bool = False,
        cache: bool = True,
        cache_entries: int = 10_000,
        cache_bytes: int = 16 << 20,
        min_ttl: float = 0.0,
        max_ttl: float = 86_400.0,
        serve_stale: float = 0.0,
        prefetch: bool = False,
        policy: AddressPolicy | None = None,
        override: Mapping[Host, Addresses] | None = None,
        idna: int = 2003,
        backend: str = "auto",
        hub: Hub | None = None,
    ) -> None:
        addresses = None if nameservers is None else servers_of("nameservers", nameservers)
        self._own_settings: dict[str, object] = {}  # in place of what resolv.conf says
        if timeout is not None:
            self._own_settings["timeout"] = positive_seconds("timeout", timeout)
        if attempts is not None:
            self._own_settings["attempts"] = whole("attempts", attempts, 1, 1000)
        if ndots is not None:
            self._own_settings["ndots"] = whole("ndots", ndots, 0, MAX_NDOTS)
        if search is not None:
            self._own_settings["search"] = suffixes_of(search)
        if edns is not None:
            self._own_settings["edns0"] = bool(edns)
        self._lifetime = None if lifetime is None else positive_seconds("lifetime", lifetime)
        if idna not in (2003, 2008):
            raise ConfigError(f"idna: expected 2003 or 2008, not {idna!r}")
        if idna == 2008:
            need_idna2008()
        kept = Cache(
            whole("cache_entries", cache_entries, 1, 1 << 40),
            whole("cache_bytes", cache_bytes, 1, 1 << 50),
            min_ttl=seconds("min_ttl", min_ttl),
            max_ttl=seconds("max_ttl", max_ttl),
            stale_for=seconds("serve_stale", serve_stale),
        )
        if kept.min_ttl > kept.max_ttl:
            raise ConfigError(f"min_ttl: {min_ttl!r} is more than max_ttl, {max_ttl!r}")
        self._shared = Shared(
            kept if cache else None,
            bool(prefetch),
            Upstreams(addresses, domains_of(domains or {}, idna == 2008)),
            idna == 2008,
            check_policy(policy),
            bool(use_0x20),
        )
        if override is not None:
            self._shared.overrides.add(override)
        self._hub = hub
        self._asks: records.Extras = {}  # what `use_edns` and `set_flags` have set
        self._system = System()
        self._is_closed = False
        self._local = OfThread(self._shared.tally)
        self._front = Front(self._local, self._shared, self._system, self._hub)
        self._stubs: WeakSet[Stub] = WeakSet()  # of all threads

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
        infos = self._front.getaddrinfo(host, port, family, type, proto, flags)
        if infos is not None:
            return infos
        return netdb.getaddrinfo(self._engine().nss, host, port, family, type, proto, flags)

    def gethostbyname(self, name: str) -> str:
        """As `socket.gethostbyname`: the first IPv4 address (gethostbyname(3)). Raises GaiError."""
        address = self._front.gethostbyname(name)
        return address if address is not None else netdb.gethostbyname(self._engine().nss, name)

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
        addresses = self._front.lookup(host, family, lifetime)
        if addresses is not None:
            return addresses
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
        **extras: Unpack[records.Extras],
    ) -> dns.resolver.Answer:
        """The records of a name, as `dns.resolver.Resolver.resolve` gives them.

        Asks DNS alone: neither the hosts file nor a cache of the system's. `source` and `source_port` are
        sent from. By keyword: `want_dnssec`, `checking_disabled`, `authentic_data` and `no_recursion` set the
        bits DO, CD, AD and clear RD; `use_edns` asks with EDNS, and so with a DNS cookie, `edns_options` are
        `dns.edns.Option`s to go with it. What is not given is as `use_edns` and `set_flags` have set it.

        Raises NXDOMAIN, NoAnswer, YXDOMAIN, NoNameservers, LifetimeTimeout of `gdns.records`, which are
        dnspython's too; dnspython's exceptions for names and types that cannot be asked for; ResolverClosed;
        ValueError, TypeError and OSError for a source, or options, with which nobody can be asked.
        """
        engine = self._engine_with_records()
        from gdns import records

        return records.resolve(
            engine,
            qname,
            rdtype,
            rdclass,
            tcp,
            source,
            raise_on_no_answer,
            source_port,
            lifetime,
            search,
            **self._asks | extras,
        )

    def resolve_address(self, ipaddr: str, **options: Unpack[records.Options]) -> dns.resolver.Answer:
        """The PTR records of an address, as `dns.resolver.resolve_address`; else as `resolve`."""
        engine = self._engine_with_records()
        from gdns import records

        return records.resolve_address(engine, ipaddr, **{**self._asks, **options})  # type: ignore[arg-type]

    def resolve_name(
        self, name: dns.name.Name | str, family: int = AF_UNSPEC, **options: Unpack[records.Options]
    ) -> dns.resolver.HostAnswers:
        """The A and AAAA records of a name, as `dns.resolver.resolve_name`; else as `resolve`."""
        engine = self._engine_with_records()
        from gdns import records

        return records.resolve_name(engine, name, family, **{**self._asks, **options})  # type: ignore[arg-type]

    def canonical_name(self, name: dns.name.Name | str) -> dns.name.Name:
        """The end of a name's CNAME chain, as `dns.resolver.canonical_name`; else as `resolve`."""
        engine = self._engine_with_records()
        from gdns import records

        return records.canonical_name(engine, name, **self._asks)

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
        engine = self._engine_with_records()
        from gdns import records

        return records.zone_for_name(engine, name, rdclass, tcp, lifetime, **self._asks)

    def resolve_many(
        self, questions: Iterable[Item], *, concurrency: int = CONCURRENCY, rate: float | None = None
    ) -> Iterator[Result]:
        """The outcomes of many questions, as completed, without a greenlet for each.

        `questions` are names, asked for their A records, or pairs of a name and a type ("MX", 15), from any
        iterable, also an endless one: it is pulled as results are taken, so that at most `concurrency`
        questions (1 to 60,000) are between their asking and their being handed out. It is pulled by the
        greenlet that iterates, and may wait; what has ended is handed out first. `rate` is how many questions
        a second are asked at most.

        Yields `Result(question, outcome)`: the very object pulled, and its `gdns.outcome.Outcome`. Nothing is
        raised for what servers say, or do not say: `outcome.status` tells, and is INVALID where a name, or a
        type, cannot be asked for. Names are taken as absolute; DNS alone is asked, as by `resolve`. What the
        cache knows is used, and what is learnt is not kept, so that a million names do not drive out those
        that a program lives on.

        Each question has the resolver's `timeout` x `attempts`, and no more than its `lifetime`. Whatever is
        thrown into the waiting greenlet comes out at once and ends all, as `close()` and dropping the
        iterator do; what is under way is then given up. An exception of `questions`, or TypeError for what
        is no question, is raised when what had been asked before has been handed out. After
        `Resolver.close`, what was under way has the status CLOSED, and then ResolverClosed is raised.

        Raises ConfigError and TypeError for arguments that cannot be used, at once; RuntimeError where
        results are taken on another hub than the one they were begun on, or by that itself.
        """
        from gdns.many import resolve_many

        return resolve_many(self._engine, questions, concurrency, rate, self._shared.is_idna2008)

    def use_edns(
        self,
        edns: int | bool | None = 0,
        ednsflags: int = 0,
        payload: int = 1232,
        options: Sequence[dns.edns.Option] | None = None,
    ) -> None:
        """Let `resolve` and its relatives ask with EDNS from now on: `dns.resolver.Resolver.use_edns`.

        None, False or -1 is as the resolver was made; `ednsflags` may be DO. Servers are always told of 1,232
        octets, whatever `payload` is: longer replies come over TCP. Raises ValueError for what gdns cannot
        ask.
        """
        from gdns import records

        extras = records.edns_extras(edns, ednsflags, payload, options)
        with self._shared.lock:
            self._asks = self._asks | extras

    def set_flags(self, flags: int | None) -> None:
        """Let `resolve` and its relatives ask with these header flags: `dns.resolver.Resolver.set_flags`.

        `flags` is a sum of RD, AD and CD, or None for the usual. Raises ValueError for others.
        """
        from gdns import records

        extras = records.flag_extras(flags)
        with self._shared.lock:
            self._asks = self._asks | extras

    # --- what it does, and what it keeps

    def set_servers(
        self,
        nameservers: Iterable[str] | None,
        domains: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Ask other servers from now on, and forget what was learnt of those before.

        The arguments are the constructor's. Look-ups under way go on with the servers they began with.
        Raises ConfigError, TypeError.
        """
        addresses = None if nameservers is None else servers_of("nameservers", nameservers)
        by_domain = domains_of(domains or {}, self._shared.is_idna2008)
        self._shared.upstreams = Upstreams(addresses, by_domain)

    def flush(self, name: str | None = None) -> int:
        """Forget what the cache holds of a name, of all types, or everything; how many entries that were.

        Raises BadName, a ValueError, for what is no name.
        """
        cache = self._shared.cache
        question = None if name is None else Question(encode_idna(name, self._shared.is_idna2008), A)
        return 0 if cache is None else cache.flush(question)

    def dump(self) -> list[Dumped]:
        """What the cache holds, least recently used first."""
        cache = self._shared.cache
        return [] if cache is None else cache.dump()

    def on_query(self, function: OnQuery) -> Hook:
        """Call `function(question, server)` whenever a question is sent to a server.

        It is called on the hub, soon after the sending. It may make look-ups that need no waiting; what it
        raises is reported by the hub, and the look-up goes on. The handle's `undo()` ends it.
        """
        return Hook(self._shared.hooks, "on_query", function)

    def on_outcome(self, function: OnOutcome) -> Hook:
        """Call `function(outcome)` whenever a question has been answered or given up; else as `on_query`.

        Once for a question that was sent, however many waited for it, and for each that the cache answered:
        `outcome.from_cache` tells.
        """
        return Hook(self._shared.hooks, "on_outcome", function)

    def stats(self) -> dict[str, Any]:
        """Numbers about this resolver, since it was made; docs/reference/stats.md says what each counts."""
        return collect(self._shared.tally.total(), self._shared.cache, members_of(self._stubs))

    def explain(self, host: str, family: int = 0, *, lifetime: float | None = None) -> Trace:
        """Look a host's addresses up as `lookup` does, and tell what happened; a failed look-up is told, too.

        `str()` of the result is a tree for people, `as_dict()` the same for programs. Raises what `lookup`
        raises for arguments that are no host.
        """
        from gdns.trace import explain

        engine = self._engine()
        return explain(engine.nss, host, family, lifetime)

    # --- connections

    def create_connection(
        self,
        address: tuple[str | bytes | None, str | bytes | int | None],
        timeout: float | None = _GLOBAL_DEFAULT_TIMEOUT,
        source_address: tuple[str, int] | None = None,
        *,
        all_errors: bool = False,
        attempt_delay: float = 0.25,
        resolution_delay: float = 0.05,
    ) -> socket.socket:
        """Connect to a host over TCP, as `socket.create_connection`, but with Happy Eyeballs (RFC 8305).

        Addresses are tried side by side, IPv6 and IPv4 in turn: the next one as soon as the one before has
        failed, or `attempt_delay` seconds (0.01 to 10) after it was begun. The first connection made is the
        one returned; the others are closed. If IPv4 is known first, IPv6 is given `resolution_delay` seconds
        to come before it; what comes later joins in. An address that failed is tried last for half a minute.

        `timeout` seconds cap look-up and connecting together, and are the timeout of the socket returned;
        `socket.getdefaulttimeout()` if not given, None for no limit. Where `source_address` has a port,
        addresses are tried one after the other, for two sockets cannot have it.

        The policy is asked about the very addresses that are connected to; overrides count, with the port.
        On gevent's hub the socket is gevent's; on gdns' own it is a plain `socket.socket`.

        Raises GaiError where the look-up fails, AddressRefused where the policy refuses all; TimeoutError;
        else the OSError of the address that failed last, or with `all_errors` an ExceptionGroup of them all.
        ConfigError, TypeError and ValueError for arguments that cannot be used.
        """
        from gdns import connect

        return connect.create_connection(
            self._finder(), address, timeout, source_address, all_errors, attempt_delay, resolution_delay
        )

    def _finder(self) -> Finder:
        """Where the addresses come from for those who connect."""
        from gdns.eager import NssFinder

        return NssFinder(self._engine().nss)

    # --- what is put in the place of look-ups

    def override(self, addresses: Mapping[Host, Addresses]) -> Override:
        """Give hosts other addresses, as `gdns.override` does, in this resolver alone, before the process'.

        Returns a handle with `undo()`, a context manager too. Raises TypeError and ConfigError.
        """
        return self._shared.overrides.add(addresses)

    # --- engines

    def _engine(self) -> Engine:
        """The engine of the calling thread's hub, made anew when the system's settings have changed."""
        self._system.current()
        here: Here = self._local.here
        engine = self._front.engine(here, now_by(self._system.clock))
        if engine is not None:
            return engine
        with self._shared.lock:
            return self._renew(here.engine, hubs.current(self._hub))

    def _engine_with_records(self) -> Engine:
        """The engine, once what `resolve` needs is loaded.

        All of dnspython takes some 20 ms: it is loaded in pieces, and others have their turns in between.
        """
        engine = self._engine()
        if "gdns.records" in _modules:
            return engine
        for piece in PIECES:
            import_module(piece)
            hubs.let_others_run(engine.hub)
        import_module("gdns.records")
        return self._engine()  # it may have changed meanwhile

    def _renew(self, old: Engine | None, hub: Hub) -> Engine:
        # what counts is asked for anew, under the lock: of two threads the later has the later word
        shared = self._shared
        system = self._system.current()
        settings = self._apply(system)
        if old is not None:
            if old.hub is hub and old.upstreams is shared.upstreams and settings == old.settings:
                old.system = system  # what changed is overridden by our arguments
                if old.nss.results is not None:
                    old.nss.results.system = system
                return old
            old.stub.retire()
        addresses = shared.upstreams.addresses
        if addresses is None:
            addresses = [ServerAddress.parse(text) for text in settings.resolv_conf.nameservers]
        domains = shared.upstreams.domains
        asked = (tuple(addresses), domains)
        if asked != shared.asked:
            shared.asked = asked
            if shared.cache is not None:
                shared.cache.begin_era()  # others may know other names
        servers = Servers(addresses, domains, settings.resolv_conf.rotate)
        here: Here = self._local.here
        engine = Engine(hub, system, settings, servers, self._lifetime, shared, here.counters)
        self._stubs.add(engine.stub)
        if self._is_closed:  # asked now that `close` sees the stub
            engine.stub.close()
        here.engine = engine
        results = here.results = engine.nss.results
        if results is not None:
            results.system = system
            results.upstreams = engine.upstreams
        return engine

    def _apply(self, system: Settings) -> Settings:
        """The system's settings with what this resolver was given put over them."""
        base = system.resolv_conf if self._shared.upstreams.addresses is None else ResolvConf()
        return system._replace(resolv_conf=base._replace(**self._own_settings))  # type: ignore[arg-type]

    def _for_hub(self, hub: Hub) -> Self:
        """Another resolver, which shares all but its hub, its look-ups and its end with this one."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self))
        twin._hub = hub
        twin._is_closed = False
        twin._local = OfThread(twin._shared.tally)
        twin._front = Front(twin._local, twin._shared, twin._system, hub)
        twin._stubs = WeakSet()
        return twin

    # --- the end

    def close(self) -> None:
        """End every look-up with ResolverClosed, and give back all sockets; safe to call twice."""
        self._is_closed = True
        for stub in members_of(self._stubs):
            stub.close()

    def __enter__(self) -> Resolver:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        addresses = self._shared.upstreams.addresses
        where = "the system's servers" if addresses is None else ", ".join(map(str, addresses))
        return f"<gdns.Resolver of {where}{' (closed)' if self._is_closed else ''}>"


class LibcResolver(LibcFunctions, Resolver):
    """A resolver with the backend "libc"; `Resolver` makes one where that is chosen."""

    def __init__(self, *arguments: Any, backend: str = "auto", **settings: Any) -> None:
        Resolver.__init__(self, *arguments, **settings)
        why = 'backend="libc" was chosen' if backend == "libc" else f"{SWITCH}=1 is in the environment"
        self._begin(why, self._shared.policy, self._shared.overrides)

    def close(self) -> None:
        """End every look-up with ResolverClosed; safe to call twice."""
        super().close()
        Resolver.close(self)


_default: Resolver | None = None


def default_resolver() -> Resolver:
    """The resolver behind the module's functions: the system's settings, on the hub of whoever calls."""
    global _default
    if _default is None:
        with _lock:
            if _default is None:
                _default = Resolver()
    return _default


_lock = QuietLock()


_pid = os.getpid()


def after_fork_in_child() -> None:
    """Part from the parent: once after each fork, by whoever hears of it first."""
    global _pid
    if _pid != os.getpid():
        _pid = os.getpid()
        for shared in members_of(all_shared):
            if shared.cache is not None:
                shared.cache.after_fork()
        for stub in members_of(all_stubs):
            stub.after_fork()


os.register_at_fork(after_in_child=after_fork_in_child)
