"""Runs a stub on its hub: one descriptor to watch, one timer to keep, greenlets to wake in their turn.

Whatever the hub calls begins here and ends in `_deliver`. A stub is told of tries that ended (`_on_end`) and
of what falls due (`_fall_due`), and says whom to wake; it never switches greenlets itself.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from math import inf
from sys import is_finalizing
from typing import TYPE_CHECKING
from weakref import ref

from greenlet import getcurrent, greenlet

from gdns._ares import AresLane, Try
from gdns._clock import monotonic
from gdns._datagram import DatagramLane
from gdns._sockets import Sockets
from gdns.deadlines import Deadlines, Slot
from gdns.flight import Alarm
from gdns.hubs.waiter import Waiter
from gdns.threads import QuietLock

if TYPE_CHECKING:
    from gdns.hubs.protocol import Hub, Timer

DATAGRAMS_PER_TURN = 128  # some 3 ms; then other greenlets get their turn
LONGEST_TURN = 0.004  # seconds for which woken greenlets may run; then likewise

MOST_AWAKE = (
    256  # who have been woken, and are still listed: they go together, for each would move all others
)

LANES = os.environ.get("GDNS_LANES", "both")  # "ares" leaves everything to c-ares


class Tie:
    """What a hub calls when there is something to read.

    The hub keeps it for good; it holds its stub only while somebody waits. So a resolver that is dropped
    goes, with its descriptors, and one whose greenlets are held by nothing but their look-ups stays until
    they end.
    """

    __slots__ = ("_turns", "held")

    def __init__(self, turns: Turns) -> None:
        self._turns = ref(turns)
        self.held: Turns | None = None

    def __call__(self) -> None:
        turns = self._turns()
        if turns is not None:
            turns._on_ready()


class Turns:
    """What a stub has of its hub. `_is_busy` is for it to say, as `_on_end`, `_fall_due` and `_end` are."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.is_closed = False  # nothing is asked any more
        self._is_over = False  # and everything has been given back
        self._guests: set[Waiter] = set()  # who wait for another thread
        self._due = Deadlines()
        self._timer: Timer | None = None
        self._timer_at = inf
        self._waking: list[Waiter] = []  # whose flights have landed,
        self._woken = 0  # and how many of them are awake already
        self._told: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()  # hooks to call
        self._is_delivering = False
        self._is_retired = False
        self._open()

    def _open(self) -> None:
        _sweep()
        _all.append(ref(self))
        self._sockets = Sockets()
        self._lane = AresLane(self._sockets) if LANES == "ares" else DatagramLane(self._sockets)
        self._tie = Tie(self)
        self._watch = self.hub.watch(self._sockets.fileno(), self._tie)
        self._is_watching = False
        self._is_due_soon = False

    def _is_busy(self) -> bool:
        """Whether the hub has to be watched for anybody."""
        raise NotImplementedError

    def _on_end(self, attempt: Try, now: float) -> None:
        """A try has ended."""
        raise NotImplementedError

    def _on_mishap(self, attempt: Try, error: Exception) -> None:
        """Dealing with a try that ended has failed."""
        raise NotImplementedError

    def _fall_due(self, item: object, now: float) -> None:
        """Something that was put in by `_put_due` has fallen due; alarms are seen to already."""
        raise NotImplementedError

    def _end(self) -> None:
        """End everything; called once, in the hub's thread."""
        raise NotImplementedError

    def close(self) -> None:
        """End every question with the status CLOSED and close all sockets; safe to call twice.

        It may be called from any thread. From another than the hub's own it returns at once, and the hub does
        the rest: in its next turn where somebody waits, else when it is asked next.
        """
        self.is_closed = True
        if self._is_over:
            return
        if self._is_in_own_thread():
            self._is_over = True
            self._end()
        else:
            self._sockets.wake()

    def _let_go(self) -> None:
        """Give back the descriptors: the hub has ended, and greenlets that it left parked hold us."""
        self.is_closed = self._is_over = True
        self._lane.close()
        self._sockets.close()

    def _is_in_own_thread(self) -> bool:
        return _main_greenlet(getcurrent()) is _main_greenlet(self.hub.greenlet)

    def __del__(self) -> None:
        if self._is_over or is_finalizing is None or is_finalizing():
            return  # at exit there is nothing left to give back, and no module to do it with
        if self._is_in_own_thread():
            self._watch.close()  # the hub would keep it; the lane and the sockets end by themselves

    # --- the hub's calls

    def _on_ready(self) -> None:
        """Something can be read, or tries have ended: hand out what came."""
        if self._is_delivering:
            return
        if self.is_closed:
            self.close()  # another thread has said so
            return
        self._sockets.poll(DATAGRAMS_PER_TURN)
        self._deliver()

    def _deliver(self) -> None:
        """Let c-ares end what has ended, act on it, and run the greenlets that waited for it."""
        lane = self._lane
        now = monotonic()
        ends_at = now + LONGEST_TURN
        is_on_hub = getcurrent() is self.hub.greenlet
        self._is_delivering = True
        try:
            while True:
                if lane.needs_flush():
                    lane.flush()
                attempt = lane.take_ended()
                if attempt is None and not self._is_waking() and not self._told:
                    break
                while attempt is not None:
                    try:
                        self._on_end(attempt, now)
                    except Exception as error:
                        self._on_mishap(attempt, error)
                    attempt = lane.take_ended()
                while self._told:
                    self._call_hook()
                while now < ends_at:
                    woken = self._next_waking()
                    if woken is None:
                        break
                    if is_on_hub:
                        woken.wake_on_hub()
                    else:
                        woken.wake()
                    now = monotonic()
                if self.is_closed:
                    break  # by one who woke, or by a hook
                if now >= ends_at:
                    # not call_soon: gevent makes dozens of calls before it looks at timers and sockets again
                    self._sockets.wake()
                    if not self._is_watching:
                        self._start()
                    return
        finally:
            self._is_delivering = False
        if self.is_closed:
            self.close()  # another thread may have said so meanwhile
        elif self._is_watching and not self._is_busy():
            self._rest()

    def _is_waking(self) -> bool:
        """Whether anybody is to be woken."""
        return self._woken < len(self._waking)

    def _next_waking(self) -> Waiter | None:
        """Who is to be woken next, in the order in which they are told of; None if there is nobody."""
        waking = self._waking
        woken = self._woken
        if woken >= len(waking):
            return None
        waiter = waking[woken]
        self._woken = woken + 1
        if self._woken == len(waking) or self._woken >= MOST_AWAKE:
            self._woken = 0
            del waking[: woken + 1]  # not `clear`: another thread may have just added to it
        return waiter

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = inf
        if self.is_closed:
            self.close()
            return
        self._on_ready()  # first what has arrived: an answer that is here is not late
        now = monotonic()
        for slot in self._due.pop(now):
            for item in tuple(slot):
                if item in slot:  # else it was taken out while those before it were dealt with
                    del slot[item]
                    if isinstance(item, Alarm):
                        item.waiter.wake()
                    else:
                        self._fall_due(item, now)
        self._deliver()
        self._arm()

    def _put_due(self, item: object, due_at: float) -> Slot:
        slot = self._due.put(item, due_at)
        if due_at < self._timer_at and self._is_watching:
            self._arm()
        return slot

    def _arm(self) -> None:
        """Set the one timer to the earliest moment at which anything falls due."""
        next_at = self._due.next_at() if self._is_busy() else inf
        if next_at >= self._timer_at and self._timer_at != inf and next_at != inf:
            return  # it may come early
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = next_at
        if next_at != inf:
            self._timer = self.hub.call_later(max(0.0, next_at - monotonic()), self._on_timer)

    def _start(self) -> None:
        self._watch.start()
        self._is_watching = True
        self._tie.held = self
        self._arm()

    def _rest(self) -> None:
        """Nothing is under way: an idle watcher or timer would keep the hub from finishing."""
        self._watch.stop()
        self._is_watching = False
        self._tie.held = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = inf
        if self._is_retired:
            self.close()

    def _soon(self) -> None:
        """Deliver in the hub's next turn: tries wait to be sent, or have ended."""
        if not self._is_delivering and not self._is_due_soon:
            self._is_due_soon = True
            self.hub.call_soon(self._on_soon)

    def _on_soon(self) -> None:
        self._is_due_soon = False
        if not self._is_delivering and not self.is_closed:
            self._deliver()

    # --- hooks

    def _tell(self, hooks: tuple[Callable[..., object], ...], *arguments: object) -> None:
        """Let hooks be called from the hub, soon: whoever has something to tell is in the midst of it."""
        if not self._told and not self._is_delivering:
            self.hub.call_soon(self._on_told)
        for hook in hooks:
            self._told.append((hook, arguments))

    def _on_told(self) -> None:
        while self._told:
            self._call_hook()

    def _call_hook(self) -> None:
        hook, arguments = self._told.popleft()
        try:
            hook(*arguments)
        except BaseException as error:
            self.hub.handle_error(hook, error)

    # --- other threads

    def wait_for_thread(self, guest: Waiter, lifetime: float | None = None) -> None:
        """Park until another thread calls `wake_from_thread(guest)`.

        It also ends after `lifetime` seconds, and when the stub is closed.
        """
        self._guests.add(guest)
        if not self._is_watching:
            self._start()
        alarm = slot = None
        if lifetime is not None:
            alarm = Alarm(guest)
            slot = self._put_due(alarm, monotonic() + lifetime)
        try:
            guest.park()
        finally:
            self._guests.discard(guest)
            if slot is not None and alarm is not None:
                slot.pop(alarm, None)
            if self._is_watching and not self._is_delivering and not self._is_busy():
                self._rest()

    def wake_from_thread(self, guest: Waiter) -> None:
        """Let the hub wake a greenlet; the one method that any thread may call."""
        self._waking.append(guest)
        self._sockets.wake()


def _sweep() -> None:
    """Let go of what belonged to hubs that are gone.

    A thread may end, or a hub be destroyed, with look-ups pending: their greenlets are never heard of again,
    and what lies on their stacks is never freed.
    """
    with _lock:  # two who let go of the same would close a descriptor twice, the second time somebody else's
        for known in _all[:]:
            turns = known()
            if turns is not None and turns.hub.greenlet.dead:
                turns._let_go()
                turns = None
            if turns is None:
                _all.remove(known)


def _main_greenlet(of: greenlet) -> greenlet:
    """The greenlet that a thread began with: what tells threads apart, whoever patched them."""
    while of.parent is not None:
        of = of.parent
    return of


_all: list[ref[Turns]] = []
_lock = QuietLock()
