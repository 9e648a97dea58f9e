"""Reads a reply to a DNS question."""

from enum import IntEnum
from typing import Literal, NoReturn, final

_Reason = Literal["empty label", "label too long", "name too long", "bad escape", "not ascii", "NUL"]

class BadName(ValueError):
    """A text or wire name that cannot be asked for; `str()` is a sentence, `reason` one of six words."""

    def __init__(self, message: str, reason: _Reason) -> None: ...
    @property
    def reason(self) -> _Reason: ...

@final
class Question:
    """What is asked: an absolute name, a type, a class. Immutable; equal where RFC 4343 says the names are
    equal.

    `qname` is presentation text (RFC 1035, section 5.1), taken as absolute with or without its final dot.
    `options` are EDNS options as they stand in an OPT record (RFC 6891, section 6.1.2), at most 900 octets;
    they go out only where EDNS is wished for. `source` is the address to send from as bind(2) takes it; one
    of the family 0 has just a port, for whatever family a server has. Questions that differ in either are
    not equal, so share no query; what is learnt with either is not cached.

    Raises BadName for a text that is no name, TypeError for what is no str, ValueError for a type or class
    outside 1..65535 or too many options.
    """

    def __init__(
        self, qname: str, rdtype: int, rdclass: int = 1, options: bytes = b"", source: bytes = b""
    ) -> None: ...
    @property
    def qname(self) -> str:
        """The name in presentation form, in the case it was asked in, with the final dot."""

    @property
    def rdtype(self) -> int: ...
    @property
    def rdclass(self) -> int: ...
    @property
    def wire(self) -> bytes:
        """Name, type and class as they stand in a question section."""

    @property
    def key(self) -> bytes:
        """`wire` with A-Z of the name in lower case."""

    def with_type(self, rdtype: int) -> Question:
        """The same with another type, for less than a question anew. Raises ValueError as the constructor."""

    def name_key(self) -> bytes:
        """`key` with the type 0, which nobody can ask for: the key of what is true of all types."""

    @property
    def options(self) -> bytes: ...
    @property
    def source(self) -> bytes: ...
    @property
    def is_plain(self) -> bool:
        """Whether it has neither options nor a source of its own."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def new_question(qname: str, rdtype: int) -> Question:
    """As `Question(qname, rdtype)`, for less: no look-up is without one. Raises as that does."""

def build_query(
    question: Question,
    id: int,
    recursion_desired: bool = True,
    checking_disabled: bool = False,
    authentic_data: bool = False,
    edns_size: int = 0,
    dnssec_ok: bool = False,
) -> bytes:
    """Write the message that asks `question` (RFC 1035, section 4.1; RFC 6891, section 6.1), as the lanes do.

    `id` is 0..65535; `edns_size` is the largest datagram to be sent back, 512..65535 octets, or 0 for no
    EDNS. Raises ValueError for numbers outside these, or for `dnssec_ok` without EDNS.
    """

class Refusal(IntEnum):
    """Why a message is not the reply to a question."""

    SHORT = 1
    NOT_A_REPLY = 2
    OPCODE = 3
    QUESTION = 4
    MALFORMED = 5

@final
class Reply:
    """What a message says about the question it was read for. Made by `read` only."""

    def __init__(self) -> NoReturn: ...
    @property
    def message(self) -> bytes:
        """The message as received."""

    @property
    def id(self) -> int: ...
    @property
    def flags(self) -> int:
        """The header's second 16 bits, opcode and rcode included."""

    @property
    def rcode(self) -> int:
        """12 bits with EDNS (RFC 6891, section 6.1.3), else 4."""

    @property
    def truncated(self) -> bool:
        """The TC bit: nothing of the records was believed; ask over TCP."""

    @property
    def authenticated(self) -> bool:
        """The AD bit, which means as much as the way to the server is trusted."""

    @property
    def edns(self) -> bool:
        """Whether the message has an OPT record."""

    @property
    def opt(self) -> bytes:
        """The whole OPT record as received, empty if there is none."""

    @property
    def cookie(self) -> bytes | None:
        """Client and server cookie (RFC 7873), 8 or 16 to 40 octets."""

    @property
    def ede(self) -> tuple[tuple[int, str], ...]:
        """Extended DNS errors: INFO-CODE and EXTRA-TEXT (RFC 8914)."""

    @property
    def answered(self) -> bool:
        """Whether records of the asked type exist at the end of the CNAME chain, whatever the rcode."""

    @property
    def canonical_name(self) -> str:
        """The last name of the CNAME chain as the message spells it; the question's own if there is none."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """The chain's names before the canonical one, the asked name first."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses asked for with A or AAAA, in the message's order, as inet_ntop writes them."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The names asked for with PTR, NS or CNAME, in the message's order."""

    @property
    def ttl(self) -> int:
        """Seconds this may be kept: the least TTL of chain and RRset; without an RRset the least of the
        chain's and
        the SOA's (RFC 2308, section 5), 0 if there is no SOA. A TTL with its top bit set counts 0 (RFC 2181,
        section 8).
        """

def read(message: bytes, question: Question) -> Reply | Refusal:
    """Read `message` as the reply to `question`, or say why it is none. Whatever the octets, nothing is
    raised.

    The id is not looked at: by it the caller has found the question.
    """
