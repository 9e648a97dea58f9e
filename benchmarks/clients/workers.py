"""What the Python clients share: names, workers, the clock, the report.

A client is a script that is called as `client.py ADDRESS:PORT NAMES IN_FLIGHT [DISTINCT]` and hands its
resolver's method to `measure`, or its coroutine to `measure_async`. Each worker has one look-up under way, so
there are IN_FLIGHT of them. With DISTINCT, only so many different names are asked for, over and over, each
once before the clock starts: what a cache makes of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

Work = Callable[[], None]
AddressInfo = tuple[int, int, int, str, tuple[str | int, ...]]  # as socket.getaddrinfo returns them
Run = Callable[[Work, int], None]
Answer = TypeVar("Answer")

V4 = [socket.AF_INET]
BOTH = [socket.AF_INET, socket.AF_INET6]


def argument_parser(calls: Iterable[str] = ("A", "getaddrinfo")) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--call", choices=list(calls), default="A")
    parser.add_argument("server", help="the responder's ADDRESS:PORT")
    parser.add_argument("names", type=int, help="how many names to look up")
    parser.add_argument("in_flight", type=int, help="how many look-ups are outstanding")
    parser.add_argument("distinct", type=int, nargs="?", help="how many of the names differ (all)")
    return parser


def run_on_gevent(work: Work, workers: int) -> None:
    """Run `work` in that many greenlets of gevent until all have returned."""
    import gevent

    gevent.joinall([gevent.spawn(work) for _ in range(workers)], raise_error=True)


def run_on_native(work: Work, workers: int) -> None:
    """Run `work` in that many greenlets of gdns' own hub until all have returned."""
    from gdns.hubs.native import NativeHub

    hub = NativeHub.of_this_thread()
    hub.join(*[hub.spawn(work) for _ in range(workers)])


def run_on_eventlet(work: Work, workers: int) -> None:
    """Run `work` in that many greenlets of eventlet until all have returned."""
    import eventlet

    for greenlet in [eventlet.spawn(work) for _ in range(workers)]:
        greenlet.wait()


def run_in_threads(work: Work, workers: int) -> None:
    """Run `work` in that many threads until all have returned."""
    import threading

    threading.stack_size(256 << 10)
    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


HUBS: dict[str, Run] = {"gevent": run_on_gevent, "native": run_on_native, "eventlet": run_on_eventlet}


def expected_addresses(name: str, families: Iterable[socket.AddressFamily]) -> set[str]:
    """The addresses that the responder gives to a name (see write_address in bench.h)."""
    fnv = 0x811C9DC5
    for octet in name.encode("ascii"):
        fnv = (fnv ^ octet) * 0x01000193 & 0xFFFFFFFF
    ipv4 = f"192.0.2.{fnv & 0xFF}"
    ipv6 = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("20010db8") + bytes(8) + fnv.to_bytes(4, "big"))
    return {ipv4 if family == socket.AF_INET else ipv6 for family in families}


def addresses_of(rows: list[AddressInfo]) -> set[str]:
    return {str(row[4][0]) for row in rows}


class Moment(NamedTuple):
    cpu: float  # seconds, user and system
    wall: float  # seconds


def now() -> Moment:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Moment(usage.ru_utime + usage.ru_stime, time.monotonic())


def peak() -> int:
    """The most memory this process has had, in octets."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Tally(Generic[Answer]):
    """The names of a run, what was found for them, and the report."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        distinct = arguments.distinct or arguments.names
        self.different = [f"n{number}.bench.example" for number in range(distinct)]
        self.is_cached = distinct < arguments.names
        self.names = [self.different[number % distinct] for number in range(arguments.names)]
        # answers of a cache are not kept: two million lists would be the garbage collector's figure
        self.answers: list[Answer | None] = [None] * distinct
        self.errors: Counter[str] = Counter()
        self.answered = 0

    def failed(self, error: Exception) -> None:
        self.errors[repr(error)] += 1

    def report(
        self,
        client: str,
        start: Moment,
        end: Moment,
        addresses: Callable[[Answer], set[str]],
        families: Iterable[socket.AddressFamily],
    ) -> None:
        """Print the one line of JSON that the driver reads; answers are checked only now, off the clock."""
        families = list(families)
        wrong = sum(
            answer is not None and addresses(answer) != expected_addresses(name, families)
            for name, answer in zip(self.different, self.answers, strict=True)
        )
        for error, count in self.errors.most_common(3):
            print(f"{count} x {error}", file=sys.stderr)
        report = {
            "client": client,
            "lookups": len(self.names),
            "answered": len(self.names) - sum(self.errors.values()),
            "wrong": wrong,
            "cpu_us_per_lookup": round((end.cpu - start.cpu) / len(self.names) * 1e6, 3),
            "wall": round(end.wall - start.wall, 3),
            "peak": peak(),
        }
        print(json.dumps(report))


def measure(
    client: str,
    arguments: argparse.Namespace,
    run: Run,
    lookup: Callable[[str], Answer],
    addresses: Callable[[Answer], set[str]],
    families: Iterable[socket.AddressFamily],
    errors: tuple[type[Exception], ...] = (OSError,),
) -> None:
    """Look `arguments.names` names up with `arguments.in_flight` workers, and print the report.

    `addresses` extracts what `lookup` found. A look-up that raises one of `errors` is a lost one.
    """
    tally: Tally[Answer] = Tally(arguments)
    pending = enumerate(tally.names)

    def work() -> None:
        answers = tally.answers
        for number, name in pending:
            try:
                answers[number] = lookup(name)
            except errors as error:
                tally.failed(error)

    def warm_up() -> None:
        lookup("warm-up.bench.example")
        if tally.is_cached:
            for number, name in enumerate(tally.different):
                tally.answers[number] = lookup(name)

    def work_cached() -> None:
        for name in tally.names:
            lookup(name)

    run(warm_up, 1)  # as a worker: before that, the hub's library is not even imported
    start = now()
    run(work_cached if tally.is_cached else work, arguments.in_flight)
    end = now()
    tally.report(client, start, end, addresses, families)


async def measure_async(
    client: str,
    arguments: argparse.Namespace,
    lookup: Callable[[str], Awaitable[Answer]],
    addresses: Callable[[Answer], set[str]],
    families: Iterable[socket.AddressFamily],
    errors: tuple[type[Exception], ...] = (OSError,),
) -> None:
    """`measure` for coroutines, with tasks for workers."""
    tally: Tally[Answer] = Tally(arguments)
    pending: Iterator[tuple[int, str]] = enumerate(tally.names)

    async def work() -> None:
        answers = tally.answers
        for number, name in pending:
            try:
                answer = await lookup(name)
            except errors as error:
                tally.failed(error)
            else:
                if not tally.is_cached:
                    answers[number] = answer

    await lookup("warm-up.bench.example")
    if tally.is_cached:
        for number, name in enumerate(tally.different):
            tally.answers[number] = await lookup(name)
    start = now()
    await asyncio.gather(*[work() for _ in range(arguments.in_flight)])
    end = now()
    tally.report(client, start, end, addresses, families)
