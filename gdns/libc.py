"""The system's own resolver, asked in threads so that the hub goes on."""

from __future__ import annotations

import os
from _queue import SimpleQueue  # queue's may be gevent's, which only knows greenlets
from collections.abc import Callable
from socket import gaierror, herror
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from greenlet import getcurrent

from gdns.errors import EAI_AGAIN, HOST_TEXTS, GaiError, HostError, ResolverClosed
from gdns.hubs.waiter import ON_THE_HUB, Waiter
from gdns.threads import QuietLock, start_thread

if TYPE_CHECKING:
    from gdns.hubs import Hub

T = TypeVar("T")

MOST_THREADS = 4


class Desk(Protocol):
    """Where the greenlets of a hub wait for threads: a stub, or a `gdns.bell.Bell`."""

    @property
    def hub(self) -> Hub: ...
    @property
    def is_closed(self) -> bool: ...
    def wait_for_thread(self, guest: Waiter, lifetime: float | None = None) -> None: ...
    def wake_from_thread(self, guest: Waiter) -> None: ...


class Job(Generic[T]):
    """One call made in a thread, for one greenlet that waits for it."""

    __slots__ = ("_function", "_arguments", "_on_end", "is_wanted", "has_ended", "_result", "_error")

    def __init__(
        self, function: Callable[..., T], arguments: tuple[object, ...], on_end: Callable[[], object]
    ) -> None:
        self._function = function
        self._arguments = arguments
        self._on_end = on_end
        self.is_wanted = True
        self.has_ended = False
        self._result: T | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the call, unless nobody waits for it any longer."""
        if not self.is_wanted:
            return
        try:
            self._result = self._function(*self._arguments)
        except BaseException as error:  # for the greenlet to raise, whatever it is
            self._error = error
        self.has_ended = True
        self._on_end()

    def result(self) -> T:
        """What the call returned; raises what it raised."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # it refers to this frame, which refers to us
        return cast(T, self._result)


class Pool:
    """At most four threads, each started when there is a job for it.

    They are daemons: a program that ends does not wait for them.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job[object]] = SimpleQueue()
        self._unfinished: set[Job[object]] = set()
        self._threads = 0
        self._lock = QuietLock()  # held while the two are compared

    def submit(self, job: Job[object]) -> None:
        """Let a thread run the job. Raises RuntimeError where no thread can be started."""
        with self._lock:
            self._unfinished.add(job)
            self._jobs.put(job)
            if self._threads < min(len(self._unfinished), MOST_THREADS):
                self._threads += 1
                try:
                    start_thread(self._work)
                except RuntimeError:
                    self._threads -= 1
                    if not self._threads:
                        raise

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job.run()
            finally:
                with self._lock:
                    self._unfinished.discard(job)
            del job  # its arguments and result are nobody's while the thread waits

    def resubmitted(self) -> Pool:
        """A new pool with the jobs of this one, whose threads a fork has left behind."""
        pool = Pool()
        for job in self._unfinished:
            if job.is_wanted and not job.has_ended:
                pool.submit(job)
        return pool


def call(desk: Desk, lifetime: float | None, function: Callable[..., T], *arguments: object) -> T:
    """Call a function that may block, in a thread, and park until it returns.

    Raises what it raises; ResolverClosed if the desk is closed, GaiError (EAI_AGAIN) when `lifetime` seconds
    have passed; RuntimeError in the hub's own greenlet.
    """
    if desk.is_closed:
        raise ResolverClosed
    if getcurrent() is desk.hub.greenlet:
        raise RuntimeError(ON_THE_HUB)
    guest = Waiter(desk.hub)
    job = Job(function, arguments, lambda: desk.wake_from_thread(guest))
    _pool.submit(cast("Job[object]", job))
    try:
        desk.wait_for_thread(guest, lifetime)
    finally:
        job.is_wanted = False
    if job.has_ended:
        return job.result()
    raise ResolverClosed if desk.is_closed else GaiError(EAI_AGAIN)


def ask(desk: Desk, lifetime: float | None, function: Callable[..., T], *arguments: object) -> T:
    """As `call`, for a function of `_socket`: its gaierror and herror come as GaiError and HostError."""
    try:
        return call(desk, lifetime, function, *arguments)
    except gaierror as error:
        raise error if isinstance(error, GaiError) else GaiError(*error.args) from None
    except herror as error:
        raise error if error.errno not in HOST_TEXTS else HostError(error.errno) from None


_pool = Pool()


def _after_fork_in_child() -> None:
    global _pool
    _pool = _pool.resubmitted()


os.register_at_fork(after_in_child=_after_fork_in_child)
