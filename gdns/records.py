"""Looks up DNS records in dnspython's terms.

    resolve ── the names to ask for ── Stub.query ── outcome ── dnspython's Answer, or an exception

The arguments, the answers and the rules are those of `dns.resolver.Resolver`; who is asked, how often and for
how long is the engine's. Every answer is made of the message as it was received, with the name that was asked
for spelt as this caller spells it. The hosts file is not read; special-use names (RFC 6761, RFC 7686) are
answered here, so that they never leave the host.

Importing this imports dnspython, which nothing else on the way of a lookup needs.
"""

from __future__ import annotations

import _socket
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from math import inf
from time import monotonic, time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Protocol, TypedDict, Unpack, cast

import dns.edns
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
from dns.edns import OptionType
from dns.exception import DNSException
from dns.message import Message
from dns.name import Name
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType
from dns.resolver import HostAnswers
from dns.resolver import zone_for_name as _search_upwards  # bound now: a patch may put ours in its place

from gdns import outcome as status
from gdns._ares import (
    AUTHENTIC_DATA,
    CHECKING_DISABLED,
    DNSSEC_OK,
    NO_RECURSION,
    USE_0X20,
    USE_EDNS,
    USE_TCP,
)
from gdns._wire import Question, Refusal, Reply, read
from gdns.errors import ConfigError, ResolverClosed
from gdns.hubs import let_others_run
from gdns.names import LOOPBACK_IPV4, LOOPBACK_IPV6, SpecialUse, candidates, special_use
from gdns.outcome import LIFETIME_ENDED, NO_REPLY, Outcome, status_of
from gdns.reading import question_name, read_message, respell, respell_records
from gdns.servers import ServerAddress

if TYPE_CHECKING:
    from gdns.config import Settings
    from gdns.stub import Stub

__all__ = [
    "Answer",
    "DNSException",
    "Extras",
    "HostAnswers",
    "Learnt",
    "LifetimeTimeout",
    "Lookup",
    "NXDOMAIN",
    "NoAnswer",
    "NoNameservers",
    "YXDOMAIN",
    "canonical_name",
    "edns_extras",
    "flag_extras",
    "resolve",
    "resolve_address",
    "resolve_name",
    "special_outcome",
    "to_name",
    "to_rdtype",
    "whole_of",
    "zone_for_name",
]

_LOOPBACK = {RdataType.A: LOOPBACK_IPV4, RdataType.AAAA: LOOPBACK_IPV6}  # RFC 6761, section 6.3
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
    @property
    def is_idna2008(self) -> bool: ...


class Extras(TypedDict, total=False):
    """What may be wished for beyond dnspython's arguments, each by keyword. Each is off if not given.

    `want_dnssec` asks for signatures (the DO bit, RFC 3225), `checking_disabled` for records whose validation
    failed (CD, RFC 4035), `authentic_data` whether they were validated (AD, RFC 6840); `no_recursion` asks a
    server for what it knows itself. `use_edns` asks with EDNS even where the resolver does not, so with a DNS
    cookie (RFC 7873) over UDP; `edns_options` go out with it. A server that cannot cope is asked without.

    A question with options of its own shares neither a query nor what is cached with others.
    """

    want_dnssec: bool
    checking_disabled: bool
    authentic_data: bool
    no_recursion: bool
    use_edns: bool
    edns_options: Sequence[dns.edns.Option]


class Options(Extras, total=False):
    """The arguments of `resolve` that its relatives take too."""

    tcp: bool
    source: str | None
    raise_on_no_answer: bool
    source_port: int
    lifetime: float | None
    search: bool | None


class Answer(dns.resolver.Answer):
    """dnspython's answer; `outcome` is what it was made from, None once it has been pickled.

    `response` is the message as it was received; `rrset.ttl` and `expiration` are what remains of its time.

    `is_authenticated` says that a validating server vouches for it and may be believed: the AD bit is set,
    and `options trust-ad` calls the way to the server trusted (resolv.conf(5)).
    """

    outcome: Outcome | None = None
    is_authenticated = False
    # each has its own: but dnspython's `__getattr__` asks for it before it is there, as in a copy
    rrset = None

    def take_over(self, outcome: Outcome) -> None:
        """Be the answer that an outcome is: TTL and expiration are what is left, the response as it came.

        `outcome.ttl` is what is left where the cache keeps it for longer than its TTL (`min_ttl`, stale).
        """
        self.outcome = outcome
        if not outcome.from_cache:
            return
        left = self.chaining_result.minimum_ttl - outcome.age
        self.expiration = time() + (left if left > 0 else outcome.ttl)
        if self.rrset is not None:
            left = self.rrset.ttl - outcome.age
            self.rrset = self.rrset.copy()
            self.rrset.ttl = int(left if left > 0 else outcome.ttl)

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
    **extras: Unpack[Extras],
) -> Answer:
    """The records of one type at a name: `dns.resolver.Resolver.resolve`, asked through `engine`.

    `lifetime` (seconds) caps the whole call. Only `search=True` applies the search list to a relative name.
    `source` and `source_port` are the address and the port to send from. `extras` are those of `Extras`.

    Raises NXDOMAIN, NoAnswer (unless `raise_on_no_answer` is false), YXDOMAIN, LifetimeTimeout; NoNameservers
    for failing servers, unreachable ones and replies that dnspython cannot make sense of; `ResolverClosed`.

    Before anything is sent: dnspython's exceptions for names, types and classes (`dns.name.EmptyLabel`,
    `dns.rdatatype.UnknownRdatatype`, `dns.resolver.NoMetaqueries`, ...); TypeError for a NUL in `qname`, for
    what is no name or no EDNS option; ValueError for a source that is no address, a port outside 0..65535,
    options that are too many (900 octets) or gdns' own (cookies); OSError for a source not of this host.
    """
    lookup = Lookup(
        engine, qname, rdclass, tcp, source, raise_on_no_answer, source_port, lifetime, search, **extras
    )
    ((answer, _),) = lookup.ask_in_turn(to_rdtype(rdtype))
    return lookup.checked(answer)


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
    lookup = Lookup(engine, name, RdataClass.IN, **options)
    (v6, outcome), (v4, _) = lookup.ask_in_turn(RdataType.AAAA, RdataType.A)
    answers = HostAnswers.make(v6=v6, v4=v4, add_empty=not lookup.raise_on_no_answer)
    if not answers:
        raise NoAnswer(response=v6.response, outcome=outcome)
    return answers


def canonical_name(engine: Engine, name: Name | str, **extras: Unpack[Extras]) -> Name:
    """The name that CNAME and DNAME records lead to, existing or not; raises what `resolve` raises."""
    try:
        return resolve(engine, name, raise_on_no_answer=False, **extras).canonical_name
    except NXDOMAIN as missing:
        return cast(Name, missing.canonical_name)


def zone_for_name(
    engine: Engine,
    name: Name | str,
    rdclass: RdataClass = RdataClass.IN,
    tcp: bool = False,
    lifetime: float | None = None,
    **extras: Unpack[Extras],
) -> Name:
    """The name of the zone that an absolute name is in: `dns.resolver.zone_for_name`, asked through `engine`.

    Raises dns.resolver.NotAbsolute, dns.resolver.NoRootSOA, else what `resolve` raises.
    """
    if isinstance(name, str):
        name = to_name(name, engine.is_idna2008).derelativize(dns.name.root)
    asks_us = SimpleNamespace(resolve=partial(resolve, engine, **extras))
    return _search_upwards(name, rdclass, tcp, cast(dns.resolver.Resolver, asks_us), lifetime)


def edns_extras(
    edns: int | bool | None = 0,
    ednsflags: int = 0,
    payload: int = 1232,
    options: Sequence[dns.edns.Option] | None = None,
) -> Extras:
    """The arguments of dnspython's `use_edns` as `Extras`.

    `payload` is looked at but not used: gdns always names 1,232 octets, the size that no path fragments, and
    fetches what is longer over TCP. Raises ValueError for another version than 0 and flags other than DO.
    """
    if edns is None or edns is False or edns == -1:
        return {"use_edns": False, "want_dnssec": False, "edns_options": ()}
    if edns is not True and edns != 0:
        raise ValueError(f"edns: {edns!r} is not a version that gdns can speak, only 0 (or -1 for none)")
    if ednsflags & ~dns.flags.DO:
        raise ValueError(f"ednsflags: {ednsflags:#x} has other flags than DO, {int(dns.flags.DO):#x}")
    if not 0 <= payload <= 65535:
        raise ValueError(f"payload: {payload} is not a number of octets from 0 to 65535")
    _check_options(options or ())
    return {
        "use_edns": True,
        "want_dnssec": bool(ednsflags & dns.flags.DO),
        "edns_options": tuple(options or ()),
    }


def flag_extras(flags: int | None) -> Extras:
    """The argument of dnspython's `set_flags`, a query's whole header flags, as `Extras`; None for the usual.

    Raises ValueError for flags other than RD, AD and CD.
    """
    if flags is None:
        flags = dns.flags.RD
    if flags & ~(dns.flags.RD | dns.flags.AD | dns.flags.CD):
        raise ValueError(f"flags: {flags:#x} has others than RD, AD and CD")
    return {
        "no_recursion": not flags & dns.flags.RD,
        "authentic_data": bool(flags & dns.flags.AD),
        "checking_disabled": bool(flags & dns.flags.CD),
    }


def whole_of(reply: Reply) -> Message | None:
    """The whole of a reply as dnspython reads it; None for one, cut or odd, that it cannot make sense of."""
    try:
        return dns.message.from_wire(reply.message)
    except DNSException:
        return None


class Lookup:
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
        *,
        want_dnssec: bool = False,
        checking_disabled: bool = False,
        authentic_data: bool = False,
        no_recursion: bool = False,
        use_edns: bool = False,
        edns_options: Sequence[dns.edns.Option] = (),
    ) -> None:
        self.qnames = _qnames_to_ask(to_name(qname, engine.is_idna2008), engine.settings, bool(search))
        self.rdclass = RdataClass.make(rdclass)
        if dns.rdataclass.is_metaclass(self.rdclass) or not self.rdclass:
            raise dns.resolver.NoMetaqueries
        self.source = _source(source, source_port)
        self.options = _check_options(edns_options)
        self.stub = engine.stub
        self.is_ad_trusted = engine.settings.resolv_conf.trust_ad
        self.wishes = (
            (USE_TCP if tcp else 0)
            | (USE_EDNS if use_edns or want_dnssec or edns_options else 0)
            | (DNSSEC_OK if want_dnssec else 0)
            | (AUTHENTIC_DATA if authentic_data else 0)
            | (CHECKING_DISABLED if checking_disabled else 0)
            | (NO_RECURSION if no_recursion else 0)
        )
        self.raise_on_no_answer = raise_on_no_answer
        self.started_at = monotonic()
        lifetime = engine.lifetime if lifetime is None else lifetime
        self.ends_at = self.started_at + (inf if lifetime is None else lifetime)

    def checked(self, answer: Answer) -> Answer:
        """The answer; raises NoAnswer if it has no records and the caller wants to hear of that."""
        if answer.rrset is None and self.raise_on_no_answer:
            raise NoAnswer(response=answer.response, outcome=answer.outcome)
        return answer

    def ask_in_turn(self, *rdtypes: RdataType) -> list[tuple[Answer, Outcome]]:
        """Ask for one name after the other until one exists; its answer to each of the one or two types.

        Raises NXDOMAIN if there is no such name, and whatever `failure` makes of other trouble.
        """
        denials: dict[Name, dns.message.Message] = {}
        answered: list[tuple[Answer, Outcome]] = []
        for qname in self.qnames:
            text = qname.to_text()
            outcomes = self.ask(
                *(Question(text, rdtype, self.rdclass, self.options, self.source) for rdtype in rdtypes)
            )
            answered = [(self.answer(qname, outcome), outcome) for outcome in outcomes]
            if any(outcome.status is not status.NXDOMAIN for outcome in outcomes):
                return answered
            denials[qname] = answered[0][0].response
        raise NXDOMAIN(qnames=self.qnames, responses=denials, outcome=answered[0][1])

    def ask(self, *questions: Question) -> tuple[Outcome, ...]:
        """The outcomes of one or two questions about one name, from a server unless the name is special."""
        rule = special_use(questions[0].qname)
        if rule is not None:
            return tuple(special_outcome(question, rule) for question in questions)
        lifetime = self.ends_at - monotonic()
        if not lifetime > 0:
            return tuple(Outcome(question, status.TIMEOUT, detail=LIFETIME_ENDED) for question in questions)
        cap = None if lifetime == inf else lifetime
        if len(questions) == 1:
            return (self.stub.query(questions[0], self.wishes, cap),)
        return self.stub.query_both(questions[0], questions[1], self.wishes, cap)

    def answer(self, qname: Name, outcome: Outcome) -> Answer:
        """What a server said about a name, be it positive or negative; raises `failure` for anything else."""
        reply = outcome.reply
        if reply is None or not outcome.is_word_of_name:
            raise self.failure(qname, outcome)
        try:
            message = read_message(respell(reply.message, qname), partial(let_others_run, self.stub.hub))
            is_scrambled = self.stub.wishes & USE_0X20
            respell_records(message, None if is_scrambled else question_name(reply.message), qname)
            rdtype = RdataType.make(outcome.question.rdtype)
            answer = Answer(qname, rdtype, self.rdclass, message, *_address_of(outcome.server))
        except DNSException as error:
            raise self.failure(qname, outcome, error) from error
        message.wire = reply.message
        answer.take_over(outcome)
        answer.is_authenticated = self.is_ad_trusted and reply.authenticated
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
        """dnspython's trace of who failed and how: each wait without a reply, each server's trouble once."""
        said: dict[tuple[str, object], Exception | str] = {}
        for number, failed in enumerate(outcome.failures):
            if failed.reason == NO_REPLY:
                patience = dns.exception.Timeout(timeout=failed.seconds)  # type: ignore[no-untyped-call]
                said[failed.server, number] = patience
            elif failed.server != outcome.server:
                said[failed.server, failed.reason] = failed.reason
        if outcome.status is not status.TIMEOUT or not said:
            said[outcome.server, error] = error
        asks_tcp = bool(self.wishes & USE_TCP)
        trace: list[dns.resolver.ErrorTuple] = []
        for (server, _), trouble in said.items():
            host, port = _address_of(server)
            if host is not None and port is not None:
                is_tcp = asks_tcp or (server == outcome.server and outcome.transport == "tcp")
                trace.append((f"Do53:{host}@{port}", is_tcp, port, trouble, None))
        return trace


def to_rdtype(rdtype: RdataType | str) -> RdataType:
    """The type as dnspython reads it; raises NoMetaqueries for one that is no type of records."""
    rdtype = RdataType.make(rdtype)
    if dns.rdatatype.is_metatype(rdtype) or not rdtype:
        raise dns.resolver.NoMetaqueries
    return rdtype


def to_name(text: Name | str, is_idna2008: bool = False) -> Name:
    """The name as dnspython reads it, relative without a final dot; in A-labels where it is not ASCII."""
    if isinstance(text, Name):
        return text
    if not isinstance(text, str):
        raise TypeError(f"a name is a str or a dns.name.Name, not {type(text).__name__}")
    if "\0" in text:
        raise TypeError("a name must be a str without null characters")
    return dns.name.from_text(text, None, dns.name.IDNA_2008_UTS_46 if is_idna2008 else dns.name.IDNA_2003)


def _check_options(options: Sequence[dns.edns.Option]) -> bytes:
    """The options as they stand in an OPT record (RFC 6891, section 6.1.2)."""
    wire = b""
    for option in options:
        if not isinstance(option, dns.edns.Option):
            raise TypeError(f"an EDNS option is a dns.edns.Option, not {type(option).__name__}")
        if option.otype == OptionType.COOKIE:
            raise ValueError("edns_options: DNS cookies are made by gdns itself wherever EDNS is used")
        data = option.to_wire() or b""
        wire += option.otype.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data
    Question(".", RdataType.NS, options=wire)  # raises ValueError for too many, before anything is asked
    return wire


def _source(address: str | None, port: int) -> bytes:
    """Where to send from, as `Question.source` has it; empty where that is left to the system.

    Raises ValueError for what is no address or no port, OSError for what cannot be bound to.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"source_port: {port} is not a number from 0 to 65535")
    if address is None:
        return socket.AF_UNSPEC.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") if port else b""
    try:
        place = ServerAddress.parse(f"[{address}]" if ":" in str(address) else address)
    except ConfigError:
        raise ValueError(f"source: {address!r} is not a numeric IP address") from None
    place = place._replace(port=port)
    where = (place.host, port, 0, place.scope_id) if place.family == socket.AF_INET6 else (place.host, port)
    with closing(_socket.socket(place.family, socket.SOCK_DGRAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except OSError as error:
            at = f"{address} port {port}" if port else address
            raise OSError(error.errno, f"source {at}: {os.strerror(error.errno or 0)}") from None
    return place.sockaddr


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


def special_outcome(question: Question, rule: SpecialUse) -> Outcome:
    """What a server of its own would say about a special-use name; nothing is sent."""
    qname = dns.name.from_text(question.qname)
    rdtype, rdclass = RdataType.make(question.rdtype), RdataClass.make(question.rdclass)
    response = dns.message.make_response(
        dns.message.make_query(qname, rdtype, rdclass), recursion_available=True
    )
    if rule is SpecialUse.NXDOMAIN:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif rdtype in _LOOPBACK and rdclass == RdataClass.IN:
        response.answer.append(dns.rrset.from_text(qname, LOOPBACK_TTL, rdclass, rdtype, _LOOPBACK[rdtype]))
    reply = read(response.to_wire(), question)
    assert not isinstance(reply, Refusal)  # we wrote it for this very question
    return Outcome(question, status_of(reply), reply)


def _address_of(server: str) -> tuple[str, int] | tuple[None, None]:
    """Host and port of a server as `Outcome.server` writes it; None for nobody."""
    if not server:
        return None, None
    host, _, port = server.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)
