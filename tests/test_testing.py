"""The test server, asked by dnspython and by bare sockets."""

from __future__ import annotations

import doctest
import errno
import math
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gdns.testing.server
from gdns.testing import (
    Fault,
    LoggedQuery,
    Server,
    delay,
    malformed,
    rcode,
    silent,
    then_answer,
    truncated,
    wrong_id,
)
from gdns.testing.responder import Responder

ROOT = Path(__file__).parent.parent
PATIENCE = 10.0  # seconds after which a test fails rather than waits on


def query(name: str, rdtype: str = "A", *, edns: int | None = None) -> dns.message.Message:
    """A query, with EDNS if a payload size is given."""
    if edns is None:
        return dns.message.make_query(name, rdtype)
    return dns.message.make_query(name, rdtype, use_edns=0, payload=edns)


def ask(server: Server, name: str, rdtype: str = "A", *, edns: int | None = None) -> dns.message.Message:
    """The reply over UDP."""
    return dns.query.udp(query(name, rdtype, edns=edns), server.host, PATIENCE, server.port)


def ask_tcp(server: Server, name: str, rdtype: str = "A") -> dns.message.Message:
    """The reply over TCP."""
    return dns.query.tcp(query(name, rdtype), server.host, PATIENCE, server.port)


def records(message: dns.message.Message) -> list[str]:
    """The answer section, a line for each record."""
    return [line for rrset in message.answer for line in rrset.to_text().splitlines()]


def data(message: dns.message.Message) -> list[str]:
    """The data of the last RRset in the answer section."""
    return [rdata.to_text() for rdata in message.answer[-1]] if message.answer else []


@contextmanager
def udp_client(server: Server) -> Iterator[socket.socket]:
    """A UDP socket that talks to the server."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((server.host, server.port))
        yield client


@contextmanager
def tcp_client(server: Server) -> Iterator[socket.socket]:
    """A TCP connection to the server."""
    with socket.create_connection((server.host, server.port), PATIENCE) as client:
        yield client


def framed(*messages: dns.message.Message) -> bytes:
    """The messages as TCP carries them."""
    wires = [message.to_wire() for message in messages]
    return b"".join(len(wire).to_bytes(2) + wire for wire in wires)


def receive_framed(client: socket.socket) -> dns.message.Message:
    """The next message of a TCP connection."""
    with client.makefile("rb", buffering=0) as stream:
        return dns.message.from_wire(read_exactly(stream, int.from_bytes(read_exactly(stream, 2))))


def read_exactly(stream: socket.SocketIO, octets: int) -> bytes:
    """So many octets of a stream."""
    taken = b""
    while len(taken) < octets:
        taken += stream.read(octets - len(taken)) or pytest.fail("the connection was closed")
    return taken


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    """Run a program to the end of its output, which a server that it leaves behind would hold open."""
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


# -- where its records come from


def test_records_can_be_given_as_a_dict() -> None:
    zones = {
        "www.example.": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": "2001:db8::1"},
        "example": {"MX": (60, ["10 mail.example.", "20 mail2.example."]), "TXT": (30, '"two words" one')},
    }
    with Server(zones) as server:
        assert records(ask(server, "www.example.")) == [
            "www.example. 300 IN A 192.0.2.1",
            "www.example. 300 IN A 192.0.2.2",
        ]
        assert data(ask(server, "www.example.", "AAAA")) == ["2001:db8::1"]
        assert records(ask(server, "example.", "MX")) == [
            "example. 60 IN MX 10 mail.example.",
            "example. 60 IN MX 20 mail2.example.",
        ]
        assert records(ask(server, "example.", "TXT")) == ['example. 30 IN TXT "two words" "one"']


def test_records_can_be_given_as_lines() -> None:
    with Server(
        ["www.example. 60 A 192.0.2.7", "; a comment", "", "www.example 60 IN A 192.0.2.8"]
    ) as server:
        assert data(ask(server, "www.example.")) == ["192.0.2.7", "192.0.2.8"]


def test_records_can_be_given_as_a_zone_file(tmp_path: Path) -> None:
    path = tmp_path / "corp.test.zone"
    path.write_text("$TTL 60\n@ A 192.0.2.1\nwww CNAME @\n")
    with Server(path) as server:
        assert records(ask(server, "www.corp.test.")) == [
            "www.corp.test. 60 IN CNAME corp.test.",
            "corp.test. 60 IN A 192.0.2.1",
        ]
        assert ask(server, "www.test.").rcode() == dns.rcode.REFUSED


def test_a_zone_file_with_an_origin_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_text("$ORIGIN corp.test.\n@ 60 SOA ns1 hostmaster 1 2 3 4 5\n")
    with Server(str(path)) as server:
        reply = ask(server, "missing.corp.test.")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert (
        reply.authority[0].to_text() == "corp.test. 5 IN SOA ns1.corp.test. hostmaster.corp.test. 1 2 3 4 5"
    )


def test_a_folder_of_zone_files_is_served_whole(zone_server: Server) -> None:
    assert data(ask(zone_server, "www.example.")) == ["192.0.2.80"]
    assert data(ask(zone_server, "n12345.bench.example.", "AAAA")) == ["2001:db8::1"]
    assert data(ask(zone_server, "intranet.corp.example.")) == ["203.0.113.50"]
    assert data(ask(zone_server, "80.2.0.192.in-addr.arpa.", "PTR")) == ["www.example."]
    reverse = dns.name.from_text("0.8.0.0." + "0." * 20 + "8.b.d.0.1.0.0.2.ip6.arpa.")
    assert data(ask(zone_server, reverse.to_text(), "PTR")) == ["www.example."]


def test_every_address_of_the_example_zone_with_a_name_leads_back_to_it(zone_server: Server) -> None:
    for host in ["www", "v4only", "v6only", "mail", "ftp", "host10", "host19", "slow1", "slow8"]:
        for rdtype in ["A", "AAAA"]:
            for address in data(ask(zone_server, f"{host}.example.", rdtype)):
                name = dns.reversename.from_address(address).to_text()
                assert data(ask(zone_server, name, "PTR")) == [f"{host}.example."]


@pytest.mark.parametrize(
    "line",
    [
        "www.example. FOO bar",
        "www.example. A 192.0.2",
        "www.example. A 192.0.2.1 192.0.2.2",
        "www..example. A 192.0.2.1",
        "www.example. 6x A 192.0.2.1",
        "www.example. CH A 192.0.2.1",
        'www.example. "" A 192.0.2.1',
        "www.example.",
    ],
)
def test_an_error_in_a_record_comes_with_the_record(line: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{line!r}: ")):
        Responder().zones.add(["example. A 192.0.2.1", line])


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("garbage", "there is no type"),
        ("www.example. 60", "there is no type"),
        ("www.example. FOO bar", "the type is wrong (DNS resource record type is unknown)"),
        ("www.example 192.0.2.1", "the TTL is wrong (unknown unit '.')"),
        ("www..example. A 192.0.2.1", "the name is wrong (A DNS label is empty)"),
        ("www.example. MX mail", "the data for the type MX is wrong (expecting an integer)"),
    ],
)
def test_an_error_in_a_record_says_which_part_is_wrong_and_how_one_is_written(line: str, wrong: str) -> None:
    said = f"{line!r}: {wrong}; write it like 'www.example. 60 A 192.0.2.7'"
    with pytest.raises(ValueError, match=re.escape(said)):
        Responder().zones.add([line])


def test_an_error_in_a_record_is_known_when_the_server_starts() -> None:
    with pytest.raises(ValueError, match=r"'www\.example\. FOO bar': the type is wrong"):
        Server(["example. A 192.0.2.1", "www.example. FOO bar"]).start()


def test_an_error_in_a_zone_file_comes_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "example.zone"
    path.write_text("@ 60 A 192.0.2.1\nwww 60 A 192.0.2\n")
    with pytest.raises(ValueError, match=rf"{path}:\d+: "):
        Server(path).start()


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"zones": 7}, TypeError, "not int"),
        ({"zones": b"zones"}, TypeError, "not bytes"),
        ({"zones": [7]}, TypeError, "a record is a str"),
        ({"zones": ["a.example. A 192.0.2.1\nb.example. A 192.0.2.1"]}, ValueError, "one line"),
        ({"zones": {"www.example.": "192.0.2.1"}}, TypeError, "a dict of types and data"),
        ({"zones": "no/such/folder"}, FileNotFoundError, "no/such/folder"),
        ({"zones": ROOT / "fixtures"}, ValueError, "no \\*.zone file"),
        ({"host": "localhost"}, ValueError, "localhost"),
        ({"port": 65536}, ValueError, "65536"),
        ({"tcp_idle": 0}, ValueError, "positive"),
    ],
)
def test_bad_arguments_are_refused_before_anything_starts(
    arguments: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        Server(**arguments)  # type: ignore[arg-type]


# -- what it answers


def test_records_can_be_added_and_removed(dns_server: Server) -> None:
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 A 192.0.2.8", "www.example. 5 TXT hello")
    assert data(ask(dns_server, "www.example.")) == ["192.0.2.7", "192.0.2.8"]
    dns_server.remove("www.example.", "A")
    assert data(ask(dns_server, "www.example.")) == []
    assert data(ask(dns_server, "www.example.", "TXT")) == ['"hello"']
    dns_server.remove("WWW.example")
    assert ask(dns_server, "www.example.", "TXT").rcode() == dns.rcode.NXDOMAIN


def test_it_tells_what_it_has_records_of(dns_server: Server) -> None:
    dns_server.add(
        "*.wild.example. A 192.0.2.1",
        "WWW.example. TYPE65280 \\# 1 00",
        "www.example. A 192.0.2.2",
        "www.example. A 192.0.2.3",
    )
    assert dns_server.rrsets == [
        ("*.wild.example.", "A", 1),
        ("example.", "SOA", 1),
        ("www.example.", "A", 2),
        ("www.example.", "TYPE65280", 1),
    ]


def test_a_record_that_cannot_be_read_adds_none_of_its_company(dns_server: Server) -> None:
    with pytest.raises(ValueError, match=r"'b\.example\. A nonsense'"):
        dns_server.add("a.example. A 192.0.2.1", "b.example. A nonsense")
    assert ask(dns_server, "a.example.").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    "arguments", [("b.example.",), ("a.example.", "TXT"), ("a.example.", "FOO"), ("a..b",)]
)
def test_removing_what_is_not_there_is_an_error(dns_server: Server, arguments: tuple[str, ...]) -> None:
    dns_server.add("a.example. A 192.0.2.1")
    with pytest.raises(ValueError, match=r"has no record|no record type|is no name"):
        dns_server.remove(*arguments)
    assert data(ask(dns_server, "a.example.")) == ["192.0.2.1"]


def test_it_looks_like_a_resolver_with_authority(dns_server: Server) -> None:
    dns_server.add("www.example. A 192.0.2.7")
    reply = ask(dns_server, "www.example.")
    assert reply.flags == dns.flags.QR | dns.flags.AA | dns.flags.RD | dns.flags.RA
    iterative = query("www.example.")
    iterative.flags = dns.flags.Flag(0)
    reply = dns.query.udp(iterative, dns_server.host, PATIENCE, dns_server.port)
    assert reply.flags == dns.flags.QR | dns.flags.AA | dns.flags.RA


def test_the_question_comes_back_in_the_case_it_was_asked_in(dns_server: Server) -> None:
    dns_server.add("wWw.Example. A 192.0.2.7")
    reply = ask(dns_server, "WWw.eXAMPLE.")
    assert reply.question[0].name.labels == (b"WWw", b"eXAMPLE", b"")
    assert reply.answer[0].name.labels == (b"WWw", b"eXAMPLE", b"")
    assert data(reply) == ["192.0.2.7"]


def test_types_65_and_97_are_not_taken_for_each_other(dns_server: Server) -> None:
    dns_server.add("www.example. TYPE97 \\# 1 00")  # 65 and 97 are "A" and "a"
    assert data(ask(dns_server, "www.example.", "TYPE97")) == ["\\# 1 00"]
    assert data(ask(dns_server, "www.example.", "HTTPS")) == []


@pytest.mark.parametrize(("name", "code"), [("www", dns.rcode.NOERROR), ("nowhere", dns.rcode.NXDOMAIN)])
def test_a_negative_answer_has_the_soa_with_the_ttl_of_negative_caching(
    dns_server: Server, name: str, code: dns.rcode.Rcode
) -> None:
    dns_server.add("example. 900 SOA ns1.example. hostmaster.example. 1 2 3 4 77", "www.example. A 192.0.2.7")
    reply = ask(dns_server, f"{name}.example.", "AAAA")
    assert reply.rcode() == code
    assert not reply.answer
    assert reply.authority[0].to_text() == "example. 77 IN SOA ns1.example. hostmaster.example. 1 2 3 4 77"


def test_a_name_outside_of_all_zones_is_refused(dns_server: Server) -> None:
    for name in ["www.test.", ".", "example.test.", "anexample."]:
        reply = ask(dns_server, name)
        assert reply.rcode() == dns.rcode.REFUSED
        assert not reply.flags & dns.flags.AA


def test_a_record_outside_of_all_zones_founds_one(dns_server: Server) -> None:
    dns_server.add("www.corp.test. A 192.0.2.7")
    assert ask(dns_server, "other.test.").rcode() == dns.rcode.NXDOMAIN
    assert ask(dns_server, "test.", "SOA").answer


def test_an_empty_non_terminal_exists(dns_server: Server) -> None:
    dns_server.add("a.b.c.example. A 192.0.2.7")
    assert ask(dns_server, "b.c.example.").rcode() == dns.rcode.NOERROR
    assert ask(dns_server, "x.c.example.").rcode() == dns.rcode.NXDOMAIN


def test_aliases_are_followed_to_their_end(zone_server: Server) -> None:
    assert records(ask(zone_server, "chain1.example.")) == [
        "chain1.example. 900 IN CNAME chain2.example.",
        "chain2.example. 60 IN CNAME chain3.example.",
        "chain3.example. 1800 IN CNAME www.example.",
        "www.example. 300 IN A 192.0.2.80",
    ]
    assert data(ask(zone_server, "chain1.example.", "CNAME")) == ["chain2.example."]


def test_an_alias_to_nowhere_is_nxdomain_with_the_alias(zone_server: Server) -> None:
    reply = ask(zone_server, "dangling.example.")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert data(reply) == ["nowhere.example."]
    assert reply.authority[0].rdtype == dns.rdatatype.SOA


def test_an_alias_to_a_name_without_the_type_has_the_soa_after_it(zone_server: Server) -> None:
    reply = ask(zone_server, "tomail.example.", "AAAA")
    assert reply.rcode() == dns.rcode.NOERROR
    assert data(reply) == ["shop.example."]
    assert reply.authority[0].rdtype == dns.rdatatype.SOA


def test_aliases_that_lead_out_or_round_end_with_the_last_one_known(zone_server: Server) -> None:
    assert data(ask(zone_server, "outside.example.")) == ["www.elsewhere.test."]
    assert [rrset.name.to_text() for rrset in ask(zone_server, "loop1.example.").answer] == [
        "loop1.example.",
        "loop2.example.",
    ]


def test_a_wildcard_answers_for_names_that_do_not_exist(zone_server: Server) -> None:
    assert records(ask(zone_server, "a.b.wild.example.")) == ["a.b.wild.example. 120 IN A 192.0.2.50"]
    assert data(ask(zone_server, "a.wild.example.", "AAAA")) == ["2001:db8::50"]
    assert ask(zone_server, "a.wild.example.", "MX").rcode() == dns.rcode.NOERROR
    assert (
        records(ask(zone_server, "x.alias.wild.example."))[0]
        == "x.alias.wild.example. 3600 IN CNAME www.example."
    )


def test_a_wildcard_does_not_answer_at_or_below_names_that_exist(zone_server: Server) -> None:
    assert data(ask(zone_server, "exact.wild.example.")) == ["192.0.2.51"]
    assert ask(zone_server, "exact.wild.example.", "AAAA").rcode() == dns.rcode.NOERROR
    assert ask(zone_server, "exact.wild.example.", "AAAA").authority
    assert ask(zone_server, "below.exact.wild.example.").rcode() == dns.rcode.NXDOMAIN
    assert data(ask(zone_server, "wild.example.")) == []


def test_any_means_all_types(dns_server: Server) -> None:
    dns_server.add("www.example. A 192.0.2.7", "www.example. TXT hello")
    assert [rrset.rdtype for rrset in ask(dns_server, "www.example.", "ANY").answer] == [1, 16]


def test_an_answer_too_long_for_udp_is_truncated_and_whole_over_tcp(zone_server: Server) -> None:
    reply = ask(zone_server, "many-addresses.example.")
    assert reply.flags & dns.flags.TC
    assert not reply.answer
    assert len(data(ask(zone_server, "many-addresses.example.", edns=1232))) == 30
    assert ask(zone_server, "huge.example.", edns=1232).flags & dns.flags.TC
    assert len(data(ask(zone_server, "huge.example.", edns=4096))) == 250
    assert len(data(ask_tcp(zone_server, "huge.example."))) == 250


def test_four_thousand_records_arrive_over_tcp(dns_server: Server) -> None:
    dns_server.add(*(f"www.example. A 10.0.{i >> 8}.{i & 255}" for i in range(4000)))
    assert len(data(ask_tcp(dns_server, "www.example."))) == 4000


def test_edns_is_spoken_to_those_who_speak_it(dns_server: Server) -> None:
    assert ask(dns_server, "example.").edns == -1
    reply = ask(dns_server, "example.", edns=4096)
    assert (reply.edns, reply.payload) == (0, 1232)
    version_1 = dns.message.make_query("example.", "A", use_edns=1)
    reply = dns.query.udp(version_1, dns_server.host, PATIENCE, dns_server.port)
    assert reply.rcode() == dns.rcode.BADVERS


def test_what_is_no_query_for_one_name_in_class_in_is_answered_accordingly(dns_server: Server) -> None:
    def rcode_of(wire: bytes) -> str:
        with udp_client(dns_server) as client:
            client.send(wire)
            reply = client.recv(512)
            assert reply[:2] == wire[:2]
            return dns.rcode.to_text(dns.rcode.Rcode(reply[3] & 15))

    good = query("www.example.").to_wire()
    assert rcode_of(good[:2] + b"\x20\x00" + good[4:]) == "NOTIMP"
    assert rcode_of(good[:-1] + b"\x03") == "REFUSED"
    assert rcode_of(good[:4] + b"\x00\x02" + good[6:] + good[12:]) == "FORMERR"
    assert rcode_of(good[:-1]) == "FORMERR"
    assert rcode_of(good[:12] + b"\xc0\x0c\x00\x01\x00\x01") == "FORMERR"
    assert rcode_of(good[:12] + 128 * b"\x01a" + b"\0\x00\x01\x00\x01") == "FORMERR"  # 257 octets


def test_replies_and_scraps_get_no_answer(dns_server: Server) -> None:
    with udp_client(dns_server) as client:
        client.send(dns.message.make_response(query("www.example.")).to_wire())
        client.send(b"\x00" * 11)
        client.send(b"")
        last = query("example.", "SOA")
        client.send(last.to_wire())
        assert last.is_response(dns.message.from_wire(client.recv(512)))
    assert dns_server.query_count == 1


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_answered_or_ignored(wire: bytes, has_question: bool) -> None:
    responder = Responder()
    responder.zones.add(["www.example. A 192.0.2.1", "*.example. CNAME www.example."])
    if has_question:
        wire = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00" + wire
    for packet in responder.respond(wire, "udp", 5300):
        assert packet.wire[:2] == wire[:2]
        dns.message.from_wire(packet.wire)


@given(st.lists(st.binary(min_size=1, max_size=63), max_size=3))
@example([b"\0", b"*"])
@example([b"*"])
def test_any_name_can_be_asked_for_and_is_logged_in_presentation_form(labels: list[bytes]) -> None:
    name = dns.name.Name([*labels, b"example", b""])
    responder = Responder()
    responder.zones.add(["*.example. A 192.0.2.1"])
    asked = dns.message.make_query(name, "A")
    (packet,) = responder.respond(asked.to_wire(), "udp", 5300)
    reply = dns.message.from_wire(packet.wire)
    assert asked.is_response(reply)
    # nothing is below a wildcard but what has been put there (RFC 4592, section 2.2.1)
    assert bool(reply.answer) == (labels == [b"*"] or (bool(labels) and labels[-1] != b"*"))
    (logged,) = responder.log
    assert dns.name.from_text(logged.qname).labels == name.labels


# -- TCP


def test_queries_on_one_connection_are_all_answered(dns_server: Server) -> None:
    queries = [query(f"host{i}.example.") for i in range(20)]
    with tcp_client(dns_server) as client:
        client.sendall(framed(*queries))
        for sent in queries:
            assert sent.is_response(receive_framed(client))


def test_a_query_may_come_in_pieces(dns_server: Server) -> None:
    client_wire = framed(query("a.example."), query("b.example."))
    with tcp_client(dns_server) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in client_wire:
            client.send(bytes([octet]))
        assert receive_framed(client).question[0].name.to_text() == "a.example."
        assert receive_framed(client).question[0].name.to_text() == "b.example."


def test_a_delayed_answer_does_not_hold_up_those_behind_it_on_the_connection(dns_server: Server) -> None:
    dns_server.fault("slow.example.", delay(0.02))
    with tcp_client(dns_server) as client:
        client.sendall(framed(query("slow.example."), query("fast.example.")))
        assert receive_framed(client).question[0].name.to_text() == "fast.example."
        assert receive_framed(client).question[0].name.to_text() == "slow.example."


def test_an_idle_connection_is_closed() -> None:
    with Server(tcp_idle=0.02) as server, tcp_client(server) as client:
        assert client.recv(1) == b""


def test_a_connection_is_not_idle_while_an_answer_is_delayed() -> None:
    with Server(["www.example. A 192.0.2.7"], tcp_idle=0.2) as server, tcp_client(server) as client:
        server.fault(None, delay(0.3))
        client.sendall(framed(query("www.example.")))
        assert data(receive_framed(client)) == ["192.0.2.7"]
        assert client.recv(1) == b""


def test_a_client_that_reads_late_gets_everything() -> None:
    addresses = [f"www.example. A 10.0.{i >> 8}.{i & 255}" for i in range(3000)]
    with Server(addresses, tcp_idle=0.1) as server, tcp_client(server) as client:
        client.sendall(
            framed(*[query("www.example.")] * 200)
        )  # ten megabytes, too much for the kernel's buffers
        server.wait_for_query(count=200)
        with tcp_client(server) as idle:
            assert idle.recv(1) == b""  # so the first would be closed by now if it were idle too
        with client.makefile("rb") as stream:
            lengths = {len(stream.read(int.from_bytes(stream.read(2)))) for _ in range(200)}
    assert lengths == {12 + 17 + 3000 * 16}


# -- faults


def test_a_silent_server_sends_nothing(dns_server: Server) -> None:
    dns_server.fault("mute.example.", silent())
    with udp_client(dns_server) as client:
        client.send(query("mute.example.").to_wire())
        other = query("other.example.")
        client.send(other.to_wire())
        assert other.is_response(dns.message.from_wire(client.recv(512)))
    assert dns_server.questions == [("mute.example.", "A"), ("other.example.", "A")]


def test_a_delayed_answer_comes_that_much_later_and_holds_up_no_other(dns_server: Server) -> None:
    dns_server.fault("slow.example.", delay(0.2))
    slow, fast = query("slow.example."), query("fast.example.")
    with udp_client(dns_server) as client:
        started_at = time.monotonic()
        client.send(slow.to_wire())
        client.send(fast.to_wire())
        assert fast.is_response(dns.message.from_wire(client.recv(512)))
        assert slow.is_response(dns.message.from_wire(client.recv(512)))
        assert time.monotonic() - started_at >= 0.2


def test_a_truncated_answer_is_empty_over_udp_and_whole_over_tcp(dns_server: Server) -> None:
    dns_server.add("www.example. A 192.0.2.7")
    dns_server.fault("www.example.", truncated())
    reply = ask(dns_server, "www.example.")
    assert reply.flags & dns.flags.TC
    assert not reply.answer
    assert data(ask_tcp(dns_server, "www.example.")) == ["192.0.2.7"]


@pytest.mark.parametrize("name", ["SERVFAIL", "REFUSED", "NXDOMAIN", "FORMERR", "NOTIMP", "YXDOMAIN"])
def test_an_rcode_comes_with_an_empty_answer(dns_server: Server, name: str) -> None:
    dns_server.add("www.example. A 192.0.2.7")
    dns_server.fault("www.example.", rcode(name))
    for reply in [ask(dns_server, "www.example."), ask_tcp(dns_server, "www.example.")]:
        assert dns.rcode.to_text(reply.rcode()) == name
        assert not reply.answer


def test_an_extended_rcode_reaches_those_who_speak_edns(dns_server: Server) -> None:
    dns_server.fault(None, rcode("BADCOOKIE"))
    assert ask(dns_server, "www.example.", edns=1232).rcode() == dns.rcode.BADCOOKIE


def test_a_wrong_id_is_all_that_comes(dns_server: Server) -> None:
    dns_server.fault("www.example.", wrong_id())
    sent, other = query("www.example."), query("other.example.")
    with udp_client(dns_server) as client:
        client.send(sent.to_wire())
        client.send(other.to_wire())
        reply = dns.message.from_wire(client.recv(512))
        assert reply.question == sent.question
        assert reply.id != sent.id
        assert other.is_response(dns.message.from_wire(client.recv(512)))


def test_a_malformed_answer_has_the_right_id_and_question_and_cannot_be_read(dns_server: Server) -> None:
    dns_server.fault("www.example.", malformed())
    sent, other = query("www.example."), query("other.example.")
    with udp_client(dns_server) as client:
        client.send(sent.to_wire())
        client.send(other.to_wire())
        wire = client.recv(512)
        assert dns.message.from_wire(
            wire, ignore_trailing=True, one_rr_per_rrset=True, continue_on_error=True
        ).errors
        with pytest.raises(dns.exception.DNSException):
            dns.message.from_wire(wire)
        assert wire[:2] == sent.to_wire()[:2]
        assert wire[12 : len(sent.to_wire())] == sent.to_wire()[12:]
        assert other.is_response(dns.message.from_wire(client.recv(512)))


@pytest.mark.parametrize("bad", [wrong_id(), malformed(), wrong_id() | malformed()])
def test_the_right_answer_can_follow_a_bad_one(dns_server: Server, bad: Fault) -> None:
    dns_server.add("www.example. A 192.0.2.7")
    dns_server.fault("www.example.", bad | then_answer())
    sent = query("www.example.")
    with udp_client(dns_server) as client:
        client.send(sent.to_wire())
        client.recv(512)
        reply = dns.message.from_wire(client.recv(512))
    assert sent.is_response(reply)
    assert data(reply) == ["192.0.2.7"]


def test_faults_compose(dns_server: Server) -> None:
    dns_server.fault("www.example.", delay(0.02) | rcode("REFUSED") | delay(0.02))
    started_at = time.monotonic()
    assert ask(dns_server, "www.example.").rcode() == dns.rcode.REFUSED
    assert time.monotonic() - started_at >= 0.04


def test_a_fault_can_end_after_so_many_times(dns_server: Server) -> None:
    dns_server.fault("www.example.", rcode("SERVFAIL"), times=2)
    rcodes = [ask(dns_server, "www.example.").rcode() for _ in range(4)]
    assert rcodes == [dns.rcode.SERVFAIL, dns.rcode.SERVFAIL, dns.rcode.NXDOMAIN, dns.rcode.NXDOMAIN]


def test_the_fault_set_most_narrowly_counts(dns_server: Server) -> None:
    dns_server.fault(None, rcode("SERVFAIL"))
    dns_server.fault(None, rcode("REFUSED"), rdtype="AAAA")
    dns_server.fault("www.example.", rcode("NOTIMP"))
    dns_server.fault("WWW.example", rcode("FORMERR"), rdtype="AAAA")
    assert ask(dns_server, "other.example.").rcode() == dns.rcode.SERVFAIL
    assert ask(dns_server, "other.example.", "AAAA").rcode() == dns.rcode.REFUSED
    assert ask(dns_server, "www.example.").rcode() == dns.rcode.NOTIMP
    assert ask(dns_server, "www.example.", "AAAA").rcode() == dns.rcode.FORMERR


def test_a_new_fault_takes_the_place_of_the_one_before(dns_server: Server) -> None:
    dns_server.fault("www.example.", rcode("SERVFAIL"))
    dns_server.fault("www.example.", rcode("REFUSED"))
    assert ask(dns_server, "www.example.").rcode() == dns.rcode.REFUSED


def test_faults_can_be_healed_by_name_or_all_at_once(dns_server: Server) -> None:
    for name in ["a.example.", "b.example.", None]:
        dns_server.fault(name, rcode("SERVFAIL"))
    dns_server.heal("a.example.")
    dns_server.fault(None, rcode("REFUSED"))
    assert ask(dns_server, "a.example.").rcode() == dns.rcode.REFUSED
    assert ask(dns_server, "b.example.").rcode() == dns.rcode.SERVFAIL
    dns_server.heal()
    assert {ask(dns_server, name).rcode() for name in ["a.example.", "b.example."]} == {dns.rcode.NXDOMAIN}


def test_bad_faults_are_refused(dns_server: Server) -> None:
    with pytest.raises(ValueError, match="no such rcode: 'SERFVAIL'"):
        rcode("SERFVAIL")
    for seconds in [-1, math.inf, math.nan]:
        with pytest.raises(ValueError, match="number of seconds"):
            delay(seconds)
    with pytest.raises(TypeError, match="such as silent"):
        dns_server.fault(None, silent)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least once"):
        dns_server.fault(None, silent(), times=0)
    for rdtype in ["FOO", 70000, []]:
        with pytest.raises(ValueError, match="is no record type"):
            dns_server.fault(None, silent(), rdtype=rdtype)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is no name"):
        dns_server.fault("a..example.", silent())
    with pytest.raises(TypeError, match="unsupported operand"):
        silent() | 3  # type: ignore[operator]

    class Homemade(Fault):
        pass

    try:
        with pytest.raises(ValueError, match="knows no fault Homemade"):
            dns_server.fault(None, Homemade())
    finally:
        del Fault.kinds["Homemade"]


# -- the port


def test_a_stopped_server_refuses_and_comes_back_on_its_port(dns_server: Server) -> None:
    dns_server.add("www.example. A 192.0.2.7")
    address = dns_server.address
    dns_server.stop_listening()
    dns_server.stop_listening()
    with udp_client(dns_server) as client:
        client.send(query("www.example.").to_wire())
        with pytest.raises(ConnectionRefusedError):
            client.recv(512)
    with pytest.raises(ConnectionRefusedError):
        ask_tcp(dns_server, "www.example.")
    dns_server.resume()
    dns_server.resume()
    assert dns_server.address == address
    assert data(ask(dns_server, "www.example.")) == ["192.0.2.7"]
    assert data(ask_tcp(dns_server, "www.example.")) == ["192.0.2.7"]
    assert dns_server.query_count == 2


def test_nobody_can_take_the_port_of_a_stopped_server(dns_server: Server) -> None:
    dns_server.stop_listening()
    for kind in [socket.SOCK_DGRAM, socket.SOCK_STREAM]:
        with socket.socket(socket.AF_INET, kind) as thief, pytest.raises(OSError, match="in use"):
            thief.bind((dns_server.host, dns_server.port))


def test_stopping_closes_connections(dns_server: Server) -> None:
    with tcp_client(dns_server) as client:
        client.sendall(framed(query("www.example.")))
        receive_framed(client)
        dns_server.stop_listening()
        assert client.recv(1) == b""


def test_it_serves_ipv6() -> None:
    with Server(["www.example. A 192.0.2.7"], host="::1") as server:
        assert server.address == f"[::1]:{server.port}"
        assert data(ask(server, "www.example.")) == ["192.0.2.7"]
        assert data(ask_tcp(server, "www.example.")) == ["192.0.2.7"]
        server.stop_listening()
        with udp_client(server) as client:
            client.send(query("www.example.").to_wire())
            with pytest.raises(ConnectionRefusedError):
                client.recv(512)
        server.resume()
        assert data(ask(server, "www.example.")) == ["192.0.2.7"]


def test_a_port_that_was_asked_for_is_had_or_an_error(dns_server: Server) -> None:
    with pytest.raises(OSError, match="in use") as caught:
        Server(port=dns_server.port).start()
    assert caught.value.errno == errno.EADDRINUSE
    with Server() as server:
        port = server.port
        ask_tcp(server, "www.example.")
    with Server(port=port) as server:
        assert server.address == f"127.0.0.1:{port}"
        assert ask_tcp(server, "www.example.").rcode() == dns.rcode.REFUSED


# -- the log


def test_the_log_tells_how_it_was_asked(dns_server: Server) -> None:
    over_udp, over_tcp = query("WWW.Example."), query("www.example.", "TYPE65280", edns=1232)
    with udp_client(dns_server) as client:
        client.send(over_udp.to_wire())
        client.recv(512)
        udp_port = client.getsockname()[1]
    with tcp_client(dns_server) as client:
        client.sendall(framed(over_tcp))
        receive_framed(client)
        tcp_port = client.getsockname()[1]
    assert dns_server.queries == [
        LoggedQuery("www.example.", "A", "udp", udp_port, over_udp.id, False, 0x0100, "WWW.Example."),
        LoggedQuery("www.example.", "TYPE65280", "tcp", tcp_port, over_tcp.id, True, 0x0100, "www.example."),
    ]
    assert dns_server.questions == [("www.example.", "A"), ("www.example.", "TYPE65280")]
    assert dns_server.query_count == 2


def test_waiting_for_a_query_ends_when_it_was_seen(dns_server: Server) -> None:
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(dns_server.wait_for_query, "www.example.", count=2, timeout=PATIENCE)
        ask(dns_server, "www.example.")
        ask(dns_server, "other.example.")
        assert not waiting.done()
        ask(dns_server, "WWW.example.", "AAAA")
        waiting.result()
    dns_server.wait_for_query(count=3)


def test_waiting_for_a_query_that_never_comes_ends_with_an_error(dns_server: Server) -> None:
    ask(dns_server, "other.example.")
    with pytest.raises(TimeoutError, match=r"saw 0 of 1 queries for www\.example\."):
        dns_server.wait_for_query("www.example.", timeout=0.01)


def test_clearing_forgets_the_log_and_the_faults(dns_server: Server) -> None:
    dns_server.add("www.example. A 192.0.2.7")
    dns_server.fault(None, rcode("SERVFAIL"))
    ask(dns_server, "www.example.")
    dns_server.clear()
    assert (dns_server.questions, dns_server.query_count) == ([], 0)
    assert data(ask(dns_server, "www.example.")) == ["192.0.2.7"]


def test_a_reset_server_is_as_new(dns_server: Server) -> None:
    dns_server.add("www.example. A 192.0.2.7")
    dns_server.fault("www.example.", rcode("SERVFAIL"))
    ask(dns_server, "www.example.")
    address = dns_server.address
    dns_server.stop_listening()
    dns_server.reset(["www.test. A 192.0.2.9"])
    assert dns_server.address == address
    assert dns_server.questions == []
    assert ask(dns_server, "www.example.").rcode() == dns.rcode.REFUSED
    assert data(ask(dns_server, "www.test.")) == ["192.0.2.9"]


def test_no_answer_from_before_a_reset_comes_after_it(dns_server: Server) -> None:
    early, late = query("early.example."), query("late.example.")
    with udp_client(dns_server) as client:
        for sent in [early, late]:
            dns_server.fault(None, delay(0.3))
            client.send(sent.to_wire())
            dns_server.wait_for_query()
            if sent is early:
                dns_server.reset()
        assert late.is_response(dns.message.from_wire(client.recv(512)))


# -- its process


def test_it_can_be_used_from_several_threads_at_once(dns_server: Server) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: dns_server.add(f"host{i}.example. A 192.0.2.{i}"), range(200)))
        answers = threads.map(lambda i: data(ask(dns_server, f"host{i}.example.")), range(200))
        assert list(answers) == [[f"192.0.2.{i}"] for i in range(200)]


def test_a_request_cut_short_by_a_signal_does_not_confuse_the_next(dns_server: Server) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(signum: int, frame: object) -> None:
        raise Interrupted

    earlier = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Interrupted):
            dns_server.add(*(f"host{i}.example. A 192.0.2.1" for i in range(8000)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    assert dns_server.query_count == 0
    dns_server.add("www.example. A 192.0.2.7")
    assert data(ask(dns_server, "www.example.")) == ["192.0.2.7"]


def test_a_server_that_is_not_running_says_so() -> None:
    server = Server()
    assert repr(server) == "<Server, not running>"
    for use in [lambda: server.port, lambda: server.address, lambda: server.questions, server.clear]:
        with pytest.raises(RuntimeError, match="not running"):
            use()
    with server:
        assert repr(server) == f"<Server {server.address}>"
        with pytest.raises(RuntimeError, match="already"):
            server.start()
    server.close()
    with pytest.raises(RuntimeError, match="not running"):
        server.add("www.example. A 192.0.2.7")


def test_a_closed_server_can_be_started_again() -> None:
    server = Server(["www.example. A 192.0.2.7"])
    for _ in range(2):
        with server:
            assert data(ask(server, "www.example.")) == ["192.0.2.7"]
        with pytest.raises(RuntimeError, match="not running"):
            _ = server.address


START = """
import os, signal, sys
from gdns.testing import Server
server = Server(["www.example. A 192.0.2.7"]).start()
"""


@pytest.mark.parametrize("end", ["os._exit(7)", "os.kill(os.getpid(), signal.SIGKILL)", "server.close()"])
def test_it_ends_with_its_parent_however_that_ends(end: str) -> None:
    assert run_script(START + end).stderr == ""


def test_a_server_whose_process_was_killed_says_so_and_can_be_closed() -> None:
    script = (
        START
        + """
from gdns.testing import process
(child,) = process._running
os.kill(child._pid, signal.SIGKILL)
os.waitpid(child._pid, 0)
for use in (lambda: server.questions, lambda: server.add("x.example. A 192.0.2.8")):
    try:
        use()
    except RuntimeError as error:
        print(error)
server.close()
server.close()
"""
    )
    done = run_script(script)
    assert done.stdout.splitlines() == ["the server's process has ended; its standard error says why"] * 2
    assert done.stderr == ""


def test_a_process_that_does_not_leave_is_made_to() -> None:
    script = (
        START
        + """
from gdns.testing import process
process.PATIENCE = 0.1
(child,) = process._running
os.kill(child._pid, signal.SIGSTOP)
server.close()
try:
    os.kill(child._pid, 0)
except ProcessLookupError:
    print("gone")
"""
    )
    assert run_script(script).stdout == "gone\n"


def test_it_ends_with_its_parent_although_a_fork_lives_on() -> None:
    script = START + "if os.fork() == 0: os.close(1); os.read(0, 1)\nos._exit(0)"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        # Only the server's process holds its output open now.
        assert program.stdout
        assert select.select([program.stdout], [], [], 30)[0]


def test_a_fork_neither_ends_it_nor_may_use_it() -> None:
    script = """
import socket
if (pid := os.fork()) == 0:
    server.close()
    try:
        server.questions
    except RuntimeError as error:
        print(error)
    sys.exit()
os.waitpid(pid, 0)
print(server.questions)
server.close()
"""
    done = run_script(START + script)
    assert done.stdout.splitlines() == ["the server is not running", "[]"]
    assert done.stderr == ""


def test_a_monkey_patched_program_can_use_it() -> None:
    pytest.importorskip("gevent")
    script = """
from gevent import monkey
monkey.patch_all()
import gevent, socket
from gdns.testing import Server
import dns.message
with Server(["www.example. A 192.0.2.7"]) as server:
    def ask():
        gevent.sleep(0.01)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(dns.message.make_query("www.example.", "A").to_wire(), (server.host, server.port))
            return dns.message.from_wire(client.recv(512)).answer[0][0].address
    asking = gevent.spawn(ask)
    server.wait_for_query("www.example.")
    print(asking.get(), server.questions)
"""
    done = run_script(script)
    assert done.stderr == ""
    assert done.stdout == "192.0.2.7 [('www.example.', 'A')]\n"


def test_it_answers_ten_thousand_a_second_at_the_very_least(zone_server: Server) -> None:
    """A third of what is promised, since the machine may have other things to do."""
    wires = [query(f"n{i}.bench.example.").to_wire() for i in range(1000)]

    def rate() -> float:
        with udp_client(zone_server) as client:
            started_at = time.perf_counter()
            for start in range(0, len(wires), 100):
                for wire in wires[start : start + 100]:
                    client.send(wire)
                for _ in range(100):
                    client.recv(512)
            return len(wires) / (time.perf_counter() - started_at)

    assert max(rate() for _ in range(5)) > 10_000


def test_the_example_in_its_documentation_works() -> None:
    results = doctest.testmod(gdns.testing.server)
    assert results.attempted
    assert not results.failed


def test_whoever_has_seen_so_many_queries_is_given_the_new_ones(dns_server):
    with gdns.Resolver([dns_server.address], cache=False) as resolver:
        for name in ("a.example", "b.example", "c.example"):
            with pytest.raises(socket.gaierror):
                resolver.gethostbyname(name)
    assert [query.name for query in dns_server.queries_after(1)] == ["b.example.", "c.example."]
    assert dns_server.queries_after(3) == dns_server.queries_after(99) == []
    assert dns_server.queries_after(0) == dns_server.queries
