"""The test server in a thread and on each hub, its handler and its clock."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import dns.message
import dns.query
import pytest

import gdns
from gdns.testing import FakeClock, LoggedQuery, Server, delay, malformed, rcode, truncated
from tests.hubs.conftest import Stage, stage  # noqa: F401

WWW = {"www.example.": {"A": (60, "192.0.2.7")}}
OCTETS = "8580 0001 0000 0000 0000 00 0001 0001"  # of a message, behind its id
LONG = {"long.example.": {"TXT": [f"{number:03} {'x' * 200}" for number in range(300)]}}


def descriptors() -> set[str]:
    """Those that are open, what other tests have left behind for the garbage collector aside."""
    gc.collect()
    return set(os.listdir("/proc/self/fd"))


# --- on the hub


@pytest.fixture
def in_hub(stage: Stage) -> Iterator[Server]:  # noqa: F811
    """A server on each hub."""
    with Server(WWW | LONG, hub=stage.hub) as server:
        yield server


@pytest.fixture
def resolver(stage: Stage, in_hub: Server) -> Iterator[gdns.Resolver]:  # noqa: F811
    """Asks the server on the same hub."""
    with gdns.Resolver([in_hub.address], hub=stage.hub, timeout=2.0, attempts=1) as resolver:
        yield resolver


def test_a_server_on_the_hub_answers_the_greenlet_that_waits_there(in_hub, resolver):
    threads = threading.active_count()
    assert resolver.gethostbyname("www.example") == "192.0.2.7"
    assert in_hub.questions == [("www.example.", "A")]
    assert in_hub.mode == "hub"
    assert threading.active_count() == threads


def test_a_server_on_the_hub_serves_over_tcp_what_is_long(in_hub, resolver):
    assert len(resolver.resolve("long.example", "TXT").rrset) == 300
    assert {query.transport for query in in_hub.queries} == {"udp", "tcp"}


def test_questions_reach_a_server_on_the_hub_in_the_order_in_which_they_were_asked(stage, in_hub, resolver):  # noqa: F811
    names = [f"host{number}.example." for number in range(40)]
    for name in names:
        in_hub.add(f"{name} A 192.0.2.9")
    found = []
    for name in names:
        stage.spawn(lambda name=name: found.append(resolver.gethostbyname(name)))
    stage.wait_until(lambda: len(found) == len(names))
    assert [name for name, _ in in_hub.questions] == names
    assert set(found) == {"192.0.2.9"}


def test_what_a_fault_delays_comes_later_on_the_hub(in_hub, resolver):
    in_hub.fault("www.example.", delay(0.02))
    answer = resolver.resolve("www.example")
    assert answer.outcome.elapsed >= 0.015


def test_waiting_for_a_query_lets_the_hub_turn(stage, in_hub, resolver):  # noqa: F811
    found = []
    stage.spawn(lambda: found.append(resolver.gethostbyname("www.example")))
    in_hub.wait_for_query("www.example.")
    stage.wait_until(lambda: found)
    with pytest.raises(TimeoutError, match="saw 1 of 2 queries"):
        in_hub.wait_for_query("www.example.", count=2, timeout=0.01)


def test_a_server_on_the_hub_stops_resumes_and_is_reset(in_hub, resolver):
    in_hub.stop_listening()
    with pytest.raises(gdns.GaiError, match="Temporary failure"):
        gdns.Resolver.gethostbyname(resolver, "www.example")
    in_hub.resume()
    assert resolver.gethostbyname("www.example") == "192.0.2.7"
    in_hub.reset({"example.": {}})
    resolver.flush()
    with pytest.raises(gdns.GaiError, match="not known"):
        resolver.gethostbyname("www.example")
    assert in_hub.query_count == 1


def test_a_closed_server_leaves_nothing_on_the_hub(stage):  # noqa: F811
    stage.pause(0.002)  # some hubs make themselves a descriptor then
    before = descriptors()
    server = Server(WWW, hub=stage.hub).start()
    server.fault(None, delay(60))
    with socket.create_connection((server.host, server.port)):
        stage.pause(0.002)
    stage.pause(0.002)
    server.close()
    assert stage.is_idle()
    assert descriptors() - before == set()


def test_a_delayed_answer_comes_when_the_clock_of_the_server_is_moved(stage):  # noqa: F811
    clock = FakeClock()
    found = []
    with (
        Server(WWW, hub=stage.hub, clock=clock) as server,
        gdns.Resolver([server.address], hub=stage.hub, timeout=5) as resolver,
    ):
        server.fault("www.example.", delay(3600))
        stage.spawn(lambda: found.append(resolver.gethostbyname("www.example")))
        server.wait_for_query()
        clock.advance(3599)
        stage.pause(0.005)
        assert found == []
        clock.advance(1)
        stage.wait_until(lambda: found)
    assert found == ["192.0.2.7"]


def test_a_server_on_a_hub_is_used_only_in_its_thread(in_hub):
    raised = []

    def use() -> None:
        try:
            in_hub.add("a.example. A 192.0.2.1")
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert raised == ["a server on a hub can be used only in that hub's thread"]


@pytest.mark.parametrize("mode", ["thread", "hub"])
def test_a_fork_of_the_process_takes_no_server_along_and_harms_none(mode):
    program = f"""if True:
        import os, gdns
        from gdns.testing import Server
        with Server({{"www.example.": {{"A": "192.0.2.7"}}}}, mode={mode!r}) as server:
            with gdns.Resolver([server.address], cache=False) as resolver:
                print(resolver.gethostbyname("www.example"))
                child = os.fork()
                if not child:
                    try:
                        server.add("b.example. A 192.0.2.8")
                    except RuntimeError:
                        os._exit(7)
                    os._exit(1)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                print(resolver.gethostbyname("www.example"))
    """
    # Python 3.12 warns of forks beside threads
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.stdout.split(), done.stderr) == (["192.0.2.7", "7", "192.0.2.7"], "")


@pytest.mark.parametrize(
    ("hub", "patch"),
    [
        ("gevent", "from gevent import monkey; monkey.patch_all()"),
        ("eventlet", "import eventlet; eventlet.monkey_patch()"),
    ],
)
def test_a_server_inside_a_monkey_patched_program_serves_it(hub, patch):
    program = f"""if True:
        import warnings; warnings.simplefilter("ignore")
        {patch}
        import gdns
        from gdns.testing import Server, truncated, over_udp
        for mode in "thread", "hub":
            with Server({{"www.example.": {{"A": "192.0.2.7"}}}}, mode=mode) as server:
                server.fault(None, over_udp(truncated()))
                with gdns.Resolver([server.address]) as resolver:
                    print(resolver.gethostbyname("www.example"))
                    print(*[query.transport for query in server.queries])
                    print(resolver._engine().hub.name)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.stdout.split(), done.stderr) == (["192.0.2.7", "udp", "tcp", hub] * 2, "")


# --- in a thread


def ask(server: Server, name: str, rdtype: str = "A", tcp: bool = False) -> dns.message.Message:
    """The reply, by a client that blocks."""
    query = dns.message.make_query(name, rdtype)
    return (dns.query.tcp if tcp else dns.query.udp)(query, server.host, 10, server.port)


def test_a_child_keeps_no_connection_of_a_server_in_a_thread_open():
    program = """if True:
        import os, socket
        import dns.message, dns.query
        from gdns.testing import Server
        server = Server({"www.example.": {"A": "192.0.2.7"}}, mode="thread").start()
        with socket.create_connection((server.host, server.port), 30) as client:
            query = dns.message.make_query("www.example.", "A")
            dns.query.send_tcp(client, query.to_wire())
            print(dns.query.receive_tcp(client)[0].answer[0][0])
            ours, childs = os.pipe()
            if (child := os.fork()) == 0:
                client.close()
                os.close(childs)
                os.read(ours, 1)  # until the parent has seen the end
                os._exit(0)
            server.close()
            print(client.recv(1))
            os.close(childs)
            print(os.waitpid(child, 0)[1])
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["192.0.2.7", "b''", "0"], done.stderr


def test_a_server_in_a_thread_serves_blocking_clients():
    with Server(WWW, mode="thread") as server:
        assert ask(server, "www.example.").answer[0][0].to_text() == "192.0.2.7"
        assert ask(server, "www.example.", tcp=True).answer[0][0].to_text() == "192.0.2.7"
        server.add("b.example. A 192.0.2.8")
        assert [query.transport for query in server.queries] == ["udp", "tcp"]
        with pytest.raises(ValueError, match="unknown"):
            server.add("b.example. NONSENSE x")
        address = (server.host, server.port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    with pytest.raises(RuntimeError, match="not running"):
        server.add("b.example. A 192.0.2.8")


def test_a_server_in_a_thread_leaves_no_descriptor_and_can_start_again():
    before = descriptors()
    server = Server(WWW, mode="thread")
    for _ in range(3):
        with server:
            ask(server, "www.example.")
    assert descriptors() - before == set()


# --- a handler


def test_a_handler_answers_as_it_is_asked():
    seen = []

    def answer(query: LoggedQuery) -> object:
        seen.append(query)
        match query.name.split(".")[0]:
            case "dict":
                return {"A": (7, ["192.0.2.1", "192.0.2.2"]), "TXT": "words"}
            case "alias":
                return {"CNAME": "dict.example."}
            case "line":
                return f"@ 5 {query.rdtype} 192.0.2.3"
            case "lines":
                return ["@ 5 CNAME other.example.", "other.example. 6 A 192.0.2.4"]
            case "nothing":
                return []
            case "broken":
                return rcode("SERVFAIL")
            case "octets":
                return query.id.to_bytes(2) + bytes.fromhex(OCTETS)
        return None

    def rows(name: str, rdtype: str = "A") -> tuple[str, list[str]]:
        reply = ask(server, name, rdtype)
        texts = [f"{rrset.ttl} {record.to_text()}" for rrset in reply.answer for record in rrset]
        return dns.rcode.to_text(reply.rcode()), texts

    with Server(answer) as server:
        assert server.mode == "thread"
        assert rows("dict.example.") == ("NOERROR", ["7 192.0.2.1", "7 192.0.2.2"])
        assert rows("dict.example.", "TXT") == ("NOERROR", ['300 "words"'])
        assert rows("dict.example.", "ANY") == ("NOERROR", ["7 192.0.2.1", "7 192.0.2.2", '300 "words"'])
        assert rows("dict.example.", "AAAA") == ("NOERROR", [])
        assert rows("alias.example.", "MX") == ("NOERROR", ["300 dict.example."])
        assert rows("line.example.") == ("NOERROR", ["5 192.0.2.3"])
        assert rows("lines.example.") == ("NOERROR", ["5 other.example.", "6 192.0.2.4"])
        assert rows("nothing.example.") == ("NOERROR", [])
        assert rows("broken.example.") == ("SERVFAIL", [])
        assert rows("missing.example.") == ("NXDOMAIN", [])
        denial = ask(server, "nothing.example.")
        assert denial.authority[0].rdtype == dns.rdatatype.SOA
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.sendto(
                dns.message.make_query("octets.example.", "A").to_wire(), (server.host, server.port)
            )
            assert client.recv(512)[2:] == bytes.fromhex(OCTETS)
    assert seen[0][:2] == ("dict.example.", "A")


def test_where_a_handler_has_nothing_to_say_the_zones_answer_and_faults_still_befall():
    def answer(query: LoggedQuery) -> object:
        return {"A": "192.0.2.99"} if query.name == "mine.example." else None

    with Server(WWW, handler=answer) as server:
        assert ask(server, "www.example.").answer[0][0].to_text() == "192.0.2.7"
        assert ask(server, "mine.example.").answer[0][0].to_text() == "192.0.2.99"
        server.fault("mine.example.", truncated())
        assert ask(server, "mine.example.").flags & dns.flags.TC


def test_a_handler_may_use_the_server():
    def answer(query: LoggedQuery) -> None:
        server.add(f"later{server.query_count}.example. A 192.0.2.1")

    with Server(WWW, handler=answer) as server:
        ask(server, "www.example.")
        assert ask(server, "later1.example.").answer


def test_what_a_handler_raises_is_servfail_and_comes_out_at_the_end():
    def answer(query: LoggedQuery) -> None:
        raise KeyError(query.name)

    def use(server: Server, error: type[Exception] | None = None) -> None:
        with server:
            assert ask(server, "www.example.").rcode() == dns.rcode.SERVFAIL
            ask(server, "other.example.")
            assert isinstance(server.handler_error, KeyError)
            if error is not None:
                raise error

    with pytest.raises(KeyError, match="www"):  # the first
        use(Server(answer))
    with pytest.raises(ZeroDivisionError):  # the test's own error is the one to see
        use(Server(answer), ZeroDivisionError)
    with Server(answer) as server:
        ask(server, "www.example.")
        server.clear()  # seen to


@pytest.mark.parametrize("mode", ["thread", "hub"])
def test_a_handler_may_fail_its_test(mode):
    def answer(query: LoggedQuery) -> None:
        pytest.fail(f"nobody should ask for {query.name}")

    with (
        pytest.raises(pytest.fail.Exception, match="nobody should ask"),
        Server(answer, mode=mode) as server,
        gdns.Resolver([server.address]) as resolver,
        suppress(gdns.GaiError),
    ):
        resolver.gethostbyname("www.example")


def test_a_handler_that_returns_nonsense_is_told_so():
    with pytest.raises(TypeError, match="a handler returns"), Server(lambda query: 7) as server:
        ask(server, "www.example.")


def test_a_handler_runs_on_the_hub(stage):  # noqa: F811
    threads = set()

    def answer(query: LoggedQuery) -> object:
        threads.add(threading.get_ident())
        return {"A": "192.0.2.5"}

    with (
        Server(answer, hub=stage.hub) as server,
        gdns.Resolver([server.address], hub=stage.hub) as resolver,
    ):
        assert resolver.gethostbyname("anything.example") == "192.0.2.5"
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"handler": len, "mode": "process"}, ValueError, "another process"),
        ({"zones": len, "handler": len}, TypeError, "two handlers"),
        ({"handler": 7}, TypeError, "a function of a query"),
        ({"mode": "cloud"}, ValueError, "process, thread, hub"),
        ({"clock": FakeClock()}, ValueError, "needs the mode hub"),
        ({"hub": object(), "mode": "thread"}, ValueError, "with a hub, the mode is hub"),
        ({"mode": "hub", "clock": 7}, TypeError, "FakeClock"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        Server(**arguments)


# --- a clock


def test_a_clock_moves_the_time_to_live(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    with gdns.Resolver([dns_server.address]) as resolver, FakeClock(resolver) as clock:
        resolver.gethostbyname("www.example")
        clock.advance(59)
        assert resolver.resolve("www.example").rrset.ttl == 1
        assert dns_server.query_count == 1
        clock.advance(1)
        resolver.gethostbyname("www.example")
        assert dns_server.query_count == 2


def test_a_clock_tries_serving_stale_without_waiting_for_it(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    with gdns.Resolver([dns_server.address], serve_stale=3600) as resolver, FakeClock(resolver) as clock:
        resolver.gethostbyname("www.example")
        dns_server.fault(None, rcode("SERVFAIL"))
        clock.advance(3600)
        assert resolver.gethostbyname("www.example") == "192.0.2.7"
        clock.advance(61)
        with pytest.raises(gdns.GaiError):
            resolver.gethostbyname("www.example")


def test_what_was_kept_on_a_clock_goes_with_it(dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    with gdns.Resolver([dns_server.address]) as resolver:
        with FakeClock(resolver) as clock:
            clock.advance(86_400)
            resolver.gethostbyname("www.example")
        clock.undo()
        assert resolver.dump() == []
        resolver.gethostbyname("www.example")
        resolver.gethostbyname("www.example")
        assert dns_server.query_count == 2


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_clock_only_moves_on(seconds):
    with pytest.raises(ValueError, match="moves on"):
        FakeClock().advance(seconds)


def test_a_clock_is_for_resolvers():
    with pytest.raises(TypeError, match=r"gdns\.Resolver"):
        FakeClock(malformed())  # type: ignore[arg-type]
