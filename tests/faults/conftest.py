"""The servers that look-ups meet, and the two hubs and lanes they run on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial

import pytest

import gdns
from gdns.testing import Link, Server, delay, malformed, rcode, silent
from tests.conftest import GeventRunner, NativeRunner
from tests.faults.cases import ATTEMPTS, CASES, TIMEOUT, Case

ZONE = ["*.example. 60 A 192.0.2.7", "*.example. 60 AAAA 2001:db8::7"]
ADDRESSES = {"192.0.2.7", "2001:db8::7"}
LANES = ("ares", "both")  # what GDNS_LANES may say
AT_ONCE = 200  # look-ups; more would keep each other waiting on a slow machine
RETRIES = 2  # a broken promise stays broken
SLACK = 1.5  # seconds that a busy machine may add

FAULTS = {
    "silent": silent(),
    "servfail": rcode("SERVFAIL"),
    "refused": rcode("REFUSED"),
    "notimp": rcode("NOTIMP"),
    "formerr": rcode("FORMERR"),
    "nxdomain": rcode("NXDOMAIN"),
    "garbage": malformed(),
    "late": delay(0.3),
}


@pytest.fixture(scope="session")
def cast_of_servers() -> Iterator[dict[str, Server]]:
    """The servers of the table by name, each in the state that its name says."""
    with contextlib.ExitStack() as stack:

        def start(**options: object) -> Server:
            return stack.enter_context(Server(ZONE, **options))  # type: ignore[arg-type]

        servers = {"good": start(), "good6": start(host="::1"), "dead": start(), "dead6": start(host="::1")}
        servers |= {"flapping": start(), "no-tcp": start(), "lossy": start(link=Link(drop=0.3))}
        for name, fault in FAULTS.items():
            servers[name] = start()
            servers[name].fault(None, fault)
        servers["dead"].stop_listening()
        servers["dead6"].stop_listening()
        servers["no-tcp"].tcp("refuse")
        servers["flapping"].flap(0.05, 0.05)
        for number, case in enumerate(CASES):
            if case.fault is not None:
                servers["good"].fault(f"*.c{number}.example.", case.fault)
        yield servers


class Result:
    """What came out of one case."""

    def __init__(self, number: int, case: Case) -> None:
        self.number = number
        self.case = case
        self.begin_anew(0)

    def begin_anew(self, time: int) -> None:
        """Forget what came out, for another name of the same fault to be asked for."""
        self.time = time
        self.ends = 0
        self.word = "nothing"
        self.detail: object = None
        self.elapsed = 0.0
        self.innocent = "nothing"  # the same for another name, asked for after it

    @property
    def allowed(self) -> frozenset[str]:
        """What may come of the look-up after it.

        With EDNS that meets the same fault: who has given out cookies is believed no more without them
        (RFC 7873, section 5.3).
        """
        if self.case.fault is None:
            return frozenset({"nothing"})
        return self.case.expected if self.case.options else frozenset({"right"})

    @property
    def is_well(self) -> bool:
        """Whether all is as the table says."""
        is_expected = self.word in self.case.expected and self.innocent in self.allowed
        return self.ends == 1 and is_expected and self.elapsed < self.case.budget + SLACK


@pytest.fixture(
    scope="session", params=[(hub, lane) for hub in ("native", "gevent") for lane in LANES], ids="-".join
)
def results(request: pytest.FixtureRequest, cast_of_servers: dict[str, Server]) -> list[Result]:
    """All cases, run on one hub and lane, some dozens at a time."""
    hub, lane = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gdns.turns.LANES", lane)
        servers = cast_of_servers
        done = [Result(number, case) for number, case in enumerate(CASES)]
        runner = NativeRunner() if hub == "native" else GeventRunner()
        go_through(runner, done, servers)
        for again in range(RETRIES):  # those that a busy machine may have spoilt, a few at a time
            failed = [result for result in done if not result.is_well]
            for result in failed:
                result.begin_anew(again + 1)
            go_through(runner, failed, servers, at_once=5)
        return done


def go_through(
    runner: NativeRunner | GeventRunner,
    results: list[Result],
    servers: dict[str, Server],
    at_once: int = AT_ONCE,
) -> None:
    """Run cases on a hub, so many at a time."""
    for begin in range(0, len(results), at_once):
        jobs = [partial(run, runner, result, servers) for result in results[begin : begin + at_once]]
        runner.join([runner.spawn(job) for job in jobs], 30)  # type: ignore[arg-type]


def run(runner: NativeRunner | GeventRunner, result: Result, servers: dict[str, Server]) -> None:
    """Run one case, and an innocent look-up after it on the same resolver."""
    case, suffix = result.case, f"{result.time}.c{result.number}.example."
    scheme = "tcp://" if case.is_tcp else ""
    options = {"timeout": TIMEOUT, "attempts": ATTEMPTS, "hub": runner.hub, **case.options}
    addresses = [scheme + servers[name].address for name in case.servers]
    with gdns.Resolver(addresses, **options) as resolver:  # type: ignore[arg-type]
        began = time.monotonic()
        result.word, result.detail = ask(resolver, case.asker, f"a{suffix}")
        result.elapsed = time.monotonic() - began
        result.ends += 1
        if case.fault is not None:
            name = f"b{suffix}" if case.options else f"b{suffix.replace('.c', '.i')}"
            result.innocent = ask(resolver, case.asker, name)[0]


def ask(resolver: gdns.Resolver, asker: str, name: str) -> tuple[str, object]:
    """What came out, in a word of `cases`, and in full."""
    try:
        if asker == "lookup":
            found = set(resolver.lookup(name))
        elif asker == "getaddrinfo":
            found = {entry[4][0] for entry in resolver.getaddrinfo(name, 443)}  # type: ignore[misc]
        else:
            found = {record.address for record in resolver.resolve(name, "A")} | {"2001:db8::7"}
    except gdns.GaiError as error:
        numbers = {-2: "EAI_NONAME", -3: "EAI_AGAIN", -4: "EAI_FAIL", -5: "EAI_NODATA"}
        return numbers.get(error.errno or 0, f"gaierror {error.errno}"), error.outcome
    except Exception as error:  # a foreign one is a word of its own, and in no case's set
        return type(error).__name__, error
    return ("right" if found == ADDRESSES else f"foreign: {found}"), found
