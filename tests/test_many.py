"""`resolve_many`: many questions, one greenlet."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from itertools import count
from socket import AF_INET
from textwrap import dedent
from threading import Thread
from time import monotonic, sleep

import dns.name
import gevent
import pytest

import gdns
from gdns import ConfigError, GaiError, Resolver, ResolverClosed
from gdns._wire import Question
from gdns.flight import Ask, Crowd
from gdns.many import Result
from gdns.outcome import Status
from gdns.pace import BURST, Pace
from gdns.servers import ServerAddress, Servers
from gdns.stub import Stub
from gdns.testing import FakeClock, Server, delay, rcode, silent, truncated

WILD = {"*.w.example.": {"A": "192.0.2.7"}, "example.": {}}


@pytest.fixture
def resolver(dns_server: Server) -> Iterator[Resolver]:
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    with Resolver(nameservers=[dns_server.address], timeout=5.0, attempts=2) as resolver:
        yield resolver


def names(amount: int, word: str = "n") -> list[str]:
    return [f"{word}{number}.w.example" for number in range(amount)]


# --- what it gives


def test_every_question_has_one_result_that_names_the_very_object_asked(resolver, dns_server, run_all):
    dns_server.add("mail.example. 60 MX 10 mx.example.")
    questions = [*names(300), ("mail.example", "MX"), ("mail.example", 15), ("none.example.", "AAAA")]
    (results,) = run_all([lambda: list(resolver.resolve_many(questions))])
    assert Counter(map(id, (result.question for result in results))) == Counter(map(id, questions))
    statuses = {result.question: result.outcome.status for result in results}
    assert statuses["n7.w.example"] is Status.ANSWER
    assert statuses["mail.example", "MX"] is statuses["mail.example", 15] is Status.ANSWER
    assert statuses["none.example.", "AAAA"] is Status.NXDOMAIN
    assert all(isinstance(result, Result) for result in results)


def test_it_works_from_the_main_greenlet_of_a_program_without_a_hub(dns_server):
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    program = f"""if True:
        import gdns
        with gdns.Resolver(nameservers=["{dns_server.address}"]) as resolver:
            results = resolver.resolve_many(["a.w.example", "b.w.example"])
            print({{name: outcome.addresses for name, outcome in results}})
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert eval(done.stdout) == {"a.w.example": ("192.0.2.7",), "b.w.example": ("192.0.2.7",)}, done.stderr


def test_results_come_as_they_are_completed(resolver, dns_server, run_all):
    dns_server.fault("n0.w.example.", delay(0.3))
    (results,) = run_all([lambda: list(resolver.resolve_many(names(50)))])
    assert results[-1].question == "n0.w.example"


def test_failures_are_outcomes_and_stop_nothing(resolver, dns_server, run_all):
    dns_server.fault("n1.w.example.", rcode("SERVFAIL"))
    dns_server.fault("n2.w.example.", silent())
    dns_server.fault("n3.w.example.", truncated())
    with Resolver(nameservers=[dns_server.address], timeout=0.1, attempts=2) as quick:
        (results,) = run_all([lambda: dict(quick.resolve_many(names(20)))])
    assert results["n1.w.example"].status is Status.SERVFAIL
    assert results["n2.w.example"].status is Status.TIMEOUT
    assert results["n2.w.example"].attempts == 2
    assert results["n3.w.example"].transport == "tcp"
    assert sum(outcome.status is Status.ANSWER for outcome in results.values()) == 18


@pytest.mark.parametrize("bad", ["a..b", "x" * 64, "", "\ud800", ("w.example", "NOTYPE"), ("w.example", 0)])
def test_what_cannot_be_asked_for_is_a_result_too(resolver, bad, run_all):
    (results,) = run_all([lambda: dict(resolver.resolve_many([*names(3), bad]))])
    assert results[bad].status is Status.INVALID
    assert results[bad].detail
    assert repr(results[bad]).startswith("<Outcome invalid: ")
    assert [results[name].status for name in names(3)] == [Status.ANSWER] * 3


def test_special_use_names_never_leave_and_names_beyond_ascii_are_encoded(resolver, dns_server, run_all):
    dns_server.add("xn--mnchen-3ya.example. 60 A 192.0.2.9")
    asked = ["x.localhost", "x.onion", "münchen.example"]
    (results,) = run_all([lambda: dict(resolver.resolve_many(asked))])
    assert results["x.localhost"].addresses == ("127.0.0.1",)
    assert results["x.onion"].status is Status.NXDOMAIN
    assert results["münchen.example"].addresses == ("192.0.2.9",)
    assert [name for name, _ in dns_server.questions] == ["xn--mnchen-3ya.example."]


def test_a_question_may_be_a_name_of_dnspythons(resolver, run_all):
    asked = dns.name.from_text("n1.w.example.")
    (results,) = run_all([lambda: list(resolver.resolve_many([asked, (asked, "AAAA")]))])
    assert {result.question: result.outcome.addresses for result in results} == {
        asked: ("192.0.2.7",),
        (asked, "AAAA"): (),
    }


def test_questions_of_a_domain_with_servers_of_its_own_go_there(dns_server, run_all):
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    with (
        Server({"*.corp.example.": {"A": "192.0.2.8"}}) as other,
        Resolver([dns_server.address], domains={"corp.example": [other.address]}) as resolver,
    ):
        asked = [*names(20), *(f"n{number}.corp.example" for number in range(20))]
        (results,) = run_all([lambda: dict(resolver.resolve_many(asked))])
        assert {results[name].addresses for name in asked[:20]} == {("192.0.2.7",)}
        assert {results[name].addresses for name in asked[20:]} == {("192.0.2.8",)}
        assert (dns_server.query_count, other.query_count) == (20, 20)


def test_whoever_joined_a_question_that_ran_out_of_time_asks_it_again(dns_server, runner):
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    dns_server.fault("n0.w.example.", silent(), times=1)
    with Resolver([dns_server.address], timeout=0.4, attempts=1, hub=runner.hub) as resolver:
        first = runner.spawn(lambda: resolver.lookup("n0.w.example", AF_INET, lifetime=5.0))
        dns_server.wait_for_query(sleep=runner.sleep)
        many = runner.spawn(lambda: list(resolver.resolve_many(names(1))))
        runner.join([many], 30)
        ((_, outcome),) = many.get()
        assert outcome.status is Status.ANSWER
        runner.join([first], 30)
        with pytest.raises(GaiError):
            first.get()
    assert dns_server.query_count == 2


def test_what_may_be_served_stale_comes_where_no_server_answers(dns_server, run_all):
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    with (
        Resolver([dns_server.address], timeout=0.1, attempts=1, serve_stale=3600) as resolver,
        FakeClock(resolver) as clock,
    ):
        run_all([lambda: resolver.lookup("n0.w.example", AF_INET)])
        clock.advance(61)
        dns_server.fault(None, silent())
        (results,) = run_all([lambda: dict(resolver.resolve_many(names(2)))])
    assert results["n0.w.example"].is_stale
    assert results["n0.w.example"].addresses == ("192.0.2.7",)
    assert results["n1.w.example"].status is Status.TIMEOUT


def test_the_hubs_own_greenlet_cannot_take_results(dns_server, runner):
    raised: list[BaseException] = []
    with Resolver([dns_server.address], hub=runner.hub) as resolver:

        def on_the_hub() -> None:
            try:
                list(resolver.resolve_many(names(1)))
            except RuntimeError as error:
                raised.append(error)

        runner.hub.call_soon(on_the_hub)
        runner.sleep(0.01)
    assert ["hub greenlet" in str(error) for error in raised] == [True]


def test_the_same_question_in_flight_is_asked_once(resolver, dns_server, run_all):
    dns_server.fault("n0.w.example.", delay(0.1))
    everybody = [
        lambda: [
            (q, o.question.qname) for q, o in resolver.resolve_many(["n0.w.example", "N0.w.example"] * 5)
        ],
        lambda: resolver.resolve("n0.w.example").rrset,
    ]
    results, _ = run_all(everybody)
    assert (
        sorted(results) == [("N0.w.example", "N0.w.example.")] * 5 + [("n0.w.example", "n0.w.example.")] * 5
    )
    assert len(dns_server.questions) == 1


def test_the_cache_is_used_and_a_run_drives_nothing_out_of_it(dns_server, run_all):
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    with Resolver(nameservers=[dns_server.address], cache_entries=10) as resolver:
        run_all([lambda: resolver.lookup("kept.w.example", 2)])
        kept = [entry.qname for entry in resolver.dump()]
        (results,) = run_all([lambda: dict(resolver.resolve_many([*names(40), "kept.w.example"]))])
        assert [entry.qname for entry in resolver.dump()] == kept
    assert results["kept.w.example"].from_cache
    assert len(dns_server.questions) == 41


def test_a_question_that_others_ask_as_well_is_kept(resolver, dns_server, run_all):
    dns_server.fault("n0.w.example.", delay(0.1))
    run_all([lambda: list(resolver.resolve_many(names(1))), lambda: resolver.resolve("n0.w.example")])
    assert [entry.qname for entry in resolver.dump()] == ["n0.w.example."]


def test_hooks_and_numbers_see_each_question(resolver, dns_server, run_all):
    seen: list[str] = []
    sent: list[tuple[str, str]] = []
    with (
        resolver.on_outcome(lambda outcome: seen.append(outcome.question.qname)),
        resolver.on_query(lambda question, server: sent.append((question.qname, server))),
    ):
        run_all([lambda: list(resolver.resolve_many(names(30)))])
    assert sorted(seen) == sorted(f"{name}." for name in names(30))
    assert sorted(sent) == sorted((f"{name}.", dns_server.address) for name in names(30))
    stats = resolver.stats()
    assert (stats["questions"], stats["sent"], stats["pending"]) == (30, 30, 0)
    assert stats["outcomes"] == {"answer": 30}


# --- what it pulls


def test_no_more_is_pulled_than_concurrency_allows_and_memory_does_not_grow(resolver, run_all):
    pulled = 0

    def endless() -> Iterator[str]:
        nonlocal pulled
        for number in count():
            pulled += 1
            yield f"n{number}.w.example"

    def consume() -> list[int]:
        most = peak = 0
        sizes = []
        for taken, _ in enumerate(resolver.resolve_many(endless(), concurrency=40), start=1):
            most = max(most, pulled - taken)
            if taken in (2000, 6000):
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
                peak = most
            if taken == 6000:
                break
        return [*sizes, peak]

    tracemalloc.start()
    try:
        ((before, after, most),) = run_all([consume])
    finally:
        tracemalloc.stop()
    assert most <= 40
    assert after - before < 200_000  # of 4,000 names: less than any object for each would take


def test_questions_that_keep_one_waiting_hold_up_no_results(resolver, runner):
    events: list[str] = []

    def slow() -> Iterator[str]:
        for name in names(5):
            runner.sleep(0.02)
            events.append("pulled")
            yield name

    def consume() -> None:
        for _ in resolver.resolve_many(slow()):
            events.append("result")

    runner.join([runner.spawn(consume)], 30.0)
    assert events.count("result") == 5
    assert events.index("result") < len(events) - 1 - events[::-1].index("pulled")


def test_an_exception_of_the_questions_comes_after_what_was_asked(resolver, run_all):
    def broken() -> Iterator[str]:
        yield from names(10)
        raise KeyError("the list ends here")

    def consume() -> list[str]:
        taken = []
        results = resolver.resolve_many(broken())
        for _ in range(10):
            taken.append(next(results).question)
        with pytest.raises(KeyError):
            next(results)
        return taken

    (results,) = run_all([consume])
    assert sorted(results) == sorted(names(10))


@pytest.mark.parametrize("item", [None, 7, ("a", "b", "c"), ("a", None)])
def test_what_is_no_question_at_all_raises_type_error(resolver, item, run_all):
    def consume() -> None:
        with pytest.raises(TypeError):
            list(resolver.resolve_many([item]))

    run_all([consume])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"concurrency": 0}, ConfigError),
        ({"concurrency": 70_000}, ConfigError),
        ({"concurrency": 1.5}, TypeError),
        ({"rate": 0}, ConfigError),
        ({"rate": float("nan")}, ConfigError),
        ({"rate": "10"}, TypeError),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_at_once(resolver, arguments, error):
    with pytest.raises(error):
        resolver.resolve_many([], **arguments)
    with pytest.raises(TypeError):
        resolver.resolve_many("www.example")


# --- how fast


def test_the_pace_allows_rate_times_the_seconds_and_a_burst():
    pace = Pace(100.0)
    now, went = 1000.0, []
    while now < 1002.0:
        if pace.wait(now) == 0.0:
            pace.take(now)
            went.append(now)
        else:
            now += pace.wait(now) + 0.0015  # as late as a hub may be
    assert 195 <= len(went) <= 201 + 100 * BURST
    pace.take(now + 60.0)
    burst = 0
    while pace.wait(now + 60.0) == 0.0:
        pace.take(now + 60.0)
        burst += 1
    assert burst <= 1 + 100 * BURST  # a pause is not made up for


def test_a_rate_is_not_exceeded(resolver, dns_server, run_all):
    began = monotonic()
    run_all([lambda: list(resolver.resolve_many(names(60), rate=200.0))])
    assert monotonic() - began >= (60 - 1 - 200 * BURST) / 200
    assert len(dns_server.questions) == 60


# --- how it ends


@pytest.mark.parametrize("how", ["close", "drop", "break"])
def test_closing_or_dropping_the_iterator_gives_up_what_is_under_way(dns_server, how, run_all):
    dns_server.fault("*", silent())
    with Resolver(nameservers=[dns_server.address], timeout=0.1, attempts=50) as resolver:
        dns_server.add("*.w.example. 60 A 192.0.2.7")
        dns_server.fault("n0.w.example.", delay(0.0))

        def consume() -> None:
            results = resolver.resolve_many(names(10))
            for _ in results:
                break
            if how == "close":
                results.close()
                assert next(results, None) is None

        run_all([consume])
        dns_server.wait_for_query()

        def wait_for_the_end() -> None:
            end = monotonic() + 20.0
            while resolver.stats()["pending"] and monotonic() < end:
                _sleep(resolver, 0.02)

        run_all([wait_for_the_end])
        assert resolver.stats()["pending"] == 0


def _sleep(resolver: Resolver, seconds: float) -> None:
    hub = resolver._engine().hub
    hub.sleep(seconds) if hub.name == "native" else gevent.sleep(seconds)


class Leaving:
    """Garbage that leaves a crowd's questions when it is collected, as a dropped iterator in a cycle does."""

    def __init__(self, stub, crowd, asked, seen):
        self.myself = self
        self.stub, self.crowd, self.asked, self.seen = stub, crowd, asked, seen

    def __del__(self):
        self.seen.append(self.asked.attempt is not None and self.asked.attempt.ended)
        self.stub.leave(self.crowd)


class Taken(Crowd):
    def __init__(self):
        self.outcomes = []

    def take(self, ask, outcome):
        self.outcomes.append(outcome)


def test_whoever_asks_the_same_while_the_garbage_collector_ends_a_run_is_answered_in_time(dns_server, runner):
    servers = Servers([ServerAddress.parse(dns_server.address)])
    thresholds = gc.get_threshold()

    def work(allocations):
        dns_server.reset(["*.w.example. 60 A 192.0.2.7"])
        stub = Stub(runner.hub, servers, timeout=0.2, attempts=2)
        crowd, seen = Taken(), []
        question = Question(f"a{allocations}.w.example.", 1)
        gc.collect()
        ask = Ask(crowd, 1, question)
        stub.put(ask)
        Leaving(stub, crowd, ask, seen)
        gc.set_threshold(gc.get_count()[0] + allocations, 1000, 1000)
        gc.enable()
        stub.flush()
        for _ in range(100):
            if crowd.outcomes:
                break
            runner.sleep(0.001)
        gc.disable()
        dns_server.fault(None, silent())
        try:
            # the collector was here between the end of a try and the landing of its question, or was not
            return bool(seen and seen[0]), stub.query(question).status
        finally:
            stub.close()

    gc.disable()
    try:
        for allocations in range(1, 40):
            task = runner.spawn(lambda allocations=allocations: work(allocations))
            runner.join([task], 3.0)
            was_in_the_midst, status = task.get()
            assert status is Status.TIMEOUT
            if was_in_the_midst:
                break
    finally:
        gc.set_threshold(*thresholds)
        gc.enable()


def test_a_killed_consumer_ends_it_and_harms_nobody_who_waits_for_the_same(resolver, dns_server, runner):
    dns_server.fault("n0.w.example.", delay(0.2))
    outcome: list[object] = []
    killed = runner.spawn(lambda: list(resolver.resolve_many(names(1))))
    other = runner.spawn(lambda: outcome.append(resolver.resolve("n0.w.example").rrset[0].address))
    runner.sleep(0.05)
    runner.kill(killed)
    runner.join([other], 30.0)
    assert outcome == ["192.0.2.7"]
    assert resolver.stats()["pending"] == 0


def test_a_timeout_of_gevents_comes_out_at_once(resolver, dns_server):
    dns_server.fault("n0.w.example.", silent())
    began = monotonic()
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        list(resolver.resolve_many(names(1)))
    assert monotonic() - began < 2.0


def test_closing_the_resolver_yields_what_was_under_way_as_closed_and_raises(dns_server, runner):
    dns_server.fault("n0.w.example.", silent())
    resolver = Resolver(nameservers=[dns_server.address])
    results: list[Result] = []
    raised: list[BaseException] = []

    def consume() -> None:
        try:
            for result in resolver.resolve_many(names(1)):
                results.append(result)
        except ResolverClosed as error:
            raised.append(error)

    seen: list[Status] = []
    resolver.on_outcome(lambda outcome: seen.append(outcome.status))
    task = runner.spawn(consume)
    runner.sleep(0.05)
    resolver.close()
    runner.join([task], 30.0)
    assert [result.outcome.status for result in results] == seen == [Status.CLOSED]
    assert len(raised) == 1


def test_questions_that_close_the_resolver_are_the_last(resolver, run_all):
    def questions() -> Iterator[str]:
        yield "n0.w.example"
        resolver.close()
        yield from names(3)

    results: list[Result] = []

    def consume() -> None:
        with pytest.raises(ResolverClosed):
            results.extend(resolver.resolve_many(questions()))

    run_all([consume])


def test_another_hub_than_the_first_is_refused(resolver, run_all):
    results = resolver.resolve_many(names(200), concurrency=10)
    run_all([lambda: next(results)])
    raised: list[BaseException] = []

    def elsewhere() -> None:
        try:
            list(results)
        except RuntimeError as error:
            raised.append(error)

    thread = Thread(target=elsewhere)
    thread.start()
    thread.join(30.0)
    assert len(raised) == 1


def test_a_consumer_that_blocks_the_hub_for_longer_than_the_timeout_loses_nothing(dns_server, run_all):
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    with Resolver(nameservers=[dns_server.address], timeout=0.1, attempts=1) as resolver:

        def consume() -> Counter[Status]:
            statuses: Counter[Status] = Counter()
            for taken, (_, outcome) in enumerate(resolver.resolve_many(names(600), concurrency=300)):
                statuses[outcome.status] += 1
                if taken in (1, 300):
                    sleep(0.25)
            return statuses

        (statuses,) = run_all([consume])
    assert statuses == {Status.ANSWER: 600}


def test_settings_that_change_meanwhile_count_for_what_is_asked_next(resolver, dns_server, run_all):
    with Server(WILD) as other:

        def consume() -> list[str]:
            servers = []
            for taken, (_, outcome) in enumerate(resolver.resolve_many(names(200), concurrency=10)):
                servers.append(outcome.server)
                if taken == 50:
                    resolver.set_servers([other.address])
            return servers

        (servers,) = run_all([consume])
        assert len(servers) == 200
        assert set(servers) == {dns_server.address, other.address}
        assert servers[-1] == other.address


def test_a_server_that_is_dead_costs_the_questions_of_one_patience(dns_server, run_all):
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    with (
        Server(WILD) as dead,
        Resolver(nameservers=[dead.address, dns_server.address], timeout=0.5, attempts=2) as resolver,
    ):
        dead.fault("*", silent())
        (results,) = run_all([lambda: list(resolver.resolve_many(names(500), concurrency=100))])
    assert {result.outcome.status for result in results} == {Status.ANSWER}


def test_a_child_after_a_fork_asks_again_and_both_end(dns_server):
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    program = f"""if True:
        import gdns, os, sys
        with gdns.Resolver(nameservers=["{dns_server.address}"]) as resolver:
            names = [f"f{{n}}.w.example" for n in range(200)]
            results = resolver.resolve_many(names, concurrency=50)
            found = [next(results)]
            child = os.fork()
            found += results
            os.write(1, b"%d\\n" % len({{result.question for result in found}}))  # at once
            if child:
                os.waitpid(child, 0)
            else:
                os._exit(0)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["200", "200"], done.stderr


@pytest.mark.parametrize(
    ("hub", "lanes"), [("native", "ares"), ("native", "both"), ("gevent", "both"), ("eventlet", "both")]
)
def test_on_every_hub_and_lane_two_thousand_names_have_two_thousand_answers(dns_server, hub, lanes):
    dns_server.add("*.w.example. 60 A 192.0.2.7")
    program = f"""if True:
        import sys, warnings
        warnings.simplefilter("ignore")
        if "{hub}" != "native":
            import {hub}
            {hub}.sleep(0)
        import gdns
        amount = 2000
        with gdns.Resolver(nameservers=["{dns_server.address}"]) as resolver:
            names = (f"n{{n}}.w.example" for n in range(amount))
            results = resolver.resolve_many(names, concurrency=1000)
            good = sum(outcome.addresses == ("192.0.2.7",) for _, outcome in results)
            print(good, resolver.stats()["pending"], resolver._engine().hub.name)
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"GDNS_LANES": lanes},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["2000", "0", hub], done.stderr


def test_the_systems_resolver_says_that_it_cannot():
    with Resolver(backend="libc") as resolver, pytest.raises(NotImplementedError):
        resolver.resolve_many(["www.example"])
    assert gdns.resolve_many is not None


def test_a_thread_may_end_when_the_last_to_wake_was_the_pace(dns_server):
    """Its hub is ended where it woke who waited, and looks at the waiter once more."""
    dns_server.add("a.example. 60 A 192.0.2.7")
    program = """
    import sys, threading
    from gdns import Resolver

    def names():
        yield "a.example"
        raise LookupError

    def work():
        with Resolver(nameservers=sys.argv[1:]) as resolver:
            try:
                for result in resolver.resolve_many(names(), rate=20):
                    print(*result.outcome.addresses)
            except LookupError:
                print("no more")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(program), dns_server.address],
        env={"PYTHONMALLOC": "debug", **os.environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout.split("\n"), done.stderr, done.returncode) == (["192.0.2.7", "no more", ""], "", 0)
