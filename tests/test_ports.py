"""A look-up has a port for itself, and gives it back; the socket behind it serves the next one."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from textwrap import dedent

import dns.message
import dns.rrset
import pytest

from gdns._datagram import DatagramLane
from gdns._sockets import Sockets
from gdns._wire import Question
from gdns.servers import ServerAddress
from tests import failing
from tests.test_datagram import PRELUDE

A, AAAA = 1, 28
SPARE = 128  # sockets that are kept, at most


class Remote:
    """A server that is asked as one beyond loopback is; a test reads and answers by hand."""

    queries_per_socket = 1

    def __init__(self, family: socket.AddressFamily, host: str) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(5)
        shown = f"[{host}]" if ":" in host else host
        address = ServerAddress.parse(f"{shown}:{self.socket.getsockname()[1]}")
        self.family, self.sockaddr = address.family, address.sockaddr

    def answer(self, *after: bytes) -> int:
        """Answer the next query, send `after` behind it; the port that it came from."""
        wire, client = self.socket.recvfrom(512)
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.7"))
        for message in (reply.to_wire(), *after):
            self.socket.sendto(message, client)
        return int(client[1])


@pytest.fixture
def remote() -> Iterator[Remote]:
    made = Remote(socket.AF_INET, "127.0.0.1")
    yield made
    made.socket.close()


@pytest.fixture
def remote_v6() -> Iterator[Remote]:
    made = Remote(socket.AF_INET6, "::1")
    yield made
    made.socket.close()


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    made = Sockets()
    yield made
    made.close()


@pytest.fixture
def lane(sockets) -> Iterator[DatagramLane]:
    made = DatagramLane(sockets)
    yield made
    made.close()


def look_up(lane: DatagramLane, remote: Remote, *after: bytes, name: str = "www.example.") -> int:
    """Ask, answer, take what came; the port that was asked from."""
    attempt = lane.ask(remote, Question(name, A))
    lane.flush()
    port = remote.answer(*after)
    lane.sockets.poll(256)
    lane.flush()
    assert attempt.reply.addresses == ("192.0.2.7",)
    return port


def descriptors(sockets: Sockets) -> list[int]:
    return sorted(sock.fd for sock in sockets.by_handle.values())


def family_of(fd: int) -> socket.AddressFamily:
    with socket.socket(fileno=socket.dup(fd)) as copy:
        return socket.AddressFamily(copy.family)


def local_port(fd: int) -> int:
    with socket.socket(fileno=socket.dup(fd)) as copy:
        return int(copy.getsockname()[1])


def test_the_system_has_the_port_back_and_the_next_look_up_another(lane, sockets, remote):
    ports = [look_up(lane, remote)]
    (fd,) = descriptors(sockets)
    assert local_port(fd) == 0
    for _ in range(30):
        ports.append(look_up(lane, remote))
        assert descriptors(sockets) == [fd]
    assert len(set(ports)) >= 29  # 31 of 28,000: two of the same come once in 60 runs


def test_a_look_up_under_way_keeps_its_port_to_itself(lane, sockets, remote):
    waiting = [lane.ask(remote, Question("www.example.", rdtype)) for rdtype in (A, AAAA)]
    other = lane.ask(remote, Question("other.example.", A))
    lane.flush()
    ports = [remote.answer() for _ in range(3)]
    assert sorted(ports.count(port) for port in set(ports)) == [1, 2]
    assert len(sockets) == 2
    sockets.poll(256)
    assert all(attempt.ended for attempt in (*waiting, other))


def test_what_was_sent_to_one_port_is_not_read_on_the_next(lane, sockets, remote):
    for count in (1, 3, 20):
        look_up(lane, remote, *[b"whatever it may be"] * count)
        assert len(sockets) == 1
    look_up(lane, remote)
    assert sum(lane.dropped.values()) == 0


def test_a_socket_that_somebody_has_filled_is_closed(lane, sockets, remote):
    look_up(lane, remote, *[b"whatever it may be"] * 60)
    (kept,) = sockets.by_handle
    look_up(lane, remote)
    assert list(sockets.by_handle) != [kept]
    assert sum(lane.dropped.values()) == 0


def test_a_socket_that_is_kept_and_can_be_read_is_closed(lane, sockets, remote):
    look_up(lane, remote, b"whatever it may be")
    sockets.poll(256)
    assert len(sockets) == 0
    assert sum(lane.dropped.values()) == 0


def test_so_many_are_kept_while_something_is_under_way_and_none_after_it(lane, sockets, remote, remote_v6):
    for server, kept in ((remote, SPARE - 20), (remote_v6, SPARE)):
        attempts = [lane.ask(server, Question(f"n{number}.example.", A)) for number in range(SPARE - 20)]
        lane.flush()
        for _ in attempts:
            server.answer()
        while not all(attempt.ended for attempt in attempts):
            sockets.poll(256)
        assert len(sockets) == kept
    assert sockets.drop_spares()
    assert len(sockets) == 0
    assert not sockets.drop_spares()


def test_when_many_are_kept_of_a_family_that_nobody_asks_any_more_they_give_way(
    lane, sockets, remote, remote_v6
):
    attempts = [lane.ask(remote, Question(f"n{number}.example.", A)) for number in range(SPARE + 20)]
    lane.flush()
    for _ in attempts:
        remote.answer()
    while not all(attempt.ended for attempt in attempts):
        sockets.poll(256)
    for _ in range(3):
        look_up(lane, remote_v6)
    families = [family_of(sock.fd) for sock in sockets.by_handle.values()]
    assert families.count(socket.AF_INET6) == 1
    assert len(sockets) == SPARE


def test_another_lane_on_the_same_sockets_hears_of_its_own(lane, sockets, remote):
    look_up(lane, remote)
    lane.abandon()
    other = DatagramLane(sockets)
    look_up(other, remote)
    assert len(sockets) == 1
    other.close()
    assert len(sockets) == 0


def test_a_kept_socket_that_cannot_be_connected_makes_place_for_a_new_one(dns_server):
    dns_server.add("*.example. 60 A 192.0.2.7")
    program = """
    server = Server(sys.argv[1], 1)
    lane = DatagramLane(Sockets())
    for call in (None, "connect", "recv"):
        if call:
            fail_call(call, 1, 1 if call == "connect" else 32, errno.ENETUNREACH)
        attempt = lane.ask(server, Question("www.example.", 1))
        lane.flush()
        while not attempt.ended:
            turn(lane)
        print(attempt.reply is not None, sorted(lane.sockets.by_handle))
    """
    done = failing.run(PRELUDE + dedent(program), dns_server.address)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True [1]", "True [2]", "True [3]"]


def test_the_next_look_up_may_be_of_the_other_family(lane, sockets, remote, remote_v6):
    for _ in range(3):
        look_up(lane, remote)
        look_up(lane, remote_v6)
    assert len(sockets) == 2
    assert sum(sock.is_spare for sock in sockets.by_handle.values()) == 2


def test_what_is_kept_is_closed_when_there_are_no_descriptors_left(lane, sockets, remote, remote_v6):
    look_up(lane, remote)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 8, hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        look_up(lane, remote_v6)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)
    assert len(sockets) == 1


def test_a_socket_that_a_child_may_have_is_closed(lane, sockets, remote):
    look_up(lane, remote)
    attempt = lane.ask(remote, Question("www.example.", A))
    lane.flush()
    hold, let_go = os.pipe()
    child = os.fork()
    if not child:
        os.close(let_go)
        os.read(hold, 1)
        os._exit(0)
    os.close(hold)
    remote.answer()
    sockets.poll(256)
    assert attempt.ended
    assert len(sockets) == 0
    os.close(let_go)
    os.waitpid(child, 0)
    look_up(lane, remote)
    assert len(sockets) == 1


@pytest.mark.parametrize("is_sent", [False, True])
def test_a_look_up_that_is_given_up_leaves_its_socket_only_if_it_is_as_new(lane, sockets, remote, is_sent):
    attempt = lane.ask(remote, Question("www.example.", A))
    if is_sent:
        lane.flush()
    lane.cancel(attempt)
    assert len(sockets) == is_sent  # else it waits among those with something to send
    lane.flush()
    if is_sent:
        remote.answer()  # late: nobody has that port
    look_up(lane, remote)
    assert sum(lane.dropped.values()) == 0


@pytest.mark.parametrize("end", [DatagramLane.close, DatagramLane.abandon])
def test_what_is_kept_goes_with_the_lane(lane, sockets, remote, end):
    look_up(lane, remote)
    end(lane)
    assert len(sockets) == (end is DatagramLane.abandon)
    sockets.close()
    assert len(sockets) == 0
