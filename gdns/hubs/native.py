"""The hub of programs that have none: greenlets over epoll(7), or poll(2)."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from time import monotonic
from typing import ParamSpec, TypeVar
from weakref import WeakSet

from greenlet import GreenletExit, getcurrent, greenlet

from gdns.descriptors import READABLE, make_set
from gdns.hubs.task import Task, join
from gdns.hubs.waiter import Waiter
from gdns.logs import ERROR, log
from gdns.threads import local_base, main_greenlet

P = ParamSpec("P")
T = TypeVar("T")
Greenlet = greenlet

FEW_TIMERS = 64  # up to this many, cancelled ones may lie about


class HubIdle(RuntimeError):
    """Every greenlet waits, while no watch, timer or call is left that could wake one."""


class NativeHub:
    """The event loop of one thread (`gdns.hubs.protocol.Hub`), which turns while its greenlets are parked.

    Where nothing is left that could wake anybody, HubIdle is raised in the thread's main greenlet.
    """

    name = "native"

    def __init__(self) -> None:
        """Make a hub for the calling thread. Raises OSError where no fd is free."""
        self._set = make_set()
        self.greenlet = Greenlet(self._run, main_greenlet(getcurrent()))
        self.switch: Callable[[], object] = self.greenlet.switch
        self.closed = False
        self._started: dict[int, NativeWatch] = {}
        self._calls: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, NativeTimer]] = []
        self._timers_made = count()
        self._timers_due = 0  # those in the heap that have neither fired nor been cancelled
        _hubs.add(self)

    @staticmethod
    def of_this_thread() -> NativeHub:
        """The calling thread's hub, made when first asked for; it is closed when the thread ends."""
        hub = _this_thread.hub
        if hub is None or hub.closed:
            hub = _this_thread.hub = NativeHub()
            _this_thread.closer = Closer(hub)
        return hub

    def spawn(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Task[T]:
        """Call `function` in a greenlet of its own, which begins in the hub's next turn."""
        return Task(self, partial(function, *args, **kwargs))

    def join(self, *tasks: Task[object], timeout: float | None = None) -> bool:
        """Wait until all tasks have ended: True; or False once `timeout` seconds have passed."""
        return join(self, tasks, timeout)

    def sleep(self, seconds: float) -> None:
        """Park the calling greenlet for `seconds`; 0 gives the others a turn."""
        waiter = Waiter(self)
        timer = self.call_later(seconds, waiter.wake)
        try:
            waiter.park()
        finally:
            timer.cancel()

    def watch(self, fd: int, callback: Callable[[], object]) -> NativeWatch:
        self._check_open()
        return NativeWatch(self, fd, callback)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> NativeTimer:
        self._check_open()
        timer = NativeTimer(self, callback)
        heappush(self._timers, (monotonic() + seconds, next(self._timers_made), timer))
        self._timers_due += 1
        return timer

    def call_soon(self, callback: Callable[[], object]) -> None:
        self._calls.append(callback)

    def close(self) -> None:
        """End the hub, giving back its fd; greenlets that are parked stay so. Safe to call twice.

        Called elsewhere than in the main greenlet, it ends the hub when that is next switched to.
        """
        if self.closed:
            return
        self.closed = True
        self._set.close()
        self._started.clear()
        if self.greenlet and getcurrent() is self.greenlet.parent:
            self.greenlet.throw(GreenletExit)  # its frames refer to us, unseen by the garbage collector

    def handle_error(self, context: object, error: BaseException) -> None:
        if isinstance(error, GreenletExit):
            raise error
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._throw_into_main(error)
        else:
            log("gdns.hubs", ERROR, "%r failed", context, error=error)

    def _run(self) -> None:
        while not self.closed:
            try:
                while not self.closed:  # inside the try: a signal's exception may come at the loop's own jump
                    self._turn()
            except GreenletExit:
                return
            except BaseException as error:
                self.handle_error(self, error)

    def _turn(self) -> None:
        """Make the calls that are due, then wait for I/O no longer than the next ones allow."""
        calls = self._calls
        for _ in range(len(calls)):  # what they add waits for the next turn, so that I/O gets its own
            self._call(calls.popleft())
        pause = self._fire_timers()
        if self.closed:
            return
        if calls:
            pause = 0.0
        elif pause is None and not self._started:
            self._throw_into_main(HubIdle("nothing is left that could wake the greenlets that wait"))
            return
        for fd, _ in self._set.poll(pause):
            watch = self._started.get(fd)  # a callback before this one may have stopped it
            if watch is not None:
                self._call(watch.callback)

    def _fire_timers(self) -> float | None:
        """Fire what is due. Return the seconds until the next timer, None if there is none."""
        timers = self._timers
        now = monotonic()
        while timers:
            deadline, _, timer = timers[0]
            callback = timer.callback
            if callback is None:
                heappop(timers)
            elif deadline <= now:
                timer.cancel()
                self._call(callback)
            else:
                return max(0.0, deadline - monotonic())
        return None

    def _call(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        except BaseException as error:
            self.handle_error(callback, error)

    def _check_open(self) -> None:
        if self.closed:
            raise RuntimeError("this hub has been closed")

    def _throw_into_main(self, error: BaseException) -> None:
        main = self.greenlet.parent
        assert main is not None
        main.throw(type(error), error, error.__traceback__)

    def _forget_timer(self) -> None:
        self._timers_due -= 1
        if len(self._timers) > max(FEW_TIMERS, 2 * self._timers_due):
            self._timers[:] = [entry for entry in self._timers if entry[2].callback is not None]
            heapify(self._timers)

    def _after_fork(self) -> None:
        """In the child: let go of the set, which is still the parent's too."""
        self._set.close()
        if self.greenlet.parent is not main_greenlet(getcurrent()):  # its thread was not taken along
            self.closed = True
        if self.closed:
            return
        self._set = make_set()
        for fd in list(self._started):
            try:
                self._set.register(fd, READABLE)
            except OSError:  # closed by whoever was told of the fork before us
                del self._started[fd]


class NativeWatch:
    """Calls back while an fd is readable (`gdns.hubs.protocol.Watch`)."""

    __slots__ = ("_closed", "_fd", "_hub", "callback")

    def __init__(self, hub: NativeHub, fd: int, callback: Callable[[], object]) -> None:
        self._hub = hub
        self._fd = fd
        self._closed = False
        self.callback = callback

    def start(self) -> None:
        self._hub._check_open()
        if self._closed:
            raise RuntimeError("this watch has been closed")
        started = self._hub._started
        if started.get(self._fd) is not self:
            self._hub._set.register(self._fd, READABLE)
            started[self._fd] = self

    def stop(self) -> None:
        started = self._hub._started
        if started.get(self._fd) is self:
            del started[self._fd]
            with suppress(OSError):  # a closed fd has left the set by itself
                self._hub._set.unregister(self._fd)

    def close(self) -> None:
        self.stop()
        self._closed = True


class NativeTimer:
    """One call in the future (`gdns.hubs.protocol.Timer`)."""

    __slots__ = ("_hub", "callback")

    def __init__(self, hub: NativeHub, callback: Callable[[], object]) -> None:
        self._hub = hub
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._hub._forget_timer()


class Closer:
    """Closes a hub when it goes: its thread's end takes the thread's locals along."""

    def __init__(self, hub: NativeHub) -> None:
        self._hub = hub

    def __del__(self) -> None:
        if not sys.is_finalizing():  # at exit there is nothing left to give back, and greenlets cannot switch
            self._hub.close()


class ThisThread(local_base()):  # type: ignore[misc]
    """The hub of the thread that looks."""

    hub: NativeHub | None = None
    closer: Closer | None = None


def _after_fork() -> None:
    for hub in list(_hubs):
        hub._after_fork()


_this_thread = ThisThread()
_hubs: WeakSet[NativeHub] = WeakSet()
os.register_at_fork(after_in_child=_after_fork)
