"""Puts gdns in the place of dnspython's resolver, for programs that import that one."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, cast

import dns.nameserver
import dns.rcode
import dns.resolver
from dns.name import Name
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from dns.resolver import Answer

from gdns import records
from gdns.resolvconf import UNNAMED
from gdns.resolver import Resolver, default_resolver
from gdns.switch import Place, Switch
from gdns.system import is_disabled
from gdns.threads import local_base, members_of

if TYPE_CHECKING:
    from gdns.engines import Engine

MOST_KEPT = 32  # resolvers of ours for those of dnspython that a thread has used last
MOST_ATTEMPTS = 100

_theirs = dns.resolver.Resolver.resolve
_ThreadLocal: Any = local_base()


def patch_dnspython() -> Switch:
    """Let `dns.resolver` look names up on the hub, until `undo()` of the handle, or the end of its `with`.

    All of its functions, and every `dns.resolver.Resolver` made before or after, whatever its servers, port,
    times, search list, cache, EDNS and flags, then ask through gdns' engine; the answers and exceptions are
    those of `gdns.resolve`, which are dnspython's too. The default resolver is `gdns.default_resolver()`,
    unless the program has set it otherwise. An explicit list of servers is asked without a cache of gdns'.
    What the engine cannot do (TSIG, other transports than UDP and TCP, odd flags) dnspython does as before;
    with GDNS_DISABLE=1 in the environment, everything. `dns.asyncresolver` is left alone.
    """
    places = [Place(dns.resolver.Resolver, "resolve", _resolve)]
    present = dns.resolver.default_resolver
    default = SystemResolver()
    if present is None or _settings(present) == _settings(default):
        places.append(Place(dns.resolver, "default_resolver", default))
    return Switch(places)


class SystemResolver(dns.resolver.Resolver):
    """dnspython's default resolver while the patch is in: `gdns.default_resolver()`, until it is changed.

    So it follows the system's settings when they change, and shares the cache. A program that sets other
    servers, times or the like on it gets what it has set.
    """

    def __init__(self) -> None:
        try:
            super().__init__()
        except dns.resolver.NoResolverConfiguration:
            super().__init__(configure=False)
            self.nameservers = [*UNNAMED]
        self._as_made = _settings(self)

    @property
    def is_changed(self) -> bool:
        """Whether a program has set anything that says whom to ask, and for how long."""
        return _settings(self) != self._as_made


def _settings(resolver: dns.resolver.Resolver) -> tuple[object, ...]:
    """What says whom a resolver of dnspython's asks; its times, but `lifetime`, which counts anyway."""
    return (
        list(resolver.nameservers),
        dict(resolver.nameserver_ports),
        resolver.port,
        resolver.timeout,
        resolver.rotate,
        resolver.cache,
    )


def _resolve(
    self: dns.resolver.Resolver,
    qname: Name | str,
    rdtype: RdataType | str = RdataType.A,
    rdclass: RdataClass | str = RdataClass.IN,
    tcp: bool = False,
    source: str | None = None,
    raise_on_no_answer: bool = True,
    source_port: int = 0,
    lifetime: float | None = None,
    search: bool | None = None,
) -> Answer:
    """`dns.resolver.Resolver.resolve`, asked through gdns."""
    lifetime = self.lifetime if lifetime is None else lifetime
    found = _engine_for(self, lifetime)
    if found is None:
        return _theirs(
            self, qname, rdtype, rdclass, tcp, source, raise_on_no_answer, source_port, lifetime, search
        )
    engine, extras = found
    lookup = records.Lookup(
        engine, qname, rdclass, tcp, source, raise_on_no_answer, source_port, lifetime, **extras
    )
    rdtype = records.to_rdtype(rdtype)
    # their own rules: a domain without search list, ndots None, a default for `search`
    qnames = self._get_qnames_to_try(records.to_name(qname), search)
    return _ask_in_turn(lookup, qnames, rdtype, self.cache)


def _ask_in_turn(lookup: records.Lookup, qnames: list[Name], rdtype: RdataType, cache: Any) -> Answer:
    """As `Lookup.ask_in_turn`, through the cache that dnspython's resolver may have."""
    denials = {}
    outcome = None
    for qname in qnames:
        if cache:
            known = cache.get((qname, rdtype, lookup.rdclass))
            if known is not None:
                if known.rrset is None and lookup.raise_on_no_answer:
                    raise records.NoAnswer(response=known.response)
                return cast(Answer, known)
            known = cache.get((qname, RdataType.ANY, lookup.rdclass))
            if known is not None and known.response.rcode() == dns.rcode.NXDOMAIN:
                denials[qname] = known.response
                continue
        lookup.qnames = [qname]
        try:
            ((answer, _),) = lookup.ask_in_turn(rdtype)
        except records.NXDOMAIN as missing:
            denials[qname] = missing.responses()[qname]  # type: ignore[no-untyped-call]
            outcome = missing.outcome
            if cache:
                denial = Answer(qname, RdataType.ANY, RdataClass.IN, denials[qname])
                cache.put((qname, RdataType.ANY, lookup.rdclass), denial)
            continue
        if cache:
            cache.put((qname, rdtype, lookup.rdclass), answer)
        return lookup.checked(answer)
    raise records.NXDOMAIN(qnames=qnames, responses=denials, outcome=outcome)


def _engine_for(resolver: dns.resolver.Resolver, lifetime: float) -> tuple[Engine, records.Extras] | None:
    """The engine that asks as a resolver of dnspython's is set to, or None if none of ours can."""
    if resolver.keyname is not None or is_disabled():
        return None
    try:
        extras = records.edns_extras(
            resolver.edns, resolver.ednsflags, resolver.payload, resolver.ednsoptions
        ) | records.flag_extras(resolver.flags)
        if isinstance(resolver, SystemResolver) and not resolver.is_changed:
            return default_resolver()._engine(), extras
        ours = _resolver_like(resolver, lifetime)
    except (TypeError, ValueError):  # ConfigError, too
        return None
    return None if ours is None else (ours._engine(), extras)


class _Kept(_ThreadLocal):  # type: ignore[misc]
    """Our resolvers for those of dnspython, by what these are set to."""

    def __init__(self) -> None:
        self.resolvers: OrderedDict[object, _Explicit] = OrderedDict()  # least recently used first


_kept = _Kept()


class _Explicit(Resolver):
    """A resolver for an explicit list of servers, as a program has set it on one of dnspython's."""

    def __init__(self, servers: tuple[str, ...], timeout: float, attempts: int, rotate: bool) -> None:
        # no cache: who names servers may want to see what these say now, and may have a cache of their own
        super().__init__(
            servers, timeout=timeout, attempts=attempts, search=(), ndots=1, edns=False, cache=False
        )
        self._own_settings["rotate"] = rotate

    def retire(self) -> None:
        """Close as soon as what is under way has ended."""
        for stub in members_of(self._stubs):
            stub.retire()


def _resolver_like(resolver: dns.resolver.Resolver, lifetime: float) -> _Explicit | None:
    """Ours that asks as a resolver of dnspython's; None where gdns cannot ask its servers, or there are none.

    Raises ConfigError or TypeError for what is set wrongly.
    """
    servers = []
    for server in resolver._enrich_nameservers(
        resolver.nameservers, resolver.nameserver_ports, resolver.port
    ):
        if type(server) is not dns.nameserver.Do53Nameserver:
            return None
        host = f"[{server.address}]" if ":" in server.address else server.address
        servers.append(f"{host}:{server.port}")
    timeout = float(resolver.timeout)
    if not (servers and timeout > 0 and lifetime > 0):
        return None
    # enough tries to fill the lifetime, which is what ends a call
    attempts = max(1, min(math.ceil(min(lifetime / timeout, MOST_ATTEMPTS)), MOST_ATTEMPTS))
    key = (tuple(servers), timeout, attempts, bool(resolver.rotate))
    kept = _kept.resolvers
    ours = kept.get(key)
    if ours is None:
        ours = kept[key] = _Explicit(*key)
        if len(kept) > MOST_KEPT:
            kept.popitem(last=False)[1].retire()
    else:
        kept.move_to_end(key)
    return ours
