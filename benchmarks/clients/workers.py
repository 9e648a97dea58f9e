"""Looks unique names up from worker greenlets, the way every Python client here does.

A client is a script that is called as `client.py PORT NAMES IN_FLIGHT` and hands its resolver's method to
`measure`. Each worker greenlet holds one lookup, so there are IN_FLIGHT of them.
"""

import argparse
import json
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

Work = Callable[[], None]
AddressInfo = tuple[int, int, int, str, tuple[str | int, ...]]  # as socket.getaddrinfo returns them
Run = Callable[[Work, int], None]
Answer = TypeVar("Answer")


def argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int, help="of the responder on 127.0.0.1")
    parser.add_argument("names", type=int, help="how many unique names to look up")
    parser.add_argument("in_flight", type=int, help="how many lookups are outstanding")
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


HUBS: dict[str, Run] = {"gevent": run_on_gevent, "native": run_on_native}


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


def measure(
    client: str,
    arguments: argparse.Namespace,
    run: Run,
    lookup: Callable[[str], Answer],
    addresses: Callable[[Answer], set[str]],
    families: Iterable[socket.AddressFamily],
) -> None:
    """Look up `arguments.names` names and print run.py's one line of JSON.

    `addresses` extracts what `lookup` found. Answers are checked after the clock has stopped: reading them is
    the caller's work. A lookup that raises OSError (gaierror, herror) is a lost one; the errors go to stderr.
    """
    names = [f"n{number}.bench.example" for number in range(arguments.names)]
    answers: list[Answer | None] = [None] * len(names)
    errors: Counter[str] = Counter()
    pending = enumerate(names)

    def work() -> None:
        for number, name in pending:
            try:
                answers[number] = lookup(name)
            except OSError as error:
                errors[repr(error)] += 1

    def warm_up() -> None:
        lookup("warm-up.bench.example")

    run(warm_up, 1)  # as a worker: before that, the hub's library is not even imported
    start = now()
    run(work, arguments.in_flight)
    end = now()

    wrong = sum(
        answer is not None and addresses(answer) != expected_addresses(name, families)
        for name, answer in zip(names, answers, strict=True)
    )
    for error, count in errors.most_common(3):
        print(f"{count} x {error}", file=sys.stderr)
    report = {
        "client": client,
        "lookups": len(names),
        "answered": len(names) - answers.count(None),
        "wrong": wrong,
        "cpu_us_per_lookup": round((end.cpu - start.cpu) / len(names) * 1e6, 3),
        "wall": round(end.wall - start.wall, 3),
    }
    print(json.dumps(report))
