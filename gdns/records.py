"""Looks up DNS records in dnspython's terms.

    resolve ── the names to ask for ── Stub.query ── outcome ── dnspython's Answer, or an exception

The arguments, the answers and the rules are those of `dns.resolver.Resolver`; who is asked, how often and for
how long is the engine's. Every answer is made of the message as it was received. The hosts file is not read;
special-use names (RFC 6761, RFC 7686) are answered here, so that they never leave the host.

Importing this imports dnspython, which nothing else on the way of a lookup needs.
"""

from __future__ import annotations

import socket
from functools import partial
from math import inf
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Protocol, TypedDict, Unpack, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.reversename
import dns.rrset
from dns.exception import DNSException
from dns.message import Message
from dns.name import Name
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from dns.resolver import HostAnswers
from dns.resolver import zone_for_name as _search_upwards  # bound now: a patch may put ours in its place

from gdns import outcome as status
from gdns._ares import USE_TCP
from gdns._wire import Question, Refusal, Reply, read
from gdns.errors import ResolverClosed
from gdns.names import SpecialUse, candidates, special_use
from gdns.outcome import Outcome, status_of

if TYPE_CHECKING:
    from gdns.config import Settings
    from gdns.stub import Stub

__all__ = [
    "Answer",
    "DNSException",
    "HostAnswers",
    "Learnt",
    "LifetimeTimeout",
    "NXDOMAIN",
    "NoAnswer",
    "NoNameservers",
    "YXDOMAIN",
    "canonical_name",
    "is_rdtype",
    "read_message",
    "resolve",
    "resolve_address",
    "resolve_name",
    "zone_for_name",
]

LOOPBACK = {RdataType.A: "127.0.0.1", RdataType.AAAA: "::1"}  # RFC 6761, section 6.3
LOOPBACK_TTL = 10_800  # seconds; any value is true, this is unbound's


class Engine(Protocol):
    """What of a resolver's engine is needed here.

    `lifetime`, in seconds, caps a whole call; None leaves it to the stub's budget for each question.
    """

    @property
    def stub(self) -> Stub: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def lifetime(self) -> float | None: ...


class Options(TypedDict, total=False):
    """The arguments of `resolve` that its relatives take too."""

    tcp: bool
    source: str | None
    raise_on_no_answer: bool
    source_port: int
    lifetime: float | None
    search: bool | None


class Answer(dns.resolver.Answer):
    """dnspython's answer; `outcome` is what it was made from, None once it has been pickled."""

    outcome: Outcome | None = None

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in vars(self).items() if key != "outcome"}


# Exceptions: dnspython shows the docstring of one that was made without details, so each is a plain sentence


class Learnt:
    """What every exception of `resolve` knows beyond dnspython's.

    `outcome` is that of the last question asked. Its rcode (None without a reply), extended errors (RFC
    8914), server, attempts and elapsed seconds are attributes too; unlike `outcome` they survive pickling.
    """

    outcome: Outcome | None = None
    rcode: int | None = None
    ede: tuple[tuple[int, str], ...] = ()
    server: str = ""
    attempts: int = 0
    elapsed: float = 0.0

    def __init__(self, *args: object, outcome: Outcome | None = None, **details: object) -> None:
        super().__init__(*args, **details)
        if outcome is not None:
            self.outcome = outcome
            self.rcode = outcome.rcode
            self.ede = outcome.ede
            self.server = outcome.server
            self.attempts = outcome.attempts
            self.elapsed = outcome.elapsed

    def __reduce__(self) -> tuple[object, ...]:
        rebuild, args, state = cast(tuple[object, object, dict[str, object]], super().__reduce__())
        return rebuild, args, {key: value for key, value in state.items() if key != "outcome"}


class NXDOMAIN(Learnt, dns.resolver.NXDOMAIN):
    """The DNS query name does not exist."""


class NoAnswer(Learnt, dns.resolver.NoAnswer):
    """The DNS response does not contain an answer to the question."""


class YXDOMAIN(Learnt, dns.resolver.YXDOMAIN):
    """The DNS query name is too long after DNAME substitution."""


class NoNameservers(Learnt, dns.resolver.NoNameservers):
    """No nameserver gave a usable answer to the query."""


class LifetimeTimeout(Learnt, dns.resolver.LifetimeTimeout):
    """The time for the query is up."""

    def __str__(self) -> str:
        text: str = super().__str__()  # type: ignore[no-untyped-call]
        return text.removesuffix(": ")  # where there was no server to name


# Looking up


def resolve(
    engine: Engine,
    qname: Name | str,
    rdtype: RdataType | str = RdataType.A,
    rdclass: RdataClass | str = RdataClass.IN,
    tcp: bool = False,
    source: str | None = None,
    raise_on_no_answer: bool = True,
    source_port: int = 0,
    lifetime: float | None = None,
    search: bool | None = None,
) -> Answer:
    """The records of one type at a name: `dns.resolver.Resolver.resolve`, asked through `engine`.

    `lifetime` (seconds) caps the whole call. Only `search=True` applies the search list to a relative name.
    Raises NXDOMAIN, NoAnswer (unless `raise_on_no_answer` is false), YXDOMAIN, LifetimeTimeout; NoNameservers
    for failing servers, unreachable ones and replies that dnspython cannot make sense of; `ResolverClosed`.

    Before anything is sent: dnspython's exceptions for names, types and classes (`dns.name.EmptyLabel`,
    `dns.rdatatype.UnknownRdatatype`, `dns.resolver.NoMetaqueries`, ...), TypeError for a NUL in `qname` or
    for what is no name, NotImplementedError for `source` or `source_port`.
    """
    lookup = _Lookup(engine, qname, rdclass, tcp, source, raise_on_no_answer, source_port, lifetime, search)
    rdtype = RdataType.make(rdtype)
    if dns.rdatatype.is_metatype(rdtype) or not rdtype:
        raise dns.resolver.NoMetaqueries
    ((answer, outcome),) = lookup.ask_in_turn(rdtype)
    if answer.rrset is None and raise_on_no_answer:
        raise NoAnswer(response=answer.response, outcome=outcome)
    return answer


def resolve_address(engine: Engine, ipaddr: str, **options: Unpack[Options]) -> Answer:
    """The PTR records of an address; else as `resolve`. Raises dns.exception.SyntaxError for what is none."""
    qname = dns.reversename.from_address(ipaddr)
    return resolve(engine, qname, RdataType.PTR, RdataClass.IN, **options)


def resolve_name(
    engine: Engine,
    name: Name | str,
    family: int = socket.AF_UNSPEC,
    **options: Unpack[Options],
) -> HostAnswers:
    """The addresses of a name, A and AAAA asked side by side unless `family` says which; else as `resolve`.

    A name that has the one is never reported missing because a server denies it when asked for the other.
    Raises NotImplementedError for other families.
    """
    if family == socket.AF_INET:
        return HostAnswers.make(v4=resolve(engine, name, RdataType.A, **options))
    if family == socket.AF_INET6:
        return HostAnswers.make(v6=resolve(engine, name, RdataType.AAAA, **options))
    if family != socket.AF_UNSPEC:
        raise NotImplementedError(f"unknown address family {family}")
    lookup = _Lookup(engine, name, RdataClass.IN, **options)
    (v6, outcome), (v4, _) = lookup.ask_in_turn(RdataType.AAAA, RdataType.A)
    answers = HostAnswers.make(v6=v6, v4=v4, add_empty=not lookup.raise_on_no_answer)
    if not answers:
        raise NoAnswer(response=v6.response, outcome=outcome)
    return answers


def canonical_name(engine: Engine, name: Name | str) -> Name:
    """The name that CNAME and DNAME records lead to, existing or not; raises what `resolve` raises."""
    try:
        return resolve(engine, name, raise_on_no_answer=False).canonical_name
    except NXDOMAIN as missing:
        return cast(Name, missing.canonical_name)


def zone_for_name(
    engine: Engine,
    name: Name | str,
    rdclass: RdataClass = RdataClass.IN,
    tcp: bool = False,
    lifetime: float | None = None,
) -> Name:
    """The name of the zone that an absolute name is in: `dns.resolver.zone_for_name`, asked through `engine`.

    Raises dns.resolver.NotAbsolute, dns.resolver.NoRootSOA, else what `resolve` raises.
    """
    if isinstance(name, str):
        name = _to_name(name).derelativize(dns.name.root)
    asks_us = SimpleNamespace(resolve=partial(resolve, engine))
    return _search_upwards(name, rdclass, tcp, cast(dns.resolver.Resolver, asks_us), lifetime)


def is_rdtype(word: str) -> bool:
    """Whether a word, such as "MX" or "TYPE65280", is a record type's name."""
    try:
        dns.rdatatype.from_text(word)
    except (DNSException, ValueError):
        return False
    return True


def read_message(reply: Reply) -> Message | None:
    """The whole of a reply as dnspython reads it; None for one, cut or odd, that it cannot make sense of."""
    try:
        return dns.message.from_wire(reply.message)
    except DNSException:
        return None


class _Lookup:
    """One call: the names to ask for in turn, and what is left of its time.

    Making it checks the arguments, all but the type, as `resolve` says. Nothing is sent.
    """

    def __init__(
        self,
        engine: Engine,
        qname: Name | str,
        rdclass: RdataClass | str,
        tcp: bool = False,
        source: str | None = None,
        raise_on_no_answer: bool = True,
        source_port: int = 0,
        lifetime: float | None = None,
        search: bool | None = None,
    ) -> None:
        if source is not None or source_port:
            raise NotImplementedError(
                "source, source_port: queries share sockets that are bound to no address"
            )
        self.qnames = _qnames_to_ask(_to_name(qname), engine.settings, bool(search))
        self.rdclass = RdataClass.make(rdclass)
        if dns.rdataclass.is_metaclass(self.rdclass) or not self.rdclass:
            raise dns.resolver.NoMetaqueries
        self.stub = engine.stub
        self.wishes = USE_TCP if tcp else 0
        self.raise_on_no_answer = raise_on_no_answer
        self.started_at = monotonic()
        lifetime = engine.lifetime if lifetime is None else lifetime
        self.ends_at = self.started_at + (inf if lifetime is None else lifetime)

    def ask_in_turn(self, *rdtypes: RdataType) -> list[tuple[Answer, Outcome]]:
        """Ask for one name after the other until one exists; its answer to each of the one or two types.

        Raises NXDOMAIN if there is no such name, and whatever `failure` makes of other trouble.
        """
        denials: dict[Name, dns.message.Message] = {}
        answered: list[tuple[Answer, Outcome]] = []
        for qname in self.qnames:
            outcomes = self.ask(*(Question(qname.to_text(), rdtype, self.rdclass) for rdtype in rdtypes))
            answered = [(self.answer(qname, outcome), outcome) for outcome in outcomes]
            if any(outcome.status is not status.NXDOMAIN for outcome in outcomes):
                return answered
            denials[qname] = answered[0][0].response
        raise NXDOMAIN(qnames=self.qnames, responses=denials, outcome=answered[0][1])

    def ask(self, *questions: Question) -> tuple[Outcome, ...]:
        """The outcomes of one or two questions about one name, from a server unless the name is special."""
        rule = special_use(questions[0].qname)
        if rule is not None:
            return tuple(_special_outcome(question, rule) for question in questions)
        lifetime = self.ends_at - monotonic()
        if not lifetime > 0:
            detail = "the caller's lifetime ended"
            return tuple(Outcome(question, status.TIMEOUT, detail=detail) for question in questions)
        cap = None if lifetime == inf else lifetime
        if len(questions) == 1:
            return (self.stub.query(questions[0], self.wishes, cap),)
        return self.stub.query_both(questions[0], questions[1], self.wishes, cap)

    def answer(self, qname: Name, outcome: Outcome) -> Answer:
        """What a server said about a name, be it positive or negative; raises `failure` for anything else."""
        reply = outcome.reply
        is_word_of_name = outcome.status is status.ANSWER or outcome.is_negative
        if reply is None or not is_word_of_name:
            raise self.failure(qname, outcome)
        try:
            message = cast(dns.message.QueryMessage, dns.message.from_wire(reply.message))
            rdtype = RdataType.make(outcome.question.rdtype)
            answer = Answer(qname, rdtype, self.rdclass, message, *_address_of(outcome.server))
        except DNSException as error:
            raise self.failure(qname, outcome, error) from error
        answer.outcome = outcome
        return answer

    def failure(self, qname: Name, outcome: Outcome, error: Exception | str = "") -> Exception:
        """The exception for an outcome without a word of the name, or whose reply was no good (`error`)."""
        if outcome.status is status.CLOSED:
            return ResolverClosed(outcome)
        if outcome.rcode == dns.rcode.YXDOMAIN:
            return YXDOMAIN(outcome=outcome)
        if outcome.status is status.TIMEOUT:
            elapsed = monotonic() - self.started_at
            patience = dns.exception.Timeout(timeout=outcome.elapsed)  # type: ignore[no-untyped-call]
            trace = self.errors(outcome, patience)
            return LifetimeTimeout(timeout=elapsed, errors=trace, outcome=outcome)
        rcode = outcome.rcode
        said = outcome.detail if rcode is None else dns.rcode.to_text(dns.rcode.Rcode.make(rcode))
        request = dns.message.make_query(qname, RdataType.make(outcome.question.rdtype), self.rdclass)
        return NoNameservers(request=request, errors=self.errors(outcome, error or said), outcome=outcome)

    def errors(self, outcome: Outcome, error: Exception | str) -> list[dns.resolver.ErrorTuple]:
        """dnspython's trace of who failed and how, as far as the outcome knows it."""
        host, port = _address_of(outcome.server)
        if host is None or port is None:
            return []
        is_tcp = outcome.transport == "tcp" or bool(self.wishes & USE_TCP)
        return [(f"Do53:{host}@{port}", is_tcp, port, error, None)]


def _to_name(text: Name | str) -> Name:
    """The name as dnspython reads it, relative without a final dot; IDNA 2003 where it is not ASCII."""
    if isinstance(text, Name):
        return text
    if not isinstance(text, str):
        raise TypeError(f"a name is a str or a dns.name.Name, not {type(text).__name__}")
    if "\0" in text:
        raise TypeError("a name must be a str without null characters")
    return dns.name.from_text(text, None)


def _qnames_to_ask(qname: Name, settings: Settings, search: bool) -> list[Name]:
    """The absolute names to ask for, in turn; only a relative one that is not special-use is searched for."""
    as_is = qname.derelativize(dns.name.root)
    text = qname.to_text()
    if not search or qname.is_absolute() or not qname.labels or special_use(text) is not None:
        return [as_is]
    resolv_conf = settings.resolv_conf
    return [
        dns.name.from_text(candidate) for candidate in candidates(text, resolv_conf.search, resolv_conf.ndots)
    ]


def _special_outcome(question: Question, rule: SpecialUse) -> Outcome:
    """What a server of its own would say about a special-use name; nothing is sent."""
    qname = dns.name.from_text(question.qname)
    rdtype, rdclass = RdataType.make(question.rdtype), RdataClass.make(question.rdclass)
    response = dns.message.make_response(
        dns.message.make_query(qname, rdtype, rdclass), recursion_available=True
    )
    if rule is SpecialUse.NXDOMAIN:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif rdtype in LOOPBACK and rdclass == RdataClass.IN:
        response.answer.append(dns.rrset.from_text(qname, LOOPBACK_TTL, rdclass, rdtype, LOOPBACK[rdtype]))
    reply = read(response.to_wire(), question)
    assert not isinstance(reply, Refusal)  # we wrote it for this very question
    return Outcome(question, status_of(reply), reply)


def _address_of(server: str) -> tuple[str, int] | tuple[None, None]:
    """Host and port of a server as `Outcome.server` writes it; None for nobody."""
    if not server:
        return None, None
    host, _, port = server.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)
