"""The lanes, with nothing around them, and the library under them."""

from __future__ import annotations

import errno
import gc
import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pycares
import pytest

from gdns import _ares, _libcares
from gdns._ares import AresLane, Try
from gdns._datagram import DatagramLane
from gdns._sockets import Sockets
from gdns._wire import Question
from gdns.servers import Server, ServerAddress
from gdns.testing import delay, malformed, rcode, silent, then_answer, truncated, wrong_id

A, TXT, SOA = 1, 16, 6


class Lane:
    """A lane with nothing around it: no hub, no policy."""

    def __init__(self, kind: type[AresLane]) -> None:
        self.sockets = Sockets()
        self.lane = kind(self.sockets)
        self.servers: dict[str, Server] = {}

    def ask(self, server: object, qname: str, rdtype: int = A, wishes: int = 0) -> Try:
        address = getattr(server, "address", server)
        known = self.servers.setdefault(address, Server(ServerAddress.parse(address)))
        attempt = self.lane.ask(known, Question(qname, rdtype), wishes)
        if isinstance(self.lane, DatagramLane):
            self.lane.flush()  # it sends only now
        return attempt

    def turn(self, seconds: float = 5.0) -> list[Try]:
        """Wait until something is ready, and let it through."""
        poll = select.poll()
        poll.register(self.sockets.fileno(), select.POLLIN)
        if not self.lane.needs_flush():
            poll.poll(seconds * 1000)
        self.sockets.poll(256)
        self.lane.flush()
        ended = []
        while (attempt := self.lane.take_ended()) is not None:
            ended.append(attempt)
        return ended

    def finish(self, *attempts: Try, seconds: float = 5.0) -> None:
        give_up_at = time.monotonic() + seconds
        while not all(attempt.ended for attempt in attempts):
            assert time.monotonic() < give_up_at, "the lane did not end its tries"
            self.turn(0.1)


@pytest.fixture(params=[AresLane, DatagramLane])
def lane(request):
    lane = Lane(request.param)
    yield lane
    lane.lane.close()
    lane.sockets.close()


# The library


def test_the_library_is_the_one_in_the_wheel_of_pycares():
    found = run_import(GDNS_LIBCARES="")
    _, file = found.stdout.split()
    assert Path(file).parent == Path(pycares.__file__).parent


def test_the_mirrored_structs_are_laid_out_as_pycares_was_built():
    from pycares._cares import ffi

    for struct, offsets in _libcares.layout().items():
        for member, octets in offsets.items():
            expected = ffi.offsetof(f"struct {struct}", member) if member else ffi.sizeof(f"struct {struct}")
            assert octets == expected, f"{struct}.{member}"


def run_import(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from gdns import _libcares as c; print(c.version(), c.library_file())"],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_gdns_libcares_names_the_library(tmp_path):
    copy = tmp_path / "libcares.so.2"
    shutil.copy(_libcares.library_file(), copy)
    done = run_import(GDNS_LIBCARES=str(copy))
    assert done.stdout.split() == [_libcares.version(), str(copy)], done.stderr


def test_without_the_wheel_the_systems_library_serves(tmp_path):
    shutil.copy(_libcares.library_file(), tmp_path / _libcares.SYSTEM_LIBRARY)
    program = (
        "import importlib.util as u, sys; find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'pycares' else find(name, *more)\n"
        "from gdns import _libcares as c; print(c.library_file())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "GDNS_LIBCARES": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == str(tmp_path / _libcares.SYSTEM_LIBRARY), done.stderr


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (None, "cannot be loaded"),
        ('const char* ares_version(int* n) { *n = 0x011201; return "1.18.1"; }', "is c-ares 1.18.1"),
        ('const char* ares_version(int* n) { *n = 0x020000; return "2.0.0"; }', "is c-ares 2.0.0"),
        ('const char* ares_version(int* n) { *n = 0x012209; return "1.34.9"; }', "without ares_"),
        ("int nothing;", "does not export c-ares"),
    ],
)
def test_a_library_that_will_not_do_is_refused_saying_what_was_found_and_what_is_needed(
    tmp_path, source, complaint
):
    library = tmp_path / "libother.so"
    if source is not None:
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=source, text=True, check=True
        )
    done = run_import(GDNS_LIBCARES=str(library))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: gdns needs c-ares 1.34 or later (below 2)")
    assert str(library) in last
    assert "GDNS_LIBCARES" in last
    assert complaint in last


LOADER = (Path(__file__).parent.parent / "gdns" / "_libcares.pyx").read_text()
SYMBOLS = re.findall(r"ares_\w+", LOADER.partition("symbols = [")[2].partition("]")[0])
VERSION = 'const char* ares_version(int* n) { *n = 0x012209; return "1.34.9"; }'


def build(library: Path, source: str, *words: str | Path) -> None:
    command = ["cc", "-shared", "-fPIC", "-o", library, "-x", "c", "-", "-x", "none", *words]
    subprocess.run(command, input=source, text=True, check=True)


def test_a_library_whose_functions_are_those_of_another_is_refused(tmp_path):
    others = [name for name in SYMBOLS if name != "ares_version"]
    build(tmp_path / "libinner.so", "".join(f"void {name}(void) {{}}\n" for name in others))
    build(tmp_path / "libouter.so", VERSION, "-Wl,--no-as-needed", tmp_path / "libinner.so")
    done = run_import(GDNS_LIBCARES=str(tmp_path / "libouter.so"))
    assert done.returncode == 1
    assert f"{others[0]} comes from another library" in done.stderr


def test_a_library_that_does_not_start_is_named_with_its_own_word(tmp_path):
    init = "int ares_library_init(int flags) { return 15; }"
    strerror = 'const char* ares_strerror(int status) { return "no luck"; }'
    known = ("ares_version", "ares_library_init", "ares_strerror")
    rest = [f"void {name}(void) {{}}" for name in SYMBOLS if name not in known]
    build(tmp_path / "libill.so", "\n".join([VERSION, init, strerror, *rest]))
    done = run_import(GDNS_LIBCARES=str(tmp_path / "libill.so"))
    assert done.returncode == 1
    assert f"c-ares 1.34.9 in {tmp_path}/libill.so does not start: no luck" in done.stderr


def test_loading_does_not_import_pycares():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, gdns._ares; print('pycares' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "False"


# Tries


def test_a_try_ends_with_the_message_as_the_server_sent_it(lane, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    attempt = lane.ask(dns_server, "www.example.")
    lane.finish(attempt)
    assert attempt.reply.addresses == ("192.0.2.7",)
    assert attempt.reply.message[2] & 0x80
    assert (attempt.error, attempt.errno, attempt.transport) == ("", 0, "udp")


@pytest.mark.parametrize(("word", "number"), [("SERVFAIL", 2), ("REFUSED", 5), ("NOTIMP", 4), ("FORMERR", 1)])
def test_a_failure_of_the_server_is_a_reply_and_is_not_asked_again(lane, dns_server, word, number):
    dns_server.fault("www.example.", rcode(word))
    attempt = lane.ask(dns_server, "www.example.")
    lane.finish(attempt)
    assert attempt.reply.rcode == number
    assert dns_server.questions == [("www.example.", "A")]


def test_a_truncated_reply_is_fetched_over_tcp(lane, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("www.example.", truncated())
    attempt = lane.ask(dns_server, "www.example.")
    lane.finish(attempt)
    assert attempt.reply.addresses == ("192.0.2.7",)
    assert attempt.transport == "tcp"
    assert [query.transport for query in dns_server.queries] == ["udp", "tcp"]


def test_a_reply_of_64_kib_comes_whole_over_tcp(lane, dns_server):
    dns_server.add(*(f"big.example. 60 TXT {number:03d}{'x' * 240}" for number in range(255)))
    attempt = lane.ask(dns_server, "big.example.", TXT)
    lane.finish(attempt)
    assert len(attempt.reply.message) > 60_000
    assert attempt.reply.answered


def test_questions_can_go_over_tcp_from_the_start_and_share_a_connection(lane, dns_server):
    dns_server.add(*(f"n{number}.example. 60 A 192.0.2.{number}" for number in range(50)))
    attempts = [lane.ask(dns_server, f"n{number}.example.", wishes=_ares.USE_TCP) for number in range(50)]
    lane.finish(*attempts)
    assert [attempt.reply.addresses for attempt in attempts] == [(f"192.0.2.{n}",) for n in range(50)]
    assert len({(query.transport, query.port) for query in dns_server.queries}) == 1


def test_the_socket_functions_do_what_c_ares_asks_of_each(lane, dns_server):
    """With EDNS c-ares also asks for the local address, to bind a cookie to; in the end all are closed."""
    dns_server.add("www.example. 60 A 192.0.2.7")
    plain = lane.ask(dns_server, "www.example.")
    edns = lane.ask(dns_server, "www.example.", wishes=_ares.USE_EDNS)
    stream = lane.ask(dns_server, "www.example.", wishes=_ares.USE_EDNS | _ares.USE_TCP)
    assert len(lane.sockets) > 0
    lane.finish(plain, edns, stream)
    assert sorted((query.transport, query.edns) for query in dns_server.queries) == [
        ("tcp", True),
        ("udp", False),
        ("udp", True),
    ]
    lane.lane.flush()
    assert lane.lane.pending == 0
    # the plain lane keeps a port to a server on loopback, for the next question
    assert len(lane.sockets) == (1 if isinstance(lane.lane, DatagramLane) else 0)


# What is no reply


def test_a_reply_with_another_id_is_dropped_and_the_wait_goes_on(lane, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("www.example.", wrong_id() | then_answer())
    attempt = lane.ask(dns_server, "www.example.")
    lane.finish(attempt)
    assert attempt.reply.addresses == ("192.0.2.7",)
    assert lane.lane.dropped["unknown id"] == 1


def test_a_malformed_reply_ends_neither_its_own_try_nor_those_beside_it(lane, dns_server):
    dns_server.add("bad.example. 60 A 192.0.2.1", *(f"n{n}.example. 60 A 192.0.2.{n}" for n in range(20)))
    dns_server.fault("bad.example.", malformed() | then_answer())
    attempts = [lane.ask(dns_server, "bad.example.")]
    attempts += [lane.ask(dns_server, f"n{number}.example.") for number in range(20)]
    lane.finish(*attempts)
    assert all(attempt.reply.answered for attempt in attempts)
    assert sum(lane.lane.dropped.values()) == 1


# Ending without a reply


def test_a_server_that_is_not_there_ends_the_try_with_the_systems_words(lane, dns_server):
    dns_server.stop_listening()
    try:
        attempt = lane.ask(dns_server, "www.example.")
        lane.finish(attempt)
    finally:
        dns_server.resume()
    assert attempt.reply is None
    assert attempt.error == "Connection refused"


def test_a_refused_tcp_connection_ends_the_try(lane, dns_server):
    dns_server.stop_listening()
    try:
        attempt = lane.ask(dns_server, "www.example.", wishes=_ares.USE_TCP)
        lane.finish(attempt)
    finally:
        dns_server.resume()
    assert attempt.error == "Connection refused"


def test_an_address_that_cannot_be_sent_to_ends_the_try_inside_ask(lane):
    attempt = lane.ask("255.255.255.255:53", "www.example.")  # broadcast, for which a socket needs leave
    assert attempt.ended
    assert attempt.reply is None
    assert attempt.errno == errno.EACCES
    assert lane.lane.take_ended() is attempt


@pytest.mark.parametrize("wishes", [_ares.USE_EDNS, _ares.USE_EDNS | _ares.USE_TCP | _ares.DNSSEC_OK])
def test_the_longest_question_goes_out_with_the_longest_options(lane, dns_server, wishes):
    qname = ".".join(["x" * 63] * 3 + ["y" * 53, "example"]) + "."
    dns_server.add(f"{qname} 60 A 192.0.2.7")
    options = b"\xfd\xe9\x03\x80" + bytes(896)
    assert len(options) == 900
    server = Server(ServerAddress.parse(dns_server.address))
    attempt = lane.lane.ask(server, Question(qname, A, 1, options), wishes)
    lane.finish(attempt)
    assert attempt.reply is not None, attempt.error
    assert attempt.reply.addresses == ("192.0.2.7",)
    (query,) = dns_server.queries
    assert query.edns
    with pytest.raises(ValueError, match="options"):
        Question(qname, A, 1, options + b"x")


@pytest.mark.parametrize("wishes", [0, _ares.USE_TCP, _ares.USE_EDNS])
def test_a_bound_question_leaves_from_its_address_and_idle_ones_are_closed(lane, dns_server, wishes):
    dns_server.add("www.example. 60 A 192.0.2.7")
    server = Server(ServerAddress.parse(dns_server.address))
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        source = ServerAddress(f"127.0.0.{number + 2}", 0).sockaddr
        attempt = lane.lane.ask(server, Question("www.example.", A, 1, b"", source), wishes)
        lane.finish(attempt)
        assert attempt.reply is not None, attempt.error
        while lane.lane.take_ended() is not None:
            pass
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    absent = ServerAddress("192.0.2.1", 0).sockaddr
    refused = lane.lane.ask(server, Question("www.example.", A, 1, b"", absent), wishes)
    lane.finish(refused)
    assert refused.reply is None
    assert refused.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize("wishes", [0, _ares.USE_TCP, _ares.USE_EDNS])
def test_a_cancelled_try_ends_at_the_next_flush_and_leaves_nothing(lane, dns_server, wishes):
    dns_server.fault(None, silent())
    attempt = lane.ask(dns_server, "www.example.", wishes=wishes)
    dns_server.wait_for_query() if not wishes else None
    lane.lane.cancel(attempt)
    assert attempt.ended == (isinstance(lane.lane, DatagramLane) and not wishes), "what is plain ends at once"
    lane.lane.flush()
    assert attempt.ended
    assert (attempt.reply, attempt.error) == (None, "cancelled")
    assert lane.lane.pending == 0


def test_cancelling_one_try_leaves_those_beside_it(lane, dns_server):
    dns_server.add("slow.example. 60 A 192.0.2.1", "other.example. 60 A 192.0.2.2")
    dns_server.fault("slow.example.", silent())
    dns_server.fault("other.example.", delay(0.05))
    slow, other = lane.ask(dns_server, "slow.example."), lane.ask(dns_server, "other.example.")
    lane.lane.cancel(slow)
    lane.finish(slow, other)
    assert other.reply.addresses == ("192.0.2.2",)


class Finalized:
    """Garbage that does something when it is collected."""

    def __init__(self, deed):
        self.myself = self
        self.deed = deed

    def __del__(self):
        self.deed()


def test_a_finalizer_that_asks_the_same_server_meanwhile_gets_the_same_channel(dns_server):
    dns_server.fault(None, silent())
    server = Server(ServerAddress.parse(dns_server.address))
    questions = [Question(f"{letter}.example.", A) for letter in "ab"]
    thresholds = gc.get_threshold()
    hits = 0
    gc.disable()
    try:
        for allocations in range(1, 40):  # after so many, the garbage collector runs
            gc.collect()
            sockets = Sockets()
            lane = AresLane(sockets)
            asked = []
            Finalized(
                lambda lane=lane, asked=asked: asked.append(lane.ask(server, questions[1], _ares.USE_EDNS))
            )
            gc.set_threshold(gc.get_count()[0] + allocations, 1000, 1000)
            gc.enable()
            attempt = lane.ask(server, questions[0], _ares.USE_EDNS)
            gc.disable()
            hits += bool(asked)
            assert lane.pending == 1 + len(asked)
            gc.collect()
            lane.close()
            sockets.close()
            assert attempt.ended
            assert all(other.ended for other in asked)
    finally:
        gc.set_threshold(*thresholds)
        gc.enable()
    assert hits


def test_closing_ends_every_try_and_every_socket(lane, dns_server):
    dns_server.fault(None, silent())
    attempts = [lane.ask(dns_server, f"n{n}.example.", wishes=n % 2 * _ares.USE_TCP) for n in range(10)]
    lane.lane.close()
    assert all(attempt.ended and attempt.reply is None for attempt in attempts)
    assert len(lane.sockets) == 0
    lane.lane.close()
    with pytest.raises(RuntimeError, match="closed"):
        lane.ask(dns_server, "www.example.")


def test_the_root_and_names_with_odd_octets_can_be_asked_for(lane, dns_server):
    names = [".", r"a\.b.example.", r"\000\255.example.", r"back\\slash.example.", "_srv._tcp.example."]
    attempts = [lane.ask(dns_server, name, SOA) for name in names]
    lane.finish(*attempts)
    assert all(attempt.reply is not None for attempt in attempts)


def test_a_thousand_tries_in_flight_lose_nothing(lane, dns_server):
    dns_server.add("*.example. 60 A 192.0.2.7")
    attempts = [lane.ask(dns_server, f"n{number}.example.") for number in range(1000)]
    lane.finish(*attempts)
    assert all(attempt.reply.addresses == ("192.0.2.7",) for attempt in attempts)


def test_a_lane_closed_with_a_try_under_way_leaves_no_descriptor():
    program = """if True:
        import gc, os
        from gdns._ares import AresLane
        from gdns._sockets import Sockets
        from gdns._wire import Question
        from gdns.servers import Server, ServerAddress

        server = Server(ServerAddress.parse("127.0.0.1:1"))
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(200):
            lane = AresLane(Sockets())
            lane.ask(server, Question("www.example.", 1))
            lane.close()
            del lane
        gc.collect()
        print(len(os.listdir("/proc/self/fd")) - before)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "0", done.stderr


@pytest.mark.parametrize("kind", ["_ares.AresLane", "_datagram.DatagramLane"])
def test_a_lane_that_is_dropped_with_tries_under_way_leaves_no_descriptor(kind):
    """c-ares has pointers to its tries, and they must not hold the lane that would end them."""
    program = """if True:
        import gc, os, sys
        from gdns import _ares, _datagram
        from gdns._sockets import Sockets
        from gdns._wire import Question
        from gdns.servers import Server, ServerAddress

        server = Server(ServerAddress.parse("127.0.0.1:1"))
        class Keeper: pass
        module, name = sys.argv[1].split('.')
        KIND = {'_ares': _ares, '_datagram': _datagram}[module], name
        before = len(os.listdir("/proc/self/fd"))
        for number in range(200):
            lane = getattr(*KIND)(Sockets())
            attempt = lane.ask(server, Question("www.example.", 1), number % 4)
            if number % 3 == 1:  # in a cycle that only the garbage collector finds
                keeper = Keeper()
                keeper.lane, keeper.attempt, attempt.flight = lane, attempt, keeper
                del keeper
            if number % 5 == 1:
                lane.cancel(attempt)
            if number % 2:
                del lane, attempt
            else:
                del attempt, lane
        gc.collect()
        ours = "gdns._ares", "gdns._datagram"
        left = [thing for thing in gc.get_objects() if type(thing).__module__ in ours]
        print(len(os.listdir("/proc/self/fd")) - before, len(left))
    """
    done = subprocess.run([sys.executable, "-c", program, kind], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "0 0", done.stderr


@pytest.mark.parametrize("kind", [AresLane, DatagramLane])
def test_a_try_outlives_its_lane(dns_server, kind):
    dns_server.fault(None, silent())
    lane = Lane(kind)
    attempt = lane.ask(dns_server, "www.example.")
    del lane
    assert (attempt.ended, attempt.reply) == (True, None)
    assert attempt.error


def test_cancelling_a_try_over_tcp_before_the_connection_stands_leaves_those_beside_it(lane, dns_server):
    """c-ares still holds the message of the one, and writes it with the others' once it is connected."""
    dns_server.add(*(f"n{n}.example. 60 A 192.0.2.{n}" for n in range(4)))
    attempts = [lane.ask(dns_server, f"n{n}.example.", wishes=_ares.USE_TCP) for n in range(4)]
    lane.lane.cancel(attempts[1])
    lane.lane.flush()
    assert attempts[1].ended
    late = lane.ask(dns_server, "n3.example.", wishes=_ares.USE_TCP)
    lane.finish(*attempts, late)
    assert [attempt.error for attempt in (*attempts, late)] == ["", "cancelled", "", "", ""]
    assert late.reply.addresses == ("192.0.2.3",)
    assert "n1.example." not in {name for name, _ in dns_server.questions}


def test_a_try_that_moved_to_tcp_can_be_cancelled_before_the_connection_stands(lane, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "other.example. 60 A 192.0.2.8")
    dns_server.fault(None, truncated())
    moved, other = lane.ask(dns_server, "www.example."), lane.ask(dns_server, "other.example.")
    while not any(attempt.ended for attempt in (moved, other)) and lane.lane.pending == 2:
        lane.turn(0.1)
        if dns_server.query_count == 2:
            break
    lane.lane.cancel(moved)
    lane.finish(moved, other)
    assert other.reply.addresses == ("192.0.2.8",)
