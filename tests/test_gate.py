"""What is no reply is dropped, whoever sent it; what c-ares is told makes EDNS, cookies and 0x20 work."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from textwrap import dedent

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import pytest

from gdns import _ares
from gdns._ares import AresLane
from gdns._datagram import DatagramLane
from tests.test_ares import Lane

Reply = Callable[[bytes, "Peer"], list[bytes]]
ANSWER = "192.0.2.7"


class Peer:
    """A server on loopback whose replies a test writes octet by octet."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.queries: list[dns.message.Message] = []
        self.wires: list[bytes] = []
        self.clients: list[tuple[str, int]] = []
        self.reply: Reply = lambda wire, peer: [answer(wire)]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            wire, client = self.socket.recvfrom(65535)
            if not wire:
                return
            self.wires.append(wire)
            self.queries.append(dns.message.from_wire(wire))
            self.clients.append(client)
            for reply in self.reply(wire, self):
                self.socket.sendto(reply, client)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"", self.socket.getsockname())
        self._thread.join(5)
        self.socket.close()


def answer(
    wire: bytes,
    *,
    rcode: int = 0,
    edns: bool | None = None,
    cookie: bytes | None = None,
    address: str = ANSWER,
    **changes: object,
) -> bytes:
    """The right answer to a query, but for what is said."""
    query = dns.message.from_wire(wire)
    reply = dns.message.make_response(query)
    if edns is False:
        reply.use_edns(False)
    elif cookie is not None:
        reply.use_edns(0, options=[dns.edns.GenericOption(10, cookie)])
    reply.set_rcode(dns.rcode.Rcode(rcode))
    if rcode == 0:
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", address))
    for name, value in changes.items():
        setattr(reply, name, value)
    return reply.to_wire()


def cookie_of(wire: bytes) -> bytes | None:
    """The COOKIE option of a query."""
    for option in dns.message.from_wire(wire).options:
        if option.otype == 10:
            return option.to_wire() or b""
    return None


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture(params=[AresLane, DatagramLane])
def lane(request: pytest.FixtureRequest) -> Iterator[Lane]:
    lane = Lane(request.param)
    yield lane
    lane.lane.close()
    lane.sockets.close()


# Strangers


def flipped_case(wire: bytes) -> bytes:
    return wire[:12] + wire[12:].replace(b"www", b"wWw")


@pytest.mark.parametrize(
    ("what", "make", "reason"),
    [
        ("shorter than a header", lambda wire: answer(wire)[:11], "short"),
        ("empty", lambda wire: b"", "short"),
        ("another id", lambda wire: bytes([wire[0] ^ 1]) + answer(wire)[1:], "unknown id"),
        ("QR unset", lambda wire: answer(wire, flags=dns.flags.Flag(dns.flags.RD)), "not what was asked"),
        (
            "another opcode",
            lambda wire: answer(wire)[:2] + bytes([answer(wire)[2] | 0x10]) + answer(wire)[3:],
            "not what was asked",
        ),
        ("another name", lambda wire: answer(wire).replace(b"\3www", b"\3wwx", 1), "not what was asked"),
        (
            "another type",
            lambda wire: answer(wire).replace(b"\0\0\1\0\1\xc0", b"\0\0\2\0\1\xc0", 1),
            "not what was asked",
        ),
        (
            "another class",
            lambda wire: answer(wire).replace(b"\0\0\1\0\1\xc0", b"\0\0\1\0\3\xc0", 1),
            "not what was asked",
        ),
        ("cut short", lambda wire: answer(wire)[:-2], "malformed"),
        ("no question", lambda wire: answer(wire)[:4] + b"\0\0" + answer(wire)[6:], None),
    ],
)
def test_what_is_no_reply_is_counted_and_the_wait_goes_on(lane, peer, what, make, reason):
    peer.reply = lambda wire, peer: [make(wire), answer(wire)]
    attempt = lane.ask(peer, "www.example.")
    lane.finish(attempt)
    assert attempt.reply.addresses == (ANSWER,)
    dropped = {reason: count for reason, count in lane.lane.dropped.items() if count}
    assert sum(dropped.values()) == 1, what
    assert reason is None or dropped == {reason: 1}


def test_a_question_is_compared_without_regard_to_case(lane, peer):
    peer.reply = lambda wire, peer: [flipped_case(answer(wire))]
    attempt = lane.ask(peer, "www.example.")
    lane.finish(attempt)
    assert attempt.reply.addresses == (ANSWER,)


def test_what_comes_from_another_port_or_address_never_arrives(lane, peer):
    """The kernel drops it: the socket is connected (udp(7))."""

    def spoof(wire: bytes, peer: Peer) -> list[bytes]:
        for host in ("127.0.0.1", "127.0.0.2"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((host, 0))
                other.sendto(answer(wire, address="192.0.2.66"), peer.clients[-1])
        return [answer(wire)]

    peer.reply = spoof
    attempt = lane.ask(peer, "www.example.")
    lane.finish(attempt)
    assert attempt.reply.addresses == (ANSWER,)


def test_a_second_reply_is_dropped(lane, peer):
    peer.reply = lambda wire, peer: [answer(wire), answer(wire, address="192.0.2.66")]
    attempts = [lane.ask(peer, f"n{number}.example.") for number in range(20)]
    lane.finish(*attempts)
    assert {attempt.reply.addresses for attempt in attempts} == {(ANSWER,)}


# EDNS


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP])
def test_a_server_that_knows_no_edns_is_asked_again_without(lane, peer, rcode):
    def old(wire: bytes, peer: Peer) -> list[bytes]:
        has_edns = dns.message.from_wire(wire).edns >= 0
        return [answer(wire, rcode=rcode, edns=False) if has_edns else answer(wire)]

    peer.reply = old
    attempt = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS)
    lane.finish(attempt)
    assert attempt.reply.addresses == (ANSWER,)
    assert [query.edns >= 0 for query in peer.queries] == [True, False]


def test_a_bare_formerr_without_the_question_counts_too(lane, peer):
    def old(wire: bytes, peer: Peer) -> list[bytes]:
        has_edns = dns.message.from_wire(wire).edns >= 0
        return [wire[:2] + b"\x80\x01" + bytes(8) if has_edns else answer(wire)]

    peer.reply = old
    attempt = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS)
    lane.finish(attempt)
    assert attempt.reply.addresses == (ANSWER,)


def test_a_refusal_under_edns_is_taken_as_it_is(lane, peer):
    peer.reply = lambda wire, peer: [answer(wire, rcode=dns.rcode.NOTIMP)]
    attempt = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS)
    lane.finish(attempt)
    assert attempt.reply.rcode == dns.rcode.NOTIMP
    assert len(peer.queries) == 1


def test_a_server_that_lets_edns_unanswered_is_asked_without(lane, peer):
    """The next try, 0.2 s later, goes out plain; the first listens on."""
    peer.reply = lambda wire, peer: [] if dns.message.from_wire(wire).edns >= 0 else [answer(wire)]
    first = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS | _ares.DNSSEC_OK)
    lane.turn(0.25)
    second = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS | _ares.DNSSEC_OK)
    lane.finish(second)
    assert second.reply.addresses == (ANSWER,)
    assert not first.ended
    peer.reply = lambda wire, peer: [answer(wire)]


def test_a_server_that_has_answered_edns_is_asked_with_it_however_slow(lane, peer):
    first = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS)
    lane.finish(first)
    peer.reply = lambda wire, peer: []
    lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS)
    lane.turn(0.25)
    peer.reply = lambda wire, peer: [answer(wire)]
    third = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS)
    lane.finish(third)
    assert all(query.edns >= 0 for query in peer.queries)


# Cookies


SERVER_COOKIE = b"12345678"


def with_cookies(wire: bytes, peer: Peer) -> list[bytes]:
    sent = cookie_of(wire)
    return [answer(wire, cookie=sent[:8] + SERVER_COOKIE)] if sent else [answer(wire)]


def test_the_servers_cookie_comes_back_to_it(lane, peer):
    peer.reply = with_cookies
    for _ in range(3):
        lane.finish(lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS))
    sent = [cookie_of(wire) for wire in peer.wires]
    assert len(sent[0]) == 8
    assert sent[1] == sent[2] == sent[0] + SERVER_COOKIE


def test_badcookie_is_asked_again_with_the_cookie_that_came(lane, peer):
    def strict(wire: bytes, peer: Peer) -> list[bytes]:
        sent = cookie_of(wire)
        right = sent[:8] + SERVER_COOKIE
        return [answer(wire, cookie=right, rcode=0 if sent == right else dns.rcode.BADCOOKIE)]

    peer.reply = strict
    attempt = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS)
    lane.finish(attempt)
    assert attempt.reply.addresses == (ANSWER,)
    assert len(peer.queries) == 2


def test_a_reply_with_anothers_cookie_is_dropped(lane, peer):
    peer.reply = lambda wire, peer: [
        answer(wire, cookie=b"stranger" + SERVER_COOKIE, address="192.0.2.66"),
        *with_cookies(wire, peer),
    ]
    attempt = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS)
    lane.finish(attempt)
    assert attempt.reply.addresses == (ANSWER,)
    assert lane.lane.dropped["another's cookie"] == 1


@pytest.mark.parametrize("confirmed", [0, 1, 3])
def test_a_try_is_cancelled_whatever_c_ares_thinks_of_the_servers_cookies(lane, peer, confirmed):
    peer.reply = with_cookies
    for _ in range(confirmed):
        lane.finish(lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS))
    peer.reply = lambda wire, peer: []
    attempts = [lane.ask(peer, f"n{number}.example.", wishes=_ares.USE_EDNS) for number in range(10)]
    for attempt in attempts:
        lane.lane.cancel(attempt)
    lane.lane.flush()
    assert all(attempt.ended and attempt.error == "cancelled" for attempt in attempts)
    assert lane.lane.pending == 0
    peer.reply = with_cookies
    after = lane.ask(peer, "www.example.", wishes=_ares.USE_EDNS)
    lane.finish(after)
    assert after.reply.addresses == (ANSWER,)


def test_a_try_sent_before_the_servers_cookie_was_known_can_be_cancelled_after(lane, peer):
    peer.reply = lambda wire, peer: with_cookies(wire, peer) if b"known" in wire else []
    early = lane.ask(peer, "early.example.", wishes=_ares.USE_EDNS)
    lane.finish(lane.ask(peer, "known.example.", wishes=_ares.USE_EDNS))
    lane.lane.cancel(early)
    lane.lane.flush()
    assert early.ended
    lane.finish(lane.ask(peer, "known.example.", wishes=_ares.USE_EDNS))
    assert cookie_of(peer.wires[-1]).endswith(SERVER_COOKIE)  # cancelling has not made c-ares forget it


# 0x20

NAME = "a-rather-long-name-for-many-letters.of.the.alphabet.example."


def asked_name(wire: bytes) -> bytes:
    return wire[12 : wire.index(b"\0", 12)]


def test_each_question_leaves_in_a_case_of_its_own_and_comes_back_as_asked(lane, peer):
    attempts = []
    for _ in range(20):
        attempts.append(lane.ask(peer, NAME, wishes=_ares.USE_0X20))
        lane.finish(attempts[-1])
    assert all(attempt.reply.addresses == (ANSWER,) for attempt in attempts)
    assert len({asked_name(wire) for wire in peer.wires}) == 20
    assert len({asked_name(wire).lower() for wire in peer.wires}) == 1
    for attempt in attempts:  # nobody above sees the case
        assert dns.message.from_wire(attempt.reply.message).answer[0].name.to_text() == NAME
    letters = [asked_name(wire).swapcase() for wire in peer.wires]
    upper = sum(octet in b"abcdefghijklmnopqrstuvwxyz" for name in letters for octet in name)
    total = sum(chr(octet).isalpha() for name in letters for octet in name)
    assert 0.4 < upper / total < 0.6


def test_a_spoofer_who_does_not_know_the_case_is_dropped(lane, peer):
    peer.reply = lambda wire, peer: [
        answer(wire.replace(asked_name(wire), asked_name(wire).lower()), address="192.0.2.66"),
        answer(wire),
    ]
    lane.finish(attempt := lane.ask(peer, NAME, wishes=_ares.USE_0X20))
    assert attempt.reply.addresses == (ANSWER,)
    assert lane.lane.dropped["case not kept"] == 1


def test_a_server_that_folds_case_is_asked_again_as_it_is_and_soon_only_so(lane, peer):
    def folding(wire: bytes, peer: Peer) -> list[bytes]:
        return [answer(wire.replace(asked_name(wire), asked_name(wire).lower()))]

    peer.reply = folding
    for number in range(6):
        lane.finish(attempt := lane.ask(peer, NAME, wishes=_ares.USE_0X20 | number % 2 * _ares.USE_EDNS))
        assert attempt.reply.addresses == (ANSWER,)
    plain = [asked_name(wire).islower() for wire in peer.wires]
    assert plain == [False, True] * 3 + [True] * 3
    assert peer.wires[0][:2] == peer.wires[1][:2]  # the same id, from the same port
    assert peer.clients[0] == peer.clients[1]


def test_an_error_without_a_question_needs_no_case(lane, peer):
    peer.reply = lambda wire, peer: [wire[:2] + b"\x80\x01" + bytes(8)]
    lane.finish(attempt := lane.ask(peer, NAME, wishes=_ares.USE_0X20))
    assert attempt.reply.rcode == dns.rcode.FORMERR


# Ids and ports

PORTS = """
import json, os, socket, subprocess, sys, threading
# an address that is beyond loopback as far as gdns can know; not every kernel has dummy devices
for command in ("addr add 192.0.2.53/32 dev lo", "link set lo up"):
    subprocess.run(["ip", *command.split()], check=True)
import dns.message, dns.rrset
seen = []
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("192.0.2.53", 53))
def serve():
    while True:
        wire, client = server.recvfrom(512)
        query = dns.message.from_wire(wire)
        question = query.question[0]
        seen.append((client[1], query.id, question.name.to_text()))
        reply = dns.message.make_response(query)
        if question.rdtype == 1:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", "192.0.2.7"))
        server.sendto(reply.to_wire(), client)
threading.Thread(target=serve, daemon=True).start()
from gdns import Resolver
from gdns.hubs import NativeHub
hub = NativeHub.of_this_thread()
resolver = Resolver(nameservers=["192.0.2.53"], hub=hub)
for begin in range(0, 500, 50):
    tasks = [hub.spawn(resolver.lookup, f"n{number}.example.") for number in range(begin, begin + 50)]
    hub.join(*tasks, timeout=20)
    assert all(task.get() == ("192.0.2.7",) for task in tasks)
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
kept = [link for link in links if os.path.exists(link) and "socket:" in os.readlink(link)]
print(json.dumps([seen, len(kept) - 1]))  # without that of the server
"""


def is_permitted() -> bool:
    """Whether unshare(1) may make a private network here."""
    return subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(
    not is_permitted(), reason="unshare(1) is refused here, so no private network can be made"
)
def test_500_look_ups_to_a_server_beyond_loopback_have_500_ports_and_no_pattern():
    """RFC 5452, section 9.2: neither ids nor source ports can be foretold."""
    done = subprocess.run(
        ["unshare", "-Urn", sys.executable, "-c", dedent(PORTS)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
    )
    assert done.returncode == 0, done.stderr
    seen, kept = json.loads(done.stdout)
    assert kept == 0  # for none is under way
    ports = list(dict.fromkeys(port for port, _, _ in seen))
    ids = [id for _, id, _ in seen]
    names_of: dict[int, set[str]] = {}
    for port, _, name in seen:
        names_of.setdefault(port, set()).add(name)
    assert len(seen) == 1000  # A and AAAA
    # A look-up has a port of its own, which may come back later: of 500 drawn from 28,000 some 4 do.
    assert len(ports) >= 480
    assert sum(len(names) > 1 for names in names_of.values()) <= 20
    for numbers, most in ((ports, 60_999 - 32_768), (ids, 65_535)):
        steps = [(later - earlier) % (most + 1) for earlier, later in pairwise(numbers)]
        assert max(steps.count(step) for step in set(steps)) < 15  # no counter
        sixteenths = {(number - min(numbers)) * 16 // (most + 1) for number in numbers}
        assert len(sixteenths) >= 14  # all over the range
    assert len(set(ids)) > 960  # of 1,000 drawn from 65,536 some 8 come twice
