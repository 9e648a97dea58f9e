"""`gdns.patch_socket()` lets what programs ask of `socket` be looked up on the hub, and can be undone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

import gdns
from gdns.patch import ADDRESS_AT, FUNCTIONS
from gdns.testing import Server, delay

DELAY = 0.4  # seconds that the server takes, and a hub stands still that waits for it; less is a busy core

Run = Callable[..., list[str]]


@pytest.fixture
def run(dns_server: Server) -> Run:
    """Run a program whose names `dns_server` serves, in a fresh interpreter; the lines it prints.

    `www.example` and whatever ends in `slow.example` is 127.0.0.1 and ::1.
    """
    for name in ("www.example.", "*.slow.example."):
        dns_server.add(f"{name} 300 A 127.0.0.1", f"{name} 300 AAAA ::1")

    def run(program: str, **environment: str) -> list[str]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("GEVENT", "GDNS"))}
        environ |= {"GEVENT_RESOLVER_NAMESERVERS": dns_server.address, "SERVER": dns_server.address}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", program],
            env=environ | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return run


NATIVE = """
import os, gdns, socket
from gdns.hubs import NativeHub
hub = NativeHub.of_this_thread()
spawn, sleep = hub.spawn, hub.sleep
gdns.default_resolver().set_servers([os.environ["SERVER"]])
switch = gdns.patch_socket()
"""
GEVENT_UNPATCHED = """
import gevent, gdns, gevent.socket as socket
spawn, sleep = gevent.spawn, gevent.sleep
switch = gdns.patch_socket()
"""
PATCH_FIRST = """
import gdns
switch = gdns.patch_socket()
from gevent import monkey
monkey.patch_all()
import gevent, socket
spawn, sleep = gevent.spawn, gevent.sleep
"""
GEVENT_FIRST = """
from gevent import monkey
monkey.patch_all()
import gevent, gdns, socket
spawn, sleep = gevent.spawn, gevent.sleep
switch = gdns.patch_socket()
"""
AUTO = """
from gevent import monkey
monkey.patch_all(gdns=True)
import gevent, socket
spawn, sleep = gevent.spawn, gevent.sleep
"""
SETUPS = {
    "gdns' own hub": NATIVE,
    "gevent, not patched": GEVENT_UNPATCHED,
    "patch_socket, then patch_all": PATCH_FIRST,
    "patch_all, then patch_socket": GEVENT_FIRST,
    "patch_all(gdns=True)": AUTO,
}
LONGEST_GAP = """
import time

def longest_gap(call):
    gaps, task = [], spawn(call)
    last = time.monotonic()
    ends_at = last + 20
    while not (task.ended if hasattr(task, "ended") else task.ready()) and last < ends_at:
        sleep(0.001)
        now = time.monotonic()
        gaps.append(now - last)
        last = now
    try:
        said = task.get()
    except OSError as error:
        said = type(error).__name__
    return max(gaps), said

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
port = udp.getsockname()[1]
tcp = socket.socket(socket.AF_INET)
tcp.bind(("127.0.0.1", 0))
tcp.listen()
tcp_port = tcp.getsockname()[1]
create = socket.create_connection
new = lambda kind=socket.SOCK_STREAM, family=socket.AF_INET: socket.socket(family, kind)
CALLS = {
    "getaddrinfo": lambda: len(socket.getaddrinfo("getaddrinfo.slow.example", 80, 0, socket.SOCK_STREAM)),
    "gethostbyname": lambda: socket.gethostbyname("gethostbyname.slow.example"),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex("gethostbyname-ex.slow.example")[2],
    "gethostbyaddr": lambda: socket.gethostbyaddr("192.0.2.9")[0],
    "getfqdn": lambda: socket.getfqdn("192.0.2.10"),
    "getnameinfo": lambda: socket.getnameinfo(("192.0.2.11", 1), 0)[0],
    "create_connection": lambda: create(("create-connection.slow.example", tcp_port)).getpeername()[0],
    "connect": lambda: new().connect(("connect.slow.example", tcp_port)),
    "connect_ex": lambda: new().connect_ex(("connect-ex.slow.example", tcp_port)),
    "sendto": lambda: new(socket.SOCK_DGRAM).sendto(b"abc", ("sendto.slow.example", port)),
    "sendmsg": lambda: new(socket.SOCK_DGRAM).sendmsg([b"abc"], [], 0, ("sendmsg.slow.example", port)),
    "bind": lambda: new().bind(("bind.slow.example", 0)),
    "bind_ipv6": lambda: new(family=socket.AF_INET6).bind(("bind-ipv6.slow.example", 0, 0, 0)),
}
for name, call in CALLS.items():
    print(name, *longest_gap(call))
"""
RESULTS = {
    "getaddrinfo": "2",
    "gethostbyname": "127.0.0.1",
    "gethostbyname_ex": "['127.0.0.1']",
    "gethostbyaddr": "late.example",
    "getfqdn": "late.example",
    "getnameinfo": "late.example",
    "create_connection": "127.0.0.1",
    "connect": "None",
    "connect_ex": "0",
    "sendto": "3",
    "sendmsg": "3",
    "bind": "None",
    "bind_ipv6": "None",
}


@pytest.mark.parametrize("setup", SETUPS)
def test_no_call_that_takes_a_hosts_name_stops_the_hub(run, dns_server, setup):
    """The server answers late, and another greenlet measures the time between its turns meanwhile."""
    dns_server.add(*(f"{number}.2.0.192.in-addr.arpa. 300 PTR late.example." for number in (9, 10, 11)))
    dns_server.fault(None, delay(DELAY))
    lines = run(SETUPS[setup] + LONGEST_GAP)
    found = {name: (float(gap), said) for name, gap, said in (line.split(None, 2) for line in lines)}
    assert {name: said for name, (_, said) in found.items()} == RESULTS
    assert {name: gap for name, (gap, _) in found.items() if gap > DELAY * 3 / 4} == {}
    assert len({name for name, _ in dns_server.questions}) == len(RESULTS)


def test_undo_restores_exactly_what_was_there(dns_server):
    before = {name: getattr(socket, name) for name in FUNCTIONS}
    methods = {name: getattr(socket.socket, name) for name in ADDRESS_AT}
    own = set(vars(socket.socket))
    switch = gdns.patch_socket()
    try:
        assert gdns.patch_socket() is switch
        assert switch.is_on
        assert all(getattr(socket, name) is not function for name, function in before.items())
        assert set(vars(socket.socket)) - own == set(ADDRESS_AT)
    finally:
        switch.undo()
    switch.undo()
    assert not switch.is_on
    assert {name: getattr(socket, name) for name in FUNCTIONS} == before
    assert {name: getattr(socket.socket, name) for name in ADDRESS_AT} == methods
    assert set(vars(socket.socket)) == own


@pytest.mark.parametrize("setup", ["patch_socket, then patch_all", "patch_all, then patch_socket"])
def test_undo_leaves_what_gevent_has_patched(run, setup):
    program = (
        SETUPS[setup]
        + """if True:
        import gevent.socket
        switch.undo()
        from gdns.patch import ADDRESS_AT, FUNCTIONS
        print(all(getattr(socket, name) is getattr(gevent.socket, name) for name in FUNCTIONS))
        print(set(ADDRESS_AT) & set(vars(gevent.socket.socket)) - {"sendmsg"})
        import _socket
        print(monkey.get_original("socket", "gethostbyname") is _socket.gethostbyname)
        print(set(ADDRESS_AT) & set(vars(monkey.get_original("socket", "socket"))))
        print(type(gevent.get_hub().resolver).__module__)
    """
    )
    assert run(program) == ["True", "set()", "True", "set()", "gevent.resolver.thread"]


def test_patching_again_takes_along_what_gevent_has_brought_since(run):
    program = """if True:
        import gdns
        first = gdns.patch_socket()
        import gevent, gevent.socket
        print(gdns.patch_socket() is first, type(gevent.get_hub().resolver).__module__)
        print(gevent.socket.gethostbyname("www.example"))
    """
    assert run(program) == ["True gdns.gevent", "127.0.0.1"]


def test_get_original_still_finds_the_original(run):
    program = (
        PATCH_FIRST
        + "import _socket\nprint(monkey.get_original('socket', 'gethostbyname') is _socket.gethostbyname)"
    )
    assert run(program) == ["True"]


def test_create_connection_of_socket_itself_goes_through_gdns(run, dns_server):
    program = (
        NATIVE
        + """if True:
        server = socket.create_server(("127.0.0.1", 0))
        peer = socket.create_connection(("www.example", server.getsockname()[1]), timeout=10)
        print(peer.getpeername()[0])
        switch.undo()
        try:
            socket.create_connection(("www.example", 1))
        except socket.gaierror:
            print("the system does not know it")
    """
    )
    assert run(program) == ["127.0.0.1", "the system does not know it"]


@pytest.fixture
def patched(dns_server):
    dns_server.add("www.example. 300 A 127.0.0.1")
    switch = gdns.patch_socket()
    yield
    switch.undo()


@pytest.mark.parametrize(
    "address",
    [
        ("127.0.0.1", 70000),
        ("127.0.0.1", -1),
        ("127.0.0.1", "80"),
        ("localhost", "80"),
        ("localhost", None),
        ("localhost",),
        ("127.0.0.1", 0, 0, 0, 0),
        (None, 0),
        (5, 0),
        "localhost",
        None,
        ("a" * 64, 0),
        ("::1", 0),
        ("127.1", 0),
        ("127.0.0.1 ", 0),
        ("<broadcast>", 0),
        (b"127.0.0.1", 0),
        (bytearray(b"localhost"), 0),
        ("none.invalid", 0),
        ("none.invalid", "80"),
        ("local\0host", 0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("method", ["bind", "connect_ex", "sendto"])
def test_addresses_that_c_refuses_or_reads_itself_end_as_without_us(address, method):
    def call():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            arguments = (b"x", address) if method == "sendto" else (address,)
            try:
                result = getattr(sock, method)(*arguments)
                return result, sock.getsockname()[0]
            except (OSError, TypeError, OverflowError, UnicodeError, ValueError) as error:
                return kind_of(error), getattr(error, "errno", None)

    without = call()
    with gdns.patch_socket():
        assert call() == without


def kind_of(error: Exception) -> type:
    return next(kind for kind in type(error).__mro__ if kind.__module__ in ("builtins", "socket"))


def test_other_families_are_left_alone(tmp_path):
    with gdns.patch_socket(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "socket"))
        assert sock.getsockname() == str(tmp_path / "socket")


def test_a_subclass_with_its_own_methods_goes_through_ours(run):
    """As `ssl.SSLSocket`, whose `connect` calls its parent's."""
    program = (
        NATIVE
        + """if True:
        import ssl
        server = socket.create_server(("127.0.0.1", 0))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        sock = context.wrap_socket(socket.socket(), do_handshake_on_connect=False)
        sock.connect(("www.example", server.getsockname()[1]))
        print(sock.getpeername()[0])
    """
    )
    assert run(program) == ["127.0.0.1"]


CONNECT = """
import time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
port = listener.getsockname()[1]
"""


@pytest.mark.parametrize(
    "setup", ["gdns' own hub", "patch_socket, then patch_all", "patch_all, then patch_socket"]
)
def test_create_connection_is_patched_on_request_and_has_one_deadline_for_lookup_and_connecting(
    run, dns_server, setup
):
    """The name server is silent: only a deadline over both ends this before the resolver's own 10 s."""
    from gdns.testing import silent

    dns_server.fault("silent.example.", silent())
    patched = SETUPS[setup].replace("patch_socket()", "patch_socket(create_connection=True)")
    program = (
        patched
        + CONNECT
        + """
print(socket.create_connection(("www.example", port), timeout=5).getpeername()[0])
began = time.monotonic()
try:
    socket.create_connection(("silent.example", port), timeout=0.3)
except TimeoutError:
    print(time.monotonic() - began < 3)
switch.undo()
import sys
print(socket.create_connection.__module__)
"""
    )
    theirs = "socket" if setup == "gdns' own hub" else "gevent._socketcommon"
    *said, module = run(program)
    assert said == ["127.0.0.1", "True"]
    assert module.startswith(theirs.split(".")[0])


def test_urllib3_connects_so_too(run, dns_server):
    pytest.importorskip("urllib3", reason="urllib3 is not installed: it is in the extra `integration`")
    from gdns.testing import silent

    dns_server.fault("silent.example.", silent())
    program = (
        """
import urllib3, urllib3.util.connection
"""
        + NATIVE.replace("patch_socket()", "patch_socket(create_connection=True)")
        + CONNECT
        + """
sock = urllib3.util.connection.create_connection(
    ("www.example", port), timeout=5, socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
)
print(sock.getpeername()[0], sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
began = time.monotonic()
try:
    urllib3.PoolManager(retries=False).request("GET", "http://silent.example/", timeout=0.3)
except (urllib3.exceptions.HTTPError, OSError) as error:
    print(type(error).__name__, time.monotonic() - began < 3)
"""
    )
    assert run(program) == ["127.0.0.1 True", "ConnectTimeoutError True"]


def test_urllib3s_own_word_for_no_timeout_and_bad_options_end_well(run):
    pytest.importorskip("urllib3", reason="urllib3 is not installed: it is in the extra `integration`")
    program = (
        "import urllib3.util.connection\n"
        + NATIVE.replace("patch_socket()", "patch_socket(create_connection=True)")
        + CONNECT
        + """
create = urllib3.util.connection.create_connection
sock = create(("www.example", port))
print(sock.gettimeout())
sock.close()
before = len(os.listdir("/proc/self/fd"))
try:
    create(("www.example", port), socket_options=[(socket.IPPROTO_TCP, -1, 1)])
except OSError:
    print(len(os.listdir("/proc/self/fd")) - before)
"""
    )
    assert run(program) == ["None", "0"]


def test_gevents_sendmsg_may_be_told_the_address_by_keyword(run):
    program = (
        GEVENT_UNPATCHED
        + """
there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
there.bind(("127.0.0.1", 0))
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
here.sendmsg([b"abc"], address=("www.example", there.getsockname()[1]))
print(there.recv(3))
"""
    )
    assert run(program) == ["b'abc'"]
