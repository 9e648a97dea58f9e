"""A clock that stands still until it is moved."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Self

import gdns


class FakeClock:
    """The time by which resolvers keep answers, and a server in a hub delays them: it passes when moved.

    >>> clock = FakeClock()
    >>> before = clock()
    >>> clock.advance(60)
    >>> clock() - before
    60.0

    `FakeClock(resolver)` takes the place of the clock of the resolver's cache, so that TTLs, serve-stale and
    prefetching can be tried without waiting. `undo()`, or the end of a `with` statement, gives the
    real one back, and forgets what was kept meanwhile. `Server(mode="hub", clock=clock)` sends what a fault
    delays when the clock has been moved so far.

    Timeouts and lifetimes stay in real seconds: they are the network's, which does not wait for a test.
    """

    def __init__(self, *resolvers: gdns.Resolver) -> None:
        """Begin at the real time (`time.monotonic`). Raises TypeError for what is no resolver."""
        for resolver in resolvers:
            if not isinstance(resolver, gdns.Resolver):
                raise TypeError(f"a clock is for a gdns.Resolver, which {resolver!r} is not")
        self._now = time.monotonic()
        self._listeners: list[Callable[[], object]] = []
        self._resolvers = resolvers
        for resolver in resolvers:
            _set_clock(resolver, self)

    def __call__(self) -> float:
        """Its time in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move it on by so many seconds, 0 or more. Raises ValueError for others."""
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"a clock moves on by a number of seconds, not by {seconds!r}")
        self._now += seconds
        for listener in list(self._listeners):
            listener()

    def on_advance(self, function: Callable[[], object]) -> None:
        """Call `function()` each time that it has been moved, in whoever moves it."""
        self._listeners.append(function)

    def forget(self, function: Callable[[], object]) -> None:
        """Call a function of `on_advance` no more."""
        self._listeners.remove(function)

    def undo(self) -> None:
        """Give the resolvers the real clock, and empty their caches; safe to call twice."""
        resolvers, self._resolvers = self._resolvers, ()
        for resolver in resolvers:
            _set_clock(resolver, time.monotonic)
            resolver.flush()  # else what was kept on this clock would live too long on the other

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.undo()


def _set_clock(resolver: gdns.Resolver, clock: Callable[[], float]) -> None:
    shared = getattr(resolver, "_shared", None)  # there is none where gdns is installed without extensions
    if shared is not None and shared.cache is not None:
        shared.cache.clock = clock
