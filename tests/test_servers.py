"""Servers as they are written, and in which order they are asked."""

from __future__ import annotations

import socket

import pytest

from gdns._wire import Question
from gdns.errors import ConfigError
from gdns.servers import (
    BUFFERED_FOR,
    FIRST_BURST,
    LEAST_BURST,
    LEAST_PATIENCE,
    MOST_IN_FLIGHT,
    PORTION,
    PROBE_INTERVAL,
    Server,
    ServerAddress,
    Servers,
)


@pytest.mark.parametrize(
    ("text", "shown", "transport"),
    [
        ("192.0.2.1", "192.0.2.1:53", "udp"),
        ("192.0.2.1:5300", "192.0.2.1:5300", "udp"),
        ("2001:db8::1", "[2001:db8::1]:53", "udp"),
        ("2001:DB8:0::1", "[2001:db8::1]:53", "udp"),
        ("[2001:db8::1]", "[2001:db8::1]:53", "udp"),
        ("[2001:db8::1]:5300", "[2001:db8::1]:5300", "udp"),
        ("fe80::1%lo", "[fe80::1%1]:53", "udp"),
        ("[fe80::1%1]:54", "[fe80::1%1]:54", "udp"),
        ("udp://192.0.2.1:54", "192.0.2.1:54", "udp"),
        ("tcp://192.0.2.1", "192.0.2.1:53", "tcp"),
        ("TCP://[2001:db8::1]:54", "[2001:db8::1]:54", "tcp"),
    ],
)
def test_a_server_is_written_as_an_address_with_or_without_a_port(text, shown, transport):
    address = ServerAddress.parse(text)
    assert str(address) == shown
    assert address.transport == transport


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "''"),
        ("ns1.example", "not a numeric IP address"),
        ("192.0.2.256", "not a numeric IP address"),
        ("127.1", "not a numeric IP address"),
        ("192.0.2.1:", "port ''"),
        ("192.0.2.1:0", "port '0'"),
        ("192.0.2.1:65536", "port '65536'"),
        ("192.0.2.1:dns", "port 'dns'"),
        ("[2001:db8::1]:٥٣", "port"),
        ("[192.0.2.1]:53", "not a numeric IP address"),
        ("[2001:db8::1", "expected ADDRESS"),
        ("https://192.0.2.1/dns-query", "scheme 'https' is not known, only udp://, tcp://"),
        ("tls://192.0.2.1", "only udp://, tcp://"),
        ("fe80::1%nosuchinterface", "no network interface 'nosuchinterface'"),
        ("192.0.2.1\0", "not a numeric IP address"),
    ],
)
def test_a_server_that_cannot_be_asked_is_refused_by_name(text, complaint):
    with pytest.raises(ConfigError, match="name server") as caught:
        ServerAddress.parse(text)
    assert complaint in str(caught.value)


def test_a_server_that_is_no_text_is_a_type_error():
    with pytest.raises(TypeError, match="not bytes"):
        ServerAddress.parse(b"192.0.2.1")


@pytest.mark.parametrize("text", ["127.0.0.1:5300", "[::1]:5300"])
def test_the_sockaddr_is_the_one_that_the_kernel_makes(text):
    address = ServerAddress.parse(text)
    with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
        sock.connect((address.host, address.port))
        assert sock.getpeername()[:2] == (address.host, address.port)
    size = 16 if address.family == socket.AF_INET else 28
    assert len(address.sockaddr) == size


def three() -> Servers:
    return Servers(ServerAddress(f"192.0.2.{number}") for number in (1, 2, 3))


def names(servers: Servers) -> list[str]:
    return [server.address.host for server in servers.default.order]


def test_servers_are_asked_in_the_order_of_the_configuration():
    assert names(three()) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def test_a_server_that_failed_goes_behind_the_others_until_it_answers():
    servers = three()
    servers.all[0].note_failure(now=5.0)
    assert names(servers) == ["192.0.2.2", "192.0.2.3", "192.0.2.1"]
    servers.all[0].note_reply(5.0, 4.99, 0)
    assert names(servers) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def test_of_servers_that_failed_the_one_that_has_rested_longest_comes_first():
    servers = three()
    for number, now in ((1, 5.0), (0, 6.0), (2, 7.0)):
        servers.all[number].note_failure(now)
    assert names(servers) == ["192.0.2.2", "192.0.2.1", "192.0.2.3"]


def test_only_servers_that_failed_are_probed_and_not_all_the_time():
    servers = three()
    assert servers.to_probe(100.0) == []
    servers.all[1].note_failure(now=100.0)
    assert servers.to_probe(100.0) == [servers.all[1]]
    servers.all[1].probed_at = 100.0
    assert servers.to_probe(100.0 + PROBE_INTERVAL / 2) == []
    servers.all[1].is_probed = True
    assert servers.to_probe(200.0) == []


@pytest.mark.parametrize(
    ("count", "timeout", "patience"),
    [(1, 5.0, 5.0), (2, 5.0, 2.5), (3, 0.3, LEAST_PATIENCE), (1, 0.02, 0.02), (3, 0.02, 0.02)],
)
def test_servers_share_the_timeout(count, timeout, patience):
    servers = Servers(ServerAddress(f"192.0.2.{number}") for number in range(1, count + 1))
    assert servers.default.patience(timeout) == pytest.approx(patience)


def test_each_question_to_a_server_elsewhere_has_a_port_of_its_own_and_loopback_shares():
    elsewhere, here = Servers([ServerAddress("192.0.2.1"), ServerAddress("127.0.0.1")]).all
    assert elsewhere.queries_per_socket == 1
    assert here.queries_per_socket > 1


def test_a_resolver_without_servers_is_refused():
    with pytest.raises(ConfigError, match="at least one"):
        Servers([])


def test_servers_that_rotate_take_turns_and_those_that_failed_stay_behind():
    group = Servers([ServerAddress(f"192.0.2.{number}") for number in (1, 2, 3)], rotates=True).default
    firsts = [group.plan()[0].address.host for _ in range(6)]
    assert sorted(firsts) == sorted(["192.0.2.1", "192.0.2.2", "192.0.2.3"] * 2)
    assert firsts[:3] == firsts[3:]
    group.all[1].note_failure(now=5.0)
    plans = [[server.address.host for server in group.plan()] for _ in range(4)]
    assert {plan[0] for plan in plans} == {"192.0.2.1", "192.0.2.3"}
    assert {plan[-1] for plan in plans} == {"192.0.2.2"}
    assert all(sorted(plan) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"] for plan in plans)


def test_a_domain_has_servers_of_its_own_and_the_longest_counts():
    def only(number: int) -> list[ServerAddress]:
        return [ServerAddress(f"192.0.2.{number}")]

    domains = {
        Question(name, 1).key[:-4]: only(number)
        for name, number in (("corp.example.", 2), ("lab.corp.example.", 3), ("2.0.192.in-addr.arpa.", 2))
    }
    servers = Servers(only(1), domains)
    asked = {
        name: servers.group_of(Question(name, 1)).order[0].address.host
        for name in ("www.example.", "corp.example.", "www.CORP.example.", "x.lab.corp.example.")
    }
    assert list(asked.values()) == ["192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"]
    assert servers.group_of(Question("xcorp.example.", 1)) is servers.default
    assert servers.group_of(Question("7.2.0.192.in-addr.arpa.", 12)).order[0].address.host == "192.0.2.2"
    assert len(servers.all) == 3, "a server of two groups is one server, with one health"


def test_a_servers_rtt_follows_its_replies():
    (server,) = Servers([ServerAddress("192.0.2.1")]).all
    server.note_reply(now=10.08, sent_at=10.0, portion=0)
    assert server.rtt == pytest.approx(0.08)
    server.note_reply(now=10.16, sent_at=10.0, portion=0)
    assert server.rtt == pytest.approx(0.09)


def fill(server: Server, now: float) -> int:
    """How many questions a server takes at one moment."""
    sent = 0
    while server.has_room(now):
        server.note_sent()
        sent += 1
    return sent


def test_a_burst_begins_small_and_grows_with_the_replies():
    (server,) = Servers([ServerAddress("192.0.2.1")]).all
    assert fill(server, 10.0) == FIRST_BURST
    for _ in range(FIRST_BURST):
        server.in_flight -= 1
        server.note_reply(10.01, 10.0, 0)
    assert fill(server, 10.02) == 2 * FIRST_BURST
    for _ in range(MOST_IN_FLIGHT):
        server.in_flight -= 1
        server.note_reply(10.03, 10.02, 0)
    assert server.burst == server.window


def test_a_burst_shrinks_with_silence_but_not_to_nothing():
    (server,) = Servers([ServerAddress("192.0.2.1")]).all
    server.note_silence(10.0, 9.0)
    assert fill(server, 10.0) == FIRST_BURST // 2
    for second in range(20, 40):
        server.note_silence(second + 1.0, second)
    assert fill(server, 50.0) == LEAST_BURST


def test_a_burst_shrinks_once_for_questions_that_were_lost_together():
    (server,) = Servers([ServerAddress("192.0.2.1")]).all
    for sent in range(20):
        server.note_silence(10.0 + sent / 100, 9.0 + sent / 100)
    assert fill(server, 20.0) == FIRST_BURST // 2


def test_what_was_sent_long_ago_takes_no_room_in_a_servers_buffer():
    (server,) = Servers([ServerAddress("192.0.2.1")]).all
    assert fill(server, 10.0) == FIRST_BURST
    assert fill(server, 10.0 + 1.5 * BUFFERED_FOR) == 0, "it may still lie there"
    assert fill(server, 10.0 + 3 * BUFFERED_FOR) == FIRST_BURST
    server.in_flight = server.window
    assert fill(server, 99.0) == 0, "the window counts whatever waits"


def test_less_than_two_portions_are_in_the_buffer_of_a_server_on_this_host():
    """It reads in order: once a question is answered, those before it are read."""
    (server,) = Servers([ServerAddress("127.0.0.1")]).all
    server.burst = MOST_IN_FLIGHT
    assert fill(server, 10.0) == PORTION
    server.note_reply(10.001, 10.0, 0)
    assert fill(server, 10.001) == PORTION
    for _ in range(PORTION - 1):
        server.note_reply(10.002, 10.0, 0)  # all of the portion before
    assert fill(server, 10.003) == 0
    server.note_reply(10.004, 10.001, 1)
    assert server.has_room(10.004)
    assert server.room() == PORTION


def test_what_a_server_on_this_host_has_not_answered_soon_it_has_read():
    (server,) = Servers([ServerAddress("127.0.0.1")]).all
    server.burst = MOST_IN_FLIGHT
    taken = [fill(server, now) for now in (10.0, 10.01, 10.03, 10.04, 10.06)]
    assert taken == [PORTION, 0, PORTION, 0, PORTION]
    (server,) = Servers([ServerAddress("192.0.2.1")]).all
    server.burst = 500
    assert fill(server, 10.0) == 500


def test_a_server_says_how_it_is_doing():
    (server,) = Servers([ServerAddress("192.0.2.1")]).all
    assert repr(server) == f"<Server {server.name}, 0 in flight>"
    server.note_sent()
    server.note_failure(1.0)
    assert repr(server) == f"<Server {server.name} failing, 1 in flight>"
