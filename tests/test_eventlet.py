"""`gdns.eventlet.install()` puts gdns in greendns' place; programs of eventlet resolve on eventlet's hub."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import pytest

from gdns.testing import delay, silent

BEFORE = "import gdns.eventlet\nswitch = gdns.eventlet.install()\nimport eventlet\neventlet.monkey_patch()\n"
AFTER = "import eventlet\neventlet.monkey_patch()\nimport gdns.eventlet\nswitch = gdns.eventlet.install()\n"
GREEN = "import eventlet, gdns.eventlet\nswitch = gdns.eventlet.install()\n"
SERVERS = """
import gdns, os
import eventlet.green.socket as green
from eventlet.support import greendns
import socket
if not eventlet.patcher.is_monkey_patched("socket"):
    socket = green
gdns.default_resolver().set_servers([os.environ["SERVER"]])
"""
NAMES = ["getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo", "getfqdn"]

setups = pytest.mark.parametrize(
    "setup", [BEFORE, AFTER, GREEN], ids=["install, patch", "patch, install", "not patched"]
)
greendns = pytest.mark.parametrize("without_greendns", ["yes", ""], ids=["without greendns", "with greendns"])


@pytest.fixture
def run(dns_server):
    """Run a program in a fresh interpreter, for patches cannot be taken back; the lines it prints."""
    for name in ("www.example.", "*.slow.example."):
        dns_server.add(f"{name} 300 A 127.0.0.1", f"{name} 300 AAAA ::1")

    def run(program, **environment):
        environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("EVENTLET", "GDNS"))
        }
        environ |= {"EVENTLET_TESTS": "1", "SERVER": dns_server.address}  # it warns of its own age, otherwise
        done = subprocess.run(
            [sys.executable, "-W", "error", "-W", "ignore:Using fork:DeprecationWarning", "-c", program],
            env=environ | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout.splitlines()

    return run


@setups
@greendns
def test_greenlets_that_ask_at_once_are_answered_on_the_hub_and_share_one_query(
    run, dns_server, setup, without_greendns
):
    program = setup + SERVERS
    program += dedent("""
        from gdns.hubs import current
        lookups = [eventlet.spawn(socket.gethostbyname, "www.example") for _ in range(50)]
        print({lookup.wait() for lookup in lookups}, current().name)
        print(sorted({info[4][0] for info in socket.getaddrinfo("www.example", 80)}))
        import threading
        print(len(os.listdir("/proc/self/task")))
    """)
    assert run(program, EVENTLET_NO_GREENDNS=without_greendns) == [
        "{'127.0.0.1'} eventlet",
        "['127.0.0.1', '::1']",
        "1",
    ]
    assert sorted(dns_server.questions) == [("www.example.", "A"), ("www.example.", "AAAA")]


@pytest.mark.parametrize("hub", ["epolls", "poll", "selects", "asyncio"])
def test_every_hub_of_eventlets_serves_a_program_from_end_to_end(run, dns_server, hub):
    dns_server.fault("n.slow.example", delay(0.1))
    program = AFTER + SERVERS
    program += dedent("""
        from gdns.hubs import current
        slow = eventlet.spawn(socket.gethostbyname, "n.slow.example")
        turns = 0
        while not slow.dead:
            eventlet.sleep(0.001)
            turns += 1
        print(slow.wait(), turns > 10, current().name, type(eventlet.hubs.get_hub()).__module__)
    """)
    said = run(program, EVENTLET_HUB=hub)
    assert said == [f"127.0.0.1 True eventlet eventlet.hubs.{hub}"]


def test_gdns_own_hub_serves_its_tasks_where_eventlet_has_patched_everything(run, dns_server):
    program = AFTER + SERVERS
    program += dedent("""
        import gdns
        from gdns.hubs import NativeHub, current
        hub = NativeHub.of_this_thread()
        def look_up():
            return current().name, gdns.gethostbyname("www.example")
        tasks = [hub.spawn(look_up) for _ in range(10)]
        hub.join(*tasks)
        print({task.get() for task in tasks})
        print(eventlet.spawn(look_up).wait())
    """)
    assert run(program) == ["{('native', '127.0.0.1')}", "('eventlet', '127.0.0.1')"]


@setups
@greendns
def test_the_last_undo_gives_back_what_eventlet_had(run, setup, without_greendns):
    names = ", ".join(map(repr, NAMES))
    plain = f"""
import eventlet, json
from eventlet.green import socket as green
import socket
def state():
    return [[getattr(module, name).__module__ for name in ({names})] for module in (green, socket)] + [
        green.__patched__]
"""
    patch = "eventlet.monkey_patch()\n" if setup != GREEN else ""
    wanted = run(plain + patch + "print(state())", EVENTLET_NO_GREENDNS=without_greendns)
    program = setup + plain + "second = gdns.eventlet.install()\nswitch.undo()\n"
    program += "print({module for module in state()[0]}, switch.is_on, second.is_on)\n"
    program += "second.undo()\nsecond.undo()\nprint(state(), second.is_on)"
    after = [f"{line} False" for line in wanted]
    assert run(program, EVENTLET_NO_GREENDNS=without_greendns) == ["{'gdns.patch'} False True", *after]


def test_patch_socket_takes_the_sockets_of_eventlet_along(run, dns_server):
    """The server answers late; whoever stops the hub delays the other greenlet."""
    dns_server.fault(None, delay(0.4))
    program = (AFTER + SERVERS).replace("gdns.eventlet.install", "gdns.patch_socket")
    program += dedent("""
        import time
        listener = eventlet.listen(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        held = []  # a socket that nobody holds is closed, though its method be under way
        def new(kind=socket.SOCK_STREAM):
            held.append(socket.socket(socket.AF_INET, kind))
            return held[-1]
        udp = lambda: new(socket.SOCK_DGRAM)
        calls = {
            "connect": lambda: new().connect(("a.slow.example", port)),
            "connect_ex": lambda: new().connect_ex(("b.slow.example", port)),
            "sendto": lambda: udp().sendto(b"abc", ("c.slow.example", port)),
            "sendmsg": lambda: udp().sendmsg([b"abc"], [], 0, ("d.slow.example", port)),
            "bind": lambda: new().bind(("e.slow.example", 0)),
            "gdns": lambda: type(gdns.create_connection(("f.slow.example", port))).__name__,
        }
        for name, call in calls.items():
            task, gaps = eventlet.spawn(call), []
            while not task.dead:
                before = time.monotonic()
                eventlet.sleep(0.001)
                gaps.append(time.monotonic() - before)
            print(name, task.wait(), max(gaps) < 0.2, len(gaps) > 10)
        switch.undo()
        print(socket.gethostbyname.__module__, "bind" in vars(type(udp().fd)))
    """)
    assert run(program) == [
        "connect None True True",
        "connect_ex 0 True True",
        "sendto 3 True True",
        "sendmsg 3 True True",
        "bind None True True",
        "gdns GreenSocket True True",
        "eventlet.support.greendns False",
    ]


def test_killed_and_timed_out_greenlets_harm_nobody(run, dns_server):
    dns_server.fault("silent.example.", silent())
    program = AFTER + SERVERS
    program += dedent("""
        def impatient():
            with eventlet.Timeout(0.05, False):
                socket.gethostbyname("silent.example")
                return "answered"
            return "timed out"
        tasks = [eventlet.spawn(impatient) for _ in range(20)]
        doomed = [eventlet.spawn(socket.gethostbyname, "silent.example") for _ in range(20)]
        eventlet.sleep(0.01)
        for task in doomed:
            task.kill()
        print({task.wait() for task in tasks}, all(task.dead for task in doomed))
        print(socket.gethostbyname("www.example"))
    """)
    assert run(program) == ["{'timed out'} True", "127.0.0.1"]


@pytest.mark.parametrize("kind", ["epolls", "poll", "selects"])
def test_parent_and_child_both_finish_what_was_pending(run, dns_server, kind):
    dns_server.fault(None, delay(0.3))
    program = AFTER + SERVERS
    program += dedent("""
        tasks = [eventlet.spawn(socket.gethostbyname, f"n{n}.slow.example") for n in range(20)]
        eventlet.sleep(0.1)
        reader, writer = os.pipe()
        child = os.fork()
        said = {task.wait() for task in tasks} | {socket.gethostbyname(f"{bool(child)}.slow.example")}
        if not child:
            os.write(writer, repr(said).encode())
            os._exit(0)
        print(said, os.read(reader, 100).decode(), os.waitpid(child, 0)[1])
    """)
    assert run(program, EVENTLET_HUB=kind) == ["{'127.0.0.1'} {'127.0.0.1'} 0"]


def test_workers_of_tpool_have_a_hub_each(run):
    """tpool calls in the caller's own thread while any import is under way: then it is that one's hub."""
    program = AFTER + SERVERS
    program += dedent("""
        import _thread
        from eventlet import tpool
        from gdns.hubs import current
        socket.gethostbyname("www.example")  # imports what there is to import
        main, thread = current(), _thread.get_native_id()
        def look():
            return socket.gethostbyname("www.example"), current() is main, _thread.get_native_id() == thread
        found = [task.wait() for task in [eventlet.spawn(tpool.execute, look) for _ in range(10)]]
        print({address for address, _, _ in found}, all(ours == here for _, ours, here in found))
        print(any(not here for _, _, here in found))
        tpool.killall()
    """)
    assert run(program) == ["{'127.0.0.1'} True", "True"]
