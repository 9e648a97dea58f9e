"""Results that are kept as they were handed out: the same answers, counted alike, and never too old."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gdns
from gdns import netdb, nss
from gdns.cache import Cache
from gdns.config import System
from gdns.hosts import HostsFile
from gdns.nss import Files
from gdns.ready import NOT_KEPT, Results, hints_key
from gdns.services import Services
from gdns.sources import Sources
from gdns.testing import FakeClock, Server


class Host:
    """A host whose hosts file and clock are ours."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.clock = FakeClock()
        self.hosts = directory / "hosts"
        self.hosts.write_text("")
        self.server = server
        self.files = Files(
            HostsFile(self.hosts, clock=self.clock), Services(clock=self.clock), Sources(self.clock)
        )

    def resolver(self, **arguments: object) -> gdns.Resolver:
        made = gdns.Resolver(nameservers=[self.server.address], **arguments)  # type: ignore[arg-type]
        cache = made._shared.cache
        assert cache is not None
        made._shared.cache = Cache(cache.max_entries, cache.max_octets, clock=self.clock)
        made._system = made._front.system = System(clock=self.clock)
        return made


@pytest.fixture
def host(tmp_path: Path, dns_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(tmp_path, dns_server)
    monkeypatch.setattr(nss._thread, "files", made.files)
    yield made
    made.files.sources.close()


@pytest.fixture
def resolver(host: Host) -> Iterator[gdns.Resolver]:
    with host.resolver() as made:
        yield made


def results_of(resolver: gdns.Resolver) -> Results:
    results = resolver._local.here.results
    assert results is not None
    return results


# The same answers


HOSTS = ("", "192.0.2.99 www.example\n", "2001:db8::9 www.example v4.example\n192.0.2.98 only.test\n")
NAMES = ("www.example", "WWW.example", "v4.example", "many.example", "alias.example", "www", "none.example")
NAMES += ("only.test", "localhost", "192.0.2.1", "a..example", "late.example")
PORTS = (80, None, "80", 0, 99999, True)

calls = st.one_of(
    st.tuples(
        st.just("getaddrinfo"),
        st.sampled_from(NAMES) | st.just(b"www.example"),
        st.sampled_from(PORTS),
        st.sampled_from((0, socket.AF_INET, 10, 77)),
        st.sampled_from((0, 1, socket.SOCK_STREAM)),
        st.sampled_from((0, 6)),
        st.sampled_from((0, socket.AI_CANONNAME, socket.AI_ADDRCONFIG, socket.AI_V4MAPPED)),
    ),
    st.tuples(st.just("lookup"), st.sampled_from(NAMES), st.sampled_from((0, 2, socket.AF_INET6, 77))),
    st.tuples(st.just("gethostbyname"), st.sampled_from(NAMES) | st.just(b"www.example")),
)
events = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from((0.5, 1.0, 3.0, 40.0))),
    st.tuples(st.just("edit"), st.sampled_from(HOSTS)),
    st.tuples(st.just("flush"), st.sampled_from((None, "www.example", "many.example"))),
    st.tuples(st.just("override"), st.booleans()),
    st.tuples(st.just("change"), st.integers(1, 200)),
)


def zone(last: int) -> dict[str, object]:
    return {
        "www.example.": {"A": f"192.0.2.{last}", "AAAA": f"2001:db8::{last}"},
        "v4.example.": {"A": f"192.0.2.{last}"},
        "many.example.": {
            "A": [f"192.0.2.{last}", "198.51.100.7", "127.0.0.5"],
            "AAAA": ["2001:db8::1", f"2001:db8:1::{last}"],
        },
        "alias.example.": {"CNAME": "many.example."},
        "late.example.": {"A": "192.0.2.55"} if last % 2 else {},
    }


def outcome_of(call: Callable[..., object], *arguments: object) -> object:
    try:
        return call(*arguments)
    except Exception as error:
        return type(error), error.args


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(calls | events | calls, min_size=5, max_size=40))
def test_who_is_answered_from_what_is_ready_is_answered_as_ever(host, dns_server, steps):
    dns_server.reset(zone(1))
    host.hosts.write_text("")
    host.clock.advance(1000)
    options = {"search": ["sub.example", "example"], "ndots": 1, "min_ttl": 5, "max_ttl": 20}
    with host.resolver(**options) as ready, host.resolver(**options) as anew:
        for resolver in (ready, anew):
            assert resolver._shared.cache is not None
            resolver._shared.cache.min_ttl, resolver._shared.cache.max_ttl = 5, 20
        overrides: list[gdns.overrides.Override] = []
        for step in steps:
            match step:
                case ("wait", seconds):
                    host.clock.advance(seconds)
                case ("edit", text):
                    host.hosts.write_text(text)
                case ("flush", name):
                    assert ready.flush(name) == anew.flush(name)
                case ("override", True):
                    overrides.append(gdns.override({"v4.example": "192.0.2.77"}))
                case ("override", False):
                    while overrides:
                        overrides.pop().undo()
                case ("change", last):
                    dns_server.reset(zone(last))
                case (function, *arguments):
                    expected = outcome_of(getattr(netdb, function), anew._engine().nss, *arguments)
                    for _ in range(2):
                        assert outcome_of(getattr(ready, function), *arguments) == expected
                    outcome_of(getattr(netdb, function), anew._engine().nss, *arguments)
        for override in overrides:
            override.undo()
        # what was asked of whom, and what the cache tells of it, is the same as well
        assert counted(ready) == counted(anew)
        assert kept(ready) == kept(anew)


def counted(resolver: gdns.Resolver) -> dict[str, object]:
    stats = resolver.stats()
    cache = stats["cache"]
    return {name: stats[name] for name in ("questions", "sent", "in_vain", "outcomes")} | {
        name: cache[name] for name in ("entries", "hits", "misses", "evicted")
    }


def kept(resolver: gdns.Resolver) -> list[tuple[object, ...]]:
    """The cache's entries with their uses, least recently used first."""
    return [(entry.qname.lower(), entry.rdtype, entry.addresses, entry.hits) for entry in resolver.dump()]


# What is kept, and for whom


def test_a_result_that_is_ready_is_its_callers_own(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    for _ in range(2):
        resolver.getaddrinfo("www.example", 80)
    first = resolver.getaddrinfo("www.example", 80)
    expected = first[:]
    first.clear()
    assert resolver.getaddrinfo("www.example", 80) == expected
    assert len(results_of(resolver)) == 1


def test_the_third_call_is_answered_by_what_the_second_was(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 A 192.0.2.8")
    arguments = ("www.example", 80, 0, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
    first, second, third = (resolver.getaddrinfo(*arguments) for _ in range(3))
    assert first == second == third
    assert not any(mine is theirs for mine, theirs in zip(first, second, strict=True))
    assert all(mine is theirs for mine, theirs in zip(second, third, strict=True))


def test_what_is_asked_for_once_takes_no_room(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    resolver.getaddrinfo("www.example", 80)
    assert len(results_of(resolver)) == 0


def test_a_change_of_servers_is_heard_at_once(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    for _ in range(3):
        assert resolver.gethostbyname("www.example") == "192.0.2.7"
    with Server({"www.example.": {"A": "192.0.2.8"}}) as other:
        resolver.set_servers([other.address])
        assert resolver.gethostbyname("www.example") == "192.0.2.8"


def test_a_closed_resolver_hands_out_nothing_that_was_ready(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    for _ in range(3):
        resolver.lookup("www.example")
    resolver.close()
    for call in (resolver.lookup, resolver.gethostbyname, lambda host: resolver.getaddrinfo(host, 80)):
        with pytest.raises(gdns.ResolverClosed):
            call("www.example")


def test_an_entry_thrown_out_takes_along_what_was_made_of_it(host, dns_server):
    dns_server.add(
        "www.example. 60 A 192.0.2.7", "other.example. 60 A 192.0.2.8", "third.example. 60 A 192.0.2.9"
    )
    with host.resolver(cache_entries=2) as resolver:
        for _ in range(3):
            resolver.lookup("www.example", socket.AF_INET)
        for name in ("other.example", "third.example"):
            resolver.lookup(name, socket.AF_INET)
        assert [entry.qname for entry in resolver.dump()] == ["other.example.", "third.example."]
        asked = dns_server.query_count
        resolver.lookup("www.example", socket.AF_INET)
        assert dns_server.query_count == asked + 1


def test_hooks_see_the_calls_that_are_answered_from_what_is_ready(resolver, dns_server, run_all):
    dns_server.add("www.example. 60 A 192.0.2.7")
    run_all([lambda: resolver.lookup("www.example", socket.AF_INET)])
    for _ in range(3):
        resolver.lookup("www.example", socket.AF_INET)
    seen: list[object] = []
    with resolver.on_outcome(seen.append):
        run_all([lambda: resolver.lookup("www.example", socket.AF_INET)] * 2)
        run_all([lambda: None])
    assert [outcome.from_cache for outcome in seen] == [True, True]


@pytest.mark.parametrize("options", [{"policy": lambda host, address: True}, {"prefetch": True}])
def test_nothing_is_kept_where_each_call_is_to_be_seen(host, dns_server, options):
    dns_server.add("www.example. 60 A 192.0.2.7")
    with host.resolver(**options) as resolver:
        for _ in range(3):
            resolver.lookup("www.example", socket.AF_INET)
        assert resolver._local.here.results is None


@pytest.mark.parametrize("nsswitch", ["dns files", "files [SUCCESS=continue] dns", "files dns dns"])
def test_nothing_is_kept_where_it_hangs_on_more_than_one_source(make_nss, nsswitch):
    made = make_nss(nsswitch=f"hosts: {nsswitch}\n")
    assert not made._is_usual_order()


def test_audit_hooks_hear_of_every_call(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    heard: list[tuple[object, ...]] = []
    listening = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event in ("socket.gethostbyname", "socket.getaddrinfo"):
            heard.append((event, *arguments))

    sys.addaudithook(hook)  # for the rest of the process; it hears no more after this test
    for _ in range(3):
        resolver.getaddrinfo("www.example", 80, 0, socket.SOCK_STREAM)
        resolver.gethostbyname("www.example")
    listening.clear()
    expected = [
        ("socket.getaddrinfo", "www.example", 80, 0, socket.SOCK_STREAM, 0),
        ("socket.gethostbyname", "www.example"),
    ]
    assert heard == expected * 3


class Whole(int):
    """A number that is one to C as well."""


def test_arguments_that_are_equal_but_not_alike_are_told_apart(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    for _ in range(3):
        resolver.getaddrinfo("www.example", 1)
    for port in (True, 1.0, Whole(1)):
        with pytest.raises(OSError, match="Int or String"):
            resolver.getaddrinfo("www.example", port)
    with pytest.raises(TypeError):
        resolver.getaddrinfo("www.example", 1, 0.0)
    with pytest.raises(OverflowError):
        resolver.getaddrinfo("www.example", 1, 1 << 70)
    assert resolver.getaddrinfo(b"www.example", 1) == resolver.getaddrinfo("www.example", 1)


def test_hints_have_one_key_each():
    hints = [
        (family, kind, proto, flags)
        for family in (0, socket.AF_INET, socket.AF_INET6)
        for kind in (0, socket.SOCK_STREAM, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        for proto in (0, 6, 255)
        for flags in (0, socket.AI_CANONNAME, socket.AI_ADDRCONFIG | socket.AI_PASSIVE)
    ]
    keys = [hints_key(*hint) for hint in hints]
    assert len(set(keys)) == len(hints)
    assert min(keys) >= 0
    assert hints_key(socket.AF_INET, 1, 6, 0) == hints_key(2, socket.SOCK_STREAM, 6, 0)
    for hint in ((-1, 0, 0, 0), (0, 1 << 24, 0, 0), (0, 0, -1, 0), (0, 0, 0, socket.AI_V4MAPPED)):
        assert hints_key(*hint) == NOT_KEPT
    assert hints_key(None, 0, 0, 0) == hints_key(1 << 80, 0, 0, 0) == NOT_KEPT


# Bounds


def test_results_stay_within_the_octets_of_the_cache(host, dns_server):
    dns_server.add(*(f"n{number}.example. 60 A 192.0.2.{number}" for number in range(100)))
    with host.resolver(cache_bytes=60_000) as resolver:
        cache = resolver._shared.cache
        assert cache is not None
        for number in range(100):
            for kind in (0, socket.SOCK_STREAM, socket.SOCK_DGRAM):
                resolver.getaddrinfo(f"n{number}.example", 80, socket.AF_INET, kind)
                assert cache.octets + cache.lent <= 60_000
                assert cache.lent <= 15_000
        assert 0 < len(results_of(resolver)) <= 25
        assert resolver.stats()["cache"]["octets"] == cache.octets + cache.lent
        results_of(resolver).clear()
        assert cache.lent == 0


def test_results_are_for_no_more_hosts_than_the_cache_has_entries(host, dns_server):
    with host.resolver(cache_entries=10) as resolver:
        for number in range(100):
            resolver.getaddrinfo(f"127.0.0.{number}", 80)
            assert len(results_of(resolver)) <= 10


def test_what_a_resolver_lent_goes_with_its_engine(host, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    with host.resolver() as resolver:
        cache = resolver._shared.cache
        assert cache is not None
        for _ in range(3):
            resolver.lookup("www.example")
        assert cache.lent > 0
        resolver.set_servers([dns_server.address], {"test": [dns_server.address]})
        resolver._engine()
        assert cache.lent == 0


def test_many_variants_of_one_host_do_not_pile_up(resolver):
    for port in range(200):
        resolver.getaddrinfo("127.0.0.1", port)
    cache = resolver._shared.cache
    assert cache is not None
    assert cache.lent < 20_000


# Threads and forks


def test_threads_that_share_a_resolver_are_answered_right_while_it_is_flushed(dns_server):
    dns_server.add(*(f"n{number}.example. 60 A 192.0.2.{number}" for number in range(8)))
    wrong: list[object] = []
    with gdns.Resolver(nameservers=[dns_server.address], cache_bytes=40_000) as resolver:

        def work() -> None:
            try:
                for turn in range(300):
                    number = turn % 8
                    found = resolver.getaddrinfo(f"n{number}.example", 80, socket.AF_INET, socket.SOCK_STREAM)
                    if [info[4][0] for info in found] != [f"192.0.2.{number}"]:
                        wrong.append(found)
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            resolver.flush("n1.example")
            resolver.flush()
            threads[0].join(0.001)
        for thread in threads:
            thread.join()
        cache = resolver._shared.cache
        assert cache is not None
        assert cache.octets + cache.lent <= 40_000
    assert wrong == []


def test_a_child_of_a_fork_goes_on_with_what_is_ready(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    for _ in range(3):
        resolver.lookup("www.example")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if resolver.lookup("www.example") == ("192.0.2.7",) and resolver.flush() > 0:
                status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert resolver.lookup("www.example") == ("192.0.2.7",)


# Resolvers that share


def test_a_twin_on_another_hub_has_results_of_its_own(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    hub = resolver._engine().hub
    for _ in range(3):
        resolver.lookup("www.example")
    twin = resolver._for_hub(hub)
    assert twin._local.here.results is None
    first, second, third = (twin.lookup("www.example") for _ in range(3))
    assert first == second == third == ("192.0.2.7",)
    assert third is second
    twin.close()
    with pytest.raises(gdns.ResolverClosed):
        twin.lookup("www.example")
    assert resolver.lookup("www.example") == ("192.0.2.7",)
