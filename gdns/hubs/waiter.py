"""How a greenlet waits for one event of its hub."""

from __future__ import annotations

from greenlet import getcurrent, greenlet

from gdns.hubs.protocol import Hub

ON_THE_HUB = (
    "a lookup that has to wait was made from the hub greenlet itself, "
    "which runs the event loop that would answer it: make it from a greenlet of its own"
)


class Waiter:
    """Parks one greenlet until it is woken, exactly once, or detached by what is thrown into it."""

    __slots__ = ("_hub", "_over", "_parked")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._parked: greenlet | None = None
        self._over = False

    def park(self) -> None:
        """Wait for `wake`; return at once if it came first.

        Raises what is thrown into the greenlet (GreenletExit, gevent.Timeout, KeyboardInterrupt, LoopExit);
        RuntimeError in the hub's own greenlet, or where the hub has been closed. `wake` then does nothing.
        """
        if self._over:
            return
        caller = getcurrent()
        if caller is self._hub.greenlet:
            raise RuntimeError(ON_THE_HUB)
        self.park_as(caller)

    def park_as(self, caller: greenlet) -> None:
        """As `park`, for who knows already that `caller`, the current greenlet, is not the hub's."""
        try:
            self.wait_as(caller)
        finally:
            self.detach()

    def wait_as(self, caller: greenlet) -> None:
        """As `park_as`, for who calls `detach` whatever comes out of it."""
        if self._over:
            return
        hub = self._hub
        self._parked = caller
        hub.switch()
        while not self._over:  # a stranger switched to us
            if hub.greenlet.dead:
                raise RuntimeError("the hub was closed while a greenlet waited for it")
            hub.switch()

    def detach(self) -> None:
        """Wait no longer; `wake` does nothing from here on."""
        self._parked = None
        self._over = True

    def wake(self) -> None:
        """Resume the parked greenlet: at once if called in the hub's greenlet, else in the hub's next turn.

        The second time it does nothing. An exception that escapes from the greenlet goes to the hub's
        `handle_error`; only what that raises again comes out of here.
        """
        me = self  # what holds us may be gone when we come back, an attribute, say, of whoever woke
        self._over = True
        parked = self._parked
        if parked is None:
            return
        hub = self._hub
        try:
            if getcurrent() is hub.greenlet:
                parked.switch()
            else:
                hub.call_soon(self.wake)
        except BaseException as error:
            me._on_error(parked, error)

    def wake_on_hub(self) -> None:
        """As `wake`, for who knows already that the current greenlet is the hub's."""
        me = self  # as in `wake`
        self._over = True
        parked = self._parked
        if parked is None:
            return
        try:
            parked.switch()
        except BaseException as error:
            me._on_error(parked, error)

    def _on_error(self, parked: greenlet, error: BaseException) -> None:
        if self._parked is not None:  # a signal's exception came before the switch, which is still owed
            self._hub.call_soon(self.wake)
        self._hub.handle_error(parked, error)


def waiter_of(hub: Hub) -> Waiter:
    """As `Waiter(hub)`, for less: no look-up that waits is without one."""
    waiter = Waiter.__new__(Waiter)
    waiter._hub = hub
    waiter._parked = None
    waiter._over = False
    return waiter
