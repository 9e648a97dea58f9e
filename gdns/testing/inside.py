"""A test server in the process of those who test: in a thread of its own, or on their hub."""

from __future__ import annotations

import os
from _socket import socket, socketpair
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from weakref import WeakSet

from gdns.hubs import Hub, Waiter  # whose handlers of forks have to come before ours
from gdns.testing.clock import FakeClock
from gdns.testing.desk import Desk
from gdns.testing.handlers import Handler
from gdns.testing.hubloop import HAS_EPOLL, EpollSelector, HubLoop
from gdns.testing.loop import Loop
from gdns.threads import original, start_thread

_GONE = "the server is not running, or was started before a fork"
_PATIENCE = 5.0  # seconds given to a handler to come to its end
_get_ident = original("_thread", "get_ident")


class InHub:
    """A server that serves whenever the calling thread's hub turns; its hub alone may use it."""

    def __init__(self, hub: Hub, handler: Handler | None, clock: FakeClock | None) -> None:
        self._thread = _get_ident()
        self._hub = hub
        self._loop: HubLoop | None = HubLoop(hub, clock)
        self._desk = Desk(self._loop)
        self._desk.responder.handler = handler
        _inside.add(self)

    def ask(self, command: str, **arguments: object) -> object:
        """What there is to say. Raises ValueError, OSError; RuntimeError in another thread."""
        if self._loop is None:
            raise RuntimeError(_GONE)
        if _get_ident() != self._thread:
            raise RuntimeError("a server on a hub can be used only in that hub's thread")
        return self._desk.obey(command, arguments)

    @property
    def handler_error(self) -> BaseException | None:
        """What its handler raised first."""
        return self._desk.responder.handler_error

    def sleep(self, seconds: float) -> None:
        """Park the calling greenlet, so that the hub turns."""
        waiter = Waiter(self._hub)
        timer = self._hub.call_later(seconds, waiter.wake)
        try:
            waiter.park()
        finally:
            timer.cancel()

    def close(self) -> None:
        """Give back its port, watch and timer. Safe to call twice."""
        if self._loop is not None:
            self._desk.close()
            self._loop.close()
            self._loop = None

    def leave_to_parent(self) -> None:
        """After a fork, in the child: the sockets are the parent's."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.close()
            self._desk.leave_to_parent()


class InThread:
    """A server in a thread of the system's, whatever has been monkey-patched."""

    def __init__(self, handler: Handler | None) -> None:
        self._is_wanted = True
        self._loop = Loop(EpollSelector() if HAS_EPOLL else None)
        self._desk = Desk(self._loop)
        self._desk.responder.handler = handler
        self._requests: deque[_Request] = deque()
        self._bell: socket | None
        self._bell, self._listens = socketpair()
        self._listens.setblocking(False)
        self._loop.watch(self._listens, self._on_bell)
        self._thread: int | None = None
        self._ended = original("_thread", "allocate_lock")()
        self._ended.acquire()
        _inside.add(self)
        start_thread(self._run)

    def ask(self, command: str, **arguments: object) -> object:
        """What there is to say. Raises ValueError, OSError; RuntimeError once it is closed."""
        if self._bell is None:
            raise RuntimeError(_GONE)
        if _get_ident() == self._thread:  # the handler asks
            return self._desk.obey(command, arguments)
        request = _Request(command, arguments)
        self._requests.append(request)
        self._bell.send(b"!")
        while not request.answered.acquire(timeout=1.0):
            if not self._is_wanted:
                raise RuntimeError(_GONE)
        if request.error is not None:
            raise request.error
        return request.answer

    @property
    def handler_error(self) -> BaseException | None:
        """What its handler raised first."""
        return self._desk.responder.handler_error

    def close(self) -> None:
        """End the thread, once its handler has returned; safe to call twice."""
        if self._bell is not None:
            self._is_wanted = False
            with suppress(BrokenPipeError):  # the thread may have seen it already, and have ended
                self._bell.send(b"!")
            if _get_ident() != self._thread:
                self._ended.acquire(timeout=_PATIENCE)
            self._bell.close()
            self._bell = None

    def leave_to_parent(self) -> None:
        """After a fork, in the child: the thread was not taken along."""
        if self._bell is not None:
            self._loop.close()
            self._desk.leave_to_parent()
            self._bell.close()
            self._listens.close()
            self._bell = None

    def _run(self) -> None:
        self._thread = _get_ident()
        try:
            while self._is_wanted:
                self._loop.turn()
        finally:
            self._is_wanted = False
            self._desk.close()
            self._loop.close()
            self._listens.close()
            self._ended.release()

    def _on_bell(self) -> None:
        self._listens.recv(4096)
        while self._requests:
            self._requests.popleft().serve(self._desk)


class _Request:
    """A command for a server in another thread."""

    def __init__(self, command: str, arguments: Mapping[str, object]) -> None:
        self._command = command
        self._arguments = arguments
        self.answer: object = None
        self.error: Exception | None = None
        self.answered = original("_thread", "allocate_lock")()
        self.answered.acquire()

    def serve(self, desk: Desk) -> None:
        try:
            self.answer = desk.obey(self._command, self._arguments)
        except Exception as error:
            self.error = error
        finally:
            self.answered.release()


_inside: WeakSet[InHub | InThread] = WeakSet()


def _leave_all_to_parent() -> None:
    for server in list(_inside):
        server.leave_to_parent()
    _inside.clear()


os.register_at_fork(after_in_child=_leave_all_to_parent)
