"""`resolve` and its relatives, beside dnspython's own where both can be asked."""

from __future__ import annotations

import os
import pickle
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
from dns.resolver import Answer

from gdns import hubs, records
from gdns._ares import DNSSEC_OK, USE_0X20, USE_EDNS
from gdns._wire import Question
from gdns.cache import Cache
from gdns.config import GaiConf, HostConf, NsSwitch, ResolvConf, Settings
from gdns.errors import ResolverClosed
from gdns.outcome import Status
from gdns.resolver import Resolver
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub
from gdns.testing import Server, delay, malformed, rcode, silent, truncated

WWW = "www.example. 60 A 192.0.2.7"


class Engine(NamedTuple):
    stub: Stub
    settings: Settings
    lifetime: float | None
    is_idna2008: bool = False


EngineMaker = Callable[..., Engine]


@pytest.fixture
def make_engine() -> Iterator[EngineMaker]:
    """Makes engines on the native hub, which are closed when the test is over."""
    stubs: list[Stub] = []

    def make(
        *servers: str,
        timeout: float = 5.0,
        wishes: int = 0,
        lifetime: float | None = None,
        search: tuple[str, ...] = (),
        ndots: int = 1,
    ) -> Engine:
        addresses = [ServerAddress.parse(server) for server in servers]
        stub = Stub(
            hubs.NativeHub.of_this_thread(), Servers(addresses), timeout=timeout, attempts=1, wishes=wishes
        )
        stubs.append(stub)
        settings = Settings(ResolvConf(search=search, ndots=ndots), NsSwitch(), HostConf(), GaiConf())
        return Engine(stub, settings, lifetime)

    yield make
    for stub in stubs:
        stub.close()


@pytest.fixture
def engine(make_engine: EngineMaker, dns_server: Server) -> Engine:
    return make_engine(dns_server.address)


@pytest.fixture
def zone_engine(make_engine: EngineMaker, zone_server: Server) -> Engine:
    return make_engine(zone_server.address)


@contextmanager
def serving(respond: Callable[[dns.message.Message, str], dns.message.Message]) -> Iterator[str]:
    """The address of a server for replies that `gdns.testing` does not give.

    `respond` makes one of a query and "udp" or "tcp".
    """

    class Datagrams(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, sender = self.request
            sender.sendto(respond(dns.message.from_wire(query), "udp").to_wire(), self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            query = self.rfile.read(int.from_bytes(self.rfile.read(2)))
            wire = respond(dns.message.from_wire(query), "tcp").to_wire()
            self.wfile.write(len(wire).to_bytes(2) + wire)

    class Connections(socketserver.TCPServer):
        allow_reuse_address = True  # ports of connections that were closed lately

    with (
        Connections(("127.0.0.1", 0), Stream) as tcp,
        socketserver.UDPServer(tcp.server_address, Datagrams) as udp,
    ):
        threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in (udp, tcp)]
        for thread in threads:
            thread.start()
        try:
            yield f"127.0.0.1:{udp.server_address[1]}"
        finally:
            for server in (udp, tcp):
                server.shutdown()
            for thread in threads:
                thread.join()


def dnspython_resolver(server: Server) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [server.host]
    resolver.port = server.port
    return resolver


# Beside dnspython


NAMES = [
    "example", "www.example", "WWW.Example.", "v4only.example.", "both.example", "mail.example.",
    "txt.example", "strings.example", "long.example", "_sip._tcp.example", "naptr.example",
    "_443._tcp.www.example", "ssh.example", "private.example", "alias.example", "chain1.example",
    "dangling.example", "outside.example", "loop1.example", "tomail.example", "x.y.wild.example",
    "exact.wild.example", "x.alias.wild.example", "deep.example", "ttl0.example", "ttlmax.example",
    "many-addresses.example", "huge.example", "nothing-here.example", "a.nothing-here.example",
    "b\u00fccher.example", "xn--bcher-kva.example", "www.elsewhere.test", "80.2.0.192.in-addr.arpa",
]  # fmt: skip
TYPES = [
    "A", "AAAA", "CNAME", "MX", "TXT", "SRV", "SOA", "NS", "PTR", "CAA", "NAPTR", "TLSA", "SSHFP",
    "HTTPS", "RRSIG", "TYPE65280", "TYPE65400",
]  # fmt: skip


def result(resolve: Callable[[], Answer]) -> Answer | dns.exception.DNSException:
    try:
        return resolve()
    except dns.exception.DNSException as error:
        return error


@pytest.mark.parametrize("rdtype", TYPES)
def test_answers_and_exceptions_are_those_of_dnspython(
    rdtype: str, zone_server: Server, zone_engine: Engine
) -> None:
    resolve = dnspython_resolver(zone_server).resolve
    for name in NAMES:
        ours = result(partial(records.resolve, zone_engine, name, rdtype))
        theirs = result(partial(resolve, name, rdtype))
        assert isinstance(ours, type(theirs)), name
        if isinstance(theirs, Answer):
            assert isinstance(ours, Answer)
            assert parts(ours) == parts(theirs)
        else:
            assert type(ours).__module__ == "gdns.records", name
            assert str(ours) == str(theirs)


def parts(answer: Answer) -> list[object]:
    assert answer.rrset is not None
    return [
        answer.qname,
        answer.rdtype,
        answer.rdclass,
        answer.rrset.to_text(),
        answer.canonical_name,
        answer.nameserver,
        answer.port,
        answer.response.flags,
        answer.response.sections,
    ]


@pytest.mark.parametrize(
    ("qname", "rdtype", "rdclass"),
    [
        ("a..b.example", "A", "IN"),
        (".example", "A", "IN"),
        ("x" * 64 + ".example", "A", "IN"),
        ("x." * 127 + "example", "A", "IN"),
        (r"\300.example", "A", "IN"),
        ("\u00fc" * 64 + ".example", "A", "IN"),
        ("www.example", "BOGUS", "IN"),
        ("www.example", 65536, "IN"),
        ("www.example", -1, "IN"),
        ("www.example", "ANY", "IN"),
        ("www.example", "AXFR", "IN"),
        ("www.example", "OPT", "IN"),
        ("www.example", "A", "BOGUS"),
        ("www.example", "A", "ANY"),
        ("www.example", "A", 65536),
    ],
)
def test_bad_input_raises_what_dnspython_raises_and_is_not_sent(
    qname: str, rdtype: str, rdclass: str, engine: Engine, dns_server: Server
) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011 (whatever it is)
        dnspython_resolver(dns_server).resolve(qname, rdtype, rdclass)
    with pytest.raises(expected.type) as raised:
        records.resolve(engine, qname, rdtype, rdclass)
    assert raised.type is expected.type
    assert str(raised.value) == str(expected.value)
    assert dns_server.questions == []


@pytest.mark.parametrize(
    ("qname", "options", "error"),
    [
        ("www\0.example", {}, TypeError),
        (b"www.example", {}, TypeError),
        (None, {}, TypeError),
        ("www.example", {"rdtype": 0}, dns.resolver.NoMetaqueries),
        ("www.example", {"rdclass": 0}, dns.resolver.NoMetaqueries),
        ("www.example", {"source": "192.0.2.1"}, OSError),
        ("www.example", {"source": "2001:db8::1"}, OSError),
        ("www.example", {"source": "localhost"}, ValueError),
        ("www.example", {"source": "127.0.0.1:53"}, ValueError),
        ("www.example", {"source": b"127.0.0.1"}, TypeError),
        ("www.example", {"source_port": 65536}, ValueError),
        ("www.example", {"source_port": -1}, ValueError),
        ("www.example", {"edns_options": [b"NSID"]}, TypeError),
        ("www.example", {"edns_options": [dns.edns.GenericOption(65001, bytes(897))]}, ValueError),
        ("www.example", {"edns_options": [dns.edns.CookieOption(bytes(8), b"")]}, ValueError),
        ("www.example", {"dnssec": True}, TypeError),
        ("www.example", {"lifetime": "5"}, TypeError),
    ],
)
def test_what_cannot_be_asked_for_is_not_sent(
    qname: str, options: dict[str, object], error: type[Exception], engine: Engine, dns_server: Server
) -> None:
    with pytest.raises(error):
        records.resolve(engine, qname, **options)  # type: ignore[arg-type]
    assert dns_server.questions == []


# Answers


def test_the_response_is_the_message_as_the_server_sent_it(engine: Engine, dns_server: Server) -> None:
    dns_server.add("www.example. 60 CNAME web.example.", "web.example. 30 A 192.0.2.7")
    response = records.resolve(engine, "WWW.eXample").response
    sent = dns.query.udp(
        dns.message.make_query("WWW.eXample", "A"), dns_server.host, timeout=5, port=dns_server.port
    )
    sent.id = response.id
    assert response.to_wire() == sent.to_wire()
    assert response.question[0].name.to_text() == "WWW.eXample."


def test_an_answer_expires_with_the_least_ttl_on_the_way_to_it(engine: Engine, dns_server: Server) -> None:
    dns_server.add("www.example. 60 CNAME web.example.", "web.example. 300 A 192.0.2.7")
    before = time.time()
    answer = records.resolve(engine, "www.example")
    assert before + 60 <= answer.expiration <= time.time() + 60
    assert answer.rrset is not None
    assert answer.rrset.ttl == 300


def test_an_answer_tells_who_gave_it(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    answer = records.resolve(engine, "www.example")
    assert (answer.nameserver, answer.port) == (dns_server.host, dns_server.port)


def test_the_address_of_an_ipv6_server_has_no_brackets(make_engine: EngineMaker) -> None:
    with Server([WWW], host="::1") as server:
        answer = records.resolve(make_engine(server.address), "www.example")
        assert (answer.nameserver, answer.port) == ("::1", server.port)


def test_what_one_caller_does_to_an_answer_others_do_not_see(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    dns_server.fault(None, delay(0.05))
    hub = hubs.NativeHub.of_this_thread()
    tasks = [hub.spawn(records.resolve, engine, "www.example") for _ in range(2)]
    hub.join(*tasks)
    assert dns_server.questions == [("www.example.", "A")]
    one, other = (task.get() for task in tasks)
    del one[0]
    assert [record.address for record in other] == ["192.0.2.7"]


def test_a_name_without_the_type_gives_an_answer_without_records_where_asked_for(
    engine: Engine, dns_server: Server
) -> None:
    dns_server.add(WWW)
    answer = records.resolve(engine, "www.example", "MX", raise_on_no_answer=False)
    assert answer.rrset is None
    assert list(answer) == []
    assert answer.response.authority[0].rdtype == dns.rdatatype.SOA


def test_a_truncated_answer_is_fetched_over_tcp(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    dns_server.fault("www.example.", truncated())
    assert len(records.resolve(engine, "www.example")) == 1
    assert [query.transport for query in dns_server.queries] == ["udp", "tcp"]


def test_tcp_is_used_at_once_where_asked_for(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    assert len(records.resolve(engine, "www.example", tcp=True)) == 1
    assert [query.transport for query in dns_server.queries] == ["tcp"]


def test_edns_goes_with_the_questions_of_a_stub_that_wishes_it(
    make_engine: EngineMaker, dns_server: Server
) -> None:
    dns_server.add(WWW)
    answer = records.resolve(make_engine(dns_server.address, wishes=USE_EDNS | DNSSEC_OK), "www.example")
    assert [query.edns for query in dns_server.queries] == [True]
    assert answer.response.edns == 0


def echoing(seen: list[tuple[str, dns.message.Message]]) -> Callable[..., dns.message.Message]:
    """Answers every question, and keeps what came over which transport."""

    def respond(query: dns.message.Message, transport: str) -> dns.message.Message:
        seen.append((transport, query))
        response = dns.message.make_response(query, recursion_available=True)
        response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.7"))
        return response

    return respond


@pytest.mark.parametrize(
    ("extras", "flags", "edns", "ednsflags"),
    [
        ({}, "RD", -1, 0),
        ({"use_edns": True}, "RD", 0, 0),
        ({"want_dnssec": True}, "RD", 0, dns.flags.DO),
        ({"authentic_data": True}, "RD AD", -1, 0),
        ({"checking_disabled": True, "authentic_data": True}, "RD AD CD", -1, 0),
        ({"no_recursion": True}, "", -1, 0),
    ],
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_flags_go_out_as_wished(
    extras: records.Extras, flags: str, edns: int, ednsflags: int, transport: str, make_engine: EngineMaker
) -> None:
    seen: list[tuple[str, dns.message.Message]] = []
    with serving(echoing(seen)) as address:
        records.resolve(make_engine(address), "www.example", tcp=transport == "tcp", **extras)
    ((carried_by, query),) = seen
    assert carried_by == transport
    assert dns.flags.to_text(query.flags) == flags
    assert (query.edns, query.ednsflags) == (edns, ednsflags)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_edns_options_go_out_as_given(transport: str, make_engine: EngineMaker) -> None:
    seen: list[tuple[str, dns.message.Message]] = []
    options = [
        dns.edns.GenericOption(dns.edns.OptionType.NSID, b""),
        dns.edns.ECSOption("192.0.2.0", 24),
        dns.edns.GenericOption(65001, bytes(range(256))),
    ]
    with serving(echoing(seen)) as address:
        engine = make_engine(address)
        records.resolve(engine, "www.example", tcp=transport == "tcp", edns_options=options)
        records.resolve(engine, "www.example", tcp=transport == "tcp", use_edns=True)
    (_, with_options), (_, without) = seen
    assert [
        option for option in with_options.options if option.otype != dns.edns.OptionType.COOKIE
    ] == options
    assert {option.otype for option in without.options} <= {dns.edns.OptionType.COOKIE}


def test_a_question_with_options_goes_over_tcp_again_with_them_where_it_is_truncated(
    make_engine: EngineMaker,
) -> None:
    seen: list[tuple[str, dns.message.Message]] = []
    respond = echoing(seen)

    def truncate(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = respond(query, transport)
        if transport == "udp":
            response.flags |= dns.flags.TC
            response.answer.clear()
        return response

    option = dns.edns.GenericOption(65001, b"again")
    with serving(truncate) as address:
        assert len(records.resolve(make_engine(address), "www.example", edns_options=[option])) == 1
    assert [(transport, option in query.options) for transport, query in seen] == [
        ("udp", True),
        ("tcp", True),
    ]


def test_a_server_that_knows_no_edns_is_asked_again_without_it(make_engine: EngineMaker) -> None:
    seen: list[tuple[str, dns.message.Message]] = []
    respond = echoing(seen)

    def refuse_edns(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = respond(query, transport)
        if query.edns >= 0:
            response = dns.message.make_response(query)
            response.use_edns(-1)
            response.set_rcode(dns.rcode.FORMERR)
        return response

    with serving(refuse_edns) as address:
        engine = make_engine(address)
        answer = records.resolve(engine, "www.example", edns_options=[dns.edns.GenericOption(65001, b"x")])
    assert len(answer) == 1
    assert [query.edns for _, query in seen] == [0, -1]


def test_dns_cookies_go_with_edns_and_come_back(make_engine: EngineMaker) -> None:
    seen: list[tuple[str, dns.message.Message]] = []
    respond = echoing(seen)

    def bake(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = respond(query, transport)
        cookies = [option for option in query.options if isinstance(option, dns.edns.CookieOption)]
        response.use_edns(0, options=[dns.edns.CookieOption(cookies[0].client, b"serverby")])
        return response

    with serving(bake) as address:
        engine = make_engine(address)
        for name in ("one.example", "two.example"):
            records.resolve(engine, name, use_edns=True)
    sent = [option for _, query in seen for option in query.options]
    assert all(isinstance(option, dns.edns.CookieOption) for option in sent)
    assert [option.server for option in sent] == [b"", b"serverby"]
    assert len({option.client for option in sent}) == 1


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def caching(engine: Engine, clock: Clock, **settings: float) -> Engine:
    engine.stub.cache = Cache(clock=clock, **settings)  # type: ignore[arg-type]
    return engine


def test_what_remains_of_the_ttl_is_shown_and_the_response_is_as_received(
    engine: Engine, dns_server: Server
) -> None:
    dns_server.add("www.example. 300 CNAME web.example.", "web.example. 60 A 192.0.2.7")
    clock = Clock()
    caching(engine, clock)
    first = records.resolve(engine, "www.example")
    clock.now += 20.25
    again = records.resolve(engine, "www.example")
    assert dns_server.query_count == 1
    assert first.rrset is not None
    assert again.rrset is not None
    assert (first.rrset.ttl, again.rrset.ttl, again.ttl) == (60, 39, 39)
    assert again.rrset == first.rrset
    assert again.expiration - time.time() == pytest.approx(39.75, abs=1.0)
    assert [rrset.ttl for rrset in again.response.answer] == [300, 60]
    assert again.response.wire == first.response.wire
    assert again.outcome is not None
    assert again.outcome.from_cache
    assert (again.nameserver, again.port) == (dns_server.host, dns_server.port)


def test_a_cached_denial_expires_with_what_remains_of_it(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    clock = Clock()
    caching(engine, clock)
    left = []
    for _ in range(2):
        answer = records.resolve(engine, "www.example", "MX", raise_on_no_answer=False)
        left.append(answer.expiration - time.time())
        clock.now += 7
    assert dns_server.query_count == 1
    assert left[0] - left[1] == pytest.approx(7, abs=1.0)


def test_what_is_kept_beyond_its_ttl_shows_how_long_it_is_kept(engine: Engine, dns_server: Server) -> None:
    dns_server.add("www.example. 5 A 192.0.2.7")
    clock = Clock()
    caching(engine, clock, min_ttl=100)
    records.resolve(engine, "www.example")
    clock.now += 30
    answer = records.resolve(engine, "www.example")
    assert dns_server.query_count == 1
    assert answer.rrset is not None
    assert answer.rrset.ttl == 70
    assert answer.expiration - time.time() == pytest.approx(70, abs=1.0)


def test_names_are_spelt_as_this_caller_spells_them(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    caching(engine, Clock())
    for spelling in ("www.example.", "WWW.example.", "wWw.eXample."):
        answer = records.resolve(engine, spelling)
        assert answer.rrset is not None
        names = [answer.qname, answer.canonical_name, answer.rrset.name, answer.response.question[0].name]
        assert [name.to_text() for name in names] == [spelling] * 4
    with pytest.raises(records.NXDOMAIN) as raised:
        records.resolve(engine, "NoSuch.example")
    with pytest.raises(records.NXDOMAIN) as raised:
        records.resolve(engine, "nosucH.example.")
    assert raised.value.canonical_name.to_text() == "nosucH.example."
    assert dns_server.query_count == 2


@pytest.mark.parametrize("is_pointed_to", [True, False])
def test_the_case_in_which_a_question_went_out_does_not_show(
    is_pointed_to: bool, make_engine: EngineMaker
) -> None:
    asked: list[str] = []

    class Spelling(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            octets, sender = self.request
            query = dns.message.from_wire(octets)
            name = query.question[0].name
            asked.append(name.to_text())
            response = dns.message.make_response(query)
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.7"))
            wire = response.to_wire()
            if not is_pointed_to:  # the name spelt out in the record, too
                question = 12 + len(name.to_wire()) + 4
                wire = wire[:question] + name.to_wire() + wire[question + 2 :]
            sender.sendto(wire, self.client_address)

    with socketserver.UDPServer(("127.0.0.1", 0), Spelling) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            engine = make_engine(f"127.0.0.1:{server.server_address[1]}", wishes=USE_0X20)
            name = "a-long-name-with-many-letters.example."
            answer = records.resolve(engine, name)
        finally:
            server.shutdown()
            thread.join()
    assert asked[0].lower() == name
    assert asked[0] != name  # once in 2 ** 34 it may be
    assert answer.rrset is not None
    shown = [answer.qname, answer.canonical_name, answer.rrset.name, answer.response.question[0].name]
    assert [shown_name.to_text() for shown_name in shown] == [name] * 4


def test_questions_with_options_of_their_own_are_not_cached(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    caching(engine, Clock())
    records.resolve(engine, "www.example")
    for _ in range(2):
        records.resolve(engine, "www.example", edns_options=[dns.edns.GenericOption(65001, b"mine")])
        records.resolve(engine, "www.example", source="127.0.0.1")
    records.resolve(engine, "www.example")
    assert dns_server.query_count == 5


def test_a_question_with_options_of_its_own_shares_no_query(
    make_engine: EngineMaker, dns_server: Server, runner: object, run_all: Callable[..., list[Answer]]
) -> None:
    dns_server.add(WWW)
    with Resolver(nameservers=[dns_server.address], hub=runner.hub) as resolver:  # type: ignore[attr-defined]
        dns_server.fault(None, delay(0.2))
        option = dns.edns.GenericOption(65001, b"mine")
        asks = [
            {},
            {"edns_options": [option]},
            {"edns_options": [option, option]},
            {"use_edns": True},
            {"want_dnssec": True},
            {"source": "127.0.0.1"},
        ]
        run_all([partial(resolver.resolve, "www.example", **extras) for extras in asks * 3])
    assert dns_server.query_count == len(asks)


def test_use_edns_and_set_flags_say_how_a_resolver_asks(dns_server: Server) -> None:
    seen: list[tuple[str, dns.message.Message]] = []
    with serving(echoing(seen)) as address, Resolver(nameservers=[address]) as resolver:
        resolver.use_edns(0, dns.flags.DO, 4096, [dns.edns.GenericOption(65001, b"all")])
        resolver.set_flags(dns.flags.RD | dns.flags.CD)
        resolver.resolve("one.example")
        resolver.resolve("two.example", want_dnssec=False, checking_disabled=False)
        resolver.resolve_name("three.example", socket.AF_INET)
        resolver.canonical_name("four.example")
        resolver.use_edns(False)
        resolver.set_flags(None)
        resolver.resolve("five.example")
    asked = [(query.ednsflags, query.flags & dns.flags.CD != 0, query.edns) for _, query in seen]
    assert asked == [
        (dns.flags.DO, True, 0),
        (0, False, 0),
        (dns.flags.DO, True, 0),
        (dns.flags.DO, True, 0),
        (0, False, -1),
    ]


@pytest.mark.parametrize(
    ("method", "arguments", "named"),
    [
        ("use_edns", (1,), "version"),
        ("use_edns", (0, 0x4000), "0x4000"),
        ("use_edns", (0, 0, 70000), "70000"),
        ("set_flags", (0x8100,), "0x8100"),
    ],
)
def test_what_gdns_cannot_ask_for_is_named(method: str, arguments: tuple[object, ...], named: str) -> None:
    with Resolver(nameservers=["127.0.0.1"]) as resolver, pytest.raises(ValueError, match=named):
        getattr(resolver, method)(*arguments)


@pytest.mark.parametrize(("is_trusted", "is_set"), [(True, True), (True, False), (False, True)])
def test_authenticated_data_is_believed_where_the_way_to_the_server_is_trusted(
    is_trusted: bool, is_set: bool, make_engine: EngineMaker
) -> None:
    def respond(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = echoing([])(query, transport)
        response.flags |= dns.flags.AD if is_set else 0
        return response

    with serving(respond) as address:
        engine = make_engine(address)
        settings = engine.settings._replace(resolv_conf=ResolvConf(trust_ad=is_trusted))
        answer = records.resolve(engine._replace(settings=settings), "www.example")
    assert answer.is_authenticated is (is_trusted and is_set)
    assert bool(answer.response.flags & dns.flags.AD) is is_set


# The address to send from


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        tcp.bind(("", 0))
        port: int = tcp.getsockname()[1]
        udp.bind(("", port))
        return port


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_questions_leave_from_the_source_that_was_asked_for(transport: str, make_engine: EngineMaker) -> None:
    senders: list[tuple[str, int]] = []

    class Datagrams(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, sender = self.request
            senders.append(self.client_address)
            sender.sendto(echoing([])(dns.message.from_wire(query), "udp").to_wire(), self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            senders.append(self.client_address)
            query = self.rfile.read(int.from_bytes(self.rfile.read(2)))
            wire = echoing([])(dns.message.from_wire(query), "tcp").to_wire()
            self.wfile.write(len(wire).to_bytes(2) + wire)

    kind = socketserver.UDPServer if transport == "udp" else socketserver.TCPServer
    with kind(("127.0.0.1", 0), Datagrams if transport == "udp" else Stream) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            engine = make_engine(f"127.0.0.1:{server.server_address[1]}")
            ask = partial(records.resolve, engine, "www.example", tcp=transport == "tcp")
            port = free_port()
            assert len(ask(source="127.0.0.2", source_port=port)) == 1
            assert len(ask(source="127.0.0.3")) == 1
            port_alone = free_port()
            assert len(ask(source_port=port_alone)) == 1
        finally:
            server.shutdown()
            thread.join()
    assert [senders[0], senders[1][0], senders[2]] == [
        ("127.0.0.2", port),
        "127.0.0.3",
        ("127.0.0.1", port_alone),
    ]
    assert len(engine.stub.servers.all) == 1


def test_many_questions_at_once_share_the_one_port(
    dns_server: Server, runner: object, run_all: object
) -> None:
    dns_server.add(*(f"n{number}.example. 60 A 192.0.2.{number}" for number in range(50)))
    port = free_port()
    with Resolver(nameservers=[dns_server.address], hub=runner.hub) as resolver:  # type: ignore[attr-defined]
        asks = [
            partial(resolver.resolve, f"n{number}.example", source="127.0.0.2", source_port=port)
            for number in range(50)
        ]
        answers = run_all(asks)  # type: ignore[operator]
    assert [answer[0].address for answer in answers] == [f"192.0.2.{number}" for number in range(50)]
    assert {query.port for query in dns_server.queries} == {port}


def test_a_port_that_is_taken_is_named(engine: Engine, dns_server: Server) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.2", 0))
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"source 127.0.0.2 port {port}: Address already in use"):
            records.resolve(engine, "www.example", source="127.0.0.2", source_port=port)
    assert dns_server.questions == []


def test_a_source_of_another_family_than_the_server_is_no_trouble_of_the_server(
    engine: Engine, dns_server: Server
) -> None:
    dns_server.add(WWW)
    with pytest.raises(records.NoNameservers) as raised:
        records.resolve(engine, "www.example", source="::1")
    assert raised.value.outcome is not None
    assert raised.value.outcome.status is Status.UNREACHABLE
    assert not engine.stub.servers.all[0].failed_at
    assert dns_server.questions == []
    assert len(records.resolve(engine, "www.example")) == 1


def test_ports_that_were_asked_from_once_leave_nothing_open(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        records.resolve(engine, "www.example", source="127.0.0.2", source_port=free_port())
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    assert dns_server.query_count == 30


def test_other_classes_are_asked_for(make_engine: EngineMaker) -> None:
    def respond(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text(query.question[0].name, 0, "CH", "TXT", '"test 1"'))
        return response

    with serving(respond) as address:
        answer = records.resolve(make_engine(address), "version.bind", "TXT", "CH")
    assert answer[0].strings == (b"test 1",)


def test_an_answer_knows_its_outcome_which_pickling_leaves_behind(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    dns_server.fault(None, truncated())
    answer = records.resolve(engine, "www.example.")
    assert isinstance(answer, records.Answer)
    assert answer.outcome is not None
    assert (answer.outcome.server, answer.outcome.transport) == (dns_server.address, "tcp")
    copy = pickle.loads(pickle.dumps(answer))
    assert copy.outcome is None
    assert copy.rrset == answer.rrset


def test_the_reply_to_a_failed_lookup_can_be_read_whole(engine: Engine, dns_server: Server) -> None:
    dns_server.fault(None, rcode("SERVFAIL"))
    with pytest.raises(records.NoNameservers) as caught:
        records.resolve(engine, "www.example.")
    assert caught.value.outcome is not None
    assert caught.value.outcome.reply is not None
    message = records.whole_of(caught.value.outcome.reply)
    assert message is not None
    assert message.rcode().name == "SERVFAIL"
    assert message.question[0].to_text() == "www.example. IN A"


# Names


@pytest.mark.parametrize(
    "qname",
    [
        "www.example",
        "www.example.",
        "WWW.EXAMPLE",
        r"\119ww.example",
        dns.name.from_text("www.example."),
        dns.name.from_text("www.example", None),
        dns.name.from_text("www", dns.name.from_text("example.")),
    ],
)
def test_a_name_may_be_written_in_many_ways(
    qname: str | dns.name.Name, engine: Engine, dns_server: Server
) -> None:
    dns_server.add(WWW)
    answer = records.resolve(engine, qname)
    assert answer[0].address == "192.0.2.7"
    assert answer.qname == dns.name.from_text("www.example.")
    assert dns_server.questions == [("www.example.", "A")]


def test_letters_beyond_ascii_are_asked_for_as_idna(engine: Engine, dns_server: Server) -> None:
    dns_server.add("xn--bcher-kva.example. 60 A 192.0.2.7")
    assert records.resolve(engine, "B\u00dcCHER.example")[0].address == "192.0.2.7"


@pytest.mark.parametrize("label", ["my printer", r"a\.b", r"a\000b", r"\255", "(x)", "a;b", "@", r"\\"])
def test_labels_may_hold_any_octets(label: str, engine: Engine, dns_server: Server) -> None:
    qname = dns.name.from_text(f"{label}.example.")
    dns_server.add(f"{qname} 60 TXT found")
    assert records.resolve(engine, qname, "TXT").qname == qname
    assert records.resolve(engine, f"{label}.example", "TXT").qname == qname


def test_the_empty_name_is_the_root(engine: Engine, dns_server: Server) -> None:
    with pytest.raises(records.NoNameservers):  # the server has no root zone
        records.resolve(engine, "", "NS", search=True)
    assert set(dns_server.questions) == {(".", "NS")}


# The search list


@pytest.fixture
def searching(make_engine: EngineMaker, dns_server: Server) -> Engine:
    return make_engine(dns_server.address, search=("corp.example", "example"))


def asked(server: Server) -> list[str]:
    return [name for name, _ in server.questions]


def test_the_search_list_is_left_alone_unless_asked_for(searching: Engine, dns_server: Server) -> None:
    with pytest.raises(records.NoNameservers):
        records.resolve(searching, "www")
    assert set(asked(dns_server)) == {"www."}


def test_a_relative_name_is_searched_for_until_one_exists(searching: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    answer = records.resolve(searching, "www", search=True)
    assert answer.qname == dns.name.from_text("www.example.")
    assert asked(dns_server) == ["www.corp.example.", "www.example."]


@pytest.mark.parametrize(("ndots", "first"), [(1, "a.b."), (2, "a.b.corp.example."), (0, "a.b.")])
def test_ndots_says_whether_a_name_is_first_asked_for_as_it_is(
    ndots: int, first: str, make_engine: EngineMaker, dns_server: Server
) -> None:
    dns_server.add("a.b. 60 A 192.0.2.7", "a.b.corp.example. 60 A 192.0.2.8")
    engine = make_engine(dns_server.address, search=("corp.example",), ndots=ndots)
    records.resolve(engine, "a.b", search=True)
    assert asked(dns_server) == [first]


def test_an_absolute_name_is_not_searched_for(searching: Engine, dns_server: Server) -> None:
    with pytest.raises(records.NXDOMAIN):
        records.resolve(searching, "www.example.", search=True)
    assert asked(dns_server) == ["www.example."]


def test_a_name_that_exists_without_the_type_ends_the_search(searching: Engine, dns_server: Server) -> None:
    dns_server.add("www.corp.example. 60 A 192.0.2.7", "www.example. 60 MX 10 mail.example.")
    with pytest.raises(records.NoAnswer):
        records.resolve(searching, "www", "MX", search=True)
    assert asked(dns_server) == ["www.corp.example."]


def test_a_failing_server_ends_the_search(searching: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    dns_server.fault("www.corp.example.", rcode("SERVFAIL"))
    with pytest.raises(records.NoNameservers):
        records.resolve(searching, "www", search=True)
    assert set(asked(dns_server)) == {"www.corp.example."}


def test_nxdomain_names_all_that_was_tried(make_engine: EngineMaker, dns_server: Server) -> None:
    dns_server.add("b.www. 60 A 192.0.2.7")
    engine = make_engine(dns_server.address, search=("corp.example", "example"), ndots=2)
    with pytest.raises(records.NXDOMAIN) as raised:
        records.resolve(engine, "a.www", search=True)
    tried = [dns.name.from_text(name) for name in ("a.www.corp.example", "a.www.example", "a.www")]
    assert raised.value.qnames() == tried
    assert [raised.value.response(qname).question[0].name for qname in tried] == tried


def test_a_suffix_that_is_no_name_does_not_hinder_the_others(
    make_engine: EngineMaker, dns_server: Server
) -> None:
    dns_server.add("www. 60 A 192.0.2.7")
    engine = make_engine(dns_server.address, search=("a..b",))
    assert len(records.resolve(engine, "www", search=True)) == 1


# Special-use names


@pytest.mark.parametrize(
    "name", ["localhost", "LocalHost.", "www.localhost", dns.name.from_text("localhost")]
)
@pytest.mark.parametrize(("rdtype", "address"), [("A", "127.0.0.1"), ("AAAA", "::1")])
def test_localhost_is_loopback_and_never_asked_for(
    name: str, rdtype: str, address: str, searching: Engine, dns_server: Server
) -> None:
    answer = records.resolve(searching, name, rdtype, search=True)
    assert [record.address for record in answer] == [address]
    assert (answer.nameserver, answer.port) == (None, None)
    assert dns_server.questions == []


def test_localhost_has_nothing_but_addresses(engine: Engine, dns_server: Server) -> None:
    for rdtype, rdclass in [("TXT", "IN"), ("SOA", "IN"), ("A", "CH")]:
        with pytest.raises(records.NoAnswer):
            records.resolve(engine, "localhost", rdtype, rdclass)
    assert records.resolve(engine, "localhost", "MX", raise_on_no_answer=False).rrset is None
    assert dns_server.questions == []


@pytest.mark.parametrize("name", ["hidden.onion", "onion.", "Hidden.ONION.", "x.invalid", r"x.oni\111n"])
def test_onion_and_invalid_never_leave_the_host(name: str, searching: Engine, dns_server: Server) -> None:
    with pytest.raises(records.NXDOMAIN) as raised:
        records.resolve(searching, name, search=True)
    assert raised.value.outcome is not None
    assert raised.value.attempts == 0
    assert raised.value.rcode == 3
    assert dns_server.questions == []


# Exceptions


def test_nxdomain_carries_what_was_learnt(engine: Engine, dns_server: Server) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN) as raised:
        records.resolve(engine, "missing.example", "TXT")
    error = raised.value
    assert isinstance(error, records.NXDOMAIN)
    assert error.outcome is not None
    assert error.outcome.status is Status.NXDOMAIN
    assert error.outcome.question == Question("missing.example.", 16)
    assert (error.rcode, error.ede, error.server, error.attempts) == (3, (), dns_server.address, 1)
    assert error.elapsed == error.outcome.elapsed > 0
    assert error.response(dns.name.from_text("missing.example")).authority[0].rdtype == dns.rdatatype.SOA


def test_noanswer_carries_what_was_learnt(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    with pytest.raises(dns.resolver.NoAnswer) as raised:
        records.resolve(engine, "www.example", "TXT")
    error = raised.value
    assert isinstance(error, records.NoAnswer)
    assert error.outcome is not None
    assert error.outcome.status is Status.NODATA
    assert (error.rcode, error.server, error.attempts) == (0, dns_server.address, 1)
    assert error.response().authority[0].rdtype == dns.rdatatype.SOA


@pytest.mark.parametrize(
    ("name", "number", "status"),
    [
        ("SERVFAIL", 2, Status.SERVFAIL),
        ("REFUSED", 5, Status.REFUSED),
        ("FORMERR", 1, Status.FAILED),
        ("NOTIMP", 4, Status.FAILED),
    ],
)
def test_a_failing_server_is_named_with_what_it_said(
    name: str, number: int, status: Status, engine: Engine, dns_server: Server
) -> None:
    dns_server.fault(None, rcode(name))
    with pytest.raises(dns.resolver.NoNameservers) as raised:
        records.resolve(engine, "www.example")
    error = raised.value
    assert isinstance(error, records.NoNameservers)
    assert str(error) == (
        "All nameservers failed to answer the query www.example. IN A: "
        f"Server Do53:127.0.0.1@{dns_server.port} answered {name}"
    )
    assert error.outcome is not None
    assert (error.outcome.status, error.rcode, error.server) == (status, number, dns_server.address)
    assert error.attempts == len(dns_server.questions)


def test_the_trace_says_whether_it_was_tcp_that_failed(make_engine: EngineMaker, dns_server: Server) -> None:
    dns_server.fault(None, rcode("SERVFAIL"))
    for address, tcp, expected in [("", False, False), ("", True, True), ("tcp://", False, True)]:
        with pytest.raises(records.NoNameservers) as raised:
            records.resolve(make_engine(address + dns_server.address), "www.example", tcp=tcp)
        trace = [(f"Do53:127.0.0.1@{dns_server.port}", expected, dns_server.port, "SERVFAIL", None)]
        assert raised.value.kwargs["errors"] == trace


def test_an_unknown_rcode_is_a_failing_server(make_engine: EngineMaker) -> None:
    def respond(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= 14
        return response

    with serving(respond) as address, pytest.raises(records.NoNameservers, match="answered 14"):
        records.resolve(make_engine(address), "www.example")


def test_yxdomain_is_yxdomain(engine: Engine, dns_server: Server) -> None:
    dns_server.fault(None, rcode("YXDOMAIN"))
    with pytest.raises(dns.resolver.YXDOMAIN) as raised:
        records.resolve(engine, "www.example")
    assert isinstance(raised.value, records.YXDOMAIN)
    assert raised.value.rcode == 6


def test_extended_errors_come_along(make_engine: EngineMaker) -> None:
    def respond(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.SERVFAIL)
        response.use_edns(options=[dns.edns.EDEOption(dns.edns.EDECode.DNSKEY_MISSING, "no key")])
        return response

    with serving(respond) as address, pytest.raises(records.NoNameservers) as raised:
        records.resolve(make_engine(address, wishes=USE_EDNS), "www.example")
    assert raised.value.ede == ((9, "no key"),)


def test_a_silent_server_is_a_timeout(make_engine: EngineMaker, dns_server: Server) -> None:
    dns_server.fault(None, silent())
    with pytest.raises(dns.resolver.LifetimeTimeout) as raised:
        records.resolve(make_engine(dns_server.address, timeout=0.02), "www.example")
    error = raised.value
    assert isinstance(error, records.LifetimeTimeout)
    assert isinstance(error, dns.exception.Timeout)
    assert f"Server Do53:127.0.0.1@{dns_server.port} answered The DNS operation timed out" in str(error)
    assert error.kwargs["timeout"] >= 0.02
    assert (error.rcode, error.server, error.attempts) == (None, dns_server.address, 1)


def test_malformed_replies_are_no_replies(make_engine: EngineMaker, dns_server: Server) -> None:
    dns_server.fault(None, malformed())
    with pytest.raises(records.LifetimeTimeout):
        records.resolve(make_engine(dns_server.address, timeout=0.05), "www.example")


def test_a_server_that_is_not_there_is_named(engine: Engine, dns_server: Server) -> None:
    dns_server.stop_listening()
    try:
        with pytest.raises(records.NoNameservers, match="Connection refused") as raised:
            records.resolve(engine, "www.example")
    finally:
        dns_server.resume()
    assert raised.value.outcome is not None
    assert raised.value.outcome.status is Status.UNREACHABLE
    assert raised.value.server == dns_server.address


def test_a_reply_that_dnspython_cannot_follow_is_a_failing_server(zone_engine: Engine) -> None:
    with pytest.raises(records.NoNameservers, match="chain is too long") as raised:
        records.resolve(zone_engine, "loop1.example")
    assert isinstance(raised.value.__cause__, dns.message.ChainTooLong)
    assert raised.value.rcode == 0


def test_records_for_a_name_that_does_not_exist_are_a_failing_server(make_engine: EngineMaker) -> None:
    def respond(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text("www.example.", 60, "IN", "A", "192.0.2.7"))
        response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    with serving(respond) as address, pytest.raises(records.NoNameservers) as raised:
        records.resolve(make_engine(address), "www.example")
    assert isinstance(raised.value.__cause__, dns.message.AnswerForNXDOMAIN)


def test_an_answer_truncated_over_tcp_is_not_taken_for_whole(make_engine: EngineMaker) -> None:
    def respond(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC
        return response

    with serving(respond) as address, pytest.raises(records.NoNameservers):
        records.resolve(make_engine(address), "www.example")


def test_a_closed_resolver_says_so(engine: Engine, dns_server: Server) -> None:
    engine.stub.close()
    with pytest.raises(ResolverClosed) as raised:
        records.resolve(engine, "www.example")
    assert raised.value.outcome is not None
    assert dns_server.questions == []


@pytest.mark.parametrize(
    "fault", [rcode("NXDOMAIN"), rcode("SERVFAIL"), rcode("NOERROR"), rcode("YXDOMAIN"), silent()]
)
def test_exceptions_can_be_pickled_without_their_outcome(
    fault: rcode, make_engine: EngineMaker, dns_server: Server
) -> None:
    dns_server.fault(None, fault)
    with pytest.raises(dns.exception.DNSException) as raised:
        records.resolve(make_engine(dns_server.address, timeout=0.02), "www.example")
    error = raised.value
    assert isinstance(error, records.Learnt)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert (copy.rcode, copy.server, copy.elapsed) == (error.rcode, error.server, error.elapsed)
    assert copy.outcome is None


@pytest.mark.parametrize("name", ["NXDOMAIN", "NoAnswer", "YXDOMAIN", "NoNameservers", "LifetimeTimeout"])
def test_exceptions_can_be_made_as_dnspython_makes_them(name: str) -> None:
    error = getattr(records, name)("why")
    assert isinstance(error, getattr(dns.resolver, name))
    assert str(error) == "why"
    assert error.outcome is None
    assert str(getattr(records, name)()).endswith(".")


# Time


def test_lifetime_caps_one_question(engine: Engine, dns_server: Server) -> None:
    dns_server.fault(None, silent())
    started_at = time.monotonic()
    with pytest.raises(records.LifetimeTimeout, match=r"expired after 0\.0\d\d seconds"):
        records.resolve(engine, "www.example", lifetime=0.02)
    assert 0.02 <= time.monotonic() - started_at < 1


def test_lifetime_caps_all_questions_of_a_search(make_engine: EngineMaker, dns_server: Server) -> None:
    dns_server.fault(None, delay(0.04))
    engine = make_engine(dns_server.address, search=tuple(f"{letter}.example" for letter in "abcdefgh"))
    started_at = time.monotonic()
    with pytest.raises(records.LifetimeTimeout):
        records.resolve(engine, "www", search=True, lifetime=0.1)
    assert 0.1 <= time.monotonic() - started_at < 0.3
    assert len(dns_server.questions) == 3


def test_the_engine_s_lifetime_counts_where_none_is_given(
    make_engine: EngineMaker, dns_server: Server
) -> None:
    dns_server.fault(None, silent())
    engine = make_engine(dns_server.address, lifetime=0.02)
    with pytest.raises(records.LifetimeTimeout, match=r"expired after 0\.0\d\d seconds"):
        records.resolve(engine, "silent.example")
    dns_server.add(WWW)
    dns_server.fault("www.example", delay(0.04))
    assert len(records.resolve(engine, "www.example", lifetime=float("inf"))) == 1


@pytest.mark.parametrize("lifetime", [0, 0.0, -1, float("nan")])
def test_without_any_time_nothing_is_sent(lifetime: float, engine: Engine, dns_server: Server) -> None:
    with pytest.raises(records.LifetimeTimeout) as raised:
        records.resolve(engine, "www.example", lifetime=lifetime)
    assert raised.value.attempts == 0
    assert str(raised.value).endswith("seconds")
    assert dns_server.questions == []


# The relatives of resolve


def test_resolve_address_finds_the_names_of_an_address(zone_engine: Engine) -> None:
    assert records.resolve_address(zone_engine, "192.0.2.80")[0].target == dns.name.from_text("www.example")
    answer = records.resolve_address(zone_engine, "2001:db8::80", tcp=True)
    assert answer[0].target == dns.name.from_text("www.example")


def test_resolve_address_refuses_what_is_no_address(engine: Engine, dns_server: Server) -> None:
    with pytest.raises(dns.exception.SyntaxError):
        records.resolve_address(engine, "192.0.2.256")
    assert dns_server.questions == []


@pytest.mark.parametrize(
    ("family", "addresses"),
    [
        (socket.AF_UNSPEC, ["2001:db8::7", "192.0.2.7"]),
        (socket.AF_INET, ["192.0.2.7"]),
        (socket.AF_INET6, ["2001:db8::7"]),
    ],
)
def test_resolve_name_finds_the_addresses_of_a_name(
    family: int, addresses: list[str], engine: Engine, dns_server: Server
) -> None:
    dns_server.add(
        "www.example. CNAME web.example.", "web.example. A 192.0.2.7", "web.example. AAAA 2001:db8::7"
    )
    answers = records.resolve_name(engine, "www.example", family)
    assert list(answers.addresses()) == addresses
    assert answers.canonical_name() == dns.name.from_text("web.example")
    theirs = dnspython_resolver(dns_server).resolve_name("www.example", family)
    assert list(theirs.addresses()) == addresses


def test_resolve_name_asks_for_both_families_side_by_side(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    dns_server.fault(None, delay(0.1))
    started_at = time.monotonic()
    records.resolve_name(engine, "www.example")
    assert time.monotonic() - started_at < 0.2
    assert sorted(dns_server.questions) == [("www.example.", "A"), ("www.example.", "AAAA")]


def test_resolve_name_keeps_empty_answers_only_where_asked_to(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW, "text.example. TXT hello")
    assert list(records.resolve_name(engine, "www.example")) == [dns.rdatatype.A]
    assert len(records.resolve_name(engine, "text.example", raise_on_no_answer=False)) == 2
    with pytest.raises(records.NoAnswer):
        records.resolve_name(engine, "text.example")
    with pytest.raises(records.NXDOMAIN):
        records.resolve_name(engine, "missing.example")


def test_resolve_name_searches_for_a_name_as_a_whole(searching: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    answers = records.resolve_name(searching, "www", search=True)
    assert list(answers.addresses()) == ["192.0.2.7"]
    assert set(asked(dns_server)) == {"www.corp.example.", "www.example."}


def test_a_name_denied_for_one_family_is_not_missing(engine: Engine, dns_server: Server) -> None:
    dns_server.add(WWW)
    dns_server.fault("www.example.", rcode("NXDOMAIN"), rdtype="AAAA")
    assert list(records.resolve_name(engine, "www.example").addresses()) == ["192.0.2.7"]


def test_resolve_name_knows_no_other_families(engine: Engine, dns_server: Server) -> None:
    with pytest.raises(NotImplementedError):
        records.resolve_name(engine, "www.example", socket.AF_UNIX)
    assert dns_server.questions == []


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("www.example", "www.example"),
        ("chain1.example", "www.example"),
        ("dangling.example", "nowhere.example"),
        ("nothing-here.example", "nothing-here.example"),
        ("txt.example", "txt.example"),
    ],
)
def test_the_canonical_name_is_where_aliases_lead(
    name: str, canonical: str, zone_engine: Engine, zone_server: Server
) -> None:
    assert records.canonical_name(zone_engine, name) == dns.name.from_text(canonical)
    assert dnspython_resolver(zone_server).canonical_name(name) == dns.name.from_text(canonical)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("example.", "example."),
        ("www.example", "example."),
        ("a.b.nothing-here.example", "example."),
        ("80.2.0.192.in-addr.arpa.", "2.0.192.in-addr.arpa."),
        (dns.name.from_text("alias.example."), "example."),
    ],
)
def test_the_zone_of_a_name_is_found(name: str | dns.name.Name, zone: str, zone_engine: Engine) -> None:
    assert records.zone_for_name(zone_engine, name) == dns.name.from_text(zone)


def test_a_name_in_no_zone_has_none(make_engine: EngineMaker) -> None:
    def respond(query: dns.message.Message, transport: str) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    with serving(respond) as address, pytest.raises(dns.resolver.NoRootSOA):
        records.zone_for_name(make_engine(address), "www.example.")


def test_the_zone_of_a_relative_name_is_not_asked_for(engine: Engine, dns_server: Server) -> None:
    with pytest.raises(dns.resolver.NotAbsolute):
        records.zone_for_name(engine, dns.name.from_text("www", None))
    assert dns_server.questions == []


def test_lifetime_caps_the_whole_way_up_to_the_zone(engine: Engine, dns_server: Server) -> None:
    dns_server.fault(None, rcode("NXDOMAIN") | delay(0.04))
    with pytest.raises(dns.resolver.LifetimeTimeout):
        records.zone_for_name(engine, "a.b.c.d.e.f.g.example.", lifetime=0.1)
    assert len(dns_server.questions) == 3
