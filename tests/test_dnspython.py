"""Programs that import dnspython are answered by gdns while the patch is in."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import time
from functools import partial

import dns.asyncresolver
import dns.edns
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.tsigkeyring
import gevent
import pytest
from dns.resolver import resolve as resolve_imported_before  # what a program holds that was first

import gdns
from gdns.dnspython import MOST_KEPT, SystemResolver
from gdns.testing import delay, rcode, silent
from tests.parity import world
from tests.test_policy import run_in_a_system_of

WWW = "www.example. 60 A 192.0.2.7"


@pytest.fixture
def patched():
    with gdns.patch_dnspython() as switch:
        yield switch


def at(server, **settings):
    """A resolver of dnspython's for a server."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [server.host]
    resolver.port = server.port
    for name, value in settings.items():
        setattr(resolver, name, value)
    return resolver


def is_ours(answer) -> bool:
    return type(answer).__module__ == "gdns.records"


# In and out


def test_it_is_put_in_and_taken_out_again(dns_server):
    dns_server.add(WWW)
    before = {name: getattr(dns.resolver, name) for name in dir(dns.resolver)}
    theirs = dns.resolver.Resolver.resolve
    resolver = at(dns_server)
    with gdns.patch_dnspython() as switch:
        assert switch.is_on
        assert is_ours(resolver.resolve("www.example."))
        assert isinstance(dns.resolver.get_default_resolver(), SystemResolver)
    assert not switch.is_on
    assert not is_ours(resolver.resolve("www.example."))
    assert dns.resolver.Resolver.resolve is theirs
    assert {name: getattr(dns.resolver, name) for name in dir(dns.resolver)} == before


@pytest.mark.skipif(not world.is_permitted(), reason="mount namespaces cannot be made here")
def test_it_is_put_in_where_no_server_is_configured_too(tmp_path):
    """dnspython refuses to read such a file; 127.0.0.1 is asked then (resolv.conf(5))."""
    program = """if True:
        import dns.resolver, gdns
        with gdns.patch_dnspython():
            print(dns.resolver.get_default_resolver().nameservers)
    """
    done = run_in_a_system_of(tmp_path, {"resolv.conf": "# nothing\n"}, program)
    assert done.stdout == "['127.0.0.1']\n", done.stderr


def test_a_default_resolver_that_the_program_has_set_stays(dns_server):
    dns_server.add(WWW)
    mine = at(dns_server)
    dns.resolver.default_resolver = mine
    try:
        with gdns.patch_dnspython():
            assert dns.resolver.get_default_resolver() is mine
            assert is_ours(dns.resolver.resolve("www.example."))
        assert dns.resolver.default_resolver is mine
    finally:
        dns.resolver.default_resolver = None


def test_the_asynchronous_resolver_is_left_alone():
    before = vars(dns.asyncresolver.Resolver).copy(), vars(dns.asyncresolver).copy()
    with gdns.patch_dnspython():
        assert (vars(dns.asyncresolver.Resolver).copy(), vars(dns.asyncresolver).copy()) == before
        assert not issubclass(dns.asyncresolver.Resolver, dns.resolver.Resolver)


# The functions, with the default resolver


SYSTEM = """if True:
    import sys
    import gdns, gdns.resolver
    from gdns.config import System
    from gdns.resolver import Resolver
    import dns.resolver
    from dns.resolver import resolve, zone_for_name
    from pathlib import Path

    gdns.resolver._default = Resolver(nameservers=[{address!r}])  # as resolv.conf, but for the port
    with gdns.patch_dnspython():
        answers = [
            dns.resolver.resolve("www.example.", "A"),
            resolve("www.example.", "A"),
            dns.resolver.resolve_address("192.0.2.7"),
            *dns.resolver.resolve_name("www.example.").values(),
            dns.resolver.get_default_resolver().resolve("www.example.", "A"),
            dns.resolver.default_resolver.resolve("www.example.", "A"),
        ]
        assert all(type(answer).__module__ == "gdns.records" for answer in answers), answers
        print(dns.resolver.canonical_name("alias.example."))
        print(zone_for_name("a.b.www.example."))
        import warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            print(dns.resolver.query("www.example.", "A")[0])
        try:
            dns.resolver.resolve("missing.example.")
        except dns.resolver.NXDOMAIN as error:
            print(type(error).__module__, error.rcode, error.server == {address!r})
        changed = dns.resolver.get_default_resolver()
        changed.nameservers = ["127.0.0.1"]
        changed.port = int({address!r}.rpartition(":")[2])
        print(changed.is_changed, changed.resolve("www.example.")[0])
"""


def test_all_functions_ask_through_the_default_resolver(dns_server):
    dns_server.add(
        WWW,
        "www.example. 60 AAAA 2001:db8::7",
        "alias.example. 60 CNAME www.example.",
        "7.2.0.192.in-addr.arpa. 60 PTR www.example.",
    )
    program = SYSTEM.format(address=dns_server.address)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "www.example.",
        "example.",
        "192.0.2.7",
        "gdns.records 3 True",
        "True 192.0.2.7",
    ], done.stderr


def test_the_default_resolver_shares_the_cache_of_gdns(dns_server):
    dns_server.add(WWW)
    program = f"""if True:
        import gdns, gdns.resolver, dns.resolver
        gdns.resolver._default = gdns.Resolver(nameservers=[{dns_server.address!r}])
        with gdns.patch_dnspython():
            for _ in range(3):
                dns.resolver.resolve("www.example.")
        gdns.resolve("www.example.")
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert dns_server.query_count == 1


# Resolvers that a program makes


def test_a_resolver_of_the_programs_asks_the_servers_it_was_given(patched, dns_server):
    dns_server.add(WWW)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.nameserver_ports = {"127.0.0.1": dns_server.port}
    assert is_ours(resolver.resolve("www.example"))
    resolver.nameserver_ports = {}
    resolver.port = dns_server.port
    assert is_ours(resolver.resolve("www.example"))
    resolver.nameservers = [dns.nameserver.Do53Nameserver("127.0.0.1", dns_server.port)]
    resolver.port = 53
    assert is_ours(resolver.resolve("www.example"))
    answer = dns.resolver.resolve_at("127.0.0.1", "www.example", port=dns_server.port)
    assert is_ours(answer)
    assert (answer.nameserver, answer.port) == ("127.0.0.1", dns_server.port)
    assert dns_server.query_count == 4  # nothing was cached


def test_functions_that_were_imported_before_are_ours_too(patched, dns_server):
    dns_server.add(WWW)
    dns.resolver.default_resolver = at(dns_server)
    try:
        assert is_ours(resolve_imported_before("www.example."))
    finally:
        dns.resolver.default_resolver = None


def run_all(functions):
    """Dnspython's resolver asks on the hub of whoever calls it: here gevent's."""
    tasks = [gevent.spawn(function) for function in functions]
    gevent.joinall(tasks, timeout=30)
    return [task.get() for task in tasks]


def test_other_greenlets_run_meanwhile(patched, dns_server):
    dns_server.add(*(f"n{number}.example. 60 A 192.0.2.{number}" for number in range(20)))
    dns_server.fault(None, delay(0.3))
    began = time.monotonic()
    resolver = at(dns_server)
    answers = run_all([partial(resolver.resolve, f"n{number}.example.") for number in range(20)])
    assert [answer[0].address for answer in answers] == [f"192.0.2.{number}" for number in range(20)]
    assert time.monotonic() - began < 20 * 0.3 / 2


def test_search_domain_and_ndots_are_dnspythons(patched, dns_server):
    dns_server.reset({"example.": {}, "host.": {}, "b.": {}})
    dns_server.add("x.host.corp.example. 60 A 192.0.2.8", "a.b.example. 60 A 192.0.2.9")
    search = [dns.name.from_text("none.example."), dns.name.from_text("corp.example.")]
    resolver = at(dns_server, search=search)
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve("x.host")
    assert resolver.resolve("x.host", search=True)[0].address == "192.0.2.8"
    resolver.use_search_by_default = True
    assert resolver.resolve("x.host")[0].address == "192.0.2.8"
    dns_server.clear()
    resolver.ndots = 2
    with pytest.raises(dns.resolver.NXDOMAIN) as missing:
        resolver.resolve("a.b")
    assert [name for name, _ in dns_server.questions] == ["a.b.none.example.", "a.b.corp.example.", "a.b."]
    assert [name.to_text() for name in missing.value.qnames()] == [name for name, _ in dns_server.questions]
    by_domain = at(dns_server, domain=dns.name.from_text("b.example."), use_search_by_default=True)
    assert by_domain.resolve("a")[0].address == "192.0.2.9"


def test_lifetime_and_timeout_are_kept(patched, dns_server):
    dns_server.add(WWW)
    dns_server.fault("www.example.", silent())
    resolver = at(dns_server, timeout=0.1, lifetime=0.45)
    began = time.monotonic()
    with pytest.raises(dns.resolver.LifetimeTimeout):
        resolver.resolve("www.example")
    assert 0.4 < time.monotonic() - began < 3
    assert 3 <= dns_server.query_count <= 5  # one each 0.1 s
    dns_server.clear()
    dns_server.fault("www.example.", silent(), times=1)
    assert len(at(dns_server, timeout=0.1).resolve("www.example", lifetime=5)) == 1
    assert dns_server.query_count == 2


def test_the_next_server_is_asked_when_one_fails(patched, dns_server):
    dns_server.add(WWW)
    with gdns.testing.Server() as other:
        other.add(WWW)
        other.fault(None, rcode("SERVFAIL"))
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver("127.0.0.1", server.port) for server in (other, dns_server)
        ]
        assert resolver.resolve("www.example").port == dns_server.port
        resolver.rotate = True
        assert {resolver.resolve("www.example").port for _ in range(6)} == {dns_server.port}


def test_edns_and_flags_are_as_set(patched, dns_server):
    dns_server.add(WWW)
    resolver = at(dns_server)
    resolver.use_edns(0, dns.flags.DO, 4096)
    resolver.set_flags(dns.flags.CD)
    assert is_ours(resolver.resolve("www.example"))
    (query,) = dns_server.queries
    assert query.edns
    assert query.flags & (dns.flags.CD | dns.flags.RD) == dns.flags.CD


@pytest.mark.parametrize(
    "odd",
    [
        lambda resolver: resolver.use_edns(0, 0, 1232, [dns.edns.CookieOption(bytes(8), b"")]),
        lambda resolver: resolver.use_edns(0, 0x4000),
        lambda resolver: resolver.use_edns(1),
        lambda resolver: resolver.use_tsig(
            dns.tsigkeyring.from_text({"k.example.": "c2VjcmV0"}), "k.example."
        ),
        lambda resolver: setattr(resolver, "nameservers", [_Other("127.0.0.1", resolver.port)]),
    ],
    ids=["cookie", "EDNS flags", "EDNS version", "TSIG", "transport"],
)
def test_what_the_engine_cannot_do_dnspython_does(patched, dns_server, odd):
    dns_server.add(WWW)
    resolver = at(dns_server, lifetime=1.0)
    odd(resolver)
    try:
        answer = resolver.resolve("www.example")
    except dns.exception.DNSException as error:
        assert type(error).__module__ == "dns.resolver"  # noqa: PT017 (either is dnspython's)
    else:
        assert not is_ours(answer)
    assert dns_server.query_count >= 1


class _Other(dns.nameserver.Do53Nameserver):
    """What a program may have made to ask in its own way."""


def test_without_servers_it_fails_as_in_dnspython(patched):
    with pytest.raises(dns.resolver.NoNameservers):
        dns.resolver.Resolver(configure=False).resolve("www.example")


@pytest.mark.parametrize("kind", [dns.resolver.Cache, dns.resolver.LRUCache])
def test_a_cache_of_the_programs_is_used(patched, dns_server, kind):
    dns_server.add(WWW)
    resolver = at(dns_server, cache=kind())
    first = resolver.resolve("www.example")
    assert resolver.resolve("www.example") is first
    for _ in range(2):
        with pytest.raises(dns.resolver.NXDOMAIN):
            resolver.resolve("missing.example")
        with pytest.raises(dns.resolver.NXDOMAIN):
            resolver.resolve("missing.example", "MX")
        with pytest.raises(dns.resolver.NoAnswer):
            resolver.resolve("www.example", "MX")
    assert resolver.resolve("www.example", "MX", raise_on_no_answer=False).rrset is None
    assert dns_server.questions == [
        ("www.example.", "A"),
        ("missing.example.", "A"),
        ("www.example.", "MX"),
    ]
    assert resolver.cache.hits() >= 4


def test_exceptions_are_dnspythons_and_know_more(patched, dns_server):
    with pytest.raises(dns.resolver.NXDOMAIN) as missing:
        at(dns_server).resolve("missing.example")
    assert missing.value.canonical_name.to_text() == "missing.example."
    assert (missing.value.rcode, missing.value.server) == (3, dns_server.address)


def test_bad_arguments_fail_as_in_dnspython(dns_server):
    for arguments in (
        ("a..b",),
        ("www.example", "BOGUS"),
        ("www.example", "ANY"),
        ("www.example", "A", "ANY"),
    ):
        raised = []
        for is_patched in (False, True):
            with pytest.raises(dns.exception.DNSException) as error:  # noqa: PT012
                if is_patched:
                    with gdns.patch_dnspython():
                        at(dns_server).resolve(*arguments)
                else:
                    at(dns_server).resolve(*arguments)
            raised.append((error.type, str(error.value)))
        assert raised[0] == raised[1]


def test_override_system_resolver_goes_through_gdns(patched, dns_server):
    dns_server.add(WWW)
    dns.resolver.override_system_resolver(at(dns_server))
    try:
        rows = socket.getaddrinfo("www.example.", 80, socket.AF_INET, socket.SOCK_STREAM)
    finally:
        dns.resolver.restore_system_resolver()
    assert [row[4] for row in rows] == [("192.0.2.7", 80)]
    assert dns_server.query_count >= 1


def test_hundreds_of_resolvers_leave_nothing_behind(patched, dns_server):
    dns_server.add(WWW)

    def use(number: int) -> None:
        at(dns_server, timeout=1 + number / 1000).resolve("www.example.")

    for number in range(MOST_KEPT):
        use(number)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for number in range(200):
        use(number)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_resolver_that_is_made_anew_for_each_question_shares_what_is_under_way(patched, dns_server):
    dns_server.add(WWW)
    dns_server.fault(None, delay(0.2))
    answers = run_all([lambda: at(dns_server).resolve("www.example.") for _ in range(30)])
    assert len(answers) == 30
    assert dns_server.query_count == 1
