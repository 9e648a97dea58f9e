"""What was learnt from asking one question."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

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


ANSWER = Status.ANSWER
NODATA = Status.NODATA
NXDOMAIN = Status.NXDOMAIN
SERVFAIL = Status.SERVFAIL
REFUSED = Status.REFUSED
FAILED = Status.FAILED
TIMEOUT = Status.TIMEOUT
UNREACHABLE = Status.UNREACHABLE
CLOSED = Status.CLOSED

_BY_RCODE = {2: SERVFAIL, 3: NXDOMAIN, 5: REFUSED}


class Outcome:
    """What one question brought.

    `reply` is the server's message where there was one, `server` the address it was about, `attempts` how
    many times the question was sent (0: never), `elapsed` the seconds from asking to the end, `detail` says
    in words what went wrong below DNS, and `transport`, "udp" or "tcp", is what the server's word came over.
    """

    __slots__ = ("question", "status", "reply", "server", "attempts", "elapsed", "detail", "transport")

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

    @property
    def rcode(self) -> int | None:
        """The reply's rcode, extended by EDNS (RFC 6891); None without a reply."""
        return None if self.reply is None else self.reply.rcode

    @property
    def ede(self) -> tuple[tuple[int, str], ...]:
        """The reply's extended errors as (code, text) (RFC 8914)."""
        return () if self.reply is None else self.reply.ede

    @property
    def is_negative(self) -> bool:
        """Whether the network says that there is no such name, or no such type at it."""
        return self.status is NXDOMAIN or self.status is NODATA

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of an answer to A or AAAA, as they came; else empty."""
        return self.reply.addresses if self.reply is not None and self.status is ANSWER else ()

    def __repr__(self) -> str:
        words = [f"{self.question.qname} type {self.question.rdtype}: {self.status.value}"]
        if self.server:
            words.append(f"from {self.server}")
        words.append(f"after {self.elapsed:.3f} s and {self.attempts} attempts")
        if self.detail:
            words.append(f"({self.detail})")
        return f"<Outcome {' '.join(words)}>"


def status_of(reply: Reply) -> Status:
    """What a reply says about the question's name (RFC 1035 section 4.1.1, RFC 2308 section 2)."""
    if reply.rcode == 0:
        return ANSWER if reply.answered else NODATA
    return _BY_RCODE.get(reply.rcode, FAILED)
