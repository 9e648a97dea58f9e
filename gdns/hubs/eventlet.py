"""eventlet's hub, over epoll, poll, select or asyncio, as gdns sees it."""

from __future__ import annotations

import errno
import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from eventlet import hubs as eventlet_hubs
from eventlet import patcher
from greenlet import GreenletExit, greenlet

from gdns.threads import main_greenlet

if TYPE_CHECKING:
    from eventlet.hubs.hub import BaseHub, FdListener
    from eventlet.hubs.timer import Timer

Greenlet = greenlet
READ = "read"

_this_thread: Any = eventlet_hubs._threadlocal  # `get_hub` would make a hub


class EventletHub:
    """One eventlet hub (`gdns.hubs.protocol.Hub`); `of` gives it.

    It ends when its thread takes another one (`eventlet.hubs.use_hub`), or ends itself.
    """

    name = "eventlet"

    def __init__(self, hub: BaseHub) -> None:
        self._hub: Any = hub  # eventlet has no types
        self._pid = os.getpid()
        self._open: set[Callable[[], None]] = set()  # what closes the watches and timers made here
        self._calls: deque[Callable[[], object]] = deque()
        self._turn: Timer | None = None  # in which they are made
        _adapters.add(self)

    @staticmethod
    def of_this_thread() -> EventletHub | None:
        """The calling thread's, made if eventlet has patched anything; None where eventlet is not in use."""
        hub = _hub_of_this_thread()
        if hub is None:
            if not patcher.already_patched:
                return None
            hub = eventlet_hubs.get_hub()
        return EventletHub.of(hub)

    @staticmethod
    def of(hub: BaseHub) -> EventletHub:
        """The adapter of `hub`: always the same one."""
        try:
            adapter: EventletHub = hub.gdns
        except AttributeError:
            adapter = hub.gdns = EventletHub(hub)  # kept by the hub itself, whose life is the longer one
        return adapter

    @property
    def greenlet(self) -> Greenlet:
        """The greenlet that runs the event loop: another one each time that an exception has ended that."""
        hub = self._hub
        runs: Greenlet = hub.greenlet
        if runs.dead and _hub_of_this_thread() is hub:
            hub.ensure_greenlet()
            runs = hub.greenlet
        return runs

    def watch(self, fd: int, callback: Callable[[], object]) -> EventletWatch:
        self._live_hub()
        return EventletWatch(self, fd, callback)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> EventletTimer:
        return EventletTimer(self, self._live_hub(), seconds, callback)

    def call_soon(self, callback: Callable[[], object]) -> None:
        self._calls.append(callback)
        if self._turn is None and _hub_of_this_thread() is self._hub:
            self._turn = self._hub.schedule_call_global(0, self._make_calls)

    def switch(self) -> object:
        return self._live_hub().switch()

    def close(self) -> None:
        """Close the watches and cancel the timers made here; eventlet's hub goes on."""
        while self._open:
            self._open.pop()()

    def handle_error(self, context: object, error: BaseException) -> None:
        if isinstance(error, GreenletExit):
            raise error
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            # Let out of here it would end the loop in the midst of its turn, and asyncio's for good.
            main_greenlet(self._hub.greenlet).throw(type(error), error, error.__traceback__)
        else:
            self._hub.squelch_generic_exception((type(error), error, error.__traceback__))

    def _make_calls(self) -> None:
        calls = self._calls
        try:
            for _ in range(len(calls)):  # what they add waits for the next turn, so that I/O gets its own
                callback = calls.popleft()
                try:
                    callback()
                except BaseException as error:
                    self.handle_error(callback, error)
        finally:
            self._turn = self._hub.schedule_call_global(0, self._make_calls) if calls else None

    def _live_hub(self) -> Any:
        """The hub, still the calling thread's."""
        if _hub_of_this_thread() is not self._hub:
            raise RuntimeError("this is not the calling thread's eventlet hub, or no longer")
        return self._hub

    # --- a fork leaves parent and child with one set of descriptors, out of which each would take the other's

    def _part_from_parent(self) -> None:
        """In the child: watch with a set of its own."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        hub = self._hub
        poll: Any = getattr(hub, "poll", None)
        if not hasattr(poll, "fileno"):
            return  # poll's and select's sets are the process' own
        poll.close()
        hub.poll = patcher.original("select").epoll()
        for fd in {*hub.listeners[READ], *hub.listeners["write"]}:
            with suppress(OSError):  # closed by whoever was told of the fork before us
                hub.register(fd, new=True)


class EventletWatch:
    """Calls back while an fd is readable (`gdns.hubs.protocol.Watch`)."""

    __slots__ = ("_callback", "_fd", "_hub", "_listener", "_is_closed", "__weakref__")

    def __init__(self, hub: EventletHub, fd: int, callback: Callable[[], object]) -> None:
        self._hub = hub
        self._fd = fd
        self._callback = callback
        self._listener: FdListener | None = None
        self._is_closed = False
        hub._open.add(self.close)

    def start(self) -> None:
        if self._is_closed:
            raise RuntimeError("this watch has been closed")
        hub = self._hub._live_hub()
        if self._listener is not None and not self._listener.spent:
            return
        self._hub._part_from_parent()
        try:
            listener = hub.add(READ, self._fd, self._fire, _ignore, None)
        except BaseException as error:
            hub.listeners[READ].pop(self._fd, None)  # put in before it was found to be no good
            if isinstance(error, ValueError):
                raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
            raise
        listener.greenlet = hub.greenlet  # not whoever starts us: it would live for as long as we watch
        self._listener = listener

    def stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._hub._part_from_parent()
            self._hub._hub.remove(listener)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._hub._open.discard(self.close)
            self.stop()

    def _fire(self, fd: int) -> None:
        if self._listener is None:
            return  # stopped by another callback of the same turn
        try:
            self._callback()
        except BaseException as error:  # eventlet would forget the descriptor
            self._hub.handle_error(self._callback, error)


class EventletTimer:
    """One call in the future (`gdns.hubs.protocol.Timer`)."""

    __slots__ = ("_callback", "_hub", "_timer", "__weakref__")

    def __init__(
        self, hub: EventletHub, inner: BaseHub, seconds: float, callback: Callable[[], object]
    ) -> None:
        self._hub = hub
        self._callback: Callable[[], object] | None = callback
        self._timer: Timer = inner.schedule_call_global(seconds, self._fire)
        hub._open.add(self.cancel)

    def cancel(self) -> None:
        if self._callback is None:
            return
        self._callback = None
        self._hub._open.discard(self.cancel)
        timer = self._timer
        if _hub_of_this_thread() is self._hub._hub:
            timer.cancel()
        else:  # eventlet would tell this thread's hub, and make one for that
            timer.called = True

    def _fire(self) -> None:
        callback = self._callback
        if callback is None:
            return
        self._callback = None
        self._hub._open.discard(self.cancel)
        try:
            callback()
        except BaseException as error:
            self._hub.handle_error(callback, error)


def _hub_of_this_thread() -> Any:
    return getattr(_this_thread, "hub", None)


def _ignore(error: BaseException) -> None:
    """eventlet's word that a descriptor was closed and opened anew, which would be our mistake."""


def _after_fork_in_child() -> None:
    for adapter in list(_adapters):
        if _hub_of_this_thread() is adapter._hub and not sys.is_finalizing():
            adapter._part_from_parent()


_adapters: WeakSet[EventletHub] = WeakSet()
os.register_at_fork(after_in_child=_after_fork_in_child)
