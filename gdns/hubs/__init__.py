"""The event loop that gdns runs on."""

from gdns.hubs.choice import current
from gdns.hubs.native import HubIdle, NativeHub
from gdns.hubs.protocol import Hub, Timer, Watch
from gdns.hubs.task import Task
from gdns.hubs.waiter import Waiter

__all__ = ["Hub", "HubIdle", "NativeHub", "Task", "Timer", "Waiter", "Watch", "current"]
