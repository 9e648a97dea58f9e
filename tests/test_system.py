"""The backend "libc": the system's own resolver, where it is chosen and where there is nothing else."""

from __future__ import annotations

import _thread
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import gdns
from gdns import libc, policy
from gdns.bell import Bell

WITHOUT_EXTENSIONS = """if True:
    import importlib.machinery, importlib.util, os, sys

    class NoExtensions:
        # as on a system for which the extension modules were not built

        def find_spec(self, name, path=None, target=None):
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            if name.partition(".")[0] != "gdns" or spec is None:
                return None
            if not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
                return None
            source = os.path.join(os.path.dirname(spec.origin), name.rpartition(".")[2] + ".py")
            if not os.path.exists(source):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return importlib.util.spec_from_file_location(name, source)

    sys.meta_path.insert(0, NoExtensions())
"""


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


@pytest.fixture
def resolver(runner):
    with gdns.Resolver(backend="libc", hub=runner.hub) as made:
        yield made


def result(function, *arguments):
    try:
        return function(*arguments)
    except (OSError, UnicodeError, TypeError, OverflowError) as error:
        return (error.errno if isinstance(error, OSError) else type(error)), str(error)


CALLS = [
    ("getaddrinfo", "localhost", 80),
    ("getaddrinfo", b"localhost", "http"),
    ("getaddrinfo", "127.1", None, socket.AF_INET, socket.SOCK_DGRAM),
    ("getaddrinfo", None, 80, 0, 0, 0, socket.AI_PASSIVE),
    ("getaddrinfo", "::1", 80, socket.AF_INET),
    ("getaddrinfo", None, None),
    ("getaddrinfo", "a..b", 80),
    ("getaddrinfo", "localhost", "no-such-service"),
    ("getaddrinfo", "localhost", 1.5),
    ("gethostbyname", "localhost"),
    ("gethostbyname", ""),
    ("gethostbyname", 1),
    ("gethostbyname_ex", "localhost"),
    ("gethostbyaddr", "127.0.0.1"),
    ("getnameinfo", ("127.0.0.1", 80), 0),
    ("getnameinfo", ("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV),
    ("getnameinfo", ["127.0.0.1", 80], 0),
    ("getfqdn", "127.0.0.1"),
    ("getfqdn",),
]


@pytest.mark.parametrize("call", CALLS, ids=[" ".join(map(repr, call)) for call in CALLS])
def test_every_function_answers_as_the_systems(resolver, run_all, call):
    name, *arguments = call
    ours = run_all([lambda: result(getattr(resolver, name), *arguments)])
    assert ours == [result(getattr(socket, name), *arguments)]


def test_errors_are_those_of_gdns(resolver, run_all):
    def fail():
        with pytest.raises(gdns.GaiError) as raised:
            resolver.getaddrinfo("localhost", "no-such-service")
        return raised.value.errno

    assert run_all([fail]) == [socket.EAI_SERVICE]


def test_addresses_are_looked_up_once_each(resolver, run_all):
    (addresses,) = run_all([lambda: resolver.lookup("localhost", socket.AF_INET)])
    assert addresses == ("127.0.0.1",)


@pytest.mark.parametrize(
    "name", ["getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "lookup"]
)
@pytest.mark.parametrize("host", ["localhost\0.example", b"localhost\0"])
def test_a_nul_is_refused(resolver, name, host):
    with pytest.raises(TypeError, match="null"):
        getattr(resolver, name)(host, *([80] if name == "getaddrinfo" else []))


@pytest.mark.parametrize(
    "name", ["resolve", "resolve_address", "resolve_name", "canonical_name", "zone_for_name", "explain"]
)
def test_records_cannot_be_asked_for_and_the_error_says_why(resolver, name):
    with pytest.raises(NotImplementedError, match=rf'{name}\(\) .* backend="libc" was chosen'):
        getattr(resolver, name)("www.example")


def test_it_is_a_resolver_like_others():
    with gdns.Resolver(backend="libc") as resolver:
        assert isinstance(resolver, gdns.Resolver)
        assert resolver.flush() == 0
        assert resolver.stats()


def test_other_backends_are_named():
    with pytest.raises(gdns.ConfigError, match="'auto', 'native', 'libc', not 'glibc'"):
        gdns.Resolver(backend="glibc")


def test_settings_are_checked_all_the_same():
    with pytest.raises(gdns.ConfigError, match="timeout"):
        gdns.Resolver(backend="libc", timeout=-1)


def test_many_at_once_do_not_stop_the_hub(resolver, runner):
    turns = []
    done = []

    def look_up():
        resolver.lookup("localhost")
        done.append(1)

    def count():
        while len(done) < 40:
            turns.append(1)
            runner.sleep(0)

    runner.join([runner.spawn(look_up) for _ in range(40)] + [runner.spawn(count)], 30)
    assert len(done) == 40
    assert turns


def test_the_policy_is_asked_there_too(runner, run_all):
    asked = []

    def none_at_all(host, address):
        asked.append((host, address))
        return False

    with gdns.Resolver(backend="libc", hub=runner.hub, policy=none_at_all) as resolver:
        for look_up in (
            lambda: resolver.getaddrinfo("localhost", 80, socket.AF_INET),
            lambda: resolver.getaddrinfo(b"localhost", 80, socket.AF_INET),
            lambda: resolver.gethostbyname("localhost"),
            lambda: resolver.gethostbyname_ex("localhost"),
            lambda: resolver.lookup("localhost", socket.AF_INET),
            lambda: resolver.create_connection(("localhost", 80)),
        ):
            with pytest.raises(gdns.AddressRefused):
                run_all([look_up])
    assert set(asked) <= {("localhost", "127.0.0.1"), ("localhost", "::1")}
    assert len(asked) >= 6


def test_connections_are_made_to_the_systems_addresses(runner, run_all):
    def connect():
        with resolver.create_connection(("localhost", port), 5.0) as connection:
            return connection.getpeername()[:2]

    with (
        gdns.Resolver(backend="libc", hub=runner.hub) as resolver,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        port = listener.getsockname()[1]
        assert run_all([connect]) == [("127.0.0.1", port)]
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            run_all([connect])


# The bell


def pass_through(lock):
    with lock:
        return "through"


@pytest.fixture
def gate():
    lock = _thread.allocate_lock()
    lock.acquire()
    yield lock
    if lock.locked():
        lock.release()


@pytest.fixture
def bell(runner):
    made = Bell(runner.hub)
    yield made
    made.close()


def test_the_hub_goes_on_while_a_call_blocks(bell, runner, gate):
    blocked = runner.spawn(lambda: libc.call(bell, None, pass_through, gate))
    runner.sleep(0)
    runner.join([blocked, runner.spawn(gate.release)], 5)
    assert blocked.value == "through"


def test_a_lifetime_ends_a_wait(bell, runner, gate):
    def wait():
        with pytest.raises(gdns.GaiError) as raised:
            libc.call(bell, 0.02, pass_through, gate)
        return raised.value.errno

    task = runner.spawn(wait)
    runner.join([task], 5)
    assert task.value == socket.EAI_AGAIN


def test_closing_ends_every_wait(bell, runner, gate):
    def wait():
        with pytest.raises(gdns.ResolverClosed):
            libc.call(bell, None, pass_through, gate)
        return "closed"

    tasks = [runner.spawn(wait) for _ in range(3)]
    runner.sleep(0)
    bell.close()
    bell.close()
    runner.join(tasks, 5)
    assert [task.value for task in tasks] == ["closed"] * 3


def test_a_killed_greenlet_leaves_the_bell_to_others(bell, runner, gate):
    killed = runner.spawn(lambda: libc.call(bell, None, pass_through, gate))
    other = runner.spawn(lambda: libc.call(bell, None, pass_through, gate))
    runner.sleep(0)
    runner.kill(killed)
    gate.release()
    runner.join([other], 5)
    assert other.value == "through"


def test_bells_give_their_descriptors_back(runner, run_all):
    with gdns.Resolver(backend="libc", hub=runner.hub) as resolver:
        run_all([lambda: resolver.lookup("localhost")])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with gdns.Resolver(backend="libc", hub=runner.hub) as resolver:
            run_all([lambda resolver=resolver: resolver.lookup("localhost")])
    assert len(os.listdir("/proc/self/fd")) <= before


def test_parent_and_child_both_look_up_after_a_fork():
    done = run("""if True:
        import os, gdns
        resolver = gdns.Resolver(backend="libc")
        resolver.lookup("localhost")
        child = os.fork()
        assert "127.0.0.1" in resolver.lookup("localhost", 2)
        if child:
            print(os.waitpid(child, 0)[1], resolver.lookup("localhost", 2))
        else:
            os._exit(0)
    """)
    assert done.stdout.split() == ["0", "('127.0.0.1',)"], done.stderr


# GDNS_DISABLE


@pytest.mark.parametrize(("value", "is_disabled"), [("1", True), ("0", False), ("", False)])
def test_the_environment_sends_everything_to_the_systems_resolver(dns_server, value, is_disabled):
    dns_server.add("www.example. 60 A 192.0.2.7")
    program = f"""if True:
        import gdns
        with gdns.Resolver(nameservers=[{dns_server.address!r}]) as resolver:
            print(resolver.lookup("localhost", 2))
            try:
                print(resolver.resolve("www.example.")[0])
            except NotImplementedError as error:
                print("GDNS_DISABLE=1 is in the environment" in str(error))
        print(gdns.gethostbyname("localhost"))
        with gdns.Resolver(nameservers=[{dns_server.address!r}], backend="native") as resolver:
            print(resolver.resolve("www.example.")[0])
    """
    done = run(program, GDNS_DISABLE=value)
    answer = "True" if is_disabled else "192.0.2.7"
    assert done.stdout.splitlines() == ["('127.0.0.1',)", answer, "127.0.0.1", "192.0.2.7"], done.stderr


def test_dnspython_is_left_alone_where_gdns_is_disabled(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    program = f"""if True:
        import gdns, dns.resolver
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], {dns_server.port}
        with gdns.patch_dnspython():
            answer = resolver.resolve("www.example.")
        print(type(answer).__module__, answer[0])
    """
    assert run(program, GDNS_DISABLE="1").stdout.split() == ["dns.resolver", "192.0.2.7"]


# Without the extension modules


def test_every_extension_that_may_be_missing_is_known_as_one():
    sources = Path(gdns.__file__).parent.glob("_*.pyx")
    assert sorted(f"gdns.{source.stem}" for source in sources) == sorted(gdns._EXTENSIONS)


def test_gdns_can_be_imported_without_its_extensions():
    program = (
        WITHOUT_EXTENSIONS
        + """
    import gdns
    assert gdns.gethostbyname("localhost") == "127.0.0.1"
    assert ("127.0.0.1", 80) in [row[4] for row in gdns.getaddrinfo("localhost", 80, 2)]
    assert gdns.lookup("localhost", 2) == ("127.0.0.1",)
    with gdns.Resolver(["192.0.2.1"], timeout=1.0) as resolver:
        print(resolver.getnameinfo(("127.0.0.1", 80), 3)[0], resolver)
    for function in (gdns.resolve, gdns.resolve_name, gdns.zone_for_name):
        try:
            function("www.example.")
        except NotImplementedError as error:
            print("No module named 'gdns._" in str(error))
    with gdns.patch_dnspython() as switch:
        print(switch.is_on, issubclass(gdns.NXDOMAIN, Exception))
    sys.modules.pop("dns")
    try:
        gdns.Resolver(backend="native")
    except gdns.ConfigError as error:
        print("cannot serve" in str(error))
    print([name for name in sys.modules if name.startswith("gdns._") and name != "gdns._version"])
    print([name for name in ("dns", "gevent", "pycares") if name in sys.modules])
"""
    )
    done = run(program)
    assert done.stdout.splitlines() == [
        "127.0.0.1 <gdns.Resolver of the system's own resolver>",
        *["True"] * 3,
        "False True",
        "True",
        "[]",
        "[]",
    ], done.stderr
    (warning, of_patch) = done.stderr.splitlines()
    assert "dnspython is left as it is" in of_patch
    assert "extension modules cannot be imported (No module named 'gdns._" in warning
    assert "resolve() does not" in warning


def test_a_mistake_below_the_engine_is_raised_and_not_taken_for_a_missing_extension():
    program = """if True:
        import sys, gdns
        sys.modules["gdns.netdb"] = None  # as if it failed to import what it needs
        try:
            gdns.gethostbyname("localhost")
        except ImportError as error:
            print(error.name)
    """
    done = run(program)
    assert (done.stdout.strip(), done.stderr) == ("gdns.netdb", "")


def test_on_gevent_it_serves_without_the_extensions_too():
    program = (
        WITHOUT_EXTENSIONS
        + """
    import gevent, gdns
    tasks = [gevent.spawn(gdns.lookup, "localhost", 2) for _ in range(10)]
    gevent.joinall(tasks, timeout=20)
    print({task.value for task in tasks})
"""
    )
    assert run(program).stdout.strip() == "{('127.0.0.1',)}"


def test_it_serves_where_the_modules_lack_what_only_linux_has():
    program = (
        WITHOUT_EXTENSIONS
        + """
    import select, socket
    for module, prefixes in (
        (select, ("epoll", "EPOLL")),
        (socket, ("SOCK_NONBLOCK", "SOCK_CLOEXEC", "AF_NETLINK", "AF_PACKET", "NETLINK_", "PACKET_")),
        (os, ("pipe2", "eventfd", "EFD_", "sched_", "SCHED_", "getrandom", "GRND_")),
    ):
        for name in dir(module):
            if name.startswith(prefixes):
                delattr(module, name)
    import gdns
    from gdns.hubs import NativeHub
    hub = NativeHub.of_this_thread()
    tasks = [hub.spawn(gdns.lookup, "localhost", 2) for _ in range(10)]
    hub.join(*tasks)
    print({task.get() for task in tasks})
    listener = socket.create_server(("127.0.0.1", 0))
    with gdns.create_connection(("localhost", listener.getsockname()[1]), 5.0) as made:
        print(made.getpeername()[0], made.gettimeout())
    child = os.fork()
    if child == 0:
        print(gdns.lookup("localhost", 2), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
    )
    done = run(program)
    assert done.stdout.splitlines() == [
        "{('127.0.0.1',)}",
        "127.0.0.1 5.0",
        "('127.0.0.1',)",
    ], done.stderr


# Overrides and policies: the switch to throw at three in the morning opens no door


def functions(resolver, host):
    return {
        "getaddrinfo": lambda: resolver.getaddrinfo(host, 80, 0, socket.SOCK_STREAM)[0][4][0],
        "lookup": lambda: resolver.lookup(host)[0],
        "gethostbyname": lambda: resolver.gethostbyname(host),
        "gethostbyname_ex": lambda: resolver.gethostbyname_ex(host)[2][0],
    }


@pytest.mark.parametrize("function", ["getaddrinfo", "lookup", "gethostbyname", "gethostbyname_ex"])
def test_overrides_come_before_the_system(resolver, run_all, function):
    given = {"api.example": ["192.0.2.10", "2001:db8::1"], "gone.example": None, "localhost": "192.0.2.11"}
    with gdns.override(given):
        for host in ("api.example", "API.example."):
            assert run_all([functions(resolver, host)[function]]) == ["192.0.2.10"]
        assert run_all([functions(resolver, "localhost")[function]]) == ["192.0.2.11"]
        with pytest.raises(gdns.GaiError) as caught:
            run_all([functions(resolver, "gone.example")[function]])
    assert caught.value.errno == socket.EAI_NONAME


def test_names_beyond_ascii_are_written_as_idna_says(run_all):
    given = {"fußball.example": "192.0.2.8", "fussball.example": "192.0.2.3"}
    for idna, expected in ((2003, "192.0.2.3"), (2008, "192.0.2.8")):
        own = given if idna == 2008 else {"fussball.example": "192.0.2.3"}
        with gdns.Resolver(backend="libc", idna=idna, override=own) as made:
            asked = [made.gethostbyname, lambda host: made.lookup(host)[0]]
            asked += [lambda host: made.getaddrinfo(host, 80)[0][4][0]]
            for function in asked:
                assert run_all([lambda function=function: function("fußball.example")]) == [expected]


def test_getaddrinfo_gives_an_overridden_host_as_the_other_backend_does(resolver, run_all, dns_server):
    given = {"api.example": ["192.0.2.10", "2001:db8::1"], ("api.example", 443): "192.0.2.11"}
    calls = [
        ("api.example", port, family, kind, 0, flags)
        for port in (80, "https", "443", None)
        for family in (0, socket.AF_INET, socket.AF_INET6)
        for kind in (0, socket.SOCK_STREAM)
        for flags in (0, socket.AI_CANONNAME, socket.AI_V4MAPPED, socket.AI_V4MAPPED | socket.AI_ALL)
    ]
    calls += [("api.example", "no-such-service"), (b"Api.Example", 80), ("api.example", 1.5)]
    calls += [("api.example", 80, 0, 0, 0, socket.AI_NUMERICHOST)]
    with gdns.override(given), gdns.Resolver(nameservers=[dns_server.address], backend="native") as native:
        for call in calls:
            theirs = result(native.getaddrinfo, *call)
            assert run_all([lambda call=call: result(resolver.getaddrinfo, *call)]) == [theirs], call


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0x7f.1", "::1", "given.example", "*", "0"])
def test_no_function_gives_an_address_that_the_policy_refuses(runner, run_all, host):
    with gdns.Resolver(
        backend="libc", hub=runner.hub, policy=policy.public_only, override={"given.example": "10.0.0.1"}
    ) as resolver:
        calls = functions(resolver, host) | {
            "gethostbyaddr": lambda: resolver.gethostbyaddr(host),
            "create_connection": lambda: resolver.create_connection((host, 80), 5.0),
        }
        if host == "*":
            calls = {name: calls[name] for name in ("getaddrinfo", "create_connection")}
        if host == "::1":
            del calls["gethostbyname"], calls["gethostbyname_ex"]
        ends = {name: run_all([lambda call=call: result(call)])[0][1] for name, call in calls.items()}
        given = [name for name, end in ends.items() if "policy refused" not in end]
        # the system itself does not take that form there (docs/parity.md)
        assert given == (["gethostbyname_ex"] if host == "0x7f.1" else [])
        assert run_all([lambda: resolver.getfqdn("127.0.0.1")]) == [socket.getfqdn("127.0.0.1")]


def test_a_connection_is_made_to_what_the_system_finds(runner, run_all):
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        gdns.Resolver(backend="libc", hub=runner.hub) as resolver,
    ):
        port = listener.getsockname()[1]
        for host in ("localhost", "127.0.0.1"):
            (made,) = run_all([lambda host=host: resolver.create_connection((host, port), 5.0)])
            assert made.getpeername()[1] == port
            made.close()
        (made,) = run_all(
            [lambda: resolver.create_connection(("127.0.0.1", port), 5.0, source_address=("localhost", 0))]
        )
        assert made.getsockname()[0] == "127.0.0.1"
        made.close()
        with resolver.override({("api.example", port): ["127.0.0.2", "127.0.0.1"]}):
            (made,) = run_all([lambda: resolver.create_connection(("api.example", port), 5.0)])
            assert made.getpeername() == ("127.0.0.1", port)
            made.close()


def test_all_of_this_works_without_the_extensions():
    program = f"""{WITHOUT_EXTENSIONS}
    import logging
    logging.getLogger("gdns").addHandler(logging.NullHandler())
    import gdns, socket
    from gdns import policy
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with gdns.override({{"api.example": "127.0.0.1"}}):
        print(gdns.gethostbyname("api.example"), gdns.lookup("api.example"))
        made = gdns.create_connection(("api.example", port), 5.0)
        print(made.getpeername()[0], made.gettimeout())
        resolver = gdns.Resolver(policy=policy.public_only, override={{"own.example": "8.8.8.8"}})
        print(resolver.lookup("own.example"))
        connect = lambda host: resolver.create_connection((host, port))
        for function in (resolver.lookup, resolver.gethostbyname, connect):
            try:
                function("api.example")
            except gdns.AddressRefused as error:
                print(error.host, error.addresses)
        print(resolver.flush(), gdns.flush("own.example"), resolver.stats(), gdns.stats())
    print(gdns.Resolver.__module__)
    """
    done = run(program)
    assert done.stdout.splitlines() == [
        "127.0.0.1 ('127.0.0.1',)",
        "127.0.0.1 5.0",
        "('8.8.8.8',)",
        *["api.example ('127.0.0.1',)"] * 3,
        "0 0 {} {}",
        "gdns.alone",
    ], done.stderr
