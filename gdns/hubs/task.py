"""A greenlet whose end others can wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

from greenlet import GreenletExit, greenlet

from gdns.hubs.waiter import Waiter

if TYPE_CHECKING:
    from gdns.hubs.native import NativeHub

T_co = TypeVar("T_co", covariant=True)


class Task(greenlet, Generic[T_co]):
    """One function call in a greenlet of its own, as `NativeHub.spawn` makes it.

    Once the task has `ended`, `value` is what the function returned, or `exception` what it raised: the hub
    reports that when it happens, unless it is GreenletExit.
    """

    def __init__(self, hub: NativeHub, function: Callable[[], T_co]) -> None:
        super().__init__(parent=hub.greenlet)
        self.value: T_co | None = None
        self.exception: BaseException | None = None
        self.ended = False
        self.on_end: list[Callable[[Task[object]], object]] = []
        self.hub = hub
        self._function = function
        hub.call_soon(self._begin)

    def get(self) -> T_co:
        """Wait for the end: what the function returned, or raise what it raised."""
        self.hub.join(self)
        if self.exception is not None:
            raise self.exception
        return self.value  # type: ignore[return-value]  # it ended without an exception, so this is what it returned

    def kill(self, error: BaseException | None = None) -> None:
        """Raise `error` (GreenletExit) in the task in the hub's next turn; one not yet begun does no more."""
        reason = GreenletExit() if error is None else error

        def fail() -> NoReturn:
            raise reason

        def throw() -> None:
            if not self.dead:
                self.throw(reason)

        if self:
            self.hub.call_soon(throw)
        elif not self.ended:
            self._function = fail

    def run(self) -> None:
        try:
            self.value = self._function()
        except GreenletExit as error:
            self.exception = error
        except BaseException as error:
            self.exception = error
            raise  # in the hub, whose greenlet is our parent
        finally:
            self._end()

    def _begin(self) -> None:
        if self.dead:  # somebody threw into it first, so that `run` never ran
            self.exception = GreenletExit()
            self._end()
        else:
            self.switch()

    def _end(self) -> None:
        self.ended = True
        del self._function  # it may hold what the task was the last to use
        for call in self.on_end:
            call(self)


def join(hub: NativeHub, tasks: Iterable[Task[object]], timeout: float | None) -> bool:
    """Wait until all tasks have ended: True; or False once `timeout` seconds have passed."""
    running = {task for task in tasks if not task.ended}
    if not running:
        return True
    waiter = Waiter(hub)

    def strike(task: Task[object]) -> None:
        running.discard(task)
        if not running:
            waiter.wake()

    for task in running:
        task.on_end.append(strike)
    timer = None if timeout is None else hub.call_later(timeout, waiter.wake)
    try:
        waiter.park()
    finally:
        if timer is not None:
            timer.cancel()
        for task in running:
            task.on_end.remove(strike)
    return not running
