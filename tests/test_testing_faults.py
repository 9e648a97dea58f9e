"""The faults of the test server, each asked for over bare sockets."""

from __future__ import annotations

import doctest
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdataclass
import pytest

import gdns.testing.link
from gdns import testing
from gdns.testing import Fault, Link, Server, Way
from gdns.testing.faults import as_json, from_json
from gdns.testing.messages import records_in
from tests.test_testing import (
    PATIENCE,
    ask,
    ask_tcp,
    data,
    framed,
    query,
    receive_framed,
    records,
    tcp_client,
    udp_client,
)

WWW = ("www.example. A 192.0.2.7", "www.example. AAAA 2001:db8::7")


@pytest.fixture
def server(dns_server: Server) -> Server:
    """A server that knows www.example."""
    dns_server.add(*WWW)
    return dns_server


def spoilt(server: Server, fault: Fault, *, edns: int | None = None) -> tuple[bytes, bytes]:
    """The query for www.example. as sent, and the first datagram that came back."""
    server.fault("www.example.", fault)
    sent = query("www.example.", edns=edns).to_wire()
    with udp_client(server) as client:
        client.send(sent)
        return sent, client.recv(65535)


def datagrams(server: Server, *names: str, seconds: float = 0.3) -> list[bytes]:
    """All that comes back for these names, sent in this order, until nothing came for so long."""
    found: list[bytes] = []
    with udp_client(server) as client:
        for number, name in enumerate(names):
            client.send(query(name).to_wire())
            if number % 20 == 19:  # read on the way: the kernel drops what a receive buffer has no room for
                client.settimeout(0.01)
                with suppress(TimeoutError):
                    while True:
                        found.append(client.recv(65535))
        client.settimeout(seconds)
        with suppress(TimeoutError):
            while True:
                found.append(client.recv(65535))
    return found


# -- how they travel and compose


EVERY_KIND = [
    testing.healthy(),
    testing.over_udp(testing.silent()),
    testing.over_tcp(testing.silent() | testing.junk(3)),
    testing.with_edns(testing.rcode("FORMERR")),
    testing.sometimes(0.5, testing.delay(0.1, jitter=0.2) | testing.silent()),
    testing.in_turn(testing.silent(), testing.drop(0.25), testing.healthy()),
    testing.duplicate(3, gap=0.1),
    testing.gather(2, backwards=True),
    testing.then_answer(0.1),
    testing.from_port() | testing.then_answer(),
    testing.from_address(),
    testing.records("@ A 192.0.2.1", "x CNAME y", section="authority", rdclass=3, rcode="NXDOMAIN"),
    testing.records(),
    testing.chain(3, "shuffled", loops=True),
    testing.ttl(1 << 31),
    testing.wrong_class(),
    testing.shuffled(),
    testing.padded(),
    testing.broken_edns("strip"),
    testing.cookies("required"),
    testing.drip(3, 0.1),
    testing.cut(7, resets=True),
    testing.closing(),
    testing.wrong_length(9),
    testing.malformed("pointer loop"),
    testing.mutated(5),
    testing.cut_at(-3),
    testing.trailing(),
    testing.opcode(6),
]


@pytest.mark.parametrize("fault", EVERY_KIND, ids=repr)
def test_a_fault_survives_the_way_to_the_servers_process(fault: Fault) -> None:
    assert from_json(as_json(fault)) == fault


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: testing.drop(1.5), "probability is between"),
        (lambda: testing.sometimes(-1, testing.silent()), "probability is between"),
        (lambda: testing.duplicate(0), "sent again 1 to 1,000"),
        (lambda: testing.delay(0.1, jitter=-1), "jitter is a number of seconds"),
        (lambda: testing.in_turn(), "at least one"),
        (lambda: testing.gather(0), "can be gathered"),
        (lambda: testing.junk(0), "junk messages"),
        (lambda: testing.opcode(16), "opcode is between"),
        (lambda: testing.trailing(0), "octets of garbage"),
        (lambda: testing.malformed("nicely"), "no such kind of malformed"),
        (lambda: testing.mutated(0), "changes can be made"),
        (lambda: testing.records("@ A 1.2.3"), "@ A 1.2.3"),
        (lambda: testing.records(section="question"), "a section is one of"),  # type: ignore[arg-type]
        (lambda: testing.records(rcode="FINE"), "no such rcode"),
        (lambda: testing.chain(0), "1 to 1,000 links"),
        (lambda: testing.chain(2, "sorted"), "no such order"),  # type: ignore[arg-type]
        (lambda: testing.ttl(1 << 32), "32 bits"),
        (lambda: testing.wrong_class(1 << 16), "16 bits"),
        (lambda: testing.padded(1 << 16), "can be padded"),
        (lambda: testing.broken_edns("gently"), "no such way to break"),  # type: ignore[arg-type]
        (lambda: testing.cookies("eaten"), "no such way to treat"),  # type: ignore[arg-type]
        (lambda: testing.drip(0), "octets can drip"),
        (lambda: testing.cut(-1), "can be cut after"),
        (lambda: testing.wrong_length(1 << 16), "message's length"),
        (lambda: Link(drop=2), "probability is between"),
        (lambda: Way(delay=-1), "delay is a number"),
        (lambda: Server(receive_buffer=0), "receive_buffer is a positive"),
    ],
)
def test_a_bad_setting_is_refused_by_its_name(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_settings_of_a_server_are_refused(server: Server) -> None:
    for times in [(0, 1), (1, -1), (float("inf"), 1)]:
        with pytest.raises(ValueError, match="seconds"):
            server.flap(*times)
    with pytest.raises(ValueError, match="TCP can be"):
        server.tcp("ignore")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a link is"):
        server.link(0.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a link is"):
        Server(link=0.5)  # type: ignore[arg-type]


def test_faults_of_one_transport_leave_the_other_alone(server: Server) -> None:
    server.fault(None, testing.over_udp(testing.rcode("REFUSED")) | testing.over_tcp(testing.rcode("NOTIMP")))
    assert ask(server, "www.example.").rcode() == dns.rcode.REFUSED
    assert ask_tcp(server, "www.example.").rcode() == dns.rcode.NOTIMP


def test_a_fault_of_edns_queries_leaves_others_alone(server: Server) -> None:
    server.fault(None, testing.with_edns(testing.rcode("SERVFAIL")))
    assert ask(server, "www.example.", edns=1232).rcode() == dns.rcode.SERVFAIL
    assert data(ask(server, "www.example.")) == ["192.0.2.7"]


def test_faults_can_take_turns_for_each_question(server: Server) -> None:
    server.fault(
        None, testing.in_turn(testing.rcode("SERVFAIL"), testing.rcode("REFUSED"), testing.healthy())
    )
    for rdtype in ["A", "AAAA"]:
        rcodes = [ask(server, "www.example.", rdtype).rcode() for _ in range(4)]
        assert rcodes == [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOERROR, dns.rcode.NOERROR]


def test_a_fault_can_be_set_for_all_names_below_another(server: Server) -> None:
    server.fault("*.example.", testing.rcode("NOTIMP"))
    server.fault("*.b.example.", testing.rcode("REFUSED"))
    server.fault("c.b.example.", testing.healthy())
    names = ["www.example.", "x.b.example.", "y.x.b.example.", "c.b.example.", "example.", "b.example."]
    found = [dns.rcode.to_text(ask(server, name).rcode()) for name in names]
    assert found == ["NOTIMP", "REFUSED", "REFUSED", "NXDOMAIN", "NOERROR", "NOTIMP"]


def test_chance_is_the_same_for_the_same_seed_whatever_the_order() -> None:
    def fates(seed: int, numbers: range) -> dict[int, int]:
        with Server(["*.example. A 192.0.2.7"], seed=seed) as server:
            server.fault(None, testing.sometimes(0.5, testing.rcode("REFUSED")))
            return {number: ask(server, f"n{number}.example.").rcode() for number in numbers}

    first, again, other = fates(1, range(40)), fates(1, range(39, -1, -1)), fates(2, range(40))
    assert first == again != other
    assert len(set(first.values())) == 2


# -- delivery


def test_a_dropped_answer_is_lost_as_often_as_its_probability_says(server: Server) -> None:
    server.fault(None, testing.drop(0.3))
    answered = len(datagrams(server, *(f"n{number}.example." for number in range(200))))
    assert 110 < answered < 170


def test_an_answer_can_come_twice(server: Server) -> None:
    server.fault("www.example.", testing.duplicate(2))
    first, *more = datagrams(server, "www.example.")
    assert more == [first, first]


def test_answers_can_overtake_one_another(server: Server) -> None:
    server.fault(None, testing.gather(3, backwards=True))
    found = datagrams(server, "a.example.", "b.example.", "c.example.", seconds=0.1)
    assert [wire[13:14] for wire in found] == [b"c", b"b", b"a"]


def test_the_right_answer_can_come_later_than_the_wrong_one(server: Server) -> None:
    server.fault("www.example.", testing.wrong_id() | testing.then_answer(0.05))
    with udp_client(server) as client:
        client.send(query("www.example.").to_wire())
        client.recv(512)
        began = time.monotonic()
        client.recv(512)
        assert time.monotonic() - began > 0.03


def test_jitter_spreads_the_answers(server: Server) -> None:
    server.fault(None, testing.delay(0.0, jitter=0.05))
    names = [f"n{number}.example." for number in range(20)]
    found = [dns.message.from_wire(wire).question[0].name.to_text() for wire in datagrams(server, *names)]
    assert sorted(found) == sorted(names)
    assert found != names


@pytest.mark.parametrize(("fault", "is_port"), [(testing.from_port(), True), (testing.from_address(), False)])
def test_an_answer_can_come_from_elsewhere(server: Server, fault: Fault, is_port: bool) -> None:
    server.fault("www.example.", fault)
    sent = query("www.example.")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.sendto(sent.to_wire(), (server.host, server.port))
        wire, (host, port) = client.recvfrom(512)
    assert sent.is_response(dns.message.from_wire(wire))
    assert (host == server.host, port == server.port) == (is_port, not is_port)


def test_junk_comes_before_the_answer(server: Server) -> None:
    server.fault("www.example.", testing.junk(5))
    *junk, answer = datagrams(server, "www.example.")
    assert len(junk) == 5
    assert data(dns.message.from_wire(answer)) == ["192.0.2.7"]


# -- identity


@pytest.mark.parametrize(
    ("fault", "differs"),
    [
        (testing.not_a_reply(), lambda reply: not reply.flags & dns.flags.QR),
        (testing.opcode(4), lambda reply: reply.opcode() == dns.opcode.NOTIFY),
        (testing.wrong_question(), lambda reply: reply.question[0].name.to_text() == "vww.example."),
        (testing.wrong_type(), lambda reply: reply.question[0].rdtype == 16),
        (testing.no_question(), lambda reply: not reply.question),
        (testing.other_case(), lambda reply: reply.question[0].name.labels[0] == b"WWW"),
        (testing.other_class(), lambda reply: reply.question[0].rdclass == dns.rdataclass.CH),
    ],
    ids=lambda value: "" if callable(value) else repr(value),
)
def test_a_reply_to_something_else_has_the_right_id(
    server: Server, fault: Fault, differs: Callable[[dns.message.Message], bool]
) -> None:
    sent, wire = spoilt(server, fault)
    assert wire[:2] == sent[:2]
    reply = dns.message.from_wire(wire, question_only=True)
    assert differs(reply)


def test_the_case_of_the_question_can_be_swapped_and_that_is_the_same_name(server: Server) -> None:
    sent, wire = spoilt(server, testing.other_case())
    assert wire[12:] != sent[12 : len(wire)]
    assert dns.message.from_wire(sent).is_response(dns.message.from_wire(wire))


# -- form


@pytest.mark.parametrize("kind", testing.MALFORMED)
def test_what_is_malformed_has_the_right_id_and_question_and_cannot_be_read(
    server: Server, kind: str
) -> None:
    sent, wire = spoilt(server, testing.malformed(kind))
    assert wire[:2] == sent[:2]
    assert wire[12 : len(sent)] == sent[12:]
    if kind != "pointer into the header":  # a name that dnspython reads
        with pytest.raises(dns.exception.DNSException):
            dns.message.from_wire(wire)


@pytest.mark.parametrize("octets", [0, 1, 11, 12, 13, 30, -1])
def test_a_message_can_end_anywhere(server: Server, octets: int) -> None:
    whole = spoilt(server, testing.healthy())[1]
    assert spoilt(server, testing.cut_at(octets))[1][2:] == whole[:octets][2:]


def test_garbage_can_follow(server: Server) -> None:
    whole, spoilt_one = spoilt(server, testing.healthy())[1], spoilt(server, testing.trailing(9))[1]
    assert len(spoilt_one) == len(whole) + 9
    assert spoilt_one[2 : len(whole)] == whole[2:]


def test_a_whole_answer_can_be_marked_truncated_over_tcp_too(server: Server) -> None:
    server.fault(None, testing.marked_truncated())
    reply = ask_tcp(server, "www.example.")
    assert reply.flags & dns.flags.TC
    assert data(reply) == ["192.0.2.7"]


def test_mutations_are_many_and_repeatable_and_keep_the_addresses() -> None:
    def all_of(seed: int) -> list[bytes]:
        with Server(["*.example. A 192.0.2.7"], seed=seed) as server:
            server.fault(None, testing.mutated())
            with udp_client(server) as client:
                found = []
                for number in range(200):
                    sent = query(f"n{number}.example.").to_wire()
                    client.send(sent)
                    wire = client.recv(65535)
                    assert wire[:2] == sent[:2][: len(wire)]
                    found.append(wire[2:])
                return found

    first = all_of(7)
    assert first == all_of(7) != all_of(8)
    assert len(set(first)) > 170
    for wire in first:
        for record in records_in(b"\0\0" + wire):
            if wire[record.fixed - 2 : record.fixed] == b"\0\x01":
                assert wire[record.fixed + 8 : record.end - 2] in (b"", bytes([192, 0, 2, 7]))


# -- content


def test_records_of_ones_own_choice_can_be_answered(server: Server) -> None:
    server.fault(
        "www.example.", testing.records("@ 60 CNAME x", "x 60 A 192.0.2.9", "other.test. A 192.0.2.10")
    )
    assert records(ask(server, "www.example.")) == [
        "www.example. 60 IN CNAME x.www.example.",
        "x.www.example. 60 IN A 192.0.2.9",
        "other.test. 300 IN A 192.0.2.10",
    ]


@pytest.mark.parametrize("section", ["answer", "authority", "additional"])
def test_records_can_stand_in_any_section(server: Server, section: str) -> None:
    server.fault("www.example.", testing.records("@ A 192.0.2.9", section=section, rcode="NXDOMAIN"))  # type: ignore[arg-type]
    reply = ask(server, "www.example.")
    found = {name: len(getattr(reply, name)) for name in ["answer", "authority", "additional"]}
    assert found == {"answer": 0, "authority": 0, "additional": 0} | {section: 1}
    assert reply.rcode() == dns.rcode.NXDOMAIN


def test_records_can_be_of_another_class(server: Server) -> None:
    for fault in [testing.records("@ A 192.0.2.9", rdclass=3), testing.wrong_class(3)]:
        _, wire = spoilt(server, fault)
        assert [wire[record.fixed + 2 : record.fixed + 4] for record in records_in(wire)] == [b"\0\x03"]


@pytest.mark.parametrize(
    ("order", "first"), [("forward", "www.example. 60 IN CNAME"), ("reverse", "end.www")]
)
def test_a_chain_has_its_links_in_an_order(server: Server, order: str, first: str) -> None:
    server.fault("www.example.", testing.chain(3, order))  # type: ignore[arg-type]
    reply = ask(server, "www.example.")
    assert len(records(reply)) == 4
    assert records(reply)[0].startswith(first)
    assert sorted(rrset.rdtype for rrset in reply.answer) == [1, 5, 5, 5]


def test_a_chain_can_lead_back(server: Server) -> None:
    server.fault("www.example.", testing.chain(2, loops=True))
    assert data(ask(server, "www.example.")) == ["www.example."]


@pytest.mark.parametrize("seconds", [0, 5, 1 << 31, (1 << 32) - 1])
def test_ttls_can_be_any(server: Server, seconds: int) -> None:
    _, wire = spoilt(server, testing.ttl(seconds), edns=1232)
    record, opt = records_in(wire)
    assert wire[record.fixed + 4 : record.fixed + 8] == seconds.to_bytes(4)
    assert wire[opt.fixed + 4 : opt.fixed + 8] == bytes(4)


def test_the_answers_records_can_be_shuffled(server: Server) -> None:
    server.add(*(f"many.example. A 192.0.2.{number}" for number in range(1, 20)))
    straight = records(ask(server, "many.example."))
    server.fault("many.example.", testing.shuffled())
    raw = dns.message.from_wire(datagrams(server, "many.example.", seconds=0.1)[0])
    assert sorted(records(raw)) == sorted(straight)
    assert records(raw) != straight


def test_a_reply_can_be_as_long_as_tcp_carries(server: Server) -> None:
    server.fault("www.example.", testing.padded())
    assert ask(server, "www.example.").flags & dns.flags.TC
    with tcp_client(server) as client:
        client.sendall(framed(query("www.example.")))
        with client.makefile("rb") as stream:
            size = int.from_bytes(stream.read(2))
            reply = dns.message.from_wire(stream.read(size))
    assert size == 65535
    assert data(reply) == ["192.0.2.7"]


# -- EDNS and cookies


@pytest.mark.parametrize("name", ["FORMERR", "NOTIMP", "SERVFAIL", "REFUSED"])
def test_broken_edns_is_an_rcode_without_opt(server: Server, name: str) -> None:
    server.fault(None, testing.broken_edns(name))  # type: ignore[arg-type]
    reply = ask(server, "www.example.", edns=1232)
    assert (dns.rcode.to_text(reply.rcode()), reply.edns) == (name, -1)
    assert data(ask(server, "www.example.")) == ["192.0.2.7"]


def test_broken_edns_can_be_more_subtle(server: Server) -> None:
    server.fault(None, testing.broken_edns("BADVERS"))
    assert ask(server, "www.example.", edns=1232).rcode() == dns.rcode.BADVERS
    server.fault(None, testing.broken_edns("strip"))
    reply = ask(server, "www.example.", edns=1232)
    assert (data(reply), reply.edns) == (["192.0.2.7"], -1)
    _, wire = spoilt(server, testing.broken_edns("duplicate"), edns=1232)
    assert [wire[record.fixed : record.fixed + 2] for record in records_in(wire)[1:]] == [b"\0\x29"] * 2
    with pytest.raises(dns.exception.DNSException):
        dns.message.from_wire(spoilt(server, testing.broken_edns("garbage"), edns=1232)[1])
    server.fault("www.example.", testing.broken_edns("silent"))
    with udp_client(server) as client:
        client.send(query("www.example.", edns=1232).to_wire())
        sent = query("www.example.")
        client.send(sent.to_wire())
        assert sent.is_response(dns.message.from_wire(client.recv(512)))


def ask_with_cookie(server: Server, cookie: bytes) -> tuple[str, bytes]:
    """The rcode and the cookie of the reply."""
    option = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, cookie)
    sent = dns.message.make_query("www.example.", "A", use_edns=0, options=[option])
    with udp_client(server) as client:
        client.send(sent.to_wire())
        wire = client.recv(512)
    opt = records_in(wire)[-1]
    return dns.rcode.to_text(dns.rcode.Rcode(wire[3] & 15 | wire[opt.fixed + 4] << 4)), wire[
        opt.fixed + 14 : opt.end
    ]


def test_a_server_that_requires_cookies_wants_its_own_back(server: Server) -> None:
    server.fault(None, testing.cookies("required"))
    mine = b"12345678"
    rcode, cookie = ask_with_cookie(server, mine)
    assert rcode == "BADCOOKIE"
    assert cookie[:8] == mine
    assert len(cookie) == 24
    assert ask_with_cookie(server, cookie) == ("NOERROR", cookie)
    assert ask_with_cookie(server, b"another!" + cookie[8:])[0] == "BADCOOKIE"
    assert data(ask(server, "www.example.", edns=1232)) == ["192.0.2.7"]  # who has none is served


@pytest.mark.parametrize(
    ("manners", "rcode", "size", "is_mine"),
    [
        ("offered", "NOERROR", 24, True),
        ("badcookie", "BADCOOKIE", 24, True),
        ("missing", "NOERROR", 0, False),
        ("foreign", "NOERROR", 24, False),
        ("short", "NOERROR", 4, False),
        ("long", "NOERROR", 56, True),
    ],
)
def test_a_server_can_treat_cookies_badly(
    server: Server, manners: str, rcode: str, size: int, is_mine: bool
) -> None:
    server.fault(None, testing.cookies(manners))  # type: ignore[arg-type]
    found, cookie = ask_with_cookie(server, b"12345678")
    assert (found, len(cookie), cookie[:8] == b"12345678") == (rcode, size, is_mine)


# -- TCP


def received(server: Server, fault: Fault) -> bytes:
    """All that comes over a TCP connection until it ends."""
    server.fault("www.example.", fault)
    with tcp_client(server) as client:
        client.sendall(framed(query("www.example.")))
        found = b""
        try:
            while part := client.recv(65535):
                found += part
        except ConnectionResetError:
            return found + b"RESET"
        return found


def test_a_connection_can_end_after_or_within_an_answer(server: Server) -> None:
    whole = received(server, testing.closing())
    assert data(dns.message.from_wire(whole[2:])) == ["192.0.2.7"]
    assert received(server, testing.cut()) == b""
    for octets in [1, 2, 7]:
        assert len(received(server, testing.cut(octets))) == octets
    assert received(server, testing.cut(0, resets=True)) == b"RESET"


def test_an_answer_can_drip(server: Server) -> None:
    began = time.monotonic()
    found = received(server, testing.drip(10, 0.01) | testing.closing())
    assert data(dns.message.from_wire(found[2:])) == ["192.0.2.7"]
    assert time.monotonic() - began >= 0.04


def test_nothing_gets_in_between_the_drops(server: Server) -> None:
    server.fault("www.example.", testing.drip(5, 0.005))
    sent = [query("www.example."), query("b.example.")]
    with tcp_client(server) as client:
        client.sendall(framed(*sent))
        assert all(one.is_response(receive_framed(client)) for one in sent)


def test_a_length_can_lie(server: Server) -> None:
    found = received(server, testing.wrong_length(999) | testing.closing())
    assert found[:2] == (999).to_bytes(2)


def test_answers_can_come_in_one_segment_backwards(server: Server) -> None:
    server.fault(None, testing.gather(3, backwards=True))
    sent = [query(f"{letter}.example.") for letter in "abc"]
    with tcp_client(server) as client:
        client.sendall(framed(*sent[:2]))
        server.wait_for_query(count=2)
        client.sendall(framed(sent[2]))
        assert all(one.is_response(receive_framed(client)) for one in reversed(sent))


def test_tcp_can_be_refused_or_closed_or_left_hanging_while_udp_is_served(server: Server) -> None:
    server.tcp("refuse")
    with pytest.raises(ConnectionRefusedError), tcp_client(server):
        pass
    server.tcp("close")
    with tcp_client(server) as client:
        assert client.recv(1) == b""
    server.tcp("hang")
    with tcp_client(server) as client:
        client.sendall(framed(query("www.example.")))
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert data(ask(server, "www.example.")) == ["192.0.2.7"]
        server.stop_listening()
        server.resume()
        server.tcp("serve")
    assert data(ask_tcp(server, "www.example.")) == ["192.0.2.7"]


# -- the link


def test_a_link_loses_doubles_and_reorders_each_way() -> None:
    names = [f"n{number}.example." for number in range(200)]
    with Server(["*.example. A 192.0.2.7"], link=Link(drop=0.1, seed=3)) as server:
        answered = len(datagrams(server, *names))
        assert 160 < server.query_count < 196
        assert 0.83 < answered / server.query_count < 0.97
        server.reset(["*.example. A 192.0.2.7"])
        assert len(datagrams(server, *names)) == 200  # no link any more
        server.link(Link(queries=Way(duplicate=0.5), replies=Way(reorder=0.2)))
        server.clear()
        found = datagrams(server, *names)
        assert len(found) == server.query_count > 260
        order = [dns.message.from_wire(wire).question[0].name.to_text() for wire in found]
        assert order != sorted(order, key=names.index)
        assert set(Counter(order).values()) == {1, 2}
        server.link(Link(delay=0.02))
        began = time.monotonic()
        ask(server, names[0])
        assert time.monotonic() - began >= 0.04


def test_the_nth_datagram_has_the_same_fate_for_the_same_seed() -> None:
    names = [f"n{number}.example." for number in range(100)]

    def seen(seed: int) -> list[tuple[str, str]]:
        with Server(link=Link(queries=Way(drop=0.3), seed=seed)) as server:
            datagrams(server, *names, seconds=0.1)
            return server.questions

    assert seen(5) == seen(5) != seen(6)


def test_the_example_in_its_documentation_works() -> None:
    assert doctest.testmod(gdns.testing.link, extraglobs={"Way": Way}).failed == 0


# -- coming and going


def test_a_flapping_server_comes_and_goes_until_it_is_steady(server: Server) -> None:
    def is_there() -> bool:
        with udp_client(server) as client:
            try:
                client.send(query("www.example.").to_wire())
                client.recv(512)
            except ConnectionRefusedError:
                return False
            return True

    server.flap(0.05, 0.05)
    seen = [is_there()]
    ends_at = time.monotonic() + PATIENCE
    while len(seen) < 5:
        assert time.monotonic() < ends_at
        if (now := is_there()) != seen[-1]:
            seen.append(now)
    assert seen[:4] in ([True, False, True, False], [False, True, False, True])
    server.resume()
    ends_at = time.monotonic() + 0.2
    while time.monotonic() < ends_at:
        assert is_there()


def test_a_small_receive_buffer_loses_a_burst() -> None:
    with Server(["*.example. A 192.0.2.7"], receive_buffer=4096) as server:
        datagrams(server, *(f"n{number}.example." for number in range(3000)))
        assert 0 < server.query_count < 3000


def test_another_question_than_that_for_the_root_is_for_a_name(dns_server: Server) -> None:
    dns_server.fault(".", testing.wrong_question())
    with udp_client(dns_server) as client:
        client.send(query(".", "NS").to_wire())
        reply = dns.message.from_wire(client.recv(65535), ignore_trailing=True)
    assert reply.question[0].name.to_text() == "x."


def test_a_cookie_is_found_behind_other_options(dns_server: Server) -> None:
    dns_server.add("www.example. A 192.0.2.7")
    dns_server.fault(None, testing.cookies())
    asked = query("www.example.", edns=0)
    options = [dns.edns.GenericOption(65001, b"abc"), dns.edns.CookieOption(b"12345678", b"")]
    asked.use_edns(0, options=options)
    with udp_client(dns_server) as client:
        client.send(asked.to_wire())
        reply = dns.message.from_wire(client.recv(65535))
    assert [option.client for option in reply.options] == [b"12345678"]
