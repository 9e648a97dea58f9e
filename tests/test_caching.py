"""The stub with its cache: what is not asked again, what is served stale, what is asked before it expires."""

from __future__ import annotations

import re
import time

import pytest

from gdns import outcome as status
from gdns._wire import Question
from gdns.cache import Cache
from gdns.counters import Counters
from gdns.hooks import Hook, Hooks
from gdns.servers import ServerAddress, Servers
from gdns.stub import STALE_AFTER, Stub
from gdns.testing import FakeClock, Server, delay, rcode, silent

A, AAAA, TXT = 1, 28, 16


def question(name: str = "www.example.", rdtype: int = A) -> Question:
    return Question(name, rdtype)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def make_stub(runner, dns_server, clock):
    made = []

    def make(
        *servers: Server,
        timeout: float = 5.0,
        attempts: int = 2,
        stale_for: float = 0.0,
        cache: Cache | None = None,
        **more: object,
    ) -> Stub:
        addresses = [ServerAddress.parse(server.address) for server in servers or (dns_server,)]
        if cache is None:
            cache = Cache(stale_for=stale_for, clock=clock)
        made.append(
            Stub(runner.hub, Servers(addresses), timeout=timeout, attempts=attempts, cache=cache, **more)
        )
        return made[-1]

    yield make
    for stub in made:
        stub.close()


@pytest.fixture
def stub(make_stub):
    return make_stub()


# Hits


def test_a_question_is_not_asked_again_while_its_answer_lives(stub, dns_server, clock):
    dns_server.add("www.example. 60 A 192.0.2.7")
    first = stub.query(question())
    clock.advance(59)
    again = stub.query(question("WWW.example."))
    assert (first.from_cache, again.from_cache) == (False, True)
    assert again.addresses == ("192.0.2.7",)
    assert again.question.qname == "WWW.example."
    assert again.ttl == pytest.approx(1)
    assert dns_server.query_count == 1
    clock.advance(2)
    assert not stub.query(question()).from_cache
    assert dns_server.query_count == 2


def test_a_hit_needs_no_hub(stub, dns_server, runner):
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA 2001:db8::7")
    stub.query_both(question(), question(rdtype=AAAA))
    seen = []
    runner.hub.call_soon(lambda: seen.append(stub.query_both(question(), question(rdtype=AAAA))))
    runner.sleep(0.01)
    ((v4, v6),) = seen
    assert (v4.addresses, v6.addresses) == (("192.0.2.7",), ("2001:db8::7",))


def test_of_two_questions_only_the_unknown_one_is_asked(stub, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA 2001:db8::7")
    stub.query(question(rdtype=AAAA))
    v4, v6 = stub.query_both(question(), question(rdtype=AAAA))
    assert (v4.from_cache, v6.from_cache) == (False, True)
    assert dns_server.questions == [("www.example.", "AAAA"), ("www.example.", "A")]


def test_a_name_that_does_not_exist_is_asked_for_once_for_all_types(stub, dns_server):
    assert stub.query(question("none.example.")).status is status.NXDOMAIN
    assert stub.query(question("none.example.", TXT)).status is status.NXDOMAIN
    assert dns_server.query_count == 1


def test_the_answer_to_one_who_was_killed_serves_the_next(make_stub, dns_server, runner):
    stub = make_stub()
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    asker = runner.spawn(lambda: stub.query(question()))
    dns_server.wait_for_query(sleep=runner.sleep)
    runner.kill(asker)
    ends_at = time.monotonic() + 5
    while stub.pending and time.monotonic() < ends_at:
        runner.sleep(0.01)
    assert stub.query(question()).from_cache
    assert dns_server.query_count == 1


def test_a_closed_stub_gives_nothing_from_its_cache(stub, dns_server):
    dns_server.add("www.example. 60 A 192.0.2.7")
    stub.query(question())
    stub.close()
    assert stub.query(question()).status is status.CLOSED


def test_two_stubs_share_a_cache(make_stub, dns_server, clock):
    dns_server.add("www.example. 60 A 192.0.2.7")
    cache = Cache(clock=clock)
    make_stub(cache=cache).query(question())
    assert make_stub(cache=cache).query(question()).from_cache
    assert dns_server.query_count == 1


# Who joins late


def test_who_joins_a_flight_late_waits_for_as_long_as_if_it_had_begun_it(make_stub, dns_server, runner):
    stub = make_stub(timeout=0.2, attempts=2)
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, silent(), times=2)  # the tries of the first flight
    first = runner.spawn(lambda: stub.query(question()))
    dns_server.wait_for_query(count=2, sleep=runner.sleep)  # half of the first one's time is up
    second = runner.spawn(lambda: stub.query(question()))
    runner.join([first, second], 5)
    assert first.get().status is status.TIMEOUT
    assert second.get().status is status.ANSWER


def test_who_joins_late_is_not_kept_beyond_their_own_time(make_stub, dns_server, runner):
    stub = make_stub(timeout=0.15, attempts=2)
    dns_server.fault(None, silent())
    first = runner.spawn(lambda: stub.query(question()))
    dns_server.wait_for_query(count=2, sleep=runner.sleep)
    began = time.monotonic()
    assert stub.query(question()).status is status.TIMEOUT
    assert 0.29 < time.monotonic() - began < 0.5
    runner.join([first], 5)


# Stale answers


def test_a_stale_answer_is_given_when_the_server_is_silent_for_too_long(make_stub, dns_server, clock, runner):
    stub = make_stub(stale_for=600)
    dns_server.add("www.example. 60 A 192.0.2.7")
    stub.query(question())
    clock.advance(61)
    dns_server.fault(None, silent())
    began = time.monotonic()
    outcome = stub.query(question())
    assert STALE_AFTER - 0.05 < time.monotonic() - began < STALE_AFTER + 0.5
    assert outcome.is_stale
    assert outcome.addresses == ("192.0.2.7",)
    began = time.monotonic()
    assert stub.query(question()).is_stale, "the question is still under way, and nobody waits twice"
    assert time.monotonic() - began < 0.5
    dns_server.heal()
    dns_server.remove("www.example.", "A")
    dns_server.add("www.example. 60 A 192.0.2.8")
    ends_at = time.monotonic() + 10
    while stub.pending and time.monotonic() < ends_at:  # the question goes on, for the cache
        runner.sleep(0.02)
    fresh = stub.query(question())
    assert (fresh.addresses, fresh.is_stale) == (("192.0.2.8",), False)


@pytest.mark.parametrize("fault", [rcode("SERVFAIL"), rcode("REFUSED")])
def test_a_stale_answer_is_given_at_once_when_the_server_fails(make_stub, dns_server, clock, fault):
    stub = make_stub(stale_for=600)
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA 2001:db8::7")
    stub.query_both(question(), question(rdtype=AAAA))
    clock.advance(61)
    dns_server.fault(None, fault)
    began = time.monotonic()
    v4, v6 = stub.query_both(question(), question(rdtype=AAAA))
    assert time.monotonic() - began < 1
    assert (v4.is_stale, v6.is_stale) == (True, True)
    assert (v4.addresses, v6.addresses) == (("192.0.2.7",), ("2001:db8::7",))


def test_two_stale_answers_come_after_one_wait(make_stub, dns_server, clock):
    stub = make_stub(stale_for=600)
    dns_server.add("www.example. 60 A 192.0.2.7", "www.example. 60 AAAA 2001:db8::7")
    stub.query_both(question(), question(rdtype=AAAA))
    clock.advance(61)
    dns_server.stop_listening()
    began = time.monotonic()
    outcomes = stub.query_both(question(), question(rdtype=AAAA))
    dns_server.resume()
    assert time.monotonic() - began < STALE_AFTER + 0.5
    assert [outcome.is_stale for outcome in outcomes] == [True, True]


def test_a_name_that_is_denied_is_not_served_stale(make_stub, dns_server, clock):
    stub = make_stub(stale_for=600)
    dns_server.add("www.example. 60 A 192.0.2.7")
    stub.query(question())
    clock.advance(61)
    dns_server.remove("www.example.")
    outcome = stub.query(question())
    assert (outcome.status, outcome.is_stale) == (status.NXDOMAIN, False)


def test_where_nobody_can_wait_a_stale_answer_is_better_than_none(make_stub, dns_server, clock, runner):
    stub = make_stub(stale_for=600)
    dns_server.add("www.example. 60 A 192.0.2.7")
    stub.query(question())
    clock.advance(61)
    seen = []
    runner.hub.call_soon(lambda: seen.append(stub.query(question())))
    ends_at = time.monotonic() + 5
    while not (seen and dns_server.query_count == 2) and time.monotonic() < ends_at:
        runner.sleep(0.01)
    assert [outcome.is_stale for outcome in seen] == [True]
    assert dns_server.query_count == 2, "it was asked for anew"


# Names in demand


def test_a_name_in_demand_is_asked_for_before_it_expires_and_nobody_waits(
    make_stub, dns_server, clock, runner
):
    stub = make_stub(prefetches=True)
    dns_server.add("www.example. 100 A 192.0.2.7")
    stub.query(question())
    clock.advance(50)
    assert stub.query(question()).from_cache
    assert dns_server.query_count == 1
    clock.advance(45)
    assert stub.query(question()).from_cache
    assert stub.query(question()).from_cache
    dns_server.wait_for_query(count=2, sleep=runner.sleep)
    ends_at = time.monotonic() + 5
    while stub.pending and time.monotonic() < ends_at:
        runner.sleep(0.01)
    clock.advance(50)
    assert stub.query(question()).from_cache
    assert dns_server.query_count == 2
    assert stub.counters.prefetched == 1


def test_a_name_asked_for_once_is_not_asked_for_again(make_stub, dns_server, clock, runner):
    stub = make_stub(prefetches=True)
    dns_server.add("www.example. 100 A 192.0.2.7")
    stub.query(question())
    clock.advance(95)
    stub.query(question())
    runner.sleep(0.05)
    assert (dns_server.query_count, stub.pending) == (1, 0)


# What it counts, whom it tells


def test_it_counts_what_was_asked_sent_joined_and_how_it_ended(make_stub, dns_server, run_all):
    counters = Counters()
    stub = make_stub(counters=counters)
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault("www.example.", delay(0.05))
    dns_server.fault("bad.example.", rcode("SERVFAIL"))
    run_all([lambda: stub.query(question())] * 10)
    stub.query(question())
    stub.query(question("none.example."))
    stub.query(question("bad.example."))
    assert (counters.questions, counters.joined) == (13, 9)
    assert (counters.sent, counters.resent) == (dns_server.query_count, 1)
    assert counters.ended == {"answer": 1, "NXDOMAIN": 1, "SERVFAIL": 1}
    assert (stub.cache.hits, stub.cache.misses) == (1, 12)


def test_an_answer_that_nobody_waits_for_is_counted(make_stub, dns_server, runner):
    counters = Counters()
    stub = make_stub(counters=counters)
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    asker = runner.spawn(lambda: stub.query(question()))
    dns_server.wait_for_query(sleep=runner.sleep)
    runner.kill(asker)
    ends_at = time.monotonic() + 5
    while stub.pending and time.monotonic() < ends_at:
        runner.sleep(0.01)
    assert counters.unneeded == 1


def test_hooks_are_told_of_what_is_sent_and_how_it_ends(make_stub, dns_server, run_all, runner):
    hooks = Hooks()
    sent, ended = [], []
    stub = make_stub(hooks=hooks)
    Hook(hooks, "on_query", lambda asked, server: sent.append((asked.qname, server)))
    told = Hook(hooks, "on_outcome", ended.append)
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.05))
    run_all([lambda: stub.query(question())] * 5)
    stub.query(question())
    runner.sleep(0.01)
    assert sent == [("www.example.", dns_server.address)]
    assert [(outcome.status, outcome.from_cache) for outcome in ended] == [
        (status.ANSWER, False),
        (status.ANSWER, True),
    ]
    told.undo()
    stub.query(question())
    runner.sleep(0.01)
    assert len(ended) == 2


def test_what_a_hook_raises_is_reported_and_harms_no_lookup(make_stub, dns_server, runner, caplog, capfd):
    hooks = Hooks()
    stub = make_stub(hooks=hooks)
    Hook(hooks, "on_outcome", lambda outcome: 1 / 0)
    dns_server.add("www.example. 60 A 192.0.2.7")
    assert stub.query(question()).status is status.ANSWER
    runner.sleep(0.01)
    assert "ZeroDivisionError" in caplog.text + capfd.readouterr().err  # native logs it, gevent prints it


def test_a_hook_may_look_up_what_is_known_but_may_not_wait(make_stub, dns_server, runner, caplog, capfd):
    hooks = Hooks()
    stub = make_stub(hooks=hooks)
    dns_server.add("www.example. 60 A 192.0.2.7")
    stub.query(question())
    known = []

    def look(outcome: status.Outcome) -> None:
        if outcome.question.rdtype == TXT:
            known.append(stub.query(question()).addresses)
            stub.query(question("other.example."))

    Hook(hooks, "on_outcome", look)
    assert stub.query(question(rdtype=TXT)).status is status.NODATA
    runner.sleep(0.01)
    assert known == [("192.0.2.7",)]
    assert "from the hub greenlet itself" in caplog.text + capfd.readouterr().err


def test_an_outcome_says_where_it_came_from(make_stub, dns_server, clock):
    dns_server.add("www.example. 60 A 192.0.2.7")
    stub = make_stub(stale_for=3600.0, timeout=0.05, attempts=1)
    shown = [repr(stub.query(question())), repr(stub.query(question()))]
    clock.advance(61)
    dns_server.fault(None, silent())
    shown += [repr(stub.query(question())), repr(stub.query(question("other.example."), lifetime=0.01))]
    where = re.escape(f"www.example. A: answer from {dns_server.address}")
    for text, pattern in zip(
        shown,
        (
            rf"<Outcome {where} after 0\.\d+ s and 1 attempt>",
            rf"<Outcome {where} from the cache, 0\.\d+ s old>",
            rf"<Outcome {where} from the cache, 61\.\d+ s old, stale>",
            r"<Outcome other\.example\. A: timeout .* and 1 attempt \(the caller's lifetime ended\)>",
        ),
        strict=True,
    ):
        assert re.fullmatch(pattern, text), text


def test_a_hook_may_close_the_stub(make_stub, dns_server, runner):
    hooks = Hooks()
    stub = make_stub(hooks=hooks)
    Hook(hooks, "on_query", lambda asked, server: stub.close())
    dns_server.fault(None, silent())
    assert stub.query(question()).status is status.CLOSED
    assert stub.is_closed


def test_what_is_no_function_is_no_hook():
    with pytest.raises(TypeError, match="on_query: expected a function, not str"):
        Hook(Hooks(), "on_query", "print")


# Failures on the way


def test_an_outcome_tells_of_the_tries_that_failed_before(make_stub, dns_server):
    stub = make_stub(timeout=0.2, attempts=3)
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, silent(), times=1)
    outcome = stub.query(question())
    assert outcome.status is status.ANSWER
    assert outcome.attempts == 2
    ((server, reason, seconds),) = outcome.failures
    assert (server, reason) == (dns_server.address, "no reply")
    assert seconds == pytest.approx(0.2, abs=0.15)
    assert 0 < outcome.rtt < 0.2


def test_a_failure_is_not_asked_about_again_for_a_second(stub, dns_server, clock):
    dns_server.fault(None, rcode("SERVFAIL"))
    assert stub.query(question()).status is status.SERVFAIL
    asked = dns_server.query_count
    assert stub.query(question()).status is status.SERVFAIL
    assert dns_server.query_count == asked
    clock.advance(1.1)
    stub.query(question())
    assert dns_server.query_count > asked


def test_a_cache_that_cannot_take_an_answer_keeps_it_from_nobody(
    make_stub, dns_server, run_all, caplog, capfd
):
    broken = []

    def clock() -> float:
        if broken:
            raise MemoryError
        return 1000.0

    stub = make_stub(cache=Cache(clock=clock))
    dns_server.add("www.example. 60 A 192.0.2.7")
    dns_server.fault(None, delay(0.1))
    Hook(stub.hooks, "on_query", lambda asked, server: broken.append(True))  # once it has been sent
    outcomes = run_all([lambda: stub.query(question())] * 5)
    assert [outcome.addresses for outcome in outcomes] == [("192.0.2.7",)] * 5
    assert "MemoryError" in caplog.text + capfd.readouterr().err
    broken.clear()
    dns_server.heal()
    assert stub.query(question("none.example.")).status is status.NXDOMAIN, "the stub goes on"
    assert stub.pending == 0
