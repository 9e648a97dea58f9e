"""The c-ares lane: carries one try to one server over a c-ares channel of its own."""

from gdns._sockets import Sockets
from gdns._wire import Question, Reply
from gdns.servers import Server

USE_TCP: int
USE_EDNS: int
DNSSEC_OK: int
AUTHENTIC_DATA: int
CHECKING_DISABLED: int
NO_RECURSION: int
USE_0X20: int

CUT_FIRST: int
CUT_BESIDE: int
CUT_AFTER_REPLIES: int

class Try:
    """One question on its way to one server; only `AresLane.ask` makes one.

    It has ended once `ended` is true: with `reply` (what the server said), or without one and then `error`
    says why. `flight` belongs to whoever asked.
    """

    @property
    def server(self) -> Server: ...
    @property
    def question(self) -> Question: ...
    @property
    def wishes(self) -> int: ...
    @property
    def sent_at(self) -> float:
        """When it was sent, in seconds of time.monotonic()."""
    @property
    def ended(self) -> bool: ...
    @property
    def reply(self) -> Reply | None: ...
    @property
    def error(self) -> str:
        """Why it ended without a reply; else the empty text."""
    @property
    def errno(self) -> int:
        """The errno(3) of the system call that ended it, or 0."""
    @property
    def is_wanting(self) -> bool:
        """Whether it ended for want of something on this host: a descriptor, memory, a permission."""
    @property
    def cut(self) -> int:
        """How a connection ended under it: CUT_FIRST, CUT_BESIDE, CUT_AFTER_REPLIES; 0 where none did.

        Without any reply either this try or another had waited longest; or replies had come over it.
        """
    @property
    def transport(self) -> str:
        """ "udp" or "tcp": what carried it last."""
    flight: object
    portion: int

class AresLane:
    """Carries tries to servers, each over its own c-ares channel, on the sockets of one hub."""

    def __init__(self, sockets: Sockets) -> None: ...
    @property
    def sockets(self) -> Sockets: ...
    def ask(self, server: Server, question: Question, wishes: int = 0) -> Try:
        """Send `question` to `server` once. The try may already have ended when this returns.

        `wishes` is a sum of USE_TCP, USE_EDNS, DNSSEC_OK, AUTHENTIC_DATA, CHECKING_DISABLED, NO_RECURSION and
        USE_0X20 (over UDP the letters of the name leave in random case, and must come back in it; a server
        that does not keep it is asked again as it is). A server that does not cope with EDNS is asked
        without. Raises OSError when no channel can be made, RuntimeError after `close()`.
        """
    def cancel(self, attempt: Try) -> None:
        """Let a try that nobody waits for end without a reply at the next flush. Safe when it has ended."""
    def needs_flush(self) -> bool:
        """Whether something arrived, or was cancelled, since the last flush."""
    def flush(self) -> None:
        """Let c-ares deal with all that arrived, or was cancelled, since the last flush."""
    def take_ended(self) -> Try | None:
        """The try that ended first and was not taken yet, or None."""
    def close(self) -> None:
        """End every try and close every channel; safe to call twice."""
    def abandon(self) -> None:
        """Drop everything without a word to c-ares or the servers: what a child does after a fork."""
    @property
    def dropped(self) -> dict[str, int]:
        """How many messages were dropped, by reason; none of them ended a try."""
    @property
    def pending(self) -> int:
        """How many queries c-ares is busy with."""
