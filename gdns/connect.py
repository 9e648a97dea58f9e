"""Connects to a host by whichever of its addresses answers first (RFC 8305, Happy Eyeballs)."""

from __future__ import annotations

import _socket  # the sockets of `socket` may be gevent's, which wait by themselves
import errno
import os
import socket
from collections.abc import Callable, Iterable
from math import inf, isfinite
from socket import (  # type: ignore[attr-defined]
    _GLOBAL_DEFAULT_TIMEOUT,
    AF_INET6,
    SO_ERROR,
    SOL_SOCKET,
)
from time import monotonic
from typing import TYPE_CHECKING, cast

from gdns.approval import is_approved
from gdns.descriptors import WRITABLE, DescriptorSet, make_set
from gdns.errors import EAI_ADDRFAMILY, AddressRefused, ConfigError, GaiError
from gdns.hubs.waiter import Waiter
from gdns.refusals import Refusals
from gdns.threads import original

if TYPE_CHECKING:
    from gdns.beside import Finder, Lookup, Service
    from gdns.hubs.protocol import Hub, Watch
    from gdns.netdb import AddrInfo, SockAddr

# What the network says of an address, as opposed to what this host says of itself
_OF_THE_NETWORK = frozenset(
    (
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ETIMEDOUT,
    )
)

UNWATCHED = 0.01  # seconds between looks at sockets, where no descriptor stands for them all

refusals = Refusals()  # of the whole process


def create_connection(
    finder: Finder,
    address: tuple[bytes | str | None, Service],
    timeout: float | None,
    source_address: tuple[str, int] | None,
    all_errors: bool,
    attempt_delay: float,
    resolution_delay: float,
) -> socket.socket:
    """See `Resolver.create_connection`; `finder` has the hub that is to wait."""
    host, port = address
    seconds = _seconds_of(timeout)
    _check_delay("attempt_delay", attempt_delay, 0.01, 10.0)  # RFC 8305, section 5: not under 10 ms
    _check_delay("resolution_delay", resolution_delay, 0.0, 10.0)
    ends_at = inf if seconds is None else monotonic() + seconds
    race = _Race(finder, host, port, ends_at, attempt_delay, resolution_delay)
    try:
        if source_address is not None:
            race.bind_to(source_address)
        family, kind, protocol, fd = race.run(all_errors)
    finally:
        race.close()
    try:
        connection = _socket_class(finder.hub)(family, kind, protocol, fd)
    except BaseException:
        os.close(fd)
        raise
    connection.settimeout(seconds)  # None too: the descriptor does not block
    return connection


class _Race:
    """The addresses of one host, tried side by side on the caller's hub."""

    def __init__(
        self,
        finder: Finder,
        host: bytes | str | None,
        port: Service,
        ends_at: float,
        attempt_delay: float,
        resolution_delay: float,
    ) -> None:
        self._finder = finder
        self._hub: Hub = finder.hub
        self._host = host
        self._port = port
        self._ends_at = ends_at
        self._attempt_delay = attempt_delay
        self._resolution_delay = resolution_delay
        self._source: Callable[[int], tuple[str, int]] | None = None
        self._is_one_by_one = False
        self._lookup: Lookup | None = None
        self._known: set[SockAddr] = set()
        self._refused: list[str] = []  # by the policy
        self._queue: list[AddrInfo] = []  # the next one to try first
        self._next_at: float | None = None  # when it is tried; None until anything is known
        self._attempts: dict[int, tuple[_socket.socket, AddrInfo]] = {}  # under way, by fd
        self._latest = -1  # the fd of the one begun last
        self._latest_family = 0
        self._errors: list[OSError] = []
        self._set: DescriptorSet | None = None
        self._watch: Watch | None = None
        self._waiter: Waiter | None = None

    def bind_to(self, source_address: tuple[str, int]) -> None:
        """Let all sockets speak from there; a host by name is looked up. Raises GaiError."""
        host, port = source_address
        self._is_one_by_one = port != 0
        if not host or ":" in host or not host.strip("0123456789."):
            self._source = lambda family: (host, port)
            return
        lifetime = None if self._ends_at == inf else max(0.001, self._ends_at - monotonic())
        addresses = self._finder.addresses(host, lifetime)

        def source(family: int) -> tuple[str, int]:
            for address in addresses:
                if (":" in address) == (family == AF_INET6):
                    return address, port
            raise GaiError(EAI_ADDRFAMILY)

        self._source = source

    def run(self, all_errors: bool) -> tuple[int, int, int, int]:
        """Family, type, protocol and descriptor of the first connection made."""
        lookup = self._lookup = self._finder.begin(self._host, self._port, self._wake)
        while True:
            while lookup.has_news:
                self._take_news(lookup)
            now = monotonic()
            winner = self._collect(now)
            if winner is not None:
                return winner
            if now >= self._ends_at:
                self._time_out(all_errors)
            next_at = self._time_of_next(now)
            if next_at <= now:
                self._try_next(now)
            elif self._attempts or self._queue or not lookup.has_ended:
                self._wait(lookup, min(next_at, self._ends_at))
            else:
                self._fail(lookup, all_errors)

    def close(self) -> None:
        """Close what is still being connected, and end the look-up; nothing refers to us any longer."""
        for attempt, _ in self._attempts.values():
            attempt.close()
        self._attempts.clear()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        if self._set is not None:
            self._set.close()
        lookup, self._lookup = self._lookup, None
        if lookup is not None:
            lookup.end()
        self._errors = []

    # --- what is known

    def _take_news(self, lookup: Lookup) -> None:
        policy = self._finder.policy
        host = "" if self._host is None else os.fsdecode(self._host)
        fresh = []
        for info in lookup.take():
            sockaddr = info[4]
            if sockaddr in self._known:
                continue
            self._known.add(sockaddr)
            address = str(sockaddr[0])
            if policy is None or is_approved(policy, host, address):
                fresh.append(info)
            else:
                self._refused.append(address)
        if fresh:
            self._queue = self._arranged(self._queue + fresh, lookup.is_in_parts)

    def _arranged(self, infos: list[AddrInfo], is_in_parts: bool) -> list[AddrInfo]:
        """In the order in which to try them (RFC 8305, section 4)."""
        if is_in_parts and len(infos) > 1:  # else they are in order
            addresses = self._finder.in_order([str(info[4][0]) for info in infos])
            place = {address: at for at, address in enumerate(addresses)}
            infos = sorted(infos, key=lambda info: place[str(info[4][0])])
        late = [info for info in infos if refusals.have(info[4])]
        return interleaved([i for i in infos if i not in late], self._latest_family) + interleaved(late)

    def _time_of_next(self, now: float) -> float:
        """When the next address is to be tried."""
        if not self._queue:
            return inf
        assert self._lookup is not None
        if self._next_at is None:
            self._next_at = now
            if not self._lookup.has_ended and all(info[0] != AF_INET6 for info in self._queue):
                self._next_at += self._resolution_delay  # section 3: IPv6 is a little late, perhaps
        elif not self._latest_family and (
            self._lookup.has_ended or any(info[0] == AF_INET6 for info in self._queue)
        ):
            return now
        if self._is_one_by_one and self._attempts:
            return inf
        return self._next_at

    # --- connecting

    def _try_next(self, now: float) -> None:
        info = self._queue.pop(0)
        family, kind, protocol, _, sockaddr = info
        self._latest_family = family
        self._next_at = now + self._attempt_delay
        try:
            attempt = _socket.socket(family, kind, protocol)  # closed on exec (PEP 446)
            attempt.setblocking(False)
        except OSError as error:
            self._next_at = now
            self._note_failure(info, error)
            return
        try:
            if self._source is not None:
                attempt.bind(self._source(family))
            number = attempt.connect_ex(sockaddr)
            if number not in (0, errno.EINPROGRESS):
                raise OSError(number, os.strerror(number))
            self._observe(attempt)
        except OSError as error:
            attempt.close()
            self._next_at = now
            self._note_failure(info, error)
        except BaseException:
            attempt.close()
            raise
        else:
            self._latest = attempt.fileno()
            self._attempts[self._latest] = (attempt, info)

    def _observe(self, attempt: _socket.socket) -> None:
        """A hub only watches for what can be read: a set of descriptors can, when one of them is ready."""
        if self._set is None:
            self._set = make_set()
            fileno = getattr(self._set, "fileno", None)
            if fileno is not None:
                self._watch = self._hub.watch(fileno(), self._wake)
        self._set.register(attempt.fileno(), WRITABLE)

    def _collect(self, now: float) -> tuple[int, int, int, int] | None:
        """The connection, if one is made; attempts that have failed are closed."""
        if self._set is None or not self._attempts:
            return None
        for fd, _ in self._set.poll(0):
            attempt, info = self._attempts.get(fd, (None, None))
            if attempt is None or info is None:
                continue  # after a fork, the set is the other process', too
            number = attempt.getsockopt(SOL_SOCKET, SO_ERROR)
            if not number:
                del self._attempts[fd]
                refusals.forget(info[4])
                return info[0], info[1], info[2], attempt.detach()
            del self._attempts[fd]
            attempt.close()
            if fd == self._latest or not self._attempts:
                self._next_at = now
            self._note_failure(info, OSError(number, os.strerror(number)))
        return None

    def _note_failure(self, info: AddrInfo, error: OSError) -> None:
        error.add_note(f"while connecting to {info[4][0]!s}, port {info[4][1]!s}")
        self._errors.append(error)
        if error.errno in _OF_THE_NETWORK and not isinstance(error, socket.gaierror):
            refusals.note(info[4])

    # --- waiting

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()

    def _wait(self, lookup: Lookup, until: float) -> None:
        """Park until there is news, a socket is ready or a moment has come."""
        if self._watch is None and self._attempts:
            until = min(until, monotonic() + UNWATCHED)
        waiter = self._waiter = Waiter(self._hub)
        timer = None
        try:
            if until != inf:
                timer = self._hub.call_later(max(0.0, until - monotonic()), waiter.wake)
            if self._watch is not None and self._attempts:
                self._watch.start()
            waiter.park()
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
            if self._watch is not None:
                self._watch.stop()  # what is ready would call again and again

    # --- the end

    def _time_out(self, all_errors: bool) -> None:
        for _, info in self._attempts.values():
            refusals.note(info[4])
        what = "connecting to" if self._latest_family else "looking up"
        errors, self._errors = self._errors, []
        error = TimeoutError(f"timed out {what} {self._host!r}, port {self._port!r}")
        if all_errors and self._latest_family:
            raise ExceptionGroup("create_connection failed", [*errors, error])
        raise error

    def _fail(self, lookup: Lookup, all_errors: bool) -> None:
        try:
            if self._errors:
                if all_errors:
                    raise ExceptionGroup("create_connection failed", self._errors)
                raise self._errors[-1]
            if self._refused:
                host = "" if self._host is None else os.fsdecode(self._host)
                raise AddressRefused(host, tuple(self._refused))
            raise lookup.failure or OSError("getaddrinfo returns an empty list")
        finally:
            self._errors = []  # they refer to this frame, which refers to us
            lookup.failure = None


def interleaved(infos: Iterable[AddrInfo], after: int = 0) -> list[AddrInfo]:
    """The families in turn, each in its own order, beginning with that of the first (RFC 8305, section 4).

    `after` is the family that came before them: then the other one has the first turn, if there is any of it.
    """
    first: list[AddrInfo] = []
    second: list[AddrInfo] = []
    for info in infos:
        (first if not first or info[0] == first[0][0] else second).append(info)
    if first and second and first[0][0] == after:
        first, second = second, first
    mixed = [info for pair in zip(first, second, strict=False) for info in pair]
    shorter = min(len(first), len(second))
    return mixed + first[shorter:] + second[shorter:]


def _seconds_of(timeout: object) -> float | None:
    """A timeout as `socket.settimeout` takes it. Raises TypeError and ValueError."""
    if timeout is _GLOBAL_DEFAULT_TIMEOUT:
        return _socket.getdefaulttimeout()
    if timeout is None:
        return None
    if not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout: expected seconds as a number, or None, not {type(timeout).__name__}")
    if not timeout >= 0:
        raise ValueError("Timeout value out of range")
    return float(timeout)


def _check_delay(what: str, value: object, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what}: expected seconds as a number, not {type(value).__name__}")
    if not (isfinite(value) and least <= value <= most):
        raise ConfigError(f"{what}: expected {least:g} to {most:g} seconds, not {value!r}")


def _socket_class(hub: Hub) -> type[socket.socket]:
    """The sockets that wait as the hub has it."""
    if hub.name == "gevent":
        from gevent.socket import socket as gevent_socket

        return cast("type[socket.socket]", gevent_socket)
    if hub.name == "eventlet":
        from eventlet.greenio import GreenSocket

        return cast("type[socket.socket]", GreenSocket)
    return cast("type[socket.socket]", original("socket", "socket"))
