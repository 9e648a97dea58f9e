"""Socket arguments in, socket tuples or the socket module's exceptions out."""

from __future__ import annotations

import _socket
import os
import socket
import sys
from pathlib import Path
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM

import pytest

from gdns import netdb
from gdns.errors import GaiError, HostError, ResolverClosed
from gdns.testing import rcode, silent

CANON, NUMERICHOST, PASSIVE, V4MAPPED, ALL = 2, 4, 1, 8, 16
FUNCTIONS = {
    "getaddrinfo": lambda nss, host: netdb.getaddrinfo(nss, host, 80),
    "gethostbyname": netdb.gethostbyname,
    "gethostbyname_ex": netdb.gethostbyname_ex,
    "gethostbyaddr": netdb.gethostbyaddr,
}


def error_of(function, *args):
    with pytest.raises(Exception) as info:  # noqa: PT011  # which one is what the test is about
        function(*args)
    kind = next(kind for kind in type(info.value).__mro__ if not kind.__module__.startswith("gdns"))
    return kind, info.value.args


# getaddrinfo


def test_addresses_are_combined_with_endpoints(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1")
    infos = netdb.getaddrinfo(make_nss(), "www.example", 80)
    assert infos == [
        (AF_INET, SOCK_STREAM, 6, "", ("192.0.2.1", 80)),
        (AF_INET, SOCK_DGRAM, 17, "", ("192.0.2.1", 80)),
        (AF_INET, SOCK_RAW, 0, "", ("192.0.2.1", 80)),
    ]
    assert [type(member) for member in infos[0][:2]] == [socket.AddressFamily, socket.SocketKind]


def test_ipv6_addresses_come_as_four(make_nss, dns_server):
    dns_server.add("www.example. AAAA 2001:db8::1")
    infos = netdb.getaddrinfo(make_nss(), "www.example", "http", 0, SOCK_STREAM)
    assert infos == [(AF_INET6, SOCK_STREAM, 6, "", ("2001:db8::1", 80, 0, 0))]


def test_the_canonical_name_is_in_the_first_tuple_only(make_nss, dns_server):
    dns_server.add("www.example. CNAME Web.example.", "web.example. A 192.0.2.1", "web.example. A 192.0.2.2")
    infos = netdb.getaddrinfo(make_nss(), "www.example", 80, 0, 0, 0, CANON)
    assert [info[3] for info in infos] == ["Web.example"] + [""] * 5


@pytest.mark.parametrize(
    ("host", "family", "flags"),
    [
        ("192.0.2.1", 0, 0),
        ("127.1", AF_INET, CANON),
        ("0x7f.1", 0, CANON),
        ("0177.0.0.1", 0, 0),
        ("1", 0, 0),
        ("::1", 0, CANON),
        ("FD12:0::0001", AF_INET6, CANON),
        ("::ffff:192.0.2.1", AF_INET, CANON),
        ("192.0.2.1", AF_INET6, V4MAPPED),
        ("192.0.2.1", AF_INET6, 0),
        ("::1", AF_INET, 0),
        ("::1", AF_INET, V4MAPPED),
        ("fe80::1%lo", 0, CANON),
        ("fe80::1%99", 0, 0),
        ("2001:db8::1%1", 0, 0),
        ("2001:db8::1%lo", 0, 0),
        (b"192.0.2.1", 0, 0),
        ("www.example", 0, NUMERICHOST),
        ("www.example", 0, 0x800),
        ("www.example", 1, 0),
        ("www.example", -1, 0),
        (None, AF_INET, 0),
        (None, AF_INET6, PASSIVE),
        ("*", AF_INET, PASSIVE),
        (None, 0, CANON),
        (None, 99, 0),
        ("", 0, NUMERICHOST),
    ],
)
@pytest.mark.parametrize("port", [80, "http", None, "nosuchservice"])
def test_what_needs_no_lookup_is_as_the_socket_module_has_it(make_nss, dns_server, host, port, family, flags):
    nss = make_nss(services=Path("/etc/services").read_text())
    for type in (0, SOCK_STREAM, SOCK_RAW, 99):
        args = (host, port, family, type, 0, flags)
        try:
            theirs = socket.getaddrinfo(*args)
        except OSError:
            assert error_of(netdb.getaddrinfo, nss, *args) == error_of(socket.getaddrinfo, *args)
        else:
            ours = netdb.getaddrinfo(nss, *args)
            assert ours == theirs
            assert repr(ours) == repr(theirs)
    assert dns_server.questions == []


@pytest.mark.parametrize(
    "hints", [(None,), ("",), (0.0,), ([],), (0, 2**40), (0, 0, -(2**40)), (0, 0, 0, 2**70), (0, 0, 0, "x")]
)
def test_hints_are_checked_as_the_interpreter_checks_them(make_nss, hints):
    args = ("www.example", 80, *hints)
    assert error_of(netdb.getaddrinfo, make_nss(), *args) == error_of(socket.getaddrinfo, *args)


@pytest.mark.parametrize(
    "host", [5, 1.5, object(), ["www.example"], bytearray(b"www.example"), memoryview(b"w")]
)
def test_a_host_of_another_type_is_refused(make_nss, host):
    assert error_of(netdb.getaddrinfo, make_nss(), host, 80) == error_of(socket.getaddrinfo, host, 80)


@pytest.mark.parametrize("host", ["a..b", ".", ".a", "a" * 64, "ü" * 70, "\ud800", "a.b.."])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_text_that_is_no_name_is_a_unicode_error(make_nss, function, host):
    theirs = error_of(_socket.gethostbyname, host)
    assert issubclass(theirs[0], UnicodeError)  # UnicodeEncodeError from Python 3.13 on
    assert error_of(FUNCTIONS[function], make_nss(), host) == theirs


@pytest.mark.parametrize("host", ["localhost\0x", b"localhost\0x", "\0", "192.0.2.1\0"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_nul_is_refused_by_every_function(make_nss, dns_server, function, host):
    kind, args = error_of(_socket.gethostbyname, host)
    expected = kind, (args[0].replace("gethostbyname", function),)
    assert error_of(FUNCTIONS[function], make_nss(), host) == expected
    assert dns_server.questions == []


def test_octets_that_are_no_name_are_not_found(make_nss, dns_server):
    for host in (b"a..b", b"a" * 64, b"\xff.example", b"a b"):
        assert error_of(netdb.getaddrinfo, make_nss(), host, 80)[1][0] == -2
    assert dns_server.questions == []


def test_names_beyond_ascii_are_asked_for_as_a_labels(make_nss, dns_server):
    dns_server.add("xn--bcher-kva.example. A 192.0.2.1")
    assert netdb.gethostbyname(make_nss(), "bücher.example") == "192.0.2.1"


def test_a_service_that_is_unknown_is_found_out_first(make_nss, dns_server):
    assert error_of(netdb.getaddrinfo, make_nss(), "nx.example", "nosuchservice")[1][0] == -8
    assert dns_server.questions == []


def test_failures_have_the_systems_number_and_text_and_know_what_happened(make_nss, dns_server):
    dns_server.fault("www.example.", rcode("SERVFAIL"))
    with pytest.raises(socket.gaierror) as info:
        netdb.getaddrinfo(make_nss(), "www.example", 80)
    assert info.value.args == (socket.EAI_AGAIN, "Temporary failure in name resolution")
    assert isinstance(info.value, GaiError)
    assert (info.value.outcome.rcode, info.value.outcome.server) == (2, dns_server.address)


def test_an_answer_without_addresses_is_no_data(make_nss, dns_server):
    dns_server.add("www.example. TXT x")
    assert error_of(netdb.getaddrinfo, make_nss(), "www.example", 80) == (
        socket.gaierror,
        (-5, "No address associated with hostname"),
    )


def test_a_missing_module_is_a_system_error(make_nss):
    nss = make_nss(nsswitch="hosts: files nosuchmodule\n")
    assert error_of(netdb.getaddrinfo, nss, "www.example", 80) == (OSError, (16, "Device or resource busy"))


def test_a_closed_resolver_says_so(make_nss):
    nss = make_nss()
    nss.stub.close()
    for function in FUNCTIONS.values():
        with pytest.raises(ResolverClosed):
            function(nss, "www.example")
    with pytest.raises(ResolverClosed):
        netdb.getnameinfo(nss, ("192.0.2.1", 80), 0)


def test_lookups_can_be_audited(make_nss):
    events = []
    is_listening = True

    def hook(event, args):
        if is_listening and event.startswith("socket.get"):
            events.append((event, args))

    sys.addaudithook(hook)
    nss = make_nss()
    netdb.getaddrinfo(nss, "localhost", 80, 0, SOCK_STREAM)
    netdb.gethostbyname(nss, "localhost")
    is_listening = False
    assert events == [
        ("socket.getaddrinfo", ("localhost", 80, 0, SOCK_STREAM, 0)),
        ("socket.gethostbyname", ("localhost",)),
    ]


# lookup


def test_lookup_gives_the_addresses_alone(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1", "www.example. AAAA 2001:db8::1")
    nss = make_nss()
    assert set(netdb.lookup(nss, "www.example")) == {"192.0.2.1", "2001:db8::1"}
    assert netdb.lookup(nss, "www.example", AF_INET6) == ("2001:db8::1",)
    assert netdb.lookup(nss, "192.0.2.9") == ("192.0.2.9",)
    assert netdb.lookup(nss, "fe80::1%1") == ("fe80::1%1",)


def test_lookup_keeps_to_its_lifetime(make_nss, dns_server):
    dns_server.fault(None, silent())
    with pytest.raises(GaiError) as info:
        netdb.lookup(make_nss(), "www.example", lifetime=0.02)
    assert info.value.errno == socket.EAI_AGAIN
    assert info.value.outcome.elapsed < 1


def test_lookup_refuses_other_families(make_nss):
    assert error_of(netdb.lookup, make_nss(), "www.example", 1)[1][0] == socket.EAI_FAMILY


# gethostby*


def test_gethostbyname_gives_the_first_address(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1")
    assert netdb.gethostbyname(make_nss(), b"www.example") == "192.0.2.1"
    assert netdb.gethostbyname(make_nss(), bytearray(b"www.example")) == "192.0.2.1"


@pytest.mark.parametrize(
    "host", ["", "<broadcast>", "255.255.255.255", "127.1", "0x7f.1", "::ffff:192.0.2.1", "::1", "1.2.3.4."]
)
def test_gethostbyname_knows_the_same_special_hosts(make_nss, host):
    nss = make_nss()
    try:
        theirs = _socket.gethostbyname(host)
    except OSError:
        assert error_of(netdb.gethostbyname, nss, host)[0] is error_of(_socket.gethostbyname, host)[0]
    else:
        assert netdb.gethostbyname(nss, host) == theirs


def test_gethostbyname_ex_gives_names_and_addresses(make_nss, dns_server):
    dns_server.add("www.example. CNAME web.example.", "web.example. A 192.0.2.1", "web.example. A 192.0.2.2")
    name, aliases, addresses = netdb.gethostbyname_ex(make_nss(), "www.example")
    assert (name, aliases, sorted(addresses)) == ("web.example", ["www.example"], ["192.0.2.1", "192.0.2.2"])


def test_gethostbyname_ex_keeps_what_the_hosts_file_says_twice(make_nss):
    nss = make_nss(hosts="127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
    assert netdb.gethostbyname_ex(nss, "localhost") == (
        "localhost",
        ["ip6-localhost", "ip6-loopback"],
        ["127.0.0.1", "127.0.0.1"],
    )


def test_gethostbyname_ex_takes_plain_addresses_only(make_nss, dns_server):
    assert netdb.gethostbyname_ex(make_nss(), "127.1") == ("127.1", [], ["127.0.0.1"])
    for host in ("0x7f.1", "<broadcast>", "::ffff:192.0.2.1"):
        dns_server.fault(None, rcode("NXDOMAIN"))
        assert error_of(netdb.gethostbyname_ex, make_nss(), host) == (socket.herror, (1, "Unknown host"))


def test_gethostbyname_ex_reports_a_missing_name_as_getaddrinfo_does(make_nss):
    assert error_of(netdb.gethostbyname_ex, make_nss(), "nx.example")[0] is socket.gaierror


def test_gethostbyaddr_gives_the_name_of_an_address(make_nss, dns_server):
    dns_server.add("1.2.0.192.in-addr.arpa. PTR www.example.")
    assert netdb.gethostbyaddr(make_nss(), "192.0.2.1") == ("www.example", [], ["192.0.2.1"])


def test_gethostbyaddr_of_a_host_asks_about_its_first_address(make_nss, dns_server):
    dns_server.add("www.example. A 192.0.2.1", "1.2.0.192.in-addr.arpa. PTR web.example.")
    assert netdb.gethostbyaddr(make_nss(), "www.example") == ("web.example", [], ["192.0.2.1"])


def test_gethostbyaddr_reports_an_address_without_name_as_a_herror(make_nss, dns_server):
    dns_server.add("9.2.0.192.in-addr.arpa. TXT x")
    nss = make_nss()
    assert error_of(netdb.gethostbyaddr, nss, "192.0.2.9") == (
        socket.herror,
        (4, "No address associated with name"),
    )
    dns_server.fault(None, rcode("SERVFAIL"))
    with pytest.raises(HostError) as info:
        netdb.gethostbyaddr(nss, "192.0.2.1")
    assert info.value.args == (2, "Host name lookup failure")
    assert info.value.outcome.rcode == 2


def test_gethostbyaddr_fails_for_a_mapped_address_as_cpython_does(make_nss, dns_server):
    dns_server.add("1.2.0.192.in-addr.arpa. PTR www.example.")
    kind, args = error_of(netdb.gethostbyaddr, make_nss(), "::ffff:192.0.2.1")
    assert (kind, args[0]) == (OSError, 97)


def test_gethostbyaddr_of_nothing_is_a_wildcard(make_nss):
    assert error_of(netdb.gethostbyaddr, make_nss(), "") == error_of(_socket.gethostbyaddr, "")


def test_getfqdn_takes_the_first_name_with_a_dot(make_nss, dns_server):
    nss = make_nss(hosts="192.0.2.1 www www.example\n192.0.2.2 short\n")
    assert netdb.getfqdn(nss, "192.0.2.1") == "www.example"
    assert netdb.getfqdn(nss, " 192.0.2.2 ") == "short"
    assert netdb.getfqdn(nss, "nx.example") == "nx.example"


def test_getfqdn_of_nothing_is_this_host(make_nss):
    nss = make_nss(hosts=f"192.0.2.1 {os.uname().nodename} host.example\n")
    assert netdb.getfqdn(nss) == netdb.getfqdn(nss, "0.0.0.0") == "host.example"


# getnameinfo

NUMERIC = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


def test_getnameinfo_names_host_and_service(make_nss, dns_server):
    dns_server.add("1.2.0.192.in-addr.arpa. PTR www.example.")
    nss = make_nss(services="http 80/tcp\nhttp-u 80/udp\n")
    assert netdb.getnameinfo(nss, ("192.0.2.1", 80), 0) == ("www.example", "http")
    assert netdb.getnameinfo(nss, ("192.0.2.1", 80), socket.NI_DGRAM) == ("www.example", "http-u")
    assert netdb.getnameinfo(nss, ("192.0.2.1", 81), socket.NI_NUMERICHOST) == ("192.0.2.1", "81")


def test_getnameinfo_shows_the_address_where_there_is_no_name(make_nss, dns_server):
    nss = make_nss()
    dns_server.fault(None, rcode("NXDOMAIN"))
    assert netdb.getnameinfo(nss, ("192.0.2.1", 80), socket.NI_NUMERICSERV) == ("192.0.2.1", "80")
    assert error_of(netdb.getnameinfo, nss, ("192.0.2.1", 80), socket.NI_NAMEREQD)[1][0] == -2
    dns_server.fault(None, rcode("SERVFAIL"))
    assert error_of(netdb.getnameinfo, nss, ("192.0.2.1", 80), 0)[1][0] == -3


def test_getnameinfo_strips_only_the_local_domain(make_nss):
    nss = make_nss(
        hosts="127.0.0.1 localhost.test\n192.0.2.1 www.test\n192.0.2.2 www.example\n192.0.2.3 test\n"
    )
    names = [netdb.getnameinfo(nss, (f"192.0.2.{i}", 0), socket.NI_NOFQDN)[0] for i in (1, 2, 3)]
    assert names == ["www", "www.example", "test"]


@pytest.mark.parametrize(
    ("sockaddr", "flags"),
    [
        (("192.0.2.1", 80), NUMERIC),
        (("192.0.2.1", 70000), NUMERIC),
        (("192.0.2.1", -1), NUMERIC),
        (("192.0.2.1", 80), NUMERIC | socket.NI_NAMEREQD),
        (("192.0.2.1", 80), NUMERIC | 512),
        (("192.0.2.1", 80), 2**40),
        (("192.0.2.1", 80), None),
        (("::1", 80, 0, 1), NUMERIC),
        (("fe80::1", 80, 0, 1), NUMERIC),
        (("fe80::1%lo", 80), NUMERIC),
        (("fd12::1", 80, 0, 1), NUMERIC),
        (("::1", 80, 2**21), NUMERIC),
        (("192.0.2.1", 80, 0), NUMERIC),
        (("www.example", 80), 0),
        (("*", 80), NUMERIC),
        (("", 80), NUMERIC),
        (("192.0.2.1",), 0),
        (["192.0.2.1", 80], 0),
        (("192.0.2.1", "80"), 0),
        (("192.0.2.1\0", 80), 0),
        ((b"192.0.2.1", 80), 0),
    ],
)
def test_getnameinfo_takes_the_addresses_that_the_socket_module_takes(make_nss, sockaddr, flags):
    nss = make_nss()
    try:
        theirs = socket.getnameinfo(sockaddr, flags)
    except Exception:
        assert error_of(netdb.getnameinfo, nss, sockaddr, flags) == error_of(
            socket.getnameinfo, sockaddr, flags
        )
    else:
        assert netdb.getnameinfo(nss, sockaddr, flags) == theirs
