"""gevent's resolver: what `gevent.socket` asks, answered on gevent's own hub.

    GEVENT_RESOLVER=gdns.gevent.Resolver python app.py    # or in a chain: gdns.gevent.Resolver,thread

In code: `gevent.config.resolver = "gdns.gevent.Resolver"`, or `gdns.gevent.install()` at any time.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable, Iterable
from math import ceil
from socket import AF_INET, AI_CANONNAME, SOCK_STREAM, gaierror, herror
from typing import TYPE_CHECKING, ParamSpec, TypeVar

try:
    import gevent
except ModuleNotFoundError as _error:
    from gdns.extras import missing

    raise missing(_error, "gevent") from None
from gevent._hub_local import get_hub_if_exists

from gdns import netdb, resolver
from gdns.errors import ConfigError, GaiError, HostError
from gdns.hubs.gevent import GeventHub
from gdns.switch import Place, Switch
from gdns.system import wants_libc
from gdns.threads import QuietLock, local_base, members_of, original

if TYPE_CHECKING:
    from gevent.hub import Hub

    from gdns.config import Settings

__all__ = ["Resolver", "install"]

LONGEST_TRY = 5.0  # seconds; what resolv.conf(5) lets a try take where nothing is said
MOST_SETTINGS = 16  # under which hubs that come later find what those before them have learnt


P = ParamSpec("P")
T = TypeVar("T")

_PLAIN_TYPES: dict[type[Exception], type[OSError]] = {GaiError: gaierror, HostError: herror}


def _in_plain_types(method: Callable[P, T]) -> Callable[P, T]:
    """Let a method raise gaierror and herror themselves: gevent's users, and its tests, look at the type."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except (GaiError, HostError) as error:
            plain_type = _PLAIN_TYPES.get(type(error))
            if plain_type is None:
                raise
            plain = plain_type(*error.args)
            plain.outcome = error.outcome  # type: ignore[attr-defined]
            raise plain from None

    return call


class Resolver:
    """One gevent hub's resolver, with the methods and the manners of gevent's own.

    Those of all hubs share one cache, as long as gevent's settings are the same; each has its own sockets,
    and its own end.

    It does as the system's settings say. `gevent.config.resolver_nameservers` (GEVENT_RESOLVER_NAMESERVERS)
    takes the place of resolv.conf's servers, and `gevent.config.resolver_timeout` (GEVENT_RESOLVER_TIMEOUT)
    is the time in seconds that a look-up may take in all. Raises ConfigError for a server that cannot be
    read.

    The functions take and return what those of `socket` do, and raise what they raise, in the very types:
    gaierror and herror (with the attribute `outcome`, as GaiError has it), TypeError, UnicodeError,
    OverflowError and OSError; ResolverClosed once it is closed. Besides, `family` may be given to the two
    that otherwise only know IPv4, as gevent's other resolvers have it.
    """

    def __init__(self, hub: Hub | None = None) -> None:
        self.hub = weakref.ref(gevent.get_hub() if hub is None else hub)
        self._thread_ident = _get_ident()
        self._resolver = _resolver_for(GeventHub.of(self.hub()))
        _made.add(self)
        _this_thread.closer.resolvers.add(self._resolver)

    # --- what gevent.socket calls

    @_in_plain_types
    def gethostbyname(self, hostname: str, family: int = AF_INET) -> str:
        """As `socket.gethostbyname`: the first address of a host."""
        if family == AF_INET:
            return self._resolver.gethostbyname(hostname)
        return self.gethostbyname_ex(hostname, family)[2][0]

    @_in_plain_types
    def gethostbyname_ex(self, hostname: str, family: int = AF_INET) -> tuple[str, list[str], list[str]]:
        """As `socket.gethostbyname_ex`: name, aliases, addresses."""
        if family == AF_INET:
            return self._resolver.gethostbyname_ex(hostname)
        infos = self._resolver.getaddrinfo(hostname, None, family, SOCK_STREAM, 0, AI_CANONNAME)
        return infos[0][3], [], [str(info[4][0]) for info in infos]

    @_in_plain_types
    def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        socktype: int = 0,
        proto: int = 0,
        flags: int = 0,
        *,
        type: int = 0,
    ) -> list[netdb.AddrInfo]:
        """As `socket.getaddrinfo`, whose name for `socktype` is `type`."""
        return self._resolver.getaddrinfo(host, port, family, socktype or type, proto, flags)

    @_in_plain_types
    def gethostbyaddr(self, ip_address: str) -> tuple[str, list[str], list[str]]:
        """As `socket.gethostbyaddr`: name, aliases, the address."""
        return self._resolver.gethostbyaddr(ip_address)

    @_in_plain_types
    def getnameinfo(self, sockaddr: netdb.SockAddr, flags: int) -> tuple[str, str]:
        """As `socket.getnameinfo`: host and service."""
        return self._resolver.getnameinfo(sockaddr, flags)

    @property
    def resolver(self) -> resolver.Resolver:
        """The `gdns.Resolver` behind it: `resolve`, `flush`, `stats` and the rest, on this hub."""
        return self._resolver

    # --- its life

    def close(self) -> None:
        """End every look-up with ResolverClosed, and give back what is open; safe to call twice."""
        self._resolver.close()

    def _on_fork(self) -> None:
        """Called by `gevent.reinit` in the child; what there is to do was mostly done when it was forked."""
        resolver.after_fork_in_child()

    def __del__(self) -> None:
        # `del hub.resolver` does not close it. In another thread only the garbage collector gets here, and
        # then the hub goes with us.
        if not sys.is_finalizing() and "_resolver" in self.__dict__ and self._thread_ident == _get_ident():
            self._resolver.close()

    def __repr__(self) -> str:
        inner = repr(self._resolver).removeprefix("<gdns.Resolver ").removesuffix(">")
        return f"<gdns.gevent.Resolver at {id(self):#x} {inner}>"


def install() -> Switch:
    """Let gevent resolve with gdns from now on; `undo()` of what is returned gives back what it had.

    That is `gevent.config.resolver`, and the resolver of the calling thread's hub if that has one already.
    Hubs of other threads that have made theirs before keep it.
    """
    return _Installation()


class _Installation(Switch):
    def __init__(self) -> None:
        places = [Place(gevent.config.settings["resolver"], "value", Resolver)]
        hub = get_hub_if_exists()
        if hub is not None and not isinstance(hub._resolver, Resolver | None):
            places.append(Place(hub, "_resolver", Resolver(hub)))
        with _lock:
            super().__init__(places)

    def undo(self) -> None:
        with _lock:
            was_on = self.is_on
            super().undo()
        if was_on and gevent.config.settings["resolver"].__dict__.get("value") is not Resolver:
            for made in members_of(_made):
                hub = made.hub()
                if hub is not None and hub._resolver is made:
                    hub.resolver = None  # made anew when next asked for; what is under way goes on


def of_this_thread() -> resolver.Resolver | None:
    """The resolver behind that of the calling thread's hub; None where that is not ours."""
    adapter = GeventHub.of_this_thread()
    if adapter is None:
        return None
    hub = adapter.greenlet
    theirs = hub._resolver
    if theirs is None and gevent.config.resolver is Resolver:
        theirs = hub.resolver  # made by this
    return theirs._resolver if isinstance(theirs, Resolver) else None


# --- gevent's settings


class _OfGevent(resolver.Resolver):
    """A resolver for which the rest of resolv.conf counts, too, where its servers are replaced."""

    def _apply(self, system: Settings) -> Settings:
        return system._replace(resolv_conf=system.resolv_conf._replace(**self._own_settings))  # type: ignore[arg-type]


def _resolver_for(hub: GeventHub) -> resolver.Resolver:
    """One that shares its cache, and what it counts, with those of all hubs under the same settings."""
    servers = _servers(gevent.config.resolver_nameservers)
    total = gevent.config.resolver_timeout
    if wants_libc("auto"):
        return resolver.Resolver(lifetime=total, hub=hub)
    key = (servers, total)
    with _lock:
        common = _common.get(key)
        if common is None:
            common = _common[key] = _make(servers, total)
            if len(_common) > MOST_SETTINGS:
                del _common[next(iter(_common))]  # those who have it keep it
    return common._for_hub(hub)


def _make(servers: tuple[str, ...] | None, total: float | None) -> _OfGevent:
    try:
        if total is None:
            return _OfGevent(servers)
        timeout = min(LONGEST_TRY, total / 2)  # a lost datagram is sent again, however short the time
        return _OfGevent(servers, timeout=timeout, attempts=ceil(total / timeout), lifetime=total)
    except ConfigError as error:
        raise ConfigError(
            f"gevent.config.resolver_nameservers, GEVENT_RESOLVER_NAMESERVERS: {error}"
        ) from None


_lock = QuietLock()
_common: dict[tuple[tuple[str, ...] | None, float | None], _OfGevent] = {}


def _servers(value: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """The servers named there; None if none is."""
    items = value.split(",") if isinstance(value, str) else (value or ())
    return tuple(item.strip() for item in items if item.strip()) or None


# --- threads that end without destroying their hub


class _Closer:
    """Closes resolvers when it goes: its thread's end takes the thread's locals along."""

    def __init__(self) -> None:
        self.resolvers: weakref.WeakSet[resolver.Resolver] = weakref.WeakSet()

    def __del__(self) -> None:
        if not sys.is_finalizing():
            for left in members_of(self.resolvers):
                left.close()


class _ThisThread(local_base()):  # type: ignore[misc]
    def __init__(self) -> None:
        self.closer = _Closer()


_get_ident = original("_thread", "get_ident")
_this_thread = _ThisThread()
_made: weakref.WeakSet[Resolver] = weakref.WeakSet()
