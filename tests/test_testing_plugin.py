"""The pytest plugin, in test suites of other people."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from _pytest.assertion.rewrite import AssertionRewriter

import _gdns_gevent_plugin
import gdns

ROOT = Path(__file__).parent.parent
PLUGIN = "_gdns_pytest_plugin"


def run_suite(folder: Path, source: str, *arguments: str) -> tuple[int, str]:
    """Run a suite of one module with the plugin, and no other, in a fresh pytest; its status and words."""
    folder.joinpath("test_it.py").write_text(source)
    folder.joinpath("pytest.ini").write_text("[pytest]\naddopts = --strict-markers -p no:cacheprovider\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", PLUGIN, "-q", *arguments],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


SUITE = """
import socket
import gdns
import pytest

def test_a_server_to_ask(dns_server, gdns_resolver):
    dns_server.add("www.example. 60 A 192.0.2.7")
    assert gdns_resolver.gethostbyname("www.example") == "192.0.2.7"
    assert dns_server.questions == [("www.example.", "A")]

def test_it_may_be_closed(dns_server):
    dns_server.close()
    assert not dns_server.is_running

def test_it_is_new_for_each_test(dns_server, gdns_resolver):
    assert dns_server.questions == []
    with pytest.raises(socket.gaierror, match="not known"):
        gdns_resolver.gethostbyname("www.example")

def test_an_override(gdns_override):
    gdns_override({"api.example": "192.0.2.1"})
    assert gdns_override({"api.example": "192.0.2.9"}).is_on
    assert gdns.gethostbyname("api.example") == "192.0.2.9"

def test_it_ends_with_its_test():
    with gdns.override({"api.example": "192.0.2.2"}) as mine:
        assert gdns.gethostbyname("api.example") == "192.0.2.2"
    assert gdns.default_resolver()._shared.overrides.table == {}
"""


def test_the_fixtures_serve_each_test_anew(tmp_path):
    status, said = run_suite(tmp_path, SUITE)
    assert (status, "5 passed" in said) == (0, True), said


FAILING = """
import gdns
from gdns.testing import Server

def test_outside(dns_server, gdns_resolver):
    dns_server.add("www.example. 60 A 192.0.2.7")
    gdns_resolver.gethostbyname("www.example")
    gdns_resolver.gethostbyname("api.nowhere")

def test_wrapped(dns_server, gdns_resolver):
    try:
        gdns_resolver.gethostbyname("api.example")
    except OSError as error:
        raise RuntimeError("no api") from error

def test_without_servers():
    assert Server

def test_closed(dns_server):
    dns_server.close()
    assert not "closed"
"""


def test_below_a_failed_test_stands_what_its_server_was_asked(tmp_path):
    status, said = run_suite(tmp_path, FAILING)
    assert (status, "3 failed, 1 passed" in said) == (1, True), said
    told = [part.split("\n_____")[0] for part in said.split("gdns: what was asked ---")[1:]]
    assert len(told) == 2, said
    assert re.search(r"<Outcome api\.nowhere\. A: REFUSED from 127\.0\.0\.1:\d+ after", told[0]), said
    assert re.search(r"127\.0\.0\.1:\d+ has seen \d+ queries; its zones: example\.\n", told[0]), said
    assert told[0].count("\n  www.example. A\n") == 1
    assert re.search(r"\n  api\.nowhere\. A, \d times: in none of its zones, so REFUSED but", told[0]), said
    assert "<Outcome api.example. A: NXDOMAIN from " in told[1]
    assert "\n  api.example. A" in told[1]


BLOCKED = """
import asyncio
import socket
import gdns
import pytest

def connect():
    with socket.socket() as sock:
        sock.settimeout(0.1)
        sock.connect(("192.0.2.1", 443))  # line 10

def test_connect():
    connect()

def test_swallowed():
    try:
        connect()
    except Exception:
        pass

def test_datagram():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("2001:db8::1", 53))  # line 23

def test_system():
    socket.getaddrinfo("www.example", 80)  # line 26

def test_reverse():
    socket.gethostbyaddr("192.0.2.1")  # line 29

def test_gdns():
    with gdns.Resolver(["192.0.2.53"], timeout=0.1, attempts=1) as resolver:
        resolver.gethostbyname("www.example")  # line 33

def test_asyncio():
    async def go():
        await asyncio.open_connection("192.0.2.1", 80)  # line 37
    asyncio.run(go())

@pytest.fixture
def fixture():
    socket.getaddrinfo("www.example", 80)  # line 42

def test_in_a_fixture(fixture):
    pass

def test_loopback(dns_server, gdns_resolver):
    dns_server.add("www.example. 60 A 192.0.2.7")
    assert gdns_resolver.gethostbyname("www.example") == "192.0.2.7"
    assert gdns_resolver.getaddrinfo("www.example", 80)
    with socket.create_connection(("localhost", dns_server.port)):
        pass
    assert socket.getaddrinfo("192.0.2.1", 80)
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(OSError):
        sock.connect("/nowhere")

@pytest.mark.gdns_network
def test_permitted():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            pass
"""
BEYOND = "goes beyond loopback (--gdns-block-network), at test_it.py"
SYSTEM = "by the system's resolver"
REFUSED = {
    "test_connect": f"a connection to 192.0.2.1:443 {BEYOND}:10, in connect",
    "test_swallowed": f"a connection to 192.0.2.1:443 {BEYOND}:10, in connect",
    "test_datagram": f"a datagram to 2001:db8::1:53 {BEYOND}:23, in test_datagram",
    "test_system": f"a look-up of 'www.example' {SYSTEM} {BEYOND}:26, in test_system",
    "test_reverse": f"a look-up of '192.0.2.1' {SYSTEM} {BEYOND}:29, in test_reverse",
    "test_gdns": f"a query to 192.0.2.53:53 for 'www.example.' {BEYOND}:33, in test_gdns",
    "test_asyncio": f"a connection to 192.0.2.1:80 {BEYOND}:37, in go",
    "test_in_a_fixture": f"a look-up of 'www.example' {SYSTEM} {BEYOND}:42, in fixture",
}


def test_blocking_the_network_names_the_test_the_host_and_the_line(tmp_path):
    status, said = run_suite(tmp_path, BLOCKED, "--gdns-block-network", "--tb=short")
    assert status == 1
    assert "7 failed, 2 passed, 1 error" in said, said
    missing = [test for test, text in REFUSED.items() if f"test_it.py::{test}: {text}" not in said]
    assert missing == [], said


def test_greenlets_are_kept_from_the_network_too(tmp_path):
    source = """
import gevent, gevent.socket
def go():
    gevent.socket.create_connection(("192.0.2.1", 80))  # line 4
def test_greenlet():
    gevent.spawn(go).join()  # which does not raise
"""
    status, said = run_suite(tmp_path, source, "--gdns-block-network")
    assert status == 1
    assert "test_greenlet: a connection to 192.0.2.1:80 goes beyond loopback" in said
    assert "at test_it.py:4, in go" in said


def test_what_is_not_used_is_not_loaded(tmp_path):
    source = (
        "import sys\ndef test(): assert [m for m in sys.modules if m.startswith(('gdns', 'dns'))] == []\n"
    )
    status, said = run_suite(tmp_path, source)
    assert status == 0, said


def test_the_package_registers_the_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"gdns": PLUGIN}
    assert PLUGIN in project["tool"]["setuptools"]["py-modules"]


def test_pytest_does_not_warn_of_what_was_imported_before_it():
    for module in (gdns, _gdns_gevent_plugin):
        assert AssertionRewriter.is_rewrite_disabled(module.__doc__)


def test_pytest_tells_of_it(tmp_path):
    status, said = run_suite(tmp_path, "", "--help")
    assert status == 0
    assert "--gdns-block-network" in said
    assert "gdns_network" in run_suite(tmp_path, "", "--markers")[1]
