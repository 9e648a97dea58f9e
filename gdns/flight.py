"""A question under way with everybody who waits for it, and what else falls due in a stub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdns.outcome import Failed

if TYPE_CHECKING:
    from gdns._ares import Try
    from gdns._wire import Question
    from gdns.deadlines import Slot
    from gdns.hubs.waiter import Waiter
    from gdns.outcome import Outcome
    from gdns.servers import Server


class Flight:
    """One question being asked, with all who wait for its outcome."""

    __slots__ = (
        "question",
        "wishes",
        "key",
        "waiters",
        "outcome",
        "plan",
        "step",
        "steps",
        "attempt",
        "earlier",
        "queued_at",
        "attempts",
        "started_at",
        "ends_at",
        "slot",
        "last_failure",
        "failures",
        "patience",
        "is_wanted",
        "spared",
        "was_cut",
        "is_passing",
        "next_stranded",
    )

    question: Question
    wishes: int
    key: object
    waiters: list[Waiter | Both | Ask]  # each is woken, or told, when this has landed
    outcome: Outcome | None
    plan: tuple[Server, ...]  # the servers in the order in which they are asked, round after round
    step: int  # of how many tries were begun
    steps: int
    attempt: Try | None  # the latest try, until it ends
    earlier: list[Try] | None  # those before it that still listen
    queued_at: Server | None  # whose window was full
    attempts: int
    started_at: float
    ends_at: float
    slot: Slot | None
    last_failure: Outcome | None
    failures: list[Failed] | None  # what came of tries that brought no answer
    patience: float  # seconds that a server has before the next one is asked too
    is_wanted: bool  # by the cache, whoever waits for it or not
    spared: int  # tries that were cut off with others', before any reply
    was_cut: bool  # with a connection: it is asked again over one
    is_passing: bool  # only crowds want it: kept, it would drive out what others keep
    next_stranded: Flight | None  # that landed when there was no memory to list who waits

    def note(self, server: str, reason: str, seconds: float) -> None:
        """A try brought no answer."""
        if self.failures is None:
            self.failures = []
        self.failures.append(Failed(server, reason, seconds))


def new_flight(
    question: Question,
    wishes: int,
    key: object,
    plan: tuple[Server, ...],
    steps: int,
    started_at: float,
    ends_at: float,
) -> Flight:
    """A flight before its first try. Made here, not by a constructor, which would cost twice as much."""
    flight = Flight.__new__(Flight)
    flight.question = question
    flight.wishes = wishes
    flight.key = key
    flight.waiters = []
    flight.outcome = None
    flight.plan = plan
    flight.step = 0
    flight.steps = steps
    flight.attempt = None
    flight.earlier = None
    flight.queued_at = None
    flight.attempts = 0
    flight.started_at = started_at
    flight.ends_at = ends_at
    flight.slot = None
    flight.last_failure = None
    flight.failures = None
    flight.patience = 0.0
    flight.is_wanted = False
    flight.spared = 0
    flight.was_cut = False
    flight.is_passing = False
    flight.next_stranded = None
    return flight


class Crowd:
    """Many questions with one greenlet, or none, that waits for their outcomes."""

    is_closed: bool  # it wants no more

    def take(self, ask: Ask, outcome: Outcome) -> None:
        """One of the questions has ended. Called from the hub, or in the midst of `Stub.put`."""
        raise NotImplementedError


class Ask:
    """One question of a crowd: in the place of a flight while its first try is under way, at less cost."""

    __slots__ = ("crowd", "item", "question", "key", "plan", "attempt", "began", "has_joined", "outcome")

    def __init__(self, crowd: Crowd, item: object, question: Question) -> None:
        self.crowd = crowd
        self.item = item  # what the crowd knows it by
        self.question = question
        self.key: object = None
        self.plan: tuple[Server, ...] | None = None
        self.attempt: Try | None = None  # the first try, while there is no flight
        self.began = 0.0
        self.has_joined = False  # a flight that others began earlier
        self.outcome: Outcome | None = None


class Both:
    """Wakes a waiter when the second of two flights has landed."""

    __slots__ = ("waiter", "missing")

    def __init__(self, waiter: Waiter) -> None:
        self.waiter = waiter
        self.missing = 2


class Alarm:
    """The end of one caller's own patience, where that is shorter than the flight's."""

    __slots__ = ("waiter", "slot")

    def __init__(self, waiter: Waiter) -> None:
        self.waiter = waiter
        self.slot: Slot | None = None  # where it waits to fall due

    def cancel(self) -> None:
        """Let it not fall due; safe when it has."""
        if self.slot is not None:
            self.slot.pop(self, None)


class Refill:
    """The moment at which a server has room again for what waits in its queue."""

    __slots__ = ("server",)

    def __init__(self, server: Server) -> None:
        self.server = server


class Queued:
    """The moment at which the first tries of crowds have waited for long enough."""

    __slots__ = ()


class Probe:
    """A question of our own to a server that failed: has it recovered?"""

    __slots__ = ("server", "attempt", "slot")

    def __init__(self, server: Server) -> None:
        self.server = server
        self.attempt: Try | None = None
        self.slot: Slot | None = None
