"""Puts gdns in the place of the functions of `socket` that look names up.

Replaced in `socket`: getaddrinfo, gethostbyname, gethostbyname_ex, gethostbyaddr, getnameinfo, getfqdn.
`socket.create_connection` and everything else that goes through these follow. The methods connect,
connect_ex, bind, sendto and sendmsg of sockets, which in C look up a host's name by themselves, get its
address instead. Under gevent, its resolver and its sockets are taken along; so are eventlet's.

`_socket` stays as it is: it is what the system's own resolver is asked through, by us too.
"""

from __future__ import annotations

import functools
import importlib
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from operator import index
from socket import _GLOBAL_DEFAULT_TIMEOUT, AF_INET, AF_INET6  # type: ignore[attr-defined]
from types import FunctionType
from typing import Any

from gdns import netdb
from gdns.literals import BROADCAST, is_address
from gdns.resolver import Resolver, default_resolver
from gdns.switch import Place, Switch
from gdns.threads import QuietLock

FUNCTIONS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo", "getfqdn")
SPECIAL_HOSTS = ("", *BROADCAST)  # socket's own words for addresses
ADDRESS_AT = {"connect": 0, "connect_ex": 0, "bind": 0, "sendto": -1, "sendmsg": 3}  # among the arguments
WAITING = ("connect", "connect_ex", "sendto")  # of these, what sockets of eventlet have themselves
FEWEST_ARGUMENTS = {"sendto": 2, "sendmsg": 4}  # with an address


def patch_socket(*, create_connection: bool = False) -> Switch:
    """Look up on the hub what is asked of `socket`; `undo()` of what is returned puts everything back.

    With `create_connection`, the functions of that name in `socket`, `gevent.socket` and urllib3 (and so
    requests), as far as these are loaded, become `gdns.create_connection`: Happy Eyeballs, and one deadline
    for look-up and connecting.

    To be called before or after `gevent.monkey.patch_all()`, with or without gevent, and likewise with
    eventlet, once that is imported. Called again it returns the same switch, and patches what has been loaded
    since. Modules that have done `from socket import getaddrinfo` before keep what they have.
    """
    global _in_force
    with lock:
        if _in_force is None or not _in_force.is_on:
            _in_force = _Patch()
        if create_connection:
            _in_force.connects = True
            for module in ("gdns.connect", "gdns.eager"):  # not in the midst of the first connection
                importlib.import_module(module)
        _in_force.renew()
        return _in_force


def renew() -> None:
    """Patch what gevent has brought along since `patch_socket`; nothing if that is not in force."""
    with lock:
        if _in_force is not None and _in_force.is_on:
            _in_force.renew()


def is_in_force() -> bool:
    """Whether `patch_socket` has been called, and not undone."""
    return _in_force is not None and _in_force.is_on


class _Patch(Switch):
    def __init__(self) -> None:
        self._gevent: Switch | None = None
        self._eventlet: Switch | None = None
        self.connects = False
        super().__init__(())
        self._is_begun = True

    @property
    def is_on(self) -> bool:
        return self._is_begun

    def renew(self) -> None:
        try:
            if "gevent" in sys.modules:
                from gdns import gevent

                if self._gevent is None:
                    self._gevent = gevent.install()
                self._correct_what_gevent_saved()
            if "eventlet" in sys.modules:
                eventlet = importlib.import_module("gdns.eventlet")  # a plugin, which knows of this module
                before, self._eventlet = self._eventlet, eventlet.install()
                if before is not None:
                    before.undo()
            self._put(_places())
            if self.connects:
                self._put(_places_that_connect())
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        with lock:
            if self._eventlet is not None:
                self._eventlet.undo()
                self._eventlet = None
                self._leave_what_eventlet_patched()
            super().undo()
            self._is_begun = False
            if self._gevent is not None:
                self._gevent.undo()
                self._gevent = None

    def _correct_what_gevent_saved(self) -> None:
        """Where gevent has patched after us, let `monkey.get_original` find the original, and not us."""
        monkey = sys.modules.get("gevent.monkey")
        saved = {} if monkey is None else monkey.saved.get("socket", {})
        for place, before in self._done:
            if place.owner is socket and saved.get(place.name) is place.value:
                saved[place.name] = before

    def _leave_what_eventlet_patched(self) -> None:
        """Where eventlet has patched after us, find its functions in `socket` again, and not the system's."""
        if sys.modules["eventlet.patcher"].is_monkey_patched("socket"):
            green = sys.modules["eventlet.green.socket"]
            self._done = [
                (place, getattr(green, place.name) if place.owner is socket else before)
                for place, before in self._done
            ]


_in_force: _Patch | None = None
lock = QuietLock()  # held while `socket`, and what others have of it, is changed


def _places() -> Iterator[Place]:
    for name in FUNCTIONS:
        if getattr(socket, name) is not OURS[name]:
            yield Place(socket, name, OURS[name])
    for kind, names in _kinds_of_sockets():
        for name in names:
            if not hasattr(vars(kind).get(name), "looks_up_on_the_hub"):
                yield Place(kind, name, _looking_up(kind, name))


def _places_that_connect() -> Iterator[Place]:
    for module in ("socket", "gevent.socket", "urllib3.util.connection"):
        owner = sys.modules.get(module)
        if owner is not None:
            ours = _create_connection_of_urllib3 if module.startswith("urllib3") else create_connection
            if getattr(owner, "create_connection", ours) is not ours:
                yield Place(owner, "create_connection", ours)


def _kinds_of_sockets() -> Iterator[tuple[type, Iterable[str]]]:
    """The kinds of sockets that there are, with those of their methods that look up."""
    green = sys.modules.get("eventlet.greenio.base")
    if green is None or socket.socket is not green.GreenSocket:
        yield socket.socket, ADDRESS_AT
    if "gevent" in sys.modules:
        from gevent.socket import socket as gevent_socket

        if gevent_socket is not socket.socket:
            yield gevent_socket, ADDRESS_AT
    if green is not None:
        yield green.GreenSocket, WAITING  # the others are those of the socket inside it
        if green._original_socket is not socket.socket:
            yield green._original_socket, set(ADDRESS_AT) - set(WAITING)
        if "eventlet.green.ssl" in sys.modules:
            kind = sys.modules["eventlet.green.ssl"].GreenSSLSocket
            yield kind, set(WAITING) & set(vars(kind))


# --- the functions


def resolver_in_force() -> Resolver:
    """That of this thread's gevent hub if it is ours, for gevent's settings count; else the default one."""
    if "gevent" in sys.modules:
        from gdns import gevent

        found = gevent.of_this_thread()
        if found is not None:
            return found
    return default_resolver()


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[netdb.AddrInfo]:
    """As `gdns.getaddrinfo`."""
    return resolver_in_force().getaddrinfo(host, port, family, type, proto, flags)


def gethostbyname(hostname: str) -> str:
    """As `gdns.gethostbyname`."""
    return resolver_in_force().gethostbyname(hostname)


def gethostbyname_ex(hostname: str) -> tuple[str, list[str], list[str]]:
    """As `gdns.gethostbyname_ex`."""
    return resolver_in_force().gethostbyname_ex(hostname)


def gethostbyaddr(ip_address: str) -> tuple[str, list[str], list[str]]:
    """As `gdns.gethostbyaddr`."""
    return resolver_in_force().gethostbyaddr(ip_address)


def getnameinfo(sockaddr: netdb.SockAddr, flags: int) -> tuple[str, str]:
    """As `gdns.getnameinfo`."""
    return resolver_in_force().getnameinfo(sockaddr, flags)


def getfqdn(name: str = "") -> str:
    """As `gdns.getfqdn`."""
    return resolver_in_force().getfqdn(name)


def create_connection(
    address: tuple[str | bytes | None, str | bytes | int | None],
    timeout: float | None = _GLOBAL_DEFAULT_TIMEOUT,
    source_address: tuple[str, int] | None = None,
    *,
    all_errors: bool = False,
) -> socket.socket:
    """As `gdns.create_connection`."""
    return resolver_in_force().create_connection(address, timeout, source_address, all_errors=all_errors)


def _create_connection_of_urllib3(
    address: tuple[str, int],
    timeout: Any = _GLOBAL_DEFAULT_TIMEOUT,
    source_address: tuple[str, int] | None = None,
    socket_options: Iterable[tuple[Any, ...]] | None = None,
) -> socket.socket:
    """As `gdns.create_connection`; the socket's options are set once it is connected."""
    if timeout is not None and not isinstance(timeout, (int, float)):
        timeout = _GLOBAL_DEFAULT_TIMEOUT  # urllib3 has a word of its own for that
    host, port = address
    sock = create_connection((host.strip("[]"), port), timeout, source_address)
    try:
        for option in socket_options or ():
            sock.setsockopt(*option)
    except BaseException:
        sock.close()
        raise
    return sock


OURS: dict[str, FunctionType] = {name: globals()[name] for name in FUNCTIONS}

# --- the methods


def _looking_up(kind: type, name: str) -> Callable[..., Any]:
    """The method of a kind of socket, given an address where its caller names a host."""
    method = getattr(kind, name)
    position = ADDRESS_AT[name]
    fewest = FEWEST_ARGUMENTS.get(name, 1)

    @functools.wraps(method)
    def looks_up(self: socket.socket, *args: Any, **kwargs: Any) -> Any:
        if len(args) >= fewest:
            address = args[position]
            found = _with_address(self, address)
            if found is not address:
                changed = list(args)
                changed[position] = found
                args = tuple(changed)
        elif name == "sendmsg" and "address" in kwargs:  # gevent's has keywords
            kwargs["address"] = _with_address(self, kwargs["address"])
        return method(self, *args, **kwargs)

    looks_up.looks_up_on_the_hub = True  # type: ignore[attr-defined]
    return looks_up


def _with_address(sock: socket.socket, address: Any) -> Any:
    """A socket's address, the host looked up as C does it; what C need not, or cannot, look up as it is."""
    if not isinstance(address, tuple) or not 2 <= len(address) <= 4:
        return address
    host, port = address[:2]
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host)
        text = host.decode("ascii", "replace")
    elif isinstance(host, str):
        text = host
        if host.isascii():
            host = host.encode()  # C does not look at its labels
    else:
        return address
    if text in SPECIAL_HOSTS or is_address(text):
        return address
    family = sock.family
    if family not in (AF_INET, AF_INET6):
        return address
    try:
        index(port)
    except TypeError:
        return address  # C refuses that before it looks up anything
    found = resolver_in_force().getaddrinfo(host, None, family)[0][4][0]
    return (str(found), *address[1:])
