"""Runs a stub on its hub: one descriptor to watch, one timer to keep, greenlets to wake in their turn.

Whatever the hub calls begins here and ends in `_deliver`. A stub is told of tries that ended (`_on_end`) and
of what falls due (`_fall_due`), and says whom to wake; it wakes nobody itself, but when it is closed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from math import inf
from sys import is_finalizing
from typing import TYPE_CHECKING
from weakref import ref

from greenlet import getcurrent

from gdns._ares import AresLane, Try
from gdns._clock import monotonic
from gdns._datagram import DatagramLane
from gdns._sockets import Sockets
from gdns.deadlines import Deadlines, Slot
from gdns.flight import Alarm, Both, Flight
from gdns.hubs.waiter import Waiter
from gdns.threads import QuietLock, main_greenlet

if TYPE_CHECKING:
    from gdns.flight import Crowd
    from gdns.hubs.protocol import Hub, Timer

DATAGRAMS_PER_TURN = 128  # some 3 ms; then other greenlets get their turn
TURNS_TO_CATCH_UP = 64  # at most, before timers fall due whatever may still be there to be read
STANDSTILL = 0.02  # seconds that the timer may be late before all that has arrived is read first
LONGEST_TURN = 0.004  # seconds for which woken greenlets may run; then likewise

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
    """What a stub has of its hub; the methods that raise NotImplementedError here are for it to write."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.is_closed = False  # nothing is asked any more
        self._is_over = False  # and everything has been given back
        self._guests: set[Waiter] = set()  # who wait for another thread
        self._due = Deadlines()
        self._timer: Timer | None = None
        self._timer_at = inf
        self._waking: deque[Waiter] = deque()  # whose flights have landed, and who are not awake yet
        self._told: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()  # hooks to call
        self._left: deque[Crowd] = deque()  # that want nothing any longer, and are still waited for
        self._is_delivering = False
        self._is_retired = False
        self._stranded: Flight | None = None  # the first of those whose waiters there was no memory to list
        self._is_unarmed = False  # there was no memory for the timer
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

    def _on_mishap(self, asker: object, error: Exception) -> None:
        """Dealing with a try of `asker` that ended, or with what fell due, has failed."""
        raise NotImplementedError

    def _fall_due(self, item: object, now: float) -> None:
        """Something that was put in by `_put_due` has fallen due; alarms are seen to already."""
        raise NotImplementedError

    def _forget(self, crowd: Crowd) -> None:
        """A crowd wants nothing any longer."""
        raise NotImplementedError

    def _end(self) -> bool:
        """End everything, in the hub's thread; False if that has to be done in the hub's next turn."""
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
            if not self._end():
                self._is_over = False
                self._sockets.wake()
        else:
            self._sockets.wake()

    def _let_go(self) -> None:
        """Give back the descriptors: the hub has ended, and greenlets that it left parked hold us."""
        self.is_closed = self._is_over = True
        self._lane.close()
        self._sockets.close()

    def _is_in_own_thread(self) -> bool:
        return main_greenlet(getcurrent()) is main_greenlet(self.hub.greenlet)

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
        try:
            if self._is_unarmed:
                self._arm()
            self._sockets.poll(DATAGRAMS_PER_TURN)
        except Exception as error:
            self._report(error)
        self._deliver()

    def _deliver(self) -> None:
        """Let the lane end what has ended, act on it, and run the greenlets that waited for it."""
        now = monotonic()
        ends_at = now + LONGEST_TURN
        is_on_hub = getcurrent() is self.hub.greenlet
        self._is_delivering = True
        try:
            while self._left:
                self._forget(self._left.popleft())
            while True:
                lane = self._lane  # another one in a child, if who woke has forked
                if lane.needs_flush():
                    try:
                        lane.flush()
                    except Exception as error:
                        self._report(error)
                attempt = lane.take_ended()
                if attempt is None and not self._waking and not self._told and self._stranded is None:
                    break
                while attempt is not None:
                    try:
                        self._on_end(attempt, now)
                    except Exception as error:
                        self._on_mishap(attempt.flight, error)
                    attempt = lane.take_ended()
                while self._told:
                    self._call_hook()
                while self._waking and now < ends_at:
                    woken = self._waking.popleft()
                    if is_on_hub:
                        woken.wake_on_hub()
                    else:
                        woken.wake()
                    now = monotonic()
                if self._stranded is not None and now < ends_at:
                    self._wake_stranded()
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

    def _on_timer(self) -> None:
        is_late = monotonic() - self._timer_at > STANDSTILL
        self._timer = None
        self._timer_at = inf
        if self.is_closed:
            self.close()
            return
        try:
            self._on_ready()  # first what has arrived: an answer that is here is not late
            if is_late:
                self._catch_up()
            now = monotonic()
            slot = self._due.fallen(now)
            while slot is not None:
                for item in tuple(slot):
                    if item in slot:  # else it was taken out while those before it were dealt with
                        del slot[item]
                        if isinstance(item, Alarm):
                            item.waiter.wake()
                        else:
                            try:
                                self._fall_due(item, now)
                            except Exception as error:
                                self._on_mishap(item, error)
                slot = self._due.fallen(now)
            self._deliver()
        finally:
            self._arm()  # what is left has its time, too

    def _catch_up(self) -> None:
        """The hub has stood still, and more may have come than one turn takes: read on while there is."""
        for _ in range(TURNS_TO_CATCH_UP):
            if self.is_closed or self._is_delivering or self._is_unarmed:
                return
            if self._sockets.budget == DATAGRAMS_PER_TURN:
                return  # nothing came in the last turn
            self._on_ready()

    def _put_due(self, item: object, due_at: float) -> Slot:
        slot = self._due.put(item, due_at)
        if due_at < self._timer_at and self._is_watching:
            self._arm()
        return slot

    def _alarm(self, waiter: Waiter, seconds: float) -> Alarm:
        """Wake who waits after so many seconds, unless it is cancelled."""
        alarm = Alarm(waiter)
        alarm.slot = self._put_due(alarm, monotonic() + seconds)
        return alarm

    def _arm(self) -> None:
        """Set the one timer to the earliest moment at which anything falls due."""
        next_at = self._due.next_at() if self._is_busy() else inf
        if next_at >= self._timer_at and self._timer_at != inf and next_at != inf:
            return  # it may come early
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = inf
        self._is_unarmed = False
        if next_at != inf:
            try:
                self._timer = self.hub.call_later(max(0.0, next_at - monotonic()), self._on_timer)
            except BaseException:
                self._is_unarmed = True
                self._sockets.wake()  # needs no memory: it is tried again in the hub's next turn
                raise
            self._timer_at = next_at

    def _start(self) -> None:
        self._watch.start()
        self._is_watching = True
        self._tie.held = self
        self._arm()

    def _rest(self) -> None:
        """Nothing is under way: an idle watcher or timer would keep the hub from finishing."""
        self._sockets.drop_spares()
        self._is_watching = False  # first: a second start does no harm, none at all would
        self._watch.stop()
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
            self.hub.call_soon(self._on_soon)
            self._is_due_soon = True

    def _on_soon(self) -> None:
        self._is_due_soon = False
        if not self._is_delivering and not self.is_closed:
            self._deliver()

    # --- without memory

    def _strand(self, flight: Flight) -> None:
        """Have everybody woken who waits for a flight that has landed, without listing them."""
        if flight is not self._stranded:
            flight.next_stranded = self._stranded
            self._stranded = flight

    def _wake_stranded(self) -> None:
        while self._stranded is not None:
            flight = self._stranded
            self._stranded = flight.next_stranded
            flight.next_stranded = None
            for wakes in flight.waiters:  # some may be awake already, which does no harm
                if isinstance(wakes, Both):
                    if not wakes.missing:
                        wakes.waiter.wake()
                elif isinstance(wakes, Waiter):
                    wakes.wake()

    def _report(self, error: Exception) -> None:
        """Tell the hub of an error that must not keep the others from being dealt with."""
        try:  # noqa: SIM105 (suppress() would be made of memory, too)
            self.hub.handle_error(self, error)
        except MemoryError:
            pass  # there is none to tell of it, either

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
        alarm = None
        self._guests.add(guest)
        try:
            if not self._is_watching:
                self._start()
            if lifetime is not None:
                alarm = self._alarm(guest, lifetime)
            guest.park()
        finally:
            self._guests.discard(guest)
            if alarm is not None:
                alarm.cancel()
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


_all: list[ref[Turns]] = []
_lock = QuietLock()
