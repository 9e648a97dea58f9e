"""Asks a question of a resolver's servers until one answers or its time is up.

    query ── flight ── tries ── lane ── sockets ── hub ── on_ready ── deliver ── the waiters wake

A flight is a question under way with everybody who waits for it. It has no leader: whoever leaves
harms nobody, and its answer serves all. Whether, when and whom to ask again is decided here; a lane
only carries one try to one server.
"""

from __future__ import annotations

from collections import deque
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from greenlet import getcurrent

from gdns._ares import USE_TCP, AresLane, Try
from gdns._sockets import Sockets
from gdns._wire import Question
from gdns.deadlines import Deadlines, Slot
from gdns.flight import Alarm, Both, Flight, Probe
from gdns.hubs.waiter import ON_THE_HUB, Waiter
from gdns.outcome import CLOSED, NXDOMAIN, TIMEOUT, UNREACHABLE, Outcome, status_of
from gdns.servers import PROBE_INTERVAL, Server, Servers

if TYPE_CHECKING:
    from gdns.hubs.protocol import Hub, Timer

DATAGRAMS_PER_TURN = 128  # some 3 ms; then other greenlets get their turn
LONGEST_TURN = 0.004  # seconds for which woken greenlets may run; then likewise
PROBE = Question(".", 2)  # the root's NS: every resolver knows it, and it tells nobody what users ask


class Stub:
    """A stub resolver on one hub (RFC 9499): questions in, outcomes out.

    `timeout` (seconds) times `attempts` is what one question may take; its servers share it.
    """

    def __init__(self, hub: Hub, servers: Servers, *, timeout: float, attempts: int, wishes: int = 0) -> None:
        self.hub = hub
        self.servers = servers
        self.timeout = timeout
        self.attempts = attempts
        self.wishes = wishes
        self.is_closed = False
        self._flights: dict[object, Flight] = {}
        self._guests: set[Waiter] = set()  # who wait for another thread
        self._due = Deadlines()
        self._timer: Timer | None = None
        self._timer_at = inf
        self._waking: deque[Waiter] = deque()  # whose flights have landed, and who are not awake yet
        self._is_delivering = False
        self._is_retired = False
        self._open()

    def _open(self) -> None:
        self._sockets = Sockets()
        self._lane = AresLane(self._sockets)
        self._watch = self.hub.watch(self._sockets.fileno(), self._on_ready)
        self._is_watching = False
        self._patience = self.servers.patience(self.timeout)
        self._budget = self.timeout * self.attempts

    # --- asking

    def query(self, question: Question, wishes: int = 0, lifetime: float | None = None) -> Outcome:
        """Ask one question; park the calling greenlet until it is answered or its time is up.

        `wishes` are those of `AresLane.ask`, `lifetime` caps the wait in seconds. Whatever is thrown into
        the waiting greenlet comes out, and the question goes on for others who wait for it.
        """
        waiter = Waiter(self.hub)
        flight = self._join(question, wishes | self.wishes)
        if flight.outcome is None:
            self._wait(waiter, waiter, lifetime, (flight,))
        return flight.outcome or self._impatient(flight)

    def query_both(
        self, first: Question, second: Question, wishes: int = 0, lifetime: float | None = None
    ) -> tuple[Outcome, Outcome]:
        """Ask two questions side by side, and wait for both; else as `query`."""
        waiter = Waiter(self.hub)
        one = self._join(first, wishes | self.wishes)
        two = self._join(second, wishes | self.wishes)
        if one.outcome is None and two.outcome is None:
            self._wait(waiter, Both(waiter), lifetime, (one, two))
        elif one.outcome is None or two.outcome is None:
            self._wait(waiter, waiter, lifetime, (one,) if one.outcome is None else (two,))
        return one.outcome or self._impatient(one), two.outcome or self._impatient(two)

    def _wait(
        self, waiter: Waiter, wakes: Waiter | Both, lifetime: float | None, flights: tuple[Flight, ...]
    ) -> None:
        """Park until all flights have landed (`wakes` is what each tells), or the lifetime has passed."""
        for flight in flights:
            flight.waiters.append(wakes)
        alarm = slot = None
        if lifetime is not None:
            alarm = Alarm(waiter)
            slot = self._put_due(alarm, monotonic() + lifetime)
        try:
            waiter.park()
        finally:
            if slot is not None and alarm is not None:
                slot.pop(alarm, None)
            for flight in flights:
                if flight.outcome is None:
                    flight.waiters.remove(wakes)  # it goes on for the others, and may still feed the cache

    def _impatient(self, flight: Flight) -> Outcome:
        """The outcome for a caller whose own lifetime ended before the flight did."""
        return Outcome(
            flight.question,
            TIMEOUT,
            attempts=flight.attempts,
            server=flight.plan[(flight.step - 1) % len(flight.plan)].name if flight.attempts else "",
            elapsed=monotonic() - flight.started_at,
            detail="the caller's lifetime ended",
        )

    def _join(self, question: Question, wishes: int) -> Flight:
        key: object = (question, wishes) if wishes else question
        flight = self._flights.get(key)
        if flight is None:
            now = monotonic()
            plan = self.servers.order
            flight = Flight(question, wishes, key, plan, len(plan) * self.attempts, now, now + self._budget)
            if self.is_closed:
                flight.outcome = Outcome(question, CLOSED)
                return flight
            if getcurrent() is self.hub.greenlet:
                raise RuntimeError(ON_THE_HUB)
            self._flights[key] = flight
            if self.servers.has_failing:
                self._probe(now)
            self._ask_next(flight, now)
            if not self._is_watching and self._flights:
                self._start()
        return flight

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
            if self._is_watching and not (self._flights or self._guests or self._is_delivering):
                self._rest()

    def wake_from_thread(self, guest: Waiter) -> None:
        """Let the hub wake a greenlet; the one method that any thread may call."""
        self._waking.append(guest)
        self._sockets.wake()

    # --- one flight

    def _ask_next(self, flight: Flight, now: float) -> None:
        """Send the next try, or queue for it."""
        server = flight.plan[flight.step % len(flight.plan)]
        if server.in_flight >= server.window:
            flight.queued_at = server
            server.queue.append(flight)
            self._set_due(flight, now + self._patience if len(flight.plan) > 1 else flight.ends_at)
            return
        self._send(flight, server, now)

    def _send(self, flight: Flight, server: Server, now: float) -> None:
        flight.queued_at = None
        flight.step += 1
        flight.attempts += 1
        wishes = flight.wishes | USE_TCP if server.is_tcp else flight.wishes
        try:
            attempt = self._lane.ask(server, flight.question, wishes)
        except (OSError, MemoryError, ValueError) as error:
            self._land(flight, Outcome(flight.question, UNREACHABLE, server=server.name, detail=str(error)))
            return
        server.in_flight += 1
        attempt.flight = flight
        if flight.attempt is not None:
            if flight.earlier is None:
                flight.earlier = []
            flight.earlier.append(flight.attempt)
        flight.attempt = attempt
        self._set_due(flight, now + self._patience)
        if attempt.ended and not self._is_delivering:
            self.hub.call_soon(self._on_ready)

    def _set_due(self, flight: Flight, due_at: float) -> None:
        if flight.slot is not None:
            flight.slot.pop(flight, None)
        if due_at > flight.ends_at or flight.step >= flight.steps:
            due_at = flight.ends_at  # nothing left to begin: it listens to the end
        flight.slot = self._put_due(flight, due_at)

    def _on_end(self, attempt: Try, now: float) -> None:
        """A try has ended; what that means for its flight."""
        server: Server = attempt.server
        server.in_flight -= 1
        if server.queue:
            self._pump(server, now)
        asker = attempt.flight
        if not isinstance(asker, Flight):
            if isinstance(asker, Probe):
                self._end_probe(asker, attempt)
            return  # else it was given up
        flight = asker
        if attempt is flight.attempt:
            flight.attempt = None
        elif flight.earlier is not None and attempt in flight.earlier:
            flight.earlier.remove(attempt)
        reply = attempt.reply
        if reply is None:
            detail = attempt.error
            status = UNREACHABLE
            self.servers.note_failure(server, now)
        else:
            if server.failed_at:
                self.servers.note_reply(server)
            status = status_of(reply)
            detail = ""
        outcome = Outcome(
            flight.question,
            status,
            reply,
            server.name,
            flight.attempts,
            now - flight.started_at,
            detail,
            attempt.transport,
        )
        if reply is not None and (reply.rcode == 0 or status is NXDOMAIN):
            self._land(flight, outcome)
            return
        # a server's trouble is no word about the name: somebody else is asked, or the same one again
        if flight.last_failure is None or reply is not None:
            flight.last_failure = outcome
        if flight.attempt is None and flight.queued_at is None:
            if flight.step < flight.steps and flight.waiters:
                self._ask_next(flight, now)
            elif not flight.earlier:
                self._fail(flight, now)

    def _on_due(self, flight: Flight, now: float) -> None:
        """Its server has let it wait, or its time is up."""
        if now >= flight.ends_at or not flight.waiters:
            self._fail(flight, now)
            return
        if flight.attempt is not None:
            server: Server = flight.attempt.server
            if not server.failed_at:
                self.servers.note_failure(server, now)
        if flight.queued_at is not None:
            flight.queued_at = None  # its place in that queue is void
            flight.step += 1
        if flight.step < flight.steps:
            self._ask_next(flight, now)
        else:
            self._set_due(flight, flight.ends_at)

    def _fail(self, flight: Flight, now: float) -> None:
        outcome = flight.last_failure
        if outcome is None:
            outcome = Outcome(flight.question, TIMEOUT)
            if flight.attempt is not None:
                outcome.server = flight.attempt.server.name
        outcome.attempts = flight.attempts
        outcome.elapsed = now - flight.started_at
        self._land(flight, outcome)

    def _land(self, flight: Flight, outcome: Outcome) -> None:
        """The end of a flight: its other tries are cancelled, its waiters wake in `_deliver`."""
        flight.outcome = outcome
        del self._flights[flight.key]
        if flight.slot is not None:
            flight.slot.pop(flight, None)
        if flight.attempt is not None:
            self._give_up(flight.attempt)
            flight.attempt = None
        if flight.earlier:
            for attempt in flight.earlier:
                self._give_up(attempt)
            flight.earlier = None
        flight.queued_at = None
        for wakes in flight.waiters:
            if isinstance(wakes, Both):
                wakes.missing -= 1
                if not wakes.missing:
                    self._waking.append(wakes.waiter)
            else:
                self._waking.append(wakes)

    def _give_up(self, attempt: Try) -> None:
        attempt.flight = None
        self._lane.cancel(attempt)

    def _pump(self, server: Server, now: float) -> None:
        """Send what waited for a place in a server's window."""
        queue = server.queue
        while queue and server.in_flight < server.window:
            flight = queue.popleft()
            if flight.queued_at is not server:
                continue  # it landed, or has gone to another server
            if flight.waiters:
                self._send(flight, server, now)
            else:
                self._fail(flight, now)

    # --- servers that failed

    def _probe(self, now: float) -> None:
        for server in self.servers.to_probe(now):
            server.probed_at = now
            try:
                attempt = self._lane.ask(server, PROBE, USE_TCP if server.is_tcp else 0)
            except (OSError, MemoryError):
                continue
            server.is_probed = True
            server.in_flight += 1
            probe = Probe(server, attempt)
            attempt.flight = probe
            probe.slot = self._put_due(probe, now + PROBE_INTERVAL)

    def _end_probe(self, probe: Probe, attempt: Try) -> None:
        probe.server.is_probed = False
        if probe.slot is not None:
            probe.slot.pop(probe, None)
        if attempt.reply is not None:
            self.servers.note_reply(probe.server)

    # --- the hub's calls

    def _on_ready(self) -> None:
        """Something can be read, or tries have ended: hand out what came."""
        if self.is_closed or self._is_delivering:
            return
        self._sockets.poll(DATAGRAMS_PER_TURN)
        self._deliver()

    def _deliver(self) -> None:
        """Let c-ares end what has ended, act on it, and run the greenlets that waited for it."""
        lane = self._lane
        now = monotonic()
        ends_at = now + LONGEST_TURN
        self._is_delivering = True
        try:
            while True:
                if lane.needs_flush:
                    lane.flush()
                attempt = lane.take_ended()
                if attempt is None and not self._waking:
                    break
                while attempt is not None:
                    self._on_end(attempt, now)
                    attempt = lane.take_ended()
                while self._waking and now < ends_at:
                    self._waking.popleft().wake()
                    now = monotonic()
                if self.is_closed:
                    break  # by one who woke
                if now >= ends_at:
                    # not call_soon: gevent makes dozens of calls before it looks at timers and sockets again
                    self._sockets.wake()
                    if not self._is_watching:
                        self._start()
                    return
        finally:
            self._is_delivering = False
        if self._is_watching and not self._flights and not self._guests:
            self._rest()

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = inf
        if self.is_closed:
            return
        self._on_ready()  # first what has arrived: an answer that is here is not late
        now = monotonic()
        for slot in self._due.pop(now):
            for item in tuple(slot):
                if item in slot:  # else it was taken out while those before it were dealt with
                    del slot[item]
                    self._fall_due(item, now)
        self._deliver()
        self._arm()

    def _fall_due(self, item: object, now: float) -> None:
        if isinstance(item, Flight):
            item.slot = None
            self._on_due(item, now)
        elif isinstance(item, Alarm):
            item.waiter.wake()
        elif isinstance(item, Probe):
            item.slot = None
            item.server.is_probed = False
            self._give_up(item.attempt)

    def _put_due(self, item: Flight | Alarm | Probe, due_at: float) -> Slot:
        slot = self._due.put(item, due_at)
        if due_at < self._timer_at and self._is_watching:
            self._arm()
        return slot

    def _arm(self) -> None:
        """Set the one timer to the earliest moment at which anything falls due."""
        next_at = self._due.next_at() if self._flights or self._guests else inf
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
        self._arm()

    def _rest(self) -> None:
        """Nothing is under way: an idle watcher or timer would keep the hub from finishing."""
        self._watch.stop()
        self._is_watching = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = inf
        if self._is_retired:
            self.close()

    # --- the end

    def close(self) -> None:
        """End every question with the status CLOSED and close all sockets; safe to call twice."""
        if self.is_closed:
            return
        self.is_closed = True
        self._is_retired = False
        self._rest()
        self._watch.close()
        self._lane.close()
        self._sockets.close()
        now = monotonic()
        for flight in list(self._flights.values()):
            if flight.outcome is None:
                elapsed = now - flight.started_at
                self._land(
                    flight, Outcome(flight.question, CLOSED, attempts=flight.attempts, elapsed=elapsed)
                )
        for guest in tuple(self._guests):
            guest.wake()
        while self._waking:
            self._waking.popleft().wake()

    def retire(self) -> None:
        """Take no new questions from now on; close as soon as those under way have ended."""
        self._is_retired = True
        if not self._flights and not self._guests:
            self.close()

    def after_fork(self) -> None:
        """In the child: leave the parent's sockets alone, and ask again what greenlets wait for."""
        if self.is_closed:
            return
        self._watch.close()
        self._sockets.close()
        self._lane.abandon()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = inf
        self._due = Deadlines()
        for server in self.servers.all:
            server.in_flight = 0
            server.queue.clear()
            server.is_probed = False
        self._open()
        now = monotonic()
        for flight in list(self._flights.values()):
            flight.attempt = flight.earlier = flight.slot = flight.queued_at = None
            flight.step = 0
            if flight.waiters:
                self._ask_next(flight, now)
            else:
                del self._flights[flight.key]
        if self._flights or self._guests:
            self._start()
        if self._waking:
            self._sockets.wake()

    @property
    def dropped(self) -> dict[str, int]:
        """Messages that were dropped because they were no replies to what was asked, by reason."""
        return self._lane.dropped

    @property
    def pending(self) -> int:
        """How many questions are under way or queued."""
        return len(self._flights)
