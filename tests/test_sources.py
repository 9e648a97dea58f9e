import os
import socket
import subprocess
import sys

import pytest

from gdns.sources import Sources
from gdns.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def sources(clock):
    sources = Sources(clock)
    yield sources
    sources.close()


def test_loopback_speaks_to_loopback(sources):
    source = sources.source_of("127.0.0.1")
    assert source is not None
    assert source.address == "127.0.0.1"
    assert not source.is_deprecated


def test_the_source_is_what_a_connected_socket_says(sources):
    # in turn, on one socket: an earlier connection must not stick
    for address in ("127.0.0.1", "127.0.0.2", "192.0.2.9", "127.0.0.3", "198.51.100.1"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((address, 0))
                expected = probe.getsockname()[0]
            except OSError:
                expected = None
        source = sources.source_of(address)
        assert (source and source.address) == expected


def test_an_address_without_a_way_to_it_has_no_source(sources):
    assert sources.source_of("255.255.255.255") is None
    assert sources.source_of("fe80::1") is None


def test_many_addresses_cost_no_descriptors(sources):
    sources.source_of("127.0.0.1")
    sources.source_of("::1")
    before = os.listdir("/proc/self/fd")
    for n in range(2, 200):
        sources.source_of(f"127.0.0.{n}")
        sources.source_of(f"::ffff:127.0.0.{n}")
    assert os.listdir("/proc/self/fd") == before


def test_more_destinations_than_are_remembered_have_their_sources(sources):
    asked = [f"127.1.{number >> 8}.{number & 255}" for number in range(5000)]
    assert {sources.source_of(address).address for address in asked} == {"127.0.0.1"}


def test_an_answer_is_kept_for_a_second(sources, clock):
    first = sources.source_of("127.0.0.1")
    clock.advance(0.9)
    assert sources.source_of("127.0.0.1") is first
    clock.advance(0.2)
    assert sources.source_of("127.0.0.1") is not first
    assert sources.source_of("127.0.0.1") == first


def test_loopback_addresses_count_for_addrconfig_but_for_the_two_usual_ones(sources):
    with_ipv4, with_ipv6 = sources.families()
    flags = socket.AI_ADDRCONFIG | socket.AI_NUMERICHOST
    for family, address, expected in (
        (socket.AF_INET, "192.0.2.1", with_ipv4),
        (socket.AF_INET6, "2001:db8::1", with_ipv6),
    ):
        try:
            socket.getaddrinfo(address, None, family, socket.SOCK_STREAM, 0, flags)
        except socket.gaierror:
            assert not expected
        else:
            assert expected


def open_sockets() -> set[str]:
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if os.path.exists(link) or os.path.islink(link)}


def test_a_child_asks_over_sockets_of_its_own(sources):
    sources.source_of("127.0.0.1")
    inherited = open_sockets()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            source = sources.source_of("127.0.0.2")
            own = open_sockets() - inherited
            if source is not None and any(link.startswith("socket:") for link in own):
                status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_a_descriptor_nothing_is_known_until_there_is_one_again():
    program = """if True:
        import os, resource
        from gdns.sources import Sources
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        now = [0.0]
        sources = Sources(lambda: now[0])
        taken = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        print(sources.families(), sources.source_of("127.0.0.1"), sources.source_of("::ffff:127.0.0.1"))
        for fd in taken:
            os.close(fd)
        now[0] += 2.0
        print(sources.source_of("127.0.0.1").address, sources.source_of("127.0.0.1").prefix_length)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["(True, True) None None", "127.0.0.1 8"], done.stderr
