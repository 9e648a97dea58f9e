"""The system's own resolver in threads, for look-ups that are not understood."""

from __future__ import annotations

import _socket
import _thread
import socket
import subprocess
import sys
import time

import pytest

from gdns import libc, netdb
from gdns.entries import Foreign
from gdns.errors import GaiError, ResolverClosed
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub


@pytest.fixture
def stub(runner):
    made = Stub(runner.hub, Servers([ServerAddress("127.0.0.1", 9)]), timeout=5.0, attempts=1)
    yield made
    made.close()


@pytest.fixture
def gate():
    """A lock of the system's, held; whoever releases it lets the calls go on that wait for it."""
    lock = _thread.allocate_lock()
    lock.acquire()
    yield lock
    if lock.locked():
        lock.release()


def pass_through(lock):
    with lock:
        return "through"


def test_a_call_returns_what_it_returns_and_raises_what_it_raises(stub, run_all):
    assert run_all([lambda: libc.call(stub, None, len, "four")]) == [4]
    with pytest.raises(ZeroDivisionError):
        run_all([lambda: libc.call(stub, None, divmod, 1, 0)])


def test_the_hub_goes_on_while_a_call_blocks(stub, runner, gate):
    blocked = runner.spawn(lambda: libc.call(stub, None, pass_through, gate))
    runner.sleep(0)
    other = runner.spawn(lambda: gate.release())
    runner.join([blocked, other], 5)
    assert blocked.value == "through"


def test_more_calls_than_threads_all_come_to_an_end(stub, run_all):
    assert run_all([lambda n=n: libc.call(stub, None, abs, -n) for n in range(50)]) == list(range(50))
    assert libc._pool._threads <= libc.MOST_THREADS


def test_a_lifetime_ends_the_wait_and_not_the_call(stub, run_all, gate):
    began = time.monotonic()
    with pytest.raises(GaiError) as info:
        run_all([lambda: libc.call(stub, 0.02, pass_through, gate)])
    assert info.value.errno == socket.EAI_AGAIN
    assert time.monotonic() - began < 2


def test_closing_the_stub_ends_the_wait(stub, runner, gate):
    blocked = runner.spawn(lambda: libc.call(stub, None, pass_through, gate))
    runner.sleep(0)
    stub.close()
    with pytest.raises(ResolverClosed):
        blocked.get()
    with pytest.raises(ResolverClosed):
        libc.call(stub, None, pass_through, gate)


def test_a_killed_greenlet_leaves_nothing_behind(stub, runner, gate):
    blocked = runner.spawn(lambda: libc.call(stub, None, pass_through, gate))
    runner.sleep(0)
    runner.kill(blocked)
    gate.release()
    assert runner.spawn(lambda: libc.call(stub, None, len, "four")).get() == 4


def test_the_hub_itself_is_refused(stub, runner):
    errors = []

    def call():
        try:
            libc.call(stub, None, len, "four")
        except RuntimeError as error:
            errors.append(str(error))

    runner.hub.call_soon(call)
    runner.sleep(0.01)
    assert "hub greenlet" in errors[0]


def run(program):
    # Python 3.12 and later warn of every fork beside a thread: libc's pool has some
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


PRELUDE = """
import _socket, sys, time
from gdns import libc
from gdns.hubs import NativeHub, current
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub
def make():
    return Stub(current(), Servers([ServerAddress("127.0.0.1", 9)]), timeout=5.0, attempts=1)
"""


def test_the_threads_are_the_systems_where_gevent_has_patched_everything():
    patch = "import gevent.monkey; gevent.monkey.patch_all()\nimport gevent, _thread\n"
    program = """
ticks = []
def tick():
    while True:
        ticks.append(1); gevent.sleep(0.001)
gevent.spawn(tick)
libc.call(make(), None, gevent.monkey.get_original("time", "sleep"), 0.1)
print(len(ticks) > 10)
"""
    assert run(patch + PRELUDE + program) == ["True"]


def test_a_program_ends_without_waiting_for_a_call():
    program = """
hub = NativeHub.of_this_thread()
hub.spawn(lambda: libc.call(make(), None, time.sleep, 60))
hub.sleep(0.01)
print("over")
"""
    began = time.monotonic()
    assert run(PRELUDE + program) == ["over"]
    assert time.monotonic() - began < 10


def test_a_child_makes_the_calls_anew_that_its_greenlets_wait_for():
    program = """
import os
hub = NativeHub.of_this_thread()
stub = make()
from gdns import resolver
resolver.all_stubs.add(stub)
task = hub.spawn(lambda: libc.call(stub, None, time.sleep, 0.2) or "slept")
hub.sleep(0.01)
child = os.fork()
print("child" if not child else "parent", task.get(), flush=True)
if child:
    os.waitpid(child, 0)
"""
    assert sorted(run(PRELUDE + program)) == ["child", "parent", "slept", "slept"]


# What goes there


@pytest.fixture
def asking(make_nss):
    return make_nss(nsswitch="hosts: files [SUCCESS=merge] dns\n")


def test_what_is_not_understood_is_asked_of_the_system(asking, dns_server):
    assert isinstance(asking.host_addresses("www.example", 0), Foreign)
    assert netdb.gethostbyaddr(asking, "127.0.0.1") == socket.gethostbyaddr("127.0.0.1")
    assert netdb.getnameinfo(asking, ("127.0.0.1", 80), 0) == socket.getnameinfo(("127.0.0.1", 80), 0)
    assert asking.ask_system(None, _socket.gethostbyname, "localhost") == "127.0.0.1"
    assert dns_server.questions == []


@pytest.mark.parametrize(
    "function", [netdb.lookup, netdb.gethostbyname, netdb.gethostbyname_ex, netdb.gethostbyaddr]
)
def test_the_systems_failures_are_ours(asking, function):
    with pytest.raises(GaiError) as info:
        function(asking, "a b")  # no name of a host, so it asks nobody
    assert info.value.args == (-2, "Name or service not known")
    assert info.value.outcome is None


def test_what_stands_for_this_host_is_not_asked_of_the_system(asking):
    assert asking.host_addresses("a.localhost", 0).addresses == ("::1", "127.0.0.1")
    assert asking.host_addresses("localhost", 0).addresses == ("127.0.0.1",)  # from the hosts file
