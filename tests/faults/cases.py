"""The table: a fault, what must come out, who asks, over what, and where the rule comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gdns.testing import (
    MALFORMED,
    Fault,
    broken_edns,
    chain,
    closing,
    cookies,
    cut,
    cut_at,
    delay,
    drip,
    drop,
    duplicate,
    from_address,
    from_port,
    healthy,
    in_turn,
    junk,
    malformed,
    marked_truncated,
    no_question,
    not_a_reply,
    opcode,
    other_case,
    other_class,
    over_tcp,
    over_udp,
    padded,
    rcode,
    records,
    shuffled,
    silent,
    then_answer,
    trailing,
    truncated,
    ttl,
    wrong_class,
    wrong_id,
    wrong_length,
    wrong_question,
    wrong_type,
)

TIMEOUT, ATTEMPTS = 0.4, 2  # seconds and tries for one question
BUDGET = TIMEOUT * ATTEMPTS
ASKERS = ("lookup", "getaddrinfo", "resolve")

# What may come out: of the address functions, the name of an EAI_* number; of resolve, of an exception.
RIGHT = frozenset({"right"})
AGAIN = frozenset({"EAI_AGAIN", "LifetimeTimeout", "NoNameservers"})  # nobody had a word about the name
FAIL = frozenset({"EAI_FAIL", "EAI_AGAIN", "NoNameservers", "YXDOMAIN"})  # a server's word, but no answer
NO_NAME = frozenset({"EAI_NONAME", "NXDOMAIN"})
NO_DATA = frozenset({"EAI_NODATA", "NoAnswer"})
UNUSABLE = NO_NAME | NO_DATA | AGAIN | FAIL - {"NXDOMAIN"}  # a reply without what was asked for


@dataclass(frozen=True)
class Case:
    """One look-up through one fault."""

    name: str
    asker: str
    fault: Fault | None
    expected: frozenset[str]
    rule: str
    """A promise of docs/guarantees.md, or an RFC with its section."""
    servers: tuple[str, ...] = ("good",)
    """Who is configured, first to last; the fault befalls "good"."""
    budget: float = BUDGET
    is_tcp: bool = False
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What pytest calls it."""
        return f"{self.name}, {self.asker}{' over TCP' if self.is_tcp else ''}"


OTHERS = "127.0.0.66"  # what a stranger would like to be believed


def _spoofs() -> Iterator[tuple[str, Fault]]:
    """Messages that are no reply to what was asked (RFC 5452, section 4.2; promise 3)."""
    yield "wrong id", wrong_id()
    yield "QR is 0", not_a_reply()
    yield "opcode NOTIFY", opcode(4)
    yield "opcode 15", opcode(15)
    yield "question for another name", wrong_question()
    yield "question for another type", wrong_type()
    yield "question of another class", other_class()
    yield "no question", no_question()
    yield "from another port", from_port()
    yield "from another address", from_address()
    yield "a lie from another port", records("@ A 203.0.113.66", "@ AAAA 2001:db8:66::") | from_port()
    yield "a lie from another address", records("@ A 203.0.113.66") | from_address()
    yield "NXDOMAIN from another port", rcode("NXDOMAIN") | from_port()
    yield "REFUSED under another id", rcode("REFUSED") | wrong_id()
    yield "truncated under another id", over_udp(truncated() | wrong_id())
    yield "truncated from another port", over_udp(truncated() | from_port())


def _scraps() -> Iterator[tuple[str, Fault]]:
    """Messages that cannot be read (promise 4)."""
    for kind in MALFORMED:
        if kind != "pointer into the header":
            yield f"malformed: {kind}", malformed(kind)
    for octets in (0, 1, 2, 11, 12, 13, 20, 28, 29, 30, 40, 44, -1, -4, -5):
        yield f"cut at {octets}", cut_at(octets)
    yield "garbage after it", trailing(7)
    yield "an octet after it", trailing(1)
    yield "two OPT records", records("@ A 203.0.113.66") | malformed("counts that lie")
    yield "cut at 2, thrice", cut_at(2) | duplicate(2)


def _answers() -> Iterator[tuple[str, Fault, frozenset[str], str]]:
    """Odd replies that still are replies."""
    yield "nothing wrong", healthy(), RIGHT, "promise 1"
    yield "case swapped", other_case(), RIGHT, "RFC 4343, section 3"
    yield "records shuffled", shuffled(), RIGHT, "promise 5"
    yield "answered twice", duplicate(1), RIGHT, "promise 4"
    yield "answered 20 times", duplicate(20), RIGHT, "promise 4"
    yield "answered twice, late", duplicate(1, gap=0.1), RIGHT, "promise 11"
    yield "late", delay(0.25), RIGHT, "promise 1"
    yield "later than its try", delay(TIMEOUT + 0.15), RIGHT, "promise 1"
    yield "jittery", delay(0.05, jitter=0.1), RIGHT, "promise 1"
    yield "once silent", in_turn(silent(), healthy()), RIGHT, "promise 1"
    yield "once SERVFAIL", in_turn(rcode("SERVFAIL"), healthy()), RIGHT, "promise 6"
    yield "once REFUSED", in_turn(rcode("REFUSED"), healthy()), RIGHT, "promise 6"
    yield "once FORMERR", in_turn(rcode("FORMERR"), healthy()), RIGHT, "promise 6"
    yield "once NOTIMP", in_turn(rcode("NOTIMP"), healthy()), RIGHT, "promise 6"
    yield "once malformed", in_turn(malformed(), healthy()), RIGHT, "promise 4"
    yield "once lost", in_turn(drop(), healthy()), RIGHT, "promise 1"
    yield "SERVFAIL, then right", over_udp(rcode("SERVFAIL") | then_answer(0.05)), RIGHT | AGAIN, "promise 6"
    yield "silent", silent(), AGAIN, "promise 6"
    yield "SERVFAIL", rcode("SERVFAIL"), AGAIN, "promise 6"
    yield "REFUSED", rcode("REFUSED"), AGAIN, "promise 6"
    yield "FORMERR", rcode("FORMERR"), FAIL, "promise 6"
    yield "NOTIMP", rcode("NOTIMP"), FAIL, "promise 6"
    yield "YXDOMAIN", rcode("YXDOMAIN"), FAIL, "promise 6"
    yield "NOTAUTH", rcode("NOTAUTH"), FAIL, "promise 6"
    yield "rcode 15", rcode("15"), FAIL, "promise 6"
    yield "NXDOMAIN", rcode("NXDOMAIN"), NO_NAME, "promise 6"
    yield "NODATA", records(), NO_DATA | NO_NAME, "RFC 2308, section 2.2"
    yield (
        "NODATA with SOA",
        records("@ SOA a. b. 1 2 3 4 5", section="authority"),
        NO_DATA,
        "RFC 2308, section 2.2",
    )
    yield "a referral", records("@ NS ns", section="authority"), NO_DATA | AGAIN, "promise 5"
    yield "another's record", records("other.test. A 203.0.113.66"), UNUSABLE, "promise 5"
    yield "a parent's record", records("example. A 203.0.113.66"), UNUSABLE, "promise 5"
    yield "a child's record", records("x A 203.0.113.66", "x AAAA 2001:db8:66::"), UNUSABLE, "promise 5"
    yield "another type", records("@ TXT 203.0.113.66"), UNUSABLE, "promise 5"
    yield "in authority", records("@ A 203.0.113.66", section="authority"), UNUSABLE, "promise 5"
    yield "in additional", records("@ A 203.0.113.66", section="additional"), UNUSABLE, "promise 5"
    yield "class CH", wrong_class(3), UNUSABLE, "promise 5"
    yield "class 0", wrong_class(0), UNUSABLE, "promise 5"
    yield "class ANY", wrong_class(255), UNUSABLE, "promise 5"
    for links in (1, 2, 8, 15):
        for order in ("forward", "reverse", "shuffled"):
            yield f"a chain of {links}, {order}", chain(links, order), RIGHT, "RFC 1034, section 3.6.2"  # type: ignore[arg-type]
    yield "a chain of 16", chain(16), RIGHT | AGAIN, "dnspython reads one of fewer than 16 links"
    yield "a chain of 32", chain(32), RIGHT | AGAIN, "dnspython reads one of fewer than 16 links"
    yield "a chain of 1,000", chain(1000), UNUSABLE | RIGHT, "promise 5"
    for links in (1, 2, 3, 16):
        yield f"a loop of {links}", chain(links, loops=True), UNUSABLE, "promise 5"
    yield "an alias to nothing", records("@ CNAME gone.test."), UNUSABLE, "promise 5"
    yield (
        "an alias, and another's address",
        (records("@ CNAME x", "y A 203.0.113.66", "y AAAA 2001:db8:66::")),
        UNUSABLE,
        "promise 5",
    )
    yield "an alias to the root", records("@ CNAME ."), UNUSABLE, "promise 5"
    yield "a DNAME alone", records("example. DNAME example.test."), UNUSABLE, "RFC 6672, section 2.2"
    yield "TTL 0", ttl(0), RIGHT, "RFC 1035, section 3.2.1"
    yield "TTL with its top bit", ttl(1 << 31), RIGHT, "RFC 2181, section 8"
    yield "TTL all ones", ttl((1 << 32) - 1), RIGHT, "RFC 2181, section 8"
    yield "truncated", truncated(), RIGHT, "promise 7"
    yield "65,535 octets", padded(65_535), RIGHT, "promise 7"
    yield "512 octets", padded(512), RIGHT, "RFC 1035, section 2.3.4"


def _beside_the_answer() -> Iterator[tuple[str, Fault]]:
    yield "one junk datagram first", junk(1)
    yield "fifty junk datagrams first", junk(50)


def _streams() -> Iterator[tuple[str, Fault, frozenset[str]]]:
    """Connections that break (promise 7)."""
    yield "dripping", drip(3, 0.002), RIGHT
    yield "octet by octet", drip(1, 0.001), RIGHT
    yield "in two halves", drip(20, 0.05), RIGHT
    yield "65,535 octets in pieces", padded() | drip(8192, 0.002), RIGHT
    yield "dripping for ever", padded() | drip(1, 0.05), AGAIN
    yield "closed after it", closing(), RIGHT
    yield "reset after it", closing(resets=True), RIGHT | AGAIN
    yield "cut at once", cut(0), AGAIN
    for octets in (1, 2, 3, 14, 30):
        yield f"cut after {octets}", cut(octets), AGAIN
    yield "reset at once", cut(0, resets=True), AGAIN
    yield "reset in the middle", cut(20, resets=True), AGAIN
    yield "silent on TCP", over_tcp(silent()), AGAIN
    yield "slow on TCP", over_tcp(delay(0.3)), RIGHT
    yield "cut, then whole", in_turn(healthy(), over_tcp(cut(5)), healthy(), healthy()), RIGHT
    for octets in (0, 5, 60_000, 65_535):
        yield f"length says {octets}", wrong_length(octets), AGAIN
    yield "malformed on TCP", over_tcp(malformed()), AGAIN
    yield "wrong id on TCP", over_tcp(wrong_id()), AGAIN
    yield "another question on TCP", over_tcp(wrong_question()), AGAIN
    yield "truncated on TCP too", marked_truncated(), AGAIN | RIGHT
    yield "junk on TCP", over_tcp(junk(5)), RIGHT
    yield "answered twice on TCP", over_tcp(duplicate(1)), RIGHT
    yield "SERVFAIL on TCP", over_tcp(rcode("SERVFAIL")), AGAIN
    yield "NXDOMAIN on TCP", over_tcp(rcode("NXDOMAIN")), NO_NAME


def _edns() -> Iterator[tuple[str, Fault, frozenset[str]]]:
    """Servers with broken EDNS or cookies, asked with EDNS (promise 8)."""
    yield "EDNS: FORMERR", broken_edns("FORMERR"), RIGHT
    yield "EDNS: NOTIMP", broken_edns("NOTIMP"), RIGHT
    yield "EDNS: SERVFAIL", broken_edns("SERVFAIL"), RIGHT
    yield "EDNS: REFUSED", broken_edns("REFUSED"), RIGHT
    yield "EDNS: BADVERS", broken_edns("BADVERS"), RIGHT
    yield "EDNS: SERVFAIL without it too", rcode("SERVFAIL"), AGAIN
    yield "EDNS: silence", broken_edns("silent"), RIGHT
    yield "EDNS: two OPT records", broken_edns("duplicate"), RIGHT
    yield "EDNS: an OPT record that cannot be read", broken_edns("garbage"), RIGHT
    yield "EDNS: stripped", broken_edns("strip"), RIGHT
    yield "EDNS: works", healthy(), RIGHT
    yield "EDNS: truncated", truncated(), RIGHT
    yield "cookies: required", cookies("required"), RIGHT
    yield "cookies: offered", cookies("offered"), RIGHT
    yield "cookies: BADCOOKIE for ever", cookies("badcookie"), RIGHT | AGAIN
    yield "cookies: ignored", cookies("missing"), RIGHT
    yield "cookies: another client's", cookies("foreign"), RIGHT
    yield "cookies: too short", cookies("short"), RIGHT
    yield "cookies: too long", cookies("long"), RIGHT
    yield "cookies: required, truncated", over_udp(cookies("required") | truncated()), RIGHT | AGAIN


SERVERS: dict[str, frozenset[str]] = {
    "dead good": RIGHT,
    "dead dead good": RIGHT,
    "silent good": RIGHT,
    "silent silent good": RIGHT,
    "silent dead good": RIGHT,
    "dead silent good": RIGHT,
    "servfail good": RIGHT,
    "refused good": RIGHT,
    "notimp good": RIGHT,
    "formerr good": RIGHT,
    "servfail refused good": RIGHT,
    "garbage good": RIGHT,
    "late good": RIGHT,
    "late": RIGHT,
    "late silent": RIGHT,
    "late dead": RIGHT,
    "dead late": RIGHT,
    "servfail late": RIGHT,
    "good dead": RIGHT,
    "good silent dead": RIGHT,
    "flapping good": RIGHT,
    "good flapping": RIGHT,
    "flapping flapping good": RIGHT,
    "good6": RIGHT,
    "dead6 good": RIGHT,
    "dead good6": RIGHT,
    "lossy good": RIGHT,
    "no-tcp good": RIGHT,
    "dead": AGAIN,
    "dead6": AGAIN,
    "silent": AGAIN,
    "garbage": AGAIN,
    "servfail": AGAIN,
    "refused": AGAIN,
    "dead dead": AGAIN,
    "dead silent": AGAIN,
    "silent dead": AGAIN,
    "silent silent silent": AGAIN,
    "servfail silent": AGAIN,
    "silent servfail": AGAIN,
    "servfail dead": AGAIN,
    "garbage dead silent": AGAIN,
    "nxdomain": NO_NAME,
    "nxdomain good": NO_NAME,
    "dead nxdomain": NO_NAME,
    "silent nxdomain": NO_NAME,
    "servfail nxdomain": NO_NAME,
}


def _cases() -> Iterator[Case]:
    for asker in ASKERS:
        for name, fault in [*_spoofs(), *_scraps()]:
            yield Case(name, asker, fault, AGAIN, "promises 3 and 4")
            yield Case(f"{name}, then right", asker, fault | then_answer(0.01), RIGHT, "promises 3 and 4")
        for name, fault, expected, rule in _answers():
            yield Case(name, asker, fault, expected, rule)
            if asker == "lookup":
                yield Case(name, asker, fault, expected, rule, is_tcp=True)
        for name, fault in _beside_the_answer():
            yield Case(name, asker, fault, RIGHT, "promise 4")
        for name, fault, expected in _streams():
            yield Case(name, asker, over_udp(truncated()) | fault, expected, "promise 7")
            if asker != "getaddrinfo":
                yield Case(name, asker, fault, expected | RIGHT, "promise 7", is_tcp=True)
        for name, fault, expected in _edns():
            yield Case(name, asker, fault, expected, "promise 8", options={"edns": True})
        for servers, expected in SERVERS.items():
            names = tuple(servers.split())
            yield Case(f"servers: {servers}", asker, None, expected, "promise 9", names)


CASES = list(_cases())
