"""The test server's event loop on the hub of those who test."""

from __future__ import annotations

import select
import selectors
import time
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from gdns.testing.clock import FakeClock
from gdns.testing.loop import Callback, Loop
from gdns.threads import original

if TYPE_CHECKING:
    from gdns.hubs import Hub
    from gdns.hubs.protocol import Timer


HAS_EPOLL = hasattr(select, "EPOLLIN")  # the function itself is what gevent and eventlet take away


class EpollSelector:
    """As `selectors.EpollSelector`, which gevent and eventlet take away; its fd is readable if one in it is.

    So a hub that can only be told to watch for reading watches for writing, too.
    """

    def __init__(self) -> None:
        self._epoll = original("select", "epoll")()
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def fileno(self) -> int:
        """The fd of the set."""
        return int(self._epoll.fileno())

    def register(self, fileobj: Any, events: int, data: Any = None) -> None:
        self._epoll.register(fileobj.fileno(), _mask(events))
        self._keys[fileobj] = selectors.SelectorKey(fileobj, fileobj.fileno(), events, data)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> None:
        self._epoll.modify(fileobj.fileno(), _mask(events))
        self._keys[fileobj] = selectors.SelectorKey(fileobj, fileobj.fileno(), events, data)

    def unregister(self, fileobj: Any) -> None:
        self._epoll.unregister(self._keys.pop(fileobj).fd)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        by_fd = {key.fd: key for key in self._keys.values()}
        return [
            (
                by_fd[fd],
                (selectors.EVENT_WRITE if events & ~select.EPOLLIN else 0)
                | (selectors.EVENT_READ if events & ~select.EPOLLOUT else 0),
            )
            for fd, events in self._epoll.poll(timeout)
            if fd in by_fd
        ]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def close(self) -> None:
        self._keys.clear()
        self._epoll.close()


class HubLoop(Loop):
    """Turns whenever the hub does: it watches one fd there, and has one timer.

    With a `FakeClock` there is no timer: what is due is done when the clock is moved.
    """

    def __init__(self, hub: Hub, clock: FakeClock | None = None) -> None:
        if not HAS_EPOLL:
            raise NotImplementedError("a server on a hub needs epoll(7); others run in a process or a thread")
        selector = EpollSelector()
        super().__init__(selector, clock or time.monotonic)
        self._hub = hub
        self._fake = clock
        self._timer: Timer | None = None
        self._timer_at = inf
        if clock is not None:
            clock.on_advance(self.fire)
        self._watch = hub.watch(selector.fileno(), self._on_ready)
        self._watch.start()

    def call_later(self, seconds: float, callback: Callback, *, lasting: bool = False) -> None:
        super().call_later(seconds, callback, lasting=lasting)
        self._arm()

    def close(self) -> None:
        if self._fake is not None:
            self._fake.forget(self.fire)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._watch.close()  # before the fd
        super().close()

    def _on_ready(self) -> None:
        self.serve_ready(0)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = inf
        self.fire()
        self._arm()

    def _arm(self) -> None:
        if self._fake is None and self._timers and self._timers[0][0] < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = self._timers[0][0]
            self._timer = self._hub.call_later(max(0.0, self._timer_at - self._clock()), self._on_timer)


def _mask(events: int) -> int:
    return (select.EPOLLIN if events & selectors.EVENT_READ else 0) | (
        select.EPOLLOUT if events & selectors.EVENT_WRITE else 0
    )
