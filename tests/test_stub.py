"""Questions in, outcomes out: flights, tries, failover, deadlines, over every hub."""

from __future__ import annotations

import gc
import time
import weakref

import gevent
import pytest

from gdns import outcome as status
from gdns import turns
from gdns._wire import Question
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub
from gdns.testing import Server, delay, malformed, rcode, silent, then_answer, truncated, wrong_id

A, AAAA = 1, 28


def question(name: str = "www.example.", rdtype: int = A) -> Question:
    return Question(name, rdtype)


@pytest.fixture(params=["ares", "both"])
def lanes(request, monkeypatch):
    """Which lanes carry the questions: c-ares' alone, or the plain one beside it."""
    monkeypatch.setattr(turns, "LANES", request.param)


@pytest.fixture
def make_stub(runner, lanes):
    made = []

    def make(*servers: Server, timeout: float = 5.0, attempts: int = 2) -> Stub:
        addresses = [ServerAddress.parse(server.address) for server in servers]
        made.append(Stub(runner.hub, Servers(addresses), timeout=timeout, attempts=attempts))
        return made[-1]

    yield make
    for stub in made:
        stub.close()


@pytest.fixture
def stub(make_stub, dns_server):
    return make_stub(dns_server)


@pytest.fixture(scope="session")
def _second_process():
    with Server() as server:
        yield server


@pytest.fixture
def second_server(_second_process):
    _second_process.reset({"example.": {}})
    return _second_process


# Answers


def test_a_question_is_answered(stub, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    outcome = stub.query(question())
    assert outcome.status is status.ANSWER
    assert outcome.addresses == ("192.0.2.7",)
    assert (outcome.server, outcome.attempts, outcome.rcode) == (dns_server.address, 1, 0)
    assert 0 < outcome.elapsed < 5


@pytest.mark.parametrize(
    ("name", "expected"), [("none.example.", status.NXDOMAIN), ("www.example.", status.NODATA)]
)
def test_a_negative_answer_is_final(stub, dns_server, name, expected):
    dns_server.add("www.example. 60 TXT text")
    outcome = stub.query(question(name))
    assert outcome.status is expected
    assert outcome.is_negative
    assert len(dns_server.questions) == 1


def test_two_questions_are_asked_side_by_side(stub, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA 2001:db8::7")
    dns_server.fault(None, delay(0.1))
    began = time.monotonic()
    v4, v6 = stub.query_both(question(), question(rdtype=AAAA))
    assert (v4.addresses, v6.addresses) == (("192.0.2.7",), ("2001:db8::7",))
    assert 0.1 <= time.monotonic() - began < 0.2


def test_concurrent_askers_of_one_question_share_one_query(stub, dns_server, run_all):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    outcomes = run_all(
        [lambda: stub.query(question())] * 50 + [lambda: stub.query(question("WWW.Example."))] * 50
    )
    assert dns_server.questions == [("www.example.", "A")]
    assert {outcome.addresses for outcome in outcomes} == {("192.0.2.7",)}


def test_a_thousand_questions_at_once_are_all_answered(stub, dns_server, run_all):
    dns_server.add("*.example. 60 A 192.0.2.7")
    outcomes = run_all([lambda n=n: stub.query(question(f"n{n}.example.")) for n in range(1000)])
    assert all(outcome.addresses == ("192.0.2.7",) for outcome in outcomes)


def test_more_questions_than_the_window_holds_wait_in_a_queue(stub, dns_server, run_all):
    dns_server.add("*.example. 60 A 192.0.2.7")
    (server,) = stub.servers.all
    server.window = 10
    most = []

    def ask(number: int) -> status.Outcome:
        found = stub.query(question(f"n{number}.example."))
        most.append(server.in_flight)
        return found

    outcomes = run_all([lambda n=n: ask(n) for n in range(200)])
    assert all(outcome.status is status.ANSWER for outcome in outcomes)
    assert max(most) <= 10


# Failing servers


@pytest.mark.parametrize("fault", [rcode("SERVFAIL"), rcode("REFUSED"), rcode("NOTIMP"), rcode("FORMERR")])
def test_a_server_that_fails_sends_us_to_the_next_at_once(make_stub, dns_server, second_server, fault):
    dns_server.fault(None, fault)
    second_server.add("www.example. 60 A 192.0.2.7")
    stub = make_stub(dns_server, second_server)
    outcome = stub.query(question())
    assert outcome.addresses == ("192.0.2.7",)
    assert (outcome.attempts, outcome.server) == (2, second_server.address)
    assert outcome.elapsed < 1


def test_nxdomain_is_not_taken_to_other_servers(make_stub, dns_server, second_server):
    second_server.add("www.example. 60 A 192.0.2.7")
    assert make_stub(dns_server, second_server).query(question()).status is status.NXDOMAIN
    assert second_server.questions == []


@pytest.mark.parametrize(("word", "expected"), [("SERVFAIL", status.SERVFAIL), ("REFUSED", status.REFUSED)])
def test_when_every_server_fails_each_is_asked_in_every_round(
    make_stub, dns_server, second_server, word, expected
):
    for server in (dns_server, second_server):
        server.fault(None, rcode(word))
    outcome = make_stub(dns_server, second_server).query(question())
    assert outcome.status is expected
    assert outcome.attempts == 4
    assert len(dns_server.questions) == len(second_server.questions) == 2


def test_a_silent_server_shares_the_timeout_with_the_next(make_stub, dns_server, second_server):
    dns_server.fault(None, silent())
    second_server.add("www.example. 60 A 192.0.2.7")
    stub = make_stub(dns_server, second_server, timeout=0.6)
    outcome = stub.query(question())
    assert outcome.addresses == ("192.0.2.7",)
    assert 0.29 <= outcome.elapsed < 0.6


def test_a_server_that_failed_is_not_waited_for_again_and_probed_with_a_question_of_our_own(
    make_stub, dns_server, second_server
):
    dns_server.fault(None, silent())
    second_server.add("*.example. 60 A 192.0.2.7")
    stub = make_stub(dns_server, second_server, timeout=0.6)
    stub.query(question("first.example."))
    outcome = stub.query(question("second.example."))
    assert outcome.server == second_server.address
    assert outcome.elapsed < 0.2
    assert dns_server.questions == [("first.example.", "A"), (".", "NS")]


def test_a_server_that_recovers_is_asked_first_again(make_stub, runner, dns_server, second_server):
    second_server.add("*.example. 60 A 192.0.2.2")
    dns_server.add("*.example. 60 A 192.0.2.1")
    dns_server.stop_listening()
    stub = make_stub(dns_server, second_server)
    assert stub.query(question("first.example.")).addresses == ("192.0.2.2",)
    dns_server.resume()
    began = time.monotonic()
    number = 0
    while stub.query(question(f"n{number}.example.")).addresses != ("192.0.2.1",):
        assert time.monotonic() - began < 3, "the server that recovered was not asked again"
        number += 1
        runner.sleep(0.02)
    assert time.monotonic() - began < 1.5


def test_a_refused_port_fails_at_once_in_the_systems_words(stub, dns_server):
    dns_server.stop_listening()
    try:
        outcome = stub.query(question())
    finally:
        dns_server.resume()
    assert outcome.status is status.UNREACHABLE
    assert outcome.detail == "Connection refused"
    assert outcome.attempts == 2
    assert outcome.elapsed < 1


def test_an_address_that_cannot_be_sent_to_is_unreachable(runner):
    stub = Stub(runner.hub, Servers([ServerAddress.parse("255.255.255.255")]), timeout=5, attempts=2)
    outcome = stub.query(question())
    assert (outcome.status, outcome.detail) == (status.UNREACHABLE, "Permission denied")
    stub.close()


# Deadlines


def test_a_silent_server_is_asked_in_every_round_and_the_deadline_is_kept(make_stub, dns_server):
    dns_server.fault(None, silent())
    outcome = make_stub(dns_server, timeout=0.05, attempts=3).query(question())
    assert outcome.status is status.TIMEOUT
    assert (outcome.attempts, outcome.server) == (3, dns_server.address)
    assert 0.15 <= outcome.elapsed < 0.45
    assert len(dns_server.questions) == 3


def test_an_earlier_try_is_listened_to_until_the_end(make_stub, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("www.example.", delay(0.25))
    outcome = make_stub(dns_server, timeout=0.1, attempts=5).query(question())
    assert outcome.addresses == ("192.0.2.7",)
    assert 0.25 <= outcome.elapsed < 0.34


def test_a_slow_server_is_heard_however_fast_it_was_before(make_stub, dns_server):
    dns_server.add("*.example. 60 A 192.0.2.7")
    dns_server.fault("slow.example.", delay(0.4))
    stub = make_stub(dns_server, timeout=1.0, attempts=1)
    for number in range(40):
        stub.query(question(f"n{number}.example."))
    assert stub.query(question("slow.example.")).addresses == ("192.0.2.7",)


def test_a_lifetime_ends_one_callers_wait_and_not_the_question(stub, dns_server, run_all):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.2))
    hasty, patient = run_all([lambda: stub.query(question(), 0, 0.02), lambda: stub.query(question())])
    assert hasty.status is status.TIMEOUT
    assert 0.02 <= hasty.elapsed < 0.15
    assert patient.addresses == ("192.0.2.7",)
    assert len(dns_server.questions) == 1


def test_a_question_that_was_never_sent_reports_no_attempts(make_stub, dns_server, run_all):
    stub = make_stub(dns_server, timeout=0.1, attempts=1)
    stub.servers.all[0].window = 0
    outcomes = run_all([lambda n=n: stub.query(question(f"n{n}.example.")) for n in range(3)])
    assert {(outcome.status, outcome.attempts) for outcome in outcomes} == {(status.TIMEOUT, 0)}
    assert dns_server.questions == []


# What comes in


@pytest.mark.parametrize("fault", [wrong_id(), malformed()])
def test_what_is_no_reply_is_dropped_counted_and_waited_past(stub, dns_server, fault):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("www.example.", fault | then_answer())
    assert stub.query(question()).addresses == ("192.0.2.7",)
    assert sum(stub.dropped.values()) == 1


def test_truncation_means_tcp(stub, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, truncated())
    assert stub.query(question()).addresses == ("192.0.2.7",)
    assert [query.transport for query in dns_server.queries] == ["udp", "tcp"]


def test_an_outcome_knows_what_the_reply_came_over(stub, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "long.example. 60 A 192.0.2.8")
    dns_server.fault("long.example.", truncated())
    dns_server.fault("lame.example.", rcode("REFUSED"))
    names = "www.example.", "long.example.", "missing.example.", "lame.example."
    assert [stub.query(question(name)).transport for name in names] == ["udp", "tcp", "udp", "udp"]


# Turns


def longest_wait_beside(runner, tasks):
    """Seconds that a greenlet waited which wanted a turn every millisecond until the tasks had ended."""
    waits = []

    def tick():
        while True:
            started_at = time.monotonic()
            try:
                runner.sleep(0.001)
            finally:  # the kill may find it in the longest one
                waits.append(time.monotonic() - started_at)

    ticker = runner.spawn(tick)
    runner.join(tasks, 10)
    runner.kill(ticker)
    return max(waits)


def test_askers_who_take_long_to_read_their_answers_leave_others_their_turns(stub, runner, dns_server):
    dns_server.fault(None, delay(0.05))  # so that all answers are there at once
    turns = []  # how many have read in each

    def ask_and_read(name):
        stub.query(question(name))
        turns[-1] += 1
        done_at = time.monotonic() + 0.003
        while time.monotonic() < done_at:
            pass

    def count_turns():
        while sum(turns) < 50:
            turns.append(0)
            runner.sleep(0.001)

    counting = runner.spawn(count_turns)
    askers = [runner.spawn(lambda n=n: ask_and_read(f"n{n}.example.")) for n in range(50)]
    runner.join([counting, *askers], 30)
    assert max(turns) < 10  # two fill the time that a turn may take; in one go it would be all fifty


# Leaving


def test_a_killed_asker_harms_nobody_and_leaves_nothing(stub, runner, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    first = runner.spawn(lambda: stub.query(question()))
    second = runner.spawn(lambda: stub.query(question()))
    runner.sleep(0.02)
    runner.kill(first)
    runner.join([second], 5)
    assert second.get().addresses == ("192.0.2.7",)
    assert dns_server.questions == [("www.example.", "A")]
    assert stub.pending == 0


def test_a_question_nobody_waits_for_ends_its_try_and_is_not_asked_again(make_stub, runner, dns_server):
    dns_server.fault(None, silent())
    stub = make_stub(dns_server, timeout=0.1, attempts=5)
    task = runner.spawn(lambda: stub.query(question()))
    runner.sleep(0.02)
    runner.kill(task)
    assert stub.pending == 1
    runner.sleep(0.2)
    assert stub.pending == 0
    assert len(dns_server.questions) == 1
    assert stub._lane.pending == 0


def test_killing_a_hundred_askers_frees_all_of_them(stub, runner, dns_server):
    dns_server.fault(None, silent())
    tasks = [runner.spawn(lambda n=n: stub.query(question(f"n{n}.example."))) for n in range(100)]
    runner.sleep(0.02)
    remembered = [weakref.ref(task) for task in tasks]
    for task in tasks:
        runner.kill(task)
    del tasks, task
    runner.sleep(0.01)  # the hub itself remembers the last it dealt with
    gc.collect()
    assert [task() for task in remembered] == [None] * 100


@pytest.mark.parametrize("runner", ["gevent"], indirect=True)
def test_gevent_timeout_comes_out_at_once(make_stub, dns_server):
    dns_server.fault(None, silent())
    stub = make_stub(dns_server)
    began = time.monotonic()
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        stub.query(question())
    assert time.monotonic() - began < 0.2


# The end


def test_closing_ends_every_question_with_closed(stub, runner, dns_server):
    dns_server.fault(None, silent())
    tasks = [runner.spawn(lambda n=n: stub.query(question(f"n{n}.example."))) for n in range(20)]
    runner.sleep(0.02)
    stub.close()
    runner.join(tasks, 5)
    assert {task.get().status for task in tasks} == {status.CLOSED}
    assert stub.query(question()).status is status.CLOSED
    stub.close()


def test_a_greenlet_that_wakes_may_close_the_stub(stub, runner, dns_server):
    dns_server.add("*.example. 60 A 192.0.2.7")

    def ask_and_close() -> object:
        found = stub.query(question("n0.example."))
        stub.close()
        return found.status

    tasks = [runner.spawn(ask_and_close)]
    tasks += [runner.spawn(lambda n=n: stub.query(question(f"n{n}.example.")).status) for n in range(1, 20)]
    runner.join(tasks, 5)
    ends = [task.get() for task in tasks]
    assert ends[0] is status.ANSWER
    assert set(ends) <= {status.ANSWER, status.CLOSED}


def test_retiring_lets_what_is_under_way_end(stub, runner, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    task = runner.spawn(lambda: stub.query(question()))
    runner.sleep(0.02)
    stub.retire()
    runner.join([task], 5)
    assert task.get().addresses == ("192.0.2.7",)
    assert stub.is_closed


@pytest.mark.parametrize("runner", ["gevent"], indirect=True)
def test_an_idle_stub_does_not_keep_its_hub_from_finishing(make_stub, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    stub = make_stub(dns_server)
    gevent.spawn(stub.query, question())
    assert gevent.wait(timeout=3), "the hub still waits for something"


def test_the_hubs_own_greenlet_cannot_wait_for_what_others_ask_either(stub, runner, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("www.example.", delay(0.1))
    caught = []

    def on_the_hub() -> None:
        try:
            stub.query(question())
        except RuntimeError as error:
            caught.append(str(error))

    task = runner.spawn(lambda: stub.query(question()))
    dns_server.wait_for_query(sleep=runner.sleep)
    runner.hub.call_soon(on_the_hub)
    runner.join([task], 30)
    assert task.get().addresses == ("192.0.2.7",)
    assert ["hub" in text for text in caught] == [True]


def test_a_question_from_the_hubs_own_greenlet_is_refused_and_not_sent(stub, runner, dns_server):
    caught = []

    def on_the_hub() -> None:
        try:
            stub.query(question())
        except RuntimeError as error:
            caught.append(str(error))

    runner.hub.call_soon(on_the_hub)
    runner.sleep(0.02)
    assert len(caught) == 1
    assert "hub" in caught[0]
    assert dns_server.questions == []
