"""Leaving, closing, dropping, forking and exiting with look-ups under way."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import pytest

from gdns.testing import delay, silent

FORK_IS_MEANT = "ignore:This process:DeprecationWarning"  # Python 3.12 and later warn of forks beside threads

# What the programs below begin with: hubs, stubs, and what is counted before and after.
PRELUDE = """
import gc, os, sys, threading, time
import gevent
from greenlet import getcurrent
from gdns import Resolver
from gdns._wire import Question
from gdns.errors import GaiError, ResolverClosed
from gdns.hubs import NativeHub
from gdns.hubs.gevent import GeventHub
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub

address, kind = sys.argv[1], sys.argv[2]

class Runner:
    def __init__(self):
        if kind == "native":
            self.hub = NativeHub.of_this_thread()
            self.spawn, self.sleep = self.hub.spawn, self.hub.sleep
        elif kind == "eventlet":
            import warnings
            warnings.simplefilter("ignore")  # eventlet says that it is deprecated
            import eventlet
            from gdns.hubs.eventlet import EventletHub
            self.hub = EventletHub.of_this_thread()
            self.spawn, self.sleep = eventlet.spawn, eventlet.sleep
            self.sleep(0)  # it opens what it needs
        else:
            gevent.get_hub()
            self.hub = GeventHub.of_this_thread()
            self.spawn, self.sleep = gevent.spawn, gevent.sleep
    def join(self, tasks, timeout):
        if kind == "native":
            assert self.hub.join(*tasks, timeout=timeout), "not ended in time"
        elif kind == "eventlet":
            ends_at = time.monotonic() + timeout
            while not all(task.dead for task in tasks) and time.monotonic() < ends_at:
                self.sleep(0.01)
            assert all(task.dead for task in tasks), "not ended in time"
        else:
            gevent.joinall(tasks, timeout=timeout)
            assert all(task.dead for task in tasks), "not ended in time"

def make_stub(hub, **settings):
    return Stub(hub, Servers([ServerAddress.parse(address)]), **{"timeout": 2.0, "attempts": 1, **settings})

def make_resolver(hub=None, **settings):
    settings = {"timeout": 2.0, "attempts": 1, "cache": False, **settings}
    return Resolver(nameservers=[address], hub=hub, **settings)

def descriptors():
    return len(os.listdir("/proc/self/fd"))

def objects():
    gc.collect()
    ours = "<class 'gdns._", "<class 'gdns.stub"
    return sum(str(type(thing)).startswith(ours) for thing in gc.get_objects())

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * 4  # KiB
"""


def run(program: str, *arguments: str, timeout: float = 60) -> str:
    """What a program printed; it ended with status 0 and a silent stderr. As a kind, "ares" is that lane."""
    lanes = {"GDNS_LANES": "ares"} if "ares" in arguments else {}
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            FORK_IS_MEANT,
            "-c",
            PRELUDE + dedent(program),
            *("native" if argument == "ares" else argument for argument in arguments),
        ],
        env=os.environ | lanes,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


kinds = pytest.mark.parametrize("kind", ["native", "gevent", "ares"])
kinds_and_eventlet = pytest.mark.parametrize("kind", ["native", "gevent", "ares", "eventlet"])


# Closing


@kinds_and_eventlet
def test_whoever_wakes_late_may_close_the_resolver_and_the_hub_goes_on(dns_server, kind):
    dns_server.add("*.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    program = """
    runner = Runner()
    def look_up():
        with make_resolver(runner.hub, timeout=0.3, attempts=2) as resolver:
            print(resolver.lookup("a.example."))
    task = runner.spawn(look_up)
    runner.sleep(0.05)
    stands_still_until = time.monotonic() + 0.6  # past the answer and past what falls due
    while time.monotonic() < stands_still_until:
        pass
    runner.join([task], 5.0)
    runner.sleep(0.01)
    print("on it goes")
    """
    assert run(program, dns_server.address, kind, timeout=20) == "('192.0.2.7',)\non it goes"


@kinds_and_eventlet
def test_closing_from_another_thread_ends_what_is_pending(dns_server, kind):
    dns_server.fault(None, silent())
    program = """
    runner = Runner()
    before = descriptors()
    resolver = make_resolver(runner.hub, timeout=30.0)
    ends = []
    def look_up(number):
        try:
            resolver.lookup(f"n{number}.example.")
        except (GaiError, ResolverClosed) as error:
            ends.append(type(error).__name__)
    tasks = [runner.spawn(lambda number=number: look_up(number)) for number in range(20)]
    runner.sleep(0.05)
    began = time.monotonic()
    thread = threading.Thread(target=resolver.close)
    thread.start()
    runner.join(tasks, 2.0)
    thread.join()
    resolver.close()
    print(set(ends), len(ends), time.monotonic() - began < 2.0, descriptors() - before)
    """
    assert run(program, dns_server.address, kind) == "{'ResolverClosed'} 20 True 0"


@kinds_and_eventlet
def test_many_closes_from_threads_race_with_questions(dns_server, kind):
    """Each question ends once: answered, or closed."""
    dns_server.add("*.example. 60 A 192.0.2.7")
    program = """
    runner = Runner()
    before = descriptors()
    ends = []
    for round in range(30):
        resolver = make_resolver(runner.hub)
        def look_up(number):
            try:
                ends.append(resolver.lookup(f"n{number}.example.")[0])
            except ResolverClosed:
                ends.append("closed")
        tasks = [runner.spawn(lambda number=number: look_up(number)) for number in range(20)]
        threads = [threading.Timer(0.0005 * round * share, resolver.close) for share in (1, 2, 2)]
        for thread in threads:
            thread.start()
        runner.join(tasks, 5.0)
        for thread in threads:
            thread.join()
        resolver.close()
    print(len(ends), set(ends) <= {"192.0.2.7", "closed"}, descriptors() - before)
    """
    assert run(program, dns_server.address, kind) == "600 True 0"


@kinds_and_eventlet
def test_a_woken_greenlet_and_a_hook_may_close(dns_server, kind):
    dns_server.add("*.example. 60 A 192.0.2.7")
    program = """
    runner = Runner()
    before = descriptors()
    for closes in ("greenlet", "hook"):
        resolver = make_resolver(runner.hub)
        ends = []
        if closes == "hook":
            resolver.on_outcome(lambda outcome: resolver.close())
        def look_up(number):
            try:
                ends.append(resolver.lookup(f"n{number}.example.")[0])
            except ResolverClosed:
                ends.append("closed")
            if closes == "greenlet":
                resolver.close()
        tasks = [runner.spawn(lambda number=number: look_up(number)) for number in range(20)]
        runner.join(tasks, 5.0)
        print(len(ends), ends[0], set(ends) <= {"192.0.2.7", "closed"})
        resolver.close()
    print(descriptors() - before)
    """
    lines = run(program, dns_server.address, kind).splitlines()
    assert lines[0] == "20 192.0.2.7 True"
    assert lines[1] in ("20 192.0.2.7 True", "20 closed True")
    assert lines[2] == "0"


@kinds_and_eventlet
def test_200_resolvers_opened_and_closed_leave_nothing(dns_server, kind):
    dns_server.add("*.example. 60 A 192.0.2.7")
    program = """
    runner = Runner()
    def round():
        resolver = make_resolver(runner.hub)
        resolver.lookup("www.example.")
        def look_up():
            try:
                resolver.lookup("www.example.")
            except ResolverClosed:
                pass
        pending = runner.spawn(look_up)
        runner.sleep(0)
        resolver.close()
        runner.join([pending], 1.0)
    for _ in range(20):
        round()
    gc.collect()
    before = descriptors(), objects()
    size = rss()
    for _ in range(200):
        round()
    grown = 0 if "ASAN_OPTIONS" in os.environ else rss() - size  # ASan keeps what was freed
    print(descriptors() - before[0], objects() - before[1], grown < 4096)
    """
    assert run(program, dns_server.address, kind) == "0 0 True"


# Dropping


@kinds_and_eventlet
def test_resolvers_that_are_dropped_take_their_descriptors_along(dns_server, kind):
    dns_server.add("*.example. 60 A 192.0.2.7")
    program = """
    runner = Runner()
    make_resolver(runner.hub).lookup("www.example.")
    gc.collect()
    before = descriptors()
    for number in range(50):
        resolver = make_resolver(runner.hub)
        resolver.lookup("www.example.")
        if number % 2:
            resolver.itself = resolver
        del resolver
    gc.collect()
    print(descriptors() - before)
    """
    assert run(program, dns_server.address, kind) == "0"


@kinds
def test_a_look_up_whose_resolver_and_greenlet_nobody_holds_still_ends(dns_server, kind):
    dns_server.add("*.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    program = """
    runner = Runner()
    ends = []
    def begin():
        resolver = make_resolver(runner.hub)
        runner.spawn(lambda: ends.append(resolver.lookup("www.example.")))
    begin()
    for _ in range(10):
        runner.sleep(0.02)
        gc.collect()
    runner.sleep(0.1)
    print(ends)
    """
    assert run(program, dns_server.address, kind) == "[('192.0.2.7',)]"


@kinds
def test_collecting_garbage_at_any_moment_harms_nothing(dns_server, kind):
    dns_server.add("*.example. 60 A 192.0.2.7")
    program = """
    runner = Runner()
    gc.set_threshold(1, 1, 1)
    stub = make_stub(runner.hub)
    ends = []
    class Knot:
        def __del__(self):
            gone.append(1)
    gone = []
    def look_up(number):
        knot = Knot()
        knot.itself, knot.stub = knot, stub
        ends.append(stub.query(Question(f"n{number}.example.", 1)).addresses)
    tasks = [runner.spawn(lambda number=number: look_up(number)) for number in range(200)]
    runner.join(tasks, 20.0)
    gc.collect()
    print(len(ends), set(ends), len(gone))
    """
    assert run(program, dns_server.address, kind) == "200 {('192.0.2.7',)} 200"


# Leaving


@kinds
def test_every_exception_comes_out_of_every_wait(dns_server, kind):
    """In query, in query_both, in the queue of a full window, joined to another's flight."""
    dns_server.fault(None, silent())
    program = """
    runner = Runner()
    gevent.get_hub()  # which Timeout makes
    before = descriptors()
    stub = make_stub(runner.hub, timeout=0.3)
    server = stub.servers.all[0]
    server.window = 4
    caught = []
    first, second = Question("a.example.", 1), Question("a.example.", 28)
    waits = [
        lambda: stub.query(first),
        lambda: stub.query(first),  # joins
        lambda: stub.query_both(first, second),
        lambda: stub.query_both(Question("b.example.", 1), Question("b.example.", 28)),
        lambda: stub.query(Question("queued.example.", 1)),
        lambda: stub.query_both(Question("c.example.", 1), Question("c.example.", 28), 0, 30.0),
    ]
    class Odd(BaseException): pass
    errors = [
        KeyboardInterrupt("now"), gevent.Timeout(1), gevent.GreenletExit(),
        Odd(), ValueError("x"), SystemExit(3),
    ]
    def leave(wait):
        greenlets.append(getcurrent())
        try:
            wait()
            caught.append("answered")
        except BaseException as error:
            caught.append(error)
    for error in errors:
        greenlets = []
        caught.clear()
        tasks = [runner.spawn(lambda wait=wait: leave(wait)) for wait in waits]
        runner.sleep(0.02)
        began = time.monotonic()
        for parked in greenlets:
            runner.hub.call_soon(lambda parked=parked: parked.throw(error))
        runner.join(tasks, 0.2)
        assert caught == [error] * len(waits), caught
    deadline = time.monotonic() + 5
    while stub.pending and time.monotonic() < deadline:
        runner.sleep(0.02)
    runner.sleep(0.02)
    print(stub.pending, server.in_flight, stub._lane.pending)
    stub.close()
    print(descriptors() - before)
    """
    assert run(program, dns_server.address, kind) == "0 0 0\n0"


@kinds
def test_a_signal_interrupts_a_look_up_and_the_next_one_works(dns_server, kind):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("silent.example.", silent())
    program = """
    import signal
    runner = Runner()
    if kind == "gevent":
        gevent.get_hub().NOT_ERROR += (KeyboardInterrupt,)  # else it prints each
    resolver = make_resolver(runner.hub)
    caught = 0
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    for _ in range(20):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            resolver.lookup("silent.example.")
        except KeyboardInterrupt:
            caught += 1
    print(caught, resolver.lookup("www.example."))
    resolver.close()
    """
    assert run(program, dns_server.address, kind) == "20 ('192.0.2.7',)"


# The end of a hub, a thread, the process


@kinds_and_eventlet
@pytest.mark.parametrize("way", ["falls off", "sys.exit", "closed at exit"])
def test_exit_with_look_ups_pending_is_silent(dns_server, kind, way):
    dns_server.fault(None, silent())
    program = """
    import atexit
    runner = Runner()
    resolver = make_resolver(runner.hub, timeout=30.0)
    tasks = [runner.spawn(resolver.lookup, f"n{number}.example.") for number in range(20)]
    gone = make_resolver(runner.hub, timeout=30.0)
    runner.spawn(gone.lookup, "www.example.")
    del gone
    runner.sleep(0.05)
    print("exit", flush=True)
    if sys.argv[3] == "sys.exit":
        sys.exit(0)
    if sys.argv[3] == "closed at exit":
        atexit.register(resolver.close)
    """
    assert run(program, dns_server.address, kind, way) == "exit"


def test_a_gevent_hub_destroyed_with_look_ups_pending_gives_all_back(dns_server):
    dns_server.fault(None, silent())
    program = """
    def in_thread():
        runner = Runner()
        resolver = make_resolver(timeout=30.0)
        tasks = [gevent.spawn(resolver.lookup, f"n{number}.example.") for number in range(20)]
        gevent.sleep(0.02)
        gevent.get_hub().destroy(destroy_loop=True)
    def thread():
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
    def next_one():  # sees to what those before it have left
        thread()
        kept = make_resolver()
        kept.getnameinfo(("127.0.0.1", 53), 0)
        kept.close()
    next_one()
    before = descriptors()
    for _ in range(10):
        next_one()
    print(descriptors() - before <= 3)  # the last one's at most
    """
    assert run(program, dns_server.address, "gevent") == "True"


@kinds
def test_a_thread_that_ends_with_look_ups_pending_gives_all_back(dns_server, kind):
    dns_server.fault(None, silent())
    program = """
    resolver = make_resolver(timeout=30.0)  # one for all threads
    def in_thread():
        runner = Runner()
        for number in range(20):
            runner.spawn(resolver.lookup, f"n{number}.example.")
        runner.sleep(0.02)
        if kind == "gevent":
            gevent.get_hub().destroy(destroy_loop=True)
    def thread():
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
    def next_one():  # sees to what those before it have left
        thread()
        kept = make_resolver()
        kept.getnameinfo(("127.0.0.1", 53), 0)
        kept.close()
    next_one()
    before = descriptors()
    for _ in range(10):
        next_one()
    print(descriptors() - before <= 3)  # the last one's at most
    resolver.close()
    """
    assert run(program, dns_server.address, kind) == "True"
