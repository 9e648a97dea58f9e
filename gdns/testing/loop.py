"""The turn of the test server's event loop."""

from __future__ import annotations

import heapq
import selectors
import socket
import time
from collections.abc import Callable
from itertools import count

Callback = Callable[[], object]


class Loop:
    """Calls back when sockets are ready or moments come; single-threaded."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, bool, Callback]] = []
        self._serial = count()  # timers of one moment fire in the order they were set

    def watch(self, sock: socket.socket, readable: Callback, writable: Callback | None = None) -> None:
        """Call back whenever the socket is readable, or writable; replaces what was watched for before."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writable else 0)
        if sock in self._selector.get_map():
            self._selector.modify(sock, events, (readable, writable))
        else:
            self._selector.register(sock, events, (readable, writable))

    def forget(self, sock: socket.socket) -> None:
        """No longer watch the socket."""
        self._selector.unregister(sock)

    def call_later(self, seconds: float, callback: Callback, *, lasting: bool = False) -> None:
        """Call back once, so many seconds from now; a lasting timer is not forgotten by `forget_timers`."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._serial), lasting, callback))

    def forget_timers(self) -> None:
        """Call none of the timers that are set, the lasting ones aside."""
        self._timers = [timer for timer in self._timers if timer[2]]
        heapq.heapify(self._timers)

    def turn(self) -> None:
        """Wait until something is due and call back for it."""
        timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        for key, events in self._selector.select(timeout):
            readable, writable = key.data
            if events & selectors.EVENT_READ:
                readable()
            if writable and events & selectors.EVENT_WRITE:
                writable()
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[3]()
