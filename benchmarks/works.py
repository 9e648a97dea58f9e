"""What is measured: the tables of docs/performance.md, each a function that returns its figures."""

from __future__ import annotations

import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import peers
from benchmarks.field import Client, Field
from benchmarks.figures import PORTS, REFERENCE, STOCK
from benchmarks.programs import ROOT, other_core, responder
from benchmarks.world import CACHED, SERVER, remote_responder

Figures = dict[str, dict[str, object]]

EVERYBODY = [
    "bare packets",
    REFERENCE,
    STOCK,
    "gdns on gevent",
    "gdns on its own hub",
    "gdns on eventlet",
    "node resolve",
    "node lookup",
    "pycares, its own loop",
    "gevent ares",
    "aiodns on uvloop",
    "aiodns on asyncio",
    "glibc in threads",
    "glibc, one at a time",
    "gevent thread pool",
    "dnspython on asyncio",
    "dnspython in threads",
    "eventlet greendns",
]
MANY = [
    "bare packets",
    REFERENCE,
    STOCK,
    "gdns on gevent",
    "gdns on its own hub",
    "node resolve",
    "gevent ares",
    "aiodns on uvloop",
]
CACHES = [
    "a dict",
    "gdns on gevent",
    "gdns on its own hub",
    STOCK,
    "glibc, one at a time",
    "gevent ares",
    "gevent thread pool",
    "aiodns on uvloop",
    "pycares, its own loop",
    "dnspython on asyncio",
    "dnspython in threads",
    "eventlet greendns",
    "node resolve",
]
ONE_AT_A_TIME = [
    "bare packets",
    "bare packets on gevent",
    "gdns on gevent",
    "gdns on its own hub",
    REFERENCE,
    "gevent ares",
    "aiodns on uvloop",
    "dnspython in threads",
    "glibc, one at a time",
    "node resolve",
]
REMOTE = [
    PORTS,
    "gdns on gevent",
    "gdns on its own hub",
    "gevent ares",
]
GROWTH = ["bare packets", REFERENCE, "gdns on gevent", "gevent ares"]
IMPORTS = {
    "gdns": "gdns",
    "gevent": "gevent",
    "pycares": "pycares",
    "aiodns": "aiodns",
    "dnspython": "dns.resolver",
    "eventlet greendns": "eventlet.support.greendns",
}


@dataclass(frozen=True)
class Plan:
    """How thoroughly to measure."""

    minutes: float  # for everything: when time runs short, parts are repeated less often
    repetitions: int
    seconds: float  # of CPU, for a run of one client
    limit: float  # seconds after which a client has failed
    in_flight: tuple[int, ...]
    growth: tuple[int, ...]
    pending: int
    hits: int
    only: str = ""

    def names(self, client: Client, in_flight: int) -> int:
        """How many look-ups: what takes about `seconds`, but enough to have `in_flight` for a while.

        Each worker makes ten or more, however many workers there are: making a greenlet costs as much as two
        look-ups, and would be taken for what many in flight cost.
        """
        least = max(20, in_flight * (2 if client.cost > 500 else 10))
        most = 2_000 if in_flight == 1 else 20_000  # one at a time takes its time by the clock
        return max(least, min(most, int(self.seconds * 1e6 / client.cost)))


FULL = Plan(18.0, 5, 0.4, 40.0, (1, 10, 100, 1_000, 10_000), (2_000, 20_000, 200_000), 70_000, 200_000)
QUICK = Plan(2.5, 2, 0.1, 12.0, (1, 100, 1_000), (2_000, 20_000), 20_000, 50_000)
TINY = Plan(1.0, 1, 0.0, 60.0, (5,), (100,), 300, 200)  # whether everything works


class Works:
    """Everything that is measured, one method a part; each returns figures by client."""

    def __init__(self, field: Field, plan: Plan, tell: Callable[[str], None]) -> None:
        self._field = field
        self._plan = plan
        self._tell = tell
        self._began = time.monotonic()
        self._parts = 2 * len(plan.in_flight) + 2 * len(plan.growth) + 6  # those that are repeated
        self._done = 0

    def all(self) -> dict[str, Figures]:
        """Figures by part, in the order of the page."""
        plan = self._plan
        usual = 1_000 if 1_000 in plan.in_flight else plan.in_flight[0]
        found: dict[str, Figures] = {}
        with responder(SERVER, within=other_core()):
            for call in ("A", "getaddrinfo"):
                for in_flight in plan.in_flight:
                    labels = EVERYBODY if in_flight == usual else MANY
                    found[f"{call}/{in_flight}"] = self._unique(call, labels, in_flight)
            for call in ("getaddrinfo", "lookup"):
                labels = CACHES if call == "getaddrinfo" else [name for name in CACHES if "gdns" in name]
                found[f"cached {call}"] = self._cached(call, labels)
            for count in plan.growth:
                found[f"growth/{count}"] = self._growth(count)
            found["one at a time"] = self._system_calls()
            found["bulk"] = self._bulk(usual)
        found["remote A"], found["remote getaddrinfo"] = self._remote(usual)
        found["pending"] = self._pending()
        found["import"] = self._imports()
        return found

    def one(self, call: str, in_flight: int, names: int | None) -> Figures:
        """The unique look-ups of one call, with everybody."""
        with responder(SERVER, within=other_core()):
            return self._unique(call, EVERYBODY, in_flight, names)

    def _chosen(self, clients: dict[str, Client], labels: Iterable[str]) -> list[Client]:
        return [clients[label] for label in labels if self._plan.only in label or label in (REFERENCE, PORTS)]

    def _interleave(self, what: str, clients: list[Client], run: Callable[[Client], None]) -> Figures:
        """Run all clients in turn, as often as the plan says: noise that lasts seconds falls on all."""
        self._done += 1
        until = self._began + 60 * self._plan.minutes * self._done / self._parts
        for repetition in range(self._plan.repetitions):
            self._tell(f"{what}: {repetition + 1} of {self._plan.repetitions}")
            began = time.monotonic()
            for client in clients:
                run(client)
            if 2 * time.monotonic() - began > until:
                break  # another one would take the time of other parts
        return {client.label: client.figures() for client in clients}

    def _unique(self, call: str, labels: list[str], in_flight: int, names: int | None = None) -> Figures:
        def run(client: Client) -> None:
            count = names or self._plan.names(client, in_flight)
            threads = 1 if client.label == "glibc, one at a time" else in_flight
            client.run(SERVER, count, threads, limit=self._plan.limit)

        clients = self._chosen(self._field.of(call), labels)
        return self._interleave(f"{call}, {in_flight:,} in flight", clients, run)

    def _cached(self, call: str, labels: list[str]) -> Figures:
        def run(client: Client) -> None:
            # who has no cache asks each time, and is given fewer
            count = self._plan.hits if client.cost <= 20 else max(50, self._plan.hits // 50)
            client.run(SERVER, count, 1, CACHED, limit=self._plan.limit)

        clients = self._chosen(self._field.of(call), labels)
        return self._interleave(f"cached {call}", clients, run)

    def _growth(self, count: int) -> Figures:
        def run(client: Client) -> None:
            client.run(SERVER, count, min(1_000, count), limit=self._plan.limit)

        clients = self._chosen(self._field.of("A"), GROWTH)
        return self._interleave(f"{count:,} names", clients, run)

    def _remote(self, in_flight: int) -> list[Figures]:
        try:
            with remote_responder(other_core()) as server:

                def run(client: Client) -> None:
                    count = self._plan.names(client, in_flight)
                    client.run(server, count, in_flight, limit=self._plan.limit)

                return [
                    self._interleave(f"remote {call}", self._chosen(self._field.of(call), REMOTE), run)
                    for call in ("A", "getaddrinfo")
                ]
        except subprocess.CalledProcessError as error:
            self._tell(f"remote: left out, for {error}")
            return [{}, {}]

    def _pending(self) -> Figures:
        count = self._plan.pending

        def run(client: Client) -> None:
            with responder("127.0.0.1:0", "held", within=other_core()) as port:
                client.run(f"127.0.0.1:{port}", count, count, limit=self._plan.limit)

        clients = [client for client in self._field.pending().values() if client.label != REFERENCE]
        figures = self._interleave(f"{count:,} pending", clients, run)
        if count > 65_535:
            # with 65,536 questions pending c-ares looks for a free id for ever: once is enough to see it
            plain = self._field.pending()[REFERENCE]
            with responder("127.0.0.1:0", within=other_core()) as port:
                plain.run(f"127.0.0.1:{port}", count, count, limit=15.0)
            figures[REFERENCE] = plain.figures()
        return figures

    def _bulk(self, in_flight: int) -> Figures:
        figures: Figures = {}
        for count in self._plan.growth:

            def run(client: Client, count: int = count) -> None:
                client.run(SERVER, count, min(in_flight, count), limit=self._plan.limit)

            clients = self._chosen(self._field.bulk(), self._field.bulk())
            for label, said in self._interleave(f"bulk, {count:,} names", clients, run).items():
                figures[f"{label}/{count}"] = said
        return figures

    def _system_calls(self) -> Figures:
        """System calls of one look-up: what twice as many look-ups make beyond those of the first half."""
        count = max(50, min(500, self._plan.hits // 100))
        clients = self._chosen(self._field.of("A"), ONE_AT_A_TIME)
        if not shutil.which("strace"):
            self._tell("one at a time: left out, for strace is not installed")
            return {}
        self._tell(f"one at a time, system calls of {count:,} look-ups")
        figures: Figures = {}
        for client in clients:
            counted: list[dict[str, int]] = []
            for names in (count, 2 * count):
                with tempfile.NamedTemporaryFile("r") as file:
                    before = ("strace", "-f", "-c", "-o", file.name)
                    client.run(SERVER, names, 1, limit=self._plan.limit, before=before)
                    counted.append(_calls(Path(file.name).read_text()))
            calls = {
                name: round((number - counted[0].get(name, 0)) / count, 2)
                for name, number in counted[1].items()
                if number - counted[0].get(name, 0) > count / 50
            }
            figures[client.label] = {
                "calls": dict(sorted(calls.items(), key=lambda item: -item[1])),
                "sum": round(sum(calls.values()), 2),
                "complaint": client.figures()["complaint"],
            }
        return figures

    def _imports(self) -> Figures:
        """Milliseconds of CPU that an import takes beyond those of Python with greenlet."""
        theirs = peers.python()
        baseline = {
            python: f"import sys; sys.path[:0] = {_path(python)}; import greenlet"
            for python in {sys.executable, theirs}
        }
        taken: dict[str, list[float]] = {label: [] for label in IMPORTS}
        self._tell("imports")
        for repetition in range(3 * self._plan.repetitions - 1):
            bare = {python: _cpu_ms([python, "-S", "-c", program]) for python, program in baseline.items()}
            for label, module in IMPORTS.items():
                python = sys.executable if label == "gdns" else theirs
                cpu = _cpu_ms([python, "-W", "ignore", "-S", "-c", f"{baseline[python]}, {module}"])
                if repetition and cpu is not None:  # the first writes the compiled files
                    taken[label].append(cpu - (bare[python] or 0.0))
        return {
            label: {"milliseconds": [round(cpu, 2) for cpu in cpus], "median": statistics.median(cpus)}
            for label, cpus in taken.items()
            if cpus
        }


def _calls(text: str) -> dict[str, int]:
    """The calls of each name in what `strace -c` writes."""
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", text, re.MULTILINE)
    return {name: int(count) for count, name in rows if name != "total"}


def _path(python: str) -> list[str]:
    return [str(ROOT), peers.site_packages(python)]


def _cpu_ms(command: list[str]) -> float | None:
    """Milliseconds of CPU that a command takes; None if it fails."""
    with subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return (usage.ru_utime + usage.ru_stime) * 1e3 if process.returncode == 0 else None


def raise_limits() -> None:
    """As many descriptors as may be had, for a port of its own for each look-up."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
