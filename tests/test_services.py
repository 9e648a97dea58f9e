import socket
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdns.services import Services
from gdns.testing import FakeClock

LINES = """\
# a comment
http		80/tcp		www web	# WorldWideWeb HTTP
http		80/udp
http		8080/tcp	# too late
domain		53/tcp
domain		53/udp
  sctp-only	9/sctp
alt		80/tcp
hex		0x50/dccp
octal		0120/udplite
large		70000/tcp
slashes		81///tcp
#off		82/tcp
cut		83/tcp\0	gone
bare		84
no-protocol	85/	alias
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "services"
    path.write_text(LINES)
    return path


@pytest.mark.parametrize(
    ("name", "protocol", "port"),
    [
        ("http", "tcp", 80),
        ("http", "udp", 80),
        ("www", "tcp", 80),
        ("web", "tcp", 80),
        ("www", "udp", None),
        ("HTTP", "tcp", None),
        ("http", "TCP", None),
        ("http", "sctp", None),
        ("sctp-only", "sctp", 9),
        ("hex", "dccp", 80),
        ("octal", "udplite", 80),
        ("large", "tcp", 4464),
        ("slashes", "tcp", 81),
        ("off", "tcp", None),
        ("#off", "tcp", None),
        ("cut", "tcp", 83),
        ("gone", "tcp", None),
        ("bare", "", 84),
        ("alias", "", 85),
        ("", "tcp", None),
        ("WorldWideWeb", "tcp", None),
    ],
)
def test_a_service_has_the_port_of_its_first_line(path, name, protocol, port):
    assert Services(path).port(name, protocol) == port


@pytest.mark.parametrize(
    ("port", "protocol", "name"),
    [(80, "tcp", "http"), (80, "dccp", "hex"), (8080, "tcp", "http"), (80, "sctp", None), (1, "tcp", None)],
)
def test_a_port_has_the_name_of_its_first_line(path, port, protocol, name):
    assert Services(path).name(port, protocol) == name


@pytest.mark.parametrize(
    "number", ["08", "0x", "x", "80x", "", "/", "+", "8 0", "80 ", "-80", "4294967296", "9" * 5000]
)
def test_a_line_without_a_number_says_nothing(tmp_path, number):
    path = tmp_path / "services"
    path.write_text(f"name {number}/tcp alias\nbare {number}\t\n")
    assert Services(path).port("name", "tcp") is None
    assert Services(path).port("bare", "") is None


def test_the_systems_own_file_is_read_as_the_system_reads_it():
    services = Services()
    for name in ("http", "https", "domain", "ssh", "www", "gopher", "ntp", "HTTP", "missing"):
        for protocol in ("tcp", "udp", "sctp"):
            try:
                expected = socket.getservbyname(name, protocol)
            except OSError:
                expected = None
            assert services.port(name, protocol) == expected
    for port in (*range(1, 200), 443, 853, 5353):
        try:
            expected = socket.getservbyport(port, "tcp")
        except OSError:
            expected = None
        assert services.name(port, "tcp") == expected


def test_a_changed_file_is_read_within_a_second(path):
    clock = FakeClock()
    services = Services(path, clock=clock)
    assert services.port("http", "tcp") == 80
    path.write_text("http 81/tcp\n")
    assert services.port("http", "tcp") == 80
    clock.advance(1.1)
    assert services.port("http", "tcp") == 81


words = st.sampled_from([b"http", b" ", b"\t", b"80", b"/", b"tcp", b"\n", b"#", b"0x", b"-", b"0", b"\0"])


@settings(deadline=None)
@given(st.binary(max_size=80) | st.lists(words, max_size=30).map(b"".join))
def test_any_octets_are_read(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("services") / "services"
    path.write_bytes(content)
    port = Services(path).port("http", "tcp")
    assert port is None or 0 <= port <= 0xFFFF


def test_the_longest_file_in_use_does_not_stall(tmp_path):
    path = tmp_path / "services"
    path.write_text("".join(f"service{n}\t{n}/tcp\talias{n}\t# what it is for\n" for n in range(12_000)))
    took = []
    for _ in range(5):
        began = time.thread_time()
        assert Services(path).port("alias11999", "tcp") == 11999
        took.append(time.thread_time() - began)
    assert min(took) < 3 * 0.025
