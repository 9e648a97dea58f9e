"""The public resolver: its settings, its engines, its end; and the module's functions."""

from __future__ import annotations

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
from gdns.testing import delay, silent


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
    resolver._system = System(resolv_conf=str(path), clock=lambda: now[0])
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
        resolver._system = System(resolv_conf=str(path), clock=lambda: now[0])
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
