"""`gdns.watch_blocking()` names who makes the hub wait for the system's resolver."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import gevent
import pytest

import gdns

DELAY = 0.2  # seconds that the server takes to answer

# in a network of its own, whose system resolver asks a server of ours
STAGE = f"""if True:
    import json, logging, sys
    from gdns.cli import namespace
    try:
        namespace.enter()
    except OSError as error:
        print(json.dumps(["refused"]))
        raise SystemExit
    from gdns.testing import Server, delay
    server = Server({{"*.slow.example.": {{"A": "127.0.0.1"}}, "example.": {{}}}}, port=53).start()
    namespace.point_system_at_loopback()
    server.fault(None, delay({DELAY}))
    logging.basicConfig(stream=sys.stderr, format="%(name)s %(levelname)s %(message)s")
"""


def run(program: str) -> tuple[list[list[object]], str]:
    """What a program prints as JSON, and what it logs; the test is skipped where namespaces are refused."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("GEVENT", "GDNS"))}
    done = subprocess.run(
        [sys.executable, "-c", STAGE + program],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    if said == ["refused"]:
        pytest.skip(
            "unshare(2) is refused, so there can be no network in which the system's resolver is slow"
        )
    return said, done.stderr


CALLS = """
import ctypes, socket
from socket import gethostbyname as captured
import gevent
import gdns

def dgram():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

def calls():
    socket.getaddrinfo("a.slow.example", 80)  # socket.getaddrinfo
    captured("b.slow.example")  # socket.gethostbyname
    socket.gethostbyname_ex("c.slow.example")  # socket.gethostbyname
    dgram().sendto(b"x", ("d.slow.example", 9))  # socket.sendto
    dgram().connect(("e.slow.example", 9))  # socket.connect
    dgram().bind(("f.slow.example", 0))  # socket.bind
    gevent.socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("g.slow.example", 9))  # socket.sendto
    libc = ctypes.CDLL(None)
    libc.getaddrinfo(b"h.slow.example", None, None, ctypes.byref(ctypes.c_void_p()))  # a C library
    gdns.getaddrinfo("i.slow.example", 80)
    socket.getaddrinfo("127.0.0.1", 80)
    gevent.socket.getaddrinfo("j.slow.example", 80)  # in gevent's threads

gevent.sleep(0)  # now there is a hub that can be made to wait
"""


def expected() -> list[tuple[str, int]]:
    lines = (STAGE + CALLS).splitlines()
    marked = [(line.rpartition("  # ")[2], number) for number, line in enumerate(lines, 1) if ")  # " in line]
    return [(call, number) for call, number in marked if call.startswith(("socket.", "a C"))]


def test_it_names_file_and_line_of_each_call_that_waits_and_for_how_long():
    seen, log = run(
        CALLS
        + """
import gevent.socket
with gdns.watch_blocking() as watch:
    calls()
calls()
print(json.dumps(watch.sightings))
"""
    )
    assert [(call, line) for call, _, line, *_ in seen] == expected()
    assert {(filename, function) for _, filename, _, function, *_ in seen} == {("<string>", "calls")}
    assert all(seconds > DELAY * 0.8 for *_, seconds, _ in seen)
    lines = [line for line in log.splitlines() if line.startswith("gdns ")]
    assert len(lines) == len(expected())
    assert lines[0].startswith(f"gdns WARNING <string>:{expected()[0][1]} (calls) made the hub wait 2")
    assert "slow.example" not in log


ON_EVENTLET = """
import os
os.environ |= {"EVENTLET_NO_GREENDNS": "yes", "EVENTLET_TESTS": "1", "EVENTLET_HUB": "@"}
import eventlet
eventlet.monkey_patch()
import ctypes, socket
import gdns, gdns.eventlet

def calls():
    socket.getaddrinfo("a.slow.example", 80)
    socket.gethostbyname("b.slow.example")
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("c.slow.example", 0))
    libc = ctypes.CDLL(None)
    libc.getaddrinfo(b"d.slow.example", None, None, ctypes.byref(ctypes.c_void_p()))

with gdns.watch_blocking() as watch:
    eventlet.spawn(calls).wait()
    while len(watch.sightings) < 4:  # the last one is seen from a thread
        eventlet.sleep(0.001)
    before = len(watch.sightings)
    with gdns.patch_socket():
        eventlet.spawn(socket.getaddrinfo, "a.slow.example", 80).wait()
print(json.dumps([before, [[sighting.call, sighting.function] for sighting in watch.sightings]]))
"""


@pytest.mark.parametrize("hub", ["epolls", "asyncio"])
def test_under_eventlet_it_names_them_too_and_none_where_gdns_answers(hub):
    (before, seen), _ = run(ON_EVENTLET.replace("@", hub))
    waits = ["socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "a C library"]
    assert seen == [[call, "calls"] for call in waits]
    assert before == len(seen)


@pytest.mark.parametrize(("value", "warnings"), [("1", 1), ("0", 0)])
def test_the_environment_starts_it(value, warnings):
    program = f"""
import os, subprocess
app = "import socket, gevent; gevent.sleep(0); import gdns; socket.getaddrinfo('a.slow.example', 80)"
environ = os.environ | {{"GDNS_WATCH": "{value}"}}
subprocess.run([sys.executable, "-c", app], env=environ, check=True)
print(json.dumps([]))
"""
    _, log = run(program)
    assert log.count("made the hub wait") == warnings


def test_it_is_warned_of_once_for_a_line_and_told_of_each_time():
    told, log = run(
        CALLS
        + """
told = []
gdns.watch_blocking(on_sighting=lambda sighting: told.append(sighting.call))
for number in range(3):
    captured(f"n{number}.slow.example")
print(json.dumps(told))
"""
    )
    assert told == ["socket.gethostbyname"] * 3
    assert len(log.splitlines()) == 1


def test_nobody_waits_where_there_is_no_hub_yet_and_in_threads_of_the_systems():
    program = """
import socket, threading
import gdns
with gdns.watch_blocking(at_least=0.0) as watch:
    socket.getaddrinfo("a.slow.example", 80)
    thread = threading.Thread(target=socket.getaddrinfo, args=("b.slow.example", 80))
    thread.start(), thread.join()
print(json.dumps(watch.sightings))
"""
    assert run(program)[0] == []


def test_undone_it_leaves_everything_as_it_was():
    gevent.sleep(0)
    before = dict(vars(socket.socket))
    with gdns.watch_blocking(at_least=0.0) as watch:
        socket.getaddrinfo("localhost", 80)
        assert [sighting.call for sighting in watch.sightings] == ["socket.getaddrinfo"]
        assert watch.is_on
    assert dict(vars(socket.socket)) == before
    assert sys.getprofile() is None
    assert not watch.is_on
    socket.getaddrinfo("localhost", 80)
    assert len(watch.sightings) == 1


def test_another_profiler_keeps_its_place():
    gevent.sleep(0)
    events = []

    def profile(frame, event, argument):
        events.append(event)

    with gdns.watch_blocking(at_least=0.0):
        sys.setprofile(profile)
        try:
            socket.gethostbyname("localhost")
            assert sys.getprofile() is profile
        finally:
            sys.setprofile(None)
    assert "c_call" in events


def test_a_time_that_is_none_is_refused():
    with pytest.raises(ValueError, match="at_least"):
        gdns.watch_blocking(at_least=-1)
