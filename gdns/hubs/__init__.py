"""The event loop that gdns runs on."""

from __future__ import annotations

import sys
from collections.abc import Callable

from greenlet import getcurrent

from gdns.hubs.native import HubIdle, NativeHub
from gdns.hubs.protocol import Hub, Timer, Watch
from gdns.hubs.task import Task
from gdns.hubs.waiter import Waiter

__all__ = ["Hub", "HubIdle", "NativeHub", "Task", "Timer", "Waiter", "Watch", "current", "let_others_run"]

_modules = sys.modules


def current(explicit: Hub | None = None) -> Hub:
    """The explicit hub; else this thread's of gevent, if it has one or has patched anything; else gdns' own.

    eventlet's comes after gevent's, on the same terms. A task of gdns' own hub gets that one, whatever else
    there is: nothing but this hub can wake it. To be asked for every lookup: gevent and eventlet may patch
    after we were imported, and make their hubs later still.
    """
    if explicit is not None:
        return explicit
    caller = getcurrent()
    if isinstance(caller, Task):
        return caller.hub
    if _modules.get("gevent") is not None:  # importing it ourselves would choose for the program
        hub = _gevent_hub()
        if hub is not None:
            return hub
    if _modules.get("eventlet") is not None:
        hub = _eventlet_hub()
        if hub is not None:
            return hub
    return NativeHub.of_this_thread()


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


def _load_gevent_hub() -> Hub | None:
    global _gevent_hub
    from gdns.hubs.gevent import GeventHub

    _gevent_hub = GeventHub.of_this_thread
    return _gevent_hub()


_gevent_hub: Callable[[], Hub | None] = _load_gevent_hub


def _load_eventlet_hub() -> Hub | None:
    global _eventlet_hub
    from gdns.hubs.eventlet import EventletHub

    _eventlet_hub = EventletHub.of_this_thread
    return _eventlet_hub()


_eventlet_hub: Callable[[], Hub | None] = _load_eventlet_hub
