"""Lets threads wake the greenlets of a hub that has no stub to do so."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

from gdns.threads import make_rlock, members_of, original

if TYPE_CHECKING:
    from gdns.hubs import Hub, Waiter

_get_ident = original("_thread", "get_ident")
_bells: WeakSet[Bell] = WeakSet()


class Bell:
    """Lets threads wake the greenlets of one hub: a pipe that the hub watches while anybody waits."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.is_closed = False
        self._thread = _get_ident()
        self._guests: set[Waiter] = set()
        self._waking: deque[Waiter] = deque()
        self._open()
        _bells.add(self)

    def _open(self) -> None:
        self._lock = make_rlock()
        self._ends = os.pipe()
        for end in self._ends:
            os.set_blocking(end, False)
        self._watch = self.hub.watch(self._ends[0], self._on_ring)

    def wait_for_thread(self, guest: Waiter, lifetime: float | None = None) -> None:
        """Park until a thread calls `wake_from_thread(guest)`, for `lifetime` seconds at most."""
        self._guests.add(guest)
        self._watch.start()
        timer = None if lifetime is None else self.hub.call_later(max(0.0, lifetime), guest.wake)
        try:
            guest.park()
        finally:
            self._guests.discard(guest)
            if timer is not None:
                timer.cancel()
            if not self._guests:
                self._watch.stop()  # an idle one would keep the hub from finishing

    def wake_from_thread(self, guest: Waiter) -> None:
        """Let the hub wake a greenlet; the one method that any thread may call."""
        self._waking.append(guest)
        with self._lock:  # a descriptor that was closed may be somebody else's by now
            if not self.is_closed:
                with suppress(BlockingIOError):  # it is readable already
                    os.write(self._ends[1], b"\0")

    def _on_ring(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._ends[0], 4096)
        while self._waking:
            self._waking.popleft().wake()

    def close(self) -> None:
        """Wake all who wait, and give the pipe back; safe to call twice."""
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
            self._watch.close()
            for end in self._ends:
                os.close(end)
        for guest in tuple(self._guests):
            guest.wake()

    def after_fork(self) -> None:
        """In the child: a pipe of its own, for the old one is the parent's."""
        if self.is_closed:
            return
        old = self._ends
        if self._thread != _get_ident():  # it was not taken along, nor was anybody who waits
            self.is_closed = True
            for end in old:
                os.close(end)
            return
        self._watch.close()
        self._open()
        for end in old:
            os.close(end)
        if self._guests:
            self._watch.start()
        if self._waking:
            self.wake_from_thread(self._waking.pop())

    def __del__(self) -> None:
        with suppress(Exception):  # the interpreter may be going down
            self.close()


def _after_fork_in_child() -> None:
    for bell in members_of(_bells):
        bell.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
