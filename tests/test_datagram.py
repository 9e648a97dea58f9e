"""The plain lane on its own: what befalls its ports while tries wait on them."""

from __future__ import annotations

import errno
import json
import select
import shutil
import subprocess
import sys
from textwrap import dedent

import pytest

from gdns._datagram import DatagramLane
from gdns.testing import over_tcp, silent, truncated
from tests import failing
from tests.test_ares import Lane

# What the programs below begin with.
PRELUDE = """
import gc, json, os, select, sys, time
from gdns._datagram import DatagramLane
from gdns._sockets import Sockets
from gdns._wire import Question
from gdns.servers import ServerAddress

class Server:  # what a lane needs to know of one, with as many questions to a socket as the test wants
    def __init__(self, address, at_once):
        address = ServerAddress.parse(address)
        self.family, self.sockaddr, self.queries_per_socket = address.family, address.sockaddr, int(at_once)

def turn(lane, seconds=0.01):
    poll = select.poll()
    poll.register(lane.sockets.fileno(), select.POLLIN)
    poll.poll(seconds * 1000)
    lane.sockets.poll(256)
    lane.flush()
"""


def run(program: str, *arguments: str) -> str:
    """What a program printed; it ended with status 0."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def lane():
    made = Lane(DatagramLane)
    yield made
    made.lane.close()
    made.sockets.close()


@pytest.mark.parametrize("deed", ["lane.cancel(attempt)", "lane.close()", "lane.close(); sockets.close()"])
@pytest.mark.parametrize("at_once", [1, 2, 184])
@pytest.mark.parametrize("replies", ["whole", "truncated"])
def test_a_finalizer_may_end_tries_while_their_replies_are_read(dns_server, deed, at_once, replies):
    """The garbage collector runs finalizers wherever memory is asked for (until Python 3.12)."""
    dns_server.add("*.example. 60 A 192.0.2.7")
    if replies == "truncated":
        dns_server.fault(None, truncated())
    program = """
    deed = sys.argv[2]
    server = Server(sys.argv[1], sys.argv[3])
    class Knot:
        def __init__(self, *held):
            self.itself, self.held = self, held
        def __del__(self):
            lane, sockets, attempts = self.held
            for attempt in attempts:
                exec(deed)
    for threshold in range(1, 40):
        sockets = Sockets()
        lane = DatagramLane(sockets)
        gc.collect()
        gc.disable()
        attempts = [lane.ask(server, Question(f"n{n}.example.", 1)) for n in range(3)]
        lane.flush()
        select.select([sockets.fileno()], [], [], 1.0)  # until a reply is there
        Knot(lane, sockets, attempts)
        gc.set_threshold(gc.get_count()[0] + threshold)
        gc.enable()
        if sockets.fileno() >= 0:
            sockets.poll(256)
        gc.collect()
        lane.flush()
        lane.close()
        assert all(attempt.ended for attempt in attempts)
    print("whole")
    """
    assert run(program, dns_server.address, deed, str(at_once)) == "whole"


def test_closing_also_ends_tries_whose_reply_was_truncated_and_that_were_to_go_over_tcp(lane, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, truncated())
    attempt = lane.ask(dns_server, "www.example.")
    other = lane.ask(dns_server, "other.example.")
    poll = select.poll()
    poll.register(lane.sockets.fileno(), select.POLLIN)
    while not lane.lane.needs_flush():
        poll.poll(1000)
        lane.sockets.poll(256)
    lane.lane.close()
    lane.lane.flush()
    assert attempt.ended
    assert other.ended


@pytest.mark.parametrize("way", ["closed", "dropped", "collected"])
def test_a_lane_goes_with_a_hundred_thousand_tries_that_nobody_took(way):
    """One dropped after another, not one inside the other: that would end the process."""
    program = """
    import threading
    def work():
        sockets = Sockets()
        lane = DatagramLane(sockets)
        server = Server("127.0.0.1", 1)
        question = Question("www.example.", 1)
        for _ in range(100_000):
            lane.cancel(lane.ask(server, question))
        lane.flush()
        if sys.argv[1] == "closed":
            lane.close()
        if sys.argv[1] == "collected":
            knot = [lane]
            knot.append(knot)
        sockets.close()
    threading.stack_size(1 << 20)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    print("gone")
    """
    assert run(program, way) == "gone"


def test_a_refusal_ends_what_was_refused_and_not_what_is_sent_after_it(lane, dns_server):
    dns_server.add("*.example. 60 A 192.0.2.7")
    dns_server.stop_listening()
    first = lane.ask(dns_server, "first.example.")
    dns_server.resume()
    second = lane.ask(dns_server, "second.example.")  # whose sending meets the first one's error
    lane.finish(first, second)
    assert first.errno == errno.ECONNREFUSED
    assert second.reply is not None


def test_cancelling_what_is_not_sent_yet_takes_no_look_at_the_others(dns_server):
    dns_server.fault(None, silent())
    program = """
    server = Server(sys.argv[1], 60_000)
    sockets = Sockets()
    lane = DatagramLane(sockets)
    def cost(count):
        attempts = [lane.ask(server, Question(f"n{n}.example.", 1)) for n in range(count)]
        began = time.process_time()
        for attempt in reversed(attempts):
            lane.cancel(attempt)
        return (time.process_time() - began) / count
    few = min(cost(100) for _ in range(5))
    many = min(cost(20_000) for _ in range(3))
    print(many < 20 * few, lane.pending)
    lane.flush()
    """
    assert run(program, dns_server.address) == "True 0"


# What fails

REPEAT = """
    when = sys.argv[3]
    server = Server(*sys.argv[1:3])
    sockets = Sockets()
    lane = DatagramLane(sockets)
    lost = []

    def ask(name, nth):
        attempts = []
        try:
            if when == "asked":
                fail_memory(nth, nth > 0)
            for rdtype in (1, 28):
                attempts.append(lane.ask(server, Question(name, rdtype)))
            lane.flush()
            if when == "read":
                fail_memory(nth, nth > 0)
            for _ in range(3):
                turn(lane)
        except (MemoryError, OSError):
            pass
        finally:
            spare_memory()
        for attempt in attempts:
            lane.cancel(attempt)
        give_up_at = time.monotonic() + 2
        while not all(attempt.ended for attempt in attempts) and time.monotonic() < give_up_at:
            turn(lane)
        return attempts

    def ask_in_peace(name, nth):
        attempts = [lane.ask(server, Question(name, rdtype)) for rdtype in (1, 28)]
        give_up_at = time.monotonic() + 2
        while not all(attempt.ended for attempt in attempts) and time.monotonic() < give_up_at:
            turn(lane)
        if not all(attempt.reply for attempt in attempts):
            lost.append(nth)

    ask("www.example.", 0)
    quiet = 0
    for nth in range(1, 3000):
        hits()
        for attempt in ask(f"n{nth}.example.", nth):
            if not attempt.ended:
                lost.append(-nth)
        ask_in_peace(f"m{nth}.example.", nth)
        taken = []
        while (attempt := lane.take_ended()) is not None:
            taken.append(attempt)
        if len(set(map(id, taken))) != len(taken):
            lost.append(nth + 0.5)
        quiet = 0 if hits() else quiet + 1
        if quiet == 10:
            break
    left = len(sockets)
    pending = lane.pending
    lane.close()
    print(json.dumps({"steps": nth, "lost": lost, "left": left, "pending": pending, "sockets": len(sockets)}))
"""


@pytest.mark.skipif(failing.SANITIZED, reason="AddressSanitizer keeps malloc to itself")
@pytest.mark.parametrize("replies", ["whole", "truncated"])
@pytest.mark.parametrize("when", ["asked", "read"])
@pytest.mark.parametrize("at_once", [1, 184])
def test_an_allocation_that_fails_leaves_the_next_question_its_port(dns_server, at_once, when, replies):
    dns_server.add("*.example. 60 A 192.0.2.7")
    if replies == "truncated":
        dns_server.fault(None, truncated())
    program = PRELUDE + dedent(REPEAT)
    done = failing.run(program, dns_server.address, str(at_once), when, PYTHONMALLOC="malloc")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["lost"] == []
    assert result["pending"] == 0
    assert result["left"] <= 3  # a shared port, and a connection
    assert result["sockets"] == 0
    assert result["steps"] > 15


@pytest.mark.parametrize("at_once", [1, 184])
@pytest.mark.parametrize("error", ["ENOBUFS", "EPERM", "EAGAIN", "ENETUNREACH"])
def test_a_send_that_fails_is_told_with_its_own_number(dns_server, at_once, error):
    dns_server.add("*.example. 60 A 192.0.2.7")
    program = """
    server = Server(*sys.argv[1:3])
    lane = DatagramLane(Sockets())
    attempts = [lane.ask(server, Question("www.example.", rdtype)) for rdtype in (1, 28)]
    # what leaves together is tried again by itself
    fail_call("sendmmsg", 1, 2 if sys.argv[2] != "1" else 1, getattr(errno, sys.argv[3]))
    lane.flush()
    while not all(attempt.ended for attempt in attempts):
        turn(lane, 1)
    print([errno.errorcode.get(attempt.errno, "answered") for attempt in attempts])
    """
    done = failing.run(PRELUDE + dedent(program), dns_server.address, str(at_once), error)
    assert done.returncode == 0, done.stderr
    expected = {"EAGAIN": ["answered"] * 2, "ENETUNREACH": [error] * 2}.get(error, [error, "answered"])
    assert done.stdout.strip() == str(expected)


@pytest.mark.skipif(failing.SANITIZED, reason="AddressSanitizer keeps malloc to itself")
@pytest.mark.parametrize(
    ("deed", "left", "told"),
    [
        ("sockets.drop_spares", 1, 0),
        ("sockets.close", 0, 0),
        ("lane.close", 0, 2),
        ("partial(lane.cancel, waiting[0])", 11, 1),
    ],
)
def test_sockets_that_are_kept_go_without_memory(dns_server, deed, left, told):
    dns_server.add("*.example. 60 A 192.0.2.7")
    dns_server.fault("silent.example.", silent())
    program = """
    from functools import partial
    server = Server(sys.argv[1], 1)
    said = []
    for nth in range(1, 6):  # the first few are needed to say that no other is to be had
        sockets = Sockets()
        lane = DatagramLane(sockets)
        attempts = [lane.ask(server, Question(f"n{number}.example.", 1)) for number in range(10)]
        waiting = [lane.ask(server, Question("silent.example.", 1)) for _ in range(2)]
        while not all(attempt.ended for attempt in attempts):
            turn(lane)
        deed = eval(sys.argv[2])
        is_reached = is_raised = False
        try:
            fail_memory(nth, 200)
            is_reached = True
            deed()
        except MemoryError:
            is_raised = True
        while True:
            try:
                fail_memory(0, 0)
                break
            except (MemoryError, ctypes.ArgumentError):  # it is this call's own turn to fail
                pass
        ended = []
        while (attempt := lane.take_ended()) is not None:
            ended.append(attempt)
        if is_reached:
            said.append([is_raised, len(sockets), len(ended) - 10, len(ended) == len(set(ended))])
        lane.close()
    print(json.dumps(said))
    """
    done = failing.run(PRELUDE + dedent(program), dns_server.address, deed, PYTHONMALLOC="malloc")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said
    assert said == [[False, left, told, True]] * len(said)


# What leaves together

TOGETHER = """
import socket
server = Server(sys.argv[1], 184)
sockets = Sockets()
lane = DatagramLane(sockets)
fail_call(sys.argv[2], 1, int(sys.argv[4]), getattr(errno, sys.argv[3]))
names = ["n" * (1 + 7 * number % 40) + f"{number}.example." for number in range(150)]
attempts = [lane.ask(server, Question(name, 1)) for name in names]
for attempt in attempts[::3]:
    lane.cancel(attempt)
(port,) = {sock for sock in sockets.by_handle.values()}
joined = port.joins
lane.flush()
hit = hits()
left = [attempt for number, attempt in enumerate(attempts) if number % 3]
while not all(attempt.ended for attempt in left):
    turn(lane, 1)
print(json.dumps([joined, port.joins, hit, [attempt.reply is not None for attempt in left].count(True)]))
"""


@pytest.mark.parametrize(
    ("call", "error", "times", "joins", "answered"),
    [
        ("sendmmsg", "EINTR", 1, [True, True], 100),
        ("sendmmsg", "EAGAIN", 1, [True, True], 100),
        ("sendmmsg", "EIO", 1, [True, False], 100),  # a way to the server that has no checksums
        ("sendmmsg", "EINVAL", 1, [True, False], 100),
        ("sendmmsg", "EMSGSIZE", 1, [True, False], 100),
        ("sendmmsg", "EPERM", 1, [True, False], 100),
        ("sendmmsg", "EPERM", 2, [True, False], 99),  # a rule of the firewall's: only who is meant fails
        ("sendmmsg", "ENOBUFS", 3, [True, False], 98),
        ("getsockopt", "ENOPROTOOPT", 1, [False, False], 100),  # a kernel before Linux 4.18
    ],
)
def test_questions_of_a_length_leave_together_where_that_can_be_done(
    dns_server, call, error, times, joins, answered
):
    dns_server.add("*.example. 60 A 192.0.2.7")
    done = failing.run(PRELUDE + dedent(TOGETHER), dns_server.address, call, error, str(times))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [*joins, times, answered]
    names = [name for name, _ in dns_server.questions]
    assert len(names) == len(set(names)) == answered  # each once, by itself


@pytest.mark.skipif(not shutil.which("strace"), reason="strace(1) is not installed (Debian: strace)")
def test_what_leaves_together_takes_fewer_system_calls_and_letters(dns_server):
    """Counted by strace(1): 64 questions of two lengths are two letters of 32 each."""
    program = """
    server = Server(sys.argv[1], 184)
    lane = DatagramLane(Sockets())
    names = [f"{'n' * (number % 2)}{number:03}.example." for number in range(64)]
    attempts = [lane.ask(server, Question(name, 1)) for name in names]
    lane.flush()
    while not all(attempt.ended for attempt in attempts):
        turn(lane, 1)
    """
    dns_server.add("*.example. 60 A 192.0.2.7")
    done = subprocess.run(
        [
            "strace",
            "-f",
            "-e",
            "trace=sendmmsg",
            sys.executable,
            "-c",
            PRELUDE + dedent(program),
            dns_server.address,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    sent = [line.rpartition(" = ")[2] for line in done.stderr.splitlines() if line.startswith("sendmmsg(")]
    assert sent == ["1", "1"]
    assert len(dns_server.questions) == 64


def test_a_question_without_a_socket_is_not_taken_for_one_whose_connection_was_cut(dns_server):
    """The channel may have a connection, for an earlier reply that was truncated: it is not this try's."""
    dns_server.add("*.example. 60 A 192.0.2.7")
    dns_server.fault("long.example.", truncated() | over_tcp(silent()))
    program = """
    from gdns._ares import USE_EDNS, AresLane
    server = Server(sys.argv[1], 1)
    lane = AresLane(Sockets())
    first = lane.ask(server, Question("long.example.", 1), USE_EDNS)
    for _ in range(20):
        turn(lane)  # it waits on a connection now
    fail_call("socket", 1, 1, errno.EMFILE)
    second = lane.ask(server, Question("www.example.", 1), USE_EDNS)
    lane.flush()
    print(first.ended, len(lane.sockets), second.ended)
    print(errno.errorcode[second.errno], second.is_wanting, second.cut)
    """
    done = failing.run(PRELUDE + dedent(program), dns_server.address)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "1", "True", "EMFILE", "True", "0"]
