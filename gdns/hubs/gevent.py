"""gevent's hub, on libev or libuv, as gdns sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import gevent
from gevent._hub_local import get_hub_if_exists
from gevent.monkey import is_anything_patched

if TYPE_CHECKING:
    from gevent.hub import Hub

READ = 1  # of libev and libuv alike
SHORTEST = 0.001  # seconds; libuv counts in milliseconds, and warns of less


class GeventHub:
    """One gevent hub (`gdns.hubs.protocol.Hub`); `of` gives it."""

    name = "gevent"

    def __init__(self, hub: Hub) -> None:
        self.greenlet = hub
        self.switch: Callable[[], object] = hub.switch
        self._loop: Loop = hub.loop
        self._open: set[Callable[[], None]] = set()  # what closes the watchers made here

    @staticmethod
    def of_this_thread() -> GeventHub | None:
        """The calling thread's, made if gevent has patched anything; None where gevent is not in use."""
        hub = get_hub_if_exists()
        if hub is None:
            if not is_anything_patched():
                return None
            hub = gevent.get_hub()
        return GeventHub.of(hub)

    @staticmethod
    def of(hub: Hub) -> GeventHub:
        """The adapter of `hub`: always the same one."""
        try:
            adapter: GeventHub = hub.gdns
        except AttributeError:
            # Kept by the hub itself: a table would keep alive every hub whose thread never destroys it.
            adapter = hub.gdns = GeventHub(hub)
        return adapter

    def watch(self, fd: int, callback: Callable[[], object]) -> GeventWatch:
        return GeventWatch(self, self._live_loop().io(fd, READ), callback)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> GeventTimer:
        loop = self._live_loop()
        loop.update_now()  # else it would count from the loop's last turn, which can be long ago
        return GeventTimer(self, loop.timer(max(SHORTEST, seconds)), callback)

    def call_soon(self, callback: Callable[[], object]) -> None:
        if self._loop.ptr:
            self._loop.run_callback(callback)

    def close(self) -> None:
        """Close the watches and cancel the timers made here; gevent's hub goes on."""
        while self._open:
            self._open.pop()()

    def handle_error(self, context: object, error: BaseException) -> None:
        self.greenlet.handle_error(context, type(error), error, error.__traceback__)

    def _live_loop(self) -> Loop:
        if not self._loop.ptr:
            raise RuntimeError("gevent's hub has been destroyed")
        return self._loop

    def _close_watcher(self, watcher: Watcher) -> None:
        if self._loop.ptr:  # a destroyed loop of libuv's ends the process when it is asked for anything
            watcher.close()


class Loop(Protocol):
    """What we use of gevent's event loops."""

    ptr: object  # false once destroyed

    def io(self, fd: int, events: int) -> Watcher: ...
    def timer(self, seconds: float) -> Watcher: ...
    def run_callback(self, callback: Callable[[], object]) -> object: ...
    def update_now(self) -> None: ...


class Watcher(Protocol):
    """What we use of gevent's watchers."""

    def start(self, callback: Callable[[], object]) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class GeventWatch:
    """Calls back while an fd is readable (`gdns.hubs.protocol.Watch`)."""

    __slots__ = ("_callback", "_hub", "_watcher")

    def __init__(self, hub: GeventHub, watcher: Watcher, callback: Callable[[], object]) -> None:
        self._hub = hub
        self._watcher: Watcher | None = watcher
        self._callback = callback
        hub._open.add(self.close)

    def start(self) -> None:
        if self._watcher is None:
            raise RuntimeError("this watch has been closed")
        self._hub._live_loop()
        self._watcher.start(self._fire)

    def stop(self) -> None:
        if self._watcher is not None and self._hub._loop.ptr:
            self._watcher.stop()

    def close(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            self._hub._open.discard(self.close)
            self._hub._close_watcher(watcher)

    def _fire(self) -> None:
        try:
            self._callback()
        except BaseException as error:  # libev would stop the watcher, libuv raise it in the main greenlet
            self._hub.handle_error(self._callback, error)


class GeventTimer:
    """One call in the future (`gdns.hubs.protocol.Timer`)."""

    __slots__ = ("_callback", "_hub", "_watcher")

    def __init__(self, hub: GeventHub, watcher: Watcher, callback: Callable[[], object]) -> None:
        self._hub = hub
        self._watcher: Watcher | None = watcher
        self._callback = callback
        hub._open.add(self.cancel)
        watcher.start(self._fire)

    def cancel(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            self._hub._open.discard(self.cancel)
            self._hub._close_watcher(watcher)

    def _fire(self) -> None:
        self.cancel()
        try:
            self._callback()
        except BaseException as error:
            self._hub.handle_error(self._callback, error)
