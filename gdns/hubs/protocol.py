"""What an event loop must offer for gdns to run on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from greenlet import greenlet

Greenlet = greenlet


class Watch(Protocol):
    """Calls back as long as one file descriptor can be read. It is made stopped.

    Level-triggered: a callback that leaves something unread is called again in the next turn. It may also be
    called with nothing to read. A started watch keeps its hub from finishing.

    Of one fd, at most one watch may be started at a time. Close the watch before the fd.
    """

    def start(self) -> None:
        """Begin, or go on, calling back. Does nothing if started already.

        Raises RuntimeError once it is closed or the hub has ended; OSError for an fd that cannot be polled.
        """

    def stop(self) -> None:
        """Call back no more until started again. Does nothing if stopped or closed."""

    def close(self) -> None:
        """Stop for good, giving back what the loop holds. Safe to call twice and after the hub's end."""


class Timer(Protocol):
    """One call in the future, which keeps its hub from finishing until then."""

    def cancel(self) -> None:
        """Do not make the call. Safe to call twice, after the call, or after the hub's end."""


class Hub(Protocol):
    """The event loop of one thread. Nothing of it may be called from another thread or in a signal handler.

    Callbacks take no argument. They run in the hub's greenlet, where nothing may park. An exception that
    escapes from one goes to `handle_error`, and ends neither the hub nor the watch.
    """

    @property
    def name(self) -> str:
        """The kind of hub, as it is shown to people: "native", "gevent" or "eventlet"."""

    @property
    def greenlet(self) -> Greenlet:
        """The greenlet that runs the event loop."""

    def watch(self, fd: int, callback: Callable[[], object]) -> Watch:
        """A stopped watch, which will call `callback` while `fd` is readable.

        Raises RuntimeError once the hub has ended, and may raise OSError for what is no open fd.
        """

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` once, `seconds` from now or in the next turn, whichever is later.

        It may be early by two milliseconds (libuv counts whole ones).
        Raises RuntimeError once the hub has ended.
        """

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Call `callback` once in the hub's next turn; never once it has ended. Calls keep their order."""

    def switch(self) -> object:
        """Park the calling greenlet until somebody switches to it. What that somebody passes is returned.

        Whatever is thrown into the greenlet is raised. See `Waiter` for the safe way to park.
        """

    def close(self) -> None:
        """End the watches and timers made here, and the event loop too where it is gdns' own."""

    def handle_error(self, context: object, error: BaseException) -> None:
        """Report what escaped from `context`, a callback or a greenlet. To be called in the hub's greenlet.

        KeyboardInterrupt and SystemExit are raised in the thread's main greenlet. Only what was thrown to end
        the hub itself (gevent's HubDestroyed; GreenletExit in the native hub) is raised again.
        """
