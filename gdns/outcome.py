"""What was learnt from asking one question."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

try:
    import cython
except ImportError:  # compiled, it is not asked for
    from gdns import uncompiled as cython

from gdns.rdtypes import short_text

if TYPE_CHECKING:
    from gdns._wire import Question, Reply


class Status(Enum):
    """How a question ended. The first three are the network's word about the name, the rest is failure."""

    ANSWER = "answer"
    NODATA = "NODATA"
    NXDOMAIN = "NXDOMAIN"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    FAILED = "failed"  # another rcode: FORMERR, NOTIMP, YXDOMAIN, ...
    TIMEOUT = "timeout"  # servers were asked, none answered in time
    UNREACHABLE = "unreachable"  # no server could be sent to, or all of them refused the connection
    CLOSED = "closed"  # the resolver was closed meanwhile
    INVALID = "invalid"  # it cannot be asked for at all; nothing was sent (`resolve_many` alone)


ANSWER = Status.ANSWER
NODATA = Status.NODATA
NXDOMAIN = Status.NXDOMAIN
SERVFAIL = Status.SERVFAIL
REFUSED = Status.REFUSED
FAILED = Status.FAILED
TIMEOUT = Status.TIMEOUT
UNREACHABLE = Status.UNREACHABLE
CLOSED = Status.CLOSED
INVALID = Status.INVALID

STALE_TTL = 30.0  # seconds, RFC 8767, section 5

_BY_RCODE = {2: SERVFAIL, 3: NXDOMAIN, 5: REFUSED}


NO_REPLY = "no reply"  # the reason of a try whose server let it wait
LIFETIME_ENDED = "the caller's lifetime ended"  # the detail of a TIMEOUT that is no fault of the servers


class Failed(NamedTuple):
    """A try that brought no answer: who was asked, what came of it in words, and after how many seconds."""

    server: str
    reason: str
    seconds: float


_SLOTS = (
    "question",
    "status",
    "reply",
    "server",
    "attempts",
    "elapsed",
    "detail",
    "transport",
    "rtt",
    "failures",
    "from_cache",
    "age",
    "is_stale",
    "kept_for",
    "is_counted",
)


@cython.cclass
@cython.no_gc
class Outcome:
    """What one question brought.

    `reply` is the server's message where there was one, `server` the address it was about, `attempts` how
    many times the question was sent (0: never), `elapsed` the seconds from asking to the end, `detail` says
    in words what went wrong below DNS, and `transport`, "udp" or "tcp", is what the server's word came over.

    `rtt` is the seconds from the last sending to the reply, `failures` what came of the tries before it.
    `from_cache` says that nothing was sent for this caller, `age` how many seconds ago it was learnt, and
    `is_stale` that its time was up, but nobody could be asked (RFC 8767).
    """

    __slots__ = _SLOTS

    def __init__(
        self,
        question: Question,
        status: Status,
        reply: Reply | None = None,
        server: str = "",
        attempts: int = 0,
        elapsed: float = 0.0,
        detail: str = "",
        transport: str = "",
    ) -> None:
        self.question = question
        self.status = status
        self.reply = reply
        self.server = server
        self.attempts = attempts
        self.elapsed = elapsed
        self.detail = detail
        self.transport = transport
        self.rtt = 0.0
        self.failures: tuple[Failed, ...] = ()
        self.from_cache = False
        self.age = 0.0
        self.is_stale = False
        self.kept_for = -1.0  # seconds for which the cache keeps it; below 0 where it does not
        self.is_counted = False  # as asked in vain, which is said once of what many waited for

    def for_asker(self, question: Question) -> Outcome:
        """The same, for whoever asked for the name in another spelling (RFC 4343)."""
        same = Outcome.__new__(Outcome)  # there is one for each hit: without the way through __init__
        same.question = question
        same.status = self.status
        same.reply = self.reply
        same.server = self.server
        same.attempts = self.attempts
        same.elapsed = self.elapsed
        same.detail = self.detail
        same.transport = self.transport
        same.rtt = self.rtt
        same.failures = self.failures
        same.from_cache = self.from_cache
        same.age = self.age
        same.is_stale = self.is_stale
        same.kept_for = self.kept_for
        same.is_counted = True  # where the other one is
        return same

    def recalled(self, question: Question, age: float, is_stale: bool = False) -> Outcome:
        """The same, as the cache gives it to a later asker."""
        same = self.for_asker(question)
        same.from_cache = True
        same.age = age
        same.is_stale = is_stale
        return same

    @property
    def ttl(self) -> float:
        """Seconds for which this may still be used: what is left of its TTL (RFC 1035, section 3.2.1).

        30 for a stale outcome (RFC 8767, section 5), 0 where there is no reply to have one.
        """
        if self.is_stale:
            return STALE_TTL
        if self.reply is None:
            return 0.0
        return max(0.0, (self.reply.ttl if self.kept_for < 0 else self.kept_for) - self.age)

    @property
    def rcode(self) -> int | None:
        """The reply's rcode, extended by EDNS (RFC 6891); None without a reply."""
        return None if self.reply is None else self.reply.rcode

    @property
    def ede(self) -> tuple[tuple[int, str], ...]:
        """The reply's extended errors as (code, text) (RFC 8914)."""
        return () if self.reply is None else self.reply.ede

    @property
    def is_word_of_name(self) -> bool:
        """Whether it is the network's word about the name: an answer, or that there is none."""
        return self.status is ANSWER or self.status is NXDOMAIN or self.status is NODATA

    @property
    def is_negative(self) -> bool:
        """Whether the network says that there is no such name, or no such type at it."""
        return self.status is NXDOMAIN or self.status is NODATA

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of an answer to A or AAAA, as they came; else empty."""
        return addresses_in(self)

    def __reduce__(self) -> tuple[object, ...]:
        """Let it be pickled, as part of an exception: programs send these from process to process."""
        values = {name: getattr(self, name) for name in _SLOTS if name != "reply"}
        return _restored, (values, None if self.reply is None else self.reply.message)

    def __repr__(self) -> str:
        if self.status is INVALID:
            return f"<Outcome invalid: {self.detail}>"
        words = [f"{self.question.qname} {short_text(self.question.rdtype)}: {self.status.value}"]
        if self.server:
            words.append(f"from {self.server}")
        if self.from_cache:
            words.append(f"from the cache, {self.age:.3f} s old{', stale' if self.is_stale else ''}")
        else:
            tries = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
            words.append(f"after {self.elapsed:.3f} s and {tries}")
        if self.detail:
            words.append(f"({self.detail})")
        return f"<Outcome {' '.join(words)}>"


def ended(
    question: Question,
    reply: Reply | None,
    server: str,
    attempts: int,
    elapsed: float,
    rtt: float,
    detail: str,
    transport: str,
) -> Outcome:
    """The outcome of a try: of its reply, or UNREACHABLE without one.

    As the constructor makes it, for less: no look-up is without one.
    """
    outcome = Outcome.__new__(Outcome)
    outcome.question = question
    outcome.status = UNREACHABLE if reply is None else status_of(reply)
    outcome.reply = reply
    outcome.server = server
    outcome.attempts = attempts
    outcome.elapsed = elapsed
    outcome.detail = detail
    outcome.transport = transport
    outcome.rtt = rtt
    outcome.failures = ()
    outcome.from_cache = False
    outcome.age = 0.0
    outcome.is_stale = False
    outcome.is_counted = False
    outcome.kept_for = -1.0
    return outcome


def addresses_in(outcome: Outcome) -> tuple[str, ...]:
    """As `outcome.addresses`, for less."""
    reply = outcome.reply
    return reply.addresses if reply is not None and outcome.status is ANSWER else ()


def status_of(reply: Reply) -> Status:
    """What a reply says about the question's name (RFC 1035 section 4.1.1, RFC 2308 section 2)."""
    if reply.rcode == 0:
        return ANSWER if reply.answered else NODATA
    return _BY_RCODE.get(reply.rcode, FAILED)


def _restored(values: dict[str, Any], message: bytes | None) -> Outcome:
    reply = None
    if message is not None:
        from gdns._wire import Refusal, read

        read_again = read(message, values["question"])
        reply = None if isinstance(read_again, Refusal) else read_again
    outcome = Outcome(values["question"], values["status"], reply)
    for name, value in values.items():
        setattr(outcome, name, value)
    return outcome
