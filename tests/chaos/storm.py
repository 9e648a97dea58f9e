"""One storm: so many unique look-ups, what became of each, and what is left of memory and descriptors."""

from __future__ import annotations

import contextlib
import gc
import os
import time
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import gdns
from gdns.testing import Link, Server
from tests.conftest import GeventRunner, NativeRunner

TIMEOUT, ATTEMPTS = 0.5, 3  # seconds and tries for a question
SERVERS = 2
IN_FLIGHT = 400
PATIENCE = 250.0  # seconds after which a storm is given up
SLACK = 1.5  # seconds past its budget at which a look-up is late: a machine may be busy
ROUNDS = 6  # the first warms up, the last is measured against it


@dataclass
class Tally:
    """How the look-ups of a storm ended."""

    asked: int = 0
    right: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Those that ended with an error which silence or a refusal excuses, by that error."""
    wrong: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    lost: int = 0
    pending: int = 0
    """Queries that c-ares, and flights that the stub still had at the end."""
    descriptors: tuple[int, int] = (0, 0)
    """Open after the first round, and at the end."""
    traced: tuple[int, int] = (0, 0)
    """Octets that Python held after the first round, and at the end."""
    resident: tuple[int, int] = (0, 0)
    """Octets of memory after the first round, and at the end."""
    seconds: float = 0.0

    def __str__(self) -> str:
        share = 100 * self.right / max(1, self.asked)
        return (
            f"{self.asked} look-ups in {self.seconds:.1f} s: {share:.2f} % right, {self.lost} lost,"
            f" {len(self.late)} late, {len(self.wrong)} wrong, {len(self.twice)} ended twice,"
            f" {sum(self.failed.values())} failed {dict(self.failed)}; pending {self.pending};"
            f" descriptors {self.descriptors[0]} -> {self.descriptors[1]},"
            f" traced {self.traced[0] >> 10} -> {self.traced[1] >> 10} KiB,"
            f" resident {self.resident[0] >> 10} -> {self.resident[1] >> 10} KiB"
        )


def link(seed: int) -> Link:
    """5 % lost each way, some doubled, reordered and delayed."""
    return Link(drop=0.05, duplicate=0.03, reorder=0.05, delay=0.001, jitter=0.01, seed=seed)


def address_of(number: int) -> str:
    """The one right answer for a name, out of 198.18.0.0/15 (RFC 2544)."""
    return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def zone(count: int) -> list[str]:
    """A name for each look-up."""
    return [f"n{number}.example. 60 A {address_of(number)}" for number in range(count)]


class Storm:
    """Look-ups from many greenlets of one hub, while servers, each by itself, go down and come back."""

    def __init__(self, hub: str, count: int, seed: int) -> None:
        self.runner = NativeRunner() if hub == "native" else GeventRunner()
        self.count = count
        self.random = Random(seed)
        self.seed = seed
        self.tally = Tally()
        self.ends = bytearray(count)  # how often each ended

    def run(self) -> Tally:
        """Let it pass."""
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            servers = [
                stack.enter_context(Server(zone(self.count), link=link(self.seed + n))) for n in range(3)
            ]
            addresses = [server.address for server in servers]
            resolver = stack.enter_context(
                gdns.Resolver(
                    addresses, timeout=TIMEOUT, attempts=ATTEMPTS, cache_entries=1000, hub=self.runner.hub
                )
            )
            tracemalloc.start()
            for number in range(ROUNDS):
                begin, end = (self.count * part // ROUNDS for part in (number, number + 1))
                self.pass_through(resolver, servers, range(begin, end))
                if number == 0:
                    before = self.measure()
            self.settle(resolver)
            after = self.measure()
            tracemalloc.stop()
        tally = self.tally
        tally.descriptors, tally.traced, tally.resident = zip(before, after, strict=True)  # type: ignore[assignment]
        tally.lost = self.ends.count(0)
        tally.twice = [f"n{number}" for number, ends in enumerate(self.ends) if ends > 1]
        tally.seconds = time.monotonic() - began
        return tally

    def pass_through(self, resolver: gdns.Resolver, servers: list[Server], numbers: range) -> None:
        """Look all these names up, some hundreds at a time; each server is down for a third of the time."""
        waiting = iter(numbers)

        def work() -> None:
            for number in waiting:
                self.look_up(resolver, number)

        spawn, sleep = self.runner.spawn, self.runner.sleep
        workers = [spawn(work) for _ in range(min(IN_FLIGHT, len(numbers)))]
        is_over = False

        def toggle(victim: Server) -> None:
            while not is_over:
                sleep(0.2 + 0.4 * self.random.random())
                victim.stop_listening()
                sleep(0.1 + 0.2 * self.random.random())
                victim.resume()

        togglers = [spawn(lambda server=server: toggle(server)) for server in servers]
        self.runner.join(workers, PATIENCE)  # type: ignore[arg-type]
        is_over = True
        self.runner.join(togglers, PATIENCE)  # type: ignore[arg-type]

    def look_up(self, resolver: gdns.Resolver, number: int) -> None:
        """Look one name up, and note how that ended."""
        tally = self.tally
        tally.asked += 1
        name = f"n{number}.example."
        began = time.monotonic()
        try:
            found = resolver.lookup(name, 2)
        except gdns.GaiError as error:
            status = error.outcome.status.value if error.outcome is not None else "no outcome"
            if error.errno == -3:  # EAI_AGAIN: all that silence and refusals can excuse
                tally.failed[status] += 1
            else:
                tally.wrong.append(f"{name}: {error!r}")
        except Exception as error:  # a foreign exception is as wrong as a foreign address
            tally.wrong.append(f"{name}: {error!r}")
        else:
            if found == (address_of(number),):
                tally.right += 1
            else:
                tally.wrong.append(f"{name}: {found}")
        elapsed = time.monotonic() - began
        if elapsed > TIMEOUT * ATTEMPTS + SLACK:
            tally.late.append(f"{name}: {elapsed:.2f} s")
        self.ends[number] += 1

    def settle(self, resolver: gdns.Resolver) -> None:
        """Wait until nothing is under way any more, but for no longer than a question may take."""
        stub = resolver._engine().stub
        ends_at = time.monotonic() + TIMEOUT * ATTEMPTS
        while (left := stub.pending + stub._lane.pending) and time.monotonic() < ends_at:
            resolver_name = f"settle{left}.example."
            with contextlib.suppress(gdns.GaiError):  # cancelled tries end when something is asked
                resolver.lookup(resolver_name, 2, lifetime=0.2)
            self.runner.sleep(0.02)
        self.tally.pending = left

    def measure(self) -> tuple[int, int, int]:
        """Descriptors open, octets traced, octets resident."""
        gc.collect()
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return len(os.listdir("/proc/self/fd")), tracemalloc.get_traced_memory()[0], resident
