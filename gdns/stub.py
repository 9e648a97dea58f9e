"""Asks a question of a resolver's servers until one answers or its time is up.

    query ── cache ── flight ── tries ── lane ── sockets ── hub ── on_ready ── deliver ── the waiters wake

A flight is a question under way with everybody who waits for it. It has no leader: whoever leaves
harms nobody, and its answer serves all. Whether, when and whom to ask again is decided here; a lane
only carries one try to one server.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from gdns._ares import CUT_AFTER_REPLIES, CUT_FIRST, USE_TCP, Try
from gdns._clock import monotonic
from gdns._wire import Question
from gdns.cache import Cache
from gdns.counters import Counters
from gdns.deadlines import Deadlines
from gdns.flight import Alarm, Ask, Both, Flight, Probe, Queued, Refill, new_flight
from gdns.hooks import Hooks
from gdns.hubs.waiter import ON_THE_HUB, Waiter, waiter_of
from gdns.outcome import (
    CLOSED,
    LIFETIME_ENDED,
    NO_REPLY,
    NXDOMAIN,
    TIMEOUT,
    UNREACHABLE,
    Failed,
    Outcome,
    ended,
)
from gdns.rdtypes import NS
from gdns.servers import PROBE_INTERVAL, Server, Servers
from gdns.turns import Turns

if TYPE_CHECKING:
    from gdns.flight import Crowd
    from gdns.hubs.protocol import Hub

NAME_ERROR = 3  # the rcode of NXDOMAIN
REST = 0.2  # seconds between two rounds of asking when a round ended with a refused connection
PROBE = Question(".", NS)  # the root's NS: every resolver knows it, and it tells nobody what users ask
WANT_INTERVAL = 0.25  # seconds until it is tried again whether there is a descriptor to be had
FEW_ASKS = 64  # up to this many that have ended may lie about in the queue of first tries
NO_MEMORY = Outcome(PROBE, UNREACHABLE, detail="out of memory")  # made while there is some
GONE = Outcome(PROBE, CLOSED)
MOST_SPARED = 20  # times that a question is asked again when a connection may have ended for another's
STALE_AFTER = 1.8  # seconds after which a stale answer is better than none yet (RFC 8767, section 5)


class Stub(Turns):
    """A stub resolver on one hub (RFC 9499): questions in, outcomes out.

    `timeout` (seconds) times `attempts` is what one question may take; its servers share it. `wishes` go with
    every question. `cache` and `hooks` are shared by all the stubs of a resolver, `counters` by those of one
    thread; `prefetches` says that what is asked for often is asked for again just before the cache gives it
    up.
    """

    def __init__(
        self,
        hub: Hub,
        servers: Servers,
        *,
        timeout: float,
        attempts: int,
        wishes: int = 0,
        cache: Cache | None = None,
        prefetches: bool = False,
        counters: Counters | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        self.servers = servers
        self.timeout = timeout
        self.attempts = attempts
        self.wishes = wishes
        self.cache = cache
        self._era = cache.era if cache is not None else 0
        self.prefetches = prefetches
        self.counters = counters or Counters()
        self.hooks = hooks or Hooks()
        self._flights: dict[object, Flight | Ask] = {}
        self._asks: deque[Ask] = deque()  # those whose first try is under way, and some whose has ended
        self._asking = 0  # how many of the former
        self._queued: Queued | None = None  # set while any of them is to fall due
        self._patience = servers.default.patience(timeout)
        self._budget = timeout * attempts
        self.longest = inf  # seconds that a question of a crowd may take, whatever its budget
        Turns.__init__(self, hub)

    # --- asking

    def query(self, question: Question, wishes: int = 0, lifetime: float | None = None) -> Outcome:
        """Ask one question; park the calling greenlet until it is answered or its time is up.

        `wishes` are those of `AresLane.ask`, `lifetime` caps the wait in seconds. Whatever is thrown into
        the waiting greenlet comes out, and the question goes on for others who wait for it. What the cache
        knows is given at once.
        """
        wishes |= self.wishes
        known = self._recall(question, wishes)
        return known if known is not None else self._ask(question, wishes, lifetime)

    def query_both(
        self, first: Question, second: Question, wishes: int = 0, lifetime: float | None = None
    ) -> tuple[Outcome, Outcome]:
        """Ask two questions side by side, and wait for both; else as `query`."""
        wishes |= self.wishes
        one = self._recall(first, wishes)
        two = self._recall(second, wishes)
        if one is None and two is None:
            return self._ask_both(first, second, wishes, lifetime)
        if one is None:
            one = self._ask(first, wishes, lifetime)
        if two is None:
            two = self._ask(second, wishes, lifetime)
        return one, two

    def _recall(self, question: Question, wishes: int) -> Outcome | None:
        """What the cache knows of a question; it never parks."""
        self.counters.questions += 1
        cache = self.cache
        if cache is None or self.is_closed:
            return None
        entry = cache.get(question, wishes)
        if entry is None:
            return None
        if self.prefetches and cache.is_due(entry):
            self._refresh(question, wishes)
        outcome = entry.outcome.recalled(question, cache.age(entry))
        if self.hooks.on_outcome:
            self._tell(self.hooks.on_outcome, outcome)
        return outcome

    def _ask(self, question: Question, wishes: int, lifetime: float | None) -> Outcome:
        began = monotonic()
        caller = getcurrent()
        is_on_hub = caller is self.hub.greenlet
        stale = self.cache.stale(question, wishes) if self.cache is not None else None
        if stale is not None and is_on_hub:
            self._refresh(question, wishes)
            return stale  # it cannot wait for better
        flight = self._join(question, wishes, began, is_on_hub)
        if flight.outcome is None:
            waiter = waiter_of(self.hub)
            cap = self._cap(flight, stale, began, lifetime)
            self._wait(waiter, waiter, caller, is_on_hub, cap, flight, None)
        return self._settle(question, flight, stale, began, lifetime)

    def _ask_both(
        self, first: Question, second: Question, wishes: int, lifetime: float | None
    ) -> tuple[Outcome, Outcome]:
        began = monotonic()
        caller = getcurrent()
        is_on_hub = caller is self.hub.greenlet
        stale = other_stale = None
        if self.cache is not None:
            stale = self.cache.stale(first, wishes)
            other_stale = self.cache.stale(second, wishes)
        one = self._join(first, wishes, began, is_on_hub)
        two = self._join(second, wishes, began, is_on_hub)
        waiter = waiter_of(self.hub)
        if one.outcome is None and two.outcome is None:
            cap = self._cap(one, stale, began, lifetime)
            if other_stale is None or stale is None:  # one of them may be waited for until it ends
                cap = lifetime
            self._wait(waiter, Both(waiter), caller, is_on_hub, cap, one, two)
        elif one.outcome is None or two.outcome is None:
            waits_for = one if one.outcome is None else two
            self._wait(waiter, waiter, caller, is_on_hub, lifetime, waits_for, None)
        return (
            self._settle(first, one, stale, began, lifetime),
            self._settle(second, two, other_stale, began, lifetime),
        )

    def _cap(
        self, flight: Flight, stale: Outcome | None, began: float, lifetime: float | None
    ) -> float | None:
        """How long a caller waits: its lifetime, less if it can have a stale answer instead."""
        if stale is None:
            return lifetime
        flight.is_wanted = True  # by the cache: it goes on when the caller has left with the stale one
        patience = max(0.0, flight.started_at + STALE_AFTER - began)
        return patience if lifetime is None else min(lifetime, patience)

    def _settle(
        self, question: Question, flight: Flight, stale: Outcome | None, began: float, lifetime: float | None
    ) -> Outcome:
        """What one caller gets from a flight that has landed, or that it waits for no longer."""
        outcome = flight.outcome
        if stale is not None and (outcome is None or not outcome.is_word_of_name):
            return stale
        if outcome is None:
            return self._impatient(flight)
        if outcome.status is TIMEOUT and flight.started_at < began and not self.is_closed:
            # it joined others whose time was up before its own
            remaining = min(self._budget, inf if lifetime is None else lifetime) - (monotonic() - began)
            if remaining > 0:
                return self._ask(question, flight.wishes, remaining)
        if outcome.question is not question and outcome.question.wire != question.wire:
            return outcome.for_asker(question)
        return outcome

    def _refresh(self, question: Question, wishes: int) -> None:
        """Ask for what the cache will soon give up, for nobody in particular."""
        if self._flights.get(_flight_key(question, wishes)) is None:
            flight = self._begin(question, wishes, monotonic())
            flight.is_wanted = True
            self.counters.prefetched += 1

    def _wait(
        self,
        waiter: Waiter,
        wakes: Waiter | Both,
        caller: greenlet,
        is_on_hub: bool,
        lifetime: float | None,
        one: Flight,
        two: Flight | None,
    ) -> None:
        """Park until one or both have landed (`wakes` is what each tells), or the lifetime has passed."""
        if is_on_hub:
            raise RuntimeError(ON_THE_HUB)
        one.waiters.append(wakes)
        if two is not None:
            two.waiters.append(wakes)
        alarm = None
        try:
            if lifetime is not None:
                alarm = self._alarm(waiter, lifetime)
            waiter.wait_as(caller)
        finally:
            waiter.detach()
            if alarm is not None:
                alarm.cancel()
            if one.outcome is None:
                one.waiters.remove(wakes)  # it goes on for the others, and may still feed the cache
            if two is not None and two.outcome is None:
                two.waiters.remove(wakes)

    def _impatient(self, flight: Flight) -> Outcome:
        """The outcome for a caller whose own lifetime ended before the flight did."""
        now = monotonic()
        outcome = Outcome(
            flight.question,
            TIMEOUT,
            attempts=flight.attempts,
            server=flight.plan[(flight.step - 1) % len(flight.plan)].name if flight.attempts else "",
            elapsed=now - flight.started_at,
            detail=LIFETIME_ENDED,
        )
        outcome.failures = tuple(flight.failures or ())
        if flight.attempt is not None:
            outcome.failures += (Failed(outcome.server, NO_REPLY, now - flight.attempt.sent_at),)
        return outcome

    def _join(self, question: Question, wishes: int, now: float, is_on_hub: bool) -> Flight:
        pending = self._flights.get(_flight_key(question, wishes))
        if pending is not None:
            self.counters.joined += 1
            flight = self._board(pending)
            flight.is_passing = False
            return flight
        if is_on_hub and not self.is_closed:
            raise RuntimeError(ON_THE_HUB)
        return self._begin(question, wishes, now)

    def _begin(self, question: Question, wishes: int, now: float) -> Flight:
        group = self.servers.group_of(question)
        plan = group.plan()
        key = _flight_key(question, wishes)
        flight = new_flight(question, wishes, key, plan, len(plan) * self.attempts, now, now + self._budget)
        if self.is_closed:
            self.close()
            flight.outcome = Outcome(question, CLOSED)
            return flight
        flight.patience = self._patience if group is self.servers.default else group.patience(self.timeout)
        pending = self._flights.get(key)
        if pending is not None:  # begun by a finalizer, which the garbage collector called meanwhile
            flight = self._board(pending)
            flight.is_passing = False
            return flight
        self._flights[key] = flight
        try:
            if group.has_failing:
                self._probe(now)
            self._ask_next(flight, now)
            if not self._is_watching and self._flights:
                self._start()
        except BaseException:  # there was no memory for its deadline: nobody may join what has no end
            if flight.outcome is None:
                self._land(flight, NO_MEMORY)
            raise
        return flight

    # --- asking for a crowd

    def put(self, ask: Ask) -> None:
        """Ask one question of a crowd, whose `take` is called with the outcome; nothing parks.

        That may be before this returns. The first try has no flight, for nearly all end with it; a second
        one, somebody who joins, or a full window makes it a flight like any other. What the cache knows is
        used, but what is learnt is not kept unless others have asked for it too. It leaves in the hub's next
        turn, or with `flush`.
        """
        question = ask.question
        wishes = self.wishes
        known = self._recall(question, wishes)
        if known is not None:
            ask.crowd.take(ask, known)
            return
        key = _flight_key(question, wishes)
        pending = self._flights.get(key)
        if pending is not None:
            self.counters.joined += 1
            flight = self._board(pending)
            ask.began = monotonic()
            ask.has_joined = True
            flight.waiters.append(ask)
            return
        group = self.servers.default
        if not self.is_closed and not self.servers.domains:
            plan = group.plan()
            server: Server = plan[0]
            now = monotonic()
            if not server.queue and server.has_room(now):
                if group.has_failing:
                    self._probe(now)
                ask.key = key
                ask.plan = plan
                if self._put_first(ask, server, wishes, now):
                    return
        now = monotonic()
        flight = self._begin(question, wishes, now)
        if flight.outcome is not None:
            ask.crowd.take(ask, flight.outcome)
        else:
            flight.is_passing = True
            flight.waiters.append(ask)
            if self.longest < self._budget:
                flight.ends_at = now + self.longest
                self._set_due(flight, min(now + flight.patience, flight.ends_at))
            self._soon()

    def room(self) -> int:
        """How many questions a crowd may put that will be sent at once; 0 if they would have to queue."""
        server: Server = self.servers.default.order[0]
        return 0 if server.queue or not server.has_room(monotonic()) else server.room()

    def _put_first(self, ask: Ask, server: Server, wishes: int, now: float) -> bool:
        """Make a first try without a flight; False if there is no descriptor or memory for it."""
        try:
            attempt = self._lane.ask(server, ask.question, wishes | USE_TCP if server.is_tcp else wishes)
        except (OSError, MemoryError):
            return False
        self.counters.sent += 1
        if self.hooks.on_query:
            self._tell(self.hooks.on_query, ask.question, server.name)
        attempt.portion = server.note_sent()
        attempt.flight = ask
        ask.attempt = attempt
        ask.began = now
        self._flights[ask.key] = ask
        self._asking += 1
        asks = self._asks
        if len(asks) > FEW_ASKS + 2 * self._asking:
            asks = self._asks = deque([other for other in asks if other.attempt is not None])
        asks.append(ask)
        if not self._is_watching:
            self._start()
        if self._queued is None:
            self._queued = Queued()
            self._put_due(self._queued, now + min(self._patience, self.longest))
        self._soon()  # at the latest, where the crowd is kept waiting for its next question
        return True

    def flush(self) -> None:
        """Send what `put` has left to be sent."""
        if self.is_closed:
            return
        lane = self._lane
        if lane.needs_flush():
            lane.flush()
            self._soon()  # some may have ended at once

    def wake_soon(self, waiter: Waiter) -> None:
        """Wake a greenlet when what has ended has been dealt with; for crowds, from `take`."""
        self._waking.append(waiter)

    def stale(self, question: Question) -> Outcome | None:
        """What may be served in place of a failure (RFC 8767); None for nothing."""
        return None if self.cache is None else self.cache.stale(question, self.wishes)

    def _land_ask(self, ask: Ask, attempt: Try, now: float) -> None:
        """The first try of a crowd's question has brought the network's word about the name."""
        server: Server = attempt.server
        reply = attempt.reply
        assert reply is not None
        server.note_reply(now, attempt.sent_at, attempt.portion)
        rtt = now - attempt.sent_at
        # first: what is made from here on may have the garbage collector call whoever asks for the same
        attempt.flight = None
        self._forget_ask(ask)
        self._flights.pop(ask.key, None)
        try:
            outcome = ended(ask.question, reply, server.name, 1, rtt, rtt, "", attempt.transport)
        except MemoryError:
            ask.crowd.take(ask, NO_MEMORY)
            raise
        ask.crowd.take(ask, outcome)
        self.counters.note(outcome, True)
        if self.hooks.on_outcome:
            self._tell(self.hooks.on_outcome, outcome)

    def _forget_ask(self, ask: Ask) -> None:
        ask.attempt = None
        self._asking -= 1

    def _close_ask(self, ask: Ask) -> None:
        """The stub is closed; the question's first try ends with the lane."""
        if ask.attempt is not None:
            ask.attempt.flight = None
            self._forget_ask(ask)
        outcome = GONE
        try:
            elapsed = monotonic() - ask.began
            outcome = Outcome(ask.question, CLOSED, attempts=1, elapsed=elapsed)
            self.counters.note(outcome, True)
            if self.hooks.on_outcome:
                self._tell(self.hooks.on_outcome, outcome)
            ask.crowd.take(ask, outcome)
        except MemoryError:
            ask.crowd.take(ask, outcome)

    def _board(self, pending: Flight | Ask) -> Flight:
        """The flight under way, made of a crowd's question if that has none."""
        if isinstance(pending, Flight):
            return pending
        ask = pending
        attempt = ask.attempt
        plan = ask.plan
        assert plan is not None
        assert attempt is not None
        steps = len(plan) * self.attempts
        ends_at = ask.began + min(self._budget, self.longest)
        flight = new_flight(ask.question, self.wishes, ask.key, plan, steps, ask.began, ends_at)
        if ask.attempt is not attempt:  # a finalizer has run meanwhile, which boarded it or closed us
            known = attempt.flight
            if isinstance(known, Flight):
                return known
            flight.outcome = GONE
            return flight
        flight.patience = self._patience
        flight.step = flight.attempts = 1
        flight.attempt = attempt
        flight.is_passing = True
        if not ask.crowd.is_closed:
            flight.waiters.append(ask)
        attempt.flight = flight
        self._forget_ask(ask)
        self._flights[ask.key] = flight
        self._set_due(flight, ask.began + self._patience)
        return flight

    def _on_queued(self, now: float) -> None:
        """First tries of crowds have let their questions wait: they are flights from here on."""
        asks = self._asks
        self._queued = None
        while asks:
            ask = asks[0]
            if ask.attempt is not None:
                due_at = ask.began + min(self._patience, self.longest)
                if due_at > now:
                    self._queued = Queued()
                    self._put_due(self._queued, due_at)
                    return
            asks.popleft()
            if ask.attempt is not None:
                flight = self._board(ask)
                if flight.slot is not None:
                    flight.slot.pop(flight, None)
                    flight.slot = None
                self._on_due(flight, now)

    def leave(self, crowd: Crowd) -> None:
        """A crowd is closed: its flights are given up when they next fall due, unless others wait for them.

        First tries are not looked for: when one falls due, it is seen that nobody waits (`_board`). It may be
        called by the garbage collector, in the midst of anything and in any thread: the hub sees to it.
        """
        if not self.is_closed:
            self._left.append(crowd)
            self._sockets.wake()

    def _forget(self, crowd: Crowd) -> None:
        for pending in list(self._flights.values()):
            if isinstance(pending, Flight):
                waiters = [wakes for wakes in pending.waiters if not _is_of(wakes, crowd)]
                if len(waiters) < len(pending.waiters):
                    pending.waiters = waiters

    # --- one flight

    def _ask_next(self, flight: Flight, now: float) -> None:
        """Send the next try, or queue for it."""
        server = flight.plan[flight.step % len(flight.plan)]
        if server.queue:
            self._pump(server, now)  # nobody overtakes who waits
        if server.queue or not server.has_room(now):
            flight.queued_at = server
            server.queue.append(flight)
            if server.refill is None:
                refill = Refill(server)
                self._put_due(refill, now + server.pause)
                server.refill = refill
            self._set_due(flight, now + flight.patience if len(flight.plan) > 1 else flight.ends_at)
            return
        self._send(flight, server, now)

    def _send(self, flight: Flight, server: Server, now: float) -> None:
        flight.queued_at = None
        flight.step += 1
        flight.attempts += 1
        wishes = flight.wishes | USE_TCP if server.is_tcp or flight.was_cut else flight.wishes
        try:
            attempt = self._lane.ask(server, flight.question, wishes)
        except (OSError, MemoryError) as error:
            self._on_want(flight, server, str(error) or "out of memory", now)
            return
        attempt.portion = server.note_sent()
        attempt.flight = flight
        self.counters.sent += 1
        if flight.attempts > 1:
            self.counters.resent += 1
        if self.hooks.on_query:
            self._tell(self.hooks.on_query, flight.question, server.name)
        if flight.attempt is not None:
            if flight.earlier is None:
                flight.earlier = []
            flight.earlier.append(flight.attempt)
        flight.attempt = attempt
        self._set_due(flight, now + flight.patience)
        if attempt.ended or self._lane.needs_flush():
            self._soon()

    def _on_want(self, flight: Flight, server: Server, detail: str, now: float) -> None:
        """There is no descriptor or no memory for a try. There may be in a moment, for the same server.

        It was never sent, and is no fault of the server; but it counts as one of the tries that a flight has.
        """
        flight.attempts -= 1
        flight.step -= 1
        flight.steps -= 1
        flight.last_failure = Outcome(flight.question, UNREACHABLE, None, server.name, 0, 0.0, detail)
        flight.note(server.name, detail, 0.0)
        if flight.attempt is None and flight.step >= flight.steps and not flight.earlier:
            self._fail(flight, now)
        else:
            self._set_due(flight, now + min(flight.patience, WANT_INTERVAL))

    def _set_due(self, flight: Flight, due_at: float) -> None:
        if due_at > flight.ends_at or flight.step >= flight.steps:
            due_at = flight.ends_at  # nothing left to begin: it listens to the end
        former = flight.slot
        flight.slot = self._put_due(flight, due_at)
        if former is not None and former is not flight.slot:  # last: without memory it falls due as before
            former.pop(flight, None)

    def _on_end(self, attempt: Try, now: float) -> None:
        """A try has ended; what that means for whoever asked."""
        server: Server = attempt.server
        server.in_flight -= 1
        if server.queue:
            self._pump(server, now)
        asker = attempt.flight
        if isinstance(asker, Ask):
            reply = attempt.reply
            if reply is not None and (reply.rcode == 0 or reply.rcode == NAME_ERROR):
                self._land_ask(asker, attempt, now)
                return
            asker = self._board(asker)
        if isinstance(asker, Flight):
            flight = asker
            if flight.outcome is None:
                self._end_try(flight, attempt, now)
        elif isinstance(asker, Probe):  # else it was given up
            self._end_probe(asker, attempt)

    def _end_try(self, flight: Flight, attempt: Try, now: float) -> None:
        """The network's word ends the flight; a server's trouble is no word about the name."""
        server: Server = attempt.server
        if attempt is flight.attempt:
            flight.attempt = None
        elif flight.earlier is not None and attempt in flight.earlier:
            flight.earlier.remove(attempt)
        reply = attempt.reply
        if reply is None and attempt.is_wanting:
            if flight.attempt is None and flight.queued_at is None:
                self._on_want(flight, server, attempt.error, now)
            return
        is_spared = reply is None and attempt.cut != 0 and self._is_spared(flight, attempt.cut)
        if is_spared:
            flight.was_cut = True
            server.note_cut(now, attempt.sent_at)
            if flight.attempt is None and flight.queued_at is None and (flight.waiters or flight.is_wanted):
                flight.step -= 1
                self._ask_next(flight, now)
                return
        detail = ""
        if reply is None:
            detail = attempt.error
            if flight.question.is_plain and not is_spared:  # else it may be the address to send from
                server.note_failure(now)
        else:
            server.note_reply(now, attempt.sent_at, attempt.portion)
        outcome = ended(
            flight.question,
            reply,
            server.name,
            flight.attempts,
            now - flight.started_at,
            now - attempt.sent_at,
            detail,
            attempt.transport,
        )
        status = outcome.status
        if reply is not None and (reply.rcode == 0 or status is NXDOMAIN):
            self._land(flight, outcome)
            return
        if flight.last_failure is None or reply is not None:
            flight.last_failure = outcome
        flight.note(server.name, detail or status.value, outcome.rtt)
        if flight.attempt is None and flight.queued_at is None:
            self._go_on(flight, reply is not None, now)

    def _go_on(self, flight: Flight, was_reached: bool, now: float) -> None:
        """Somebody else is asked, or the same one again; if that is no use, the flight has failed."""
        if flight.step < flight.steps and (flight.waiters or flight.is_wanted):
            if not was_reached and flight.step % len(flight.plan) == 0:
                self._set_due(flight, now + REST)  # nobody is there, but somebody may be in a moment
            else:
                self._ask_next(flight, now)
        elif not flight.earlier:
            self._fail(flight, now)

    def _is_spared(self, flight: Flight, cut: int) -> bool:
        """Whether the end of a connection is none of this question's doing, so that it is asked again.

        Many questions share a connection, and a server may close it after every reply, or for one of them.
        Each connection that brings a reply brings the others nearer to theirs. Of one that brings none the
        question that has waited longest is to blame: the server was busy with that.
        """
        if cut == CUT_AFTER_REPLIES:
            return True
        if cut == CUT_FIRST or flight.spared >= MOST_SPARED:
            return False
        flight.spared += 1
        return True

    def _on_due(self, flight: Flight, now: float) -> None:
        """Its server has let it wait, or its time is up."""
        if flight.attempt is not None:
            server: Server = flight.attempt.server
            server.note_silence(now, flight.attempt.sent_at)
            if not server.failed_at:
                server.note_failure(now)
            flight.note(server.name, NO_REPLY, now - flight.attempt.sent_at)
        if now >= flight.ends_at or not (flight.waiters or flight.is_wanted):
            self._fail(flight, now)
            return
        if flight.queued_at is not None and flight.step + 1 < flight.steps:
            flight.queued_at = None  # its place in that queue is void
            flight.step += 1
        elif flight.queued_at is not None:
            self._set_due(flight, flight.ends_at)  # there is no other queue for it
            return
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
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        if flight.slot is not None:
            flight.slot.pop(flight, None)
        self._wake_waiters(flight)  # before all that may fail
        if flight.attempt is not None:
            self._give_up(flight.attempt)
            flight.attempt = None
        if flight.earlier:
            for attempt in flight.earlier:
                self._give_up(attempt)
            flight.earlier = None
        flight.queued_at = None
        if outcome is NO_MEMORY:
            return
        try:  # what goes wrong from here on is no concern of theirs
            if flight.failures is not None:
                outcome.failures = tuple(flight.failures)
            if self.cache is not None and outcome.reply is not None and not flight.is_passing:
                self.cache.put(outcome, flight.wishes, self._era)
            self.counters.note(outcome, bool(flight.waiters) or flight.is_wanted)
            if self.hooks.on_outcome:
                self._tell(self.hooks.on_outcome, outcome)
        except Exception as error:
            self._report(error)

    def _wake_waiters(self, flight: Flight) -> None:
        for wakes in flight.waiters:
            try:
                if isinstance(wakes, Both):
                    wakes.missing -= 1
                    if not wakes.missing:
                        self._waking.append(wakes.waiter)
                elif isinstance(wakes, Ask):
                    wakes.crowd.take(wakes, flight.outcome or GONE)
                else:
                    self._waking.append(wakes)
            except MemoryError:
                self._strand(flight)

    def _on_mishap(self, asker: object, error: Exception) -> None:
        """What asked could not be dealt with, for want of memory or by our fault: nobody waits on for it."""
        if isinstance(asker, Flight) and asker.outcome is None:
            try:
                detail = str(error) or type(error).__name__
                outcome = Outcome(asker.question, UNREACHABLE, None, "", asker.attempts, 0.0, detail)
            except MemoryError:
                outcome = NO_MEMORY
            self._land(asker, outcome)
        elif isinstance(asker, Probe):
            asker.server.is_probed = False
        elif isinstance(asker, Ask) and asker.attempt is not None:
            self._forget_ask(asker)
            self._flights.pop(asker.key, None)
            asker.crowd.take(asker, NO_MEMORY)
        self._report(error)

    def _give_up(self, attempt: Try) -> None:
        attempt.flight = None
        self._lane.cancel(attempt)

    def _pump(self, server: Server, now: float) -> None:
        """Send what waited for a place in a server's window."""
        queue = server.queue
        while queue and server.has_room(now):
            flight = queue.popleft()
            if flight.queued_at is not server:
                continue  # it landed, or has gone to another server
            if flight.waiters or flight.is_wanted:
                self._send(flight, server, now)
            else:
                self._fail(flight, now)

    # --- servers that failed

    def _probe(self, now: float) -> None:
        for server in self.servers.to_probe(now):
            server.probed_at = now
            probe = Probe(server)
            try:
                attempt = self._lane.ask(server, PROBE, USE_TCP if server.is_tcp else 0)
            except (OSError, MemoryError):
                continue
            attempt.portion = server.note_sent()
            probe.attempt = attempt
            attempt.flight = probe
            server.is_probed = True
            probe.slot = self._put_due(probe, now + PROBE_INTERVAL)
            self._soon()

    def _end_probe(self, probe: Probe, attempt: Try) -> None:
        probe.server.is_probed = False
        if probe.slot is not None:
            probe.slot.pop(probe, None)
        if attempt.reply is not None:
            probe.server.note_reply(monotonic(), attempt.sent_at, attempt.portion)

    # --- what the hub's calls come to

    def _is_busy(self) -> bool:
        return bool(self._flights or self._guests)

    def _fall_due(self, item: object, now: float) -> None:
        if isinstance(item, Flight):
            item.slot = None
            self._on_due(item, now)
        elif isinstance(item, Refill):
            item.server.refill = None
            self._pump(item.server, now)
            if item.server.queue:
                item.server.refill = item
                self._put_due(item, now + item.server.pause)
        elif isinstance(item, Probe):
            item.slot = None
            item.server.is_probed = False
            if item.attempt is not None:
                self._give_up(item.attempt)
        elif isinstance(item, Queued):
            self._on_queued(now)

    # --- the end

    def _end(self) -> bool:
        self._is_retired = False
        self._land_all()
        is_on_hub = getcurrent() is self.hub.greenlet
        if not is_on_hub and (self._waking or self._guests or self._told or self._stranded is not None):
            try:
                self.hub.call_soon(self._wake_all)
            except MemoryError:
                return False  # then the hub does it when it next looks
        try:
            self._rest()
            self._watch.close()
        finally:
            try:
                self._lane.close()
            finally:
                self._sockets.close()
                if is_on_hub:
                    self._wake_all()
        return True

    def _land_all(self) -> None:
        """End every flight with the status CLOSED. It needs no memory, though it likes to have some."""
        now = monotonic()
        for pending in self._flights.values():
            if isinstance(pending, Ask):
                self._close_ask(pending)
                continue
            flight = pending
            if flight.outcome is not None:
                continue
            try:
                elapsed = now - flight.started_at
                outcome = Outcome(flight.question, CLOSED, attempts=flight.attempts, elapsed=elapsed)
                flight.outcome = outcome
                self.counters.note(outcome, bool(flight.waiters) or flight.is_wanted)
                if self.hooks.on_outcome:
                    self._tell(self.hooks.on_outcome, outcome)
                if flight.failures is not None:
                    outcome.failures = tuple(flight.failures)
            except Exception:
                flight.outcome = flight.outcome or GONE
            if flight.slot is not None:
                flight.slot.pop(flight, None)
            if flight.attempt is not None:
                flight.attempt.flight = None
            flight.attempt = flight.earlier = flight.queued_at = None  # they end with the lane
            self._wake_waiters(flight)
        self._flights.clear()

    def _wake_all(self) -> None:
        self._wake_stranded()
        while self._guests:
            self._guests.pop().wake()
        while self._waking:
            self._waking.popleft().wake()
        self._on_told()

    def retire(self) -> None:
        """Take no new questions from now on; close as soon as those under way have ended."""
        self._is_retired = True
        if not self._flights and not self._guests:
            self.close()

    def after_fork(self) -> None:
        """In the child: leave the parent's sockets alone, and ask again what greenlets wait for."""
        if self.cache is not None:
            self.cache.after_fork()
        if self.is_closed:
            return
        if not self._is_in_own_thread():  # it was not taken along, nor was anybody who waits
            self.is_closed = self._is_over = True
            self._sockets.close()
            self._lane.abandon()
            return
        self._watch.close()
        self._sockets.close()
        self._lane.abandon()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = inf
        due, self._due = self._due, Deadlines()
        for slot in due.pop(inf):
            for item, due_at in slot.items():
                if isinstance(item, Alarm):
                    item.slot = self._due.put(item, due_at)  # callers' patience ends when it would have
        for server in self.servers.all:
            server.in_flight = server.unheard = server.unheard_before = server.in_portion = 0
            server.queue.clear()
            server.is_probed = False
            server.refill = None
        self._queued = None
        self._open()
        now = monotonic()
        for pending in list(self._flights.values()):
            flight = self._board(pending)
            flight.attempt = flight.earlier = flight.slot = flight.queued_at = None
            flight.step = 0
            if flight.waiters or flight.is_wanted:
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


def _is_of(wakes: object, crowd: Crowd) -> bool:
    return isinstance(wakes, Ask) and wakes.crowd is crowd


def _flight_key(question: Question, wishes: int) -> object:
    """Who asks the same: questions are equal whatever the case of their names.

    Nearly all are known by their octets; so a dict need not ask a question for its hash.
    """
    if question.is_plain and not wishes:
        return question.key
    return (question, wishes)
