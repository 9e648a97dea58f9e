"""Names whoever makes the hub wait for the system's resolver.

Python's functions are seen by their audit events (PEP 578), and the methods of sockets, which look names up
before they raise theirs, by wrappers. What a C library does by itself raises no event. While it waits for a
DNS server in poll(2), Linux shows it in /proc (proc_pid_syscall(5)), where a thread of ours looks every few
milliseconds; this works with glibc, and not for answers from a cache daemon or a file.
"""

from __future__ import annotations

import functools
import gc
import os
import platform
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

from gdns.hubs import native
from gdns.literals import is_address
from gdns.logs import WARNING, log
from gdns.patch import ADDRESS_AT, FEWEST_ARGUMENTS, SPECIAL_HOSTS, lock
from gdns.resolvconf import DNS_PORT
from gdns.switch import Place, Switch
from gdns.threads import members_of, original, start_thread

LOOK_EVERY = 0.005  # seconds between two looks at what C libraries do
HOST_AT = {  # audit events, and where in their arguments the host is
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
    "socket.getnameinfo": 0,
}
BETWEEN = ("socket", "ssl", "gevent", "eventlet", "gdns")  # modules through which others' calls pass
DEEPEST = 30  # frames that a sighting keeps
POLL = {"x86_64": (7, 271), "aarch64": (73,)}  # poll and ppoll in asm/unistd.h
POLLFD = struct.Struct("ihh")  # poll(2)


class Sighting(NamedTuple):
    """One wait of the hub. `stack` has "file:line (function)" of each caller, the innermost first."""

    call: str
    filename: str
    line: int
    function: str
    seconds: float
    stack: tuple[str, ...]


class Watch(Switch):
    """Watches until `undo()`; `sightings` are what it has seen, oldest first, the last thousand of them."""

    def __init__(self, at_least: float, on_sighting: Callable[[Sighting], object] | None) -> None:
        if not at_least >= 0:
            raise ValueError(f"at_least: expected seconds, not {at_least!r}")
        self.sightings: list[Sighting] = []
        self._at_least = at_least
        self._on_sighting = on_sighting
        self._warned: set[tuple[str, int]] = set()
        super().__init__(())
        self._put(_places())

    def undo(self) -> None:
        with lock:
            super().undo()
            if self in _watches:
                _watches.remove(self)

    def _note(self, sighting: Sighting) -> None:
        if sighting.seconds < self._at_least:
            return
        self.sightings.append(sighting)
        del self.sightings[:-1000]
        if self._on_sighting is not None:
            self._on_sighting(sighting)
        place = (sighting.filename, sighting.line)
        if place not in self._warned:
            self._warned.add(place)
            log(
                "gdns",
                WARNING,
                "%s:%d (%s) made the hub wait %.0f ms for the system's resolver in %s",
                *sighting[1:4],
                sighting.seconds * 1000,
                sighting.call,
            )


def watch_blocking(
    *, at_least: float = 0.001, on_sighting: Callable[[Sighting], object] | None = None
) -> Watch:
    """Warn of whoever makes a hub wait for the system's resolver, until `undo()` of what is returned.

    The first wait at each line of a program is logged by the logger `gdns`; all that took `at_least` so many
    seconds are kept in `sightings`, and given to `on_sighting` in the thread that saw it. GDNS_WATCH=1 in the
    environment calls this when gdns is imported. For finding out, not for production: an audit hook cannot be
    removed again, so later ones cost about 0.1 microseconds more, and a thread wakes every few milliseconds
    while anybody watches.
    """
    global _hook_is_set
    with lock:
        watch = Watch(at_least, on_sighting)
        _watches.append(watch)
        if not _hook_is_set:
            _hook_is_set = True
            sys.addaudithook(_on_audit_event)
        _Sampler.start_if_needed()
    return watch


_watches: list[Watch] = []
_hook_is_set = False
_waiting: set[int] = set()  # identities of the threads of which Python itself knows that they wait
_get_ident = original("_thread", "get_ident")
_sleep = original("time", "sleep")


class _Caller(NamedTuple):
    filename: str
    line: int
    function: str
    module: str


def _callers(frame: FrameType | None) -> list[_Caller]:
    """Who has called, the innermost first: to be noted at once, for the lines of frames move on."""
    callers: list[_Caller] = []
    while frame is not None and len(callers) < DEEPEST:
        code = frame.f_code
        callers.append(_Caller(code.co_filename, frame.f_lineno, code.co_name, _module_of(frame)))
        frame = frame.f_back
    return callers


def _report(call: str, callers: list[_Caller], seconds: float) -> None:
    if not callers:
        return
    culprit = next((caller for caller in callers if caller.module not in BETWEEN), callers[-1])
    lines = tuple(f"{filename}:{line} ({function})" for filename, line, function, _ in callers)
    for watch in list(_watches):
        watch._note(Sighting(call, *culprit[:3], seconds, lines))


def _module_of(frame: FrameType) -> str:
    """The outermost package of the module whose code a frame runs."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _has_hub() -> bool:
    """Whether greenlets of the calling thread would have to wait."""
    hub_local = sys.modules.get("gevent._hub_local")
    if hub_local is not None and hub_local.get_hub_if_exists() is not None:
        return True
    eventlet_hubs = sys.modules.get("eventlet.hubs")
    if eventlet_hubs is not None and hasattr(eventlet_hubs._threadlocal, "hub"):
        return True
    hub = native._this_thread.hub
    return hub is not None and not hub.closed


def _is_name(host: object) -> bool:
    if isinstance(host, tuple):
        return True  # an address to be named
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    return isinstance(host, str) and host not in SPECIAL_HOSTS and not is_address(host)


# --- what Python calls: its functions


def _on_audit_event(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watches or event not in HOST_AT:
        return
    host = arguments[HOST_AT[event]]
    if event == "socket.gethostbyname" and isinstance(host, tuple):  # its argument tuple as it is
        host = host[0] if host else None
    is_name = event == "socket.gethostbyaddr" or _is_name(host)
    frame = sys._getframe(1)
    if is_name and _module_of(frame) != "gdns" and _has_hub():
        _time_until_next_event(event, frame)


def _time_until_next_event(call: str, frame: FrameType) -> None:
    """Time the C function that raised an audit event, to what the interpreter does next after it."""
    if sys.getprofile() is not None:
        return  # somebody's profiler, which could not be given back its place
    began_at = time.monotonic()
    thread = _get_ident()
    _waiting.add(thread)
    callers = _callers(frame)

    def on_event(frame: FrameType, event: str, argument: object) -> None:
        if frame.f_globals is globals():
            return  # the hook itself, returning
        sys.setprofile(None)
        seconds = time.monotonic() - began_at
        _waiting.discard(thread)
        _report(call, callers, seconds)

    sys.setprofile(on_event)


# --- what Python calls: the methods of sockets


def _places() -> list[Place]:
    kinds: list[type] = [original("socket", "socket")]
    if "gevent" in sys.modules:
        from gevent.socket import socket as gevent_socket

        kinds.append(gevent_socket._gevent_sock_class)
    green = sys.modules.get("eventlet.greenio.base")
    if green is not None and green._original_socket not in kinds:
        kinds.append(green._original_socket)
    return [
        Place(kind, name, _timed(getattr(kind, name), name))
        for kind in kinds
        for name in ADDRESS_AT
        if not hasattr(vars(kind).get(name), "looks_up_on_the_hub")
    ]


def _timed(method: Callable[..., Any], name: str) -> Callable[..., Any]:
    position = ADDRESS_AT[name]
    fewest = FEWEST_ARGUMENTS.get(name, 1)

    @functools.wraps(method)
    def timed(self: socket.socket, *args: Any) -> Any:
        address = args[position] if len(args) >= fewest else None
        if not (isinstance(address, tuple) and address and _is_name(address[0]) and _has_hub()):
            return method(self, *args)
        if self.family not in (socket.AF_INET, socket.AF_INET6):
            return method(self, *args)
        thread = _get_ident()
        began_at = time.monotonic()
        _waiting.add(thread)
        try:
            return method(self, *args)
        finally:
            _waiting.discard(thread)
            _report(f"socket.{name}", _callers(sys._getframe(1)), time.monotonic() - began_at)

    return timed


# --- what C libraries call


class _Sampler:
    """Looks at the main thread, and at the one that watches, while anybody does."""

    running: _Sampler | None = None

    def __init__(self) -> None:
        self._polls = POLL.get(platform.machine(), ())
        self._pid = os.getpid()
        main = threading.main_thread()
        self._threads = {main.ident: main.native_id, _get_ident(): original("_thread", "get_native_id")()}
        self._since: dict[int, tuple[float, list[_Caller]]] = {}

    @classmethod
    def start_if_needed(cls) -> None:
        known = cls.running
        if known is not None and known._pid == os.getpid():
            known._threads[_get_ident()] = original("_thread", "get_native_id")()
            return
        sampler = cls()
        if sampler._polls and os.path.exists("/proc/self/mem"):
            cls.running = sampler
            start_thread(sampler._run)

    def _run(self) -> None:
        while not sys.is_finalizing():
            _sleep(LOOK_EVERY)
            for ident, native_id in list(self._threads.items()):
                if ident is not None and native_id is not None:
                    self._look_at(ident, native_id)
            if not _watches:
                with lock:
                    if not _watches:  # and nobody can have begun to watch, and have counted on us
                        if _Sampler.running is self:
                            _Sampler.running = None
                        return

    def _look_at(self, ident: int, native_id: int) -> None:
        waits = ident not in _waiting and self._waits_for_dns(native_id)
        known = self._since.get(ident)
        if waits and known is None:
            self._since[ident] = (time.monotonic(), _callers(sys._current_frames().get(ident)))
        elif known is not None and not waits:
            del self._since[ident]
            began_at, callers = known
            if not _has_hub_of_its_own(ident):
                return
            _report("a C library", callers, time.monotonic() - began_at + LOOK_EVERY / 2)

    def _waits_for_dns(self, native_id: int) -> bool:
        try:
            with open(f"/proc/self/task/{native_id}/syscall") as file:
                words = file.read().split()
            if len(words) < 3 or int(words[0]) not in self._polls:
                return False
            address, count = int(words[1], 16), min(int(words[2], 16), 8)
            with open("/proc/self/mem", "rb", buffering=0) as memory:
                content = os.pread(memory.fileno(), count * POLLFD.size, address)
            return any(_is_to_dns_server(fd) for fd, _, _ in POLLFD.iter_unpack(content))
        except (OSError, ValueError, OverflowError, struct.error):
            return False  # it went on meanwhile


def _has_hub_of_its_own(ident: int) -> bool:
    """Whether a thread, which is not the calling one, has a hub; for the rare cases, for it is slow."""
    hubs = sys.modules.get("gevent.hub")
    if hubs is not None:
        found = [thing for thing in gc.get_objects() if isinstance(thing, hubs.Hub)]
        if any(hub.thread_ident == ident for hub in found):
            return True
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.already_patched:
        return True  # who patches has a hub at once
    return any(not hub.closed for hub in members_of(native._hubs))


_real_socket = original("_socket", "socket")


def _is_to_dns_server(fd: int) -> bool:
    try:
        copy = _real_socket(fileno=os.dup(fd))
    except OSError:
        return False
    try:
        peer = copy.getpeername()
        return isinstance(peer, tuple) and len(peer) >= 2 and peer[1] == DNS_PORT
    except OSError:
        return False
    finally:
        copy.close()


def _after_fork_in_child() -> None:
    _waiting.clear()
    _Sampler.running = None
    if _watches:
        _Sampler.start_if_needed()


os.register_at_fork(after_in_child=_after_fork_in_child)
