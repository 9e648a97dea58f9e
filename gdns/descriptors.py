"""Sets of descriptors to be told of: the kernel's own where it keeps one, else one made anew at each look."""

from __future__ import annotations

import select
from typing import Protocol, cast

from gdns.threads import original

READABLE = 1  # EPOLLIN and POLLIN alike
WRITABLE = 4  # EPOLLOUT and POLLOUT alike


class DescriptorSet(Protocol):
    """What epoll(7) does, as far as we use it."""

    def register(self, fd: int, eventmask: int, /) -> None: ...

    def unregister(self, fd: int, /) -> None: ...

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]: ...

    def close(self) -> None: ...


class PolledSet:
    """A set for systems without epoll(7), over poll(2), which has no descriptor of its own to be watched."""

    def __init__(self) -> None:
        self._poll = original("select", "poll")()
        self._fds: set[int] = set()

    def register(self, fd: int, eventmask: int, /) -> None:
        """Raises FileExistsError for a descriptor that is in the set, as epoll_ctl(2) has it."""
        if fd in self._fds:
            raise FileExistsError(f"descriptor {fd} is in the set already")
        self._poll.register(fd, eventmask)
        self._fds.add(fd)

    def unregister(self, fd: int, /) -> None:
        """Raises FileNotFoundError for a descriptor that is not in the set."""
        if fd not in self._fds:
            raise FileNotFoundError(f"descriptor {fd} is not in the set")
        self._fds.discard(fd)
        self._poll.unregister(fd)

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        """What is ready now, or within `timeout` seconds; one that was closed is left out, and forgotten."""
        found = []
        # rounded up: a look that ends before its time would be followed by another at once
        for fd, events in self._poll.poll(None if timeout is None else int(timeout * 1000 + 0.999)):
            if events & select.POLLNVAL:
                self.unregister(fd)
            else:
                found.append((fd, events))
        return found

    def close(self) -> None:
        """Let go of all of them."""
        for fd in list(self._fds):
            self.unregister(fd)


def make_set() -> DescriptorSet:
    """An empty set, of a kind that gevent and eventlet take out of `select` when they patch it.

    Raises OSError where no descriptor is free.
    """
    if hasattr(select, "epoll") or hasattr(select, "EPOLLIN"):
        return cast(DescriptorSet, original("select", "epoll")())
    return PolledSet()
