"""The event loop that gdns runs on."""

from greenlet import getcurrent

from gdns.hubs.choice import current
from gdns.hubs.native import HubIdle, NativeHub
from gdns.hubs.protocol import Hub, Timer, Watch
from gdns.hubs.task import Task
from gdns.hubs.waiter import Waiter

__all__ = ["Hub", "HubIdle", "NativeHub", "Task", "Timer", "Waiter", "Watch", "current", "let_others_run"]


def let_others_run(hub: Hub) -> None:
    """Let other greenlets run, and the hub look at what arrived, before this one goes on.

    In the hub's own greenlet, where nothing may park, it does nothing.
    """
    if getcurrent() is hub.greenlet:
        return
    waiter = Waiter(hub)
    timer = hub.call_later(0.0, waiter.wake)  # not call_soon: gevent makes many such calls before it polls
    try:
        waiter.park()
    finally:
        timer.cancel()
