"""Answers with the system's own resolver alone, without c-ares and without gdns' extension modules.

It is the backend "libc": what is asked for is left to libc's pool of threads, the calling greenlet waits, and
the hub goes on. Nothing here needs more than Python and greenlet, so that it serves where the extensions
cannot be imported. DNS records cannot be asked for.
"""

from __future__ import annotations

import _socket
import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from socket import SOCK_STREAM, AddressFamily, SocketKind
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast
from weakref import WeakSet

from gdns import hubs, libc
from gdns.approval import AddressPolicy, approved, check_policy
from gdns.errors import HOST_TEXTS, ConfigError, GaiError, HostError
from gdns.switch import Switch
from gdns.threads import local_base, make_rlock

if TYPE_CHECKING:
    from gdns.hubs import Hub, Waiter

T = TypeVar("T")

BACKENDS = ("auto", "native", "libc")
SWITCH = "GDNS_DISABLE"  # in the environment: everything goes to the system's own resolver

log = logging.getLogger("gdns")

_ThreadLocal: Any = local_base()
_bells: WeakSet[Bell] = WeakSet()


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


class Bell:
    """Lets threads wake the greenlets of one hub: a pipe that the hub watches while anybody waits."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.is_closed = False
        self._guests: set[Waiter] = set()
        self._waking: deque[Waiter] = deque()
        self._open()
        _bells.add(self)

    def _open(self) -> None:
        self._lock = make_rlock()
        self._ends = os.pipe()
        for end in self._ends:
            os.set_blocking(end, False)
        self._watch = self.hub.watch(self._ends[0], self._on_ring)

    def wait_for_thread(self, guest: Waiter, lifetime: float | None = None) -> None:
        """Park until a thread calls `wake_from_thread(guest)`, for `lifetime` seconds at most."""
        self._guests.add(guest)
        self._watch.start()
        timer = None if lifetime is None else self.hub.call_later(max(0.0, lifetime), guest.wake)
        try:
            guest.park()
        finally:
            self._guests.discard(guest)
            if timer is not None:
                timer.cancel()
            if not self._guests:
                self._watch.stop()  # an idle one would keep the hub from finishing

    def wake_from_thread(self, guest: Waiter) -> None:
        """Let the hub wake a greenlet; the one method that any thread may call."""
        self._waking.append(guest)
        with self._lock:  # a descriptor that was closed may be somebody else's by now
            if not self.is_closed:
                with suppress(BlockingIOError):  # it is readable already
                    os.write(self._ends[1], b"\0")

    def _on_ring(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._ends[0], 4096)
        while self._waking:
            self._waking.popleft().wake()

    def close(self) -> None:
        """Wake all who wait, and give the pipe back; safe to call twice."""
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
            self._watch.close()
            for end in self._ends:
                os.close(end)
        for guest in tuple(self._guests):
            guest.wake()

    def after_fork(self) -> None:
        """In the child: a pipe of its own, for the old one is the parent's."""
        if self.is_closed:
            return
        self._watch.close()
        old = self._ends
        self._open()
        for end in old:
            os.close(end)
        if self._guests:
            self._watch.start()
        if self._waking:
            self.wake_from_thread(self._waking.pop())

    def __del__(self) -> None:
        with suppress(Exception):  # the interpreter may be going down
            self.close()


class LibcFunctions:
    """The look-ups of a resolver, each a call of the system's in a thread; errors are gdns' own."""

    _why: str
    _policy: AddressPolicy | None
    _hub: Hub | None
    _lifetime: float | None

    def _begin(self, why: str, policy: AddressPolicy | None) -> None:
        """Say why it is this backend that serves, and what addresses it may give; be open."""
        self._why = why
        self._policy = policy
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

    def _ask(self, lifetime: float | None, function: Callable[..., T], *arguments: object) -> T:
        try:
            return libc.call(self._bell(), lifetime, function, *arguments)
        except socket.gaierror as error:
            raise error if isinstance(error, GaiError) else GaiError(*error.args) from None
        except socket.herror as error:
            raise error if error.errno not in HOST_TEXTS else HostError(error.errno) from None

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
        _refuse_nul("getaddrinfo", host)
        rows = self._ask(self._lifetime, _socket.getaddrinfo, host, port, family, type, proto, flags)
        if self._policy is not None:
            left = set(approved(self._policy, _text(host), (str(row[4][0]) for row in rows)))
            canonical_name = rows[0][3]
            rows = [row for row in rows if row[4][0] in left]
            rows[0] = (*rows[0][:3], canonical_name, rows[0][4])
        return [(_named(AddressFamily, row[0]), _named(SocketKind, row[1]), *row[2:]) for row in rows]

    def gethostbyname(self, name: str) -> str:
        """As `socket.gethostbyname`. Raises GaiError."""
        _refuse_nul("gethostbyname", name)
        if self._policy is not None:
            return self.gethostbyname_ex(name)[2][0]
        return self._ask(self._lifetime, _socket.gethostbyname, name)

    def gethostbyname_ex(self, name: str) -> tuple[str, list[str], list[str]]:
        """As `socket.gethostbyname_ex`. Raises GaiError or HostError."""
        _refuse_nul("gethostbyname_ex", name)
        canonical_name, aliases, addresses = self._ask(self._lifetime, _socket.gethostbyname_ex, name)
        return canonical_name, aliases, self._approved(name, addresses)

    def gethostbyaddr(self, address: str) -> tuple[str, list[str], list[str]]:
        """As `socket.gethostbyaddr`. Raises GaiError or HostError."""
        _refuse_nul("gethostbyaddr", address)
        name, aliases, addresses = self._ask(self._lifetime, _socket.gethostbyaddr, address)
        return name, aliases, self._approved(address, addresses)

    def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As `socket.getnameinfo`. Raises GaiError."""
        return self._ask(self._lifetime, _socket.getnameinfo, sockaddr, flags)

    def getfqdn(self, name: str = "") -> str:
        """As `socket.getfqdn`: the name with its domain, or `name` where none is found."""
        name = name.strip()
        if not name or name in ("0.0.0.0", "::"):
            name = socket.gethostname()
        try:
            canonical_name, aliases, _ = self._ask(self._lifetime, _socket.gethostbyaddr, name)
        except OSError:
            return name
        return next((known for known in (canonical_name, *aliases) if "." in known), canonical_name)

    def lookup(self, host: str, family: int = 0, *, lifetime: float | None = None) -> tuple[str, ...]:
        """The addresses of a host in the system's order. `lifetime` is in seconds. Raises GaiError."""
        _refuse_nul("lookup", host)
        lifetime = self._lifetime if lifetime is None else lifetime
        rows = self._ask(lifetime, _socket.getaddrinfo, host, None, family, SOCK_STREAM)
        return tuple(self._approved(host, list(dict.fromkeys(str(row[4][0]) for row in rows))))

    def _approved(self, host: str, addresses: list[str]) -> list[str]:
        return addresses if self._policy is None else list(approved(self._policy, _text(host), addresses))

    def _cannot(self, function: str) -> NotImplementedError:
        return NotImplementedError(
            f"{function}() asks DNS through gdns' own engine, which does not serve here: {self._why}. "
            "The system's own resolver gives addresses and names, and nothing else."
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

    def canonical_name(self, *arguments: Any, **options: Any) -> NoReturn:
        """As `resolve`."""
        raise self._cannot("canonical_name")

    def zone_for_name(self, *arguments: Any, **options: Any) -> NoReturn:
        """As `resolve`."""
        raise self._cannot("zone_for_name")

    def create_connection(self, *arguments: Any, **options: Any) -> Any:
        """As `resolve`: it needs the engine's sockets."""
        raise self._cannot("create_connection")

    def explain(self, *arguments: Any, **options: Any) -> NoReturn:
        """As `resolve`."""
        raise self._cannot("explain")

    def close(self) -> None:
        """End every look-up with ResolverClosed; safe to call twice."""
        self._has_ended = True
        for bell in list(self._own_bells):
            bell.close()


class Resolver(LibcFunctions):
    """`gdns.Resolver` where the extension modules cannot be imported: it serves with the backend "libc".

    The settings are those of that class. `policy` is asked; what says whom to ask and what to keep is for
    gdns' own engine, and of no effect here; `backend="native"` and `override` raise ConfigError.
    """

    def __init__(
        self,
        nameservers: object = None,
        *,
        lifetime: float | None = None,
        policy: AddressPolicy | None = None,
        backend: str = "auto",
        hub: Hub | None = None,
        **settings: object,
    ) -> None:
        wants_libc(backend)
        if backend == "native":
            raise ConfigError(f"backend: 'native' cannot serve: {_missing}")
        if settings.get("override") is not None:
            raise ConfigError(f"override: it is gdns' own engine that knows of it: {_missing}")
        self._hub = hub
        self._lifetime = lifetime
        self._begin(_missing, check_policy(policy))

    def flush(self, name: str | None = None) -> int:
        """Nothing is cached here: 0."""
        return 0

    def stats(self) -> dict[str, Any]:
        """Nothing is counted here: an empty dict."""
        return {}

    def __enter__(self) -> Resolver:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<gdns.Resolver of the system's own resolver{' (closed)' if self._has_ended else ''}>"


_missing = "gdns' extension modules cannot be imported"  # with the reason, once it is known


def patch_dnspython() -> Switch:
    """As `gdns.dnspython.patch_dnspython`, where that cannot serve: dnspython is left as it is."""
    log.warning("patch_dnspython: dnspython is left as it is, because %s", _missing)
    return Switch(())


def serve_alone(reason: ImportError) -> None:
    """Say, once, that this backend serves because the extension modules cannot be imported."""
    global _missing
    _missing = f"{_missing} ({reason})"
    log.warning("%s: the system's own resolver serves, and resolve() does not", _missing)


_default: Resolver | None = None


def default_resolver() -> Resolver:
    """The resolver behind the module's functions."""
    global _default
    if _default is None:
        _default = Resolver()
    return _default


def _refuse_nul(function: str, host: object) -> None:
    """The system would cut a host off at its NUL, and look up another one."""
    if (isinstance(host, str) and "\0" in host) or (isinstance(host, (bytes, bytearray)) and 0 in host):
        raise TypeError(f"{function}() argument 1 must be a str without null characters")


def _text(host: object) -> str | None:
    """A host as a policy gets it."""
    return os.fsdecode(bytes(host)) if isinstance(host, (bytes, bytearray)) else cast("str | None", host)


def _named(kinds: Any, number: int) -> Any:
    """A number as the socket module shows it: with a name where it has one."""
    try:
        return kinds(number)
    except ValueError:
        return number


def _after_fork_in_child() -> None:
    for bell in list(_bells):
        bell.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
