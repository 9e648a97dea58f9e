"""Connections to whichever address of a host answers first."""

from __future__ import annotations

import gc
import importlib.util
import os
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from socket import AF_INET, AF_INET6, SOCK_STREAM

import gevent
import gevent.socket
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gdns
from gdns import AddressRefused, ConfigError, GaiError, Resolver, policy
from gdns.beside import Helper
from gdns.connect import _Race, create_connection, interleaved, refusals
from gdns.eager import NssFinder
from gdns.testing import delay, silent
from tests.parity import world

sys.path.insert(0, str(Path(__file__).parent.parent))

_tries: list[tuple[str, int]] = []


def _remember(event, arguments):
    if (
        event == "socket.connect" and arguments[0].type == SOCK_STREAM
    ):  # UDP is how source addresses are learnt
        _tries.append(arguments[1][:2])


sys.addaudithook(_remember)  # it stays, as all do; it is told of every connect of this process


@pytest.fixture
def tries(dns_server):
    """The addresses that were connected to, in order; those of DNS servers over TCP are none here."""
    _tries.clear()
    return _tries


@pytest.fixture(autouse=True)
def _no_grudges():
    refusals.clear()
    yield
    refusals.clear()


@pytest.fixture
def resolver(dns_server, runner):
    with Resolver(nameservers=[dns_server.address], timeout=5.0, attempts=1, hub=runner.hub) as made:
        made.lookup("127.0.0.1")  # its descriptors are open from now on
        yield made


class Net:
    """Listeners on one port of several addresses of loopback."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.port = 0

    def listen(self, address: str, backlog: int = 10) -> socket.socket:
        family = AF_INET6 if ":" in address else AF_INET
        listener = self._stack.enter_context(socket.socket(family, SOCK_STREAM))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, self.port))
        listener.listen(backlog)
        self.port = listener.getsockname()[1]
        return listener

    def swallow(self, address: str) -> None:
        """Listen without ever accepting, with the backlog full: further SYNs are dropped."""
        self.listen(address, 0)
        family = AF_INET6 if ":" in address else AF_INET
        for _ in range(2):
            filler = self._stack.enter_context(socket.socket(family, SOCK_STREAM))
            filler.setblocking(False)
            filler.connect_ex((address, self.port))
            select.select([], [filler], [], 0.2)
        _tries.clear()

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def net():
    made = Net()
    yield made
    made.close()


@pytest.fixture
def spawned(run_all):
    """Call a function in a greenlet of the runner's hub; its result, or what it raises."""
    return lambda function: run_all([function])[0]


@contextmanager
def descriptors_kept():
    gc.collect()
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    assert sorted(os.listdir("/proc/self/fd")) == before


# The connection


def test_the_connection_carries_octets_both_ways(resolver, net, dns_server, spawned, runner):
    listener = net.listen("127.0.0.1")
    dns_server.add("www.example. A 127.0.0.1")

    def talk():
        with resolver.create_connection(("www.example", net.port), 5.0) as connection:
            accepted, _ = listener.accept()
            with accepted:
                connection.sendall(b"ping")
                assert accepted.recv(10) == b"ping"
                accepted.sendall(b"pong")
                assert connection.recv(10) == b"pong"
            return type(connection), connection.gettimeout(), connection.getpeername()

    kind, timeout, peer = spawned(talk)
    assert kind is (gevent.socket.socket if runner.hub.name == "gevent" else socket.socket)
    assert timeout == 5.0
    assert peer == ("127.0.0.1", net.port)


@pytest.mark.parametrize(("given", "expected"), [((), None), ((None,), None), ((3,), 3.0), ((0.5,), 0.5)])
def test_the_timeout_is_that_of_the_socket_afterwards(resolver, net, spawned, given, expected):
    net.listen("127.0.0.1")

    def connect():
        with resolver.create_connection(("127.0.0.1", net.port), *given) as connection:
            return connection.gettimeout(), connection.family, connection.type

    assert spawned(connect) == (expected, AF_INET, SOCK_STREAM)


def test_the_default_timeout_counts_where_none_is_given(resolver, net, spawned):
    net.listen("127.0.0.1")
    socket.setdefaulttimeout(7.0)
    try:
        for given, expected in (((), 7.0), ((socket._GLOBAL_DEFAULT_TIMEOUT,), 7.0), ((None,), None)):
            made = spawned(lambda given=given: resolver.create_connection(("127.0.0.1", net.port), *given))
            assert made.gettimeout() == expected
            made.close()
    finally:
        socket.setdefaulttimeout(None)


def test_a_plain_socket_without_timeout_blocks(dns_server, net):
    from gdns.hubs import NativeHub

    listener = net.listen("127.0.0.1")
    with Resolver(nameservers=[dns_server.address], hub=NativeHub.of_this_thread()) as resolver:
        connection = resolver.create_connection(("127.0.0.1", net.port))
    accepted, _ = listener.accept()
    thread = threading.Timer(0.05, accepted.sendall, (b"late",))
    thread.start()
    assert os.get_blocking(connection.fileno())
    assert connection.recv(10) == b"late"
    thread.join()
    connection.close()
    accepted.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", b"127.0.0.1", "localhost", None])
def test_hosts_need_no_dns(resolver, net, spawned, host, dns_server):
    net.listen("127.0.0.1")
    net.listen("::1")
    spawned(lambda: resolver.create_connection((host, net.port), 5.0)).close()
    spawned(lambda: resolver.create_connection((host, str(net.port)), 5.0)).close()
    assert dns_server.questions == []


def test_the_module_has_it_too(net):
    net.listen("127.0.0.1")
    with gdns.create_connection(("127.0.0.1", net.port), 5.0) as connection:
        assert connection.getpeername() == ("127.0.0.1", net.port)


def test_other_greenlets_go_on_meanwhile(resolver, net, run_all, runner):
    net.swallow("127.0.0.1")
    turns = []

    def turn():
        for _ in range(5):
            runner.sleep(0.005)
            turns.append(1)

    def connect():
        with pytest.raises(TimeoutError):
            resolver.create_connection(("127.0.0.1", net.port), 0.3)
        return len(turns)

    assert run_all([connect, turn])[0] == 5


# Which address


def test_an_address_that_refuses_gives_way_at_once(resolver, net, spawned, tries):
    net.listen("127.0.0.2")
    with resolver.override({"www.example": ["127.0.0.1", "127.0.0.2"]}):
        began = time.monotonic()
        with spawned(
            lambda: resolver.create_connection(("www.example", net.port), 30.0, attempt_delay=10.0)
        ) as connection:
            assert connection.getpeername()[0] == "127.0.0.2"
    assert time.monotonic() - began < 9.0  # it has not waited for the delay
    assert [address for address, _ in tries] == ["127.0.0.1", "127.0.0.2"]


def test_an_address_that_is_silent_is_overtaken_after_the_delay(resolver, net, spawned, tries):
    net.swallow("127.0.0.1")
    net.listen("127.0.0.2")
    with resolver.override({"www.example": ["127.0.0.1", "127.0.0.2"]}), descriptors_kept():
        began = time.monotonic()
        with spawned(
            lambda: resolver.create_connection(("www.example", net.port), 30.0, attempt_delay=0.05)
        ) as connection:
            elapsed = time.monotonic() - began
            assert connection.getpeername()[0] == "127.0.0.2"
        assert 0.048 <= elapsed < 5.0
    assert [address for address, _ in tries] == ["127.0.0.1", "127.0.0.2"]


def test_an_address_that_answers_in_time_is_the_only_one_tried(resolver, net, spawned, tries):
    net.listen("127.0.0.1")
    net.listen("127.0.0.2")
    with resolver.override({"www.example": ["127.0.0.1", "127.0.0.2"]}):
        spawned(lambda: resolver.create_connection(("www.example", net.port), attempt_delay=5.0)).close()
    assert tries == [("127.0.0.1", net.port)]


def test_families_take_turns_beginning_with_the_preferred(resolver, net, spawned, tries):
    net.listen("::1")  # whose port nobody else uses, so that all others refuse
    with resolver.override({"www.example": ["127.0.0.3", "127.0.0.4", "127.0.0.5", "::1"]}):
        spawned(lambda: resolver.create_connection(("www.example", net.port), 5.0)).close()
    assert [address for address, _ in tries] == ["127.0.0.3", "::1"]


addresses = st.lists(
    st.tuples(st.sampled_from([AF_INET, AF_INET6]), st.integers(0, 10**6)), unique=True, max_size=12
)


def infos_of(rows):
    return [(family, 1, 6, "", (str(number), 80)) for family, number in rows]


@given(addresses, st.sampled_from([0, AF_INET, AF_INET6]))
def test_interleaving_loses_nothing_and_keeps_each_familys_order(rows, after):
    infos = infos_of(rows)
    mixed = interleaved(infos, after)
    assert sorted(mixed) == sorted(infos)
    for family in (AF_INET, AF_INET6):
        assert [i for i in mixed if i[0] == family] == [i for i in infos if i[0] == family]
    families = [info[0] for info in mixed]
    if len(set(families)) == 2:
        assert families[0] == (infos[0][0] if infos[0][0] != after else ({AF_INET, AF_INET6} - {after}).pop())
        shorter = min(families.count(AF_INET), families.count(AF_INET6))
        turns = families[: 2 * shorter]
        assert all(one != other for one, other in pairwise(turns))


def test_an_address_that_refused_is_tried_last_for_a_while(resolver, net, spawned, tries):
    net.listen("127.0.0.2")
    with resolver.override({"www.example": ["127.0.0.1", "127.0.0.2"]}):
        for _ in range(3):
            spawned(lambda: resolver.create_connection(("www.example", net.port), 5.0)).close()
    assert [address for address, _ in tries] == ["127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.2"]
    assert refusals.have(("127.0.0.1", net.port))


def test_an_address_that_only_ever_refused_is_tried_all_the_same(resolver, net, spawned, tries):
    net.listen("127.0.0.1")
    refusals.note(("127.0.0.1", net.port))
    spawned(lambda: resolver.create_connection(("127.0.0.1", net.port), 5.0)).close()
    assert not refusals.have(("127.0.0.1", net.port))


def test_the_order_of_the_system_holds_for_both_families(resolver, net, spawned, tries, dns_server):
    net.listen("::1")
    net.listen("127.0.0.1")
    dns_server.add("www.example. A 127.0.0.1", "www.example. AAAA ::1")
    first = resolver.lookup("www.example")[0]
    spawned(lambda: resolver.create_connection(("www.example", net.port), 5.0)).close()
    assert tries == [(first, net.port)]


# The look-up


def test_ipv6_that_is_a_little_late_still_comes_first(resolver, net, spawned, tries, dns_server):
    net.listen("::1")
    net.listen("127.0.0.1")
    dns_server.add("www.example. A 127.0.0.1", "www.example. AAAA ::1")
    dns_server.fault("www.example.", delay(0.05), rdtype="AAAA")
    spawned(lambda: resolver.create_connection(("www.example", net.port), 5.0, resolution_delay=4.0)).close()
    assert tries == [("::1", net.port)]


def test_ipv4_does_not_wait_for_an_ipv6_answer_that_is_lost(resolver, net, spawned, tries, dns_server):
    net.listen("127.0.0.1")
    dns_server.add("www.example. A 127.0.0.1", "www.example. AAAA ::1")
    dns_server.fault("www.example.", silent(), rdtype="AAAA")
    began = time.monotonic()
    spawned(lambda: resolver.create_connection(("www.example", net.port), 30.0)).close()
    assert 0.048 <= time.monotonic() - began < 4.0  # the look-up alone would take five seconds
    assert tries == [("127.0.0.1", net.port)]


def test_ipv6_does_not_wait_for_an_ipv4_answer_that_is_lost(resolver, net, spawned, tries, dns_server):
    net.listen("::1")
    dns_server.add("www.example. A 127.0.0.1", "www.example. AAAA ::1")
    dns_server.fault("www.example.", silent(), rdtype="A")
    began = time.monotonic()
    spawned(lambda: resolver.create_connection(("www.example", net.port), 30.0, resolution_delay=4.0)).close()
    assert time.monotonic() - began < 3.0
    assert tries == [("::1", net.port)]


def test_ipv4_does_not_wait_where_questions_are_asked_one_by_one(make_nss, net, dns_server, tries):
    """resolv.conf's single-request: the second question is only asked when the first is answered."""
    net.listen("127.0.0.1")
    dns_server.add("www.example. A 127.0.0.1", "www.example. AAAA ::1")
    dns_server.fault("www.example.", silent(), rdtype="AAAA")
    finder = NssFinder(make_nss(resolv_conf="options single-request timeout:5 attempts:1\n"))
    began = time.monotonic()
    create_connection(finder, ("www.example", net.port), 30.0, None, False, 0.25, 0.05).close()
    assert 0.048 <= time.monotonic() - began < 4.0
    assert tries == [("127.0.0.1", net.port)]


def test_an_ipv6_address_that_comes_late_joins_in(resolver, net, spawned, tries, dns_server):
    net.swallow("127.0.0.1")
    net.listen("::1")
    dns_server.add("www.example. A 127.0.0.1", "www.example. AAAA ::1")
    dns_server.fault("www.example.", delay(0.2), rdtype="AAAA")
    with spawned(
        lambda: resolver.create_connection(
            ("www.example", net.port), 30.0, resolution_delay=0.0, attempt_delay=0.01
        )
    ) as connection:
        assert connection.getpeername()[0] == "::1"
    assert [address for address, _ in tries] == ["127.0.0.1", "::1"]


def test_an_ipv6_address_that_refuses_is_followed_by_a_late_ipv4(resolver, net, spawned, tries, dns_server):
    net.listen("127.0.0.1")
    dns_server.add("www.example. A 127.0.0.1", "www.example. AAAA ::1")
    dns_server.fault("www.example.", delay(0.1), rdtype="A")
    spawned(lambda: resolver.create_connection(("www.example", net.port), 30.0)).close()
    assert [address for address, _ in tries] == ["::1", "127.0.0.1"]


def test_no_more_is_asked_than_a_look_up_asks(resolver, net, spawned, dns_server):
    net.listen("127.0.0.1")
    dns_server.add("www.example. A 127.0.0.1")
    spawned(lambda: resolver.create_connection(("www.example", net.port), 5.0)).close()
    assert sorted(dns_server.questions) == [("www.example.", "A"), ("www.example.", "AAAA")]


def test_many_connections_to_one_host_ask_once(resolver, net, run_all, dns_server):
    net.listen("127.0.0.1", 64)
    dns_server.add("www.example. A 127.0.0.1")
    dns_server.fault("www.example.", delay(0.05))
    made = run_all([lambda: resolver.create_connection(("www.example", net.port), 10.0)] * 40)
    for connection in made:
        connection.close()
    assert sorted(dns_server.questions) == [("www.example.", "A"), ("www.example.", "AAAA")]


def test_a_host_that_is_not_there_fails_as_a_look_up_does(resolver, spawned):
    with pytest.raises(GaiError) as caught:
        spawned(lambda: resolver.create_connection(("none.example", 80), 5.0))
    assert caught.value.errno == socket.EAI_NONAME
    assert caught.value.outcome is not None


# Overrides and policies


def test_an_override_counts_with_the_port(resolver, net, spawned):
    net.listen("127.0.0.2")
    other = Net()
    try:
        other.listen("127.0.0.3")
        given = {("api.example", net.port): "127.0.0.2", "api.example": "127.0.0.3"}
        with gdns.override(given):
            for port, expected in ((net.port, "127.0.0.2"), (other.port, "127.0.0.3")):
                with spawned(
                    lambda port=port: resolver.create_connection(("api.example", port), 5.0)
                ) as connection:
                    assert connection.getpeername() == (expected, port)
    finally:
        other.close()


def test_only_what_the_policy_approves_is_connected_to(dns_server, runner, net, spawned, tries):
    net.listen("127.0.0.1")
    net.listen("127.0.0.2")
    dns_server.add("www.example. A 127.0.0.1", "www.example. A 127.0.0.2", "www.example. A 127.0.0.3")
    asked = []

    def odd_one(host, address):
        asked.append((host, address))
        return address == "127.0.0.2"

    with Resolver(nameservers=[dns_server.address], policy=odd_one, hub=runner.hub) as resolver:
        spawned(lambda: resolver.create_connection(("www.example", net.port), 5.0)).close()
    assert tries == [("127.0.0.2", net.port)]
    assert sorted(asked) == [("www.example", f"127.0.0.{last}") for last in (1, 2, 3)]


def test_a_name_that_is_rebound_meanwhile_is_not_looked_up_again(dns_server, runner, net, spawned, tries):
    """The approved address is public and leads nowhere here; what the name means next must not be tried."""
    net.listen("127.0.0.1")
    dns_server.add("rebind.example. 0 A 127.0.0.9")

    def rebinding(host, address):
        dns_server.remove("rebind.example.", "A")
        dns_server.add("rebind.example. 0 A 127.0.0.1")
        return True

    with (
        Resolver(nameservers=[dns_server.address], policy=rebinding, hub=runner.hub) as resolver,
        pytest.raises(ConnectionRefusedError),
    ):
        spawned(lambda: resolver.create_connection(("rebind.example", net.port), 5.0))
    assert tries == [("127.0.0.9", net.port)]
    assert dns_server.questions.count(("rebind.example.", "A")) == 1


@pytest.mark.parametrize("host", ["inside.example", "127.0.0.1", "localhost", "2130706433", "0", "*", None])
def test_what_is_inside_is_not_reached(dns_server, runner, spawned, net, tries, host):
    net.listen("127.0.0.1")
    dns_server.add("inside.example. A 127.0.0.1", "inside.example. AAAA ::ffff:127.0.0.1")
    with (
        Resolver(nameservers=[dns_server.address], policy=policy.public_only, hub=runner.hub) as resolver,
        pytest.raises(AddressRefused) as caught,
    ):
        spawned(lambda: resolver.create_connection((host, net.port), 5.0))
    assert caught.value.errno == socket.EAI_FAIL
    assert tries == []


@pytest.mark.parametrize("error", [PermissionError, KeyError])
def test_what_a_policy_raises_comes_out_of_a_connect(dns_server, runner, spawned, net, tries, error):
    def explode(host, address):
        raise error(address)

    with Resolver(nameservers=[dns_server.address], policy=explode, hub=runner.hub) as resolver:
        resolver.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST)  # its descriptors are open from now on
        with descriptors_kept(), pytest.raises(error):
            spawned(lambda: resolver.create_connection(("127.0.0.1", 9), 5.0))
    assert tries == []


def test_a_policy_that_waits_does_so_in_the_greenlet_of_the_caller(dns_server, runner, net, run_all):
    from greenlet import getcurrent

    net.listen("127.0.0.1")
    seen = []

    def slow(host, address):
        runner.sleep(0.01)
        seen.append(getcurrent())
        return True

    with Resolver(nameservers=[dns_server.address], policy=slow, hub=runner.hub) as resolver:

        def connect():
            resolver.create_connection(("127.0.0.1", net.port), 5.0).close()
            return getcurrent()

        callers = run_all([connect] * 3)
    assert set(seen) == set(callers)


# Errors


def test_an_error_that_comes_at_once_is_that_of_a_blocking_connect(resolver, spawned):
    errors = []
    for connect in (resolver.create_connection, socket.create_connection):
        with pytest.raises(OSError, match=r"\[Errno") as caught:  # TCP knows no broadcast
            spawned(lambda connect=connect: connect(("255.255.255.255", 80), 5.0))
        errors.append(caught.value.errno)
    assert errors[0] == errors[1]


def test_without_a_descriptor_left_it_says_so(net):
    net.listen("127.0.0.1")
    program = f"""if True:
        import errno, os, resource
        import gdns
        address = ("127.0.0.1", {net.port})
        gdns.create_connection(address).close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        taken = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        try:
            gdns.create_connection(address)
        except OSError as error:
            print(errno.errorcode[error.errno], *error.__notes__, sep="; ")
        os.close(taken.pop())
        try:
            gdns.create_connection(address)
        except OSError as error:
            print(errno.errorcode[error.errno])
    """
    assert run(program).splitlines() == [
        f"EMFILE; while connecting to 127.0.0.1, port {net.port}",
        "EMFILE",  # a socket could be made, the set that watches it not
    ]


def test_the_last_error_is_raised_and_names_the_address(resolver, net, spawned):
    net.listen("127.0.0.9")  # for a port that is free elsewhere
    with resolver.override({"www.example": ["127.0.0.1", "127.0.0.2"]}):
        with pytest.raises(ConnectionRefusedError) as caught:
            spawned(lambda: resolver.create_connection(("www.example", net.port), 5.0))
        assert "127.0.0.2" in caught.value.__notes__[0]
        with pytest.raises(ExceptionGroup) as group:
            spawned(lambda: resolver.create_connection(("www.example", net.port), 5.0, all_errors=True))
    assert [type(error) for error in group.value.exceptions] == [ConnectionRefusedError] * 2


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_one_deadline_covers_the_look_up(resolver, spawned, dns_server, seconds):
    dns_server.fault(None, silent())
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"timed out looking up 'www\.example'"):
        spawned(lambda: resolver.create_connection(("www.example", 80), seconds))
    assert seconds <= time.monotonic() - began < 4.0


def test_and_what_is_left_of_it_the_connecting(resolver, net, spawned, dns_server, tries):
    net.swallow("127.0.0.1")
    dns_server.add("www.example. A 127.0.0.1")
    dns_server.fault("www.example.", delay(0.1))
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="timed out connecting to"):
        spawned(lambda: resolver.create_connection(("www.example", net.port), 0.3))
    assert 0.298 <= time.monotonic() - began < 3.0
    assert [address for address, _ in tries] == ["127.0.0.1"]
    assert refusals.have(("127.0.0.1", net.port))


def test_all_errors_tell_of_the_deadline_too(resolver, net, spawned):
    net.swallow("127.0.0.1")
    with (
        resolver.override({"www.example": ["127.0.0.2", "127.0.0.1"]}),
        pytest.raises(ExceptionGroup) as caught,
    ):
        spawned(lambda: resolver.create_connection(("www.example", net.port), 0.1, all_errors=True))
    assert [type(error) for error in caught.value.exceptions] == [ConnectionRefusedError, TimeoutError]


@pytest.mark.parametrize(
    ("arguments", "kind", "complaint"),
    [
        ({"timeout": -1}, ValueError, "Timeout value out of range"),
        ({"timeout": float("nan")}, ValueError, "Timeout value out of range"),
        ({"timeout": "5"}, TypeError, "timeout"),
        ({"attempt_delay": 0.001}, ConfigError, "attempt_delay: expected 0.01 to 10 seconds, not 0.001"),
        ({"attempt_delay": float("inf")}, ConfigError, "attempt_delay"),
        ({"attempt_delay": "1"}, TypeError, "attempt_delay"),
        ({"resolution_delay": -0.1}, ConfigError, "resolution_delay"),
        ({"resolution_delay": None}, TypeError, "resolution_delay"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(resolver, arguments, kind, complaint, tries, dns_server):
    with pytest.raises(kind) as caught:
        resolver.create_connection(("www.example", 80), **arguments)
    assert complaint in str(caught.value)
    assert (tries, dns_server.questions) == ([], [])


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (("www.example", 80.5), OSError),
        (("www.\0example", 80), TypeError),
        (("a..example", 80), UnicodeError),
        (("www.example",), ValueError),
        ((12, 80), TypeError),
        (("127.0.0.1", "no-such-service"), GaiError),
    ],
)
def test_bad_addresses_fail_as_in_getaddrinfo(resolver, spawned, address, kind):
    with pytest.raises(kind):
        spawned(lambda: resolver.create_connection(address, 5.0))


def test_from_the_hub_itself_it_is_refused(resolver, runner, net):
    net.listen("127.0.0.1")
    caught = []

    def connect():
        try:
            resolver.create_connection(("127.0.0.1", net.port), 5.0)
        except RuntimeError as error:
            caught.append(str(error))

    with descriptors_kept():
        runner.hub.call_soon(connect)
        runner.sleep(0.001)
    assert "hub" in caught[0]


# Where from


def test_a_source_address_is_where_it_comes_from(resolver, net, spawned, dns_server):
    net.listen("127.0.0.1")
    dns_server.add("here.example. A 127.0.0.5")
    for host in ("127.0.0.5", "here.example"):
        with spawned(
            lambda host=host: resolver.create_connection(("127.0.0.1", net.port), 5.0, (host, 0))
        ) as connection:
            assert connection.getsockname()[0] == "127.0.0.5"


def test_a_source_of_the_other_family_leaves_that_family_out(resolver, net, spawned, dns_server, tries):
    net.listen("127.0.0.1")
    net.listen("::1")
    dns_server.add("here.example. A 127.0.0.5")
    for source in ("127.0.0.5", "here.example"):
        with resolver.override({"www.example": ["::1", "127.0.0.1"]}):
            spawned(
                lambda source=source: resolver.create_connection(("www.example", net.port), 5.0, (source, 0))
            ).close()
    assert tries == [("127.0.0.1", net.port)] * 2
    assert len(refusals) == 0


def test_a_source_port_is_used_by_one_attempt_at_a_time(resolver, net, spawned, tries):
    net.swallow("127.0.0.1")
    net.listen("127.0.0.2")
    with socket.socket() as probe:
        probe.bind(("127.0.0.5", 0))
        source = probe.getsockname()
    with resolver.override({"www.example": ["127.0.0.1", "127.0.0.2"]}):
        with pytest.raises(TimeoutError):
            spawned(
                lambda: resolver.create_connection(("www.example", net.port), 0.2, source, attempt_delay=0.01)
            )
        assert [address for address, _ in tries] == ["127.0.0.1"]
        # the silent one is put last now
        with spawned(
            lambda: resolver.create_connection(("www.example", net.port), 5.0, source)
        ) as connection:
            assert connection.getsockname() == source


# Leaving


def test_a_greenlet_that_is_killed_leaves_nothing_open(resolver, net, runner):
    net.swallow("127.0.0.1")
    net.swallow("127.0.0.2")
    resolver.lookup("127.0.0.1")
    with resolver.override({"www.example": ["127.0.0.1", "127.0.0.2"]}), descriptors_kept():
        task = runner.spawn(
            lambda: resolver.create_connection(("www.example", net.port), 30.0, attempt_delay=0.01)
        )
        deadline = time.monotonic() + 10
        while len(_tries) < 2 and time.monotonic() < deadline:
            runner.sleep(0.005)
        assert len(_tries) == 2
        runner.kill(task)


def test_a_greenlet_that_is_killed_while_it_looks_up_leaves_nothing_behind(resolver, runner, dns_server):
    dns_server.fault(None, silent())
    task = runner.spawn(lambda: resolver.create_connection(("www.example", 80), 30.0))
    runner.join([task], 0.05)
    dns_server.wait_for_query("www.example.", count=2)
    runner.kill(task)
    runner.sleep(0.01)
    gc.collect()
    helpers = [o for o in gc.get_objects() if isinstance(o, Helper)]
    assert [helper for helper in helpers if helper] == []


def test_a_timeout_of_gevents_comes_out_at_once_and_closes_everything(dns_server, net):
    net.swallow("127.0.0.1")
    gevent.get_hub()
    with Resolver(nameservers=[dns_server.address]) as resolver:
        resolver.lookup("127.0.0.1")
        began = time.monotonic()
        with descriptors_kept(), pytest.raises(gevent.Timeout), gevent.Timeout(0.1):
            resolver.create_connection(("127.0.0.1", net.port), 30.0)
        assert time.monotonic() - began < 5.0


def test_a_thousand_connections_leave_no_descriptor(resolver, net, run_all):
    listener = net.listen("127.0.0.1", 128)
    listener.setblocking(False)

    def connect():
        for number in range(50):
            if number % 2:
                resolver.create_connection(("www.example", net.port), 10.0).close()
            else:
                with pytest.raises(ConnectionRefusedError):
                    resolver.create_connection(("127.0.0.7", net.port), 10.0)
            while True:
                try:
                    listener.accept()[0].close()
                except BlockingIOError:
                    break

    with resolver.override({"www.example": ["127.0.0.1", "127.0.0.2"]}), descriptors_kept():
        run_all([connect] * 20, timeout=60.0)


def test_what_a_connection_took_is_given_back_without_the_garbage_collector(resolver, net, spawned):
    net.listen("127.0.0.2")

    def both_ends():
        resolver.create_connection(("www.example", net.port), 5.0).close()
        with suppress(ConnectionRefusedError):
            resolver.create_connection(("127.0.0.1", net.port), 5.0)

    with resolver.override({"www.example": ["127.0.0.1", "127.0.0.2"]}):
        spawned(both_ends)
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                spawned(both_ends)
            left = [found for found in gc.get_objects() if isinstance(found, (_Race, Helper))]
        finally:
            gc.enable()
    assert left == []


def test_threads_connect_each_on_its_hub(dns_server, net):
    net.listen("127.0.0.1", 64)
    dns_server.add("www.example. A 127.0.0.1")
    peers = []

    def connect():
        for _ in range(10):
            with resolver.create_connection(("www.example", net.port), 10.0) as connection:
                peers.append(connection.getpeername())

    with Resolver(nameservers=[dns_server.address]) as resolver:
        threads = [threading.Thread(target=connect) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert peers == [("127.0.0.1", net.port)] * 40


def test_a_resolver_that_is_closed_looks_nothing_up(resolver, spawned):
    resolver.close()
    with pytest.raises(gdns.ResolverClosed):
        spawned(lambda: resolver.create_connection(("www.example", 80), 5.0))


# Other worlds


def run(program, *command):
    done = subprocess.run(
        [*command, sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_works_where_gevent_has_patched_everything(net, dns_server):
    net.listen("127.0.0.1")
    dns_server.add("www.example. A 127.0.0.1")
    program = f"""if True:
        from gevent import monkey
        monkey.patch_all()
        import gdns, gevent, socket, select
        print(hasattr(select, "epoll"))
        with gdns.Resolver(nameservers=["{dns_server.address}"]) as resolver:
            made = resolver.create_connection(("www.example", {net.port}), 5.0)
            print(type(made) is gevent.socket.socket is socket.socket, made.gettimeout())
            task = gevent.spawn(resolver.create_connection, ("127.0.0.1", {net.port}), 5.0)
            print(task.get().getpeername()[0])
    """
    assert run(program).splitlines() == ["False", "True 5.0", "127.0.0.1"]


@pytest.mark.skipif(not world.is_permitted(), reason="network namespaces cannot be made here")
def test_addresses_that_swallow_everything_are_passed_in_turn():
    """In a network of its own, where what goes out into the world is dropped."""
    program = """if True:
        import os, socket, subprocess, sys, time
        for line in ("link set lo up", "addr add 192.0.2.100/24 dev lo", "route add default dev lo",
                     "-6 addr add 2001:db8::100/64 dev lo nodad", "-6 route add default dev lo"):
            subprocess.run(["ip", *line.split()], check=True)
        import gdns
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        silent = ["2001:db8:1::1", "198.51.100.1", "2001:db8:1::2"]
        tried = []
        sys.addaudithook(lambda event, args: event == "socket.connect" and tried.append(args[1][0]))
        resolver = gdns.Resolver(nameservers=["127.0.0.1"], override={"www.example": [*silent, "127.0.0.1"]})
        resolver.lookup("127.0.0.1")  # its descriptors are open from now on
        before = len(os.listdir("/proc/self/fd"))
        began = time.monotonic()
        made = resolver.create_connection(("www.example", port), 20.0, attempt_delay=0.05)
        elapsed = time.monotonic() - began
        print(tried, made.getpeername()[0], 0.14 < elapsed < 10)
        made.close()
        try:
            resolver.create_connection(("198.51.100.1", port), 0.1)
        except TimeoutError as error:
            print(error)
        print(len(os.listdir("/proc/self/fd")) == before)
    """
    lines = run(program, "unshare", "-n" if os.geteuid() == 0 else "-Urn").splitlines()
    assert lines[0] == "['2001:db8:1::1', '198.51.100.1', '2001:db8:1::2', '127.0.0.1'] 127.0.0.1 True"
    assert lines[1].startswith("timed out connecting to '198.51.100.1'")
    assert lines[2] == "True"


@pytest.mark.skipif(
    importlib.util.find_spec("test.test_socket") is None,
    reason="CPython's tests are not installed (on Debian: libpython3-testsuite)",
)
def test_cpythons_own_tests_pass_with_ours_in_its_place():
    """But for the one that puts a fake in the place of `socket.socket`."""
    program = """if True:
        import socket, unittest, gdns
        from test import test_socket
        socket.create_connection = gdns.create_connection
        del test_socket.NetworkConnectionNoServer.test_create_connection_timeout
        suite = unittest.TestSuite()
        for name in ("NoServer", "AttributesTest", "BehaviourTest"):
            tests = getattr(test_socket, "NetworkConnection" + name)
            suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(tests))
        done = unittest.TextTestRunner().run(suite)
        print(done.testsRun >= 10, done.errors, done.failures, done.skipped)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "True [] [] []\n", done.stderr
