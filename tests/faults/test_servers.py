"""Servers that come, go, stall and lose: what look-ups learn from one another (promises 7, 9 and 14)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from gdns import GaiError, Resolver
from gdns.testing import (
    Server,
    closing,
    cut,
    delay,
    in_turn,
    over_tcp,
    over_udp,
    silent,
    truncated,
    wrong_length,
)
from tests.conftest import GeventRunner, NativeRunner

Runner = NativeRunner | GeventRunner
RunAll = Callable[..., list[object]]
ZONE = ["*.example. 60 A 192.0.2.7"]


@pytest.fixture(scope="module")
def _pair() -> Iterator[tuple[Server, Server]]:
    with Server() as first, Server() as second:
        yield first, second


@pytest.fixture
def pair(_pair: tuple[Server, Server]) -> tuple[Server, Server]:
    """Two servers that know any name in `example.`."""
    for server in _pair:
        server.reset(ZONE)
    return _pair


@pytest.fixture
def make_resolver(runner: Runner) -> Iterator[Callable[..., Resolver]]:
    """Make resolvers on the test's hub."""
    made: list[Resolver] = []

    def make(*servers: Server, scheme: str = "", **options: object) -> Resolver:
        addresses = [scheme + server.address for server in servers]
        made.append(Resolver(addresses, hub=runner.hub, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for resolver in made:
        resolver.close()


def outcome_of(resolver: Resolver, name: str) -> str:
    """Whether an IPv4 look-up was "right", else the number of its error."""
    try:
        return "right" if resolver.lookup(name, 2) == ("192.0.2.7",) else "wrong"
    except GaiError as error:
        return str(error.errno)


def test_a_dead_first_server_is_not_waited_for_each_time(pair, make_resolver, run_all: RunAll) -> None:
    first, second = pair
    first.fault(None, silent())
    resolver = make_resolver(first, second, timeout=0.6, attempts=2)
    began = time.monotonic()
    words = [run_all([lambda n=n: outcome_of(resolver, f"n{n}.example.")])[0] for n in range(30)]
    assert words == ["right"] * 30
    assert time.monotonic() - began < 0.3 * 30 / 3  # a wait each time would take all of 30 times 0.3 s


def test_a_refusing_first_server_costs_next_to_nothing(pair, make_resolver, run_all: RunAll) -> None:
    first, second = pair
    first.stop_listening()
    resolver = make_resolver(first, second)
    began = time.monotonic()
    assert run_all([lambda n=n: outcome_of(resolver, f"n{n}.example.") for n in range(50)]) == ["right"] * 50
    assert time.monotonic() - began < 1.0


def test_a_server_that_comes_back_is_asked_again_within_a_second(
    pair, make_resolver, runner: Runner, run_all: RunAll
) -> None:
    first, second = pair
    first.stop_listening()
    resolver = make_resolver(first, second)
    assert run_all([lambda: outcome_of(resolver, "a.example.")]) == ["right"]
    first.resume()
    first.clear()
    began = time.monotonic()

    def ask_until_heard() -> int:
        asked = 0
        while not any(query.name.startswith("b") for query in first.queries):
            asked += 1
            assert outcome_of(resolver, f"b{asked}.example.") == "right"
            assert time.monotonic() - began < 3
            runner.sleep(0.02)
        return asked

    assert run_all([ask_until_heard])[0] > 0
    assert time.monotonic() - began < 1.0 + 0.5  # promise 9, and what a busy machine adds


def test_a_moment_in_which_all_servers_refuse_is_survived(
    pair, make_resolver, runner: Runner, run_all: RunAll
) -> None:
    for server in pair:
        server.stop_listening()
    resolver = make_resolver(*pair, timeout=1, attempts=2)

    def come_back() -> str:
        runner.sleep(0.05)
        pair[1].resume()
        return "right"

    began = time.monotonic()
    asked = [lambda n=n: outcome_of(resolver, f"n{n}.example.") for n in range(20)]
    assert run_all([*asked, come_back]) == ["right"] * 21
    assert time.monotonic() - began < 1.0  # what a refusing server may cost


def test_nxdomain_is_not_taken_to_the_next_server(pair, make_resolver, run_all: RunAll) -> None:
    first, second = pair
    first.reset({"example.": {}})
    resolver = make_resolver(first, second)
    assert run_all([lambda: outcome_of(resolver, "gone.example.")]) == ["-2"]
    assert second.query_count == 0


def test_a_stalled_connection_is_left_while_new_questions_keep_coming(
    pair, make_resolver, runner: Runner, run_all: RunAll
) -> None:
    server = pair[0]
    server.fault(None, truncated())
    server.fault("bad.example.", in_turn(truncated(), over_tcp(wrong_length(60_000))))
    resolver = make_resolver(server, timeout=0.2, attempts=2)
    began = time.monotonic()
    found: list[tuple[float, str]] = []

    def ask(number: int) -> None:
        runner.sleep(number * 0.01)
        asked_at = time.monotonic() - began
        found.append(
            (asked_at, outcome_of(resolver, "bad.example." if number == 20 else f"n{number}.example."))
        )

    run_all([lambda n=n: ask(n) for n in range(250)])
    assert len(found) == 250
    assert {word for asked_at, word in found if asked_at > 2.0} == {"right"}


def test_a_silent_connection_takes_nobody_along(pair, make_resolver, run_all: RunAll) -> None:
    server = pair[0]
    server.fault(None, truncated())
    server.fault("bad.example.", over_udp(truncated()) | over_tcp(silent()))
    resolver = make_resolver(server, timeout=0.3, attempts=1)
    names = ["bad.example.", *(f"n{number}.example." for number in range(30))]
    words = run_all([lambda name=name: outcome_of(resolver, name) for name in names])
    assert words == ["-3"] + ["right"] * 30


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("scheme", ["tcp://", ""], ids=["TCP", "truncated"])
def test_a_server_that_ends_each_connection_after_one_reply_answers_all_who_share_it(
    pair, make_resolver, run_all: RunAll, scheme: str, resets: bool
) -> None:
    server = pair[0]
    server.fault(None, over_udp(truncated()) | over_tcp(closing(resets=resets)))
    resolver = make_resolver(server, scheme=scheme, timeout=2.5, attempts=2)
    assert run_all([lambda n=n: outcome_of(resolver, f"n{n}.example.") for n in range(40)]) == ["right"] * 40


@pytest.mark.parametrize("scheme", ["tcp://", ""], ids=["TCP", "truncated"])
def test_a_question_for_which_the_server_hangs_up_takes_nobody_along(
    pair, make_resolver, run_all: RunAll, scheme: str
) -> None:
    server = pair[0]
    server.fault(None, over_udp(truncated()))
    names = [f"n{number}.example." for number in range(40)]
    for name in names[::10]:
        server.fault(name, over_udp(truncated()) | over_tcp(cut(5)))
    resolver = make_resolver(server, scheme=scheme, timeout=2.5, attempts=2)
    words = run_all([lambda name=name: outcome_of(resolver, name) for name in names])
    assert words == ["right" if number % 10 else "-3" for number in range(40)]


def test_a_server_that_hangs_up_on_all_is_soon_given_up(pair, make_resolver, run_all: RunAll) -> None:
    server = pair[0]
    server.fault(None, cut(0))
    resolver = make_resolver(server, scheme="tcp://", timeout=10, attempts=2)
    began = time.monotonic()
    assert run_all([lambda n=n: outcome_of(resolver, f"n{n}.example.") for n in range(40)]) == ["-3"] * 40
    assert time.monotonic() - began < 5


def test_a_server_whose_tcp_hangs_is_not_the_last_resort(pair, make_resolver, run_all: RunAll) -> None:
    first, second = pair
    first.fault(None, truncated())
    first.tcp("hang")
    resolver = make_resolver(first, second, timeout=0.6, attempts=2)
    assert run_all([lambda n=n: outcome_of(resolver, f"n{n}.example.") for n in range(20)]) == ["right"] * 20


def test_a_burst_of_ten_thousand_to_a_small_buffer_is_answered(runner: Runner, run_all: RunAll) -> None:
    with (
        Server(ZONE, receive_buffer=65_536) as server,
        Resolver([server.address], timeout=2, attempts=5, hub=runner.hub) as resolver,
    ):
        words = run_all(
            [lambda n=n: outcome_of(resolver, f"n{n}.example.") for n in range(10_000)], timeout=60
        )
    assert words.count("right") >= 9_900
    assert set(words) <= {"right", "-3"}


def test_an_answer_that_comes_twice_and_late_touches_no_other_question(
    pair, make_resolver, runner: Runner, run_all: RunAll
) -> None:
    server = pair[0]
    server.reset([f"n{number}.example. 60 A 192.0.2.{number}" for number in range(200)])
    server.fault(None, delay(0.0, jitter=0.3))
    resolver = make_resolver(server, timeout=0.1, attempts=4, cache=False)

    def ask(number: int) -> object:
        try:
            return resolver.lookup(f"n{number}.example.", 2) == (f"192.0.2.{number}",)
        except GaiError as error:
            return error.errno

    found = run_all([lambda n=n: ask(n) for n in range(200)] * 3)
    assert set(found) <= {True, -3}
    assert found.count(True) > 300
