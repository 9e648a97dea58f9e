"""The benchmarks' own correctness: a figure counts only if every answer was the right one."""

import json
import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest

from benchmarks.run import BUILD, Client, Report, build, find_libcares, python_client, responder

NAMES, IN_FLIGHT = 300, 100


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    build()
    with responder(least_window=2 * IN_FLIGHT) as responder_port:
        yield responder_port


def report_of(command: list[str], port: int) -> Report:
    client = Client("under test", command)
    client.run(port, NAMES, IN_FLIGHT)
    assert client.reports, client.complaint
    return client.reports[0]


def query_of(rdtype: int, *, flags: int = 0x0100) -> bytes:
    header = struct.pack("!6H", 4711, flags, 1, 0, 0, 0)
    return header + b"\x02n1\x05bench\x07example\x00" + struct.pack("!2H", rdtype, 1)


@pytest.fixture
def asker(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connected:
        connected.settimeout(5.0)
        connected.connect(("127.0.0.1", port))
        yield connected


@pytest.mark.parametrize("call", ["A", "getaddrinfo"])
def test_bare_packets_all_get_the_address_of_their_name(port: int, call: str) -> None:
    report = report_of([str(BUILD / "packets"), call], port)
    assert (report.lookups, report.answered, report.wrong) == (NAMES, NAMES, 0)


@pytest.mark.parametrize("call", ["A", "getaddrinfo"])
@pytest.mark.parametrize("options", ["tuned", "stock"])
def test_plain_c_ares_gets_every_answer_right(port: int, options: str, call: str) -> None:
    report = report_of([str(BUILD / "plain_cares"), str(find_libcares()), options, call], port)
    assert (report.lookups, report.answered, report.wrong) == (NAMES, NAMES, 0)


@pytest.mark.parametrize("call", ["gethostbyname", "getaddrinfo"])
def test_python_clients_expect_the_addresses_that_the_responder_gives(port: int, call: str) -> None:
    pytest.importorskip("gevent")
    report = report_of([*python_client("gevent_ares.py"), "--call", call], port)
    assert (report.lookups, report.answered, report.wrong) == (NAMES, NAMES, 0)


def test_a_client_that_fails_says_why_instead_of_reporting(port: int) -> None:
    client = Client("under test", [str(BUILD / "packets"), "MX"])
    client.run(port, NAMES, IN_FLIGHT)
    assert client.has_failed
    assert client.complaint == "MX: neither A nor getaddrinfo"
    assert not client.reports


def test_ratios_compare_runs_of_the_same_repetition() -> None:
    def client(*costs: float) -> Client:
        return Client("any", [], [Report("any", 1, 1, 0, cost, 1.0) for cost in costs])

    assert client(20.0, 90.0, 10.0).ratio_to(client(10.0, 45.0, 4.0)) == 2.0


def test_the_responder_has_no_other_types(asker: socket.socket) -> None:
    query = query_of(rdtype=15)
    asker.send(query)
    reply = asker.recv(512)
    assert struct.unpack("!6H", reply[:12]) == (4711, 0x8180, 1, 0, 0, 0)
    assert reply[12:] == query[12:]


def test_the_responder_drops_what_is_no_query(asker: socket.socket) -> None:
    whole = query_of(rdtype=1)
    for junk in (b"", bytes(11), query_of(rdtype=1, flags=0x8180), whole[:-1], whole[:12] + b"\xff" * 40):
        asker.send(junk)
    query = query_of(rdtype=16)
    asker.send(query)
    assert asker.recv(512)[12:] == query[12:]


def test_the_responder_ends_with_its_driver() -> None:
    build()
    with subprocess.Popen(
        [BUILD / "responder", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["port"] > 0
        process.stdin.close()
        assert process.wait(timeout=5) == 0
