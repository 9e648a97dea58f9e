"""System calls and allocations that fail: each look-up ends once, in its budget, and the next one works."""

from __future__ import annotations

import errno
import json
import os

import pytest

from gdns._ares import USE_0X20, USE_EDNS, USE_TCP
from gdns.testing import Server, silent
from tests import failing

# What is asked while calls fail, on each hub, and then once more in peace.
PROGRAM = """
import json, os, sys, time
import gevent
from gdns._ares import USE_EDNS, USE_TCP
from gdns._wire import Question
from gdns.hubs import NativeHub
from gdns.hubs.gevent import GeventHub
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub

address, cases = sys.argv[1], json.loads(sys.argv[2])
failed = []
native = NativeHub.of_this_thread()
gevent.get_hub()

def check(kind, name, nth, count, error, wishes):
    hub = native if kind == "native" else GeventHub.of_this_thread()
    spawn, join = (
        (native.spawn, lambda tasks: native.join(*tasks, timeout=10)) if kind == "native"
        else (gevent.spawn, lambda tasks: gevent.joinall(tasks, timeout=10))
    )
    before = len(os.listdir("/proc/self/fd"))
    where = f"{kind}: {name} no {nth}, {count} times {errno.errorcode[error]}, wishes {wishes}"
    ended = []
    try:
        fail_call(name, nth, count, error)
        began = time.monotonic()
        stub = Stub(hub, Servers([ServerAddress.parse(address)]), timeout=0.4, attempts=2, wishes=wishes)
    except OSError as raised:  # of epoll_create1, eventfd, epoll_ctl: there is no engine without them
        assert raised.errno == error, where
        fail_call(name, 0, 0, 0)
        stub = Stub(hub, Servers([ServerAddress.parse(address)]), timeout=0.4, attempts=2, wishes=wishes)
    tasks = [
        spawn(lambda number=number: ended.append(stub.query(Question(f"n{number}.example.", 1))))
        for number in range(5)
    ]
    join(tasks)
    took = time.monotonic() - began
    fail_call(name, 0, 0, 0)
    if len(ended) != 5:
        failed.append(f"{where}: {len(ended)} of 5 ended")
    if took > 0.4 * 2 + 0.6:
        failed.append(f"{where}: took {took:.2f} s")
    if any(outcome.addresses not in ((), ("192.0.2.7",)) for outcome in ended):
        failed.append(f"{where}: wrong answer")
    if count == 1 and not all(outcome.addresses for outcome in ended):
        failed.append(f"{where}: {[str(outcome.status) + ' ' + outcome.detail for outcome in ended]}")
    again = []
    join([spawn(lambda: again.append(stub.query(Question("again.example.", 1))))])
    if [outcome.addresses for outcome in again] != [("192.0.2.7",)]:
        failed.append(f"{where}: afterwards {[(str(o.status), o.detail) for o in again]}")
    stub.close()
    after = len(os.listdir("/proc/self/fd"))
    if after != before:
        failed.append(f"{where}: {after - before} descriptors left")

hit = 0
for case in cases:
    for kind in ("native", "gevent"):
        hits()
        check(kind, *case[:3], getattr(errno, case[3]), case[4])
        hit += hits() > 0
print(json.dumps({"failed": failed, "hit": hit}))
"""

CALLS = {
    "socket": ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EACCES"),
    "connect": ("ENETUNREACH", "EACCES", "EPERM", "EAGAIN", "ENOBUFS"),
    "send": ("EAGAIN", "EINTR", "ENOBUFS", "ENOMEM", "EPERM", "ENETUNREACH", "ECONNREFUSED"),
    "sendmmsg": ("EAGAIN", "EINTR", "ENOBUFS", "ENOMEM", "EPERM", "ENETUNREACH", "ECONNREFUSED", "EIO"),
    "recvmmsg": ("EAGAIN", "EINTR", "ENOMEM", "ECONNREFUSED"),
    "recv": ("EAGAIN", "EINTR", "ENOMEM", "ECONNRESET"),
    "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "epoll_wait": ("EINTR",),
    "epoll_create1": ("EMFILE", "ENFILE", "ENOMEM"),
    "eventfd": ("EMFILE", "ENFILE", "ENOMEM"),
    "getsockname": ("ENOBUFS",),
    "setsockopt": ("ENOBUFS", "ENOPROTOOPT"),
    "getsockopt": ("ENOPROTOOPT",),
    "getrandom": ("EINTR", "ENOSYS"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_system_call_that_fails_loses_no_look_up(dns_server, call):
    dns_server.add("*.example. 60 A 192.0.2.7")
    wishes = {
        "recv": [USE_TCP],
        "recvmmsg": [0, USE_EDNS],
        "sendmmsg": [0],
        "send": [USE_EDNS, USE_TCP],
        "getsockname": [USE_EDNS],
        "getsockopt": [0],
        "getrandom": [0, USE_0X20],
    }.get(call, [0, USE_TCP, USE_EDNS])
    cases = [
        [call, nth, count, error, wish]
        for error in CALLS[call]
        for nth in (1, 2, 3)
        for count in (1, 2)
        for wish in wishes
        if (nth == 1 or count == 1) and not (error == "EINTR" and count == 2)
    ]
    done = failing.run(PROGRAM, dns_server.address, json.dumps(cases))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["failed"] == []
    assert result["hit"] > len(cases) // 2  # the calls did fail


WANT = """
import json, sys
from gdns._ares import USE_EDNS, USE_TCP
from gdns._wire import Question
from gdns.hubs import NativeHub
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub

hub = NativeHub.of_this_thread()
addresses = [ServerAddress.parse(address) for address in sys.argv[1:3]]
said = []
for wishes in (0, USE_TCP, USE_EDNS):
    for call, error in (
        ("socket", "EMFILE"), ("socket", "ENFILE"), ("socket", "ENOBUFS"), ("socket", "ENOMEM"),
        ("socket", "EACCES"), ("sendmmsg" if not wishes else "send", "ENOBUFS"),
    ):
        stub = Stub(hub, Servers(addresses), timeout=1.0, attempts=2, wishes=wishes)
        question = Question(f"{call}-{error}-{wishes}.example.".lower(), 1)
        fail_call(call, 1, 1, getattr(errno, error))
        one = stub.query(question)
        failing = [server.name for server in stub.servers.all if server.failed_at]
        fail_call(call, 1, -1, getattr(errno, error))
        stub.close()  # and with it the connection that it has
        stub = Stub(hub, Servers(addresses), timeout=0.3, attempts=1, wishes=wishes)
        none = stub.query(Question("none.example.", 1))
        stub.close()
        fail_call(call, 0, 0, 0)
        said.append([call, error, wishes, one.addresses, one.server, failing,
                     none.status.value, none.detail, none.attempts])
print(json.dumps(said))
"""


def test_a_want_of_this_host_is_no_fault_of_the_server_and_sends_nothing_to_another(dns_server):
    dns_server.add("*.example. 60 A 192.0.2.7")
    with Server(["*.example. 60 A 192.0.2.8"]) as other:
        done = failing.run(WANT, dns_server.address, other.address)
        assert done.returncode == 0, done.stderr
        for call, error, wishes, addresses, server, failed, status, *said in json.loads(done.stdout):
            where = f"{call}: {error}, wishes {wishes}"
            assert (addresses, server, failed) == (["192.0.2.7"], dns_server.address, []), where
            assert (status, said) == ("unreachable", [os.strerror(getattr(errno, error)), 0]), where
        assert other.questions == []


# Memory

MEMORY = """
import gc, json, os, select, sys
from gdns._ares import USE_0X20, USE_EDNS, USE_TCP, AresLane
from gdns._datagram import DatagramLane
from gdns._sockets import Sockets
from gdns._wire import Question
from gdns.hubs import NativeHub
from gdns.servers import Server, ServerAddress, Servers
from gdns.stub import Stub

address, wishes, layer = ServerAddress.parse(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
hub = NativeHub.of_this_thread()
server = Server(address)
before = len(os.listdir("/proc/self/fd"))
counts = {"answered": 0, "MemoryError": 0, "outcome": 0}
question = Question("www.example.", 1)

def ask_the_lane(nth, when):
    lane = sockets = None
    try:
        if when == "asked":
            fail_memory(nth, nth > 0)
        sockets = Sockets()
        lane = (DatagramLane if layer == "plain" else AresLane)(sockets)
        attempt = lane.ask(server, question, wishes)
        lane.flush()
        poll = select.poll()
        poll.register(sockets.fileno(), 1)
        if when == "read":
            fail_memory(nth, nth > 0)
        for _ in range(10):
            if attempt.ended:
                break
            poll.poll(10)
            sockets.poll(10)
            lane.flush()
        else:
            lane.cancel(attempt)  # its reply, or what c-ares was to know of it, is lost
            lane.flush()
        return attempt.reply
    finally:
        spare_memory()
        if lane is not None:
            lane.close()
            sockets.close()

def ask_the_stub(nth, when):
    if when == "read":
        return None
    stub = Stub(hub, Servers([address]), timeout=0.5, attempts=1, wishes=wishes)
    raised = []
    def query():
        try:
            fail_memory(nth, nth > 0)
            return stub.query(question).reply
        except MemoryError as error:
            raised.append(error)
        finally:
            spare_memory()
    tasks = [hub.spawn(query), hub.spawn(lambda: stub.query(question).reply)]
    hub.join(*tasks, timeout=5)
    stub.close()
    assert all(task.ended for task in tasks), "lost"
    if raised:
        raise raised[0]
    assert tasks[1].get() is None or tasks[1].get().addresses == ("192.0.2.7",)
    return tasks[0].get()

def park():
    spare_memory()  # greenlet ends the process where it has no memory to switch
    return switch()

switch, hub.switch = hub.switch, park
ask = ask_the_stub if layer == "stub" else ask_the_lane
steps = 0
for when in ("asked", "read"):
    quiet = 0
    for nth in range(1, 3000):
        hits()
        try:
            reply = ask(nth, when)
            counts["outcome" if reply is None else "answered"] += 1
        except (MemoryError, OSError):
            counts["MemoryError"] += 1
        spare_memory()
        quiet = 0 if hits() else quiet + 1
        if quiet == 10:
            break
    steps += nth
assert ask(0, "").addresses == ("192.0.2.7",)
gc.collect()
left = len(os.listdir("/proc/self/fd")) - before
print(json.dumps({**counts, "steps": steps, "descriptors": left}))
"""


@pytest.mark.skipif(failing.SANITIZED, reason="AddressSanitizer keeps malloc to itself")
@pytest.mark.parametrize(
    ("layer", "wishes"),
    [
        ("lane", 0),
        ("lane", USE_TCP),
        ("lane", USE_EDNS | USE_0X20),
        ("plain", 0),
        ("stub", 0),
        ("stub", USE_EDNS),
    ],
)
def test_an_allocation_that_fails_costs_no_more_than_a_try(dns_server, layer, wishes):
    """Every single allocation of a look-up fails once, of ours and of c-ares, first to last."""
    dns_server.add("www.example. 60 A 192.0.2.7")
    done = failing.run(MEMORY, dns_server.address, str(wishes), layer, PYTHONMALLOC="malloc")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["descriptors"] == 0
    assert result["steps"] > 20
    assert result["answered"] > 0


ENGINE = """
import json, os, select, sys, time
import gdns.turns
from gdns._wire import Question
from gdns.hubs import NativeHub
from gdns.outcome import CLOSED, TIMEOUT, UNREACHABLE
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub

address, when = ServerAddress.parse(sys.argv[1]), sys.argv[2]
hub = NativeHub.of_this_thread()
hub.handle_error = lambda context, error: None if isinstance(error, MemoryError) else os._exit(3)
turn_length = gdns.turns.LONGEST_TURN
before = len(os.listdir("/proc/self/fd"))
lost, ended, steps, quiet = [], {}, 0, 0

def fail(call, nth):
    gdns.turns.LONGEST_TURN = -1  # wakes nobody: greenlet ends the process where it has no memory to switch
    try:
        fail_memory(nth, 1)
        call()
    except MemoryError:
        pass
    finally:
        spare_memory()
        gdns.turns.LONGEST_TURN = turn_length

for nth in range(1, 400):
    hits()
    patience = 0.02 if when == "due" else 0.3
    stub = Stub(hub, Servers([address]), timeout=patience, attempts=2)
    outcomes = []
    def ask(number):
        first, second = Question(f"n{nth}-{number}.example.", 1), Question(f"n{nth}-{number}.example.", 28)
        outcomes.extend(stub.query_both(first, second))
    tasks = [hub.spawn(lambda number=number: ask(number)) for number in range(3)]
    hub.call_soon(lambda: hub.call_soon(lambda: None))
    hub.join(timeout=0)
    def turn():
        if when == "read":
            poll = select.poll()
            poll.register(stub._sockets.fileno(), select.POLLIN)
            poll.poll(200)
            fail(stub._on_ready, nth)
        elif when == "due":
            time.sleep(0.025)
            fail(stub._on_timer, nth)
        else:
            fail(stub.close, nth)
    if when == "closed":
        turn()
    else:
        hub.call_soon(turn)
    hub.join(*tasks, timeout=3)
    if not all(task.ended for task in tasks):
        lost.append(nth)
    stub.close()
    for outcome in outcomes:
        ended[outcome.status.value] = ended.get(outcome.status.value, 0) + 1
    del stub, tasks, outcomes
    steps = nth
    quiet = 0 if hits() else quiet + 1
    if quiet == 5:
        break
left = len(os.listdir("/proc/self/fd")) - before
print(json.dumps({"lost": lost, "ended": ended, "steps": steps, "descriptors": left}))
"""


@pytest.mark.skipif(failing.SANITIZED, reason="AddressSanitizer keeps malloc to itself")
@pytest.mark.parametrize(("when", "how"), [("read", "answer"), ("due", "timeout"), ("closed", "closed")])
def test_an_allocation_that_fails_while_replies_are_dealt_with_leaves_nobody_waiting(dns_server, when, how):
    """Every allocation fails once: of the hub's turn, of its timer's, of closing. All end, and in time."""
    dns_server.add("*.example. 60 A 192.0.2.7", "*.example. 60 AAAA 2001:db8::7")
    if when != "read":
        dns_server.fault(None, silent())
    done = failing.run(ENGINE, dns_server.address, when, PYTHONMALLOC="malloc")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["lost"] == []
    assert result["ended"][how] > 0
    assert result["descriptors"] == 0
    assert result["steps"] > 5


CROWD = """
import json, os, select, sys, time
import gdns.turns
from gdns import Resolver
from gdns.hubs import NativeHub

address, amount = sys.argv[1], 20
hub = NativeHub.of_this_thread()
hub.handle_error = lambda context, error: None if isinstance(error, MemoryError) else os._exit(3)
turn_length = gdns.turns.LONGEST_TURN
ended, lost, steps, quiet = {}, [], 0, 0

def fail(call, nth):
    gdns.turns.LONGEST_TURN = -1  # wakes nobody: greenlet ends the process where it has no memory to switch
    try:
        fail_memory(nth, 1)
        call()
    except MemoryError:
        pass
    finally:
        spare_memory()
        gdns.turns.LONGEST_TURN = turn_length

for nth in range(1, 600):
    hits()
    results, same = [], []
    with Resolver([address], timeout=0.1, attempts=1, cache=False, hub=hub) as resolver:
        stub = resolver._engine().stub
        names = [f"n{nth}-{number}.example" for number in range(5)]
        many = hub.spawn(lambda: results.extend(resolver.resolve_many(names)))
        def ask():
            try:
                same.append(resolver.lookup(f"s{nth}.example", 2))
            except OSError as error:
                same.append(error)
        tasks = [hub.spawn(ask) for number in range(amount)]
        hub.call_soon(lambda: hub.call_soon(lambda: None))
        hub.join(timeout=0)
        def turn():
            poll = select.poll()
            poll.register(stub._sockets.fileno(), select.POLLIN)
            poll.poll(200)
            fail(stub._on_ready, nth)
        hub.call_soon(turn)
        hub.join(many, *tasks, timeout=5)
        if not many.ended or not all(task.ended for task in tasks):
            lost.append(nth)
    if len(results) != 5 or len(same) != amount:
        lost.append((nth, len(results), len(same)))
    for result in results:
        status = result.outcome.status.value
        ended[status] = ended.get(status, 0) + 1
    steps = nth
    quiet = 0 if hits() else quiet + 1
    if quiet == 5:
        break
print(json.dumps({"lost": lost, "ended": ended, "steps": steps}))
"""


@pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer keeps malloc to itself"
)
def test_an_allocation_that_fails_while_replies_to_a_crowd_are_dealt_with_loses_no_result(dns_server):
    """Of five questions of `resolve_many`, and of twenty greenlets that ask the same: each has its end."""
    dns_server.add("*.example. 60 A 192.0.2.7")
    done = failing.run(CROWD, dns_server.address, PYTHONMALLOC="malloc")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["lost"] == []
    assert result["ended"]["answer"] > 0
    assert result["steps"] > 5
