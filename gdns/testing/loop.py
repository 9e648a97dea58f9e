"""The turn of the test server's event loop."""

from __future__ import annotations

import heapq
import selectors
import time
from _socket import socket
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Protocol

Callback = Callable[[], object]
Clock = Callable[[], float]


class Selector(Protocol):
    """What is used of a `selectors.BaseSelector`."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any: ...
    def modify(self, fileobj: Any, events: int, data: Any = None) -> Any: ...
    def unregister(self, fileobj: Any) -> Any: ...
    def select(self, timeout: float | None = None) -> list[tuple[Any, int]]: ...
    def get_map(self) -> Mapping[Any, Any] | None: ...
    def close(self) -> None: ...


class Loop:
    """Calls back when sockets are ready or moments come; single-threaded."""

    def __init__(self, selector: Selector | None = None, clock: Clock = time.monotonic) -> None:
        """`selector` is the best there is if not given; `clock` counts the seconds of timers."""
        self._selector: Selector = selector or selectors.DefaultSelector()
        self._clock = clock
        self._timers: list[tuple[float, int, bool, Callback]] = []
        self._serial = count()  # timers of one moment fire in the order they were set

    def watch(self, sock: socket, readable: Callback, writable: Callback | None = None) -> None:
        """Call back whenever the socket is readable, or writable; replaces what was watched for before."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writable else 0)
        if sock in (self._selector.get_map() or ()):
            self._selector.modify(sock, events, (readable, writable))
        else:
            self._selector.register(sock, events, (readable, writable))

    def forget(self, sock: socket) -> None:
        """No longer watch the socket."""
        self._selector.unregister(sock)

    def call_later(self, seconds: float, callback: Callback, *, lasting: bool = False) -> None:
        """Call back once, so many seconds from now; a lasting timer is not forgotten by `forget_timers`."""
        heapq.heappush(self._timers, (self._clock() + seconds, next(self._serial), lasting, callback))

    def forget_timers(self) -> None:
        """Call none of the timers that are set, the lasting ones aside."""
        self._timers = [timer for timer in self._timers if timer[2]]
        heapq.heapify(self._timers)

    def turn(self) -> None:
        """Wait until something is due and call back for it."""
        self.serve_ready(max(0.0, self._timers[0][0] - self._clock()) if self._timers else None)
        self.fire()

    def serve_ready(self, timeout: float | None) -> None:
        """Call back for sockets that are ready, once one is or `timeout` seconds have passed."""
        for key, events in self._selector.select(timeout):
            readable, writable = key.data
            if events & selectors.EVENT_READ:
                readable()
            if writable and events & selectors.EVENT_WRITE:
                writable()

    def fire(self) -> None:
        """Call back for the moments that have come."""
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[3]()

    def close(self) -> None:
        """Call back for nothing any more."""
        self._timers.clear()
        self._selector.close()
