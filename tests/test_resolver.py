"""The public resolver: its settings, its engines, its end; and the module's functions."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading

import gevent
import pytest

import gdns
from gdns import ConfigError, GaiError, Resolver, ResolverClosed
from gdns.hubs import NativeHub
from gdns.testing import Server, delay, silent


@pytest.fixture
def resolver(dns_server, runner):
    with Resolver(nameservers=[dns_server.address], timeout=2.0, hub=runner.hub) as made:
        yield made


# Settings


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"nameservers": []}, "nameservers: expected at least one"),
        ({"nameservers": "192.0.2.1"}, "nameservers: expected a list"),
        ({"nameservers": ["ns1.example"]}, "'ns1.example' is not a numeric IP address"),
        ({"nameservers": ["https://192.0.2.1"]}, "scheme 'https' is not known"),
        ({"timeout": 0}, "timeout: expected a positive number"),
        ({"timeout": -1.0}, "timeout: expected a positive number"),
        ({"timeout": float("nan")}, "timeout: expected a positive number"),
        ({"timeout": float("inf")}, "timeout: expected a positive number"),
        ({"attempts": 0}, "attempts: expected 1 to"),
        ({"lifetime": 0.0}, "lifetime: expected a positive number"),
        ({"ndots": 16}, "ndots: expected 0 to 15"),
        ({"search": "corp.example"}, "search: expected a list"),
        ({"search": ["a..b"]}, "search: 'a..b' is not a domain name"),
        ({"search": ["x" * 64]}, "is not a domain name"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name(settings, complaint):
    with pytest.raises(ConfigError) as caught:
        Resolver(**settings)
    assert complaint in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "settings",
    [
        {"nameservers": [b"192.0.2.1"]},
        {"timeout": "5"},
        {"timeout": True},
        {"attempts": 2.0},
        {"ndots": None, "attempts": "2"},
        {"search": [b"corp.example"]},
    ],
)
def test_a_setting_of_the_wrong_type_is_a_type_error(settings):
    with pytest.raises(TypeError):
        Resolver(**settings)


def test_search_and_ndots_are_those_given(dns_server):
    dns_server.add("www.corp.example. 60 A 192.0.2.7")
    with Resolver(nameservers=[dns_server.address], search=["corp.example"], ndots=2) as resolver:
        assert resolver.lookup("www", socket.AF_INET) == ("192.0.2.7",)
        assert resolver.gethostbyname("www.corp.example") == "192.0.2.7"
    assert dns_server.questions[0] == ("www.corp.example.", "A")


def test_given_nameservers_leave_the_systems_search_list_alone(dns_server):
    with Resolver(nameservers=[dns_server.address]) as resolver, pytest.raises(GaiError):
        resolver.gethostbyname("no-such-single-label")
    assert set(dns_server.questions) == {("no-such-single-label.", "A")}


def test_edns_is_off_unless_asked_for(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    for edns in (None, True):
        with Resolver(nameservers=[dns_server.address], edns=edns) as resolver:
            resolver.gethostbyname("www.example")
    assert [query.edns for query in dns_server.queries] == [False, True]


def test_a_server_may_be_asked_over_tcp_alone(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    with Resolver(nameservers=[f"tcp://{dns_server.address}"]) as resolver:
        assert resolver.gethostbyname("www.example") == "192.0.2.7"
    assert [query.transport for query in dns_server.queries] == ["tcp"]


def test_a_lifetime_caps_the_whole_look_up(dns_server, runner):
    dns_server.fault(None, silent())
    search = [f"s{number}.example" for number in range(5)]
    with Resolver(
        nameservers=[dns_server.address], timeout=0.5, search=search, lifetime=0.1, hub=runner.hub
    ) as resolver:
        with pytest.raises(GaiError) as caught:
            resolver.getaddrinfo("www", 80)
        assert caught.value.errno == socket.EAI_AGAIN
        assert caught.value.outcome.elapsed < 0.4


# The system's settings


def run_with_resolv_conf(tmp_path, content: str | None, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program that finds `SYSTEM`, settings of which resolv.conf holds `content`."""
    path = tmp_path / "resolv.conf"
    if content is not None:
        path.write_text(content)
    preamble = f"""if True:
        import logging, gdns, gdns.resolver, functools
        from gdns.config import System
        logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
        gdns.resolver.System = functools.partial(System, resolv_conf={str(path)!r})
    """
    return subprocess.run(
        [sys.executable, "-c", preamble + program], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("content", [None, "", "nameserver nonsense\n", "search corp.example\n"])
def test_without_a_server_in_resolv_conf_this_host_is_asked_and_one_warning_names_the_file(tmp_path, content):
    done = run_with_resolv_conf(
        tmp_path,
        content,
        """
        for _ in range(2):
            resolver = gdns.Resolver()
            print([server.name for server in resolver._engine().stub.servers.all])
    """,
    )
    assert done.stdout.splitlines() == ["['127.0.0.1:53']"] * 2, done.stderr
    assert done.stderr.count("WARNING gdns") == 1
    assert str(tmp_path / "resolv.conf") in done.stderr


def test_resolv_conf_says_whom_to_ask_and_how(tmp_path):
    content = "nameserver 127.0.0.2\nnameserver ::1\noptions timeout:3 attempts:4 edns0\n"
    done = run_with_resolv_conf(
        tmp_path,
        content,
        """
        stub = gdns.Resolver()._engine().stub
        print([server.name for server in stub.servers.all], stub.timeout, stub.attempts, stub.wishes)
    """,
    )
    assert done.stdout.strip() == "['127.0.0.2:53', '[::1]:53'] 3.0 4 2", done.stderr


def test_a_changed_resolv_conf_means_a_new_engine_while_the_old_one_drains(tmp_path, dns_server, runner):
    from gdns.config import System

    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    now = [0.0]
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.2\n")
    resolver = Resolver(hub=runner.hub)
    resolver._system = resolver._front.system = System(resolv_conf=str(path), clock=lambda: now[0])
    first = resolver._engine()
    assert resolver._engine() is first
    path.write_text("nameserver 127.0.0.3\n")
    assert resolver._engine() is first, "looked at again within the second"
    now[0] = 1.5
    second = resolver._engine()
    assert [server.name for server in second.stub.servers.all] == ["127.0.0.3:53"]
    assert first.stub.is_closed
    resolver.close()


def test_what_changes_in_files_that_were_overridden_changes_nothing(tmp_path, dns_server, runner):
    from gdns.config import System

    now = [0.0]
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.2\n")
    with Resolver(nameservers=[dns_server.address], hub=runner.hub) as resolver:
        resolver._system = resolver._front.system = System(resolv_conf=str(path), clock=lambda: now[0])
        engine = resolver._engine()
        path.write_text("nameserver 127.0.0.3\n")
        now[0] = 1.5
        assert resolver._engine() is engine
        assert not engine.stub.is_closed


# Bad input: refused before anything is sent


@pytest.mark.parametrize("host", ["www\0.example", b"www\0.example"])
@pytest.mark.parametrize("function", ["getaddrinfo", "gethostbyname", "gethostbyname_ex", "lookup"])
def test_a_nul_is_a_type_error_everywhere(resolver, dns_server, function, host):
    arguments = (host, 80) if function == "getaddrinfo" else (host,)
    with pytest.raises(TypeError):
        getattr(resolver, function)(*arguments)
    assert dns_server.questions == []


def test_a_nul_is_a_type_error_in_resolve_too(resolver, dns_server):
    with pytest.raises(TypeError):
        resolver.resolve("www\0.example")
    assert dns_server.questions == []


@pytest.mark.parametrize("host", ["a..b", "x" * 64, ".example"])
def test_a_name_with_an_impossible_label_raises_what_the_socket_module_raises(resolver, dns_server, host):
    with pytest.raises(UnicodeError) as ours:
        resolver.getaddrinfo(host, 80)
    with pytest.raises(UnicodeError) as theirs:
        socket.getaddrinfo(host, 80, flags=socket.AI_NUMERICHOST)
    assert str(ours.value) == str(theirs.value)
    assert dns_server.questions == []


@pytest.mark.parametrize("host", [7, 1.5, ["www.example"], object()])
def test_a_host_of_the_wrong_type_is_a_type_error(resolver, dns_server, host):
    for ask in (lambda: resolver.getaddrinfo(host, 80), lambda: resolver.gethostbyname(host)):
        with pytest.raises(TypeError):
            ask()
    assert dns_server.questions == []


# Engines


def test_each_thread_has_an_engine_of_its_own_on_its_hub(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    answers = []
    with Resolver(nameservers=[dns_server.address]) as resolver:

        def work() -> None:
            hub = NativeHub.of_this_thread()
            tasks = [hub.spawn(resolver.gethostbyname, "www.example") for _ in range(10)]
            hub.join(*tasks)
            answers.extend(task.get() for task in tasks)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert answers == ["192.0.2.7"] * 40


def test_a_greenlet_of_gevent_is_parked_on_gevents_hub(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.05))
    turns = []

    def tick() -> None:
        while True:
            turns.append(None)
            gevent.sleep(0.001)

    ticker = gevent.spawn(tick)
    with Resolver(nameservers=[dns_server.address]) as resolver:
        greenlet = gevent.spawn(resolver.gethostbyname, "www.example")
        assert greenlet.get(timeout=5) == "192.0.2.7"
    ticker.kill()
    assert len(turns) > 10


# The end


def test_closing_ends_look_ups_with_resolver_closed(resolver, runner, dns_server):
    dns_server.fault(None, silent())
    asks = [
        lambda: resolver.getaddrinfo("a.example", 80),
        lambda: resolver.gethostbyname("b.example"),
        lambda: resolver.lookup("c.example"),
        lambda: resolver.resolve("d.example", "MX"),
        lambda: resolver.gethostbyaddr("192.0.2.1"),
    ]
    tasks = [runner.spawn(ask) for ask in asks]
    runner.sleep(0.05)
    resolver.close()
    runner.join(tasks, 5)
    for task in tasks:
        with pytest.raises(ResolverClosed):
            task.get()


def test_a_closed_resolver_stays_closed(resolver, dns_server):
    resolver.close()
    resolver.close()
    with pytest.raises(ResolverClosed) as caught:
        resolver.gethostbyname("www.example")
    assert caught.value.errno == socket.EAI_FAIL
    assert "closed" in repr(resolver)
    assert dns_server.questions == []


# The module's functions


def test_the_modules_functions_are_those_of_one_default_resolver():
    assert gdns.default_resolver() is gdns.default_resolver()
    assert gdns.gethostbyname("127.0.0.1") == "127.0.0.1"
    assert gdns.lookup("::1") == ("::1",)
    assert gdns.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)
    assert gdns.getaddrinfo.__self__ is gdns.default_resolver()
    assert set(gdns.__all__) <= set(dir(gdns))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = gdns.nonsense


def test_names_are_never_logged(resolver, dns_server, caplog):
    caplog.set_level(logging.INFO, "gdns")
    with pytest.raises(GaiError):
        resolver.gethostbyname("secret.example")
    assert "secret" not in caplog.text


# Cache, domains, servers of one's own


def test_a_thousand_greenlets_that_ask_one_name_make_one_query_a_type(resolver, dns_server, run_all):
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA 2001:db8::7")
    dns_server.fault(None, delay(0.05))
    found = run_all(
        [lambda: resolver.getaddrinfo("www.example", 80)] * 500
        + [lambda: resolver.lookup("www.example")] * 500
    )
    assert sorted(dns_server.questions) == [("www.example.", "A"), ("www.example.", "AAAA")]
    assert len({id(infos) for infos in found[:500]}) == 500, "everybody has a list of their own"


def test_getaddrinfo_lookup_and_resolve_share_the_cache(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA 2001:db8::7")
    resolver.getaddrinfo("www.example", 80)
    resolver.lookup("WWW.example")
    assert resolver.resolve("www.example.", "AAAA")[0].address == "2001:db8::7"
    assert resolver.gethostbyname("www.Example.") == "192.0.2.7"
    assert dns_server.query_count == 2


def test_another_callers_spelling_never_shows(resolver, dns_server, run_all):
    dns_server.add(
        "www.example. 60 CNAME w.example.", "w.example. 60 A 192.0.2.7", "x.example. 60 A 192.0.2.8"
    )
    dns_server.fault(None, delay(0.05))
    spellings = ["x.example", "X.Example", "x.EXAMPLE"]
    asked = [
        lambda spelling=spelling: resolver.getaddrinfo(spelling, 80, flags=socket.AI_CANONNAME)[0][3]
        for spelling in spellings
    ]
    assert run_all(asked) == spellings
    assert run_all(asked) == spellings, "nor from the cache"
    assert resolver.gethostbyname_ex("www.example") == ("w.example", ["www.example"], ["192.0.2.7"])
    assert resolver.gethostbyname_ex("WWW.example") == ("w.example", ["WWW.example"], ["192.0.2.7"])


def test_the_cache_can_be_switched_off(dns_server, runner):
    dns_server.add("www.example. 60 A 192.0.2.7")
    with Resolver(nameservers=[dns_server.address], cache=False, hub=runner.hub) as resolver:
        resolver.gethostbyname("www.example")
        resolver.gethostbyname("www.example")
        assert (resolver.flush(), resolver.dump(), resolver.stats()["cache"]) == (0, [], None)
    assert dns_server.query_count == 2


def test_flush_lets_a_name_be_asked_for_again(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "*.example. 60 A 192.0.2.8")
    for name in ("www.example", "other.example", "www.example"):
        resolver.gethostbyname(name)
    assert dns_server.query_count == 2
    assert resolver.flush("WWW.example") == 1
    assert [entry.qname for entry in resolver.dump()] == ["other.example."]
    resolver.gethostbyname("www.example")
    assert dns_server.query_count == 3
    assert resolver.flush() == 2


def test_threads_share_the_cache(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    found = []
    with Resolver(nameservers=[dns_server.address]) as resolver:
        for _ in range(3):
            thread = threading.Thread(target=lambda: found.append(resolver.gethostbyname("www.example")))
            thread.start()
            thread.join()
    assert found == ["192.0.2.7"] * 3
    assert dns_server.query_count == 1


@pytest.fixture(scope="session")
def _other_process():
    with Server() as server:
        yield server


@pytest.fixture
def other_server(_other_process):
    _other_process.reset({"corp.example.": {}})
    return _other_process


def test_a_domain_is_asked_of_its_own_servers(dns_server, other_server, runner):
    dns_server.add("www.example. 60 A 192.0.2.7")
    other_server.add("www.corp.example. 60 A 192.0.2.8")
    domains = {"Corp.example": [other_server.address]}
    with Resolver(nameservers=[dns_server.address], domains=domains, hub=runner.hub) as resolver:
        assert resolver.gethostbyname("www.example") == "192.0.2.7"
        assert resolver.gethostbyname("www.corp.example") == "192.0.2.8"
        assert resolver.gethostbyname("WWW.CORP.example") == "192.0.2.8"
    assert dns_server.questions == [("www.example.", "A")]
    assert other_server.questions == [("www.corp.example.", "A")]


def test_other_servers_are_asked_from_now_on_and_nothing_under_way_is_lost(dns_server, other_server, runner):
    dns_server.add("*.example. 60 A 192.0.2.7")
    other_server.reset({"example.": {}})
    other_server.add("*.example. 60 A 192.0.2.8")
    dns_server.fault(None, delay(0.2))
    with Resolver(nameservers=[dns_server.address], hub=runner.hub) as resolver:
        old = [runner.spawn(lambda n=n: resolver.gethostbyname(f"n{n}.example")) for n in range(20)]
        dns_server.wait_for_query(count=20, sleep=runner.sleep)
        resolver.set_servers([other_server.address])
        new = [runner.spawn(lambda n=n: resolver.gethostbyname(f"n{n}.example")) for n in range(20)]
        runner.join(old + new, 10)
        assert {task.get() for task in old} == {"192.0.2.7"}
        assert {task.get() for task in new} == {"192.0.2.8"}
        resolver.set_servers([dns_server.address])
        dns_server.heal()
        assert resolver.gethostbyname("n0.example") == "192.0.2.7", "what others said is forgotten"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"domains": {"a..b": ["192.0.2.1"]}}, "domains: 'a..b' is not a domain name"),
        ({"domains": {"corp.example": []}}, "domains: corp.example: expected at least one address"),
        ({"domains": {"corp.example": "192.0.2.1"}}, "domains: corp.example: expected a list"),
        ({"domains": {"corp.example": ["x"]}}, "'x' is not a numeric IP address"),
        ({"domains": {"c.example": ["192.0.2.1"], "C.example.": ["192.0.2.1"]}}, "is there twice"),
        ({"cache_entries": 0}, "cache_entries: expected 1 to"),
        ({"cache_bytes": -1}, "cache_bytes: expected 1 to"),
        ({"min_ttl": -1}, "min_ttl: expected a positive number"),
        ({"min_ttl": 9, "max_ttl": 5}, "min_ttl: 9 is more than max_ttl, 5"),
        ({"serve_stale": float("nan")}, "serve_stale: expected a positive number"),
        ({"idna": 2010}, "idna: expected 2003 or 2008, not 2010"),
    ],
)
def test_settings_of_cache_and_domains_are_refused_by_name(settings, complaint):
    with pytest.raises(ConfigError) as caught:
        Resolver(**settings)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("domains", "complaint"),
    [([("corp.example", ["192.0.2.1"])], "expected a dict, not list"), ({b"corp": []}, "as str, not bytes")],
)
def test_domains_of_another_type_are_refused_by_it(domains, complaint):
    with pytest.raises(TypeError, match=complaint):
        Resolver(domains=domains)


def test_idna_2008_is_to_be_had_on_request(dns_server, runner):
    dns_server.add("xn--fuball-cta.example. 60 A 192.0.2.8", "fussball.example. 60 A 192.0.2.3")
    servers = [dns_server.address]
    with Resolver(servers, hub=runner.hub) as old, Resolver(servers, idna=2008, hub=runner.hub) as new:
        assert old.gethostbyname("fußball.example") == socket_like("fußball.example")
        assert new.gethostbyname("fußball.example") == "192.0.2.8"
        assert new.getaddrinfo("Fußball.example", 80)[0][4] == ("192.0.2.8", 80)
        assert new.lookup("fußball.example", socket.AF_INET) == ("192.0.2.8",)
        with pytest.raises(UnicodeError):
            new.gethostbyname("a\u2044b.example")
        assert new.resolve("fußball.example")[0].to_text() == "192.0.2.8"
        assert new.canonical_name("fußball.example").to_text() == "xn--fuball-cta.example."
        assert old.resolve("fußball.example")[0].to_text() == "192.0.2.3"
        assert new.flush("fußball.example") > 0
        assert new.flush() == 0
        new.set_servers(["127.0.0.1:9"], domains={"fußball.example": servers})
        assert new.gethostbyname("fußball.example") == "192.0.2.8"


def socket_like(host: str) -> str:
    """What CPython's encoding asks for, IDNA 2003."""
    return {b"fussball.example": "192.0.2.3"}[host.encode("idna")]


def test_stats_are_plain_numbers(resolver, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    resolver.gethostbyname("www.example")
    resolver.gethostbyname("www.example")
    stats = resolver.stats()
    assert (stats["questions"], stats["sent"], stats["outcomes"]) == (2, 1, {"answer": 1})
    assert (stats["cache"]["hits"], stats["cache"]["entries"], stats["pending"]) == (1, 1, 0)
    assert [server["address"] for server in stats["servers"]] == [dns_server.address]
    assert set(stats["dropped"].values()) == {0}
    json.dumps(stats)


def test_hooks_of_a_resolver_hear_of_all_its_engines(resolver, dns_server, runner):
    dns_server.add("www.example. 60 A 192.0.2.7")
    sent, ended = [], []
    with (
        resolver.on_query(lambda question, server: sent.append(question.qname)),
        resolver.on_outcome(ended.append),
    ):
        resolver.gethostbyname("www.example")
        runner.sleep(0.01)
    resolver.flush()
    resolver.gethostbyname("www.example")
    runner.sleep(0.01)
    assert sent == ["www.example."]
    assert [outcome.addresses for outcome in ended] == [("192.0.2.7",)]


def test_greenlets_share_an_engine_where_monkey_patching_came_first(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    program = f"""if True:
        from gevent import monkey; monkey.patch_all()
        import gevent, gdns
        resolver = gdns.Resolver(["{dns_server.address}"])
        jobs = [gevent.spawn(resolver.gethostbyname, "www.example") for _ in range(50)]
        gevent.joinall(jobs)
        print({{job.value for job in jobs}}, len(resolver._stubs))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("{'192.0.2.7'} 1\n", "")
    assert dns_server.questions == [("www.example.", "A")]


def test_names_go_out_in_random_case_on_request(dns_server, runner):
    dns_server.add("*.example. 60 A 192.0.2.7")
    names = [f"abcdefghijklmnop{number}.example" for number in range(5)]
    with Resolver(nameservers=[dns_server.address], use_0x20=True, hub=runner.hub) as resolver:
        for name in names:
            infos = resolver.getaddrinfo(name, 80, socket.AF_INET, flags=socket.AI_CANONNAME)
            assert infos[0][3] == name, "nobody sees it"
    seen = [query.qname for query in dns_server.queries]
    assert [qname.lower() for qname in seen] == [f"{name}." for name in names]
    assert all(qname != qname.lower() for qname in seen)
